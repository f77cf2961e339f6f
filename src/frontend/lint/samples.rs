//! The samples that `lint` reads: checked line by line, or measured to compare prompt layouts.
//!
//! Must not keep what it reads.

use crate::domain::sample_file::{RawLines, SampleError};
use crate::domain::{GuardedFile, path_text};
use std::io::{self, BufReader};
use std::path::Path;

/// The mean length of the samples in a file, in characters; lines that cannot be read are left out.
pub(super) fn mean_chars(path: &Path) -> Result<f64, String> {
    let shown = path_text::of(path);
    let fail = |e: io::Error| format!("cannot read {shown}: {e}");
    let (mut count, mut chars) = (0_u64, 0_u64);
    for line in RawLines::new(BufReader::new(GuardedFile::open(path, u64::MAX, || false).map_err(fail)?)) {
        if let Ok(sample) = line.map_err(fail)?.parse() {
            count += 1;
            chars += sample.content.chars();
        }
    }
    if count == 0 {
        return Err(format!("{shown} holds no sample (hint: one JSON object a line, with id and text or fields)"));
    }
    Ok(chars as f64 / count as f64)
}

/// Passes every bad line of a file to `tell`; returns how many there are, or in words why the file cannot be read.
///
/// # Errors
/// Those of `tell`.
pub(super) fn faults(
    path: &Path,
    tell: &mut dyn FnMut(&SampleError) -> io::Result<()>,
) -> io::Result<Result<usize, String>> {
    let fail = |e: io::Error| format!("cannot read {}: {e}", path_text::of(path));
    let file = match GuardedFile::open(path, u64::MAX, || false) {
        Ok(file) => file,
        Err(error) => return Ok(Err(fail(error))),
    };
    let mut count = 0;
    for line in RawLines::new(BufReader::new(file)) {
        match line {
            Ok(line) if line.is_blank() => {}
            Ok(line) => {
                if let Err(error) = line.parse() {
                    count += 1;
                    tell(&error)?;
                }
            }
            Err(error) => return Ok(Err(fail(error))),
        }
    }
    Ok(Ok(count))
}
