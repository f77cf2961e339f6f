//! Measuring the samples that `lint` compares prompt layouts for.
//!
//! Must not keep what it reads, only its length.

use crate::domain::sample_file::RawLines;
use crate::domain::{Content, GuardedFile, Sample};
use std::io::{self, BufReader};
use std::path::Path;

/// The mean length of the samples in a file, in characters; lines that cannot be read are left out.
pub(super) fn mean_chars(path: &Path) -> Result<f64, String> {
    let shown = path.to_string_lossy();
    let fail = |e: io::Error| format!("cannot read {shown}: {e}");
    let (mut count, mut chars) = (0_u64, 0_u64);
    for line in RawLines::new(BufReader::new(GuardedFile::open(path, u64::MAX, || false).map_err(fail)?)) {
        if let Ok(sample) = line.map_err(fail)?.parse() {
            count += 1;
            chars += sample_chars(&sample);
        }
    }
    if count == 0 {
        return Err(format!("{shown} holds no sample (hint: one JSON object a line, with id and text or fields)"));
    }
    Ok(chars as f64 / count as f64)
}

fn sample_chars(sample: &Sample) -> u64 {
    let chars = |t: &str| t.chars().count() as u64;
    match &sample.content {
        Content::Text(text) => chars(text.raw()),
        Content::Fields(fields) => {
            fields.iter().map(|f| chars(f.name.as_str()) + f.values.iter().map(|v| chars(v.raw())).sum::<u64>()).sum()
        }
    }
}
