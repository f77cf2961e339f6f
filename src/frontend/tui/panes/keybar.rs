//! The key bar: on the left the keys that do something now, on the right those that always work.
//!
//! Must show a key in full or not at all.

use crate::frontend::tui::ink::{Ink, Row, cells, fit};
use crate::frontend::tui::theme::Styles;
use crate::report::Role;
use ratatui::text::Span;

/// The bar, `width` cells wide. `keys` come most useful first; `always` keep their place at the right.
pub fn row(ink: Ink, keys: &[(&str, &str)], always: &[(&str, &str)], width: usize) -> Row {
    let right: Vec<Span<'static>> = always.iter().flat_map(|key| entry(ink, *key)).collect();
    let room = width.saturating_sub(cells(&right) + 1);
    let mut left = Vec::new();
    for key in keys {
        let entry = entry(ink, *key);
        if cells(&left) + cells(&entry) > room {
            break;
        }
        left.extend(entry);
    }
    let mut row = fit(Row::from(left), width.saturating_sub(cells(&right)));
    row.spans.extend(right);
    fit(row, width)
}

fn entry(ink: Ink, (key, label): (&str, &str)) -> [Span<'static>; 2] {
    [Span::styled(format!(" {key}"), ink.0.key()), ink.own(Role::Muted, format!(" {label} "))]
}
