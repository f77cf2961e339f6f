//! The REPL: reads a line, runs it to completion, shows what happened, and reads the next.
//!
//! Must not read the terminal while a command runs (what is typed meanwhile waits for the next prompt), and must leave
//! the terminal as it was.

mod helper;
mod paste;
mod quiet;

use super::interrupt::Interrupt;
use super::names::SessionNames;
use super::runner::{Ended, Input, Rules, Runner};
use super::script;
use super::show::{Show as _, TextShow, WIDTH};
use super::{Client, Leave};
use crate::command::{Command, EngineCommand, FrontendCommand, parse};
use crate::domain::{Name, Target};
use crate::engine::Failure;
use crate::frontend::editor;
use crate::frontend::history::History;
use crate::report::theme::Theme;
use crate::report::{Doc, Line, Role};
use helper::LineHelper;
use paste::Paste;
use quiet::Quiet;
use rustyline::config::Configurer as _;
use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{ColorMode, CompletionType, Config, Editor, Event, EventHandler};
use std::io::{self, Write};

/// What the prompt is given.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// Lines typed before.
    pub history: History,
    /// The looks; plain text without them.
    pub theme: Option<Theme>,
    /// Whether `tui` can be given.
    pub can_switch: bool,
    /// Whether the terminal cannot move its cursor.
    pub dumb: bool,
    /// What `edit` opens.
    pub editor: editor::Editor,
    /// Models that can be loaded by name, each with a few words on it.
    pub models: Vec<(String, String)>,
}

/// Runs `inputs`, then what is typed, until the user leaves.
///
/// # Errors
/// If the terminal cannot be read or `out` cannot be written.
pub fn run(
    client: &mut Client,
    setup: &Setup,
    inputs: &[Input],
    interrupt: &Interrupt,
    out: &mut dyn Write,
) -> io::Result<Leave> {
    let rules = Rules { keep_going: false, can_switch: setup.can_switch };
    let mut runner = Runner::new(client, interrupt, rules);
    let paste = Paste::default();
    let mut editor = editor(setup, &paste)?;
    let cells = width(&mut editor);
    let mut show = match setup.dumb {
        true => TextShow::dumb_terminal(out, setup.theme, cells),
        false => TextShow::terminal(out, setup.theme, cells),
    };
    let quiet = Quiet::begin();
    if let Ended::Leave(leave) = runner.inputs(inputs, &mut show)? {
        return Ok(leave);
    }
    drop(quiet);
    // For as long as there is a printer the line editor waits in a way that a signal can end.
    let _printer = editor.create_external_printer();
    show.echo = false;
    let mut again: Option<String> = None;
    let mut unfinished = String::new();
    loop {
        // A signal that came too late for the last command must not stop the next one.
        interrupt.settled();
        if interrupt.ending() {
            return Ok(Leave::Exit(Ended::Cancelled.code()));
        }
        let names = SessionNames::of(runner.client().state(), runner.client().basis().policy.clone(), &setup.models);
        let names = names.with_samples(runner.client().sample_ids());
        let names = names.recorded(runner.client().is_recorded()).at_home(runner.client().home());
        editor.set_helper(Some(LineHelper::new(names, setup.theme.is_some())));
        let begun = std::mem::take(&mut unfinished);
        let read = editor.readline_with_initial(&prompt(runner.client()), (&begun, ""));
        let pasted = paste.take();
        let typed = match read {
            Ok(typed) => typed,
            // Ctrl-C clears the line; so does a signal that reached the line editor.
            Err(ReadlineError::Interrupted | ReadlineError::Signal(_)) => continue,
            Err(ReadlineError::Eof) if interrupt.ended_by_signal() => {
                return Ok(Leave::Exit(Ended::Cancelled.code()));
            }
            Err(ReadlineError::Eof) => return Ok(Leave::Exit(0)),
            Err(error) => return Err(into_io(error)),
        };
        show.width = width(&mut editor);
        if let Some(text) = pasted {
            let (lines, rest) = script::pasted(&text);
            unfinished = rest;
            for line in lines.iter().filter_map(|line| line.text.as_deref().ok()) {
                remember(line, &setup.history, &mut editor, &mut show)?;
            }
            let _quiet = Quiet::begin();
            show.echo = true;
            let ended = runner.script(lines.into_iter().map(Ok), &mut show)?;
            show.echo = false;
            if let Ended::Leave(leave) = ended {
                return Ok(leave);
            }
            again = None;
            continue;
        }
        let line = if typed.trim().is_empty() {
            match &again {
                Some(line) => line.clone(),
                None => continue,
            }
        } else {
            remember(&typed, &setup.history, &mut editor, &mut show)?;
            script::joined(&typed)
        };
        again = repeated(&line);
        let line = match parse(&line) {
            Ok(Some(Command::Frontend(FrontendCommand::Edit(node)))) => {
                match edit(node.as_ref(), &setup.editor, runner.client(), interrupt) {
                    Ok(()) => {
                        runner.edited();
                        EngineCommand::Reload.to_string()
                    }
                    Err(failure) => {
                        show.failure(&failure, None)?;
                        continue;
                    }
                }
            }
            _ => line,
        };
        let _quiet = Quiet::begin();
        if let Ended::Leave(leave) = runner.line(&line, None, &mut show)? {
            return Ok(leave);
        }
    }
}

/// Opens the editor, which has the terminal until it ends.
fn edit(node: Option<&Name>, editor: &editor::Editor, client: &Client, interrupt: &Interrupt) -> Result<(), Failure> {
    editor.open(&editor::place(node, client)?, interrupt)
}

/// The line that an empty line repeats after this one.
fn repeated(line: &str) -> Option<String> {
    match parse(line) {
        Ok(Some(command)) => command.spec().repeat.then(|| command.to_string()),
        _ => None,
    }
}

fn remember(typed: &str, history: &History, editor: &mut LineEditor, show: &mut TextShow<'_>) -> io::Result<()> {
    if typed.trim().is_empty() {
        return Ok(());
    }
    editor.add_history_entry(typed).map_err(into_io)?;
    match history.remember(typed) {
        Ok(()) => Ok(()),
        // Reported every time: the user decides whether the history is worth fixing the cause.
        Err(error) => {
            let text = format!("the history could not be written: {error}");
            show.doc(&Doc(vec![Line::new().with(Role::Warning, text)]))
        }
    }
}

type LineEditor = Editor<LineHelper, MemHistory>;

fn editor(setup: &Setup, paste: &Paste) -> io::Result<LineEditor> {
    let color = if setup.theme.is_some() { ColorMode::Enabled } else { ColorMode::Disabled };
    let config = Config::builder().completion_type(CompletionType::List).color_mode(color).auto_add_history(false);
    let mut editor = Editor::with_history(config.build(), MemHistory::new()).map_err(into_io)?;
    editor.set_history_ignore_dups(true).map_err(into_io)?;
    editor.set_history_ignore_space(true);
    editor.bind_sequence(Event::Any, EventHandler::Conditional(Box::new(paste.clone())));
    for line in setup.history.lines() {
        editor.add_history_entry(line).map_err(into_io)?;
    }
    Ok(editor)
}

/// Width of the terminal in cells, or a default if it is unknown.
fn width(editor: &mut LineEditor) -> usize {
    editor.dimensions().map_or(WIDTH, |(columns, _)| usize::from(columns)).clamp(40, 160)
}

/// `crossexam 3/asks_for_value> `: the sample's number and the node that comes next, or the leaf.
fn prompt(client: &Client) -> String {
    match client.state().walk_now() {
        None => "crossexam> ".to_owned(),
        Some(walk) => match (&walk.leaf, walk.frontier()) {
            (Some(leaf), _) => format!("crossexam {}={}> ", walk.number(), leaf.id),
            (None, Target::Node(next) | Target::Leaf(next)) => format!("crossexam {}/{next}> ", walk.number()),
        },
    }
}

fn into_io(error: ReadlineError) -> io::Error {
    match error {
        ReadlineError::Io(error) => error,
        other => io::Error::other(other.to_string()),
    }
}
