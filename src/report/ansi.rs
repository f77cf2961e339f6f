//! Documents with colours, for a terminal that is not full-screen.
//!
//! Must be the only place that writes escape sequences into a document's text, and only SGR ones. Whether a terminal may
//! be coloured is the caller's to know; where not, it takes [`plain`](super::plain).

use super::theme::{Colour, Look, look};
use super::{Doc, Role};

/// One line of text per line, each ended by `\n`; every coloured span is reset before the next.
pub fn render(doc: &Doc) -> String {
    let mut out = String::new();
    for line in &doc.0 {
        for span in &line.0 {
            out.push_str(&paint(span.role, span.text.as_str()));
        }
        out.push('\n');
    }
    out
}

/// `text`, which is escaped already, in the look of `role`.
fn paint(role: Role, text: &str) -> String {
    let codes = codes(look(role));
    if codes.is_empty() || text.trim().is_empty() { text.to_owned() } else { format!("\x1b[{codes}m{text}\x1b[0m") }
}

/// The parameters of the SGR sequence, empty for plain text.
fn codes(look: Look) -> String {
    let colour = look.colour.map(|colour| match colour {
        Colour::Red => "31",
        Colour::Green => "32",
        Colour::Blue => "34",
        Colour::Magenta => "35",
        Colour::Cyan => "36",
    });
    let parts = [look.bold.then_some("1"), look.dim.then_some("2"), look.reverse.then_some("7"), colour];
    parts.into_iter().flatten().collect::<Vec<_>>().join(";")
}
