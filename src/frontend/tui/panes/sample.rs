//! The sample pane: every part of the post under its name, with hidden characters shown and counted.
//!
//! Must show the content whole and in order; gold and scores belong to the compare pane.

use crate::domain::Content;
use crate::frontend::tui::ink::{Ink, Row, wrap};
use crate::frontend::tui::view::View;
use crate::report::Role;
use crate::report::content::hidden;
use crate::report::number::plural;
use crate::text::{Untrusted, width};
use ratatui::text::Span;

/// Several values no wider than this (hashtags) share a row.
const SHORT_VALUE: usize = 24;

/// The content of the current sample, `width` cells wide.
pub fn rows(ink: Ink, view: View<'_>, width: usize) -> Vec<Row> {
    let Some(walk) = view.walk() else {
        return nothing(ink, view, width);
    };
    match &walk.sample.content {
        Content::Text(text) => ink.paragraphs(Role::Content, text, width, ""),
        Content::Fields(fields) => {
            let pad = fields.iter().map(|f| width::width(f.name.as_str())).max().unwrap_or(0).min(14);
            let mut rows = Vec::new();
            for field in fields {
                rows.extend(part(ink, field.name.as_str(), &field.values, pad, width));
            }
            rows
        }
    }
}

/// One named part: its name in a column of its own, its values beside it.
fn part(ink: Ink, name: &str, values: &[Untrusted], pad: usize, limit: usize) -> Vec<Row> {
    let column = pad + 2;
    let name = width::fit(&width::truncate(name, pad), column);
    let beside = limit > column + 16;
    let (inner, indent) = if beside { (limit - column, " ".repeat(column)) } else { (limit, String::new()) };
    let mut rows: Vec<Row> = Vec::new();
    if !beside {
        rows.push(Row::from(ink.own(Role::Key, name.clone())));
    }
    let short = |v: &Untrusted| width::width(v.escaped().as_str()) <= SHORT_VALUE && !v.raw().contains('\n');
    let joined;
    let values = if values.len() > 1 && values.iter().all(short) {
        joined = [Untrusted::from(values.iter().map(Untrusted::raw).collect::<Vec<_>>().join(" · "))];
        &joined[..]
    } else {
        values
    };
    for value in values {
        let bullet = if values.len() > 1 { "· " } else { "" };
        for row in ink.paragraphs(Role::Content, value, inner, bullet) {
            let first = beside && rows.is_empty();
            let head = if first { ink.own(Role::Key, name.clone()) } else { Span::raw(indent.clone()) };
            let mut spans = vec![head];
            spans.extend(row.spans);
            rows.push(Row::from(spans));
        }
    }
    rows
}

fn nothing(ink: Ink, view: View<'_>, width: usize) -> Vec<Row> {
    let text = match &view.state.samples {
        None => "No samples are loaded. Type :load samples PATH",
        Some(_) => "No sample is selected. Press ] for the first one.",
    };
    wrap(&Row::from(ink.own(Role::Hint, text)), width, 0)
}

/// The title in the pane's border: position in the file, and id.
pub fn title(ink: Ink, view: View<'_>) -> Vec<Span<'static>> {
    let Some(walk) = view.walk() else {
        return vec![Span::raw("Sample")];
    };
    let of = view.state.samples.as_ref().map_or(String::new(), |(_, count, _)| format!("/{count}"));
    let mut spans = vec![Span::raw(format!("Sample {}{of} · ", walk.number()))];
    spans.extend(ink.escaped(Role::Value, &walk.sample.id.escaped()));
    spans
}

/// The text in the lower border: how many hidden characters the content has, if any.
pub fn warning(ink: Ink, view: View<'_>) -> Option<Span<'static>> {
    let count = hidden(&view.walk()?.sample);
    (count > 0).then(|| ink.own(Role::Warning, format!("⚠ {} shown as <U+…>", plural(count, "hidden character"))))
}
