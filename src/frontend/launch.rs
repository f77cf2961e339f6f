//! From arguments to a front end: one function per subcommand, and the loop that switches between TUI and REPL.
//!
//! Must hold no rules of the domain; each subcommand's work is in its own file.

mod exit;
mod session;
mod sources;
mod streams;

use super::batch;
use super::check::{Check, CheckError, Progress};
use super::editor::Editor;
use super::history::History;
use super::interrupt::{Interrupt, Meaning};
use super::models::{self, FilterError};
use super::progress::ProgressView;
use super::runner::Input;
use super::{Client, Leave, bench, builtin, lint, models_manage, models_score, repl, replay, sessions, tui};
use crate::cli::{
    BenchArgs, CheckArgs, Cli, ColorChoice, DemoArgs, Environment, LintArgs, LooksArgs, ModelsArgs, ModelsCommand,
    OpenArgs, ReplArgs, ReplayArgs, Said, SessionsArgs, Sub, ThemeChoice,
};
use crate::command::FrontendCommand;
use crate::domain::{Cancel, path_text};
use crate::engine::policy_of_file;
use crate::judge::source::{Resolved, resolve};
use crate::judge::{JudgeError, hub, manifest};
use crate::llm::device::{self, Processor};
use crate::llm::linear::Arithmetic;
use crate::report::theme::Theme;
use crate::report::{ansi, plain};
use crate::session::{Reviewer, journal};
use crate::text::Untrusted;
use crate::text::ascii::AsciiWriter;
use exit::Stopped;
use session::Opened;
use std::io::{self, BufRead, BufReader, IsTerminal, StdinLock, Write};
use std::path::{Path, PathBuf};
use streams::Messages;

/// Runs the program and returns its exit code; errors are written to stderr.
pub fn run(cli: Cli, env: &Environment) -> u8 {
    exit::tell_panics();
    let interrupt = Interrupt::new();
    let result = ready().and_then(|()| interrupt.connect().map_err(Stopped::from));
    let result = result.and_then(|()| dispatch(cli, env, &interrupt));
    // What is still in the buffer can fail, too.
    let result = result.and_then(|code| io::stdout().flush().map(|()| code).map_err(Stopped::from));
    result.unwrap_or_else(|stopped| {
        let ascii = env.ascii && io::stderr().is_terminal();
        let code = stopped.tell(&mut AsciiWriter::new(Messages::new(), ascii));
        if interrupt.ended_by_signal() { exit::INTERRUPTED } else { code }
    })
}

/// Says what the argument parser has to say and returns the exit code.
pub fn say(said: &Said, env: &Environment) -> u8 {
    let color = |terminal| env.color(ColorChoice::Auto, terminal);
    if said.is_error() {
        let (mut err, text) = (Messages::new(), said.text(color(io::stderr().is_terminal())));
        // If stderr is closed there is nobody to tell.
        drop(err.write_all(text.as_bytes()));
        return said.code();
    }
    let (mut out, text) = (io::stdout(), said.text(color(io::stdout().is_terminal())));
    let told = ready().and_then(|()| out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Stopped::from));
    match told {
        Ok(()) => said.code(),
        Err(stopped) => stopped.tell(&mut Messages::new()),
    }
}

/// Why nothing was begun.
fn not_begun(error: impl Into<Stopped>) -> Stopped {
    error.into().before_start()
}

/// Whether there is anywhere to write to.
fn ready() -> Result<(), Stopped> {
    match streams::stdout_was_closed() {
        true => Err(Stopped::failed("stdout is closed, so there is nowhere to write results to")
            .hinted("send it to a file, or to /dev/null where nobody wants it")),
        false => Ok(()),
    }
}

fn dispatch(cli: Cli, env: &Environment, interrupt: &Interrupt) -> Result<u8, Stopped> {
    match cli.command {
        None => open(&cli.open, env, interrupt),
        Some(Sub::Open(args)) => open(&args, env, interrupt),
        Some(Sub::Repl(args)) => run_repl(&args, env, interrupt),
        Some(Sub::Check(args)) => check(&args, env, interrupt),
        Some(Sub::Replay(args)) => run_replay(&args, env, interrupt),
        Some(Sub::Sessions(args)) => run_sessions(&args, env),
        Some(Sub::Lint(args)) => run_lint(&args, env),
        Some(Sub::Models(command)) => run_models(&command, env, interrupt),
        Some(Sub::Demo(args)) => demo(&args, env, interrupt),
        Some(Sub::Bench(args)) => run_bench(&args, env, interrupt),
        Some(Sub::Completions { shell }) => Ok(Cli::completions(shell, &mut io::stdout())?),
        Some(Sub::Man) => Ok(Cli::man(&mut io::stdout())?),
    }
}

/// How the terminal and the colours are.
struct Screen {
    /// Both ends are a terminal that can be drawn on.
    full: bool,
    /// Somebody types and reads at a terminal.
    typed: bool,
    /// The looks of text; plain without them.
    theme: Option<Theme>,
    /// Whether the full-screen front end asks the terminal for its background.
    asks: bool,
    /// Whether it listens to the mouse.
    mouse: bool,
    /// Whether the terminal shows ASCII only.
    ascii: bool,
    dumb: bool,
}

impl Screen {
    fn of(env: &Environment, looks: LooksArgs, no_mouse: bool) -> Self {
        let terminal = io::stdout().is_terminal();
        let (typed, dumb) = (terminal && io::stdin().is_terminal(), env.dumb_terminal);
        let theme = theme(env, looks, terminal);
        let asks = looks.theme == ThemeChoice::Auto && theme.is_some();
        Self { full: typed && !dumb, typed, theme, asks, mouse: !no_mouse, ascii: env.ascii && terminal, dumb }
    }

    /// Where results go: text for people, or JSON.
    fn out(&self, json: bool) -> AsciiWriter<io::Stdout> {
        AsciiWriter::new(io::stdout(), self.ascii && !json)
    }
}

/// The styling of text on a stream, if any is allowed.
fn theme(env: &Environment, looks: LooksArgs, terminal: bool) -> Option<Theme> {
    env.color(looks.color, terminal).then(|| match looks.theme {
        ThemeChoice::Auto => env.colorfgbg.as_deref().and_then(Theme::of_colorfgbg).unwrap_or_default(),
        ThemeChoice::Dark => Theme::Dark,
        ThemeChoice::Light => Theme::Light,
        ThemeChoice::Mono => Theme::Mono,
    })
}

fn open(args: &OpenArgs, env: &Environment, interrupt: &Interrupt) -> Result<u8, Stopped> {
    let screen = Screen::of(env, args.looks, args.no_mouse);
    if !screen.full {
        return Err(Stopped::usage("the full-screen debugger needs a terminal")
            .hinted("crossexam repl reads commands from stdin, crossexam check reads samples"));
    }
    let opened = session::open(args, env).map_err(not_begun)?;
    show(opened, env, &screen, Leave::SwitchToTui, interrupt)
}

/// Runs front ends one after the other until one of them ends the program.
fn show(
    opened: Opened,
    env: &Environment,
    screen: &Screen,
    first: Leave,
    interrupt: &Interrupt,
) -> Result<u8, Stopped> {
    let Opened { mut client, name, recorded, mut startup } = opened;
    let editor = Editor::new(env.programs.clone(), env.editor.as_deref());
    let history = History::new(Some(env.history.clone()));
    interrupt.watch(client.canceller());
    interrupt.watch_terminal()?;
    let mut next = first;
    loop {
        let lines = std::mem::take(&mut startup);
        next = match next {
            Leave::Exit(code) => {
                if recorded {
                    // A terminal that went away is no reason to end otherwise.
                    drop(writeln!(io::stderr(), "the session is in {}", name.escaped()));
                }
                return Ok(code);
            }
            Leave::SwitchToTui => {
                // In raw mode Ctrl-C is a key, so a signal means that the program has to go.
                interrupt.means(Meaning::End);
                let setup = tui::Setup {
                    session: name.clone(),
                    recorded: client.is_recorded(),
                    events: client.recorded_facts().unwrap_or_default(),
                    theme: screen.theme.unwrap_or(Theme::Mono),
                    ask_background: screen.asks,
                    ascii: screen.ascii,
                    mouse: screen.mouse,
                    history: history.lines(),
                    editor: editor.clone(),
                    home: env.home.clone(),
                    models: model_names(),
                };
                // A history that cannot be written must not interrupt the work.
                tui::run(&mut client, setup, &lines, &mut |line| drop(history.remember(line)), interrupt)?
            }
            Leave::SwitchToRepl => {
                interrupt.means(Meaning::Stop);
                let setup = repl::Setup {
                    history: history.clone(),
                    theme: screen.theme,
                    can_switch: screen.full,
                    dumb: screen.dumb,
                    editor: editor.clone(),
                    models: model_names(),
                };
                let inputs: Vec<_> = lines.into_iter().map(Input::Line).collect();
                repl::run(&mut client, &setup, &inputs, interrupt, &mut screen.out(false))?
            }
        };
    }
}

/// Names of models that can be loaded, each with what it is, for completion.
fn model_names() -> Vec<(String, String)> {
    manifest::Manifest::all().into_iter().map(|m| (m.name, m.title)).collect()
}

fn run_repl(args: &ReplArgs, env: &Environment, interrupt: &Interrupt) -> Result<u8, Stopped> {
    let screen = Screen::of(env, args.open.looks, args.open.no_mouse);
    let mut opened = session::open(&args.open, env).map_err(not_begun)?;
    let mut inputs: Vec<_> = std::mem::take(&mut opened.startup).into_iter().map(Input::Line).collect();
    inputs.extend(args.exec_file.iter().cloned().map(Input::File));
    inputs.extend(args.exec.iter().cloned().map(Input::Line));
    if screen.typed && !args.batch && !args.json {
        opened.startup = Vec::new();
        return typed(opened, &inputs, env, &screen, interrupt);
    }
    // If the arguments say what to run, no prompt follows; a pipe is read in any case.
    let told = !args.exec_file.is_empty() || !args.exec.is_empty();
    let stdin = (!told || !args.batch).then(|| BufReader::new(io::stdin()));
    let options = batch::Options { json: args.json, keep_going: args.keep_going, theme: screen.theme };
    run_batch(&mut opened.client, &inputs, stdin, options, interrupt, &mut screen.out(args.json))
}

/// The REPL first; from there the user may switch to the TUI.
fn typed(
    mut opened: Opened,
    inputs: &[Input],
    env: &Environment,
    screen: &Screen,
    interrupt: &Interrupt,
) -> Result<u8, Stopped> {
    let lines = inputs.iter().map(|input| match input {
        Input::Line(line) => line.clone(),
        Input::File(path) => FrontendCommand::Source(path_text::of(path)).to_string(),
    });
    opened.startup = lines.collect();
    show(opened, env, screen, Leave::SwitchToRepl, interrupt)
}

fn run_batch<R: BufRead + Send + 'static>(
    client: &mut Client,
    inputs: &[Input],
    stdin: Option<R>,
    options: batch::Options,
    interrupt: &Interrupt,
    out: &mut dyn Write,
) -> Result<u8, Stopped> {
    interrupt.watch(client.canceller());
    match batch::run(client, inputs, stdin, options, interrupt, out, &mut io::stderr())? {
        Leave::Exit(code) => Ok(code),
        Leave::SwitchToTui | Leave::SwitchToRepl => Ok(exit::OK),
    }
}

fn check(args: &CheckArgs, env: &Environment, interrupt: &Interrupt) -> Result<u8, Stopped> {
    if let Some(file) = args.samples.iter().chain(&args.files).next() {
        return Err(Stopped::usage("check reads samples from stdin").hinted(format!("crossexam check … < {file}")));
    }
    let Some(llm) = args.model.llm.as_deref().filter(|name| *name != "none") else {
        return Err(Stopped::usage("check needs a model").hinted("--llm NAME|PATH; crossexam models list shows names"));
    };
    let cancel = interrupt.flag();
    let policy = path_text::at_home(&args.policy, env.home.as_deref());
    let policy = policy_of_file(&policy, builtin::ALL, &cancel).map_err(not_begun)?;
    let mut source = sources::new(&args.model, env).map_err(not_begun)?;
    let terminal = io::stderr().is_terminal();
    let mode = args.mode.mode();
    let mut check = Check {
        policy: &policy,
        mode,
        open: &mut || {
            let mut err = Messages::new();
            let mut view = ProgressView::of(terminal, &mut err);
            let judge = source.open(llm, &mut |progress| view.show(&progress), &cancel);
            view.clear();
            judge
        },
        cancel: &cancel,
        progress: match (terminal, stdin_bytes()) {
            (false, _) => Progress::Hidden,
            (true, None) => Progress::Samples,
            (true, Some(bytes)) => Progress::Bytes(bytes),
        },
    };
    match check.run(BufReader::new(io::stdin()), &mut io::stdout()) {
        Ok(summary) => {
            summary.tell(&policy, mode, &mut Messages::new())?;
            Ok(summary.exit_code())
        }
        Err(CheckError::Start(JudgeError::Cancelled) | CheckError::Judge(JudgeError::Cancelled)) => {
            Ok(exit::INTERRUPTED)
        }
        Err(CheckError::Start(error)) => Err(not_begun(error)),
        Err(CheckError::Judge(error)) => Err(error.into()),
        Err(CheckError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Err(error.into()),
        Err(error @ (CheckError::Read(_) | CheckError::Write(_))) => Err(Stopped::failed(error.to_string())),
    }
}

/// How many bytes of samples there are, where stdin is a file.
#[cfg(unix)]
fn stdin_bytes() -> Option<u64> {
    use std::io::Seek;
    use std::os::fd::AsFd;
    let mut file = std::fs::File::from(io::stdin().as_fd().try_clone_to_owned().ok()?);
    let about = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
    about.len().checked_sub(file.stream_position().ok()?)
}

/// How many bytes of samples there are is not known here.
#[cfg(not(unix))]
fn stdin_bytes() -> Option<u64> {
    None
}

fn run_replay(args: &ReplayArgs, env: &Environment, interrupt: &Interrupt) -> Result<u8, Stopped> {
    let screen = Screen::of(env, args.looks, args.no_mouse);
    let path = match &args.session {
        Some(path) => path.clone(),
        None => newest_session(args.sessions_dir.as_ref().unwrap_or(&env.sessions_dir)).map_err(not_begun)?,
    };
    if args.plain || !screen.full {
        let author = session::author(args.author.as_deref(), env);
        let replay = replay::Replay { path: &path, width: 100, theme: screen.theme, author };
        return Ok(replay.run(&mut screen.out(false), &mut Messages::new())?);
    }
    let (facts, recovery) = journal::read(&path).map_err(not_begun)?;
    for notice in recovery.notices() {
        writeln!(Messages::new(), "note: {notice}")?;
    }
    let name = Untrusted::new(path_text::of(&path));
    let reviewer = Reviewer::new(path.clone(), recovery.first_line, session::author(args.author.as_deref(), env));
    let (facts, reviews) = reviewer.merged(facts);
    for told in reviews {
        writeln!(Messages::new(), "note: {}", told.escaped())?;
    }
    let client = Client::reviewed(facts, reviewer, env.home.clone());
    let opened = Opened { client, name, recorded: false, startup: Vec::new() };
    show(opened, env, &screen, Leave::SwitchToTui, interrupt)
}

/// The newest session of a folder, named on stderr because the user did not choose it.
fn newest_session(folder: &Path) -> Result<PathBuf, Stopped> {
    let Some(path) = sessions::newest(folder).map_err(|error| unread_sessions(folder, &error))? else {
        return Err(Stopped::failed(format!("there is no session in {}", path_text::of(folder)))
            .hinted("crossexam records one; replay FILE opens one that lies elsewhere"));
    };
    writeln!(Messages::new(), "note: the newest session, {}", Untrusted::new(path_text::of(&path)).escaped())?;
    Ok(path)
}

fn unread_sessions(folder: &Path, error: &io::Error) -> Stopped {
    Stopped::failed(format!("cannot read the sessions folder {}: {error}", path_text::of(folder)))
}

fn run_sessions(args: &SessionsArgs, env: &Environment) -> Result<u8, Stopped> {
    let folder = args.sessions_dir.as_ref().unwrap_or(&env.sessions_dir);
    let doc = sessions::list(folder, args.count).map_err(|error| not_begun(unread_sessions(folder, &error)))?;
    let screen = Screen::of(env, args.looks, true);
    screen.out(false).write_all(ansi::render_for(&doc, screen.theme).as_bytes())?;
    Ok(exit::OK)
}

fn run_lint(args: &LintArgs, env: &Environment) -> Result<u8, Stopped> {
    let terminal = io::stdout().is_terminal();
    let options = lint::LintOptions {
        json: args.json,
        graph: args.graph,
        samples: args.samples.clone(),
        theme: theme(env, args.looks, terminal),
        ascii: env.ascii && terminal,
        terminal,
        width: 0,
    };
    let mut out = AsciiWriter::new(io::stdout(), options.ascii && !args.json);
    let mut err = AsciiWriter::new(Messages::new(), env.ascii && io::stderr().is_terminal());
    lint::run(&args.policies, &options, &mut out, &mut err).map_err(|error| Stopped::from(error).at_least(exit::USAGE))
}

fn run_models(command: &ModelsCommand, env: &Environment, interrupt: &Interrupt) -> Result<u8, Stopped> {
    let place = |args: &ModelsArgs| sources::hub_options(args, env);
    let cancel = interrupt.flag();
    let (mut out, mut err, bar) = (io::stdout(), Messages::new(), io::stderr().is_terminal());
    let mut streams = models_manage::Streams { out: &mut out, err: &mut err, bar };
    let code = match command {
        ModelsCommand::List(args) => {
            let doc = models_manage::list(&place(args));
            write!(streams.out, "{}", plain::render(&doc))?;
            exit::OK
        }
        ModelsCommand::Pull(arg) => models_manage::pull(&arg.model, &place(&arg.place), &mut streams, &cancel)?,
        ModelsCommand::Path(arg) => models_manage::path(&arg.model, &place(&arg.place), &mut streams)?,
        ModelsCommand::Verify(arg) => models_manage::verify(&arg.model, &place(&arg.place), &mut streams, &cancel)?,
        ModelsCommand::Tokenize(arg) => {
            let file = model_file(&arg.model, &arg.place, env, &cancel)?;
            filtered(models::tokenize(&file, &mut stdin(), &mut io::stdout(), &cancel))?
        }
        ModelsCommand::Score { model, exact, device } => {
            let arithmetic = match Processor::open(device.device)? {
                Some(processor) => Arithmetic::On(processor),
                None if *exact => Arithmetic::Exact,
                None => Arithmetic::Integers,
            };
            let file = model_file(&model.model, &model.place, env, &cancel)?;
            filtered(models_score::score(&file, arithmetic, 0, &mut stdin(), &mut io::stdout(), &cancel))?
        }
    };
    Ok(code)
}

fn run_bench(args: &BenchArgs, env: &Environment, interrupt: &Interrupt) -> Result<u8, Stopped> {
    let cancel = interrupt.flag();
    device::check_built(args.device.device).map_err(not_begun)?;
    let file = model_file(&args.model, &args.place, env, &cancel)?;
    bench::run(&file, args, &mut io::stdout(), &cancel)?;
    Ok(exit::OK)
}

fn stdin() -> BufReader<StdinLock<'static>> {
    BufReader::new(io::stdin().lock())
}

fn filtered(result: Result<u8, FilterError>) -> Result<u8, Stopped> {
    result.map_err(|error| match error {
        FilterError::Model(error) => error.into(),
        FilterError::Read(error) | FilterError::Write(error) => error.into(),
    })
}

/// The GGUF file of a name or path; fetched if it is a known model that is not here yet.
fn model_file(model: &str, place: &ModelsArgs, env: &Environment, cancel: &Cancel) -> Result<PathBuf, Stopped> {
    let options = sources::hub_options(place, env);
    match resolve(model, &options.models_dir).map_err(not_begun)? {
        Resolved::File(path) => Ok(path),
        Resolved::Manifest(manifest) => fetch(&manifest, &options, cancel),
    }
}

fn fetch(manifest: &manifest::Manifest, options: &hub::Options, cancel: &Cancel) -> Result<PathBuf, Stopped> {
    let mut err = Messages::new();
    let mut view = ProgressView::of(io::stderr().is_terminal(), &mut err);
    let fetched = hub::fetch(manifest, options, &mut |progress| view.show(&progress), cancel);
    view.clear();
    let fetched = fetched.map_err(JudgeError::from)?;
    Ok(fetched.path)
}

fn demo(args: &DemoArgs, env: &Environment, interrupt: &Interrupt) -> Result<u8, Stopped> {
    let screen = Screen::of(env, args.looks, args.no_mouse);
    let mut model = args.model.clone();
    device::check_built(model.device.device).map_err(not_begun)?;
    let name = model.llm.get_or_insert_with(|| manifest::DEFAULT.to_owned()).clone();
    if let Some(manifest) = manifest::Manifest::find(&name) {
        // Fetch before the screen is taken over, so that the first thing a new user sees is what is being downloaded
        // and why.
        fetch(&manifest, &sources::hub_options(&model.place, env), &interrupt.flag())?;
    }
    let open = OpenArgs {
        policy: Some("builtin:scams.toml".to_owned()),
        samples: Some("builtin:scams.jsonl".to_owned()),
        model,
        mode: args.mode,
        ..OpenArgs::default()
    };
    let mut opened = session::open(&open, env).map_err(not_begun)?;
    match (screen.full, screen.typed) {
        (true, _) if !args.plain => show(opened, env, &screen, Leave::SwitchToTui, interrupt),
        (false, true) if !args.plain => show(opened, env, &screen, Leave::SwitchToRepl, interrupt),
        _ => {
            let inputs: Vec<_> = std::mem::take(&mut opened.startup).into_iter().map(Input::Line).collect();
            let options = batch::Options { json: false, keep_going: false, theme: screen.theme };
            run_batch(
                &mut opened.client,
                &inputs,
                Some(builtin::DEMO_SCRIPT.as_bytes()),
                options,
                interrupt,
                &mut screen.out(false),
            )
        }
    }
}
