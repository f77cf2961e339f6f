//! Text shared by the line front ends: the one place where they ask the reports for it.
//!
//! Must hold no text that a report could provide.

use super::Client;
use crate::command::ViewCommand;
use crate::domain::Complaint;
use crate::engine::{Failure, Stop};
use crate::report::{Doc, Line, Page, Role, failure, transcript, view};
use crate::session::Fact;
use crate::text::Escaped;

/// Why a command ended, if no fact says so.
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
/// If there is nothing to show, or the expression makes no sense.
pub fn answer(command: &ViewCommand, client: &Client, width: usize) -> Result<Doc, Failure> {
    Ok(view::answer(command, client.state(), client.basis(), page(client, width))?)
}

/// What a fact reads like in a transcript.
pub fn fact(fact: &Fact, client: &Client, width: usize) -> Doc {
    transcript::fact(client.state(), client.basis(), fact, page(client, width))
}

/// Why a command failed; `place` is its origin.
pub fn failed(failed: &Failure, place: Option<&Escaped>, width: usize) -> Doc {
    let placed = place.map(|place| failed.complaint.clone().about(place));
    failure::failure(failed.kind, placed.as_ref().unwrap_or(&failed.complaint), width)
}

/// An error as lines for stderr: what went wrong, and what to do.
pub fn told(complaint: &Complaint) -> String {
    let mut text = String::new();
    for (word, part) in [("error: ", Some(complaint.message.raw())), ("hint: ", complaint.hint.as_deref())] {
        for (number, line) in part.unwrap_or_default().lines().enumerate() {
            let head = if number == 0 { word } else { "  " };
            text.push_str(&format!("{head}{}\n", Escaped::line(line)));
        }
    }
    text
}
