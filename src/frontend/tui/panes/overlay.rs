//! The overlay: a document shown over the panes: help, the output of `x`, a long answer.
//!
//! Must close with one key and must show when there is more to scroll.

use crate::command::TABLE;
use crate::command::spec::Group;
use crate::frontend::tui::keymap;
use crate::report::{Doc, Line, Role};

/// Column of the help screen in which the keys of the view are described.
const VIEW: usize = 17;
/// Column in which the line of a key of a command begins.
const LINE: usize = 9;
/// Column in which commands are explained.
const WORDS: usize = 30;

/// Something that lies over the panes until it is closed.
#[derive(Clone, Debug, PartialEq)]
pub struct Overlay {
    /// Its title, our own words or an escaped line.
    pub title: String,
    /// What it shows.
    pub doc: Doc,
    /// First row shown.
    pub top: usize,
    /// Where the continuation of a long line begins.
    pub indent: usize,
}

impl Overlay {
    /// An overlay at its top.
    pub fn new(title: impl Into<String>, doc: Doc) -> Self {
        Self { title: title.into(), doc, top: 0, indent: 4 }
    }

    /// The `?` screen: every key, then every command by group, both from the table.
    pub fn help() -> Self {
        let mut doc = Doc::new();
        doc.push(Line::new().with(Role::Heading, "Keys of the view"));
        for (key, what) in keymap::VIEW_KEYS {
            doc.push(Line::new().column(Role::Answer, format!("  {key}"), VIEW).with(Role::Text, what));
        }
        doc.push(Line::new());
        doc.push(Line::new().with(Role::Heading, "Keys that give a command"));
        for (key, what, line) in keymap::commands() {
            doc.push(
                Line::new()
                    .column(Role::Answer, format!("  {key}"), LINE)
                    .column(Role::Muted, line, WORDS - LINE)
                    .with(Role::Text, what),
            );
        }
        for group in Group::ALL {
            doc.push(Line::new());
            doc.push(Line::new().with(Role::Heading, group.title()));
            for spec in TABLE.iter().copied().filter(|s| s.group == group) {
                let usage = format!("  {:<1$} ", spec.usage(), WORDS - 3);
                doc.push(Line::new().with(Role::Answer, usage).with(Role::Text, spec.summary));
            }
        }
        doc.push(Line::new());
        doc.push(Line::new().with(Role::Hint, "Type :help COMMAND for more about one of them."));
        Self { indent: WORDS, ..Self::new("Help", doc) }
    }
}
