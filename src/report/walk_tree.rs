//! The policy as a tree with the path of a walk lit: p on each edge of an answered node, and where the walk stands.
//!
//! Must show a shared node whole only once, and must not hide any part of the path when it folds.

use super::compare::symbol;
use super::number::{p, plural};
use super::{Doc, Line, Page, Role};
use crate::domain::{Name, Target};
use crate::policy::{Node, Policy};
use crate::session::state::Walk;
use crate::session::{Step, Taken};
use std::collections::HashSet;

/// A drawn tree.
#[derive(Clone, Debug, PartialEq)]
pub struct Tree {
    /// One line per node or leaf.
    pub doc: Doc,
    /// The line of the node that is asked next, or of the leaf that was reached.
    pub cursor: Option<usize>,
}

/// Draws the tree. Where it would have more than `rows` lines, what lies off the path (without a walk: off the root) is
/// drawn only as deep as fits, and the nodes below that are counted. The path is whole in any case.
pub fn tree(policy: &Policy, walk: Option<&Walk>, rows: Option<usize>, page: Page) -> Tree {
    let whole = draw(policy, walk, usize::MAX, page);
    let Some(rows) = rows.filter(|rows| whole.doc.0.len() > *rows) else { return whole };
    let mut fitting = draw(policy, walk, 0, page);
    for depth in 1..policy.nodes.len() {
        let deeper = draw(policy, walk, depth, page);
        if deeper.doc.0.len() > rows {
            break;
        }
        fitting = deeper;
    }
    fitting
}

/// Draws the tree with at most `depth` levels of nodes off the path.
fn draw(policy: &Policy, walk: Option<&Walk>, depth: usize, page: Page) -> Tree {
    let mut painter = Painter { policy, walk, depth, page, drawn: HashSet::new(), doc: Doc::new(), cursor: None };
    let root = Target::Node(policy.root.clone());
    let at = painter.mark(&root, true);
    painter.doc.push(Line::new().with(Role::Node, &policy.root).join(at));
    if let Some(node) = policy.node(policy.root.as_str()) {
        painter.children(node, Some(0), depth, "");
    }
    Tree { doc: painter.doc, cursor: painter.cursor }
}

struct Painter<'a> {
    policy: &'a Policy,
    walk: Option<&'a Walk>,
    depth: usize,
    page: Page,
    drawn: HashSet<&'a str>,
    doc: Doc,
    cursor: Option<usize>,
}

impl<'a> Painter<'a> {
    /// Draws the edges of `node`; `place` is its place in the walk where it lies on the path, and `levels` how many levels
    /// of nodes off the path may be drawn below it.
    fn children(&mut self, node: &'a Node, place: Option<usize>, levels: usize, indent: &str) {
        self.drawn.insert(node.id.as_str());
        let step = place.and_then(|i| self.walk?.steps.get(i)).filter(|s| s.node.id == node.id);
        let unsure = node.unsure.as_ref().map(|u| (None, &u.target));
        let edges: Vec<(Option<&'a Name>, &'a Target)> =
            node.answers.iter().map(|(answer, target)| (Some(answer), target)).chain(unsure).collect();
        let last = edges.len().saturating_sub(1);
        for (i, (answer, target)) in edges.into_iter().enumerate() {
            let taken = step.is_some_and(|s| takes(s, answer));
            let (corner, bar) = if i == last { ("└", "   ") } else { ("├", "│  ") };
            let rule = if taken { "━ " } else { "─ " };
            let line = Line::new()
                .with(Role::Muted, format!("{indent}{corner}"))
                .with(if taken { Role::Answer } else { Role::Muted }, rule);
            let line = edge(line, answer, taken, step.map(|s| &**s));
            let next = if taken { place.map(|i| i + 1) } else { None };
            self.target(line, target, next, levels, &format!("{indent}{bar}"));
        }
    }

    fn target(&mut self, line: Line, target: &'a Target, place: Option<usize>, levels: usize, indent: &str) {
        let on_path = place.is_some();
        let mark = self.mark(target, on_path);
        match target {
            Target::Leaf(id) => {
                let (role, text) = match self.policy.leaf(id.as_str()) {
                    Some(leaf) => {
                        let label = leaf.verdict.label.as_ref().map(|l| format!(" {l}")).unwrap_or_default();
                        (Role::of(leaf.verdict.outcome), format!("{} {id}{label}", symbol(leaf.verdict.outcome)))
                    }
                    None => (Role::Leaf, id.to_string()),
                };
                let role = if on_path || self.walk.is_none() { role } else { Role::Muted };
                self.doc.push(line.with(role, text).join(mark));
            }
            Target::Node(id) => {
                let role = if on_path || self.walk.is_none() { Role::Node } else { Role::Text };
                let line = line.with(role, id);
                let Some(node) = self.policy.node(id.as_str()) else { return self.doc.push(line) };
                if self.drawn.contains(id.as_str()) || (!on_path && self.on_path_later(id)) {
                    self.doc.push(line.with(Role::Muted, " (shown elsewhere)").join(mark));
                } else if levels == 0 && !on_path {
                    let below = self.below(node);
                    let text =
                        if below > 0 { format!(" … {} below", plural(below, "node")) } else { " …".to_owned() };
                    self.doc.push(line.with(Role::Muted, text).join(mark));
                } else {
                    self.doc.push(line.join(mark));
                    let levels = if on_path { self.depth } else { levels - 1 };
                    self.children(node, place, levels, indent);
                }
            }
        }
    }

    /// Whether a node off this edge is on the path, where it will be drawn whole.
    fn on_path_later(&self, id: &Name) -> bool {
        self.walk.is_some_and(|w| {
            w.steps.iter().any(|s| s.node.id == *id) || (w.leaf.is_none() && w.frontier() == Target::Node(id.clone()))
        })
    }

    /// The mark of the place where the walk stands.
    fn mark(&mut self, target: &Target, on_path: bool) -> Line {
        let stands = on_path && self.cursor.is_none() && self.walk.is_some_and(|w| w.frontier() == *target);
        if !stands {
            return Line::new();
        }
        self.cursor = Some(self.doc.0.len());
        let word = if matches!(target, Target::Leaf(_)) { "reached" } else { "asked next" };
        let word = if self.page.width < 60 { "" } else { word };
        Line::new().with(Role::Text, "  ").with(Role::Cursor, "<=").with(Role::Muted, format!(" {word}"))
    }

    /// How many nodes lie below `node` and are not drawn yet.
    fn below(&self, node: &Node) -> usize {
        let (mut seen, mut open) = (HashSet::new(), vec![node]);
        while let Some(node) = open.pop() {
            let unsure = node.unsure.as_ref().map(|u| &u.target);
            for target in node.answers.iter().map(|(_, t)| t).chain(unsure) {
                if let Target::Node(id) = target
                    && !self.drawn.contains(id.as_str())
                    && seen.insert(id.clone())
                {
                    open.extend(self.policy.node(id.as_str()));
                }
            }
        }
        seen.len()
    }
}

/// Whether `step` went along the edge of `answer` (`None` is the unsure edge).
fn takes(step: &Step, answer: Option<&Name>) -> bool {
    match answer {
        Some(answer) => step.taken != Taken::Unsure && step.answer == *answer,
        None => step.taken == Taken::Unsure,
    }
}

fn edge(line: Line, answer: Option<&Name>, taken: bool, step: Option<&Step>) -> Line {
    let role = if taken { Role::Answer } else { Role::Muted };
    let line = match answer {
        Some(answer) => line.with(role, answer),
        None => line.with(if taken { Role::Warning } else { Role::Muted }, "unsure"),
    };
    let by_hand = taken && step.is_some_and(|s| s.taken == Taken::Overridden);
    let value = step.and_then(|s| s.judgement.as_ref()?.readout.p(answer?.as_str()));
    let line = match value {
        Some(value) => line.with(if taken { Role::Value } else { Role::Muted }, format!(" {}", p(value))),
        None => line,
    };
    let line = if by_hand { line.with(Role::Overridden, " by hand") } else { line };
    line.with(Role::Muted, " → ")
}
