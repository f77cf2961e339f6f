//! `Name`: an identifier that is validated once and then safe to print (node, leaf, policy, label, answer, tag).
//!
//! Must stay our only type for text from files that implements `Display`; text that is no valid `Name` is `Untrusted`.

use crate::text::is_hidden;
use std::{fmt, sync::Arc};

/// 1 to 64 characters: letters and digits of any script, and `_ - . : / + @` or a single inner space. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

/// Why a text cannot be a [`Name`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// No characters at all.
    #[error("a name cannot be empty")]
    Empty,
    /// More than [`Name::MAX_CHARS`] characters.
    #[error("a name can have at most 64 characters, this one has {0}")]
    TooLong(usize),
    /// A character that names do not have.
    #[error("a name cannot contain U+{:04X}", *.0 as u32)]
    Char(char),
    /// A space at an end, or two in a row.
    #[error("a name can have single spaces only between words")]
    Space,
}

impl Name {
    /// The most characters a name has.
    pub const MAX_CHARS: usize = 64;

    /// Checks `text`.
    pub fn new(text: &str) -> Result<Self, NameError> {
        let count = text.chars().count();
        if count == 0 {
            return Err(NameError::Empty);
        }
        if count > Self::MAX_CHARS {
            return Err(NameError::TooLong(count));
        }
        if let Some(bad) = text.chars().find(|c| is_hidden(*c) || !(c.is_alphanumeric() || " _-.:/+@".contains(*c))) {
            return Err(NameError::Char(bad));
        }
        if text.starts_with(' ') || text.ends_with(' ') || text.contains("  ") {
            return Err(NameError::Space);
        }
        Ok(Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl std::str::FromStr for Name {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::new(text)
    }
}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        &*self.0 == other
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        &*self.0 == *other
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_act_on_a_terminal_or_break_a_line_are_refused() {
        let cases = [
            ("", NameError::Empty),
            ("a\u{1b}[2J", NameError::Char('\u{1b}')),
            ("a\u{202e}b", NameError::Char('\u{202e}')),
            ("\u{3164}", NameError::Char('\u{3164}')),
            ("a\nb", NameError::Char('\n')),
            (" a", NameError::Space),
            ("a  b", NameError::Space),
        ];
        for (text, error) in cases {
            assert_eq!(Name::new(text), Err(error), "{text:?}");
        }
        assert_eq!(Name::new(&"x".repeat(65)), Err(NameError::TooLong(65)));
    }

    #[test]
    fn names_people_write_are_kept() {
        for text in ["asks_for_value", "SC1.a", "not sure", "ja", "нет", "hs-1/2", "TOXICITY@6"] {
            assert_eq!(Name::new(text).as_ref().map(Name::as_str), Ok(text));
        }
    }
}
