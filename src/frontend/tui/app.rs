//! `App`: the state of the screen, and `update`, the only thing that changes it.
//!
//! Must do no I/O (but for the file names of a path that is being completed) and read no clock: messages come in, effects
//! go out, and the session is read through a `View`.

use super::keymap::{self, Action, Motion};
use super::layout::Pane;
use super::live::Live;
use super::log::{Log, WIDE};
use super::panes::node;
use super::panes::overlay::Overlay;
use super::panes::tree::Laid;
use super::prompt::{self, Prompt};
use super::queue::{Queue, Waiting};
use super::theme::Theme;
use super::view::View;
use super::{advice, frame};
use crate::command::{Command, EngineCommand, FrontendCommand, ViewCommand, parse};
use crate::domain::Name;
use crate::engine::{Event, Failure, Notice, Progress};
use crate::frontend::names::SessionNames;
use crate::frontend::script::{self, ScriptLine};
use crate::report::{Doc, Line, Page, Role};
use crate::session::Fact;
use crate::text::{Escaped, Untrusted};
use ratatui::crossterm::event::{KeyEvent, KeyEventKind};
use ratatui::layout::Rect;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

/// A document of at most this many lines goes to the log; a longer one lies over the panes.
const SHORT_DOC: usize = 6;

/// Lines of history kept.
const MOST_HISTORY: usize = 1000;

/// What the app is told.
#[derive(Clone, Debug)]
pub enum Msg {
    /// A key was pressed.
    Key(KeyEvent),
    /// Text was pasted.
    Paste(String),
    /// The terminal has a new size.
    Resize(u16, u16),
    /// Time since the start.
    Tick(Duration),
    /// A line to carry out as if it had been typed.
    Line(String),
    /// The lines of a script that was asked for by [`Effect::Source`], or why there are none.
    Script {
        /// The lines.
        lines: Result<Vec<ScriptLine>, Failure>,
        /// From how many scripts within each other it was run.
        deep: usize,
    },
    /// Something came out of the engine; a fact is already in the state.
    Event(Event),
}

/// What the app wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Hand this command to the engine.
    Submit(EngineCommand),
    /// Read this script.
    Source {
        /// The file.
        path: String,
        /// From how many scripts within each other it is run.
        deep: usize,
    },
    /// Stop the command in flight.
    Cancel,
    /// Keep this line in the history file.
    Remember(String),
    /// End the program.
    Quit,
    /// Go on at the prompt of the REPL.
    SwitchToRepl,
    /// Stop as a job.
    Suspend,
    /// Draw everything anew.
    Redraw,
}

/// What stays the same while the front end runs.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// Name of the session, for the title line.
    pub session: Untrusted,
    /// Whether a recorded session is shown and no model is there.
    pub recorded: bool,
    /// The looks.
    pub theme: Theme,
    /// Lines typed in earlier sessions, oldest first.
    pub history: Vec<String>,
    /// Names of models that can be loaded, each with a few words on it, for completion.
    pub models: Vec<(String, String)>,
}

/// The state of the screen.
pub struct App {
    pub(super) setup: Setup,
    pub(super) size: Rect,
    pub(super) now: Duration,
    pub(super) focus: Pane,
    /// The pane shown at the shared place of a small screen.
    pub(super) tab: Pane,
    /// First rows shown, for panes that were scrolled by hand.
    pub(super) scroll: HashMap<Pane, usize>,
    pub(super) selected: Option<Name>,
    /// The layout of the tree as it was drawn last.
    laid: RefCell<Option<Rc<Laid>>>,
    pub(super) log: Log,
    pub(super) live: Live,
    pub(super) prompt: Option<Prompt>,
    pub(super) overlay: Option<Overlay>,
    /// Waits for `y` before a running command is given up.
    pub(super) confirm: bool,
    /// The last thing worth saying in the status line.
    pub(super) status: Option<Line>,
    /// Whether a fact has told already why the command in flight failed.
    told: bool,
    queue: Queue,
    /// Where the command in flight came from, unless a person gave it.
    place: Option<Escaped>,
    repeat: Option<String>,
    dirty: bool,
}

impl App {
    /// An app on a screen of this size.
    pub fn new(setup: Setup, width: u16, height: u16) -> Self {
        let mut log = Log::default();
        if setup.recorded {
            let line =
                Line::new().with(Role::Warning, "◆ recorded session").with(Role::Muted, ": it is shown, not run");
            log.doc(Doc(vec![line]));
        }
        Self {
            setup,
            size: Rect::new(0, 0, width, height),
            now: Duration::ZERO,
            focus: Pane::Tree,
            tab: Pane::Sample,
            scroll: HashMap::new(),
            selected: None,
            laid: RefCell::default(),
            log,
            live: Live::default(),
            prompt: None,
            overlay: None,
            confirm: false,
            status: None,
            told: false,
            queue: Queue::default(),
            place: None,
            repeat: None,
            dirty: true,
        }
    }

    /// Whether the screen has to be drawn again; asking clears it.
    pub fn take_dirty(&mut self) -> bool {
        std::mem::take(&mut self.dirty)
    }

    /// Columns and rows of the screen.
    pub const fn size(&self) -> (u16, u16) {
        (self.size.width, self.size.height)
    }

    /// Whether a command is in flight or waiting.
    pub fn busy(&self) -> bool {
        self.live.busy() || !self.queue.is_empty()
    }

    /// Takes in one message.
    pub fn update(&mut self, msg: Msg, view: View<'_>) -> Vec<Effect> {
        let mut effects = Vec::new();
        match msg {
            Msg::Tick(now) => self.tick(now),
            Msg::Resize(width, height) => {
                self.size = Rect::new(0, 0, width, height);
                self.dirty = true;
            }
            Msg::Paste(text) => {
                self.paste(&text, view, &mut effects);
                self.dirty = true;
            }
            Msg::Key(key) if key.kind == KeyEventKind::Press => {
                self.key(key, view, &mut effects);
                self.dirty = true;
            }
            Msg::Key(_) => {}
            Msg::Line(line) => {
                self.line(&line, view, &mut effects);
                self.dirty = true;
            }
            Msg::Script { lines, deep } => {
                match lines {
                    Ok(lines) => {
                        self.queue.script(lines, deep);
                        self.pump(view, &mut effects);
                    }
                    Err(failure) => self.fail(failure),
                }
                self.dirty = true;
            }
            Msg::Event(event) => {
                self.event(event, view, &mut effects);
                self.dirty = true;
            }
        }
        effects
    }

    fn tick(&mut self, now: Duration) {
        if self.live.busy() && Live::spinner(now) != Live::spinner(self.now) {
            self.dirty = true;
        }
        self.now = now;
    }

    fn key(&mut self, key: KeyEvent, view: View<'_>, effects: &mut Vec<Effect>) {
        if self.confirm {
            self.confirm = false;
            match key.code {
                ratatui::crossterm::event::KeyCode::Char('y' | 'Y') => effects.extend([Effect::Cancel, Effect::Quit]),
                _ => self.say(Line::new().with(Role::Muted, "Not quitting.")),
            }
            return;
        }
        if self.prompt.is_some() {
            return self.prompt_key(key, view, effects);
        }
        let Some(action) = keymap::action(key, self.selected.as_ref(), view) else { return };
        if self.overlay.is_some() && self.overlay_action(&action) {
            return;
        }
        match action {
            Action::Line(line) => self.line(&line, view, effects),
            Action::Prompt(text) => {
                self.overlay = None;
                let names = names(&self.setup, view);
                self.prompt = Some(Prompt::new(&text, &|line, at| advice::of(line, at, &names)));
            }
            Action::Motion(motion) => self.motion(motion, view),
            Action::Help => self.overlay = Some(Overlay::help()),
            Action::Repeat => match self.repeat.clone() {
                Some(line) => self.line(&line, view, effects),
                None => self.say(Line::new().with(Role::Muted, "Nothing to repeat yet.")),
            },
            Action::Cancel => self.cancel(effects),
            Action::Suspend => effects.push(Effect::Suspend),
            Action::Redraw => effects.push(Effect::Redraw),
            Action::Escape => {
                self.selected = None;
                self.scroll.clear();
            }
        }
    }

    /// Keys while an overlay is open: it scrolls, `q`, `?` and Esc close it, and everything else acts as ever.
    fn overlay_action(&mut self, action: &Action) -> bool {
        match action {
            Action::Escape | Action::Help => self.overlay = None,
            Action::Line(line) if line == "quit" => self.overlay = None,
            Action::Motion(motion @ (Motion::NextPane | Motion::PreviousPane)) => {
                let _ = motion;
                self.overlay = None;
                return false;
            }
            Action::Motion(motion) => {
                let (rows, height) = frame::overlay_rows(self);
                if let Some(overlay) = &mut self.overlay {
                    overlay.top = moved(overlay.top, *motion, rows, height);
                }
            }
            _ => return false,
        }
        true
    }

    fn prompt_key(&mut self, key: KeyEvent, view: View<'_>, effects: &mut Vec<Effect>) {
        let Some(mut prompt) = self.prompt.take() else { return };
        let names = names(&self.setup, view);
        match prompt.key(key, &self.setup.history, &|line, at| advice::of(line, at, &names)) {
            prompt::Outcome::Open => self.prompt = Some(prompt),
            prompt::Outcome::Close => {}
            prompt::Outcome::Submit(line) => match parse(&line) {
                Err(error) => {
                    let hint = error.hint.as_ref().map_or(String::new(), |h| format!(" · {h}"));
                    prompt.refuse(format!("{}{hint}", error.message), error.span.start);
                    self.prompt = Some(prompt);
                }
                Ok(None) if line.trim().is_empty() => {
                    if let Some(line) = self.repeat.clone() {
                        self.line(&line, view, effects);
                    }
                }
                Ok(_) => {
                    self.remember(&line, effects);
                    self.line(&line, view, effects);
                }
            },
        }
    }

    /// Pasted text goes into the open prompt. Lines in it are carried out as from a file, with what was typed before them;
    /// what is not finished stays in the prompt.
    fn paste(&mut self, text: &str, view: View<'_>, effects: &mut Vec<Effect>) {
        let Some(mut prompt) = self.prompt.take() else { return };
        let names = names(&self.setup, view);
        let adviser = |line: &str, at: usize| advice::of(line, at, &names);
        if !text.contains(['\r', '\n']) {
            prompt.paste(text, &adviser);
            self.prompt = Some(prompt);
            return;
        }
        let (lines, rest) = script::pasted(&format!("{}{text}{}", prompt.before_cursor(), prompt.after_cursor()));
        let rest = script::joined(&rest);
        let rest = rest.trim_end_matches('\n');
        if !rest.is_empty() {
            let mut prompt = Prompt::new("", &adviser);
            prompt.paste(rest, &adviser);
            self.prompt = Some(prompt);
        }
        let typed = |line: &ScriptLine| line.text.as_deref().ok().filter(|t| !t.trim().is_empty()).map(str::to_owned);
        lines.iter().filter_map(typed).for_each(|line| self.remember(&line, effects));
        self.queue.lines(lines);
        self.pump(view, effects);
    }

    fn remember(&mut self, line: &str, effects: &mut Vec<Effect>) {
        if self.setup.history.last().is_none_or(|last| last != line) {
            self.setup.history.push(line.to_owned());
            let extra = self.setup.history.len().saturating_sub(MOST_HISTORY);
            self.setup.history.drain(..extra);
            effects.push(Effect::Remember(line.to_owned()));
        }
    }

    /// Carries out a command line, typed or from a key.
    fn line(&mut self, line: &str, view: View<'_>, effects: &mut Vec<Effect>) {
        let command = match parse(line) {
            Ok(Some(command)) => command,
            Ok(None) => return,
            Err(error) => return self.say(Line::new().with(Role::Error, error.message)),
        };
        if command.spec().repeat {
            self.repeat = Some(command.to_string());
        }
        self.overlay = None;
        self.status = None;
        match command {
            Command::View(command) => {
                self.answer(&command, view);
            }
            Command::Engine(command) => {
                self.queue.push(Waiting::Command(command));
                self.pump(view, effects);
            }
            Command::Frontend(FrontendCommand::Quit) if self.busy() => self.confirm = true,
            Command::Frontend(FrontendCommand::Repl) if self.busy() => {
                self.say(Line::new().with(Role::Warning, "A command is running; Ctrl-C stops it."));
            }
            Command::Frontend(command @ FrontendCommand::Source(_)) => {
                self.queue.push(Waiting::Script(command));
                self.pump(view, effects);
            }
            Command::Frontend(command) => self.itself(command, 0, effects),
        }
    }

    /// A command that concerns the front end itself, where nothing is running.
    fn itself(&mut self, command: FrontendCommand, deep: usize, effects: &mut Vec<Effect>) {
        match command {
            FrontendCommand::Quit => effects.push(Effect::Quit),
            FrontendCommand::Repl => effects.push(Effect::SwitchToRepl),
            FrontendCommand::Tui => self.say(Line::new().with(Role::Muted, "This is the full-screen front end.")),
            FrontendCommand::Source(_) if deep >= script::MOST_DEEP => self.fail(script::too_deep()),
            FrontendCommand::Source(path) => {
                self.queue.hold();
                effects.push(Effect::Source { path, deep: deep + 1 });
            }
        }
    }

    /// Carries out what waits until a command is in flight, so that typing ahead never blocks.
    fn pump(&mut self, view: View<'_>, effects: &mut Vec<Effect>) {
        while !self.live.busy() {
            match self.queue.next() {
                None => return,
                Some(Waiting::Command(command)) => self.submit(command, None, effects),
                Some(Waiting::Script(command)) => {
                    self.place = None;
                    self.itself(command, 0, effects);
                }
                Some(Waiting::Line(line, deep)) => self.script_line(line, deep, view, effects),
            }
        }
    }

    fn submit(&mut self, command: EngineCommand, place: Option<Escaped>, effects: &mut Vec<Effect>) {
        self.live.start(command.to_string());
        self.told = false;
        self.place = place;
        effects.push(Effect::Submit(command));
    }

    /// Carries out a line of a script; the first that fails ends all of it.
    fn script_line(&mut self, line: ScriptLine, deep: usize, view: View<'_>, effects: &mut Vec<Effect>) {
        self.place = Some(line.place.shown());
        self.told = false;
        let parsed = match &line.text {
            Ok(text) => parse(text).map_err(|e| Failure { hint: e.hint, ..Failure::user(e.message) }),
            Err(fault) => Err(Failure::user(*fault).hinted("scripts are UTF-8 text, one command a line")),
        };
        match parsed {
            Ok(None) => {}
            Ok(Some(Command::Engine(command))) => self.submit(command, self.place.clone(), effects),
            Ok(Some(Command::View(command))) => {
                if !self.answer(&command, view) {
                    self.queue.clear();
                }
            }
            Ok(Some(Command::Frontend(command))) => {
                if matches!(command, FrontendCommand::Quit | FrontendCommand::Repl) {
                    self.queue.clear();
                }
                self.itself(command, deep, effects);
            }
            Err(failure) => self.fail(failure),
        }
    }

    /// Tells a failure, with the place of the line that failed where that is in a script, and forgets what waited.
    fn fail(&mut self, failure: Failure) {
        let failure = self.placed(failure);
        let line = advice::failure(&failure);
        if let Some(doc) = advice::failure_in_lines(&failure) {
            self.overlay = Some(Overlay { indent: 8, ..Overlay::new("What went wrong", doc) });
        }
        if !self.told {
            self.log.doc(Doc(vec![line.clone()]));
        }
        self.say(line);
        self.queue.clear();
    }

    fn placed(&mut self, failure: Failure) -> Failure {
        match self.place.take() {
            Some(place) => Failure { message: format!("{place}: {}", failure.message.raw()).into(), ..failure },
            None => failure,
        }
    }

    fn cancel(&mut self, effects: &mut Vec<Effect>) {
        if !self.busy() {
            return self.say(Line::new().with(Role::Muted, "Nothing is running. q quits."));
        }
        self.queue.clear();
        self.say(Line::new().with(Role::Warning, "Stopping."));
        effects.push(Effect::Cancel);
    }

    /// Answers a command from the state: a short answer in the log, a long one over the panes. Says whether there is one.
    fn answer(&mut self, command: &ViewCommand, view: View<'_>) -> bool {
        let line = command.to_string();
        let mut found = true;
        let short = match advice::answer(command, view, self.page(frame::overlay_width(self))) {
            Ok(doc) if doc.0.len() > SHORT_DOC => {
                self.overlay = Some(Overlay::new(line, doc));
                return true;
            }
            Ok(_) => advice::answer(command, view, self.page(frame::log_width(self))).unwrap_or_else(|doc| doc),
            Err(doc) => {
                found = false;
                self.status = doc.0.first().cloned();
                doc
            }
        };
        self.log.command(&line);
        self.log.doc(short);
        self.scroll.remove(&Pane::Log);
        self.tab = Pane::Log;
        found
    }

    fn say(&mut self, line: Line) {
        self.status = Some(line);
    }

    fn event(&mut self, event: Event, view: View<'_>, effects: &mut Vec<Effect>) {
        match event {
            Event::Fact(fact) => self.fact(&fact, view),
            Event::Notice(Notice::Started(_)) => {}
            Event::Notice(Notice::Asking { node, .. }) => {
                self.selected = None;
                self.scroll.remove(&Pane::Node);
                self.scroll.remove(&Pane::Tree);
                self.live.ask(node);
            }
            Event::Notice(Notice::Progress(_, Progress::Note(text))) => {
                self.say(advice::note(&text));
                self.log.doc(advice::note_in_lines(&text));
            }
            Event::Notice(Notice::Progress(_, progress)) => self.live.progress(&progress, self.now),
            Event::Notice(Notice::Examined(_, examination)) => {
                let page = self.page(frame::overlay_width(self));
                let doc = advice::examination(&examination, page);
                self.overlay = Some(Overlay::new(self.live.running().unwrap_or("x").to_owned(), doc));
            }
            Event::Notice(Notice::Done { result, .. }) => {
                self.live.finish();
                match result {
                    Ok(stop) => {
                        if let Some(line) = advice::stop(stop) {
                            self.say(line);
                        }
                    }
                    Err(failure) => self.fail(failure),
                }
                self.pump(view, effects);
            }
        }
    }

    fn fact(&mut self, fact: &Fact, view: View<'_>) {
        match fact {
            Fact::Stepped { .. } => {
                self.live.answered();
                self.follow(&[Pane::Node, Pane::Tree, Pane::Compare]);
            }
            Fact::WalkStarted { .. } | Fact::WalkForked { .. } | Fact::WalkSelected { .. } | Fact::PolicyLoaded(_) => {
                self.follow(&Pane::ALL)
            }
            Fact::SteppedBack { .. } | Fact::LeafReached { .. } => {
                self.follow(&[Pane::Node, Pane::Tree, Pane::Compare]);
            }
            _ => {}
        }
        self.told |= matches!(fact, Fact::Failed { .. } | Fact::Cancelled { .. });
        self.log.doc(advice::transcript(fact, view, self.page(WIDE)));
    }

    /// The layout of the tree for a pane of `width` cells; made anew only where a fact changed it.
    pub(super) fn laid(&self, view: View<'_>, width: usize) -> Option<Rc<Laid>> {
        let mut kept = self.laid.borrow_mut();
        *kept = Laid::of(view, width, kept.take());
        kept.clone()
    }

    /// How a report is to be written for a place of `width` cells.
    pub(super) fn page(&self, width: usize) -> Page {
        if self.setup.recorded { Page::recorded(width) } else { Page::live(width) }
    }

    /// Lets panes follow the walk again after they were scrolled or pointed elsewhere.
    fn follow(&mut self, panes: &[Pane]) {
        self.selected = None;
        for pane in panes {
            self.scroll.remove(pane);
        }
    }

    fn motion(&mut self, motion: Motion, view: View<'_>) {
        match motion {
            Motion::NextPane => self.focus_on(self.focus.shifted(1)),
            Motion::PreviousPane => self.focus_on(self.focus.shifted(Pane::ALL.len() - 1)),
            _ if self.focus == Pane::Tree => self.select(motion, view),
            _ => {
                let Some((rows, height, top)) = frame::extent(self, view, self.focus) else { return };
                let moved = moved(top, motion, rows, height);
                if moved + height >= rows && self.focus == Pane::Log {
                    self.scroll.remove(&Pane::Log);
                } else {
                    self.scroll.insert(self.focus, moved);
                }
            }
        }
    }

    fn focus_on(&mut self, pane: Pane) {
        self.focus = pane;
        if Pane::TABS.contains(&pane) {
            self.tab = pane;
        }
    }

    /// Moves the selection in the policy; the node pane follows it.
    fn select(&mut self, motion: Motion, view: View<'_>) {
        let Some(laid) = self.laid(view, frame::tree_width(self)) else { return };
        let subject = node::subject(view, None, &self.live).map(|s| s.id);
        let current = self.selected.clone().or_else(|| view.next_node()).or(subject);
        let by = match motion {
            Motion::Up(n) => -(n as isize),
            Motion::Down(n) => n as isize,
            Motion::PageUp => -8,
            Motion::PageDown => 8,
            Motion::Top => isize::MIN,
            Motion::Bottom => isize::MAX,
            Motion::NextPane | Motion::PreviousPane => 0,
        };
        self.selected = laid.moved(current.as_ref(), by);
        self.scroll.remove(&Pane::Node);
    }
}

/// What completion knows.
fn names(setup: &Setup, view: View<'_>) -> SessionNames {
    SessionNames::of(view.state, view.policy(), &setup.models).recorded(setup.recorded)
}

/// Where `top` comes to stand after `motion`, with `rows` rows of which `height` are shown.
fn moved(top: usize, motion: Motion, rows: usize, height: usize) -> usize {
    let page = height.saturating_sub(2).max(1);
    let to = match motion {
        Motion::Up(n) => top.saturating_sub(n),
        Motion::Down(n) => top.saturating_add(n),
        Motion::PageUp => top.saturating_sub(page),
        Motion::PageDown => top.saturating_add(page),
        Motion::Top => 0,
        Motion::Bottom => usize::MAX,
        Motion::NextPane | Motion::PreviousPane => top,
    };
    to.min(rows.saturating_sub(height))
}
