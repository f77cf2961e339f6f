//! The full-screen program in a pseudo-terminal: it takes the terminal over and always restores it.

use crate::common::pty::{Pty, Start};
use std::path::Path;

/// The debugger on the scam policy with a judge that uses `script` as rationale, or as probability.
fn open(dir: &Path, llm: &str, size: (u16, u16)) -> Pty {
    open_with(dir, llm, size, &[], &[])
}

/// The same with an environment and more arguments.
fn open_with(dir: &Path, llm: &str, size: (u16, u16), env: &[(&str, &str)], more: &[&str]) -> Pty {
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
    let args = [&args, more].concat();
    Pty::start(&Start { program: Path::new(env!("CARGO_BIN_EXE_crossexam")), args: &args, env, dir, size })
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
    pty.wait_text("This terminal is 40×10");
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

/// The colour of the title of the policy pane, which has the focus.
fn colour_of_focus(screen: &vt100::Screen) -> Option<vt100::Color> {
    let (rows, columns) = screen.size();
    let cells = (0..rows.get()).flat_map(|row| (0..columns.get()).map(move |column| (row, column)));
    let mut cells = cells.filter_map(|(row, column)| screen.cell(row, column));
    cells.find(|cell| cell.contents() == "┏").map(vt100::Cell::fgcolor)
}

#[test]
fn a_terminal_of_no_size_is_drawn_on_as_80_by_24() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut pty = open(dir.path(), "scripted:0.9", (0, 0));
    pty.wait("a whole screen", |s| ["Policy ·", "s step", "q quit"].iter().all(|t| s.contents().contains(t)));
    pty.send("q");
    assert_eq!(pty.wait_exit().exit_code(), 0);
    pty.assert_restored();
}

#[test]
fn the_terminal_is_asked_for_its_background_and_its_answer_is_never_typed_however_late_it_comes() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut pty = open(dir.path(), "scripted:0.9", (120, 40));
    pty.wait_text("model scripted");
    assert!(String::from_utf8_lossy(&pty.raw()).contains("\x1b]11;?\x1b\\"), "the question");
    for (answer, colour) in [("\x1b]11;rgb:ffff/ffff/ffff\x1b\\", 4), ("\x1b]11;rgb:0000/0000/0000\x07", 14)] {
        pty.send(answer);
        pty.wait("the colours of that background", |s| colour_of_focus(s) == Some(vt100::Color::Idx(colour)));
    }
    // Had any of it been typed, `]` would have moved to another sample, and digits would be in the status line.
    pty.send("?");
    let screen = pty.wait_text(" Help ");
    assert!(screen.contains("sample 1/41") && !screen.contains("rgb"), "{screen}");
    pty.send("q");
    pty.wait("the panes", |s| s.contents().contains("s step"));
    pty.send("q");
    assert_eq!(pty.wait_exit().exit_code(), 0);
    pty.assert_restored();
}

#[test]
fn themes_are_chosen_by_flag_by_colorfgbg_and_by_the_lack_of_colours() {
    let dir = tempfile::tempdir().expect("a folder");
    let default = vt100::Color::Default;
    for (env, more, colour) in [
        (&[][..], &["--theme", "light"][..], vt100::Color::Idx(4)),
        (&[], &["--theme", "dark"], vt100::Color::Idx(14)),
        (&[], &["--theme", "mono"], default),
        (&[("COLORFGBG", "0;15")], &[], vt100::Color::Idx(4)),
        (&[("NO_COLOR", "1")], &[], default),
        (&[], &["--color", "never"], default),
    ] {
        let mut pty = open_with(dir.path(), "scripted:0.9", (120, 40), env, more);
        pty.wait("the pane with the focus", |s| colour_of_focus(s) == Some(colour) && s.contents().contains("s step"));
        let asks = String::from_utf8_lossy(&pty.raw()).contains("\x1b]11;?");
        assert_eq!(asks, env.first().is_some_and(|(name, _)| *name == "COLORFGBG"), "{env:?} {more:?}");
        pty.send("q");
        assert_eq!(pty.wait_exit().exit_code(), 0);
    }
}

#[test]
fn a_terminal_without_utf_8_gets_ascii_only() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut pty = open_with(dir.path(), "scripted:0.9", (120, 40), &[("LC_ALL", "C")], &[]);
    pty.wait("the panes", |s| s.contents().contains("Policy .") && s.contents().contains("+- "));
    pty.send("c");
    pty.wait_text("leaf ");
    assert!(pty.raw().is_ascii());
    pty.send("q");
    assert_eq!(pty.wait_exit().exit_code(), 0);
}
