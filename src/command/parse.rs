//! Parses a line into a command, strictly: every error has a position, a message and a hint.
//!
//! Must not run anything, and must escape what it quotes from the line, since errors are shown on terminals.

use super::arg::{ArgKind, ArgSpec, Value};
use super::lex::{self, LexError, Lexer, Token};
use super::resolve::{self, Resolved};
use super::spec::{Command, CommandSpec};
use super::values::SampleRef;
use crate::domain::{BreakAt, Name};
use crate::text::{Escaped, alike::alike};
use std::ops::Range;

/// Why a line is no command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParseError {
    /// Position in the line, in bytes; empty, at the end, if something is missing.
    pub span: Range<usize>,
    /// What is wrong; safe to print.
    pub message: String,
    /// What to do; safe to print.
    pub hint: Option<String>,
    /// What could have been meant.
    pub candidates: Vec<&'static str>,
}

impl ParseError {
    fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), hint: None, candidates: Vec::new() }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn lex(error: LexError, offset: usize) -> Self {
        match error {
            LexError::Unclosed(at) => Self::new(offset + at..offset + at + 1, "this quote is not closed")
                .hint("close it, or write a backslash before a quote that is part of the text"),
            LexError::Escape(span) => {
                Self::new(offset + span.start..offset + span.end, "there is no such escape in double quotes")
                    .hint(r#"there are \\ \" \n \r \t and \u{HEX}; in single quotes a backslash is just a backslash"#)
            }
        }
    }
}

/// Reads one line. `None` for an empty line or a comment. The line may hold line breaks: they are white space, and part
/// of free text.
pub fn parse(line: &str) -> Result<Option<Command>, ParseError> {
    let mut lexer = Lexer::strict(line);
    let Some((spec, counted)) = command_word(&mut lexer)? else { return Ok(None) };
    let mut values = vec![None; spec.args.len()];
    if let (Some(index), Some(count)) = (spec.slash, counted)
        && let Some(slot) = values.get_mut(index)
    {
        *slot = Some(count);
    }
    if let Some(other) = spec.bare.filter(|_| lexer.clone().rest().0.is_empty()) {
        return parse(other);
    }
    for (index, arg) in spec.args.iter().enumerate() {
        if let Some(slot) = values.get_mut(index)
            && slot.is_none()
        {
            *slot = take(&mut lexer, spec, index, arg, line)?;
        }
    }
    if let Some(extra) = word(&mut lexer)? {
        return Err(ParseError::new(extra.span, format!("`{}` takes no more than this", spec.name)).hint(usage(spec)));
    }
    let end = line.trim_end().len();
    (spec.build)(&mut values.into_iter()).map(Some).ok_or_else(|| {
        ParseError::new(0..end, format!("these arguments of `{}` do not go together", spec.name)).hint(usage(spec))
    })
}

fn usage(spec: &CommandSpec) -> String {
    format!("usage: {}", spec.usage())
}

fn names_of(specs: &[&CommandSpec]) -> String {
    specs.iter().map(|s| s.name).collect::<Vec<_>>().join(", ")
}

/// What is missing where `arg` is.
fn wanted(arg: &ArgSpec) -> String {
    match arg.kind {
        ArgKind::Enum(words) => format!("one of: {}", words.iter().map(|w| w.0).collect::<Vec<_>>().join(", ")),
        kind => kind.describe().to_owned(),
    }
}

fn word(lexer: &mut Lexer<'_>) -> Result<Option<Token>, ParseError> {
    lexer.word().map_err(|e| ParseError::lex(e, 0))
}

fn shown(token: &Token) -> String {
    Escaped::line(&token.text).into_string()
}

/// The command, and the count of `x/N` if there is one.
fn command_word(lexer: &mut Lexer<'_>) -> Result<Option<(&'static CommandSpec, Option<Value>)>, ParseError> {
    let Some(first) = word(lexer)? else { return Ok(None) };
    if let Some((name, count)) = first.text.split_once('/').filter(|_| !first.quoted)
        && let Resolved::Command(spec) = resolve::resolve(name, None)
        && spec.slash.is_some()
    {
        let count =
            Token { text: count.to_owned(), span: first.span.start + name.len() + 1..first.span.end, quoted: false };
        return Ok(Some((spec, Some(number(&count, 1).map_err(|e| e.hint(usage(spec)))?))));
    }
    match resolve::resolve(&first.text, None) {
        Resolved::Command(spec) => Ok(Some((spec, None))),
        Resolved::Group(specs) => {
            let Some(second) = word(lexer)? else {
                let mut error = ParseError::new(
                    lexer.position()..lexer.position(),
                    format!("`{}` needs a second word", specs.first().map_or("", |s| resolve::head(s))),
                );
                error.candidates = specs.iter().map(|s| s.name).collect();
                error.hint = Some(format!("one of: {}", names_of(&specs)));
                return Err(error);
            };
            match resolve::resolve(&first.text, Some(&second.text)) {
                Resolved::Command(spec) => Ok(Some((spec, None))),
                other => {
                    let words = format!("{} {}", shown(&first), shown(&second));
                    let error = unresolved(other, first.span.start..second.span.end, &words);
                    if error.candidates.is_empty() {
                        return Err(error.hint(format!("one of: {}", names_of(&specs))));
                    }
                    Err(error)
                }
            }
        }
        other => Err(unresolved(other, first.span.clone(), &shown(&first))),
    }
}

fn unresolved(resolved: Resolved, span: Range<usize>, shown: &str) -> ParseError {
    let (message, hint, candidates) = match resolved {
        Resolved::Ambiguous(names) => {
            (format!("`{shown}` could be several commands"), format!("one of: {}", names.join(", ")), names)
        }
        Resolved::Unknown(names) if names.is_empty() => {
            (format!("there is no command `{shown}`"), "`help` lists the commands".to_owned(), names)
        }
        Resolved::Unknown(names) => (
            format!("there is no command `{shown}`"),
            format!("did you mean {}?", names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(" or ")),
            names,
        ),
        Resolved::Command(_) | Resolved::Group(_) => (String::new(), String::new(), Vec::new()),
    };
    ParseError { span, message, hint: Some(hint), candidates }
}

/// Whether the next word belongs to a later argument than the optional argument `index`.
pub(super) fn is_for_a_later_one(spec: &CommandSpec, index: usize, token: &Token) -> bool {
    let later = spec.args.get(index + 1..).unwrap_or_default();
    let this = spec.args.get(index);
    let digits = token.text.bytes().all(|b| b.is_ascii_digit());
    !token.quoted
        && this.is_some_and(|a| !a.required)
        && later.iter().any(|a| match a.keyword {
            Some(keyword) => token.text == keyword,
            None if a.kind == ArgKind::Position => token.text.starts_with('@'),
            None => a.kind == ArgKind::Count && digits && this.is_some_and(|t| matches!(t.kind, ArgKind::Enum(_))),
        })
}

fn take(
    lexer: &mut Lexer<'_>,
    spec: &CommandSpec,
    index: usize,
    arg: &ArgSpec,
    line: &str,
) -> Result<Option<Value>, ParseError> {
    let end = line.trim_end().len();
    let missing = || ParseError::new(end..end, format!("`{}` needs {}", spec.name, wanted(arg))).hint(usage(spec));
    if let Some(keyword) = arg.keyword {
        let next = lexer.peek_word().map_err(|e| ParseError::lex(e, 0))?;
        match next {
            Some(token) if token.text == keyword && !token.quoted => word(lexer)?,
            _ => return Ok(None),
        };
    }
    let needed = arg.required || arg.keyword.is_some();
    if arg.kind.is_rest() {
        let (raw, span) = lexer.rest();
        if raw.is_empty() {
            return if needed { Err(missing()) } else { Ok(None) };
        }
        let text = lex::unwrap_free(raw).map_err(|e| ParseError::lex(e, span.start))?;
        if text.is_empty() {
            return Err(
                ParseError::new(span, format!("`{}` needs {}", spec.name, arg.kind.describe())).hint(usage(spec))
            );
        }
        return Ok(Some(Value::Text(text)));
    }
    let Some(token) = lexer.peek_word().map_err(|e| ParseError::lex(e, 0))? else {
        return if needed { Err(missing()) } else { Ok(None) };
    };
    if arg.keyword.is_none() && is_for_a_later_one(spec, index, &token) {
        return Ok(None);
    }
    if arg.kind == ArgKind::Position && !token.text.starts_with('@') {
        return Ok(None);
    }
    word(lexer)?;
    let token = glued(lexer, arg.kind, token)?;
    value(arg, &token).map(Some).map_err(|e| if e.hint.is_some() { e } else { e.hint(usage(spec)) })
}

/// Joins `a = b` and `a= b` into one word if the argument is `A=B`.
fn glued(lexer: &mut Lexer<'_>, kind: ArgKind, mut token: Token) -> Result<Token, ParseError> {
    if !matches!(kind, ArgKind::NodeAnswer | ArgKind::ScoreValue | ArgKind::BreakPlace) {
        return Ok(token);
    }
    let next = lexer.peek_word().map_err(|e| ParseError::lex(e, 0))?;
    let joins = next.is_some_and(|n| n.text.starts_with('=') && !token.text.contains('='));
    if (joins || token.text.ends_with('='))
        && let Some(more) = word(lexer)?
    {
        token = Token { text: token.text + &more.text, span: token.span.start..more.span.end, quoted: token.quoted };
        if token.text.ends_with('=')
            && let Some(last) = word(lexer)?
        {
            token =
                Token { text: token.text + &last.text, span: token.span.start..last.span.end, quoted: token.quoted };
        }
    }
    Ok(token)
}

fn value(arg: &ArgSpec, token: &Token) -> Result<Value, ParseError> {
    let fault = |message: String| ParseError::new(token.span.clone(), message);
    match arg.kind {
        ArgKind::Node | ArgKind::Place | ArgKind::Tag => name(&token.text, token).map(Value::Name),
        ArgKind::BreakPlace if token.text == "*" => Ok(Value::Break(BreakAt::Anywhere)),
        ArgKind::BreakPlace if token.text.contains('=') => {
            let (node, answer) = pair(token)?;
            Ok(Value::Break(BreakAt::Answer(name(&node, token)?, name(&answer, token)?)))
        }
        ArgKind::BreakPlace => Ok(Value::Break(BreakAt::Place(name(&token.text, token)?))),
        ArgKind::NodeAnswer => {
            let (node, answer) = pair(token)?;
            Ok(Value::Pair(name(&node, token)?, name(&answer, token)?))
        }
        ArgKind::ScoreValue => {
            let (score, text) = pair(token)?;
            let value = text.parse::<f64>().ok().filter(|v| v.is_finite());
            let value = value.ok_or_else(|| fault(format!("`{}` is no number", Escaped::line(&text))))?;
            Ok(Value::Threshold(name(&score, token)?, value))
        }
        ArgKind::Sample => sample(token),
        ArgKind::Breakpoint | ArgKind::Display | ArgKind::Walk | ArgKind::Count => number(token, 1),
        ArgKind::Position => {
            let digits = token.text.strip_prefix('@').unwrap_or_default().to_owned();
            number(&Token { text: digits, ..token.clone() }, 0)
        }
        ArgKind::Path | ArgKind::Model if token.text.is_empty() => Err(fault("an empty path names no file".to_owned())),
        ArgKind::Path | ArgKind::Model | ArgKind::Expr(_) | ArgKind::FreeText | ArgKind::Command => {
            Ok(Value::Text(token.text.clone()))
        }
        ArgKind::Enum(words) => {
            resolve::unique(&token.text, words.iter().map(|w| w.0)).map(Value::Word).map_err(|found| {
                let all: Vec<_> = words.iter().map(|w| w.0).collect();
                let mut error = if found.is_empty() {
                    let near = alike(&token.text, all.iter().copied());
                    ParseError { candidates: near, ..fault(format!("`{}` is not one of them", shown(token))) }
                } else {
                    ParseError { candidates: found, ..fault(format!("`{}` could be several of them", shown(token))) }
                };
                error.hint = Some(match error.candidates.as_slice() {
                    [] => format!("one of: {}", all.join(", ")),
                    [one] => format!("did you mean `{one}`?"),
                    several => format!("one of: {}", several.join(", ")),
                });
                error
            })
        }
    }
}

fn pair(token: &Token) -> Result<(String, String), ParseError> {
    let (left, right) = token
        .text
        .split_once('=')
        .ok_or_else(|| ParseError::new(token.span.clone(), format!("`{}` has no `=`", shown(token))))?;
    Ok((left.to_owned(), right.to_owned()))
}

fn name(text: &str, token: &Token) -> Result<Name, ParseError> {
    Name::new(text).map_err(|e| ParseError::new(token.span.clone(), e.to_string()))
}

fn sample(token: &Token) -> Result<Value, ParseError> {
    if token.quoted || token.text.is_empty() || !token.text.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(Value::Sample(SampleRef::Id(token.text.clone())));
    }
    match token.text.parse::<usize>() {
        Ok(n) if n > 0 => Ok(Value::Sample(SampleRef::Number(n))),
        _ => Err(ParseError::new(token.span.clone(), "samples are counted from 1")
            .hint("an id that looks like a number is written in quotes")),
    }
}

fn number(token: &Token, least: u32) -> Result<Value, ParseError> {
    let fault = |message: String| Err(ParseError::new(token.span.clone(), message));
    match token.text.parse::<u32>() {
        Ok(n) if n >= least => Ok(Value::Number(n)),
        Ok(_) => fault(format!("this number has to be at least {least}")),
        Err(_) if !token.text.is_empty() && token.text.bytes().all(|b| b.is_ascii_digit()) => {
            fault("this number is too large".to_owned())
        }
        Err(_) if token.text.is_empty() => fault("there is a number missing".to_owned()),
        Err(_) => fault(format!("`{}` is no whole number", shown(token))),
    }
}
