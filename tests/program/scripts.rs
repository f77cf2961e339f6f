//! Scripts and their output: every file in `testdata/scripts` is run through the real binary with a scripted judge and
//! compared with the transcript beside it (`NAME.out`).
//!
//! Must run each script as a user's pipe would. After an intended change, regenerate the transcripts and read the diff:
//! `UPDATE_TRANSCRIPTS=1 cargo test --test program scripts`.

use crate::common::clock::without_times;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The arguments of a session unless the script's first line is `# args: …`. The first answer of every node has
/// probability 0.2, so the second one is taken.
const OPEN: &str = "--policy builtin:scams.toml --samples builtin:scams.jsonl --llm scripted:0.2 --no-record";

fn scripts() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/scripts");
    let entries = fs::read_dir(&folder).expect("the folder of scripts");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    let (transcripts, scripts): (Vec<_>, Vec<_>) =
        files.into_iter().partition(|path| path.extension().is_some_and(|e| e == "out"));
    let lonely: Vec<_> =
        transcripts.iter().filter(|out| !scripts.iter().any(|s| s.with_extension("out") == **out)).collect();
    assert!(lonely.is_empty() && scripts.len() >= 5, "transcripts without a script: {lonely:?}");
    scripts
}

/// Stdout, then stderr if there is any, then the exit code.
fn run(script: &[u8]) -> String {
    let dir = tempfile::tempdir().expect("a folder");
    let first = String::from_utf8_lossy(script);
    let args = first.lines().next().and_then(|line| line.strip_prefix("# args: ")).unwrap_or(OPEN);
    let mut child = Command::new(env!("CARGO_BIN_EXE_crossexam"))
        .args(["repl", "--batch"])
        .args(args.split_whitespace())
        .current_dir(dir.path())
        .env_clear()
        .env("HOME", dir.path())
        .env("USER", "tester")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut input = child.stdin.take().expect("a pipe");
    // A script that ends early leaves the rest unread; then the pipe is closed on us, which is no fault.
    drop(input.write_all(script));
    drop(input);
    let output = child.wait_with_output().expect("the binary ends");
    let mut text = String::from_utf8(output.stdout).expect("UTF-8");
    if !output.stderr.is_empty() {
        text.push_str("-- stderr\n");
        text.push_str(&String::from_utf8_lossy(&output.stderr));
    }
    text.push_str(&format!("-- exit code {:?}\n", output.status.code().expect("no signal")));
    let text = text.replace(&dir.path().display().to_string(), "HERE");
    without_times(&text)
}

#[test]
fn every_script_prints_its_transcript() {
    let update = std::env::var_os("UPDATE_TRANSCRIPTS").is_some();
    let mut other = Vec::new();
    for script in scripts() {
        let found = run(&fs::read(&script).expect("a script"));
        let transcript = script.with_extension("out");
        if update {
            fs::write(&transcript, &found).expect("the transcript can be written");
        }
        let wanted = fs::read_to_string(&transcript).unwrap_or_default();
        if let Some(line) = (0..).zip(found.lines().zip(wanted.lines())).find(|(_, (f, w))| f != w) {
            other.push(format!("{}:{}: {:?}, expected {:?}", transcript.display(), line.0 + 1, line.1.0, line.1.1));
        } else if found != wanted {
            let (found, wanted) = (found.lines().count(), wanted.lines().count());
            other.push(format!("{}: {found} lines, expected {wanted}", transcript.display()));
        }
    }
    assert!(other.is_empty(), "UPDATE_TRANSCRIPTS=1 writes them anew:\n{}", other.join("\n"));
}
