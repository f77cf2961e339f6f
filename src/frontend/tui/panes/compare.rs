//! The compare pane: the classifier's scores against their thresholds, the LLM's verdict, the human label, and the
//! agreement cell.
//!
//! Must not read an absent label as "no", and must say when a person answered part of the walk.

use crate::domain::{Provenance, Verdict};
use crate::frontend::tui::ink::{Ink, Row, cells, fit, wrap};
use crate::frontend::tui::view::View;
use crate::report::Role;
use crate::report::compare::{agreement, symbol};
use crate::session::state::Walk;
use crate::stats::{Cell, Confusion};
use crate::text::width;
use ratatui::text::Span;

/// The whole pane, `width` cells wide; `source` gives the provenance of a walk's values.
pub fn rows(ink: Ink, view: View<'_>, source: &dyn Fn(&Walk) -> Provenance, width: usize) -> Vec<Row> {
    let Some(walk) = view.walk() else {
        return wrap(&Row::from(ink.own(Role::Muted, "Nothing to compare yet.")), width, 0);
    };
    let sample = &walk.sample;
    let said = sample.classified(&walk.thresholds);
    let agreement = agreement(walk);
    let mut rows = scores(ink, walk, width);
    if let Some(outcome) = said {
        let what = verdict(ink, &Verdict { outcome, label: None });
        rows.push(verdict_row(ink, "classifier", [what, against(ink, agreement.classifier)].concat(), width));
    }
    let mut said = [llm(ink, walk), against(ink, agreement.llm)].concat();
    if walk.leaf.is_some() {
        said.extend(origin_span(ink, source(walk), width.saturating_sub(11 + cells(&said))));
    }
    rows.push(verdict_row(ink, "LLM", said, width));
    rows.push(verdict_row(ink, "gold", gold(ink, walk), width));
    if let Some(cell) = agreement.cell.filter(|_| walk.leaf.is_some()) {
        let (role, symbol) = mark(cell);
        rows.push(verdict_row(ink, "cell", vec![ink.own(role, format!("{symbol} {}", cell.as_str()))], width));
    }
    rows
}

/// The provenance of the verdict, in one word, if `room` cells are enough for it.
fn origin_span(ink: Ink, source: Provenance, room: usize) -> Option<Span<'static>> {
    let (role, symbol) = origin(source);
    let long = format!("  {symbol} {source}");
    let text = if width::width(&long) <= room { long } else { format!(" {symbol}") };
    (width::width(&text) <= room).then(|| ink.own(role, text))
}

/// How a provenance is marked.
pub const fn origin(source: Provenance) -> (Role, &'static str) {
    match source {
        Provenance::Overridden => (Role::Overridden, "✎"),
        Provenance::Recorded => (Role::Muted, "◆"),
        Provenance::Recomputed => (Role::Muted, "●"),
    }
}

/// How a cell is marked.
pub const fn mark(cell: Cell) -> (Role, &'static str) {
    match cell {
        Cell::AllAgree | Cell::AgreeNoGold => (Role::Good, "✓"),
        Cell::DisagreeNoGold => (Role::Warning, "≠"),
        Cell::ClassifierWrong | Cell::LlmWrong | Cell::BothWrong => (Role::Bad, "✗"),
    }
}

/// A side against gold, if both decide.
fn against(ink: Ink, confusion: Option<Confusion>) -> Vec<Span<'static>> {
    let Some(confusion) = confusion else { return Vec::new() };
    let (role, symbol) = if confusion.is_wrong() { (Role::Bad, "✗") } else { (Role::Good, "✓") };
    vec![ink.own(role, format!("  {symbol} {}", confusion.as_str()))]
}

fn verdict_row(ink: Ink, who: &'static str, what: Vec<Span<'static>>, width: usize) -> Row {
    let mut spans = vec![ink.own(Role::Key, format!("{who:<11}"))];
    spans.extend(what);
    fit(Row::from(spans), width)
}

fn llm(ink: Ink, walk: &Walk) -> Vec<Span<'static>> {
    match &walk.leaf {
        Some(leaf) => verdict(ink, &leaf.verdict),
        None if walk.steps.is_empty() => vec![ink.own(Role::Muted, "not asked yet")],
        None => vec![ink.own(Role::Muted, format!("under way, {} answered", walk.steps.len()))],
    }
}

fn gold(ink: Ink, walk: &Walk) -> Vec<Span<'static>> {
    let gold = &walk.sample.gold;
    match gold.outcome {
        Some(outcome) => verdict(ink, &Verdict { outcome, label: gold.label.clone() }),
        None => vec![ink.own(Role::Muted, "unknown")],
    }
}

fn verdict(ink: Ink, verdict: &Verdict) -> Vec<Span<'static>> {
    let role = Role::of(verdict.outcome);
    let mut spans = vec![ink.own(role, format!("{} {}", symbol(verdict.outcome), verdict.outcome))];
    if let Some(label) = &verdict.label {
        spans.push(ink.own(Role::Value, format!(" {label}")));
    }
    spans
}

/// One gauge per score: how far it goes, and a mark where its threshold stands.
fn scores(ink: Ink, walk: &Walk, width: usize) -> Vec<Row> {
    let sample = &walk.sample;
    let mut rows = Vec::new();
    if let Some(classifier) = &sample.classifier {
        let mut spans = ink.escaped(Role::Value, &classifier.id.escaped());
        if let Some(version) = &classifier.version {
            spans.push(Span::raw(" "));
            spans.extend(ink.escaped(Role::Muted, &version.escaped()));
        }
        rows.push(fit(Row::from(spans), width));
    }
    for (name, score) in &sample.scores {
        let own = sample.thresholds.iter().find(|(n, _)| n == name).map(|(_, t)| *t);
        let set = walk.thresholds.iter().find(|(n, _)| n == name).map(|(_, t)| *t);
        let label = fit(Row::from(ink.name(Role::Text, name)), 10);
        let mut spans = label.spans;
        spans.push(Span::raw(" "));
        let tail = match (set.or(own), set.is_some()) {
            (Some(t), changed) => {
                let over = *score >= t;
                let role = if over { Role::Violating } else { Role::NonViolating };
                let mut tail = vec![ink.own(role, format!(" {score:.2} {} {t:.2}", if over { "≥" } else { "<" }))];
                tail.push(ink.own(Role::Overridden, if changed { " ✎" } else { "" }));
                tail
            }
            (None, _) => vec![ink.own(Role::Value, format!(" {score:.2} no threshold"))],
        };
        let taken: usize = 11 + tail.iter().map(Span::width).sum::<usize>();
        spans.extend(gauge(ink, *score, set.or(own), width.saturating_sub(taken).min(40)));
        spans.extend(tail);
        rows.push(fit(Row::from(spans), width));
    }
    if rows.is_empty() {
        rows.push(verdict_row(ink, "classifier", vec![ink.own(Role::Muted, "no scores")], width));
    }
    rows
}

fn gauge(ink: Ink, score: f64, threshold: Option<f64>, cells: usize) -> Vec<Span<'static>> {
    let at = |v: f64| ((v.clamp(0.0, 1.0) * cells as f64) as usize).min(cells.saturating_sub(1));
    let full = (score.clamp(0.0, 1.0) * cells as f64).round() as usize;
    let mark = threshold.map(at);
    let over = threshold.is_some_and(|t| score >= t);
    let role = if over { Role::Violating } else { Role::Bar };
    (0..cells)
        .map(|cell| match (Some(cell) == mark, cell < full) {
            (true, _) => ink.own(Role::Heading, "┃"),
            (false, true) => ink.own(role, "▆"),
            (false, false) => ink.faint("·"),
        })
        .collect()
}
