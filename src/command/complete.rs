//! Completion and hints for the line being typed, from the command table and the names in the session.
//!
//! Must not ask the engine or read files: names come from what the front end already holds.

use super::arg::{ArgKind, ArgSpec, Seen};
use super::help;
use super::lex::{self, Lexer, Token};
use super::parse::is_for_a_later_one;
use super::resolve::{self, Resolved};
use super::spec::{CommandSpec, TABLE};
use std::ops::Range;

/// What names are wanted of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// Nodes of the policy.
    Nodes,
    /// Leaves of the policy.
    Leaves,
    /// Answers of this node.
    Answers(&'a str),
    /// Ids of samples that begin so.
    Samples(&'a str),
    /// Numbers of breakpoints.
    Breakpoints,
    /// Numbers of displayed expressions.
    Displays,
    /// Numbers of walks.
    Walks,
    /// Classifier scores.
    Scores,
    /// Names of models.
    Models,
    /// Tags that were put before.
    Tags,
    /// What an expression can name that sees so much.
    Variables(Seen),
    /// Files whose path begins so; a folder ends in `/`.
    Paths(&'a str),
}

/// The names of a session.
pub trait Names {
    /// All names of this kind, in the order in which to offer them, each with a short description (or none).
    fn names(&self, wanted: Wanted<'_>) -> Vec<(String, String)>;

    /// Whether to offer a command: not if it would be refused anyway.
    fn offers(&self, _command: &CommandSpec) -> bool {
        true
    }
}

/// No names at all: completes commands and fixed words only.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoNames;

impl Names for NoNames {
    fn names(&self, _: Wanted<'_>) -> Vec<(String, String)> {
        Vec::new()
    }
}

/// One completion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// What to replace, in bytes of the line.
    pub span: Range<usize>,
    /// By what; ends in a space where more has to follow.
    pub insert: String,
    /// What to show in a list, raw: a name may come from a file.
    pub display: String,
    /// A short description, unescaped; may be empty.
    pub doc: String,
}

/// Possible completions of the line at the cursor, at byte `cursor`.
pub fn complete(line: &str, cursor: usize, names: &dyn Names) -> Vec<Completion> {
    let Some(typed) = line.get(..cursor) else { return Vec::new() };
    match locate(typed) {
        CursorAt::Nothing => Vec::new(),
        CursorAt::First { word } => commands(&word, None, names),
        CursorAt::Second { specs, word } => commands(&word, Some(&specs), names),
        CursorAt::Argument { args, word, .. } => {
            let mut found: Vec<Completion> = Vec::new();
            for (arg, announced) in args {
                for completion in argument(arg, announced, &word, typed, names) {
                    if !found.contains(&completion) {
                        found.push(completion);
                    }
                }
            }
            found
        }
    }
}

/// What is left to type, for ghost text after the cursor: ` NODE [if EXPR]`. `None` if nothing is, or if the line makes
/// no sense.
pub fn hint(line: &str) -> Option<String> {
    match locate(line) {
        CursorAt::Argument { args, after, word, begun: false } if word.text.is_empty() => {
            let typed_keyword = |(arg, announced): &(&ArgSpec, bool)| {
                if *announced { arg.name.to_owned() } else { arg.usage() }
            };
            let rest: Vec<_> = args.iter().map(typed_keyword).chain(after.iter().map(ArgSpec::usage)).collect();
            let space = if line.ends_with(char::is_whitespace) { "" } else { " " };
            (!rest.is_empty()).then(|| format!("{space}{}", rest.join(" ")))
        }
        CursorAt::First { word } if !word.text.is_empty() => match resolve::resolve(&word.text, None) {
            Resolved::Command(spec) => {
                let rest = spec.name.strip_prefix(word.text.as_str()).unwrap_or_default();
                let args: String = spec.args.iter().map(|a| format!(" {}", a.usage())).collect();
                Some(format!("{rest}{args}")).filter(|h| !h.is_empty())
            }
            _ => None,
        },
        _ => None,
    }
}

/// The command a line that is being typed begins with, for help beside the prompt.
pub fn command_of(line: &str) -> Option<&'static CommandSpec> {
    let mut lexer = Lexer::tolerant(line);
    let first = lexer.word().ok()??;
    let second = lexer.word().ok()?;
    match resolve::resolve(head_of(&first.text), second.as_ref().map(|t| t.text.as_str())) {
        Resolved::Command(spec) => Some(spec),
        _ => None,
    }
}

/// Where in a command the cursor stands.
enum CursorAt {
    /// In a comment, after the last argument, or after a word that is no command.
    Nothing,
    /// In the first word.
    First { word: Token },
    /// In the second word of one of these.
    Second { specs: Vec<&'static CommandSpec>, word: Token },
    /// In an argument: one of these, with whether its keyword was already typed.
    /// Free text that has `begun` needs nothing more.
    Argument { args: Vec<(&'static ArgSpec, bool)>, after: &'static [ArgSpec], word: Token, begun: bool },
}

/// `x` of `x/20`.
fn head_of(word: &str) -> &str {
    word.split_once('/').map_or(word, |(head, _)| if head.is_empty() { word } else { head })
}

/// The words before the cursor, the last being the one under the cursor; that one is empty after white space.
fn locate(typed: &str) -> CursorAt {
    let empty = Token { text: String::new(), span: typed.len()..typed.len(), quoted: false };
    let mut lexer = Lexer::tolerant(typed);
    let mut next = || match lexer.word() {
        Ok(Some(token)) => Some(token),
        _ => None,
    };
    let in_comment = typed.trim_start().starts_with('#');
    let Some(first) = next().filter(|_| !in_comment) else {
        return if in_comment { CursorAt::Nothing } else { CursorAt::First { word: empty } };
    };
    if first.span.end == typed.len() {
        return CursorAt::First { word: first };
    }
    let (spec, counted) = match resolve::resolve(head_of(&first.text), None) {
        Resolved::Command(spec) => (spec, spec.slash.filter(|_| first.text.contains('/'))),
        Resolved::Group(specs) => match next() {
            None => return CursorAt::Second { specs, word: empty },
            Some(second) if second.span.end == typed.len() => return CursorAt::Second { specs, word: second },
            Some(second) => match resolve::resolve(&first.text, Some(&second.text)) {
                Resolved::Command(spec) => (spec, None),
                _ => return CursorAt::Nothing,
            },
        },
        Resolved::Ambiguous(_) | Resolved::Unknown(_) => return CursorAt::Nothing,
    };
    arguments(spec, counted, &mut lexer, typed, empty)
}

fn arguments(
    spec: &'static CommandSpec,
    counted: Option<usize>,
    lexer: &mut Lexer<'_>,
    typed: &str,
    empty: Token,
) -> CursorAt {
    let mut index = 0;
    loop {
        if counted == Some(index) {
            index += 1;
        }
        let Some(arg) = spec.args.get(index) else { return CursorAt::Nothing };
        let after = |count: usize| spec.args.get(index + count..).unwrap_or_default();
        let open = |word| {
            let args = possible(spec, index, counted);
            let last = args.last().and_then(|(last, _)| spec.args.iter().position(|a| a.name == last.name));
            CursorAt::Argument { args, after: after(last.map_or(0, |last| last + 1 - index)), word, begun: false }
        };
        let announced = |word| CursorAt::Argument { args: vec![(arg, true)], after: after(1), word, begun: false };
        let the_rest = |lexer: &mut Lexer<'_>| {
            let begun = !lexer.clone().rest().0.is_empty();
            CursorAt::Argument { args: vec![(arg, true)], after: &[], word: rest(lexer, typed), begun }
        };
        if arg.kind.is_rest() && arg.keyword.is_none() {
            return the_rest(lexer);
        }
        let Ok(Some(token)) = lexer.peek_word() else { return open(empty) };
        if token.span.end == typed.len() {
            return open(token);
        }
        match arg.keyword {
            Some(keyword) if token.text == keyword && !token.quoted => {
                skip(lexer);
                if arg.kind.is_rest() {
                    return the_rest(lexer);
                }
                match lexer.peek_word() {
                    Ok(Some(token)) if token.span.end == typed.len() => return announced(token),
                    Ok(Some(_)) => skip(lexer),
                    _ => return announced(empty),
                }
            }
            Some(_) => {}
            None if is_for_a_later_one(spec, index, &token) => {}
            None if arg.kind == ArgKind::Position && !token.text.starts_with('@') => {}
            None => skip(lexer),
        }
        index += 1;
    }
}

/// Skips a word; a tolerant lexer reports no error.
fn skip(lexer: &mut Lexer<'_>) {
    if let Err(error) = lexer.word() {
        debug_assert!(false, "tolerant: {error:?}");
    }
}

/// What may appear in place of argument `index`: that argument, or a later one if it can be left out.
fn possible(spec: &'static CommandSpec, index: usize, counted: Option<usize>) -> Vec<(&'static ArgSpec, bool)> {
    let mut found = Vec::new();
    for (i, arg) in spec.args.iter().enumerate().skip(index).filter(|(i, _)| counted != Some(*i)) {
        found.push((arg, false));
        if arg.required && i >= index {
            break;
        }
    }
    found
}

/// The name at the end of free text or an expression.
fn rest(lexer: &mut Lexer<'_>, typed: &str) -> Token {
    let (text, span) = lexer.rest();
    let name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
    let end = if span.end == typed.len() { text } else { "" };
    let word = end.rsplit(|c| !name(c)).next().unwrap_or_default();
    Token { text: word.to_owned(), span: typed.len() - word.len()..typed.len(), quoted: false }
}

fn commands(word: &Token, among: Option<&[&'static CommandSpec]>, names: &dyn Names) -> Vec<Completion> {
    let mut found: Vec<Completion> = Vec::new();
    for spec in TABLE.iter().copied().filter(|s| among.is_none_or(|specs| specs.iter().any(|a| a.name == s.name))) {
        let (head, tail) = spec.name.split_once(' ').unwrap_or((spec.name, ""));
        let part = if among.is_some() { tail } else { head };
        if !names.offers(spec) || !part.starts_with(word.text.as_str()) || found.iter().any(|c| c.display == part) {
            continue;
        }
        let doc = match (among, tail) {
            (None, second) if !second.is_empty() => {
                let seconds = TABLE
                    .iter()
                    .copied()
                    .filter(|s| names.offers(s) && resolve::head(s) == head)
                    .filter_map(|s| s.name.split_once(' '));
                seconds.map(|(_, second)| second).collect::<Vec<_>>().join(", ")
            }
            _ => spec.summary.to_owned(),
        };
        let more = !spec.args.is_empty() || (among.is_none() && !tail.is_empty());
        found.push(Completion {
            span: word.span.clone(),
            insert: if more { format!("{part} ") } else { part.to_owned() },
            display: part.to_owned(),
            doc,
        });
    }
    found
}

fn argument(arg: &'static ArgSpec, announced: bool, word: &Token, typed: &str, names: &dyn Names) -> Vec<Completion> {
    let plain = |text: &str| Completion {
        span: word.span.clone(),
        insert: text.to_owned(),
        display: text.to_owned(),
        doc: String::new(),
    };
    if let Some(keyword) = arg.keyword.filter(|_| !announced) {
        let fits = keyword.starts_with(word.text.as_str());
        let keyword =
            Completion { insert: format!("{keyword} "), doc: arg.kind.describe().to_owned(), ..plain(keyword) };
        return if fits { vec![keyword] } else { Vec::new() };
    }
    let all = |wanted: Wanted<'_>, after: &str| -> Vec<Completion> {
        let fits = names.names(wanted).into_iter().filter(|(name, _)| name.starts_with(word.text.as_str()));
        fits.map(|(name, doc)| Completion { insert: format!("{}{after}", lex::quote(&name)), doc, ..plain(&name) })
            .collect()
    };
    match arg.kind {
        ArgKind::Node => all(Wanted::Nodes, ""),
        ArgKind::Place => [all(Wanted::Nodes, ""), all(Wanted::Leaves, "")].concat(),
        ArgKind::BreakPlace | ArgKind::NodeAnswer => match word.text.split_once('=') {
            Some((node, part)) => answers(node, part, word, typed, names),
            None if arg.kind == ArgKind::NodeAnswer => all(Wanted::Nodes, "="),
            None => {
                let anywhere = Completion { insert: "* if ".to_owned(), doc: "every node".to_owned(), ..plain("*") };
                let anywhere = if word.text.is_empty() { vec![anywhere] } else { Vec::new() };
                [all(Wanted::Nodes, ""), all(Wanted::Leaves, ""), anywhere].concat()
            }
        },
        ArgKind::ScoreValue if !word.text.contains('=') => all(Wanted::Scores, "="),
        ArgKind::Sample => {
            // An id that reads as a number would select the sample of that number.
            let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            let ids = all(Wanted::Samples(&word.text), "").into_iter();
            ids.map(|c| if number(&c.insert) { Completion { insert: lex::quoted(&c.insert), ..c } } else { c })
                .collect()
        }
        ArgKind::Breakpoint => all(Wanted::Breakpoints, ""),
        ArgKind::Display => all(Wanted::Displays, ""),
        ArgKind::Walk => all(Wanted::Walks, ""),
        ArgKind::Path => all(Wanted::Paths(&word.text), ""),
        ArgKind::Model => [all(Wanted::Models, ""), all(Wanted::Paths(&word.text), "")].concat(),
        ArgKind::Tag => all(Wanted::Tags, ""),
        ArgKind::Enum(words) => {
            let fits = words.iter().filter(|w| w.0.starts_with(word.text.as_str()));
            fits.map(|(text, doc)| Completion { doc: (*doc).to_owned(), ..plain(text) }).collect()
        }
        ArgKind::Expr(seen) => {
            let fits = names.names(Wanted::Variables(seen)).into_iter();
            let fits = fits.filter(|(name, _)| name.starts_with(word.text.as_str()));
            fits.map(|(name, doc)| Completion { insert: name.clone(), doc, ..plain(&name) }).collect()
        }
        ArgKind::Command => {
            let all = TABLE.iter().filter(|s| names.offers(s)).map(|s| (s.name, s.summary)).chain(help::TOPICS);
            let fits = all.filter(|(name, _)| name.starts_with(word.text.as_str()));
            fits.map(|(name, doc)| Completion { doc: doc.to_owned(), ..plain(name) }).collect()
        }
        ArgKind::ScoreValue | ArgKind::Count | ArgKind::Position | ArgKind::FreeText => Vec::new(),
    }
}

/// Answers of `node` after `NODE=`; the text before them is left as typed, quotes included.
fn answers(node: &str, part: &str, word: &Token, typed: &str, names: &dyn Names) -> Vec<Completion> {
    let raw = typed.get(word.span.clone()).unwrap_or_default();
    let start = word.span.start + raw.find('=').map_or(0, |at| at + 1);
    let fits = names.names(Wanted::Answers(node)).into_iter().filter(|(name, _)| name.starts_with(part));
    fits.map(|(name, doc)| Completion {
        span: start..word.span.end,
        insert: lex::quote(&name).into_owned(),
        display: name,
        doc,
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Few;

    impl Names for Few {
        fn names(&self, wanted: Wanted<'_>) -> Vec<(String, String)> {
            let words: &[&str] = match wanted {
                Wanted::Nodes => &["asks", "asks_money", "intent"],
                Wanted::Leaves => &["clean", "remove"],
                Wanted::Answers("intent") => &["yes", "not sure"],
                Wanted::Answers(_) => &["yes", "no"],
                Wanted::Samples(_) => &["post 1", "post-2", "2024"],
                Wanted::Breakpoints => &["1", "2"],
                Wanted::Displays | Wanted::Walks => &["1"],
                Wanted::Scores => &["scam"],
                Wanted::Models => &["smollm2-135m"],
                Wanted::Tags => &["gap"],
                Wanted::Variables(_) => &["p.yes", "p.no", "margin", "verdict"],
                Wanted::Paths(_) => &["my file.toml", "models/"],
            };
            words.iter().map(|w| ((*w).to_owned(), String::new())).collect()
        }
    }

    /// The lines that completing `line` at its end can lead to.
    fn leads_to(line: &str) -> Vec<String> {
        complete(line, line.len(), &Few)
            .into_iter()
            .map(|c| {
                let mut out = line.to_owned();
                out.replace_range(c.span, &c.insert);
                out
            })
            .collect()
    }

    #[test]
    fn each_kind_of_argument_offers_its_names() {
        let cases: &[(&str, &[&str])] = &[
            ("ste", &["step "]),
            ("lo", &["load "]),
            ("load ", &["load policy ", "load samples ", "load model "]),
            ("load p", &["load policy "]),
            ("load policy my", &["load policy \"my file.toml\""]),
            ("load policy 'my", &["load policy \"my file.toml\""]),
            ("load model s", &["load model smollm2-135m"]),
            ("load model m", &["load model \"my file.toml\"", "load model models/"]),
            ("until c", &["until clean"]),
            ("b ask", &["b asks", "b asks_money"]),
            ("b asks=", &["b asks=yes", "b asks=no"]),
            ("b intent=n", &["b intent=\"not sure\""]),
            ("b intent=\"not", &["b intent=\"not sure\""]),
            ("b asks ", &["b asks if "]),
            ("b asks i", &["b asks if "]),
            ("b asks if ma", &["b asks if margin"]),
            ("b asks if p.", &["b asks if p.yes", "b asks if p.no"]),
            ("b asks if margin<0.1 and (v", &["b asks if margin<0.1 and (verdict"]),
            ("print mar", &["print margin"]),
            ("set an", &["set answer "]),
            ("set answer in", &["set answer intent="]),
            ("set threshold ", &["set threshold scam="]),
            ("set threshold scam=0", &[]),
            ("sample p", &["sample \"post 1\"", "sample post-2"]),
            ("sample 2", &["sample \"2024\""]),
            ("condition ", &["condition 1", "condition 2"]),
            ("condition 1 mar", &["condition 1 margin"]),
            ("undisplay ", &["undisplay 1"]),
            ("tag ", &["tag gap"]),
            ("info b", &["info breakpoints"]),
            ("i no", &["i node", "i notes"]),
            ("mode ", &["mode direct", "mode rationale"]),
            ("x p", &["x prompt"]),
            ("x prompt ", &["x prompt of "]),
            ("x top 5 @3 of in", &["x top 5 @3 of intent"]),
            ("x/5 top o", &["x/5 top of "]),
            ("help load", &["help load policy", "help load samples", "help load model"]),
            ("next-sample ", &["next-sample where "]),
            ("next-sample where ver", &["next-sample where verdict"]),
            ("help expr", &["help expressions"]),
            ("help wo", &["help words"]),
            ("note ma", &[]),
            ("# lo", &[]),
            ("nonsense ", &[]),
            ("tui ", &[]),
        ];
        for (line, expected) in cases {
            assert_eq!(leads_to(line), *expected, "{line:?}");
        }
    }

    #[test]
    fn the_text_after_the_cursor_is_left_alone() {
        let found = complete("b as if margin", 4, &Few);
        assert_eq!(found.iter().map(|c| c.span.clone()).collect::<Vec<_>>(), [2..4, 2..4]);
    }

    #[test]
    fn an_empty_line_offers_every_command_once() {
        let found = complete("", 0, &NoNames);
        assert!(found.iter().any(|c| c.display == "step") && found.iter().filter(|c| c.display == "load").count() == 1);
    }

    #[test]
    fn hints_show_what_is_still_to_be_typed() {
        for (line, expected) in [
            ("b", Some("reak PLACE [if EXPR]")),
            ("until", Some(" PLACE")),
            ("break ", Some("PLACE [if EXPR]")),
            ("break asks ", Some("[if EXPR]")),
            ("break asks if ", Some("EXPR")),
            ("load policy ", Some("PATH")),
            ("x top ", Some("[K] [@POSITION] [of NODE]")),
            ("note ", Some("TEXT")),
            ("note a ", None),
            ("note a\\\n", None),
            ("note a,", None),
            ("print p.yes < ", None),
            ("b asks if margin < ", None),
            ("info node", None),
            ("info fo", None),
            ("continue", None),
            ("step 3", None),
            ("stpe", None),
            ("", None),
        ] {
            assert_eq!(hint(line).as_deref(), expected, "{line:?}");
        }
    }

    #[test]
    fn the_command_of_a_line_is_known_while_it_is_typed() {
        for (line, name) in
            [("b as", Some("break")), ("x/5", Some("x")), ("load p", Some("load policy")), ("load", None)]
        {
            assert_eq!(command_of(line).map(|s| s.name), name, "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_line_makes_completion_panic(line in "(b|x/|load |set answer |note |print |help )?\\PC{0,12}", at in 0usize..16) {
            for completion in complete(&line, at.min(line.len()), &Few) {
                prop_assert!(line.get(completion.span).is_some());
            }
            let told = hint(&line);
            prop_assert!(told.is_none_or(|h| !h.is_empty()));
        }
    }
}
