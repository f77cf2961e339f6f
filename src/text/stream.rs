//! `Stream`: escapes text that arrives in pieces, such as the tokens a model writes.
//!
//! Must give the same result however the text is cut: a piece may end in the middle of an emoji or before a joiner.

use super::Escaped;
use unicode_segmentation::UnicodeSegmentation;

/// Escapes a text that arrives in pieces. What has been handed out never changes; the last grapheme cluster is held
/// back until the next piece shows where it ends.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    held: String,
}

impl Stream {
    /// Takes the next piece and returns what is final by now: the first element continues the current line, each
    /// further one begins a new line. Never empty.
    pub fn push(&mut self, piece: &str) -> Vec<Escaped> {
        self.held.push_str(piece);
        let text = std::mem::take(&mut self.held);
        let mut lines: Vec<&str> = text.split('\n').collect();
        let last = lines.pop().unwrap_or_default();
        let mut out: Vec<Escaped> = lines.into_iter().map(Escaped::line).collect();
        let mut part = Escaped::default();
        let mut clusters = last.graphemes(true).peekable();
        while let Some(cluster) = clusters.next() {
            match clusters.peek() {
                Some(next) => part.push_cluster(cluster, next.chars().next()),
                None => self.held.push_str(cluster),
            }
        }
        out.push(part);
        out
    }

    /// What was held back, when no more pieces come.
    pub fn finish(self) -> Escaped {
        Escaped::line(&self.held)
    }
}
