//! `Log`: what happened, line by line, as the log pane shows it.
//!
//! Must stay bounded: the session itself is in the journal.

use crate::report::{Doc, Line, transcript};
use std::collections::VecDeque;

/// Most lines kept.
const MOST_LINES: usize = 2000;

/// Lines, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Log {
    lines: VecDeque<Line>,
}

impl Log {
    /// Adds the lines of a document.
    pub fn doc(&mut self, doc: Doc) {
        self.lines.extend(doc.0);
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
