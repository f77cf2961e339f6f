//! Dot products of 16-bit codes, two by two: what attention to coded keys and values is made of.
//!
//! Must give exact integers, which do not depend on the instruction set, the number of rows or the order; no sum may
//! leave 32 bits, which the bounds of the codes see to (see [`Bounds`]).
//!
//! A vector holds a pair of codes for each of 16 columns. A tile multiplies rows of pairs with columns of vectors, as
//! the instructions `vpmaddwd` and `vpdpwssd` do.

#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "x86_64")]
mod x86;

use super::isa::Isa;
use super::round::{ROUND, largest};
use std::sync::LazyLock;

pub use super::record::Pair;

/// A pair of each of 16 columns.
pub type Vector = [Pair; 16];

/// Most rows of a tile: 6 rows of 4 vectors of sums fill the registers of AVX-512.
pub const ROWS: usize = 6;

/// Most vectors of columns of a tile.
pub const COLUMNS: usize = 4;

/// Sums of a tile: `[row][column]`.
pub type Sums = [[[i32; 16]; COLUMNS]; ROWS];

/// How large the codes of one head may be, so that sums over its numbers, and over 64 positions, stay in 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Of keys.
    pub keys: u16,
    /// Of queries.
    pub queries: u16,
    /// Of values.
    pub values: u16,
    /// Of weights of the softmax.
    pub weights: u16,
}

impl Bounds {
    /// For heads of `dim` numbers.
    ///
    /// Any split that leaves each side ten bits will do: its error is a twentieth of that of the 8-bit activations. But
    /// it decides which way some of their roundings fall, and so where the median distance from the reference lies
    /// between 0.16 and 0.26 on one small model (0.17 without any rounding). Of 25 splits this one was lowest there.
    pub fn of(dim: usize) -> Self {
        let keys = if dim <= 128 { 12_000 } else { 6_000 };
        let most =
            |count: usize, other: u16| (i32::MAX as usize / (count.max(1) * usize::from(other))).min(16_383) as u16;
        Self { keys, queries: most(dim, keys), values: 16_383, weights: most(64, 16_383) }
    }
}

/// The scale that makes codes of at most `most` of `x`, and its inverse: the code of a number is what is [`nearest`] to
/// it times the inverse. Numbers that are not finite make the scale NaN, so that whatever is computed with it is not
/// finite either.
#[inline(always)]
pub fn scale(x: &[f32], most: u16) -> (f32, f32) {
    let most = f32::from(most);
    match largest(x) {
        top if !top.is_finite() => (f32::NAN, 0.0),
        // Below this the inverse is not finite; such numbers are nothing beside any other in a row.
        top if top < 1e-33 => (0.0, 0.0),
        top => (top / most, most / top),
    }
}

/// The integer nearest to a number that fits 16 bits (ties to even); of what does not, some integer.
#[inline(always)]
pub fn nearest(x: f32) -> i16 {
    (x + ROUND).to_bits() as i16
}

/// Columns that are multiplied with a stretch of the rows: `steps` vectors of each are used.
#[derive(Clone, Copy)]
pub struct Part<'a> {
    /// The step in the rows that belongs to the first vectors.
    pub from: usize,
    /// The columns; those beyond the tile's may be empty.
    pub columns: [&'a [Vector]; COLUMNS],
}

/// What a tile multiplies.
#[derive(Clone, Copy)]
pub struct Tile<'a, const STEP: usize, const ROW: usize> {
    /// How many rows, at most [`ROWS`].
    pub rows: usize,
    /// How many vectors of columns, at most [`COLUMNS`].
    pub columns: usize,
    /// Rows of pairs: step `i` of row `r` stands at `i STEP + r ROW`.
    pub pairs: &'a [Pair],
    /// Steps of each part.
    pub steps: usize,
    /// What the rows are multiplied with.
    pub parts: &'a [Part<'a>],
    /// Whether the sums hold rubbish and start from zero.
    pub fresh: bool,
}

impl<const STEP: usize, const ROW: usize> Tile<'_, STEP, ROW> {
    /// Whether everything is as long as it has to be.
    fn fits(&self) -> bool {
        let last =
            |part: &Part<'_>| (part.from + self.steps).saturating_sub(1) * STEP + self.rows.saturating_sub(1) * ROW;
        let fits = |part: &Part<'_>| {
            part.columns[..self.columns].iter().all(|c| c.len() >= self.steps) && last(part) < self.pairs.len()
        };
        (1..=ROWS).contains(&self.rows) && (1..=COLUMNS).contains(&self.columns) && self.parts.iter().all(fits)
    }
}

/// Which instructions multiply, and the proof that the machine has them.
#[derive(Clone, Copy)]
pub enum Dots {
    /// `vpdpwssd` on 512 bits.
    #[cfg(target_arch = "x86_64")]
    Avx512(x86::Avx512),
    /// `vpmaddwd` on 256 bits.
    #[cfg(target_arch = "x86_64")]
    Avx2(x86::Avx2),
    /// `smlal`.
    #[cfg(target_arch = "aarch64")]
    Neon(neon::Neon),
    /// Plain loops.
    Scalar,
}

impl Dots {
    /// The best of what goes with an instruction set; plain loops where the machine does not have it.
    pub fn of(isa: Isa) -> Self {
        let found = match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Vnni => x86::Avx512::detect().map(Self::Avx512),
            #[cfg(target_arch = "x86_64")]
            Isa::AvxVnni | Isa::Avx2 => x86::Avx2::detect().map(Self::Avx2),
            #[cfg(target_arch = "aarch64")]
            Isa::NeonDot | Isa::Neon => neon::Neon::detect().map(Self::Neon),
            _ => None,
        };
        found.unwrap_or(Self::Scalar)
    }

    /// The best of this machine.
    pub fn best() -> Self {
        static BEST: LazyLock<Dots> = LazyLock::new(|| Dots::of(Isa::best()));
        *BEST
    }

    /// `sums[r][c] += Σ over parts and steps of rows[r] · columns[c]`.
    pub fn add<const STEP: usize, const ROW: usize>(self, tile: &Tile<'_, STEP, ROW>, sums: &mut Sums) {
        assert!(tile.fits());
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(proof) => proof.add(tile, sums),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(proof) => proof.add(tile, sums),
            #[cfg(target_arch = "aarch64")]
            Self::Neon(proof) => proof.add(tile, sums),
            Self::Scalar => scalar(tile, sums),
        }
    }
}

/// The definition.
fn scalar<const STEP: usize, const ROW: usize>(tile: &Tile<'_, STEP, ROW>, sums: &mut Sums) {
    for (r, sums) in sums.iter_mut().enumerate().take(tile.rows) {
        for (c, sums) in sums.iter_mut().enumerate().take(tile.columns) {
            if tile.fresh {
                *sums = [0; 16];
            }
            for part in tile.parts {
                for (i, vector) in part.columns[c][..tile.steps].iter().enumerate() {
                    let [a, b] = tile.pairs[(part.from + i) * STEP + r * ROW].map(i32::from);
                    for (sum, [x, y]) in sums.iter_mut().zip(vector) {
                        *sum = sum.wrapping_add(a * i32::from(*x) + b * i32::from(*y));
                    }
                }
            }
        }
    }
}

/// Calls `$tile::<R, C, STEP, ROW>` for the numbers of rows and columns of a tile.
macro_rules! by_size {
    ($tile:ident, $with:expr, $sums:expr) => {{
        macro_rules! columns {
            ($r:literal) => {
                match $with.columns {
                    1 => $tile::<$r, 1, STEP, ROW>($with, $sums),
                    2 => $tile::<$r, 2, STEP, ROW>($with, $sums),
                    3 => $tile::<$r, 3, STEP, ROW>($with, $sums),
                    _ => $tile::<$r, 4, STEP, ROW>($with, $sums),
                }
            };
        }
        match $with.rows {
            1 => columns!(1),
            2 => columns!(2),
            3 => columns!(3),
            4 => columns!(4),
            5 => columns!(5),
            _ => columns!(6),
        }
    }};
}
use by_size;

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers up to the bounds, of all signs.
    fn numbers(seed: u32, most: u16) -> impl FnMut() -> i16 {
        let mut state = seed;
        move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (((state >> 8) as i32 % (2 * i32::from(most) + 1)) - i32::from(most)) as i16
        }
    }

    fn same_as_scalar<const STEP: usize, const ROW: usize>(pairs: usize, steps: usize, parts: usize) {
        let mut number = numbers(7, 4095);
        let rows: Vec<Pair> = (0..pairs).map(|_| [number(), number()]).collect();
        let vectors: Vec<Vec<Vector>> = (0..parts * COLUMNS)
            .map(|_| (0..steps).map(|_| [0; 16].map(|_: i32| [number(), number()])).collect())
            .collect();
        let parts: Vec<Part<'_>> = (0..parts)
            .map(|p| Part { from: p * steps, columns: std::array::from_fn(|c| &vectors[p * COLUMNS + c][..]) })
            .collect();
        for isa in Isa::ALL.into_iter().filter(|isa| isa.available()) {
            for (rows_of, columns) in (1..=ROWS).flat_map(|r| (1..=COLUMNS).map(move |c| (r, c))) {
                for fresh in [true, false] {
                    let tile =
                        Tile::<'_, STEP, ROW> { rows: rows_of, columns, pairs: &rows, steps, parts: &parts, fresh };
                    let (mut got, mut want) = ([[[5; 16]; COLUMNS]; ROWS], [[[5; 16]; COLUMNS]; ROWS]);
                    Dots::of(isa).add(&tile, &mut got);
                    scalar(&tile, &mut want);
                    assert_eq!(got, want, "{isa:?} {rows_of} {columns} {fresh}");
                }
            }
        }
    }

    #[test]
    fn tiles_of_all_sizes_are_the_same_integers_on_every_instruction_set() {
        same_as_scalar::<24, 1>(24 * 40, 32, 1);
        same_as_scalar::<1, 32>(32 * ROWS, 8, 4);
    }

    #[test]
    fn the_largest_codes_of_any_head_do_not_leave_32_bits() {
        for dim in (16..=512).step_by(16) {
            let bounds = Bounds::of(dim);
            let sum = |a: u16, b: u16, count: usize| count as u64 * u64::from(a) * u64::from(b);
            assert!(sum(bounds.keys, bounds.queries, dim) <= i32::MAX as u64, "{dim}");
            assert!(sum(bounds.values, bounds.weights, 64) <= i32::MAX as u64);
            assert!(dim > 256 || bounds.queries >= 1024 && bounds.keys >= 4096 && bounds.weights >= 2048, "{bounds:?}");
        }
        // On every instruction set, with all signs alike.
        let bounds = Bounds::of(64);
        let rows = vec![[bounds.queries as i16; 2]; 24 * 32];
        let vectors = [[[-(bounds.keys as i16); 2]; 16]; 32];
        let parts = [Part { from: 0, columns: [&vectors[..]; COLUMNS] }];
        for isa in Isa::ALL.into_iter().filter(|isa| isa.available()) {
            let mut sums = [[[0; 16]; COLUMNS]; ROWS];
            let tile = Tile::<'_, 24, 1> { rows: 6, columns: 4, pairs: &rows, steps: 32, parts: &parts, fresh: true };
            Dots::of(isa).add(&tile, &mut sums);
            assert_eq!(sums[5][3][15], -64 * i32::from(bounds.queries) * i32::from(bounds.keys), "{isa:?}");
        }
    }

    #[test]
    fn codes_are_the_nearest_and_what_is_not_finite_stays_so() {
        let coded = |x: &[f32]| {
            let mut codes = vec![0; x.len()];
            let (scale, inverse) = scale(x, 8191);
            codes.iter_mut().zip(x).for_each(|(code, x)| *code = nearest(x * inverse));
            (codes, scale)
        };
        let x: Vec<f32> = (0..64).map(|i| ((i * i) as f32 * 0.37).sin() * 3.0).collect();
        let (codes, scale) = coded(&x);
        for (x, code) in x.iter().zip(&codes) {
            assert!((f32::from(*code) * scale - x).abs() <= scale * 0.501, "{x} {code} {scale}");
        }
        assert_eq!(coded(&[0.0, -0.0, 1e-40]), (vec![0; 3], 0.0));
        assert_eq!(coded(&[f32::MAX, -f32::MAX]).0, [8191, -8191]);
        for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert!(coded(&[1.0, wrong]).1.is_nan());
        }
    }
}
