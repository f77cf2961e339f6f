//! Linear layers with 32-bit floats, on the CPU.
//!
//! Must give every output as one chain of fused multiply-adds over the inputs in ascending order, for one row as for
//! many.

use super::super::LlmError;
use super::super::gguf::{GgufError, TensorData};
use super::super::kernels::activations::Activations;
use super::super::kernels::pool::Pool;
use super::super::simd::{self, LANES, TILE_ROWS, Vectors};
use super::{Linear, sides};
use pulp::Simd;
use rayon::prelude::*;

/// Full-precision weights, packed in panels of [`LANES`] outputs: `[panel][input][lane]`.
///
/// Every output is one chain of fused multiply-adds over the inputs in ascending order, for one row as for many.
pub(super) struct Dense {
    inputs: usize,
    outputs: usize,
    panels: Vec<f32>,
}

/// Inputs that are worked through before the next panel or row block: 64 KiB of a panel stay in the L2 cache.
const DEPTH: usize = 1024;

impl Dense {
    /// Widens and packs; the matrices share their number of inputs and are stacked.
    pub(super) fn new(parts: &[TensorData]) -> Result<Self, GgufError> {
        let inputs = parts.first().map_or(Ok(0), |p| sides(p).map(|(_, k)| k))?;
        let mut rows: Vec<f32> = Vec::new();
        for part in parts {
            let widened = part.to_f32()?;
            rows = if rows.is_empty() { widened } else { [rows, widened].concat() };
        }
        let outputs = rows.len() / inputs.max(1);
        let mut panels = vec![0.0; outputs.div_ceil(LANES) * LANES * inputs];
        let packing = panels.par_chunks_mut(LANES * inputs).zip(rows.par_chunks(LANES * inputs));
        packing.for_each(|(panel, rows)| {
            for (lane, row) in rows.chunks_exact(inputs).enumerate() {
                panel.iter_mut().skip(lane).step_by(LANES).zip(row).for_each(|(slot, w)| *slot = *w);
            }
        });
        Ok(Self { inputs, outputs, panels })
    }
}

/// Row blocks of at most [`TILE_ROWS`] rows, each packed as `[input][row]`, one after the other.
fn pack_rows(x: &[f32], rows: usize, inputs: usize) -> Vec<f32> {
    if rows == 1 {
        return x.to_vec();
    }
    let mut packed = vec![0.0; rows * inputs];
    for (to, from) in packed.chunks_mut(TILE_ROWS * inputs).zip(x.chunks(TILE_ROWS * inputs)) {
        let count = from.len() / inputs;
        for (r, row) in from.chunks_exact(inputs).enumerate() {
            for (slot, v) in to.iter_mut().skip(r).step_by(count).zip(row) {
                *slot = *v;
            }
        }
    }
    packed
}

struct Panels<'a, 'o> {
    x: &'a [f32],
    inputs: usize,
    panels: &'a [f32],
    /// The columns of these panels, row by row.
    out: Vec<&'o mut [f32]>,
}

impl Vectors for Panels<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const V: usize>(mut self, simd: S) {
        let inputs = self.inputs;
        for (p, panel) in self.panels.chunks_exact(inputs * LANES).enumerate() {
            let panel = simd::groups::<S, V>(panel);
            for (d, w) in panel.chunks(DEPTH).enumerate() {
                let from = d * DEPTH;
                let blocks = self.x.chunks(TILE_ROWS * inputs).zip(self.out.chunks_mut(TILE_ROWS));
                for (x, out) in blocks {
                    let rows = out.len();
                    let mut acc = [[0.0; LANES]; TILE_ROWS];
                    if d > 0 {
                        for (a, o) in acc.iter_mut().zip(out.iter()) {
                            let o = &o[p * LANES..];
                            let width = o.len().min(LANES);
                            a[..width].copy_from_slice(&o[..width]);
                        }
                    }
                    simd::tile_rows::<S, V>(simd, rows, &x[from * rows..(from + w.len()) * rows], w, &mut acc);
                    for (a, o) in acc.iter().zip(out.iter_mut()) {
                        let o = &mut o[p * LANES..];
                        let width = o.len().min(LANES);
                        o[..width].copy_from_slice(&a[..width]);
                    }
                }
            }
        }
    }
}

impl Linear for Dense {
    fn forward(&self, pool: &Pool, x: &Activations, out: &mut [f32]) -> Result<(), LlmError> {
        let rows = x.rows();
        if rows == 0 {
            return Ok(());
        }
        let packed = pack_rows(x.floats(), rows, self.inputs);
        let panels = self.outputs.div_ceil(LANES);
        let per_task = panels.div_ceil((pool.threads() * 4).min(panels).max(1));
        let mut columns: Vec<Vec<&mut [f32]>> =
            (0..panels.div_ceil(per_task)).map(|_| Vec::with_capacity(rows)).collect();
        for row in out.chunks_exact_mut(self.outputs).take(rows) {
            for (task, part) in columns.iter_mut().zip(row.chunks_mut(per_task * LANES)) {
                task.push(part);
            }
        }
        pool.pieces(&mut columns, 1, 1, |task, out| {
            let panels = self.panels.chunks(per_task * LANES * self.inputs).nth(task).unwrap_or_default();
            let out = out.first_mut().map(std::mem::take).unwrap_or_default();
            simd::dispatch(Panels { x: &packed, inputs: self.inputs, panels, out });
        });
        Ok(())
    }

    fn inputs(&self) -> usize {
        self.inputs
    }

    fn outputs(&self) -> usize {
        self.outputs
    }

    fn weights(&self, j: usize, out: &mut [f32]) -> Result<(), String> {
        let panel = &self.panels[j / LANES * LANES * self.inputs..];
        out.iter_mut().zip(panel.iter().skip(j % LANES).step_by(LANES)).for_each(|(out, w)| *out = *w);
        Ok(())
    }

    fn quantized(&self) -> bool {
        false
    }

    fn bytes(&self) -> usize {
        self.panels.len() * 4
    }
}
