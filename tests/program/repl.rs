//! The prompt and scripts, with the real binary and a scripted judge.
//!
//! Must check what a person sees: a pseudo-terminal for the prompt, stdout and the exit code for scripts.

use crate::common::pty::{Pty, Start};
use std::io::{BufRead, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// What a session begins with here. The first answer of every node has probability 0.2, so the second is followed.
const OPEN: &[&str] = &[
    "--policy",
    "builtin:scams.toml",
    "--samples",
    "builtin:scams.jsonl",
    "--llm",
    "scripted:0.2",
    "--mode",
    "rationale",
    "--no-record",
];

fn batch(dir: &Path, args: &[&str], stdin: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_crossexam"))
        .arg("repl")
        .args(args)
        .current_dir(dir)
        .env_clear()
        .env("HOME", dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut input = child.stdin.take().expect("a pipe");
    // A script that ends early leaves the rest unread; then the pipe is closed on us, which is no fault.
    drop(input.write_all(stdin));
    drop(input);
    child.wait_with_output().expect("the binary ends")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("the output is UTF-8")
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

#[test]
fn exit_codes_tell_what_failed_and_the_first_failure_ends_a_script() {
    let dir = folder();
    let keep: Vec<&str> = OPEN.iter().copied().chain(["--keep-going"]).collect();
    for (args, script, code, last) in [
        (OPEN, "step\nquit\nstep\n", 0, "quit"),
        (OPEN, "break nowhere\nstep\n", 1, "break nowhere"),
        (OPEN, "stpe\nstep\n", 2, "stpe"),
        (OPEN, "step\n\u{0}\nstep\n", 2, ""),
        (OPEN, "tui\n", 1, "tui"),
        (OPEN, "where\nprint nonsense +\nstep\n", 1, "print nonsense +"),
        (&keep[..], "break nowhere\nstpe\nstep\n", 2, "step"),
        (&keep[..], "break nowhere\nquit\nstep\n", 1, "quit"),
    ] {
        let output = batch(dir.path(), args, script.as_bytes());
        let shown = text(&output.stdout);
        assert_eq!(output.status.code(), Some(code), "{script:?}: {shown}");
        let echoed = shown.lines().filter_map(|l| l.strip_prefix("> ")).next_back();
        assert!(last.is_empty() || echoed == Some(last), "{script:?} ended with {echoed:?}");
    }
    let output = batch(dir.path(), OPEN, b"step\n\xff\n");
    assert!(text(&output.stdout).contains("stdin:2: this line is not UTF-8"), "{}", text(&output.stdout));
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_device_that_this_build_does_not_have_ends_the_program_before_a_session_is_begun() {
    let dir = folder();
    for (device, built) in [("cuda:1", cfg!(feature = "cuda")), ("metal", cfg!(feature = "metal"))] {
        let feature = device.split(':').next().expect("a name");
        let output = batch(dir.path(), &["--device", device, "--session", "s.jsonl"], b"help\n");
        if !built {
            let told = text(&output.stderr);
            assert!(told.starts_with(&format!("error: {device} was asked for, and this build")), "{told}");
            assert!(told.contains(&format!("--features {feature}, as docs/GPU.md says")), "{told}");
            assert_eq!((output.status.code(), dir.path().join("s.jsonl").exists()), (Some(2), false));
        }
    }
    assert_eq!(batch(dir.path(), &["--device", "gpu", "--no-record"], b"").status.code(), Some(2));
}

#[test]
fn scripts_run_scripts_and_errors_name_file_and_line() {
    let dir = folder();
    let write = |name: &str, lines: &str| std::fs::write(dir.path().join(name), lines).expect("a file");
    write("outer.cmd", "step\nsource inner.cmd\nstep\n");
    write("inner.cmd", "# fine\nbreak nowhere\n");
    write("itself.cmd", "source itself.cmd\n");
    let args: Vec<&str> = OPEN.iter().copied().chain(["--batch", "-x", "outer.cmd", "-e", "where"]).collect();
    let output = batch(dir.path(), &args, b"");
    let shown = text(&output.stdout);
    assert!(shown.contains("error: inner.cmd:2: "), "{shown}");
    assert!(!shown.contains("> where"), "the first failure ends everything: {shown}");
    assert_eq!(output.status.code(), Some(1));
    for (line, message) in
        [("source itself.cmd", "scripts run scripts more than"), ("source none.cmd", "cannot read none.cmd")]
    {
        let output = batch(dir.path(), OPEN, format!("{line}\n").as_bytes());
        assert!(text(&output.stdout).contains(message), "{}", text(&output.stdout));
        assert_eq!(output.status.code(), Some(1));
    }
}

#[test]
fn json_is_one_object_a_line_and_holds_the_facts() {
    let dir = folder();
    let args: Vec<&str> = OPEN.iter().copied().chain(["--json", "--keep-going"]).collect();
    let output = batch(dir.path(), &args, "step\nwhere\nx prompt\nnote \u{1b}[2J\nstpe\n".as_bytes());
    let shown = text(&output.stdout);
    assert!(!shown.contains('\u{1b}'));
    let objects: Vec<serde_json::Value> =
        shown.lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{l}: {e}"))).collect();
    let count = |event: &str| objects.iter().filter(|o| o["event"] == event).count();
    assert_eq!((count("view"), count("error"), count("command")), (1, 1, 10), "{shown}");
    assert!(count("fact") > 5 && count("done") > 5, "{shown}");
    assert!(objects.iter().all(|o| o["v"] == 1));
    assert!(objects.iter().any(|o| o["event"] == "error" && o["kind"] == "usage" && o["place"] == "stdin:5"));
}

#[test]
#[cfg(unix)]
fn a_signal_ends_a_script_that_waits_for_its_next_line() {
    let dir = folder();
    let mut child = Command::new(env!("CARGO_BIN_EXE_crossexam"))
        .arg("repl")
        .args(OPEN)
        .env_clear()
        .env("HOME", dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let held_open = child.stdin.take();
    let mut out = std::io::BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let ready = out.by_ref().map(|l| l.expect("UTF-8")).any(|l| l.starts_with("model scripted"));
    assert!(ready, "the model was loaded");
    let signal = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(signal.is_ok_and(|s| s.success()), "the signal was sent");
    assert_eq!(child.wait().expect("the binary ends").code(), Some(130));
    drop(held_open);
}

#[test]
fn every_command_that_opens_a_model_names_a_file_that_is_none() {
    let dir = folder();
    std::fs::write(dir.path().join("bad.gguf"), "not a model").expect("a file");
    for command in [&["bench"][..], &["models", "score"], &["models", "tokenize"]] {
        let mut program = Command::new(env!("CARGO_BIN_EXE_crossexam"));
        program.args(command).arg("bad.gguf").current_dir(dir.path()).env_clear().env("HOME", dir.path());
        let output = program.stdin(Stdio::null()).output().expect("the binary starts");
        let said = text(&output.stderr);
        assert!(said.contains("bad.gguf: not a usable GGUF file") && said.contains("hint: "), "{command:?}: {said}");
        assert_eq!(output.status.code(), Some(1), "{command:?}");
    }
}

/// A prompt in a terminal.
fn prompt(dir: &Path) -> Pty {
    let args: Vec<&str> = ["repl"].iter().chain(OPEN).copied().collect();
    let program = Path::new(env!("CARGO_BIN_EXE_crossexam"));
    let pty = Pty::start(&Start { program, args: &args, env: &[], dir, size: (100, 40) });
    pty.wait_prompt("crossexam 1/awareness> ");
    pty
}

#[test]
fn a_person_at_the_prompt_steps_repeats_completes_and_leaves() {
    let dir = folder();
    let mut pty = prompt(dir.path());
    pty.line("step");
    pty.wait_text("1 awareness  no 0.800");
    pty.wait_prompt("crossexam 1/fiction> ");
    pty.line("");
    pty.wait_text("2 fiction  no 0.800");
    let screen = pty.wait_prompt("crossexam 1/request> ");
    assert_eq!(
        screen.matches("scripted rationale").count(),
        2,
        "what was streamed is replaced, not repeated:\n{screen}"
    );
    pty.send("info bre\t");
    pty.wait_text("info breakpoints");
    pty.send("\r");
    pty.wait_prompt("crossexam 1");
    pty.send("brea");
    pty.wait_text("break PLACE [if EXPR]");
    pty.send("\u{3}");
    pty.wait_prompt("crossexam 1");
    pty.line("stpe");
    pty.wait_text("did you mean `step`?");
    pty.wait_prompt("crossexam 1");
    pty.line("note first\\");
    pty.line("second");
    pty.wait_text("noted on walk 1, step 2");
    pty.wait_prompt("crossexam 1");
    pty.line("info notes");
    pty.wait_text("second");
    pty.wait_prompt("crossexam 1");
    pty.send("\u{4}");
    assert_eq!(pty.wait_exit().exit_code(), 0);
    pty.assert_restored();

    let mut pty = prompt(dir.path());
    pty.send("\u{1b}[A");
    pty.wait_text("> info notes");
    pty.send("\u{15}");
    pty.wait_prompt("crossexam 1");
    pty.line("quit");
    assert_eq!(pty.wait_exit().exit_code(), 0);
    pty.assert_restored();
}

#[test]
fn the_session_goes_on_from_the_prompt_to_the_screen_and_back() {
    let dir = folder();
    let mut pty = prompt(dir.path());
    pty.line("step");
    pty.wait_prompt("crossexam 1/fiction> ");
    pty.line("tui");
    pty.wait("the full screen", |screen| screen.alternate_screen() && screen.contents().contains("fiction"));
    pty.send(":repl\r");
    pty.wait("the prompt", |screen| !screen.alternate_screen());
    pty.wait_prompt("crossexam 1/fiction> ");
    pty.line("where");
    pty.wait_text("awareness");
    pty.wait_prompt("crossexam 1/fiction> ");
    pty.line("quit");
    assert_eq!(pty.wait_exit().exit_code(), 0);
    pty.assert_restored();
}

#[test]
fn what_a_hostile_line_holds_never_acts_on_the_terminal() {
    let dir = folder();
    let mut pty = prompt(dir.path());
    pty.send("\u{1b}[200~note \u{1b}]0;owned\u{7}\u{1b}[2J\u{202e}x\u{1b}[201~");
    pty.send("\r");
    pty.wait_text("U+202E");
    pty.wait_prompt("crossexam 1/awareness> ");
    pty.line("quit");
    pty.wait_exit();
    let raw = text(&pty.raw());
    assert!(!raw.contains("\u{1b}]0;owned") && !raw.contains('\u{202e}') && !raw.contains('\u{7}'), "{raw:?}");
}

#[test]
#[cfg(unix)]
fn a_termination_at_the_idle_prompt_ends_the_program_at_once_and_keeps_the_session() {
    for signal in ["-TERM", "-HUP"] {
        let dir = folder();
        let program = Path::new(env!("CARGO_BIN_EXE_crossexam"));
        let args = ["repl", "--policy", "builtin:scams.toml", "--session", "kept.jsonl"];
        let mut pty = Pty::start(&Start { program, args: &args, env: &[], dir: dir.path(), size: (100, 40) });
        pty.wait_prompt("crossexam> ");
        pty.line("note kept");
        pty.wait_text("noted");
        pty.wait_prompt("crossexam> ");
        pty.send("half a li");
        pty.wait_text("half a li");
        let sent = Command::new("kill").args([signal, &pty.pid().to_string()]).status().expect("kill runs");
        assert!(sent.success());
        assert_eq!(pty.wait_exit().exit_code(), 130, "{signal}");
        pty.assert_restored();
        let replayed = Command::new(program).args(["replay", "--plain", "kept.jsonl"]).current_dir(dir.path()).output();
        let replayed = replayed.expect("the binary runs");
        assert!(replayed.status.success() && text(&replayed.stdout).contains("noted on the session: kept"), "{signal}");
    }
}

#[test]
fn ctrl_c_stops_a_real_model_and_leaves_one_line_on_the_screen() {
    let Some(models) = crate::common::model::smollm2() else { return };
    let model = models.join("SmolLM2-135M-Instruct.Q4_1.gguf").to_string_lossy().into_owned();
    let dir = folder();
    let program = Path::new(env!("CARGO_BIN_EXE_crossexam"));
    let args =
        ["repl", "--policy", "builtin:scams.toml", "--samples", "builtin:scams.jsonl", "--llm", &model, "--no-record"];
    let mut pty = Pty::start(&Start { program, args: &args, env: &[], dir: dir.path(), size: (100, 40) });
    pty.wait_prompt("crossexam 1/awareness> ");
    pty.line("continue");
    pty.wait_text("reading the prompt");
    // What is typed meanwhile must not be written into the progress.
    pty.send("where\r\u{3}");
    pty.wait_text("stopped");
    let screen = pty.wait_prompt("crossexam 1/");
    assert_eq!(screen.matches("stopped").count(), 1, "{screen}");
    assert!(!screen.contains("reading the prompt") && !screen.contains("^C"), "{screen}");
    pty.line("quit");
    assert_eq!(pty.wait_exit().exit_code(), 0);
    pty.assert_restored();
}

/// A prompt at the first sample of the builtin policy.
fn at_the_prompt(dir: &Path) -> Pty {
    let args: Vec<&str> = ["repl"].into_iter().chain(OPEN.iter().copied()).collect();
    let program = Path::new(env!("CARGO_BIN_EXE_crossexam"));
    let pty = Pty::start(&Start { program, args: &args, env: &[], dir, size: (100, 40) });
    pty.wait_prompt("crossexam 1/");
    pty
}

#[test]
fn pasted_lines_are_commands_as_from_a_file_and_the_unfinished_one_stays_at_the_prompt() {
    let dir = folder();
    let mut pty = at_the_prompt(dir.path());
    pty.send("no\u{1b}[200~te one\r# step\r\rnote \u{3}two\u{1b}[A\u{4}\rtag last\rinfo no\u{1b}[201~");
    let screen = pty.wait("the unfinished line behind the prompt", |screen| {
        let (row, column) = screen.cursor_position();
        screen.contents_between(row, 0, row, column).ends_with("> info no")
    });
    for line in ["> note one", "# step", "> note two", "> tag last"] {
        assert!(screen.lines().any(|shown| shown.trim_end() == line), "{line} in\n{screen}");
    }
    assert!(!screen.contains("asks_for_value  "), "nothing was stepped:\n{screen}");
    pty.send("tes\r");
    let screen = pty.wait_text("two");
    assert!(screen.contains("one"), "{screen}");
    pty.wait_prompt("crossexam 1/");
    pty.send("\u{1b}[200~stpe\rnote never\r\u{1b}[201~");
    let screen = pty.wait_text("pasted:1");
    pty.wait_prompt("crossexam 1/");
    assert!(!screen.contains("> note never"), "the first that fails ends it:\n{screen}");
    pty.line("quit");
    pty.wait_exit();
}

#[test]
fn no_hint_stands_behind_a_word_that_is_complete_or_in_a_text_that_has_begun() {
    let dir = folder();
    let mut pty = at_the_prompt(dir.path());
    let shows = |pty: &Pty, line: &str| {
        pty.wait(&format!("{line:?} alone in its row"), |screen| {
            let (row, _) = screen.cursor_position();
            screen.contents_between(row, 0, row, 100).trim_end().ends_with(line)
        });
    };
    pty.send("info ");
    shows(&pty, "> info TOPIC");
    pty.send("disp\t");
    shows(&pty, "> info display");
    pty.send("\u{15}note ");
    shows(&pty, "> note TEXT");
    pty.send("a ");
    shows(&pty, "> note a");
    pty.send("\\\r");
    shows(&pty, "");
    pty.send("b ");
    shows(&pty, "b");
    pty.send("\r");
    pty.wait_prompt("crossexam 1/");
    pty.line("quit");
    pty.wait_exit();
}

/// A folder with a policy file, a program called `vim` that edits it, and what to start crossexam with.
#[cfg(unix)]
fn editable() -> (tempfile::TempDir, String) {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = folder();
    let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/policies/scams.toml");
    std::fs::copy(policy, dir.path().join("p.toml")).expect("copied");
    let vim = dir.path().join("vim");
    let script = "#!/bin/sh\necho \"$1\" > line\nsed -i 's/^question = \"/question = \"Now: /' \"$2\"\n";
    std::fs::write(&vim, script).expect("written");
    std::fs::set_permissions(&vim, std::fs::Permissions::from_mode(0o755)).expect("set");
    let path = format!("{}:/usr/bin:/bin", dir.path().display());
    (dir, path)
}

#[cfg(unix)]
#[test]
fn edit_opens_the_editor_at_the_node_and_reloads_after_it() {
    for (front_end, ready, colon) in [("repl", "crossexam", ""), ("open", "help", ":")] {
        let (dir, path) = editable();
        let mut pty = Pty::start(&Start {
            program: Path::new(env!("CARGO_BIN_EXE_crossexam")),
            args: &[front_end, "--policy", "p.toml", "--samples", "builtin:scams.jsonl", "--no-record"],
            env: &[("PATH", &path), ("VISUAL", "vim"), ("EDITOR", "none")],
            dir: dir.path(),
            size: (120, 40),
        });
        pty.wait_text(ready);
        pty.wait_text("sample 1");
        pty.send(colon);
        pty.line("edit request");
        let shown = pty.wait_text("node sale: question");
        let line = std::fs::read_to_string(dir.path().join("line")).expect("the editor ran");
        let policy = std::fs::read_to_string(dir.path().join("p.toml")).expect("read");
        let header = policy.lines().position(|l| l == "[node.request]").expect("the node is there");
        assert_eq!(line.trim(), format!("+{}", header + 1), "{front_end}");
        assert!(!shown.contains("changed on disk"), "{front_end}: {shown}");
    }
}

#[cfg(unix)]
#[test]
fn a_policy_that_changes_on_disk_is_told_once_and_never_loaded_by_itself() {
    let (dir, _) = editable();
    let mut child = Command::new(env!("CARGO_BIN_EXE_crossexam"))
        .args(["repl", "--keep-going", "--policy", "p.toml", "--samples", "builtin:scams.jsonl", "--no-record"])
        .current_dir(dir.path())
        .env_clear()
        .env("HOME", dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut input = child.stdin.take().expect("a pipe");
    let mut lines = std::io::BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.starts_with("sample 1 of")), "the policy is loaded by then");
    let path = dir.path().join("p.toml");
    let policy = std::fs::read_to_string(&path).expect("read");
    std::fs::write(&path, policy.replace("question = \"", "question = \"Now: ")).expect("written");
    input.write_all(b"sample 2\ninfo node\nreload\ninfo node\nedit\n").expect("the program reads");
    drop(input);
    let shown: Vec<String> = lines.collect();
    assert_eq!(child.wait().expect("it ends").code(), Some(1), "`edit` is refused");
    let at =
        |text: &str| shown.iter().position(|line| line.contains(text)).unwrap_or_else(|| panic!("{text}: {shown:#?}"));
    assert_eq!(shown.iter().filter(|line| line.contains("policy file changed on disk")).count(), 1, "{shown:#?}");
    assert!(at("policy file changed on disk") < at("> info node"), "{shown:#?}");
    assert!(at("> reload") < at("Now: "), "it is not loaded before: {shown:#?}");
    assert!(at("`edit` needs somebody at the prompt") > at("> edit"), "{shown:#?}");
}
