//! Rounds rows of activations to 8 bits with one scale per 32 numbers.
//!
//! Must round every row by itself and in one way only, so that a row has the same codes in every batch.
//!
//! Nearly the rounding of ggml's `Q8_0`: symmetric, with `d = max |x| / 127`. Here `d` is a little finer, then rounded
//! up to four, five, six or seven quarters of a power of two, and kept in 32 bits instead of 16. With so few scales,
//! kernels can tabulate the products of a weight's scale with all of them (see `avx512/unpacked.rs`); codes become 9 %
//! coarser on average.
//!
//! Outliers: transformers have a few inputs that are far larger than the others, and a group with one of them is
//! rounded so coarsely that it has most of the rounding error of its row. Such groups get a second code for what the
//! first left over, the rest (compare LLM.int8(), arXiv 2208.07339, which computes such inputs in 16 bits).

#[cfg(target_arch = "x86_64")]
mod avx512;

use super::super::simd::{self, Vectors};
use super::record::{GROUP, HalfMasses, MASS, MINUS, RECORD, ROWS, Rest, SCALE, STARTS, STRETCH};
use pulp::Simd;
use std::array;

/// A block of rows, and where their rounded forms go.
pub struct Round<'a> {
    /// The rows, `[row][width]`.
    pub floats: &'a [f32],
    /// Codes, scales, sums and masses, `[group][word][row]`.
    pub words: &'a mut [u32],
    /// See [`STARTS`], `[group][word][row]`.
    pub starts: &'a mut [u32],
    /// `[row][group]`.
    pub half_masses: &'a mut [HalfMasses],
    /// Rests, group after group; room for all there might be.
    pub rests: &'a mut [Rest],
    /// How many rests come before each stretch, and how many there are.
    pub ends: &'a mut [u32],
    /// Numbers of a row, a multiple of [`GROUP`].
    pub width: usize,
}

impl Round<'_> {
    /// Number of rows.
    fn rows(&self) -> usize {
        self.floats.len() / self.width.max(1)
    }

    /// Groups of a row.
    fn groups(&self) -> usize {
        self.width / GROUP
    }
}

/// A group gets rests where the square of its scale, which its rounding error goes with, is this many times the row's
/// mean. Measured on SmolLM2: the median distance of log-probabilities from an exact forward goes down from 0.18 to
/// 0.10.
const OUTLIER: f32 = 1.8;

/// Rounds a block.
pub fn round(block: Round<'_>) {
    #[cfg(target_arch = "x86_64")]
    if let Some(proof) = super::avx512::Avx512::detect() {
        return round_together(proof, block);
    }
    simd::dispatch(block);
}

#[cfg(target_arch = "x86_64")]
fn round_together(proof: super::avx512::Avx512, mut block: Round<'_>) {
    match avx512::codes(proof, &mut block) {
        Some(powers) => simd::dispatch(AddRests { block, powers }),
        None => simd::dispatch(block),
    }
}

impl Vectors for Round<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const V: usize>(self, simd: S) {
        let (rows, groups) = (self.rows(), self.groups());
        let mut powers = [0.0; ROWS];
        for (i, x) in self.floats.as_chunks::<GROUP>().0.iter().enumerate() {
            let (row, g) = (i / groups, i % groups);
            let (codes, scale, sums) = round_group(x);
            let record = record(words_of(&codes), scale, sums);
            for (to, word) in self.words[g * RECORD * rows..].chunks_exact_mut(rows).zip(record) {
                to[row] = word;
            }
            self.half_masses[i] = sums.map(|sum| scale * sum as f32);
            powers[row] += scale * scale;
        }
        AddRests { block: self, powers }.run::<S, V>(simd);
    }
}

/// Codes, four to a word.
#[inline(always)]
fn words_of(codes: &[i8; GROUP]) -> [u32; GROUP / 4] {
    array::from_fn(|w| u32::from_le_bytes(array::from_fn(|i| codes[w * 4 + i] as u8)))
}

/// The words of a group with these codes.
#[inline(always)]
fn record(codes: [u32; GROUP / 4], scale: f32, sums: [i32; 2]) -> [u32; RECORD] {
    let mut record = [0; RECORD];
    record[..GROUP / 4].copy_from_slice(&codes);
    record[SCALE] = scale.to_bits();
    let [all, second] = minus(sums);
    (record[MINUS], record[MINUS + 1]) = (all as u32, second as u32);
    record[MASS] = (scale * sums[0].wrapping_add(sums[1]) as f32).to_bits();
    record
}

/// What dot products begin with, see [`MINUS`], of the sums of both halves. Codes have 8 bits, so nothing wraps.
#[inline(always)]
fn minus(sums: [i32; 2]) -> [i32; 2] {
    [sums[0].wrapping_add(sums[1]).wrapping_neg(), sums[1].wrapping_neg()]
}

/// The rests of a block whose codes are there; `powers` are, for each row, the sums of the squares of their scales.
struct AddRests<'a> {
    block: Round<'a>,
    powers: [f32; ROWS],
}

impl Vectors for AddRests<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const V: usize>(self, _simd: S) {
        let Self { block, powers } = self;
        let (rows, groups) = (block.rows(), block.groups());
        match rows {
            1 => starts_of::<1>(block.words, block.starts),
            2 => starts_of::<2>(block.words, block.starts),
            3 => starts_of::<3>(block.words, block.starts),
            4 => starts_of::<4>(block.words, block.starts),
            5 => starts_of::<5>(block.words, block.starts),
            _ => starts_of::<ROWS>(block.words, block.starts),
        }
        let limits = powers.map(|power| OUTLIER * power / groups as f32);
        let mut found = 0;
        for (g, record) in block.words.chunks_exact_mut(RECORD * rows).enumerate() {
            if g % STRETCH == 0 {
                block.ends[g / STRETCH] = found as u32;
            }
            for row in 0..rows {
                let scale = f32::from_bits(record[SCALE * rows + row]);
                // Where a number of the row is not finite there is no limit, and rests hand that on in every kernel.
                if scale * scale > limits[row] || limits[row].is_nan() {
                    let rest = &mut block.rests[found];
                    (rest.group, rest.row) = (g as u32, row as u32);
                    let group = row * groups + g;
                    let Some(x) = block.floats[group * GROUP..].first_chunk() else { return };
                    let mass = round_rest(x, rest, &mut block.half_masses[group]);
                    record[MASS * rows + row] = mass.to_bits();
                    found += 1;
                }
            }
        }
        block.ends[groups.div_ceil(STRETCH)..].fill(found as u32);
    }
}

/// Fills in the starts of `R` rows.
#[inline(always)]
fn starts_of<const R: usize>(words: &[u32], starts: &mut [u32]) {
    let records = words.as_chunks::<R>().0.as_chunks::<RECORD>().0;
    for (record, starts) in records.iter().zip(starts.as_chunks_mut::<R>().0.as_chunks_mut::<STARTS>().0) {
        for r in 0..R {
            let of_row = starts_of_codes(array::from_fn(|w| record[w][r]));
            (starts[0][r], starts[1][r], starts[2][r]) = (of_row[0], of_row[1], of_row[2]);
        }
    }
}

/// The starts of a row with these codes, see [`STARTS`].
#[inline(always)]
fn starts_of_codes(codes: [u32; GROUP / 4]) -> [u32; STARTS] {
    // Codes plus 128, so that no sum of two lanes side by side borrows from its neighbour.
    let sum = |sum: u32, four: &u32| {
        let four = four ^ 0x8080_8080;
        sum.wrapping_add(four & 0x00ff_00ff).wrapping_add(four >> 8 & 0x00ff_00ff)
    };
    let (first, second) = codes.split_at(GROUP / 8);
    let (first, second) = (first.iter().fold(0, sum), second.iter().fold(0, sum));
    // `codes` are how many were added up in each lane.
    let minus = |sum: u32, codes: u32| {
        let lane = |sum: u32| (codes * 128).wrapping_sub(sum) & 0xffff;
        lane(sum & 0xffff) | lane(sum >> 16) << 16
    };
    [minus(first + second, 16), minus(first, 8), minus(second, 8)]
}

/// Adding it rounds to the nearest integer (ties to even), which then stands in the low bits.
pub(super) const ROUND: f32 = 12_582_912.0;

/// The code of the largest number, before it is rounded to 127.
pub(super) const LARGEST_CODE: f32 = 127.4;

/// The bits that scales do not have: all below the second behind the leading one.
pub(super) const FINER: u32 = (1 << 21) - 1;

/// The smallest scale, 2⁻⁹⁶, of zeros too; products with any half-precision number but zero are then normal floats.
/// Numbers that it is too large for are nothing beside any other in a row.
pub(super) const SMALLEST: f32 = f32::from_bits((127 - 96) << 23);

/// Numbers from here on, 2¹⁰⁰, count as infinite; products of scales then never are.
pub(super) const TOO_LARGE: f32 = f32::from_bits((127 + 100) << 23);

/// The largest magnitude; infinite or NaN where one of the numbers is.
#[inline(always)]
pub(super) fn largest(x: &[f32]) -> f32 {
    // As integers, the magnitudes of floats keep their order, and what is not finite comes last.
    f32::from_bits(x.iter().fold(0u32, |most, x| most.max(x.to_bits() & 0x7fff_ffff)))
}

/// Codes, their scale, and the sums of the first and the second 16 of them.
#[inline(always)]
fn round_group(x: &[f32; GROUP]) -> ([i8; GROUP], f32, [i32; 2]) {
    let most = largest(x);
    if most.to_bits() >= TOO_LARGE.to_bits() {
        // The readout refuses numbers that are not finite; zeros would hide them.
        return ([0; GROUP], f32::NAN, [0; 2]);
    }
    let scale = f32::from_bits(((most / LARGEST_CODE).to_bits() + FINER) & !FINER).max(SMALLEST);
    let inverse = 1.0 / scale;
    let (codes, sums) = nearest(|i| x[i] * inverse);
    (codes, scale, sums)
}

/// The integers nearest to 32 numbers, which fit 8 bits, and the sums of the first and the second 16 of them.
#[inline(always)]
fn nearest(number: impl Fn(usize) -> f32) -> ([i8; GROUP], [i32; 2]) {
    // One loop over all: what is stored in vectors of one width and loaded in another waits for memory.
    let (mut codes, mut wide) = ([0i8; GROUP], [0i32; GROUP]);
    for i in 0..GROUP {
        let code = (number(i) + ROUND).to_bits().wrapping_sub(ROUND.to_bits()) as i32;
        (codes[i], wide[i]) = (code as i8, code);
    }
    // Codes have 8 bits, so nothing wraps; a checked sum would not be made of vectors.
    let sum = |from: usize| wide[from..from + 16].iter().fold(0i32, |sum, code| sum.wrapping_add(*code));
    (codes, [sum(0), sum(16)])
}

/// What the codes left over is at most half a scale; it gets 8 bits of its own. Gives the group's mass.
#[inline(always)]
fn round_rest(x: &[f32; GROUP], rest: &mut Rest, half_masses: &mut HalfMasses) -> f32 {
    let (codes, whole, sums) = round_group(x);
    if whole.is_nan() {
        (rest.codes, rest.scale, rest.minus, *half_masses) = ([0; GROUP], whole, [0; 2], [whole; 2]);
        rest.starts = [0; STARTS];
        return whole;
    }
    rest.scale = whole / 254.0;
    let inverse = 1.0 / rest.scale;
    let over = |i: usize| (-f32::from(codes[i])).mul_add(whole, x[i]) * inverse;
    let (codes, of_rest) = nearest(|i| over(i).clamp(-127.0, 127.0));
    (rest.codes, rest.minus, rest.starts) = (codes, minus(of_rest), starts_of_codes(words_of(&codes)));
    for (half, sum) in half_masses.iter_mut().zip(of_rest) {
        *half = rest.scale.mul_add(sum as f32, *half);
    }
    rest.scale.mul_add((of_rest[0] + of_rest[1]) as f32, whole * (sums[0] + sums[1]) as f32)
}
