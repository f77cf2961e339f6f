//! Reads policy files and their includes, with size limits, and never outside the policy's folder.
//!
//! Must not interpret what it reads; `policy` parses.

use crate::domain::{Cancel, GuardedFile, path_text};
use crate::policy::limits;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// The text of a file. Reads at most one byte more than a policy file may have, so that the parser notices the excess
/// and reports the limit. The error says in words what is wrong.
///
/// # Errors
/// If it cannot be read, is not text, or was cancelled ([`GuardedFile::was_stopped`]).
pub fn read_text(path: &Path, cancel: &Cancel) -> io::Result<String> {
    let file = GuardedFile::open(path, u64::MAX, || cancel.is_cancelled()).map_err(in_words)?;
    let mut bytes = Vec::new();
    file.take(limits::FILE_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > limits::FILE_BYTES {
        // The cut may have gone through a character; nobody will read this text.
        return Ok(String::from_utf8_lossy(&bytes).into_owned());
    }
    String::from_utf8(bytes).map_err(|e| {
        let before = e.as_bytes().get(..e.utf8_error().valid_up_to()).unwrap_or_default();
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        io::Error::new(ErrorKind::InvalidData, format!("line {line} is not UTF-8 text"))
    })
}

/// The text of a file that the policy file `policy` includes. The parser has already checked that `path`, as written,
/// stays inside the policy's folder; this also checks where links lead.
///
/// # Errors
/// As [`read_text`], in words.
pub fn read_include(policy: &Path, path: &str, cancel: &Cancel) -> Result<String, String> {
    let parent = policy.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let real = |path: &Path| path.canonicalize().map_err(|e| in_words(e).to_string());
    let (folder, file) = (real(parent)?, real(&path_text::path(path))?);
    if !file.starts_with(&folder) {
        return Err("it is a link that leads out of the policy's folder".to_owned());
    }
    read_text(&file, cancel).map_err(|e| e.to_string())
}

/// The common failures in plain words; the others as the system says them.
fn in_words(e: io::Error) -> io::Error {
    let words = match e.kind() {
        ErrorKind::NotFound => "there is no such file",
        ErrorKind::PermissionDenied => "permission denied",
        ErrorKind::IsADirectory => "it is a folder",
        _ => return e,
    };
    io::Error::new(e.kind(), words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_is_read_says_in_words_what_is_wrong_and_leaves_a_large_file_to_the_parser() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.toml");
        let why = |path: &Path| read_text(path, &Cancel::new()).unwrap_err().to_string();
        assert_eq!((why(&path).as_str(), why(dir.path()).as_str()), ("there is no such file", "it is a folder"));
        fs::write(&path, b"a = 1\n\xff").unwrap();
        assert_eq!(why(&path), "line 2 is not UTF-8 text");
        fs::write(&path, "#".repeat(limits::FILE_BYTES + 10)).unwrap();
        assert_eq!(read_text(&path, &Cancel::new()).unwrap().len(), limits::FILE_BYTES + 1);
        let stopped = Cancel::new();
        stopped.cancel();
        assert!(GuardedFile::was_stopped(&read_text(&path, &stopped).unwrap_err()));
    }

    #[test]
    fn a_link_out_of_the_policys_folder_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (inside, outside) = (dir.path().join("in"), dir.path().join("secret.toml"));
        fs::create_dir(&inside).unwrap();
        fs::write(&outside, "secret = 1").unwrap();
        fs::write(inside.join("part.toml"), "[policy]").unwrap();
        let policy = inside.join("p.toml");
        let read = |name: &str| read_include(&policy, &inside.join(name).to_string_lossy(), &Cancel::new());
        assert_eq!(read("part.toml").unwrap(), "[policy]");
        assert_eq!(read("none.toml").unwrap_err(), "there is no such file");
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&outside, inside.join("link.toml")).unwrap();
            assert!(read("link.toml").unwrap_err().contains("leads out"));
        }
    }
}
