//! A node of the policy: question, guidance, examples, answers and where they lead, terms used.
//!
//! Must show the policy's own words unchanged, brackets of terms included.

use super::compare::verdict;
use super::number::decimal;
use super::{Doc, Line, Page, Role, step};
use crate::domain::{Name, Target};
use crate::policy::{Leaf, Node, Policy};
use crate::text::width;

/// Everything the policy says about `node`. `place` is its position, as `path:line`.
pub fn node(node: &Node, policy: &Policy, place: Option<Line>, page: Page) -> Doc {
    let mut doc = Doc::new();
    let head = Line::new().with(Role::Heading, "node ").with(Role::Node, &node.id);
    doc.push(headed(head, place, page));
    doc.paragraph(margin(2), Role::Content, &node.question, page.width);
    if !node.guidance.is_empty() {
        doc.push(margin(2).with(Role::Key, "guidance"));
        for point in &node.guidance {
            doc.paragraph(margin(4).with(Role::Muted, "· "), Role::Content, point, page.width);
        }
    }
    if !node.examples.is_empty() {
        doc.push(margin(2).with(Role::Key, "examples"));
        let column = node.examples.iter().map(|e| width::width(e.answer.as_str())).max().unwrap_or(0).min(16) + 2;
        for example in &node.examples {
            doc.paragraph(
                margin(4).column(Role::Answer, &example.answer, column),
                Role::Content,
                &example.text,
                page.width,
            );
            if let Some(why) = &example.why {
                doc.paragraph(margin(4 + column).with(Role::Muted, "because "), Role::Muted, why, page.width);
            }
        }
    }
    doc.push(margin(2).with(Role::Key, "answers"));
    let column = node.answers.iter().map(|(a, _)| width::width(a.as_str())).max().unwrap_or(0).clamp(6, 24) + 1;
    for (answer, target) in &node.answers {
        doc.push(edge(margin(4).column(Role::Answer, answer, column), target, policy));
    }
    if let Some(unsure) = &node.unsure {
        let line = edge(margin(4).column(Role::Warning, "unsure", column), &unsure.target, policy);
        doc.push(line.with(Role::Muted, format!("  where the margin is below {}", decimal(unsure.margin))));
    }
    let terms = policy.terms_of(node);
    if !terms.is_empty() {
        doc.push(margin(2).with(Role::Key, "terms"));
        for term in terms {
            let name = margin(4).untrusted(Role::Value, &term.name).with(Role::Muted, ": ");
            doc.paragraph(name, Role::Content, &term.definition, page.width);
        }
    }
    doc
}

/// Everything the policy says about `leaf`. `place` is its position, as `path:line`.
pub fn leaf(leaf: &Leaf, place: Option<Line>, page: Page) -> Doc {
    let mut doc = Doc::new();
    doc.push(headed(Line::new().with(Role::Heading, "leaf ").with(Role::Leaf, &leaf.id), place, page));
    for line in verdict_of(leaf, page.width.saturating_sub(2)).0 {
        doc.push(margin(2).join(line));
    }
    doc
}

/// What a leaf says: outcome and label, severity, action, rules.
pub fn verdict_of(leaf: &Leaf, width: usize) -> Doc {
    let mut doc = Doc(vec![verdict(Line::new(), &leaf.verdict)]);
    let rules: Vec<&str> = leaf.rule_ids.iter().map(Name::as_str).collect();
    let values = [
        ("severity", leaf.severity.map(|severity| severity.to_string())),
        ("action", leaf.action.as_ref().map(Name::to_string)),
        ("rules", (!rules.is_empty()).then(|| rules.join(", "))),
    ];
    for (key, value) in values {
        if let Some(value) = value {
            doc.words(Line::new().column(Role::Key, key, 10), Role::Value, &value, width);
        }
    }
    doc
}

/// A heading with its position at the right.
fn headed(head: Line, place: Option<Line>, page: Page) -> Line {
    match place {
        Some(place) => {
            let gap = page.width.saturating_sub(head.width() + place.width()).max(2);
            head.with(Role::Text, " ".repeat(gap)).join(place)
        }
        None => head,
    }
}

/// `→ node`, or `→ leaf` with its verdict.
fn edge(line: Line, target: &Target, policy: &Policy) -> Line {
    let line = step::target(line.with(Role::Muted, "→ "), target);
    match target {
        Target::Leaf(id) => match policy.leaf(id.as_str()) {
            Some(leaf) => verdict(line.with(Role::Text, "  "), &leaf.verdict),
            None => line,
        },
        Target::Node(_) => line,
    }
}

fn margin(cells: usize) -> Line {
    Line::new().with(Role::Text, " ".repeat(cells))
}
