//! `Transient`: what a terminal shows only while a command runs: progress, and the rationale as the model writes it.
//!
//! Must be able to erase what it showed: the step printed after the node is answered repeats the whole rationale.

use super::progress::ProgressView;
use crate::judge::Progress;
use crate::text::{Escaped, Stream, width};
use std::io::{self, IsTerminal as _, Write};
use unicode_segmentation::UnicodeSegmentation as _;

/// The indentation of each row of the rationale.
const INDENT: &str = "  ";

/// What is on the terminal for as long as a command runs.
pub struct Transient {
    view: ProgressView<'static>,
    /// Whether the terminal can move its cursor, so that output can be erased.
    movable: bool,
    writing: Option<Writing>,
}

/// A rationale on the terminal: how many rows above the cursor it began, and the cursor's column.
#[derive(Default)]
struct Writing {
    stream: Stream,
    rows: usize,
    column: usize,
}

impl Default for Transient {
    fn default() -> Self {
        Self { view: ProgressView::of(io::stderr().is_terminal(), io::stderr()), movable: true, writing: None }
    }
}

impl Transient {
    /// For a terminal that cannot move its cursor: lines that stay, and no rationale before it is whole.
    pub fn for_dumb_terminal() -> Self {
        Self { view: ProgressView::lines(io::stderr()), movable: false, writing: None }
    }

    /// Shows progress, unless a rationale is being written.
    pub fn progress(&mut self, progress: &Progress) {
        if self.writing.is_none() {
            self.view.show(progress);
        }
    }

    /// Shows a piece of rationale, wrapped at `cells`.
    pub fn token(&mut self, piece: &str, cells: usize, out: &mut dyn Write) -> io::Result<()> {
        if !self.movable {
            return Ok(());
        }
        self.view.clear();
        if self.writing.is_none() {
            out.write_all(INDENT.as_bytes())?;
        }
        let writing = self.writing.get_or_insert_default();
        for (index, part) in writing.stream.push(piece).iter().enumerate() {
            if index > 0 {
                writing.next_row(out)?;
            }
            writing.write(part, cells, out)?;
        }
        out.flush()
    }

    /// Takes the rationale off the terminal.
    pub fn erase(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.view.clear();
        if let Some(writing) = self.writing.take() {
            if writing.rows > 0 {
                write!(out, "\x1b[{}A", writing.rows)?;
            }
            out.write_all(b"\r\x1b[J")?;
        }
        Ok(())
    }

    /// Leaves the rationale on the screen and moves to the next row.
    pub fn leave(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.view.clear();
        if let Some(mut writing) = self.writing.take() {
            let rest = std::mem::take(&mut writing.stream).finish();
            writing.write(&rest, usize::MAX, out)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    }
}

impl Writing {
    fn next_row(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.rows += 1;
        self.column = 0;
        write!(out, "\n{INDENT}")
    }

    fn write(&mut self, text: &Escaped, cells: usize, out: &mut dyn Write) -> io::Result<()> {
        // One cell is left free: a terminal may go to the next row as soon as the last cell is written.
        let most = cells.saturating_sub(INDENT.len() + 1).max(1);
        for cluster in text.as_str().graphemes(true) {
            let wide = width::width(cluster);
            if self.column > 0 && self.column + wide > most {
                self.next_row(out)?;
            }
            self.column += wide;
            out.write_all(cluster.as_bytes())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen(bytes: &[u8]) -> String {
        let cells = |n| std::num::NonZeroU16::new(n).expect("not zero");
        let mut parser = vt100::Parser::new(cells(8), cells(20), 0);
        parser.process(String::from_utf8_lossy(bytes).replace('\n', "\r\n").as_bytes());
        parser.screen().contents()
    }

    #[test]
    fn what_was_streamed_is_taken_back_whole_whatever_it_held() {
        for text in [
            "short",
            "a long one that needs more than one row",
            "two\nlines\n\nand more",
            "漢字漢字漢字漢字漢字漢字",
            "\u{1b}[2J\u{202e}",
        ] {
            let mut out = b"above\n".to_vec();
            let mut live = Transient::default();
            for c in text.chars() {
                live.token(&c.to_string(), 20, &mut out).expect("a vector can be written");
            }
            assert!(
                screen(&out).contains(text.get(..1).unwrap_or("漢")) || text.starts_with('\u{1b}'),
                "{text:?} was shown"
            );
            live.erase(&mut out).expect("a vector can be written");
            out.extend(b"below");
            assert_eq!(screen(&out), "above\nbelow", "{text:?}");
        }
    }

    #[test]
    fn a_rationale_that_was_cut_off_stays() {
        let mut out = Vec::new();
        let mut live = Transient::default();
        live.token("because of", 20, &mut out).expect("a vector can be written");
        live.leave(&mut out).expect("a vector can be written");
        assert_eq!(screen(&out), "  because of");
    }
}
