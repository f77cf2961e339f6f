//! The same lines on stdin, typed at the REPL prompt and typed into the full-screen front end leave the same facts and
//! give the same answers: a script, and every example of the command table.
//!
//! Must run the real binary in all three, and compare what their journals hold and what they show.

use crate::common::clock::without_time;
use crate::common::pty::{Pty, Start};
use crossexam::command::{Command as Line, FrontendCommand, Need, TABLE, parse};
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

/// The facts of a session that is being written: its last line may be in the middle of that.
fn so_far(session: &Path) -> Vec<Fact> {
    let facts = journal::read(session).map(|(facts, _)| facts).unwrap_or_default();
    facts.into_iter().skip(1).map(without_time).collect()
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
            // The screen keeps a line that it cannot parse, for correction; Escape discards it.
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

/// Every example of the table that does not leave the front end, in the table's order; walks start over before a
/// command that moves one.
fn examples() -> Vec<String> {
    let mut lines = Vec::new();
    for spec in TABLE {
        for (line, _) in spec.examples {
            let leaves = |command| match command {
                Line::Frontend(FrontendCommand::Source(_)) => false,
                Line::Frontend(_) => true,
                Line::Engine(_) | Line::View(_) => false,
            };
            if parse(line).expect("an example").is_some_and(leaves) {
                continue;
            }
            if spec.needs.contains(&Need::Model) {
                lines.push("sample 2".to_owned());
            }
            // No test fetches a model.
            lines.push(line.replace("load model smollm2-135m", "load model scripted:0.35"));
        }
    }
    lines
}

/// A folder in which the files of the examples are.
fn with_examples() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    for file in ["policies/scams.toml", "samples/scams.jsonl", "scripts/demo.cmd"] {
        let there = dir.path().join("testdata").join(file);
        std::fs::create_dir_all(there.parent().expect("a folder")).expect("made");
        std::fs::copy(here.join(file), there).expect("copied");
    }
    dir
}

/// Words as they are shown, without the frame of a pane, the words that only announce an error, and the place of a
/// line.
fn words(text: &str) -> Vec<String> {
    let frame = |c: char| ('\u{2500}'..='\u{257f}').contains(&c);
    let announces = |word: &&str| ["error:", "hint:", "\u{b7}"].contains(word) || word.starts_with("stdin:");
    text.split(|c: char| c.is_whitespace() || frame(c))
        .filter(|w| !w.is_empty() && !announces(w))
        .map(str::to_owned)
        .collect()
}

/// The answer to each line of a transcript: the rows up to the next one. `echo` says whether a row shows a line.
fn answers(shown: &str, lines: &[String], echo: impl Fn(&str, &str) -> bool) -> Vec<Vec<String>> {
    let mut rows = shown.lines().map(str::trim_end);
    let mut found: Vec<Vec<String>> = Vec::new();
    let mut next = lines.iter().peekable();
    for row in &mut rows {
        match next.peek() {
            Some(line) if echo(row, line) => {
                found.push(Vec::new());
                next.next();
            }
            _ => {
                if let Some(answer) = found.last_mut() {
                    answer.extend(words(row));
                }
            }
        }
    }
    assert_eq!(found.len(), lines.len(), "{:?} is not in\n{shown}", next.peek());
    found
}

fn is_view(line: &str) -> bool {
    matches!(parse(line), Ok(Some(Line::View(_))))
}

/// Whether `found` has all of `wanted`, in this order.
fn in_order(wanted: &[String], found: &[String]) -> bool {
    let mut found = found.iter();
    wanted.iter().all(|word| found.any(|other| other == word))
}

#[test]
fn every_example_leaves_the_same_facts_and_gives_the_same_answer_in_three_front_ends() {
    let lines = examples();
    let dir = with_examples();
    let program = Path::new(env!("CARGO_BIN_EXE_crossexam"));

    let session = dir.path().join("stdin.jsonl");
    let mut child = Command::new(program)
        .args(["repl", "--batch", "--keep-going", "--session", "stdin.jsonl"])
        .current_dir(dir.path())
        .env_clear()
        .env("HOME", dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let script: String = lines.iter().map(|line| format!("{line}\n")).collect();
    child.stdin.take().expect("a pipe").write_all(script.as_bytes()).expect("stdin takes the lines");
    let output = child.wait_with_output().expect("the binary ends");
    let batch = answers(&String::from_utf8_lossy(&output.stdout), &lines, |row, line| row == format!("> {line}"));
    let recorded = facts(&session);
    assert!(lines.iter().zip(&batch).filter(|(line, answer)| is_view(line) && answer.len() > 1).count() > 10);
    assert!(recorded.iter().filter(|f| matches!(f, Fact::Stepped { .. })).count() > 20, "{recorded:#?}");

    // A copy of the session is not made twice.
    let again = || drop(std::fs::remove_dir_all(dir.path().join("findings")));
    again();

    // The prompt, on a screen that holds all of it.
    let start = |args, size| Pty::start(&Start { program, args, env: &[], dir: dir.path(), size });
    let mut pty = start(&["repl", "--session", "repl.jsonl"], (100, 6000));
    for line in &lines {
        pty.wait_prompt("crossexam");
        pty.line(line);
    }
    pty.wait_prompt("crossexam");
    let typed = |row: &str, line: &str| row.starts_with("crossexam") && row.ends_with(&format!("> {line}"));
    for ((line, batch), repl) in lines.iter().zip(&batch).zip(answers(&pty.screen(), &lines, typed)) {
        if is_view(line) {
            assert_eq!(*batch, repl, "{line}: the answer on stdout and at the prompt");
        }
    }
    pty.kill();
    assert_eq!(recorded, facts(&dir.path().join("repl.jsonl")));

    again();

    // The full-screen view, on a screen that shows every answer whole.
    let session = dir.path().join("tui.jsonl");
    let mut pty = start(&["open", "--session", "tui.jsonl"], (130, 400));
    pty.wait_text("help");
    // What the program itself begins with comes before the first line.
    let first = |fact: &Fact| matches!(fact, Fact::Command { line } if Some(line) == lines.first());
    let mut done = recorded.iter().position(first).expect("the first line is recorded");
    for (line, batch) in lines.iter().zip(&batch) {
        pty.send(":");
        pty.line(line);
        if is_view(line) {
            pty.wait(&format!("the answer to {line}: {batch:?}"), |screen| in_order(batch, &words(&screen.contents())));
        } else {
            let before = done;
            done = after(&recorded, before, line);
            let theirs = recorded.get(before..done).unwrap_or_default();
            let failed = theirs.iter().any(|f| matches!(f, Fact::Failed { .. })) && !line.starts_with("source");
            let why = batch.iter().take(3).cloned().collect::<Vec<_>>().join(" ");
            pty.wait(&format!("the facts of {line}: {theirs:?}"), |screen| {
                // What is typed before a failure has come to the screen is forgotten with it.
                let told = screen.contents().lines().rev().nth(1).is_some_and(|status| status.contains(&why));
                so_far(&session).get(before..done) == Some(theirs) && (told || !failed)
            });
        }
    }
    pty.kill();
    assert_eq!(recorded, facts(&session));
}

/// The number of facts after `line` has run, given `before`.
fn after(facts: &[Fact], before: usize, line: &str) -> usize {
    let commands = if line.starts_with("source") { usize::MAX } else { 1 };
    let mut seen = 0;
    let rest = facts.get(before..).unwrap_or_default();
    let end = rest.iter().position(|fact| {
        seen += usize::from(matches!(fact, Fact::Command { .. }));
        seen > commands
    });
    before + end.unwrap_or(rest.len())
}
