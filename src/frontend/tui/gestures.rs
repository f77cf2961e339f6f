//! Actions on what is visible, whatever triggers them: searching, copying, the mouse.
//!
//! Must change the state of the screen only, and must locate rows through the geometry.

use super::app::{App, Effect};
use super::keymap::{Action, Motion};
use super::layout::Pane;
use super::search::text_of;
use super::view::View;
use super::{body, clipboard};
use crate::report::number::plural;
use crate::report::{Line, Role};
use ratatui::crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

/// Rows that one notch of the wheel scrolls.
const WHEEL: usize = 3;

impl App {
    /// Goes to the next match, or to the one before, in what keys act on.
    pub(super) fn find(&mut self, forward: bool, view: View<'_>) {
        let Some(mut search) = self.search.take() else { return };
        let (rows, extent) = match &self.overlay {
            Some(_) => body::overlay(self),
            None => {
                let Some(extent) = body::extent(self, view, self.focus) else { return };
                (body::all_rows(self, view, self.focus), extent)
            }
        };
        let from = match (self.focus, self.overlay.is_some(), &self.selected) {
            (Pane::Tree, false, Some(selected)) => {
                self.laid(view, body::tree_width(self)).and_then(|laid| laid.row(selected)).unwrap_or(0)
            }
            _ => extent.top,
        };
        match search.step(&rows, from, forward) {
            None => self.say(Line::new().with(Role::Warning, format!("Nothing here holds \"{}\".", search.text))),
            Some((row, number, count)) => {
                let most = extent.rows.saturating_sub(extent.height);
                let top = row.saturating_sub(extent.height / 3).min(most);
                if self.overlay.is_none() && self.focus == Pane::Tree {
                    self.selected = body::selection(self, view, row);
                }
                let focus = self.focus;
                match &mut self.overlay {
                    Some(overlay) => overlay.top = top,
                    None => drop(self.scroll.insert(focus, top)),
                }
                let line = Line::new().with(Role::Muted, format!("match {number} of {count} of "));
                self.say(line.with(Role::Text, format!("\"{}\"", search.text)));
            }
        }
        self.search = Some(search);
    }

    /// Copies what is visible: the overlay, else the selected row of the policy, else the pane.
    pub(super) fn copy(&mut self, view: View<'_>, effects: &mut Vec<Effect>) {
        let selected = self.selected.as_ref().filter(|_| self.focus == Pane::Tree);
        let row = selected.and_then(|selected| self.laid(view, body::tree_width(self))?.row(selected));
        let text = match (&self.overlay, row) {
            (Some(_), _) => body::lines(body::overlay(self).0.into_iter()),
            (None, Some(row)) => {
                let rows = body::all_rows(self, view, Pane::Tree);
                rows.get(row).map_or(String::new(), |row| text_of(row).trim().to_owned())
            }
            (None, None) => body::text(self, view, self.focus),
        };
        let kept = clipboard::fitting(&text);
        let (copied, all) = (kept.lines().count(), text.lines().count());
        let what = match (kept.len() == text.len(), copied) {
            (true, _) => plural(copied, "line"),
            (false, 1) if all == 1 => format!("the first {} KiB of a longer line", clipboard::MOST_BYTES / 1024),
            (false, _) => format!("the first {copied} of {all} lines"),
        };
        self.say(Line::new().with(Role::Muted, format!("Copied {what}, where the terminal allows it.")));
        effects.push(Effect::Copy(kept.to_owned()));
    }

    /// The wheel scrolls what is under the pointer; a click focuses a pane and selects a row of the policy. Returns
    /// whether anything changed.
    pub(super) fn mouse(&mut self, mouse: MouseEvent, view: View<'_>) -> bool {
        let by = match mouse.kind {
            MouseEventKind::ScrollUp => Motion::Up(WHEEL),
            MouseEventKind::ScrollDown => Motion::Down(WHEEL),
            MouseEventKind::Down(MouseButton::Left) => {
                self.click(mouse, view);
                return true;
            }
            _ => return false,
        };
        if self.overlay.is_some() {
            self.overlay_action(&Action::Motion(by));
        } else if let Some((pane, _)) = body::at(self, view, Position::new(mouse.column, mouse.row)) {
            self.scrolled(pane, by, view);
        }
        true
    }

    fn click(&mut self, mouse: MouseEvent, view: View<'_>) {
        if self.overlay.is_some() || self.prompt.is_some() || self.confirm {
            return;
        }
        let Some((pane, row)) = body::at(self, view, Position::new(mouse.column, mouse.row)) else { return };
        let top = body::extent(self, view, pane).map(|extent| extent.top);
        self.focus_on(pane);
        if let (Pane::Tree, Some(row), Some(top)) = (pane, row, top) {
            self.selected = body::selection(self, view, row);
            // The row must not move away from under the pointer.
            self.scroll.insert(Pane::Tree, top);
            self.scroll.remove(&Pane::Node);
        }
    }
}
