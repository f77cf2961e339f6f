//! The tree of a policy as Graphviz or Mermaid source.
//!
//! Must escape every text for its language: a question must not be able to end a label and add nodes, links or scripts.

use super::words::{labels, one_line, verdict};
use crate::domain::Outcome;
use crate::policy::{Index, Policy, Spot};
use crate::text::width;
use std::fmt::Write as _;

/// Cells of one line in a box.
const BOX_CELLS: usize = 36;

/// Text as the lines of a box.
fn lines(text: &str) -> Vec<&str> {
    width::wrap(text, BOX_CELLS).into_iter().filter_map(|r| text.get(r)).collect()
}

/// The drawing in DOT. Ids of nodes and leaves are unique together, so they are the ids of the boxes.
pub fn dot(policy: &Policy) -> String {
    let mut out = String::new();
    let mut put = |text: String| writeln!(out, "{text}").expect("writing to a String cannot fail");
    put(format!("digraph {} {{", quoted(&[policy.id.as_str()])));
    let title = format!("{} {}", one_line(&policy.title), one_line(&policy.version));
    put(format!("  graph [label={}, labelloc=t, rankdir=TB];", quoted(&[&title])));
    put("  node [fontname=\"sans-serif\", shape=box, style=rounded];".to_owned());
    for node in &policy.nodes {
        let question = one_line(&node.question);
        let mut label = vec![node.id.as_str()];
        label.extend(lines(&question));
        put(format!("  {} [label={}];", quoted(&[node.id.as_str()]), quoted(&label)));
    }
    for leaf in &policy.leaves {
        let what = verdict(leaf);
        let mut label = vec![leaf.id.as_str()];
        label.extend(lines(&what));
        // Shape as well as line weight: colours get lost in print.
        let look = match leaf.verdict.outcome {
            Outcome::Violating => "shape=octagon, style=bold",
            Outcome::NonViolating => "shape=box, style=solid",
            Outcome::Escalate | Outcome::Undetermined => "shape=box, style=dashed",
        };
        put(format!("  {} [label={}, {look}];", quoted(&[leaf.id.as_str()]), quoted(&label)));
    }
    for node in &policy.nodes {
        for (edge, (label, unsure)) in node.edges().zip(labels(node)) {
            let style = if unsure { ", style=dashed" } else { "" };
            let (from, to) = (quoted(&[node.id.as_str()]), quoted(&[edge.target.id().as_str()]));
            put(format!("  {from} -> {to} [label={}{style}];", quoted(&[&label])));
        }
    }
    put("}".to_owned());
    out
}

/// A quoted DOT string of several lines. Only `"` and `\` are special in it.
fn quoted(lines: &[&str]) -> String {
    let escape = |l: &&str| l.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", lines.iter().map(escape).collect::<Vec<_>>().join("\\n"))
}

/// The drawing in Mermaid. Boxes get ids of our own, since words such as `end` are not allowed as ids.
pub fn mermaid(policy: &Policy) -> String {
    let index = Index::new(policy);
    let mut out = String::new();
    let mut put = |text: String| writeln!(out, "{text}").expect("writing to a String cannot fail");
    put("flowchart TD".to_owned());
    for (i, node) in policy.nodes.iter().enumerate() {
        let question = one_line(&node.question);
        let mut label = vec![node.id.as_str()];
        label.extend(lines(&question));
        put(format!("  n{i}[{}]", entities(&label)));
    }
    for (i, leaf) in policy.leaves.iter().enumerate() {
        let what = verdict(leaf);
        let label = entities(&[leaf.id.as_str(), &what]);
        put(match leaf.verdict.outcome {
            Outcome::Violating => format!("  l{i}{{{{{label}}}}}"),
            Outcome::NonViolating => format!("  l{i}([{label}])"),
            Outcome::Escalate | Outcome::Undetermined => format!("  l{i}[/{label}/]"),
        });
    }
    for (i, node) in policy.nodes.iter().enumerate() {
        for (edge, (label, unsure)) in node.edges().zip(labels(node)) {
            let to = index.spot(edge.target).map(|spot| match spot {
                Spot::Node(n) => format!("n{n}"),
                Spot::Leaf(l) => format!("l{l}"),
            });
            let arrow = if unsure { "-.->" } else { "-->" };
            put(format!("  n{i} {arrow}|{}| {}", entities(&[&label]), to.unwrap_or_default()));
        }
    }
    out
}

/// A quoted Mermaid label of several lines. Everything that Mermaid, Markdown or HTML could take for markup becomes a
/// numeric entity (`#34;`); letters of other scripts stay as they are.
fn entities(lines: &[&str]) -> String {
    let mut out = String::from("\"");
    for (i, line) in lines.iter().enumerate() {
        if i > 0 {
            out.push_str("<br/>");
        }
        for c in line.chars() {
            if c.is_alphanumeric() || " .,:?!/'()-…".contains(c) || (!c.is_ascii() && !c.is_control()) {
                out.push(c);
            } else {
                write!(out, "#{};", c as u32).expect("writing to a String cannot fail");
            }
        }
    }
    out.push('"');
    out
}
