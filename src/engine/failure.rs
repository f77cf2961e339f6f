//! `Failure`: why a command ended badly, in words for the person who gave it.
//!
//! Must say what to do wherever there is something to do.

use crate::command::{Has, Need};
use crate::judge::JudgeError;
use crate::session::FailureKind;
use crate::text::Untrusted;

/// Why a command ended badly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Whose fault.
    pub kind: FailureKind,
    /// It was stopped on request.
    pub cancelled: bool,
    /// What went wrong.
    pub message: Untrusted,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Failure {
    /// The request, a file or a model is at fault.
    pub fn user(message: impl Into<Untrusted>) -> Self {
        Self { kind: FailureKind::User, cancelled: false, message: message.into(), hint: None }
    }

    /// What a command needs is not there, while this is what there `has` been.
    pub fn missing(need: Need, has: Has) -> Self {
        Self::user(need.missing()).hinted(need.hint(has))
    }

    /// A fault of ours.
    pub fn internal(message: impl Into<Untrusted>) -> Self {
        Self { kind: FailureKind::Internal, ..Self::user(message) }
    }

    /// Stopped on request.
    pub fn cancelled() -> Self {
        Self { cancelled: true, ..Self::user("cancelled") }
    }

    /// Adds what to do.
    #[must_use]
    pub fn hinted(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<JudgeError> for Failure {
    fn from(error: JudgeError) -> Self {
        match error {
            JudgeError::Cancelled => Self::cancelled(),
            JudgeError::TooLong { .. } => Self::user(error.to_string())
                .hinted("shorten the policy's texts or the sample, or load a model with a longer context"),
            JudgeError::Unusable { message, hint } => Self { kind: FailureKind::User, cancelled: false, message, hint },
            JudgeError::Internal(message) => Self::internal(message),
        }
    }
}
