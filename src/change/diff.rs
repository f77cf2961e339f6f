//! The differences between two versions of a policy, by the content of their nodes and leaves.
//!
//! Must compare what the model reads and where answers lead; comments, order and layout of the file are not changes.

use crate::domain::{Name, Target};
use crate::policy::{Leaf, Node, Policy, Term};
use std::collections::HashMap;

/// A part of a node or leaf that can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The instructions that precede every node.
    Instructions,
    /// The order in which the model reads policy and sample.
    Layout,
    /// The question.
    Question,
    /// The guidance.
    Guidance,
    /// The examples.
    Examples,
    /// The answers that are allowed.
    Answers,
    /// Definitions of terms that the node uses.
    Terms,
    /// Where an answer leads.
    Edges,
    /// The margin below which the `unsure` route is taken, or where it leads.
    Unsure,
    /// The outcome or the label of a leaf.
    Verdict,
    /// Severity, action or rules of a leaf.
    Consequences,
}

impl Part {
    /// Its name, as it is listed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Instructions => "instructions",
            Self::Layout => "layout",
            Self::Question => "question",
            Self::Guidance => "guidance",
            Self::Examples => "examples",
            Self::Answers => "answers",
            Self::Terms => "terms",
            Self::Edges => "edges",
            Self::Unsure => "unsure route",
            Self::Verdict => "verdict",
            Self::Consequences => "severity, action or rules",
        }
    }
}

/// What became of a node or leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// These parts of it are different; never empty.
    Changed(Vec<Part>),
}

/// The difference of two versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyDiff {
    /// The instructions that the model reads before every node changed.
    pub instructions: bool,
    /// The order in which the model reads policy and sample changed.
    pub layout: bool,
    /// The new root, if it changed.
    pub root: Option<Name>,
    /// Changed nodes, in file order; removed ones last.
    pub nodes: Vec<(Name, Change)>,
    /// Leaves likewise.
    pub leaves: Vec<(Name, Change)>,
}

impl PolicyDiff {
    /// Whether nothing that matters to a walk is different.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What became of a node.
    pub fn node(&self, id: &Name) -> Option<&Change> {
        self.nodes.iter().find(|(name, _)| name == id).map(|(_, change)| change)
    }

    /// What became of a leaf.
    pub fn leaf(&self, id: &Name) -> Option<&Change> {
        self.leaves.iter().find(|(name, _)| name == id).map(|(_, change)| change)
    }
}

/// The difference between `old` and `new`.
pub fn diff(old: &Policy, new: &Policy) -> PolicyDiff {
    PolicyDiff {
        instructions: old.instructions != new.instructions,
        layout: old.layout != new.layout,
        root: (old.root != new.root).then(|| new.root.clone()),
        nodes: changes(&old.nodes, &new.nodes, |n| &n.id, |a, b| node_parts(old, a, new, b)),
        leaves: changes(&old.leaves, &new.leaves, |l| &l.id, leaf_parts),
    }
}

fn changes<T>(
    old: &[T],
    new: &[T],
    id: impl Fn(&T) -> &Name,
    parts: impl Fn(&T, &T) -> Vec<Part>,
) -> Vec<(Name, Change)> {
    let before: HashMap<&Name, &T> = old.iter().map(|x| (id(x), x)).collect();
    let after: HashMap<&Name, &T> = new.iter().map(|x| (id(x), x)).collect();
    let kept = new.iter().filter_map(|x| match before.get(id(x)) {
        None => Some((id(x).clone(), Change::Added)),
        Some(was) => {
            let parts = parts(was, x);
            (!parts.is_empty()).then(|| (id(x).clone(), Change::Changed(parts)))
        }
    });
    let gone = old.iter().filter(|x| !after.contains_key(id(x))).map(|x| (id(x).clone(), Change::Removed));
    kept.chain(gone).collect()
}

fn node_parts(old: &Policy, a: &Node, new: &Policy, b: &Node) -> Vec<Part> {
    let mut parts = asked_parts(old, a, new, b);
    let elsewhere = |(answer, target): &(Name, Target)| b.target(answer.as_str()).is_some_and(|t| t != target);
    if a.answers.iter().any(elsewhere) {
        parts.push(Part::Edges);
    }
    if a.unsure != b.unsure {
        parts.push(Part::Unsure);
    }
    parts
}

/// What is different in what the model reads at the node itself.
pub(super) fn asked_parts(old: &Policy, a: &Node, new: &Policy, b: &Node) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut note = |changed: bool, part: Part| {
        if changed {
            parts.push(part);
        }
    };
    // The hash covers everything the model reads at the node, so a closer look is needed only if it differs.
    if a.hash != b.hash {
        note(a.question != b.question, Part::Question);
        note(a.guidance != b.guidance, Part::Guidance);
        note(a.examples != b.examples, Part::Examples);
        note(!a.answers.iter().map(|(answer, _)| answer).eq(b.answers.iter().map(|(answer, _)| answer)), Part::Answers);
        let terms = |policy: &Policy, node| policy.terms_of(node).into_iter().cloned().collect::<Vec<Term>>();
        note(terms(old, a) != terms(new, b), Part::Terms);
    }
    parts
}

fn leaf_parts(a: &Leaf, b: &Leaf) -> Vec<Part> {
    let mut parts = Vec::new();
    if a.verdict != b.verdict {
        parts.push(Part::Verdict);
    }
    if (a.severity, &a.action, &a.rule_ids) != (b.severity, &b.action, &b.rule_ids) {
        parts.push(Part::Consequences);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::parse;

    const POLICY: &str = r#"# a comment
[policy]
id = "p"
version = "1.0.0"
title = "P"
root = "news"
instructions = "Judge."
[[term]]
name = "slur"
definition = "A word [[group]]s are insulted with."
[[term]]
name = "group"
definition = "People."
[node.news]
question = "Is it news?"
guidance = ["Count reports."]
examples = [{ text = "Today", answer = "yes" }]
answers = { yes = { leaf = "clean" }, no = { next = "insult" } }
[node.insult]
question = "Is there a [[slur]]?"
answers = { yes = { leaf = "remove" }, no = { leaf = "clean" } }
unsure = { margin = 0.2, leaf = "clean" }
[leaf.clean]
outcome = "non_violating"
[leaf.remove]
outcome = "violating"
severity = 2
"#;

    fn policy(text: &str) -> Policy {
        let parsed = parse("p.toml", text, &mut |_| Err(String::new()));
        parsed.policy.unwrap_or_else(|| panic!("{:?}", parsed.diagnostics))
    }

    fn name(text: &str) -> Name {
        Name::new(text).expect("a name")
    }

    #[test]
    fn every_part_that_can_change_is_named() {
        use Part::*;
        let changed = |parts: &[Part]| Some(Change::Changed(parts.to_vec()));
        for (from, to, node, expected) in [
            ("Is it news?", "Is it the news?", "news", changed(&[Question])),
            ("Count reports.", "Count rumours.", "news", changed(&[Guidance])),
            ("\"Today\"", "\"Tomorrow\"", "news", changed(&[Examples])),
            ("People.", "People of one origin.", "insult", changed(&[Terms])),
            ("yes = { leaf = \"remove\" }", "yes = { leaf = \"clean\" }, maybe = { leaf = \"remove\" }", "insult", {
                changed(&[Answers, Edges])
            }),
            (
                "yes = { leaf = \"clean\" }, no = { next",
                "yes = { leaf = \"remove\" }, no = { next",
                "news",
                changed(&[Edges]),
            ),
            ("margin = 0.2", "margin = 0.3", "insult", changed(&[Unsure])),
            ("# a comment", "# another", "news", None),
            ("People.", "People of one origin.", "news", None),
        ] {
            let text = POLICY.replace(from, to);
            assert_ne!(text, POLICY, "{from}");
            let found = diff(&policy(POLICY), &policy(&text));
            assert_eq!(found.node(&name(node)), expected.as_ref(), "{from} -> {to}");
        }
    }

    #[test]
    fn nodes_and_leaves_come_and_go_and_what_all_nodes_read_is_told_apart() {
        let more = POLICY.replace("no = { leaf = \"clean\" } }\nunsure", "no = { next = \"more\" } }\nunsure")
            + "[node.more]\nquestion = \"More?\"\nanswers = { yes = { leaf = \"odd\" }, no = { leaf = \"clean\" } }\n\
               [leaf.odd]\noutcome = \"escalate\"\n";
        let (old, new) = (policy(POLICY), policy(&more));
        let there = diff(&old, &new);
        assert_eq!(there.node(&name("more")), Some(&Change::Added));
        assert_eq!(there.leaf(&name("odd")), Some(&Change::Added));
        let back = diff(&new, &old);
        assert_eq!(back.node(&name("more")), Some(&Change::Removed));
        assert_eq!(back.leaf(&name("odd")), Some(&Change::Removed));
        let judged = diff(&old, &policy(&POLICY.replace("Judge.", "Judge well.")));
        assert!(judged.instructions && judged.nodes.is_empty() && !judged.is_empty());
        let leaf = diff(&old, &policy(&POLICY.replace("severity = 2", "severity = 3")));
        assert_eq!(leaf.leaf(&name("remove")), Some(&Change::Changed(vec![Part::Consequences])));
        assert!(diff(&old, &old).is_empty());
    }
}
