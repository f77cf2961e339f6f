//! `Complaint`: what is wrong and what to do about it. Every error shown to a user is reduced to one.
//!
//! Must not say whose fault it is or how it is shown; the error around it and the front ends do that.

use crate::text::{Escaped, Untrusted};
use serde::{Deserialize, Serialize};

/// What is wrong, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{}", message.escaped())]
pub struct Complaint {
    /// What is wrong and where; may quote text from outside.
    pub message: Untrusted,
    /// What to do about it, if there is something to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Complaint {
    /// What is wrong, so far without what to do.
    pub fn new(message: impl Into<Untrusted>) -> Self {
        Self { message: message.into(), hint: None }
    }

    /// Adds what to do.
    #[must_use]
    pub fn hinted(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// All of it as one line that is safe to print: `message (hint: …)`.
    pub fn in_one_line(&self) -> String {
        let hint = self.hint.as_ref().map(|hint| format!(" (hint: {})", Escaped::line(hint))).unwrap_or_default();
        format!("{self}{hint}")
    }

    /// The same, with the place, file or thing it is about before it.
    #[must_use]
    pub fn about(self, what: impl std::fmt::Display) -> Self {
        Self { message: format!("{what}: {}", self.message.raw()).into(), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_keeps_its_text_and_is_shown_without_what_could_act_on_a_terminal() {
        let complaint = Complaint::new("no \u{1b}[2J").hinted("look\u{202e}").about("f.toml:3");
        assert_eq!(complaint.message.raw(), "f.toml:3: no \u{1b}[2J");
        assert_eq!(complaint.hint.as_deref(), Some("look\u{202e}"));
        assert!(!complaint.to_string().contains('\u{1b}'));
        let line = complaint.in_one_line();
        assert!(line.starts_with("f.toml:3: no ") && line.contains(" (hint: look"), "{line}");
        assert!(!line.contains(['\u{1b}', '\u{202e}']), "{line}");
    }
}
