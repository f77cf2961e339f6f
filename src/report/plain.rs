//! Documents as plain text, for pipes, logs and `NO_COLOR`.
//!
//! Must add or drop nothing but line breaks: everything a reader needs is in the words.

use super::Doc;

/// One line of text per line, each ended by `\n`, without spaces at its end.
pub fn render(doc: &Doc) -> String {
    doc.0.iter().map(|line| format!("{}\n", line.text().trim_end())).collect()
}
