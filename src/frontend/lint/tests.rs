//! Tests of what `lint` writes and of its exit codes.
//!
//! Must check what people and programs see, not how the checks work.

use super::*;
use std::fs;

fn testdata(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(path)
}

/// Runs `lint`; the folder of this checkout becomes `testdata`.
fn lint(paths: &[PathBuf], options: LintOptions) -> (u8, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = run(paths, &options, &mut out, &mut err).expect("memory takes everything");
    let text = |bytes: Vec<u8>| {
        let text = String::from_utf8(bytes).expect("lint writes text");
        text.replace(&*testdata("").to_string_lossy(), "testdata/")
    };
    (code, text(out), text(err))
}

fn broken(name: &str) -> PathBuf {
    testdata("broken").join(name)
}

#[test]
fn every_broken_policy_says_this_and_this_to_do() {
    let mut files: Vec<PathBuf> = fs::read_dir(testdata("broken")).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|p| p.extension().is_some_and(|e| e == "toml"));
    files.sort();
    let (code, out, err) = lint(&files, LintOptions::default());
    assert_eq!(code, 1);
    insta::assert_snapshot!("plain", out);
    insta::assert_snapshot!(err, @"83 policy files checked: 57 errors, 25 warnings\n");
}

#[test]
fn pictures_point_at_the_fault() {
    let files = [
        "p050-cycle.toml",
        "p028-unknown-node.toml",
        "p061-term-twice.toml",
        "p131-hidden-character.toml",
        "p120-no-instructions.toml",
    ];
    let options = LintOptions { terminal: true, width: 100, ..LintOptions::default() };
    let (_, out, _) = lint(&files.map(broken), options);
    insta::assert_snapshot!("pictures", out);
}

#[test]
fn json_lines_hold_everything() {
    let (code, out, err) =
        lint(&[broken("p061-term-twice.toml")], LintOptions { json: true, ..LintOptions::default() });
    assert_eq!((code, err.as_str()), (1, ""));
    let value: serde_json::Value = serde_json::from_str(&out).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&value).unwrap());
}

#[test]
fn the_exit_code_tells_clean_from_broken_from_unreadable() {
    let cases: [(&[&str], u8); 6] = [
        (&["00-good.toml"], 0),
        (&["p121-no-examples.toml"], 0),
        (&["p050-cycle.toml"], 1),
        (&["00-good.toml", "p050-cycle.toml"], 1),
        (&["p050-cycle.toml", "not-there.toml"], 2),
        (&[], 2),
    ];
    for (names, code) in cases {
        let paths: Vec<PathBuf> = names.iter().map(|n| broken(n)).collect();
        assert_eq!(lint(&paths, LintOptions::default()).0, code, "{names:?}");
    }
}

#[test]
fn the_policies_of_the_project_are_clean() {
    let mut files: Vec<PathBuf> = fs::read_dir(testdata("policies")).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    let (code, out, _) = lint(&files, LintOptions::default());
    assert_eq!((code, out.as_str()), (0, ""));
}

#[test]
fn graphs_go_to_out_and_diagnostics_to_err() {
    for format in GraphFormat::ALL {
        let options = LintOptions { graph: Some(format), ..LintOptions::default() };
        let (code, out, err) = lint(&[broken("p121-no-examples.toml")], options);
        assert_eq!(code, 0);
        assert!(err.contains("warning[P121]"), "{err}");
        insta::assert_snapshot!(format!("graph_{}", format.as_str()), out);
    }
}

#[test]
fn no_control_function_of_a_policy_reaches_the_terminal() {
    let dir = tempfile::tempdir().unwrap();
    let hostile = "\\u001b]0;owned\\u0007\\u009b2J\\u202e";
    let raw = "\u{202e}\u{200b}\u{9b}2J\u{e0041}";
    let good = fs::read_to_string(broken("00-good.toml")).unwrap();
    let text = good
        .replace("Postage and fees", &format!("{raw} {hostile} Postage"))
        .replace("next = \"asks_to_pay\"", &format!("next = \"{hostile}\", \"{raw}\" = 1"))
        .replace("Fake giveaways", &format!("{hostile}{raw}"));
    let path = dir.path().join("hostile\u{1b}[31m.toml");
    fs::write(&path, text).unwrap();
    let plain = LintOptions::default();
    let terminal = LintOptions { terminal: true, ..LintOptions::default() };
    let as_json = LintOptions { json: true, ..LintOptions::default() };
    for options in [plain, terminal, as_json] {
        let (code, out, err) = lint(std::slice::from_ref(&path), options);
        assert_eq!(code, 1);
        for c in out.chars().chain(err.chars()) {
            assert!(c == '\n' || !crate::text::is_hidden(c), "U+{:04X} went through", c as u32);
        }
    }
}

#[test]
fn files_that_are_not_text_are_refused_with_the_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.toml");
    fs::write(&path, b"[policy]\nid = \"\xff\"").unwrap();
    let (code, out, err) = lint(std::slice::from_ref(&path), LintOptions::default());
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("line 2 is not UTF-8"), "{err}");
}

#[test]
fn layouts_are_compared_for_given_samples() {
    let dir = tempfile::tempdir().unwrap();
    let samples = dir.path().join("s.jsonl");
    fs::write(&samples, format!("{{\"id\":\"a\",\"text\":\"{}\"}}\nnot json\n", "x".repeat(4000))).unwrap();
    let options = LintOptions { samples: Some(samples.clone()), ..LintOptions::default() };
    // Once, although it is named twice.
    let (code, out, err) = lint(&[broken("00-good.toml"), samples.clone()], options);
    let fault = format!("{}:2:2: error[S001]: not valid JSON", samples.display());
    let (first, costs) = out.split_once('\n').expect("a bad line and the costs");
    assert!(code == 1 && first.starts_with(&fault), "{code} {out}");
    assert_eq!(err, "1 policy file and 1 samples file checked: 1 error, 0 warnings\n");
    insta::assert_snapshot!(costs);
}

#[test]
fn gold_thresholds_and_ids_of_samples_are_checked_against_the_policies_given_with_them() {
    let dir = tempfile::tempdir().unwrap();
    let samples = dir.path().join("s.jsonl");
    let lines = [
        r#"{"id":"a","text":"x","gold_path":{"asks_to_pey":"yes"}}"#,
        r#"{"id":"a","text":"x","gold_path":{"asks_to_pay":"yess"},"gold_label":"ZZ"}"#,
        r#"{"text":"x","scores":{"scam":1},"thresholds":{"scma":1}}"#,
    ];
    fs::write(&samples, lines.join("\n")).unwrap();
    let policy = broken("00-good.toml");
    let codes = |out: &str| -> Vec<String> {
        let codes = out.lines().filter_map(|line| line.split_once(": warning["));
        codes.filter_map(|(_, rest)| rest.split_once(']')).map(|(code, _)| code.to_owned()).collect()
    };
    let all = ["S103", "S102", "S105", "S104", "S101"];
    let alone = ["S102", "S101"];
    let with = LintOptions { samples: Some(samples.clone()), ..LintOptions::default() };
    for (paths, options, expected) in [
        (vec![policy.clone(), samples.clone()], LintOptions::default(), &all[..]),
        (vec![samples.clone(), policy.clone()], LintOptions::default(), &all),
        (vec![policy.clone()], with, &all),
        (vec![samples.clone()], LintOptions::default(), &alone),
        // A policy with errors may lack what the samples mean.
        (vec![broken("p050-cycle.toml"), samples.clone()], LintOptions::default(), &alone),
    ] {
        let (_, out, err) = lint(&paths, options);
        assert_eq!(codes(&out), expected, "{paths:?}: {out}{err}");
        assert!(out.contains("did you mean `scam`?"), "{out}");
    }
    let (code, out, _) = lint(&[policy, samples], LintOptions { json: true, ..LintOptions::default() });
    let value: serde_json::Value = serde_json::from_str(out.lines().next().unwrap()).unwrap();
    assert_eq!(code, 0, "warnings only");
    assert_eq!((&value["code"], &value["line"], &value["col"]), (&"S103".into(), &1.into(), &49.into()));
    assert!(value["hint"].as_str().unwrap().contains("did you mean `asks_to_pay`?"), "{value}");
}

#[test]
fn the_samples_of_the_project_have_nothing_doubtful_under_their_policies() {
    for name in ["scams", "hate"] {
        let files = [testdata(&format!("policies/{name}.toml")), testdata(&format!("samples/{name}.jsonl"))];
        let (code, out, _) = lint(&files, LintOptions::default());
        assert_eq!((code, out.as_str()), (0, ""), "{name}");
    }
}

#[test]
fn what_cannot_be_read_is_not_counted_as_checked() {
    let (code, _, err) = lint(&[broken("00-good.toml"), broken("none.toml")], LintOptions::default());
    assert_eq!(code, 2);
    assert!(err.ends_with("1 policy file checked, 1 could not be read: 0 errors, 0 warnings\n"), "{err}");
}

#[test]
fn a_folder_is_checked_policies_and_samples_alike() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("sub")).unwrap();
    fs::copy(broken("p061-term-twice.toml"), dir.path().join("sub/p.toml")).unwrap();
    fs::write(dir.path().join("s.jsonl"), "{\"text\":\"a\"}\n\n{\"id\":1.0,\"text\":\"a\"}\n").unwrap();
    let shown = |text: String| text.replace(&*dir.path().to_string_lossy(), "DIR");
    let (code, out, err) = lint(&[dir.path().to_owned()], LintOptions::default());
    let (out, err) = (shown(out), shown(err));
    assert_eq!((code, err.as_str()), (1, "1 policy file and 1 samples file checked: 2 errors, 0 warnings\n"));
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[0].starts_with("DIR/s.jsonl:3:7: error[S001]: `id` is 1.0") && lines[0].contains("(hint: "), "{out}");
    assert!(lines[1].starts_with("DIR/sub/p.toml:"), "{out}");
    let (_, out, _) = lint(&[dir.path().join("s.jsonl")], LintOptions { json: true, ..LintOptions::default() });
    let value: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&value["code"], &value["line"]), (&"S001".into(), &3.into()));
}

#[cfg(unix)]
#[test]
fn a_path_that_is_not_utf8_is_read_and_shown_escaped() {
    use std::os::unix::ffi::OsStrExt;
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join(std::ffi::OsStr::from_bytes(b"gr\xfcn"));
    fs::create_dir(&folder).unwrap();
    fs::copy(broken("p061-term-twice.toml"), folder.join("p.toml")).unwrap();
    let (code, out, _) = lint(&[folder.join("p.toml")], LintOptions::default());
    assert!(code == 1 && out.contains("gr<U+10FFFC>n/p.toml:"), "{out}");
}
