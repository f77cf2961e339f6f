//! What each prompt layout would cost for given samples: how many tokens a model has to read anew.
//!
//! Must only estimate: it knows no tokenizer. The numbers compare layouts; they are not a bill.

use super::index::{Index, Spot};
use super::tree::{Node, Policy};
use crate::domain::{Layout, Target};

/// Characters of one token, as a rule of thumb for English; the comparison of layouts does not depend on it.
const CHARS_PER_TOKEN: f64 = 4.0;

/// The cost of one layout, in estimated tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayoutCost {
    /// Which layout.
    pub layout: Layout,
    /// Read once per policy and kept.
    pub once: f64,
    /// Read anew for every sample, on average.
    pub per_sample: f64,
}

/// Estimates both layouts for samples of `sample_chars` characters on average, with every answer of a node equally likely
/// and every walk as long as the tree makes it.
pub fn layouts(policy: &Policy, sample_chars: f64) -> [LayoutCost; 2] {
    let tokens = |chars: f64| chars / CHARS_PER_TOKEN;
    let visits = expected_visits(policy);
    let sample = tokens(sample_chars);
    let terms = policy.terms.iter().map(|t| chars(t.name.raw()) + chars(t.definition.raw())).sum::<f64>();
    let head = tokens(chars(policy.instructions.raw()) + terms);
    let node_tokens: Vec<f64> = policy.nodes.iter().map(|n| tokens(node_chars(n))).collect();
    let asked: f64 = visits.iter().sum();
    let asked_tokens: f64 = visits.iter().zip(&node_tokens).map(|(v, t)| v * t).sum();
    [
        LayoutCost { layout: Layout::SampleFirst, once: head, per_sample: sample + asked_tokens },
        LayoutCost {
            layout: Layout::NodeFirst,
            once: head + node_tokens.iter().sum::<f64>(),
            per_sample: asked * sample,
        },
    ]
}

fn chars(text: &str) -> f64 {
    text.chars().count() as f64
}

fn node_chars(node: &Node) -> f64 {
    let guidance = node.guidance.iter().map(|g| chars(g.raw()));
    let examples = node
        .examples
        .iter()
        .map(|e| chars(e.text.raw()) + chars(e.answer.as_str()) + e.why.as_ref().map_or(0.0, |w| chars(w.raw())));
    let answers = node.answers.iter().map(|(a, _)| chars(a.as_str()));
    chars(node.question.raw()) + guidance.chain(examples).chain(answers).sum::<f64>()
}

/// How often each node is asked in one walk, in order of topology so that every parent is done before its children.
fn expected_visits(policy: &Policy) -> Vec<f64> {
    let index = Index::new(policy);
    let node_at = |target: &Target| if let Some(Spot::Node(n)) = index.spot(target) { Some(n) } else { None };
    let children = |n: &Node| -> Vec<usize> { n.answers.iter().filter_map(|(_, target)| node_at(target)).collect() };
    let mut waiting_for = vec![0_usize; policy.nodes.len()];
    for node in &policy.nodes {
        children(node).into_iter().for_each(|c| waiting_for[c] += 1);
    }
    let mut visits = vec![0.0; policy.nodes.len()];
    if let Some(root) = index.node(policy.root.as_str()) {
        visits[root] = 1.0;
    }
    let mut ready: Vec<usize> = (0..policy.nodes.len()).filter(|n| waiting_for[*n] == 0).collect();
    while let Some(n) = ready.pop() {
        let node = &policy.nodes[n];
        for child in children(node) {
            visits[child] += visits[n] / node.answers.len() as f64;
            waiting_for[child] -= 1;
            if waiting_for[child] == 0 {
                ready.push(child);
            }
        }
    }
    visits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_follow_the_formulas_of_the_design() {
        let text =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/broken/00-good.toml")).unwrap();
        let policy = crate::policy::parse("p.toml", &text, &mut |_| Err(String::new())).policy.unwrap();
        assert_eq!(expected_visits(&policy), [1.0, 0.5], "the second node is asked after one of two answers");
        let q: Vec<f64> = policy.nodes.iter().map(|n| node_chars(n) / 4.0).collect();
        let [sample_first, node_first] = layouts(&policy, 400.0);
        assert_eq!(sample_first.per_sample, 100.0 + q[0] + q[1] / 2.0);
        assert_eq!(node_first.per_sample, 150.0);
        assert_eq!(node_first.once - sample_first.once, q[0] + q[1]);
    }
}
