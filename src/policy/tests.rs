//! Tests of parsing and lint as a whole: the folder of broken policies, good policies, includes, limits and laws.
//!
//! Must stay the only module below `policy` that reads files.

mod includes;
mod laws;

use super::*;
use crate::domain::{Layout, Outcome, Target};
use crate::text::Escaped;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn testdata(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(path)
}

fn good() -> String {
    std::fs::read_to_string(testdata("broken/00-good.toml")).expect("the good policy is in the repository")
}

fn parse_alone(text: &str) -> Parsed {
    parse("p.toml", text, &mut |path| Err(format!("{path} is not there")))
}

/// One line per diagnostic, as in the first lines of the files in `testdata/broken`.
fn summary(parsed: &Parsed) -> String {
    let mut out = String::new();
    for d in &parsed.diagnostics {
        let place = &d.place;
        let file = if place.file == 0 {
            String::new()
        } else {
            format!("{}:", place.path.raw().rsplit('/').next().unwrap_or_default())
        };
        writeln!(out, "{} {file}{}:{}", d.code, place.line, place.col).unwrap();
    }
    out
}

#[test]
fn a_good_policy_becomes_what_its_file_says() {
    let parsed = parse_alone(&good());
    assert_eq!(summary(&parsed), "");
    let policy = parsed.policy.unwrap();
    assert_eq!(policy.id, "giveaways");
    assert_eq!(policy.root, "exempt");
    assert_eq!(policy.layout, Layout::SampleFirst);
    assert_eq!(policy.effective.as_ref().map(|t| t.raw()), Some("2026-10-01"));
    assert_eq!(policy.nodes.len(), 2);
    let node = policy.node("asks_to_pay").unwrap();
    assert_eq!((node.line, node.file), (28, 0));
    assert_eq!(node.answers[0].0, "yes", "answers keep the order of the file");
    assert!(matches!(node.target("yes"), Some(Target::Leaf(l)) if *l == "remove"));
    assert_eq!(node.unsure.as_ref().map(|u| u.margin), Some(0.15));
    let leaf = policy.leaf("remove").unwrap();
    assert_eq!(leaf.verdict.outcome, Outcome::Violating);
    assert_eq!((leaf.severity, leaf.rule_ids.len()), (Some(3), 1));
    assert_eq!(policy.sha256, crate::domain::Digest::of(good().as_bytes()), "the digest is that of sha256sum");
}

#[test]
fn answers_keep_the_order_of_the_file_in_every_way_toml_can_write_them() {
    let head = "[node.exempt.answers]\nyes = { leaf = \"clean\" }\nno = { next = \"asks_to_pay\" }\n";
    assert!(good().contains(head));
    let forms = [
        "[node.exempt.answers.yes]\nleaf = \"clean\"\n[node.exempt.answers.no]\nnext = \"asks_to_pay\"\n",
        "answers = { yes = { leaf = \"clean\" }, no = { next = \"asks_to_pay\" } }\n",
        "answers.yes.leaf = \"clean\"\nanswers.no.next = \"asks_to_pay\"\n",
    ];
    for form in forms {
        let parsed = parse_alone(&good().replace(head, form));
        assert_eq!(summary(&parsed), "", "{form}");
        let policy = parsed.policy.unwrap();
        let names: Vec<&str> = policy.node("exempt").unwrap().answers.iter().map(|(a, _)| a.as_str()).collect();
        assert_eq!(names, ["yes", "no"], "{form}");
    }
}

#[test]
fn every_broken_policy_gives_exactly_its_diagnostics() {
    let mut files: Vec<PathBuf> = std::fs::read_dir(testdata("broken"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "toml"))
        .collect();
    files.sort();
    let mut seen = std::collections::BTreeSet::new();
    let mut wrong = String::new();
    for file in &files {
        let text = std::fs::read_to_string(file).unwrap();
        let expected: String = text
            .lines()
            .map_while(|l| l.strip_prefix("# expect: "))
            .filter(|l| *l != "none")
            .map(|l| format!("{l}\n"))
            .collect();
        let parsed = parse(&file.to_string_lossy(), &text, &mut |p| {
            std::fs::read_to_string(p).map_err(|e| e.kind().to_string())
        });
        let found = summary(&parsed);
        seen.extend(parsed.diagnostics.iter().map(|d| d.code));
        if found != expected {
            writeln!(wrong, "{}: expected\n{expected}found\n{found}", file.display()).unwrap();
        }
        let errors = parsed.diagnostics.iter().any(|d| d.severity == Severity::Error);
        assert_eq!(parsed.policy.is_none(), errors, "{}: a policy if and only if there are no errors", file.display());
        for d in &parsed.diagnostics {
            assert!(
                d.complaint.hint.as_ref().is_some_and(|h| !h.is_empty()),
                "{}: {} says what to do",
                file.display(),
                d.code
            );
            assert!(!d.complaint.message.is_empty());
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    let unseen: Vec<&str> = CODES.iter().filter(|c| !seen.contains(&c.code)).map(|c| c.id).collect();
    // Too large to keep in a folder; see the test of the limits.
    assert_eq!(unseen, ["P003"], "every code has a broken policy that shows it");
}

#[test]
fn all_faults_of_a_file_are_said_in_one_run() {
    let text = good()
        .replace("version = \"1.0.0\"", "version = \"one\"")
        .replace("severity = 3", "severity = 9")
        .replace("leaf = \"review\"", "leaf = \"reveiw\"")
        .replace("margin = 0.15", "margin = 15");
    assert_eq!(summary(&parse_alone(&text)), "P010 4:11\nP031 39:10\nP029 40:8\nP042 48:12\n");
}

#[test]
fn messages_and_hints_can_be_shown_whatever_the_policy_holds() {
    let text = good().replace("no = { next = \"asks_to_pay\" }", "no = { next = \"a\\u001b]0;x\\u0007\" }");
    let parsed = parse_alone(&text);
    let message = &parsed.diagnostics[0].complaint.message;
    assert!(message.raw().contains('\u{1b}'), "the raw text is kept");
    assert!(!Escaped::line(message.raw()).as_str().contains('\u{1b}'));
}

#[test]
fn the_policy_of_the_documentation_is_a_good_one() {
    let page = std::fs::read_to_string(testdata("../POLICIES.md")).unwrap();
    let text = page.split("```toml\n").nth(1).and_then(|t| t.split("```").next()).unwrap();
    // The page shows one node; the second one is that of the good policy.
    let rest = good();
    let second = rest.find("[node.asks_to_pay]").and_then(|a| rest.get(a..rest.find("[leaf.clean]")?)).unwrap();
    let parsed = parse_alone(&format!("{text}\n{second}\n[leaf.review]\noutcome = \"escalate\"\n"));
    assert_eq!(summary(&parsed), "");
}
