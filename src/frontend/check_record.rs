//! The output record of `check`, version 1: one JSON object a line, stable and versioned (`docs/check-record.schema.json`).
//!
//! Must not change a field's meaning within a version; new fields may be added.

use crate::domain::{Name, Outcome, Readout, Sample, Verdict};
use crate::engine::walk::Walked;
use crate::policy::Policy;
use crate::session::{Step, Taken};
use crate::stats::agreement::{Agreement, Cell, Confusion};
use serde::Serialize;
use serde_json::{Map, Value};

/// The version of the record.
pub const VERSION: u32 = 1;

/// One line of output.
#[derive(Debug, Serialize)]
pub struct Record<'a> {
    v: u32,
    /// Number of the input line, from 1.
    line: u64,
    /// The sample's id; `null` where the line could not be read.
    id: Option<&'a str>,
    policy: PolicyRef<'a>,
    llm: Option<Llm<'a>>,
    classifier: Option<ClassifierSide<'a>>,
    gold: Option<GoldSide<'a>>,
    cell: Option<&'static str>,
    counts: Option<Counts>,
    error: Option<ErrorRecord<'a>>,
}

#[derive(Debug, Serialize)]
struct PolicyRef<'a> {
    id: &'a str,
    version: &'a str,
    sha256: String,
}

#[derive(Debug, Serialize)]
struct Llm<'a> {
    model: &'a str,
    verdict: VerdictRecord<'a>,
    leaf: &'a str,
    severity: Option<u8>,
    action: Option<&'a str>,
    rule_ids: Vec<&'a str>,
    path: Vec<PathStep<'a>>,
}

#[derive(Debug, Serialize)]
struct VerdictRecord<'a> {
    outcome: &'static str,
    label: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct PathStep<'a> {
    node: &'a str,
    answer: &'a str,
    /// The margin was too small, so the node's `unsure` route was taken instead of the answer's.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unsure: bool,
    p: Map<String, Value>,
    coverage: f64,
    margin: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    rationale: Option<&'a str>,
    logits_sha256: Option<String>,
}

#[derive(Debug, Serialize)]
struct ClassifierSide<'a> {
    id: Option<&'a str>,
    version: Option<&'a str>,
    scores: Map<String, Value>,
    thresholds: Map<String, Value>,
    outcome: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct GoldSide<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Counts {
    llm: Option<&'static str>,
    classifier: Option<&'static str>,
}

/// Why a line has no verdict.
#[derive(Debug, Serialize)]
pub struct ErrorRecord<'a> {
    /// `invalid_sample`, `too_long`, `model` or `internal`.
    pub kind: &'static str,
    /// What is wrong and where.
    pub message: &'a str,
}

/// Which side said what.
pub struct Names<'a> {
    /// The model's name.
    pub model: &'a str,
    /// The policy.
    pub policy: &'a Policy,
}

impl<'a> Record<'a> {
    /// The record of a walked sample.
    pub fn walked(line: u64, names: &Names<'a>, sample: &'a Sample, walked: &'a Walked) -> Self {
        let leaf = &walked.leaf;
        let classified = sample.classified(&[]);
        let agreement = Agreement::of(classified, Some(leaf.verdict.outcome), sample.gold.outcome);
        let llm = Llm {
            model: names.model,
            verdict: verdict(&leaf.verdict),
            leaf: leaf.id.as_str(),
            severity: leaf.severity,
            action: leaf.action.as_ref().map(Name::as_str),
            rule_ids: leaf.rule_ids.iter().map(Name::as_str).collect(),
            path: walked.steps.iter().map(path_step).collect(),
        };
        Self {
            llm: Some(llm),
            classifier: classifier(sample, classified),
            gold: Some(GoldSide {
                outcome: sample.gold.outcome.map(Outcome::as_str),
                label: sample.gold.label.as_ref().map(Name::as_str),
            }),
            cell: agreement.cell.map(Cell::as_str),
            counts: Some(Counts {
                llm: agreement.llm.map(Confusion::as_str),
                classifier: agreement.classifier.map(Confusion::as_str),
            }),
            ..Self::failed(line, names, Some(sample.id.raw()), None)
        }
    }

    /// The record of a line that has no verdict.
    pub fn failed(line: u64, names: &Names<'a>, id: Option<&'a str>, error: Option<ErrorRecord<'a>>) -> Self {
        let policy = PolicyRef {
            id: names.policy.id.as_str(),
            version: names.policy.version.raw(),
            sha256: names.policy.sha256.to_string(),
        };
        Self { v: VERSION, line, id, policy, llm: None, classifier: None, gold: None, cell: None, counts: None, error }
    }
}

fn verdict(verdict: &Verdict) -> VerdictRecord<'_> {
    VerdictRecord { outcome: verdict.outcome.as_str(), label: verdict.label.as_ref().map(Name::as_str) }
}

fn path_step(step: &Step) -> PathStep<'_> {
    let judgement = step.judgement.as_ref();
    let readout = judgement.map(|j| &j.readout);
    PathStep {
        node: step.node.id.as_str(),
        answer: step.answer.as_str(),
        unsure: step.taken == Taken::Unsure,
        p: readout.map(probabilities).unwrap_or_default(),
        coverage: readout.map_or(0.0, |r| r.coverage),
        margin: readout.map_or(0.0, Readout::margin),
        rationale: judgement.and_then(|j| j.rationale.as_ref()).map(|r| r.text.raw()),
        logits_sha256: judgement.map(|j| j.logits_sha256.to_string()),
    }
}

fn probabilities(readout: &Readout) -> Map<String, Value> {
    readout.answers.iter().map(|a| (a.answer.to_string(), Value::from(a.p))).collect()
}

fn numbers(pairs: &[(Name, f64)]) -> Map<String, Value> {
    pairs.iter().map(|(name, value)| (name.to_string(), Value::from(*value))).collect()
}

fn classifier(sample: &Sample, outcome: Option<Outcome>) -> Option<ClassifierSide<'_>> {
    if sample.scores.is_empty() && sample.classifier.is_none() {
        return None;
    }
    Some(ClassifierSide {
        id: sample.classifier.as_ref().map(|c| c.id.raw()),
        version: sample.classifier.as_ref().and_then(|c| c.version.as_ref()).map(|v| v.raw()),
        scores: numbers(&sample.scores),
        thresholds: numbers(&sample.thresholds),
        outcome: outcome.map(Outcome::as_str),
    })
}
