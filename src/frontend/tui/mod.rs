//! The full-screen front end: keys and engine events in, frames out.
//!
//! Must never wait for the engine, and must leave the terminal as it was and no thread reading it.

mod advice;
mod app;
mod frame;
mod ink;
mod keymap;
mod layout;
mod live;
mod log;
mod panes;
mod prompt;
mod terminal;
mod theme;
mod view;

#[cfg(test)]
mod tests;

use super::{Client, Outcome};
use app::{App, Effect, Msg};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{self, Event as Input};
use std::io;
use std::time::{Duration, Instant};
use terminal::Guard;
use view::View;

pub use app::Setup;
pub use theme::Theme;

/// How long one wait for a key may take: 30 frames a second.
const FRAME: Duration = Duration::from_millis(33);

/// Most events taken in before the next frame, so that a flood of tokens cannot starve the screen.
const MOST_EVENTS: usize = 4096;

/// What the front end needs to keep lines that were typed.
pub type Remember<'a> = &'a mut dyn FnMut(&str);

/// Runs the full-screen front end until the user leaves it. `lines` are submitted first, as if they had been typed;
/// `remember` is given every line typed at the prompt. Where `told_to_end` says so (a termination, a terminal that went
/// away), the program ends with exit code 130. The terminal is given back in every case.
///
/// # Errors
/// Where the terminal cannot be taken over, read or drawn on.
pub fn run(
    client: &mut Client,
    setup: Setup,
    lines: &[String],
    remember: Remember<'_>,
    told_to_end: &dyn Fn() -> bool,
) -> io::Result<Outcome> {
    // Whether there are colours is for the theme to say; left to itself the library would answer `NO_COLOR` by resetting
    // bold and reverse too.
    ratatui::crossterm::style::force_color_output(true);
    let guard = Guard::new()?;
    let mut terminal = Terminal::new(CrosstermBackend::new(guard.writer()))?;
    redraw(&mut terminal)?;
    let size = terminal.size()?;
    let mut app = App::new(setup, size.width, size.height);
    let start = Instant::now();
    let mut inbox: Vec<Msg> = lines.iter().map(|line| Msg::Line(line.clone())).collect();
    loop {
        // In raw mode Ctrl-C is a key, so a signal means that the program has to go; without this a terminal that hung up
        // would be read for ever.
        if told_to_end() {
            return Ok(Outcome::Exit(130));
        }
        for msg in inbox.drain(..) {
            let effects = app.update(msg, view(client));
            if let Some(outcome) = perform(effects, client, &guard, &mut terminal, remember)? {
                return Ok(outcome);
            }
        }
        let size = terminal.size()?;
        if (size.width, size.height) != app.size() {
            inbox.push(Msg::Resize(size.width, size.height));
            continue;
        }
        if app.take_dirty() {
            terminal.draw(|frame| frame::draw(&app, view(client), frame))?;
        }
        if event::poll(FRAME)? {
            while event::poll(Duration::ZERO)? {
                inbox.extend(message(event::read()?));
            }
        }
        inbox.push(Msg::Tick(start.elapsed()));
        for _ in 0..MOST_EVENTS {
            let Some(event) = client.event(Duration::ZERO) else { break };
            let effects = app.update(Msg::Event(event), view(client));
            if let Some(outcome) = perform(effects, client, &guard, &mut terminal, remember)? {
                return Ok(outcome);
            }
        }
    }
}

type Screen = Terminal<CrosstermBackend<io::Stdout>>;

/// Does what the app asked for; gives the outcome where that ends the front end.
fn perform(
    effects: Vec<Effect>,
    client: &mut Client,
    guard: &Guard,
    terminal: &mut Screen,
    remember: Remember<'_>,
) -> io::Result<Option<Outcome>> {
    for effect in effects {
        match effect {
            Effect::Submit(command) => {
                client.submit(command);
            }
            Effect::Cancel => client.cancel(),
            Effect::Remember(line) => remember(&line),
            Effect::Quit => return Ok(Some(Outcome::Exit(0))),
            Effect::SwitchToRepl => return Ok(Some(Outcome::SwitchToRepl)),
            Effect::Suspend => {
                guard.release()?;
                terminal::stop()?;
                guard.retake()?;
                redraw(terminal)?;
            }
            Effect::Redraw => redraw(terminal)?,
        }
    }
    Ok(None)
}

/// Clears the screen, so that the next frame writes every cell. Not `Terminal::clear`: that asks the terminal where its
/// cursor is, and not every terminal answers.
fn redraw(terminal: &mut Screen) -> io::Result<()> {
    let area = terminal.size()?.into();
    terminal.resize(area)
}

fn message(input: Input) -> Option<Msg> {
    match input {
        Input::Key(key) => Some(Msg::Key(key)),
        Input::Paste(text) => Some(Msg::Paste(text)),
        Input::Resize(width, height) => Some(Msg::Resize(width, height)),
        Input::FocusGained | Input::FocusLost | Input::Mouse(_) => None,
    }
}

fn view(client: &Client) -> View<'_> {
    View { state: client.state(), basis: client.basis() }
}
