//! Advice: the one place where the screen asks the command language and the reports for words.
//!
//! Must hold no words that the table or a report could give.

use super::prompt::{Advice, Candidate};
use super::view::View;
use crate::command::complete::command_of;
use crate::command::{Command, complete, hint};
use crate::domain::Examination;
use crate::engine::{Failure, Stop};
use crate::frontend::names::SessionNames;
use crate::report::{Doc, Line, Role};
use crate::session::Fact;

/// What the command language says of a line with the cursor at byte `at`.
pub fn of(line: &str, at: usize, names: &SessionNames) -> Advice {
    let candidates = complete(line, at, names)
        .into_iter()
        .map(|c| Candidate { span: c.span, insert: c.insert, label: c.display, doc: c.doc })
        .collect();
    let hint = if at == line.len() { hint(line).unwrap_or_default() } else { String::new() };
    let help = command_of(line).map_or(String::new(), |spec| format!("{}: {}", spec.usage(), spec.summary));
    Advice { candidates, hint, help }
}

/// The answer to a command that needs no engine.
pub fn answer(command: &Command, view: View<'_>) -> Doc {
    let _ = (command, view);
    Doc::new()
}

/// The lines of the log for a fact.
pub fn transcript(fact: &Fact, view: View<'_>) -> Doc {
    let _ = (fact, view);
    Doc::new()
}

/// What `x` found.
pub fn examination(examination: &Examination) -> Doc {
    let _ = examination;
    Doc::new()
}

/// Why a command stopped, where that is worth saying.
pub fn stop(stop: Stop, view: View<'_>) -> Option<Line> {
    let walk = view.walk()?;
    match stop {
        Stop::Breakpoint(id) => Some(Line::new().with(Role::Warning, format!("◆ Stopped at breakpoint {id}."))),
        Stop::Leaf => {
            let leaf = walk.leaf.as_ref()?;
            Some(Line::new().with(Role::Leaf, format!("Leaf {}", leaf.id)))
        }
        Stop::Until | Stop::Done => None,
    }
}

/// A failure in one line: what went wrong and what to do.
pub fn failure(failure: &Failure) -> Line {
    let role = if failure.cancelled { Role::Warning } else { Role::Error };
    let line = Line::new().untrusted(role, &failure.message);
    match &failure.hint {
        Some(hint) => line.with(Role::Hint, format!(" · {hint}")),
        None => line,
    }
}
