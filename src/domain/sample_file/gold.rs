//! The human label of a sample line: `gold`, `gold_violates`, `gold_label` and `gold_path`.
//!
//! Must leave unknown what the line does not say, and must refuse two labels that contradict each other.

use super::json::Raw;
use super::{Line, SampleError};
use crate::domain::{Gold, Outcome};

/// The label's keys as given in a line; null counts as absent.
pub(super) struct Keys<'a> {
    pub gold: Option<Raw<'a>>,
    /// Whether the key `gold_violates` is present, even as null: then `gold` may be anything.
    pub violates_key: bool,
    pub violates: Option<Raw<'a>>,
    pub label: Option<Raw<'a>>,
    pub path: Option<Raw<'a>>,
}

impl<'a> Line<'a> {
    /// The label, and whether `gold` is the free text of a data set (which belongs in `meta`).
    pub(super) fn gold(&self, keys: &Keys<'a>) -> Result<(Gold, bool), SampleError> {
        let violates = match keys.violates {
            None => None,
            Some(raw) => Some(raw.bool().ok_or_else(|| self.wrong("`gold_violates`", raw, "true or false"))?),
        };
        let stated = keys.gold.map(|raw| self.outcome("`gold`", raw).map(|outcome| (outcome, raw)));
        let (outcome, free) = match (stated, violates) {
            (None, None) => (None, false),
            (None, Some(v)) => (Some(outcome_of(v)), false),
            (Some(Ok((outcome, _))), None) => (Some(outcome), false),
            (Some(Ok((outcome, raw))), Some(v)) if outcome.violates() != Some(v) => {
                let message = format!("`gold` says {outcome} and `gold_violates` says {v}");
                return Err(self.error(raw.at(), &message, "keep the one that is right"));
            }
            (Some(Ok((outcome, _))), Some(_)) => (Some(outcome), false),
            (Some(Err(_)), v) if keys.violates_key => (v.map(outcome_of), true),
            (Some(Err(e)), _) => return Err(e),
        };
        let label = keys.label.map(|raw| self.label("`gold_label`", raw)).transpose()?;
        let mut path = Vec::new();
        if let Some(raw) = keys.path {
            for (node, value) in self.object("`gold_path`", raw)? {
                let node = self.name("in `gold_path` the node", &node, value)?;
                if !value.is_null() {
                    path.push((node, self.label("an answer in `gold_path`", value)?));
                }
            }
        }
        Ok((Gold { outcome, label, path }, free))
    }
}

fn outcome_of(violates: bool) -> Outcome {
    if violates { Outcome::Violating } else { Outcome::NonViolating }
}
