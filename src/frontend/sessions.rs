//! `crossexam sessions`: the recorded sessions, newest first, and which one `replay` opens by default.
//!
//! Must not change a session, and must stay fast however long the unlisted files are: of those only the first line is
//! read.

use crate::domain::path_text;
use crate::report::conditions::base_name;
use crate::report::{Doc, Line, Role, number::plural};
use crate::session::{SessionState, journal, review};
use crate::text::{Untrusted, width};
use std::cmp::Reverse;
use std::io;
use std::path::{Path, PathBuf};

/// The largest file that is read for what is in it.
const MOST_BYTES: u64 = 64 << 20;

/// What the sessions of a folder are called.
const ENDING: &str = "jsonl";

/// A file that may be a session.
struct Entry {
    path: PathBuf,
    /// When it was begun, or why that cannot be read.
    opened: Result<String, String>,
}

/// The sessions of a folder, newest first, followed by unreadable files by name. A missing folder has none.
fn entries(folder: &Path) -> io::Result<Vec<Entry>> {
    let listed = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed?,
    };
    let mut entries = Vec::new();
    for file in listed {
        let path = file?.path();
        if path.extension().is_some_and(|e| e == ENDING) {
            let opened = journal::opened_at(&path).map_err(|error| error.to_string());
            entries.push(Entry { path, opened });
        }
    }
    entries.sort_by(|a, b| {
        let key = |entry: &Entry| (entry.opened.is_err(), Reverse(entry.opened.clone().ok()));
        key(a).cmp(&key(b)).then_with(|| a.path.cmp(&b.path))
    });
    Ok(entries)
}

/// The session of a folder that was begun last.
///
/// # Errors
/// If the folder cannot be read.
pub fn newest(folder: &Path) -> io::Result<Option<PathBuf>> {
    Ok(entries(folder)?.into_iter().find(|entry| entry.opened.is_ok()).map(|entry| entry.path))
}

/// The newest `most` sessions of a folder, one per line: start time, policy, samples, walks, notes, file.
///
/// # Errors
/// If the folder cannot be read.
pub fn list(folder: &Path, most: usize) -> io::Result<Doc> {
    let entries = entries(folder)?;
    let mut doc = Doc::new();
    let shown = Untrusted::from(path_text::of(folder));
    if entries.is_empty() {
        doc.push(Line::new().with(Role::Muted, "no sessions yet in ").untrusted(Role::Value, &shown));
        return Ok(doc);
    }
    doc.push(Line::new().with(Role::Muted, "sessions in ").untrusted(Role::Value, &shown));
    for entry in entries.iter().take(most) {
        doc.extend(row(entry));
    }
    if let Some(older) = entries.len().checked_sub(most).filter(|n| *n > 0) {
        doc.push(Line::new().with(Role::Muted, format!("… and {older} more; --count N lists more of them")));
    }
    doc.push(Line::new().with(Role::Hint, "crossexam replay FILE opens one, without FILE the newest"));
    Ok(doc)
}

fn row(entry: &Entry) -> Doc {
    let name = Untrusted::from(path_text::of(entry.path.file_name().unwrap_or_default()));
    let mut doc = Doc::new();
    let opened = match &entry.opened {
        Ok(opened) => Untrusted::from(opened.replace('T', " ").replace('Z', "")).escaped(),
        Err(why) => {
            doc.push(unread(why));
            return doc;
        }
    };
    let line = Line::new().column(Role::Value, opened.as_str(), 21);
    let facts = match std::fs::metadata(&entry.path) {
        Ok(file) if file.len() > MOST_BYTES => Err(format!("larger than {} MiB, not looked into", MOST_BYTES >> 20)),
        _ => journal::read(&entry.path).map_err(|error| error.to_string()),
    };
    match facts {
        Ok((facts, recovery)) => {
            let mut state = SessionState::default();
            facts.iter().for_each(|fact| state.apply(fact));
            let reviews = match review::beside(&entry.path).len() {
                0 => String::new(),
                count => format!("  {}", plural(count, "review")),
            };
            doc.push(content(line, &state).untrusted(Role::Text, &name).with(Role::Muted, reviews));
            if recovery.damage.is_some() {
                recovery.notices().last().into_iter().for_each(|damage| doc.push(unread(damage.as_str())));
            }
        }
        Err(why) => {
            doc.push(line.untrusted(Role::Text, &name));
            doc.push(unread(&why));
        }
    }
    doc
}

fn content(line: Line, state: &SessionState) -> Line {
    let cell = |text: String, cells: usize| width::fit(&text, cells - 2) + "  ";
    let policy = match &state.policy {
        Some(policy) => format!("{} {}", policy.id, policy.version.escaped()),
        None => "no policy".to_owned(),
    };
    let samples = match &state.samples {
        Some((path, count, _)) => format!("{} ({count})", base_name(path).escaped()),
        None => "no samples".to_owned(),
    };
    let notes = match state.tags.len() {
        0 => plural(state.notes.len(), "note"),
        tags => format!("{}, {}", plural(state.notes.len(), "note"), plural(tags, "tag")),
    };
    line.with(Role::Value, cell(policy, 20))
        .with(Role::Text, cell(samples, 18))
        .with(Role::Text, cell(plural(state.walks.len(), "walk"), 11))
        .with(Role::Text, cell(notes, 18))
}

/// Why something of a session cannot be read; `why` names the file and is escaped already.
fn unread(why: &str) -> Line {
    Line::new().with(Role::Warning, format!("  ! {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Digest, Name};
    use crate::report::plain;
    use crate::session::{Fact, Journal, PolicyRecord};

    fn session(folder: &Path, name: &str, at: &str, facts: &[Fact]) -> PathBuf {
        let path = folder.join(name);
        let opened = Fact::Opened { program: "0.1.0".into(), at: at.into() };
        let mut journal = Journal::create(&path, &opened).expect("created");
        facts.iter().for_each(|fact| journal.append(fact).expect("appended"));
        path
    }

    fn policy() -> Fact {
        Fact::PolicyLoaded(PolicyRecord {
            id: Name::new("scams").expect("a name"),
            version: "1.2.0\u{1b}[2J".into(),
            title: "".into(),
            sha256: Digest::of(b""),
            files: Vec::new(),
        })
    }

    fn samples() -> Fact {
        let (path, sha256) = ("data/posts.jsonl".into(), Digest::of(b""));
        Fact::SamplesLoaded { path, count: 46, bad: 0, faults: Vec::new(), sha256 }
    }

    fn shown(folder: &Path, most: usize) -> String {
        plain::render(&list(folder, most).expect("listed")).replace(&*folder.to_string_lossy(), "DIR")
    }

    #[test]
    fn sessions_are_listed_newest_first_and_damage_is_named_but_not_fatal() {
        let dir = tempfile::tempdir().expect("a folder");
        session(dir.path(), "b.jsonl", "2026-11-23T02:00:00Z", &[policy(), samples()]);
        let newest_path = session(dir.path(), "a.jsonl", "2026-11-24T02:00:00Z", &[]);
        let damaged = session(dir.path(), "c.jsonl", "2026-11-22T02:00:00Z", &[policy(), samples()]);
        let mut bytes = std::fs::read(&damaged).expect("read");
        let at = bytes.windows(5).position(|w| w == b"scams").expect("the policy is in it");
        bytes[at] = b'S';
        std::fs::write(&damaged, &bytes).expect("damaged");
        std::fs::write(dir.path().join("z.jsonl"), "{\"id\": 1}\n").expect("written");
        std::fs::write(dir.path().join("notes.txt"), "no session").expect("written");
        std::fs::create_dir(dir.path().join("folder.jsonl")).expect("made");
        insta::assert_snapshot!(shown(dir.path(), 9));
        assert_eq!(newest(dir.path()).expect("read"), Some(newest_path));
        assert!(shown(dir.path(), 1).contains("… and 4 more"), "{}", shown(dir.path(), 1));
    }

    #[test]
    fn a_folder_that_is_empty_or_not_there_has_no_sessions() {
        let dir = tempfile::tempdir().expect("a folder");
        for folder in [dir.path().to_owned(), dir.path().join("none")] {
            assert!(shown(&folder, 9).starts_with("no sessions yet in DIR"));
            assert_eq!(newest(&folder).expect("read"), None);
        }
    }

    #[test]
    fn a_file_too_large_to_look_into_is_still_listed_with_its_date() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = session(dir.path(), "a.jsonl", "2026-11-24T02:00:00Z", &[]);
        let file = std::fs::OpenOptions::new().write(true).open(&path).expect("opened");
        file.set_len(MOST_BYTES + 1).expect("a sparse file");
        let text = shown(dir.path(), 9);
        assert!(text.contains("2026-11-24 02:00:00  a.jsonl\n  ! larger than 64 MiB"), "{text}");
    }
}
