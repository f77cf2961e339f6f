//! A walk: the path so far with p on each edge, for `where` and for lists of walks.
//!
//! Must show where the walk stands now, also when it is at its beginning or its end.

use super::compare::verdict;
use super::number::plural;
use super::step::edge;
use super::{Doc, Line, Page, Role};
use crate::domain::{Provenance, Target};
use crate::session::state::Walk;
use crate::text::width;

/// The path: one line per step, and where the walk stands.
pub fn path(walk: &Walk, page: Page) -> Doc {
    let mut doc = Doc::new();
    let column = walk.steps.iter().map(|s| width::width(s.node.id.as_str())).max().unwrap_or(0).min(32) + 2;
    for (i, step) in walk.steps.iter().enumerate() {
        let shared = walk.forked_from.is_some_and(|(_, at)| i < at);
        let who = page.source_of(walk, i);
        let role = if who == Provenance::Overridden { Role::Overridden } else { Role::Muted };
        let line = Line::new().column(Role::Muted, format!("#{}", i + 1), 4).column(Role::Node, &step.node.id, column);
        let note = if shared { format!("shared · {who}") } else { who.to_string() };
        doc.push(edge(line, step).right(role, note, page.width));
    }
    doc.push(standing(walk, page));
    doc
}

/// Where the walk stands: `=> node`, or its leaf and verdict.
pub fn standing(walk: &Walk, page: Page) -> Line {
    let line = Line::new().with(Role::Cursor, "=>").with(Role::Text, "  ");
    match (&walk.leaf, walk.frontier()) {
        (Some(leaf), _) => {
            let line =
                verdict(line.with(Role::Leaf, format!("leaf {}", leaf.id)).with(Role::Text, "  "), &leaf.verdict);
            line.right(Role::Muted, page.source_of_walk(walk).as_str(), page.width)
        }
        (None, Target::Node(id)) => line.with(Role::Node, &id).with(Role::Muted, "  is asked next"),
        (None, Target::Leaf(id)) => line.with(Role::Leaf, format!("leaf {id}")).with(Role::Muted, "  is reached next"),
    }
}

/// A walk as one line of a list.
pub fn summary(walk: &Walk, current: bool, page: Page) -> Line {
    let line = Line::new()
        .with(if current { Role::Cursor } else { Role::Text }, if current { "*" } else { " " })
        .column(Role::Value, format!(" {}", walk.id.0), 5)
        .column(Role::Text, format!("sample {}", walk.index.saturating_add(1)), 13)
        .column(Role::Muted, plural(walk.steps.len(), "step"), 10);
    let line = match (&walk.leaf, walk.frontier()) {
        (Some(leaf), _) => verdict(line.with(Role::Leaf, format!("{}  ", leaf.id)), &leaf.verdict),
        (None, Target::Node(id) | Target::Leaf(id)) => line.with(Role::Muted, "at ").with(Role::Node, &id),
    };
    let line = match walk.forked_from {
        Some((from, at)) => line.with(Role::Muted, format!("  branch of {} after {}", from.0, plural(at, "step"))),
        None => line,
    };
    let who = page.source_of_walk(walk);
    if who == Provenance::Overridden { line.right(Role::Overridden, who.as_str(), page.width) } else { line }
}
