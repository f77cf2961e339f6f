//! Written form of one answered node: what was asked, what the judge said, which edge was taken, and the leaf at the end.
//!
//! Must hold raw log-probabilities as well as probabilities: a reviewer recomputes one from the other.

use super::sample::WireVerdict;
use super::scalar::{WireDigest, WireFloat, WireName};
use crate::domain::{AnswerScore, Judgement, Name, Rationale, Readout, StopReason, Target, Usage};
use crate::session::{LeafReached, NodeRef, Step, Taken};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(super) struct WireStep {
    node: WireNode,
    judgement: Option<WireJudgement>,
    answer: WireName,
    taken: WireTaken,
    target: WireTarget,
}

#[derive(Serialize, Deserialize)]
struct WireNode {
    id: WireName,
    hash: WireDigest,
}

#[derive(Serialize, Deserialize)]
struct WireJudgement {
    rationale: Option<WireRationale>,
    readout: WireReadout,
    prompt_sha256: WireDigest,
    logits_sha256: WireDigest,
    usage: WireUsage,
}

#[derive(Serialize, Deserialize)]
struct WireRationale {
    text: String,
    tokens: u32,
    stop: WireStop,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WireStop {
    EndOfTurn,
    Cue,
    BlankLine,
    Repetition,
    Length,
}

#[derive(Serialize, Deserialize)]
struct WireReadout {
    answers: Vec<WireScore>,
    coverage: WireFloat,
}

#[derive(Serialize, Deserialize)]
struct WireScore {
    answer: WireName,
    logprob: WireFloat,
    p: WireFloat,
}

#[derive(Serialize, Deserialize)]
struct WireUsage {
    prompt_tokens: u32,
    reused_tokens: u32,
    computed_tokens: u32,
    millis: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WireTaken {
    Argmax,
    Unsure,
    Overridden,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WireTarget {
    Node(WireName),
    Leaf(WireName),
}

#[derive(Serialize, Deserialize)]
pub(super) struct WireLeaf {
    id: WireName,
    verdict: WireVerdict,
    severity: Option<u8>,
    action: Option<WireName>,
    rule_ids: Vec<WireName>,
}

impl From<&Step> for WireStep {
    fn from(s: &Step) -> Self {
        Self {
            node: WireNode { id: (&s.node.id).into(), hash: s.node.hash.into() },
            judgement: s.judgement.as_ref().map(WireJudgement::from),
            answer: (&s.answer).into(),
            taken: match s.taken {
                Taken::Argmax => WireTaken::Argmax,
                Taken::Unsure => WireTaken::Unsure,
                Taken::Overridden => WireTaken::Overridden,
            },
            target: match &s.target {
                Target::Node(id) => WireTarget::Node(id.into()),
                Target::Leaf(id) => WireTarget::Leaf(id.into()),
            },
        }
    }
}

impl From<WireStep> for Step {
    fn from(w: WireStep) -> Self {
        Self {
            node: NodeRef { id: w.node.id.into(), hash: w.node.hash.into() },
            judgement: w.judgement.map(Judgement::from),
            answer: w.answer.into(),
            taken: match w.taken {
                WireTaken::Argmax => Taken::Argmax,
                WireTaken::Unsure => Taken::Unsure,
                WireTaken::Overridden => Taken::Overridden,
            },
            target: match w.target {
                WireTarget::Node(id) => Target::Node(id.into()),
                WireTarget::Leaf(id) => Target::Leaf(id.into()),
            },
        }
    }
}

impl From<&Judgement> for WireJudgement {
    fn from(j: &Judgement) -> Self {
        Self {
            rationale: j.rationale.as_ref().map(WireRationale::from),
            readout: WireReadout {
                answers: j.readout.answers.iter().map(WireScore::from).collect(),
                coverage: WireFloat(j.readout.coverage),
            },
            prompt_sha256: j.prompt_sha256.into(),
            logits_sha256: j.logits_sha256.into(),
            usage: WireUsage {
                prompt_tokens: j.usage.prompt_tokens,
                reused_tokens: j.usage.reused_tokens,
                computed_tokens: j.usage.computed_tokens,
                millis: j.usage.millis,
            },
        }
    }
}

impl From<WireJudgement> for Judgement {
    fn from(w: WireJudgement) -> Self {
        Self {
            rationale: w.rationale.map(Rationale::from),
            readout: Readout {
                answers: w.readout.answers.into_iter().map(AnswerScore::from).collect(),
                coverage: w.readout.coverage.0,
            },
            prompt_sha256: w.prompt_sha256.into(),
            logits_sha256: w.logits_sha256.into(),
            usage: Usage {
                prompt_tokens: w.usage.prompt_tokens,
                reused_tokens: w.usage.reused_tokens,
                computed_tokens: w.usage.computed_tokens,
                millis: w.usage.millis,
            },
        }
    }
}

impl From<&Rationale> for WireRationale {
    fn from(r: &Rationale) -> Self {
        let stop = match r.stop {
            StopReason::EndOfTurn => WireStop::EndOfTurn,
            StopReason::Cue => WireStop::Cue,
            StopReason::BlankLine => WireStop::BlankLine,
            StopReason::Repetition => WireStop::Repetition,
            StopReason::Length => WireStop::Length,
        };
        Self { text: r.text.raw().to_owned(), tokens: r.tokens, stop }
    }
}

impl From<WireRationale> for Rationale {
    fn from(w: WireRationale) -> Self {
        let stop = match w.stop {
            WireStop::EndOfTurn => StopReason::EndOfTurn,
            WireStop::Cue => StopReason::Cue,
            WireStop::BlankLine => StopReason::BlankLine,
            WireStop::Repetition => StopReason::Repetition,
            WireStop::Length => StopReason::Length,
        };
        Self { text: w.text.into(), tokens: w.tokens, stop }
    }
}

impl From<&AnswerScore> for WireScore {
    fn from(a: &AnswerScore) -> Self {
        Self { answer: (&a.answer).into(), logprob: WireFloat(a.logprob), p: WireFloat(a.p) }
    }
}

impl From<WireScore> for AnswerScore {
    fn from(w: WireScore) -> Self {
        Self { answer: w.answer.into(), logprob: w.logprob.0, p: w.p.0 }
    }
}

impl From<&LeafReached> for WireLeaf {
    fn from(l: &LeafReached) -> Self {
        Self {
            id: (&l.id).into(),
            verdict: (&l.verdict).into(),
            severity: l.severity,
            action: l.action.as_ref().map(WireName::from),
            rule_ids: l.rule_ids.iter().map(WireName::from).collect(),
        }
    }
}

impl From<WireLeaf> for LeafReached {
    fn from(w: WireLeaf) -> Self {
        Self {
            id: w.id.into(),
            verdict: w.verdict.into(),
            severity: w.severity,
            action: w.action.map(Name::from),
            rule_ids: w.rule_ids.into_iter().map(Name::from).collect(),
        }
    }
}
