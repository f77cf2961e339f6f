//! The full-screen program in a pseudo-terminal: it takes the terminal over and always gives it back.

use crate::common::pty::{Pty, Start};
use std::path::Path;

/// The debugger on the scam policy with a judge that gives `script` as rationale, or a probability.
fn open(dir: &Path, llm: &str, size: (u16, u16)) -> Pty {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let policy = root.join("testdata/policies/scams.toml");
    let samples = root.join("testdata/samples/scams.jsonl");
    let args = [
        "open",
        "--policy",
        policy.to_str().expect("a path of plain text"),
        "--samples",
        samples.to_str().expect("a path of plain text"),
        "--llm",
        llm,
        "--mode",
        "rationale",
        "--no-record",
    ];
    Pty::start(&Start { program: Path::new(env!("CARGO_BIN_EXE_crossexam")), args: &args, env: &[], dir, size })
}

#[test]
fn a_step_is_shown_and_quitting_gives_the_terminal_back() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut pty = open(dir.path(), "scripted:0.9", (120, 40));
    pty.wait_text("model scripted");
    pty.send("s");
    pty.wait_text("step 1");
    pty.send("q");
    assert_eq!(pty.wait_exit().exit_code(), 0);
    pty.assert_restored();
}

#[test]
fn a_storm_of_resizes_leaves_a_whole_screen() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut pty = open(dir.path(), "scripted:0.9", (120, 40));
    pty.wait_text("model scripted");
    for n in 0..60_u16 {
        pty.resize(1 + n * 37 % 150, 1 + n * 17 % 50);
    }
    pty.resize(40, 10);
    pty.wait_text("the panes need");
    pty.resize(100, 30);
    pty.wait("a whole screen", |s| {
        ["Policy ·", "Node", "Sample 1/41", "q quit"].iter().all(|t| s.contents().contains(t))
    });
    pty.send("q");
    assert_eq!(pty.wait_exit().exit_code(), 0);
    pty.assert_restored();
}

#[test]
fn ctrl_c_stops_a_real_model_and_the_walk_can_go_on() {
    let Some(models) = crate::common::model::smollm2() else { return };
    let model = models.join("SmolLM2-135M-Instruct.Q4_1.gguf").to_string_lossy().into_owned();
    let dir = tempfile::tempdir().expect("a folder");
    let mut pty = open(dir.path(), &model, (120, 40));
    pty.wait_text("SmolLM2");
    pty.wait("the model to be loaded", |s| s.contents().contains("next: ") && s.contents().contains("s step"));
    pty.send("c");
    pty.wait_text("writing, ");
    pty.send("\u{3}");
    pty.wait_text("stopped while asking");
    pty.send("q");
    assert_eq!(pty.wait_exit().exit_code(), 0);
    pty.assert_restored();
}

#[test]
fn a_termination_ends_the_program_and_gives_the_terminal_back() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut pty = open(dir.path(), "scripted:0.3", (120, 40));
    pty.wait_text("Policy");
    let sent = std::process::Command::new("kill").args(["-TERM", &pty.pid().to_string()]).status().expect("kill runs");
    assert!(sent.success());
    assert_eq!(pty.wait_exit().exit_code(), 130);
    pty.assert_restored();
}
