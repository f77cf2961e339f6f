//! The samples that `lint` reads: checked line by line, and measured to compare prompt layouts.
//!
//! Must not keep what it reads.

use crate::domain::sample_file::{Doubt, Doubts, RawLines, SampleError};
use crate::domain::{GuardedFile, path_text};
use std::io::{self, BufReader};
use std::path::Path;

/// One finding in a line of samples.
pub(super) enum Finding {
    /// It is no sample.
    Error(SampleError),
    /// It is one, and something in it is doubtful.
    Warning(Doubt),
}

/// What a file of samples holds.
#[derive(Default)]
pub(super) struct Found {
    pub errors: usize,
    pub warnings: usize,
    samples: u64,
    chars: u64,
}

impl Found {
    /// The mean length of the samples, in characters; `None` without a sample.
    pub fn mean_chars(&self) -> Option<f64> {
        (self.samples > 0).then(|| self.chars as f64 / self.samples as f64)
    }
}

/// Passes every finding in a file to `tell`; returns what there is, or in words why the file cannot be read.
///
/// # Errors
/// Those of `tell`.
pub(super) fn read(
    path: &Path,
    doubts: &mut Doubts,
    tell: &mut dyn FnMut(&Finding) -> io::Result<()>,
) -> io::Result<Result<Found, String>> {
    let fail = |e: io::Error| format!("cannot read {}: {e}", path_text::of(path));
    let file = match GuardedFile::open(path, u64::MAX, || false) {
        Ok(file) => file,
        Err(error) => return Ok(Err(fail(error))),
    };
    let mut found = Found::default();
    for line in RawLines::new(BufReader::new(file)) {
        let line = match line {
            Ok(line) if line.is_blank() => continue,
            Ok(line) => line,
            Err(error) => return Ok(Err(fail(error))),
        };
        match line.parse() {
            Ok(sample) => {
                found.samples += 1;
                found.chars += sample.content.chars();
                for doubt in doubts.of(&line, &sample) {
                    found.warnings += 1;
                    tell(&Finding::Warning(doubt))?;
                }
            }
            Err(error) => {
                found.errors += 1;
                tell(&Finding::Error(error))?;
            }
        }
    }
    Ok(Ok(found))
}
