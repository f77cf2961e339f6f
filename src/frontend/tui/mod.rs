//! The full-screen front end: keys and engine events in, frames out.
//!
//! Must never wait for the engine, and must leave the terminal as it was, with no thread still reading it.

mod activity;
mod advice;
mod app;
mod backend;
mod background;
mod body;
mod clipboard;
mod frame;
mod gestures;
mod hammer;
mod ink;
mod keyboard;
mod keymap;
mod layout;
mod log;
mod panes;
mod prompt;
mod queue;
mod search;
mod terminal;
mod theme;
mod ui;
mod view;

#[cfg(test)]
mod tests;

use super::editor::{self, Editor};
use super::interrupt::{INTERRUPTED, Interrupt};
use super::{Client, Leave, script, words};
use crate::command::EngineCommand;
use crate::domain::Name;
use crate::engine::Failure;
use app::{App, Effect, Msg};
use backend::Screen;
use background::{Ear, Heard};
use keyboard::Keyboard;
use ratatui::Terminal;
use ratatui::crossterm::event::Event as Input;
use std::io;
use std::mem::ManuallyDrop;
use std::time::{Duration, Instant};
use terminal::Guard;
use view::View;

#[doc(hidden)]
pub use hammer::Hammer;
pub use theme::Theme;
pub use ui::Setup;

/// How long one wait for a key may take: 30 frames a second.
const FRAME: Duration = Duration::from_millis(33);

/// Most events taken in before the next frame, so that a flood of tokens or keys cannot starve the screen.
const MOST_EVENTS: usize = 4096;

/// What the front end needs to keep lines that were typed.
pub type Remember<'a> = &'a mut dyn FnMut(&str);

/// Runs the full-screen front end until the user leaves it. `lines` are submitted first, as if they had been typed;
/// `remember` gets every line typed at the prompt. If `interrupt` says so (a signal, a terminal that went away), the
/// program ends with exit code 130. The terminal is restored in every case.
///
/// # Errors
/// If the terminal cannot be taken over, read or drawn on.
pub fn run(
    client: &mut Client,
    setup: Setup,
    lines: &[String],
    remember: Remember<'_>,
    interrupt: &Interrupt,
) -> io::Result<Leave> {
    // Whether there are colours is for the theme to say; left to itself the library would answer `NO_COLOR` by
    // resetting bold and reverse too.
    ratatui::crossterm::style::force_color_output(true);
    let leave = Console::take(&setup, interrupt).and_then(|mut console| {
        let leave = show(client, setup, lines, remember, &mut console, interrupt);
        console.finish().and(leave)
    });
    interrupt.farewell(None);
    match leave {
        Err(_) if interrupt.ended_by_signal() => Ok(Leave::Exit(INTERRUPTED)),
        leave => leave,
    }
}

fn show(
    client: &mut Client,
    setup: Setup,
    lines: &[String],
    remember: Remember<'_>,
    console: &mut Console,
    interrupt: &Interrupt,
) -> io::Result<Leave> {
    let size = console.screen.size()?;
    let asks = setup.ask_background;
    let mut app = App::new(setup, size.width, size.height);
    let start = console.start;
    let mut inbox: Vec<Msg> = lines.iter().map(|line| Msg::Line(line.clone())).collect();
    if asks {
        inbox.extend(console.ask_background()?);
    }
    loop {
        if interrupt.take() || interrupt.ending() {
            return Ok(Leave::Exit(INTERRUPTED));
        }
        for msg in std::mem::take(&mut inbox) {
            let effects = app.update(msg, view(client));
            if let Some(leave) = perform(effects, client, console, remember, &mut inbox)? {
                return Ok(leave);
            }
        }
        let size = console.screen.size()?;
        if (size.width, size.height) != app.size() {
            inbox.push(Msg::Resize(size.width, size.height));
            continue;
        }
        if app.take_dirty() {
            console.screen.draw(|frame| frame::draw(&app, view(client), frame))?;
        }
        let mut wait = FRAME;
        for _ in 0..MOST_EVENTS {
            let Some(heard) = console.hear(wait)? else { break };
            inbox.extend(heard);
            wait = Duration::ZERO;
        }
        inbox.push(Msg::Tick(start.elapsed()));
        // What a fact shows can take long: a key must not wait for thousands of them.
        let taken = Instant::now();
        for _ in 0..MOST_EVENTS {
            if taken.elapsed() > FRAME {
                break;
            }
            let Some(event) = client.event(Duration::ZERO) else { break };
            let effects = app.update(Msg::Event(event), view(client));
            if let Some(leave) = perform(effects, client, console, remember, &mut inbox)? {
                return Ok(leave);
            }
        }
    }
}

/// The terminal while it is ours: where we draw, and where we read. The keyboard stops reading before the guard
/// restores the terminal.
struct Console {
    keyboard: Option<Keyboard>,
    ear: Ear,
    start: Instant,
    /// Never dropped: if the cursor cannot be shown again, ratatui's drop prints to stderr, which panics on a terminal
    /// that is gone. The guard shows the cursor.
    screen: ManuallyDrop<Terminal<Screen<io::Stdout>>>,
    guard: Guard,
    editor: Editor,
    interrupt: Interrupt,
}

impl Console {
    fn take(setup: &Setup, interrupt: &Interrupt) -> io::Result<Self> {
        let guard = Guard::new(setup.mouse)?;
        interrupt.farewell(Some(guard.farewell()));
        let screen = ManuallyDrop::new(Terminal::new(Screen::new(guard.writer(), setup.ascii))?);
        let keyboard = Some(Keyboard::start()?);
        let (editor, interrupt) = (setup.editor.clone(), interrupt.clone());
        let ear = Ear::default();
        let mut console = Self { keyboard, ear, start: Instant::now(), screen, guard, editor, interrupt };
        console.redraw()?;
        Ok(console)
    }

    /// Messages from the terminal within `wait`; `None` on timeout.
    fn hear(&mut self, wait: Duration) -> io::Result<Option<Vec<Msg>>> {
        let input = self.keyboard.as_ref().map_or(Ok(None), |keyboard| keyboard.next(wait))?;
        let now = self.start.elapsed();
        let silent = input.is_none();
        let heard = match input {
            Some(input) => self.ear.take(input, now),
            None => self.ear.settle(now),
        };
        let nothing = silent && heard.is_empty();
        Ok((!nothing).then(|| heard.into_iter().filter_map(message).collect()))
    }

    /// Asks the terminal for its background and waits a little for the answer; returns what arrived meanwhile.
    fn ask_background(&mut self) -> io::Result<Vec<Msg>> {
        self.ear.asked(self.start.elapsed());
        self.screen.backend_mut().send(background::QUESTION)?;
        self.await_answer(background::PATIENCE)
    }

    fn await_answer(&mut self, patience: Duration) -> io::Result<Vec<Msg>> {
        let mut inbox = Vec::new();
        while self.ear.waits(self.start.elapsed(), patience) {
            inbox.extend(self.hear(Duration::from_millis(5))?.into_iter().flatten());
        }
        Ok(inbox)
    }

    /// Called before the terminal is restored: an answer still on its way must not reach the next reader as typed
    /// input.
    fn finish(&mut self) -> io::Result<()> {
        self.await_answer(background::LONGER).map(drop)
    }

    /// Gives the terminal back while `other` runs.
    fn lend(&mut self, other: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        self.keyboard = None;
        self.guard.release()?;
        let done = other();
        self.guard.retake()?;
        self.keyboard = Some(Keyboard::start()?);
        self.redraw()?;
        done
    }

    /// Lends the terminal to the editor; then the policy is to be read again.
    fn edit(&mut self, node: Option<&Name>, client: &mut Client) -> io::Result<Msg> {
        let refused = |failure: &Failure| Msg::Remark(advice::failure(failure));
        let place = match editor::place(node, client) {
            Ok(place) => place,
            Err(failure) => return Ok(refused(&failure)),
        };
        let mut edited = Ok(());
        let (editor, interrupt) = (self.editor.clone(), self.interrupt.clone());
        self.lend(|| {
            edited = editor.open(&place, &interrupt);
            Ok(())
        })?;
        // The `reload` reports what changed.
        client.policy_changed();
        Ok(match edited {
            Ok(()) => Msg::Line(EngineCommand::Reload.to_string()),
            Err(failure) => refused(&failure),
        })
    }

    /// Clears the screen, so that the next frame writes every cell. Not `Terminal::clear`: that asks the terminal for
    /// its cursor position, and not every terminal answers.
    fn redraw(&mut self) -> io::Result<()> {
        let area = self.screen.size()?.into();
        self.screen.resize(area)
    }
}

/// Performs an effect of the app and puts any results into `inbox`; returns how to leave if it ends the front end.
fn perform(
    effects: Vec<Effect>,
    client: &mut Client,
    console: &mut Console,
    remember: Remember<'_>,
    inbox: &mut Vec<Msg>,
) -> io::Result<Option<Leave>> {
    for effect in effects {
        match effect {
            Effect::Submit(command) => {
                let loads = matches!(command, EngineCommand::Reload | EngineCommand::LoadPolicy(_));
                if !loads && client.policy_changed() {
                    inbox.push(Msg::Remark(words::policy_changed()));
                }
                client.submit(command);
            }
            Effect::Look if client.policy_changed() => inbox.push(Msg::Remark(words::policy_changed())),
            Effect::Look => {}
            Effect::Edit(node) => inbox.push(console.edit(node.as_ref(), client)?),
            Effect::Source { path, deep } => {
                let path = client.path(&path);
                let lines = script::whole(&path, &console.interrupt).map_err(|error| script::unreadable(&path, &error));
                inbox.push(Msg::Script { lines, deep });
            }
            Effect::Cancel => client.cancel(),
            Effect::Remember(line) => remember(&line),
            Effect::Quit => return Ok(Some(Leave::Exit(0))),
            Effect::SwitchToRepl => return Ok(Some(Leave::SwitchToRepl)),
            Effect::Suspend => console.lend(terminal::stop)?,
            Effect::Redraw => console.redraw()?,
            Effect::Copy(text) => console.screen.backend_mut().send(clipboard::sequence(&text).as_bytes())?,
        }
    }
    Ok(None)
}

fn message(heard: Heard) -> Option<Msg> {
    match heard {
        Heard::Background(rgb) => Some(Msg::Theme(Theme::of_background(rgb))),
        Heard::Event(Input::Key(key)) => Some(Msg::Key(key)),
        Heard::Event(Input::Paste(text)) => Some(Msg::Paste(text)),
        Heard::Event(Input::Mouse(mouse)) => Some(Msg::Mouse(mouse)),
        Heard::Event(Input::FocusGained) => Some(Msg::Focus),
        // The size is queried before every frame: not every terminal reports a change.
        Heard::Event(Input::Resize(..) | Input::FocusLost) => None,
    }
}

fn view(client: &Client) -> View<'_> {
    View { state: client.state(), basis: client.basis(), samples: client.sample_ids() }
}
