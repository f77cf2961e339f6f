//! Reads a sample file line by line in bounded memory, or as a whole for interactive use.
//!
//! Must not open files (the caller does) and must not stop at a bad line.

use super::{MAX_LINE_BYTES, SampleError, parse_line, too_long};
use crate::domain::{Digest, Hasher, Sample};
use std::io::{self, BufRead};

/// One line as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawLine {
    /// Its number, from 1.
    pub number: usize,
    /// Its bytes without the line break; empty if the line was too long to keep.
    pub bytes: Vec<u8>,
    /// It was longer than [`MAX_LINE_BYTES`].
    pub too_long: bool,
    /// Bytes of the input up to its end, line break included.
    pub end: u64,
}

impl RawLine {
    /// Whether it holds nothing but white space.
    pub fn is_blank(&self) -> bool {
        !self.too_long && self.bytes.trim_ascii().is_empty()
    }

    /// The sample it holds. A blank line is an error here: who wants to skip it asks [`Self::is_blank`] first.
    pub fn parse(&self) -> Result<Sample, SampleError> {
        if self.too_long { Err(too_long(self.number)) } else { parse_line(self.number, &self.bytes) }
    }
}

/// The lines of a reader, one at a time, each in at most [`MAX_LINE_BYTES`] of memory. A byte order mark at the start
/// of the first line is skipped.
pub struct RawLines<R> {
    reader: R,
    number: usize,
    read: u64,
    hasher: Hasher,
}

impl<R: BufRead> RawLines<R> {
    /// Lines of `reader`.
    pub fn new(reader: R) -> Self {
        Self { reader, number: 0, read: 0, hasher: Hasher::new() }
    }

    /// Digest of all bytes read so far.
    pub fn digest(self) -> Digest {
        self.hasher.finish()
    }

    fn next_line(&mut self) -> io::Result<Option<RawLine>> {
        let mut line = RawLine { number: self.number + 1, bytes: Vec::new(), too_long: false, end: 0 };
        let mut any = false;
        loop {
            let chunk = match self.reader.fill_buf() {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                chunk => chunk?,
            };
            if chunk.is_empty() {
                break;
            }
            any = true;
            let end = chunk.iter().position(|b| *b == b'\n');
            let used = end.map_or(chunk.len(), |i| i + 1);
            let content = chunk.get(..end.unwrap_or(chunk.len())).unwrap_or_default();
            // One byte more than allowed is kept, so that the line is seen to be too long.
            line.too_long |= line.bytes.len() + content.len() > MAX_LINE_BYTES;
            if line.too_long {
                line.bytes = Vec::new();
            } else {
                line.bytes.extend_from_slice(content);
            }
            self.hasher.update(chunk.get(..used).unwrap_or_default());
            self.reader.consume(used);
            self.read += used as u64;
            if end.is_some() {
                break;
            }
        }
        if !any {
            return Ok(None);
        }
        self.number += 1;
        line.end = self.read;
        if self.number == 1
            && let Some(rest) = line.bytes.strip_prefix(b"\xef\xbb\xbf")
        {
            line.bytes = rest.to_vec();
        }
        Ok(Some(line))
    }
}

impl<R: BufRead> Iterator for RawLines<R> {
    type Item = io::Result<RawLine>;
    fn next(&mut self) -> Option<Self::Item> {
        self.next_line().transpose()
    }
}

/// A whole file.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// The good samples in file order, each with its line number.
    pub samples: Vec<(usize, Sample)>,
    /// The first bad lines in file order, at most [`MAX_ERRORS`]. Blank lines are neither good nor bad.
    pub errors: Vec<SampleError>,
    /// How many bad lines there are in all.
    pub bad: usize,
    /// Digest of the file.
    pub sha256: Digest,
}

/// How many bad lines of a file are kept: a diagnostic takes far more memory than a short line.
pub const MAX_ERRORS: usize = 100;

/// The most samples of one file that are kept in memory.
pub const MAX_SAMPLES: usize = 1_000_000;

/// Reads a whole file.
///
/// # Errors
/// A failure of the reader itself, or more than [`MAX_SAMPLES`] samples.
pub fn load(reader: impl BufRead) -> io::Result<Loaded> {
    load_watched(reader, &mut |_, _| {})
}

/// The same, and `watch` sees every good sample with its line.
///
/// # Errors
/// As [`load`].
pub fn load_watched(reader: impl BufRead, watch: &mut dyn FnMut(&RawLine, &Sample)) -> io::Result<Loaded> {
    let mut lines = RawLines::new(reader);
    let mut samples: Vec<(usize, Sample)> = Vec::new();
    let mut errors = Vec::new();
    let mut bad = 0;
    for line in lines.by_ref() {
        let line = line?;
        if line.is_blank() {
            continue;
        }
        match line.parse() {
            Ok(_) if samples.len() == MAX_SAMPLES => {
                let message = format!("it has more than {MAX_SAMPLES} samples");
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
            }
            Ok(sample) => {
                watch(&line, &sample);
                samples.push((line.number, sample));
            }
            Err(e) => {
                bad += 1;
                if errors.len() < MAX_ERRORS {
                    errors.push(e);
                }
            }
        }
    }
    Ok(Loaded { samples, errors, bad, sha256: lines.digest() })
}
