//! Tests of included policies: ids, entry, mapped leaves, terms, instructions, digests.
//!
//! Must use files in memory only.

use super::{good, summary};
use crate::domain::Target;
use crate::policy::*;

const PART: &str = r#"
[policy]
id = "part"
version = "1.0.0"
title = "Part"
root = "warns"
instructions = "A post that warns is fine."

[[term]]
name = "Fake Giveaway"
definition = "A promised prize that has to be paid for first."

[[term]]
name = "warning"
definition = "Words that keep others from harm."

[node.warns]
question = "Is the post a [[warning]] about a [[fake giveaway]]?"
examples = [{ text = "Beware.", answer = "yes" }, { text = "You won.", answer = "no" }]
[node.warns.answers]
yes = { leaf = "fine" }
no = { leaf = "gone" }
[leaf.fine]
outcome = "non_violating"
[leaf.gone]
outcome = "violating"
label = "SC9"
severity = 2
action = "remove"
"#;

fn main(include: &str) -> String {
    let text = good().replace(
        "no = { leaf = \"clean\" }\n[node.asks_to_pay.unsure]",
        "no = { next = \"extra\" }\n[node.asks_to_pay.unsure]",
    );
    format!("{text}\n{include}")
}

fn parse_with(main: &str, part: &str) -> (Parsed, Vec<String>) {
    let mut asked = Vec::new();
    let parsed = parse("rules/main.toml", main, &mut |path| {
        asked.push(path.to_owned());
        Ok(part.to_owned())
    });
    (parsed, asked)
}

#[test]
fn an_included_policy_is_entered_at_its_root_under_its_name() {
    let (parsed, asked) = parse_with(&main("[include.extra]\npath = \"sub/part.toml\"\n"), PART);
    assert_eq!((summary(&parsed).as_str(), asked), ("", vec!["rules/sub/part.toml".to_owned()]));
    let policy = parsed.policy.unwrap();
    let ids: Vec<&str> = policy.nodes.iter().map(|n| n.id.as_str()).collect();
    assert_eq!(ids, ["exempt", "asks_to_pay", "extra/warns"], "the policy's own nodes first");
    assert!(matches!(policy.node("asks_to_pay").unwrap().target("no"), Some(Target::Node(n)) if *n == "extra/warns"));
    assert!(matches!(policy.node("extra/warns").unwrap().target("no"), Some(Target::Leaf(l)) if *l == "extra/gone"));
    assert!(policy.leaf("extra/fine").is_some());
    assert_eq!(policy.node("extra/warns").unwrap().file, 1);
    assert_eq!(parsed.files[1].path.raw(), "rules/sub/part.toml");
    assert!(policy.instructions.raw().ends_with("A post that warns is fine."), "its instructions come after ours");
    let terms: Vec<&str> = policy.terms.iter().map(|t| t.name.raw()).collect();
    assert_eq!(terms, ["fake giveaway", "warning"], "a term that both define the same way is there once");
}

#[test]
fn leaves_of_an_included_policy_are_mapped_to_ours() {
    let include = "[include.extra]\npath = \"part.toml\"\n[include.extra.leaves]\ngone = \"remove\"\nfine = { leaf = \"clean\" }\n";
    let (parsed, _) = parse_with(&main(include), PART);
    assert_eq!(summary(&parsed), "");
    let policy = parsed.policy.unwrap();
    let warns = policy.node("extra/warns").unwrap();
    assert!(matches!(warns.target("no"), Some(Target::Leaf(l)) if *l == "remove"));
    assert!(matches!(warns.target("yes"), Some(Target::Leaf(l)) if *l == "clean"));
    assert!(policy.leaf("extra/gone").is_none(), "a mapped leaf is not a leaf of the policy");

    let to_node = "[include.extra]\npath = \"part.toml\"\n[include.extra.leaves]\ngone = { next = \"exempt\" }\n";
    assert!(summary(&parse_with(&main(to_node), PART).0).starts_with("P050"), "a mapping can close a circle");
}

#[test]
fn leaves_mapped_in_a_circle_are_found() {
    let include =
        "[include.extra]\npath = \"part.toml\"\n[include.extra.leaves]\ngone = \"extra/fine\"\nfine = \"extra/gone\"\n";
    assert!(summary(&parse_with(&main(include), PART).0).contains("P050"));
}

#[test]
fn one_file_included_twice_is_read_once_and_its_faults_are_said_once() {
    let include = "[include.extra]\npath = \"part.toml\"\n[include.more]\npath = \"./part.toml\"\n[include.extra.leaves]\ngone = { next = \"more\" }\n";
    let (parsed, asked) = parse_with(&main(include), &PART.replace("severity = 2", "severity = 7"));
    assert_eq!((summary(&parsed).as_str(), asked.len()), ("P042 part.toml:28:12\n", 1));
    let (parsed, _) = parse_with(&main(include), PART);
    assert_eq!(summary(&parsed), "");
    assert_eq!(parsed.policy.unwrap().nodes.len(), 4);
}

#[test]
fn includes_that_multiply_are_cut_off() {
    let twice = "[include.a]\npath = \"part.toml\"\n[include.b]\npath = \"other.toml\"\n";
    let mut number = 0;
    let parsed = parse("main.toml", &main(twice), &mut |_| {
        number += 1;
        Ok(format!("{PART}\n[include.a]\npath = \"f{number}.toml\"\n[include.b]\npath = \"g{number}.toml\"\n"))
    });
    assert!(parsed.policy.is_none());
    assert!(number <= limits::INCLUDES + 1, "{number} files were read");
    assert!(parsed.diagnostics.iter().any(|d| matches!(d.code, Code::TooLarge | Code::IncludeDepth)));
}

#[test]
fn the_digest_covers_every_file_and_no_folder() {
    let include = main("[include.extra]\npath = \"part.toml\"\n");
    let digest = |path: &str, part: &str| parse(path, &include, &mut |_| Ok(part.to_owned())).policy.unwrap().sha256;
    assert_eq!(digest("a/main.toml", PART), digest("/b/c/main.toml", PART));
    assert_ne!(digest("a/main.toml", PART), digest("a/main.toml", &format!("{PART}# more\n")));
}

#[test]
fn files_of_a_parse_make_the_same_policy_again() {
    let (parsed, _) = parse_with(&main("[include.extra]\npath = \"sub/part.toml\"\n"), PART);
    let files = &parsed.files;
    let again = parse(files[0].path.raw(), files[0].text.raw(), &mut |path| {
        files.iter().find(|f| f.path.raw() == path).map(|f| f.text.raw().to_owned()).ok_or_else(String::new)
    });
    assert_eq!(again.policy, parsed.policy);
}
