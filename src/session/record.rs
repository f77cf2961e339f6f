//! One line of a journal: a fact in its envelope.
//!
//! Must stay one JSON object a line, and must be checked byte by byte when it is read: a line that is not exactly as this file
//! writes it is damaged.
//!
//! ```text
//! {"seq":N,"len":L,"prev":"<64 hex>","fact":{…},"crc":"<8 hex>"}\n
//! ```
//! The first line has `"crossexam_session":"MAJOR.MINOR",` before `"seq"`, holds the fact `opened`, and is the header.
//! - `seq` counts from 0.
//! - `len` is the number of bytes of the fact's JSON text, from its `{` to its `}`.
//! - `prev` is the SHA-256 of the whole line before, line break included; 64 zeros in the first line. It chains the lines, so that
//!   one that is missing, moved or rewritten is noticed.
//! - `crc` is the CRC-32 (IEEE) of all bytes of the line before `,"crc":`. It covers the last line too, which no other line pins.

use super::{Fact, wire};
use crate::domain::Digest;

/// What the first line begins with, up to its version.
pub(super) const MAGIC: &[u8] = b"{\"crossexam_session\":\"";

/// `prev` of the first line.
const NO_LINE: Digest = Digest::from_bytes([0; 32]);

/// Bytes of `,"crc":"xxxxxxxx"}` and the line break.
const TRAILER: usize = 19;

/// The line with number `seq` that follows the line with digest `prev` (`None`: the header).
pub(super) fn encode(seq: u64, prev: Option<Digest>, fact: &Fact) -> Vec<u8> {
    let fact = wire::to_text(fact);
    let header = match prev {
        None => format!("\"crossexam_session\":\"{}.{}\",", wire::MAJOR, wire::MINOR),
        Some(_) => String::new(),
    };
    let prev = prev.unwrap_or(NO_LINE);
    let mut line =
        format!("{{{header}\"seq\":{seq},\"len\":{},\"prev\":\"{prev}\",\"fact\":{fact}", fact.len()).into_bytes();
    let crc = crc32fast::hash(&line);
    line.extend_from_slice(format!(",\"crc\":\"{crc:08x}\"}}\n").as_bytes());
    line
}

/// A line taken apart; its checksum and its length are right.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    /// `MAJOR.MINOR`, in the header alone.
    pub(super) version: Option<(u32, u32)>,
    /// Its number.
    pub(super) seq: u64,
    /// Digest of the line before; `None` for 64 zeros.
    pub(super) prev: Option<Digest>,
    /// The fact's JSON text.
    pub(super) fact: &'a [u8],
}

/// Takes a line (line break included) apart, or says what is wrong with it.
pub(super) fn decode(line: &[u8]) -> Result<Record<'_>, &'static str> {
    let body = line.strip_suffix(b"\"}\n").ok_or("it does not end as a record does")?;
    let (body, crc) = body.split_at_checked(body.len().wrapping_sub(8)).ok_or("it is too short for a record")?;
    let covered = body.strip_suffix(b",\"crc\":\"").ok_or("it has no checksum")?;
    if crc != format!("{:08x}", crc32fast::hash(covered)).as_bytes() {
        return Err("its checksum is wrong");
    }
    let mut rest = Cursor(covered);
    let envelope = rest.envelope().ok_or("it is not laid out as a record")?;
    if envelope.len != rest.0.len() as u64 {
        return Err("its length is wrong");
    }
    Ok(Record { version: envelope.version, seq: envelope.seq, prev: envelope.prev, fact: rest.0 })
}

/// How many bytes the line that begins here says it has, line break included; `None` where that cannot be read.
pub(super) fn declared_len(line: &[u8]) -> Option<u64> {
    let mut rest = Cursor(line);
    let envelope = rest.envelope()?;
    let head = (line.len() - rest.0.len()) as u64;
    head.checked_add(envelope.len)?.checked_add(TRAILER as u64)
}

struct Envelope {
    version: Option<(u32, u32)>,
    seq: u64,
    len: u64,
    prev: Option<Digest>,
}

struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    /// Everything before the fact.
    fn envelope(&mut self) -> Option<Envelope> {
        let version = if self.skip(MAGIC).is_some() {
            let major = self.number()?;
            self.skip(b".")?;
            let minor = self.number()?;
            self.skip(b"\",")?;
            Some((u32::try_from(major).ok()?, u32::try_from(minor).ok()?))
        } else {
            self.skip(b"{")?;
            None
        };
        self.skip(b"\"seq\":")?;
        let seq = self.number()?;
        self.skip(b",\"len\":")?;
        let len = self.number()?;
        self.skip(b",\"prev\":\"")?;
        let (hex, rest) = self.0.split_at_checked(64)?;
        let prev = Digest::from_hex(std::str::from_utf8(hex).ok()?)?;
        self.0 = rest;
        self.skip(b"\",\"fact\":")?;
        Some(Envelope { version, seq, len, prev: (prev != NO_LINE).then_some(prev) })
    }

    fn skip(&mut self, text: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(text)?;
        Some(())
    }

    /// A decimal number without needless zeros.
    fn number(&mut self) -> Option<u64> {
        let digits = self.0.iter().take_while(|b| b.is_ascii_digit()).count();
        let (text, rest) = self.0.split_at_checked(digits)?;
        if digits > 1 && text.first() == Some(&b'0') {
            return None;
        }
        self.0 = rest;
        std::str::from_utf8(text).ok()?.parse().ok()
    }
}

/// The version that a first line claims, read without trusting the rest of it.
pub(super) fn claimed_version(line: &[u8]) -> Option<(u32, u32)> {
    let mut rest = Cursor(line);
    rest.skip(MAGIC)?;
    let major = u32::try_from(rest.number()?).ok()?;
    rest.skip(b".")?;
    let minor = u32::try_from(rest.number()?).ok()?;
    rest.skip(b"\"")?;
    Some((major, minor))
}
