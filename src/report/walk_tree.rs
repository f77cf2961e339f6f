//! The tree of a policy with a walk in it: the one tree layout, with the edges taken and the current position marked.
//!
//! Must not lay anything out itself, must show a shared node in full only once, and must not hide any part of the path
//! when it folds.

use super::compare::symbol;
use super::number::{p, plural};
use super::{Doc, Line, Page, Role};
use crate::domain::Name;
use crate::policy::layout::{MOST_LEVELS, Row, TreeLayout};
use crate::policy::{Edge, Index, Leaf, Policy, Spot};
use crate::session::state::Walk;
use crate::session::{Persistent, Step, Taken};

/// Most levels of one block in a report; narrow pages have fewer.
const LEVELS: usize = 16;

/// Cells of a row reserved for what follows its indentation.
const WORDS: usize = 30;

/// The layout of a policy, and where a walk runs through it.
#[derive(Clone, Debug)]
pub struct WalkTree {
    /// Its rows.
    pub layout: TreeLayout,
    /// For each node its step in the walk, from 0.
    steps: Vec<Option<usize>>,
    /// For each node the row of the edge that was taken there.
    taken: Vec<Option<usize>>,
    /// For each leaf, its row: the one the walk reached, else the first.
    leaves: Vec<Option<usize>>,
    /// The row of the node that is asked next, or of the leaf that was reached.
    pub cursor: Option<usize>,
}

/// What runs through the indentation of a row at one level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rail {
    /// Nothing.
    Blank,
    /// The line of a node with more edges further down.
    Light,
    /// The same, on the way to the edge that was taken.
    Heavy,
}

impl Rail {
    /// As drawn: three cells.
    pub const fn glyphs(self) -> &'static str {
        match self {
            Self::Blank => "   ",
            Self::Light => "│  ",
            Self::Heavy => "┃  ",
        }
    }
}

/// How a row hangs on the line of its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Elbow {
    /// Not taken; the line to the taken edge runs on past it.
    Passed,
    /// Taken, or the last edge, or both.
    Turn {
        /// Whether this edge was taken.
        taken: bool,
        /// Whether it is the last one.
        last: bool,
    },
}

impl Elbow {
    /// As drawn: three cells.
    pub const fn glyphs(self) -> &'static str {
        match self {
            Self::Passed => "┠─ ",
            Self::Turn { taken: true, last: true } => "┗━ ",
            Self::Turn { taken: true, last: false } => "┡━ ",
            Self::Turn { taken: false, last: true } => "└─ ",
            Self::Turn { taken: false, last: false } => "├─ ",
        }
    }

    /// Whether the path runs through it.
    pub const fn is_lit(self) -> bool {
        matches!(self, Self::Passed | Self::Turn { taken: true, .. })
    }
}

impl WalkTree {
    /// Lays `policy` out in blocks of at most `levels` levels, with the nodes of `walk` where it passed.
    pub fn new(policy: &Policy, walk: Option<&Walk>, levels: usize) -> Self {
        let index = Index::new(policy);
        let steps = walk.map(|w| &w.steps);
        let mut of_node = vec![None; policy.nodes.len()];
        let mut edge_of = vec![None; policy.nodes.len()];
        let mut path = Vec::with_capacity(steps.map_or(0, Persistent::len));
        for (place, step) in steps.into_iter().flatten().enumerate() {
            let Some(at) = index.node(step.node.id.as_str()) else { continue };
            of_node[at] = Some(place);
            edge_of[at] = policy.nodes[at].edges().position(|edge| takes(step, edge.answer));
            path.extend(edge_of[at].map(|edge| (at, edge)));
        }
        let layout = TreeLayout::new(policy, levels, &path);
        let mut tree = Self {
            taken: vec![None; policy.nodes.len()],
            leaves: vec![None; policy.leaves.len()],
            steps: of_node,
            cursor: None,
            layout,
        };
        for (at, row) in tree.layout.rows.iter().enumerate() {
            let taken = row.edge.is_some_and(|(node, edge)| edge_of[node] == Some(edge));
            if let Some((node, _)) = row.edge.filter(|_| taken) {
                tree.taken[node] = Some(at);
            }
            if let Spot::Leaf(leaf) = row.spot {
                let row = &mut tree.leaves[leaf];
                *row = if taken { Some(at) } else { row.or(Some(at)) };
            }
        }
        let frontier = walk.and_then(|w| index.spot(&w.frontier()));
        tree.cursor = frontier.and_then(|spot| tree.row_of(spot));
        tree
    }

    /// The row in which a node is drawn in full, or the row of a leaf.
    pub fn row_of(&self, spot: Spot) -> Option<usize> {
        match spot {
            Spot::Node(node) => self.layout.row_of(node),
            Spot::Leaf(leaf) => self.leaves.get(leaf).copied().flatten(),
        }
    }

    /// The step that answered the node with this place in the policy, from 0.
    pub fn step_of(&self, node: usize) -> Option<usize> {
        self.steps.get(node).copied().flatten()
    }

    /// Whether the edge of a row was taken.
    pub fn is_taken(&self, row: usize) -> bool {
        let node = self.layout.rows.get(row).and_then(|r| r.edge).map(|(node, _)| node);
        node.is_some_and(|node| self.taken.get(node) == Some(&Some(row)))
    }

    /// The lines before a row: a rail for each level of its indentation, and its elbow; `None` for the beginning of a
    /// block.
    pub fn rails(&self, row: usize) -> Option<(Vec<Rail>, Elbow)> {
        let at = self.layout.rows.get(row)?;
        let parent = at.parent?;
        let mut rails = vec![Rail::Blank; at.depth.saturating_sub(1)];
        // From the node above the row's own up to the beginning of the block.
        let mut above = self.layout.rows.get(parent).and_then(|r| r.parent);
        while let Some(up) = above.and_then(|up| self.layout.rows.get(up)) {
            if let Some(rail) = rails.get_mut(up.depth).filter(|_| at.line_at(up.depth)) {
                *rail = if self.passes(up, row) { Rail::Heavy } else { Rail::Light };
            }
            above = up.parent;
        }
        let passed = self.layout.rows.get(parent).is_some_and(|up| self.passes(up, row));
        let elbow = if passed { Elbow::Passed } else { Elbow::Turn { taken: self.is_taken(row), last: at.last } };
        Some((rails, elbow))
    }

    /// Whether the edge taken at the node drawn in `up` is below `row`.
    fn passes(&self, up: &Row, row: usize) -> bool {
        matches!(up.spot, Spot::Node(node) if self.taken.get(node).copied().flatten().is_some_and(|taken| taken > row))
    }

    /// How far a row's node is from the path, counted in nodes off the path including itself: 0 for nodes on the path.
    /// A block continues the depth of the row that leads to it. Without a walk only the root is on the path.
    fn depths(&self, policy: &Policy) -> Vec<usize> {
        let mut leads: Vec<Option<usize>> = vec![None; policy.nodes.len()];
        let mut depths: Vec<usize> = Vec::with_capacity(self.layout.rows.len());
        let next = self.cursor.and_then(|row| self.layout.rows.get(row)).map(|row| row.spot);
        for (at, row) in self.layout.rows.iter().enumerate() {
            let Spot::Node(node) = row.spot else {
                depths.push(0);
                continue;
            };
            let above = row.parent.or(leads[node]).and_then(|up| depths.get(up)).copied();
            let on_path = self.step_of(node).is_some() || next == Some(row.spot);
            depths.push(if on_path { 0 } else { above.map_or(0, |depth| depth + 1) });
            if !row.whole {
                leads[node].get_or_insert(at);
            }
        }
        depths
    }
}

/// A drawn tree.
#[derive(Clone, Debug, PartialEq)]
pub struct Tree {
    /// One line per edge, and one for the beginning of each block.
    pub doc: Doc,
    /// The line of the node that is asked next, or of the leaf that was reached.
    pub cursor: Option<usize>,
}

/// Draws the tree. If it would have more than `rows` lines, nodes off the path (without a walk: off the root) are drawn
/// only as deep as fits, and the rest are counted. The path is always drawn whole.
pub fn tree(policy: &Policy, walk: Option<&Walk>, rows: Option<usize>, page: Page) -> Tree {
    let levels = (page.width.saturating_sub(WORDS) / 3).clamp(4, LEVELS).min(MOST_LEVELS);
    let tree = WalkTree::new(policy, walk, levels);
    let depths = tree.depths(policy);
    let deepest = rows.map_or(usize::MAX, |rows| fitting(&tree, &depths, rows));
    Painter { policy, walk, tree: &tree, depths: &depths, deepest, page }.draw()
}

/// How deep the tree can be drawn off the path without having more than `rows` lines.
fn fitting(tree: &WalkTree, depths: &[usize], rows: usize) -> usize {
    let mut lines = vec![0; depths.len() + 1];
    for (at, row) in tree.layout.rows.iter().enumerate() {
        // An edge is drawn with the node it leaves; a block with the node it begins with.
        let depth = row.parent.map_or(depths[at], |up| depths[up]);
        lines[depth] += if row.parent.is_none() && at > 0 { 2 } else { 1 };
    }
    let sums = lines.iter().scan(0, |sum, n| {
        *sum += n;
        Some(*sum)
    });
    sums.take_while(|sum| *sum <= rows).count().saturating_sub(1)
}

struct Painter<'a> {
    policy: &'a Policy,
    walk: Option<&'a Walk>,
    tree: &'a WalkTree,
    depths: &'a [usize],
    /// Nodes that lie deeper off the path are counted only.
    deepest: usize,
    page: Page,
}

impl Painter<'_> {
    fn draw(&self) -> Tree {
        let below = self.below();
        let mut doc = Doc::new();
        let mut cursor = None;
        for (at, row) in self.tree.layout.rows.iter().enumerate() {
            if self.depths[row.parent.unwrap_or(at)] > self.deepest {
                continue;
            }
            if row.parent.is_none() && at > 0 {
                doc.push(Line::new());
            }
            let line = self.start(at).join(self.target(at, row, &below));
            let stands = self.tree.cursor == Some(at);
            if stands {
                cursor = Some(doc.0.len());
            }
            doc.push(if stands { line.join(self.mark(row.spot)) } else { line });
        }
        Tree { doc, cursor }
    }

    /// The lines before a row, its answer and the probability of that.
    fn start(&self, at: usize) -> Line {
        let (Some((rails, elbow)), Some((node, edge))) = (self.tree.rails(at), self.tree.layout.rows[at].edge) else {
            return Line::new();
        };
        let mut line = Line::new();
        for rail in rails {
            line = line.with(if rail == Rail::Heavy { Role::Answer } else { Role::Muted }, rail.glyphs());
        }
        let line = line.with(if elbow.is_lit() { Role::Answer } else { Role::Muted }, elbow.glyphs());
        let step = self.tree.step_of(node).and_then(|place| self.walk?.steps.get(place));
        match self.policy.nodes[node].edges().nth(edge) {
            Some(edge) => label(line, edge, self.tree.is_taken(at), step.map(AsRef::as_ref)),
            None => line,
        }
    }

    fn target(&self, at: usize, row: &Row, below: &[usize]) -> Line {
        let lit = self.walk.is_none() || self.tree.is_taken(at) || row.parent.is_none();
        match row.spot {
            Spot::Leaf(leaf) => self.leaf(&self.policy.leaves[leaf], lit),
            Spot::Node(node) => {
                let id = &self.policy.nodes[node].id;
                let line = Line::new().with(if lit { Role::Node } else { Role::Text }, id);
                match self.elsewhere(at, row, node, below) {
                    Some(text) => line.with(Role::Muted, text),
                    None => line,
                }
            }
        }
    }

    /// The remark on a node whose edges do not follow; `None` if they do.
    fn elsewhere(&self, at: usize, row: &Row, node: usize, below: &[usize]) -> Option<String> {
        let whole = self.tree.layout.row_of(node).unwrap_or(at);
        let counted = |n: usize| if n > 0 { format!(" … {} below", plural(n, "node")) } else { " …".to_owned() };
        if self.depths[whole] <= self.deepest {
            return match row.whole {
                true => None,
                false if self.tree.layout.is_above(at) => Some(" ↺ see above".to_owned()),
                false => Some(" ↓ see below".to_owned()),
            };
        }
        // It is folded away: counted where its edges would follow, or at the row that leads to its block.
        let counts = row.whole || self.tree.layout.rows[whole].parent.is_none();
        Some(if counts { counted(below[whole]) } else { " … folded".to_owned() })
    }

    fn leaf(&self, leaf: &Leaf, lit: bool) -> Line {
        let label = leaf.verdict.label.as_ref().map(|l| format!(" {l}")).unwrap_or_default();
        let role = if lit { Role::of(leaf.verdict.outcome) } else { Role::Muted };
        Line::new().with(role, format!("{} {}{label}", symbol(leaf.verdict.outcome), leaf.id))
    }

    /// The mark of the walk's position.
    fn mark(&self, spot: Spot) -> Line {
        let word = if matches!(spot, Spot::Leaf(_)) { "reached" } else { "asked next" };
        let word = if self.page.width < 60 { "" } else { word };
        Line::new().with(Role::Text, "  ").with(Role::Cursor, "<=").with(Role::Muted, format!(" {word}"))
    }

    /// For each row of a whole node, how many nodes hang below it; each node hangs in one place only.
    fn below(&self) -> Vec<usize> {
        let rows = &self.tree.layout.rows;
        let mut below = vec![0; rows.len()];
        let mut leads: Vec<Option<usize>> = vec![None; self.policy.nodes.len()];
        for (at, row) in rows.iter().enumerate() {
            if let (Spot::Node(node), false) = (row.spot, row.whole) {
                leads[node].get_or_insert(at);
            }
        }
        // A block is below the row that leads to it, so counting upwards, each count is complete before it is needed.
        for (at, row) in rows.iter().enumerate().rev() {
            let Spot::Node(node) = row.spot else { continue };
            let up = row.parent.or_else(|| leads[node].and_then(|lead| rows[lead].parent));
            if let Some(up) = up.filter(|_| row.whole) {
                below[up] += 1 + below[at];
            }
        }
        below
    }
}

/// Whether `step` went along the edge of `answer` (`None` is the unsure edge).
fn takes(step: &Step, answer: Option<&Name>) -> bool {
    match answer {
        Some(answer) => step.taken != Taken::Unsure && step.answer == *answer,
        None => step.taken == Taken::Unsure,
    }
}

fn label(line: Line, edge: Edge<'_>, taken: bool, step: Option<&Step>) -> Line {
    let role = if taken { Role::Answer } else { Role::Muted };
    let line = match edge.answer {
        Some(answer) => line.with(role, answer),
        None => line.with(if taken { Role::Warning } else { Role::Muted }, "unsure"),
    };
    let by_hand = taken && step.is_some_and(|s| s.taken == Taken::Overridden);
    let value = step.and_then(|s| s.judgement.as_ref()?.readout.p(edge.answer?.as_str()));
    let line = match value {
        Some(value) => line.with(if taken { Role::Value } else { Role::Muted }, format!(" {}", p(value))),
        None => line,
    };
    let line = if by_hand { line.with(Role::Overridden, " by hand") } else { line };
    line.with(Role::Muted, " → ")
}
