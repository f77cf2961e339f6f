//! How the program ends when it is told to, or when its terminal goes away: soon, with code 130, and with an intact
//! session.
#![cfg(unix)]
#![allow(clippy::panic, reason = "a test fails by panicking")]

use crate::common::pty::{Pty, Start};
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// What users are promised is 2 s; the rest is for a machine that is busy with other tests.
const SOON: Duration = Duration::from_secs(5);

const OPEN: &[&str] = &["--policy", "builtin:scams.toml", "--samples", "builtin:scams.jsonl", "--session", "s.jsonl"];

/// A way to start the program, and what is on the screen once it is ready.
struct Entry {
    args: Vec<&'static str>,
    keys: &'static str,
    until: &'static str,
}

fn entry(args: &[&'static str], keys: &'static str, until: &'static str) -> Entry {
    Entry { args: args.to_vec(), keys, until }
}

fn opened(with: &[&'static str]) -> Vec<&'static str> {
    [with, OPEN, &["--llm", "scripted:0.9"]].concat()
}

/// Every entry, and what the user may be doing there.
fn entries() -> Vec<Entry> {
    vec![
        entry(&opened(&["open"]), "", "model scripted"),
        entry(&opened(&[]), ":note x", ":note x"),
        entry(&opened(&[]), "?", "Esc close"),
        entry(&["demo", "--llm", "scripted:0.9"], "", "model scripted"),
        entry(&["replay", "recorded.jsonl"], "", "recorded"),
        entry(&opened(&["repl"]), "", "crossexam 1/"),
        entry(&opened(&["repl"]), "note x", "awareness> note x"),
        entry(&opened(&["repl", "-e", "tui"]), "", "Policy"),
        entry(&opened(&["open"]), ":repl\r", "crossexam 1/"),
        entry(&opened(&["open"]), ":repl\rtui\r", "Policy"),
    ]
}

fn start(dir: &Path, args: &[&str]) -> Pty {
    let program = Path::new(env!("CARGO_BIN_EXE_crossexam"));
    Pty::start(&Start { program, args, env: &[], dir, size: (90, 30) })
}

fn arrived(entry: &Entry, dir: &Path) -> Pty {
    if entry.args.contains(&"recorded.jsonl") {
        let script: Vec<&str> = [&["repl", "--batch", "-e", "step"], OPEN, &["--llm", "scripted:0.9"]].concat();
        let script: Vec<&str> = script.iter().map(|a| if *a == "s.jsonl" { "recorded.jsonl" } else { *a }).collect();
        assert!(program(dir, &script).status().expect("it runs").success());
    }
    let mut pty = start(dir, &entry.args);
    // Keys are typed line by line, each once the previous screen has appeared.
    let first = match (entry.keys, entry.args.first()) {
        ("", _) => entry.until,
        (_, Some(&"repl")) => "awareness> ",
        // Shown once the commands of the start are done; until then the front end cannot be left for the prompt.
        _ => "next: awareness",
    };
    pty.wait_text(first);
    for (n, line) in entry.keys.split_inclusive('\r').enumerate() {
        if n > 0 {
            pty.wait_prompt("crossexam");
        }
        pty.send(line);
    }
    pty.wait_text(entry.until);
    pty
}

fn program(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crossexam"));
    command.args(args).current_dir(dir).env_clear().env("HOME", dir).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

fn signal(name: &str, pid: u32) {
    assert!(Command::new("kill").args([name, &pid.to_string()]).status().expect("kill runs").success());
}

/// The session can be opened again, which needs its lock, and nothing of it was torn off.
fn assert_whole(dir: &Path) {
    if !dir.join("s.jsonl").exists() {
        return;
    }
    let again = ["repl", "--batch", "--session", "s.jsonl", "-e", "info session"];
    let output = program(dir, &again).output().expect("it runs");
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}

#[test]
fn the_program_does_not_outlive_its_terminal_in_any_entry() {
    for entry in entries() {
        let dir = tempfile::tempdir().expect("a folder");
        let (code, took) = arrived(&entry, dir.path()).hang_up();
        assert_eq!(code, 130, "{:?} {:?}", entry.args, entry.keys);
        assert!(took < SOON, "{:?} {:?}: {took:?}", entry.args, entry.keys);
        assert_whole(dir.path());
    }
}

#[test]
fn a_long_line_drawn_anew_for_sizes_that_nobody_looks_at_does_not_keep_the_prompt_alive() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut pty = start(dir.path(), &opened(&["repl"]));
    pty.wait_text("awareness> ");
    // So long that the terminal takes a few dozen of them; after that the editor waits, and hears only signals.
    pty.send(&format!("note {}Q", "x".repeat(1500)));
    pty.wait_text("Q");
    let (code, took) = pty.hang_up();
    assert_eq!(code, 130);
    assert!(took < SOON, "{took:?}");
    assert_whole(dir.path());
}

#[test]
fn a_termination_ends_every_entry_and_gives_the_terminal_back() {
    for (n, entry) in entries().iter().enumerate() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut pty = arrived(entry, dir.path());
        let start = Instant::now();
        signal(if n % 2 == 0 { "-HUP" } else { "-TERM" }, pty.pid());
        assert_eq!(pty.wait_exit().exit_code(), 130, "{:?} {:?}", entry.args, entry.keys);
        assert!(start.elapsed() < SOON, "{:?} {:?}", entry.args, entry.keys);
        pty.assert_restored();
        assert_whole(dir.path());
    }
}

#[test]
fn a_model_that_loads_or_runs_does_not_keep_the_program_alive() {
    let Some(models) = crate::common::model::smollm2() else { return };
    let model = models.join("SmolLM2-135M-Instruct.Q4_1.gguf").to_string_lossy().into_owned();
    for (first, keys, until) in
        [("open", "", "load model"), ("open", "c", "writing, "), ("repl", "continue\r", "rationale")]
    {
        let dir = tempfile::tempdir().expect("a folder");
        let args = [&[first], OPEN, &["--mode", "rationale", "--llm", &model]].concat();
        let mut pty = start(dir.path(), &args);
        if !keys.is_empty() {
            pty.wait("the model to be loaded", |s| ["next: ", "crossexam 1/"].iter().any(|t| s.contents().contains(t)));
            pty.send(keys);
        }
        pty.wait(until, |s| s.contents().contains(until) || s.contents().contains("asking"));
        let (code, took) = pty.hang_up();
        assert_eq!(code, 130, "{first} {keys:?}");
        assert!(took < SOON, "{first} {keys:?}: {took:?}");
        assert_whole(dir.path());
    }
}

#[test]
fn a_stopped_job_ends_when_its_terminal_is_closed() {
    let dir = tempfile::tempdir().expect("a folder");
    // A shell with job control that does what shells do when their terminal goes: it hangs its jobs up.
    let shell = "set -m; trap 'kill -HUP %1; kill -CONT %1' HUP; \"$@\"; code=$?; echo stopped
        while [ $code = 148 ] || [ $code = 129 ]; do wait -f %1; code=$?; done; echo $code > code";
    let binary = env!("CARGO_BIN_EXE_crossexam");
    let args = [&["-c", shell, "sh", binary, "open"], OPEN, &["--llm", "scripted:0.9"]].concat();
    let path = std::env::var("PATH").unwrap_or_default();
    let env = [("PATH", path.as_str())];
    let program = Path::new("/bin/bash");
    let mut pty = Pty::start(&Start { program, args: &args, env: &env, dir: dir.path(), size: (90, 30) });
    pty.wait_text("model scripted");
    pty.send("\u{1a}");
    pty.wait_text("stopped");
    let (_, took) = pty.hang_up();
    assert!(took < SOON, "{took:?}");
    assert_eq!(std::fs::read_to_string(dir.path().join("code")).expect("the job ended"), "130\n");
    assert_whole(dir.path());
}

/// `check` whose output nobody reads, once it has filled the pipe.
fn stuck(dir: &Path) -> Child {
    let args = ["check", "--policy", "builtin:scams.toml", "--llm", "scripted:0.9"];
    let mut command = program(dir, &args);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it runs");
    let mut samples = child.stdin.take().expect("a pipe");
    let (sent, taken) = sync_channel(0);
    std::thread::spawn(move || {
        for n in 0.. {
            let line = format!("{{\"id\":\"{n}\",\"text\":\"a post of some length that says nothing\"}}\n");
            if samples.write_all(line.as_bytes()).is_err() || sent.send(()).is_err() {
                return;
            }
        }
    });
    loop {
        match taken.recv_timeout(Duration::from_millis(700)) {
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout) => return child,
            Err(RecvTimeoutError::Disconnected) => panic!("check ended early"),
        }
    }
}

fn ended(mut child: Child) -> (Option<i32>, Duration) {
    let start = Instant::now();
    (child.wait().expect("an exit status").code(), start.elapsed())
}

#[test]
fn a_full_pipe_that_nobody_reads_does_not_defeat_signals() {
    let dir = tempfile::tempdir().expect("a folder");
    for name in ["-INT", "-TERM", "-HUP"] {
        let child = stuck(dir.path());
        signal(name, child.id());
        let (code, took) = ended(child);
        assert_eq!(code, Some(130), "{name}");
        assert!(took < SOON, "{name}: {took:?}");
    }
}

#[test]
fn a_filter_that_waits_for_its_input_ends_at_a_signal() {
    let dir = tempfile::tempdir().expect("a folder");
    for args in [
        &["check", "--policy", "builtin:scams.toml", "--llm", "scripted:0.9"][..],
        &["repl", "--batch", "--no-record"],
        &["lint", "/dev/stdin"],
    ] {
        let mut child =
            program(dir.path(), args).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
        let _input = child.stdin.take();
        // A second signal ends it at once if the first came before the handler was installed, or nothing was listening.
        signal("-INT", child.id());
        signal("-INT", child.id());
        let (code, took) = ended(child);
        assert!(code.is_none_or(|c| c == 130), "{args:?}: {code:?}");
        assert!(took < SOON, "{args:?}: {took:?}");
    }
}
