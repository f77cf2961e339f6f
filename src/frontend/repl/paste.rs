//! Pasted text: collected while the terminal reports a bracketed paste, so that no key in it acts.
//!
//! Must run nothing: pasted lines are handed to the prompt's loop, which runs them like lines of a file.

use rustyline::{Cmd, ConditionalEventHandler, Event, EventContext, KeyCode, KeyEvent, Modifiers, RepeatCount};
use std::sync::{Arc, Mutex, PoisonError};

/// Most bytes of one paste that are kept.
const MOST_BYTES: usize = 1 << 20;

/// Gathers pasted text; a clone sees the same.
#[derive(Clone, Default)]
pub struct Paste(Arc<Mutex<Gathered>>);

#[derive(Default)]
struct Gathered {
    inside: bool,
    text: String,
    lines: Option<String>,
}

impl Paste {
    /// The line that was being typed with the pasted lines in it, where lines were pasted since the last time.
    pub fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).lines.take()
    }
}

impl Gathered {
    /// Keeps what a key types; keys that type nothing are dropped.
    fn keep(&mut self, key: KeyEvent) {
        let typed = match (key.0, key.1) {
            (KeyCode::Enter, _) => '\r',
            (KeyCode::Char('J'), Modifiers::CTRL) => '\n',
            (KeyCode::Tab, _) => '\t',
            (KeyCode::Char(c), modifiers) if !modifiers.intersects(Modifiers::CTRL | Modifiers::ALT) => c,
            _ => return,
        };
        if self.text.len() < MOST_BYTES {
            self.text.push(typed);
        }
    }

    fn key(&mut self, key: KeyEvent, line: &str, at: usize) -> Option<Cmd> {
        match key.0 {
            KeyCode::BracketedPasteStart => {
                self.inside = true;
                self.text.clear();
            }
            _ if !self.inside => return None,
            KeyCode::BracketedPasteEnd => {
                self.inside = false;
                let text = std::mem::take(&mut self.text);
                if !text.contains(['\r', '\n']) {
                    return Some(Cmd::Insert(1, text));
                }
                let (before, after) = line.split_at_checked(at).unwrap_or((line, ""));
                self.lines = Some(format!("{before}{text}{after}"));
                return Some(Cmd::AcceptLine);
            }
            _ => self.keep(key),
        }
        Some(Cmd::Noop)
    }
}

impl ConditionalEventHandler for Paste {
    fn handle(&self, event: &Event, _: RepeatCount, _: bool, ctx: &EventContext<'_>) -> Option<Cmd> {
        let key = *event.get(0)?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).key(key, ctx.line(), ctx.pos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: KeyEvent = KeyEvent(KeyCode::BracketedPasteStart, Modifiers::NONE);
    const END: KeyEvent = KeyEvent(KeyCode::BracketedPasteEnd, Modifiers::NONE);

    /// What a paste of these keys leads to, in the middle of the line `ab`.
    fn pasted(keys: &[KeyEvent]) -> (Option<Cmd>, Option<String>) {
        let mut gathered = Gathered::default();
        assert_eq!(gathered.key(START, "ab", 1), Some(Cmd::Noop));
        for key in keys {
            assert_eq!(gathered.key(*key, "ab", 1), Some(Cmd::Noop), "{key:?} acted");
        }
        let end = gathered.key(END, "ab", 1);
        assert_eq!(gathered.key(KeyEvent::ctrl('C'), "ab", 1), None, "keys after the paste act");
        (end, gathered.lines)
    }

    #[test]
    fn no_key_in_pasted_text_acts() {
        let keys = [
            KeyEvent::from('x'),
            KeyEvent::ctrl('C'),
            KeyEvent::ctrl('D'),
            KeyEvent::alt('d'),
            KeyEvent(KeyCode::Up, Modifiers::NONE),
            KeyEvent(KeyCode::Esc, Modifiers::NONE),
            KeyEvent(KeyCode::Tab, Modifiers::NONE),
            KeyEvent::from('é'),
        ];
        assert_eq!(pasted(&keys), (Some(Cmd::Insert(1, "x\té".to_owned())), None));
    }

    #[test]
    fn pasted_lines_are_handed_over_with_what_was_typed() {
        let keys = [KeyEvent::from('x'), KeyEvent(KeyCode::Enter, Modifiers::NONE), KeyEvent::ctrl('J')];
        assert_eq!(pasted(&keys), (Some(Cmd::AcceptLine), Some("ax\r\nb".to_owned())));
    }
}
