//! `check` as a pipe sees it: the real binary with a scripted judge.
//!
//! Must look at bytes and exit codes only.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

pub fn crossexam(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crossexam"));
    command.args(args).current_dir(dir).env_clear().env("HOME", dir);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub fn fed(mut command: Command, input: &[u8]) -> Output {
    let mut child = command.spawn().expect("the binary starts");
    // A program that does not read its input may have closed it; its output says why.
    drop(child.stdin.take().expect("a pipe").write_all(input));
    child.wait_with_output().expect("the binary ends")
}

const CHECK: &[&str] = &["check", "--policy", "builtin:scams.toml", "--llm", "scripted:0.2"];

#[test]
fn check_and_the_debugger_answer_in_the_same_mode_where_none_is_given() {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("s.jsonl"), "{\"text\":\"hello\"}\n").expect("written");
    let output = fed(crossexam(dir.path(), CHECK), b"{\"text\":\"hello\"}\n");
    let record: Value = serde_json::from_slice(&output.stdout).expect("one record");
    assert_eq!(record["made_by"]["mode"], "direct");
    assert!(String::from_utf8_lossy(&output.stderr).contains("in mode direct"), "{output:?}");
    let open = ["repl", "--policy", "builtin:scams.toml", "--samples", "s.jsonl", "--llm", "scripted:0.2"];
    let output = fed(crossexam(dir.path(), &[&open[..], &["--session", "x.jsonl"]].concat()), b"step\n");
    let shown = String::from_utf8(output.stdout).expect("text");
    assert!(shown.contains("mode direct") && !shown.contains("scripted rationale"), "{shown}");
    // A session that is opened again keeps its mode; one that is asked for counts.
    fed(crossexam(dir.path(), &["repl", "--session", "x.jsonl", "-e", "mode rationale", "--batch"]), b"");
    let output = fed(crossexam(dir.path(), &["repl", "--session", "x.jsonl", "--llm", "scripted:0.2"]), b"run\n");
    let shown = String::from_utf8(output.stdout).expect("text");
    assert!(shown.contains("scripted rationale") && !shown.contains("mode direct"), "{shown}");
}

#[test]
fn a_record_comes_as_soon_as_it_is_known_while_the_input_stays_open() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut child = crossexam(dir.path(), CHECK).spawn().expect("the binary starts");
    let (mut input, mut lines) =
        (child.stdin.take().expect("a pipe"), BufReader::new(child.stdout.take().expect("a pipe")).lines());
    for id in ["a", "b"] {
        writeln!(input, "{}", json!({ "id": id, "text": "hello" })).expect("it reads");
        let record: Value = serde_json::from_str(&lines.next().expect("a line").expect("text")).expect("JSON");
        assert_eq!(record["id"], id);
    }
    drop(input);
    assert_eq!(child.wait().expect("the binary ends").code(), Some(0));
}

#[test]
fn lines_that_are_no_samples_name_the_cause_and_what_to_do() {
    let dir = tempfile::tempdir().expect("a folder");
    let cases: [(&[u8], &str, &str); 5] = [
        (b"\xff\xfe{\0\"\0t\0\n", "UTF-16", "iconv"),
        (b"{\"text\":\"a\"}\n\xef\xbb\xbf{\"text\":\"b\"}\n", "byte order mark", "EF BB BF"),
        (b"{\"id\":123.0,\"text\":\"a\"}\n", "`id` is 123.0", "read the column as text"),
        (b"{\"text\":\"\\ud83d\"}\n", "hex escape", "surrogate pair"),
        (b"{\"id\":\"a\"}\n", "neither `text` nor `fields`", "\"text\""),
    ];
    for (input, message, hint) in cases {
        let output = fed(crossexam(dir.path(), CHECK), input);
        assert_eq!(output.status.code(), Some(1));
        let out = String::from_utf8(output.stdout).expect("text");
        let error = out.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")["error"].clone());
        let error = error.into_iter().find(|error| !error.is_null()).expect("an error record");
        assert!(error["message"].as_str().is_some_and(|m| m.contains(message)), "{error}");
        assert!(error["hint"].as_str().is_some_and(|h| h.contains(hint)), "{error}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("1 failed"), "{:?}", output.stderr);
    }
}
