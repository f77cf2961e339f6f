//! `Untrusted`: text from a sample, a model, a policy, a path or an error, exactly as it came.
//!
//! Must not implement `Display`: it reaches a terminal as `Escaped` only, and the compiler enforces that.

use super::Escaped;
use serde::{Deserialize, Serialize};

/// Text from outside, byte for byte; never trimmed, normalised or re-encoded. JSON with such text leaves the program
/// through [`super::json`], which escapes what could act on a terminal.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Untrusted(String);

impl Untrusted {
    /// Wraps `text` unchanged.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The raw text, for the model, the journal and comparisons; never for a terminal.
    pub fn raw(&self) -> &str {
        &self.0
    }

    /// The raw text by value; the same limits as [`Self::raw`].
    pub fn into_raw(self) -> String {
        self.0
    }

    /// The text with every character that could act on a terminal made visible and inert, line breaks included.
    pub fn escaped(&self) -> Escaped {
        Escaped::line(&self.0)
    }

    /// Whether there is no text at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::fmt::Debug for Untrusted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.escaped().as_str())
    }
}

impl From<&str> for Untrusted {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for Untrusted {
    fn from(text: String) -> Self {
        Self(text)
    }
}

#[cfg(test)]
impl schemars::JsonSchema for Untrusted {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Text".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "description": "a text, exactly as it came in", "type": "string" })
    }
}
