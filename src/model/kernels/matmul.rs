//! Products of activations with packed matrices: which kernels, which thread does what, where the sums go.
//!
//! Must not influence any sum: an output is computed by one task from one row and one panel, whatever else there is.

use super::activations::{Activations, GROUP};
use super::packed::{PANEL, Packed};
use super::pool::Pool;
use super::tile::{Kernel, ROWS, RowPart, STRETCH, Scalar, Scratch};
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};

/// Which kernels multiply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// 512-bit vectors and VNNI.
    Avx512Vnni,
    /// 256-bit vectors and VNNI.
    AvxVnni,
    /// 256-bit vectors.
    Avx2,
    /// No vectors.
    Scalar,
}

impl Isa {
    /// All, best first.
    pub const ALL: [Self; 4] = [Self::Avx512Vnni, Self::AvxVnni, Self::Avx2, Self::Scalar];

    /// Whether this machine has it.
    pub fn available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => avx512::Avx512::detect().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni => avx2::AvxVnni::detect().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => avx2::Avx2::detect().is_some(),
            Self::Scalar => true,
            #[cfg(not(target_arch = "x86_64"))]
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
        _ => {}
    }
    multiply_with(pool, Scalar, parts, x, out);
}

fn multiply_with(pool: &Pool, kernel: impl Kernel, parts: &[&Packed], x: &Activations, out: &mut [f32]) {
    let width: usize = parts.iter().map(|p| p.outputs).sum();
    assert!(out.len() == x.rows() * width && parts.iter().all(|p| p.inputs == x.width()));
    let all: usize = parts.iter().map(|p| p.panels()).sum();
    // Several tasks a thread, so that a thread that lost time to another program is helped out.
    let per_task = all.div_ceil(pool.threads() * 6).max(1);
    let out = Columns { base: out.as_mut_ptr(), width, rows: x.rows() };
    pool.run(all.div_ceil(per_task), &|task| {
        let mut scratch = Scratch::new();
        let (mut first, mut from) = (0, 0);
        let wanted = task * per_task..(task + 1) * per_task;
        for part in parts {
            let panels = wanted.start.max(first)..wanted.end.min(first + part.panels());
            for panel in panels {
                let panel = panel - first;
                let columns = (part.outputs - panel * PANEL).min(PANEL);
                let work = Work { kernel, weights: part, panel, x, out: &out, at: from + panel * PANEL, columns };
                match (part.format.scales, part.format.min) {
                    (1, false) => work.run::<1, false>(&mut scratch),
                    (1, true) => work.run::<1, true>(&mut scratch),
                    (_, false) => work.run::<2, false>(&mut scratch),
                    (_, true) => work.run::<2, true>(&mut scratch),
                }
            }
            first += part.panels();
            from += part.outputs;
        }
    });
}

/// One panel times all rows.
struct Work<'a, K> {
    kernel: K,
    weights: &'a Packed,
    panel: usize,
    x: &'a Activations,
    out: &'a Columns,
    /// First column of the output.
    at: usize,
    /// How many of the panel's outputs exist.
    columns: usize,
}

/// Rows from which on a longer stretch pays: with few, memory is the limit, and short stretches leave it less idle.
const MANY: usize = 8;

impl<K: Kernel> Work<'_, K> {
    #[allow(unsafe_code, reason = "the kernel writes sums where they belong")]
    fn run<const SCALES: usize, const MIN: bool>(&self, scratch: &mut Scratch) {
        let panel = self.weights.panel(self.panel);
        let (groups, rows) = (self.weights.groups(), self.x.rows());
        let stretch = if rows < MANY { STRETCH / 2 } else { STRETCH };
        // As even blocks as possible: the kernels for few rows make less use of each load.
        let blocks = rows.div_ceil(ROWS);
        let mut partial = [[0.0; PANEL]; ROWS];
        for first in (0..groups).step_by(stretch) {
            let count = stretch.min(groups - first);
            let mut stretch = self.kernel.unpack(self.weights, panel, first, count, scratch);
            (stretch.ahead, stretch.ahead_lines) = self.weights.after(self.panel, first + count, count);
            for b in 0..blocks {
                let (start, end) = (b * rows / blocks, (b + 1) * rows / blocks);
                let part = |r: usize| RowPart {
                    codes: &self.x.codes(r)[first * GROUP..(first + count) * GROUP],
                    scales: &self.x.groups(r)[first..first + count],
                };
                let parts: [RowPart<'_>; ROWS] = std::array::from_fn(|i| part((start + i).min(end - 1)));
                let parts = &parts[..end - start];
                if self.columns == PANEL {
                    let sums = std::array::from_fn(|i| self.out.place((start + i).min(end - 1), self.at, PANEL));
                    // SAFETY: `place` gives 32 floats of the panel's own columns.
                    unsafe { self.kernel.tile::<SCALES, MIN>(&stretch, parts, first == 0, &sums) };
                } else {
                    // Outputs that do not exist have no place.
                    for (sums, r) in partial.iter_mut().zip(start..end) {
                        sums[..self.columns].copy_from_slice(self.out.part(r, self.at, self.columns));
                    }
                    let sums = partial.each_mut().map(|sums| sums.as_mut_ptr());
                    // SAFETY: the sums are this call's own.
                    unsafe { self.kernel.tile::<SCALES, MIN>(&stretch, parts, first == 0, &sums) };
                    for (sums, r) in partial.iter().zip(start..end) {
                        self.out.part(r, self.at, self.columns).copy_from_slice(&sums[..self.columns]);
                    }
                }
                stretch.ahead_lines = 0;
            }
        }
    }
}

/// The output matrix, which tasks write different columns of.
struct Columns {
    base: *mut f32,
    width: usize,
    rows: usize,
}

#[allow(unsafe_code, reason = "tasks write to different columns of one matrix")]
// SAFETY: only `part` gives access, and `multiply_with` gives every panel, and so every column, to one task only.
unsafe impl Sync for Columns {}

impl Columns {
    /// Where the `len` numbers of a row from `column` on are.
    #[allow(unsafe_code, reason = "a place in a matrix")]
    fn place(&self, row: usize, column: usize, len: usize) -> *mut f32 {
        assert!(row < self.rows && column + len <= self.width);
        // SAFETY: inside the matrix.
        unsafe { self.base.add(row * self.width + column) }
    }

    #[allow(unsafe_code, clippy::mut_from_ref, reason = "see `multiply_with`")]
    fn part(&self, row: usize, column: usize, len: usize) -> &mut [f32] {
        // SAFETY: `multiply_with` holds the matrix exclusively until all tasks are done; the columns belong to the one task that
        // has this panel, and no two parts are held at once.
        unsafe { std::slice::from_raw_parts_mut(self.place(row, column, len), len) }
    }
}
