//! The unit of work of a matrix product: a stretch of a panel, unpacked, times up to six rows. This file defines it, and the
//! scalar kernel that all others must equal to the bit.
//!
//! The order of summation is part of the definition: for each output, groups of 32 inputs in ascending order; in a group, the
//! scales in ascending order; for each, `sum = fma(dot as f32, scale_w * scale_x, sum)` with the dot product of the codes as an
//! exact integer, then, for types with minima, `sum = fma(min_w, mass_x, sum)`. It does not depend on the number of rows.

use super::activations::{GROUP, GroupScale};
use super::arena::Line;
use super::packed::{GROUP_CODES, PANEL, Packed};

/// Most rows at once: 6 rows of 32 outputs fill the registers of AVX-512.
pub const ROWS: usize = 6;

/// Most groups that are unpacked at once: their codes and scales fit the first-level cache. A multiple of the groups of a span.
pub const STRETCH: usize = 16;

/// Unpacked scales and minima of a stretch: `[group][scale][output]`.
pub type Scales = [f32; STRETCH * 2 * PANEL];

/// Room for one unpacked stretch.
#[repr(C, align(64))]
pub struct Scratch {
    /// Codes, as vectors of 64 bytes, 16 to a group (see [`super::packed`]).
    pub codes: [Line; STRETCH * GROUP_CODES / 64],
    /// Scales.
    pub scales: Scales,
    /// Minima.
    pub mins: Scales,
}

impl Scratch {
    /// Empty.
    pub fn new() -> Self {
        Self {
            codes: [Line([0; 64]); STRETCH * GROUP_CODES / 64],
            scales: [0.0; STRETCH * 2 * PANEL],
            mins: [0.0; STRETCH * 2 * PANEL],
        }
    }
}

/// An unpacked stretch of `groups` groups.
pub struct Stretch<'a> {
    /// 16 vectors to a group; a group begins every `stride` vectors.
    pub codes: &'a [Line],
    /// See `codes`.
    pub stride: usize,
    /// `[group][scale][output]`.
    pub scales: &'a [f32],
    /// The same, for types with minima.
    pub mins: &'a [f32],
    /// The code that stands for zero; 0 for types with minima.
    pub offset: i32,
    /// How many groups.
    pub groups: usize,
    /// What will be unpacked next, and how many lines of it to ask memory for while a group is worked on. Only a hint.
    pub ahead: *const Line,
    /// See `ahead`.
    pub ahead_lines: usize,
}

/// One row's part of a stretch.
#[derive(Clone, Copy)]
pub struct RowPart<'a> {
    /// `[group * GROUP]`.
    pub codes: &'a [i8],
    /// One for each group.
    pub scales: &'a [GroupScale],
}

/// Where the sums of up to [`ROWS`] rows are: each 32 floats.
pub type Sums = [*mut f32; ROWS];

/// The kernels of one instruction set.
pub trait Kernel: Copy + Send + Sync {
    /// Unpacks `groups` groups of a panel from group `first` on; codes of 8 bits may stay where they are.
    fn unpack<'a>(
        self,
        weights: &Packed,
        panel: &'a [Line],
        first: usize,
        groups: usize,
        scratch: &'a mut Scratch,
    ) -> Stretch<'a>;

    /// `sums[r] += stretch · rows[r]`, in the order this module defines. `SCALES` is 1 or 2 to a group. `fresh`: the sums hold
    /// rubbish and start from zero.
    ///
    /// # Safety
    /// For each row, `sums` points to 32 floats that nobody else reads or writes meanwhile.
    #[allow(
        unsafe_code,
        reason = "sums are written where they belong, in a matrix that other threads write other columns of"
    )]
    unsafe fn tile<const SCALES: usize, const MIN: bool>(
        self,
        stretch: &Stretch<'_>,
        rows: &[RowPart<'_>],
        fresh: bool,
        sums: &Sums,
    );
}

/// The reference.
#[derive(Clone, Copy)]
pub struct Scalar;

impl Kernel for Scalar {
    fn unpack<'a>(
        self,
        weights: &Packed,
        panel: &'a [Line],
        first: usize,
        groups: usize,
        scratch: &'a mut Scratch,
    ) -> Stretch<'a> {
        let count = weights.format.scales;
        for g in 0..groups {
            for column in 0..PANEL {
                for i in 0..GROUP {
                    let line = &mut scratch.codes[g * 16 + i / 4 * 2 + column / 16];
                    line.0[column % 16 * 4 + i % 4] = weights.code(panel, first + g, i, column);
                }
                for sub in 0..count {
                    let at = (g * count + sub) * PANEL + column;
                    (scratch.scales[at], scratch.mins[at]) = weights.scale_and_min(panel, first + g, sub, column);
                }
            }
        }
        scratch.stretch(weights.format.offset, groups)
    }

    #[allow(unsafe_code, reason = "see the trait")]
    unsafe fn tile<const SCALES: usize, const MIN: bool>(
        self,
        stretch: &Stretch<'_>,
        rows: &[RowPart<'_>],
        fresh: bool,
        sums: &Sums,
    ) {
        for (row, sums) in rows.iter().zip(*sums) {
            // SAFETY: what the caller promises.
            let sums = unsafe { &mut *sums.cast::<[f32; PANEL]>() };
            if fresh {
                *sums = [0.0; PANEL];
            }
            for (g, of_row) in row.scales.iter().enumerate().take(stretch.groups) {
                let codes = &row.codes[g * GROUP..(g + 1) * GROUP];
                let vectors = &stretch.codes[g * stretch.stride..];
                for sub in 0..SCALES {
                    let inputs = sub * GROUP / SCALES..(sub + 1) * GROUP / SCALES;
                    let mass = if SCALES == 1 { of_row.mass } else { of_row.half_mass[sub] };
                    for (column, sum) in sums.iter_mut().enumerate() {
                        let at = (g * SCALES + sub) * PANEL + column;
                        let dot: i32 = inputs
                            .clone()
                            .map(|i| {
                                let code = vectors[i / 4 * 2 + column / 16].0[column % 16 * 4 + i % 4];
                                (i32::from(code) - stretch.offset) * i32::from(codes[i])
                            })
                            .sum();
                        *sum = (dot as f32).mul_add(stretch.scales[at] * of_row.scale, *sum);
                        if MIN {
                            *sum = stretch.mins[at].mul_add(mass, *sum);
                        }
                    }
                }
            }
        }
    }
}

impl Scratch {
    /// All of it that is in use.
    pub fn stretch(&self, offset: i32, groups: usize) -> Stretch<'_> {
        Stretch {
            codes: &self.codes,
            stride: 16,
            scales: &self.scales,
            mins: &self.mins,
            offset,
            groups,
            ahead: std::ptr::null(),
            ahead_lines: 0,
        }
    }
}
