//! The policy pane: the tree with the path highlighted, p on each edge, the next node, breakpoints and gold answers.
//!
//! Must not lay the tree out itself, and must draw only the visible rows.

use crate::domain::{BreakAt, Name, Target};
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
    /// The row in which a node is drawn whole, and of the rows of a leaf the one the walk reached, or the first.
    places: HashMap<Target, usize>,
    /// The row of each edge: its node, and its place among the edges of that.
    edges: HashMap<(usize, usize), usize>,
}

/// A selected row: the edge it stands for, and what that leads to. A node or leaf has as many rows as edges lead to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selected {
    /// What keys act on.
    pub target: Target,
    /// `None` for the row a block begins with.
    edge: Option<(usize, usize)>,
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
        let rows = || tree.layout.rows.iter().enumerate();
        let first = rows().filter(|(at, row)| tree.row_of(row.spot) == Some(*at));
        let places = first.map(|(at, row)| (target(policy, row.spot), at)).collect();
        let edges = rows().filter_map(|(at, row)| Some((row.edge?, at))).collect();
        Some(Rc::new(Self { policy: Arc::clone(policy), facts, walk, levels, tree, places, edges }))
    }

    /// How many rows the tree has.
    pub fn len(&self) -> usize {
        self.tree.layout.rows.len()
    }

    /// The row of a node or leaf.
    pub fn row_of(&self, place: &Target) -> Option<usize> {
        self.places.get(place).copied()
    }

    /// The selected row; in another tree, the row of what it led to.
    pub fn row(&self, selected: &Selected) -> Option<usize> {
        let own = selected.edge.and_then(|edge| self.edges.get(&edge)).copied();
        own.filter(|at| self.target(*at).as_ref() == Some(&selected.target)).or_else(|| self.row_of(&selected.target))
    }

    /// The selection of the row `by` rows on from `row`, or at an end of the tree.
    pub fn moved(&self, row: usize, by: isize) -> Option<Selected> {
        self.select(row.saturating_add_signed(by).min(self.len().saturating_sub(1)))
    }

    /// The selection of a row.
    pub fn select(&self, row: usize) -> Option<Selected> {
        Some(Selected { target: self.target(row)?, edge: self.tree.layout.rows.get(row)?.edge })
    }

    fn target(&self, row: usize) -> Option<Target> {
        self.tree.layout.rows.get(row).map(|row| target(&self.policy, row.spot))
    }

    /// Draws some of the rows, `width` cells wide. `asking` is the node that is being asked right now, and `lit` the
    /// row whose node keys act on if none is selected.
    pub fn rows(
        &self,
        ink: Ink,
        view: View<'_>,
        (asking, lit): (Option<&Name>, Option<usize>),
        range: Range<usize>,
        width: usize,
    ) -> Vec<Row> {
        let painter = Painter { ink, view, policy: &self.policy, tree: &self.tree, asking, lit };
        let rows = self.tree.layout.rows.iter().enumerate().take(range.end).skip(range.start);
        rows.map(|(at, row)| painter.row(at, row, width)).collect()
    }
}

fn target(policy: &Policy, spot: Spot) -> Target {
    match spot {
        Spot::Node(node) => Target::Node(policy.nodes[node].id.clone()),
        Spot::Leaf(leaf) => Target::Leaf(policy.leaves[leaf].id.clone()),
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
    /// The symbols without their numbers.
    Bare,
}

impl Said {
    /// A symbol with its word.
    fn mark(self, symbol: &str, word: &str) -> String {
        if matches!(self, Self::Symbols | Self::Bare) { format!(" {symbol}") } else { format!(" {symbol}{word}") }
    }

    /// A symbol with its number.
    fn numbered(self, symbol: &str, number: impl std::fmt::Display) -> String {
        if self == Self::Bare { format!(" {symbol}") } else { format!(" {symbol}{number}") }
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
            Self::Symbols | Self::Bare => " ✗".to_owned(),
        }
    }
}

struct Painter<'a> {
    ink: Ink,
    view: View<'a>,
    policy: &'a Policy,
    tree: &'a WalkTree,
    asking: Option<&'a Name>,
    lit: Option<usize>,
}

impl Painter<'_> {
    fn row(&self, at: usize, row: &layout::Row, width: usize) -> Row {
        let mut left = self.start(at, row);
        let mut right = Vec::new();
        match row.spot {
            Spot::Leaf(leaf) => {
                let leaf = &self.policy.leaves[leaf];
                left.extend(self.leaf(leaf, self.tree.is_taken(at)));
                right = fitting(width.saturating_sub(cells(&left)), |said| self.marks(&leaf.id, said));
            }
            Spot::Node(node) if row.whole => {
                let step = self.tree.step_of(node).and_then(|place| self.view.walk()?.steps.get(place));
                let node = &self.policy.nodes[node];
                left.extend(self.node(node, step.is_some(), self.lit == Some(at)));
                right = fitting(width.saturating_sub(cells(&left)), |said| {
                    let mut right = self.marks(&node.id, said);
                    right.extend(self.version_marks(&node.id, said));
                    right.extend(step.into_iter().flat_map(|step| self.verdict_of_gold(&node.id, step, said)));
                    right
                });
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

    /// What is lit is what keys act on, and nothing else: where the walk stands has its own mark.
    fn node(&self, node: &Node, answered: bool, lit: bool) -> [Span<'static>; 2] {
        let asked = self.asking == Some(&node.id);
        let next = self.view.next_node().as_ref() == Some(&node.id);
        let (symbol, mark, name) = match (asked || next, answered) {
            (true, _) => (if asked { "◌ " } else { "▶ " }, Role::Warning, Role::Heading),
            (false, true) => ("● ", Role::Node, Role::Node),
            (false, false) => ("○ ", Role::Text, Role::Text),
        };
        [self.ink.own(mark, symbol), self.ink.name(if lit { Role::Cursor } else { name }, &node.id)]
    }

    /// Whether the answer of a node still stands under the loaded policy, and where a branch begins.
    fn version_marks(&self, node: &Name, said: Said) -> Vec<Span<'static>> {
        let mut spans = Vec::new();
        let own = self.view.step_of(node).map(|(place, _)| place);
        let branch = self.view.walk().filter(|w| w.forked_from.is_some() && own == Some(w.shared()));
        if let Some((from, _)) = branch.and_then(|w| w.forked_from) {
            spans.push(self.ink.own(Role::Muted, said.numbered("↳", from.0)));
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
        let outcome = leaf.verdict.outcome;
        let role = Role::of(outcome);
        let name = if taken { role } else { Role::Text };
        [self.ink.own(role, format!("{} ", symbol(outcome))), self.ink.name(name, &leaf.id)]
    }

    /// What is marked at a place, drawn at the right: breakpoints, and how many notes and tags somebody left.
    fn marks(&self, place: &Name, said: Said) -> Vec<Span<'static>> {
        let here = |at: &BreakAt| match at {
            BreakAt::Place(p) | BreakAt::Answer(p, _) => p == place,
            BreakAt::Anywhere => false,
        };
        let step = self.view.walk().zip(self.view.step_of(place));
        let notes = step.map_or(0, |(walk, (at, _))| self.view.state.remarks_on(walk, at));
        let mut spans = Vec::new();
        if notes > 0 {
            spans.push(self.ink.own(Role::Good, said.numbered("✎", notes)));
        }
        for b in self.view.state.breakpoints.iter().filter(|b| here(&b.at)) {
            let stopped = self.view.state.stopped_at == Some(b.id);
            let symbol = if b.enabled { "◆" } else { "◇" };
            let tail = if b.condition.is_some() { "?" } else { "" };
            let role = if stopped {
                Role::Warning
            } else if b.enabled {
                Role::Bad
            } else {
                Role::Muted
            };
            spans.push(self.ink.own(role, said.numbered(symbol, format_args!("{}{tail}", b.id))));
        }
        spans
    }
}

/// What is said at the right of a row, in the longest form that leaves the name beside it whole, at last without its
/// first marks; in `room` cells, one of which keeps the two apart. A name that would be cut all the same costs no mark.
fn fitting(room: usize, marks: impl Fn(Said) -> Vec<Span<'static>>) -> Vec<Span<'static>> {
    let forms = [Said::Words, Said::Shorter, Said::Symbols].into_iter().map(&marks);
    forms.into_iter().find(|right| cells(right) < room).unwrap_or_else(|| {
        let bare = marks(Said::Bare);
        let from = (0..bare.len()).find(|from| bare.get(*from..).is_some_and(|rest| cells(rest) < room));
        bare.into_iter().skip(from.unwrap_or(0)).collect()
    })
}

fn word(edge: Edge<'_>) -> &str {
    edge.answer.map_or("unsure", Name::as_str)
}

/// Width of the widest answer, so that what follows is aligned in a column.
fn pad(node: &Node) -> usize {
    node.edges().map(|e| width::width(word(e))).max().unwrap_or(0).min(12)
}
