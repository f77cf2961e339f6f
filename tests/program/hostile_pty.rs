//! Hostile text in samples, ids, policies and model output: none of its control sequences may reach the terminal.

#![allow(clippy::print_stdout)]

use crate::common::pty::{Pty, Start};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Every control, format and variation-selector code point.
fn all_hidden() -> Vec<char> {
    let format = |c: char| {
        matches!(c, '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}' | '\u{891}'
            | '\u{8e2}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{110bd}'
            | '\u{110cd}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0001}' | '\u{e0020}'..='\u{e007f}' | '\u{e0100}'..='\u{e01ef}')
    };
    ('\0'..=char::MAX).filter(|c| c.is_control() || format(*c)).collect()
}

/// Texts that try to act on a terminal, plus the published list of such strings if it is available.
fn attacks() -> Vec<String> {
    let mut texts: Vec<String> = [
        "\u{1b}[2J\u{1b}[H\u{1b}]0;owned\u{7}",
        "\u{1b}]52;c;ZXZpbA==\u{1b}\\ \u{1b}]8;;https://evil.example\u{7}x\u{1b}]8;;\u{7}",
        "\u{1b}P+q544e\u{1b}\\ \u{1b}_gfake\u{1b}\\ \u{9b}31m \u{90}q\u{9c} \u{9d}0;x\u{9c}",
        "safe\rEVIL a\u{8}\u{8}b\u{7f} \u{1b}c \u{1b}[?1049l \u{1b}[?25h \u{e}\u{f}",
        "x\u{202e}gnp.exe\u{2066}y \u{200b}\u{2060}\u{feff} tag\u{e0041}\u{e007f}",
    ]
    .map(str::to_owned)
    .to_vec();
    for chunk in all_hidden().chunks(24) {
        texts.push(chunk.iter().flat_map(|c| ['a', *c]).collect());
    }
    let shared = std::env::var_os("CROSSEXAM_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    match std::fs::read_to_string(shared.join("data/hostile-strings/blns.json")) {
        Ok(json) => {
            let strings: Vec<String> = serde_json::from_str(&json).expect("a list of strings");
            let short = strings.into_iter().filter(|s| !s.is_empty()).collect::<Vec<_>>();
            texts.extend(short.chunks(6).map(|chunk| chunk.join(" ")));
        }
        Err(_) => println!("without the published list of hostile strings: it is not there"),
    }
    texts
}

/// Reads the bytes written to the terminal as a stream and panics at the first thing that the program itself never
/// writes.
fn assert_ours(raw: &[u8]) {
    let text = std::str::from_utf8(raw).expect("the program writes UTF-8");
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            if chars.peek() == Some(&']') {
                let asked: String = chars.by_ref().take(7).collect();
                assert_eq!(
                    asked, "]11;?\u{1b}\\",
                    "a command to the terminal that is not the question for its background"
                );
                continue;
            }
            assert_eq!(chars.next(), Some('['), "an escape that is no control sequence");
            let mut parameters = String::new();
            let last = loop {
                match chars.next() {
                    Some(p @ ('0'..='9' | ';' | '?')) => parameters.push(p),
                    Some(last) => break last,
                    None => break '\0',
                }
            };
            let ours = match last {
                'm' | 'H' | 'J' => !parameters.starts_with('?'),
                'h' | 'l' => ["?1004", "?1049", "?2004", "?25", "?1000", "?1006"].contains(&parameters.as_str()),
                _ => false,
            };
            assert!(ours, "a control sequence that is not ours, or has no end: {parameters}{last:?}");
            continue;
        }
        assert!(!c.is_control() || matches!(c, '\r' | '\n'), "a control character: {c:?}");
        // ZERO WIDTH JOINER and VARIATION SELECTOR-16 are part of whole emoji, which stay as they are.
        let acts = matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}');
        assert!(!acts, "a character that acts: {c:?}");
    }
}

/// A policy in which every text is hostile; TOML requires control characters to be escaped.
fn policy(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => write!(quoted, "\\u{:04X}", c as u32).expect("a string can be written to"),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    format!(
        "[policy]\nid = \"evil\"\nversion = \"1.0.0\"\ntitle = {quoted}\nroot = \"first\"\ninstructions = {quoted}\n\
         [node.first]\nquestion = {quoted}\nguidance = [{quoted}]\n[node.first.answers]\nyes = {{ leaf = \"bad\" }}\n\
         no = {{ leaf = \"good\" }}\n[leaf.bad]\noutcome = \"violating\"\nlabel = \"E1\"\n[leaf.good]\n\
         outcome = \"non_violating\"\n"
    )
}

#[test]
fn no_control_function_of_theirs_reaches_the_terminal() {
    let dir = tempfile::tempdir().expect("a folder");
    let texts = attacks();
    let file = |name: &str, content: &str| {
        std::fs::write(dir.path().join(name), content).expect("the folder can be written");
    };
    let mut samples = String::new();
    for (n, text) in texts.iter().enumerate() {
        let id: String = text.chars().take(24).collect();
        writeln!(samples, "{}", serde_json::json!({"id": format!("{n} {id}"), "text": text}))
            .expect("a string can be written to");
    }
    file("samples.jsonl", &samples);
    file("policy.toml", &policy(&texts[..5].concat()));
    let rationale: String = texts[..5].concat() + &all_hidden().iter().collect::<String>();
    file("rationale.txt", &rationale);
    let args = [
        "open",
        "--policy",
        "policy.toml",
        "--samples",
        "samples.jsonl",
        "--llm",
        "scripted:rationale.txt",
        "--mode",
        "rationale",
        "--no-record",
    ];
    let program = Path::new(env!("CARGO_BIN_EXE_crossexam"));
    let mut pty = Pty::start(&Start { program, args: &args, env: &[], dir: dir.path(), size: (120, 40) });
    pty.wait_text("model scripted");
    pty.send("s");
    pty.wait_text("step 1");
    pty.send("x");
    pty.wait_text("Esc close");
    pty.send("\u{1b}:note \u{202e}\u{200b}typed\r");
    pty.wait_text("noted");
    for n in 2..=texts.len() {
        pty.send("]");
        pty.wait_text(&format!("Sample {n}/"));
    }
    pty.send("q");
    pty.wait_exit();
    pty.assert_restored();
    assert_ours(&pty.raw());
}
