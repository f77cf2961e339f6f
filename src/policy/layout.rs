//! The layout of a policy as a tree of lines: one line per edge, which names the answer and where it leads.
//!
//! Must draw every node in full exactly once, however many edges lead to it, and must not recurse: a policy may be a
//! chain as long as the limits allow, or have too many paths to enumerate. Must not choose characters or colours; the
//! painter does.

use super::index::{Index, Spot};
use super::tree::Policy;
use std::collections::VecDeque;

/// Most levels of one block that a layout can have.
pub const MOST_LEVELS: usize = 32;

/// One line of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The edge: its node, and its place among [`Node::edges`](super::Node::edges). `None` for the line a block begins
    /// with.
    pub edge: Option<(usize, usize)>,
    /// Where the edge leads.
    pub spot: Spot,
    /// Whether the edges of this node follow. `false` for a leaf, and for a node whose edges are drawn elsewhere.
    pub whole: bool,
    /// Levels from the beginning of the block, which is 0.
    pub depth: usize,
    /// Whether this is the last edge of its node.
    pub last: bool,
    /// Bit `d` is set if the lines of a node at level `d` continue past this row, from 0 up to the level before its
    /// own.
    lines: u32,
    /// The row of the node whose edge this is.
    pub parent: Option<usize>,
}

impl Row {
    /// Whether a line runs through the indentation at `level`: whether the node drawn there has more edges further
    /// down.
    pub const fn line_at(&self, level: usize) -> bool {
        self.lines >> level & 1 == 1
    }
}

/// All lines of a tree. Beyond a certain depth a node is drawn in a separate block further down, so that lines stay
/// readable and the drawing of a chain does not grow with the square of its length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeLayout {
    /// The lines, from the top.
    pub rows: Vec<Row>,
    /// The row in which each node is drawn whole.
    nodes: Vec<Option<usize>>,
}

/// A node whose edges are being drawn.
struct Open {
    node: usize,
    row: usize,
    lines: u32,
    next: usize,
}

impl TreeLayout {
    /// Lays `policy` out in blocks of at most `levels` levels. Nodes on `path` are drawn where it passes: each entry is
    /// an edge (a node, and an index among its edges), the first one leaving the root. Other shared nodes are drawn at
    /// their first occurrence.
    pub fn new(policy: &Policy, levels: usize, path: &[(usize, usize)]) -> Self {
        let levels = levels.clamp(1, MOST_LEVELS);
        let index = Index::new(policy);
        let edges: Vec<Vec<Option<Spot>>> =
            policy.nodes.iter().map(|n| n.edges().map(|e| index.spot(e.target)).collect()).collect();
        let mut layout = Self { rows: Vec::new(), nodes: vec![None; policy.nodes.len()] };
        let Some(root) = index.node(policy.root.as_str()) else { return layout };
        let owners = owners(root, &edges, path);
        let mut blocks = VecDeque::from([root]);
        while let Some(start) = blocks.pop_front() {
            if layout.nodes[start].is_none() {
                layout.block(start, levels, &edges, &owners, &mut blocks);
            }
        }
        layout
    }

    fn block(
        &mut self,
        start: usize,
        levels: usize,
        edges: &[Vec<Option<Spot>>],
        owners: &[Option<(usize, usize)>],
        blocks: &mut VecDeque<usize>,
    ) {
        let top =
            Row { edge: None, spot: Spot::Node(start), whole: true, depth: 0, last: true, lines: 0, parent: None };
        self.nodes[start] = Some(self.rows.len());
        let mut open = vec![Open { node: start, row: self.rows.len(), lines: 0, next: 0 }];
        self.rows.push(top);
        while let Some(level) = open.last_mut() {
            let (node, at) = (level.node, level.next);
            let Some(target) = edges[node].get(at) else {
                open.pop();
                continue;
            };
            level.next += 1;
            let last = level.next == edges[node].len();
            let (lines, parent) = (level.lines, level.row);
            let depth = open.len();
            let Some(spot) = *target else { continue };
            let row = self.rows.len();
            let fresh = |n: usize| self.nodes[n].is_none() && owners[n].is_none_or(|owner| owner == (node, at));
            let whole = match spot {
                Spot::Node(n) if fresh(n) && depth >= levels => {
                    blocks.push_back(n);
                    false
                }
                Spot::Node(n) => fresh(n),
                Spot::Leaf(_) => false,
            };
            if let Spot::Node(n) = spot
                && whole
            {
                self.nodes[n] = Some(row);
                let lines = if last { lines } else { lines | 1 << (depth - 1) };
                open.push(Open { node: n, row, lines, next: 0 });
            }
            self.rows.push(Row { edge: Some((node, at)), spot, whole, depth, last, lines, parent: Some(parent) });
        }
    }

    /// The row in which a node is drawn whole.
    pub fn row_of(&self, node: usize) -> Option<usize> {
        self.nodes.get(node).copied().flatten()
    }

    /// For a node whose edges do not follow `row`: whether they are drawn further up.
    pub fn is_above(&self, row: usize) -> bool {
        match self.rows.get(row).map(|r| r.spot) {
            Some(Spot::Node(node)) => self.row_of(node).is_some_and(|at| at < row),
            _ => false,
        }
    }
}

/// For the nodes of the path, the edge below which they are drawn. What does not hang together is left out.
fn owners(root: usize, edges: &[Vec<Option<Spot>>], path: &[(usize, usize)]) -> Vec<Option<(usize, usize)>> {
    let mut owners = vec![None; edges.len()];
    let mut at = Some(Spot::Node(root));
    for (node, edge) in path {
        if at != Some(Spot::Node(*node)) {
            break;
        }
        at = edges.get(*node).and_then(|e| e.get(*edge)).copied().flatten();
        if let Some(Spot::Node(next)) = at {
            owners[next] = Some((*node, *edge));
        }
    }
    owners
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::parse;
    use std::fmt::Write as _;

    fn policy(nodes: &[(String, String, String)]) -> Policy {
        let mut text = String::from("[policy]\nid = \"p\"\nversion = \"1.0.0\"\ntitle = \"P\"\nroot = \"n0\"\n");
        for (id, yes, no) in nodes {
            let goal = |id: &str| if id == "end" { "leaf = \"end\"".to_owned() } else { format!("next = \"{id}\"") };
            let (yes, no) = (goal(yes), goal(no));
            write!(
                text,
                "[node.{id}]\nquestion = \"Is it {id}?\"\nanswers = {{ yes = {{ {yes} }}, no = {{ {no} }} }}\n"
            )
            .unwrap();
        }
        text.push_str("[leaf.end]\noutcome = \"violating\"\nlabel = \"X1\"\n");
        let parsed = parse("p.toml", &text, &mut |_| Err(String::new()));
        parsed.policy.unwrap_or_else(|| panic!("{:?}", parsed.diagnostics))
    }

    /// `count` diamonds in a row: 2 to the power of `count` paths.
    fn diamonds(count: usize) -> Policy {
        let mut nodes = Vec::new();
        for i in 0..count {
            let below = if i + 1 == count { "end".to_owned() } else { format!("n{}", i + 1) };
            nodes.push((format!("n{i}"), format!("a{i}"), format!("b{i}")));
            nodes.push((format!("a{i}"), below.clone(), "end".into()));
            nodes.push((format!("b{i}"), below, "end".into()));
        }
        policy(&nodes)
    }

    fn chain(count: usize) -> Policy {
        let below = |i| if i + 1 == count { "end".to_owned() } else { format!("n{}", i + 1) };
        policy(&(0..count).map(|i| (format!("n{i}"), "end".to_owned(), below(i))).collect::<Vec<_>>())
    }

    /// Every node whole once, every edge once, and a beginning for each block.
    fn assert_whole(policy: &Policy, layout: &TreeLayout) {
        let edges: usize = policy.nodes.iter().map(|n| n.edges().count()).sum();
        let blocks = layout.rows.iter().filter(|r| r.edge.is_none()).count();
        assert_eq!(layout.rows.len(), edges + blocks);
        assert_eq!(layout.rows.iter().filter(|r| r.whole).count(), policy.nodes.len());
        for node in 0..policy.nodes.len() {
            let row = layout.rows[layout.row_of(node).expect("every node is drawn")];
            assert!(row.whole && row.spot == Spot::Node(node));
        }
    }

    #[test]
    fn shared_nodes_and_long_chains_are_laid_out_once_and_not_once_for_every_path() {
        for policy in [diamonds(25), diamonds(300), chain(10_000), chain(1)] {
            for levels in [1, 2, 7, MOST_LEVELS, usize::MAX] {
                let layout = TreeLayout::new(&policy, levels, &[]);
                assert_whole(&policy, &layout);
                assert!(layout.rows.iter().all(|r| r.depth <= levels.min(MOST_LEVELS)));
            }
        }
    }

    #[test]
    fn a_line_runs_from_a_node_down_to_its_last_edge() {
        let layout = TreeLayout::new(&diamonds(3), MOST_LEVELS, &[]);
        for (at, row) in layout.rows.iter().enumerate().filter(|(_, r)| r.whole) {
            let edges: Vec<usize> = (0..layout.rows.len()).filter(|i| layout.rows[*i].parent == Some(at)).collect();
            let last = *edges.last().unwrap();
            assert!(layout.rows[last].last && edges.iter().filter(|e| layout.rows[**e].last).count() == 1);
            for below in at + 1..last {
                assert!(edges.contains(&below) || layout.rows[below].line_at(row.depth), "row {below} of {at}");
            }
        }
    }

    #[test]
    fn a_shared_node_is_drawn_where_the_path_passes() {
        let policy = diamonds(2);
        let place = |id: &str| policy.nodes.iter().position(|n| n.id.as_str() == id).unwrap();
        let path = [(place("n0"), 1), (place("b0"), 0)];
        let drawn_below = |path: &[(usize, usize)]| {
            let layout = TreeLayout::new(&policy, MOST_LEVELS, path);
            assert_whole(&policy, &layout);
            layout.rows[layout.row_of(place("n1")).unwrap()].edge
        };
        assert_eq!(drawn_below(&[]), Some((place("a0"), 0)));
        assert_eq!(drawn_below(&path), Some((place("b0"), 0)));
        assert_eq!(drawn_below(&[(place("b0"), 0)]), Some((place("a0"), 0)), "a path that does not begin at the root");
    }
}
