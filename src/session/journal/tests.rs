//! The journal on a real file system: round trip, two writers, torn ends, damage, copies.

use super::*;
use crate::session::arbitrary;
use std::fs;

fn facts() -> Vec<Fact> {
    arbitrary::one_of_each()
}

/// A journal with `facts` in a new folder.
fn recorded(facts: &[Fact]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("s.jsonl");
    let mut journal = Journal::create(&path, &facts[0]).expect("created");
    for fact in &facts[1..] {
        journal.append(fact).expect("appended");
    }
    (dir, path)
}

#[test]
fn what_was_appended_is_read_back_and_can_be_gone_on_with() {
    let facts = facts();
    let (_dir, path) = recorded(&facts);
    let (back, recovery) = read(&path).expect("read");
    assert_eq!((back, recovery.is_clean(), recovery.version), (facts.clone(), true, (1, 0)));

    let (mut journal, back, recovery) = Journal::resume(&path).expect("resumed");
    assert_eq!((back, recovery.is_clean()), (facts.clone(), true));
    let more = Fact::Resumed { at: "later".into() };
    journal.append(&more).expect("appended");
    assert_eq!(journal.facts(), facts.len() as u64 + 1);
    let (back, recovery) = read(&path).expect("read while it is open");
    assert!(recovery.is_clean());
    assert_eq!(back.last(), Some(&more));
}

#[test]
fn every_line_is_one_json_object_that_jq_can_read() {
    let facts = facts();
    let (_dir, path) = recorded(&facts);
    let text = fs::read_to_string(&path).expect("text");
    assert!(text.ends_with('\n'));
    for (i, line) in text.lines().enumerate() {
        let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(value["seq"], i);
        assert_eq!(value["fact"], crate::session::wire::to_json(&facts[i]));
    }
}

#[test]
fn a_second_writer_is_refused_and_a_reader_is_not() {
    let facts = facts();
    let (_dir, path) = recorded(&facts);
    let (journal, ..) = Journal::resume(&path).expect("resumed");
    let error = Journal::resume(&path).map(|_| ()).expect_err("locked");
    assert!(matches!(error, JournalError::Locked { .. }), "{error}");
    assert!(error.to_string().ends_with("s.jsonl is open in another process"), "{error}");
    assert!(error.hint().contains("replay"));
    assert_eq!(read(&path).expect("read").0, facts);
    drop(journal);
    Journal::resume(&path).expect("free again");
}

#[test]
fn a_new_session_never_overwrites_a_file() {
    let facts = facts();
    let (_dir, path) = recorded(&facts);
    let error = Journal::create(&path, &facts[0]).map(|_| ()).expect_err("exists");
    assert!(matches!(error, JournalError::Exists { .. }), "{error}");
    assert_eq!(read(&path).expect("untouched").0, facts);
}
