//! How the keys and values of a lane group lie in memory: as floats, or as 16-bit codes with a scale for each position
//! and head.
//!
//! Must be the only file that knows where a number lies; that does not depend on the segment through which it is
//! reached.
//!
//! Codes take half the memory of floats and are multiplied twice as fast. With 12 to 15 bits they are about as fine as
//! half-precision floats; their error is far below that of the 8-bit activations (figures in docs/kernels.md).

use super::super::kernels::pairs::{Bounds, Pair, Vector, nearest, scale};
use super::super::simd::{LANES, Vectors, dispatch};
use super::KvShape;
use super::slab::Slab;
use pulp::Simd;
use std::ops::Range;

/// How keys and values are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// 32-bit floats: for weights that are multiplied as floats.
    Floats,
    /// 16-bit codes: for weights that are multiplied with rounded activations.
    Codes,
}

impl Form {
    /// The type of their elements, for records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Floats => "f32",
            Self::Codes => "i16",
        }
    }
}

impl KvShape {
    /// Keys, and also values, of one lane group of one layer, all heads.
    fn numbers(&self) -> usize {
        self.heads * self.dim * LANES
    }

    /// Words of 32 bits of one lane group of one layer: of floats, `[keys][values]`; of codes, `[keys][values]` in
    /// pairs, then `[scales of keys][scales of values]`.
    pub(super) fn words(&self) -> usize {
        match self.form {
            Form::Floats => 2 * self.numbers(),
            Form::Codes => self.numbers() + 2 * self.heads * LANES,
        }
    }
}

/// Floats of one head in one lane group.
#[derive(Clone, Copy, Debug)]
pub struct Floats<'a> {
    /// `[dim][position]`, so that one query meets 16 positions at once.
    pub keys: &'a [f32],
    /// `[dim / 16][position][16]`, so that 16 numbers are summed at once.
    pub values: &'a [f32],
}

/// Codes of one head in one lane group; a number is its code times its position's scale.
#[derive(Clone, Copy, Debug)]
pub struct Codes<'a> {
    /// `[dim / 2][position]`: pairs of numbers.
    pub keys: &'a [Vector],
    /// `[dim / 16][position / 2][16]`: pairs of positions.
    pub values: &'a [Vector],
    /// Of each position.
    pub key_scales: &'a [f32; LANES],
    /// Of each position.
    pub value_scales: &'a [f32; LANES],
}

impl Slab {
    /// Floats of one head.
    pub(super) fn of_floats(&self, shape: KvShape, layer: usize, head: usize) -> Floats<'_> {
        let of_layer = &self.floats()[layer * shape.words()..][..shape.words()];
        let (keys, values) = of_layer.split_at(shape.numbers());
        let size = shape.dim * LANES;
        Floats { keys: &keys[head * size..][..size], values: &values[head * size..][..size] }
    }

    /// Codes of one head.
    #[inline]
    pub(super) fn of_codes(&self, shape: KvShape, layer: usize, head: usize) -> Codes<'_> {
        let from = layer * shape.words();
        let (size, half) = (shape.dim / 2, shape.numbers() / 2);
        let codes = self.pairs()[from..from + 2 * half].as_chunks::<LANES>().0;
        let scales = self.floats()[from + 2 * half..from + shape.words()].as_chunks::<LANES>().0;
        let (keys, values) = codes.split_at(half / LANES);
        let (key_scales, value_scales) = scales.split_at(shape.heads);
        Codes {
            keys: &keys[head * size..][..size],
            values: &values[head * size..][..size],
            key_scales: &key_scales[head],
            value_scales: &value_scales[head],
        }
    }

    /// Copies the keys and values of some positions, in all layers.
    pub(super) fn copy_lanes(&mut self, shape: KvShape, from: &Self, lanes: Range<usize>) {
        let all = self.pairs_mut().chunks_exact_mut(shape.words()).zip(from.pairs().chunks_exact(shape.words()));
        for (to, from) in all {
            let (codes, numbers) = (shape.numbers() / 2, shape.numbers());
            match shape.form {
                Form::Floats => {
                    rows(&mut to[..numbers], &from[..numbers], LANES, lanes.clone());
                    let lanes = lanes.start * LANES..lanes.end * LANES;
                    rows(&mut to[numbers..], &from[numbers..], LANES * LANES, lanes);
                }
                Form::Codes => {
                    rows(&mut to[..codes], &from[..codes], LANES, lanes.clone());
                    let values =
                        to[codes..numbers].chunks_exact_mut(LANES).zip(from[codes..numbers].chunks_exact(LANES));
                    for (v, (to, from)) in values.enumerate() {
                        for half in (0..2).filter(|half| lanes.contains(&(v % (LANES / 2) * 2 + half))) {
                            to.iter_mut().zip(from).for_each(|(to, from)| to[half] = from[half]);
                        }
                    }
                    rows(&mut to[numbers..], &from[numbers..], LANES, lanes.clone());
                }
            }
        }
    }
}

/// Copies some of each row.
fn rows(to: &mut [Pair], from: &[Pair], row: usize, some: Range<usize>) {
    for (to, from) in to.chunks_exact_mut(row).zip(from.chunks_exact(row)) {
        to[some.clone()].copy_from_slice(&from[some.clone()]);
    }
}

/// Room for the keys and values of one lane group of one layer; different threads may fill different ones.
#[derive(Debug)]
pub(in super::super) struct Group<'a> {
    shape: KvShape,
    /// Position of lane 0.
    pub first: usize,
    words: &'a mut [Pair],
}

impl<'a> Group<'a> {
    /// Of a slab.
    pub(super) fn new(shape: KvShape, layer: usize, first: usize, slab: &'a mut Slab) -> Self {
        Self { shape, first, words: &mut slab.pairs_mut()[layer * shape.words()..][..shape.words()] }
    }

    /// Puts in keys and values `[head][dim]` of one position.
    pub fn write(&mut self, position: usize, keys: &[f32], values: &[f32]) {
        let (shape, lane) = (self.shape, position - self.first);
        match shape.form {
            Form::Floats => {
                let (of_keys, of_values) = self.words.split_at_mut(shape.numbers());
                of_keys[lane..].iter_mut().step_by(LANES).zip(keys).for_each(|(slot, x)| *slot = word(*x));
                for (slots, values) in of_values.chunks_exact_mut(LANES * LANES).zip(values.chunks_exact(LANES)) {
                    let slots = &mut slots[lane * LANES..(lane + 1) * LANES];
                    slots.iter_mut().zip(values).for_each(|(slot, x)| *slot = word(*x));
                }
            }
            Form::Codes => dispatch(Write { shape, words: self.words, lane, keys, values }),
        }
    }
}

/// The bits of a float as a word of a slab.
fn word(x: f32) -> Pair {
    let bits = x.to_bits();
    [bits as i16, (bits >> 16) as i16]
}

/// Codes one position.
struct Write<'a> {
    shape: KvShape,
    words: &'a mut [Pair],
    lane: usize,
    keys: &'a [f32],
    values: &'a [f32],
}

impl Vectors for Write<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const V: usize>(self, _simd: S) {
        let Self { shape, words, lane, keys, values } = self;
        let KvShape { dim, heads, .. } = shape;
        let bounds = Bounds::of(dim);
        let (of_keys, rest) = words.split_at_mut(shape.numbers() / 2);
        let (of_values, scales) = rest.split_at_mut(shape.numbers() / 2);
        let (key_scales, value_scales) = scales.split_at_mut(heads * LANES);
        for head in 0..heads {
            let (from, half) = (head * dim, head * dim * LANES / 2);
            let x = &keys[from..from + dim];
            let (of_position, inverse) = scale(x, bounds.keys);
            let slots = &mut of_keys[half..half + dim * LANES / 2];
            for (slots, x) in slots.chunks_exact_mut(LANES).zip(x.as_chunks::<2>().0) {
                slots[lane] = x.map(|x| nearest(x * inverse));
            }
            key_scales[head * LANES + lane] = word(of_position);
            let x = &values[from..from + dim];
            let (of_position, inverse) = scale(x, bounds.values);
            let slots = &mut of_values[half..half + dim * LANES / 2];
            for (slots, x) in slots.chunks_exact_mut(LANES * LANES / 2).zip(x.as_chunks::<LANES>().0) {
                let slots = &mut slots[lane / 2 * LANES..(lane / 2 + 1) * LANES];
                slots.iter_mut().zip(x).for_each(|(slot, x)| slot[lane % 2] = nearest(x * inverse));
            }
            value_scales[head * LANES + lane] = word(of_position);
        }
    }
}
