//! Commands waiting to run: those typed ahead, and the lines of scripts and pastes, in order.
//!
//! Must not run anything, and must drop everything as soon as one of them fails.

use crate::command::{EngineCommand, FrontendCommand};
use crate::frontend::script::ScriptLine;
use std::collections::VecDeque;

/// One thing that waits.
#[derive(Clone, Debug, PartialEq)]
pub enum Waiting {
    /// A command of a line that was read already.
    Command(EngineCommand),
    /// A script that is to be run after what is running now.
    Script(FrontendCommand),
    /// A line of a script, and how deep scripts are nested.
    Line(ScriptLine, usize),
}

/// Everything that waits.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    waiting: VecDeque<Waiting>,
    /// Whether a script is being read; its lines come before everything else.
    reading: bool,
}

impl Queue {
    /// Whether there is anything to come.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && !self.reading
    }

    /// Adds one thing at the end.
    pub fn push(&mut self, waiting: Waiting) {
        self.waiting.push_back(waiting);
    }

    /// Adds lines at the end.
    pub fn lines(&mut self, lines: Vec<ScriptLine>) {
        self.waiting.extend(lines.into_iter().map(|line| Waiting::Line(line, 0)));
    }

    /// Holds everything back until the lines of a script have come.
    pub fn hold(&mut self) {
        self.reading = true;
    }

    /// Puts the lines of a script before everything else.
    pub fn script(&mut self, lines: Vec<ScriptLine>, deep: usize) {
        self.reading = false;
        for line in lines.into_iter().rev() {
            self.waiting.push_front(Waiting::Line(line, deep));
        }
    }

    /// The next to run.
    pub fn next(&mut self) -> Option<Waiting> {
        if self.reading { None } else { self.waiting.pop_front() }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}
