//! What the front ends that print lines say: the one place where they ask the reports for words.
//!
//! Must hold no words that a report could give.

use super::Client;
use crate::command::ViewCommand;
use crate::domain::Examination;
use crate::engine::{Failure, Stop};
use crate::report::{Doc, Line, Page, Role, examination, failure, transcript, view};
use crate::session::{Fact, FailureKind};
use crate::text::{Escaped, Untrusted};

/// Why a command ended, where no fact tells.
pub fn stop(stop: Stop) -> Option<Line> {
    let text = match stop {
        Stop::Unchanged => "nothing changed on disk since it was loaded",
        Stop::Already => "the walk stands there already; nothing was asked",
        Stop::Breakpoint(_) | Stop::Leaf | Stop::Until | Stop::Done => return None,
    };
    Some(Line::new().with(Role::Muted, text))
}

/// That the policy on disk is another one than the one that is loaded.
pub fn policy_changed() -> Line {
    Line::new()
        .with(Role::Warning, "! policy file changed on disk: ")
        .with(Role::Hint, "`reload` loads it and lists what changed")
}

fn page(client: &Client, width: usize) -> Page {
    if client.is_recorded() { Page::recorded(width) } else { Page::live(width) }
}

/// The answer to a command that needs no engine, wrapped at `width` cells.
///
/// # Errors
/// Where there is nothing to show, or the expression makes no sense.
pub fn answer(command: &ViewCommand, client: &Client, width: usize) -> Result<Doc, Failure> {
    view::answer(command, client.state(), client.basis(), page(client, width)).map_err(|error| Failure {
        kind: FailureKind::User,
        cancelled: false,
        message: error.message,
        hint: error.hint,
    })
}

/// What a fact reads like in a transcript.
pub fn fact(fact: &Fact, client: &Client, width: usize) -> Doc {
    transcript::fact(client.state(), client.basis(), fact, page(client, width))
}

/// What `x` found.
pub fn examined(found: &Examination, client: &Client, width: usize) -> Doc {
    examination::examination(found, page(client, width))
}

/// Why a command ended badly; `place` is where it came from.
pub fn failed(failed: &Failure, place: Option<&Escaped>, width: usize) -> Doc {
    let message = match place {
        Some(place) => Untrusted::from(format!("{place}: {}", failed.message.raw())),
        None => failed.message.clone(),
    };
    failure::failure(failed.kind, &message, failed.hint.as_deref(), width)
}

/// An error as lines for stderr: what went wrong, and what to do.
pub fn told(message: &Untrusted, hint: Option<&str>) -> String {
    let mut text = String::new();
    for (word, part) in [("error: ", Some(message.raw())), ("hint: ", hint)] {
        for (number, line) in part.unwrap_or_default().lines().enumerate() {
            let head = if number == 0 { word } else { "  " };
            text.push_str(&format!("{head}{}\n", Escaped::line(line)));
        }
    }
    text
}
