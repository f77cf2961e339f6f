//! `Driver`: runs engine commands, either in a live session, which asks a model, or in a recording, which moves through
//! what happened. Front ends drive both the same way.
//!
//! Must not look at what a command is; that is for the engine and for the recording.

use super::{Canceller, Event, Host, SampleIds, Ticket};
use crate::command::EngineCommand;
use crate::session::{Fact, Policies, SessionState};
use std::time::Duration;

/// Runs commands; every ticket gets exactly one [`super::Notice::Done`].
pub trait Driver {
    /// Takes a command and returns at once.
    fn submit(&mut self, command: EngineCommand) -> Ticket;

    /// The next event within `wait`, with its fact already applied to the state; `None` on timeout.
    fn event(&mut self, wait: Duration) -> Option<Event>;

    /// What the facts add up to.
    fn state(&self) -> &SessionState;

    /// The policies behind them, parsed once.
    fn policies(&self) -> &Policies;

    /// The ids of the loaded samples; none in a recording, which holds only the samples that were selected.
    fn sample_ids(&self) -> SampleIds {
        SampleIds::default()
    }

    /// Asks the running command to stop.
    fn cancel(&self);

    /// A handle with which a signal handler stops the running command.
    fn canceller(&self) -> Canceller;

    /// The total number of facts, including those to come; `None` if they are still being made.
    fn length(&self) -> Option<usize> {
        None
    }

    /// Whether the session is a recording: nothing is asked, and nothing written.
    fn is_recorded(&self) -> bool;
}

/// A running engine, and the state its facts add up to on this side.
pub struct Live {
    host: Host,
    state: SessionState,
    policies: Policies,
}

impl Live {
    /// A running engine whose state so far is the fold of `facts`.
    pub fn new(host: Host, facts: &[Fact]) -> Self {
        let mut state = SessionState::default();
        facts.iter().for_each(|fact| state.apply(fact));
        let policies = host.policies();
        Self { host, state, policies }
    }
}

impl Driver for Live {
    fn submit(&mut self, command: EngineCommand) -> Ticket {
        self.host.submit(command)
    }

    fn event(&mut self, wait: Duration) -> Option<Event> {
        let event = self.host.event(wait)?;
        if let Event::Fact(fact) = &event {
            self.state.apply(fact);
        }
        Some(event)
    }

    fn state(&self) -> &SessionState {
        &self.state
    }

    fn policies(&self) -> &Policies {
        &self.policies
    }

    fn sample_ids(&self) -> SampleIds {
        self.host.sample_ids()
    }

    fn cancel(&self) {
        self.host.cancel();
    }

    fn canceller(&self) -> Canceller {
        self.host.canceller()
    }

    fn is_recorded(&self) -> bool {
        false
    }
}
