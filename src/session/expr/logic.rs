//! `and`, `or` and `not` over what is not known: Kleene's three-valued logic on top of an expression language that has two.
//!
//! Must leave everything between the connectives to minijinja, and must be given an expression that minijinja has parsed.
//!
//! | `a` | `b` | `a and b` | `a or b` | `not a` |
//! |---|---|---|---|---|
//! | true | unknown | unknown | true | false |
//! | false | unknown | false | unknown | true |
//! | unknown | unknown | unknown | unknown | unknown |

use super::ExprError;

/// True, false, or `None`: not known.
pub(super) type Truth = Option<bool>;

/// Parentheses are looked into this deep; what lies deeper is evaluated as it is. minijinja itself goes no deeper.
const MOST_DEEP: usize = 150;

/// What a condition comes to; `evaluate` is asked for its parts between the connectives, from left to right and only as far as
/// needed.
pub(super) fn truth(
    source: &str,
    evaluate: &mut dyn FnMut(&str) -> Result<Truth, ExprError>,
) -> Result<Truth, ExprError> {
    disjunction(source, MOST_DEEP, evaluate)
}

fn disjunction(
    source: &str,
    deep: usize,
    evaluate: &mut dyn FnMut(&str) -> Result<Truth, ExprError>,
) -> Result<Truth, ExprError> {
    let words = words(source);
    // `a if b else c` binds less than any connective.
    if deep == 0 || words.iter().any(|w| w.text == "if") {
        return evaluate(source);
    }
    let mut known = Some(false);
    for part in split(source, &words, "or") {
        match conjunction(part, deep, evaluate)? {
            Some(true) => return Ok(Some(true)),
            Some(false) => {}
            None => known = None,
        }
    }
    Ok(known)
}

fn conjunction(
    source: &str,
    deep: usize,
    evaluate: &mut dyn FnMut(&str) -> Result<Truth, ExprError>,
) -> Result<Truth, ExprError> {
    let mut known = Some(true);
    for part in split(source, &words(source), "and") {
        match negation(part, deep, evaluate)? {
            Some(false) => return Ok(Some(false)),
            Some(true) => {}
            None => known = None,
        }
    }
    Ok(known)
}

fn negation(
    source: &str,
    deep: usize,
    evaluate: &mut dyn FnMut(&str) -> Result<Truth, ExprError>,
) -> Result<Truth, ExprError> {
    let mut rest = source.trim();
    let mut negated = false;
    while let Some(after) = rest.strip_prefix("not").filter(|after| !after.starts_with(is_word)) {
        negated = !negated;
        rest = after.trim_start();
    }
    let truth = match parenthesised(rest) {
        Some(inside) => disjunction(inside, deep - 1, evaluate)?,
        None => evaluate(rest)?,
    };
    Ok(truth.map(|t| t != negated))
}

/// A word outside quotes and brackets that is no part of a dotted name.
struct Word<'a> {
    text: &'a str,
    start: usize,
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn words(source: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut begun: Option<usize> = None;
    let mut after_dot = false;
    for (at, c, depth) in outside_quotes(source).chain([(source.len(), ' ', 0)]) {
        match begun {
            None if is_word(c) && depth == 0 => begun = Some(at),
            Some(start) if !is_word(c) => {
                if let Some(text) = source.get(start..at).filter(|_| !after_dot) {
                    words.push(Word { text, start });
                }
                begun = None;
                after_dot = c == '.';
            }
            None if !c.is_whitespace() => after_dot = c == '.',
            _ => {}
        }
    }
    words
}

/// The characters outside quotes with their byte offsets and how many brackets they lie in. A quoted text counts as one `"`.
fn outside_quotes(source: &str) -> impl Iterator<Item = (usize, char, usize)> {
    let mut depth = 0_usize;
    let mut quote: Option<char> = None;
    let mut escaped = false;
    source.char_indices().filter_map(move |(at, c)| {
        if let Some(open) = quote {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                c if c == open => quote = None,
                _ => {}
            }
            return None;
        }
        match c {
            '"' | '\'' => quote = Some(c),
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => {
                depth = depth.saturating_sub(1);
                return Some((at, c, depth));
            }
            _ => {}
        }
        let bracket = matches!(c, '(' | '[' | '{');
        Some((at, c, if bracket { depth - 1 } else { depth }))
    })
}

/// The parts of `source` between the words that are `connective`.
fn split<'a>(source: &'a str, words: &[Word<'a>], connective: &str) -> Vec<&'a str> {
    let mut parts = Vec::new();
    let mut from = 0;
    for word in words.iter().filter(|w| w.text == connective) {
        parts.extend(source.get(from..word.start));
        from = word.start + connective.len();
    }
    parts.extend(source.get(from..));
    parts
}

/// What stands in parentheses, where that is the whole of `source`.
fn parenthesised(source: &str) -> Option<&str> {
    let inside = source.strip_prefix('(')?.strip_suffix(')')?;
    let mut outermost = outside_quotes(source).filter(|(_, c, depth)| *depth == 0 && *c == ')');
    let (closing, ..) = outermost.next()?;
    // `(a, b)` and `()` are tuples, and tuples are values.
    let tuple = inside.trim().is_empty() || outside_quotes(inside).any(|(_, c, depth)| c == ',' && depth == 0);
    (closing + 1 == source.len() && !tuple).then_some(inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `t`, `f` and `u` are true, false and unknown; everything else is written down.
    fn of(source: &str) -> (Truth, Vec<String>) {
        let mut others = Vec::new();
        let truth = truth(source, &mut |part| {
            Ok(match part.trim() {
                "t" => Some(true),
                "f" => Some(false),
                "u" => None,
                other => {
                    others.push(other.to_owned());
                    Some(true)
                }
            })
        });
        (truth.expect("no part fails"), others)
    }

    #[test]
    fn the_tables_of_three_valued_logic() {
        for (source, expected) in [
            ("u or t", Some(true)),
            ("t or u", Some(true)),
            ("u or f", None),
            ("f or u", None),
            ("f and u", Some(false)),
            ("u and f", Some(false)),
            ("u and t", None),
            ("u or u", None),
            ("not u", None),
            ("not not u", None),
            ("not f", Some(true)),
            ("not t and t", Some(false)),
            ("not (u and f)", Some(true)),
            ("t or u and u", Some(true)),
            ("(t or u) and u", None),
            ("(u) or ((t))", Some(true)),
            ("u and (f or not t)", Some(false)),
        ] {
            assert_eq!(of(source), (expected, Vec::new()), "{source}");
        }
    }

    #[test]
    fn only_connectives_between_conditions_are_split() {
        for (source, parts) in [
            ("a == 'x or y'", &["a == 'x or y'"] as &[_]),
            ("a == 'it\\'s or' and b", &["a == 'it\\'s or'", "b"]),
            ("p.or > 1 and p. and", &["p.or > 1", "p. and"]),
            ("a in [b or c] and d", &["a in [b or c]", "d"]),
            ("a not in b", &["a not in b"]),
            ("not not a in b and notes", &["a in b", "notes"]),
            ("(a or b) | length", &["(a or b) | length"]),
            ("(a) == (b)", &["(a) == (b)"]),
            ("a if b or c else d", &["a if b or c else d"]),
            ("(a, b)", &["(a, b)"]),
            ("or_a and band", &["or_a", "band"]),
            ("f or(a)and\nb", &["a", "b"]),
        ] {
            assert_eq!(of(source).1, parts, "{source}");
        }
    }
}
