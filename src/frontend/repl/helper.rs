//! Completion, hints and continuation lines for the line editor, from the command language.
//!
//! Must hold no commands of its own, and must not let a pasted or recalled character act on the terminal.

use crate::command::complete;
use crate::command::hint;
use crate::frontend::names::SessionNames;
use crate::frontend::script;
use crate::text::{Escaped, width};
use rustyline::completion::{Completer, Pair};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper};
use std::borrow::Cow;

/// Cells a completion list's second column may take.
const MOST_DOC: usize = 60;

/// What the line editor asks.
pub struct LineHelper {
    names: SessionNames,
    color: bool,
}

impl LineHelper {
    /// With the current names of the session.
    pub fn new(names: SessionNames, color: bool) -> Self {
        Self { names, color }
    }
}

impl Helper for LineHelper {}

impl Completer for LineHelper {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let found = complete::complete(line, pos, &self.names);
        let start = found.first().map_or(pos, |c| c.span.start);
        let pairs = found.into_iter().map(|c| Pair { display: listed(&c.display, &c.doc), replacement: c.insert });
        Ok((start, pairs.collect()))
    }
}

/// How a candidate is listed: its name and its description, if any.
fn listed(name: &str, doc: &str) -> String {
    let name = Escaped::line(name);
    match doc.lines().next().filter(|d| !d.is_empty()) {
        Some(doc) => format!("{name:<24}  {}", width::truncate(Escaped::line(doc).as_str(), MOST_DOC)),
        None => name.into_string(),
    }
}

impl Hinter for LineHelper {
    type Hint = String;

    fn hint(&self, line: &str, pos: usize, _: &Context<'_>) -> Option<String> {
        if pos == line.len() { hint(line) } else { None }
    }
}

impl Validator for LineHelper {
    fn validate(&self, ctx: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let more = script::goes_on(ctx.input());
        Ok(if more { ValidationResult::Incomplete } else { ValidationResult::Valid(None) })
    }
}

impl Highlighter for LineHelper {
    /// The line in a form that is safe to draw: control and hidden characters are removed. The line editor counts them
    /// as zero cells wide, so the cursor stays in the right place.
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        let inert = |c: char| c == '\n' || Escaped::line(c.encode_utf8(&mut [0; 4])).as_str().chars().eq([c]);
        if line.chars().all(inert) {
            Cow::Borrowed(line)
        } else {
            Cow::Owned(line.chars().filter(|c| inert(*c)).collect())
        }
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        if self.color { Cow::Owned(format!("\x1b[2m{hint}\x1b[0m")) } else { Cow::Borrowed(hint) }
    }

    fn highlight_char(&self, line: &str, _: usize, _: CmdKind) -> bool {
        // Only a line that cannot be drawn as it is needs redrawing at every key.
        !line.is_ascii() || line.chars().any(char::is_control)
    }
}
