//! A sample to moderate: its content as it came, the human label, and what the at-scale classifier said.
//!
//! Must not change the content in any way, and must not read an absent label as "no".

use super::wire::{GivenVerdict, NodeAnswer, Number, Pairs};
use super::{Digest, Name, Outcome, Verdict};
use crate::text::Untrusted;
use serde::{Deserialize, Serialize};

/// One thing to moderate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Sample {
    /// Its id in the analyst's own system; any text.
    pub id: Untrusted,
    /// What the model gets to read.
    pub content: Content,
    /// What humans said; every part may be unknown.
    pub gold: Gold,
    /// Scores of the at-scale classifier, name to number, in file order.
    #[serde(with = "Pairs::<Number>")]
    pub scores: Vec<(Name, f64)>,
    /// Thresholds that go with `scores`; a score at or above its threshold is violating.
    #[serde(with = "Pairs::<Number>")]
    pub thresholds: Vec<(Name, f64)>,
    /// Which classifier made the scores.
    pub classifier: Option<Classifier>,
    /// Verdicts recorded elsewhere, by who gave them.
    #[serde(with = "Pairs::<GivenVerdict>")]
    pub verdicts: Vec<(Name, Verdict)>,
    /// Anything else, as the JSON text that stood in the file.
    pub meta: Option<Untrusted>,
}

impl Sample {
    /// A sample of which nothing else is known.
    pub fn new(id: impl Into<Untrusted>, content: Content) -> Self {
        Self {
            id: id.into(),
            content,
            gold: Gold::default(),
            scores: Vec::new(),
            thresholds: Vec::new(),
            classifier: None,
            verdicts: Vec::new(),
            meta: None,
        }
    }

    /// The threshold of a score: the overridden one, or the one the sample came with.
    pub fn threshold(&self, score: &str, overridden: &[(Name, f64)]) -> Option<f64> {
        let find = |list: &[(Name, f64)]| list.iter().find(|(name, _)| *name == *score).map(|(_, value)| *value);
        find(overridden).or_else(|| find(&self.thresholds))
    }

    /// What the at-scale classifier says: violating where any score reaches its threshold, non-violating where none of
    /// those that have a threshold does, unknown where no score has one.
    pub fn classified(&self, overridden: &[(Name, f64)]) -> Option<Outcome> {
        let over =
            self.scores.iter().filter_map(|(name, score)| Some(*score >= self.threshold(name.as_str(), overridden)?));
        over.reduce(|any, this| any || this).map(|any| if any { Outcome::Violating } else { Outcome::NonViolating })
    }
}

/// The text of a post, or the named texts of a photo or video post.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// One plain text.
    Text(Untrusted),
    /// Named parts such as `caption`, `transcript`, `ocr`, in file order.
    Fields(Vec<Field>),
}

impl Content {
    /// Digest over everything the model gets to read of the sample: the parts of [`Digest::of_parts`] are `text` and
    /// the text, or `fields` and for each field its name, the number of its texts and the texts.
    pub fn digest(&self) -> Digest {
        match self {
            Self::Text(text) => Digest::of_parts([b"text".as_slice(), text.raw().as_bytes()]),
            Self::Fields(fields) => {
                let counts: Vec<String> = fields.iter().map(|f| f.values.len().to_string()).collect();
                let mut parts: Vec<&[u8]> = vec![b"fields"];
                for (field, count) in fields.iter().zip(&counts) {
                    parts.extend([field.name.as_str().as_bytes(), count.as_bytes()]);
                    parts.extend(field.values.iter().map(|v| v.raw().as_bytes()));
                }
                Digest::of_parts(parts)
            }
        }
    }

    /// Its length in characters, names of fields included.
    pub fn chars(&self) -> u64 {
        let chars = |t: &str| t.chars().count() as u64;
        match self {
            Self::Text(text) => chars(text.raw()),
            Self::Fields(fields) => {
                let values = |f: &Field| f.values.iter().map(|v| chars(v.raw())).sum::<u64>();
                fields.iter().map(|f| chars(f.name.as_str()) + values(f)).sum()
            }
        }
    }
}

/// One named part of a post.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Field {
    /// The part's name, shown and prompted.
    pub name: Name,
    /// Its text; several entries (hashtags, comments) are kept apart.
    pub values: Vec<Untrusted>,
}

/// The human label. `None` means unknown, never "no".
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Gold {
    /// The right outcome.
    pub outcome: Option<Outcome>,
    /// The right policy label.
    pub label: Option<Name>,
    /// The right answer per node, in file order.
    #[serde(with = "Pairs::<NodeAnswer>")]
    pub path: Vec<(Name, Name)>,
}

/// The classifier whose scores a sample carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Classifier {
    /// Its id.
    pub id: Untrusted,
    /// Its version.
    pub version: Option<Untrusted>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_that_differ_in_how_they_are_divided_have_different_digests() {
        let field = |name: &str, values: &[&str]| Field {
            name: Name::new(name).unwrap(),
            values: values.iter().map(|v| Untrusted::from(*v)).collect(),
        };
        let all = [
            Content::Text("ab".into()),
            Content::Fields(vec![field("x", &["ab"])]),
            Content::Fields(vec![field("x", &["a", "b"])]),
            Content::Fields(vec![field("x", &["a"]), field("b", &[])]),
            Content::Fields(vec![field("x", &[]), field("a", &["b"])]),
            Content::Fields(vec![field("y", &["ab"])]),
        ];
        let digests: std::collections::BTreeSet<_> = all.iter().map(Content::digest).collect();
        assert_eq!(digests.len(), all.len());
        assert_eq!(all.map(|c| c.chars()), [2, 3, 3, 3, 3, 3]);
    }

    #[test]
    fn a_score_at_its_threshold_violates_and_a_score_without_one_says_nothing() {
        let name = |text: &str| Name::new(text).unwrap();
        let sample = |scores: &[(&str, f64)], thresholds: &[(&str, f64)]| Sample {
            scores: scores.iter().map(|(n, v)| (name(n), *v)).collect(),
            thresholds: thresholds.iter().map(|(n, v)| (name(n), *v)).collect(),
            ..Sample::new("s", Content::Text("x".into()))
        };
        let (yes, no) = (Some(Outcome::Violating), Some(Outcome::NonViolating));
        assert_eq!(sample(&[("t", 0.8)], &[("t", 0.8)]).classified(&[]), yes);
        assert_eq!(sample(&[("t", 0.79), ("u", 0.9)], &[("t", 0.8)]).classified(&[]), no);
        assert_eq!(sample(&[("t", 0.79)], &[("t", 0.8)]).classified(&[(name("t"), 0.5)]), yes);
        assert_eq!(sample(&[("t", 0.9)], &[]).classified(&[]), None);
        assert_eq!(sample(&[], &[("t", 0.9)]).classified(&[]), None);
        assert_eq!(sample(&[("t", 0.1), ("u", 0.9)], &[("t", 0.5), ("u", 0.8)]).classified(&[]), yes);
    }
}
