//! The journal: the file that keeps a session's facts, one record per line (`record` defines the line format).
//!
//! Must acknowledge a fact only when it is on the disk, must never report a failed write or sync as success later, and
//! must never write to a file that is damaged or that another process writes to.

mod error;

pub use error::JournalError;

use super::disk::{Disk, DiskFile, MOST_BYTES, Os, write_all};
use super::recover;
use super::recovery::Recovery;
use super::{Fact, record};
use crate::domain::Digest;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An open session file that only this process writes to.
pub struct Journal {
    disk: Arc<dyn Disk>,
    file: Box<dyn DiskFile>,
    path: PathBuf,
    /// Bytes that were acknowledged.
    len: u64,
    /// The size limit: a longer file could not be read again.
    most: u64,
    next_seq: u64,
    prev: Digest,
    /// Why nothing more can be written.
    poisoned: Option<String>,
}

impl Journal {
    /// Begins a session in a new file; `opened` is its first fact. When this returns, file and name are durable.
    pub fn create(path: &Path, opened: &Fact) -> Result<Self, JournalError> {
        Self::create_on(Arc::new(Os), path, opened)
    }

    /// Opens a session to continue it; returns all its facts, and what else was found. An incomplete last record is
    /// moved to a file beside it (`NAME.torn-N`). A session that is damaged, or written by a newer version, is refused.
    pub fn resume(path: &Path) -> Result<(Self, Vec<Fact>, Recovery), JournalError> {
        Self::resume_on(Arc::new(Os), path)
    }

    /// Appends one fact. `Ok` means that it is on the disk. A fact that would make the file too long to be read is
    /// refused without side effects. After any other error nothing more is written: whether this record reached the
    /// disk is only known when the file is opened again.
    pub fn append(&mut self, fact: &Fact) -> Result<(), JournalError> {
        if let Some(why) = &self.poisoned {
            return Err(JournalError::Poisoned { path: self.path.clone(), why: why.clone() });
        }
        let line = record::encode(self.next_seq, Some(self.prev), fact);
        if self.len + line.len() as u64 > self.most {
            return Err(JournalError::Full { path: self.path.clone(), most: self.most });
        }
        // Set first, so that a panic in the middle of a write poisons as well.
        self.poisoned = Some("it was interrupted".to_owned());
        if let Err(error) = self.write(&line) {
            self.poisoned = Some(match &error {
                JournalError::Io { source, .. } => source.to_string(),
                _ => "the file was deleted, moved or replaced while it was open".to_owned(),
            });
            return Err(error);
        }
        self.poisoned = None;
        self.len += line.len() as u64;
        self.next_seq += 1;
        self.prev = Digest::of(&line);
        Ok(())
    }

    /// Copies what was acknowledged so far to another file, atomically, and durable when this returns. An existing file
    /// is replaced only with `force`, and never a session that is open somewhere.
    pub fn copy_to(&mut self, path: &Path, force: bool) -> Result<(), JournalError> {
        let mut bytes = self.file.read_all().map_err(io_error("read", &self.path))?;
        bytes.truncate(self.len as usize);
        copy_bytes(&*self.disk, &self.path, bytes, path, force)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a write failed, so that nothing more is recorded.
    pub fn is_poisoned(&self) -> bool {
        self.poisoned.is_some()
    }

    /// How many facts were acknowledged, the first included.
    pub fn facts(&self) -> u64 {
        self.next_seq
    }

    pub(super) fn create_on(disk: Arc<dyn Disk>, path: &Path, opened: &Fact) -> Result<Self, JournalError> {
        let mut file = disk.create_new(path).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => JournalError::Exists { path: path.to_owned() },
            _ => JournalError::Io { action: "create", path: path.to_owned(), source },
        })?;
        let line = record::encode(0, None, opened);
        match begin(&*disk, &mut *file, path, &line) {
            Ok(()) => Ok(Self {
                disk,
                file,
                path: path.to_owned(),
                len: line.len() as u64,
                most: MOST_BYTES,
                next_seq: 1,
                prev: Digest::of(&line),
                poisoned: None,
            }),
            Err(e) => {
                // Nothing was acknowledged, so nothing is lost with it; if it cannot be removed, reading it says so.
                disk.remove(path).ok();
                Err(e)
            }
        }
    }

    pub(super) fn resume_on(disk: Arc<dyn Disk>, path: &Path) -> Result<(Self, Vec<Fact>, Recovery), JournalError> {
        let mut file = disk.open(path).map_err(io_error("open", path))?;
        if !file.lock().map_err(io_error("lock", path))? {
            return Err(JournalError::Locked { path: path.to_owned() });
        }
        let bytes = file.read_all().map_err(io_error("read", path))?;
        let mut scan = recover::scan(path, &bytes)?;
        if let Some(damage) = scan.recovery.damage {
            return Err(JournalError::Damaged { path: path.to_owned(), damage });
        }
        if let Some(first) = scan.recovery.unknown.into_iter().next() {
            return Err(JournalError::Newer { path: path.to_owned(), line: first.line, kind: first.kind });
        }
        let (whole, torn) = bytes.split_at(scan.good as usize);
        if let Some(tail) = &mut scan.recovery.tail {
            tail.kept = Some(set_aside(&*disk, path, torn)?);
            file.truncate(scan.good).map_err(io_error("cut the incomplete record from", path))?;
        }
        // The previous process may have ended with a failed sync that left the last record in memory only, marked
        // clean. A second sync would not write it; writing the same bytes again makes it do so.
        let last = whole.split_at(scan.last as usize).1;
        write_all(&mut *file, scan.last, last).map_err(io_error("write to", path))?;
        file.sync().map_err(io_error("write to", path))?;
        disk.sync_dir_of(path).map_err(io_error("write to the folder of", path))?;
        let journal = Self {
            disk,
            file,
            path: path.to_owned(),
            len: scan.good,
            most: MOST_BYTES,
            next_seq: scan.next_seq,
            prev: scan.prev,
            poisoned: None,
        };
        Ok((journal, scan.facts, Recovery { unknown: Vec::new(), damage: None, ..scan.recovery }))
    }

    fn write(&mut self, line: &[u8]) -> Result<(), JournalError> {
        // Checked before the write, so that nothing is written in vain, and again when it is on the disk, before it is
        // acknowledged.
        self.still_there()?;
        let written = self.file.size().and_then(|size| {
            if size != self.len {
                return Err(io::Error::other("another program changed the file"));
            }
            write_all(&mut *self.file, self.len, line)?;
            self.file.sync()
        });
        written.map_err(io_error("write to", &self.path))?;
        self.still_there()
    }

    fn still_there(&mut self) -> Result<(), JournalError> {
        match self.file.is_at(&self.path) {
            Ok(true) => Ok(()),
            Ok(false) => Err(JournalError::Gone { path: self.path.clone() }),
            Err(source) => Err(JournalError::Io { action: "look for", path: self.path.clone(), source }),
        }
    }
}

fn copy_bytes(disk: &dyn Disk, own: &Path, mut bytes: Vec<u8>, path: &Path, force: bool) -> Result<(), JournalError> {
    if disk.same(own, path) {
        return Err(JournalError::Itself { path: path.to_owned() });
    }
    let scan = recover::scan(own, &bytes)?;
    if let Some(damage) = scan.recovery.damage {
        return Err(JournalError::Damaged { path: own.to_owned(), damage });
    }
    bytes.truncate(scan.good as usize);
    let reserved = match disk.create_new(path) {
        Ok(file) => Some(file),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && force => {
            let mut file = disk.open(path).map_err(io_error("open", path))?;
            if !file.lock().map_err(io_error("lock", path))? {
                return Err(JournalError::Locked { path: path.to_owned() });
            }
            None
        }
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            return Err(JournalError::Exists { path: path.to_owned() });
        }
        Err(source) => return Err(JournalError::Io { action: "create", path: path.to_owned(), source }),
    };
    let result = replace(disk, path, &bytes);
    if result.is_err() && reserved.is_some() {
        // The empty file that reserved the name is ours; if it cannot be removed it stays, empty.
        disk.remove(path).ok();
    }
    result
}

/// Puts a file with `bytes` at `path`, at once.
fn replace(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<(), JournalError> {
    let (temporary, mut file) = create_beside(disk, path, "new")?;
    let written = write_all(&mut *file, 0, bytes).and_then(|()| file.sync());
    let moved = written.and_then(|()| disk.rename(&temporary, path));
    if let Err(source) = moved {
        // The incomplete copy is useless; if it cannot be removed it does no harm.
        disk.remove(&temporary).ok();
        return Err(JournalError::Io { action: "write", path: path.to_owned(), source });
    }
    disk.sync_dir_of(path).map_err(io_error("write to the folder of", path))
}

/// The most that is read of a first line.
const HEADER_BYTES: u64 = 64 << 10;

/// When a session was begun, as its first line says; the rest of the file is not read.
pub fn opened_at(path: &Path) -> Result<String, JournalError> {
    let start = Os::read_start(path, HEADER_BYTES).map_err(io_error("read", path))?;
    recover::opened_at(path, &start)
}

/// Digest of a session's first line, which identifies it whatever its file is called; the rest of the file is not read.
///
/// # Errors
/// If there is no complete header of a version that can be read.
pub fn identity(path: &Path) -> Result<Digest, JournalError> {
    let start = Os::read_start(path, HEADER_BYTES).map_err(io_error("read", path))?;
    recover::identity(path, &start)
}

/// Copies a session that this process is not recording to another file, as [`Journal::copy_to`] does, with all its
/// complete records.
///
/// # Errors
/// If it cannot be read or is damaged, or if `to` exists or cannot be written.
pub fn copy(session: &Path, to: &Path) -> Result<(), JournalError> {
    let bytes = Os.read(session).map_err(io_error("read", session))?;
    copy_bytes(&Os, session, bytes, to, false)
}

/// All facts of a session, and what else was found. Changes nothing and takes no lock, so a session can be read while
/// it is being recorded. For a damaged file, returns the facts before the damage; [`Recovery::damage`] describes it.
pub fn read(path: &Path) -> Result<(Vec<Fact>, Recovery), JournalError> {
    let bytes = Os.read(path).map_err(io_error("read", path))?;
    of_bytes(path, &bytes)
}

/// All facts of a session whose file holds `bytes`; `path` is for messages only.
///
/// # Errors
/// If there is no complete header of a version that can be read.
pub fn of_bytes(path: &Path, bytes: &[u8]) -> Result<(Vec<Fact>, Recovery), JournalError> {
    let scan = recover::scan(path, bytes)?;
    Ok((scan.facts, scan.recovery))
}

/// A session file with these facts, given as JSON text that need not be valid facts: for testing the reader.
#[doc(hidden)]
pub fn framed(facts: &[&[u8]]) -> Vec<u8> {
    let mut file = record::encode(0, None, &Fact::Opened { program: String::new(), at: String::new() });
    let mut prev = Digest::of(&file);
    for (number, fact) in facts.iter().enumerate() {
        let line = record::frame(number as u64 + 1, prev, fact);
        prev = Digest::of(&line);
        file.extend(line);
    }
    file
}

fn begin(disk: &dyn Disk, file: &mut dyn DiskFile, path: &Path, line: &[u8]) -> Result<(), JournalError> {
    if !file.lock().map_err(io_error("lock", path))? {
        return Err(JournalError::Locked { path: path.to_owned() });
    }
    write_all(file, 0, line).and_then(|()| file.sync()).map_err(io_error("write to", path))?;
    disk.sync_dir_of(path).map_err(io_error("write to the folder of", path))
}

/// Puts the bytes of an incomplete record into a new file beside the journal.
fn set_aside(disk: &dyn Disk, path: &Path, torn: &[u8]) -> Result<PathBuf, JournalError> {
    let (kept, mut file) = create_beside(disk, path, "torn")?;
    write_all(&mut *file, 0, torn)
        .and_then(|()| file.sync())
        .and_then(|()| disk.sync_dir_of(path))
        .map_err(io_error("keep the incomplete record in", &kept))?;
    Ok(kept)
}

/// Creates `PATH.WHAT-N` with the first N from 1 that is free.
fn create_beside(disk: &dyn Disk, path: &Path, what: &str) -> Result<(PathBuf, Box<dyn DiskFile>), JournalError> {
    for number in 1_u32.. {
        let mut name = OsString::from(path);
        name.push(format!(".{what}-{number}"));
        let name = PathBuf::from(name);
        match disk.create_new(&name) {
            Ok(file) => return Ok((name, file)),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && number < u32::MAX => {}
            Err(source) => return Err(JournalError::Io { action: "create", path: name, source }),
        }
    }
    Err(JournalError::Exists { path: path.to_owned() })
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> JournalError {
    let path = path.to_owned();
    move |source| JournalError::Io { action, path, source }
}

#[cfg(test)]
mod tests;
