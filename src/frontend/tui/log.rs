//! `Log`: what happened, line by line, as the log pane shows it.
//!
//! Must stay bounded: the session itself is in the journal. Must not store lines wrapped for one width: the pane wraps
//! them when it draws.

use crate::report::{Doc, Line, Role, transcript};
use std::collections::VecDeque;

/// Most lines kept.
const MOST_LINES: usize = 2000;

/// Width of documents for the log: so wide that hardly anything is wrapped before it is drawn.
pub const WIDE: usize = 10_000;

/// A gap to the right edge keeps one blank; the pane widens it to what there is room for.
fn narrowed(line: Line) -> Line {
    line.0.into_iter().fold(Line::new(), |line, span| match span.role {
        Role::Gap => line.with(Role::Gap, " "),
        _ => Line([line.0, vec![span]].concat()),
    })
}

/// Lines, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Log {
    lines: VecDeque<Line>,
}

impl Log {
    /// Adds the lines of a document, which is best written [`WIDE`].
    pub fn doc(&mut self, doc: Doc) {
        self.lines.extend(doc.0.into_iter().map(narrowed));
        let extra = self.lines.len().saturating_sub(MOST_LINES);
        self.lines.drain(..extra);
    }

    /// Adds the line of a command that was answered without the engine.
    pub fn command(&mut self, line: &str) {
        let line = transcript::command(line);
        self.doc(Doc(vec![line]));
    }

    /// The lines, oldest first.
    pub fn lines(&self) -> impl DoubleEndedIterator<Item = &Line> {
        self.lines.iter()
    }
}
