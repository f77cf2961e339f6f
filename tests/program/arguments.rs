//! The command line itself: what the program prints about its arguments, on which stream and with which exit code.

use std::process::{Command, Output};

fn run(args: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_crossexam");
    Command::new(program).args(args).env("TERM", "xterm").output().expect("the program runs")
}

#[test]
fn no_argument_acts_on_the_terminal() {
    let attack = "\u{1b}]0;X\u{7}\u{9b}31m\u{202e}";
    let unknown = format!("--{attack}");
    let cases: [&[&str]; 8] = [
        &["lint", &unknown],
        &["lint", attack],
        &[attack],
        &["models", attack],
        &["--device", attack],
        &["check", "--policy", attack, "--llm", "scripted:0.9"],
        &["repl", "--batch", "--no-record", "-e", attack],
        &["replay", "--plain", attack],
    ];
    for args in cases {
        let output = run(args);
        assert!(!output.status.success(), "{args:?}");
        let all = [output.stdout, output.stderr].concat();
        let text = String::from_utf8(all).expect("text");
        assert!(text.contains("<U+001B>"), "{args:?} is told: {text}");
        let acts = text.chars().find(|c| *c != '\n' && (c.is_control() || *c == '\u{202e}'));
        assert_eq!(acts, None, "{args:?}: {text:?}");
    }
}

#[test]
fn help_and_version_go_to_stdout_and_faults_to_stderr() {
    for (args, code) in [(&["--help"][..], 0), (&["--version"], 0), (&["lint", "--help"], 0), (&["lint", "--grph"], 2)]
    {
        let output = run(args);
        assert_eq!(output.status.code(), Some(code), "{args:?}");
        let (full, empty) = match code {
            0 => (output.stdout, output.stderr),
            _ => (output.stderr, output.stdout),
        };
        assert!(!full.is_empty() && empty.is_empty(), "{args:?}");
        assert!(!full.contains(&0x1b), "{args:?}: no colours in a pipe");
    }
}

#[test]
fn more_threads_than_the_machine_can_use_are_refused_before_anything_is_started() {
    for entry in [&["bench", "none.gguf"][..], &["repl", "--batch"], &["check", "--policy", "p.toml"], &["demo"]] {
        let args = [entry, &["--threads", "1000000"]].concat();
        let output = run(&args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let said = String::from_utf8(output.stderr).expect("text");
        assert!(said.contains("at most ") && said.contains("for each core"), "{args:?}: {said}");
    }
}
