//! `App`: `update`, the only function that changes the state of the screen, and the commands waiting for the engine.
//!
//! Must do no I/O (except to list file names for path completion) and read no clock: messages come in, effects go out,
//! and the session is read through a `View`. Must not paint.

use super::activity::Activity;
use super::keymap::{self, Action, Motion, Standing};
use super::layout::Pane;
use super::log::WIDE;
use super::panes::overlay::Overlay;
use super::prompt::{Prompt, Typed};
use super::queue::{Queue, Waiting};
use super::search::Search;
use super::theme::Theme;
use super::ui::{Setup, Ui};
use super::view::View;
use super::{advice, body};
use crate::command::arg::ArgKind;
use crate::command::{Command, EngineCommand, FrontendCommand, ViewCommand, parse};
use crate::domain::Name;
use crate::engine::{Event, Failure, Notice, Progress};
use crate::frontend::names::SessionNames;
use crate::frontend::script::{self, ScriptLine};
use crate::report::{Doc, Line, Role};
use crate::session::Fact;
use crate::text::Escaped;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, MouseEvent};
use std::ops::{Deref, DerefMut};
use std::time::Duration;

/// A document of at most this many lines goes to the log; a longer one opens as an overlay.
const SHORT_DOC: usize = 6;

/// Highest number before a motion.
const MOST_COUNT: usize = 9999;

/// Lines of history kept.
const MOST_HISTORY: usize = 1000;

/// A message to the app.
#[derive(Clone, Debug)]
pub enum Msg {
    /// A key was pressed.
    Key(KeyEvent),
    /// Text was pasted.
    Paste(String),
    /// The mouse was used.
    Mouse(MouseEvent),
    /// The terminal reported its background; this is the matching theme.
    Theme(Theme),
    /// The terminal has a new size.
    Resize(u16, u16),
    /// Time since the start.
    Tick(Duration),
    /// A line to run as if it had been typed.
    Line(String),
    /// The lines of a script requested by [`Effect::Source`], or why there are none.
    Script {
        /// The lines.
        lines: Result<Vec<ScriptLine>, Failure>,
        /// From how many scripts within each other it was run.
        deep: usize,
    },
    /// Something came out of the engine; a fact is already in the state.
    Event(Event),
    /// The terminal has the focus again.
    Focus,
    /// Something worth saying that concerns no command of the engine.
    Remark(Line),
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
    /// Continue at the prompt of the REPL.
    SwitchToRepl,
    /// Open the editor at the description of this node, then reload.
    Edit(Option<Name>),
    /// Look whether the policy's files are what was loaded.
    Look,
    /// Stop as a job.
    Suspend,
    /// Redraw everything.
    Redraw,
    /// Put this text into the clipboard.
    Copy(String),
}

/// The app: the screen, and the commands on their way to the engine.
pub struct App {
    ui: Ui,
    /// Whether a fact already reported why the command in flight failed.
    told: bool,
    queue: Queue,
    /// The origin of the command in flight, unless a person gave it.
    place: Option<Escaped>,
    repeat: Option<String>,
    dirty: bool,
}

impl Deref for App {
    type Target = Ui;

    fn deref(&self) -> &Ui {
        &self.ui
    }
}

impl DerefMut for App {
    fn deref_mut(&mut self) -> &mut Ui {
        &mut self.ui
    }
}

impl App {
    /// An app on a screen of this size.
    pub fn new(setup: Setup, width: u16, height: u16) -> Self {
        let mut ui = Ui::new(setup, width, height);
        if ui.setup.recorded {
            let line =
                Line::new().with(Role::Warning, "◆ recorded session").with(Role::Muted, ": it is shown, not run");
            ui.log.doc(Doc(vec![line]));
        }
        Self { ui, told: false, queue: Queue::default(), place: None, repeat: None, dirty: true }
    }

    /// Whether the screen has to be drawn again; asking clears it.
    pub fn take_dirty(&mut self) -> bool {
        std::mem::take(&mut self.dirty)
    }

    /// Columns and rows of the screen.
    pub const fn size(&self) -> (u16, u16) {
        (self.ui.size.width, self.ui.size.height)
    }

    /// Whether a command is in flight or waiting.
    pub fn busy(&self) -> bool {
        self.activity.busy() || !self.queue.is_empty()
    }

    /// Takes in one message.
    pub fn update(&mut self, msg: Msg, view: View<'_>) -> Vec<Effect> {
        let mut effects = Vec::new();
        match msg {
            Msg::Tick(now) => self.tick(now),
            Msg::Resize(width, height) => {
                self.resize(width, height);
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
            Msg::Mouse(mouse) => self.dirty |= self.mouse(mouse, view),
            Msg::Theme(theme) => {
                self.setup.theme = theme;
                self.dirty = true;
            }
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
            Msg::Focus => effects.push(Effect::Look),
            Msg::Remark(line) => {
                self.log.doc(Doc(vec![line.clone()]));
                self.say(line);
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
        if self.activity.busy() && Activity::spinner(now) != Activity::spinner(self.now) {
            self.dirty = true;
        }
        self.now = now;
    }

    fn key(&mut self, key: KeyEvent, view: View<'_>, effects: &mut Vec<Effect>) {
        if self.confirm {
            self.confirm = false;
            match key.code {
                KeyCode::Char('y' | 'Y') => effects.extend([Effect::Cancel, Effect::Quit]),
                _ => self.say(Line::new().with(Role::Muted, "Not quitting.")),
            }
            return;
        }
        if self.too_small() {
            // Nobody can see what any other key would do.
            if key.code == KeyCode::Char('q') {
                self.line("quit", view, effects);
            }
            return;
        }
        if self.prompt.is_some() {
            return self.prompt_key(key, view, effects);
        }
        let standing = Standing {
            view,
            selected: self.target(),
            recorded: self.setup.recorded,
            activity: &self.activity,
            searching: self.search.is_some(),
            counting: self.count.is_some(),
        };
        let Some(action) = keymap::action(key, standing) else {
            self.count = None;
            return;
        };
        if let Action::Digit(digit) = action {
            self.count = Some((self.count.unwrap_or(0) * 10 + digit).min(MOST_COUNT));
            return;
        }
        let count = self.count.take();
        let action = counted(action, count, view);
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
            Action::Search => self.prompt = Some(Prompt::search()),
            Action::Match(forward) => self.find(forward, view),
            Action::Zoom => self.zoomed = !self.zoomed,
            Action::Copy => self.copy(view, effects),
            Action::Digit(_) => {}
            Action::Refuse(line) => self.say(line),
            Action::Repeat => match self.repeat.clone() {
                Some(line) => self.line(&line, view, effects),
                None => self.say(Line::new().with(Role::Muted, "Nothing to repeat yet.")),
            },
            Action::Cancel => self.cancel(effects),
            Action::Suspend => effects.push(Effect::Suspend),
            Action::Redraw => effects.push(Effect::Redraw),
            Action::Escape if count.is_some() => {}
            Action::Escape if self.search.is_some() => {
                self.search = None;
                self.status = None;
            }
            Action::Escape => {
                self.selected = None;
                self.scroll.clear();
            }
        }
    }

    /// Keys while an overlay is open: it scrolls, `q`, `?` and Esc close it, and everything else acts as ever.
    pub(super) fn overlay_action(&mut self, action: &Action) -> bool {
        match action {
            Action::Escape if self.search.is_some() => return false,
            Action::Escape | Action::Help => self.overlay = None,
            Action::Line(line) if line == "quit" => self.overlay = None,
            Action::Motion(Motion::NextPane | Motion::PreviousPane) => {
                self.overlay = None;
                return false;
            }
            Action::Motion(motion) => {
                let extent = body::overlay(self).1;
                if let Some(overlay) = &mut self.overlay {
                    overlay.top = moved(overlay.top, *motion, extent.rows, extent.height);
                }
            }
            _ => return false,
        }
        if self.overlay.is_none() {
            self.search = None;
        }
        true
    }

    fn prompt_key(&mut self, key: KeyEvent, view: View<'_>, effects: &mut Vec<Effect>) {
        let Some(mut prompt) = self.prompt.take() else { return };
        let names = names(&self.setup, view);
        match prompt.key(key, &self.setup.history, &|line, at| advice::of(line, at, &names)) {
            Typed::Open => self.prompt = Some(prompt),
            Typed::Close => {}
            Typed::Submit(text) if prompt.is_search() => {
                self.search = (!text.is_empty()).then(|| Search::new(&text));
                self.find(true, view);
            }
            Typed::Submit(line) => match parse(&line) {
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

    /// Inserts pasted text into the open prompt. Complete lines, the first joined to what was typed before, run like
    /// lines of a file; an unfinished last line stays in the prompt.
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

    /// Runs a command line, typed or from a key.
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
                effects.push(Effect::Look);
                self.answer(&command, view);
            }
            Command::Engine(command) => {
                self.queue.push(Waiting::Command(command));
                self.pump(view, effects);
            }
            Command::Frontend(FrontendCommand::Quit) if self.busy() => self.confirm = true,
            Command::Frontend(FrontendCommand::Edit(_) | FrontendCommand::Repl) if self.busy() => {
                self.say(Line::new().with(Role::Warning, "A command is running; Ctrl-C stops it."));
            }
            Command::Frontend(command @ FrontendCommand::Source(_)) => {
                self.queue.push(Waiting::Script(command));
                self.pump(view, effects);
            }
            Command::Frontend(command) => self.itself(command, 0, effects),
        }
    }

    /// Runs a front-end command while nothing else is running.
    fn itself(&mut self, command: FrontendCommand, deep: usize, effects: &mut Vec<Effect>) {
        match command {
            FrontendCommand::Quit => effects.push(Effect::Quit),
            FrontendCommand::Edit(node) => effects.push(Effect::Edit(node)),
            FrontendCommand::Repl => effects.push(Effect::SwitchToRepl),
            FrontendCommand::Tui => self.say(Line::new().with(Role::Muted, "This is the full-screen front end.")),
            FrontendCommand::Source(_) if deep >= script::MOST_DEEP => self.fail(script::too_deep()),
            FrontendCommand::Source(path) => {
                self.queue.hold();
                effects.push(Effect::Source { path, deep: deep + 1 });
            }
        }
    }

    /// Runs waiting commands until one is in flight, so that typing ahead never blocks.
    fn pump(&mut self, view: View<'_>, effects: &mut Vec<Effect>) {
        while !self.activity.busy() {
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
        self.activity.start(command.to_string());
        self.told = false;
        self.place = place;
        effects.push(Effect::Submit(command));
    }

    /// Runs a line of a script; the first failure ends the script.
    fn script_line(&mut self, line: ScriptLine, deep: usize, view: View<'_>, effects: &mut Vec<Effect>) {
        self.place = Some(line.place.shown());
        self.told = false;
        let parsed = match &line.text {
            Ok(text) => parse(text).map_err(Failure::from),
            Err(fault) => Err(Failure::user(*fault).hinted("scripts are UTF-8 text, one command a line")),
        };
        match parsed {
            Ok(None) => {}
            Ok(Some(Command::Engine(command))) => self.submit(command, self.place.clone(), effects),
            Ok(Some(Command::View(command))) => {
                effects.push(Effect::Look);
                if !self.answer(&command, view) {
                    self.queue.clear();
                }
            }
            Ok(Some(Command::Frontend(command @ FrontendCommand::Edit(_)))) => self.fail(script::not_here(&command)),
            Ok(Some(Command::Frontend(command))) => {
                if matches!(command, FrontendCommand::Quit | FrontendCommand::Repl) {
                    self.queue.clear();
                }
                self.itself(command, deep, effects);
            }
            Err(failure) => self.fail(failure),
        }
    }

    /// Reports a failure, with the position of the failed line if it is in a script, and drops all waiting commands.
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
            Some(place) => failure.at(place),
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

    /// Answers a command from the state: a short answer in the log, a long one in an overlay. Returns whether there is
    /// one.
    fn answer(&mut self, command: &ViewCommand, view: View<'_>) -> bool {
        let line = command.to_string();
        let mut found = true;
        let short = match advice::answer(command, view, self.page(body::overlay_width(self))) {
            Ok(doc) if doc.0.len() > SHORT_DOC => {
                self.overlay = Some(Overlay::new(line, doc));
                return true;
            }
            Ok(_) => advice::answer(command, view, self.page(body::log_width(self))).unwrap_or_else(|doc| doc),
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
        if body::screen(self).is_some_and(|s| s.is_single()) {
            self.focus = Pane::Log;
        }
        found
    }

    fn event(&mut self, event: Event, view: View<'_>, effects: &mut Vec<Effect>) {
        match event {
            Event::Fact(fact) => self.fact(&fact, view),
            Event::Notice(Notice::Started(_)) => {}
            Event::Notice(Notice::Asking { node, .. }) => {
                self.selected = None;
                self.scroll.remove(&Pane::Node);
                self.scroll.remove(&Pane::Tree);
                self.activity.ask(node);
            }
            Event::Notice(Notice::Progress(_, Progress::Note(text))) => {
                self.say(advice::note(&text));
                self.log.doc(advice::note_in_lines(&text));
            }
            Event::Notice(Notice::Progress(_, progress)) => {
                let now = self.now;
                self.activity.progress(&progress, now);
            }
            Event::Notice(Notice::Done { result, .. }) => {
                self.activity.finish();
                match result {
                    Ok(stop) => {
                        if let Some(line) = advice::stop(stop) {
                            self.say(line);
                        }
                    }
                    Err(failure) => self.fail(failure),
                }
                self.pump(view, effects);
                if self.confirm && !self.busy() {
                    // Whether to quit was asked because of what is over now.
                    self.confirm = false;
                    effects.push(Effect::Quit);
                }
            }
        }
    }

    fn fact(&mut self, fact: &Fact, view: View<'_>) {
        match fact {
            Fact::Stepped { .. } => {
                self.activity.answered();
                self.follow(&[Pane::Node, Pane::Tree, Pane::Compare]);
            }
            Fact::WalkStarted { .. } | Fact::WalkForked { .. } | Fact::WalkSelected { .. } | Fact::PolicyLoaded(_) => {
                self.follow(&Pane::ALL)
            }
            Fact::SteppedBack { .. } | Fact::LeafReached { .. } => {
                self.follow(&[Pane::Node, Pane::Tree, Pane::Compare]);
            }
            // Passed by on the way through a recording, it is a line in the log.
            Fact::Examined { found, .. } => {
                if let Some(asked) = self.activity.running().filter(|line| line.starts_with("x ")) {
                    let doc = advice::examination(found, self.page(body::overlay_width(self)));
                    self.overlay = Some(Overlay::new(asked.to_owned(), doc));
                }
            }
            _ => {}
        }
        self.told |= matches!(fact, Fact::Failed { .. } | Fact::Cancelled { .. });
        let page = self.page(WIDE);
        self.log.doc(advice::transcript(fact, view, page));
    }

    fn motion(&mut self, motion: Motion, view: View<'_>) {
        match motion {
            Motion::NextPane => {
                let next = self.focus.shifted(1);
                self.focus_on(next);
            }
            Motion::PreviousPane => {
                let previous = self.focus.shifted(Pane::ALL.len() - 1);
                self.focus_on(previous);
            }
            _ if self.focus == Pane::Tree => self.select(motion, view),
            _ => {
                let focus = self.focus;
                self.scrolled(focus, motion, view);
            }
        }
    }

    pub(super) fn scrolled(&mut self, pane: Pane, motion: Motion, view: View<'_>) {
        let Some(extent) = body::extent(self, view, pane) else { return };
        let moved = moved(extent.top, motion, extent.rows, extent.height);
        if moved + extent.height >= extent.rows && pane == Pane::Log {
            self.scroll.remove(&Pane::Log);
        } else {
            self.scroll.insert(pane, moved);
        }
    }

    /// Moves the selection in the policy; the node pane follows it.
    fn select(&mut self, motion: Motion, view: View<'_>) {
        let Some(laid) = self.laid(view, body::tree_width(self)) else { return };
        let row = body::lit_row(self, view, &laid).unwrap_or(0);
        let by = match motion {
            Motion::Up(n) => -(n as isize),
            Motion::Down(n) => n as isize,
            Motion::PageUp => -8,
            Motion::PageDown => 8,
            Motion::Top => isize::MIN,
            Motion::Bottom => isize::MAX,
            Motion::NextPane | Motion::PreviousPane => 0,
        };
        self.selected = laid.moved(row, by);
        self.scroll.remove(&Pane::Tree);
        self.scroll.remove(&Pane::Node);
    }
}

/// A key with a count: repeats the motion, passes the count to the command, or skips that many samples.
fn counted(action: Action, count: Option<usize>, view: View<'_>) -> Action {
    let Some(count) = count else { return action };
    match action {
        Action::Motion(Motion::Up(n)) => Action::Motion(Motion::Up(n.saturating_mul(count))),
        Action::Motion(Motion::Down(n)) => Action::Motion(Motion::Down(n.saturating_mul(count))),
        Action::Line(line) => Action::Line(counted_line(line, count, view)),
        // The number is what would have been typed.
        Action::Prompt(line) if line == "sample " => Action::Line(format!("{line}{count}")),
        other => other,
    }
}

fn counted_line(line: String, count: usize, view: View<'_>) -> String {
    let samples = view.state.samples.as_ref().map_or(1, |(_, good, _)| *good);
    let now = view.walk().map(|walk| walk.number());
    match line.as_str() {
        "next-sample" => format!("sample {}", now.unwrap_or(0).saturating_add(count).min(samples.max(1))),
        "previous-sample" => format!("sample {}", now.unwrap_or(1).saturating_sub(count).max(1)),
        _ => match parse(&line).ok().flatten().map(|command| command.spec()) {
            Some(spec) if line == spec.name && spec.args.first().is_some_and(|arg| arg.kind == ArgKind::Count) => {
                format!("{line} {count}")
            }
            _ => line,
        },
    }
}

/// What completion knows.
fn names(setup: &Setup, view: View<'_>) -> SessionNames {
    SessionNames::of(view.state, view.basis.policy.clone(), &setup.models)
        .with_samples(view.samples)
        .recorded(setup.recorded)
        .at_home(setup.home.as_deref())
}

/// The new value of `top` after `motion`, for `rows` rows of which `height` are visible.
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
