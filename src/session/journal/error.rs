//! Why a journal could not be made, read or written, and what to do about it.
//!
//! Must name the file in every message, and must not change a file.

use crate::domain::Complaint;
use crate::session::recovery::{Damage, shown};
use crate::text::Escaped;
use std::io;
use std::path::PathBuf;

/// Why a journal could not be made, read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file system said no.
    #[error("cannot {action} {}: {}", shown(path), Escaped::line(&source.to_string()))]
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// There is a file of that name.
    #[error("{} is there already", shown(path))]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Another process writes to the session.
    #[error("{} is open in another process", shown(path))]
    Locked {
        /// The session.
        path: PathBuf,
    },
    /// A session cannot be copied over itself.
    #[error("{} is this session itself", shown(path))]
    Itself {
        /// The session.
        path: PathBuf,
    },
    /// The file that is shown was replaced by another one.
    #[error("{} is another session by now than the one that is shown", shown(path))]
    Replaced {
        /// The recording.
        path: PathBuf,
    },
    /// A review may not be a link, which could lead to any file of the user's.
    #[error("{} is a link", shown(path))]
    Link {
        /// The review.
        path: PathBuf,
    },
    /// The file is about another session than the one that is reviewed.
    #[error("{} is a review of another session", shown(path))]
    OtherSession {
        /// The review.
        path: PathBuf,
    },
    /// The file does not begin as a session does.
    #[error("{} is no session, or its first line is damaged", shown(path))]
    NotASession {
        /// The file.
        path: PathBuf,
    },
    /// The program stopped while it made the file; it holds nothing.
    #[error("{} is a session that never began", shown(path))]
    NotBegun {
        /// The file.
        path: PathBuf,
    },
    /// The file was deleted, moved or replaced while it was open, so nobody could read what would be written.
    #[error("{} was deleted, moved or replaced while it was open; this session is no longer recorded", shown(path))]
    Gone {
        /// The session.
        path: PathBuf,
    },
    /// The file was written by a version with another format.
    #[error(
        "{} has session format {major}.{minor}, and this version reads format {}",
        shown(path),
        crate::session::wire::MAJOR
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its major version.
        major: u32,
        /// Its minor version.
        minor: u32,
    },
    /// The file is damaged, so nothing can be appended to it.
    #[error("{}: {}", shown(path), damage.sentence())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where and what.
        damage: Damage,
    },
    /// The file has records that this version does not know, so nothing can be appended to it.
    #[error("{} was written by a newer version: line {line} holds {kind:?}", shown(path))]
    Newer {
        /// The file.
        path: PathBuf,
        /// The first such line, from 1.
        line: u64,
        /// What it holds.
        kind: crate::text::Untrusted,
    },
    /// The session has no room for this fact: it would be too long to be read again.
    #[error("{} has no room for this: a session has at most {most} bytes", shown(path))]
    Full {
        /// The session.
        path: PathBuf,
        /// The most bytes it may have.
        most: u64,
    },
    /// A write failed earlier; the session continues on the screen but is no longer recorded.
    #[error("{} is no longer recorded, because a write failed: {}", shown(path), Escaped::line(why))]
    Poisoned {
        /// The file.
        path: PathBuf,
        /// The first failure.
        why: String,
    },
}

impl From<JournalError> for Complaint {
    fn from(error: JournalError) -> Self {
        Self::new(error.to_string()).hinted(error.hint())
    }
}

impl JournalError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => "check the path; the folder has to be there",
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    "choose another file with --session; `replay` needs no right to write"
                }
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    "free some space and open the session again: everything acknowledged is kept"
                }
                io::ErrorKind::Unsupported => {
                    "the file system lacks something a session needs (locks); choose another folder with --sessions-dir"
                }
                _ => "everything acknowledged before is kept; choose another file with --session",
            },
            Self::Exists { .. } => "choose another name",
            Self::Replaced { .. } => "open it again with `replay`",
            Self::Link { .. } => "remove it, or review under another name with --author",
            Self::OtherSession { .. } => {
                "move it to the session it is about, or review under another name with --author"
            }
            Self::Locked { .. } => "close the other one, or look at the session with `replay`, which only reads",
            Self::Itself { .. } => "choose another name; what is acknowledged is on the disk already",
            Self::NotASession { .. } => "sessions are the files crossexam records; check the path",
            Self::NotBegun { .. } => "nothing was recorded in it; delete it",
            Self::Gone { .. } => "`save PATH` writes all that was acknowledged to another file",
            Self::Version { .. } => "use the version of crossexam that wrote it",
            Self::Damaged { .. } => {
                "`replay` shows what precedes the damage; go on from a copy or a backup of the file"
            }
            Self::Newer { .. } => "use a newer version of crossexam; `replay` shows what this one knows",
            Self::Full { .. } => "begin a new session; everything acknowledged is kept in this one",
            Self::Poisoned { .. } => "`save` copies what was acknowledged; end this session and open it again",
        }
    }
}
