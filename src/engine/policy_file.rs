//! Reading policy files and what they include, with limits, and without leaving the policy's folder.
//!
//! Must not interpret what it reads; `policy` parses.

use crate::domain::{Cancel, GuardedFile, path_text};
use crate::policy::limits;
use std::io::{self, Read};
use std::path::Path;

/// The text of a file, at most one byte more than a policy file may have; the error says in words what is wrong.
pub fn read_text(path: &Path, cancel: &Cancel) -> Result<String, String> {
    let file = GuardedFile::open(path, u64::MAX, || cancel.is_cancelled()).map_err(reason)?;
    let mut bytes = Vec::new();
    // One byte more than allowed, so that the parser sees the file is too large and says so with the limit.
    file.take(limits::FILE_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(reason)?;
    if bytes.len() > limits::FILE_BYTES {
        // The cut may have gone through a character; nobody will read this text.
        return Ok(String::from_utf8_lossy(&bytes).into_owned());
    }
    String::from_utf8(bytes).map_err(|e| {
        let before = e.as_bytes().get(..e.utf8_error().valid_up_to()).unwrap_or_default();
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        format!("line {line} is not UTF-8 text")
    })
}

/// The text of a file that the policy file `policy` includes. `path` comes from the parser, which keeps it inside the
/// policy's folder by its words; this looks at where links lead, too.
pub fn read_include(policy: &Path, path: &str, cancel: &Cancel) -> Result<String, String> {
    let parent = policy.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = parent.canonicalize().map_err(reason)?;
    let file = path_text::path(path).canonicalize().map_err(reason)?;
    if !file.starts_with(&folder) {
        return Err("it is a link that leads out of the policy's folder".to_owned());
    }
    read_text(&file, cancel)
}

fn reason(e: io::Error) -> String {
    match e.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        _ => e.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

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
