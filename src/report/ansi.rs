//! Documents with colours, for line front ends on a terminal.
//!
//! Must be the only place that adds escape sequences to a document's text, and only SGR ones. The caller knows whether
//! a terminal wants colours; if not, it uses [`plain`](super::plain).

use super::theme::{Colour, Look, Theme};
use super::{Doc, plain};

/// `doc` in the looks of a theme, or as plain text.
pub fn render_for(doc: &Doc, theme: Option<Theme>) -> String {
    theme.map_or_else(|| plain::render(doc), |theme| render(doc, theme))
}

/// One line of text per line, each ended by `\n`; every coloured span is reset before the next.
pub fn render(doc: &Doc, theme: Theme) -> String {
    let mut out = String::new();
    for line in &doc.0 {
        for span in &line.0 {
            out.push_str(&paint(theme.look(span.role), span.text.as_str()));
        }
        out.push('\n');
    }
    out
}

/// `text`, which is escaped already, in a look.
fn paint(look: Look, text: &str) -> String {
    let codes = codes(look);
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
        Colour::Gray => "37",
        Colour::DarkGray => "90",
        Colour::LightRed => "91",
        Colour::LightGreen => "92",
        Colour::LightYellow => "93",
        Colour::LightBlue => "94",
        Colour::LightMagenta => "95",
        Colour::LightCyan => "96",
    });
    let parts = [
        look.bold.then_some("1"),
        look.dim.then_some("2"),
        look.italic.then_some("3"),
        look.reverse.then_some("7"),
        colour,
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(";")
}
