//! `Runner`: runs one line, or a list of lines and files, to completion; shared by the REPL and batch mode.
//!
//! Must not print: output goes to a `Show`. Must not be used by the full-screen front end, which never waits.

use super::interrupt::Interrupt;
use super::script::{self, MOST_DEEP, Origin, Script, ScriptLine};
use super::show::Show;
use super::{Client, Leave, words};
use crate::command::{Command, EngineCommand, FrontendCommand, parse};
use crate::domain::{GuardedFile, path_text};
use crate::engine::{Event, Failure, Notice};
use crate::session::FailureKind;
use crate::text::{Escaped, Untrusted};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long one wait for the engine lasts before Ctrl-C is checked again.
const WAIT: Duration = Duration::from_millis(100);

/// What to run before anything is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// One line.
    Line(String),
    /// The lines of a file.
    File(PathBuf),
}

/// How a line, or all of them, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Done, or there was nothing to do.
    Done,
    /// It could not be done.
    Failed,
    /// It could not be read.
    Misread,
    /// It was stopped on request.
    Cancelled,
    /// A fault of ours.
    Internal,
    /// The front end is to end so.
    Leave(Leave),
}

impl Ended {
    /// The exit code of a program that ends after this: 0, 1 failed, 2 not understood, 130 stopped, 255 internal.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done | Self::Leave(Leave::SwitchToTui | Leave::SwitchToRepl) => 0,
            Self::Failed => 1,
            Self::Misread => 2,
            Self::Cancelled => 130,
            Self::Internal => 255,
            Self::Leave(Leave::Exit(code)) => code,
        }
    }
}

/// What a front end that prints lines can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Whether to continue after a failed line.
    pub keep_going: bool,
    /// Whether `tui` can be given: there is a screen to switch to.
    pub can_switch: bool,
}

/// Runs lines.
pub struct Runner<'a> {
    client: &'a mut Client,
    interrupt: &'a Interrupt,
    rules: Rules,
    deep: usize,
    worst: Ended,
}

impl<'a> Runner<'a> {
    /// For this client; while it runs, the signal stops the client's engine.
    pub fn new(client: &'a mut Client, interrupt: &'a Interrupt, rules: Rules) -> Self {
        interrupt.watch(client.canceller());
        Self { client, interrupt, rules, deep: 0, worst: Ended::Done }
    }

    /// The session.
    pub fn client(&self) -> &Client {
        self.client
    }

    /// The worst of how lines ended so far.
    pub fn worst(&self) -> Ended {
        self.worst
    }

    /// The session's policy was edited: the `reload` that follows reports what changed.
    pub fn edited(&mut self) {
        self.client.policy_changed();
    }

    /// Remembers that a signal came while nothing was running.
    pub fn stopped(&mut self) {
        self.worst = worse(self.worst, Ended::Cancelled);
    }

    /// Runs all of these, up to the one that ends the run.
    pub fn inputs(&mut self, inputs: &[Input], show: &mut dyn Show) -> io::Result<Ended> {
        for input in inputs {
            let ended = match input {
                Input::Line(line) => self.line(line, None, show)?,
                Input::File(path) => self.file(path, None, show)?,
            };
            if self.stops(ended) {
                return Ok(ended);
            }
        }
        Ok(Ended::Done)
    }

    /// Whether the run ends after a line that ended so.
    pub fn stops(&self, ended: Ended) -> bool {
        match ended {
            Ended::Done => false,
            Ended::Failed | Ended::Misread => !self.rules.keep_going,
            Ended::Cancelled | Ended::Internal | Ended::Leave(_) => true,
        }
    }

    /// Runs one line; `place` is its origin.
    pub fn line(&mut self, text: &str, place: Option<&Escaped>, show: &mut dyn Show) -> io::Result<Ended> {
        show.line(text, place)?;
        let ended = match parse(text) {
            Ok(None) => Ended::Done,
            Ok(Some(command)) => self.command(command, place, show)?,
            Err(error) => show.misread(text, place, &error).map(|()| Ended::Misread)?,
        };
        self.worst = worse(self.worst, ended);
        Ok(ended)
    }

    fn command(&mut self, command: Command, place: Option<&Escaped>, show: &mut dyn Show) -> io::Result<Ended> {
        let loads = matches!(command, Command::Engine(EngineCommand::Reload | EngineCommand::LoadPolicy(_)));
        if !loads && self.client.policy_changed() {
            show.remark(words::policy_changed())?;
        }
        match command {
            Command::Engine(command) => self.submit(command, place, show),
            Command::View(command) => match show.answer(&command, self.client)? {
                Ok(()) => Ok(Ended::Done),
                Err(failure) => self.failed(&failure, place, show),
            },
            Command::Frontend(command) => match command {
                FrontendCommand::Quit => Ok(Ended::Leave(Leave::Exit(0))),
                FrontendCommand::Source(path) => self.file(&self.client.path(&path), place, show),
                FrontendCommand::Tui if self.rules.can_switch => Ok(Ended::Leave(Leave::SwitchToTui)),
                FrontendCommand::Repl if self.rules.can_switch => Ok(Ended::Done),
                FrontendCommand::Edit(_) | FrontendCommand::Tui | FrontendCommand::Repl => {
                    self.failed(&script::not_here(&command), place, show)
                }
            },
        }
    }

    fn submit(&mut self, command: EngineCommand, place: Option<&Escaped>, show: &mut dyn Show) -> io::Result<Ended> {
        let mine = self.client.submit(command);
        let mut stopping = false;
        loop {
            let event = self.client.event(WAIT);
            // A signal that comes before the command has begun finds nothing to stop, so it is checked here too.
            if self.interrupt.take() || stopping {
                stopping = true;
                self.client.cancel();
            }
            let Some(event) = event else { continue };
            show.event(&event, self.client)?;
            match event {
                Event::Notice(Notice::Done { ticket, result }) if ticket == mine => {
                    return match result {
                        Ok(_) if stopping => Ok(Ended::Cancelled),
                        Ok(_) => Ok(Ended::Done),
                        Err(failure) => self.failed(&failure, place, show),
                    };
                }
                _ => {}
            }
        }
    }

    fn failed(&mut self, failure: &Failure, place: Option<&Escaped>, show: &mut dyn Show) -> io::Result<Ended> {
        show.failure(failure, place)?;
        let ended = match failure.kind {
            _ if failure.cancelled => Ended::Cancelled,
            FailureKind::User => Ended::Failed,
            FailureKind::Internal => Ended::Internal,
        };
        self.worst = worse(self.worst, ended);
        Ok(ended)
    }

    /// Runs the lines of a file.
    pub fn file(&mut self, path: &Path, from: Option<&Escaped>, show: &mut dyn Show) -> io::Result<Ended> {
        let name = Untrusted::from(path_text::of(path));
        if self.deep >= MOST_DEEP {
            return self.failed(&script::too_deep(), from, show);
        }
        let interrupt = self.interrupt;
        // A script is read line by line, so its length costs nothing.
        let file = match GuardedFile::open(path, u64::MAX, || interrupt.pressed()) {
            Ok(file) => file,
            Err(error) => return self.failed(&script::unreadable(path, &error), from, show),
        };
        self.deep += 1;
        let ended = self.script(Script::new(name, BufReader::new(file)), show);
        self.deep -= 1;
        ended
    }

    /// Runs these lines, up to the one that ends the run.
    pub fn script(
        &mut self,
        lines: impl IntoIterator<Item = io::Result<ScriptLine>>,
        show: &mut dyn Show,
    ) -> io::Result<Ended> {
        for line in lines {
            let ended = match line {
                Ok(line) => self.script_line(line.text, &line.place, show)?,
                Err(error) if GuardedFile::was_stopped(&error) => {
                    self.stopped();
                    return Ok(Ended::Cancelled);
                }
                // What cannot be read does not get better by reading on.
                Err(error) => return self.failed(&Failure::user(error.to_string()), None, show),
            };
            if self.stops(ended) {
                return Ok(ended);
            }
        }
        Ok(Ended::Done)
    }

    /// Runs one line of a script.
    pub fn script_line(
        &mut self,
        text: Result<String, &'static str>,
        place: &Origin,
        show: &mut dyn Show,
    ) -> io::Result<Ended> {
        let place = place.shown();
        match text {
            Ok(text) => self.line(&text, Some(&place), show),
            Err(fault) => {
                let failure = Failure::user(fault).hinted("scripts are UTF-8 text, one command a line");
                self.worst = worse(self.worst, Ended::Misread);
                show.failure(&failure, Some(&place)).map(|()| Ended::Misread)
            }
        }
    }
}

/// The one of the two with which the program should end.
fn worse(a: Ended, b: Ended) -> Ended {
    let rank = |e: Ended| match e {
        Ended::Done => 0,
        Ended::Leave(_) => 1,
        Ended::Failed => 2,
        Ended::Misread => 3,
        Ended::Cancelled => 4,
        Ended::Internal => 5,
    };
    if rank(b) > rank(a) { b } else { a }
}
