//! Unknown names as failed commands: what was probably meant, and which names exist.
//!
//! Must not correct anything itself.

use super::Failure;
use crate::domain::{Name, Sample};
use crate::policy::{Node, Policy};
use crate::text::Escaped;
use crate::text::alike::{alike, did_you_mean};

/// The policy has no such node.
pub(super) fn no_node(policy: &Policy, id: &Name) -> Failure {
    let failure = Failure::user(format!("the policy has no node `{id}`"));
    match policy.leaf(id.as_str()) {
        Some(_) => failure.hinted(format!("`{id}` is a leaf; info policy lists the nodes")),
        None => failure.hinted(hint(&policy.names_like(id.as_str(), false), "info policy lists them")),
    }
}

/// The policy has no such node or leaf.
pub(super) fn no_place(policy: &Policy, id: &Name) -> Failure {
    Failure::user(format!("the policy has no node or leaf `{id}`"))
        .hinted(hint(&policy.names_like(id.as_str(), true), "info policy lists them"))
}

/// A node has no such answer; says which it has.
pub(super) fn no_answer(node: &Node, answer: &Name) -> Failure {
    let known: Vec<&str> = node.answers.iter().map(|(a, _)| a.as_str()).collect();
    let near = alike(answer.as_str(), known.iter().copied());
    let list = format!("its answers are {}", known.join(", "));
    Failure::user(format!("node `{}` has no answer `{answer}`", node.id)).hinted(hint(&near, &list))
}

/// No loaded sample has such an id.
pub(super) fn no_sample(samples: &[Sample], id: &str) -> Failure {
    let near = alike(id, samples.iter().map(|sample| sample.id.raw()));
    Failure::user(format!("there is no sample with id `{id}`")).hinted(hint(&near, "info samples lists them"))
}

/// There are not so many samples; a number may have been meant as an id.
pub(super) fn no_number<'a>(number: usize, count: usize, mut samples: impl Iterator<Item = &'a Sample>) -> Failure {
    let word = number.to_string();
    let quoted = match samples.any(|sample| sample.id.raw() == word) {
        true => format!("; to select the one whose id is {number}, quote it: sample \"{number}\""),
        false => String::new(),
    };
    Failure::user(format!("there is no sample {number}")).hinted(format!("samples are numbered 1 to {count}{quoted}"))
}

/// No loaded sample has such a score.
pub(super) fn no_score(scores: &[&str], name: &Name) -> Failure {
    let mut known: Vec<&str> = scores.to_vec();
    known.sort_unstable();
    known.dedup();
    let list = format!("their scores are {}", known.join(", "));
    let near = alike(name.as_str(), known.iter().copied());
    Failure::user(format!("no loaded sample has a score `{name}`")).hinted(hint(&near, &list))
}

fn hint(near: &[&str], otherwise: &str) -> String {
    let meant = did_you_mean(near, |name| format!("`{}`", Escaped::line(name)));
    meant.map_or_else(|| otherwise.to_owned(), |meant| format!("{meant} {otherwise}"))
}
