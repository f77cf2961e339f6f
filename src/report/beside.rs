//! Two walks side by side: the conditions of each, the answers step by step, and where the walks diverge.
//!
//! Must compare what was recorded: nothing is asked again.

use super::compare::symbol;
use super::number::p;
use super::{Doc, Line, Page, Role, conditions};
use crate::session::state::Walk;
use crate::session::{Step, Taken};
use crate::text::width;

/// Cells of the column with the places and nodes, at most.
const NODE: usize = 24;

/// `a` on the left, `b` on the right.
pub fn beside(a: &Walk, b: &Walk, page: Page) -> Doc {
    let rows = Rows::of(a, b, page);
    let mut doc = Doc::new();
    doc.push(rows.row("", Role::Heading, &format!("walk {}", a.id.0), Role::Heading, &format!("walk {}", b.id.0)));
    let sample = |w: &Walk| format!("{} {}", w.number(), w.sample.id.escaped());
    doc.push(rows.row("sample", Role::Text, &sample(a), Role::Text, &sample(b)));
    let under = |w: &Walk| conditions::made_under(Line::new(), &w.conditions).text();
    let (left, right) = (under(a), under(b));
    let parts = |text: &str| text.split(" · ").map(str::to_owned).collect::<Vec<_>>();
    for (i, (left, right)) in parts(&left).iter().zip(&parts(&right)).enumerate() {
        let key = ["policy", "mode", "model"].get(i).copied().unwrap_or("");
        let role = if left == right { Role::Muted } else { Role::Value };
        doc.push(rows.row(key, role, left, role, right));
    }
    let parted = first_difference(a, b);
    for place in 0..a.steps.len().max(b.steps.len()) {
        doc.push(rows.step(a, b, place, parted));
    }
    doc.push(rows.row("verdict", end_role(a), &end(a), end_role(b), &end(b)));
    doc.push(rows.row("gold", gold_role(a), &gold(a), gold_role(b), &gold(b)));
    doc.push(words(a, b, parted));
    doc
}

/// The first index at which the two walks asked different nodes, or took different answers or edges. A walk that merely
/// stopped earlier does not differ.
pub fn first_difference(a: &Walk, b: &Walk) -> Option<usize> {
    a.steps.iter().zip(&b.steps).position(|(a, b)| {
        (&a.node.id, &a.answer, a.taken == Taken::Unsure, &a.target)
            != (&b.node.id, &b.answer, b.taken == Taken::Unsure, &b.target)
    })
}

struct Rows {
    key: usize,
    cells: usize,
}

impl Rows {
    fn of(a: &Walk, b: &Walk, page: Page) -> Self {
        let nodes = a.steps.iter().chain(&b.steps).map(|s| width::width(s.node.id.as_str()) + 6);
        let key = nodes.max().unwrap_or(0).clamp(10, NODE);
        Self { key, cells: page.width.saturating_sub(key).max(20) / 2 }
    }

    fn row(&self, key: &str, left_role: Role, left: &str, right_role: Role, right: &str) -> Line {
        Line::new()
            .column(Role::Key, key, self.key)
            .column(left_role, left, self.cells.saturating_sub(2))
            .with(Role::Text, "  ")
            .with(right_role, width::truncate(right, self.cells.saturating_sub(2)))
    }

    fn step(&self, a: &Walk, b: &Walk, place: usize, parted: Option<usize>) -> Line {
        let (left, right) = (a.steps.get(place), b.steps.get(place));
        let id = |step: Option<&std::sync::Arc<Step>>| step.map(|s| s.node.id.to_string());
        let same = left.is_none() || right.is_none() || id(left) == id(right);
        let key = match (id(left).or(id(right)), same) {
            (Some(id), true) => format!("#{} {id}", place + 1),
            _ => format!("#{}", place + 1),
        };
        let text = |step: Option<&std::sync::Arc<Step>>| {
            let said = step.map_or_else(|| "–".to_owned(), |s| answered(s));
            match id(step) {
                Some(id) if !same => format!("{id} {said}"),
                _ => said,
            }
        };
        let differs = parted.is_some_and(|parted| place >= parted);
        let role = if differs { Role::Answer } else { Role::Muted };
        let line = self.row(&key, role, &text(left), role, &text(right));
        if parted == Some(place) { line.with(Role::Bad, " ≠") } else { line }
    }
}

fn answered(step: &Step) -> String {
    let how = match (step.taken, &step.judgement) {
        (Taken::Overridden, _) => "by hand".to_owned(),
        (taken, judgement) => {
            let p = judgement.as_ref().and_then(|j| j.readout.p(step.answer.as_str())).map(p).unwrap_or_default();
            if taken == Taken::Unsure { format!("{p} unsure") } else { p }
        }
    };
    format!("{} {how} → {}", step.answer, step.target.id())
}

fn end(walk: &Walk) -> String {
    match &walk.leaf {
        Some(leaf) => {
            let label = leaf.verdict.label.as_ref().map(|l| format!(" {l}")).unwrap_or_default();
            format!("{} {}{label}", symbol(leaf.verdict.outcome), leaf.verdict.outcome)
        }
        None => "none yet".to_owned(),
    }
}

/// What a human said, against which both verdicts stand.
fn gold(walk: &Walk) -> String {
    let gold = &walk.sample.gold;
    let label = gold.label.as_ref().map(|label| format!(" {label}")).unwrap_or_default();
    match gold.outcome {
        Some(outcome) => format!("{} {outcome}{label}", symbol(outcome)),
        None => format!("not known{label}"),
    }
}

fn gold_role(walk: &Walk) -> Role {
    walk.sample.gold.outcome.map_or(Role::Muted, Role::of)
}

fn end_role(walk: &Walk) -> Role {
    walk.leaf.as_ref().map_or(Role::Muted, |leaf| Role::of(leaf.verdict.outcome))
}

fn words(a: &Walk, b: &Walk, parted: Option<usize>) -> Line {
    let line = Line::new();
    if a.sample.id != b.sample.id || a.sample.content != b.sample.content {
        return line.with(Role::Warning, "these are walks of different samples");
    }
    match parted.and_then(|place| Some((place, a.steps.get(place)?))) {
        Some((place, step)) => line
            .with(Role::Bad, "first different at ")
            .with(Role::Text, format!("step {}, ", place + 1))
            .with(Role::Node, &step.node.id),
        None if a.steps.len() == b.steps.len() => line.with(Role::Good, "both took the same path"),
        None => {
            let shorter = if a.steps.len() < b.steps.len() { a } else { b };
            let text = format!("the same path as far as walk {} goes", shorter.id.0);
            line.with(Role::Good, text)
        }
    }
}
