//! The engine: takes commands, asks the judge, walks the tree, and says what happened as facts.
//!
//! Must not print, must not know screens, and must not parse command lines. A fact is in the journal (fsynced) before
//! anyone outside hears of it.

mod annotate;
mod breakpoint;
mod failure;
pub mod host;
mod meant;
pub mod policy_file;
pub mod prompt;
mod run;
mod samples;
mod setup;
pub mod walk;

#[cfg(test)]
mod tests;

/// What a judge reports while it works; front ends take it from here, not from `model`.
pub use crate::judge::Progress;
pub use failure::Failure;
pub use host::{Canceller, Event, Host, Notice, Stop, Ticket};
pub use setup::{Builtin, policy_of_file};

use crate::command::Command;
use crate::domain::{Cancel, Name};
use crate::judge::{Judge, JudgeSource};
use crate::policy::Policy;
use crate::session::{Fact, Journal, Policies, SessionState};
use samples::SampleSet;
use std::sync::Arc;

/// What an engine is made of.
pub struct Parts {
    /// Opens judges by name.
    pub source: Box<dyn JudgeSource>,
    /// Where facts are kept; `None` keeps them in memory only.
    pub journal: Option<Journal>,
    /// Facts of the session so far, already in the journal: one [`Fact::Opened`], or a resumed session.
    pub facts: Vec<Fact>,
    /// Policies and samples inside the program, found under `builtin:NAME`.
    pub builtins: &'static [Builtin],
}

/// Executes one command at a time; lives on the host's worker thread.
pub struct Engine {
    source: Box<dyn JudgeSource>,
    journal: Option<Journal>,
    builtins: &'static [Builtin],
    state: SessionState,
    policy: Option<Arc<Policy>>,
    policies: Policies,
    samples: Option<SampleSet>,
    judge: Option<Box<dyn Judge>>,
    breakpoints_made: u32,
    displays_made: u32,
}

/// Where a command's events go, and how it is stopped.
struct Run<'a> {
    ticket: Ticket,
    cancel: &'a Cancel,
    emit: &'a mut dyn FnMut(Event),
}

impl Run<'_> {
    fn notice(&mut self, notice: Notice) {
        (self.emit)(Event::Notice(notice));
    }

    fn check_cancel(&self) -> Result<(), Failure> {
        if self.cancel.is_cancelled() { Err(Failure::cancelled()) } else { Ok(()) }
    }
}

impl Engine {
    /// An engine whose state is the fold of `parts.facts`.
    pub fn new(parts: Parts) -> Self {
        let mut state = SessionState::default();
        parts.facts.iter().for_each(|fact| state.apply(fact));
        let made = |ids: &mut dyn Iterator<Item = u32>| ids.max().unwrap_or(0);
        let breakpoints_made = made(&mut parts.facts.iter().filter_map(|f| match f {
            Fact::BreakpointSet(b) => Some(b.id),
            _ => None,
        }));
        let displays_made = made(&mut parts.facts.iter().filter_map(|f| match f {
            Fact::DisplayAdded { id, .. } => Some(*id),
            _ => None,
        }));
        let policies = Policies::default();
        let policy = state.policy.as_ref().and_then(|record| policies.of(record));
        Self {
            source: parts.source,
            journal: parts.journal,
            builtins: parts.builtins,
            state,
            policy,
            policies,
            samples: setup::samples_again(&parts.facts, parts.builtins),
            judge: None,
            breakpoints_made,
            displays_made,
        }
    }

    /// Executes one command. Its canonical line is recorded first, then what follows from it.
    pub fn execute(
        &mut self,
        ticket: Ticket,
        command: &Command,
        cancel: &Cancel,
        emit: &mut dyn FnMut(Event),
    ) -> Result<Stop, Failure> {
        let mut run = Run { ticket, cancel, emit };
        if let (Command::Save(path), Some(journal)) = (command, &mut self.journal)
            && journal.is_poisoned()
        {
            return annotate::rescue(journal, path);
        }
        self.record(&mut run, Fact::Command { line: command.to_string() })?;
        let result = self.dispatch(&mut run, command);
        if let Err(failure) = &result
            && !failure.cancelled
        {
            // Where the journal itself failed, this fails too; what the person has to hear is the first failure.
            let failed = Fact::Failed { kind: failure.kind, message: failure.message.clone() };
            drop(self.record(&mut run, failed));
        }
        result
    }

    fn dispatch(&mut self, run: &mut Run, command: &Command) -> Result<Stop, Failure> {
        match command {
            Command::LoadPolicy(path) => self.load_policy(run, path),
            Command::Reload => self.reload(run),
            Command::LoadSamples(path) => self.load_samples(run, path),
            Command::LoadModel(name) => self.load_model(run, name),
            Command::Sample(which) => self.select_sample(run, which),
            Command::NextSample(filter) => self.next_sample(run, filter.as_deref()),
            Command::PreviousSample => self.previous_sample(run),
            Command::Walk(id) => self.select_walk(run, *id),
            Command::SetMode(mode) => self.done(run, Fact::ModeSet(*mode)),
            Command::Run => self.run_again(run),
            Command::Rerun(node) => self.rerun(run, node.as_ref()),
            Command::Step(count) => self.step(run, *count),
            Command::Next(count) => self.next(run, *count),
            Command::Finish => self.finish(run),
            Command::Until(place) => self.until(run, place),
            Command::Continue => self.go_on(run),
            Command::Back(count) => self.back(run, *count),
            Command::Break { at, condition, temporary } => {
                self.set_breakpoint(run, at, condition.as_deref(), *temporary)
            }
            Command::Condition(id, condition) => self.set_condition(run, *id, condition.as_deref()),
            Command::Enable(id) => self.enable(run, *id, true),
            Command::Disable(id) => self.enable(run, *id, false),
            Command::Delete(id) => self.delete(run, *id),
            Command::Examine { what, node } => self.examine(run, *what, node.as_ref()),
            Command::Display(Some(expr)) => self.display(run, expr),
            Command::Undisplay(id) => self.undisplay(run, *id),
            Command::SetAnswer(node, answer) => self.set_answer(run, node, answer),
            Command::SetThreshold(name, value) => self.set_threshold(run, name, *value),
            Command::Note(text) => self.note(run, text),
            Command::Tag(tag) => self.tag(run, tag),
            Command::Save(path) => self.save(run, path),
            Command::Display(None)
            | Command::Info(_)
            | Command::List(_)
            | Command::Where
            | Command::Print(_)
            | Command::Compare(..)
            | Command::Source(_)
            | Command::Help(_)
            | Command::Apropos(_)
            | Command::Tui
            | Command::Repl
            | Command::Quit => Err(Failure::internal(format!("`{command}` is answered by the front end"))),
        }
    }

    /// Writes a fact to the journal, applies it, and tells the front end; in that order.
    fn record(&mut self, run: &mut Run, fact: Fact) -> Result<(), Failure> {
        if let Some(journal) = &mut self.journal {
            journal.append(&fact).map_err(|error| Failure::user(error.to_string()).hinted(error.hint()))?;
        }
        self.state.apply(&fact);
        (run.emit)(Event::Fact(Arc::new(fact)));
        Ok(())
    }

    fn done(&mut self, run: &mut Run, fact: Fact) -> Result<Stop, Failure> {
        self.record(run, fact).map(|()| Stop::Done)
    }

    fn policy(&self) -> Result<Arc<Policy>, Failure> {
        self.policy.clone().ok_or_else(|| Failure::user("no policy is loaded").hinted("load policy PATH"))
    }

    /// A node id that the policy has.
    fn node_id(&self, id: &Name) -> Result<Name, Failure> {
        let policy = self.policy()?;
        match policy.node(id.as_str()) {
            Some(node) => Ok(node.id.clone()),
            None => Err(meant::no_node(&policy, id)),
        }
    }
}
