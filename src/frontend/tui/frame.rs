//! The frame: puts the rows of the panes, the prompt and the overlays on the screen.
//!
//! Must decide nothing about the session and must never draw outside the area it was given.

use super::advice;
use super::app::App;
use super::ink::{Ink, Row, cells, fit, spread, wrap};
use super::keymap;
use super::layout::{self, LEAST, Pane, Screen};
use super::live::Live;
use super::panes::{compare, keybar, node, sample, title};
use super::prompt::Prompt;
use super::view::View;
use crate::report::Role;
use crate::session::state::Walk;
use crate::text::Escaped;
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::Span;
use ratatui::widgets::{Block, BorderType, Clear, Paragraph};
use std::ops::Range;

/// Most rows of the completion popup.
const POPUP_ROWS: usize = 8;

/// Keys that always do something.
const ALWAYS: [(&str, &str); 3] = [(":", "command"), ("?", "help"), ("q", "quit")];

/// What a pane shows: rows that stay at the top, rows that scroll, rows that stay at the bottom, and where to begin.
struct Body<'a> {
    head: Vec<Row>,
    rows: Rows<'a>,
    pinned: Vec<Row>,
    top: usize,
}

/// Rows that scroll.
enum Rows<'a> {
    /// All of them.
    All(Vec<Row>),
    /// So many, drawn when they are needed.
    Lazy(usize, Box<dyn Fn(Range<usize>) -> Vec<Row> + 'a>),
}

impl Rows<'_> {
    fn len(&self) -> usize {
        match self {
            Self::All(rows) => rows.len(),
            Self::Lazy(count, _) => *count,
        }
    }

    fn take(self, range: Range<usize>) -> Vec<Row> {
        match self {
            Self::All(rows) => rows.into_iter().take(range.end).skip(range.start).collect(),
            Self::Lazy(_, draw) => draw(range),
        }
    }
}

/// Draws everything.
pub fn draw(app: &App, view: View<'_>, frame: &mut Frame<'_>) {
    let area = frame.area();
    let ink = Ink(app.setup.theme);
    let Some(screen) = layout::screen(area, app.tab) else {
        return too_small(ink, app, view, frame);
    };
    let width = usize::from(area.width);
    put(frame, screen.title, vec![title::row(ink, view, &app.setup.session, app.setup.recorded, width)]);
    for (pane, rect) in &screen.panes {
        draw_pane(app, view, *pane, *rect, screen.tabbed, frame);
    }
    draw_overlay(app, frame);
    draw_prompt(app, view, &screen, frame);
    put(frame, screen.keys, vec![keys(app, view, width)]);
}

fn keys(app: &App, view: View<'_>, width: usize) -> Row {
    let ink = Ink(app.setup.theme);
    if app.prompt.is_some() {
        let keys = [("Enter", "submit"), ("Tab", "complete"), ("↑↓", "history"), ("Esc", "close")];
        return keybar::row(ink, &keys, &[], width);
    }
    if app.overlay.is_some() {
        return keybar::row(ink, &[("j k", "scroll"), ("PgDn", "page"), ("Esc", "close")], &[], width);
    }
    if app.confirm {
        return keybar::row(ink, &[("y", "stop and quit"), ("n", "stay")], &[], width);
    }
    if app.live.busy() {
        return keybar::row(ink, &[("Ctrl-C", "stop")], &ALWAYS, width);
    }
    let keys = keymap::available(view, app.selected.as_ref(), app.setup.recorded);
    keybar::row(ink, &keys, &ALWAYS, width)
}

/// Rows of a pane that scroll, rows of the pane on the screen, and the first one shown. `None` where it is not shown.
pub fn extent(app: &App, view: View<'_>, pane: Pane) -> Option<(usize, usize, usize)> {
    let screen = layout::screen(app.size, app.tab)?;
    let (_, rect) = screen.panes.iter().find(|(p, _)| *p == pane)?;
    let inner = layout::inner(*rect);
    let body = body(app, view, pane, inner);
    let height = usize::from(inner.height).saturating_sub(body.head.len() + body.pinned.len());
    Some((body.rows.len(), height, body.top))
}

fn body<'a>(app: &'a App, view: View<'a>, pane: Pane, inner: Rect) -> Body<'a> {
    let ink = Ink(app.setup.theme);
    let (width, height) = (usize::from(inner.width), usize::from(inner.height));
    let mut head = Vec::new();
    let (rows, pinned, natural) = match pane {
        Pane::Tree => {
            let laid = app.laid(view, width);
            let focus = app.selected.clone().or_else(|| app.live.asking().cloned()).or_else(|| view.next_node());
            let focus = focus.or_else(|| view.walk()?.leaf.as_ref().map(|l| l.id.clone()));
            let at = focus.and_then(|place| laid.as_ref()?.row_of(&place)).unwrap_or(0);
            let selected = app.selected.as_ref().map(|_| at);
            let rows = match laid {
                None => Rows::All(Vec::new()),
                Some(laid) => Rows::Lazy(
                    laid.len(),
                    Box::new(move |range| {
                        let rows = laid.rows(ink, view, app.live.asking(), range.clone(), width);
                        let style = |(i, row): (usize, Row)| match selected == Some(range.start + i) {
                            true => row.style(ink.0.selection()),
                            false => row,
                        };
                        rows.into_iter().enumerate().map(style).collect()
                    }),
                ),
            };
            let top = (at + 1 + height / 3).saturating_sub(height);
            (rows, Vec::new(), top)
        }
        Pane::Sample => (Rows::All(sample::rows(ink, view, width)), Vec::new(), 0),
        Pane::Node => {
            let subject = node::subject(view, app.selected.as_ref(), &app.live);
            let rows = node::rows(ink, subject.as_ref(), &app.live, width);
            let step = subject.as_ref().and_then(|s| s.step).map(|(i, _)| i);
            let source = view.walk().zip(step).map(|(walk, place)| app.page(width).source_of(walk, place));
            let mut pinned = node::footer(ink, subject.as_ref(), source, width);
            pinned.truncate(height.saturating_sub(1));
            head = node::question(ink, subject.as_ref(), width);
            head.truncate(height.saturating_sub(pinned.len() + 2).min(3));
            if head.len() + rows.len() + pinned.len() < height && !pinned.is_empty() {
                pinned.insert(0, Row::default());
            }
            let spoken = subject.is_some_and(|s| s.asking || s.step.is_some());
            let room = height.saturating_sub(head.len() + pinned.len());
            let top = if spoken { rows.len().saturating_sub(room) } else { 0 };
            (Rows::All(rows), pinned, top)
        }
        Pane::Compare => {
            let source = |walk: &Walk| app.page(width).source_of_walk(walk);
            (Rows::All(compare::rows(ink, view, &source, width)), Vec::new(), 0)
        }
        Pane::Log => {
            let rows = log_rows(app, ink, width, height);
            let top = rows.len().saturating_sub(height);
            (Rows::All(rows), Vec::new(), top)
        }
    };
    let room = height.saturating_sub(head.len() + pinned.len());
    let most = rows.len().saturating_sub(room);
    let top = app.scroll.get(&pane).copied().unwrap_or(natural).min(most);
    Body { head, rows, pinned, top }
}

/// The log wrapped; only its end where the pane follows it.
fn log_rows(app: &App, ink: Ink, width: usize, height: usize) -> Vec<Row> {
    let following = !app.scroll.contains_key(&Pane::Log) && app.focus != Pane::Log;
    let wrapped = |line: &crate::report::Line| ink.fitted(line, width, 2);
    if !following {
        return app.log.lines().flat_map(wrapped).collect();
    }
    let mut rows: Vec<Row> = Vec::new();
    for line in app.log.lines().rev() {
        rows.splice(0..0, wrapped(line));
        if rows.len() >= height {
            break;
        }
    }
    rows
}

fn draw_pane(app: &App, view: View<'_>, pane: Pane, rect: Rect, tabbed: bool, frame: &mut Frame<'_>) {
    let ink = Ink(app.setup.theme);
    let focused = app.focus == pane && app.overlay.is_none();
    let inner = layout::inner(rect);
    let body = body(app, view, pane, inner);
    let room = usize::from(inner.height).saturating_sub(body.head.len() + body.pinned.len());
    let mut block = Block::bordered().border_type(BorderType::Rounded).border_style(ink.0.border(focused));
    block = block.title_top(fit_title(heading(app, view, pane, tabbed, focused), rect.width));
    let below = body.rows.len().saturating_sub(body.top + room);
    if body.top > 0 || below > 0 {
        let text = match (body.top, below) {
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
    let shown = body.rows.take(body.top..body.top + room);
    let filler = room.saturating_sub(shown.len());
    let rows = body.head.into_iter().chain(shown).chain(std::iter::repeat_n(Row::default(), filler)).chain(body.pinned);
    put(frame, inner, rows.collect());
}

/// The title of a pane, and beside it the names of the panes that share its place.
fn heading(app: &App, view: View<'_>, pane: Pane, tabbed: bool, focused: bool) -> Row {
    let ink = Ink(app.setup.theme);
    let style = if focused { ink.0.border(true) } else { ink.0.title() };
    let own = match pane {
        Pane::Sample => sample::title(ink, view),
        Pane::Node => node::title(ink, node::subject(view, app.selected.as_ref(), &app.live).as_ref()),
        Pane::Tree => match view.policy() {
            Some(policy) => {
                let mut spans = vec![Span::raw("Policy · ")];
                spans.extend(ink.escaped(Role::Muted, &policy.title.escaped()));
                spans
            }
            None => vec![Span::raw("Policy")],
        },
        other => vec![Span::raw(other.title())],
    };
    let own = own.into_iter().map(|s| if s.style == Style::new() { s.style(style) } else { s });
    let mut spans = vec![Span::raw(" ")];
    if tabbed && Pane::TABS.contains(&pane) {
        for tab in Pane::TABS {
            if tab == pane {
                spans.extend(own.clone());
            } else {
                spans.push(ink.own(Role::Muted, tab.title()));
            }
            let last = Pane::TABS.last() == Some(&tab);
            spans.push(ink.faint(if last { " " } else { " │ " }));
        }
    } else {
        spans.extend(own);
        spans.push(Span::raw(" "));
    }
    Row::from(spans)
}

fn fit_title(row: Row, width: u16) -> Row {
    let room = usize::from(width.saturating_sub(4));
    if cells(&row.spans) > room { fit(row, room) } else { row }
}

fn draw_overlay(app: &App, frame: &mut Frame<'_>) {
    let Some(overlay) = &app.overlay else { return };
    let ink = Ink(app.setup.theme);
    let rect = overlay_area(app.size).intersection(frame.area());
    let inner = layout::inner(rect);
    let rows = wrapped_overlay(app, usize::from(inner.width));
    let height = usize::from(inner.height);
    let top = overlay.top.min(rows.len().saturating_sub(height));
    let mut block = Block::bordered().border_type(BorderType::Rounded).border_style(ink.0.border(true));
    let title = Span::styled(format!(" {} ", Escaped::line(&overlay.title)), ink.0.border(true));
    block = block.title_top(fit_title(Row::from(title), rect.width));
    if rows.len() > height {
        let text = format!(" {}–{} of {} ", top + 1, (top + height).min(rows.len()), rows.len());
        block = block.title_bottom(Row::from(ink.own(Role::Muted, text)).right_aligned());
    }
    frame.render_widget(Clear, rect);
    frame.render_widget(block, rect);
    put(frame, inner, rows.into_iter().skip(top).take(height).collect());
}

/// Rows of the overlay and how many of them are on the screen.
pub fn overlay_rows(app: &App) -> (usize, usize) {
    let inner = layout::inner(overlay_area(app.size));
    (wrapped_overlay(app, usize::from(inner.width)).len(), usize::from(inner.height))
}

/// Cells that a line of an overlay has.
pub fn overlay_width(app: &App) -> usize {
    usize::from(layout::inner(overlay_area(app.size)).width)
}

/// Cells that a row of the policy has, or would have where it is not shown.
pub fn tree_width(app: &App) -> usize {
    pane_width(app, Pane::Tree)
}

/// Cells that a line of the log has, or would have where it is not shown.
pub fn log_width(app: &App) -> usize {
    pane_width(app, Pane::Log)
}

fn pane_width(app: &App, pane: Pane) -> usize {
    let shown = layout::screen(app.size, pane).and_then(|s| s.panes.into_iter().find(|(p, _)| *p == pane));
    shown.map_or(LEAST.0, |(_, rect)| layout::inner(rect).width).into()
}

fn wrapped_overlay(app: &App, width: usize) -> Vec<Row> {
    let ink = Ink(app.setup.theme);
    let Some(overlay) = &app.overlay else { return Vec::new() };
    overlay.doc.0.iter().flat_map(|line| ink.fitted(line, width, overlay.indent)).collect()
}

/// The place of the panes: all that lies between the title and the prompt.
fn overlay_area(area: Rect) -> Rect {
    Rect { x: area.x, y: area.y.saturating_add(1), width: area.width, height: area.height.saturating_sub(3) }
}

fn draw_prompt(app: &App, view: View<'_>, screen: &Screen, frame: &mut Frame<'_>) {
    let ink = Ink(app.setup.theme);
    let width = usize::from(screen.prompt.width);
    let Some(prompt) = &app.prompt else {
        return put(frame, screen.prompt, vec![status(app, view, width)]);
    };
    let before = Escaped::line(&prompt.before_cursor());
    let after = Escaped::line(&prompt.after_cursor());
    let cursor = crate::text::width::width(before.as_str());
    let skip = (cursor + 2).saturating_sub(width.saturating_sub(1));
    let mut spans = vec![Span::styled(":", ink.0.key())];
    spans.extend(ink.escaped(Role::Text, &Escaped::line(&tail(before.as_str(), skip))));
    spans.extend(ink.escaped(Role::Text, &after));
    if after.is_empty() {
        spans.push(ink.own(Role::Muted, prompt.advice().hint.clone()));
    }
    put(frame, screen.prompt, vec![fit(Row::from(spans), width)]);
    let x = (cursor - skip.min(cursor) + 1).min(width.saturating_sub(1)) as u16;
    frame.set_cursor_position(Position::new(screen.prompt.x + x, screen.prompt.y));
    draw_popup(app, prompt, screen, frame);
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
fn draw_popup(app: &App, prompt: &Prompt, screen: &Screen, frame: &mut Frame<'_>) {
    let ink = Ink(app.setup.theme);
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
        rows.push(if chosen == Some(i) { row.style(ink.0.selection()) } else { row });
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
    let mut block = Block::bordered().border_type(BorderType::Rounded).border_style(ink.0.border(true));
    if count > POPUP_ROWS {
        block = block.title_bottom(Row::from(ink.own(Role::Muted, format!(" {count} ways to go on "))).right_aligned());
    }
    frame.render_widget(Clear, rect);
    frame.render_widget(block, rect);
    put(frame, layout::inner(rect), rows);
}

/// The line above the key bar while nothing is typed: what is being done, what was done, or what to do next.
fn status(app: &App, view: View<'_>, width: usize) -> Row {
    let ink = Ink(app.setup.theme);
    if app.confirm {
        return fit(Row::from(ink.own(Role::Warning, " A command is running. Stop it and quit? (y/n)")), width);
    }
    if let Some(doing) = app.live.doing(app.now) {
        let left = Row::from(vec![
            ink.own(Role::Warning, format!(" {} ", Live::spinner(app.now))),
            ink.own(Role::Text, Escaped::line(&doing).into_string()),
        ]);
        return spread(left, Row::from(ink.own(Role::Muted, "Ctrl-C stops ")), width);
    }
    let line = match &app.status {
        Some(line) => ink.line(line),
        None => advice::standing(view).map_or_else(Row::default, |line| ink.line(&line)),
    };
    let mut spans = vec![Span::raw(" ")];
    spans.extend(line.spans);
    fit(Row::from(spans), width)
}

fn too_small(ink: Ink, app: &App, view: View<'_>, frame: &mut Frame<'_>) {
    let area = frame.area();
    let width = usize::from(area.width);
    let text = format!(
        "This terminal is {}×{}; the panes need {}×{}. Make it larger, or type :repl for the plain prompt.",
        area.width, area.height, LEAST.0, LEAST.1
    );
    let mut rows = wrap(&Row::from(ink.own(Role::Warning, text)), width, 0);
    rows.push(Row::default());
    rows.push(status(app, view, width));
    let prompt = app.prompt.as_ref().map(|p| {
        let mut spans = vec![Span::styled(":", ink.0.key())];
        spans.extend(ink.escaped(Role::Text, &Escaped::line(p.text())));
        fit(Row::from(spans), width)
    });
    rows.extend(prompt);
    put(frame, area, rows);
}

fn put(frame: &mut Frame<'_>, area: Rect, rows: Vec<Row>) {
    frame.render_widget(Paragraph::new(rows), area.intersection(frame.area()));
}
