//! Keys and values of positions that a model has read: immutable segments, and sequences made of them.
//!
//! Must keep every position in the same lane group whatever the segment cuts, because attention reduces in that order.

mod slab;

use super::simd::LANES;
use slab::{Slab, Slabs};
use std::ops::Range;
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
    /// Keys, and also values, of one lane group of one layer, all heads.
    fn group(&self) -> usize {
        self.heads * self.dim * LANES
    }

    /// Bytes that `positions` positions take, without rounding.
    pub fn bytes(&self, positions: usize) -> usize {
        2 * 4 * self.layers * self.heads * self.dim * positions
    }
}

/// A model's memory for keys and values.
#[derive(Clone, Debug)]
pub struct KvMemory {
    shape: KvShape,
    /// Each holds one lane group of all layers: `[layer][keys, values]`.
    slabs: Arc<Slabs>,
}

impl KvMemory {
    /// For a model of this shape.
    pub fn new(shape: KvShape) -> Self {
        Self { shape, slabs: Slabs::new(2 * shape.layers * shape.group()) }
    }

    /// The sizes.
    pub fn shape(&self) -> KvShape {
        self.shape
    }
}

/// Keys and values of the positions `start..start + len` of one token sequence.
///
/// A lane group is [`LANES`] positions beginning at a multiple of [`LANES`]. Keys are `[head][dim][position]`, so that one query
/// meets 16 positions at once; values are `[head][dim / 16][position][16]`, so that 16 numbers are summed at once. What lanes
/// outside the segment hold is of no meaning: a slab may be shared with a segment that has those positions.
#[derive(Debug)]
pub struct Segment {
    memory: KvMemory,
    start: usize,
    tokens: Vec<u32>,
    slabs: Vec<Arc<Slab>>,
}

impl Segment {
    fn new(memory: &KvMemory, start: usize) -> Self {
        Self { memory: memory.clone(), start, tokens: Vec::new(), slabs: Vec::new() }
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

    /// Bytes held, those of a shared slab included.
    pub fn bytes(&self) -> usize {
        (self.slabs.len() * self.memory.slabs.floats() + self.tokens.len()) * 4
    }

    /// Keys `[dim][LANES]` of one head and of the lane group with the number `group` (position / [`LANES`]).
    pub fn keys(&self, layer: usize, head: usize, group: usize) -> &[f32] {
        self.part(2 * layer, head, group)
    }

    /// Values `[dim / LANES][LANES positions][LANES]`, as [`Self::keys`].
    pub fn values(&self, layer: usize, head: usize, group: usize) -> &[f32] {
        self.part(2 * layer + 1, head, group)
    }

    fn part(&self, part: usize, head: usize, group: usize) -> &[f32] {
        let size = self.memory.shape.dim * LANES;
        let from = (part * self.memory.shape.heads + head) * size;
        &self.slabs[group - self.start / LANES].floats()[from..from + size]
    }

    /// Makes room for `tokens` after the last position.
    fn extend(&mut self, tokens: impl IntoIterator<Item = u32>) {
        self.tokens.extend(tokens);
        let groups = self.end().div_ceil(LANES) - self.start / LANES;
        self.slabs.resize_with(groups, || Arc::new(self.memory.slabs.take()));
    }

    /// Forgets the positions from `end` on.
    fn cut_off(&mut self, end: usize) {
        self.tokens.truncate(end.saturating_sub(self.start));
        self.slabs.truncate(self.end().div_ceil(LANES) - self.start / LANES);
    }

    /// The lane groups of one layer from the one that holds `position` on, each with its first position.
    fn groups(&mut self, layer: usize, position: usize) -> impl Iterator<Item = Group<'_>> {
        let shape = self.memory.shape;
        let first = position / LANES * LANES;
        let slabs = self.slabs[position / LANES - self.start / LANES..].iter_mut();
        slabs.enumerate().map(move |(g, slab)| {
            let of_layer = &mut Arc::make_mut(slab).floats_mut()[2 * layer * shape.group()..][..2 * shape.group()];
            let (keys, values) = of_layer.split_at_mut(shape.group());
            Group { shape, first: first + g * LANES, keys, values }
        })
    }

    /// Takes over the positions `from..to` of `other`, which come after the last position here. Lane groups that have no other
    /// positions yet are shared, not copied.
    fn append(&mut self, other: &Self, from: usize, to: usize) {
        self.tokens.extend(&other.tokens[from - other.start..to - other.start]);
        for group in from / LANES..to.div_ceil(LANES) {
            let theirs = &other.slabs[group - other.start / LANES];
            match self.slabs.get_mut(group - self.start / LANES) {
                None => self.slabs.push(Arc::clone(theirs)),
                Some(slab) => {
                    let lanes = from.max(group * LANES) - group * LANES..to.min((group + 1) * LANES) - group * LANES;
                    copy_lanes(self.memory.shape, Arc::make_mut(slab).floats_mut(), theirs.floats(), lanes);
                }
            }
        }
    }
}

/// Copies the keys and values of some positions of a lane group, in all layers.
fn copy_lanes(shape: KvShape, to: &mut [f32], from: &[f32], lanes: Range<usize>) {
    let parts = to.chunks_exact_mut(shape.group()).zip(from.chunks_exact(shape.group()));
    for (part, (to, from)) in parts.enumerate() {
        // Of keys, a row holds one number of each position; of values, 16 numbers of each.
        let (row, lanes) = if part % 2 == 0 {
            (LANES, lanes.clone())
        } else {
            (LANES * LANES, lanes.start * LANES..lanes.end * LANES)
        };
        for (to, from) in to.chunks_exact_mut(row).zip(from.chunks_exact(row)) {
            to[lanes.clone()].copy_from_slice(&from[lanes.clone()]);
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
    memory: KvMemory,
    /// Segments in order, each with how many of its positions belong to this sequence.
    chain: Vec<(Arc<Segment>, usize)>,
    tail: Segment,
}

impl Sequence {
    /// Continues after `chain`: segments in order of position, each used up to the given number of positions.
    pub fn new(memory: &KvMemory, chain: Vec<(Arc<Segment>, usize)>) -> Self {
        let start = chain.last().map_or(0, |(s, len)| s.start() + len);
        Self { memory: memory.clone(), chain, tail: Segment::new(memory, start) }
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
        Self::new(&self.memory, self.chain.clone())
    }

    /// Ends the tail, so that it can be shared.
    fn freeze(&mut self) {
        if !self.tail.tokens().is_empty() {
            let next = Segment::new(&self.memory, self.tail.end());
            let done = std::mem::replace(&mut self.tail, next);
            let len = done.tokens().len();
            self.chain.push((Arc::new(done), len));
        }
    }

    /// The positions `from..` as one segment: the very segment where there is one, else a new one.
    pub fn share_from(&mut self, from: usize) -> Arc<Segment> {
        self.freeze();
        if let Some((last, len)) = self.chain.last()
            && last.start() == from
            && *len == last.tokens().len()
        {
            return Arc::clone(last);
        }
        let mut copy = Segment::new(&self.memory, from);
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

    /// Forgets all positions from `len` on, none of which may be shared: those of a pass that broke off.
    pub(super) fn back_to(&mut self, len: usize) {
        self.tail.cut_off(len);
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

/// The positions `from..to` of a segment, for splitting it.
pub(super) fn cut(segment: &Segment, from: usize, to: usize) -> Segment {
    let mut copy = Segment::new(&segment.memory, from);
    copy.append(segment, from, to);
    copy
}
