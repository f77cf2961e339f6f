//! The content of a sample: its text or fields, with hidden characters shown and counted.
//!
//! Must not change the content; what is left out must be counted and reported.

use super::number::plural;
use super::{Doc, Line, Page, Role};
use crate::domain::{Content, Sample};
use crate::text::{Untrusted, width};

/// The content, `indent` cells in, at most `limit` lines; `usize::MAX` is all of it.
pub fn content(sample: &Sample, indent: usize, limit: usize, page: Page) -> Doc {
    let mut doc = Doc::new();
    let margin = || Line::new().with(Role::Text, " ".repeat(indent));
    match &sample.content {
        Content::Text(text) => doc.paragraph(margin(), Role::Content, text, page.width),
        Content::Fields(fields) => {
            let column = fields.iter().map(|f| width::width(f.name.as_str())).max().unwrap_or(0).min(16) + 2;
            for field in fields {
                let mut name = field.name.as_str();
                for value in &field.values {
                    doc.paragraph(margin().column(Role::Key, name, column), Role::Content, value, page.width);
                    name = "";
                }
            }
        }
    }
    let lines = doc.0.len();
    if lines > limit {
        doc.0.truncate(limit);
        let more = plural(lines - limit, "more line");
        doc.push(margin().with(Role::Muted, format!("… {more}; `info sample` shows all of it")));
    }
    let hidden = hidden(sample);
    if hidden > 0 {
        doc.push(margin().with(Role::Warning, format!("! {} shown as <U+…>", plural(hidden, "hidden character"))));
    }
    doc
}

/// How many characters of the content a reader would not see. Line breaks are not counted.
pub fn hidden(sample: &Sample) -> usize {
    texts(sample).flat_map(|text| crate::text::Escaped::lines(text.raw())).map(|line| line.hidden()).sum()
}

/// The content as one line, for lists.
pub fn excerpt(sample: &Sample, cells: usize) -> Line {
    let first = texts(sample).map(|t| t.raw().trim()).find(|t| !t.is_empty()).unwrap_or_default();
    // Enough characters for any width, so that a long text is not escaped whole for one line of a list.
    let short: String = first.chars().take(cells + 1).map(|c| if c == '\n' { ' ' } else { c }).collect();
    let escaped = crate::text::Escaped::line(&short);
    Line::new().with(Role::Content, width::truncate(escaped.as_str(), cells))
}

fn texts(sample: &Sample) -> Box<dyn Iterator<Item = &Untrusted> + '_> {
    match &sample.content {
        Content::Text(text) => Box::new(std::iter::once(text)),
        Content::Fields(fields) => Box::new(fields.iter().flat_map(|f| &f.values)),
    }
}
