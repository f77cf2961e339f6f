//! Opens a session: its journal, its engine, and the commands that set it up.
//!
//! Must leave an existing session unchanged if anything fails.

use super::exit::Stopped;
use super::sources;
use super::streams::Messages;
use crate::cli::{Environment, OpenArgs};
use crate::command::{EngineCommand, SampleRef};
use crate::domain::path_text;
use crate::engine::{Engine, Host, Parts, host};
use crate::frontend::{Client, builtin};
use crate::session::{Fact, Journal, private_folder};
use crate::text::Untrusted;
use std::io::Write;
use std::path::{Path, PathBuf};

/// A session about to be shown.
pub struct Opened {
    /// The way to the engine.
    pub client: Client,
    /// The file, for the title line.
    pub name: Untrusted,
    /// Whether what happens is recorded in it.
    pub recorded: bool,
    /// Lines to run first.
    pub startup: Vec<String>,
}

/// Opens or begins the session of `args` and starts its engine.
pub fn open(args: &OpenArgs, env: &Environment) -> Result<Opened, Stopped> {
    let source = sources::new(&args.model, env)?;
    let (journal, facts, name) = journal(args, env)?;
    let recorded = journal.is_some();
    let resumed = facts.iter().any(|fact| matches!(fact, Fact::Resumed { .. }));
    let parts = Parts {
        source,
        journal,
        facts: facts.clone(),
        builtins: builtin::ALL,
        author: author(args.author.as_deref(), env),
    };
    let home = || env.home.clone();
    let client = Client::live(Host::start(Engine::new(parts).at_home(home()))?, &facts).at_home(home());
    Ok(Opened { client, name, recorded, startup: startup(args, resumed).iter().map(ToString::to_string).collect() })
}

/// The author of notes: as given, else the user's login name.
pub fn author(told: Option<&str>, env: &Environment) -> Untrusted {
    told.map_or_else(|| env.user.clone(), Untrusted::from)
}

/// The commands that `args` stand for. The model comes last, so that policy and sample are on the screen while it
/// loads.
///
/// A new session always gets its mode set, so that it is recorded; a reopened one keeps its own.
fn startup(args: &OpenArgs, resumed: bool) -> Vec<EngineCommand> {
    let mut commands: Vec<_> = args.policy.clone().map(EngineCommand::LoadPolicy).into_iter().collect();
    if args.mode.mode.is_some() || !resumed {
        commands.push(EngineCommand::SetMode(args.mode.mode()));
    }
    if let Some(samples) = &args.samples {
        commands.extend([EngineCommand::LoadSamples(samples.clone()), EngineCommand::Sample(SampleRef::Number(1))]);
    }
    commands.extend(args.model.llm.clone().filter(|name| name != "none").map(EngineCommand::LoadModel));
    commands
}

type Recorded = (Option<Journal>, Vec<Fact>, Untrusted);

fn journal(args: &OpenArgs, env: &Environment) -> Result<Recorded, Stopped> {
    let opened = Fact::Opened { program: env!("CARGO_PKG_VERSION").to_owned(), at: host::now() };
    if args.no_record {
        return Ok((None, vec![opened], "not recorded".into()));
    }
    if let Some(path) = args.session.as_ref().filter(|path| path.exists()) {
        let (mut journal, mut facts, recovery) = Journal::resume(path)?;
        for notice in recovery.notices() {
            writeln!(Messages::new(), "note: {notice}")?;
        }
        let resumed = Fact::Resumed { at: host::now() };
        journal.append(&resumed)?;
        facts.push(resumed);
        return Ok((Some(journal), facts, shown(path)));
    }
    let path = match &args.session {
        Some(path) => path.clone(),
        None => new_path(args.sessions_dir.as_deref().unwrap_or(&env.sessions_dir))?,
    };
    let journal = Journal::create(&path, &opened)?;
    Ok((Some(journal), vec![opened], shown(&path)))
}

fn shown(path: &Path) -> Untrusted {
    path_text::of(path).into()
}

/// A new file for a session in `dir`, named after the time; with a number if that name is taken.
fn new_path(dir: &Path) -> Result<PathBuf, Stopped> {
    private_folder(dir).map_err(|e| {
        Stopped::failed(format!("cannot make the sessions folder {}: {e}", path_text::of(dir)))
            .hinted("--sessions-dir DIR names another one, --no-record keeps the session in memory")
    })?;
    let stamp: String = host::now().chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    let name = |n: u32| match n {
        0 => format!("{stamp}.jsonl"),
        n => format!("{stamp}-{n}.jsonl"),
    };
    let free = (0..1000).map(|n| dir.join(name(n))).find(|path| !path.exists());
    free.ok_or_else(|| Stopped::failed(format!("no free name for a session in {}", path_text::of(dir))))
}
