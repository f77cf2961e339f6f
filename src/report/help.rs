//! `help` and `apropos` as documents.
//!
//! Must hold no text about commands (that comes from the command table) or anything else (that is in `words`).

use super::{Doc, Line, Page, Role, words};
use crate::command::help::{self, HelpBlock};
use crate::domain::{Complaint, Provenance};
use crate::text::{alike::alike, width};

/// Help for one command, a group of them, a topic such as `words`, or all commands.
pub fn help(topic: Option<&str>, page: Page) -> Result<Doc, Complaint> {
    if let Some(blocks) = topic.and_then(|word| words::topic(word.trim())) {
        return Ok(self::blocks(&blocks, page));
    }
    match help::help(topic, page.source != Provenance::Recorded) {
        Ok(blocks) => Ok(self::blocks(&blocks, page)),
        Err(mut names) => {
            let topics = help::TOPICS.iter().map(|(name, _)| *name);
            names.extend(alike(topic.unwrap_or_default(), topics));
            let message = format!("there is no help for `{}`", topic.unwrap_or_default());
            let hint = if names.is_empty() {
                "`help` lists all commands; `apropos WORD` looks in their descriptions.".to_owned()
            } else {
                format!("Did you mean {}?", names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(" or "))
            };
            Err(Complaint::new(message).hinted(hint))
        }
    }
}

/// The commands that have all words.
pub fn apropos(words: &str, page: Page) -> Result<Doc, Complaint> {
    let found: Vec<HelpBlock> = help::apropos(words).into_iter().map(help::summary).collect();
    if found.is_empty() {
        return Err(Complaint::new(format!("no command is about `{words}`")).hinted("`help` lists all commands."));
    }
    Ok(blocks(&found, page))
}

/// Blocks of help, one below the other.
pub fn blocks(blocks: &[HelpBlock], page: Page) -> Doc {
    let mut doc = Doc::new();
    let longest =
        |pick: fn(&HelpBlock) -> Option<&str>| blocks.iter().filter_map(pick).map(width::width).max().unwrap_or(0);
    let terms =
        longest(|b| if let HelpBlock::Item { term, .. } = b { Some(term) } else { None }).min(page.width / 3) + 2;
    let lines =
        longest(|b| if let HelpBlock::Example { line, .. } = b { Some(line) } else { None }).min(page.width / 2) + 2;
    for (i, block) in blocks.iter().enumerate() {
        let after_list = i > 0 && !matches!(blocks.get(i - 1), Some(HelpBlock::Heading(_)));
        match block {
            HelpBlock::Heading(text) => {
                if i > 0 {
                    doc.push(Line::new());
                }
                doc.push(Line::new().with(Role::Heading, text));
            }
            HelpBlock::Usage(usage) => doc.push(Line::new().with(Role::Answer, usage)),
            HelpBlock::Paragraph(text) => {
                if after_list {
                    doc.push(Line::new());
                }
                doc.words(Line::new(), Role::Text, text, page.width);
            }
            HelpBlock::Item { term, text } => item(&mut doc, Role::Key, term, terms, text, page),
            HelpBlock::Example { line, what } => item(&mut doc, Role::Answer, line, lines, what, page),
        }
    }
    doc
}

/// A term with its text beside it, or below it if the term is too long for its column.
fn item(doc: &mut Doc, role: Role, term: &str, column: usize, text: &str, page: Page) {
    if width::width(term) + 2 > column {
        doc.push(Line::new().with(Role::Text, "  ").with(role, term));
        doc.words(Line::new().with(Role::Text, " ".repeat(column + 2)), Role::Text, text, page.width);
    } else {
        doc.words(Line::new().with(Role::Text, "  ").column(role, term, column), Role::Text, text, page.width);
    }
}
