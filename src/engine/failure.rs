//! `Failure`: why a command failed, in words for the person who gave it.
//!
//! Must say what to do wherever there is something to do.

use crate::command::{Has, Need, ParseError};
use crate::domain::Complaint;
use crate::judge::JudgeError;
use crate::session::{FailureKind, JournalError};
use crate::text::Untrusted;

/// Why a command ended badly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Whose fault.
    pub kind: FailureKind,
    /// It was stopped on request.
    pub cancelled: bool,
    /// What went wrong, and what to do about it.
    pub complaint: Complaint,
}

impl Failure {
    /// The request, a file or a model is at fault.
    pub fn user(message: impl Into<Untrusted>) -> Self {
        Complaint::new(message).into()
    }

    /// What a command needs is missing, given what the session `has` so far.
    pub fn missing(need: Need, has: Has) -> Self {
        need.complaint(has).into()
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
    pub fn hinted(self, hint: impl Into<String>) -> Self {
        Self { complaint: self.complaint.hinted(hint), ..self }
    }

    /// The same, with the place where it came from.
    #[must_use]
    pub fn at(self, place: impl std::fmt::Display) -> Self {
        Self { complaint: self.complaint.about(place), ..self }
    }
}

impl From<Complaint> for Failure {
    fn from(complaint: Complaint) -> Self {
        Self { kind: FailureKind::User, cancelled: false, complaint }
    }
}

impl From<ParseError> for Failure {
    fn from(error: ParseError) -> Self {
        Complaint { message: error.message.into(), hint: error.hint }.into()
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        Complaint::from(error).into()
    }
}

impl From<JudgeError> for Failure {
    fn from(error: JudgeError) -> Self {
        let complaint = error.complaint();
        match error {
            JudgeError::Cancelled => Self::cancelled(),
            JudgeError::Internal(message) => Self::internal(message),
            JudgeError::TooLong { .. } | JudgeError::Unusable(_) => complaint.into(),
        }
    }
}
