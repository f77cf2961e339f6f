//! The radix tree of everything a model has read lately, keyed by token ids: the longest known prefix is never read
//! again.
//!
//! Must keep within its budget of bytes, giving up least recently used leaves first and nothing that is in use.

use super::kv::{Segment, Sequence, cut};
use std::sync::Arc;

/// A tree of segments; each node's segment continues its parent's.
#[derive(Debug)]
pub struct PrefixTree {
    roots: Vec<Node>,
    budget: usize,
    bytes: usize,
    clock: u64,
}

#[derive(Debug)]
struct Node {
    segment: Arc<Segment>,
    children: Vec<Self>,
    used: u64,
}

impl PrefixTree {
    /// An empty tree that will hold at most `budget` bytes, except for what is in use.
    pub fn new(budget: usize) -> Self {
        Self { roots: Vec::new(), budget, bytes: 0, clock: 0 }
    }

    /// The longest prefix of `tokens` that is known: segments in order, each with how many of its positions match.
    pub fn lookup(&mut self, tokens: &[u32]) -> Vec<(Arc<Segment>, usize)> {
        self.clock += 1;
        let mut found = Vec::new();
        let mut rest = tokens;
        let mut level = &mut self.roots;
        while let Some(node) = child(level, rest) {
            node.used = self.clock;
            let matched = common(node.segment.tokens(), rest);
            found.push((Arc::clone(&node.segment), matched));
            if matched < node.segment.tokens().len() {
                break;
            }
            rest = &rest[matched..];
            level = &mut node.children;
        }
        found
    }

    /// Keeps everything that `sequence` has read, then gives up old leaves until the budget holds.
    pub fn insert(&mut self, sequence: &mut Sequence) {
        self.clock += 1;
        let tokens = sequence.tokens();
        let clock = self.clock;
        self.bytes += insert(&mut self.roots, &tokens, 0, sequence, clock);
        while self.bytes > self.budget {
            let Some(freed) = oldest(&self.roots).and_then(|used| remove(&mut self.roots, used)) else { break };
            self.bytes -= freed;
        }
    }
}

/// The node that begins with the first of `tokens`.
fn child<'a>(level: &'a mut [Node], tokens: &[u32]) -> Option<&'a mut Node> {
    let first = tokens.first()?;
    level.iter_mut().find(|n| n.segment.tokens().first() == Some(first))
}

fn common(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// Puts `tokens[from..]` below `level`; returns by how many bytes the tree grew.
fn insert(level: &mut Vec<Node>, tokens: &[u32], from: usize, sequence: &mut Sequence, clock: u64) -> usize {
    let rest = &tokens[from..];
    if rest.is_empty() {
        return 0;
    }
    let Some(node) = child(level, rest) else {
        let segment = sequence.share_from(from);
        let grown = segment.bytes();
        level.push(Node { segment, children: Vec::new(), used: clock });
        return grown;
    };
    node.used = clock;
    let len = node.segment.tokens().len();
    let matched = common(node.segment.tokens(), rest);
    let mut grown = 0;
    if matched < len && matched < rest.len() {
        // Segments of their own, so that giving up one half frees its memory.
        let old = Arc::clone(&node.segment);
        let middle = old.start() + matched;
        let below = Node {
            segment: Arc::new(cut(&old, middle, old.end())),
            children: std::mem::take(&mut node.children),
            used: clock - 1,
        };
        node.segment = Arc::new(cut(&old, old.start(), middle));
        grown = (node.segment.bytes() + below.segment.bytes()).saturating_sub(old.bytes());
        node.children.push(below);
    }
    if matched == node.segment.tokens().len() {
        grown += insert(&mut node.children, tokens, from + matched, sequence, clock);
    }
    grown
}

/// When the least recently used leaf that nobody else holds was used.
fn oldest(level: &[Node]) -> Option<u64> {
    let of_node = |node: &Node| match node.children.as_slice() {
        [] => (Arc::strong_count(&node.segment) == 1).then_some(node.used),
        children => oldest(children),
    };
    level.iter().filter_map(of_node).min()
}

/// Removes one free leaf that was last used at `used`; returns its bytes.
fn remove(level: &mut Vec<Node>, used: u64) -> Option<usize> {
    let is_it = |n: &Node| n.children.is_empty() && n.used == used && Arc::strong_count(&n.segment) == 1;
    if let Some(index) = level.iter().position(is_it) {
        return Some(level.swap_remove(index).segment.bytes());
    }
    level.iter_mut().find_map(|node| remove(&mut node.children, used))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::kernels::pairs::{Bounds, nearest, scale};
    use crate::llm::kv::lanes::Form;
    use crate::llm::kv::{KvMemory, KvShape};
    use proptest::prelude::*;

    const SHAPE: KvShape = KvShape { layers: 2, heads: 2, dim: 16, form: Form::Codes };
    const FLOATS: KvShape = KvShape { form: Form::Floats, ..SHAPE };

    /// Keys and values that depend on the whole past, as a model's do: equal pasts, equal numbers.
    fn fake(tokens: &[u32], layer: usize) -> Vec<f32> {
        let hash = tokens.iter().fold(7u32, |h, t| h.wrapping_mul(31).wrapping_add(*t));
        (0..32).map(|i| (hash.wrapping_add((layer * 32 + i) as u32) % 10_007) as f32).collect()
    }

    fn extend(sequence: &mut Sequence, tokens: &[u32]) {
        for token in tokens {
            let position = sequence.len();
            sequence.push([*token]);
            let past = sequence.tokens();
            for layer in 0..SHAPE.layers {
                let numbers = fake(&past, layer);
                let values: Vec<f32> = numbers.iter().map(|x| -x).collect();
                let mut groups = sequence.groups(layer, position);
                groups.next().expect("room was made").write(position, &numbers, &values);
            }
        }
    }

    /// Every key and value of `sequence`, read through its runs, equals what a recompute would give.
    fn check(sequence: &Sequence) {
        let tokens = sequence.tokens();
        let mut next = 0;
        for run in sequence.runs() {
            let segment = sequence.segment(run.segment);
            for position in run.from..run.to {
                assert_eq!(position, next);
                next += 1;
                for layer in 0..SHAPE.layers {
                    let want = fake(&tokens[..=position], layer);
                    for (head, want) in want.chunks_exact(SHAPE.dim).enumerate() {
                        let group = position / 16;
                        match sequence.form() {
                            Form::Floats => {
                                let held = segment.floats(layer, head, group);
                                for (d, want) in want.iter().enumerate() {
                                    assert_eq!(held.keys[d * 16 + position % 16], *want);
                                    assert_eq!(held.values[position % 16 * 16 + d], -want);
                                }
                            }
                            Form::Codes => {
                                let (held, lane) = (segment.codes(layer, head, group), position % 16);
                                let Bounds { keys, values, .. } = Bounds::of(SHAPE.dim);
                                let (of_keys, of_values) = (scale(want, keys), scale(want, values));
                                assert_eq!((held.key_scales[lane], held.value_scales[lane]), (of_keys.0, of_values.0));
                                for (d, want) in want.iter().enumerate() {
                                    assert_eq!(held.keys[d / 2][lane][d % 2], nearest(want * of_keys.1));
                                    assert_eq!(held.values[lane / 2][d][lane % 2], nearest(-want * of_values.1));
                                }
                            }
                        }
                    }
                }
            }
        }
        assert_eq!(next, tokens.len());
    }

    fn used(tree: &PrefixTree) -> usize {
        fn sum(level: &[Node]) -> usize {
            level.iter().map(|n| n.segment.bytes() + sum(&n.children)).sum()
        }
        sum(&tree.roots)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_tree_finds_the_longest_prefix_ever_read_and_its_numbers_are_those_of_a_recompute(
            prompts in prop::collection::vec(prop::collection::vec(0u32..3, 1..60), 1..12),
            cuts in prop::collection::vec(1usize..20, 12),
            floats: bool,
        ) {
            let memory = KvMemory::new(if floats { FLOATS } else { SHAPE });
            let mut tree = PrefixTree::new(usize::MAX);
            let mut naive: Vec<Vec<u32>> = Vec::new();
            for (prompt, cut) in prompts.iter().zip(&cuts) {
                let chain = tree.lookup(prompt);
                let known: usize = chain.iter().map(|(_, n)| n).sum();
                let longest = naive.iter().map(|p| common(p, prompt)).max().unwrap_or(0);
                prop_assert_eq!(known, longest);
                let mut sequence = Sequence::new(&memory, chain);
                for chunk in prompt[known..].chunks(*cut) {
                    extend(&mut sequence, chunk);
                    let mut fork = sequence.fork();
                    extend(&mut fork, &[9, 9]);
                    check(&fork);
                }
                check(&sequence);
                tree.insert(&mut sequence);
                prop_assert_eq!(tree.bytes, used(&tree));
                naive.push(prompt.clone());
            }
        }

        #[test]
        fn the_budget_holds_and_what_is_in_use_stays_whole(
            prompts in prop::collection::vec(prop::collection::vec(0u32..4, 1..50), 2..12),
            budget in 10_000usize..100_000,
        ) {
            let memory = KvMemory::new(SHAPE);
            let mut tree = PrefixTree::new(budget);
            let mut held = None;
            for (index, prompt) in prompts.iter().enumerate() {
                let chain = tree.lookup(prompt);
                let known: usize = chain.iter().map(|(_, n)| n).sum();
                let mut sequence = Sequence::new(&memory, chain);
                extend(&mut sequence, &prompt[known..]);
                tree.insert(&mut sequence);
                check(&sequence);
                if index == 0 {
                    held = Some(sequence);
                }
                prop_assert_eq!(tree.bytes, used(&tree));
            }
            check(held.as_ref().unwrap());
            drop(held);
            // With nothing in use, one more insertion brings the tree within its budget.
            let mut last = Sequence::new(&memory, Vec::new());
            extend(&mut last, &[7]);
            tree.insert(&mut last);
            drop(last);
            let mut empty = Sequence::new(&memory, Vec::new());
            tree.insert(&mut empty);
            prop_assert!(tree.bytes <= budget);
        }
    }

    #[test]
    fn a_split_shares_what_was_read_and_copies_nothing() {
        let memory = KvMemory::new(SHAPE);
        let mut tree = PrefixTree::new(usize::MAX);
        let mut first = Sequence::new(&memory, Vec::new());
        extend(&mut first, &[1; 40]);
        tree.insert(&mut first);
        let at = |segment: &Segment, group| segment.codes(0, 0, group).keys.as_ptr();
        let before: Vec<_> = (0..3).map(|group| at(&tree.roots[0].segment, group)).collect();
        let mut second = Sequence::new(&memory, tree.lookup(&[[1; 20], [2; 20]].concat()));
        extend(&mut second, &[2; 20]);
        tree.insert(&mut second);
        let (upper, lower) = (&tree.roots[0].segment, &tree.roots[0].children[0].segment);
        assert_eq!([at(upper, 0), at(upper, 1)], before[..2]);
        assert_eq!([at(lower, 1), at(lower, 2)], before[1..], "also the group that the split goes through");
        check(&first);
        check(&second);
    }

    #[test]
    fn a_prefix_shared_by_many_samples_outlives_the_samples() {
        let prompt = |sample: u32| [vec![1; 40], vec![sample; 20]].concat();
        let memory = KvMemory::new(SHAPE);
        let mut tree = PrefixTree::new(SHAPE.bytes(40 + 16 * 3 + 60));
        for sample in 10..30 {
            let chain = tree.lookup(&prompt(sample));
            let known: usize = chain.iter().map(|(_, n)| n).sum();
            assert!(sample == 10 || known == 40, "sample {sample} found {known}");
            let mut sequence = Sequence::new(&memory, chain);
            extend(&mut sequence, &prompt(sample)[known..]);
            tree.insert(&mut sequence);
        }
    }
}
