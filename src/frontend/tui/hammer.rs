//! `Hammer`: the app without a terminal, for the fuzz target: bytes become events, and the drawn screen can be read.
//!
//! Must not be used by the product; must handle effects as the front end does, as far as that needs no terminal.

use super::app::{App, Effect, Msg};
use super::ui::Setup;
use super::{frame, view};
use crate::frontend::Client;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Cell;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::time::Duration;

/// Most events of one input.
const MOST_EVENTS: usize = 32;

/// The app and a recorded session.
pub struct Hammer {
    app: App,
    client: Client,
}

impl Hammer {
    /// On a screen of 80×24.
    pub fn new(client: Client) -> Self {
        let setup = Setup { session: "s.jsonl".into(), recorded: true, ..Setup::default() };
        Self { app: App::new(setup, 80, 24), client }
    }

    /// Feeds the events encoded in `data`, and shows `look` every cell of each drawn screen.
    pub fn press(&mut self, data: &[u8], look: impl FnMut(&str)) {
        let mut rest = data;
        for _ in 0..MOST_EVENTS {
            let Some((msg, after)) = event(rest) else { break };
            rest = after;
            if !self.told(msg) {
                break;
            }
            while let Some(event) = self.client.event(Duration::ZERO) {
                self.told(Msg::Event(event));
            }
        }
        let (width, height) = self.app.size();
        let Ok(mut terminal) = Terminal::new(TestBackend::new(width, height));
        let Ok(_) = terminal.draw(|frame| frame::draw(&self.app, view(&self.client), frame));
        terminal.backend().buffer().content().iter().map(Cell::symbol).for_each(look);
    }

    /// Whether the front end continues.
    fn told(&mut self, msg: Msg) -> bool {
        for effect in self.app.update(msg, view(&self.client)) {
            match effect {
                Effect::Submit(command) => drop(self.client.submit(command)),
                Effect::Quit | Effect::SwitchToRepl => return false,
                _ => {}
            }
        }
        true
    }
}

/// The first event of `data`, and what is left: a character, a key with a name, a size of the terminal, a paste.
fn event(data: &[u8]) -> Option<(Msg, &[u8])> {
    const NAMED: [KeyCode; 16] = [
        KeyCode::Up,
        KeyCode::Down,
        KeyCode::Left,
        KeyCode::Right,
        KeyCode::Home,
        KeyCode::End,
        KeyCode::PageUp,
        KeyCode::PageDown,
        KeyCode::BackTab,
        KeyCode::Delete,
        KeyCode::Insert,
        KeyCode::F(1),
        KeyCode::Null,
        KeyCode::Char('é'),
        KeyCode::Char('\u{202e}'),
        KeyCode::Char('👩'),
    ];
    let (first, rest) = data.split_first()?;
    let key = |code| Msg::Key(KeyEvent::new(code, KeyModifiers::NONE));
    let msg = match first {
        b'\r' | b'\n' => key(KeyCode::Enter),
        b'\t' => key(KeyCode::Tab),
        0x1b => key(KeyCode::Esc),
        0x7f => key(KeyCode::Backspace),
        0..0x20 => Msg::Key(KeyEvent::new(KeyCode::Char(char::from(first + b'`')), KeyModifiers::CONTROL)),
        0x20..0x7f => key(KeyCode::Char(char::from(*first))),
        0x80..0x90 => key(NAMED[usize::from(first - 0x80)]),
        0x90 => {
            let (size, after) = rest.split_at_checked(2)?;
            return Some((Msg::Resize(size[0].into(), size[1].into()), after));
        }
        0x91 => {
            let (paste, after) = rest.split_at(rest.len().min(16));
            return Some((Msg::Paste(String::from_utf8_lossy(paste).into_owned()), after));
        }
        0x92 => Msg::Tick(Duration::from_millis(50)),
        other => Msg::Key(KeyEvent::new(KeyCode::Char(char::from(other & 0x7f)), KeyModifiers::ALT)),
    };
    Some((msg, rest))
}
