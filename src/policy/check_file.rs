//! What can be checked within one file: ids, answers, examples, leaves.
//!
//! Must not follow targets; `check_graph` does.

use super::codes::Code;
use super::diagnostics::{Fault, Sink, did_you_mean, one_of};
use super::draft::{Draft, LeafDraft, NodeDraft, Text};
use super::fields::short;
use super::include::Loaded;
use super::source::At;
use crate::domain::Outcome;
use std::collections::HashMap;

/// Checks every file on its own.
pub(super) fn check(loaded: &Loaded, sink: &mut Sink) {
    for (file, draft) in loaded.drafts.iter().enumerate() {
        head(file, draft, sink);
        clashing_ids(draft, sink);
        for node in &draft.nodes {
            clashing_answers(node, sink);
            examples(node, sink);
        }
        for leaf in &draft.leaves {
            check_leaf(leaf, sink);
        }
    }
}

fn head(file: usize, draft: &Draft, sink: &mut Sink) {
    let Some(head) = &draft.head else {
        let fault = Fault::new(Code::NoPolicyTable, At::new(file, 0..0), "the file has no [policy] table");
        sink.push(fault.hint("begin it with [policy] and id, version, title and root"));
        return;
    };
    if draft.nodes.is_empty() && draft.includes.is_empty() {
        let fault = Fault::new(Code::NoNodes, head.at, "the policy has no nodes");
        sink.push(fault.hint("add [node.ID] with a question and answers"));
    } else if head.root.is_none() {
        let hint = match draft.nodes.first() {
            Some(first) => format!("write root = \"{}\" or another node's id", short(&first.id.text)),
            None => "write root = \"NAME\" with the name of an include".to_owned(),
        };
        sink.push(Fault::new(Code::NoRoot, head.at, "[policy] does not say which node is asked first").hint(hint));
    }
}

fn clashing_ids(draft: &Draft, sink: &mut Sink) {
    let nodes = draft.nodes.iter().map(|n| ("node", &n.id));
    let leaves = draft.leaves.iter().map(|l| ("leaf", &l.id));
    let includes = draft.includes.iter().map(|i| ("include", &i.name));
    let mut all: Vec<(&str, &Text)> = nodes.chain(leaves).chain(includes).collect();
    all.sort_by_key(|(_, id)| id.at);
    let mut seen: HashMap<&str, (&str, At)> = HashMap::new();
    for (what, id) in all {
        if let Some((other, at)) = seen.get(id.text.as_str()) {
            let message = format!("{what} `{}` has the id of a {other}", short(&id.text));
            let fault = Fault::new(Code::IdClash, id.at, message).hint("give one of them another id");
            sink.push(fault.related(format!("the {other} is here"), *at));
        } else {
            seen.insert(&id.text, (what, id.at));
        }
    }
}

fn clashing_answers(node: &NodeDraft, sink: &mut Sink) {
    let lower: Vec<String> = node.answers.iter().map(|a| a.name.text.to_lowercase()).collect();
    for (i, answer) in node.answers.iter().enumerate() {
        for (j, earlier) in node.answers.iter().enumerate().take(i) {
            let (a, b) = (short(&answer.name.text), short(&earlier.name.text));
            let fault = if lower[i] == lower[j] {
                Fault::new(Code::CaseClash, answer.name.at, format!("answers `{b}` and `{a}` differ only in case"))
                    .hint("rename one, or join the two")
            } else if lower[i].starts_with(&lower[j]) || lower[j].starts_with(&lower[i]) {
                let (short, long) = if lower[i].len() < lower[j].len() { (a, b) } else { (b, a) };
                let message = format!("answer `{short}` begins answer `{long}`: their first words read the same");
                Fault::new(Code::PrefixClash, answer.name.at, message).hint("choose answers that begin differently")
            } else {
                continue;
            };
            sink.push(fault.related("the other answer is here", earlier.name.at));
            break;
        }
    }
}

fn examples(node: &NodeDraft, sink: &mut Sink) {
    let mut seen: HashMap<&str, (&str, At)> = HashMap::new();
    for example in &node.examples {
        let Some(answer) = &example.answer else { continue };
        let names = || node.answers.iter().map(|a| a.name.text.as_str());
        if !answer.text.trim().is_empty() && !node.answers.is_empty() && !names().any(|n| n == answer.text) {
            let hint = match did_you_mean(&answer.text, names()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("the answers are {}", one_of(names())),
            };
            let message = format!("`{}` is not an answer of node `{}`", short(&answer.text), short(&node.id.text));
            sink.push(Fault::new(Code::ExampleAnswer, answer.at, message).hint(hint));
        }
        let Some(text) = example.text.as_ref().filter(|t| !t.text.trim().is_empty()) else { continue };
        match seen.get(text.text.as_str()) {
            Some((first, at)) if *first != answer.text => {
                let fault = Fault::new(Code::ExampleConflict, text.at, "this example has another answer further up");
                sink.push(fault.hint("decide for one answer").related("the other one is here", *at));
            }
            Some((_, at)) => {
                let fault = Fault::new(Code::RepeatedExample, text.at, "this example stands in the node twice");
                warn(sink, &node.allow, fault.hint("remove one").related("the first is here", *at));
            }
            None => {
                seen.insert(&text.text, (&answer.text, text.at));
            }
        }
    }
}

fn check_leaf(leaf: &LeafDraft, sink: &mut Sink) {
    if leaf.outcome == Some(Outcome::Violating) {
        let there =
            [("label", leaf.label.is_some()), ("severity", leaf.severity.is_some()), ("action", leaf.action.is_some())];
        let missing: Vec<&str> = there.iter().filter(|(_, there)| !there).map(|(k, _)| *k).collect();
        if !missing.is_empty() {
            let words = missing.iter().map(|m| format!("no {m}")).collect::<Vec<_>>().join(", ");
            let message = format!("violating leaf `{}` has {words}", short(&leaf.id.text));
            let hint = format!("add {}, so that enforcement knows what was broken and what to do", missing.join(", "));
            warn(sink, &leaf.allow, Fault::new(Code::IncompleteLeaf, leaf.id.at, message).hint(hint));
        }
    }
    let mut seen: HashMap<&str, At> = HashMap::new();
    for rule in &leaf.rule_ids {
        if let Some(first) = seen.insert(&rule.text, rule.at) {
            let message = format!("rule id `{}` stands on this leaf twice", short(&rule.text));
            let fault = Fault::new(Code::DuplicateRule, rule.at, message).hint("remove one");
            warn(sink, &leaf.allow, fault.related("the first is here", first));
        }
    }
}

/// Reports a warning unless its node or leaf allows it.
pub(super) fn warn(sink: &mut Sink, allow: &[Code], fault: Fault) {
    if !allow.contains(&fault.code) {
        sink.push(fault);
    }
}
