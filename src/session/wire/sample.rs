//! Written form of a sample inside a session: whole, so that replay needs no other file.
//!
//! Must keep order and repetition: every list stays a list.

use super::scalar::{WireFloat, WireName};
use crate::domain::{Classifier, Content, Field, Gold, Name, Outcome, Sample, Verdict};
use crate::text::Untrusted;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(super) struct WireSample {
    id: String,
    content: WireContent,
    gold: WireGold,
    scores: Vec<WireNumber>,
    thresholds: Vec<WireNumber>,
    classifier: Option<WireClassifier>,
    verdicts: Vec<WireGiven>,
    meta: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WireContent {
    Text(String),
    Fields(Vec<WireField>),
}

#[derive(Serialize, Deserialize)]
struct WireField {
    name: WireName,
    values: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct WireGold {
    outcome: Option<WireOutcome>,
    label: Option<WireName>,
    path: Vec<WireAnswer>,
}

#[derive(Serialize, Deserialize)]
struct WireAnswer {
    node: WireName,
    answer: WireName,
}

#[derive(Serialize, Deserialize)]
struct WireNumber {
    name: WireName,
    value: WireFloat,
}

#[derive(Serialize, Deserialize)]
struct WireClassifier {
    id: String,
    version: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct WireGiven {
    by: WireName,
    verdict: WireVerdict,
}

#[derive(Serialize, Deserialize)]
pub(super) struct WireVerdict {
    outcome: WireOutcome,
    label: Option<WireName>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WireOutcome {
    Violating,
    NonViolating,
    Escalate,
    Undetermined,
}

impl From<&Sample> for WireSample {
    fn from(s: &Sample) -> Self {
        Self {
            id: s.id.raw().to_owned(),
            content: match &s.content {
                Content::Text(text) => WireContent::Text(text.raw().to_owned()),
                Content::Fields(fields) => WireContent::Fields(fields.iter().map(WireField::from).collect()),
            },
            gold: WireGold {
                outcome: s.gold.outcome.map(WireOutcome::from),
                label: s.gold.label.as_ref().map(WireName::from),
                path: s.gold.path.iter().map(|(n, a)| WireAnswer { node: n.into(), answer: a.into() }).collect(),
            },
            scores: s.scores.iter().map(WireNumber::from).collect(),
            thresholds: s.thresholds.iter().map(WireNumber::from).collect(),
            classifier: s.classifier.as_ref().map(|c| WireClassifier {
                id: c.id.raw().to_owned(),
                version: c.version.as_ref().map(|v| v.raw().to_owned()),
            }),
            verdicts: s.verdicts.iter().map(|(by, v)| WireGiven { by: by.into(), verdict: v.into() }).collect(),
            meta: s.meta.as_ref().map(|m| m.raw().to_owned()),
        }
    }
}

impl From<WireSample> for Sample {
    fn from(w: WireSample) -> Self {
        Self {
            id: w.id.into(),
            content: match w.content {
                WireContent::Text(text) => Content::Text(text.into()),
                WireContent::Fields(fields) => Content::Fields(fields.into_iter().map(Field::from).collect()),
            },
            gold: Gold {
                outcome: w.gold.outcome.map(Outcome::from),
                label: w.gold.label.map(Name::from),
                path: w.gold.path.into_iter().map(|s| (s.node.into(), s.answer.into())).collect(),
            },
            scores: w.scores.into_iter().map(WireNumber::pair).collect(),
            thresholds: w.thresholds.into_iter().map(WireNumber::pair).collect(),
            classifier: w.classifier.map(|c| Classifier { id: c.id.into(), version: c.version.map(Untrusted::from) }),
            verdicts: w.verdicts.into_iter().map(|g| (g.by.into(), g.verdict.into())).collect(),
            meta: w.meta.map(Untrusted::from),
        }
    }
}

impl From<&Field> for WireField {
    fn from(f: &Field) -> Self {
        Self { name: (&f.name).into(), values: f.values.iter().map(|v| v.raw().to_owned()).collect() }
    }
}

impl From<WireField> for Field {
    fn from(w: WireField) -> Self {
        Self { name: w.name.into(), values: w.values.into_iter().map(Untrusted::from).collect() }
    }
}

impl From<&(Name, f64)> for WireNumber {
    fn from((name, value): &(Name, f64)) -> Self {
        Self { name: name.into(), value: WireFloat(*value) }
    }
}

impl WireNumber {
    fn pair(self) -> (Name, f64) {
        (self.name.into(), self.value.0)
    }
}

impl From<&Verdict> for WireVerdict {
    fn from(v: &Verdict) -> Self {
        Self { outcome: v.outcome.into(), label: v.label.as_ref().map(WireName::from) }
    }
}

impl From<WireVerdict> for Verdict {
    fn from(w: WireVerdict) -> Self {
        Self { outcome: w.outcome.into(), label: w.label.map(Name::from) }
    }
}

impl From<Outcome> for WireOutcome {
    fn from(o: Outcome) -> Self {
        match o {
            Outcome::Violating => Self::Violating,
            Outcome::NonViolating => Self::NonViolating,
            Outcome::Escalate => Self::Escalate,
            Outcome::Undetermined => Self::Undetermined,
        }
    }
}

impl From<WireOutcome> for Outcome {
    fn from(w: WireOutcome) -> Self {
        match w {
            WireOutcome::Violating => Self::Violating,
            WireOutcome::NonViolating => Self::NonViolating,
            WireOutcome::Escalate => Self::Escalate,
            WireOutcome::Undetermined => Self::Undetermined,
        }
    }
}
