//! Documents as JSON, for other programs.
//!
//! Must keep roles: only its role tells a hidden character's marker from a text that spells the same letters.

use super::Doc;
use serde::Serialize;

#[derive(Serialize)]
struct SpanOut<'a> {
    role: &'static str,
    text: &'a str,
}

/// A JSON array of lines, each an array of `{"role", "text"}`; on one line, without a line end.
pub fn render(doc: &Doc) -> String {
    let lines: Vec<Vec<SpanOut<'_>>> = doc
        .0
        .iter()
        .map(|line| line.0.iter().map(|s| SpanOut { role: s.role.as_str(), text: s.text.as_str() }).collect())
        .collect();
    serde_json::to_string(&lines).expect("strings and arrays always serialise")
}
