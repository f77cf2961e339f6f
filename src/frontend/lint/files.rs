//! Reading the files that `lint` needs, with limits, and without leaving the policy's folder.
//!
//! Must not interpret what it reads, samples aside, of which it only takes the length.

use crate::domain::sample_file::RawLines;
use crate::domain::{Content, Sample};
use crate::policy::limits;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

/// The text of a file, at most one byte more than a policy file may have; the error says in words what is wrong.
pub fn read_text(path: &Path) -> Result<String, String> {
    let file = File::open(path).map_err(reason)?;
    let mut bytes = Vec::new();
    // One byte more than allowed, so that the parser sees the file is too large and says so with the limit.
    file.take(limits::FILE_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(reason)?;
    String::from_utf8(bytes).map_err(|e| {
        let before = e.as_bytes().get(..e.utf8_error().valid_up_to()).unwrap_or_default();
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        format!("line {line} is not UTF-8 text")
    })
}

/// The text of a file that the policy file `policy` includes. `path` comes from the parser, which keeps it inside the
/// policy's folder by its words; this looks at where links lead, too.
pub fn read_include(policy: &Path, path: &str) -> Result<String, String> {
    let parent = policy.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = parent.canonicalize().map_err(reason)?;
    let file = Path::new(path).canonicalize().map_err(reason)?;
    if !file.starts_with(&folder) {
        return Err("it is a link that leads out of the policy's folder".to_owned());
    }
    read_text(&file)
}

fn reason(e: io::Error) -> String {
    match e.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        _ => e.to_string(),
    }
}

/// The mean length of the samples in a file, in characters; lines that cannot be read are left out.
pub(super) fn mean_sample_chars(path: &Path) -> Result<f64, String> {
    let shown = path.to_string_lossy();
    let fail = |e: io::Error| format!("cannot read {shown}: {}", reason(e));
    let (mut count, mut chars) = (0_u64, 0_u64);
    for line in RawLines::new(BufReader::new(File::open(path).map_err(fail)?)) {
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
