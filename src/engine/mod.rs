//! The engine: takes commands, asks the judge, walks the tree, and reports what happened as facts.
//!
//! Must not print, must not know screens, and must not parse command lines. A fact must be in the journal (fsynced)
//! before anyone outside sees it.

mod annotate;
mod breakpoint;
mod driver;
mod failure;
pub mod host;
pub mod many;
mod meant;
pub mod policy_file;
pub mod prompt;
mod recorded;
mod run;
mod samples;
mod setup;
pub mod walk;

#[cfg(test)]
mod tests;

/// What a judge reports while it works; front ends take it from here, not from `model`.
pub use crate::judge::Progress;
pub use driver::{Driver, Live};
pub use failure::Failure;
pub use host::{Canceller, Event, Host, Notice, Stop, Ticket};
pub use recorded::Recorded;
pub use samples::SampleIds;
pub use setup::{Builtin, policy_of_file};

use crate::command::{EngineCommand, Has, Need, Times};
use crate::domain::{Cancel, Name, path_text};
use crate::judge::{Judge, JudgeSource};
use crate::policy::Policy;
use crate::session::{Fact, Journal, Policies, SessionState};
use crate::text::Untrusted;
use samples::SampleSet;
use std::path::PathBuf;
use std::sync::Arc;

/// The parts of an engine.
pub struct Parts {
    /// Opens judges by name.
    pub source: Box<dyn JudgeSource>,
    /// Where facts are kept; `None` keeps them in memory only.
    pub journal: Option<Journal>,
    /// Facts of the session so far, already in the journal: one [`Fact::Opened`], or a resumed session.
    pub facts: Vec<Fact>,
    /// Policies and samples inside the program, found under `builtin:NAME`.
    pub builtins: &'static [Builtin],
    /// Who writes notes and tags.
    pub author: Untrusted,
}

/// Executes one command at a time; lives on the host's worker thread.
pub struct Engine {
    source: Box<dyn JudgeSource>,
    journal: Option<Journal>,
    builtins: &'static [Builtin],
    author: Untrusted,
    /// What `~` stands for in the paths of commands.
    home: Option<PathBuf>,
    state: SessionState,
    policy: Option<Arc<Policy>>,
    policies: Policies,
    samples: Option<SampleSet>,
    sample_ids: SampleIds,
    judge: Option<Box<dyn Judge>>,
    breakpoints_made: u32,
    displays_made: u32,
}

/// Where a command's events go, and how it is stopped.
struct Execution<'a> {
    ticket: Ticket,
    cancel: &'a Cancel,
    emit: &'a mut dyn FnMut(Event),
}

impl Execution<'_> {
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
        let samples = setup::samples_again(&parts.facts, parts.builtins);
        let sample_ids = SampleIds::default();
        sample_ids.set(samples.as_ref().map_or(&[], |set| &set.samples));
        Self {
            source: parts.source,
            journal: parts.journal,
            builtins: parts.builtins,
            author: parts.author,
            home: None,
            state,
            policy,
            policies,
            samples,
            sample_ids,
            judge: None,
            breakpoints_made,
            displays_made,
        }
    }

    /// The same engine with this home folder for `~` in the paths of commands.
    #[must_use]
    pub fn at_home(self, home: Option<PathBuf>) -> Self {
        Self { home, ..self }
    }

    /// The path of a command, as text.
    fn path(&self, written: &str) -> String {
        path_text::at_home(written, self.home.as_deref())
    }

    /// Executes one command. Its canonical line is recorded first, then what follows from it.
    pub fn execute(
        &mut self,
        ticket: Ticket,
        command: &EngineCommand,
        cancel: &Cancel,
        emit: &mut dyn FnMut(Event),
    ) -> Result<Stop, Failure> {
        let mut run = Execution { ticket, cancel, emit };
        if let (EngineCommand::Save(path), Some(journal)) = (command, &mut self.journal)
            && journal.is_poisoned()
        {
            return annotate::rescue(journal, &path_text::at_home(path, self.home.as_deref()));
        }
        self.record(&mut run, Fact::Command { line: command.to_string() })?;
        let result = self.ready_for(command).and_then(|()| self.dispatch(&mut run, command));
        if let Err(failure) = &result
            && !failure.cancelled
        {
            // If the journal itself failed, recording this fails too; the user needs to see the first failure.
            let failed = Fact::Failed { kind: failure.kind, message: failure.complaint.message.clone() };
            drop(self.record(&mut run, failed));
        }
        result
    }

    /// Whether all is there that `command` needs.
    fn ready_for(&self, command: &EngineCommand) -> Result<(), Failure> {
        let has = Has {
            policy: self.policy.is_some(),
            samples: self.samples.is_some(),
            model: self.judge.is_some(),
            walk: self.state.walk_now().is_some(),
            live: true,
        };
        command.spec().missing(has).map_or(Ok(()), |need| Err(Failure::missing(need, has)))
    }

    fn dispatch(&mut self, run: &mut Execution, command: &EngineCommand) -> Result<Stop, Failure> {
        use EngineCommand as C;
        match command {
            C::LoadPolicy(path) => self.load_policy(run, path),
            C::Reload => self.reload(run),
            C::LoadSamples(path) => self.load_samples(run, path),
            C::LoadModel(name) => self.load_model(run, name),
            C::Sample(which) => self.select_sample(run, which),
            C::NextSample(filter) => self.next_sample(run, filter.as_deref()),
            C::PreviousSample => self.previous_sample(run),
            C::Walk(id) => self.select_walk(run, *id),
            C::SetMode(mode) => self.done(run, Fact::ModeSet { mode: *mode }),
            C::Run => self.run_again(run),
            C::Rerun(node) => self.rerun(run, node.as_ref()),
            C::Step(Times(count)) => self.step(run, *count),
            C::Next(Times(count)) => self.next(run, *count),
            C::Finish => self.finish(run),
            C::Until(place) => self.until(run, place),
            C::Continue => self.go_on(run),
            C::Back(Times(count)) => self.back(run, *count),
            C::Break(at, condition) => self.set_breakpoint(run, at, condition.as_deref(), false),
            C::BreakOnce(at, condition) => self.set_breakpoint(run, at, condition.as_deref(), true),
            C::Condition(id, condition) => self.set_condition(run, *id, condition.as_deref()),
            C::Enable(id) => self.enable(run, *id, true),
            C::Disable(id) => self.enable(run, *id, false),
            C::Delete(id) => self.delete(run, *id),
            C::Examine(what, node) => self.examine(run, *what, node.as_ref()),
            C::Display(expr) => self.display(run, expr),
            C::Undisplay(id) => self.undisplay(run, *id),
            C::SetAnswer((node, answer)) => self.set_answer(run, node, answer),
            C::SetThreshold((name, value)) => self.set_threshold(run, name, *value),
            C::Note(text) => self.note(run, annotate::subject(&self.state), text),
            C::NoteAt(node, text) => self.note_at(run, node, text),
            C::Tag(tag) => self.tag(run, tag),
            C::Save(path) => self.save(run, path),
        }
    }

    /// Writes a fact to the journal, applies it, and notifies the front end, in that order.
    fn record(&mut self, run: &mut Execution, fact: Fact) -> Result<(), Failure> {
        if let Some(journal) = &mut self.journal {
            journal.append(&fact)?;
        }
        self.state.apply(&fact);
        (run.emit)(Event::Fact(Arc::new(fact)));
        Ok(())
    }

    fn done(&mut self, run: &mut Execution, fact: Fact) -> Result<Stop, Failure> {
        self.record(run, fact).map(|()| Stop::Done)
    }

    fn policy(&self) -> Result<Arc<Policy>, Failure> {
        self.policy.clone().ok_or_else(|| Failure::missing(Need::Policy, Has::default()))
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
