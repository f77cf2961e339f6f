//! Documents as Markdown, for reports and issue trackers.
//!
//! Must not let a text of the document become markup: everything but headings stands in a fence that it cannot close.

use super::{Doc, Line, Role};

/// Lines that are a heading become `### …`; what stands between them becomes fenced blocks, so that columns stay aligned.
pub fn render(doc: &Doc) -> String {
    let mut out = String::new();
    for block in doc.0.chunk_by(|a, b| !is_heading(a) && !is_heading(b)) {
        match block {
            [line] if is_heading(line) => out.push_str(&format!("### {}\n\n", inline(line.text().trim()))),
            lines => out.push_str(&fenced(lines)),
        }
    }
    out
}

fn is_heading(line: &Line) -> bool {
    !line.0.is_empty() && line.0.iter().all(|s| s.role == Role::Heading)
}

fn fenced(lines: &[Line]) -> String {
    let texts: Vec<String> = lines.iter().map(|line| line.text().trim_end().to_owned()).collect();
    let is_blank = |text: &&String| text.is_empty();
    let (start, end) = (texts.iter().take_while(is_blank).count(), texts.iter().rev().take_while(is_blank).count());
    let Some(texts) = texts.get(start..texts.len().saturating_sub(end)).filter(|t| !t.is_empty()) else {
        return String::new();
    };
    let run = texts.iter().flat_map(|t| t.split(|c| c != '`')).map(str::len).max().unwrap_or(0);
    let fence = "`".repeat((run + 1).max(3));
    format!("{fence}text\n{}\n{fence}\n\n", texts.join("\n"))
}

/// Text as the content of a heading: what Markdown or HTML would read as markup is escaped.
fn inline(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '&' | '!') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
