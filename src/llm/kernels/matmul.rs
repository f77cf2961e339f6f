//! Products of activations with packed matrices: which kernels, which thread does what, where the sums go.
//!
//! Must not influence any sum: an output is computed by one task from one row and one panel, whatever else there is.

use super::activations::Activations;
use super::isa::Isa;
#[cfg(target_arch = "aarch64")]
use super::neon;
use super::packed::{PANEL, Packed};
use super::pool::Pool;
use super::record::ROWS;
use super::scalar::Scalar;
use super::tile::{Columns, Kernel, Rows, Scratch, Work};
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};
use std::cell::RefCell;

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
