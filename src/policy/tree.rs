//! The policy as a tree (or a DAG of shared nodes): plain data after validation.
//!
//! Must only be made by `parse`, which guarantees: the root exists, every target exists, there is no cycle, every node
//! has 2 to 8 answers, and the ids of nodes and leaves do not overlap.

use super::terms::references;
use crate::domain::sample_file::KnownGold;
use crate::domain::{Digest, Layout, Name, Outcome, Target, Verdict};
use crate::text::{Untrusted, alike::alike};
use std::collections::{HashMap, HashSet};

/// A validated policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Stable id.
    pub id: Name,
    /// Semantic version.
    pub version: Untrusted,
    /// Title for people.
    pub title: Untrusted,
    /// Who owns it.
    pub owner: Option<Untrusted>,
    /// From when it is in force, `YYYY-MM-DD`.
    pub effective: Option<Untrusted>,
    /// The node asked first.
    pub root: Name,
    /// What the model reads before every node, `[[term]]` references included as written.
    pub instructions: Untrusted,
    /// In which order the model reads policy and sample.
    pub layout: Layout,
    /// Definitions, in file order.
    pub terms: Vec<Term>,
    /// All nodes, in file order, those of an included policy as `include/node`.
    pub nodes: Vec<Node>,
    /// All leaves, in file order, those of an included policy as `include/leaf`.
    pub leaves: Vec<Leaf>,
    /// Digest over all files.
    pub sha256: Digest,
}

/// A definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// The word or phrase.
    pub name: Untrusted,
    /// What it means in this policy.
    pub definition: Untrusted,
}

/// A question with its guidance, examples and answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Stable id.
    pub id: Name,
    /// What the model is asked.
    pub question: Untrusted,
    /// How to decide, point by point.
    pub guidance: Vec<Untrusted>,
    /// Examples near the boundary.
    pub examples: Vec<Example>,
    /// Allowed answers and where they lead, in file order.
    pub answers: Vec<(Name, Target)>,
    /// Where to go when the model cannot tell.
    pub unsure: Option<Unsure>,
    /// Hash of question, guidance, examples, answers (not their targets) and the definitions of the terms used.
    pub hash: Digest,
    /// Line of `[node.ID]` in its file, from 1.
    pub line: usize,
    /// Which of [`PolicyRecord::files`](crate::session::PolicyRecord) it stands in: 0 is the policy file itself.
    pub file: usize,
}

/// One worked example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The text.
    pub text: Untrusted,
    /// The right answer.
    pub answer: Name,
    /// Why.
    pub why: Option<Untrusted>,
}

/// A margin below which the argmax is not followed.
#[derive(Clone, Debug, PartialEq)]
pub struct Unsure {
    /// In 0..=1.
    pub margin: f64,
    /// Followed instead.
    pub target: Target,
}

/// A verdict at the end of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Stable id.
    pub id: Name,
    /// What it decides.
    pub verdict: Verdict,
    /// How severe, 0 (none) to 5.
    pub severity: Option<u8>,
    /// What to do, for example `remove`.
    pub action: Option<Name>,
    /// The rules it rests on.
    pub rule_ids: Vec<Name>,
}

impl Policy {
    /// A node by id.
    pub fn node(&self, id: &str) -> Option<&Node> {
        self.nodes.iter().find(|n| n.id == *id)
    }

    /// A leaf by id.
    pub fn leaf(&self, id: &str) -> Option<&Leaf> {
        self.leaves.iter().find(|l| l.id == *id)
    }

    /// Adds the names that the gold of a sample may use under this policy.
    pub fn add_gold(&self, known: &mut KnownGold) {
        for node in &self.nodes {
            known.node(&node.id, node.answers.iter().map(|(answer, _)| answer));
        }
        self.leaves.iter().filter_map(|leaf| leaf.verdict.label.as_ref()).for_each(|label| known.label(label));
    }

    /// The nodes (with `leaves`, the leaves too) whose ids are spelt much like `id`, or are `id` in an included policy.
    pub fn names_like(&self, id: &str, leaves: bool) -> Vec<&str> {
        let leaves = self.leaves.iter().filter(|_| leaves).map(|leaf| leaf.id.as_str());
        let all: Vec<&str> = self.nodes.iter().map(|node| node.id.as_str()).chain(leaves).collect();
        let included = all.iter().copied().filter(|name| name.rsplit('/').next() == Some(id) && *name != id);
        let included: Vec<&str> = included.take(3).collect();
        if included.is_empty() { alike(id, all) } else { included }
    }

    /// The definitions that a node's words refer to, also through other definitions, in file order.
    pub fn terms_of(&self, node: &Node) -> Vec<&Term> {
        let key = |name: &str| name.trim().to_lowercase();
        let mut used = vec![false; self.terms.len()];
        let mut waiting: Vec<&str> =
            std::iter::once(&node.question).chain(&node.guidance).map(Untrusted::raw).collect();
        while let Some(text) = waiting.pop() {
            for name in references(text).0 {
                let found = self.terms.iter().position(|t| key(t.name.raw()) == key(name));
                if let Some((used, term)) = found.and_then(|i| used.get_mut(i).zip(self.terms.get(i)))
                    && !std::mem::replace(used, true)
                {
                    waiting.push(term.definition.raw());
                }
            }
        }
        self.terms.iter().zip(used).filter(|(_, used)| *used).map(|(term, _)| term).collect()
    }

    /// Whether some way leads from the node `from` to the node or leaf `to` below it.
    pub fn leads_to(&self, from: &Name, to: &Name) -> bool {
        let nodes: HashMap<&Name, &Node> = self.nodes.iter().map(|node| (&node.id, node)).collect();
        let (mut waiting, mut seen) = (vec![from], HashSet::from([from]));
        while let Some(node) = waiting.pop().and_then(|id| nodes.get(id)) {
            for edge in node.edges() {
                match edge.target {
                    Target::Node(id) | Target::Leaf(id) if id == to => return true,
                    Target::Node(id) if seen.insert(id) => waiting.push(id),
                    Target::Node(_) | Target::Leaf(_) => {}
                }
            }
        }
        false
    }

    /// All outcomes that some leaf can give.
    pub fn outcomes(&self) -> Vec<Outcome> {
        Outcome::ALL.into_iter().filter(|o| self.leaves.iter().any(|l| l.verdict.outcome == *o)).collect()
    }
}

/// One way out of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge<'p> {
    /// The answer; `None` is the `unsure` route.
    pub answer: Option<&'p Name>,
    /// Where it leads.
    pub target: &'p Target,
}

impl Node {
    /// All ways out: the answers in file order, then the `unsure` route.
    pub fn edges(&self) -> impl Iterator<Item = Edge<'_>> {
        let answers = self.answers.iter().map(|(answer, target)| Edge { answer: Some(answer), target });
        answers.chain(self.unsure.iter().map(|u| Edge { answer: None, target: &u.target }))
    }

    /// Where `answer` leads.
    pub fn target(&self, answer: &str) -> Option<&Target> {
        self.answers.iter().find(|(a, _)| a == answer).map(|(_, t)| t)
    }
}
