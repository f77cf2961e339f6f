//! The labels of nodes, edges and leaves that every drawing of a policy shares.
//!
//! Must return text that is safe to print; further escaping for a drawing language is up to that drawing.

use crate::policy::{Leaf, Node};
use crate::text::{Escaped, Untrusted};

/// The label of each edge of a node, and whether it is the `unsure` route.
pub fn labels(node: &Node) -> impl Iterator<Item = (String, bool)> {
    node.edges().map(|edge| match (edge.answer, &node.unsure) {
        (None, Some(unsure)) => (format!("unsure (margin < {})", unsure.margin), true),
        (answer, _) => (answer.map(ToString::to_string).unwrap_or_default(), false),
    })
}

/// Untrusted text on one line: runs of space become one, everything that hides becomes visible.
pub fn one_line(text: &Untrusted) -> String {
    Escaped::line(&text.raw().split_whitespace().collect::<Vec<_>>().join(" ")).into_string()
}

/// What a leaf says, in words.
pub fn verdict(leaf: &Leaf) -> String {
    let mut out = leaf.verdict.outcome.to_string();
    let label = leaf.verdict.label.as_ref().map(|l| format!(", {l}"));
    let severity = leaf.severity.map(|s| format!(", severity {s}"));
    let action = leaf.action.as_ref().map(|a| format!(", action {a}"));
    out.extend([label, severity, action].into_iter().flatten());
    out
}
