//! What a kernel does: one panel times some rows, up to six at a time.
//!
//! Must define the order of summation, which all kernels keep to the bit: for each output, stretches of 16 groups of 32 inputs
//! in ascending order. In a stretch, group by group in ascending order, and in a group the scales in ascending order:
//! `sum = fma(dot as f32, scale_w * scale_x, sum)` with the dot product of the codes as an exact integer, then, for types with
//! minima, `sum = fma(min_w, mass_x, sum)`. After that, group by group again, the same with the rests (but no minima), where a
//! row has some; adding the zeros of one that has none is nothing. It does not depend on the number of rows.

use super::activations::{GroupScale, MARKS};
use super::arena::Line;
use super::matmul::Work;
use super::packed::{GROUP_CODES, PANEL, Packed};

/// Most rows at once: 6 rows of 32 outputs fill the registers of AVX-512.
pub const ROWS: usize = 6;

/// Groups that are worked through before their rests are, and unpacked at once: their codes and scales fit the first-level
/// cache. A multiple of the groups of a span.
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
}

/// Up to [`ROWS`] rows of activations and where their sums go.
///
/// For each row: `codes` and `rests` point to its codes of the first group at hand, `scales` to that group's scale, both followed by those
/// of the other groups; `sums` to 32 floats that nobody else reads or writes meanwhile.
#[derive(Clone, Copy)]
pub struct Rows {
    /// How many.
    pub count: usize,
    /// Codes.
    pub codes: [*const i8; ROWS],
    /// Rests.
    pub rests: [*const i8; ROWS],
    /// Scales.
    pub scales: [*const GroupScale; ROWS],
    /// Sums.
    pub sums: [*mut f32; ROWS],
    /// The sums hold rubbish and start from zero.
    pub fresh: bool,
    /// Number of the first group at hand in its row.
    pub first: usize,
    /// Number of the first of the rows.
    pub start: usize,
    /// Groups, by their numbers in the row, that have rests in any of the rows, as far as these words go; the others may.
    /// Made once for all groups, because looking at the scales of six rows for every group took a third of the time.
    pub marks: [u64; WORDS],
}

/// Words of marks: as many groups as a row of 16,384 inputs has.
pub const WORDS: usize = 8;

/// The kernels of one instruction set.
pub trait Kernel: Copy + Send + Sync {
    /// Multiplies one panel with rows.
    fn run(self, work: &Work<'_>, scratch: &mut Scratch);
}

/// Kernels that unpack a stretch of a panel and then multiply it with block after block of rows.
pub trait Tiles: Copy + Send + Sync {
    /// Unpacks `groups` groups of a panel from group `first` on; codes of 8 bits may stay where they are.
    fn unpack<'a>(
        self,
        weights: &Packed,
        panel: &'a [Line],
        first: usize,
        groups: usize,
        scratch: &'a mut Scratch,
    ) -> Stretch<'a>;

    /// `sums[r] += stretch · rows[r]`, in the order this module defines. `SCALES` is 1 or 2 to a group.
    ///
    /// # Safety
    /// `rows` is what its type says, for the groups of the stretch.
    #[allow(
        unsafe_code,
        reason = "sums are written where they belong, in a matrix that other threads write other columns of"
    )]
    unsafe fn tile<const SCALES: usize, const MIN: bool>(self, stretch: &Stretch<'_>, rows: &Rows);
}

impl<T: Tiles> Kernel for T {
    fn run(self, work: &Work<'_>, scratch: &mut Scratch) {
        match (work.weights.format.scales, work.weights.format.min) {
            (1, false) => stretches::<T, 1, false>(self, work, scratch),
            (1, true) => stretches::<T, 1, true>(self, work, scratch),
            (_, false) => stretches::<T, 2, false>(self, work, scratch),
            (_, true) => stretches::<T, 2, true>(self, work, scratch),
        }
    }
}

#[allow(unsafe_code, reason = "the kernels write sums where they belong")]
fn stretches<T: Tiles, const SCALES: usize, const MIN: bool>(kernel: T, work: &Work<'_>, scratch: &mut Scratch) {
    let groups = work.weights.groups();
    let mut partial = [[0.0; PANEL]; ROWS];
    for first in (0..groups).step_by(STRETCH) {
        let count = STRETCH.min(groups - first);
        let stretch = kernel.unpack(work.weights, work.panel(), first, count, scratch);
        for b in 0..work.blocks() {
            let rows = work.block(b, first, &mut partial);
            // SAFETY: `block` gives rows that are what they say.
            unsafe { kernel.tile::<SCALES, MIN>(&stretch, &rows) };
            work.store(b, &partial);
        }
    }
}

impl Rows {
    /// Which of the groups `from..to` of those at hand, all of one stretch, have rests in any row, or may: bit 0 is for `from`.
    #[inline(always)]
    pub fn rests_within(&self, from: usize, to: usize) -> u64 {
        let (word, bit) = ((self.first + from) / MARKS, (self.first + from) % MARKS);
        self.marks.get(word).map_or(u64::MAX, |word| word >> bit) & (u64::MAX >> (MARKS - (to - from)))
    }

    /// Whether any row may have rests in group `g` of those at hand.
    #[inline(always)]
    pub fn have_rests(&self, g: usize) -> bool {
        let g = self.first + g;
        self.marks.get(g / MARKS).is_none_or(|word| word >> (g % MARKS) & 1 == 1)
    }
}

impl Scratch {
    /// All of it that is in use.
    pub fn stretch(&self, offset: i32, groups: usize) -> Stretch<'_> {
        Stretch { codes: &self.codes, stride: 16, scales: &self.scales, mins: &self.mins, offset, groups }
    }
}
