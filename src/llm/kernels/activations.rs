//! Rows of activations: as floats, and rounded to 8 bits with one scale per 32 numbers (see [`super::round`]).
//!
//! Must store the rounded numbers in the order in which kernels read them: in blocks of up to [`ROWS`] rows, and inside
//! a block group after group of 32 inputs. Then one pointer serves all rows of a block, and kernels read a third fewer
//! bytes than with rows stored one after the other.

use super::pool::Pool;
use super::record::{GROUP, HalfMasses, RECORD, ROWS, Rest, Rests, STARTS, STRETCH};
#[cfg(test)]
use super::record::{MASS, MINUS, SCALE};
use super::round::{self, Round};
#[cfg(test)]
use std::array;
use std::ops::Range;

/// A batch of rows, in the forms that the linear layers want.
#[derive(Debug, Default)]
pub struct Activations {
    rows: usize,
    width: usize,
    floats: Vec<f32>,
    /// Of each block the records of its groups.
    words: Vec<u32>,
    /// Of each block the [`STARTS`] of its groups.
    starts: Vec<u32>,
    /// `[row][groups]`.
    half_masses: Vec<HalfMasses>,
    /// `[row][groups]`, of which each block uses as many as it has rests, from the first on: group after group.
    rests: Vec<Rest>,
    /// Of each block, how many of its rests come before each stretch, and how many there are: `[block][stretches + 1]`.
    ends: Vec<u32>,
}

/// What one task fills: a block of rows in all their forms. A block is one task's, since threads that write the rows of
/// one would take its cache lines from each other.
struct RowBlock<'a, T> {
    /// Number of its first row.
    first: usize,
    source: &'a mut [T],
    floats: &'a mut [f32],
    words: &'a mut [u32],
    starts: &'a mut [u32],
    half_masses: &'a mut [HalfMasses],
    rests: &'a mut [Rest],
    ends: &'a mut [u32],
}

impl Activations {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Numbers per row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The exact numbers, `[row][width]`.
    pub fn floats(&self) -> &[f32] {
        &self.floats[..self.rows * self.width]
    }

    /// How many blocks the rows are in.
    pub fn blocks(&self) -> usize {
        self.rows.div_ceil(ROWS)
    }

    /// The rows of block `b`. Blocks are as even as possible: the kernels for few rows make less use of each load.
    pub fn block(&self, b: usize) -> Range<usize> {
        let count = self.blocks();
        b * self.rows / count..(b + 1) * self.rows / count
    }

    /// The records of a block with these rows, group after group; none where the width is no multiple of [`GROUP`].
    pub fn words(&self, block: Range<usize>) -> &[u32] {
        let per_row = self.groups() * RECORD;
        &self.words[block.start * per_row..block.end * per_row]
    }

    /// The starts of a block with these rows, group after group.
    pub fn starts(&self, block: Range<usize>) -> &[u32] {
        let per_row = self.groups() * STARTS;
        &self.starts[block.start * per_row..block.end * per_row]
    }

    /// The half masses of each group of one row.
    pub fn half_masses(&self, row: usize) -> &[HalfMasses] {
        let count = self.groups();
        &self.half_masses[row * count..(row + 1) * count]
    }

    /// The rests of block `b`.
    pub fn rests(&self, b: usize) -> Rests<'_> {
        let Range { start, end } = self.block(b);
        let (places, ends) = (start * self.groups()..end * self.groups(), self.stretches() + 1);
        let ends = &self.ends[b * ends..(b + 1) * ends];
        let count = ends.last().map_or(0, |end| *end as usize);
        Rests { all: &self.rests[places][..count], ends }
    }

    fn stretches(&self) -> usize {
        self.groups().div_ceil(STRETCH)
    }

    /// Groups per row; none where the width is no multiple of [`GROUP`]: such rows are not rounded.
    fn groups(&self) -> usize {
        if self.width.is_multiple_of(GROUP) { self.width / GROUP } else { 0 }
    }

    /// Makes `rows` rows of `width` numbers: `write` gets each row's number and the row, which holds rubbish.
    pub fn fill(&mut self, pool: &Pool, rows: usize, width: usize, write: impl Fn(usize, &mut [f32]) + Sync) {
        self.fill_from(pool, &mut vec![(); rows], 1, width, |row, _, to| write(row, to));
    }

    /// Makes one row of `width` numbers of every `size` of `source`, which `write` gets with the row's number and the
    /// row and may change.
    pub fn fill_from<T: Send>(
        &mut self,
        pool: &Pool,
        source: &mut [T],
        size: usize,
        width: usize,
        write: impl Fn(usize, &mut [T], &mut [f32]) + Sync,
    ) {
        let rows = source.len() / size;
        (self.rows, self.width) = (rows, width);
        let (groups, ends) = (self.groups(), self.stretches() + 1);
        // Widths change from layer to layer; what is longer than needed stays, so that nothing is cleared each time.
        grow(&mut self.floats, rows * width);
        grow(&mut self.words, rows * groups * RECORD);
        grow(&mut self.starts, rows * groups * STARTS);
        grow(&mut self.half_masses, rows * groups);
        grow(&mut self.rests, rows * groups);
        let blocks: Vec<Range<usize>> = (0..self.blocks()).map(|b| self.block(b)).collect();
        grow(&mut self.ends, blocks.len() * ends);
        let (mut source, mut floats, mut words) = (source, &mut self.floats[..], &mut self.words[..]);
        let (mut starts, mut half_masses) = (&mut self.starts[..], &mut self.half_masses[..]);
        let mut rests = &mut self.rests[..];
        let mut all_ends = &mut self.ends[..];
        let mut all: Vec<RowBlock<'_, T>> = blocks
            .into_iter()
            .map(|block| RowBlock {
                first: block.start,
                source: next(&mut source, block.len() * size),
                floats: next(&mut floats, block.len() * width),
                words: next(&mut words, block.len() * groups * RECORD),
                starts: next(&mut starts, block.len() * groups * STARTS),
                half_masses: next(&mut half_masses, block.len() * groups),
                rests: next(&mut rests, block.len() * groups),
                ends: next(&mut all_ends, ends),
            })
            .collect();
        pool.pieces(&mut all, 1, GRAIN.div_ceil(ROWS * width.max(1)), |_, blocks| {
            for RowBlock { first, source, floats, words, starts, half_masses, rests, ends } in blocks {
                for (row, (source, floats)) in
                    source.chunks_exact_mut(size).zip(floats.chunks_exact_mut(width)).enumerate()
                {
                    write(*first + row, source, floats);
                }
                // Rows of a width that is no multiple of a group are not rounded.
                if groups == 0 {
                    ends.fill(0);
                } else {
                    round::round(Round { floats, words, starts, half_masses, rests, ends, width });
                }
            }
        });
    }
}

/// Takes the next `len` off the front.
fn next<'a, T>(rest: &mut &'a mut [T], len: usize) -> &'a mut [T] {
    rest.split_off_mut(..len).unwrap_or_default()
}

/// Makes room for `len` numbers without ever giving any back.
fn grow<T: Default>(all: &mut Vec<T>, len: usize) {
    if all.len() < len {
        all.resize_with(len, T::default);
    }
}

/// Numbers that are worth another thread.
const GRAIN: usize = 4096;

/// A group of a row as rounded, for tests.
#[cfg(test)]
#[derive(Clone, Copy, Debug)]
pub struct Rounded {
    /// Codes.
    pub codes: [i8; GROUP],
    /// Their scale.
    pub scale: f32,
    /// See [`MINUS`].
    pub minus: [i32; 2],
    /// See [`STARTS`].
    pub starts: [u32; STARTS],
    /// `Σ x` as rounded.
    pub mass: f32,
    /// `Σ x` of the first and the second 16.
    pub half_masses: HalfMasses,
    /// Its rests; zeros where it has none.
    pub rest: Rest,
}

#[cfg(test)]
impl Activations {
    /// Group `g` of `row`.
    pub fn group(&self, row: usize, g: usize) -> Rounded {
        let b = (0..self.blocks()).find(|b| self.block(*b).contains(&row)).expect("a row");
        let (block, rests) = (self.block(b), self.rests(b));
        let rest = rests.all.iter().find(|rest| (rest.group as usize, rest.row as usize) == (g, row - block.start));
        let word = |w: usize| self.words(block.clone())[(g * RECORD + w) * block.len() + row - block.start];
        let codes: Vec<i8> = (0..8).flat_map(|w| word(w).to_le_bytes().map(|byte| byte as i8)).collect();
        Rounded {
            codes: codes.try_into().expect("32 codes"),
            scale: f32::from_bits(word(SCALE)),
            minus: [word(MINUS) as i32, word(MINUS + 1) as i32],
            starts: array::from_fn(|w| self.starts(block.clone())[(g * STARTS + w) * block.len() + row - block.start]),
            mass: f32::from_bits(word(MASS)),
            half_masses: self.half_masses(row)[g],
            rest: rest.copied().unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::simd;
    use super::*;

    fn filled(x: &[f32], rows: usize, threads: usize) -> Activations {
        let pool = Pool::new(threads).expect("threads");
        let mut all = Activations::default();
        let width = x.len() / rows;
        all.fill(&pool, rows, width, |row, to| to.copy_from_slice(&x[row * width..(row + 1) * width]));
        all
    }

    #[test]
    fn codes_times_scale_are_within_half_a_step_and_the_sums_are_the_sums() {
        let size = |i: usize| if i % 320 == 40 { 900.0 } else { (i % 50) as f32 };
        let x: Vec<f32> = (0..37 * 320).map(|i| ((i * i) as f32 * 0.37).sin() * size(i)).collect();
        let all = filled(&x, 37, 2);
        let mut with_rests = 0;
        for row in 0..37 {
            for g in 0..10 {
                let Rounded { codes, scale, minus, starts, mass, half_masses, rest } = all.group(row, g);
                let step = if rest.scale > 0.0 { rest.scale } else { scale };
                with_rests += usize::from(rest.scale > 0.0);
                let rounded = |i: usize| f32::from(codes[i]) * scale + f32::from(rest.codes[i]) * rest.scale;
                for (i, x) in x[row * 320 + g * GROUP..][..GROUP].iter().enumerate() {
                    assert!((rounded(i) - x).abs() <= step * 0.51);
                }
                let sum = |codes: &[i8]| codes.iter().map(|c| i32::from(*c)).sum::<i32>();
                assert_eq!(minus, [-sum(&codes), -sum(&codes[16..])]);
                assert_eq!(rest.minus, [-sum(&rest.codes), -sum(&rest.codes[16..])]);
                let lanes = |codes: &[i8]| {
                    let lane = |i: usize| {
                        codes.chunks_exact(4).map(|four| -sum(&four[i..i + 2]) as u16).fold(0, u16::wrapping_add)
                    };
                    u32::from(lane(0)) | u32::from(lane(2)) << 16
                };
                for (starts, codes) in [(starts, &codes), (rest.starts, &rest.codes)] {
                    assert_eq!(starts, [lanes(codes), lanes(&codes[..16]), lanes(&codes[16..])]);
                }
                let masses = [0..GROUP, 0..16, 16..GROUP].map(|range| range.map(rounded).sum::<f32>());
                for (got, want) in [mass, half_masses[0], half_masses[1]].into_iter().zip(masses) {
                    assert!((got - want).abs() <= step * 0.01 + scale * 1e-3, "{got} {want}");
                }
            }
        }
        assert_eq!(all.floats(), x);
        assert!((20..=37).contains(&with_rests), "{with_rests} groups have rests");
    }

    #[test]
    fn rounding_is_the_same_on_every_instruction_set() {
        for (rows, groups) in (1..=ROWS).flat_map(|rows| [1, 2, 9, 17, 40].map(|groups| (rows, groups))) {
            let size = |i: usize| if i % 96 == 40 { 900.0 } else { (i % 50) as f32 };
            let x: Vec<f32> = (0..rows * groups * GROUP).map(|i| ((i * i) as f32 * 0.37).sin() * size(i)).collect();
            let of_block = |round: &dyn Fn(Round<'_>)| {
                let (mut words, mut half_masses) = (vec![7; rows * groups * RECORD], vec![[7.0; 2]; rows * groups]);
                let mut starts = vec![7; rows * groups * STARTS];
                let mut rests = vec![Rest::default(); rows * groups];
                let mut ends = vec![7; groups.div_ceil(STRETCH) + 1];
                round(Round {
                    floats: &x,
                    words: &mut words,
                    starts: &mut starts,
                    half_masses: &mut half_masses,
                    rests: &mut rests,
                    ends: &mut ends,
                    width: groups * GROUP,
                });
                (words, starts, half_masses, rests, ends)
            };
            let (fast, plain) = (of_block(&|block| round::round(block)), of_block(&|block| simd::dispatch(block)));
            assert_eq!(fast, plain, "{rows} rows of {groups} groups");
            let (.., rests, ends) = plain;
            let found = &rests[..*ends.last().expect("an end") as usize];
            assert!(groups < 3 || !found.is_empty() && found.is_sorted_by_key(|rest| (rest.group, rest.row)));
        }
    }

    #[test]
    fn zeros_tiny_numbers_large_ones_and_numbers_that_are_not_finite_are_handled() {
        let mut x = vec![0.0; 128];
        (x[32], x[64], x[96]) = (1e-40, 127.0 * 2f32.powi(92), -127.0 * 2f32.powi(92));
        let all = filled(&x, 1, 1);
        for g in [0, 1] {
            let group = all.group(0, g);
            assert!(group.scale == 2f32.powi(-96) && group.mass == 0.0 && group.codes == [0; GROUP]);
        }
        assert_eq!((all.group(0, 2).codes[0], all.group(0, 3).codes[0]), (127, -127));
        // Products with scales from here on might not be finite.
        for large in [f32::INFINITY, f32::NAN, f32::MAX, -2f32.powi(100)] {
            x[64] = large;
            let all = filled(&x, 1, 1);
            let group = all.group(0, 2);
            assert!(group.scale.is_nan() && group.mass.is_nan() && group.rest.scale.is_nan(), "{large}");
        }
    }

    /// Kernels take the products with four scales from a table, see `avx512/unpacked.rs`.
    #[test]
    fn scales_are_the_next_of_four_to_seven_quarters_of_a_power_of_two() {
        for i in 0..1000 {
            let most = 1.013f32.powi(i - 500);
            let scale = filled(&[most; GROUP], 1, 1).group(0, 0).scale;
            let power = 2f32.powi(scale.log2().floor() as i32);
            assert!((scale / power * 4.0).fract() == 0.0, "{scale}");
            assert!(scale * 127.49 >= most && (scale - power / 4.0) * 127.4 <= most * 1.000_001, "{most} {scale}");
        }
    }

    #[test]
    fn a_width_that_is_no_multiple_of_a_group_has_floats_only() {
        let all = filled(&[1.0; 40], 2, 1);
        assert_eq!((all.floats().len(), all.words(0..2).len(), all.half_masses(1).len()), (40, 0, 0));
    }
}
