//! Keys and values of positions that a model has read: immutable segments, and sequences made of them.
//!
//! Must keep every position in the same lane group whatever the segment cuts, because attention reduces in that order.

use super::simd::LANES;
use std::sync::Arc;

/// Sizes of one model's cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KvShape {
    /// Number of layers.
    pub layers: usize,
    /// Key and value heads.
    pub heads: usize,
    /// Numbers per head; a multiple of [`LANES`].
    pub dim: usize,
}

impl KvShape {
    /// Numbers of one lane group of one layer, all heads.
    fn group(&self) -> usize {
        self.heads * self.dim * LANES
    }

    /// Bytes that `positions` positions take, without rounding.
    pub fn bytes(&self, positions: usize) -> usize {
        2 * 4 * self.layers * self.heads * self.dim * positions
    }
}

/// Keys and values of the positions `start..start + len` of one token sequence.
///
/// A lane group is [`LANES`] positions beginning at a multiple of [`LANES`]. Keys are `[group][head][dim][position]`, so
/// that one query meets 16 positions at once; values are `[group][head][dim / 16][position][16]`, so that 16 numbers are
/// summed at once. Lanes outside the segment hold zeros.
#[derive(Debug, PartialEq)]
pub struct Segment {
    shape: KvShape,
    start: usize,
    tokens: Vec<u32>,
    keys: Vec<Vec<f32>>,
    values: Vec<Vec<f32>>,
}

impl Segment {
    fn new(shape: KvShape, start: usize) -> Self {
        Self {
            shape,
            start,
            tokens: Vec::new(),
            keys: vec![Vec::new(); shape.layers],
            values: vec![Vec::new(); shape.layers],
        }
    }

    /// First position.
    pub fn start(&self) -> usize {
        self.start
    }

    /// The tokens at its positions.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// One past the last position.
    pub fn end(&self) -> usize {
        self.start + self.tokens.len()
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.keys.iter().chain(&self.values).map(|v| v.len() * 4).sum::<usize>() + self.tokens.len() * 4
    }

    /// Keys `[dim][LANES]` of one head and of the lane group with the number `group` (position / [`LANES`]).
    pub fn keys(&self, layer: usize, head: usize, group: usize) -> &[f32] {
        let size = self.shape.dim * LANES;
        let from = ((group - self.start / LANES) * self.shape.heads + head) * size;
        &self.keys[layer][from..from + size]
    }

    /// Values `[dim / LANES][LANES positions][LANES]`, as [`Self::keys`].
    pub fn values(&self, layer: usize, head: usize, group: usize) -> &[f32] {
        let size = self.shape.dim * LANES;
        let from = ((group - self.start / LANES) * self.shape.heads + head) * size;
        &self.values[layer][from..from + size]
    }

    /// Makes room for `tokens` after the last position.
    fn extend(&mut self, tokens: impl IntoIterator<Item = u32>) {
        self.tokens.extend(tokens);
        let groups = self.end().div_ceil(LANES) - self.start / LANES;
        let size = groups * self.shape.group();
        for buffer in self.keys.iter_mut().chain(&mut self.values) {
            buffer.resize(size, 0.0);
        }
    }

    /// Gives back the room kept for growing, which the budget of the prefix tree does not count.
    fn shrink(&mut self) {
        self.keys.iter_mut().chain(&mut self.values).for_each(Vec::shrink_to_fit);
        self.tokens.shrink_to_fit();
    }

    /// Where number 0 of `head` at `position` lies in keys and in values.
    fn place(&self, head: usize, position: usize) -> (usize, usize) {
        let group = position / LANES - self.start / LANES;
        let lane = position % LANES;
        let from = (group * self.shape.heads + head) * self.shape.dim * LANES;
        (from + lane, from + lane * LANES)
    }

    /// The lane groups of one layer from the one that holds `position` on, each with its first position.
    fn groups(&mut self, layer: usize, position: usize) -> impl Iterator<Item = Group<'_>> {
        let (shape, skip) = (self.shape, position / LANES - self.start / LANES);
        let size = shape.group();
        let (keys, values) = (&mut self.keys[layer][skip * size..], &mut self.values[layer][skip * size..]);
        let both = keys.chunks_exact_mut(size).zip(values.chunks_exact_mut(size));
        let first = position / LANES * LANES;
        both.enumerate().map(move |(g, (keys, values))| Group { shape, first: first + g * LANES, keys, values })
    }

    /// Puts in keys and values `[head][dim]` of one position of one layer.
    fn write(&mut self, layer: usize, position: usize, keys: &[f32], values: &[f32]) {
        if let Some(mut group) = self.groups(layer, position).next() {
            group.write(position, keys, values);
        }
    }

    /// Copies the positions `from..to` of `other` after the last position.
    fn append(&mut self, other: &Self, from: usize, to: usize) {
        self.extend(other.tokens[from - other.start..to - other.start].iter().copied());
        let mut row = vec![0.0; 2 * self.shape.dim * self.shape.heads];
        let (keys, values) = row.split_at_mut(self.shape.dim * self.shape.heads);
        for layer in 0..self.shape.layers {
            for position in from..to {
                for head in 0..self.shape.heads {
                    let (k, v) = other.place(head, position);
                    let of_head = head * self.shape.dim..(head + 1) * self.shape.dim;
                    let from = other.keys[layer][k..].iter().step_by(LANES);
                    keys[of_head.clone()].iter_mut().zip(from).for_each(|(slot, x)| *slot = *x);
                    let from = other.values[layer][v..].chunks(LANES * LANES);
                    values[of_head].chunks_exact_mut(LANES).zip(from).for_each(|(slot, x)| {
                        slot.copy_from_slice(&x[..LANES]);
                    });
                }
                self.write(layer, position, keys, values);
            }
        }
    }
}

/// Room for the keys and values of one lane group of one layer; different threads may fill different ones.
#[derive(Debug)]
pub(super) struct Group<'a> {
    shape: KvShape,
    /// Position of lane 0.
    pub first: usize,
    keys: &'a mut [f32],
    values: &'a mut [f32],
}

impl Group<'_> {
    /// Puts in keys and values `[head][dim]` of one position.
    pub fn write(&mut self, position: usize, keys: &[f32], values: &[f32]) {
        let (dim, lane) = (self.shape.dim, position - self.first);
        let size = dim * LANES;
        for (slots, keys) in self.keys.chunks_exact_mut(size).zip(keys.chunks_exact(dim)) {
            slots[lane..].iter_mut().step_by(LANES).zip(keys).for_each(|(slot, x)| *slot = *x);
        }
        for (slots, values) in self.values.chunks_exact_mut(size).zip(values.chunks_exact(dim)) {
            let slots = slots.chunks_exact_mut(LANES * LANES);
            for (slots, values) in slots.zip(values.chunks_exact(LANES)) {
                slots[lane * LANES..(lane + 1) * LANES].copy_from_slice(values);
            }
        }
    }
}

/// Positions that lie side by side in one lane group of one segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Index into the sequence's segments; the tail is the last.
    pub segment: usize,
    /// First position.
    pub from: usize,
    /// One past the last; in the same lane group.
    pub to: usize,
}

/// What a model has read so far on one branch: shared segments and a tail of its own. Forking costs a few `Arc` clones.
#[derive(Debug)]
pub struct Sequence {
    shape: KvShape,
    /// Segments in order, each with how many of its positions belong to this sequence.
    chain: Vec<(Arc<Segment>, usize)>,
    tail: Segment,
}

impl Sequence {
    /// Continues after `chain`: segments in order of position, each used up to the given number of positions.
    pub fn new(shape: KvShape, chain: Vec<(Arc<Segment>, usize)>) -> Self {
        let start = chain.last().map_or(0, |(s, len)| s.start() + len);
        Self { shape, chain, tail: Segment::new(shape, start) }
    }

    /// Number of positions.
    pub fn len(&self) -> usize {
        self.tail.end()
    }

    /// Whether nothing was read yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All tokens in order.
    pub fn tokens(&self) -> Vec<u32> {
        let shared = self.chain.iter().flat_map(|(s, len)| s.tokens()[..*len].iter());
        shared.chain(self.tail.tokens()).copied().collect()
    }

    /// A second sequence that shares all positions so far. What this one wrote becomes a shared segment.
    pub fn fork(&mut self) -> Self {
        self.freeze();
        Self { shape: self.shape, chain: self.chain.clone(), tail: Segment::new(self.shape, self.len()) }
    }

    /// Ends the tail, so that it can be shared.
    fn freeze(&mut self) {
        if !self.tail.tokens().is_empty() {
            let next = Segment::new(self.shape, self.tail.end());
            let mut done = std::mem::replace(&mut self.tail, next);
            done.shrink();
            let len = done.tokens().len();
            self.chain.push((Arc::new(done), len));
        }
    }

    /// The positions `from..` as one segment: the very segment where there is one, else a copy.
    pub fn share_from(&mut self, from: usize) -> Arc<Segment> {
        self.freeze();
        if let Some((last, len)) = self.chain.last()
            && last.start() == from
            && *len == last.tokens().len()
        {
            return Arc::clone(last);
        }
        let mut copy = Segment::new(self.shape, from);
        for (segment, len) in &self.chain {
            let end = segment.start() + len;
            if end > from {
                copy.append(segment, segment.start().max(from), end);
            }
        }
        Arc::new(copy)
    }

    /// Makes room for more tokens.
    pub(super) fn push(&mut self, tokens: impl IntoIterator<Item = u32>) {
        self.tail.extend(tokens);
    }

    /// Goes back to where the last shared segment ends: after a pass that broke off, nothing of its own can be trusted.
    pub(super) fn forget_own(&mut self) {
        self.tail = Segment::new(self.shape, self.tail.start());
    }

    /// Where keys and values of one layer go, of `position` and all that were pushed after it.
    pub(super) fn groups(&mut self, layer: usize, position: usize) -> impl Iterator<Item = Group<'_>> {
        self.tail.groups(layer, position)
    }

    /// Segment number `index`, the tail being the last.
    pub(super) fn segment(&self, index: usize) -> &Segment {
        self.chain.get(index).map_or(&self.tail, |(s, _)| s)
    }

    /// All positions as runs, in order.
    pub(super) fn runs(&self) -> Vec<Run> {
        let mut runs = Vec::new();
        let lens = self.chain.iter().map(|(s, len)| (s.start(), *len));
        let all = lens.chain([(self.tail.start(), self.tail.tokens().len())]);
        for (segment, (start, len)) in all.enumerate() {
            let mut from = start;
            while from < start + len {
                let to = ((from / LANES + 1) * LANES).min(start + len);
                runs.push(Run { segment, from, to });
                from = to;
            }
        }
        runs
    }
}

/// A copy of the positions `from..to` of a segment, for splitting it.
pub(super) fn cut(segment: &Segment, from: usize, to: usize) -> Segment {
    let mut copy = Segment::new(segment.shape, from);
    copy.append(segment, from, to);
    copy
}
