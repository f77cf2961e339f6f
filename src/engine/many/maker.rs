//! Makes the records of a run: fills every field of a `record` from a sample, its walk and the judge's identity.
//!
//! Must stay the only place where records are made.

use super::super::walk::Walked;
use crate::domain::{Mode, ModelInfo, Readout, Sample};
use crate::judge::JudgeError;
use crate::policy::Policy;
use crate::record::{
    ClassifierSide, Counts, Fault, FaultKind, GoldSide, LlmSide, MadeBy, PathStep, PolicySide, Record, VerdictSide,
    Version,
};
use crate::session::{Step, Taken};
use crate::stats::agreement::Agreement;
use crate::text::Untrusted;

/// What all records of a run have in common.
pub(super) struct Maker {
    policy: PolicySide,
    model: Untrusted,
    made_by: MadeBy,
}

impl Maker {
    pub fn new(policy: &Policy, model: &ModelInfo, mode: Mode) -> Self {
        Self {
            policy: PolicySide { id: policy.id.clone(), version: policy.version.clone(), sha256: policy.sha256 },
            model: model.name.clone(),
            made_by: MadeBy {
                sample: None,
                policy: policy.sha256,
                model: model.sha256,
                chat: model.template_sha256,
                calibration: None,
                mode: match mode {
                    Mode::Direct => mode.as_str().to_owned(),
                    Mode::Rationale { max_tokens } => format!("{}:{max_tokens}", mode.as_str()),
                },
                build: format!("{} {} {}", env!("CARGO_PKG_VERSION"), model.kernel, model.kv_dtype),
                isa: model.isa.clone(),
            },
        }
    }

    /// The record of the sample on `line` (if there was one): its walk, or why there is none.
    pub fn record(&self, line: u64, sample: Option<&Sample>, end: Result<&Walked, Fault>) -> Record {
        let made_by = MadeBy { sample: sample.map(|s| s.content.digest()), ..self.made_by.clone() };
        let (walked, error) = match end {
            Ok(walked) => (sample.zip(Some(walked)), None),
            Err(fault) => (None, Some(fault)),
        };
        let agreement = walked.map(|(sample, walked)| {
            Agreement::of(sample.classified(&[]), Some(walked.leaf.verdict.outcome), sample.gold.outcome)
        });
        Record {
            v: Version,
            key: made_by.key(),
            line,
            id: sample.map(|s| s.id.clone()),
            policy: self.policy.clone(),
            made_by,
            llm: walked.map(|(_, walked)| self.llm(walked)),
            classifier: walked.and_then(|(sample, _)| classifier(sample)),
            gold: walked.map(|(s, _)| GoldSide { outcome: s.gold.outcome, label: s.gold.label.clone() }),
            cell: agreement.and_then(|a| a.cell),
            counts: agreement.map(|a| Counts { llm: a.llm, classifier: a.classifier }),
            error,
        }
    }

    fn llm(&self, walked: &Walked) -> LlmSide {
        let leaf = &walked.leaf;
        LlmSide {
            model: self.model.clone(),
            verdict: VerdictSide { outcome: leaf.verdict.outcome, label: leaf.verdict.label.clone() },
            leaf: leaf.id.clone(),
            severity: leaf.severity,
            action: leaf.action.clone(),
            rule_ids: leaf.rule_ids.clone(),
            path: walked.steps.iter().map(path_step).collect(),
        }
    }
}

fn classifier(sample: &Sample) -> Option<ClassifierSide> {
    (!sample.scores.is_empty() || sample.classifier.is_some()).then(|| ClassifierSide {
        id: sample.classifier.as_ref().map(|c| c.id.clone()),
        version: sample.classifier.as_ref().and_then(|c| c.version.clone()),
        scores: sample.scores.clone(),
        thresholds: sample.thresholds.clone(),
        outcome: sample.classified(&[]),
    })
}

fn path_step(step: &Step) -> PathStep {
    let judgement = step.judgement.as_ref();
    let readout = judgement.map(|j| &j.readout);
    PathStep {
        node: step.node.id.clone(),
        answer: step.answer.clone(),
        unsure: step.taken == Taken::Unsure,
        p: readout.map(|r| r.answers.iter().map(|a| (a.answer.clone(), a.p)).collect()).unwrap_or_default(),
        coverage: readout.map_or(0.0, |r| r.coverage),
        margin: readout.map_or(0.0, Readout::margin),
        rationale: judgement.and_then(|j| j.rationale.as_ref()).map(|r| r.text.clone()),
        logits_sha256: judgement.map(|j| j.logits_sha256),
    }
}

/// What a judge's error is in a record.
pub(super) fn fault_of(error: &JudgeError) -> Fault {
    let kind = match error {
        JudgeError::TooLong { .. } => FaultKind::TooLong,
        JudgeError::Internal(_) => FaultKind::Internal,
        JudgeError::Cancelled | JudgeError::Unusable(_) => FaultKind::Model,
    };
    Fault { kind, complaint: error.complaint() }
}
