//! The names and words known at one point of a session: those of its policies, of its samples and of the program.
//!
//! Must make no claim where it does not know: without a policy, any word may be an answer.

use super::names::{NAMES, Since, Words};
use crate::domain::{Content, Name, Outcome, Sample};
use crate::policy::{Node, Policy};
use crate::session::Taken;
use crate::stats::{Cell, Confusion};
use std::collections::HashSet;

/// Where an expression is going to be evaluated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Moment {
    /// Before a sample is run: `next-sample where`.
    Sample,
    /// Anywhere in a walk: `print`, `display`.
    #[default]
    Walk,
    /// At a breakpoint: `break … if`, `condition`.
    Breakpoint,
}

/// What an expression can name at one place.
#[derive(Clone, Copy, Debug, Default)]
pub struct Vocabulary<'a> {
    /// Where it is evaluated.
    pub moment: Moment,
    /// The policies in force there; empty if none is loaded.
    pub policies: &'a [&'a Policy],
    /// The one node whose answers are relevant, if there is one.
    pub node: Option<&'a Node>,
    /// All samples; `None` if they are not known.
    pub samples: Option<&'a [Sample]>,
    /// Thresholds set in the session.
    pub thresholds: &'a [(Name, f64)],
}

impl<'a> Vocabulary<'a> {
    /// Whether a name is known at this place, at some time at least.
    pub fn has(&self, since: Since) -> bool {
        match self.moment {
            Moment::Sample => since == Since::Sample,
            Moment::Walk => since != Since::Stop,
            Moment::Breakpoint => true,
        }
    }

    /// All words of one sort, `key` being the part in capitals of the name they are for; `None` if they are unknown.
    pub(super) fn words(&self, words: Words, key: Option<&str>) -> Option<Vec<&'a str>> {
        let nodes = || self.policies.iter().flat_map(|policy| &policy.nodes);
        let leaves = || self.policies.iter().flat_map(|policy| &policy.leaves);
        let samples = || self.samples.unwrap_or_default().iter();
        let here = |list: Vec<&'a str>| (!self.policies.is_empty()).then_some(list);
        let answers = |node: &'a Node| node.answers.iter().map(|(answer, _)| answer.as_str());
        let gold = || samples().flat_map(|sample| &sample.gold.path);
        match words {
            Words::Outcome => Some(Outcome::ALL.iter().map(|outcome| outcome.as_str()).collect()),
            Words::Taken => Some(Taken::ALL.iter().map(|taken| taken.as_str()).collect()),
            Words::Cell => Some(Cell::ALL.iter().map(|cell| cell.as_str()).collect()),
            Words::Confusion => Some(Confusion::ALL.iter().map(|confusion| confusion.as_str()).collect()),
            Words::Answer => match self.node {
                Some(node) => Some(answers(node).collect()),
                None => here(nodes().flat_map(answers).collect()),
            },
            // Humans may have answered what this policy does not offer; that is worth finding.
            Words::AnswerThere => {
                let there = nodes().filter(|node| Some(node.id.as_str()) == key).flat_map(answers);
                let given = gold().filter(|(node, _)| Some(node.as_str()) == key).map(|(_, answer)| answer.as_str());
                here(there.chain(given).collect())
            }
            Words::Node => here(nodes().map(|node| node.id.as_str()).collect()),
            Words::GoldNode => {
                here(nodes().map(|node| &node.id).chain(gold().map(|(node, _)| node)).map(Name::as_str).collect())
            }
            Words::Leaf => here(leaves().map(|leaf| leaf.id.as_str()).collect()),
            Words::Label => here(leaves().filter_map(|leaf| leaf.verdict.label.as_ref()).map(Name::as_str).collect()),
            Words::GoldLabel => {
                let labels = leaves().filter_map(|leaf| leaf.verdict.label.as_ref());
                let given = samples().filter_map(|sample| sample.gold.label.as_ref());
                self.samples.and_then(|_| here(labels.chain(given).map(Name::as_str).collect()))
            }
            Words::Action => here(leaves().filter_map(|leaf| leaf.action.as_ref()).map(Name::as_str).collect()),
            Words::Score | Words::Threshold => self.samples.map(|all| {
                let own = all.iter().flat_map(|sample| sample.scores.iter().chain(&sample.thresholds));
                own.chain(self.thresholds).map(|(name, _)| name.as_str()).collect()
            }),
            Words::Field => self.samples.map(|all| {
                let fields = all.iter().filter_map(|sample| match &sample.content {
                    Content::Fields(fields) => Some(fields),
                    Content::Text(_) => None,
                });
                fields.flatten().map(|field| field.name.as_str()).collect()
            }),
            Words::Sample => self.samples.map(|all| all.iter().map(|sample| sample.id.raw()).collect()),
        }
    }

    /// All names that can be typed at this point, with their meaning: for completion.
    pub fn variables(&self) -> Vec<(String, String)> {
        let mut found: Vec<(String, String)> = Vec::new();
        let mut seen: HashSet<String> = HashSet::new();
        for variable in NAMES.iter().filter(|variable| self.has(variable.since)) {
            let told = format!("{}: {}", variable.kind.describe(), variable.meaning);
            let Some(keys) = variable.keys.map(|keys| self.words(keys, None).unwrap_or_default()) else {
                found.push((variable.name.to_owned(), told));
                continue;
            };
            for key in keys {
                let name = member(variable.fixed(), key);
                if seen.insert(name.clone()) {
                    found.push((name, told.clone()));
                }
            }
        }
        found
    }
}

/// A part of a name as it is written: `p.yes`, or `p["not sure"]` if the part is not a plain word.
pub(super) fn member(fixed: &str, key: &str) -> String {
    let mut letters = key.chars();
    let plain = letters.next().is_some_and(|c| c.is_alphabetic() || c == '_')
        && letters.all(|c| c.is_alphanumeric() || c == '_');
    match plain {
        true => format!("{fixed}{key}"),
        false => format!("{}[{key:?}]", fixed.trim_end_matches('.')),
    }
}
