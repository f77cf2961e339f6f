//! The same script on stdin, typed at the prompt and typed into the full-screen front end leaves the same facts.
//!
//! Must run the real binary in all three, and compare what their journals hold.

use crate::common::pty::{Pty, Start};
use crossexam::session::{Fact, journal};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Engine commands of every kind, a view command, abbreviations, and failures.
const SCRIPT: &[&str] = &[
    "load policy builtin:scams.toml",
    "load samples builtin:scams.jsonl",
    "load model scripted:0.35",
    "sample 2",
    "break request",
    "run",
    "info breakpoints",
    "step",
    "set answer awareness=yes",
    "back",
    "tbreak * if margin > 2",
    "display margin",
    "continue",
    "note the first \"quoted\" note # not a comment",
    "tag evidence-missed",
    "set threshold scam=0.95",
    "step",
    "next-sample where gold == 'violating'",
    "mode direct",
    "s",
    "delete 1",
    "finish",
    "no-such-command",
    "note end of script",
];

fn facts(session: &Path) -> Vec<Fact> {
    let (facts, recovery) = journal::read(session).expect("a readable session");
    assert!(recovery.is_clean(), "{recovery:?}");
    let opened = facts.first();
    assert!(matches!(opened, Some(Fact::Opened { .. })), "{opened:?}");
    facts.into_iter().skip(1).map(without_time).collect()
}

/// The fact without the wall clock's time.
fn without_time(mut fact: Fact) -> Fact {
    if let Fact::Noted { by: Some(stamp), .. } | Fact::Tagged { by: Some(stamp), .. } = &mut fact {
        stamp.at.clear();
    }
    fact
}

fn ended(session: &Path) -> bool {
    let last = |facts: &[Fact]| matches!(facts.last(), Some(Fact::Noted { text, .. }) if text.raw() == "end of script");
    journal::read(session).is_ok_and(|(facts, _)| last(&facts))
}

fn from_stdin(dir: &Path) -> Vec<Fact> {
    let session = dir.join("stdin.jsonl");
    let mut child = Command::new(env!("CARGO_BIN_EXE_crossexam"))
        .args(["repl", "--batch", "--keep-going", "--session"])
        .arg(&session)
        .env_clear()
        .env("HOME", dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let script: String = SCRIPT.iter().map(|line| format!("{line}\n")).collect();
    child.stdin.take().expect("a pipe").write_all(script.as_bytes()).expect("stdin takes the script");
    let output = child.wait_with_output().expect("the binary ends");
    assert_eq!(
        output.status.code(),
        Some(2),
        "a line is no command, the worst of the failures: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    facts(&session)
}

fn typed(dir: &Path, front_end: &str, before: &str, prompt: &str) -> Vec<Fact> {
    let session = dir.join(format!("{front_end}.jsonl"));
    let mut pty = Pty::start(&Start {
        program: Path::new(env!("CARGO_BIN_EXE_crossexam")),
        args: &[front_end, "--session", session.to_str().expect("a UTF-8 path")],
        env: &[],
        dir,
        size: (120, 40),
    });
    pty.wait_text(prompt);
    for line in SCRIPT {
        if front_end == "repl" {
            pty.wait_prompt(prompt);
        }
        pty.send(before);
        pty.line(line);
        if front_end == "open" && crossexam::command::parse(line).is_err() {
            // The screen keeps a line that it cannot read, to be mended; Escape gives it up.
            pty.wait_text("there is no command");
            pty.send("\u{1b}");
            pty.wait("the prompt to close", |screen| !screen.contents().contains("there is no command"));
        }
    }
    pty.wait("the end of the script in the journal", |_| ended(&session));
    pty.send("\u{3}");
    pty.kill();
    facts(&session)
}

#[test]
fn three_front_ends_leave_the_same_facts() {
    let dir = tempfile::tempdir().expect("a folder");
    let stdin = from_stdin(dir.path());
    assert!(stdin.iter().filter(|f| matches!(f, Fact::Stepped { .. })).count() > 5, "{stdin:#?}");
    assert!(stdin.iter().any(|f| matches!(f, Fact::BreakpointHit { .. })));
    assert!(stdin.iter().any(|f| matches!(f, Fact::WalkForked { .. })));
    assert_eq!(stdin, typed(dir.path(), "repl", "", "crossexam"));
    assert_eq!(stdin, typed(dir.path(), "open", ":", "help"));
}
