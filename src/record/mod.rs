//! The record of one sample's verdict, one JSON object per line: what `check` writes, and what every tool that works
//! with sets of verdicts reads.
//!
//! Must read what it writes, and must not change a field's meaning within a version; new fields may be added. A new
//! column touches three places: the field here, the line of `engine::many::maker` that fills it, and
//! `docs/check-record.schema.json`. Tests compare the three.

mod numbers;

#[cfg(test)]
mod tests;

use crate::domain::{Complaint, Digest, Hasher, Name, Outcome};
use crate::stats::agreement::{Cell, Confusion};
use crate::text::{Untrusted, json};
use numbers::Numbers;
use serde::{Deserialize, Serialize};

/// The version of the record.
pub const VERSION: u32 = 2;

/// One line of output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The version of the record.
    pub v: Version,
    /// Digest over [`MadeBy`]: equal keys mean the same content under the same policy, model and build, so the same
    /// verdict on the CPU. Absent where the line held no sample.
    pub key: Option<Digest>,
    /// Number of the input line, from 1: only the place in this input.
    pub line: u64,
    /// The sample's id; absent where the line held no sample.
    pub id: Option<Untrusted>,
    /// The policy.
    pub policy: PolicySide,
    /// What the verdict depends on.
    pub made_by: MadeBy,
    /// What the model decided; absent where it could not.
    pub llm: Option<LlmSide>,
    /// What the at-scale classifier said.
    pub classifier: Option<ClassifierSide>,
    /// What humans said.
    pub gold: Option<GoldSide>,
    /// Who agrees with whom.
    pub cell: Option<Cell>,
    /// Each side against gold.
    pub counts: Option<Counts>,
    /// Why there is no verdict.
    pub error: Option<Fault>,
}

/// The version of a record that can be read here: [`VERSION`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Version;

impl From<Version> for u32 {
    fn from(_: Version) -> Self {
        VERSION
    }
}

impl TryFrom<u32> for Version {
    type Error = String;
    fn try_from(v: u32) -> Result<Self, String> {
        match v {
            VERSION => Ok(Self),
            older if older < VERSION => {
                Err(format!("it is a record of version {older}; run `check` again to have it in {VERSION}"))
            }
            newer => Err(format!("it is a record of version {newer}, and this program reads version {VERSION}")),
        }
    }
}

/// Which policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicySide {
    /// Its id.
    pub id: Name,
    /// Its version.
    pub version: Untrusted,
    /// Digest over the policy file and everything it includes.
    pub sha256: Digest,
}

/// Everything a verdict depends on. [`Self::key`] is the digest over these, in this order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeBy {
    /// Digest over the sample's content (`domain::Content::digest`).
    pub sample: Option<Digest>,
    /// Digest over the policy file and everything it includes.
    pub policy: Digest,
    /// Digest of the model file.
    pub model: Digest,
    /// Digest of the chat format.
    pub chat: Digest,
    /// Digest of the calibration; absent where answers are read as they are.
    pub calibration: Option<Digest>,
    /// `direct`, or `rationale:N` with at most N tokens of rationale.
    pub mode: String,
    /// Version of the program, its kernels and the form of keys and values.
    pub build: String,
    /// The instruction set or the GPU.
    pub isa: String,
}

impl MadeBy {
    /// SHA-256 over the eight values as they are written, each followed by a line feed; an absent one is an empty line.
    /// `None` without a sample.
    pub fn key(&self) -> Option<Digest> {
        self.sample?;
        let digest = |d: Option<Digest>| d.map(|d| d.to_string()).unwrap_or_default();
        let mut hasher = Hasher::new();
        for value in [
            digest(self.sample),
            digest(Some(self.policy)),
            digest(Some(self.model)),
            digest(Some(self.chat)),
            digest(self.calibration),
            self.mode.clone(),
            self.build.clone(),
            self.isa.clone(),
        ] {
            hasher.update(value.as_bytes());
            hasher.update(b"\n");
        }
        Some(hasher.finish())
    }
}

/// What the model decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LlmSide {
    /// The model's name or path, as it was given.
    pub model: Untrusted,
    /// The verdict.
    pub verdict: VerdictSide,
    /// The leaf at the end of the walk.
    pub leaf: Name,
    /// How severe, where the policy says so.
    pub severity: Option<u8>,
    /// What to do, where the policy says so.
    pub action: Option<Name>,
    /// The rules it rests on.
    pub rule_ids: Vec<Name>,
    /// The answered nodes, in order.
    pub path: Vec<PathStep>,
}

/// An outcome and its label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerdictSide {
    /// What was decided.
    pub outcome: Outcome,
    /// The policy category.
    pub label: Option<Name>,
}

/// One answered node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PathStep {
    /// The node.
    pub node: Name,
    /// The most probable answer.
    pub answer: Name,
    /// The margin was too small, so the node's `unsure` route was taken instead of the answer's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsure: bool,
    /// Probability per allowed answer, in the node's order.
    #[serde(with = "Numbers")]
    pub p: Vec<(Name, f64)>,
    /// Full-vocabulary probability mass on the allowed answers.
    pub coverage: f64,
    /// Difference between the two highest probabilities.
    pub margin: f64,
    /// What the model wrote before it answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rationale: Option<Untrusted>,
    /// Digest of the raw answer logits.
    pub logits_sha256: Option<Digest>,
}

/// What the at-scale classifier said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassifierSide {
    /// Its id.
    pub id: Option<Untrusted>,
    /// Its version.
    pub version: Option<Untrusted>,
    /// Its scores.
    #[serde(with = "Numbers")]
    pub scores: Vec<(Name, f64)>,
    /// The thresholds that go with them.
    #[serde(with = "Numbers")]
    pub thresholds: Vec<(Name, f64)>,
    /// What follows from both; absent where no score has a threshold.
    pub outcome: Option<Outcome>,
}

/// What humans said; absent means unknown, never "no".
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoldSide {
    /// The right outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The right label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Name>,
}

/// Each side against gold; absent where one of the two does not decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// The model.
    pub llm: Option<Confusion>,
    /// The classifier.
    pub classifier: Option<Confusion>,
}

/// Why a line has no verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What kind of thing is at fault.
    pub kind: FaultKind,
    /// What is wrong and where, and what to do about it: `message` and `hint`.
    #[serde(flatten)]
    pub complaint: Complaint,
}

/// What kind of thing is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The line is no sample.
    InvalidSample,
    /// The prompt does not fit the model.
    TooLong,
    /// The model or its file.
    Model,
    /// A fault of ours.
    Internal,
}

/// Why a line is no record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no record: {0:?}")]
pub struct NoRecord(pub Untrusted);

impl Record {
    /// Reads one line, ignoring unknown fields.
    ///
    /// # Errors
    /// If the line is not JSON, lacks a field that is never null, or is a record of another version.
    pub fn read(line: &str) -> Result<Self, NoRecord> {
        serde_json::from_str(line).map_err(|error| NoRecord(error.to_string().into()))
    }

    /// The record as one line without its line break; nothing in it can act on a terminal.
    ///
    /// # Errors
    /// Never for a record that was read or made here: every part has a JSON form.
    pub fn write(&self) -> Result<String, serde_json::Error> {
        json::to_string(self)
    }
}
