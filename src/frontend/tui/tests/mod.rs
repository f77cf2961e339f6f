//! The screens as users see them, keys as users press them, and hostile text that must stay inert.

mod failure;
mod fixture;
#[cfg(unix)]
mod guard;
mod hostile;
mod keys;
mod screens;
mod tree;

use super::app::{App, Effect, Msg};
use super::frame;
use super::ui::Setup;
use super::view::View;
use crate::domain::Name;
use crate::engine::{Event, Notice, Progress, SampleIds, Ticket};
use crate::report::Basis;
use crate::session::{Fact, Policies, SessionState};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::sync::Arc;

/// An app with a session but no engine: facts and notices are fed to it.
struct Stage {
    app: App,
    state: SessionState,
    policies: Policies,
    basis: Basis,
    samples: SampleIds,
    effects: Vec<Effect>,
}

impl Stage {
    fn empty(width: u16, height: u16) -> Self {
        let app = App::new(Setup { session: "sessions/2026-11-23.jsonl".into(), ..Setup::default() }, width, height);
        let (policies, basis) = (Policies::default(), Basis::default());
        let samples = SampleIds::default();
        Self { app, state: SessionState::default(), policies, basis, samples, effects: Vec::new() }
    }

    fn new(width: u16, height: u16) -> Self {
        let mut stage = Self::empty(width, height);
        stage.policies.add(fixture::record(), fixture::policy());
        stage.policies.add(fixture::edited_record(), fixture::edited());
        stage.facts(fixture::opening());
        stage
    }

    fn view(&self) -> View<'_> {
        View { state: &self.state, basis: &self.basis, samples: &self.samples }
    }

    fn tell(&mut self, msg: Msg) {
        let view = View { state: &self.state, basis: &self.basis, samples: &self.samples };
        self.effects.extend(self.app.update(msg, view));
    }

    fn facts(&mut self, facts: Vec<Fact>) {
        for fact in facts {
            self.state.apply(&fact);
            self.basis = Basis::of(&self.state, &self.policies);
            self.tell(Msg::Event(Event::Fact(Arc::new(fact))));
        }
    }

    fn notice(&mut self, notice: Notice) {
        self.tell(Msg::Event(Event::Notice(notice)));
    }

    fn ask(&mut self, node: Name, words: &str) {
        self.notice(Notice::Asking { ticket: Ticket(1), node });
        for word in words.split_inclusive(' ') {
            self.notice(Notice::Progress(Ticket(1), Progress::Token(word.into())));
        }
    }

    fn done(&mut self) {
        self.notice(Notice::Done { ticket: Ticket(1), result: Ok(crate::engine::Stop::Done) });
    }

    /// Presses keys: characters as they are, others as `<ret> <esc> <tab> <s-tab> <bs> <up> <down> <pgdn> <pgup>
    /// <c-x>`.
    fn keys(&mut self, keys: &str) {
        let mut rest = keys;
        while let Some(c) = rest.chars().next() {
            let (key, after) = match rest.strip_prefix('<').and_then(|r| r.split_once('>')) {
                Some((word, after)) => (named(word), after),
                None => (KeyEvent::from(KeyCode::Char(c)), rest.strip_prefix(c).unwrap()),
            };
            self.tell(Msg::Key(key));
            rest = after;
        }
    }

    /// The lines submitted to the engine since the last call.
    fn submitted(&mut self) -> Vec<String> {
        let effects = std::mem::take(&mut self.effects);
        effects
            .into_iter()
            .filter_map(|e| match e {
                Effect::Submit(command) => Some(command.to_string()),
                _ => None,
            })
            .collect()
    }

    /// The node or leaf of the selected row.
    fn selected(&self) -> Option<Name> {
        self.app.target().map(|target| target.id().clone())
    }

    fn draw(&self) -> Terminal<TestBackend> {
        let size = self.app.size;
        let mut terminal = Terminal::new(TestBackend::new(size.width, size.height)).unwrap();
        let view = View { state: &self.state, basis: &self.basis, samples: &self.samples };
        terminal.draw(|f| frame::draw(&self.app, view, f)).unwrap();
        terminal
    }
}

fn named(word: &str) -> KeyEvent {
    KeyEvent::from(match word {
        "lt" => KeyCode::Char('<'),
        "ret" => KeyCode::Enter,
        "esc" => KeyCode::Esc,
        "tab" => KeyCode::Tab,
        "s-tab" => KeyCode::BackTab,
        "bs" => KeyCode::Backspace,
        "up" => KeyCode::Up,
        "down" => KeyCode::Down,
        "pgdn" => KeyCode::PageDown,
        "pgup" => KeyCode::PageUp,
        "home" => KeyCode::Home,
        "end" => KeyCode::End,
        _ => {
            let c = word.strip_prefix("c-").and_then(|c| c.chars().next()).expect("a key name");
            return KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL);
        }
    })
}
