//! Products of activations with packed matrices: which kernels, which thread does what, where the sums go.
//!
//! Must not influence any sum: an output is computed by one task from one row and one panel, whatever else there is.

use super::activations::{Activations, RECORD, ROWS, STARTS};
use super::arena::Line;
#[cfg(target_arch = "aarch64")]
use super::neon;
use super::packed::{PANEL, Packed};
use super::pool::Pool;
use super::scalar::Scalar;
use super::tile::{Kernel, Rows, Scratch};
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};
use std::cell::RefCell;
use std::ops::Range;

/// Which kernels multiply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// 512-bit vectors and VNNI.
    Avx512Vnni,
    /// 256-bit vectors and VNNI.
    AvxVnni,
    /// 256-bit vectors.
    Avx2,
    /// ARM's 128-bit vectors and dot product of bytes.
    NeonDot,
    /// ARM's 128-bit vectors.
    Neon,
    /// No vectors.
    Scalar,
}

impl Isa {
    /// All, best first.
    pub const ALL: [Self; 6] = [Self::Avx512Vnni, Self::AvxVnni, Self::Avx2, Self::NeonDot, Self::Neon, Self::Scalar];

    /// Whether this machine has it.
    pub fn available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => avx512::Avx512::detect().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni => avx2::AvxVnni::detect().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => avx2::Avx2::detect().is_some(),
            #[cfg(target_arch = "aarch64")]
            Self::NeonDot => neon::NeonDot::detect().is_some(),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => neon::Neon::detect().is_some(),
            Self::Scalar => true,
            _ => false,
        }
    }

    /// The best of this machine.
    pub fn best() -> Self {
        Self::ALL.into_iter().find(|isa| isa.available()).unwrap_or(Self::Scalar)
    }

    /// Its name in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Avx512Vnni => "avx512vnni",
            Self::AvxVnni => "avxvnni",
            Self::Avx2 => "avx2",
            Self::NeonDot => "neon+dotprod",
            Self::Neon => "neon",
            Self::Scalar => "scalar",
        }
    }
}

/// `out[row] = [parts[0] · x[row], parts[1] · x[row], …]`, each part's outputs after those of the part before.
///
/// All parts have `x.width()` inputs; `out` is `[rows][outputs of all parts]`.
pub fn multiply(pool: &Pool, isa: Isa, parts: &[&Packed], x: &Activations, out: &mut [f32]) {
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512Vnni => {
            if let Some(kernel) = avx512::Avx512::detect() {
                return multiply_with(pool, kernel, parts, x, out);
            }
        }
        #[cfg(target_arch = "x86_64")]
        Isa::AvxVnni => {
            if let Some(kernel) = avx2::AvxVnni::detect() {
                return multiply_with(pool, kernel, parts, x, out);
            }
        }
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => {
            if let Some(kernel) = avx2::Avx2::detect() {
                return multiply_with(pool, kernel, parts, x, out);
            }
        }
        #[cfg(target_arch = "aarch64")]
        Isa::NeonDot => {
            if let Some(kernel) = neon::NeonDot::detect() {
                return multiply_with(pool, kernel, parts, x, out);
            }
        }
        #[cfg(target_arch = "aarch64")]
        Isa::Neon => {
            if let Some(kernel) = neon::Neon::detect() {
                return multiply_with(pool, kernel, parts, x, out);
            }
        }
        _ => {}
    }
    multiply_with(pool, Scalar, parts, x, out);
}

fn multiply_with(pool: &Pool, kernel: impl Kernel, parts: &[&Packed], x: &Activations, out: &mut [f32]) {
    let width: usize = parts.iter().map(|p| p.outputs).sum();
    assert!(out.len() == x.rows() * width && parts.iter().all(|p| p.inputs == x.width()));
    let all: usize = parts.iter().map(|p| p.panels()).sum();
    let out = Columns { base: out.as_mut_ptr(), width, rows: x.rows() };
    let multiply = |panel: usize, blocks: &[Rows], next: usize| {
        let (mut panel, mut from) = (panel, 0);
        for part in parts {
            if panel < part.panels() {
                let columns = (part.outputs - panel * PANEL).min(PANEL);
                let work = Work { weights: part, panel, blocks, out: &out, at: from + panel * PANEL, columns, next };
                return SCRATCH.with_borrow_mut(|scratch| kernel.run(&work, scratch));
            }
            panel -= part.panels();
            from += part.outputs;
        }
    };
    let blocks = blocks(x);
    let chunks = x.rows().div_ceil((CHUNK / x.width()).max(CHUNK_ROWS));
    if chunks == 1 {
        // Reading weights is fastest where each thread reads one long stretch.
        return pool.stretches(all, &|panel| multiply(panel, blocks.part(0, 1), 1));
    }
    // Many tasks a thread, so that none waits long for the last, or for one that lost time to another program.
    let per_task = (all / (pool.threads() * 16)).max(1);
    let tasks = all.div_ceil(per_task);
    pool.run(tasks * chunks, &|task| {
        let (chunk, task) = (task / tasks, task % tasks);
        let panels = task * per_task..((task + 1) * per_task).min(all);
        for panel in panels.clone() {
            // Threads that take tasks in turn skip those of the others.
            let next = if panel + 1 < panels.end { 1 } else { 1 + (pool.threads() - 1) * per_task };
            multiply(panel, blocks.part(chunk, chunks), next);
        }
    });
}

/// Numbers of activations that a task takes at most, so that they stay in the second-level cache from panel to panel.
const CHUNK: usize = 64 << 10;

/// Rows that it takes all the same, so that what is done once for each panel is not done too often.
const CHUNK_ROWS: usize = 8 * ROWS;

thread_local! {
    /// Each thread's room for unpacked weights; clearing it for every task would cost more than many a task.
    static SCRATCH: RefCell<Box<Scratch>> = RefCell::new(Box::new(Scratch::new()));
}

/// One panel times some rows.
pub struct Work<'a> {
    /// The matrix.
    pub weights: &'a Packed,
    panel: usize,
    blocks: &'a [Rows],
    out: &'a Columns,
    /// First column of the output.
    at: usize,
    /// How many of the panel's outputs exist.
    columns: usize,
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

/// All rows in blocks, from their first group on and without places for their sums.
struct Blocks(Vec<Rows>);

#[allow(unsafe_code, reason = "pointers into the activations, which all threads read")]
// SAFETY: `blocks` makes the pointers from a shared reference to activations, which outlives every use of the blocks in
// `multiply_with`; nobody writes through them, and those to sums are null here.
unsafe impl Sync for Blocks {}

impl Blocks {
    /// Part number `part` of `parts` as even ones as possible.
    fn part(&self, part: usize, parts: usize) -> &[Rows] {
        let len = self.0.len();
        &self.0[part * len / parts..(part + 1) * len / parts]
    }
}

fn blocks(x: &Activations) -> Blocks {
    let block = |b: usize| {
        let (block, rests) = (x.block(b), x.rests(b));
        let mut half_masses = [std::ptr::null(); ROWS];
        for (half_masses, row) in half_masses.iter_mut().zip(block.clone()) {
            *half_masses = x.half_masses(row).as_ptr();
        }
        Rows {
            count: block.len(),
            words: x.words(block.clone()).as_ptr(),
            starts: x.starts(block.clone()).as_ptr(),
            half_masses,
            rests: rests.all.as_ptr(),
            ends: rests.ends.as_ptr(),
            sums: std::ptr::null_mut(),
            stride: 0,
            fresh: true,
            first: 0,
            start: block.start,
        }
    };
    Blocks((0..x.blocks()).map(block).collect())
}

/// The output matrix, which tasks write different columns of.
pub(super) struct Columns {
    base: *mut f32,
    width: usize,
    rows: usize,
}

#[allow(unsafe_code, reason = "tasks write to different columns of one matrix")]
// SAFETY: only `part` gives access, and `multiply_with` gives every panel, and so every column, of a row to one task
// only.
unsafe impl Sync for Columns {}

impl Columns {
    /// Where the `len` numbers from `column` on of the first of some rows are; those of the next are a row further.
    #[allow(unsafe_code, reason = "a place in a matrix")]
    fn place(&self, rows: Range<usize>, column: usize, len: usize) -> *mut f32 {
        assert!(rows.end <= self.rows && column + len <= self.width && !rows.is_empty());
        // SAFETY: inside the matrix.
        unsafe { self.base.add(rows.start * self.width + column) }
    }

    #[allow(unsafe_code, clippy::mut_from_ref, reason = "see `multiply_with`")]
    fn part(&self, row: usize, column: usize, len: usize) -> &mut [f32] {
        // SAFETY: `multiply_with` holds the matrix exclusively until all tasks are done; the columns belong to the one
        // task that has this panel, and no two parts are held at once.
        unsafe { std::slice::from_raw_parts_mut(self.place(row..row + 1, column, len), len) }
    }
}
