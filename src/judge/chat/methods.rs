//! String methods that chat templates expect from Python: those that minijinja lacks, and bounded versions of those
//! that it does not bound.
//!
//! Must charge fuel for a text before making it, and must never truncate one.

use super::python::{Writer, wrong};
use minijinja::value::{Tuple, from_args};
use minijinja::{Environment, Error, State, Value};
use minijinja_contrib::pycompat::unknown_method_callback;

/// Adds them to `environment`.
pub(super) fn add_to(environment: &mut Environment<'_>) {
    environment.set_unknown_method_callback(method);
}

/// Pays for that many bytes before they are there.
fn pay(state: &State<'_, '_>, bytes: usize) -> Result<(), Error> {
    state.consume_fuel(1 + bytes as u64 / 64)
}

/// What `text` lacks to be `width` characters long.
fn padding(state: &State<'_, '_>, text: &str, width: i64, fill: char) -> Result<String, Error> {
    let width = usize::try_from(width.max(0)).unwrap_or(usize::MAX);
    let missing = width.saturating_sub(text.chars().count());
    pay(state, missing.saturating_mul(fill.len_utf8()))?;
    Ok(fill.to_string().repeat(missing))
}

/// Whether the text of a `format` asks for more than 999 characters, or has one field in another.
fn too_wide(text: &str) -> bool {
    let (mut depth, mut digits) = (0, 0);
    text.replace("{{", "").replace("}}", "").chars().any(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        digits = if depth > 0 && c.is_ascii_digit() { digits + 1 } else { 0 };
        depth > 1 || digits > 3
    })
}

/// Python's `casefold` of one letter: Unicode's full case folding.
fn casefold(c: char) -> String {
    match c {
        'ı' => "ı".to_owned(),
        // Cherokee folds to its older letters, the capital ones.
        '\u{13a0}'..='\u{13f5}' | '\u{13f8}'..='\u{13fd}' | '\u{ab70}'..='\u{abbf}' => c.to_uppercase().collect(),
        _ => {
            let upper: String = c.to_lowercase().flat_map(char::to_uppercase).collect();
            // Letter by letter, because lowercasing a whole string would bring back the final sigma, which folding
            // removes.
            upper.chars().flat_map(char::to_lowercase).collect()
        }
    }
}

/// Python's `swapcase`, in which a letter of title case stays as it is.
fn swapcase(text: &str) -> String {
    // How a sigma is lowercased depends on its neighbours, so the whole text is lowercased at once.
    let lowered = text.to_lowercase();
    let mut lowered = lowered.chars();
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let low = lowered.by_ref().take(c.to_lowercase().count());
        match (c.is_uppercase(), c.is_lowercase()) {
            (true, _) => out.extend(low),
            (false, lower) => {
                low.for_each(drop);
                match lower {
                    true => out.extend(c.to_uppercase()),
                    false => out.push(c),
                }
            }
        }
    }
    out
}

/// Methods of strings that minijinja's own list of them lacks or does not bound, then that list.
fn method(state: &mut State<'_, '_>, value: &Value, name: &str, args: &[Value]) -> Result<Value, Error> {
    let Some(text) = value.as_str() else { return unknown_method_callback(state, value, name, args) };
    let parts = |parts: Option<(&str, &str)>, separator: &str, last: bool| {
        Value::from(Tuple::new(match (parts, last) {
            (Some((head, tail)), _) => [head, separator, tail].map(Value::from).to_vec(),
            (None, false) => [text, "", ""].map(Value::from).to_vec(),
            (None, true) => ["", "", text].map(Value::from).to_vec(),
        }))
    };
    Ok(match name {
        "removeprefix" => {
            let (prefix,): (&str,) = from_args(args)?;
            Value::from(text.strip_prefix(prefix).unwrap_or(text))
        }
        "removesuffix" => {
            let (suffix,): (&str,) = from_args(args)?;
            Value::from(text.strip_suffix(suffix).unwrap_or(text))
        }
        "partition" => {
            let (separator,): (&str,) = from_args(args)?;
            parts(text.split_once(separator), separator, false)
        }
        "rpartition" => {
            let (separator,): (&str,) = from_args(args)?;
            parts(text.rsplit_once(separator), separator, true)
        }
        "rsplit" => {
            let (separator, most): (Option<&str>, Option<usize>) = from_args(args)?;
            let most = most.unwrap_or(usize::MAX).saturating_add(1);
            let mut found: Vec<&str> = match separator {
                Some("") => return Err(wrong("rsplit: an empty separator")),
                Some(separator) => text.rsplitn(most, separator).collect(),
                None if most == usize::MAX => text.split_whitespace().rev().collect(),
                None => return Err(wrong("rsplit: a limit without a separator is not supported")),
            };
            found.reverse();
            Value::from(found.into_iter().map(Value::from).collect::<Vec<_>>())
        }
        "index" | "rindex" => {
            let (wanted,): (&str,) = from_args(args)?;
            let at = if name == "index" { text.find(wanted) } else { text.rfind(wanted) };
            let at = at.ok_or_else(|| wrong("substring not found"))?;
            Value::from(text.get(..at).map_or(0, |head| head.chars().count()))
        }
        "swapcase" => Value::from(swapcase(text)),
        "casefold" => Value::from(text.chars().map(casefold).collect::<String>()),
        "zfill" => {
            let (width,): (i64,) = from_args(args)?;
            let (sign, digits) = text.split_at(usize::from(text.starts_with(['+', '-'])));
            Value::from([sign, &padding(state, text, width, '0')?, digits].concat())
        }
        "ljust" | "rjust" => {
            let (width, fill): (i64, Option<char>) = from_args(args)?;
            let fill = padding(state, text, width, fill.unwrap_or(' '))?;
            Value::from(if name == "ljust" { [text, &fill].concat() } else { [fill.as_str(), text].concat() })
        }
        "replace" => {
            let (old, new, most): (&str, &str, Option<i64>) = from_args(args)?;
            let most = most.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
            pay(state, text.matches(old).take(most).count().saturating_mul(new.len()))?;
            Value::from(text.replacen(old, new, most))
        }
        "join" => {
            let (items,): (&Value,) = from_args(args)?;
            let mut out = Writer { state, text: String::new() };
            for (n, item) in items.try_iter()?.checked().enumerate() {
                out.push(if n > 0 { text } else { "" })?;
                let item = item?;
                out.push(item.as_str().ok_or_else(|| wrong("join: an item that is no string"))?)?;
            }
            Value::from(out.text)
        }
        // A width that is given by a number in the text, or by another value, has no limit there.
        "format" if too_wide(text) => return Err(wrong("format: a width that is no small number")),
        _ => return unknown_method_callback(state, value, name, args),
    })
}

#[cfg(test)]
mod tests {
    use super::super::sandbox::{Content, Sandbox};

    /// A template in which `expression` is all that is computed, and what it writes.
    fn text(expression: &str) -> String {
        let template = format!("{{{{ {expression} }}}}|{{{{ messages[0].content }}}}");
        let shown = Sandbox::new(&template, String::new(), String::new()).and_then(|s| s.render(false, Content::Text));
        match shown {
            Ok(around) => around.open.strip_suffix('|').unwrap_or_default().to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn methods_of_strings_do_what_python_3_does() {
        // As python3 gives them: `print(expression)`.
        for (expression, wanted) in [
            ("'Straße ﬁn İı ǅ ΑΣ Ꭰ ꭰ ẞ'.casefold()", "strasse fin i̇ı ǆ ας Ꭰ Ꭰ ss".replace('ς', "σ").as_str()),
            ("'ß İ ǅ ﬁ ı aB1'.swapcase()", "SS i̇ ǅ FI I Ab1"),
            ("'ὈΔΥΣΣΕΎΣ σς Σ'.swapcase()", "ὀδυσσεύς ΣΣ σ"),
            ("'ab'.ljust(5) ~ '|'", "ab   |"),
            ("'ab'.rjust(5, '*')", "***ab"),
            ("'ab'.ljust(1) ~ 'ab'.rjust(-7) ~ 'ab'.zfill(-1)", "ababab"),
            ("'x'.ljust(2000)|length", "2000"),
            ("'-7'.zfill(1500)|length", "1500"),
            ("'-7'.zfill(5) ~ '+'.zfill(3) ~ ''.zfill(2)", "-0007+0000"),
            ("'aaa'.replace('a', 'b', 2) ~ 'ab'.replace('', '-') ~ 'aa'.replace('a', 'c', -1)", "bba-a-b-cc"),
            ("', '.join(['a', 'b']) ~ '-'.join('xyz')", "a, bx-y-z"),
            ("'{} in 2024, {:>4}'.format('a', 'b')", "a in 2024,    b"),
            ("'%s is %d%%, %s, %s' % ('x', 3, none, [1, 'a'])", "x is 3%, None, [1, 'a']"),
            ("'%05.1f' % 2.25", "002.2"),
            ("7 % 3 ~ -7 % 3", "12"),
        ] {
            assert_eq!(text(expression), wanted, "{expression}");
        }
    }

    #[test]
    fn what_python_would_refuse_and_what_is_too_large_is_an_error_and_never_cut() {
        let large = "'ab'.ljust(1000000000000) 'ab'.rjust(300000) '1'.zfill(9223372036854775807) \
                     ('a'*100000).replace('a','b'*100000) ('b'*200000).join('a'*200000) '%999999999d'%1";
        for expression in large.split_whitespace() {
            assert!(text(expression).contains("does not come to an end"), "{expression}: {}", text(expression));
        }
        for expression in
            ["', '.join(['a', 1])", "'{:2000000000}'.format(1)", "'{:{}}'.format(1, 2000000000)", "'%d' % 'x'"]
        {
            assert!(text(expression).contains("fails: "), "{expression}: {}", text(expression));
        }
    }
}
