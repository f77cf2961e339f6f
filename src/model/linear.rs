//! Linear layers behind one trait: `out = x · Wᵀ`, with the weights in whatever form is fastest for their type.
//!
//! Must give the same bits for a row whatever other rows are in the batch and whatever the number of threads; everything that
//! the decoder promises about determinism rests on that.

use super::JudgeError;
use super::gguf::TensorData;
use super::kernels::activations::Activations;
use super::kernels::arena::Arena;
use super::kernels::blocks::Format;
use super::kernels::matmul::{Isa, multiply};
use super::kernels::packed::Packed;
use super::kernels::pool::Pool;
use super::simd::{self, LANES, TILE_ROWS, Vectors};
use pulp::Simd;
use rayon::prelude::*;

/// A weight matrix that can be multiplied with.
pub trait Linear: Send + Sync {
    /// `out[r][j] = sum over i of x[r][i] * w[j][i]` for all rows of `x`; `out` is `[rows][outputs]`.
    ///
    /// # Errors
    /// Where the product could not be computed; what `out` holds is then rubbish. On the CPU there is no such case.
    fn forward(&self, pool: &Pool, x: &Activations, out: &mut [f32]) -> Result<(), JudgeError>;
    /// Length of a row of `x`.
    fn inputs(&self) -> usize;
    /// Length of a row of `out`.
    fn outputs(&self) -> usize;
    /// The weights of output `j`, `[inputs]`.
    fn weights(&self, j: usize, out: &mut [f32]);
    /// Whether the weights are multiplied as 8-bit integers, for the record of which kernels ran.
    fn quantized(&self) -> bool;
    /// Bytes of weights.
    fn bytes(&self) -> usize;
}

/// How quantised weights are multiplied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Arithmetic {
    /// As integers, with activations rounded to 8 bits: fast.
    #[default]
    Integers,
    /// Widened to 32-bit floats, with activations as they are: the reference for the other, several times slower and larger.
    Exact,
}

/// One linear layer made of matrices that share their input (`q, k, v` or `gate, up`), stacked in the order given.
///
/// Quantised types stay as they are in the file, bit by bit, and meet activations of 8 bits; 16- and 32-bit floats are computed
/// with as such, because rounding them would make another model of the file.
///
/// # Errors
/// In words, where a tensor is no matrix, of a type that cannot be read, or of another number of inputs than the first.
pub fn load(arena: &mut Arena, arithmetic: Arithmetic, parts: Vec<TensorData>) -> Result<Box<dyn Linear>, String> {
    let mut stack: Vec<Box<dyn Linear>> = Vec::new();
    let mut integers: Vec<Packed> = Vec::new();
    let mut floats: Vec<TensorData> = Vec::new();
    let inputs = parts.first().map_or(Ok(0), |p| sides(p).map(|(_, k)| k))?;
    for part in parts {
        let (n, k) = sides(&part)?;
        if k != inputs {
            return Err(format!("its rows have {k} numbers instead of {inputs}"));
        }
        match Format::of(part.dtype).filter(|_| arithmetic == Arithmetic::Integers) {
            Some(format) => {
                flush_floats(&mut floats, &mut stack)?;
                integers.push(Packed::new(arena, format, n, k, &part.bytes)?);
            }
            None => {
                flush_integers(&mut integers, &mut stack);
                floats.push(part);
            }
        }
    }
    flush_floats(&mut floats, &mut stack)?;
    flush_integers(&mut integers, &mut stack);
    match stack.len() {
        1 => Ok(stack.remove(0)),
        _ => Ok(Box::new(Stacked(stack))),
    }
}

fn flush_floats(floats: &mut Vec<TensorData>, stack: &mut Vec<Box<dyn Linear>>) -> Result<(), String> {
    if !floats.is_empty() {
        stack.push(Box::new(Dense::new(&std::mem::take(floats))?));
    }
    Ok(())
}

fn flush_integers(integers: &mut Vec<Packed>, stack: &mut Vec<Box<dyn Linear>>) {
    if !integers.is_empty() {
        stack.push(Box::new(Integers { isa: Isa::best(), parts: std::mem::take(integers) }));
    }
}

fn sides(matrix: &TensorData) -> Result<(usize, usize), String> {
    match matrix.shape.as_slice() {
        [outputs, inputs] => Ok((*outputs, *inputs)),
        other => Err(format!("a matrix was expected, not the shape {other:?}")),
    }
}

/// Quantised weights.
struct Integers {
    isa: Isa,
    parts: Vec<Packed>,
}

impl Linear for Integers {
    fn forward(&self, pool: &Pool, x: &Activations, out: &mut [f32]) -> Result<(), JudgeError> {
        let parts: Vec<&Packed> = self.parts.iter().collect();
        multiply(pool, self.isa, &parts, x, out);
        Ok(())
    }

    fn inputs(&self) -> usize {
        self.parts.first().map_or(0, |p| p.inputs)
    }

    fn outputs(&self) -> usize {
        self.parts.iter().map(|p| p.outputs).sum()
    }

    fn weights(&self, j: usize, out: &mut [f32]) {
        let mut from = 0;
        for part in &self.parts {
            if (from..from + part.outputs).contains(&j) {
                part.row(j - from, out);
            }
            from += part.outputs;
        }
    }

    fn quantized(&self) -> bool {
        true
    }

    fn bytes(&self) -> usize {
        self.parts.iter().map(Packed::bytes).sum()
    }
}

/// Full-precision weights, packed in panels of [`LANES`] outputs: `[panel][input][lane]`.
///
/// Every output is one chain of fused multiply-adds over the inputs in ascending order, for one row as for many.
pub struct Dense {
    inputs: usize,
    outputs: usize,
    panels: Vec<f32>,
}

/// Inputs that are worked through before the next panel or row block: 64 KiB of a panel stay in the L2 cache.
const DEPTH: usize = 1024;

impl Dense {
    /// Widens and packs; the matrices share their number of inputs and are stacked.
    fn new(parts: &[TensorData]) -> Result<Self, String> {
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
    fn forward(&self, pool: &Pool, x: &Activations, out: &mut [f32]) -> Result<(), JudgeError> {
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

    fn weights(&self, j: usize, out: &mut [f32]) {
        let panel = &self.panels[j / LANES * LANES * self.inputs..];
        out.iter_mut().zip(panel.iter().skip(j % LANES).step_by(LANES)).for_each(|(out, w)| *out = *w);
    }

    fn quantized(&self) -> bool {
        false
    }

    fn bytes(&self) -> usize {
        self.panels.len() * 4
    }
}

/// Matrices of different kinds that share their input.
struct Stacked(Vec<Box<dyn Linear>>);

impl Linear for Stacked {
    fn forward(&self, pool: &Pool, x: &Activations, out: &mut [f32]) -> Result<(), JudgeError> {
        let width = self.outputs();
        let mut from = 0;
        for part in &self.0 {
            let n = part.outputs();
            let mut y = vec![0.0; x.rows() * n];
            part.forward(pool, x, &mut y)?;
            for (out, y) in out.chunks_exact_mut(width).zip(y.chunks_exact(n)) {
                out[from..from + n].copy_from_slice(y);
            }
            from += n;
        }
        Ok(())
    }

    fn inputs(&self) -> usize {
        self.0.first().map_or(0, |p| p.inputs())
    }

    fn outputs(&self) -> usize {
        self.0.iter().map(|p| p.outputs()).sum()
    }

    fn weights(&self, j: usize, out: &mut [f32]) {
        let mut from = 0;
        for part in &self.0 {
            if (from..from + part.outputs()).contains(&j) {
                part.weights(j - from, out);
            }
            from += part.outputs();
        }
    }

    fn quantized(&self) -> bool {
        self.0.iter().any(|p| p.quantized())
    }

    fn bytes(&self) -> usize {
        self.0.iter().map(|p| p.bytes()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::gguf::GgmlType;

    /// Deterministic numbers in -1..1.
    fn numbers(count: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        (0..count)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 23) as f32 - 1.0
            })
            .collect()
    }

    fn matrix(n: usize, k: usize, dtype: GgmlType) -> TensorData {
        let numbers = numbers(n * k, 7 + n as u32).into_iter();
        let bytes = match dtype {
            GgmlType::F16 => numbers.flat_map(|x| half::f16::from_f32(x).to_le_bytes()).collect(),
            GgmlType::BF16 => numbers.flat_map(|x| half::bf16::from_f32(x).to_le_bytes()).collect(),
            GgmlType::Q8_0 => {
                let numbers: Vec<f32> = numbers.collect();
                let block = |block: &[f32]| {
                    let codes = block.iter().map(|x| (x * 127.0) as i8 as u8);
                    half::f16::from_f32(1.0 / 127.0).to_le_bytes().into_iter().chain(codes).collect::<Vec<u8>>()
                };
                numbers.chunks(32).flat_map(block).collect()
            }
            _ => numbers.flat_map(f32::to_le_bytes).collect(),
        };
        TensorData { dtype, shape: vec![n, k], bytes }
    }

    fn layer(parts: Vec<TensorData>) -> Box<dyn Linear> {
        load(&mut Arena::default(), Arithmetic::Integers, parts).unwrap()
    }

    fn rows(pool: &Pool, rows: usize, k: usize) -> Activations {
        let x = numbers(rows * k, 3);
        let mut all = Activations::default();
        all.fill(pool, rows, k, |row, to| to.copy_from_slice(&x[row * k..(row + 1) * k]));
        all
    }

    fn product(layer: &dyn Linear, pool: &Pool, count: usize) -> Vec<f32> {
        let mut out = vec![f32::NAN; count * layer.outputs()];
        layer.forward(pool, &rows(pool, count, layer.inputs()), &mut out).unwrap();
        out
    }

    /// n not a multiple of a panel, k beyond one depth block.
    const CASES: [(usize, usize, GgmlType, f64); 4] = [
        (40, 96, GgmlType::F32, 1e-5),
        (17, 2080, GgmlType::F16, 1e-4),
        (33, 72, GgmlType::BF16, 1e-5),
        (40, 96, GgmlType::Q8_0, 0.2),
    ];

    #[test]
    fn a_product_equals_the_sum_in_f64_over_the_dequantised_weights() {
        let pool = Pool::new(2).unwrap();
        for (n, k, dtype, tolerance) in CASES {
            let w = matrix(n, k, dtype);
            let exact = w.to_f32().unwrap();
            let layer = layer(vec![w]);
            let (out, x) = (product(layer.as_ref(), &pool, 8), rows(&pool, 8, k));
            for (r, out) in out.chunks_exact(n).enumerate() {
                for (j, got) in out.iter().enumerate() {
                    let x = &x.floats()[r * k..(r + 1) * k];
                    let want: f64 = x.iter().zip(&exact[j * k..]).map(|(x, w)| f64::from(*x) * f64::from(*w)).sum();
                    assert!((f64::from(*got) - want).abs() < tolerance, "{dtype:?} {got} {want}");
                }
            }
        }
    }

    #[test]
    fn a_row_has_the_same_bits_alone_and_in_every_batch_and_with_one_thread_and_two() {
        let pools = [1, 2].map(|n| Pool::new(n).unwrap());
        for (n, k, dtype, _) in CASES {
            let layer = layer(vec![matrix(n, k, dtype)]);
            let whole = product(layer.as_ref(), &pools[0], 37);
            for count in [1, 2, 5, 6, 7, 13, 37] {
                for pool in &pools {
                    let out = product(layer.as_ref(), pool, count);
                    let same = out.iter().zip(&whole).all(|(a, b)| a.to_bits() == b.to_bits());
                    assert!(same, "{dtype:?} {count} rows");
                }
            }
        }
    }

    #[test]
    fn stacked_matrices_give_their_outputs_and_their_weights_side_by_side() {
        let pool = Pool::new(2).unwrap();
        let types = [GgmlType::Q8_0, GgmlType::F32, GgmlType::F16, GgmlType::Q8_0];
        let parts = || types.iter().enumerate().map(|(i, dtype)| matrix(32 + i, 256, *dtype));
        let stacked = layer(parts().collect());
        let whole = product(stacked.as_ref(), &pool, 3);
        let mut from = 0;
        for part in parts() {
            let n = part.shape[0];
            let exact = part.to_f32().unwrap();
            let alone = product(layer(vec![part]).as_ref(), &pool, 3);
            let mut weights = vec![0.0; 256];
            stacked.weights(from + 1, &mut weights);
            assert!(weights.iter().zip(&exact[256..]).all(|(a, b)| (a - b).abs() < 1e-6));
            for r in 0..3 {
                assert_eq!(&whole[r * stacked.outputs() + from..][..n], &alone[r * n..][..n]);
            }
            from += n;
        }
        assert_eq!((from, stacked.quantized()), (stacked.outputs(), true));
    }

    #[test]
    fn matrices_with_other_inputs_than_the_first_are_refused() {
        let parts = vec![matrix(8, 64, GgmlType::F32), matrix(8, 96, GgmlType::F32)];
        assert!(
            load(&mut Arena::default(), Arithmetic::Integers, parts)
                .err()
                .is_some_and(|e| e.contains("96 numbers instead of 64"))
        );
    }
}
