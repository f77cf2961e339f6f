//! What a script learns from the exit code if writing the output fails: every entry that writes to stdout.
//!
//! Must run the real binary through a shell, because a shell is what closes streams.
#![cfg(unix)]

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Every entry that writes results, with something to write.
const ENTRIES: &[&str] = &[
    "check --policy builtin:scams.toml --llm scripted:0.2 <s.jsonl",
    "repl --batch --policy builtin:scams.toml -e 'info policy' --no-record",
    "repl --batch --json --policy builtin:scams.toml -e 'info policy' --no-record",
    "lint bad.toml",
    "lint --json bad.toml",
    "lint --graph good.toml",
    "replay x.jsonl",
    "models list",
    "completions bash",
    "man",
];

fn command(dir: &Path, line: &str) -> Command {
    let bin = Path::new(env!("CARGO_BIN_EXE_crossexam")).parent().expect("a folder");
    let mut bash = Command::new("bash");
    bash.args(["-c", line]).current_dir(dir).env_clear().env("HOME", dir);
    bash.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display())).stdin(Stdio::null());
    bash
}

fn shell(dir: &Path, line: &str) -> Output {
    command(dir, line).output().expect("bash starts")
}

fn prepared() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    std::fs::copy(testdata.join("policies/scams.toml"), dir.path().join("good.toml")).expect("copied");
    std::fs::copy(testdata.join("broken/p025-prefix-clash.toml"), dir.path().join("bad.toml")).expect("copied");
    std::fs::write(dir.path().join("s.jsonl"), "{\"text\":\"hello\"}\n".repeat(3)).expect("written");
    let made = shell(dir.path(), "crossexam repl --batch --session x.jsonl -e 'note a'");
    assert_eq!(made.status.code(), Some(0), "{made:?}");
    dir
}

#[test]
fn a_full_disk_behind_stdout_is_told_and_is_no_internal_error() {
    let dir = prepared();
    for entry in ENTRIES {
        let output = shell(dir.path(), &format!("crossexam {entry} >/dev/full"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(output.status.code(), Some(1 | 2)), "{entry}: {:?} {said}", output.status);
        assert!(said.contains("No space left"), "{entry}: {said}");
        assert!(!said.contains("panicked"), "{entry}: {said}");
    }
}

#[test]
fn a_stdout_that_is_closed_from_the_start_is_a_failure() {
    let dir = prepared();
    for entry in ENTRIES {
        let output = shell(dir.path(), &format!("crossexam {entry} >&-"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{entry}: {said}");
        assert!(said.contains("stdout is closed"), "{entry}: {said}");
        // What nobody wants to read is no failure, however the shell or another program opens it.
        let output = shell(dir.path(), &format!("crossexam {entry} 1<>/dev/null"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("stdout is closed"), "{entry}: {said}");
    }
}

/// A pipe whose reader has gone.
fn unread() -> std::io::PipeWriter {
    std::io::pipe().expect("a pipe").1
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let dir = prepared();
    for entry in ENTRIES {
        let output = command(dir.path(), &format!("crossexam {entry}")).stdout(unread()).output().expect("bash starts");
        assert_eq!(output.status.code(), Some(0), "{entry}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_stderr_that_nobody_reads_changes_no_exit_code() {
    let dir = prepared();
    for (entry, code) in [(ENTRIES[0], 0), ("lint bad.toml", 1), ("lint none.toml", 2), ("replay none.jsonl", 2)] {
        let output = command(dir.path(), &format!("crossexam {entry}")).stderr(unread()).output().expect("bash starts");
        assert_eq!(output.status.code(), Some(code), "{entry}");
        let output = shell(dir.path(), &format!("crossexam {entry} 2>/dev/full"));
        assert_eq!(output.status.code(), Some(code), "{entry}");
    }
}

#[test]
fn a_session_that_cannot_be_written_is_a_failure_and_no_internal_error() {
    let dir = prepared();
    for (line, code) in [
        ("crossexam repl --batch --session none/x.jsonl -e 'note a'", 2),
        ("crossexam repl --batch --sessions-dir good.toml/x -e 'note a'", 2),
        ("crossexam repl --batch --session x.jsonl -e 'save none/y.jsonl'", 1),
        ("crossexam repl --batch --session x.jsonl -e 'save /dev/full'", 1),
        ("crossexam check --policy none.toml --llm scripted:0.2 <s.jsonl", 2),
        ("crossexam check --policy good.toml --llm scripted:0.2 <.", 1),
    ] {
        let output = shell(dir.path(), line);
        assert_eq!(output.status.code(), Some(code), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn the_exit_code_tells_findings_from_what_could_not_be_begun() {
    let dir = prepared();
    std::fs::write(dir.path().join("half.jsonl"), "{\"text\":\"a\"}\n{\n").expect("written");
    for (line, code, said) in [
        ("check --policy good.toml --llm scripted:0.2 <s.jsonl", 0, "3 records"),
        ("check --policy good.toml --llm scripted:0.2 <half.jsonl", 1, "1 failed"),
        ("check --policy none.toml --llm scripted:0.2 <s.jsonl", 2, "none.toml"),
        ("check --policy bad.toml --llm scripted:0.2 <s.jsonl", 2, "bad.toml"),
        ("check --policy good.toml --llm no-such-model <s.jsonl", 2, "no-such-model"),
        ("check --policy good.toml <s.jsonl", 2, "--llm"),
        ("check --policy good.toml --llm scripted:0.2 --samples s.jsonl", 2, "< s.jsonl"),
        ("check --policy good.toml --llm scripted:0.2 s.jsonl", 2, "< s.jsonl"),
        ("lint good.toml", 0, "0 errors"),
        ("lint bad.toml", 1, "1 error"),
        ("lint good.toml --samples half.jsonl", 1, "1 error"),
        ("lint none.toml", 2, "1 could not be read"),
        ("lint good.toml --samples none.jsonl", 2, "none.jsonl"),
        ("replay none.jsonl", 2, "none.jsonl"),
        ("bench no-such-model", 2, "no-such-model"),
        ("models tokenize no-such-model", 2, "no-such-model"),
        ("sessions --sessions-dir good.toml", 2, "good.toml"),
        ("nonsense", 2, "nonsense"),
    ] {
        let output = shell(dir.path(), &format!("crossexam {line}"));
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{line}: {err}");
        assert!(err.contains(said), "{line}: {err}");
    }
}
