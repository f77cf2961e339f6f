//! Every file in `sessions/` is a recorded session that reads without damage, means the same when written again, is
//! copied byte for byte, and replays without a model. They are examples for people, and a promise that old files stay
//! readable.

use crate::common::pty::{Pty, Start};
use crate::common::schema::misfit;
use crossexam::frontend::replay;
use crossexam::session::replay::{Replay, Stride};
use crossexam::session::{Fact, Journal, SessionState, journal, wire};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn sessions() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sessions");
    let entries = std::fs::read_dir(&folder).expect("the folder of example sessions is there");
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    found.retain(|path| path.extension().is_some_and(|e| e == "jsonl"));
    found.sort();
    assert!(!found.is_empty(), "there are no example sessions");
    found
}

fn folded(facts: &[Fact]) -> SessionState {
    let mut state = SessionState::default();
    facts.iter().for_each(|fact| state.apply(fact));
    state
}

#[test]
fn example_sessions_are_whole_and_mean_the_same_when_written_again() {
    for path in sessions() {
        let (facts, recovery) = journal::read(&path).unwrap_or_else(|e| panic!("{e}"));
        assert!(recovery.is_clean(), "{}: {:?}", path.display(), recovery.notices());
        let again: Vec<Fact> = facts
            .iter()
            .map(|fact| wire::from_text(wire::to_text(fact).as_bytes()).expect("what was written can be read"))
            .collect();
        assert_eq!(again, facts, "{}", path.display());
        assert_eq!(folded(&again), folded(&facts), "{}", path.display());
    }
}

#[test]
fn example_sessions_are_copied_byte_by_byte() {
    let dir = tempfile::tempdir().expect("a folder");
    for path in sessions() {
        let (opened, copy) = (dir.path().join("opened.jsonl"), dir.path().join("copy.jsonl"));
        std::fs::copy(&path, &opened).expect("copied");
        let (mut journal, ..) = Journal::resume(&opened).unwrap_or_else(|e| panic!("{e}"));
        journal.copy_to(&copy, true).unwrap_or_else(|e| panic!("{e}"));
        let original = std::fs::read(&path).expect("read");
        assert!(std::fs::read(&copy).expect("read") == original, "{}: the copy differs", path.display());
        assert!(std::fs::read(&opened).expect("read") == original, "{}: opening it changed it", path.display());
    }
}

#[test]
fn example_sessions_show_a_whole_walk_and_can_be_gone_through_both_ways() {
    for path in sessions() {
        let (facts, _) = journal::read(&path).unwrap_or_else(|e| panic!("{e}"));
        let mut replay = Replay::new(facts.clone());
        let mut leaves = 0;
        while !replay.is_at_end() {
            leaves += replay.forward(Stride::Stop).iter().filter(|f| matches!(***f, Fact::LeafReached { .. })).count();
        }
        assert!(leaves > 0, "{}: no walk reached a leaf", path.display());
        assert_eq!(replay.state(), &folded(&facts), "{}", path.display());
        while replay.position() > 0 {
            replay.back(Stride::Step);
            assert_eq!(replay.state(), &folded(&facts[..replay.position()]), "{}", path.display());
        }
    }
}

#[test]
fn example_sessions_are_printed_without_a_model() {
    for path in sessions() {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = replay::Replay { path: &path, width: 100, theme: None, author: "ana".into() }
            .run(&mut out, &mut err)
            .expect("memory");
        assert_eq!((code, String::from_utf8_lossy(&err).as_ref()), (0, ""), "{}", path.display());
        let text = String::from_utf8(out).expect("text");
        assert!(text.contains("recorded"), "{}: no value is marked as recorded", path.display());
        let control = text.chars().find(|c| c.is_control() && *c != '\n');
        assert_eq!(control, None, "{}", path.display());
    }
}

fn assert_fits_the_schema(path: &Path) -> Vec<String> {
    let schema: serde_json::Value =
        serde_json::from_str(include_str!("../../docs/session.schema.json")).expect("the schema is JSON");
    let mut kinds = Vec::new();
    for (number, line) in std::fs::read_to_string(path).expect("read").lines().enumerate() {
        let record: serde_json::Value = serde_json::from_str(line).expect("one JSON object a line");
        let at = format!("{}:{}", path.display(), number + 1);
        assert_eq!(misfit(&schema, &schema, &record, &at), Ok(()));
        kinds.push(record["fact"]["kind"].as_str().expect("a kind").to_owned());
    }
    kinds
}

#[test]
fn example_sessions_fit_the_schema() {
    for path in sessions() {
        assert_fits_the_schema(&path);
    }
}

#[test]
fn a_session_written_by_the_program_fits_the_schema() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("session.jsonl");
    let run = |commands: &str| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_crossexam"))
            .args(["repl", "--keep-going", "--llm", "scripted:0.2", "--session"])
            .arg(&path)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env_clear()
            .env("HOME", dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let mut input = child.stdin.take().expect("a pipe");
        std::io::Write::write_all(&mut input, commands.as_bytes()).expect("the program reads");
        drop(input);
        child.wait().expect("the binary ends");
    };
    run("load policy testdata/policies/scams.toml\nload samples testdata/samples/scams.jsonl\nsample 6\n\
         mode direct\nstep\nmode rationale 12\nstep\nback\nbreak *\nbreak request=yes if gold is none\n\
         continue\ndelete 1\ncontinue\ndisplay p\nundisplay 1\nset threshold scam=0.2\n");
    run("note whole\ntag t\nset answer request=yes\nstep\nnote \u{1b}[2J\nsave SAVED\nuntil nowhere\n"
        .replace("SAVED", &dir.path().join("copy.jsonl").to_string_lossy())
        .as_str());
    let mut kinds = assert_fits_the_schema(&path);
    kinds.sort();
    kinds.dedup();
    for kind in [
        "opened",
        "command",
        "policy_loaded",
        "samples_loaded",
        "model_loaded",
        "mode_set",
        "walk_started",
        "walk_forked",
        "stepped",
        "leaf_reached",
        "stepped_back",
        "breakpoint_set",
        "breakpoint_deleted",
        "breakpoint_hit",
        "display_added",
        "display_removed",
        "threshold_set",
        "noted",
        "tagged",
        "failed",
        "saved",
        "resumed",
    ] {
        assert!(kinds.iter().any(|k| k == kind), "the script leaves no {kind}: {kinds:?}");
    }
}

/// The same fact with every number in it as large as possible, except those by which facts refer to each other.
fn at_the_limit(fact: &Fact) -> Fact {
    fn numbers<'a>(value: &'a mut serde_json::Value, name: &str, found: &mut Vec<&'a mut serde_json::Value>) {
        match value {
            serde_json::Value::Array(values) => values.iter_mut().for_each(|value| numbers(value, name, found)),
            serde_json::Value::Object(fields) => {
                fields.iter_mut().for_each(|(name, value)| numbers(value, name, found))
            }
            value if value.is_u64() && !["walk", "from"].contains(&name) => found.push(value),
            _ => {}
        }
    }
    let mut value = serde_json::to_value(wire::to_json(fact)).expect("JSON");
    let read = |value: &serde_json::Value| wire::from_text(value.to_string().as_bytes());
    for place in 0.. {
        let mut there = true;
        let larger = [u64::MAX, u64::from(u32::MAX), u64::from(u8::MAX)].into_iter().find_map(|most| {
            let (mut larger, mut found) = (value.clone(), Vec::new());
            numbers(&mut larger, "", &mut found);
            there = found.get_mut(place).map(|number| **number = most.into()).is_some();
            read(&larger).is_ok().then_some(larger)
        });
        if !there {
            break;
        }
        value = larger.unwrap_or(value);
    }
    read(&value).expect("a fact")
}

#[test]
fn numbers_at_their_limit_stop_no_front_end() {
    let dir = tempfile::tempdir().expect("a folder");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = dir.path().join("limit.jsonl");
    let run = |args: &[&str], script: &str| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_crossexam"))
            .args(args)
            .current_dir(root)
            .env_clear()
            .env("HOME", dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        std::io::Write::write_all(&mut child.stdin.take().expect("a pipe"), script.as_bytes()).expect("it reads");
        let output = child.wait_with_output().expect("it ends");
        let shown = [output.stdout, output.stderr].concat();
        let shown = String::from_utf8(shown).expect("text");
        assert!(!shown.contains("internal error") && !shown.contains("panicked"), "{args:?}: {shown}");
        (output.status.code(), shown)
    };
    let (session, number) = (path.to_str().expect("text"), u64::MAX.to_string());
    let first = dir.path().join("first.jsonl");
    let open = ["repl", "--keep-going", "--llm", "scripted:0.2", "--session"];
    run(
        &[&open[..], &[first.to_str().expect("text")]].concat(),
        "load policy testdata/policies/scams.toml\nload samples testdata/samples/scams.jsonl\nsample 6\nstep\nbreak *\n\
         display p\nnote a\nstep\ndelete\ncontinue\ntag t\nnote b\nset answer request=yes\nstep\nback\n",
    );
    let (facts, _) = journal::read(&first).expect("a session");
    let mut facts = facts.iter().map(at_the_limit);
    let mut written = Journal::create(&path, &facts.next().expect("its beginning")).expect("created");
    facts.for_each(|fact| written.append(&fact).expect("appended"));
    drop(written);

    let (code, shown) = run(&["replay", "--plain", session], "");
    assert!(code == Some(0) && shown.contains(&format!("sample {number}")), "{shown}");
    for size in [(120, 40), (80, 24), (60, 15)] {
        let mut pty = Pty::start(&Start {
            program: Path::new(env!("CARGO_BIN_EXE_crossexam")),
            args: &["replay", session],
            env: &[],
            dir: dir.path(),
            size,
        });
        pty.wait_text("Policy");
        pty.send("cssc[2]");
        pty.wait_text("the recording has");
        for view in ["info walks", "info samples", "info session", "info notes", "info breakpoints", "where", "compare"]
        {
            pty.send(&format!(":{view}\r"));
        }
        pty.send(":repl\r");
        pty.wait_prompt(&format!("crossexam {number}"));
        for line in ["step", "info samples", "walk 1", "sample 1", "next-sample"] {
            pty.line(line);
            pty.wait_prompt(&format!("crossexam {number}"));
        }
        pty.line("quit");
        assert_eq!(pty.wait_exit().exit_code(), 0, "at {size:?}");
    }
    let (_, shown) = run(
        &[&open[..], &[session]].concat(),
        "info samples\ninfo session\nwhere\nnext-sample\nnext-sample where gold == 'violating'\nprevious-sample\nstep\n\
         back 4294967295\nuntil remove\nbreak *\ndisplay p\nnote x\nrun\ncontinue\n",
    );
    assert!(shown.contains("this was the last sample") && shown.contains("no numbers left"), "{shown}");
}

#[cfg(unix)]
#[test]
fn a_note_is_not_acknowledged_once_the_session_file_is_gone_and_save_rescues_the_others() {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::process::{Command, Stdio};
    let dir = tempfile::tempdir().expect("a folder");
    let mut program = Command::new(env!("CARGO_BIN_EXE_crossexam"))
        .args(["repl", "--batch", "--keep-going", "--llm", "none", "--session", "s.jsonl"])
        .current_dir(dir.path())
        .env_clear()
        .env("HOME", dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut stdin = program.stdin.take().expect("piped");
    let mut lines = BufReader::new(program.stdout.take().expect("piped")).lines().map(|line| line.expect("text"));
    writeln!(stdin, "note kept").expect("it reads");
    lines.find(|line| line.starts_with("noted on")).expect("acknowledged");
    std::fs::remove_file(dir.path().join("s.jsonl")).expect("there");
    writeln!(stdin, "note lost\nsave rescued.jsonl\nquit").expect("it reads");
    drop(stdin);
    let rest: Vec<String> = lines.collect();
    let rest = rest.join("\n");
    assert!(!rest.contains("noted on") && rest.contains("deleted, moved or replaced"), "{rest}");
    assert!(rest.contains("now in rescued.jsonl"), "{rest}");
    assert!(!program.wait().expect("it ends").success(), "the loss is told by the exit code too");
    let rescued = std::fs::read_to_string(dir.path().join("rescued.jsonl")).expect("saved");
    assert!(rescued.contains("kept") && !rescued.contains("lost"));
}

#[test]
fn quitting_tells_where_the_session_is_and_replay_without_a_file_opens_the_newest() {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = dir.path().join("s");
    let folder = folder.to_str().expect("a UTF-8 path");
    for (front_end, ready, quit) in [("repl", "crossexam>", "quit\r"), ("open", "help", "q")] {
        let mut pty = Pty::start(&Start {
            program: Path::new(env!("CARGO_BIN_EXE_crossexam")),
            args: &[front_end, "--sessions-dir", folder],
            env: &[],
            dir: dir.path(),
            size: (120, 40),
        });
        pty.wait_text(ready);
        pty.send(quit);
        let ended = |screen: &vt100::Screen| screen.contents().contains("the session is in ");
        let shown = pty.wait("the end, or the question", |s| ended(s) || s.contents().contains("(y/n)"));
        if shown.contains("(y/n)") {
            // The commands of the start were still running.
            pty.send("y");
            pty.wait("the end", ended);
        }
    }
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crossexam"));
        let output = command.args(args).args(["--sessions-dir", folder]).env_clear().env("HOME", dir.path()).output();
        let output = output.expect("the binary runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, out, _) = run(&["sessions"]);
    assert_eq!((code, out.matches("no policy").count()), (Some(0), 2), "{out}");
    let (code, out, err) = run(&["replay", "--plain"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.starts_with("session opened ") && err.starts_with("note: the newest session, "), "{out}{err}");
    std::fs::remove_dir_all(folder).expect("removed");
    let (code, _, err) = run(&["replay"]);
    assert_eq!((code, err.contains("there is no session in ")), (Some(2), true), "{err}");
    std::fs::write(folder, "no folder").expect("written");
    for command in ["sessions", "replay"] {
        let (code, _, err) = run(&[command]);
        let told = format!("cannot read the sessions folder {folder}: ");
        assert_eq!((code, err.contains(&told)), (Some(2), true), "{command}: {err}");
    }
}

#[test]
fn a_note_of_a_reviewer_goes_to_a_file_beside_the_recording_and_is_shown_with_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let recording = dir.path().join("s.jsonl");
    std::fs::copy(sessions().first().expect("an example"), &recording).expect("copied");
    let before = std::fs::read(&recording).expect("read");
    let path = recording.to_str().expect("a UTF-8 path");
    let mut pty = Pty::start(&Start {
        program: Path::new(env!("CARGO_BIN_EXE_crossexam")),
        args: &["replay", path, "--author", "ana"],
        env: &[],
        dir: dir.path(),
        size: (120, 40),
    });
    pty.wait_text("help");
    pty.send("s:note seen twice\r");
    pty.wait_text("noted in review by ana");
    pty.send("q");
    assert_eq!(pty.wait_exit().exit_code(), 0);
    assert_eq!(std::fs::read(&recording).expect("read"), before, "the recording stays as it is");
    assert!(recording.with_file_name("s.jsonl.review-ana").exists());
    let output = Command::new(env!("CARGO_BIN_EXE_crossexam")).args(["replay", "--plain", path]).env_clear().output();
    let output = output.expect("the binary runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(out.contains("noted in review by ana on walk 1, step 1: seen twice"), "{out}");
    assert!(err.starts_with("note: with the review s.jsonl.review-ana: 1 note or tag"), "{err}");
}
