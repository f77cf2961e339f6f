//! The policy pane: the tree with the path highlighted, p on each edge, the next node, breakpoints and gold answers.
//!
//! Must not lay the tree out itself, and must draw only the visible rows.

use crate::domain::{BreakAt, Name};
use crate::frontend::tui::ink::{Ink, Row, cells, spread};
use crate::frontend::tui::view::View;
use crate::policy::{Edge, Leaf, Node, Policy, Spot, layout};
use crate::report::Role;
use crate::report::compare::symbol;
use crate::report::walk_tree::{Rail, WalkTree};
use crate::session::{Step, Taken, WalkId};
use crate::text::width;
use ratatui::text::Span;
use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

/// Cells of a row reserved for what follows its indentation.
const WORDS: usize = 18;

/// Most levels of one block in the pane.
const LEVELS: usize = 16;

/// The tree of a walk, laid out once for all frames until a fact changes it, another walk is selected, or the pane's
/// width changes.
pub struct Laid {
    policy: Arc<Policy>,
    facts: u64,
    /// In a recording the selected walk changes without a fact.
    walk: Option<WalkId>,
    levels: usize,
    tree: WalkTree,
    /// Rows that can be selected, from the top.
    stops: Vec<usize>,
    index: HashMap<Name, usize>,
}

impl Laid {
    /// The layout for a pane of `width` cells; `kept` is reused if it is still valid.
    pub fn of(view: View<'_>, width: usize, kept: Option<Rc<Self>>) -> Option<Rc<Self>> {
        let policy = view.basis.policy.as_ref()?;
        let levels = (width.saturating_sub(WORDS) / 3).clamp(2, LEVELS);
        let (facts, walk) = (view.state.facts, view.state.current);
        let holds = |laid: &Rc<Self>| {
            Arc::ptr_eq(&laid.policy, policy) && (laid.facts, laid.walk, laid.levels) == (facts, walk, levels)
        };
        if let Some(laid) = kept.filter(holds) {
            return Some(laid);
        }
        let tree = WalkTree::new(policy, view.walk(), levels);
        let mut index = HashMap::new();
        let mut stops = Vec::new();
        for (at, row) in tree.layout.rows.iter().enumerate().filter(|(at, row)| tree.row_of(row.spot) == Some(*at)) {
            stops.push(at);
            index.insert(id(policy, row.spot).clone(), at);
        }
        Some(Rc::new(Self { policy: Arc::clone(policy), facts, walk, levels, tree, stops, index }))
    }

    /// How many rows the tree has.
    pub fn len(&self) -> usize {
        self.tree.layout.rows.len()
    }

    /// The row of a node or leaf.
    pub fn row_of(&self, place: &Name) -> Option<usize> {
        self.index.get(place).copied()
    }

    /// The place `by` stops on from `place`, or at an end of the tree.
    pub fn moved(&self, place: Option<&Name>, by: isize) -> Option<Name> {
        let at = place.and_then(|place| self.stops.binary_search(&self.row_of(place)?).ok()).unwrap_or(0);
        let to = at.saturating_add_signed(by).min(self.stops.len().saturating_sub(1));
        self.place(*self.stops.get(to)?)
    }

    /// What a row is about: its node or leaf.
    pub fn place(&self, row: usize) -> Option<Name> {
        self.tree.layout.rows.get(row).map(|row| id(&self.policy, row.spot).clone())
    }

    /// Draws some of the rows, `width` cells wide. `asking` is the node that is being asked right now.
    pub fn rows(&self, ink: Ink, view: View<'_>, asking: Option<&Name>, range: Range<usize>, width: usize) -> Vec<Row> {
        let painter = Painter { ink, view, policy: &self.policy, tree: &self.tree, asking };
        let rows = self.tree.layout.rows.iter().enumerate().take(range.end).skip(range.start);
        rows.map(|(at, row)| painter.row(at, row, width)).collect()
    }
}

fn id(policy: &Policy, spot: Spot) -> &Name {
    match spot {
        Spot::Node(node) => &policy.nodes[node].id,
        Spot::Leaf(leaf) => &policy.leaves[leaf].id,
    }
}

/// How much is shown at the right of a row: less if it would take room from the name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    /// All of it.
    Words,
    /// All but the word gold.
    Shorter,
    /// The symbols.
    Symbols,
}

impl Said {
    /// A symbol with its word.
    fn mark(self, symbol: &str, word: &str) -> String {
        if self == Self::Symbols { format!(" {symbol}") } else { format!(" {symbol}{word}") }
    }

    /// That the gold answer is the same.
    const fn agrees(self) -> &'static str {
        if matches!(self, Self::Words) { " ✓gold" } else { " ✓" }
    }

    /// That the gold answer is another one.
    fn differs(self, gold: &Name) -> String {
        match self {
            Self::Words => format!(" ✗gold {gold}"),
            Self::Shorter => format!(" ✗{gold}"),
            Self::Symbols => " ✗".to_owned(),
        }
    }
}

struct Painter<'a> {
    ink: Ink,
    view: View<'a>,
    policy: &'a Policy,
    tree: &'a WalkTree,
    asking: Option<&'a Name>,
}

impl Painter<'_> {
    fn row(&self, at: usize, row: &layout::Row, width: usize) -> Row {
        let mut left = self.start(at, row);
        let mut right = Vec::new();
        match row.spot {
            Spot::Leaf(leaf) => {
                let leaf = &self.policy.leaves[leaf];
                left.extend(self.leaf(leaf, self.tree.is_taken(at)));
                right = self.marks(&leaf.id);
            }
            Spot::Node(node) if row.whole => {
                let step = self.tree.step_of(node).and_then(|place| self.view.walk()?.steps.get(place));
                let node = &self.policy.nodes[node];
                left.extend(self.node(node, step.is_some()));
                let room = width.saturating_sub(cells(&left));
                for said in [Said::Words, Said::Shorter, Said::Symbols] {
                    right = self.marks(&node.id);
                    right.extend(self.version_marks(&node.id, said));
                    right.extend(step.into_iter().flat_map(|step| self.verdict_of_gold(&node.id, step, said)));
                    if cells(&right) <= room {
                        break;
                    }
                }
            }
            Spot::Node(node) => {
                left.push(self.ink.own(Role::Muted, "↪ "));
                left.push(self.ink.name(Role::Node, &self.policy.nodes[node].id));
                left.push(self.ink.own(Role::Muted, if self.tree.layout.is_above(at) { " ↑" } else { " ↓" }));
            }
        }
        spread(Row::from(left), Row::from(right), width)
    }

    /// The tree lines before a row, its answer in a column, and its probability if the node was asked.
    fn start(&self, at: usize, row: &layout::Row) -> Vec<Span<'static>> {
        let (Some((rails, elbow)), Some((node, edge))) = (self.tree.rails(at), row.edge) else { return Vec::new() };
        let line = |lit, glyphs| if lit { self.ink.own(Role::Answer, glyphs) } else { self.ink.faint(glyphs) };
        let mut spans: Vec<Span<'static>> = rails.iter().map(|r| line(*r == Rail::Heavy, r.glyphs())).collect();
        spans.push(line(elbow.is_lit(), elbow.glyphs()));
        let step = self.tree.step_of(node).and_then(|place| self.view.walk()?.steps.get(place));
        let node = &self.policy.nodes[node];
        let Some(edge) = node.edges().nth(edge) else { return spans };
        let role = if self.tree.is_taken(at) { Role::Answer } else { Role::Muted };
        spans.push(self.ink.own(role, format!("{} ", width::fit(word(edge), pad(node)))));
        let p = edge.answer.and_then(|a| step?.judgement.as_ref()?.readout.p(a.as_str()));
        spans.extend(p.map(|p| self.ink.own(role, format!("{p:.2} "))));
        spans
    }

    fn node(&self, node: &Node, answered: bool) -> [Span<'static>; 2] {
        let asked = self.asking == Some(&node.id);
        let next = self.view.next_node().as_ref() == Some(&node.id);
        if asked || next {
            let symbol = if asked { "◌ " } else { "▶ " };
            [self.ink.own(Role::Warning, symbol), self.ink.name(Role::Cursor, &node.id)]
        } else {
            let role = if answered { Role::Node } else { Role::Text };
            [self.ink.own(role, if answered { "● " } else { "○ " }), self.ink.name(role, &node.id)]
        }
    }

    /// Whether the answer of a node still stands under the loaded policy, and where a branch begins.
    fn version_marks(&self, node: &Name, said: Said) -> Vec<Span<'static>> {
        let mut spans = Vec::new();
        let own = self.view.step_of(node).map(|(place, _)| place);
        let branch = self.view.walk().filter(|w| w.forked_from.is_some() && own == Some(w.shared()));
        if let Some((from, _)) = branch.and_then(|w| w.forked_from) {
            spans.push(self.ink.own(Role::Muted, format!(" ↳{}", from.0)));
        }
        if self.view.stale(node).is_some() {
            spans.push(self.ink.own(Role::Warning, said.mark("≠", "stale")));
        }
        spans
    }

    /// The text at the right of an answered node: low coverage, an override, agreement with the gold answer.
    fn verdict_of_gold(&self, node: &Name, step: &Step, said: Said) -> Vec<Span<'static>> {
        let mut spans = Vec::new();
        if step.judgement.as_ref().is_some_and(|j| j.readout.low_coverage()) {
            spans.push(self.ink.own(Role::Warning, said.mark("!", "low")));
        }
        match step.taken {
            Taken::Overridden => spans.push(self.ink.own(Role::Overridden, said.mark("✎", "set"))),
            Taken::Unsure => spans.push(self.ink.own(Role::Escalate, said.mark("~", "unsure"))),
            Taken::Argmax => {}
        }
        match self.view.gold_answer(node) {
            Some(gold) if *gold == step.answer => spans.push(self.ink.own(Role::Good, said.agrees())),
            Some(gold) => spans.push(self.ink.own(Role::Bad, said.differs(gold))),
            None => {}
        }
        spans
    }

    fn leaf(&self, leaf: &Leaf, taken: bool) -> [Span<'static>; 2] {
        let reached = taken && self.view.walk().is_some_and(|w| w.leaf.as_ref().is_some_and(|l| l.id == leaf.id));
        let outcome = leaf.verdict.outcome;
        let role = Role::of(outcome);
        let name = match (reached, taken) {
            (true, _) => Role::Cursor,
            (false, true) => role,
            (false, false) => Role::Text,
        };
        [self.ink.own(role, format!("{} ", symbol(outcome))), self.ink.name(name, &leaf.id)]
    }

    /// What is marked at a place, drawn at the right: breakpoints, and how many notes and tags somebody left.
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
        let step = self.view.walk().zip(self.view.step_of(place));
        match step.map_or(0, |(walk, (at, _))| self.view.state.remarks_on(walk, at)) {
            0 => {}
            n => spans.push(self.ink.own(Role::Good, format!(" ✎{n}"))),
        }
        spans
    }
}

fn word(edge: Edge<'_>) -> &str {
    edge.answer.map_or("unsure", Name::as_str)
}

/// Width of the widest answer, so that what follows is aligned in a column.
fn pad(node: &Node) -> usize {
    node.edges().map(|e| width::width(word(e))).max().unwrap_or(0).min(12)
}
