//! Reads little-endian numbers and strings from the start of a file whose length is known.
//!
//! Must never allocate for more bytes than the file still has, nor more than the header may have in all.

use super::GgufError;
use crate::domain::Cancel;
use crate::text::Escaped;
use std::io::{ErrorKind, Read};

/// The most bytes of metadata and tensor table that are read; the largest real headers have about 20 MiB.
pub(super) const MAX_HEADER: u64 = 64 << 20;

/// A reader that knows where it is.
pub(super) struct Source<'a, R> {
    reader: R,
    at: u64,
    file_len: u64,
    cancel: &'a Cancel,
}

impl<'a, R: Read> Source<'a, R> {
    /// Reads `reader`, which stands at byte 0 of a file of `file_len` bytes.
    pub(super) fn new(reader: R, file_len: u64, cancel: &'a Cancel) -> Self {
        Self { reader, at: 0, file_len, cancel }
    }

    /// Where the next byte is read.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Bytes that the header may still have.
    pub(super) fn remaining(&self) -> u64 {
        self.file_len.min(MAX_HEADER).saturating_sub(self.at)
    }

    /// Fails when the work was cancelled.
    pub(super) fn check_cancel(&self) -> Result<(), GgufError> {
        if self.cancel.is_cancelled() { Err(GgufError::Cancelled) } else { Ok(()) }
    }

    /// Fails unless `needed` bytes are there, before anything is allocated for them.
    pub(super) fn demand(&self, what: &str, needed: u64) -> Result<(), GgufError> {
        if needed > self.file_len.saturating_sub(self.at) {
            let (what, at, file_len) = (Escaped::line(what), self.at, self.file_len);
            return Err(GgufError::Truncated { what, at, needed, file_len });
        }
        if needed > self.remaining() {
            return Err(GgufError::header(
                self.at,
                format!("{what} needs {needed} bytes, which makes the header longer than {MAX_HEADER} bytes"),
            ));
        }
        Ok(())
    }

    /// `needed` bytes.
    pub(super) fn bytes(&mut self, what: &str, needed: u64) -> Result<Vec<u8>, GgufError> {
        self.demand(what, needed)?;
        let mut out = vec![0; usize::try_from(needed).expect("no more than the header may have")];
        self.fill(what, &mut out)?;
        Ok(out)
    }

    fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], GgufError> {
        self.demand(what, N as u64)?;
        let mut out = [0; N];
        self.fill(what, &mut out)?;
        Ok(out)
    }

    fn fill(&mut self, what: &str, out: &mut [u8]) -> Result<(), GgufError> {
        self.reader.read_exact(out).map_err(|source| match source.kind() {
            // The file was cut while it was read.
            ErrorKind::UnexpectedEof => GgufError::Truncated {
                what: Escaped::line(what),
                at: self.at,
                needed: out.len() as u64,
                file_len: self.file_len,
            },
            _ => GgufError::Io { doing: "read", source },
        })?;
        self.at += out.len() as u64;
        Ok(())
    }

    pub(super) fn u32(&mut self, what: &str) -> Result<u32, GgufError> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    pub(super) fn u64(&mut self, what: &str) -> Result<u64, GgufError> {
        Ok(u64::from_le_bytes(self.array(what)?))
    }

    /// A string with its length before it, of at most `max` bytes.
    pub(super) fn string(&mut self, what: &str, max: u64) -> Result<String, GgufError> {
        let at = self.at;
        let len = self.u64(what)?;
        if len > max {
            return Err(GgufError::header(at, format!("{what} says it has {len} bytes; at most {max} are allowed")));
        }
        let bytes = self.bytes(what, len)?;
        String::from_utf8(bytes).map_err(|_| GgufError::header(at, format!("{what} is not valid UTF-8")))
    }
}
