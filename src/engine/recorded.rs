//! `Recorded`: a recorded session as a driver. Commands that move a live walk move a cursor over the recorded facts.
//!
//! Must ask no judge and must not write to the recording: commands that need a live session are refused, and a
//! reviewer's notes go to a separate file.

mod review;

use super::prompt::{self, Asked};
use super::{Canceller, Driver, Event, Failure, Notice, Stop, Ticket, annotate};
use crate::command::{EngineCommand, ExamineWhat, Has, Need, SampleRef, Times};
use crate::domain::{Cancel, Examination, Name, Target};
use crate::judge::Progress;
use crate::policy::Policy;
use crate::session::expr::{self, Moment, Vocabulary};
use crate::session::replay::{Replay, Stride};
use crate::session::state::Walk;
use crate::session::{Fact, Policies, Reviewer, SessionState, WalkId};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A recorded session, a position in it, and the events not yet delivered.
#[derive(Clone)]
pub struct Recorded {
    replay: Replay,
    policies: Policies,
    tickets: u64,
    commands: VecDeque<(Ticket, EngineCommand)>,
    /// Shared by copies: one file is written by one.
    reviewer: Option<Arc<Mutex<Reviewer>>>,
    home: Option<PathBuf>,
    waiting: VecDeque<Waiting>,
    running: Canceller,
    /// The flag of the command in flight.
    cancel: Cancel,
}

/// What the command in flight still has to report.
#[derive(Clone)]
enum Waiting {
    /// This.
    Event(Event),
    /// The facts of the recording up to this position. Each is applied when it is delivered, so that the receiver sees
    /// the session as it was then.
    To(usize),
    /// The facts up to the beginning of the next walk whose sample fits.
    Search {
        ticket: Ticket,
        condition: String,
        /// Where the search has come to.
        at: usize,
    },
}

impl Recorded {
    /// Positioned where the first walk begins.
    pub fn new(facts: Vec<Fact>) -> Self {
        let mut replay = Replay::new(facts);
        replay.forward(Stride::Walk);
        Self {
            replay,
            policies: Policies::default(),
            tickets: 0,
            commands: VecDeque::new(),
            reviewer: None,
            home: None,
            waiting: VecDeque::new(),
            running: Canceller::default(),
            cancel: Cancel::new(),
        }
    }

    /// The same recording with a reviewer who may leave notes; `~` in the path of a command is their `home`.
    #[must_use]
    pub fn reviewed_by(self, reviewer: Reviewer, home: Option<PathBuf>) -> Self {
        Self { reviewer: Some(Arc::new(Mutex::new(reviewer))), home, ..self }
    }

    fn carry_out(&mut self, ticket: Ticket, command: &EngineCommand) -> Result<Stop, Failure> {
        use EngineCommand as C;
        let refused = || Failure::missing(Need::Live, Has::default());
        match command {
            command if command.spec().needs.contains(&Need::Live) => Err(refused()),
            C::Step(Times(count)) | C::Next(Times(count)) => self.forward(Stride::Step, *count),
            C::Continue | C::Finish | C::Run => self.forward(Stride::Stop, 1),
            C::NextSample(None) => self.forward(Stride::Walk, 1),
            C::NextSample(Some(condition)) => self.next_sample_where(ticket, condition),
            C::Back(Times(count)) => self.back(Stride::Step, *count),
            C::PreviousSample => self.back(Stride::Walk, 1),
            C::Walk(id) => self.look_at(WalkId(*id)),
            C::Sample(which) => self.go_to_sample(which),
            C::Until(place) => self.until(place),
            C::Note(text) => self.note(annotate::subject(self.replay.state()), text),
            C::NoteAt(node, text) => self.note(annotate::step_of(self.replay.state(), node)?, text),
            C::Tag(tag) => self.tag(tag),
            C::Save(path) => self.save(path),
            C::Examine(what, node) => {
                let asked = prompt::asked(self.replay.state(), &self.policies, node.as_ref())?;
                match self.examined(*what, &asked) {
                    Some(fact) => Ok(self.show(fact)),
                    None => Err(Failure::user(format!(
                        "the recording holds no `x {}` of node `{}`",
                        what.as_str(),
                        asked.node
                    ))
                    .hinted("x prompt shows what was asked; `--session FILE --llm MODEL` goes on with a session")),
                }
            }
            _ => Err(refused()),
        }
    }

    fn tell(&mut self, event: Event) {
        self.waiting.push_back(Waiting::Event(event));
    }

    fn forward(&mut self, stride: Stride, count: u32) -> Result<Stop, Failure> {
        let to = self.replay.ahead(stride, count);
        self.waiting.push_back(Waiting::To(to));
        moved(to != self.replay.position())
    }

    /// To the beginning of the next walk whose sample fits. Each condition may take as long as any expression, so the
    /// samples are tried one by one while events are asked for.
    fn next_sample_where(&mut self, ticket: Ticket, condition: &str) -> Result<Stop, Failure> {
        let policy = self.replay.state().policy.as_ref().and_then(|record| self.policies.of(record));
        let policies: Vec<&Policy> = policy.as_deref().into_iter().collect();
        let known = Vocabulary { moment: Moment::Sample, policies: &policies, ..Vocabulary::default() };
        expr::check(condition, &known)?;
        let (condition, at) = (condition.to_owned(), self.replay.position());
        self.waiting.push_back(Waiting::Search { ticket, condition, at });
        Ok(Stop::Done)
    }

    /// Tries the next walk from `at` on.
    fn search(&mut self, ticket: Ticket, condition: String, at: usize) -> Result<(), Failure> {
        let facts = self.replay.facts();
        let next = facts.iter().enumerate().skip(at).find_map(|(at, fact)| match &**fact {
            Fact::WalkStarted { index, sample, .. } => Some((at + 1, *index, sample)),
            _ => None,
        });
        let Some((at, index, sample)) = next else {
            return Err(Failure::user("no later walk of the recording is of a sample that fits")
                .hinted("it holds the samples that were selected; sample goes to an earlier one"));
        };
        let context = expr::Context::of_sample(self.replay.state(), index, sample);
        if expr::Condition::read(&condition)?.holds(&context)? {
            self.waiting.push_front(Waiting::To(at));
            return Ok(());
        }
        let permille = (at.saturating_mul(1000) / facts.len().max(1)).min(1000) as u16;
        self.waiting.push_front(Waiting::Search { ticket, condition, at });
        let progress = Progress::Loading { what: "trying the samples", permille };
        self.waiting.push_front(Waiting::Event(Event::Notice(Notice::Progress(ticket, progress))));
        Ok(())
    }

    /// The command in flight ends with this, wherever it has come to.
    fn fail(&mut self, failure: Failure) {
        for waiting in &mut self.waiting {
            if let Waiting::Event(Event::Notice(Notice::Done { result, .. })) = waiting {
                *result = Err(failure.clone());
            }
        }
    }

    fn back(&mut self, stride: Stride, count: u32) -> Result<Stop, Failure> {
        let (from, to) = (self.replay.position(), self.replay.behind(stride, count));
        if to != from {
            self.replay.seek(to);
        }
        moved(to != from)
    }

    /// To the beginning of the first walk of a sample, wherever it is.
    fn go_to_sample(&mut self, which: &SampleRef) -> Result<Stop, Failure> {
        let fits = |fact: &Fact| match (fact, which) {
            (Fact::WalkStarted { index, .. }, SampleRef::Number(n)) => index.checked_add(1) == Some(*n),
            (Fact::WalkStarted { sample, .. }, SampleRef::Id(id)) => sample.id.raw() == id,
            _ => false,
        };
        let Some(at) = self.replay.facts().iter().position(|fact| fits(fact)) else {
            return Err(Failure::user("the recording has no walk of that sample")
                .hinted("it holds the samples that were selected; next-sample goes from one to the next"));
        };
        self.replay.seek(at);
        self.waiting.push_back(Waiting::To(at + 1));
        Ok(Stop::Done)
    }

    /// Moves forward until a walk stands before `place` (at it, if it is a leaf), whether it got there by a step, a
    /// start, a branch, a step back or by being selected.
    fn until(&mut self, place: &Name) -> Result<Stop, Failure> {
        let stands_there = |state: &SessionState| {
            let frontier = state.walk_now().map(Walk::frontier);
            frontier.is_some_and(|at| matches!(at, Target::Node(id) | Target::Leaf(id) if id == *place))
        };
        match self.replay.next_place(stands_there) {
            Some(to) => {
                self.waiting.push_back(Waiting::To(to));
                Ok(Stop::Until)
            }
            None if stands_there(self.replay.state()) => Ok(Stop::Already),
            None => Err(Failure::user(format!("the recording does not come to `{place}` after this"))
                .hinted("sample and back go to earlier places")),
        }
    }

    /// The recorded result of `x` for this kind and node, anywhere in the recording; if no position is given, the one
    /// for which the most tokens were read. A branch shares the steps before it and the results recorded for them.
    fn examined(&self, what: ExamineWhat, asked: &Asked) -> Option<Fact> {
        let mut walks = vec![asked.walk];
        let state = self.replay.state();
        while let Some((from, shared)) = walks.last().and_then(|id| state.walk(*id)?.forked_from) {
            let there = state.walk(from).and_then(|w| w.steps.iter().position(|s| s.node.id == asked.node));
            if walks.contains(&from) || there.is_none_or(|at| at >= shared) {
                break;
            }
            walks.push(from);
        }
        let mut here = self.replay.facts().iter().filter_map(|fact| match &**fact {
            Fact::Examined { walk, node, found } if walks.contains(walk) && *node == asked.node => Some(found),
            _ => None,
        });
        let found = match what {
            ExamineWhat::Prompt => Some(Examination::Prompt(asked.pieces())),
            ExamineWhat::Tokens => here.rfind(|found| matches!(found, Examination::Tokens(_))).cloned(),
            ExamineWhat::Top { k, position } => here
                .filter_map(|found| match found {
                    Examination::Top { position: at, tokens } => Some((*at, tokens)),
                    _ => None,
                })
                .filter(|(at, _)| position.is_none_or(|asked| asked == *at))
                .max_by_key(|(at, tokens)| (*at, tokens.len()))
                .map(|(position, tokens)| Examination::Top {
                    position,
                    tokens: tokens.iter().take(k as usize).cloned().collect(),
                }),
        };
        Some(Fact::Examined { walk: asked.walk, node: asked.node.clone(), found: found? })
    }

    /// Shows something other than a movement, as the fact it would be in a live session; it is not part of the
    /// recording.
    fn show(&mut self, fact: Fact) -> Stop {
        self.tell(Event::Fact(Arc::new(fact)));
        Stop::Done
    }

    /// Changes only which walk is shown; this is not part of the recording.
    fn look_at(&mut self, walk: WalkId) -> Result<Stop, Failure> {
        if !self.replay.select(walk) {
            return Err(
                Failure::user(format!("there is no walk {} up to here", walk.0)).hinted("info walks lists them")
            );
        }
        self.tell(Event::Fact(Arc::new(Fact::WalkSelected { walk })));
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
        self.commands.push_back((ticket, command));
        ticket
    }

    fn event(&mut self, _: Duration) -> Option<Event> {
        loop {
            match self.waiting.pop_front() {
                Some(Waiting::Event(event)) => return Some(event),
                Some(Waiting::To(_) | Waiting::Search { .. }) if self.cancel.is_cancelled() => {
                    self.fail(Failure::cancelled());
                }
                Some(Waiting::Search { ticket, condition, at }) => {
                    if let Err(failure) = self.search(ticket, condition, at) {
                        self.fail(failure);
                    }
                }
                Some(Waiting::To(position)) if self.replay.position() < position => {
                    self.waiting.push_front(Waiting::To(position));
                    return self.replay.forward(Stride::Fact).first().cloned().map(Event::Fact);
                }
                Some(Waiting::To(_)) => {}
                None => {
                    let (ticket, command) = self.commands.pop_front()?;
                    self.cancel = self.running.renew();
                    self.tell(Event::Notice(Notice::Started(ticket)));
                    let result = self.carry_out(ticket, &command);
                    self.tell(Event::Notice(Notice::Done { ticket, result }));
                }
            }
        }
    }

    fn state(&self) -> &SessionState {
        self.replay.state()
    }

    fn policies(&self) -> &Policies {
        &self.policies
    }

    fn cancel(&self) {
        self.running.cancel();
    }

    fn canceller(&self) -> Canceller {
        self.running.clone()
    }

    fn length(&self) -> Option<usize> {
        Some(self.replay.facts().len())
    }

    fn is_recorded(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests;
