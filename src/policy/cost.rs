//! What each prompt layout would cost for given samples: how many tokens the model has to prefill.
//!
//! Must only estimate, since it knows no tokenizer. The numbers are for comparing layouts, not for billing.

use super::index::{Index, Spot};
use super::tree::{Node, Policy};
use crate::domain::{Layout, Name, Sample, Target};

/// Characters of one token, as a rule of thumb for English; the comparison of layouts does not depend on it.
const CHARS_PER_TOKEN: f64 = 4.0;

/// The cost of one layout, in estimated tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayoutCost {
    /// Which layout.
    pub layout: Layout,
    /// Read once per policy and kept.
    pub once: f64,
    /// Prefilled for every sample, on average.
    pub per_sample: f64,
}

/// Estimates both layouts for samples of `sample_chars` characters on average, assuming that every answer of a node is
/// equally likely.
pub fn layouts(policy: &Policy, sample_chars: f64) -> [LayoutCost; 2] {
    let visits = expected_visits(policy);
    let asked: f64 = visits.iter().sum();
    estimate(policy, &visits, sample_chars, asked * sample_chars)
}

/// Counts of what finished walks asked, so that the layouts can be compared on real work.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asked {
    samples: u64,
    /// Characters of all samples.
    chars: u64,
    /// Characters of all samples, each as often as a node was asked about it.
    asked_chars: u64,
    /// How often each node was asked.
    visits: Vec<u64>,
}

impl Asked {
    /// Nothing yet.
    pub fn new(policy: &Policy) -> Self {
        Self { visits: vec![0; policy.nodes.len()], ..Self::default() }
    }

    /// Adds a walk and the nodes on its path.
    pub fn add<'n>(&mut self, policy: &Policy, sample: &Sample, path: impl Iterator<Item = &'n Name>) {
        let chars = sample.content.chars();
        self.samples += 1;
        self.chars += chars;
        for id in path {
            self.asked_chars += chars;
            let index = policy.nodes.iter().position(|node| node.id == *id);
            if let Some(visits) = index.and_then(|i| self.visits.get_mut(i)) {
                *visits += 1;
            }
        }
    }

    /// The layout that the policy does not use, and how many tokens it would have saved on these walks (negative:
    /// cost). `prompt_tokens` is the real total of their prompts, to which the estimate is scaled.
    pub fn spared_by_other(&self, policy: &Policy, prompt_tokens: u64) -> (Layout, f64) {
        let totals = self.totals(policy);
        let [used, other] = if totals[0].0 == policy.layout { totals } else { [totals[1], totals[0]] };
        let head = head_tokens(policy) * self.visits.iter().sum::<u64>() as f64;
        let nodes = policy.nodes.iter().zip(&self.visits).map(|(n, v)| tokens(node_chars(n)) * *v as f64);
        let estimated = head + tokens(self.asked_chars as f64) + nodes.sum::<f64>();
        let measure = if estimated > 0.0 { prompt_tokens as f64 / estimated } else { 0.0 };
        (other.0, (used.1 - other.1) * measure)
    }

    /// The tokens that each layout would prefill for these walks, in total.
    fn totals(&self, policy: &Policy) -> [(Layout, f64); 2] {
        let samples = (self.samples as f64).max(1.0);
        let visits: Vec<f64> = self.visits.iter().map(|v| *v as f64 / samples).collect();
        let costs = estimate(policy, &visits, self.chars as f64 / samples, self.asked_chars as f64 / samples);
        costs.map(|cost| (cost.layout, cost.once + cost.per_sample * self.samples as f64))
    }
}

/// Estimates both layouts for `visits`, the visits of each node per sample, and a sample of `sample_chars` characters;
/// `asked_chars` is the total if the sample is read again at every node.
fn estimate(policy: &Policy, visits: &[f64], sample_chars: f64, asked_chars: f64) -> [LayoutCost; 2] {
    let sample = tokens(sample_chars);
    let head = head_tokens(policy);
    let node_tokens: Vec<f64> = policy.nodes.iter().map(|n| tokens(node_chars(n))).collect();
    let asked_tokens: f64 = visits.iter().zip(&node_tokens).map(|(v, t)| v * t).sum();
    [
        LayoutCost { layout: Layout::SampleFirst, once: head, per_sample: sample + asked_tokens },
        LayoutCost {
            layout: Layout::NodeFirst,
            once: head + node_tokens.iter().sum::<f64>(),
            per_sample: tokens(asked_chars),
        },
    ]
}

fn tokens(chars: f64) -> f64 {
    chars / CHARS_PER_TOKEN
}

/// The tokens before every question.
fn head_tokens(policy: &Policy) -> f64 {
    let terms = policy.terms.iter().map(|t| chars(t.name.raw()) + chars(t.definition.raw())).sum::<f64>();
    tokens(chars(policy.instructions.raw()) + terms)
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

    #[test]
    fn walks_that_were_done_are_counted_by_the_same_formulas() {
        let text =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/broken/00-good.toml")).unwrap();
        let policy = crate::policy::parse("p.toml", &text, &mut |_| Err(String::new())).policy.unwrap();
        let q: Vec<f64> = policy.nodes.iter().map(|n| node_chars(n) / 4.0).collect();
        let sample = |chars: usize| {
            let line = format!(r#"{{"text":"{}"}}"#, "x".repeat(chars));
            crate::domain::sample_file::parse_line(1, line.as_bytes()).unwrap()
        };
        let mut asked = Asked::new(&policy);
        asked.add(&policy, &sample(400), policy.nodes.iter().map(|n| &n.id));
        asked.add(&policy, &sample(40), policy.nodes.iter().map(|n| &n.id).take(1));
        let [(_, sample_first), (_, node_first)] = asked.totals(&policy);
        let head = layouts(&policy, 0.0)[0].once;
        assert!((sample_first - (head + 110.0 + 2.0 * q[0] + q[1])).abs() < 1e-9);
        assert!((node_first - (head + q[0] + q[1] + 210.0)).abs() < 1e-9);
        // Prompts with twice the estimated tokens make every token of the estimate count twice.
        let prompts = 3.0 * head + 210.0 + 2.0 * q[0] + q[1];
        let (layout, spared) = asked.spared_by_other(&policy, (2.0 * prompts).round() as u64);
        let other = if policy.layout == Layout::SampleFirst { Layout::NodeFirst } else { Layout::SampleFirst };
        let difference =
            if policy.layout == Layout::SampleFirst { sample_first - node_first } else { node_first - sample_first };
        assert_eq!(layout, other);
        assert!((spared - 2.0 * difference).abs() < 1.0, "{spared} {difference}");
        assert_eq!(Asked::new(&policy).spared_by_other(&policy, 0), (other, 0.0));
    }
}
