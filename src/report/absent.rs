//! What is said where there is nothing to show, and what a session has to have for that to be otherwise.
//!
//! Must say what to do, too.

use super::{Doc, Line, Role, failure};
use crate::command::{Has, Need};
use crate::session::{FailureKind, SessionState};
use crate::text::Untrusted;

/// Why there is nothing to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewError {
    /// What is missing or wrong.
    pub message: Untrusted,
    /// What to do about it.
    pub hint: Option<String>,
}

impl ViewError {
    pub(super) fn new(message: impl Into<Untrusted>, hint: &str) -> Self {
        Self { message: message.into(), hint: (!hint.is_empty()).then(|| hint.to_owned()) }
    }

    /// What a command needs is not there.
    pub(super) fn missing(need: Need, state: &SessionState) -> Self {
        Self::new(need.missing(), need.hint(has(state, true)))
    }

    /// As a document: `error: …`, `hint: …`.
    pub fn doc(&self, width: usize) -> Doc {
        failure::failure(FailureKind::User, &self.message, self.hint.as_deref(), width)
    }
}

/// What a session in this state has, as far as commands need it.
pub fn has(state: &SessionState, live: bool) -> Has {
    Has {
        policy: state.policy.is_some(),
        samples: state.samples.is_some(),
        model: state.model.is_some(),
        walk: state.walk_now().is_some(),
        live,
    }
}

/// A line that says that a list is empty and how it would not be.
pub(super) fn nothing(text: &str) -> Doc {
    Doc(vec![Line::new().with(Role::Muted, text)])
}
