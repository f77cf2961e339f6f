//! The output of `x`: the prompt, its tokens, the most likely next tokens.
//!
//! Must show every character: what the model reads is what is under examination.

use super::number::{bar, p, plural};
use super::{Doc, Line, Page, Role};
use crate::domain::{Examination, Part, Piece, TokenView, TopToken};
use crate::text::{Untrusted, width};

/// Cells of the column with the part's name.
const PART: usize = 14;

/// The document of an examination.
pub fn examination(examination: &Examination, page: Page) -> Doc {
    match examination {
        Examination::Prompt(pieces) => prompt(pieces, page),
        Examination::Tokens(tokens) => self::tokens(tokens, page),
        Examination::Top { position, tokens } => top(*position, tokens, page),
    }
}

/// What was found, in a few words.
pub fn examined(examination: &Examination) -> Line {
    let line = Line::new();
    match examination {
        Examination::Prompt(_) => line.with(Role::Text, "the prompt"),
        Examination::Tokens(tokens) => line.with(Role::Text, format!("the {}", plural(tokens.len(), "token"))),
        Examination::Top { position, tokens } => {
            let tokens = plural(tokens.len(), "most likely token");
            line.with(Role::Text, format!("the {tokens} after {}", plural(*position as usize, "token")))
        }
    }
}

fn prompt(pieces: &[Piece], page: Page) -> Doc {
    let mut doc = Doc::new();
    let mut last = None;
    for piece in pieces {
        let name = if last == Some(piece.part) { "" } else { piece.part.as_str() };
        last = Some(piece.part);
        let bar = Line::new().column(Role::Key, name, PART).with(Role::Muted, "│ ");
        let more = Line::new().column(Role::Key, "", PART).with(Role::Muted, "│ ");
        let mut text = Doc::new();
        text.paragraph(Line::new(), role(piece.part), &piece.text, page.width.saturating_sub(bar.width()));
        for (i, line) in text.0.into_iter().enumerate() {
            doc.push(if i == 0 { bar.clone() } else { more.clone() }.join(line));
        }
    }
    doc
}

fn tokens(tokens: &[TokenView], page: Page) -> Doc {
    let mut doc = Doc::new();
    let mut last = None;
    for token in tokens {
        let name = if last == Some(token.part) { "" } else { token.part.as_str() };
        last = Some(token.part);
        let line = Line::new()
            .column(Role::Key, name, PART)
            .with(Role::Muted, format!("{:>5} ", token.position))
            .with(Role::Value, format!("{:>7}  ", token.id));
        let cells = page.width.saturating_sub(line.width() + 10);
        let line = quoted(line, role(token.part), &token.text, cells);
        doc.push(if token.control { line.with(Role::Warning, " control") } else { line });
    }
    match tokens.len() {
        0 => doc.words(Line::new(), Role::Muted, READS_NOTHING, page.width),
        n => doc.push(Line::new().with(Role::Muted, plural(n, "token"))),
    }
    doc
}

/// What stands in for tokens where there are none.
const READS_NOTHING: &str = "no tokens: a scripted judge reads nothing; load a model to see them";

fn top(position: u32, tokens: &[TopToken], page: Page) -> Doc {
    let mut doc = Doc::new();
    if tokens.is_empty() {
        doc.words(Line::new(), Role::Muted, READS_NOTHING, page.width);
        return doc;
    }
    doc.push(Line::new().with(Role::Heading, format!("most likely after {position} tokens")));
    let widest = tokens.iter().map(|t| width::width(t.text.escaped().as_str()) + 2).max().unwrap_or(0);
    let column = widest.clamp(8, 24.max(page.width / 3));
    for token in tokens {
        let probability = token.logprob.exp();
        let mut line = quoted(Line::new().with(Role::Text, "  "), Role::Answer, &token.text, column - 2);
        let fill = (column + 3).saturating_sub(line.width());
        line = line
            .with(Role::Text, " ".repeat(fill))
            .with(Role::Value, p(probability))
            .with(Role::Muted, format!("  {:>8}  {:>7}  ", logprob(token.logprob), token.id))
            .with(Role::Bar, bar(probability, 20));
        doc.push(line);
    }
    if let [first, ..] = tokens {
        let mass: f64 = tokens.iter().map(|t| t.logprob.exp()).sum();
        let rest = p((1.0 - mass).clamp(0.0, 1.0));
        let all = plural(tokens.len(), "token");
        if first.logprob.is_finite() {
            doc.push(
                Line::new().with(Role::Muted, format!("  these {all} hold {}; all others {}", p(mass.min(1.0)), rest)),
            );
        }
    }
    doc
}

fn logprob(value: f64) -> String {
    if value.is_finite() { format!("{value:.3}") } else { "–".to_owned() }
}

/// A token's text between marks, so that spaces at its ends show.
fn quoted(line: Line, role: Role, text: &Untrusted, cells: usize) -> Line {
    let escaped = text.escaped();
    let line = line.with(Role::Muted, "‹");
    let line = if width::width(escaped.as_str()) <= cells {
        line.escaped(role, &escaped)
    } else {
        line.with(role, width::truncate(escaped.as_str(), cells))
    };
    line.with(Role::Muted, "›")
}

const fn role(part: Part) -> Role {
    match part {
        Part::Template | Part::Fence => Role::Muted,
        Part::Sample => Role::Content,
        Part::Rationale => Role::Rationale,
        Part::Question => Role::Node,
        Part::Answers | Part::Cue => Role::Answer,
        Part::Instructions | Part::Terms | Part::Guidance | Part::Examples => Role::Text,
    }
}
