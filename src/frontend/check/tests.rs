//! What could break for someone who pipes samples through `check`.
//!
//! Must drive whole runs, from bytes in to bytes out.

use super::*;
use crate::judge::scripted::Scripted;
use serde_json::{Value, json};

const POLICY: &str = r#"
[policy]
id = "p"
version = "1.0.0"
title = "A policy"
root = "bad"
instructions = "Answer."
[node.bad]
question = "Is the text bad?"
guidance = ["Say yes where it is."]
[node.bad.answers]
yes = { leaf = "out" }
no = { leaf = "fine" }
[leaf.out]
outcome = "violating"
label = "P1"
[leaf.fine]
outcome = "non_violating"
"#;

fn policy() -> Policy {
    crate::policy::parse("p.toml", POLICY, &mut |_| Err(String::new())).policy.expect("a policy")
}

/// Runs `check` over `input`; returns the summary, the records, and the closing message.
fn checked(input: &[u8]) -> (Summary, Vec<Value>, String) {
    let (policy, cancel, mut out) = (policy(), Cancel::new(), Vec::new());
    let mut open = || Ok(Box::new(Scripted::constant(0.9)) as Box<dyn Judge>);
    let mut check =
        Check { policy: &policy, mode: Mode::Direct, open: &mut open, cancel: &cancel, progress: Progress::Hidden };
    let summary = check.run(io::Cursor::new(input.to_vec()), &mut out).expect("memory takes everything");
    let text = String::from_utf8(out).expect("text");
    assert!(text.lines().all(|line| !line.chars().any(crate::text::is_hidden)), "{text:?}");
    let mut said = Vec::new();
    summary.tell(&policy, Mode::Direct, &mut said).expect("memory takes everything");
    let records = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    (summary, records, String::from_utf8(said).expect("text"))
}

#[test]
fn a_hostile_sample_cannot_act_on_a_terminal_through_its_record_and_its_id_reads_back() {
    let id = "a\u{9b}31m\u{202e}\u{7f}";
    let (summary, records, _) = checked(json!({ "id": id, "text": "\u{1b}[2J" }).to_string().as_bytes());
    assert_eq!((summary.tally.records, summary.exit_code()), (1, 0));
    assert_eq!(records[0]["id"], id);
}

#[test]
fn blank_lines_are_skipped_as_load_samples_does_and_still_count_as_lines() {
    let (summary, records, said) = checked(b"{\"text\":\"a\"}\n\n \t\r\n{\"text\":\"b\"}\n\n");
    assert_eq!((summary.blank, summary.exit_code()), (3, 0));
    assert_eq!(records.iter().map(|r| &r["line"]).collect::<Vec<_>>(), [&json!(1), &json!(4)]);
    assert_eq!(said, "2 records in mode direct: 2 violating; 3 blank lines skipped\n");
}

#[test]
fn a_bad_line_gets_its_record_with_the_hint_and_the_end_counts_it() {
    let input = b"{\"text\":\"a\"}\n{\"id\":\"b\"}\n{\"text\":\"\\ud83d\"}\n";
    let (summary, records, said) = checked(input);
    assert_eq!(summary.exit_code(), 1);
    let hints: Vec<&str> = records.iter().filter_map(|r| r["error"]["hint"].as_str()).collect();
    assert!(hints[0].starts_with("give \"text\"") && hints[1].contains("both halves"), "{hints:?}");
    assert_eq!(said, "3 records in mode direct: 1 violating, 2 failed (their records have an `error`)\n");
}

#[test]
fn an_empty_input_says_so() {
    assert_eq!(checked(b"").2, "0 records in mode direct\n");
}

#[test]
fn the_end_tells_rows_and_the_layout_that_would_have_been_much_cheaper() {
    let said = |text: &str, count: u64, computed: u64| {
        let policy = policy();
        let line = json!({ "text": text }).to_string();
        let sample = sample_file::parse_line(1, line.as_bytes()).expect("a sample");
        let mut tally = Tally { records: count, computed, reused: computed, prompts: 2 * computed, ..Tally::default() };
        tally.asked = crate::policy::cost::Asked::new(&policy);
        for _ in 0..count {
            tally.asked.add(&policy, &sample, std::iter::once(&policy.root));
        }
        let mut said = Vec::new();
        Summary { tally, ..Summary::default() }
            .tell(&policy, Mode::Direct, &mut said)
            .expect("memory takes everything");
        String::from_utf8(said).expect("text")
    };
    let short = said("hi", 100, 1000);
    assert!(short.contains("rows of the model: 1000 computed, 1000 reused (50 %)"), "{short}");
    assert!(short.contains("hint: layout = \"node-first\" in the policy would have computed about"), "{short}");
    let long = said(&"long ".repeat(200), 100, 1000);
    assert!(long.contains("computed") && !long.contains("hint"), "{long}");
}

/// Takes no more bytes than it was given room for.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.checked_sub(bytes.len()) {
            Some(left) => self.0 = left,
            None => return Err(io::ErrorKind::StorageFull.into()),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_output_that_takes_no_more_ends_the_run_with_its_error() {
    let (policy, cancel) = (policy(), Cancel::new());
    let mut open = || Ok(Box::new(Scripted::constant(0.9)) as Box<dyn Judge>);
    let mut check =
        Check { policy: &policy, mode: Mode::Direct, open: &mut open, cancel: &cancel, progress: Progress::Hidden };
    let input = io::Cursor::new(b"{\"text\":\"a\"}\n".repeat(50));
    let error = check.run(input, &mut Full(3000)).expect_err("it is full");
    assert!(matches!(error, CheckError::Write(e) if e.kind() == io::ErrorKind::StorageFull));
}
