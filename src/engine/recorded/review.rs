//! A reviewer's work on a recording: notes and tags, kept in a review file beside it, and copies.
//!
//! Must not report anything before it is on the disk.

use super::Recorded;
use crate::command::{Has, Need};
use crate::domain::{Name, path_text};
use crate::engine::{Event, Failure, Stop, annotate, host};
use crate::session::review::is_of_a_review;
use crate::session::{Fact, JournalError, Reviewer, Stamp, Subject, journal};
use std::sync::{Arc, MutexGuard, PoisonError};

impl Recorded {
    pub(super) fn note(&mut self, on: Subject, text: &str) -> Result<Stop, Failure> {
        let text = text.into();
        self.leave(|by| Fact::Noted { on, text, by: Some(by) })
    }

    pub(super) fn tag(&mut self, tag: &Name) -> Result<Stop, Failure> {
        let (on, tag) = (annotate::to_tag(self.replay.state(), tag)?, tag.clone());
        self.leave(|by| Fact::Tagged { on, tag, by: Some(by) })
    }

    /// Keeps a note or tag in the review, at the current position in the recording.
    fn leave(&mut self, fact: impl FnOnce(Stamp) -> Fact) -> Result<Stop, Failure> {
        let happened = self.replay.facts().iter().take(self.replay.position());
        let after = happened.filter(|fact| !is_of_a_review(fact)).count() as u64;
        let mut reviewer = self.reviewer()?;
        let at = host::now();
        let fact = fact(Stamp { author: reviewer.author().clone(), at: at.clone(), after: Some(after) });
        reviewer.keep(&fact, &at).map_err(unkept)?;
        drop(reviewer);
        self.replay.insert(fact.clone());
        self.tell(Event::Fact(Arc::new(fact)));
        Ok(Stop::Done)
    }

    /// Copies the recording as it is; what reviews say stays beside it.
    pub(super) fn save(&mut self, path: &str) -> Result<Stop, Failure> {
        let path = path_text::at_home(path, self.home.as_deref());
        journal::copy(self.reviewer()?.recording()?, &path_text::path(&path))?;
        self.tell(Event::Fact(Arc::new(Fact::Saved { path: path.into() })));
        Ok(Stop::Done)
    }

    fn reviewer(&self) -> Result<MutexGuard<'_, Reviewer>, Failure> {
        // Without a file there is no place for a review beside it.
        let reviewer = self.reviewer.as_ref().ok_or_else(|| Failure::missing(Need::Live, Has::default()))?;
        Ok(reviewer.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What to do about a review that cannot be written is not what to do about a session.
fn unkept(error: JournalError) -> Failure {
    let own_file = matches!(error, JournalError::Io { .. } | JournalError::Exists { .. });
    let failure = Failure::from(error);
    if !own_file {
        return failure;
    }
    failure.hinted(
        "notes go to a file beside the recording: copy it to a folder you can write, or take another name with --author",
    )
}
