//! The program is killed (SIGKILL) in the middle of a session, after every fact it acknowledged and at every system
//! call with which it writes. The session must reopen with everything acknowledged, and continue.

use crate::common::clock::without_time;
use crossexam::session::{Fact, Recovery, journal, wire};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

/// Steps, a note, a branch, a way back, a second sample: every way in which a session grows.
const SCRIPT: &str = "\
load policy testdata/policies/scams.toml
load samples testdata/samples/scams.jsonl
load model scripted:0.2
break request
sample 1
step
note the first step
run
continue
set answer fiction=yes
back 1
continue
next-sample
run
tag reviewed
note the end
";

fn program(dir: &Path, session: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crossexam"));
    command.args(["repl", "--batch", "--json", "--keep-going", "--session"]).arg(session);
    in_its_own_home(&mut command, dir);
    command
}

fn in_its_own_home(command: &mut Command, dir: &Path) {
    command.current_dir(env!("CARGO_MANIFEST_DIR")).env("HOME", dir).env_remove("XDG_STATE_HOME");
    command.env_remove("XDG_CACHE_HOME").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
}

/// Starts it with the whole script on stdin.
fn start(mut command: Command) -> (Child, BufReader<ChildStdout>) {
    let mut child = command.spawn().expect("started");
    let mut stdin = child.stdin.take().expect("piped");
    // A program that was killed before it read everything closes the pipe; that is no fault here.
    stdin.write_all(SCRIPT.as_bytes()).ok();
    drop(stdin);
    let stdout = BufReader::new(child.stdout.take().expect("piped"));
    (child, stdout)
}

/// The fact in a line of output, if there is one: written to stdout means acknowledged.
fn acknowledged(line: &str) -> Option<Fact> {
    let event: serde_json::Value = serde_json::from_str(line).ok()?;
    (event["event"] == "fact").then(|| wire::from_json(event["fact"].clone()).expect("a fact"))
}

/// Checks that the session has every fact of `told`, in order, after the facts with which it was opened, and that it
/// continues.
fn check(dir: &Path, session: &Path, told: &[Fact], case: &str) {
    let (facts, recovery) = match journal::read(session) {
        Ok(read) => read,
        Err(e) => {
            assert!(told.is_empty(), "{case}: {e}");
            return;
        }
    };
    assert_eq!(recovery.damage, None, "{case}");
    let after_opening = &facts[1..];
    assert!(after_opening.starts_with(told), "{case}: {} acknowledged, {} kept", told.len(), after_opening.len());

    let mut again = program(dir, session).stderr(Stdio::piped()).spawn().expect("started again");
    again.stdin.take().expect("piped").write_all(b"note after the crash\n").expect("told");
    let output = again.wait_with_output().expect("ended");
    assert!(output.status.success(), "{case}: {}", String::from_utf8_lossy(&output.stderr));
    let (gone_on, Recovery { tail, damage, .. }) = journal::read(session).expect("read again");
    assert_eq!((tail, damage), (None, None), "{case}");
    assert!(gone_on.starts_with(&facts), "{case}: going on changed what was there");
    assert!(matches!(gone_on.last(), Some(Fact::Noted { .. })), "{case}: {:?}", gone_on.last());
}

fn session_in(dir: &Path) -> PathBuf {
    dir.join("s.jsonl")
}

/// The facts of the whole script, without times.
fn undisturbed() -> Vec<Fact> {
    let dir = tempfile::tempdir().expect("a folder");
    let (mut child, stdout) = start(program(dir.path(), &session_in(dir.path())));
    let facts: Vec<Fact> = stdout.lines().filter_map(|line| acknowledged(&line.expect("text"))).collect();
    assert!(child.wait().expect("ended").success(), "the script works: {facts:?}");
    assert_eq!(journal::read(&session_in(dir.path())).expect("read").0[1..], facts);
    facts.into_iter().map(without_time).collect()
}

#[test]
fn killed_after_any_acknowledged_fact_the_session_has_it_and_goes_on() {
    let all = undisturbed();
    assert!(all.len() > 30, "{} facts are too few to mean something", all.len());
    for count in 0..=all.len() {
        let dir = tempfile::tempdir().expect("a folder");
        let session = session_in(dir.path());
        let (mut child, mut stdout) = start(program(dir.path(), &session));
        let mut told = Vec::new();
        let mut line = String::new();
        while told.len() < count && stdout.read_line(&mut line).expect("text") > 0 {
            told.extend(acknowledged(&line));
            line.clear();
        }
        child.kill().expect("killed");
        child.wait().expect("gone");
        // What it had written before it died was acknowledged too.
        told.extend(stdout.lines().map_while(Result::ok).filter_map(|line| acknowledged(&line)));
        let timeless: Vec<Fact> = told.iter().cloned().map(without_time).collect();
        assert!(told.len() >= count && all.starts_with(&timeless), "killed after {count}: {told:?}");
        check(dir.path(), &session, &told, &format!("killed after {count} facts"));
    }
}

/// The program under a tracer that tampers with every `call` on the session file from the `number`th of a thread on;
/// `None` if there is no tracer.
fn meddled(dir: &Path, session: &Path, call: &str, how: &str) -> Option<Command> {
    // Run on something, because a container may have the tracer and forbid tracing.
    let mut tracer = Command::new("strace");
    let tracer = tracer.args(["-o", "/dev/null", "true"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !tracer.is_ok_and(|status| status.success()) {
        crate::common::model::missing("strace is not installed or may not trace");
        return None;
    }
    let inner = program(dir, session);
    let mut traced = Command::new("strace");
    traced.args(["-f", "-qq", "-o", "/dev/null", "-P"]).arg(session).args(["-e", &format!("trace={call}")]);
    traced.args(["-e", &format!("inject={call}:{how}")]).arg(inner.get_program()).args(inner.get_args());
    in_its_own_home(&mut traced, dir);
    Some(traced)
}

#[test]
fn killed_at_any_write_or_sync_the_session_has_everything_acknowledged() {
    let facts = undisturbed().len();
    for call in ["write", "fdatasync"] {
        let mut killed = 0;
        for number in 1..facts + 10 {
            let dir = tempfile::tempdir().expect("a folder");
            let session = session_in(dir.path());
            let how = format!("signal=SIGKILL:when={number}");
            let Some(traced) = meddled(dir.path(), &session, call, &how) else { return };
            let (mut child, stdout) = start(traced);
            let told: Vec<Fact> = stdout.lines().map_while(Result::ok).filter_map(|line| acknowledged(&line)).collect();
            if child.wait().expect("ended").success() {
                break;
            }
            killed += 1;
            check(dir.path(), &session, &told, &format!("killed at {call} {number}"));
        }
        assert_eq!(killed, facts, "one {call} for every fact");
    }
}

#[test]
fn a_disk_that_fails_once_or_for_ever_is_reported_and_nothing_is_acknowledged_after_it() {
    for (call, error) in [("write", "ENOSPC"), ("write", "EIO"), ("fdatasync", "EIO")] {
        for when in ["2", "9", "20", "9+"] {
            let case = format!("{error} at {call} {when}");
            let dir = tempfile::tempdir().expect("a folder");
            let session = session_in(dir.path());
            let Some(traced) = meddled(dir.path(), &session, call, &format!("error={error}:when={when}")) else {
                return;
            };
            let (mut child, stdout) = start(traced);
            let lines: Vec<String> = stdout.lines().map_while(Result::ok).collect();
            assert!(!child.wait().expect("ended").success(), "{case}: the program says that all is well");
            let told: Vec<Fact> = lines.iter().filter_map(|line| acknowledged(line)).collect();
            let (facts, ..) = journal::read(&session).expect("read");
            // The record whose sync failed may be in the file; nothing was written after it.
            assert!(facts.len() - 1 <= told.len() + 1, "{case}: {} acknowledged, {} kept", told.len(), facts.len() - 1);
            let reason = if error == "ENOSPC" { "No space left on device" } else { "Input/output error" };
            let reported = lines.iter().any(|line| line.contains("\"event\":\"error\"") && line.contains(reason));
            assert!(reported, "{case}: {lines:?}");
            check(dir.path(), &session, &told, &case);
        }
    }
}
