//! `Escaped`: text that is safe to write to a terminal, and the one function that makes it.
//!
//! Must not drop anything: a moderator has to see what was hidden.

use std::fmt;

/// Text in which no character can act on a terminal: controls, bidi, zero-width, tag and other format characters have
/// become visible markers such as `<U+202E>`. Holds no line break unless made by [`Escaped::block`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Escaped(String);

impl Escaped {
    /// Escapes `raw` for one line: line breaks and tabs become markers too.
    pub fn line(raw: &str) -> Self {
        Self(raw.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect())
    }

    /// Escapes `raw` line by line, splitting at `\n` (a `\r` before it stays visible as a marker).
    pub fn lines(raw: &str) -> Vec<Self> {
        raw.split('\n').map(Self::line).collect()
    }

    /// The safe text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The safe text by value.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Display for Escaped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
