//! TOML with error recovery: as much of the document as can be read, and its syntax errors as diagnostics.
//!
//! Must not know what a policy is, except to report a duplicate answer as such.

use super::codes::Code;
use super::diagnostics::{Fault, Sink};
use super::extent::{self, Extent};
use super::fields::short;
use super::limits;
use super::source::At;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Enough to work on; finding what a doubled key belongs to takes time in proportion to the file, so a hostile file is
/// cut off.
const MAX_ERRORS: usize = 200;

/// Reads `text` and reports what is not TOML. A duplicate key is reported too but is not damage: its first value
/// counts.
pub(super) fn document<'t>(file: usize, text: &'t str, sink: &mut Sink) -> DeTable<'t> {
    let text = match extent::of(text, MAX_ERRORS) {
        Extent::Whole => text,
        Extent::Cut(at) => {
            sink.damaged = true;
            text.get(..clamp(text, 0..at).end).unwrap_or_default()
        }
        Extent::TooMany => {
            let message = format!("the file has more than {} words and signs", limits::TOKENS);
            sink.push(Fault::new(Code::TooLarge, At::new(file, 0..0), message).hint("split it with [include.NAME]"));
            sink.damaged = true;
            return DeTable::new();
        }
    };
    let (root, errors) = DeTable::parse_recoverable(text);
    let root = root.into_inner();
    let mut tables = None;
    let mut doubled: Vec<Vec<&str>> = Vec::new();
    let mut last_line = None;
    for (i, error) in errors.into_iter().enumerate() {
        if i == MAX_ERRORS {
            sink.damaged = true;
            break;
        }
        let span = clamp(text, error.span().unwrap_or(0..0));
        if error.message().starts_with("duplicate key") {
            let tables = tables.get_or_insert_with(|| Tables::of(text, &root));
            if let Some(fault) = tables.doubled(file, text, &span, &mut doubled) {
                sink.push(fault);
            }
            continue;
        }
        if is_bad_date(&root, &span) {
            continue;
        }
        sink.damaged = true;
        // One slip makes the parser stumble several times; the first report on a line is the one that helps.
        let line = text.get(..span.start).map_or(0, |s| s.bytes().filter(|b| *b == b'\n').count());
        if last_line.replace(line) != Some(line) {
            let fault = Fault::new(Code::Syntax, At::new(file, span), error.message());
            sink.push(fault.hint(hint(error.message())));
        }
    }
    root
}

/// A range that lies inside `text` and on character boundaries, whatever the parser reported.
fn clamp(text: &str, span: Range<usize>) -> Range<usize> {
    let floor = |mut i: usize| {
        i = i.min(text.len());
        while !text.is_char_boundary(i) {
            i -= 1;
        }
        i
    };
    let start = floor(span.start);
    start..floor(span.end).max(start)
}

/// `effective = 2026-02-31` is reported as a bad date by the reader of `[policy]`, with a better hint.
fn is_bad_date(root: &DeTable<'_>, span: &Range<usize>) -> bool {
    let policy = root.get("policy").and_then(|p| p.get_ref().as_table());
    let effective = policy.and_then(|p| p.get("effective"));
    effective.is_some_and(|e| e.get_ref().is_datetime() && e.span() == *span)
}

fn hint(message: &str) -> &'static str {
    let hints = [
        ("quoted", "put the text in quotes: \"…\", or in \"\"\"…\"\"\" where it has several lines"),
        ("escape", "write a backslash as \\\\, or put the text in '…', where a backslash is just that"),
        ("unclosed", "close the bracket that is opened before"),
        ("missing comma", "put a comma between the two"),
        ("key with no value", "write key = value"),
        ("missing assignment", "write key = value"),
        ("missing value", "write something after the `=`"),
        ("invalid basic string", "close the quote, or use \"\"\"…\"\"\" for a text of several lines"),
        ("cannot extend", "a value in braces cannot be added to later: write it as a [table] of its own"),
    ];
    hints.iter().find(|(part, _)| message.contains(part)).map_or(
        "keys are written name = value, texts in \"quotes\", tables in [brackets] on lines of their own",
        |(_, h)| h,
    )
}

/// All tables of a document by position.
struct Tables<'t, 'i> {
    /// Path, range (the header, or the braces) and whether in braces.
    all: Vec<(Vec<&'t str>, Range<usize>, bool, &'t DeTable<'i>)>,
}

impl<'t, 'i> Tables<'t, 'i> {
    fn of(text: &str, root: &'t DeTable<'i>) -> Self {
        let mut tables = Self { all: vec![(Vec::new(), 0..0, false, root)] };
        tables.walk(text, root, &[]);
        tables
    }

    // The parser refuses nesting deeper than 80, so recursion is bounded.
    fn walk(&mut self, text: &str, table: &'t DeTable<'i>, path: &[&'t str]) {
        for (key, value) in table.iter() {
            let mut path = path.to_vec();
            path.push(key.get_ref());
            self.value(text, value, &path);
        }
    }

    fn value(&mut self, text: &str, value: &'t Spanned<DeValue<'i>>, path: &[&'t str]) {
        match value.get_ref() {
            DeValue::Table(t) => {
                // Tables that are only implied by a longer header have no position of their own.
                let first = text.as_bytes().get(value.span().start);
                if let Some(b'{' | b'[') = first {
                    self.all.push((path.to_vec(), value.span(), first == Some(&b'{'), t));
                }
                self.walk(text, t, path);
            }
            DeValue::Array(a) => a.iter().for_each(|v| self.value(text, v, path)),
            _ => {}
        }
    }

    /// The fault for a duplicate key; `None` if it only follows from a duplicate table. `done` holds duplicate tables.
    fn doubled(&self, file: usize, text: &str, span: &Range<usize>, done: &mut Vec<Vec<&'t str>>) -> Option<Fault> {
        let written = text.get(span.clone()).unwrap_or_default();
        let key = written.trim_matches(['"', '\'']);
        let at = At::new(file, span.clone());
        let covers = |r: &Range<usize>| r.start <= span.start && span.end <= r.end;
        if let Some((path, ..)) = self.all.iter().find(|(_, r, braces, _)| !braces && covers(r)) {
            if done.iter().any(|d| path.starts_with(d)) {
                return None;
            }
            done.push(path.clone());
            let code = if is_answer(path) { Code::DuplicateAnswer } else { Code::DuplicateKey };
            let message = format!("[{}] stands in this file twice", short(&path.join(".")));
            return Some(Fault::new(code, at, message).hint("join the two, or give one of them another id"));
        }
        let braces = self.all.iter().filter(|(_, r, b, _)| *b && covers(r)).max_by_key(|(_, r, ..)| r.start);
        let headed =
            || self.all.iter().filter(|(_, r, b, _)| !b && r.start <= span.start).max_by_key(|(_, r, ..)| r.start);
        let (path, _, _, table) = braces.or_else(headed)?;
        if done.iter().any(|d| path.starts_with(d)) {
            return None;
        }
        let mut full: Vec<&str> = path.clone();
        full.push(key);
        let (code, what) = if is_answer(&full) {
            (Code::DuplicateAnswer, format!("answer `{}` stands in this node twice", short(key)))
        } else {
            (Code::DuplicateKey, format!("`{}` stands in this table twice", short(key)))
        };
        let fault = Fault::new(code, at, what).hint("keep the one that is meant");
        Some(match table.get_key_value(key) {
            Some((first, _)) if first.span() != *span => {
                fault.related("the first is here", At::new(file, first.span()))
            }
            _ => fault,
        })
    }
}

fn is_answer(path: &[&str]) -> bool {
    matches!(path, ["node", _, "answers", _])
}
