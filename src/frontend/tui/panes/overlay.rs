//! The overlay: a document over the panes: help, what `x` found, a long answer.
//!
//! Must be closable by one key and must not hide that there is more to scroll.

use crate::command::TABLE;
use crate::command::spec::Group;
use crate::frontend::tui::keymap;
use crate::report::{Doc, Line, Role};

/// Column of the help screen in which explanations begin.
const WORDS: usize = 34;

/// Something that lies over the panes until it is closed.
#[derive(Clone, Debug, PartialEq)]
pub struct Overlay {
    /// Its title, our own words or an escaped line.
    pub title: String,
    /// What it shows.
    pub doc: Doc,
    /// First row shown.
    pub top: usize,
    /// Where the continuation of a line that is too long begins.
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
        doc.push(Line::new().with(Role::Heading, "Keys"));
        for (key, label, line) in keymap::all() {
            doc.push(
                Line::new()
                    .column(Role::Answer, format!("  {key}"), 13)
                    .column(Role::Muted, line, WORDS - 13)
                    .with(Role::Text, label),
            );
        }
        for group in Group::ALL {
            doc.push(Line::new());
            doc.push(Line::new().with(Role::Heading, group.title()));
            for spec in TABLE.iter().copied().filter(|s| s.group == group) {
                doc.push(
                    Line::new().with(Role::Answer, format!("  {:<38}", spec.usage())).with(Role::Text, spec.summary),
                );
            }
        }
        doc.push(Line::new());
        doc.push(Line::new().with(Role::Hint, "Type :help COMMAND for more about one of them."));
        Self { indent: WORDS, ..Self::new("Help", doc) }
    }
}
