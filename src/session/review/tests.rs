//! Reviews beside recordings on a real disk, mixed with unrelated files.
//!
//! Must not use a recording that is in the repository: reviews are written beside it.

use super::*;
use crate::domain::Name;
use crate::session::{Stamp, Subject};

fn opened(at: &str) -> Fact {
    Fact::Opened { program: "0.1.0".into(), at: at.into() }
}

fn command(line: &str) -> Fact {
    Fact::Command { line: line.into() }
}

fn note(text: &str, after: Option<u64>) -> Fact {
    let by = Stamp { author: "ana".into(), at: "2026-01-02T03:04:05Z".into(), after };
    Fact::Noted { on: Subject::Session, text: text.into(), by: Some(by) }
}

/// A reviewer of the recording as it is now.
fn reviewer(path: &Path, author: &str) -> Reviewer {
    Reviewer::new(path.to_owned(), journal::identity(path).ok(), author.into())
}

fn recording(path: &Path, at: &str, facts: &[Fact]) -> Vec<Fact> {
    let mut journal = Journal::create(path, &opened(at)).expect("created");
    facts.iter().for_each(|fact| journal.append(fact).expect("appended"));
    journal::read(path).expect("written above").0
}

/// The texts of notes and the lines of commands, in their order.
fn told(facts: &[Fact]) -> Vec<String> {
    let told = |fact: &Fact| match fact {
        Fact::Noted { text, .. } => Some(text.raw().to_owned()),
        Fact::Tagged { tag, .. } => Some(tag.to_string()),
        Fact::Command { line } => Some(line.clone()),
        _ => None,
    };
    facts.iter().filter_map(told).collect()
}

#[test]
fn what_reviewers_leave_is_kept_beside_the_recording_and_stands_where_it_was_left() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("s.jsonl");
    let facts = recording(&path, "2026-01-01T00:00:00Z", &[command("a"), note("own", Some(1)), command("b")]);
    let before = std::fs::read(&path).expect("read");
    let (mut ana, mut bo) = (reviewer(&path, "Ana Müller/1"), reviewer(&path, ""));
    ana.keep(&note("late", Some(9)), "2026-01-02T00:00:00Z").expect("kept");
    ana.keep(&note("first", Some(1)), "2026-01-02T00:00:00Z").expect("kept");
    let tag = Name::new("gap").expect("a name");
    let by = Stamp { author: "bo".into(), at: "2026-01-02T00:00:00Z".into(), after: Some(2) };
    bo.keep(&Fact::Tagged { on: Subject::Session, tag, by: Some(by) }, "2026-01-02T00:00:00Z").expect("kept");
    assert!(
        dir.path().join("s.jsonl.review-Ana_Müller_1").exists() && dir.path().join("s.jsonl.review-unknown").exists()
    );
    let (merged_facts, notices) = reviewer(&path, "x").merged(facts.clone());
    assert_eq!(told(&merged_facts), ["first", "a", "gap", "own", "b", "late"]);
    assert_eq!(notices.len(), 2, "{notices:?}");
    let placed = merged_facts.iter().filter(|fact| is_of_a_review(fact)).count();
    assert_eq!(placed, 3, "a note of the recording itself is none of a review, whatever it says");
    assert_eq!(std::fs::read(&path).expect("read"), before, "the recording stays as it is");

    // Another day: the same reviewer continues, and nobody else can at the same time.
    let mut other = reviewer(&path, "Ana Müller/1");
    let again = "2026-01-03T00:00:00Z";
    assert!(matches!(other.keep(&note("x", Some(1)), again), Err(JournalError::Locked { .. })));
    drop(ana);
    other.keep(&note("second", Some(1)), again).expect("kept");
    assert_eq!(told(&reviewer(&path, "x").merged(facts).0), ["first", "second", "a", "gap", "own", "b", "late"]);
}

#[test]
fn a_review_of_another_session_is_neither_shown_nor_written_to() {
    let dir = tempfile::tempdir().expect("a folder");
    let (path, at) = (dir.path().join("s.jsonl"), "2026-01-01T00:00:00Z");
    recording(&path, at, &[command("a")]);
    reviewer(&path, "ana").keep(&note("of the old one", Some(2)), at).expect("kept");
    std::fs::remove_file(&path).expect("removed");
    let facts = recording(&path, "2026-05-05T00:00:00Z", &[command("new")]);
    let review = reviewer(&path, "ana").path();
    let before = std::fs::read(&review).expect("read");
    let (facts, notices) = reviewer(&path, "x").merged(facts);
    assert_eq!(told(&facts), ["new"]);
    assert!(notices.iter().any(|n| n.raw().contains("a review of another session")), "{notices:?}");
    let refused = reviewer(&path, "ana").keep(&note("x", Some(1)), at);
    assert!(matches!(refused, Err(JournalError::OtherSession { .. })), "{refused:?}");
    assert_eq!(std::fs::read(&review).expect("read"), before);
}

#[test]
fn files_of_others_and_damage_beside_a_recording_are_told_and_stop_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let (path, at) = (dir.path().join("s.jsonl"), "2026-01-01T00:00:00Z");
    let facts = recording(&path, at, &[command("a")]);
    std::fs::create_dir(dir.path().join("s.jsonl.review-folder")).expect("made");
    std::fs::write(dir.path().join("s.jsonl.review-text"), "hello").expect("written");
    std::fs::write(dir.path().join("other.jsonl.review-ana"), "hello").expect("written");
    recording(&dir.path().join("s.jsonl.review-session"), at, &[note("of nothing", Some(1))]);
    let mut ana = reviewer(&path, "ana");
    ana.keep(&note("one", Some(1)), at).expect("kept");
    ana.keep(&note("two", Some(1)), at).expect("kept");
    drop(ana);
    let review = reviewer(&path, "ana").path();
    let bytes = std::fs::read(&review).expect("read");
    std::fs::write(&review, &bytes[..bytes.len() - 4]).expect("cut");
    let (merged_facts, notices) = reviewer(&path, "x").merged(facts.clone());
    assert_eq!(told(&merged_facts), ["one", "a"]);
    for part in
        ["review-ana: 1 note or tag", "incomplete", "review-folder", "review-text", "does not say what it reviews"]
    {
        assert!(notices.iter().any(|n| n.raw().contains(part)), "{part}: {notices:?}");
    }
    assert!(notices.iter().all(|n| !n.raw().contains("other.jsonl")), "{notices:?}");
    // What was torn off is set aside, and is no review.
    reviewer(&path, "ana").keep(&note("three", Some(1)), at).expect("kept");
    assert_eq!(told(&reviewer(&path, "x").merged(facts).0), ["one", "three", "a"]);
}

#[test]
fn a_note_about_a_recording_that_was_replaced_since_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let (path, at) = (dir.path().join("s.jsonl"), "2026-01-01T00:00:00Z");
    recording(&path, at, &[command("a")]);
    let (mut before, mut after) = (reviewer(&path, "ana"), reviewer(&path, "bo"));
    after.keep(&note("one", Some(1)), at).expect("kept");
    std::fs::remove_file(&path).expect("removed");
    recording(&path, "2026-05-05T00:00:00Z", &[command("new")]);
    for reviewer in [&mut before, &mut after] {
        let refused = reviewer.keep(&note("two", Some(1)), at);
        assert!(matches!(refused, Err(JournalError::Replaced { .. })), "{refused:?}");
    }
    assert!(!before.path().exists(), "nothing was made for a note that was refused");
    assert!(matches!(before.recording(), Err(JournalError::Replaced { .. })));
}

#[test]
fn every_review_is_shown_or_named_and_the_readers_own_comes_first() {
    let dir = tempfile::tempdir().expect("a folder");
    let (path, at) = (dir.path().join("a.torn-b.jsonl"), "2026-01-01T00:00:00Z");
    let facts = recording(&path, at, &[command("a")]);
    for n in 0..=MOST_REVIEWS {
        std::fs::write(dir.path().join(format!("a.torn-b.jsonl.review-a{n}")), "planted").expect("written");
    }
    reviewer(&path, "zoe").keep(&note("own", Some(1)), at).expect("kept");
    let (merged_facts, notices) = reviewer(&path, "zoe").merged(facts);
    assert_eq!(told(&merged_facts), ["own", "a"]);
    assert!(notices.iter().any(|n| n.raw().ends_with("2 more are left out")), "{:?}", notices.last());
}

#[cfg(unix)]
#[test]
fn a_link_in_the_place_of_a_review_is_not_followed() {
    let dir = tempfile::tempdir().expect("a folder");
    let (path, at) = (dir.path().join("s.jsonl"), "2026-01-01T00:00:00Z");
    let facts = recording(&path, at, &[command("a")]);
    let secret = dir.path().join("secret.jsonl");
    recording(&secret, at, &[command("b")]);
    let torn = [std::fs::read(&secret).expect("read"), b"{\"seq\":2".to_vec()].concat();
    std::fs::write(&secret, &torn).expect("written");
    let mut ana = reviewer(&path, "ana");
    for target in [secret.as_path(), Path::new("nowhere")] {
        std::os::unix::fs::symlink(target, ana.path()).expect("linked");
        let refused = ana.keep(&note("one", Some(1)), at);
        assert!(matches!(refused, Err(JournalError::Link { .. })), "{refused:?}");
        assert!(reviewer(&path, "x").merged(facts.clone()).1[0].raw().contains("is a link"));
        std::fs::remove_file(ana.path()).expect("removed");
    }
    assert!(std::fs::read(&secret).expect("read") == torn, "not even the torn end of somebody else's file is touched");
}

#[test]
fn a_review_that_was_cut_after_its_first_line_is_gone_on_with() {
    let dir = tempfile::tempdir().expect("a folder");
    let (path, at) = (dir.path().join("s.jsonl"), "2026-01-01T00:00:00Z");
    let facts = recording(&path, at, &[command("a")]);
    let mut ana = reviewer(&path, "ana");
    ana.keep(&note("lost", Some(1)), at).expect("kept");
    let whole = std::fs::read(ana.path()).expect("read");
    let first = whole.iter().position(|byte| *byte == b'\n').expect("a line") + 1;
    drop(ana);
    for cut in [first, first + 40] {
        std::fs::write(reviewer(&path, "ana").path(), &whole[..cut]).expect("cut");
        reviewer(&path, "ana").keep(&note("again", Some(1)), at).expect("kept");
        assert_eq!(told(&reviewer(&path, "x").merged(facts.clone()).0), ["again", "a"]);
    }
}
