//! `Client`: what every front end holds: the way to the engine (or to a recorded session) and the state its facts add up to.
//!
//! Must not draw or print.

use crate::command::{EngineCommand, Has, Need, Times};
use crate::engine::{Canceller, Event, Failure, Host, Notice, Stop, Ticket};
use crate::report::Basis;
use crate::session::{
    Fact, Policies, SessionState, WalkId,
    replay::{Replay, Stride},
};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// A live session, or a recorded one in which the same commands move through what happened.
pub struct Client {
    source: Source,
    policies: Policies,
    basis: Basis,
}

enum Source {
    Live { host: Host, state: Box<SessionState> },
    Recorded(Box<Recording>),
}

/// A recorded session, a place in it, and what the last commands have to tell.
struct Recording {
    replay: Replay,
    tickets: u64,
    waiting: VecDeque<Event>,
}

impl Client {
    /// A client of a running engine whose state so far is the fold of `facts`.
    pub fn live(host: Host, facts: &[Fact]) -> Self {
        let mut state = SessionState::default();
        facts.iter().for_each(|fact| state.apply(fact));
        let policies = host.policies();
        let basis = Basis::of(&state, &policies);
        Self { source: Source::Live { host, state: Box::new(state) }, policies, basis }
    }

    /// A client of a recorded session, standing where its first walk begins.
    pub fn recorded(facts: Vec<Fact>) -> Self {
        let mut replay = Replay::new(facts);
        replay.forward(Stride::Walk);
        let policies = Policies::default();
        let basis = Basis::of(replay.state(), &policies);
        let recording = Recording { replay, tickets: 0, waiting: VecDeque::new() };
        Self { source: Source::Recorded(Box::new(recording)), policies, basis }
    }

    /// Hands a command to the engine and returns at once. Every ticket gets exactly one [`Notice::Done`].
    pub fn submit(&mut self, command: EngineCommand) -> Ticket {
        match &mut self.source {
            Source::Live { host, .. } => host.submit(command),
            Source::Recorded(recording) => {
                let ticket = recording.submit(&command);
                self.basis = Basis::of(recording.replay.state(), &self.policies);
                ticket
            }
        }
    }

    /// The next event within `wait`, its fact already applied to the state; `None` where there is none.
    pub fn event(&mut self, wait: Duration) -> Option<Event> {
        match &mut self.source {
            Source::Recorded(recording) => recording.waiting.pop_front(),
            Source::Live { host, state } => {
                let event = host.event(wait)?;
                if let Event::Fact(fact) = &event {
                    state.apply(fact);
                    self.basis = Basis::of(state, &self.policies);
                }
                Some(event)
            }
        }
    }

    /// Asks the running command to stop.
    pub fn cancel(&self) {
        if let Source::Live { host, .. } = &self.source {
            host.cancel();
        }
    }

    /// What a signal handler holds to stop the running command; `None` for a recorded session.
    pub fn canceller(&self) -> Option<Canceller> {
        match &self.source {
            Source::Live { host, .. } => Some(host.canceller()),
            Source::Recorded(_) => None,
        }
    }

    /// Whether this is a recorded session.
    pub fn is_recorded(&self) -> bool {
        matches!(self.source, Source::Recorded(_))
    }

    /// What the facts add up to.
    pub fn state(&self) -> &SessionState {
        match &self.source {
            Source::Live { state, .. } => state,
            Source::Recorded(recording) => recording.replay.state(),
        }
    }

    /// The policies behind what the facts add up to.
    pub fn basis(&self) -> &Basis {
        &self.basis
    }
}

impl Recording {
    /// Moves through the recording as `command` says; everything else is refused, because nothing can be run.
    fn submit(&mut self, command: &EngineCommand) -> Ticket {
        use EngineCommand as C;
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.waiting.push_back(Event::Notice(Notice::Started(ticket)));
        let moved = match command {
            C::Walk(id) if self.replay.select(WalkId(*id)) => {
                // Only what is looked at changes: nothing of it is part of the recording.
                self.waiting.push_back(Event::Fact(Arc::new(Fact::WalkSelected { walk: WalkId(*id) })));
                Some(true)
            }
            C::Walk(id) => {
                let failure =
                    Failure::user(format!("there is no walk {id} up to here")).hinted("info walks lists them");
                self.waiting.push_back(Event::Notice(Notice::Done { ticket, result: Err(failure) }));
                return ticket;
            }
            C::Step(Times(count)) | C::Next(Times(count)) => Some(self.forward(Stride::Step, *count)),
            C::Continue | C::Finish | C::Run => Some(self.forward(Stride::Leaf, 1)),
            C::NextSample(None) => Some(self.forward(Stride::Walk, 1)),
            C::Back(Times(count)) => Some((0..*count).map(|_| self.replay.back(Stride::Step)).sum::<usize>() > 0),
            C::PreviousSample => Some(self.replay.back(Stride::Walk) > 0),
            _ => None,
        };
        let result = match moved {
            Some(true) => Ok(Stop::Done),
            Some(false) => Err(Failure::user("the recording has nothing more in this direction")),
            None => Err(Failure::missing(Need::Live, Has::default())),
        };
        self.waiting.push_back(Event::Notice(Notice::Done { ticket, result }));
        ticket
    }

    fn forward(&mut self, stride: Stride, count: u32) -> bool {
        let mut moved = false;
        for _ in 0..count {
            let facts = self.replay.forward(stride);
            moved |= !facts.is_empty();
            self.waiting.extend(facts.iter().cloned().map(Event::Fact));
        }
        moved
    }
}
