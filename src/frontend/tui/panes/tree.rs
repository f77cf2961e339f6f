//! The policy pane: the tree with the path lit, p on each edge, the next node, breakpoints and gold answers.
//!
//! Must keep every node at one place whatever the walk does, so that nothing jumps while somebody reads.

use crate::domain::{BreakAt, Name, Target};
use crate::frontend::tui::ink::{Ink, Row, spread};
use crate::frontend::tui::view::View;
use crate::policy::{Node, Policy};
use crate::report::Role;
use crate::report::compare::symbol;
use crate::session::{Step, Taken};
use crate::text::width;
use ratatui::text::Span;

/// One row of the tree and what it stands for.
pub struct TreeRow {
    /// The node or leaf the row is about; `None` for an edge that goes on to a node below it.
    pub place: Option<Name>,
    /// The row as drawn.
    pub row: Row,
}

/// Draws the tree, `width` cells wide. `asking` is the node that is being asked right now.
pub fn rows(ink: Ink, view: View<'_>, asking: Option<&Name>, width: usize) -> Vec<TreeRow> {
    let Some(policy) = view.policy() else {
        return Vec::new();
    };
    let mut painter = Painter { ink, view, policy, asking, width, drawn: Vec::new(), rows: Vec::new() };
    if let Some(root) = policy.node(policy.root.as_str()) {
        painter.node(root, &mut Vec::new());
    }
    painter.rows
}

/// The places in the order in which the tree shows them, for moving a selection.
pub fn places(view: View<'_>) -> Vec<Name> {
    let ink = Ink(crate::frontend::tui::theme::Theme::Mono);
    let mut places: Vec<Name> = Vec::new();
    for row in rows(ink, view, None, 80) {
        if let Some(place) = row.place
            && !places.contains(&place)
        {
            places.push(place);
        }
    }
    places
}

/// Rows a subtree takes: the spine follows the longest one, so that a chain of exceptions costs no indentation.
fn weight(policy: &Policy, target: &Target, drawn: &[Name], depth: usize) -> usize {
    let Target::Node(id) = target else { return 0 };
    if drawn.contains(id) || depth > policy.nodes.len() {
        return 0;
    }
    let below = policy
        .node(id.as_str())
        .map_or(0, |node| node.answers.iter().map(|(_, t)| weight(policy, t, drawn, depth + 1)).max().unwrap_or(0));
    1 + below
}

struct Painter<'a> {
    ink: Ink,
    view: View<'a>,
    policy: &'a Policy,
    asking: Option<&'a Name>,
    width: usize,
    drawn: Vec<Name>,
    rows: Vec<TreeRow>,
}

/// One edge out of a node.
struct Edge<'a> {
    answer: Option<&'a Name>,
    target: &'a Target,
    taken: bool,
}

impl Edge<'_> {
    fn word(&self) -> &str {
        self.answer.map_or("unsure", Name::as_str)
    }
}

/// Cells of the widest answer, so that what follows them stands in a column.
fn pad(edges: &[Edge<'_>]) -> usize {
    edges.iter().map(|e| width::width(e.word())).max().unwrap_or(0).min(12)
}

impl<'a> Painter<'a> {
    fn node(&mut self, node: &'a Node, prefix: &mut Vec<Span<'static>>) {
        self.drawn.push(node.id.clone());
        let step = self.view.step_of(&node.id).map(|(_, s)| s);
        self.node_row(node, step, prefix);
        let edges = edges(node, step);
        let spine = edges
            .iter()
            .enumerate()
            .map(|(i, e)| (weight(self.policy, e.target, &self.drawn, 0), i))
            .filter(|(w, _)| *w > 0)
            .max_by_key(|(w, _)| *w)
            .map(|(_, i)| i);
        let branches = edges.len() - usize::from(spine.is_some());
        for (k, (_, edge)) in edges.iter().enumerate().filter(|(i, _)| Some(*i) != spine).enumerate() {
            let last = spine.is_none() && k + 1 == branches;
            self.branch(step, edge, (last, pad(&edges)), prefix);
        }
        let Some(edge) = spine.and_then(|i| edges.get(i)) else { return };
        let mut spans = prefix.clone();
        spans.push(self.line(edge.taken, "┃  ", "│  "));
        spans.extend(self.label(step, edge, pad(&edges)));
        self.push(None, spans, Vec::new());
        if let Target::Node(id) = edge.target
            && let Some(next) = self.policy.node(id.as_str())
        {
            self.node(next, prefix);
        }
    }

    fn branch(
        &mut self,
        step: Option<&Step>,
        edge: &Edge<'a>,
        (last, pad): (bool, usize),
        prefix: &mut Vec<Span<'static>>,
    ) {
        let mut spans = prefix.clone();
        spans.push(match last {
            true => self.line(edge.taken, "┗━ ", "└─ "),
            false => self.line(edge.taken, "┣━ ", "├─ "),
        });
        spans.extend(self.label(step, edge, pad));
        match edge.target {
            Target::Leaf(id) => {
                spans.extend(self.leaf(id, edge.taken));
                self.push(Some(id.clone()), spans, self.marks(id));
            }
            Target::Node(id) if self.drawn.contains(id) => {
                spans.push(self.ink.own(Role::Muted, "↪ "));
                spans.push(self.ink.name(Role::Node, id));
                self.push(None, spans, Vec::new());
            }
            Target::Node(id) => {
                self.push(None, spans, Vec::new());
                if let Some(next) = self.policy.node(id.as_str()) {
                    let depth = prefix.len();
                    prefix.push(if last { Span::raw("   ") } else { self.line(false, "", "│  ") });
                    self.node(next, prefix);
                    prefix.truncate(depth);
                }
            }
        }
    }

    fn node_row(&mut self, node: &Node, step: Option<&Step>, prefix: &[Span<'static>]) {
        let asked = self.asking == Some(&node.id);
        let next = self.view.next_node().as_ref() == Some(&node.id);
        let mut spans = prefix.to_vec();
        if asked || next {
            let symbol = if asked { "◌ " } else { "▶ " };
            spans.push(self.ink.own(Role::Warning, symbol));
            spans.push(self.ink.name(Role::Cursor, &node.id));
        } else {
            let role = if step.is_some() { Role::Node } else { Role::Text };
            spans.push(self.ink.own(role, if step.is_some() { "● " } else { "○ " }));
            spans.push(self.ink.name(role, &node.id));
        }
        let mut right = self.marks(&node.id);
        right.extend(self.version_marks(&node.id));
        if let Some(step) = step {
            right.extend(self.verdict_of_gold(&node.id, step));
        }
        self.push(Some(node.id.clone()), spans, right);
    }

    /// Whether the answer of a node still stands under the loaded policy, and where a branch begins.
    fn version_marks(&self, node: &Name) -> Vec<Span<'static>> {
        let mut spans = Vec::new();
        let own = self.view.step_of(node).map(|(place, _)| place);
        let branch = self.view.walk().filter(|w| w.forked_from.is_some() && own == Some(w.shared()));
        if let Some((from, _)) = branch.and_then(|w| w.forked_from) {
            spans.push(self.ink.own(Role::Muted, format!(" ↳{}", from.0)));
        }
        if self.view.stale(node).is_some() {
            spans.push(self.ink.own(Role::Warning, " ≠stale"));
        }
        spans
    }

    /// What stands at the right of an answered node: low coverage, an override, agreement with the gold answer.
    fn verdict_of_gold(&self, node: &Name, step: &Step) -> Vec<Span<'static>> {
        let mut spans = Vec::new();
        if step.judgement.as_ref().is_some_and(|j| j.readout.low_coverage()) {
            spans.push(self.ink.own(Role::Warning, " !low"));
        }
        match step.taken {
            Taken::Overridden => spans.push(self.ink.own(Role::Overridden, " ✎set")),
            Taken::Unsure => spans.push(self.ink.own(Role::Escalate, " ~unsure")),
            Taken::Argmax => {}
        }
        match self.view.gold_answer(node) {
            Some(gold) if *gold == step.answer => spans.push(self.ink.own(Role::Good, " ✓gold")),
            Some(gold) => spans.push(self.ink.own(Role::Bad, format!(" ✗gold {gold}"))),
            None => {}
        }
        spans
    }

    /// The answer in a column of `pad` cells, and its probability where the node was asked.
    fn label(&self, step: Option<&Step>, edge: &Edge<'_>, pad: usize) -> Vec<Span<'static>> {
        let role = if edge.taken { Role::Answer } else { Role::Muted };
        let mut spans = vec![self.ink.own(role, format!("{} ", width::fit(edge.word(), pad)))];
        let Some(answer) = edge.answer else { return spans };
        let p = step.and_then(|s| s.judgement.as_ref()).and_then(|j| j.readout.p(answer.as_str()));
        if let Some(p) = p {
            spans.push(self.ink.own(role, format!("{p:.2} ")));
        }
        spans
    }

    fn leaf(&self, id: &Name, taken: bool) -> Vec<Span<'static>> {
        let outcome = self.policy.leaf(id.as_str()).map(|l| l.verdict.outcome);
        let reached = taken && self.view.walk().is_some_and(|w| w.leaf.as_ref().is_some_and(|l| l.id == *id));
        let role = outcome.map_or(Role::Leaf, Role::of);
        vec![
            self.ink.own(role, format!("{} ", outcome.map_or("?", symbol))),
            self.ink.name(
                if reached {
                    Role::Cursor
                } else if taken {
                    role
                } else {
                    Role::Text
                },
                id,
            ),
        ]
    }

    /// Breakpoints at a place, drawn at the right.
    fn marks(&self, place: &Name) -> Vec<Span<'static>> {
        let here = |at: &BreakAt| match at {
            BreakAt::Place(p) | BreakAt::Answer(p, _) => p == place,
            BreakAt::Anywhere => false,
        };
        let mut spans = Vec::new();
        for b in self.view.state.breakpoints.iter().filter(|b| here(&b.at)) {
            let stopped = self.view.state.stopped_at == Some(b.id);
            let symbol = if b.enabled { "◆" } else { "◇" };
            let tail = if b.condition.is_some() { "?" } else { "" };
            let role = if stopped {
                Role::Cursor
            } else if b.enabled {
                Role::Bad
            } else {
                Role::Muted
            };
            spans.push(Span::raw(" "));
            spans.push(self.ink.own(role, format!("{symbol}{}{tail}", b.id)));
        }
        spans
    }

    fn line(&self, taken: bool, heavy: &'static str, light: &'static str) -> Span<'static> {
        if taken { self.ink.own(Role::Answer, heavy) } else { self.ink.faint(light) }
    }

    fn push(&mut self, place: Option<Name>, left: Vec<Span<'static>>, right: Vec<Span<'static>>) {
        let row = spread(Row::from(left), Row::from(right), self.width);
        self.rows.push(TreeRow { place, row });
    }
}

/// The edges of a node in file order, the `unsure` route last.
fn edges<'a>(node: &'a Node, step: Option<&Step>) -> Vec<Edge<'a>> {
    let unsure_taken = step.is_some_and(|s| s.taken == Taken::Unsure);
    let mut edges: Vec<Edge<'a>> = node
        .answers
        .iter()
        .map(|(answer, target)| Edge {
            answer: Some(answer),
            target,
            taken: !unsure_taken && step.is_some_and(|s| s.answer == *answer),
        })
        .collect();
    if let Some(unsure) = &node.unsure {
        edges.push(Edge { answer: None, target: &unsure.target, taken: unsure_taken });
    }
    edges
}
