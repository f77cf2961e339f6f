//! What went wrong, and what to do about it.
//!
//! Must not guess: the hint comes from where the error was found.

use super::{Doc, Line, Role};
use crate::session::FailureKind;
use crate::text::Untrusted;

/// `error: …` and, on the next line, `hint: …`. A fault of ours says so.
pub fn failure(kind: FailureKind, message: &Untrusted, hint: Option<&str>, width: usize) -> Doc {
    let mut doc = Doc::new();
    let word = match kind {
        FailureKind::User => "error: ",
        FailureKind::Internal => "internal error: ",
    };
    doc.paragraph(Line::new().with(Role::Error, word), Role::Text, message, width);
    doc.extend(hint.map(|h| self::hint(h, width)).unwrap_or_default());
    doc
}

/// `hint: …`
pub fn hint(text: &str, width: usize) -> Doc {
    let mut doc = Doc::new();
    doc.words(Line::new().with(Role::Hint, "hint: "), Role::Text, text, width);
    doc
}
