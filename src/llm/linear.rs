//! Linear layers behind one trait: `out = x · Wᵀ`, with the weights in whatever form is fastest for their type.
//!
//! Must, on the CPU, give the same bits for a row whatever other rows are in the batch and whatever the number of
//! threads; everything that the decoder promises about determinism rests on that. A device promises less; see
//! `on_device`.

mod dense;
pub(super) mod on_device;

use super::LlmError;
use super::device::Processor;
use super::gguf::{GgmlType, GgufError, TensorData};
use super::kernels::activations::Activations;
use super::kernels::arena::Arena;
use super::kernels::blocks::Format;
use super::kernels::isa::Isa;
use super::kernels::matmul::multiply;
use super::kernels::packed::Packed;
use super::kernels::pool::Pool;
use dense::Dense;
use on_device::OnDevice;

/// A weight matrix that can be multiplied with.
pub trait Linear: Send + Sync {
    /// `out[r][j] = sum over i of x[r][i] * w[j][i]` for all rows of `x`; `out` is `[rows][outputs]`.
    ///
    /// # Errors
    /// Where the product could not be computed; what `out` holds is then rubbish. On the CPU there is no such case.
    fn forward(&self, pool: &Pool, x: &Activations, out: &mut [f32]) -> Result<(), LlmError>;
    /// Length of a row of `x`.
    fn inputs(&self) -> usize;
    /// Length of a row of `out`.
    fn outputs(&self) -> usize;
    /// The weights of output `j`, `[inputs]`.
    ///
    /// # Errors
    /// In words, where they are on a device: whoever reads them there one by one should have a table of their own.
    fn weights(&self, j: usize, out: &mut [f32]) -> Result<(), String>;
    /// Whether the weights are multiplied as 8-bit integers, for the record of which kernels ran.
    fn quantized(&self) -> bool;
    /// Bytes of weights.
    fn bytes(&self) -> usize;
}

/// How and where weights are multiplied.
#[derive(Clone, Debug, Default)]
pub enum Arithmetic {
    /// On the CPU, quantised ones as integers, with activations rounded to 8 bits: fast.
    #[default]
    Integers,
    /// On the CPU, widened to 32-bit floats, with activations as they are: the reference for the others, several times
    /// slower and larger.
    Exact,
    /// On a device, by candle's kernels.
    On(Processor),
}

/// One linear layer made of matrices that share their input (`q, k, v` or `gate, up`), stacked in the order given.
///
/// Quantised types stay as they are in the file, bit by bit, and meet activations of 8 bits; 16- and 32-bit floats are
/// computed with as such, because rounding them would make another model of the file.
///
/// # Errors
/// Where a tensor is no matrix, of a type that cannot be read, or of another number of inputs than the first: it is
/// named; or where a device has no room.
pub fn load(arena: &mut Arena, arithmetic: &Arithmetic, parts: Vec<TensorData>) -> Result<Box<dyn Linear>, LlmError> {
    let inputs = parts.first().map_or(Ok(0), |p| sides(p).map(|(_, k)| k))?;
    for part in &parts {
        let (_, k) = sides(part)?;
        if k != inputs {
            return Err(part.error(format!("its rows have {k} numbers instead of {inputs}")).into());
        }
    }
    match arithmetic {
        Arithmetic::On(processor) => Ok(Box::new(OnDevice::new(processor, inputs, &parts)?)),
        Arithmetic::Integers => Ok(on_cpu(arena, Format::of, parts)?),
        Arithmetic::Exact => Ok(on_cpu(arena, |_| None, parts)?),
    }
}

/// `format`: which types are multiplied as integers, and how they lie in memory.
fn on_cpu(
    arena: &mut Arena,
    format: impl Fn(GgmlType) -> Option<Format>,
    parts: Vec<TensorData>,
) -> Result<Box<dyn Linear>, GgufError> {
    let mut stack: Vec<Box<dyn Linear>> = Vec::new();
    let mut integers: Vec<Packed> = Vec::new();
    let mut floats: Vec<TensorData> = Vec::new();
    for part in parts {
        let (n, k) = sides(&part)?;
        match format(part.dtype) {
            Some(format) => {
                flush_floats(&mut floats, &mut stack)?;
                let packed = Packed::new(arena, format, n, k, &part.bytes);
                integers.push(packed.map_err(|what| part.error(what))?);
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

fn flush_floats(floats: &mut Vec<TensorData>, stack: &mut Vec<Box<dyn Linear>>) -> Result<(), GgufError> {
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

fn sides(matrix: &TensorData) -> Result<(usize, usize), GgufError> {
    match matrix.shape.as_slice() {
        [outputs, inputs] => Ok((*outputs, *inputs)),
        other => Err(matrix.error(format!("a matrix was expected, not the shape {other:?}"))),
    }
}

/// Quantised weights.
struct Integers {
    isa: Isa,
    parts: Vec<Packed>,
}

impl Linear for Integers {
    fn forward(&self, pool: &Pool, x: &Activations, out: &mut [f32]) -> Result<(), LlmError> {
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

    fn weights(&self, j: usize, out: &mut [f32]) -> Result<(), String> {
        let mut from = 0;
        for part in &self.parts {
            if (from..from + part.outputs).contains(&j) {
                part.row(j - from, out);
            }
            from += part.outputs;
        }
        Ok(())
    }

    fn quantized(&self) -> bool {
        true
    }

    fn bytes(&self) -> usize {
        self.parts.iter().map(Packed::bytes).sum()
    }
}

/// Matrices of different kinds that share their input.
struct Stacked(Vec<Box<dyn Linear>>);

impl Linear for Stacked {
    fn forward(&self, pool: &Pool, x: &Activations, out: &mut [f32]) -> Result<(), LlmError> {
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

    fn weights(&self, j: usize, out: &mut [f32]) -> Result<(), String> {
        let mut from = 0;
        for part in &self.0 {
            if (from..from + part.outputs()).contains(&j) {
                part.weights(j - from, out)?;
            }
            from += part.outputs();
        }
        Ok(())
    }

    fn quantized(&self) -> bool {
        self.0.iter().any(|p| p.quantized())
    }

    fn bytes(&self) -> usize {
        self.0.iter().map(|p| p.bytes()).sum()
    }
}

#[cfg(test)]
mod tests;
