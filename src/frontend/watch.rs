//! `Watch`: notices when files of the loaded policy differ from what was loaded.
//!
//! Must not reload anything itself. Must cost no more than one query of each file's metadata if nothing changed.

use crate::domain::{Cancel, path_text};
use crate::engine::policy_file;
use crate::session::PolicyRecord;
use std::sync::Arc;
use std::time::SystemTime;

/// Distinguishes one state of a file from another.
type Stamp = (SystemTime, u64);

/// What was seen last.
#[derive(Debug, Default)]
pub struct Watch {
    policy: Option<Arc<PolicyRecord>>,
    seen: Vec<Option<Stamp>>,
}

impl Watch {
    /// Whether a file of the loaded policy has changed since the last call and now differs from what was loaded, so
    /// that each change is reported once. A missing file is not a change: editors replace files, and `reload` reports
    /// what is missing.
    pub fn changed(&mut self, loaded: Option<&Arc<PolicyRecord>>) -> bool {
        let Some(loaded) = loaded else {
            *self = Self::default();
            return false;
        };
        let seen: Vec<_> = loaded.files.iter().map(|file| stamp(file.path.raw())).collect();
        let same = self.policy.as_ref().is_some_and(|policy| Arc::ptr_eq(policy, loaded)) && seen == self.seen;
        if same {
            return false;
        }
        let all_there = seen.iter().all(Option::is_some);
        *self = Self { policy: Some(Arc::clone(loaded)), seen };
        all_there && loaded.files.iter().any(|file| differs(file.path.raw(), file.text.raw()))
    }
}

fn stamp(path: &str) -> Option<Stamp> {
    let file = std::fs::metadata(path_text::path(path)).ok().filter(std::fs::Metadata::is_file)?;
    Some((file.modified().ok()?, file.len()))
}

fn differs(path: &str, loaded: &str) -> bool {
    policy_file::read_text(&path_text::path(path), &Cancel::new()).is_ok_and(|text| text != loaded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Digest, Name};
    use crate::session::SourceFile;
    use std::path::Path;

    fn record(files: &[(&Path, &str)]) -> Arc<PolicyRecord> {
        let file = |(path, text): &(&Path, &str)| SourceFile { path: path_text::of(path).into(), text: (*text).into() };
        Arc::new(PolicyRecord {
            id: Name::new("p").expect("a name"),
            version: "1.0.0".into(),
            title: "".into(),
            sha256: Digest::of(b""),
            files: files.iter().map(file).collect(),
        })
    }

    #[cfg(unix)]
    #[test]
    fn a_policy_whose_path_is_not_utf8_is_watched_too() {
        use std::os::unix::ffi::OsStrExt as _;
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join(std::ffi::OsStr::from_bytes(b"gr\xfcn.toml"));
        std::fs::write(&path, "one").expect("written");
        let loaded = record(&[(&path, "one")]);
        let mut watch = Watch::default();
        assert!(!watch.changed(Some(&loaded)));
        std::fs::write(&path, "another").expect("written");
        assert!(watch.changed(Some(&loaded)));
    }

    #[test]
    fn every_change_of_a_policys_files_is_told_once_and_the_same_text_is_no_change() {
        let dir = tempfile::tempdir().expect("a folder");
        let (main, part) = (dir.path().join("p.toml"), dir.path().join("part.toml"));
        let write = |path: &Path, text: &str, second: u64| {
            std::fs::write(path, text).expect("written");
            let file = std::fs::File::options().write(true).open(path).expect("opened");
            file.set_modified(SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(second)).expect("set");
        };
        write(&main, "one", 1);
        write(&part, "part", 1);
        let loaded = record(&[(&main, "one"), (&part, "part")]);
        let mut watch = Watch::default();
        let mut told = |policy: Option<&Arc<PolicyRecord>>| watch.changed(policy);
        assert!(!told(None) && !told(Some(&loaded)) && !told(Some(&loaded)), "just loaded");
        write(&main, "one", 2);
        assert!(!told(Some(&loaded)), "written again as it was");
        write(&part, "Part", 2);
        assert!(told(Some(&loaded)), "an included file, of the same size");
        assert!(!told(Some(&loaded)), "told already");
        write(&main, "two", 3);
        assert!(told(Some(&loaded)), "changed once more");
        std::fs::remove_file(&main).expect("removed");
        assert!(!told(Some(&loaded)), "gone, as in the middle of a save");
        write(&main, "two", 4);
        assert!(told(Some(&loaded)), "there again, and another text");
        let reloaded = record(&[(&main, "two"), (&part, "Part")]);
        assert!(!told(Some(&reloaded)) && !told(Some(&reloaded)), "loaded again");
        assert!(told(Some(&record(&[(&main, "older")]))), "a session opened again after the file was edited");
        let builtin = record(&[(Path::new("builtin:scams.toml"), "text")]);
        assert!(!told(Some(&builtin)), "inside the program nothing changes");
    }
}
