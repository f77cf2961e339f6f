//! Reads a journal's bytes: which records are complete, whether the end is torn, and what is damaged.
//!
//! Must not change a file, must never skip a damaged record, and must never invent a fact.
//!
//! A record is acknowledged before the next one is written, so a crash can leave at most one incomplete record, the
//! last. That is how a bad end is classified: a single line, no longer than its own length field says, with nothing
//! after it, is a torn **tail**; everything else is **damage**, and nothing after it is read.

use super::record::{self, MAGIC, Record};
use super::recovery::{Damage, Recovery, Tail, UnknownKind};
use super::wire::{self, WireError};
use super::{Fact, JournalError};
use crate::domain::Digest;
use crate::text::Untrusted;
use std::path::Path;

/// What a journal's bytes hold.
#[derive(Debug)]
pub(super) struct Scan {
    /// The facts of all whole records before the tail or damage.
    pub(super) facts: Vec<Fact>,
    /// Bytes up to the end of the last whole record.
    pub(super) good: u64,
    /// Where the last whole record begins.
    pub(super) last: u64,
    /// Digest of the last whole record's line.
    pub(super) prev: Digest,
    /// Number of the record to come.
    pub(super) next_seq: u64,
    /// What else was found.
    pub(super) recovery: Recovery,
}

/// Reads all records of `bytes`; `path` is for messages only.
///
/// Fails if there is no complete header, or for a version that cannot be read.
pub(super) fn scan(path: &Path, bytes: &[u8]) -> Result<Scan, JournalError> {
    let header = header(path, bytes)?;
    let mut scan = Scan {
        facts: vec![header.fact],
        good: header.len as u64,
        last: 0,
        prev: header.digest,
        next_seq: 1,
        recovery: Recovery { version: header.version, first_line: Some(header.digest), ..Recovery::default() },
    };
    while let Some(rest) = bytes.get(scan.good as usize..).filter(|rest| !rest.is_empty()) {
        let line = first_line(rest);
        match scan.check(line) {
            Ok(Some(fact)) => scan.facts.push(fact),
            Ok(None) => {}
            Err(what) => {
                scan.stop(rest, line, what);
                break;
            }
        }
        scan.last = scan.good;
        scan.good += line.len() as u64;
        scan.prev = Digest::of(line);
        scan.next_seq += 1;
    }
    Ok(scan)
}

/// Why a line is no record: a fault of its bytes, or a whole record that does not fit.
enum Fault {
    Bytes(&'static str),
    Content(String),
}

impl Scan {
    /// The fact of the next line; `None` for a kind that is not known.
    fn check(&mut self, line: &[u8]) -> Result<Option<Fact>, Fault> {
        let record = record::decode(line).map_err(Fault::Bytes)?;
        let Record { version, seq, prev, fact } = record;
        if version.is_some() {
            return Err(Fault::Content("it is a second header".to_owned()));
        }
        if seq != self.next_seq {
            let expected = self.next_seq;
            return Err(Fault::Content(format!("it is record {seq} where record {expected} belongs")));
        }
        if prev != Some(self.prev) {
            return Err(Fault::Content("it does not follow from the record before it".to_owned()));
        }
        match wire::from_text(fact) {
            Ok(Fact::Opened { .. }) => Err(Fault::Content("a session cannot begin twice".to_owned())),
            Ok(fact) => Ok(Some(fact)),
            // Whatever version the header has: a newer program that continues an old session adds new kinds of facts.
            Err(WireError::UnknownKind(kind)) => {
                self.recovery.unknown.push(UnknownKind { line: self.next_seq + 1, kind });
                Ok(None)
            }
            Err(WireError::Invalid(what)) => Err(Fault::Content(what.into_raw())),
        }
    }

    /// Classifies the end: `rest`, from the bad line on.
    fn stop(&mut self, rest: &[u8], line: &[u8], fault: Fault) {
        let number = self.next_seq + 1;
        let (offset, bytes) = (self.good, rest.len() as u64);
        match fault {
            Fault::Bytes(what) if is_tail(rest, line) => {
                let what = if line.ends_with(b"\n") { what } else { "it has no line end" };
                self.recovery.tail = Some(Tail { line: number, offset, bytes, what, kept: None });
            }
            Fault::Bytes(what) => {
                self.recovery.damage = Some(Damage { line: number, offset, what: what.into(), unread: bytes });
            }
            Fault::Content(what) => {
                self.recovery.damage = Some(Damage { line: number, offset, what: what.into(), unread: bytes });
            }
        }
    }
}

/// Whether `rest` is one record that was not completely written.
fn is_tail(rest: &[u8], line: &[u8]) -> bool {
    line.len() == rest.len() && record::declared_len(rest).is_none_or(|declared| rest.len() as u64 <= declared)
}

/// The line at the start of `bytes`, with its line break if there is one.
fn first_line(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|b| *b == b'\n').map_or(bytes.len(), |at| at + 1);
    bytes.get(..end).unwrap_or(bytes)
}

/// When a session whose file begins with `bytes` was begun.
pub(super) fn opened_at(path: &Path, bytes: &[u8]) -> Result<String, JournalError> {
    match header(path, bytes)?.fact {
        Fact::Opened { at, .. } => Ok(at),
        _ => Err(JournalError::NotASession { path: path.to_owned() }),
    }
}

/// Digest of the first line of a session whose file begins with `bytes`.
pub(super) fn identity(path: &Path, bytes: &[u8]) -> Result<Digest, JournalError> {
    Ok(header(path, bytes)?.digest)
}

struct Header {
    version: (u32, u32),
    fact: Fact,
    len: usize,
    digest: Digest,
}

fn header(path: &Path, bytes: &[u8]) -> Result<Header, JournalError> {
    let line = first_line(bytes);
    let path = path.to_owned();
    // Its first bytes are those of a header, and there is no line yet: the program stopped while it made the file.
    let begun = bytes.len().min(MAGIC.len());
    if !line.ends_with(b"\n") && bytes.get(..begun) == MAGIC.get(..begun) {
        return Err(JournalError::NotBegun { path });
    }
    if !line.starts_with(MAGIC) {
        return Err(JournalError::NotASession { path });
    }
    if let Some((major, minor)) = record::claimed_version(line).filter(|(major, _)| *major != wire::MAJOR) {
        return Err(JournalError::Version { path, major, minor });
    }
    let damaged = |what: Untrusted| JournalError::Damaged {
        path: path.clone(),
        damage: Damage { line: 1, offset: 0, what, unread: bytes.len() as u64 },
    };
    let record = record::decode(line).map_err(|what| damaged(what.into()))?;
    let Record { version: Some(version), seq: 0, prev: None, fact } = record else {
        return Err(damaged("it is not laid out as a header".into()));
    };
    match wire::from_text(fact) {
        Ok(fact @ Fact::Opened { .. }) => Ok(Header { version, fact, len: line.len(), digest: Digest::of(line) }),
        Ok(_) => Err(damaged("a session begins with the fact \"opened\"".into())),
        Err(WireError::UnknownKind(what) | WireError::Invalid(what)) => Err(damaged(what)),
    }
}
