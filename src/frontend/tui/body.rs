//! The panes as a table, and the geometry of their contents: how many rows there are, which are visible, and what lies
//! at a given position.
//!
//! Must only read the state of the screen, and must draw no more rows than are asked for.

use super::ink::{Ink, Row, selected_row, wrap};
use super::layout::{self, LEAST, Pane, Screen};
use super::panes::tree::{Laid, Selected};
use super::panes::{compare, node, sample};
use super::search::text_of;
use super::theme::Styles;
use super::ui::Ui;
use super::view::View;
use crate::domain::Target;
use crate::report::Role;
use crate::session::state::Walk;
use ratatui::layout::{Position, Rect};
use ratatui::text::Span;
use std::ops::Range;

/// One pane. Another pane is another row here and a name in [`Pane`].
pub struct PaneRow {
    /// Which.
    pub pane: Pane,
    /// Its title in the border.
    pub title: for<'a> fn(&'a Ui, View<'a>) -> Vec<Span<'static>>,
    /// Its contents for a number of columns and rows.
    pub rows: for<'a> fn(&'a Ui, View<'a>, usize, usize) -> Content<'a>,
    /// Keys that do something here and not in every pane.
    pub keys: &'static [(&'static str, &'static str)],
}

/// The panes.
pub static PANES: [PaneRow; Pane::ALL.len()] = [
    PaneRow { pane: Pane::Tree, title: tree_title, rows: tree_rows, keys: &[("j k", "select")] },
    PaneRow { pane: Pane::Sample, title: |ui, view| sample::title(ink(ui), view), rows: sample_rows, keys: SCROLL },
    PaneRow { pane: Pane::Node, title: node_title, rows: node_rows, keys: SCROLL },
    PaneRow { pane: Pane::Compare, title: |_, _| vec![Span::raw("Compare")], rows: compare_rows, keys: SCROLL },
    PaneRow { pane: Pane::Log, title: |_, _| vec![Span::raw("Log")], rows: log_rows, keys: SCROLL },
];

const SCROLL: &[(&str, &str)] = &[("j k", "scroll")];

/// The row of a pane.
pub fn pane_row(pane: Pane) -> &'static PaneRow {
    PANES.iter().find(|row| row.pane == pane).unwrap_or(&PANES[0])
}

/// What a pane has to show.
pub struct Content<'a> {
    /// Rows that stay at the top.
    head: Vec<Row>,
    /// Rows that scroll.
    rows: Rows<'a>,
    /// Rows that stay at the bottom.
    pinned: Vec<Row>,
    /// The first row shown unless it was scrolled by hand.
    top: usize,
}

impl<'a> Content<'a> {
    fn plain(rows: Vec<Row>) -> Self {
        Self { head: Vec::new(), rows: Rows::All(rows), pinned: Vec::new(), top: 0 }
    }
}

/// Rows that scroll.
pub enum Rows<'a> {
    /// All of them.
    All(Vec<Row>),
    /// This many, drawn when they are needed.
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

/// A pane as it is shown.
pub struct Body {
    /// The rows on the screen, from the top of the pane.
    pub rows: Vec<Row>,
    /// Rows that are scrolled out of sight at the top.
    pub above: usize,
    /// And at the bottom.
    pub below: usize,
}

/// The extent of a pane's scrolling rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// How many there are.
    pub rows: usize,
    /// How many of them are on the screen.
    pub height: usize,
    /// The first of these.
    pub top: usize,
    /// Rows above it that stay.
    pub head: usize,
}

fn ink(ui: &Ui) -> Ink {
    Ink(ui.setup.theme)
}

/// The screen as it is now; `None` if it is too small.
pub fn screen(ui: &Ui) -> Option<Screen> {
    layout::screen(ui.size, ui.arrangement())
}

/// What a pane shows inside `inner`.
pub fn body(ui: &Ui, view: View<'_>, pane: Pane, inner: Rect) -> Body {
    let (content, extent) = laid(ui, view, pane, inner);
    let Extent { rows, height, top, .. } = extent;
    let shown = content.rows.take(top..top + height);
    let filler = height.saturating_sub(shown.len());
    let marked = shown.into_iter().map(|row| match &ui.search {
        Some(search) if ui.focus == pane && ui.overlay.is_none() => search.mark(row),
        _ => row,
    });
    let filled = marked.chain(std::iter::repeat_n(Row::default(), filler));
    Body {
        rows: content.head.into_iter().chain(filled).chain(content.pinned).collect(),
        above: top,
        below: rows.saturating_sub(top + height),
    }
}

/// The content of a pane, and which part of it is on the screen.
fn laid<'a>(ui: &'a Ui, view: View<'a>, pane: Pane, inner: Rect) -> (Content<'a>, Extent) {
    let mut content = (pane_row(pane).rows)(ui, view, usize::from(inner.width), usize::from(inner.height));
    let rows = content.rows.len();
    let room =
        |content: &Content<'_>| usize::from(inner.height).saturating_sub(content.head.len() + content.pinned.len());
    let top = |content: &Content<'_>| {
        ui.scroll.get(&pane).copied().unwrap_or(content.top).min(rows.saturating_sub(room(content)))
    };
    if !content.head.is_empty() && rows > room(&content) && room(&content) > 1 {
        // What scrolls must not look like the rest of what stays.
        content.top += usize::from(content.top > 0);
        content.head.push(Row::default());
        if top(&content) > 0
            && let Some(last) = content.head.last_mut()
        {
            *last = Row::from(ink(ui).faint("⋯"));
        }
    }
    let extent = Extent { rows, height: room(&content), top: top(&content), head: content.head.len() };
    (content, extent)
}

/// The extent of a pane's rows; `None` if it is not shown.
pub fn extent(ui: &Ui, view: View<'_>, pane: Pane) -> Option<Extent> {
    let inner = layout::inner(screen(ui)?.place_of(pane)?);
    Some(laid(ui, view, pane, inner).1)
}

/// All rows of a pane that scroll, shown or not.
pub fn all_rows(ui: &Ui, view: View<'_>, pane: Pane) -> Vec<Row> {
    let inner = screen(ui).and_then(|s| s.place_of(pane)).map_or(Rect::new(0, 0, 80, 24), layout::inner);
    let content = (pane_row(pane).rows)(ui, view, usize::from(inner.width), usize::from(inner.height));
    let count = content.rows.len();
    content.rows.take(0..count)
}

/// The whole text of a pane, as it is drawn.
pub fn text(ui: &Ui, view: View<'_>, pane: Pane) -> String {
    let inner = screen(ui).and_then(|s| s.place_of(pane)).map_or(Rect::new(0, 0, 80, 24), layout::inner);
    let content = (pane_row(pane).rows)(ui, view, usize::from(inner.width), usize::from(inner.height));
    let count = content.rows.len();
    lines(content.head.into_iter().chain(content.rows.take(0..count)).chain(content.pinned))
}

/// Rows as lines of text.
pub fn lines(rows: impl Iterator<Item = Row>) -> String {
    let lines: Vec<String> = rows.map(|row| text_of(&row).trim_end().to_owned()).collect();
    lines.join("\n").trim_end().to_owned()
}

/// The pane at a position on the screen, and its row there, if any.
pub fn at(ui: &Ui, view: View<'_>, place: Position) -> Option<(Pane, Option<usize>)> {
    let (pane, rect) = screen(ui)?.panes.into_iter().find(|(_, rect)| rect.contains(place))?;
    let inner = layout::inner(rect);
    let extent = laid(ui, view, pane, inner).1;
    let row = usize::from(place.y).checked_sub(usize::from(inner.y) + extent.head).filter(|row| *row < extent.height);
    Some((pane, row.map(|row| row + extent.top).filter(|row| *row < extent.rows)))
}

/// The selection of a row of the policy.
pub fn selection(ui: &Ui, view: View<'_>, row: usize) -> Option<Selected> {
    ui.laid(view, tree_width(ui))?.select(row)
}

/// The row of the policy whose node or leaf keys act on: the selected one, else that of the node in the node pane.
pub fn lit_row(ui: &Ui, view: View<'_>, laid: &Laid) -> Option<usize> {
    match &ui.selected {
        Some(selected) => laid.row(selected),
        None => laid.row_of(&Target::Node(node::subject(view, None, &ui.activity)?.id)),
    }
}

/// Width of a row of the policy pane, or what it would be if the pane is hidden.
pub fn tree_width(ui: &Ui) -> usize {
    pane_width(ui, Pane::Tree)
}

/// Width of a line of the log pane, or what it would be if the pane is hidden.
pub fn log_width(ui: &Ui) -> usize {
    pane_width(ui, Pane::Log)
}

fn pane_width(ui: &Ui, pane: Pane) -> usize {
    let looked_at = layout::Arrangement { tab: pane, focus: pane, zoomed: ui.zoomed && ui.focus == pane };
    let rect = layout::screen(ui.size, looked_at).and_then(|s| s.place_of(pane));
    rect.map_or(LEAST.0, |rect| layout::inner(rect).width).into()
}

fn tree_title(ui: &Ui, view: View<'_>) -> Vec<Span<'static>> {
    match view.policy() {
        Some(policy) => {
            let mut spans = vec![Span::raw("Policy · ")];
            spans.extend(ink(ui).escaped(Role::Muted, &policy.title.escaped()));
            spans
        }
        None => vec![Span::raw("Policy")],
    }
}

fn tree_rows<'a>(ui: &'a Ui, view: View<'a>, width: usize, height: usize) -> Content<'a> {
    let ink = ink(ui);
    let Some(laid) = ui.laid(view, width) else { return Content::plain(Vec::new()) };
    let lit = lit_row(ui, view, &laid);
    let selected = lit.filter(|_| ui.selected.is_some());
    let asking = ui.activity.asking();
    let stands = asking.cloned().map(Target::Node).or_else(|| Some(view.walk()?.frontier()));
    let at = selected.or_else(|| laid.row_of(&stands?)).or(lit).unwrap_or(0);
    let draw = {
        let laid = laid.clone();
        move |range: Range<usize>| {
            let lit = lit.filter(|_| selected.is_none());
            let rows = laid.rows(ink, view, (asking, lit), range.clone(), width);
            let style = |(i, row): (usize, Row)| match selected == Some(range.start + i) {
                true => selected_row(row, ink.0.selection()),
                false => row,
            };
            rows.into_iter().enumerate().map(style).collect()
        }
    };
    let top = (at + 1 + height / 3).saturating_sub(height);
    // What keys act on stays in sight too, if both fit.
    let top = lit.filter(|lit| at < lit + height).map_or(top, |lit| top.min(lit));
    Content { rows: Rows::Lazy(laid.len(), Box::new(draw)), top, ..Content::plain(Vec::new()) }
}

fn sample_rows<'a>(ui: &'a Ui, view: View<'a>, width: usize, _: usize) -> Content<'a> {
    Content::plain(sample::rows(ink(ui), view, width))
}

fn node_title(ui: &Ui, view: View<'_>) -> Vec<Span<'static>> {
    node::title(ink(ui), view, node::subject(view, ui.target(), &ui.activity).as_ref())
}

fn node_rows<'a>(ui: &'a Ui, view: View<'a>, width: usize, height: usize) -> Content<'a> {
    let ink = ink(ui);
    let subject = node::subject(view, ui.target(), &ui.activity);
    let step = subject.as_ref().and_then(|s| s.step).map(|(i, _)| i);
    let source = view.walk().zip(step).map(|(walk, place)| ui.page(width).source_of(walk, place));
    let mut pinned = node::footer(ink, subject.as_ref(), source, width);
    pinned.truncate(height.saturating_sub(1));
    let mut head = node::question(ink, subject.as_ref(), width);
    head.truncate(height.saturating_sub(pinned.len() + 2).min(3));
    let room = height.saturating_sub(head.len() + pinned.len());
    // One row stays free between what scrolls and what is pinned.
    let rows = node::rows(ink, subject.as_ref(), &ui.activity, width, room.saturating_sub(1));
    if rows.len() < room && !pinned.is_empty() {
        pinned.insert(0, Row::default());
    }
    let spoken = subject.is_some_and(|s| s.asking || s.step.is_some());
    let room = height.saturating_sub(head.len() + pinned.len());
    let top = if spoken { rows.len().saturating_sub(room) } else { 0 };
    Content { head, rows: Rows::All(rows), pinned, top }
}

fn compare_rows<'a>(ui: &'a Ui, view: View<'a>, width: usize, _: usize) -> Content<'a> {
    let source = |walk: &Walk| ui.page(width).source_of_walk(walk);
    Content::plain(compare::rows(ink(ui), view, &source, width))
}

/// The log, wrapped; only its end if the pane follows it.
fn log_rows<'a>(ui: &'a Ui, _: View<'a>, width: usize, height: usize) -> Content<'a> {
    let ink = ink(ui);
    let following = !ui.scroll.contains_key(&Pane::Log) && ui.focus != Pane::Log;
    let wrapped = |line: &crate::report::Line| ink.fitted(line, width, 2);
    let mut rows: Vec<Row> = Vec::new();
    if following {
        for line in ui.log.lines().rev() {
            rows.splice(0..0, wrapped(line));
            if rows.len() >= height {
                break;
            }
        }
    } else {
        rows = ui.log.lines().flat_map(wrapped).collect();
    }
    let top = rows.len().saturating_sub(height);
    Content { top, ..Content::plain(rows) }
}

/// Rows of the overlay, and the extent of the visible ones.
pub fn overlay(ui: &Ui) -> (Vec<Row>, Extent) {
    let inner = layout::inner(overlay_area(ui.size));
    let width = usize::from(inner.width);
    let rows: Vec<Row> = match &ui.overlay {
        Some(overlay) => overlay.doc.0.iter().flat_map(|line| ink(ui).fitted(line, width, overlay.indent)).collect(),
        None => Vec::new(),
    };
    let height = usize::from(inner.height);
    let top = ui.overlay.as_ref().map_or(0, |o| o.top).min(rows.len().saturating_sub(height));
    let extent = Extent { rows: rows.len(), height, top, head: 0 };
    (rows, extent)
}

/// Cells that a line of an overlay has.
pub fn overlay_width(ui: &Ui) -> usize {
    usize::from(layout::inner(overlay_area(ui.size)).width)
}

/// The area of the panes: everything between the title and the prompt.
pub fn overlay_area(area: Rect) -> Rect {
    Rect { x: area.x, y: area.y.saturating_add(1), width: area.width, height: area.height.saturating_sub(3) }
}

/// Shown if nothing fits: the current size, and the size that is needed.
pub fn too_small(ui: &Ui) -> Vec<Row> {
    let (width, height) = (ui.size.width, ui.size.height);
    let text = format!("This terminal is {width}×{height}; {}×{} are needed. q quits.", LEAST.0, LEAST.1);
    wrap(&Row::from(ink(ui).own(Role::Warning, text)), usize::from(width), 0)
}
