//! Paths as users have them: not always UTF-8, and with `~` in commands.
//!
//! Must run the real binary, since arguments are where such paths come in.
#![cfg(unix)]

use super::check::{crossexam, fed};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::Output;

/// A folder with a policy, samples, a script and a scripted judge, all under names that are no text.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    std::fs::create_dir(dir.path().join(name("d"))).expect("made");
    std::fs::copy(testdata.join("policies/scams.toml"), dir.path().join(name("p.toml"))).expect("copied");
    std::fs::copy(testdata.join("samples/scams.jsonl"), dir.path().join(name("s.jsonl"))).expect("copied");
    std::fs::write(dir.path().join(name("x.cmd")), "step\n").expect("written");
    std::fs::write(dir.path().join(name("judge.txt")), "because").expect("written");
    dir
}

/// `gr\xfcn-` and the rest.
fn name(rest: &str) -> OsString {
    OsString::from_vec([b"gr\xfcn-", rest.as_bytes()].concat())
}

fn run(dir: &Path, args: &[&dyn AsRef<OsStr>], input: &str) -> (Option<i32>, String, String) {
    let mut command = crossexam(dir, &[]);
    command.args(args);
    let Output { status, stdout, stderr } = fed(command, input.as_bytes());
    // No raw byte of such a name may reach a terminal.
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("what is shown is escaped");
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn every_argument_that_is_a_path_may_be_one_that_is_not_utf8() {
    let dir = folder();
    let (policy, samples, session, sessions) = (name("p.toml"), name("s.jsonl"), name("y.jsonl"), name("d"));
    let judge = OsString::from_vec([b"scripted:".as_slice(), name("judge.txt").as_bytes()].concat());
    let sample = "{\"text\":\"a\"}\n";
    let (code, out, err) = run(dir.path(), &[&"check", &"--policy", &policy, &"--llm", &judge], sample);
    assert!(code == Some(0) && out.contains("\"key\""), "{out}{err}");
    let open: &[&dyn AsRef<OsStr>] = &[&"repl", &"--policy", &policy, &"--samples", &samples, &"--llm", &judge];
    let (code, out, err) = run(dir.path(), &[open, &[&"--session", &session, &"-x", &name("x.cmd")]].concat(), "");
    assert!(code == Some(0) && out.contains("gr<U+10FFFC>n-p.toml"), "{out}{err}");
    assert!(dir.path().join(&session).is_file());
    let (code, out, err) = run(dir.path(), &[&"replay", &session], "");
    assert!(code == Some(0) && out.contains("step"), "{out}{err}");
    let (code, _, err) = run(dir.path(), &[open, &[&"--sessions-dir", &sessions]].concat(), "step\n");
    assert_eq!((code, std::fs::read_dir(dir.path().join(&sessions)).expect("there").count()), (Some(0), 1), "{err}");
    let (code, _, err) = run(dir.path(), &[&"lint", &policy, &"--samples", &samples], "");
    assert!(code == Some(0) && err.contains("1 policy file and 1 samples file checked"), "{err}");
    // A model of that name is looked for, and the message shows which.
    let (code, _, err) = run(dir.path(), &[&"models", &"score", &name("m.gguf")], "");
    assert!(code == Some(2) && err.contains("gr<U+10FFFC>n-m.gguf"), "{err}");
    let none = name("none.toml");
    let (code, _, err) = run(dir.path(), &[&"check", &"--policy", &none, &"--llm", &judge], sample);
    assert!(code == Some(2) && err.contains("gr<U+10FFFC>n-none.toml"), "{err}");
}

#[test]
fn a_session_over_paths_that_are_not_utf8_finds_them_again() {
    let dir = folder();
    let (policy, samples) = (name("p.toml"), name("s.jsonl"));
    let open: &[&dyn AsRef<OsStr>] = &[&"repl", &"--policy", &policy, &"--samples", &samples, &"--session", &"x.jsonl"];
    assert_eq!(run(dir.path(), open, "").0, Some(0));
    // The samples are read again, and the policy: both by the path in the session.
    let (code, out, err) = run(dir.path(), &[&"repl", &"--session", &"x.jsonl"], "sample 2\nreload\n");
    assert_eq!(code, Some(0), "{out}{err}");
}

#[test]
fn a_tilde_in_a_command_is_the_home_folder() {
    let dir = folder();
    let at = |name: &str| dir.path().join(name);
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    std::fs::copy(testdata.join("policies/scams.toml"), at("p.toml")).expect("copied");
    std::fs::copy(testdata.join("samples/scams.jsonl"), at("s.jsonl")).expect("copied");
    std::fs::write(at("x.cmd"), "sample 2\n").expect("written");
    let elsewhere: PathBuf = at("elsewhere");
    std::fs::create_dir(&elsewhere).expect("made");
    let script = "load policy ~/p.toml\nload samples ~/s.jsonl\nsource ~/x.cmd\nsave ~/y.jsonl\n";
    let mut command = crossexam(&elsewhere, &["repl", "--session", "x.jsonl"]);
    command.env("HOME", dir.path());
    let output = fed(command, script.as_bytes());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(at("y.jsonl").is_file() && !elsewhere.join("~").exists());
    // A model's name is a path, too; the message names the one that was looked for.
    let mut command = crossexam(&elsewhere, &["repl", "--no-record", "-e", "load model ~/none.gguf", "--batch"]);
    command.env("HOME", dir.path());
    let said = String::from_utf8(fed(command, b"").stdout).expect("text");
    assert!(said.contains(&at("none.gguf").display().to_string()), "{said}");
    // In a folder that has one, `./~` is a file called so.
    std::fs::copy(at("p.toml"), elsewhere.join("~")).expect("copied");
    let output = fed(crossexam(&elsewhere, &["lint", "./~"]), b"");
    assert_eq!(output.status.code(), Some(0));
}
