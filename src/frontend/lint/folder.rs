//! Which files of a folder, at any depth, `lint` checks: policies and samples.
//!
//! Must not follow links to folders, so that it terminates, and must look at no more than [`MOST`] entries.

use crate::domain::path_text;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// The most entries examined below one folder.
const MOST: usize = 100_000;

/// How much of a file is read to determine its kind.
const HEAD: u64 = 1 << 16;

/// What a line of a TOML file that is a policy, or a part of one, begins with.
const TABLES: [&str; 6] = ["[policy", "[node", "[leaf", "[term", "[[term", "[include"];

/// Whether a file is named as samples are.
pub(super) fn is_samples(path: &Path) -> bool {
    has_extension(path, &["jsonl", "ndjson"])
}

fn has_extension(path: &Path, any: &[&str]) -> bool {
    path.extension().and_then(OsStr::to_str).is_some_and(|e| any.iter().any(|a| e.eq_ignore_ascii_case(a)))
}

/// `paths` with every folder replaced by the policies and samples in it, sorted by path.
///
/// # Errors
/// Names the folder that cannot be read, holds nothing to check, or holds too much.
pub(super) fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    let mut all = Vec::new();
    for path in paths {
        match path.is_dir() {
            true => all.extend(inside(path)?),
            false => all.push(path.clone()),
        }
    }
    Ok(all)
}

fn inside(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    let mut seen = 0;
    while let Some(next) = waiting.pop() {
        let fail = |e: io::Error| format!("cannot read {}: {e}", path_text::of(&next));
        for entry in fs::read_dir(&next).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            seen += 1;
            if seen > MOST {
                return Err(format!(
                    "{} holds more than {MOST} files and folders (hint: name the folders that hold the policies)",
                    path_text::of(folder)
                ));
            }
            // Hidden folders are those of other programs.
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let (path, kind) = (entry.path(), entry.file_type().map_err(fail)?);
            if kind.is_dir() {
                waiting.push(path);
            } else if path.is_file() && is_ours(&path) {
                found.push(path);
            }
        }
    }
    if found.is_empty() {
        return Err(format!(
            "{} holds no policy and no samples (hint: policies end in .toml, samples in .jsonl)",
            path_text::of(folder)
        ));
    }
    found.sort();
    Ok(found)
}

/// Whether it is a policy or a sample file, and not another file with the same extension. Unreadable files are kept, so
/// that they are reported.
fn is_ours(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return has_extension(path, &["toml", "jsonl", "ndjson"]) };
    let mut lines = BufReader::new(file.take(HEAD)).split(b'\n').map_while(Result::ok);
    if has_extension(path, &["toml"]) {
        let begins = |line: &[u8], table: &&str| line.trim_ascii_start().starts_with(table.as_bytes());
        return lines.any(|line| TABLES.iter().any(|table| begins(&line, table)));
    }
    // Sessions and records are JSON lines, too.
    let first = lines.find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
    is_samples(path) && !first.starts_with(br#"{"crossexam_session":"#) && !first.starts_with(br#"{"v":"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gives_its_policies_and_samples_sorted_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for (name, text) in [
            ("b.toml", "# a policy\n [policy]\n"),
            ("sub/deep/a.toml", "[node.x]\n"),
            ("sub/s.JSONL", "{\"text\":\"a\"}\n"),
            ("Cargo.toml", "[package]\n"),
            ("session.jsonl", "{\"crossexam_session\":\"1.0\",\"seq\":0}\n"),
            ("records.jsonl", "{\"v\":2,\"key\":null}\n"),
            (".git/p.toml", "[policy]\n"),
            ("notes.md", "[policy]\n"),
        ] {
            fs::create_dir_all(at(name).parent().unwrap()).unwrap();
            fs::write(at(name), text).unwrap();
        }
        // Links to folders lead in circles and out of here; links to files do not.
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(dir.path(), at("sub/loop")).unwrap();
            std::os::unix::fs::symlink(at("b.toml"), at("sub/link.toml")).unwrap();
            std::os::unix::fs::symlink(at("gone"), at("sub/dead.toml")).unwrap();
        }
        let found = files(&[dir.path().to_owned(), at("none.toml")]).unwrap();
        let names: Vec<_> = found.iter().map(|p| p.strip_prefix(dir.path()).unwrap().to_str().unwrap()).collect();
        let link = if cfg!(unix) { &["sub/link.toml"][..] } else { &[] };
        assert_eq!(names, [&["b.toml", "sub/deep/a.toml"][..], link, &["sub/s.JSONL", "none.toml"]].concat());
        fs::create_dir(at("empty")).unwrap();
        assert!(files(&[at("empty")]).unwrap_err().contains("no policy and no samples"));
    }
}
