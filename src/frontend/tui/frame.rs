//! The frame: puts the rows of the panes, the prompt and the overlays on the screen.
//!
//! Must decide nothing about the session and must never draw outside the area it was given.

use super::activity::Activity;
use super::advice;
use super::body::{self, pane_row};
use super::ink::{Ink, Row, cells, fit, selected_row, spread, wrap};
use super::keymap;
use super::layout::{self, Pane, Screen};
use super::panes::{keybar, sample, title};
use super::prompt::Prompt;
use super::theme::Styles;
use super::ui::Ui;
use super::view::View;
use crate::report::Role;
use crate::text::Escaped;
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::Span;
use ratatui::widgets::{Block, BorderType, Clear, Paragraph};

/// Most rows of the completion popup.
const POPUP_ROWS: usize = 8;

/// Keys that always do something.
const ALWAYS: [(&str, &str); 3] = [(":", "command"), ("?", "help"), ("q", "quit")];

/// Draws everything.
pub fn draw(ui: &Ui, view: View<'_>, frame: &mut Frame<'_>) {
    let area = frame.area();
    if layout::drawn(area.as_size()) != ui.size.as_size() {
        // The terminal changed in between, or is gone: the next frame is for the new size.
        return;
    }
    let ink = Ink(ui.setup.theme);
    let Some(screen) = body::screen(ui) else {
        let asked = ui.confirm.then(|| status(ui, view, usize::from(area.width)));
        return put(frame, area, body::too_small(ui).into_iter().chain(asked).collect());
    };
    let width = usize::from(screen.title.width);
    put(
        frame,
        screen.title,
        vec![title::row(ink, view, &ui.setup.session, ui.setup.recorded.then_some(ui.setup.events), width)],
    );
    for (pane, rect) in &screen.panes {
        draw_pane(ui, view, *pane, *rect, &screen, frame);
    }
    draw_overlay(ui, frame);
    draw_prompt(ui, view, &screen, frame);
    put(frame, screen.keys, vec![keys(ui, view, width)]);
}

fn keys(ui: &Ui, view: View<'_>, width: usize) -> Row {
    let ink = Ink(ui.setup.theme);
    if let Some(prompt) = &ui.prompt {
        let keys: &[(&str, &str)] = match prompt.is_search() {
            true => &[("Enter", "search"), ("Esc", "close")],
            false => &[("Enter", "submit"), ("Tab", "complete"), ("↑↓", "history"), ("Esc", "close")],
        };
        return keybar::row(ink, keys, &[], width);
    }
    if ui.confirm {
        return keybar::row(ink, &[("y", "stop and quit"), ("n", "stay")], &[], width);
    }
    if ui.search.is_some() {
        return keybar::row(ink, &[("n N", "next, previous match"), ("Esc", "end the search")], &ALWAYS, width);
    }
    if ui.overlay.is_some() {
        let keys = [("j k", "scroll"), ("PgDn", "page"), ("/", "search"), ("y", "copy"), ("Esc", "close")];
        return keybar::row(ink, &keys, &[], width);
    }
    if ui.activity.busy() {
        return keybar::row(ink, &[("Ctrl-C", "stop")], &ALWAYS, width);
    }
    let mut keys = keymap::available(view, ui.target(), ui.setup.recorded);
    if !ui.zoomed && body::screen(ui).is_some_and(|s| s.is_single()) {
        keys.insert(0, ("Tab", "next pane"));
    }
    keys.extend(pane_row(ui.focus).keys);
    keybar::row(ink, &keys, &ALWAYS, width)
}

fn draw_pane(ui: &Ui, view: View<'_>, pane: Pane, rect: Rect, screen: &Screen, frame: &mut Frame<'_>) {
    let ink = Ink(ui.setup.theme);
    let focused = ui.focus == pane && ui.overlay.is_none();
    let inner = layout::inner(rect);
    let body = body::body(ui, view, pane, inner);
    let mut block = bordered(ink, focused);
    block = block.title_top(heading(ui, view, pane, screen, focused, rect.width));
    if body.above > 0 || body.below > 0 {
        let text = match (body.above, body.below) {
            (above, 0) => format!(" ↑{above} "),
            (0, below) => format!(" ↓{below} "),
            (above, below) => format!(" ↑{above} ↓{below} "),
        };
        block = block.title_bottom(Row::from(ink.own(Role::Muted, text)).right_aligned());
    }
    if pane == Pane::Sample
        && let Some(warning) = sample::warning(ink, view)
    {
        block = block.title_bottom(Row::from(vec![Span::raw(" "), warning, Span::raw(" ")]));
    }
    frame.render_widget(block, rect.intersection(frame.area()));
    put(frame, inner, body.rows);
}

/// A border; focus changes its lines too, not only its colour.
fn bordered(ink: Ink, focused: bool) -> Block<'static> {
    let lines = if focused { BorderType::Thick } else { BorderType::Rounded };
    Block::bordered().border_type(lines).border_style(ink.0.border(focused))
}

/// The title of a pane, and beside it the names of the panes that share its place.
fn heading(ui: &Ui, view: View<'_>, pane: Pane, screen: &Screen, focused: bool, width: u16) -> Row {
    let ink = Ink(ui.setup.theme);
    let style = if focused { ink.0.border(true) } else { ink.0.title() };
    let own = (pane_row(pane).title)(ui, view);
    let own = own.into_iter().map(|s| if s.style == Style::new() { s.style(style) } else { s });
    let shared = if screen.shared.contains(&pane) { screen.shared } else { &[] };
    let mut spans = vec![Span::raw(" ")];
    for (i, tab) in shared.iter().enumerate() {
        if *tab == pane {
            spans.extend(own.clone());
        } else {
            spans.push(ink.own(Role::Muted, tab.title()));
        }
        spans.push(ink.faint(if i + 1 == shared.len() { " " } else { " │ " }));
    }
    let room = usize::from(width.saturating_sub(4));
    match shared.iter().position(|tab| *tab == pane) {
        Some(_) if cells(&spans) <= room => Row::from(spans),
        place => {
            let tail = place.map_or(String::new(), |at| format!("pane {}/{} ", at + 1, shared.len()));
            let head: Vec<_> = std::iter::once(Span::raw(" ")).chain(own).chain([Span::raw(" ")]).collect();
            let head = fit_cells(Row::from(head), room.saturating_sub(tail.len()));
            Row::from([head.spans, vec![ink.own(Role::Muted, tail)]].concat())
        }
    }
}

fn fit_cells(row: Row, room: usize) -> Row {
    if cells(&row.spans) > room { fit(row, room) } else { row }
}

fn draw_overlay(ui: &Ui, frame: &mut Frame<'_>) {
    let Some(overlay) = &ui.overlay else { return };
    let ink = Ink(ui.setup.theme);
    let rect = body::overlay_area(ui.size).intersection(frame.area());
    let inner = layout::inner(rect);
    let (rows, extent) = body::overlay(ui);
    let (top, end) = (extent.top, (extent.top + extent.height).min(extent.rows));
    let title = Span::styled(format!(" {} ", Escaped::line(&overlay.title)), ink.0.border(true));
    let mut block =
        bordered(ink, true).title_top(fit_cells(Row::from(title), usize::from(rect.width.saturating_sub(4))));
    if extent.rows > extent.height {
        let text = format!(" {}–{end} of {} ", top + 1, extent.rows);
        block = block.title_bottom(Row::from(ink.own(Role::Muted, text)).right_aligned());
    }
    frame.render_widget(Clear, rect);
    frame.render_widget(block, rect);
    let rows = rows.into_iter().take(end).skip(top);
    put(frame, inner, rows.map(|row| ui.search.as_ref().map_or(row.clone(), |s| s.mark(row))).collect());
}

fn draw_prompt(ui: &Ui, view: View<'_>, screen: &Screen, frame: &mut Frame<'_>) {
    let ink = Ink(ui.setup.theme);
    let width = usize::from(screen.prompt.width);
    let Some(prompt) = &ui.prompt else {
        return put(frame, screen.prompt, vec![status(ui, view, width)]);
    };
    let before = Escaped::line(&prompt.before_cursor());
    let after = Escaped::line(&prompt.after_cursor());
    let cursor = crate::text::width::width(before.as_str());
    let skip = (cursor + 2).saturating_sub(width.saturating_sub(1));
    let mut spans = vec![Span::styled(prompt.sigil(), ink.0.key())];
    spans.extend(ink.escaped(Role::Text, &Escaped::line(&tail(before.as_str(), skip))));
    spans.extend(ink.escaped(Role::Text, &after));
    if after.is_empty() {
        spans.push(ink.own(Role::Muted, prompt.advice().hint.clone()));
    }
    put(frame, screen.prompt, vec![fit(Row::from(spans), width)]);
    let x = (cursor - skip.min(cursor) + 1).min(width.saturating_sub(1)) as u16;
    frame.set_cursor_position(Position::new(screen.prompt.x + x, screen.prompt.y));
    draw_popup(ui, prompt, screen, frame);
}

/// `text` without its first `cells` cells.
fn tail(text: &str, cells: usize) -> String {
    use unicode_segmentation::UnicodeSegmentation;
    let mut skipped = 0;
    text.graphemes(true)
        .skip_while(|g| {
            let skip = skipped < cells;
            skipped += if skip { crate::text::width::width(g) } else { 0 };
            skip
        })
        .collect()
}

/// The box above the prompt: candidates, and what the command does or why the line was refused.
fn draw_popup(ui: &Ui, prompt: &Prompt, screen: &Screen, frame: &mut Frame<'_>) {
    let ink = Ink(ui.setup.theme);
    let advice = prompt.advice();
    let width = usize::from(screen.prompt.width).min(96);
    let inside = width.saturating_sub(4);
    let count = advice.candidates.len();
    let chosen = prompt.chosen();
    let first = chosen.map_or(0, |c| (c + 1).saturating_sub(POPUP_ROWS));
    let pad = advice.candidates.iter().map(|c| crate::text::width::width(&c.label)).max().unwrap_or(0).min(inside / 2);
    let mut rows: Vec<Row> = Vec::new();
    for (i, candidate) in advice.candidates.iter().enumerate().skip(first).take(POPUP_ROWS) {
        let mut row = fit(Row::from(ink.own(Role::Answer, Escaped::line(&candidate.label).into_string())), pad);
        row.spans.push(ink.own(Role::Muted, format!("  {}", Escaped::line(&candidate.doc))));
        let row = fit(row, inside);
        rows.push(if chosen == Some(i) { selected_row(row, ink.0.selection()) } else { row });
    }
    if let Some(error) = prompt.error() {
        rows.extend(wrap(&Row::from(ink.own(Role::Error, Escaped::line(error).into_string())), inside, 2));
    } else if !advice.help.is_empty() {
        rows.extend(wrap(&Row::from(ink.own(Role::Hint, Escaped::line(&advice.help).into_string())), inside, 2));
    }
    if rows.is_empty() {
        return;
    }
    let height = (rows.len() + 2).min(usize::from(screen.prompt.y)) as u16;
    let rect = Rect { x: 0, y: screen.prompt.y - height, width: width as u16, height };
    let mut block = bordered(ink, true);
    if count > POPUP_ROWS {
        block = block.title_bottom(Row::from(ink.own(Role::Muted, format!(" {count} ways to go on "))).right_aligned());
    }
    frame.render_widget(Clear, rect);
    frame.render_widget(block, rect);
    put(frame, layout::inner(rect), rows);
}

/// The line above the key bar while nothing is typed: what is running, what was done, or what to do next.
fn status(ui: &Ui, view: View<'_>, width: usize) -> Row {
    let ink = Ink(ui.setup.theme);
    if ui.confirm {
        return fit(Row::from(ink.own(Role::Warning, " A command is running. Stop it and quit? (y/n)")), width);
    }
    if let Some(doing) = ui.activity.doing(ui.now) {
        let left = Row::from(vec![
            ink.own(Role::Warning, format!(" {} ", Activity::spinner(ui.now))),
            ink.own(Role::Text, Escaped::line(&doing).into_string()),
        ]);
        return spread(left, Row::from(ink.own(Role::Muted, "Ctrl-C stops ")), width);
    }
    if let Some(count) = ui.count {
        return fit(Row::from(ink.own(Role::Answer, format!(" {count}"))), width);
    }
    let line = match &ui.status {
        Some(line) => ink.line(line),
        None => advice::standing(view).map_or_else(Row::default, |line| ink.line(&line)),
    };
    let mut spans = vec![Span::raw(" ")];
    spans.extend(line.spans);
    fit(Row::from(spans), width)
}

fn put(frame: &mut Frame<'_>, area: Rect, rows: Vec<Row>) {
    frame.render_widget(Paragraph::new(rows), area.intersection(frame.area()));
}
