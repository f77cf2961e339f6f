//! Advice: the one place where the screen gets text from the command language and the reports.
//!
//! Must hold no text that the table or a report could provide.

use super::log::WIDE;
use super::panes;
use super::prompt::{Advice, Candidate};
use super::view::View;
use crate::command::complete::command_of;
use crate::command::{ViewCommand, complete, hint};
use crate::domain::{Complaint, Examination, Name};
use crate::engine::{Failure, Stop};
use crate::frontend::names::SessionNames;
use crate::report::{self, Doc, Line, Page, Role, compare, examination, transcript};
use crate::session::{Fact, FailureKind};
use crate::text::Untrusted;

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

/// The answer to a command that needs no engine; `Err` is why there is nothing to show.
pub fn answer(command: &ViewCommand, view: View<'_>, page: Page) -> Result<Doc, Doc> {
    report::view::answer(command, view.state, view.basis, page)
        .map_err(|e| report::failure::failure(FailureKind::User, &e, page.width))
}

/// The lines of the log for a fact that is already in the state: as few as possible, for the panes show the rest.
pub fn transcript(fact: &Fact, view: View<'_>, page: Page) -> Doc {
    if let Fact::Command { line } = fact {
        return Doc(vec![transcript::command(line)]);
    }
    let mut doc = transcript::brief(view.state, view.basis, fact, page);
    if matches!(fact, Fact::Stepped { .. }) {
        doc.extend(transcript::displays(view.state));
    }
    doc
}

/// What `x` found.
pub fn examination(examination: &Examination, page: Page) -> Doc {
    examination::examination(examination, page)
}

/// Why a command stopped, if that is worth saying and not visible from the walk's position.
pub fn stop(stop: Stop) -> Option<Line> {
    crate::frontend::words::stop(stop)
}

/// Where the current walk stands: at a breakpoint, before a node, or at its leaf with the verdict. Computed on every
/// draw, since the next command may show another walk.
pub fn standing(view: View<'_>) -> Option<Line> {
    let next = |line: Line, node: &Name| line.with(Role::Muted, "next: ").with(Role::Node, node);
    let stopped =
        view.state.stopped_at.map(|id| Line::new().with(Role::Warning, format!("◆ stopped at breakpoint {id}")));
    match (stopped, view.next_node()) {
        (Some(line), Some(node)) => Some(next(line.with(Role::Muted, "  ·  "), &node)),
        (Some(line), None) => Some(match reached(view) {
            Some(leaf) => line.with(Role::Muted, "  ·  ").join(leaf),
            None => line,
        }),
        (None, Some(node)) => Some(next(Line::new(), &node)),
        (None, None) => reached(view),
    }
}

/// The verdict of the walk and whom it agrees with, in one line; `None` before the leaf.
pub fn reached(view: View<'_>) -> Option<Line> {
    let walk = view.walk()?;
    let leaf = walk.leaf.as_ref()?;
    let line = Line::new().with(Role::Muted, "leaf ").with(Role::Leaf, &leaf.id).with(Role::Text, "  ");
    let line = compare::verdict(line, &leaf.verdict);
    Some(match compare::agreement(walk).cell {
        Some(cell) => {
            let (role, symbol) = panes::compare::mark(cell);
            line.with(Role::Muted, "  ·  ").with(role, format!("{symbol} {}", cell.as_str()))
        }
        None => line,
    })
}

/// A failure in one line: what went wrong and what to do.
pub fn failure(failure: &Failure) -> Line {
    let role = if failure.cancelled { Role::Warning } else { Role::Error };
    let line = Line::new().untrusted(role, &first_line(failure.complaint.message.raw()).into());
    match &failure.complaint.hint {
        Some(hint) => line.with(Role::Hint, " · ").untrusted(Role::Hint, &first_line(hint).into()),
        None => line,
    }
}

/// A failure that has more to say than a line holds, in full.
pub fn failure_in_lines(failure: &Failure) -> Option<Doc> {
    let Complaint { message, hint } = &failure.complaint;
    let long = message.raw().contains('\n') || hint.as_ref().is_some_and(|hint| hint.contains('\n'));
    long.then(|| report::failure::failure(failure.kind, &failure.complaint, WIDE))
}

/// Something to know, in one line.
pub fn note(text: &Untrusted) -> Line {
    Line::new().with(Role::Warning, "note: ").untrusted(Role::Text, &first_line(text.raw()).into())
}

/// The same in full, for the log.
pub fn note_in_lines(text: &Untrusted) -> Doc {
    report::failure::note(text, WIDE)
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
