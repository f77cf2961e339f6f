//! From arguments to a front end: builds the judge source, the journal, the engine and the client, and runs what was asked.
//!
//! Must hold no rules of the domain; what a subcommand does is in its own file.

use super::check::{Check, CheckError};
use super::history::History;
use super::interrupt::Interrupt;
use super::runner::Input;
use super::{Client, Outcome, batch, builtin, repl, tui};
use crate::cli::{CheckArgs, Cli, ColorChoice, DemoArgs, Environment, ModeChoice, ModelArgs, OpenArgs, ReplArgs, Sub};
use crate::command::{Command, SampleRef};
use crate::domain::Cancel;
use crate::engine::{Engine, Failure, Host, Parts, host, policy_of_file};
use crate::model::manifest::Manifest;
use crate::model::scripted::Scripted;
use crate::model::{Judge, JudgeError, JudgeSource, Progress};
use crate::session::{Fact, Journal};
use crate::text::Untrusted;
use std::io::{self, BufReader, IsTerminal, Write};
use std::path::{Path, PathBuf};

/// Exit codes of the design: 0 done, 1 something failed, 2 usage, 130 interrupted, 255 internal.
mod exit {
    pub const OK: u8 = 0;
    pub const FAILED: u8 = 1;
    pub const USAGE: u8 = 2;
    pub const INTERNAL: u8 = 255;
}

/// Why the program could not do what was asked, with its exit code.
struct Stopped {
    code: u8,
    message: Untrusted,
    hint: Option<String>,
}

impl Stopped {
    fn usage(message: impl Into<Untrusted>) -> Self {
        Self { code: exit::USAGE, message: message.into(), hint: None }
    }

    fn failed(message: impl Into<Untrusted>) -> Self {
        Self { code: exit::FAILED, ..Self::usage(message) }
    }

    fn hinted(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // The reader of a pipe went away: that is its right, and no fault.
            io::ErrorKind::BrokenPipe => Self { code: exit::OK, ..Self::usage("") },
            _ => Self::failed(error.to_string()),
        }
    }
}

impl From<JudgeError> for Stopped {
    fn from(error: JudgeError) -> Self {
        let Failure { message, hint, .. } = error.into();
        Self { code: exit::FAILED, message, hint }
    }
}

/// Runs the program and returns its exit code; errors are written to stderr.
pub fn run(cli: Cli, env: &Environment) -> u8 {
    let result = match cli.command {
        None => open(&cli.open, env),
        Some(Sub::Open(args)) => open(&args, env),
        Some(Sub::Check(args)) => check(&args, env),
        Some(Sub::Repl(args)) => run_repl(&args, env),
        Some(Sub::Replay(_) | Sub::Lint(_) | Sub::Models(_)) => Err(Stopped::usage("not wired yet")),
        Some(Sub::Demo(args)) => demo(&args, env),
        Some(Sub::Completions { shell }) => Cli::completions(shell, &mut io::stdout()).map_err(Stopped::from),
        Some(Sub::Man) => Cli::man(&mut io::stdout()).map_err(Stopped::from),
    };
    result.unwrap_or_else(|stopped| {
        if !stopped.message.is_empty() {
            let mut err = io::stderr();
            let told = writeln!(err, "error: {}", stopped.message.escaped()).and_then(|()| match &stopped.hint {
                Some(hint) => writeln!(err, "hint: {hint}"),
                None => Ok(()),
            });
            // stderr is closed: there is nobody to tell.
            drop(told);
        }
        stopped.code
    })
}

/// How the terminal and the colours are.
#[derive(Clone, Copy)]
struct Screen {
    /// The full-screen front end can be shown.
    full: bool,
    /// Somebody types and reads at a terminal.
    typed: bool,
    color: bool,
}

impl Screen {
    fn of(env: &Environment, color: ColorChoice) -> Self {
        let terminal = io::stdout().is_terminal();
        let typed = terminal && io::stdin().is_terminal();
        Self { full: typed && !env.dumb_terminal, typed, color: env.color(color, terminal) }
    }
}

/// A session about to be shown: the client and the commands that set it up.
struct Opened {
    client: Client,
    name: Untrusted,
    startup: Vec<Command>,
}

fn open(args: &OpenArgs, env: &Environment) -> Result<u8, Stopped> {
    let screen = Screen::of(env, args.color);
    if !screen.full {
        return Err(Stopped::usage("the full-screen debugger needs a terminal")
            .hinted("crossexam repl reads commands from stdin, crossexam check reads samples"));
    }
    show(open_session(args, env)?, env, screen, Outcome::SwitchToTui, Vec::new())
}

/// Runs front ends one after the other until one of them ends the program.
fn show(opened: Opened, env: &Environment, screen: Screen, first: Outcome, given: Vec<Input>) -> Result<u8, Stopped> {
    let Opened { mut client, name, startup } = opened;
    let mut inputs: Vec<Input> = lines_of(&startup).into_iter().chain(given).collect();
    let history = History::new(Some(env.history.clone()));
    let interrupt = Interrupt::new();
    let mut connected = false;
    let mut next = first;
    loop {
        let inputs = std::mem::take(&mut inputs);
        next = match next {
            Outcome::Exit(code) => return Ok(code),
            Outcome::SwitchToTui => {
                let setup = tui::Setup {
                    session: name.clone(),
                    recorded: client.is_recorded(),
                    theme: if screen.color { tui::Theme::Dark } else { tui::Theme::Mono },
                    history: history.lines(),
                    models: known_models(),
                };
                let lines: Vec<String> = inputs.iter().map(line_of).collect();
                // A history that cannot be written is a lost comfort, and no reason to disturb the screen.
                let remember = &mut |line: &str| drop(history.remember(line));
                tui::run(&mut client, setup, &lines, remember)?
            }
            Outcome::SwitchToRepl => {
                if !std::mem::replace(&mut connected, true) {
                    connect(&interrupt)?;
                }
                let setup = repl::Setup {
                    history: history.clone(),
                    color: screen.color,
                    can_switch: screen.full,
                    dumb: env.dumb_terminal,
                    models: known_models(),
                };
                repl::run(&mut client, &setup, &inputs, &interrupt, &mut io::stdout())?
            }
        };
    }
}

fn connect(interrupt: &Interrupt) -> Result<(), Stopped> {
    interrupt.connect().map_err(|e| Stopped::failed(format!("Ctrl-C cannot be handled: {e}")))
}

fn lines_of(commands: &[Command]) -> Vec<Input> {
    commands.iter().map(|command| Input::Line(command.to_string())).collect()
}

/// An input as the line that does the same.
fn line_of(input: &Input) -> String {
    match input {
        Input::Line(line) => line.clone(),
        Input::File(path) => Command::Source(path.to_string_lossy().into_owned()).to_string(),
    }
}

fn known_models() -> Vec<(String, String)> {
    Manifest::all().into_iter().map(|m| (m.name.to_string(), m.title)).collect()
}

/// The prompt, or commands from files, arguments and stdin.
fn run_repl(args: &ReplArgs, env: &Environment) -> Result<u8, Stopped> {
    let screen = Screen::of(env, args.open.color);
    let opened = open_session(&args.open, env)?;
    let files = args.exec_file.iter().cloned().map(Input::File);
    let given: Vec<Input> = files.chain(args.exec.iter().cloned().map(Input::Line)).collect();
    if screen.typed && !args.batch && !args.json {
        return show(opened, env, screen, Outcome::SwitchToRepl, given);
    }
    // Told what to run and to end after it, nobody is asked for more; a pipe is read in any case.
    let stdin = (given.is_empty() || !args.batch).then(|| BufReader::new(io::stdin()));
    let options = batch::Options { json: args.json, keep_going: args.keep_going, color: screen.color };
    run_batch(opened, given, stdin, options)
}

fn run_batch<R: io::BufRead + Send + 'static>(
    opened: Opened,
    given: Vec<Input>,
    stdin: Option<R>,
    options: batch::Options,
) -> Result<u8, Stopped> {
    let Opened { mut client, startup, .. } = opened;
    let interrupt = Interrupt::new();
    connect(&interrupt)?;
    let inputs: Vec<Input> = lines_of(&startup).into_iter().chain(given).collect();
    match batch::run(&mut client, &inputs, stdin, options, &interrupt, &mut io::stdout().lock())? {
        Outcome::Exit(code) => Ok(code),
        Outcome::SwitchToTui | Outcome::SwitchToRepl => Ok(exit::INTERNAL),
    }
}

/// Opens models by name; `scripted:P` and `scripted:FILE` are judges without a model, for tests.
struct Sources;

impl JudgeSource for Sources {
    fn open(
        &mut self,
        name: &str,
        progress: &mut dyn FnMut(Progress),
        cancel: &Cancel,
    ) -> Result<Box<dyn Judge>, JudgeError> {
        match name.strip_prefix("scripted:") {
            Some(script) => Scripted::from_argument(script).map(|judge| Box::new(judge) as Box<dyn Judge>),
            None => Err(JudgeError::Unusable { message: format!("no model `{name}`").into(), hint: None }),
        }
    }
}

/// Opens or begins the session of `args` and starts its engine.
fn open_session(args: &OpenArgs, env: &Environment) -> Result<Opened, Stopped> {
    let opened = Fact::Opened { program: env!("CARGO_PKG_VERSION").to_owned(), at: host::now() };
    let journal_error =
        |e: crate::session::JournalError| Stopped { hint: Some(e.hint().to_owned()), ..Stopped::failed(e.to_string()) };
    let (journal, facts, name) = match (&args.session, args.no_record) {
        (_, true) => (None, vec![opened], Untrusted::from("not recorded")),
        (Some(path), _) if path.exists() => {
            let (mut journal, mut facts, recovery) = Journal::resume(path).map_err(journal_error)?;
            for notice in recovery.notices() {
                writeln!(io::stderr(), "note: {notice}")?;
            }
            let resumed = Fact::Resumed { at: host::now() };
            journal.append(&resumed).map_err(journal_error)?;
            facts.push(resumed);
            (Some(journal), facts, shown(path))
        }
        (named, _) => {
            let path = match named {
                Some(path) => path.clone(),
                None => new_session_path(args.sessions_dir.as_deref().unwrap_or(&env.sessions_dir))?,
            };
            let journal = Journal::create(&path, &opened).map_err(journal_error)?;
            (Some(journal), vec![opened], shown(&path))
        }
    };
    let mut startup = Vec::new();
    startup.extend(args.policy.clone().map(Command::LoadPolicy));
    if args.mode.mode.is_some() {
        startup.push(Command::SetMode(args.mode.mode(ModeChoice::Rationale)));
    }
    if let Some(samples) = &args.samples {
        startup.push(Command::LoadSamples(samples.clone()));
        startup.push(Command::Sample(SampleRef::Number(1)));
    }
    // Last, so that policy and sample are on the screen while the model loads.
    startup.extend(args.model.llm.clone().filter(|name| name != "none").map(Command::LoadModel));
    let engine =
        Engine::new(Parts { source: sources(&args.model, env), journal, facts: facts.clone(), builtins: builtin::ALL });
    let client = Client::live(Host::start(engine)?, &facts);
    Ok(Opened { client, name, startup })
}

fn shown(path: &Path) -> Untrusted {
    path.to_string_lossy().into_owned().into()
}

/// A new file for a session in `dir`: named by the time, and by a number where that is taken.
fn new_session_path(dir: &Path) -> Result<PathBuf, Stopped> {
    std::fs::create_dir_all(dir).map_err(|e| {
        Stopped::failed(format!("cannot make the sessions folder {}: {e}", dir.display()))
            .hinted("--sessions-dir DIR names another one, --no-record keeps the session in memory")
    })?;
    let stamp: String = host::now().chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    let name = |n: u32| match n {
        0 => format!("{stamp}.jsonl"),
        n => format!("{stamp}-{n}.jsonl"),
    };
    let free = (0..1000).map(|n| dir.join(name(n))).find(|path| !path.exists());
    free.ok_or_else(|| Stopped::failed(format!("no free name for a session in {}", dir.display())))
}

fn sources(_args: &ModelArgs, _env: &Environment) -> Box<dyn JudgeSource> {
    Box::new(Sources)
}

fn check(args: &CheckArgs, env: &Environment) -> Result<u8, Stopped> {
    let Some(llm) = args.model.llm.as_deref().filter(|name| *name != "none") else {
        return Err(Stopped::usage("check needs a model").hinted("--llm NAME|PATH; crossexam models list shows names"));
    };
    let policy = policy_of_file(&args.policy, builtin::ALL)
        .map_err(|f| Stopped { hint: f.hint, ..Stopped::usage(f.message) })?;
    let cancel = Cancel::new();
    let flag = cancel.clone();
    ctrlc::set_handler(move || flag.cancel()).map_err(|e| Stopped::failed(e.to_string()))?;
    let mut sources = sources(&args.model, env);
    let mut check = Check {
        policy: &policy,
        mode: args.mode.mode(ModeChoice::Direct),
        open: &mut || sources.open(llm, &mut |_| {}, &cancel),
        cancel: &cancel,
        progress: io::stderr().is_terminal(),
    };
    let result = check.run(&mut BufReader::new(io::stdin()), &mut io::stdout());
    match result {
        Ok(summary) => Ok(summary.exit_code()),
        Err(CheckError::Judge(JudgeError::Cancelled)) => Ok(130),
        Err(CheckError::Judge(error)) => Err(error.into()),
        Err(CheckError::Io(error)) => Err(error.into()),
    }
}

fn demo(args: &DemoArgs, env: &Environment) -> Result<u8, Stopped> {
    let screen = Screen::of(env, args.color);
    let mut model = args.model.clone();
    model.llm.get_or_insert_with(|| DEFAULT_MODEL.to_owned());
    let open = OpenArgs {
        policy: Some("builtin:scams.toml".to_owned()),
        samples: Some("builtin:scams.jsonl".to_owned()),
        model,
        mode: args.mode,
        ..OpenArgs::default()
    };
    let opened = open_session(&open, env)?;
    match (screen.full, screen.typed) {
        (true, _) => show(opened, env, screen, Outcome::SwitchToTui, Vec::new()),
        (false, true) => show(opened, env, screen, Outcome::SwitchToRepl, Vec::new()),
        (false, false) => {
            let options = batch::Options { color: screen.color, ..batch::Options::default() };
            run_batch(opened, Vec::new(), Some(builtin::DEMO_SCRIPT.as_bytes()), options)
        }
    }
}

/// The model that `demo` fetches: small enough for any machine.
const DEFAULT_MODEL: &str = "smollm2-135m";
