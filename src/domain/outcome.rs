//! Outcome, verdict and provenance: what was decided and where a value comes from.
//!
//! Must not decide anything itself.

use super::Name;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a leaf, a classifier or a human says of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Breaks the policy.
    Violating,
    /// Does not break the policy.
    NonViolating,
    /// A human has to decide.
    Escalate,
    /// No decision could be made.
    Undetermined,
}

impl Outcome {
    /// All outcomes, in the order in which they are listed everywhere.
    pub const ALL: [Self; 4] = [Self::Violating, Self::NonViolating, Self::Escalate, Self::Undetermined];

    /// The word of the file formats and of every screen.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Violating => "violating",
            Self::NonViolating => "non_violating",
            Self::Escalate => "escalate",
            Self::Undetermined => "undetermined",
        }
    }

    /// The symbol beside it, so that no colour is needed to recognise it.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Violating => "■",
            Self::NonViolating => "□",
            Self::Escalate => "▲",
            Self::Undetermined => "?",
        }
    }

    /// `Some(true)` for violating, `Some(false)` for non-violating, `None` where nothing was decided.
    pub const fn violates(self) -> Option<bool> {
        match self {
            Self::Violating => Some(true),
            Self::NonViolating => Some(false),
            Self::Escalate | Self::Undetermined => None,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Outcome {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|o| o.as_str() == text)
            .ok_or_else(|| "an outcome is one of violating, non_violating, escalate, undetermined".to_owned())
    }
}

/// An outcome and, where there is one, the policy label that goes with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Verdict {
    /// What was decided.
    pub outcome: Outcome,
    /// The policy category, for example `HS1`.
    pub label: Option<Name>,
}

/// Where a shown value comes from. "Replay" shows recorded values; "re-run" makes recomputed ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Provenance {
    /// Read back from a session.
    Recorded,
    /// Computed by the model in this run.
    Recomputed,
    /// Put there by a person.
    Overridden,
}

impl Provenance {
    /// The word shown beside the value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Recomputed => "recomputed",
            Self::Overridden => "overridden",
        }
    }
}

impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
