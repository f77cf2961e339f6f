//! `Recorded`: a recorded session as a driver. The commands that move a live walk move through what happened.
//!
//! Must ask nothing and write nothing: whatever needs a live session is refused.

use super::{Canceller, Driver, Event, Failure, Notice, Stop, Ticket};
use crate::command::{EngineCommand, Has, Need, Times};
use crate::session::replay::{Replay, Stride};
use crate::session::{Fact, Policies, SessionState, WalkId};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// A recorded session, a place in it, and what the last commands have to tell.
pub struct Recorded {
    replay: Replay,
    policies: Policies,
    tickets: u64,
    waiting: VecDeque<Event>,
}

impl Recorded {
    /// Stands where the first walk begins.
    pub fn new(facts: Vec<Fact>) -> Self {
        let mut replay = Replay::new(facts);
        replay.forward(Stride::Walk);
        Self { replay, policies: Policies::default(), tickets: 0, waiting: VecDeque::new() }
    }

    fn carry_out(&mut self, command: &EngineCommand) -> Result<Stop, Failure> {
        use EngineCommand as C;
        let refused = || Failure::missing(Need::Live, Has::default());
        match command {
            command if command.spec().needs.contains(&Need::Live) => Err(refused()),
            C::Step(Times(count)) | C::Next(Times(count)) => self.forward(Stride::Step, *count),
            C::Continue | C::Finish | C::Run => self.forward(Stride::Leaf, 1),
            C::NextSample(None) => self.forward(Stride::Walk, 1),
            C::Back(Times(count)) => self.back(Stride::Step, *count),
            C::PreviousSample => self.back(Stride::Walk, 1),
            C::Walk(id) => self.look_at(WalkId(*id)),
            _ => Err(refused()),
        }
    }

    fn forward(&mut self, stride: Stride, count: u32) -> Result<Stop, Failure> {
        let from = self.replay.position();
        for _ in 0..count {
            let facts = self.replay.forward(stride);
            if facts.is_empty() {
                break;
            }
            self.waiting.extend(facts.iter().cloned().map(Event::Fact));
        }
        moved(self.replay.position() != from)
    }

    fn back(&mut self, stride: Stride, count: u32) -> Result<Stop, Failure> {
        let taken = (0..count).take_while(|_| self.replay.back(stride) > 0).count();
        moved(taken > 0)
    }

    /// Only what is looked at changes: nothing of it is part of the recording.
    fn look_at(&mut self, walk: WalkId) -> Result<Stop, Failure> {
        if !self.replay.select(walk) {
            return Err(
                Failure::user(format!("there is no walk {} up to here", walk.0)).hinted("info walks lists them")
            );
        }
        self.waiting.push_back(Event::Fact(Arc::new(Fact::WalkSelected { walk })));
        Ok(Stop::Done)
    }
}

fn moved(moved: bool) -> Result<Stop, Failure> {
    if moved { Ok(Stop::Done) } else { Err(Failure::user("the recording has nothing more in this direction")) }
}

impl Driver for Recorded {
    fn submit(&mut self, command: EngineCommand) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.waiting.push_back(Event::Notice(Notice::Started(ticket)));
        let result = self.carry_out(&command);
        self.waiting.push_back(Event::Notice(Notice::Done { ticket, result }));
        ticket
    }

    fn event(&mut self, _: Duration) -> Option<Event> {
        self.waiting.pop_front()
    }

    fn state(&self) -> &SessionState {
        self.replay.state()
    }

    fn policies(&self) -> &Policies {
        &self.policies
    }

    fn cancel(&self) {}

    fn canceller(&self) -> Option<Canceller> {
        None
    }

    fn is_recorded(&self) -> bool {
        true
    }
}
