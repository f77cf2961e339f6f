//! What reading a journal found besides facts: an incomplete end, damage, kinds of facts from a newer version.
//!
//! Must only report; `recover` does the detection.

use crate::domain::{Digest, path_text};
use crate::text::{Escaped, Untrusted};
use std::path::{Path, PathBuf};

/// What was found beside the facts when a journal was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Version of the file's form, major and minor.
    pub version: (u32, u32),
    /// Digest of the first line, by which the session is known under any name.
    pub first_line: Option<Digest>,
    /// An incomplete last record.
    pub tail: Option<Tail>,
    /// The first damaged record; the facts are those before it.
    pub damage: Option<Damage>,
    /// Records of a kind that only a newer version knows; they are not among the facts.
    pub unknown: Vec<UnknownKind>,
}

/// An incomplete last record, as a crash in the middle of a write leaves. It was never acknowledged, unless the disk
/// lost or changed bytes that were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tail {
    /// Its line, from 1.
    pub line: u64,
    /// Where it begins, in bytes from the start of the file.
    pub offset: u64,
    /// How many bytes there are of it.
    pub bytes: u64,
    /// What is wrong with it.
    pub what: &'static str,
    /// Where its bytes were set aside; `None` if the file was only read.
    pub kept: Option<PathBuf>,
}

/// A damaged record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Its line, from 1.
    pub line: u64,
    /// Byte offset of the line from the start of the file.
    pub offset: u64,
    /// What is wrong with it.
    pub what: Untrusted,
    /// How many bytes from there to the end of the file were not read.
    pub unread: u64,
}

/// A record of a kind that this version does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownKind {
    /// Its line, from 1.
    pub line: u64,
    /// The kind.
    pub kind: Untrusted,
}

impl Recovery {
    /// Whether there is nothing to report.
    pub fn is_clean(&self) -> bool {
        self.tail.is_none() && self.damage.is_none() && self.unknown.is_empty()
    }

    /// One sentence for each thing to report, in file order, damage last.
    pub fn notices(&self) -> Vec<Escaped> {
        let mut out = Vec::new();
        if let Some(first) = self.unknown.first() {
            let (major, minor) = self.version;
            let count = self.unknown.len();
            let records = if count == 1 { "record" } else { "records" };
            out.push(format!(
                "{count} {records} of a kind that only a newer version knows {} left out, the first at line {} ({:?}); \
                 the file was begun with version {major}.{minor}",
                if count == 1 { "is" } else { "are" },
                first.line,
                first.kind,
            ));
        }
        if let Some(Tail { line, offset, bytes, what, kept }) = &self.tail {
            let place = match kept {
                Some(path) => format!("cut off and kept in {}", shown(path)),
                None => "left out".to_owned(),
            };
            out.push(format!(
                "the last record, line {line} (byte {offset}), is incomplete: {what}; its {bytes} bytes are {place}"
            ));
        }
        if let Some(damage) = &self.damage {
            out.push(damage.sentence());
        }
        out.iter().map(|text| Escaped::line(text)).collect()
    }
}

impl Damage {
    pub(super) fn sentence(&self) -> String {
        let Self { line, offset, what, unread } = self;
        format!(
            "line {line} (byte {offset}) is damaged: {}; {unread} bytes from there on were not read",
            what.escaped()
        )
    }
}

/// A path for a message.
pub(super) fn shown(path: &Path) -> Escaped {
    Escaped::line(&path_text::of(path))
}
