//! The terminal's background colour: the query (OSC 11), and its answer, which arrives among the keys.
//!
//! A terminal's answer looks like typed input. Must never let a part of it through as a key, however late it comes, and
//! must not hold back a key that is not part of it.

use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use std::time::Duration;

/// Asks for the colour of the background.
pub const QUESTION: &[u8] = b"\x1b]11;?\x1b\\";

/// How long to wait for an answer before the first frame.
pub const PATIENCE: Duration = Duration::from_millis(100);

/// How long to wait for it before the terminal is given back.
pub const LONGER: Duration = Duration::from_millis(400);

/// How long after the question an escape key may be the beginning of an answer that came in two pieces.
const EXPECTED: Duration = Duration::from_secs(2);

/// How long a beginning is held back: the rest of an answer comes at once.
const HELD: Duration = Duration::from_millis(60);

/// The same, once there is more of it than somebody could have typed by chance.
const HELD_LONGER: Duration = Duration::from_secs(1);

/// Longest answer, without its beginning and end: `11;rgba:ffff/ffff/ffff/ffff`.
const LONGEST: usize = 28;

/// What came from the terminal.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// A key or another event.
    Event(Event),
    /// The background: red, green, blue, from 0 to 1.
    Background([f64; 3]),
}

/// Takes answers out of what comes from the terminal.
#[derive(Debug, Default)]
pub struct Ear {
    asked: Option<Duration>,
    answered: bool,
    held: Vec<Event>,
    text: String,
    since: Duration,
}

impl Ear {
    /// The question was asked at `now`.
    pub fn asked(&mut self, now: Duration) {
        self.asked = Some(now);
    }

    /// Whether an answer is still expected.
    pub fn waits(&self, now: Duration, patience: Duration) -> bool {
        !self.answered && self.asked.is_some_and(|asked| now < asked + patience)
    }

    /// Takes an event; returns the events it turns out to be, in order.
    pub fn take(&mut self, event: Event, now: Duration) -> Vec<Heard> {
        let mut heard = self.settle(now);
        let Event::Key(key) = &event else {
            // Between the pieces of an answer there may be anything but a key.
            heard.push(Heard::Event(event));
            return heard;
        };
        let begins = self.held.is_empty();
        match self.piece(*key, now) {
            Piece::None => {
                heard.extend(self.release());
                // What ends one beginning may be the beginning of the next.
                match (begins, self.piece(*key, now)) {
                    (false, Piece::Part(c)) => self.hold(event, c, now),
                    _ => heard.push(Heard::Event(event)),
                }
            }
            Piece::Part(c) => self.hold(event, c, now),
            Piece::End => {
                heard.extend(colour(&self.text).map(Heard::Background));
                self.answered = true;
                self.held.clear();
                self.text.clear();
            }
        }
        heard
    }

    /// Lets go what was held back for too long.
    pub fn settle(&mut self, now: Duration) -> Vec<Heard> {
        let patience = if self.text.len() > 2 { HELD_LONGER } else { HELD };
        if !self.held.is_empty() && now > self.since + patience { self.release() } else { Vec::new() }
    }

    fn hold(&mut self, event: Event, c: Option<char>, now: Duration) {
        self.held.push(event);
        self.text.extend(c);
        self.since = now;
    }

    fn release(&mut self) -> Vec<Heard> {
        // The end of an answer that was too broken to be one is still nothing that somebody typed.
        let typed = self.text.len() < 4;
        self.text.clear();
        let held = std::mem::take(&mut self.held);
        if typed { held.into_iter().map(Heard::Event).collect() } else { Vec::new() }
    }

    /// Which part of an answer a key would be at this point. The library reports `ESC ]` as Alt-], the terminator as
    /// Alt-\ or Ctrl-G, and an ESC that arrives alone as the Escape key.
    fn piece(&self, key: KeyEvent, now: Duration) -> Piece {
        let plain = key.modifiers.difference(KeyModifiers::SHIFT).is_empty();
        let escape = key.code == KeyCode::Esc && plain;
        if self.asked.is_none() {
            return Piece::None;
        }
        match (key.code, self.held.len()) {
            (KeyCode::Char(']'), 0) if key.modifiers == KeyModifiers::ALT => Piece::Part(None),
            (_, 0) if escape && !self.answered && self.asked.is_some_and(|asked| now < asked + EXPECTED) => {
                Piece::Part(None)
            }
            (_, 0) => Piece::None,
            (KeyCode::Char(']'), 1) if plain && self.begins_with_escape() => Piece::Part(None),
            (_, 1) if self.begins_with_escape() => Piece::None,
            (KeyCode::Char('\\'), _) if key.modifiers == KeyModifiers::ALT && !self.text.is_empty() => Piece::End,
            (KeyCode::Char('g'), _) if key.modifiers == KeyModifiers::CONTROL && !self.text.is_empty() => Piece::End,
            (_, _) if escape && self.text.len() > 4 => Piece::Part(None),
            (KeyCode::Char('\\'), _) if plain && self.ends_with_escape() => Piece::End,
            (KeyCode::Char(c), _) if plain && self.text.len() < LONGEST && goes_on(&self.text, c) => {
                Piece::Part(Some(c))
            }
            _ => Piece::None,
        }
    }

    fn begins_with_escape(&self) -> bool {
        matches!(self.held.first(), Some(Event::Key(key)) if key.code == KeyCode::Esc)
    }

    fn ends_with_escape(&self) -> bool {
        matches!(self.held.last(), Some(Event::Key(key)) if key.code == KeyCode::Esc)
    }
}

enum Piece {
    /// No part of an answer.
    None,
    /// A part, with the character that it adds.
    Part(Option<char>),
    /// The end.
    End,
}

/// Whether `c` can continue an answer that reads `text` so far.
fn goes_on(text: &str, c: char) -> bool {
    ["11;rgb:", "11;rgba:"].iter().any(|head| match text.get(head.len()..) {
        Some(_) if text.starts_with(head) => c.is_ascii_hexdigit() || c == '/',
        _ => head.strip_prefix(text).is_some_and(|rest| rest.starts_with(c)),
    })
}

/// The colour in `11;rgb:RRRR/GGGG/BBBB`; each number has one to four hexadecimal digits.
fn colour(text: &str) -> Option<[f64; 3]> {
    let (head, numbers) = text.split_once(':')?;
    let number = |digits: &str| {
        let most = 16_u32.checked_pow(u32::try_from(digits.len()).ok()?)?.checked_sub(1).filter(|most| *most > 0)?;
        Some(f64::from(u32::from_str_radix(digits, 16).ok()?) / f64::from(most))
    };
    let mut parts = numbers.split('/').map(number);
    let rgb = [parts.next()??, parts.next()??, parts.next()??];
    head.starts_with("11;rgb").then_some(rgb)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn key(code: KeyCode, modifiers: KeyModifiers) -> Event {
        Event::Key(KeyEvent::new(code, modifiers))
    }

    /// Keys as the library makes them of bytes that came in one piece.
    fn keys(bytes: &str) -> Vec<Event> {
        let mut chars = bytes.chars();
        let mut keys = Vec::new();
        while let Some(c) = chars.next() {
            keys.push(match c {
                '\x1b' => match chars.next() {
                    Some(next) => key(KeyCode::Char(next), KeyModifiers::ALT),
                    None => key(KeyCode::Esc, KeyModifiers::NONE),
                },
                '\x07' => key(KeyCode::Char('g'), KeyModifiers::CONTROL),
                c if c.is_uppercase() => key(KeyCode::Char(c), KeyModifiers::SHIFT),
                c => key(KeyCode::Char(c), KeyModifiers::NONE),
            });
        }
        keys
    }

    /// What is heard of pieces, each at its time.
    fn heard(pieces: &[(u64, &str)]) -> (Vec<Event>, Option<[f64; 3]>) {
        let mut ear = Ear::default();
        ear.asked(at(0));
        let (mut events, mut background) = (Vec::new(), None);
        let mut all = Vec::new();
        for (time, bytes) in pieces {
            for event in keys(bytes) {
                all.extend(ear.take(event, at(*time)));
            }
        }
        all.extend(ear.settle(at(1_000_000)));
        for heard in all {
            match heard {
                Heard::Event(event) => events.push(event),
                Heard::Background(rgb) => background = Some(rgb),
            }
        }
        (events, background)
    }

    #[test]
    fn an_answer_is_heard_and_never_typed_whenever_and_in_however_many_pieces_it_comes() {
        let white = Some([1.0; 3]);
        let cases: [&[(u64, &str)]; 7] = [
            &[(5, "\x1b]11;rgb:ffff/ffff/ffff\x1b\\")],
            &[(5, "\x1b]11;rgb:ffff/ffff/ffff\x07")],
            &[(5, "\x1b]11;rgb:FF/FF/FF\x1b\\")],
            &[(90_000, "\x1b]11;rgb:ffff/ffff/ffff\x1b\\")],
            &[(5, "\x1b"), (6, "]11;rgb:ffff/ffff/ffff\x1b"), (7, "\\")],
            &[(5, "\x1b]11;rg"), (500, "b:ffff/ffff/ffff\x1b\\")],
            &[(5, "\x1b]11;rgba:ffff/ffff/ffff/ffff\x1b\\")],
        ];
        for pieces in cases {
            assert_eq!(heard(pieces), (vec![], white), "{pieces:?}");
        }
        let (events, background) = heard(&[(5, "s\x1b]11;rgb:0000/2b2b/3636\x1b\\j")]);
        assert_eq!(events, keys("sj"));
        assert!(background.is_some_and(|[r, g, _]| r == 0.0 && (g - 0.168).abs() < 0.001));
    }

    #[test]
    fn what_somebody_types_comes_through_in_order() {
        for typed in ["]]]s", "\x1b]", "\x1b]x", "\x1b]1", "\x1b]11x", "11;rgb:ff/ff/ff", "q", "\x1b"] {
            assert_eq!(heard(&[(5, typed)]), (keys(typed), None), "{typed:?}");
            assert_eq!(heard(&[(90_000, typed)]), (keys(typed), None), "{typed:?}");
        }
        let (events, _) = heard(&[(5, "\x1b"), (6, "\x1b"), (7, "j")]);
        assert_eq!(events.len(), 3);
    }

    #[test]
    fn an_answer_that_breaks_off_types_nothing() {
        assert_eq!(heard(&[(5, "\x1b]11;rgb:ffff/ff"), (5000, "j")]), (keys("j"), None));
        assert_eq!(heard(&[(5, "\x1b]11;rgb:zzzz")]).1, None);
    }

    #[test]
    fn numbers_have_one_to_four_digits() {
        for (text, expected) in [
            ("11;rgb:f/0/8", Some([1.0, 0.0, 8.0 / 15.0])),
            ("11;rgb:ff/00/80", Some([1.0, 0.0, 128.0 / 255.0])),
            ("11;rgb:fffff/0/0", Some([1.0, 0.0, 0.0])),
            ("11;rgb:/0/0", None),
            ("11;rgb:ff/ff", None),
            ("11;hsl:1/1/1", None),
        ] {
            assert_eq!(colour(text), expected, "{text}");
        }
    }
}
