//! Journals truncated at every byte, changed at every byte, and spliced from parts: what is detected, and what is
//! refused.

use crate::session::journal::*;
use crate::session::record::tests::lines;
use crate::session::sim_disk::SimDisk;
use crate::session::{Tail, arbitrary, wire};
use crate::text::Untrusted;
use std::path::Path;

const PATH: &str = "dir/s.jsonl";

/// Facts, the bytes of their journal, and where each line begins (and the file ends).
fn journal(facts: Vec<Fact>) -> (Vec<Fact>, Vec<u8>, Vec<usize>) {
    let texts: Vec<String> = facts.iter().map(wire::to_text).collect();
    let lines = lines((wire::MAJOR, wire::MINOR), &texts.iter().map(String::as_str).collect::<Vec<_>>());
    let mut starts = vec![0];
    starts.extend(lines.iter().scan(0, |at, line| {
        *at += line.len();
        Some(*at)
    }));
    (facts, lines.concat(), starts)
}

fn scan(bytes: &[u8]) -> Result<recover::Scan, JournalError> {
    recover::scan(Path::new(PATH), bytes)
}

#[test]
fn a_journal_cut_at_any_byte_gives_every_whole_record_and_puts_the_rest_aside() {
    let (facts, bytes, starts) = journal(arbitrary::one_of_each());
    for cut in 0..=bytes.len() {
        let whole = starts.iter().filter(|start| **start <= cut).count() - 1;
        let disk = SimDisk::with(Path::new(PATH), &bytes[..cut]);
        let resumed = Journal::resume_on(Arc::new(disk.clone()), Path::new(PATH));
        if whole == 0 {
            assert!(matches!(resumed.map(|_| ()), Err(JournalError::NotBegun { .. })), "cut at {cut}");
            continue;
        }
        let (mut journal, back, recovery) = resumed.unwrap_or_else(|e| panic!("cut at {cut}: {e}"));
        assert_eq!(back, facts[..whole], "cut at {cut}");
        let torn = &bytes[starts[whole]..cut];
        let kept = PathBuf::from("dir/s.jsonl.torn-1");
        let tail = (!torn.is_empty()).then(|| Tail {
            line: whole as u64 + 1,
            offset: starts[whole] as u64,
            bytes: torn.len() as u64,
            what: "it has no line end",
            kept: Some(kept.clone()),
        });
        assert_eq!((recovery.tail, &recovery.damage), (tail, &None), "cut at {cut}");
        assert_eq!(disk.files().get(&kept).map(Vec::as_slice), (!torn.is_empty()).then_some(torn), "cut at {cut}");
        journal.append(&facts[1]).expect("appended");
        let (after, ..) = scan(&disk.files()[Path::new(PATH)]).map(|s| (s.facts, s.recovery)).expect("scanned");
        assert_eq!((after.len(), after.last()), (whole + 1, Some(&facts[1])), "cut at {cut}");
    }
}

#[test]
fn any_changed_byte_is_noticed_in_its_line_and_nothing_after_it_is_read() {
    let (facts, bytes, starts) = journal(arbitrary::one_of_each().into_iter().take(12).collect());
    let last = facts.len() - 1;
    for at in 0..bytes.len() {
        let line = starts.iter().filter(|start| **start <= at).count() - 1;
        for flip in [0x01, 0x20, 0x80, bytes[at] ^ b'\n'] {
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            if damaged == bytes {
                continue;
            }
            let scan = match scan(&damaged) {
                Ok(scan) => scan,
                Err(e) => {
                    assert_eq!(line, 0, "byte {at} ^ {flip:#x}: {e}");
                    continue;
                }
            };
            assert_eq!(scan.facts, facts[..line], "byte {at} ^ {flip:#x}");
            let (found, offset) = match (&scan.recovery.tail, &scan.recovery.damage) {
                (Some(tail), None) => {
                    assert_eq!(line, last, "byte {at} ^ {flip:#x}: damage in the middle was taken for a torn end");
                    (tail.line, tail.offset)
                }
                (None, Some(damage)) => (damage.line, damage.offset),
                other => panic!("byte {at} ^ {flip:#x}: {other:?}"),
            };
            assert_eq!((found, offset), (line as u64 + 1, starts[line] as u64), "byte {at} ^ {flip:#x}");
        }
    }
}

#[test]
fn a_session_damaged_in_the_middle_is_shown_up_to_there_and_not_appended_to() {
    let (facts, mut bytes, starts) = journal(arbitrary::one_of_each());
    bytes[starts[5] + 100] ^= 1;
    let disk = SimDisk::with(Path::new(PATH), &bytes);
    let error = Journal::resume_on(Arc::new(disk.clone()), Path::new(PATH)).map(|_| ()).expect_err("refused");
    let unread = bytes.len() - starts[5];
    let said = format!(
        "dir/s.jsonl: line 6 (byte {}) is damaged: its checksum is wrong; {unread} bytes from there on were not read",
        starts[5]
    );
    assert_eq!(error.to_string(), said);
    assert_eq!(disk.files()[Path::new(PATH)], bytes, "the file was changed");

    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("s.jsonl");
    std::fs::write(&path, &bytes).expect("written");
    let (back, recovery) = read(&path).expect("read");
    assert_eq!(back, facts[..5]);
    assert_eq!(recovery.notices().len(), 1);
}

#[test]
fn lines_that_are_missing_moved_doubled_or_from_another_session_are_noticed() {
    let texts: Vec<String> = arbitrary::one_of_each().iter().map(wire::to_text).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let ours = lines((1, 0), &texts);
    let mut changed = texts.clone();
    changed[2] = r#"{"kind":"command","line":"set answer a=yes"}"#;
    let other = lines((1, 0), &changed);
    let without = |n: usize| ours.iter().enumerate().filter(|(i, _)| *i != n).map(|(_, l)| l.clone()).collect();
    let swapped = {
        let mut lines = ours.clone();
        lines.swap(3, 4);
        lines
    };
    let doubled = [&ours[..4], &ours[3..]].concat();
    let spliced = [&ours[..3], &other[3..]].concat();
    let forged = [&ours[..2], &other[2..3], &ours[3..]].concat();
    let second_header = [&ours[..], &ours[..1]].concat();
    let cases: [(&str, Vec<Vec<u8>>, u64, &str); 6] = [
        ("missing", without(3), 4, "it is record 4 where record 3 belongs"),
        ("moved", swapped, 4, "it is record 4 where record 3 belongs"),
        ("doubled", doubled, 5, "it is record 3 where record 4 belongs"),
        ("spliced", spliced, 4, "it does not follow from the record before it"),
        ("forged", forged, 4, "it does not follow from the record before it"),
        ("second header", second_header, ours.len() as u64 + 1, "it is a second header"),
    ];
    for (case, lines, line, what) in cases {
        let scan = scan(&lines.concat()).unwrap_or_else(|e| panic!("{case}: {e}"));
        let damage = scan.recovery.damage.unwrap_or_else(|| panic!("{case}: not noticed"));
        assert_eq!((damage.line, damage.what.raw()), (line, what), "{case}");
        assert_eq!(scan.facts.len() as u64, line - 1, "{case}");
    }
}

#[test]
fn a_whole_record_that_makes_no_sense_is_damage_and_never_a_torn_end() {
    let opened = r#"{"kind":"opened","program":"p","at":"t"}"#;
    for (text, what) in [
        (opened, "a session cannot begin twice"),
        (r#"{"kind":7}"#, "invalid type: integer `7`, expected variant identifier"),
        (r#"{"kind":"command"}"#, "missing field `line`"),
        ("nonsense", "expected ident at line 1 column 2"),
    ] {
        let scan = scan(&lines((1, 0), &[opened, text]).concat()).expect("the header is whole");
        assert_eq!(scan.recovery.tail, None, "{text}");
        assert_eq!(scan.recovery.damage.map(|d| d.what), Some(Untrusted::from(what)), "{text}");
    }
}

#[test]
fn what_only_a_newer_minor_version_knows_is_reported_and_not_written_after_whoever_began_the_file() {
    let opened = r#"{"kind":"opened","program":"2.0","at":"t","host":"new field"}"#;
    let facts = [opened, r#"{"kind":"teleported","to":[1,2]}"#, r#"{"kind":"command","line":"step"}"#];
    for minor in [0, wire::MINOR, 7] {
        let bytes = lines((1, minor), &facts).concat();
        let scanned = scan(&bytes).expect("read");
        assert_eq!((scanned.facts.len(), &scanned.recovery.damage), (2, &None), "1.{minor}");
        let notices: Vec<String> = scanned.recovery.notices().iter().map(ToString::to_string).collect();
        let told = format!(
            "1 record of a kind that only a newer version knows is left out, the first at line 2 (\"teleported\"); \
             the file was begun with version 1.{minor}"
        );
        assert_eq!(notices, [told]);
        let disk = SimDisk::with(Path::new(PATH), &bytes);
        let error = Journal::resume_on(Arc::new(disk.clone()), Path::new(PATH)).map(|_| ()).expect_err("refused");
        assert_eq!(error.to_string(), "dir/s.jsonl was written by a newer version: line 2 holds \"teleported\"");
        assert_eq!(disk.files()[Path::new(PATH)], bytes, "the file was changed");
    }
}

#[test]
fn line_breaks_changed_to_cr_lf_are_named_and_taking_them_back_restores_the_session() {
    let (facts, bytes, _) = journal(vec![
        Fact::Opened { program: "0.1.0".to_owned(), at: "2026-11-23T02:00:00Z".to_owned() },
        Fact::Command { line: "step".into() },
    ]);
    let text = String::from_utf8(bytes).expect("a journal is text");
    let changed = text.replace('\n', "\r\n");
    let error = scan(changed.as_bytes()).map(|_| ()).expect_err("damaged").to_string();
    assert!(error.contains("line 1") && error.contains("CR LF") && error.contains("sed"), "{error}");
    // As `cat` of a good beginning and a changed rest would produce.
    let (first, rest) = text.split_once('\n').expect("two lines");
    let mixed = format!("{first}\n{}\n", rest.replace('\n', "\r\n"));
    let recovery = scan(mixed.as_bytes()).expect("a header").recovery;
    assert!(recovery.notices().iter().any(|n| n.to_string().contains("CR LF")), "{recovery:?}");
    assert_eq!(scan(changed.replace("\r\n", "\n").as_bytes()).expect("restored").facts, facts);
}

#[test]
fn files_that_are_no_sessions_are_told_from_old_new_and_unbegun_ones() {
    let newer = lines((2, 3), &[r#"{"kind":"opened"}"#]).concat();
    let cases: [(&[u8], &str); 7] = [
        (b"", "dir/s.jsonl is a session that never began"),
        (b"{\"crossexam_session\":\"1.0\",\"se", "dir/s.jsonl is a session that never began"),
        (b"{\"cross", "dir/s.jsonl is a session that never began"),
        (b"{\"id\":1,\"text\":\"a sample\"}\n", "dir/s.jsonl is no session, or its first line is damaged"),
        (b"GGUF\0\0\0\0", "dir/s.jsonl is no session, or its first line is damaged"),
        (&newer, "dir/s.jsonl has session format 2.3, and this version reads format 1"),
        (
            b"{\"crossexam_session\":\"1.x\"}\n",
            "dir/s.jsonl: line 1 (byte 0) is damaged: it has no checksum; 28 bytes from there on were not read",
        ),
    ];
    for (bytes, expected) in cases {
        let error = scan(bytes).map(|_| ()).expect_err(expected);
        assert_eq!(error.to_string(), expected);
        assert!(!error.hint().is_empty());
    }
}
