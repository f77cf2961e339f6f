//! Whether an answer given under one version of a policy still stands under another.
//!
//! Must treat an answer as stale as soon as the model would read something else or the answer would lead elsewhere.

use super::diff::{Part, asked_parts};
use crate::domain::{Answered, Name};
use crate::policy::Policy;

/// Why an answer no longer stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stale {
    /// The node is gone.
    Gone,
    /// The model would read other instructions, question, guidance …, or the answer would lead elsewhere; never empty.
    Changed(Vec<Part>),
}

impl Stale {
    /// In words: `question, guidance` or `the node is gone`.
    pub fn words(&self) -> String {
        match self {
            Self::Gone => "the node is gone".to_owned(),
            Self::Changed(parts) => parts.iter().map(|p| p.as_str()).collect::<Vec<_>>().join(", "),
        }
    }
}

/// Why an answer given under `old` is stale now that `new` is loaded; `None` if it still stands.
pub fn stale(old: &Policy, new: &Policy, step: Answered<'_>) -> Option<Stale> {
    let Some(node) = new.node(step.node.as_str()) else { return Some(Stale::Gone) };
    let mut parts = read_before(old, new);
    if let Some(was) = old.node(step.node.as_str()) {
        parts.extend(asked_parts(old, was, new, node));
    }
    let unsure = node.unsure.as_ref().filter(|u| step.margin.is_some_and(|margin| margin < u.margin));
    let target = unsure.map_or_else(|| node.target(step.answer.as_str()), |u| Some(&u.target));
    if target != Some(step.target) && !parts.contains(&Part::Answers) {
        parts.push(if unsure.is_some() { Part::Unsure } else { Part::Edges });
    }
    (!parts.is_empty()).then_some(Stale::Changed(parts))
}

/// The same for a node that was not asked yet: whether `new` would ask something else.
pub fn asks_otherwise(old: &Policy, new: &Policy, node: &Name) -> Option<Stale> {
    let (was, is) = (old.node(node.as_str())?, new.node(node.as_str()));
    let Some(is) = is else { return Some(Stale::Gone) };
    let mut parts = read_before(old, new);
    parts.extend(asked_parts(old, was, new, is));
    (!parts.is_empty()).then_some(Stale::Changed(parts))
}

/// What changed in the text that precedes every node.
fn read_before(old: &Policy, new: &Policy) -> Vec<Part> {
    let instructions = (old.instructions != new.instructions).then_some(Part::Instructions);
    let layout = (old.layout != new.layout).then_some(Part::Layout);
    instructions.into_iter().chain(layout).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Target;
    use crate::policy::parse;

    const POLICY: &str = r#"[policy]
id = "p"
version = "1.0.0"
title = "P"
root = "a"
instructions = "Judge."
[node.a]
question = "Is it so?"
answers = { yes = { leaf = "x" }, no = { leaf = "y" } }
unsure = { margin = 0.2, leaf = "z" }
[leaf.x]
outcome = "violating"
[leaf.y]
outcome = "non_violating"
[leaf.z]
outcome = "escalate"
"#;

    fn policy(text: &str) -> Policy {
        let parsed = parse("p.toml", text, &mut |_| Err(String::new()));
        parsed.policy.unwrap_or_else(|| panic!("{:?}", parsed.diagnostics))
    }

    #[test]
    fn an_answer_is_stale_where_something_else_would_be_read_or_it_would_lead_elsewhere() {
        let name = |text: &str| Name::new(text).expect("a name");
        let (a, yes) = (name("a"), name("yes"));
        let (x, z) = (Target::Leaf(name("x")), Target::Leaf(name("z")));
        let changed = |parts: &[Part]| Some(Stale::Changed(parts.to_vec()));
        for (from, to, margin, target, expected) in [
            ("", "", Some(0.5), &x, None),
            ("", "", Some(0.1), &z, None),
            ("", "", None, &x, None),
            ("Is it so?", "Is it?", None, &x, changed(&[Part::Question])),
            ("Judge.", "Judge it.", Some(0.5), &x, changed(&[Part::Instructions])),
            ("margin = 0.2", "margin = 0.6", Some(0.5), &x, changed(&[Part::Unsure])),
            ("margin = 0.2", "margin = 0.6", None, &x, None),
            ("margin = 0.2", "margin = 0.4", Some(0.5), &x, None),
            ("margin = 0.2", "margin = 0.05", Some(0.1), &z, changed(&[Part::Edges])),
            ("yes = { leaf = \"x\" }", "yes = { leaf = \"y\" }", Some(0.5), &x, changed(&[Part::Edges])),
            ("no = { leaf = \"y\" }", "no = { leaf = \"x\" }", Some(0.5), &x, None),
            ("yes = { leaf", "sure = { leaf", Some(0.5), &x, changed(&[Part::Answers])),
            ("\"a\"", "\"b\"", Some(0.5), &x, Some(Stale::Gone)),
        ] {
            let text =
                POLICY.replace(from, to).replace("[node.a]", if from == "\"a\"" { "[node.b]" } else { "[node.a]" });
            let text = if from.is_empty() { POLICY.to_owned() } else { text };
            let step = Answered { node: &a, answer: &yes, margin, target };
            assert_eq!(stale(&policy(POLICY), &policy(&text), step), expected, "{from} -> {to}, margin {margin:?}");
        }
    }

    #[test]
    fn a_node_that_waits_is_told_to_be_asked_otherwise() {
        let (old, a) = (policy(POLICY), Name::new("a").expect("a name"));
        assert_eq!(asks_otherwise(&old, &old, &a), None);
        let new = policy(&POLICY.replace("Is it so?", "Is it?").replace("Judge.", "Judge it."));
        assert_eq!(asks_otherwise(&old, &new, &a), Some(Stale::Changed(vec![Part::Instructions, Part::Question])));
    }
}
