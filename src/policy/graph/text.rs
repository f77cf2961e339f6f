//! The tree of a policy as lines of text.
//!
//! Must use the one tree layout and add only questions and verdicts to it.

use super::words::{labels, one_line, verdict};
use crate::policy::layout::TreeLayout;
use crate::policy::{Node, Policy, Spot};
use crate::text::width;
use std::fmt::Write as _;

/// Cells of a question; longer ones are cut.
const QUESTION_CELLS: usize = 76;

/// Levels of one block.
const LEVELS: usize = 16;

/// The drawing.
pub fn text(policy: &Policy) -> String {
    let mut out = String::new();
    line(&mut out, format_args!("{} {}: {}", policy.id, policy.version.escaped(), policy.title.escaped()));
    let layout = TreeLayout::new(policy, LEVELS, &[]);
    for (at, row) in layout.rows.iter().enumerate() {
        let Some((node, edge)) = row.edge else {
            if let Spot::Node(node) = row.spot {
                line(&mut out, format_args!("\n{}", heading(&policy.nodes[node])));
            }
            continue;
        };
        let mut start: String = (0..row.depth - 1).map(|l| if row.line_at(l) { "│  " } else { "   " }).collect();
        start.push_str(if row.last { "└─ " } else { "├─ " });
        start.extend(labels(&policy.nodes[node]).nth(edge).map(|(label, _)| label));
        start.push_str(" → ");
        match row.spot {
            Spot::Leaf(leaf) => {
                let leaf = &policy.leaves[leaf];
                line(&mut out, format_args!("{start}{} {}: {}", leaf.verdict.outcome.symbol(), leaf.id, verdict(leaf)));
            }
            Spot::Node(node) if row.whole => line(&mut out, format_args!("{start}{}", heading(&policy.nodes[node]))),
            Spot::Node(node) => {
                let way = if layout.is_above(at) { "↺ see above" } else { "↓ see below" };
                line(&mut out, format_args!("{start}{} {way}", policy.nodes[node].id));
            }
        }
    }
    out
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("writing to a String cannot fail");
}

fn heading(node: &Node) -> String {
    format!("{}: {}", node.id, width::truncate(&one_line(&node.question), QUESTION_CELLS))
}
