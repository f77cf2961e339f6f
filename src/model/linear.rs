//! Linear layers behind one trait: `out = x · Wᵀ`, with the weights in whatever form is fastest for their type.
//!
//! Must give the same bits for a row whatever other rows are in the batch and whatever the number of threads; everything that
//! the decoder promises about determinism rests on that.

use super::gguf::{GgmlType, TensorData};
use super::simd::{self, LANES, TILE_ROWS, Vectors};
use candle_core::quantized::{GgmlDType, QMatMul, QStorage, QTensor};
use candle_core::{Device, Module, Tensor};
use pulp::Simd;
use rayon::prelude::*;
use std::borrow::Cow;
use std::sync::Arc;

/// A weight matrix that can be multiplied with.
pub trait Linear: Send + Sync {
    /// `out[r][j] = sum over i of x[r][i] * w[j][i]` for `rows` rows; `x` is `[rows][inputs]`, `out` is `[rows][outputs]`.
    fn forward(&self, x: &[f32], rows: usize, out: &mut [f32]) -> Result<(), String>;
    /// Length of a row of `x`.
    fn inputs(&self) -> usize;
    /// Length of a row of `out`.
    fn outputs(&self) -> usize;
    /// Whether the weights are held as int8 kernels of candle, for the record of which kernels ran.
    fn quantized(&self) -> bool;
}

/// One linear layer made of matrices that share their input (`q, k, v` or `gate, up`), stacked in the order given.
///
/// # Errors
/// In words, where a tensor is no matrix, of a type that cannot be read, or of another number of inputs than the first.
pub fn load(parts: Vec<TensorData>) -> Result<Box<dyn Linear>, String> {
    let mut stack: Vec<Box<dyn Linear>> = Vec::new();
    let mut dense: Vec<TensorData> = Vec::new();
    for part in parts {
        match candle_type(&part) {
            Some(dtype) => {
                flush(&mut dense, &mut stack)?;
                stack.push(Box::new(Quantized::new(&part, dtype)?));
            }
            None => dense.push(part),
        }
    }
    flush(&mut dense, &mut stack)?;
    match stack.len() {
        1 => Ok(stack.remove(0)),
        _ => Ok(Box::new(Stacked(stack))),
    }
}

fn flush(dense: &mut Vec<TensorData>, stack: &mut Vec<Box<dyn Linear>>) -> Result<(), String> {
    if !dense.is_empty() {
        stack.push(Box::new(Dense::new(&std::mem::take(dense))?));
    }
    Ok(())
}

fn sides(matrix: &TensorData) -> Result<(usize, usize), String> {
    match matrix.shape.as_slice() {
        [outputs, inputs] => Ok((*outputs, *inputs)),
        other => Err(format!("a matrix was expected, not the shape {other:?}")),
    }
}

/// The type under which candle has a tiled int8 kernel for this matrix on this machine (its `repack_x86`), if it has one; all
/// other types and shapes fall to a dot product per output there, which is up to a hundred times slower than [`Dense`].
fn candle_type(matrix: &TensorData) -> Option<GgmlDType> {
    let (n, k) = sides(matrix).ok()?;
    let dtype = match matrix.dtype {
        GgmlType::Q4_K => GgmlDType::Q4K,
        GgmlType::Q6_K => GgmlDType::Q6K,
        _ => return None,
    };
    (k % 256 == 0 && n % 16 == 0 && vector_kernels()).then_some(dtype)
}

#[cfg(target_arch = "x86_64")]
fn vector_kernels() -> bool {
    std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma")
}

#[cfg(not(target_arch = "x86_64"))]
fn vector_kernels() -> bool {
    cfg!(target_arch = "aarch64")
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
            if sides(part)?.1 != inputs {
                return Err(format!("its rows have {} numbers instead of {inputs}", sides(part)?.1));
            }
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
    packed.par_chunks_mut(TILE_ROWS * inputs).zip(x.par_chunks(TILE_ROWS * inputs)).for_each(|(to, from)| {
        let count = from.len() / inputs;
        for (r, row) in from.chunks_exact(inputs).enumerate() {
            for (slot, v) in to.iter_mut().skip(r).step_by(count).zip(row) {
                *slot = *v;
            }
        }
    });
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
    fn forward(&self, x: &[f32], rows: usize, out: &mut [f32]) -> Result<(), String> {
        if rows == 0 {
            return Ok(());
        }
        let packed = pack_rows(&x[..rows * self.inputs], rows, self.inputs);
        let panels = self.outputs.div_ceil(LANES);
        let tasks = (rayon::current_num_threads() * 4).min(panels).max(1);
        let per_task = panels.div_ceil(tasks);
        let mut columns: Vec<Vec<&mut [f32]>> =
            (0..panels.div_ceil(per_task)).map(|_| Vec::with_capacity(rows)).collect();
        for row in out.chunks_exact_mut(self.outputs).take(rows) {
            for (task, part) in columns.iter_mut().zip(row.chunks_mut(per_task * LANES)) {
                task.push(part);
            }
        }
        columns.into_par_iter().zip(self.panels.par_chunks(per_task * LANES * self.inputs)).with_max_len(1).for_each(
            |(out, panels)| {
                simd::dispatch(Panels { x: &packed, inputs: self.inputs, panels, out });
            },
        );
        Ok(())
    }

    fn inputs(&self) -> usize {
        self.inputs
    }

    fn outputs(&self) -> usize {
        self.outputs
    }

    fn quantized(&self) -> bool {
        false
    }
}

/// Weights left in their GGUF type, multiplied by candle's int8 kernels.
struct Quantized {
    weights: QMatMul,
    inputs: usize,
    outputs: usize,
}

impl Quantized {
    fn new(matrix: &TensorData, dtype: GgmlDType) -> Result<Self, String> {
        let (outputs, inputs) = sides(matrix)?;
        // candle asserts that the bytes lie at an even address; so copy them to one, whatever the caller's have.
        let mut aligned = vec![0; matrix.bytes.len() + 1];
        let start = aligned.as_ptr().addr() % 2;
        let view = &mut aligned[start..start + matrix.bytes.len()];
        view.copy_from_slice(&matrix.bytes);
        let storage = QStorage::from_data(Cow::Borrowed(view), &Device::Cpu, dtype).map_err(|e| e.to_string())?;
        let tensor = QTensor::new(storage, (outputs, inputs)).map_err(|e| e.to_string())?;
        let weights = QMatMul::from_arc(Arc::new(tensor)).map_err(|e| e.to_string())?;
        Ok(Self { weights, inputs, outputs })
    }

    fn product(&self, x: Vec<f32>, rows: usize) -> candle_core::Result<Vec<f32>> {
        let x = Tensor::from_vec(x, (rows, self.inputs), &Device::Cpu)?;
        self.weights.forward(&x)?.flatten_all()?.to_vec1::<f32>()
    }
}

impl Linear for Quantized {
    fn forward(&self, x: &[f32], rows: usize, out: &mut [f32]) -> Result<(), String> {
        if rows == 0 {
            return Ok(());
        }
        let mut x = x[..rows * self.inputs].to_vec();
        if rows == 1 {
            // One row alone takes another kernel in candle (for Q6_K) and would get other bits, so it is given company.
            x.extend_from_within(..);
        }
        let y = self.product(x, rows.max(2)).map_err(|e| e.to_string())?;
        out[..rows * self.outputs].copy_from_slice(&y[..rows * self.outputs]);
        Ok(())
    }

    fn inputs(&self) -> usize {
        self.inputs
    }

    fn outputs(&self) -> usize {
        self.outputs
    }

    fn quantized(&self) -> bool {
        true
    }
}

/// Matrices of different kinds that share their input.
struct Stacked(Vec<Box<dyn Linear>>);

impl Linear for Stacked {
    fn forward(&self, x: &[f32], rows: usize, out: &mut [f32]) -> Result<(), String> {
        let width = self.outputs();
        let mut from = 0;
        for part in &self.0 {
            let n = part.outputs();
            let mut y = vec![0.0; rows * n];
            part.forward(x, rows, &mut y)?;
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

    fn quantized(&self) -> bool {
        self.0.iter().any(|p| p.quantized())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let w = Tensor::from_vec(numbers(n * k, 7), (n, k), &Device::Cpu).unwrap();
        let candle = match dtype {
            GgmlType::F32 => GgmlDType::F32,
            GgmlType::Q8_0 => GgmlDType::Q8_0,
            GgmlType::Q4_1 => GgmlDType::Q4_1,
            GgmlType::Q5_0 => GgmlDType::Q5_0,
            GgmlType::Q4_K => GgmlDType::Q4K,
            _ => GgmlDType::Q6K,
        };
        let bytes = QTensor::quantize(&w, candle).unwrap().data().unwrap().into_owned();
        TensorData { dtype, shape: vec![n, k], bytes }
    }

    /// All shapes and types that reach another code path: n not a multiple of the panel, k beyond one depth block.
    const CASES: [(usize, usize, GgmlType, f32); 6] = [
        (40, 96, GgmlType::F32, 1e-5),
        (17, 2080, GgmlType::Q8_0, 1e-4),
        (48, 64, GgmlType::Q4_1, 1e-5),
        (33, 32, GgmlType::Q5_0, 1e-5),
        (64, 512, GgmlType::Q4_K, 0.3),
        (64, 512, GgmlType::Q6_K, 0.3),
    ];

    #[test]
    fn a_product_equals_the_sum_in_f64_over_the_dequantised_weights() {
        for (n, k, dtype, tolerance) in CASES {
            let w = matrix(n, k, dtype);
            let exact = w.to_f32().unwrap();
            let layer = load(vec![w]).unwrap();
            let rows = 8;
            let x = numbers(rows * k, 3);
            let mut out = vec![0.0; rows * n];
            layer.forward(&x, rows, &mut out).unwrap();
            for r in 0..rows {
                for j in 0..n {
                    let want: f64 = (0..k).map(|i| f64::from(x[r * k + i]) * f64::from(exact[j * k + i])).sum();
                    let got = out[r * n + j];
                    assert!((f64::from(got) - want).abs() < f64::from(tolerance), "{dtype:?} {got} {want}");
                }
            }
        }
    }

    #[test]
    fn a_row_has_the_same_bits_alone_and_in_every_batch_and_with_one_thread_and_two() {
        let pools = [1, 2].map(|n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap());
        for (n, k, dtype, _) in CASES {
            let layer = load(vec![matrix(n, k, dtype)]).unwrap();
            let most = 37;
            let x = numbers(most * k, 5);
            let mut whole = vec![0.0; most * n];
            layer.forward(&x, most, &mut whole).unwrap();
            for rows in [1, 2, 5, 6, 7, 13, 37] {
                for pool in &pools {
                    let mut out = vec![0.0; rows * n];
                    pool.install(|| layer.forward(&x, rows, &mut out)).unwrap();
                    let same = out.iter().zip(&whole).all(|(a, b)| a.to_bits() == b.to_bits());
                    assert!(same, "{dtype:?} {rows} rows");
                }
            }
        }
    }

    #[test]
    fn stacked_matrices_give_their_outputs_side_by_side() {
        let parts = [GgmlType::Q4_K, GgmlType::Q8_0, GgmlType::F32].map(|t| matrix(32, 256, t));
        let x = numbers(3 * 256, 1);
        let singles: Vec<Vec<f32>> = [GgmlType::Q4_K, GgmlType::Q8_0, GgmlType::F32]
            .map(|t| {
                let mut out = vec![0.0; 3 * 32];
                load(vec![matrix(32, 256, t)]).unwrap().forward(&x, 3, &mut out).unwrap();
                out
            })
            .into();
        let mut out = vec![0.0; 3 * 96];
        load(parts.into()).unwrap().forward(&x, 3, &mut out).unwrap();
        for r in 0..3 {
            for (p, single) in singles.iter().enumerate() {
                assert_eq!(&out[r * 96 + p * 32..r * 96 + (p + 1) * 32], &single[r * 32..(r + 1) * 32]);
            }
        }
    }
}
