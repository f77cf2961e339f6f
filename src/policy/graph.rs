//! The tree of a policy as text for a terminal, and as DOT or Mermaid for documents.
//!
//! Must return text that is safe to print, whatever the policy says, and must not recurse.

use super::tree::{Leaf, Node, Policy, Unsure};
use crate::domain::Target;
use crate::text::{Escaped, Untrusted, width};
use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;

/// How the tree is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GraphFormat {
    /// Lines and box-drawing characters.
    Text,
    /// The language of Graphviz.
    Dot,
    /// Mermaid, as Markdown pages show it.
    Mermaid,
}

impl GraphFormat {
    /// All formats.
    pub const ALL: [Self; 3] = [Self::Text, Self::Dot, Self::Mermaid];

    /// The word of the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Dot => "dot",
            Self::Mermaid => "mermaid",
        }
    }
}

impl std::str::FromStr for GraphFormat {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|f| f.as_str() == text);
        found.ok_or_else(|| "a graph is one of text, dot, mermaid".to_owned())
    }
}

/// Draws `policy`; ends in a line break.
pub fn render(policy: &Policy, format: GraphFormat) -> String {
    let graph = Graph::new(policy);
    match format {
        GraphFormat::Text => graph.text(),
        GraphFormat::Dot => super::graph_export::dot(&graph),
        GraphFormat::Mermaid => super::graph_export::mermaid(&graph),
    }
}

/// A policy with its ids looked up once.
pub(super) struct Graph<'p> {
    pub policy: &'p Policy,
    nodes: HashMap<&'p str, usize>,
    leaves: HashMap<&'p str, usize>,
}

/// One edge: what stands on it and where it leads.
pub(super) struct Edge<'p> {
    pub label: String,
    pub unsure: bool,
    pub target: &'p Target,
}

/// Cells of a question in the text form; longer ones are cut.
const QUESTION_CELLS: usize = 76;
/// Levels of one block; what lies deeper is drawn below in a block of its own, so that lines stay readable and the drawing of
/// a long chain does not grow with the square of its length.
const LEVELS: usize = 16;

impl<'p> Graph<'p> {
    pub fn new(policy: &'p Policy) -> Self {
        Self {
            policy,
            nodes: policy.nodes.iter().enumerate().map(|(i, n)| (n.id.as_str(), i)).collect(),
            leaves: policy.leaves.iter().enumerate().map(|(i, l)| (l.id.as_str(), i)).collect(),
        }
    }

    pub fn node(&self, id: &str) -> Option<usize> {
        self.nodes.get(id).copied()
    }

    pub fn leaf(&self, id: &str) -> Option<usize> {
        self.leaves.get(id).copied()
    }

    /// The edges of a node: its answers in order, then the unsure route.
    pub fn edges(node: &'p Node) -> Vec<Edge<'p>> {
        let answers = node.answers.iter().map(|(a, target)| Edge { label: a.to_string(), unsure: false, target });
        let unsure = node.unsure.as_ref().map(|Unsure { margin, target }| Edge {
            label: format!("unsure (margin < {margin})"),
            unsure: true,
            target,
        });
        answers.chain(unsure).collect()
    }

    fn text(&self) -> String {
        let policy = self.policy;
        let mut out = String::new();
        line(&mut out, format_args!("{} {}: {}", policy.id, policy.version.escaped(), policy.title.escaped()));
        let mut drawn = vec![false; policy.nodes.len()];
        let mut blocks: VecDeque<usize> = self.node(policy.root.as_str()).into_iter().collect();
        while let Some(root) = blocks.pop_front() {
            if std::mem::replace(&mut drawn[root], true) {
                continue;
            }
            line(&mut out, format_args!("\n{}", heading(&policy.nodes[root])));
            // Per open level: the edges that are left, and what stands before them.
            let mut levels = vec![(Self::edges(&policy.nodes[root]).into_iter(), String::new())];
            while let Some((edges, indent)) = levels.last_mut() {
                let Some(edge) = edges.next() else {
                    levels.pop();
                    continue;
                };
                let last = edges.as_slice().is_empty();
                let (branch, below) = if last { ("└─", "   ") } else { ("├─", "│  ") };
                let start = format!("{indent}{branch} {} → ", edge.label);
                let indent = format!("{indent}{below}");
                match edge.target {
                    Target::Leaf(id) => {
                        let what = self.leaf(id.as_str()).map(|l| verdict(&policy.leaves[l])).unwrap_or_default();
                        line(&mut out, format_args!("{start}■ {id}: {what}"));
                    }
                    Target::Node(id) => {
                        let Some(n) = self.node(id.as_str()) else { continue };
                        if drawn[n] {
                            line(&mut out, format_args!("{start}{id} ↺ see above"));
                        } else if levels.len() >= LEVELS {
                            line(&mut out, format_args!("{start}{id} ↓ see below"));
                            blocks.push_back(n);
                        } else {
                            drawn[n] = true;
                            line(&mut out, format_args!("{start}{}", heading(&policy.nodes[n])));
                            levels.push((Self::edges(&policy.nodes[n]).into_iter(), indent));
                        }
                    }
                }
            }
        }
        out
    }
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("writing to a String cannot fail");
}

fn heading(node: &Node) -> String {
    let question = one_line(&node.question);
    format!("{}: {}", node.id, width::truncate(&question, QUESTION_CELLS))
}

/// Untrusted text on one line: runs of space become one, everything that hides becomes visible.
pub(super) fn one_line(text: &Untrusted) -> String {
    Escaped::line(&text.raw().split_whitespace().collect::<Vec<_>>().join(" ")).into_string()
}

/// What a leaf says, in words.
pub(super) fn verdict(leaf: &Leaf) -> String {
    let mut out = leaf.verdict.outcome.to_string();
    let label = leaf.verdict.label.as_ref().map(|l| format!(", {l}"));
    let severity = leaf.severity.map(|s| format!(", severity {s}"));
    let action = leaf.action.as_ref().map(|a| format!(", action {a}"));
    out.extend([label, severity, action].into_iter().flatten());
    out
}
