//! The drawing backend: writes cells so that a terminal shows them in the right columns, however wide it thinks emoji
//! are.
//!
//! Terminals disagree about the width of an emoji with a variation selector, a joiner or a skin tone. Such a cluster is
//! written over blanks, whatever it may have overwritten is written again, and the cursor is repositioned after it.
//! Must not decide what is shown, only draw what it is given; in ASCII if the terminal supports no more.

use super::layout;
use crate::text::ascii;
use ratatui::backend::{Backend, ClearType, CrosstermBackend, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};
use std::collections::BTreeSet;
use std::io::{self, Write};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The size taken for a terminal that does not know its own: containers and CI say 0×0.
const UNKNOWN: Size = Size { width: 80, height: 24 };

/// A terminal to draw on.
pub struct Screen<W: Write> {
    inner: CrosstermBackend<W>,
    /// Whether it can show ASCII only.
    ascii: bool,
    /// What is on the screen: whatever an emoji overwrites is written again from here.
    shown: Shown,
}

impl<W: Write> Screen<W> {
    /// Draws on `writer`.
    pub fn new(writer: W, ascii: bool) -> Self {
        Self { inner: CrosstermBackend::new(writer), ascii, shown: Shown::default() }
    }

    /// Writes bytes that are not cells.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.inner.write_all(bytes)?;
        Backend::flush(&mut self.inner)
    }

    /// Takes a cell into the copy of what is shown.
    fn keep(&mut self, x: u16, y: u16, cell: &Cell) {
        let mut cell = cell.clone();
        if self.ascii {
            let plain = ascii::cells(cell.symbol(), UnicodeWidthStr::width(cell.symbol()).max(1));
            #[expect(clippy::disallowed_methods, reason = "what was drawn is escaped, and this is ASCII made of it")]
            cell.set_symbol(&plain);
        }
        let cells = UnicodeWidthStr::width(cell.symbol()).max(1) as u16;
        // The cells that a wide character covers are not reported, and their old contents are gone.
        for covered in x.saturating_add(1)..x.saturating_add(cells) {
            self.shown.put(covered, y, Cell::EMPTY);
        }
        self.shown.put(x, y, cell);
    }
}

/// What the terminal shows, row by row, as far as it was ever written to.
#[derive(Default)]
struct Shown(Vec<Vec<Cell>>);

impl Shown {
    fn cell(&self, x: u16, y: u16) -> Option<&Cell> {
        self.0.get(usize::from(y))?.get(usize::from(x))
    }

    fn put(&mut self, x: u16, y: u16, cell: Cell) {
        let (x, y) = (usize::from(x), usize::from(y));
        if self.0.len() <= y {
            self.0.resize(y + 1, Vec::new());
        }
        let Some(row) = self.0.get_mut(y) else { return };
        if row.len() <= x {
            row.resize(x + 1, Cell::EMPTY);
        }
        if let Some(place) = row.get_mut(x) {
            *place = cell;
        }
    }
}

/// Cells that some terminal may use for a cluster whose width is disputed; `None` if all agree.
fn disputed(symbol: &str) -> Option<usize> {
    if symbol.len() < 3 {
        return None;
    }
    let mut chars = symbol.chars();
    let disputes = |c: char| {
        matches!(c, '\u{fe0e}' | '\u{fe0f}' | '\u{200d}' | '\u{20e3}' | '\u{1f1e6}'..='\u{1f1ff}' | '\u{1f3fb}'..='\u{1f3ff}')
            || ('\u{e0020}'..='\u{e007f}').contains(&c)
    };
    let most = |c: char| if disputes(c) && !c.is_ascii() { 2 } else { c.width().unwrap_or(0).max(1) };
    (chars.next().is_some_and(|c| !c.is_ascii() || symbol.len() > 1) && symbol.chars().any(disputes)).then(|| {
        symbol.chars().filter(|c| !matches!(c, '\u{fe0e}' | '\u{fe0f}' | '\u{200d}')).map(most).sum::<usize>().max(2)
    })
}

impl<W: Write> Backend for Screen<W> {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let content: Vec<(u16, u16, &Cell)> = content.collect();
        let before = |shown: &Shown, x, y| shown.cell(x, y).and_then(|old| disputed(old.symbol()));
        let agreed = |(x, y, cell): &(u16, u16, &Cell)| {
            disputed(cell.symbol()).is_none() && before(&self.shown, *x, *y).is_none()
        };
        if !self.ascii && content.iter().all(agreed) {
            content.iter().for_each(|(x, y, cell)| self.keep(*x, *y, cell));
            return self.inner.draw(content.into_iter());
        }
        let mut open = BTreeSet::new();
        for (x, y, cell) in content {
            // An old cluster of disputed width may have covered more cells; they must be written again too.
            let before = before(&self.shown, x, y).unwrap_or(1) as u16;
            self.keep(x, y, cell);
            open.extend((x..x.saturating_add(before)).map(|x| (y, x)));
        }
        let size = self.size().unwrap_or(Size { width: u16::MAX, height: u16::MAX });
        let mut batch: Vec<(u16, u16, Cell)> = Vec::new();
        // The row and column up to which the cluster written last reaches.
        let mut covered = (0, 0);
        while let Some((y, x)) = open.pop_first() {
            if covered.0 == y && x < covered.1 {
                continue;
            }
            let Some(cell) = self.shown.cell(x, y) else { continue };
            let cells = UnicodeWidthStr::width(cell.symbol()).max(1) as u16;
            covered = (y, x.saturating_add(cells));
            let Some(most) = disputed(cell.symbol()) else {
                batch.push((x, y, cell.clone()));
                continue;
            };
            let mut blank = Cell::new(" ");
            blank.set_style(cell.style());
            let end = x.saturating_add(cells).min(size.width);
            batch.extend((x..end).map(|x| (x, y, blank.clone())));
            flush(&mut self.inner, &mut batch)?;
            batch.push((x, y, cell.clone()));
            // A batch begins by placing the cursor, so nothing depends on where the cluster left it.
            flush(&mut self.inner, &mut batch)?;
            let behind = usize::from(x) + usize::from(cells)..usize::from(x) + most;
            let width = usize::from(size.width).max(1);
            for column in behind {
                let (row, column) = (usize::from(y) + column / width, column % width);
                if row < usize::from(size.height) {
                    open.insert((row as u16, column as u16));
                }
            }
        }
        flush(&mut self.inner, &mut batch)
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        self.inner.hide_cursor()
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        self.inner.show_cursor()
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        self.inner.get_cursor_position()
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        self.inner.set_cursor_position(position)
    }

    fn clear(&mut self) -> io::Result<()> {
        self.shown = Shown::default();
        self.inner.clear()
    }

    fn clear_region(&mut self, clear_type: ClearType) -> io::Result<()> {
        self.shown = Shown::default();
        self.inner.clear_region(clear_type)
    }

    fn size(&self) -> io::Result<Size> {
        self.inner.size().map(known)
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        let mut size = self.inner.window_size()?;
        size.columns_rows = known(size.columns_rows);
        Ok(size)
    }

    fn flush(&mut self) -> io::Result<()> {
        Backend::flush(&mut self.inner)
    }
}

fn flush<W: Write>(inner: &mut CrosstermBackend<W>, batch: &mut Vec<(u16, u16, Cell)>) -> io::Result<()> {
    let drawn = if batch.is_empty() { Ok(()) } else { inner.draw(batch.iter().map(|(x, y, cell)| (*x, *y, cell))) };
    batch.clear();
    drawn
}

/// A size to draw at: what a terminal does not say is taken from [`UNKNOWN`], and what is too much is left blank.
pub fn known(size: Size) -> Size {
    let or = |value, unknown| if value == 0 { unknown } else { value };
    layout::drawn(Size { width: or(size.width, UNKNOWN.width), height: or(size.height, UNKNOWN.height) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::Terminal;
    use ratatui::layout::Rect;
    use ratatui::widgets::Paragraph;
    use ratatui::{TerminalOptions, Viewport};

    const SIZE: (u16, u16) = (24, 3);

    /// What was written.
    #[derive(Clone, Default)]
    struct Sink(std::rc::Rc<std::cell::RefCell<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What a terminal shows that draws each of these sequences as `stand_in`.
    fn shown(frames: &[&str], sequences: &[&str], stand_in: &str) -> Vec<String> {
        let area = Rect::new(0, 0, SIZE.0, SIZE.1);
        let options = || TerminalOptions { viewport: Viewport::Fixed(area) };
        let mut parser = vt100::Parser::new(SIZE.1.try_into().unwrap(), SIZE.0.try_into().unwrap(), 0);
        let sink = Sink::default();
        let mut terminal = Terminal::with_options(Screen::new(sink.clone(), false), options()).unwrap();
        let mut rows = Vec::new();
        for text in frames {
            terminal.draw(|frame| frame.render_widget(Paragraph::new(*text), area)).unwrap();
            let bytes = std::mem::take(&mut *sink.0.borrow_mut());
            let mut bytes = String::from_utf8(bytes).unwrap();
            for sequence in sequences {
                bytes = bytes.replace(sequence, stand_in);
            }
            parser.process(bytes.as_bytes());
            rows.extend(parser.screen().rows(0, SIZE.0).map(|row| row.trim_end().to_owned()));
        }
        rows
    }

    #[test]
    fn a_row_is_the_same_for_terminals_of_any_opinion_on_the_width_of_an_emoji() {
        let cases: [(&str, &[&str]); 5] = [
            ("❤\u{fe0f}", &["@", "漢"]),
            ("1\u{fe0f}\u{20e3}", &["@", "漢"]),
            ("👩\u{200d}👩\u{200d}👧", &["漢", "漢漢漢"]),
            ("👍🏽", &["漢", "漢漢"]),
            ("🇩🇪", &["@@", "漢", "漢漢"]),
        ];
        for (emoji, opinions) in cases {
            let first = format!("a{emoji}b{emoji}{emoji}end of row");
            let frames = [first.as_str(), "plain letters, the end", first.as_str(), &format!("{emoji}x\n{emoji}y")];
            for opinion in opinions {
                let rows = shown(&frames, &[emoji], opinion);
                let letters = |row: &String| row.replace(['@', '漢', ' '], "");
                assert_eq!(letters(&rows[0]), "abendofrow", "{emoji} as {opinion}: {rows:?}");
                assert_eq!(rows[3], "plain letters, the end", "{emoji} as {opinion}");
                assert_eq!(rows[6], rows[0], "{emoji} as {opinion}");
                assert_eq!([letters(&rows[9]), letters(&rows[10])], ["x", "y"], "{emoji} as {opinion}: {rows:?}");
                let column = |row: &String, letters: &str| {
                    row.find(letters).map(|at| crate::text::width::width(row.get(..at).unwrap()))
                };
                assert_eq!(column(&rows[0], "end"), Some(8), "{emoji} as {opinion}: {rows:?}");
            }
        }
    }

    #[test]
    fn a_screen_of_more_cells_than_sixteen_bits_count_is_drawn() {
        let area = Rect::new(0, 0, 500, 200);
        let sink = Sink::default();
        let options = TerminalOptions { viewport: Viewport::Fixed(area) };
        let mut terminal = Terminal::with_options(Screen::new(sink.clone(), false), options).unwrap();
        let text = format!("{}❤\u{fe0f}end", "\n".repeat(199));
        terminal.draw(|frame| frame.render_widget(Paragraph::new(text.as_str()), area)).unwrap();
        assert!(String::from_utf8_lossy(&sink.0.borrow()).contains("end"));
    }

    #[test]
    fn a_terminal_that_does_not_know_its_size_is_taken_for_80_by_24() {
        for (size, expected) in [((0, 0), (80, 24)), ((0, 40), (80, 40)), ((100, 0), (100, 24)), ((30, 5), (30, 5))] {
            let known = known(Size { width: size.0, height: size.1 });
            assert_eq!((known.width, known.height), expected);
        }
    }

    #[test]
    fn a_terminal_without_utf_8_gets_ascii_only_in_the_same_columns() {
        let sink = Sink::default();
        let mut terminal = Terminal::with_options(
            Screen::new(sink.clone(), true),
            TerminalOptions { viewport: Viewport::Fixed(Rect::new(0, 0, 24, 1)) },
        )
        .unwrap();
        terminal.draw(|frame| frame.render_widget(Paragraph::new("│ ● 日本 ❤\u{fe0f} é █ x"), frame.area())).unwrap();
        let bytes = sink.0.borrow().clone();
        assert!(bytes.is_ascii());
        let mut parser = vt100::Parser::new(1u16.try_into().unwrap(), 24u16.try_into().unwrap(), 0);
        parser.process(&bytes);
        assert_eq!(parser.screen().contents(), "| * ???? ?? ? # x");
    }
}
