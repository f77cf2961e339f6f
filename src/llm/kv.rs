//! Keys and values of positions that a model has read: immutable segments, and sequences made of them.
//!
//! Must keep every position in the same lane group, wherever segments begin and end, because attention reduces in that
//! order.

pub mod lanes;
mod slab;

use super::simd::LANES;
use lanes::{Codes, Floats, Form, Group};
use slab::{Slab, Slabs};
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
    /// How the numbers are kept.
    pub form: Form,
}

impl KvShape {
    /// Bytes that `positions` positions take, without rounding.
    pub fn bytes(&self, positions: usize) -> usize {
        4 * self.layers * self.words() / LANES * positions
    }
}

/// A model's memory for keys and values.
#[derive(Clone, Debug)]
pub struct KvMemory {
    shape: KvShape,
    /// Each holds one lane group of all layers.
    slabs: Arc<Slabs>,
}

impl KvMemory {
    /// For a model of this shape.
    pub fn new(shape: KvShape) -> Self {
        Self { shape, slabs: Slabs::new(shape.layers * shape.words()) }
    }

    /// The sizes.
    pub fn shape(&self) -> KvShape {
        self.shape
    }
}

/// Keys and values of the positions `start..start + len` of one token sequence.
///
/// A lane group is [`LANES`] positions beginning at a multiple of [`LANES`]. What lanes outside the segment hold is of
/// no meaning: a slab may be shared with a segment that has those positions.
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
        (self.slabs.len() * self.memory.slabs.words() + self.tokens.len()) * 4
    }

    /// Keys and values of one head and of the lane group with the number `group` (position / [`LANES`]), kept as
    /// floats.
    pub fn floats(&self, layer: usize, head: usize, group: usize) -> Floats<'_> {
        self.slabs[group - self.start / LANES].of_floats(self.memory.shape, layer, head)
    }

    /// The same, kept as codes.
    #[inline]
    pub fn codes(&self, layer: usize, head: usize, group: usize) -> Codes<'_> {
        self.slabs[group - self.start / LANES].of_codes(self.memory.shape, layer, head)
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
        slabs.enumerate().map(move |(g, slab)| Group::new(shape, layer, first + g * LANES, Arc::make_mut(slab)))
    }

    /// Takes over the positions `from..to` of `other`, which come after the last position here. Lane groups that have
    /// no other positions yet are shared, not copied.
    fn append(&mut self, other: &Self, from: usize, to: usize) {
        self.tokens.extend(&other.tokens[from - other.start..to - other.start]);
        for group in from / LANES..to.div_ceil(LANES) {
            let theirs = &other.slabs[group - other.start / LANES];
            match self.slabs.get_mut(group - self.start / LANES) {
                None => self.slabs.push(Arc::clone(theirs)),
                Some(slab) => {
                    let lanes = from.max(group * LANES) - group * LANES..to.min((group + 1) * LANES) - group * LANES;
                    Arc::make_mut(slab).copy_lanes(self.memory.shape, theirs, lanes);
                }
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

    /// How keys and values are kept.
    pub(super) fn form(&self) -> Form {
        self.memory.shape.form
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
