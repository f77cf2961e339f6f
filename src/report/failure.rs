//! What went wrong, and what to do about it.
//!
//! Must not guess: the hint comes from where the error was found.

use super::{Doc, Line, Role};
use crate::domain::Complaint;
use crate::session::FailureKind;
use crate::text::Untrusted;

/// `error: …` and, on the next line, `hint: …`. An internal error says that it is one.
pub fn failure(kind: FailureKind, complaint: &Complaint, width: usize) -> Doc {
    let mut doc = Doc::new();
    let word = match kind {
        FailureKind::User => "error: ",
        FailureKind::Internal => "internal error: ",
    };
    doc.paragraph(Line::new().with(Role::Error, word), Role::Text, &complaint.message, width);
    doc.extend(complaint.hint.as_ref().map(|h| self::hint(h, width)).unwrap_or_default());
    doc
}

/// `hint: …`, with its line breaks: instructions with several steps are read step by step. An address wider than the
/// page stays whole on its line, so that it can be copied.
pub fn hint(text: &str, width: usize) -> Doc {
    let mut doc = Doc::new();
    let mut prefix = Line::new().with(Role::Hint, "hint: ");
    let indent = prefix.width();
    for line in text.lines() {
        let whole =
            line.split_whitespace().any(|word| word.contains("://") && word.len() > width.saturating_sub(indent));
        doc.paragraph(prefix, Role::Text, &line.into(), if whole { usize::MAX } else { width });
        prefix = Line::new().with(Role::Text, " ".repeat(indent));
    }
    doc
}

/// `note: …`: something the user should know even on success.
pub fn note(text: &Untrusted, width: usize) -> Doc {
    let mut doc = Doc::new();
    doc.paragraph(Line::new().with(Role::Warning, "note: "), Role::Text, text, width);
    doc
}
