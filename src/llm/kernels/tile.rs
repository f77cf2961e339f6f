//! What a kernel does: one panel times some rows, up to six at a time.
//!
//! Must define the order of summation, which all kernels keep to the bit: for each output, stretches of 16 groups of 32
//! inputs in ascending order. In a stretch, group by group in ascending order, and in a group the scales in ascending
//! order: `sum = fma(dot as f32, scale_w * scale_x, sum)` (the product of the scales is exact) with the dot product of
//! the codes as an exact integer, then, for types with minima, `sum = fma(min_w, mass_x, sum)`. After that, group by
//! group again, the same with the rests (but no minima) of those groups of the row that have some. It does not depend
//! on the number of rows.

use super::arena::Line;
use super::packed::{GROUP_CODES, PANEL, Packed};
use super::record::{HalfMasses, MASS, MINUS, RECORD, ROWS, Rest, STARTS, STRETCH};
use std::ops::Range;

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
/// `words` points to the record (see [`super::record::RECORD`]) of the first group at hand, followed by those of
/// the other groups; each of `half_masses` does the same for one row. The rests of stretch `s` are
/// `rests[ends[s]..ends[s + 1]]`, in ascending order of groups. The sums of row `r` are the 32 floats at `sums + r *
/// stride`; nobody else reads or writes them meanwhile.
#[derive(Clone, Copy)]
pub struct Rows {
    /// How many.
    pub count: usize,
    /// Codes, scales, sums of codes, masses.
    pub words: *const u32,
    /// What goes with the codes, see [`super::record::STARTS`], likewise.
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

/// One panel times some rows.
pub struct Work<'a> {
    /// The matrix.
    pub weights: &'a Packed,
    pub(super) panel: usize,
    pub(super) blocks: &'a [Rows],
    pub(super) out: &'a Columns,
    /// First column of the output.
    pub(super) at: usize,
    /// How many of the panel's outputs exist.
    pub(super) columns: usize,
    /// How many panels further on the one is that the same thread will probably have next.
    pub next: usize,
}

impl Work<'_> {
    /// The panel.
    pub fn panel(&self) -> &[Line] {
        self.weights.panel(self.panel)
    }

    /// Whether the output is too large for the second-level caches, so that it pays to ask for the places of sums
    /// before they are written. Of a smaller one, another core may be about to write to the same lines.
    pub fn writes_to_memory(&self) -> bool {
        self.out.width * self.out.rows > (4 << 20) / size_of::<f32>()
    }

    /// Number of blocks of rows.
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// The rows of block `b` from their first group on, with no places for their sums.
    #[inline]
    pub fn rows(&self, b: usize) -> &Rows {
        &self.blocks[b]
    }

    /// The rows of block `b`, from group `first` on. Their sums go to the output, or, where some of the panel's outputs
    /// do not exist and so have no place there, to `partial`, which gets the sums so far. They start from zero with the
    /// first group.
    #[inline]
    pub fn block(&self, b: usize, first: usize, partial: &mut [[f32; PANEL]; ROWS]) -> Rows {
        let mut rows = self.blocks[b];
        (rows.first, rows.fresh) = (first, first == 0);
        (rows.sums, rows.stride) = self.sums(b, rows.fresh, partial);
        rows.words = rows.words.wrapping_add(first * RECORD * rows.count);
        rows.starts = rows.starts.wrapping_add(first * STARTS * rows.count);
        for i in 0..rows.count {
            rows.half_masses[i] = rows.half_masses[i].wrapping_add(first);
        }
        rows
    }

    /// Where the sums of block `b` go, see [`Self::block`]: those of its first row, and how far it is to the next.
    #[inline]
    pub fn sums(&self, b: usize, fresh: bool, partial: &mut [[f32; PANEL]; ROWS]) -> (*mut f32, usize) {
        let rows = &self.blocks[b];
        if self.columns == PANEL {
            return (self.out.place(rows.start..rows.start + rows.count, self.at, PANEL), self.out.width);
        }
        if !fresh {
            for (partial, row) in partial.iter_mut().zip(rows.start..rows.start + rows.count) {
                partial[..self.columns].copy_from_slice(self.out.part(row, self.at, self.columns));
            }
        }
        (partial.as_mut_ptr().cast(), PANEL)
    }

    /// Takes the sums of block `b` out of `partial` where that is where they went.
    #[inline]
    pub fn store(&self, b: usize, partial: &[[f32; PANEL]; ROWS]) {
        if self.columns < PANEL {
            let rows = &self.blocks[b];
            for (sums, r) in partial.iter().zip(rows.start..rows.start + rows.count) {
                self.out.part(r, self.at, self.columns).copy_from_slice(&sums[..self.columns]);
            }
        }
    }
}

/// The output matrix, which tasks write different columns of.
pub(super) struct Columns {
    pub(super) base: *mut f32,
    pub(super) width: usize,
    pub(super) rows: usize,
}

#[allow(unsafe_code, reason = "tasks write to different columns of one matrix")]
// SAFETY: only `part` gives access, and `multiply_with` in `matmul` gives every panel, and so every column, of a row to
// one task only.
unsafe impl Sync for Columns {}

impl Columns {
    /// Where the `len` numbers from `column` on of the first of some rows are; those of the next are a row further.
    #[allow(unsafe_code, reason = "a place in a matrix")]
    fn place(&self, rows: Range<usize>, column: usize, len: usize) -> *mut f32 {
        assert!(rows.end <= self.rows && column + len <= self.width && !rows.is_empty());
        // SAFETY: inside the matrix.
        unsafe { self.base.add(rows.start * self.width + column) }
    }

    #[allow(unsafe_code, clippy::mut_from_ref, reason = "see `matmul::multiply_with`")]
    fn part(&self, row: usize, column: usize, len: usize) -> &mut [f32] {
        // SAFETY: `multiply_with` in `matmul` holds the matrix exclusively until all tasks are done; the columns belong
        // to the one task that has this panel, and no two parts are held at once.
        unsafe { std::slice::from_raw_parts_mut(self.place(row..row + 1, column, len), len) }
    }
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
    #[cfg_attr(not(target_arch = "aarch64"), allow(dead_code, reason = "the kernels of ARM start there"))]
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
