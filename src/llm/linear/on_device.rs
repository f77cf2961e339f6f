//! Linear layers on a device: candle's product, with rows that go up and outputs that come down.
//!
//! Must not promise what the CPU does: candle takes other kernels for one row than for many and rounds activations
//! itself, so the bits of a row may depend on how many rows go with it.

use super::super::LlmError;
use super::super::device::Processor;
use super::super::gguf::{self, GgufError, TensorData};
use super::super::kernels::activations::Activations;
use super::super::kernels::pool::Pool;
use super::Linear;
use candle_core::quantized::{QMatMul, QStorage, QTensor};
use candle_core::{Module, Result, Tensor};
use std::borrow::Cow;
use std::sync::Arc;

/// Matrices that share their input.
pub struct OnDevice {
    processor: Processor,
    inputs: usize,
    outputs: usize,
    parts: Vec<QMatMul>,
    quantized: bool,
    bytes: usize,
}

impl OnDevice {
    /// Puts `matrices`, all with rows of `inputs` numbers, on the device: quantised ones as they stand in the file,
    /// floats as 32-bit floats. Neighbours of one kind become one matrix.
    ///
    /// # Errors
    /// Where the device has no room for them, or one cannot be read.
    pub fn new(processor: &Processor, inputs: usize, matrices: &[TensorData]) -> std::result::Result<Self, LlmError> {
        let elements = |m: &TensorData| m.shape.iter().product::<usize>();
        let mut layer = Self {
            processor: processor.clone(),
            inputs,
            outputs: matrices.iter().map(elements).sum::<usize>() / inputs.max(1),
            parts: Vec::new(),
            quantized: false,
            bytes: 0,
        };
        for same in matrices.chunk_by(|a, b| gguf::quantized(a.dtype) == gguf::quantized(b.dtype)) {
            let outputs = same.iter().map(elements).sum::<usize>() / inputs.max(1);
            let quantized = same.first().and_then(|m| gguf::quantized(m.dtype)).is_some();
            let bytes = if quantized { same.iter().map(|m| m.bytes.len()).sum() } else { outputs * inputs * 4 };
            let floats = if quantized { Vec::new() } else { floats(same)? };
            let part = layer.put(same, floats, outputs).map_err(|error| {
                let names: Vec<&str> = same.iter().map(|m| m.name.as_str()).collect();
                processor.no_room(&names.join("`, `"), bytes, &error)
            });
            layer.parts.push(part?);
            layer.quantized |= quantized;
            layer.bytes += bytes;
        }
        Ok(layer)
    }

    /// `floats`: the matrices as such, where they are no quantised ones.
    fn put(&self, same: &[TensorData], floats: Vec<f32>, outputs: usize) -> Result<QMatMul> {
        let device = self.processor.candle();
        match same.first().and_then(|m| gguf::quantized(m.dtype)) {
            Some(dtype) => {
                let bytes: Vec<&[u8]> = same.iter().map(|m| m.bytes.as_slice()).collect();
                let (bytes, start) = gguf::aligned(&bytes);
                let storage = QStorage::from_data(Cow::Borrowed(&bytes[start..]), device, dtype)?;
                // Not by `QMatMul::from_qtensor`, which widens the weights where a variable of the environment says so.
                Ok(QMatMul::QTensor(Arc::new(QTensor::new(storage, (outputs, self.inputs))?)))
            }
            None => Ok(QMatMul::Tensor(Tensor::from_vec(floats, (outputs, self.inputs), device)?)),
        }
    }

    /// `x · Wᵀ`, `[rows][outputs]`.
    pub fn multiply(&self, x: &[f32], rows: usize) -> Result<Vec<f32>> {
        let x = Tensor::from_slice(x, (rows, self.inputs), self.processor.candle())?;
        let products = self.parts.iter().map(|part| part.forward(&x)).collect::<Result<Vec<_>>>()?;
        // One way down for all of them: each waits for the device.
        Tensor::cat(&products, 1)?.flatten_all()?.to_vec1()
    }
}

fn floats(matrices: &[TensorData]) -> std::result::Result<Vec<f32>, GgufError> {
    let mut all = Vec::with_capacity(matrices.iter().map(|m| m.shape.iter().product::<usize>()).sum());
    for matrix in matrices {
        all.extend(matrix.to_f32()?);
    }
    Ok(all)
}

impl Linear for OnDevice {
    fn forward(&self, _pool: &Pool, x: &Activations, out: &mut [f32]) -> std::result::Result<(), LlmError> {
        if x.rows() > 0 {
            let products = self.multiply(x.floats(), x.rows()).map_err(|error| self.processor.failed(&error))?;
            out.copy_from_slice(&products);
        }
        Ok(())
    }

    fn inputs(&self) -> usize {
        self.inputs
    }

    fn outputs(&self) -> usize {
        self.outputs
    }

    fn weights(&self, _j: usize, _out: &mut [f32]) -> std::result::Result<(), String> {
        Err(format!("the weights are on {}", self.processor.name()))
    }

    fn quantized(&self) -> bool {
        self.quantized
    }

    fn bytes(&self) -> usize {
        self.bytes
    }
}
