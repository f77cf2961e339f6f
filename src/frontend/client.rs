//! `Client`: what every front end holds: its connection to the engine (or to a recorded session), and the state folded
//! from the facts.
//!
//! Must not draw or print, and must not look at what a command is.

use super::watch::Watch;
use crate::command::EngineCommand;
use crate::domain::path_text;
use crate::engine::{Canceller, Driver, Event, Host, Live, Notice, Recorded, SampleIds, Ticket};
use crate::report::Basis;
use crate::session::{Fact, Reviewer, SessionState};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A live session, or a recorded one in which the same commands move through what happened.
pub struct Client {
    driver: Box<dyn Driver>,
    basis: Basis,
    sample_ids: SampleIds,
    home: Option<PathBuf>,
    watch: Watch,
}

impl Client {
    /// A client of a running engine whose state so far is the fold of `facts`.
    pub fn live(host: Host, facts: &[Fact]) -> Self {
        Self::new(Box::new(Live::new(host, facts)))
    }

    /// A client of a recorded session, positioned where its first walk begins.
    pub fn recorded(facts: Vec<Fact>) -> Self {
        Self::of(Recorded::new(facts))
    }

    /// A client of a recorded session that already has a position.
    pub fn of(recorded: Recorded) -> Self {
        Self::new(Box::new(recorded))
    }

    /// A client of a recording with a reviewer who may leave notes; `~` in paths is their `home`.
    pub fn reviewed(facts: Vec<Fact>, reviewer: Reviewer, home: Option<PathBuf>) -> Self {
        Self::new(Box::new(Recorded::new(facts).reviewed_by(reviewer, home.clone()))).at_home(home)
    }

    fn new(driver: Box<dyn Driver>) -> Self {
        let basis = Basis::of(driver.state(), driver.policies());
        let sample_ids = driver.sample_ids();
        Self { driver, basis, sample_ids, home: None, watch: Watch::default() }
    }

    /// The same client with this home folder for `~` in the paths of commands.
    #[must_use]
    pub fn at_home(self, home: Option<PathBuf>) -> Self {
        Self { home, ..self }
    }

    /// The user's home folder.
    pub fn home(&self) -> Option<&Path> {
        self.home.as_deref()
    }

    /// The path that a command of the front end names.
    pub fn path(&self, written: &str) -> PathBuf {
        path_text::path(&path_text::at_home(written, self.home.as_deref()))
    }

    /// Hands a command over and returns at once. Every ticket gets exactly one [`crate::engine::Notice::Done`].
    pub fn submit(&mut self, command: EngineCommand) -> Ticket {
        self.driver.submit(command)
    }

    /// The next event within `wait`, its fact already applied to the state; `None` on timeout.
    pub fn event(&mut self, wait: Duration) -> Option<Event> {
        let event = self.driver.event(wait)?;
        // In a recording `back` and `walk N` change the state without a fact.
        if matches!(event, Event::Fact(_) | Event::Notice(Notice::Done { .. })) {
            self.basis.follow(self.driver.state(), self.driver.policies());
        }
        Some(event)
    }

    /// Asks the running command to stop.
    pub fn cancel(&self) {
        self.driver.cancel();
    }

    /// What a signal handler holds to stop the running command.
    pub fn canceller(&self) -> Canceller {
        self.driver.canceller()
    }

    /// Whether the files of the loaded policy have changed since it was loaded; each change is reported once. A
    /// recording needs no files.
    pub fn policy_changed(&mut self) -> bool {
        !self.driver.is_recorded() && self.watch.changed(self.driver.state().policy.as_ref())
    }

    /// Whether this is a recorded session.
    pub fn is_recorded(&self) -> bool {
        self.driver.is_recorded()
    }

    /// How many facts there are in a recording; `None` in a live session.
    pub fn recorded_facts(&self) -> Option<usize> {
        self.driver.length()
    }

    /// What the facts add up to.
    pub fn state(&self) -> &SessionState {
        self.driver.state()
    }

    /// The ids of the loaded samples; none in a recording.
    pub const fn sample_ids(&self) -> &SampleIds {
        &self.sample_ids
    }

    /// The policies behind what the facts add up to.
    pub fn basis(&self) -> &Basis {
        &self.basis
    }
}
