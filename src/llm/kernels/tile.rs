//! What a kernel does: one panel times some rows, up to six at a time.
//!
//! Must define the order of summation, which all kernels keep to the bit: for each output, stretches of 16 groups of 32
//! inputs in ascending order. In a stretch, group by group in ascending order, and in a group the scales in ascending
//! order: `sum = fma(dot as f32, scale_w * scale_x, sum)` (the product of the scales is exact) with the dot product of
//! the codes as an exact integer, then, for types with minima, `sum = fma(min_w, mass_x, sum)`. After that, group by
//! group again, the same with the rests (but no minima) of those groups of the row that have some. It does not depend
//! on the number of rows.

use super::activations::{HalfMasses, MASS, MINUS, RECORD, ROWS, Rest, STRETCH};
use super::arena::Line;
use super::matmul::Work;
use super::packed::{GROUP_CODES, PANEL, Packed};

/// Unpacked scales and minima of a stretch: `[group][scale][output]`.
pub type Scales = [f32; STRETCH * 2 * PANEL];

/// Room for one unpacked stretch, which fits the first-level cache, or for a panel, which fits the second.
#[repr(C, align(64))]
pub struct Scratch {
    /// Codes, as vectors of 64 bytes, 16 to a group (see [`super::packed`]).
    pub codes: [Line; STRETCH * GROUP_CODES / 64],
    /// Scales.
    pub scales: Scales,
    /// Minima.
    pub mins: Scales,
    /// What a kernel makes of a whole panel.
    pub panel: Vec<Line>,
}

impl Scratch {
    /// Empty.
    pub fn new() -> Self {
        Self {
            codes: [Line([0; 64]); STRETCH * GROUP_CODES / 64],
            scales: [0.0; STRETCH * 2 * PANEL],
            mins: [0.0; STRETCH * 2 * PANEL],
            panel: Vec::new(),
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

/// A block of up to [`ROWS`] rows of activations and where their sums go.
///
/// `words` points to the record (see [`super::activations::RECORD`]) of the first group at hand, followed by those of
/// the other groups; each of `half_masses` does the same for one row. The rests of stretch `s` are
/// `rests[ends[s]..ends[s + 1]]`, in ascending order of groups. The sums of row `r` are the 32 floats at `sums + r *
/// stride`; nobody else reads or writes them meanwhile.
#[derive(Clone, Copy)]
pub struct Rows {
    /// How many.
    pub count: usize,
    /// Codes, scales, sums of codes, masses.
    pub words: *const u32,
    /// What goes with the codes, see [`super::activations::STARTS`], likewise.
    pub starts: *const u32,
    /// Half masses.
    pub half_masses: [*const HalfMasses; ROWS],
    /// Rests of the block.
    pub rests: *const Rest,
    /// Where those of each stretch begin, and where the last end.
    pub ends: *const u32,
    /// Sums of the first row.
    pub sums: *mut f32,
    /// Floats from one row's sums to the next row's.
    pub stride: usize,
    /// The sums hold rubbish and start from zero.
    pub fresh: bool,
    /// Number of the first group at hand in its row.
    pub first: usize,
    /// Number of the first of the rows.
    pub start: usize,
}

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
    /// The rests of the stretch that begins with group `from` of those at hand, group after group.
    ///
    /// # Safety
    /// The rows are what their type says.
    #[inline(always)]
    #[allow(unsafe_code, reason = "a list in the activations")]
    pub unsafe fn rests(&self, from: usize) -> &[Rest] {
        // SAFETY: what the caller promises.
        unsafe {
            let ends = self.ends.add((self.first + from) / STRETCH);
            let (start, end) = (ends.read() as usize, ends.add(1).read() as usize);
            std::slice::from_raw_parts(self.rests.add(start), end - start)
        }
    }

    /// The factor of the minimum of scale `sub` in group `g` of those at hand, for row `r` of `R`.
    ///
    /// # Safety
    /// The rows are what their type says, and have that group.
    #[inline(always)]
    #[allow(unsafe_code, reason = "reads through pointers")]
    pub unsafe fn mass<const R: usize, const SCALES: usize>(&self, g: usize, r: usize, sub: usize) -> f32 {
        // SAFETY: what the caller promises.
        unsafe {
            if SCALES == 1 {
                return self.words.add((g * RECORD + MASS) * R + r).cast::<f32>().read();
            }
            (*self.half_masses[r].add(g))[sub]
        }
    }

    /// What dot products begin with, see [`MINUS`], of group `g` of those at hand, for row `r` of `R`.
    ///
    /// # Safety
    /// As for [`Self::mass`].
    #[inline(always)]
    #[allow(unsafe_code, reason = "reads through pointers")]
    pub unsafe fn minus<const R: usize>(&self, g: usize, r: usize) -> [i32; 2] {
        // SAFETY: what the caller promises.
        [0, 1].map(|half| unsafe { self.words.add((g * RECORD + MINUS + half) * R + r).cast::<i32>().read() })
    }
}

/// Where the dot products of scale `sub` begin, so that `offset`, the code that stands for zero, need not be taken off
/// every weight: `minus` as in [`MINUS`].
#[inline(always)]
pub fn start<const SCALES: usize>(offset: i32, minus: [i32; 2], sub: usize) -> i32 {
    offset
        * if SCALES == 1 {
            minus[0]
        } else if sub == 0 {
            minus[0] - minus[1]
        } else {
            minus[1]
        }
}

impl Scratch {
    /// All of it that is in use.
    pub fn stretch(&self, offset: i32, groups: usize) -> Stretch<'_> {
        Stretch { codes: &self.codes, stride: 16, scales: &self.scales, mins: &self.mins, offset, groups }
    }
}
