//! Source texts of a policy, and positions in them: byte ranges to lines and columns.
//!
//! Must not read files and must not interpret the text.

use crate::text::Untrusted;
use std::ops::Range;

/// One file of a policy as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Where from, as the caller wrote it; included files relative to the same place.
    pub path: Untrusted,
    /// Its text.
    pub text: Untrusted,
}

/// A byte range in one of the files. Small and `Copy`: every value of a draft carries one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct At {
    pub file: u32,
    pub start: u32,
    pub end: u32,
}

impl At {
    pub fn new(file: usize, span: Range<usize>) -> Self {
        // Files are refused above `limits::FILE_BYTES`, far below 4 GiB, so the conversion never saturates in practice.
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self { file: small(file), start: small(span.start), end: small(span.end) }
    }

    pub fn span(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Where every line of a text begins.
#[derive(Debug)]
pub(super) struct LineIndex(Vec<usize>);

impl LineIndex {
    pub fn new(text: &str) -> Self {
        Self(
            std::iter::once(0)
                .chain(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i + 1))
                .collect(),
        )
    }

    /// Line and column of a byte offset, both from 1; the column counts characters.
    pub fn place(&self, text: &str, offset: usize) -> (usize, usize) {
        let line = self.0.partition_point(|start| *start <= offset);
        let start = self.0.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let before = text.get(start..offset).map_or(0, |s| s.chars().count());
        (line.max(1), before + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_begin_at_one() {
        let text = "ab\nпривет x\n";
        let lines = LineIndex::new(text);
        let cases = [(0, (1, 1)), (2, (1, 3)), (3, (2, 1)), (16, (2, 8)), (text.len(), (3, 1))];
        for (offset, place) in cases {
            assert_eq!(lines.place(text, offset), place, "offset {offset}");
        }
        assert_eq!(LineIndex::new("").place("", 0), (1, 1));
    }
}
