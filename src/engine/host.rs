//! `Host`: the only handle front ends have on the engine. Commands go in, events come out, nothing blocks the caller.
//!
//! Must hold the one worker thread and the one clock of the program, and must not interpret commands.

use crate::command::Command;
use crate::domain::{Cancel, Examination};
use crate::model::Progress;
use crate::session::{Fact, FailureKind};
use crate::text::Untrusted;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::Duration;

/// Number of a submitted command, from 1, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What comes out of the engine.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Happened, and is in the journal: apply it to the state.
    Fact(Arc<Fact>),
    /// To show while it lasts; never in the journal.
    Notice(Notice),
}

/// What may be lost.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// A command began to run.
    Started(Ticket),
    /// How far it is.
    Progress(Ticket, Progress),
    /// A node is being asked.
    Asking {
        /// For which command.
        ticket: Ticket,
        /// The node.
        node: crate::domain::Name,
    },
    /// What an `x` command found.
    Examined(Ticket, Examination),
    /// A command is done; exactly one for every ticket, after all its facts.
    Done {
        /// Which command.
        ticket: Ticket,
        /// Why it ended.
        result: Result<Stop, Failure>,
    },
}

/// Why a command ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It did what it said.
    Done,
    /// At a breakpoint.
    Breakpoint(u32),
    /// At a leaf.
    Leaf,
    /// Before the place it was told to go on to.
    Until,
}

/// Why a command ended badly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Whose fault.
    pub kind: FailureKind,
    /// It was stopped on request.
    pub cancelled: bool,
    /// What went wrong.
    pub message: Untrusted,
    /// What to do about it.
    pub hint: Option<String>,
}

/// The engine's handle.
pub struct Host {
    commands: SyncSender<(Ticket, Command)>,
    events: Receiver<Event>,
    next: u64,
    cancel: Cancel,
}

impl Host {
    /// Hands over a command and returns at once. Every ticket gets exactly one [`Notice::Done`].
    pub fn submit(&mut self, command: Command) -> Ticket {
        self.next += 1;
        let ticket = Ticket(self.next);
        if self.commands.send((ticket, command)).is_err() {
            // The worker is gone; `event` will find its channel closed and say so.
        }
        ticket
    }

    /// The next event within `wait`.
    pub fn event(&self, wait: Duration) -> Option<Event> {
        self.events.recv_timeout(wait).ok()
    }

    /// Asks the running command to stop.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    /// The flag that [`Self::cancel`] sets.
    pub fn cancel_flag(&self) -> Cancel {
        self.cancel.clone()
    }
}
