//! One line of a journal: a fact in its envelope.
//!
//! Must stay one JSON object per line, and must be checked byte by byte when it is read: a line that differs in any
//! byte from what this file would write is damaged.
//!
//! ```text
//! {"seq":N,"len":L,"prev":"<64 hex>","fact":{…},"crc":"<8 hex>"}\n
//! ```
//! The first line has `"crossexam_session":"MAJOR.MINOR",` before `"seq"`, holds the fact `opened`, and is the header.
//! - `seq` counts from 0.
//! - `len` is the number of bytes of the fact's JSON text, from its `{` to its `}`.
//! - `prev` is the SHA-256 of the whole line before, line break included; 64 zeros in the first line. It chains the
//!   lines, so that one that is missing, moved or rewritten is noticed.
//! - `crc` is the CRC-32 (IEEE) of all bytes of the line before `,"crc":`. It covers the last line too, which no other
//!   line pins.

use super::{Fact, wire};
use crate::domain::Digest;

/// What the first line begins with, up to its version.
pub(super) const MAGIC: &[u8] = b"{\"crossexam_session\":\"";

/// `prev` of the first line.
const NO_LINE: Digest = Digest::from_bytes([0; 32]);

/// Bytes of `,"crc":"xxxxxxxx"}` and the line break.
const TRAILER: usize = 19;

/// What is wrong with a line whose end is CR LF.
pub(super) const CR_LF: &str = "its line break is CR LF, which git and some editors make of LF; get the file unchanged, or \
                                restore it: sed 's/\\r$//' OLD > NEW";

/// The line with number `seq` that follows the line with digest `prev` (`None`: the header).
pub(super) fn encode(seq: u64, prev: Option<Digest>, fact: &Fact) -> Vec<u8> {
    let version = prev.is_none().then_some((wire::MAJOR, wire::MINOR));
    line(version, seq, prev, wire::to_text(fact).as_bytes())
}

/// A line around what may be no fact.
pub(super) fn frame(seq: u64, prev: Digest, fact: &[u8]) -> Vec<u8> {
    line(None, seq, Some(prev), fact)
}

fn line(version: Option<(u32, u32)>, seq: u64, prev: Option<Digest>, fact: &[u8]) -> Vec<u8> {
    let header =
        version.map(|(major, minor)| format!("\"crossexam_session\":\"{major}.{minor}\",")).unwrap_or_default();
    let prev = prev.unwrap_or(NO_LINE);
    let len = fact.len();
    let mut line = format!("{{{header}\"seq\":{seq},\"len\":{len},\"prev\":\"{prev}\",\"fact\":").into_bytes();
    line.extend_from_slice(fact);
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

/// Decodes a line (line break included), or says what is wrong with it.
pub(super) fn decode(line: &[u8]) -> Result<Record<'_>, &'static str> {
    if line.ends_with(b"\"}\r\n") {
        return Err(CR_LF);
    }
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

/// The length that the line beginning here declares, line break included; `None` if that cannot be read.
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The lines of a journal of any version that holds any JSON texts.
    pub(in crate::session) fn lines(version: (u32, u32), facts: &[&str]) -> Vec<Vec<u8>> {
        let mut prev = None;
        let mut out = Vec::new();
        for (seq, fact) in facts.iter().enumerate() {
            let line = line(prev.is_none().then_some(version), seq as u64, prev, fact.as_bytes());
            prev = Some(Digest::of(&line));
            out.push(line);
        }
        out
    }

    #[test]
    fn the_envelope_is_the_one_that_is_documented() {
        let facts = [
            r#"{"kind":"opened","program":"0.1.0","at":"2026-11-23T02:00:00Z"}"#,
            r#"{"kind":"command","line":"step"}"#,
        ];
        let lines = lines((1, 0), &facts).concat();
        insta::assert_snapshot!(String::from_utf8(lines).expect("text"), @r##"
{"crossexam_session":"1.0","seq":0,"len":63,"prev":"0000000000000000000000000000000000000000000000000000000000000000","fact":{"kind":"opened","program":"0.1.0","at":"2026-11-23T02:00:00Z"},"crc":"230467ad"}
{"seq":1,"len":32,"prev":"88b7ddcf72b29d3c148a81a4379cf2de4d42a1aa8c281712bd5830d31d100010","fact":{"kind":"command","line":"step"},"crc":"60678253"}
"##);
    }

    #[test]
    fn a_record_taken_apart_is_what_was_put_together() {
        let prev = Digest::of(b"line");
        let whole = encode(12, Some(prev), &Fact::Command { line: "step".into() });
        let fact = br#"{"kind":"command","line":"step"}"#;
        assert_eq!(decode(&whole), Ok(Record { version: None, seq: 12, prev: Some(prev), fact }));
        assert_eq!(declared_len(&whole), Some(whole.len() as u64));
    }

    #[test]
    fn another_spelling_of_the_same_json_is_damage() {
        let line = encode(3, Some(Digest::of(b"line")), &Fact::Command { line: "step".into() });
        let text = String::from_utf8(line).expect("text");
        let cases = [
            (text.replace("\"seq\":3", "\"seq\": 3"), "its checksum is wrong"),
            (text.replace("\"}\n", "\" }\n"), "it does not end as a record does"),
            (text.replace("\"}\n", "\"}"), "it does not end as a record does"),
            (text.replace(",\"crc\"", ", \"crc\""), "it has no checksum"),
            ("\"}\n".to_owned(), "it is too short for a record"),
        ];
        for (text, expected) in cases {
            assert_eq!(decode(text.as_bytes()), Err(expected), "{text}");
        }
        let resealed = |body: &str| {
            let crc = crc32fast::hash(body.as_bytes());
            format!("{body},\"crc\":\"{crc:08x}\"}}\n")
        };
        let body = text.split(",\"crc\"").next().expect("a body");
        for (from, to, expected) in [
            ("\"seq\":3", "\"seq\":03", "it is not laid out as a record"),
            ("\"seq\":3", "\"seq\":99999999999999999999", "it is not laid out as a record"),
            ("\"len\":32", "\"len\":31", "its length is wrong"),
        ] {
            let changed = body.replace(from, to);
            assert_ne!(changed, body);
            assert_eq!(decode(resealed(&changed).as_bytes()), Err(expected), "{changed}");
        }
    }
}
