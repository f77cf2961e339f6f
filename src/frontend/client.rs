//! `Client`: what every front end holds: the way to the engine and the state its facts add up to.
//!
//! Must not draw or print.

use crate::command::Command;
use crate::domain::Cancel;
use crate::engine::{Event, Host, Ticket};
use crate::policy::Policy;
use crate::session::SessionState;
use std::sync::Arc;
use std::time::Duration;

/// A live session, or (without a host) a recorded one.
pub struct Client {
    host: Host,
    state: SessionState,
    policy: Option<Arc<Policy>>,
}

impl Client {
    /// A client of a running engine.
    pub fn new(host: Host) -> Self {
        Self { host, state: SessionState::default(), policy: None }
    }

    /// Hands a command to the engine and returns at once.
    pub fn submit(&mut self, command: Command) -> Ticket {
        self.host.submit(command)
    }

    /// The next event, its fact already applied to the state; `None` where there is none within `wait`.
    pub fn event(&mut self, wait: Duration) -> Option<Event> {
        let event = self.host.event(wait)?;
        if let Event::Fact(fact) = &event {
            self.state.apply(fact);
        }
        Some(event)
    }

    /// Asks the running command to stop.
    pub fn cancel(&self) {
        self.host.cancel();
    }

    /// The flag of the running command, for a signal handler.
    pub fn cancel_flag(&self) -> Cancel {
        self.host.cancel_flag()
    }

    /// What the facts add up to.
    pub fn state(&self) -> &SessionState {
        &self.state
    }

    /// The loaded policy, parsed from its record.
    pub fn policy(&self) -> Option<&Arc<Policy>> {
        self.policy.as_ref()
    }
}
