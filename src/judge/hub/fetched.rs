//! The inputs and results of a fetch: options, a checked file, the state of the models folder, errors.
//!
//! Must not fetch or check anything itself.

use crate::domain::{Complaint, Digest, Programs};
use crate::judge::JudgeError;
use crate::judge::manifest::Source;
use crate::text::Untrusted;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Address of the hub by default.
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
    /// Token for the hub; sent to its own host only, and over an encrypted connection or to this machine only.
    pub token: Option<String>,
    /// Name or absolute path of Python, whose pip downloads wheels.
    pub python: OsString,
    /// Where programs are found, and what they get.
    pub programs: Programs,
    /// Longest time to connect, and longest silence while reading.
    pub timeout: Duration,
    /// How long a server, or pip, may be silent before the user is told.
    pub patience: Duration,
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
            patience: Duration::from_secs(2),
            retry_wait: Duration::from_millis(500),
        }
    }
}

/// What a file's digest was compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compared {
    /// The digest of its manifest.
    Pinned,
    /// The digest that was recorded in the models folder before.
    Recorded,
    /// What the hub said about the file it sent.
    Claimed,
    /// Nothing: nobody vouches for the file.
    Nothing,
}

/// A file that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Where it is.
    pub path: PathBuf,
    /// Its digest.
    pub sha256: Digest,
    /// What that was compared with, and found equal.
    pub compared: Compared,
    /// The source it was fetched from; `None` if it was there already.
    pub from: Option<Source>,
    /// Its digest was not known before and is recorded from now on.
    pub recorded: bool,
}

impl Fetched {
    /// The message about a file whose digest was not known before; `None` if it was.
    pub fn first_seen(&self) -> Option<String> {
        let compared = match self.compared {
            Compared::Pinned | Compared::Recorded => return None,
            Compared::Claimed => "is the one that the hub gave with it; nothing else vouches for it",
            Compared::Nothing => "was not compared with anything, because none is pinned or recorded",
        };
        let recorded = match self.recorded {
            true => "it is recorded now for the first time, and from now on no other file is accepted under this name",
            false => "it could not be recorded in the models folder",
        };
        let file = self.path.file_name().unwrap_or_default().to_string_lossy();
        Some(format!("the sha256 of {file}, {}, {compared}; {recorded}", self.sha256))
    }
}

/// What a check of the models folder found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// The file is not there.
    Missing,
    /// The file is there and its digest is the expected one.
    Right(Digest, Compared),
    /// The file exists, and there is nothing to compare its digest with.
    Unknown(Digest),
    /// The file is there and is not the right one.
    Wrong {
        /// In what way: its size, its digest or its family.
        why: String,
    },
}

/// Why a file could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Stopped on request; what was downloaded is kept, and the next attempt resumes there.
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

impl From<FetchError> for JudgeError {
    /// What was tried, one line each, and as the hint the way by hand, step by step.
    fn from(e: FetchError) -> Self {
        match e {
            FetchError::Cancelled => Self::Cancelled,
            FetchError::Folder { what, path, source } => Complaint::new(format!("{what} {}: {source}", path.raw()))
                .hinted("choose another models folder, or make this one writable")
                .into(),
            FetchError::Failed { name, failures, manual } => {
                let tried = failures.iter().map(|(source, why)| format!("{source}: {}", why.raw()));
                let lines: Vec<String> = std::iter::once(format!("{name} could not be fetched")).chain(tried).collect();
                let way: Vec<String> = std::iter::once("by hand:".to_owned()).chain(manual).collect();
                Complaint::new(lines.join("\n")).hinted(way.join("\n")).into()
            }
        }
    }
}

/// Why one source failed.
#[derive(Debug)]
pub(super) enum SourceError {
    Cancelled,
    /// Nothing that a second try would change.
    Final(String),
    /// Worth another try: the connection broke, the server is busy.
    Transient(String),
}
