//! The policies and samples that come with the program are consistent: no lint, no bad line, and every gold path leads
//! to its gold verdict.
//!
//! Must not need a model.

use crossexam::domain::sample_file::{Loaded, load};
use crossexam::domain::{Name, Outcome, Target};
use crossexam::policy::{Policy, parse};
use std::collections::BTreeSet;
use std::path::PathBuf;

const SETS: [&str; 2] = ["scams", "hate"];

fn testdata(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata").join(path)
}

fn policy(name: &str) -> Policy {
    let path = testdata(&format!("policies/{name}.toml"));
    let text = std::fs::read_to_string(&path).expect("the policy is there");
    let parsed =
        parse(&path.display().to_string(), &text, &mut |p| Err(format!("{p}: these policies include nothing")));
    assert!(parsed.diagnostics.is_empty(), "{name}: {:#?}", parsed.diagnostics);
    parsed.policy.expect("a policy without faults")
}

fn samples(name: &str) -> Loaded {
    let file = std::fs::read(testdata(&format!("samples/{name}.jsonl"))).expect("the samples are there");
    load(file.as_slice()).expect("memory does not fail")
}

#[test]
fn policies_have_six_to_twelve_nodes_an_escalation_and_nothing_to_lint() {
    for name in SETS {
        let policy = policy(name);
        assert!((6..=12).contains(&policy.nodes.len()), "{name}: {} nodes", policy.nodes.len());
        let escalates =
            |leaf: &Name| policy.leaf(leaf.as_str()).is_some_and(|l| l.verdict.outcome == Outcome::Escalate);
        let routes = policy.nodes.iter().filter_map(|n| n.unsure.as_ref());
        assert!(routes.filter(|u| matches!(&u.target, Target::Leaf(leaf) if escalates(leaf))).count() >= 2, "{name}");
    }
}

#[test]
fn samples_are_all_good_and_there_are_sixty() {
    let all: Vec<Loaded> = SETS.into_iter().map(samples).collect();
    for loaded in &all {
        assert_eq!((&loaded.errors, loaded.bad), (&vec![], 0));
        let ids: BTreeSet<_> = loaded.samples.iter().map(|(_, sample)| sample.id.raw()).collect();
        assert_eq!(ids.len(), loaded.samples.len(), "no id twice");
    }
    assert!(all.iter().map(|l| l.samples.len()).sum::<usize>() >= 60);
}

#[test]
fn every_gold_path_leads_to_its_gold_verdict_and_together_they_take_every_edge() {
    for name in SETS {
        let policy = policy(name);
        let mut taken = BTreeSet::new();
        for (line, sample) in samples(name).samples {
            if sample.gold.path.is_empty() {
                continue;
            }
            let mut at = Target::Node(policy.root.clone());
            for (node, answer) in &sample.gold.path {
                assert_eq!(at, Target::Node(node.clone()), "{name}:{line}");
                let asked = policy.node(node.as_str()).expect("the node exists");
                at = asked.target(answer.as_str()).unwrap_or_else(|| panic!("{name}:{line}: {node}={answer}")).clone();
                taken.insert((node.clone(), answer.clone()));
            }
            let Target::Leaf(leaf) = at else { panic!("{name}:{line}: the path ends at a node") };
            let verdict = &policy.leaf(leaf.as_str()).expect("the leaf exists").verdict;
            assert_eq!(
                (sample.gold.outcome, &sample.gold.label),
                (Some(verdict.outcome), &verdict.label),
                "{name}:{line}"
            );
        }
        let edges = policy.nodes.iter().flat_map(|n| n.answers.iter().map(|(a, _)| (n.id.clone(), a.clone())));
        let missed: Vec<_> = edges.filter(|edge| !taken.contains(edge)).collect();
        assert!(missed.is_empty(), "{name}: no gold path takes {missed:?}");
    }
}
