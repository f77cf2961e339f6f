//! A walk: the path so far with p on each edge, for `where` and for lists of walks.
//!
//! Must show where the walk stands now, also at its beginning and at its end.

use super::compare::verdict;
use super::number::{p, plural};
use super::step::{edge, why};
use super::{Basis, Doc, Line, Page, Role, change, conditions};
use crate::domain::{Provenance, Target};
use crate::session::SessionState;
use crate::session::state::Walk;
use crate::text::width;

/// The path: the conditions of the walk, two lines per step (the edge; how sure, and why it was taken), and the walk's
/// position.
pub fn path(state: &SessionState, walk: &Walk, basis: &Basis, page: Page) -> Doc {
    let mut doc = Doc::new();
    let head = Line::new().with(Role::Heading, format!("walk {}", walk.id.0)).with(Role::Muted, "  under ");
    doc.push(conditions::made_under(head, &walk.conditions));
    if let Some(branch) = branch(walk) {
        let line = Line::new().with(Role::Text, "  ").join(branch);
        doc.push(match conditions::branched_under(state, walk) {
            Some((before, _)) => line.with(Role::Muted, ", which was under ").join(before),
            None => line,
        });
    }
    let column = walk.steps.iter().map(|s| width::width(s.node.id.as_str())).max().unwrap_or(0).min(32) + 2;
    for (place, step) in walk.steps.iter().enumerate() {
        let who = page.source_of(walk, place);
        let role = if who == Provenance::Overridden { Role::Overridden } else { Role::Muted };
        let number = format!("#{}", place + 1);
        let line = Line::new().column(Role::Muted, number, 4).column(Role::Node, &step.node.id, column);
        let note = if place < walk.shared() { format!("shared · {who}") } else { who.to_string() };
        doc.push(edge(line, step).right(role, note, page.width));
        doc.extend(reasons(walk, place, basis, page));
    }
    doc.push(standing(walk, page));
    doc.extend(change::stale(state, basis, page));
    doc
}

/// Below the edge of a step: margin and coverage, why the edge was taken, the gold answer, and whether it still stands.
fn reasons(walk: &Walk, place: usize, basis: &Basis, page: Page) -> Doc {
    let mut doc = Doc::new();
    let Some(step) = walk.steps.get(place) else { return doc };
    let margin = || Line::new().with(Role::Text, "    ");
    let mut parts = Vec::new();
    if let Some(judgement) = &step.judgement {
        parts.push(format!("margin {}", p(judgement.readout.margin())));
        parts.push(format!("coverage {}", p(judgement.readout.coverage)));
    }
    parts.push(why(step, basis.of_step(place)));
    if let Some(gold) = walk.gold_answer(&step.node.id) {
        parts.push(format!("gold {gold} {}", if *gold == step.answer { "agrees" } else { "differs" }));
    }
    doc.words(margin(), Role::Muted, &parts.join(" · "), page.width);
    if let Some(stale) = basis.stale(place) {
        doc.words(margin().with(Role::Warning, "! "), Role::Warning, &change::otherwise(stale), page.width);
    }
    doc
}

/// Where a branch comes from.
fn branch(walk: &Walk) -> Option<Line> {
    let (from, at) = walk.forked_from?;
    Some(Line::new().with(Role::Muted, format!("branch of walk {} after {}", from.0, plural(at, "step"))))
}

/// The walk's position: `=> node`, or its leaf and verdict.
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

/// A walk in a list: its sample and verdict, its conditions, and where it branched off.
pub fn summary(state: &SessionState, walk: &Walk, page: Page) -> Doc {
    let current = state.current == Some(walk.id);
    let line = Line::new()
        .with(if current { Role::Cursor } else { Role::Text }, if current { "*" } else { " " })
        .column(Role::Value, format!(" {}", walk.id.0), 5)
        .with(Role::Text, format!("sample {} ", walk.number()))
        .with(Role::Muted, width::truncate(walk.sample.id.escaped().as_str(), 24))
        .with(Role::Muted, format!("  {}  ", plural(walk.steps.len(), "step")));
    let line = match (&walk.leaf, walk.frontier()) {
        (Some(leaf), _) => verdict(line.with(Role::Leaf, format!("{}  ", leaf.id)), &leaf.verdict),
        (None, Target::Node(id) | Target::Leaf(id)) => line.with(Role::Muted, "at ").with(Role::Node, &id),
    };
    let who = page.source_of_walk(walk);
    let mut doc = Doc::new();
    doc.push(match who {
        Provenance::Overridden => line.right(Role::Overridden, who.as_str(), page.width),
        _ => line,
    });
    let margin = || Line::new().with(Role::Text, "      ");
    doc.push(conditions::made_under(margin().with(Role::Muted, "under "), &walk.conditions));
    doc.extend(Doc(branch(walk).into_iter().map(|line| margin().join(line)).collect()));
    doc
}
