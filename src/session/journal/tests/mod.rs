//! The journal on a real file system: round trip, two writers, torn ends, damage, copies.

mod damage;
mod faults;

use super::*;
use crate::session::{arbitrary, wire};
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
    assert_eq!((back, recovery.is_clean(), recovery.version), (facts.clone(), true, (wire::MAJOR, wire::MINOR)));

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

#[cfg(unix)]
#[test]
fn a_file_that_was_deleted_moved_or_replaced_acknowledges_nothing_and_can_be_saved_elsewhere() {
    let facts = facts();
    type Loss = fn(&Path);
    let losses: [(&str, Loss); 4] = [
        ("deleted", |path| fs::remove_file(path).unwrap()),
        ("moved", |path| fs::rename(path, path.with_extension("old")).unwrap()),
        ("replaced", |path| {
            fs::write(path.with_extension("new"), "other").unwrap();
            fs::rename(path.with_extension("new"), path).unwrap();
        }),
        ("its folder moved", |path| {
            let folder = path.parent().unwrap();
            fs::rename(folder, folder.with_extension("away")).unwrap();
            fs::create_dir(folder).unwrap();
        }),
    ];
    for (what, lose) in losses {
        let (dir, path) = recorded(&facts);
        let (mut journal, ..) = Journal::resume(&path).expect("resumed");
        fs::hard_link(&path, path.with_extension("link")).expect("a second name is no loss");
        journal.append(&facts[1]).expect("still there");
        lose(&path);
        let error = journal.append(&facts[1]).expect_err(what);
        assert!(matches!(error, JournalError::Gone { .. }) && error.hint().contains("save"), "{what}: {error}");
        let again = journal.append(&facts[1]).expect_err("no longer recorded");
        assert!(matches!(&again, JournalError::Poisoned { why, .. } if why.contains("deleted")), "{what}: {again}");
        let copy = dir.path().with_extension("copy");
        journal.copy_to(&copy, false).expect("what was acknowledged");
        let mut all = facts.clone();
        all.push(facts[1].clone());
        assert_eq!(read(&copy).expect("a session").0, all, "{what}");
        fs::remove_file(copy).expect("ours");
        fs::remove_dir_all(dir.path().with_extension("away")).ok();
    }
}

#[cfg(unix)]
#[test]
fn sessions_copies_and_new_folders_are_for_their_user_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    let (dir, path) = recorded(&facts());
    let (mut journal, ..) = Journal::resume(&path).expect("resumed");
    let copy = dir.path().join("copy.jsonl");
    journal.copy_to(&copy, false).expect("copied");
    let folder = dir.path().join("state/crossexam/sessions");
    crate::session::private_folder(&folder).expect("made");
    crate::session::private_folder(&folder).expect("there already");
    assert_eq!(
        (mode(&path), mode(&copy), mode(&folder), mode(&dir.path().join("state"))),
        (0o600, 0o600, 0o700, 0o700)
    );
    assert!(crate::session::private_folder(&path.join("below a file")).is_err());
}

#[test]
fn a_session_never_grows_beyond_what_is_read_and_goes_on_with_what_still_fits() {
    let facts = facts();
    let (_dir, path) = recorded(&facts);
    let (mut journal, ..) = Journal::resume(&path).expect("resumed");
    assert_eq!(journal.most, MOST_BYTES);
    let note = |len: usize| Fact::Command { line: "x".repeat(len) };
    let short = record::encode(journal.next_seq, Some(journal.prev), &note(10)).len() as u64;
    journal.most = journal.len + short;
    let error = journal.append(&note(11)).expect_err("one byte too many");
    assert!(matches!(error, JournalError::Full { .. }) && error.hint().contains("begin a new session"), "{error}");
    assert!(!journal.is_poisoned());
    journal.append(&note(10)).expect("fits to the byte");
    assert_eq!(fs::metadata(&path).expect("there").len(), journal.most);
    let (back, recovery) = read(&path).expect("read");
    assert_eq!((back.len(), back.last(), recovery.is_clean()), (facts.len() + 1, Some(&note(10)), true));
}

#[test]
fn a_new_session_never_overwrites_a_file() {
    let facts = facts();
    let (_dir, path) = recorded(&facts);
    let error = Journal::create(&path, &facts[0]).map(|_| ()).expect_err("exists");
    assert!(matches!(error, JournalError::Exists { .. }), "{error}");
    assert_eq!(read(&path).expect("untouched").0, facts);
}

#[test]
fn a_copy_is_whole_and_never_replaces_what_it_should_not() {
    let facts = facts();
    let (dir, path) = recorded(&facts);
    let (mut journal, ..) = Journal::resume(&path).expect("resumed");
    let copy = dir.path().join("copy.jsonl");
    journal.copy_to(&copy, false).expect("copied");
    assert_eq!(fs::read(&copy).expect("copy"), fs::read(&path).expect("session"));

    fs::write(&copy, "something of the user's").expect("written");
    let error = journal.copy_to(&copy, false).expect_err("exists");
    assert!(matches!(error, JournalError::Exists { .. }), "{error}");
    assert_eq!(fs::read_to_string(&copy).expect("copy"), "something of the user's");
    journal.copy_to(&copy, true).expect("forced");
    assert_eq!(read(&copy).expect("read").0, facts);

    let other = Journal::resume(&copy).expect("another session");
    let error = journal.copy_to(&copy, true).expect_err("in use");
    assert!(matches!(error, JournalError::Locked { .. }), "{error}");
    drop(other);
    let error = journal.copy_to(&dir.path().join(".").join("s.jsonl"), true).expect_err("itself");
    assert!(matches!(error, JournalError::Itself { .. }), "{error}");
    let error = journal.copy_to(&dir.path().join("no/such/folder"), false).expect_err("no folder");
    assert!(error.to_string().starts_with("cannot create "), "{error}");
    let left: Vec<_> = fs::read_dir(dir.path()).expect("folder").map(|e| e.expect("entry").file_name()).collect();
    assert_eq!(left.len(), 2, "something was left behind: {left:?}");
}

#[test]
fn every_torn_end_is_kept_under_its_own_name() {
    let facts = facts();
    let (dir, path) = recorded(&facts);
    for number in 1..=2 {
        let whole = fs::read(&path).expect("read");
        fs::write(&path, [whole.as_slice(), b"{\"seq\":"].concat()).expect("torn");
        let (_, recovery) = read(&path).expect("read");
        assert!(
            recovery.notices()[0].as_str().ends_with("is incomplete: it has no line end; its 7 bytes are left out")
        );
        let (_, back, recovery) = Journal::resume(&path).expect("resumed");
        assert_eq!(back, facts);
        let kept = recovery.tail.and_then(|t| t.kept).expect("kept");
        assert_eq!(kept, dir.path().join(format!("s.jsonl.torn-{number}")));
        assert_eq!(fs::read(kept).expect("kept"), b"{\"seq\":");
        assert_eq!(fs::read(&path).expect("read"), whole);
    }
}

#[test]
fn what_is_no_file_is_refused_at_once() {
    let dir = tempfile::tempdir().expect("a folder");
    let error = read(dir.path()).expect_err("a folder");
    assert!(error.to_string().ends_with("it is not a regular file"), "{error}");
    let error = Journal::resume(&dir.path().join("none.jsonl")).map(|_| ()).expect_err("nothing there");
    assert!(error.to_string().starts_with("cannot open "), "{error}");
    assert_eq!(error.hint(), "check the path; the folder has to be there");
}

#[test]
fn a_path_that_acts_on_a_terminal_is_made_inert_in_messages() {
    let error = read(Path::new("a\u{1b}[2J\u{202e}.jsonl")).expect_err("nothing there");
    assert!(!error.to_string().contains(['\u{1b}', '\u{202e}']), "{error:?}");
}

proptest::proptest! {
    #[test]
    fn a_long_session_cut_anywhere_gives_a_prefix(facts in arbitrary::session(0..60), cut in 0.0..1.0_f64) {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("s.jsonl");
        let mut bytes = record::encode(0, None, &facts[0]);
        let mut prev = Digest::of(&bytes);
        for (seq, fact) in facts.iter().enumerate().skip(1) {
            let line = record::encode(seq as u64, Some(prev), fact);
            prev = Digest::of(&line);
            bytes.extend(line);
        }
        let cut = (bytes.len() as f64 * cut) as usize;
        fs::write(&path, &bytes[..cut]).expect("written");
        match read(&path) {
            Ok((back, recovery)) => {
                let whole = bytes[..cut].iter().filter(|b| **b == b'\n').count();
                proptest::prop_assert_eq!(&back[..], &facts[..whole]);
                proptest::prop_assert_eq!(recovery.damage, None);
            }
            Err(e) => proptest::prop_assert!(matches!(e, JournalError::NotBegun { .. }), "{}", e),
        }
    }
}
