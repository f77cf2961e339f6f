//! ASCII stand-ins for terminals without UTF-8: each mark and line of ours has one; any other character becomes `?`.
//!
//! Must keep the number of cells, so that nothing moves; must not be used on JSON or files, which are always UTF-8.

use std::io::{self, Write};
use unicode_width::UnicodeWidthChar;

/// Our marks and lines, and their stand-ins.
const MARKS: &[(&str, char)] = &[
    ("─╌┄┈", '-'),
    ("━═", '='),
    ("│╎┆┊", '|'),
    ("┃║", '#'),
    ("╭╮╰╯┌┐└┘├┤┬┴┼┏┓┗┛┠┡┣┨┫", '+'),
    ("█▉▊▋▌▆▇", '#'),
    ("▍▎▏▁▂▃▄▅", ':'),
    ("·•‥", '.'),
    ("●◉■", '*'),
    ("○□", 'o'),
    ("◌⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", '~'),
    ("◆", '!'),
    ("◇", '/'),
    ("▲△", '^'),
    ("▶▸→↦", '>'),
    ("◀←", '<'),
    ("↑↺", '^'),
    ("↓", 'v'),
    ("↪↳↔", '>'),
    ("✓", 'v'),
    ("✗×", 'x'),
    ("✎", '&'),
    ("≠⚠", '!'),
    ("≥≤≈", '~'),
    ("…", '.'),
    ("–—‐‑", '-'),
    ("‘’", '\''),
    ("“”„", '"'),
    ("⌫", '<'),
];

/// The stand-in for a character that is not ASCII.
fn stand_in(c: char) -> char {
    MARKS.iter().find(|(marks, _)| marks.contains(c)).map_or('?', |(_, ascii)| *ascii)
}

/// One cell's text in ASCII, `cells` characters long.
pub fn cells(symbol: &str, cells: usize) -> String {
    if symbol.is_ascii() {
        return symbol.to_owned();
    }
    let c = symbol.chars().next().map_or('?', |c| if c.is_ascii() { '?' } else { stand_in(c) });
    c.to_string().repeat(cells)
}

/// A whole text in ASCII: a character that takes no cell goes, one that takes two leaves two.
pub fn text(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            c if c.is_ascii() => out.push(c),
            c => out.extend(std::iter::repeat_n(stand_in(c), c.width().unwrap_or(1))),
        }
        out
    })
}

/// A stream to a terminal that shows ASCII only. A character may arrive in pieces; invalid UTF-8 becomes `?`.
pub struct AsciiWriter<W> {
    out: W,
    on: bool,
    open: Vec<u8>,
}

impl<W: Write> AsciiWriter<W> {
    /// Writes to `out`; unless `on`, as it comes.
    pub const fn new(out: W, on: bool) -> Self {
        Self { out, on, open: Vec::new() }
    }
}

impl<W: Write> Write for AsciiWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.on {
            return self.out.write(bytes);
        }
        self.open.extend_from_slice(bytes);
        let whole = match std::str::from_utf8(&self.open) {
            Ok(_) => self.open.len(),
            // The end of the text is the beginning of a character.
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(_) => self.open.len(),
        };
        let rest = self.open.split_off(whole);
        let ready = std::mem::replace(&mut self.open, rest);
        self.out.write_all(text(&String::from_utf8_lossy(&ready)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mark_has_one_cell_and_a_stand_in_of_one_cell() {
        for (marks, ascii) in MARKS {
            assert!(ascii.is_ascii() && marks.chars().all(|c| c.width() == Some(1)), "{marks}");
        }
    }

    #[test]
    fn a_text_keeps_its_cells() {
        for (raw, expected) in [
            ("plain", "plain"),
            ("├─ yes → ■ remove", "+- yes > * remove"),
            ("日本 é", "???? ?"),
            ("e\u{301}", "e"),
            ("\x1b[1m●\x1b[0m", "\x1b[1m*\x1b[0m"),
        ] {
            assert_eq!(text(raw), expected);
        }
    }

    #[test]
    fn a_character_in_pieces_is_one_character() {
        let mut out = Vec::new();
        let mut writer = AsciiWriter::new(&mut out, true);
        for byte in "a→é日b".bytes() {
            writer.write_all(&[byte]).unwrap();
        }
        writer.write_all(&[0xff, b'z']).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "a>???b?z");
    }
}
