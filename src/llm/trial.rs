//! Opens a device and tries it out: a layer is multiplied there and the products are compared with sums in f64.
//!
//! Must not let a device that computes wrong products be used: candle does not ask its fast CUDA kernels whether they
//! ran.

use super::LlmError;
use super::device::Processor;
use super::gguf::{GgmlType, TensorData};
use super::linear::on_device::OnDevice;
use crate::domain::{Complaint, Device};

impl Processor {
    /// Opens `device`, where it is not the CPU, and tries it out.
    ///
    /// # Errors
    /// Where this build or this machine does not have it, or where it computes wrongly.
    pub fn open(device: Device) -> Result<Option<Self>, LlmError> {
        let Some(processor) = Self::untried(device)? else { return Ok(None) };
        processor.try_out()?;
        Ok(Some(processor))
    }

    /// Multiplies with weights of every kind of kernel and compares with sums in f64. This finds a build for another
    /// generation of GPU: its kernels for quantised weights do not run, report nothing, and the product is whatever was
    /// in memory.
    fn try_out(&self) -> Result<(), LlmError> {
        for dtype in [GgmlType::Q8_0, GgmlType::F32] {
            let layer = OnDevice::new(self, TRIAL_INPUTS, &[trial_weights(dtype)])?;
            for rows in TRIAL_ROWS {
                let x = trial_rows(rows);
                let product = layer.multiply(&x, rows).map_err(|error| self.failed(&error))?;
                if !is_product(&x, &product) {
                    return Err(self.wrong(dtype, rows));
                }
            }
        }
        Ok(())
    }

    fn wrong(&self, dtype: GgmlType, rows: usize) -> LlmError {
        Complaint::new(format!(
            "{} ({}) gives wrong products: tried with {dtype} weights and {rows} rows",
            self.name(),
            self.model()
        ))
        .hinted(
            "the program was probably built for another generation of GPU: build it with the CUDA_COMPUTE_CAP of this \
             one, as docs/GPU.md says",
        )
        .into()
    }
}

/// Rows of the trial: one, and enough for the kernels that are made for many.
const TRIAL_ROWS: [usize; 2] = [1, 67];
const TRIAL_INPUTS: usize = 256;
const TRIAL_OUTPUTS: usize = 160;
/// Sums of 256 products of numbers below 1, one side rounded to 8 bits: typically off by 0.02. Sums that were not
/// computed are off by several.
const TRIAL_TOLERANCE: f64 = 0.5;

/// The weight times 128.
fn trial_code(output: usize, input: usize) -> i8 {
    ((output * 31 + input * 7 + output * input) % 255) as u8 as i8
}

fn trial_rows(rows: usize) -> Vec<f32> {
    (0..rows * TRIAL_INPUTS).map(|i| ((i * 37 + rows) % 255) as f32 / 127.0 - 1.0).collect()
}

/// Whether `product` is what these rows give with the trial's weights.
fn is_product(x: &[f32], product: &[f32]) -> bool {
    let want = x.chunks_exact(TRIAL_INPUTS).flat_map(|row| {
        (0..TRIAL_OUTPUTS).map(move |output| {
            let weights = (0..TRIAL_INPUTS).map(|input| f64::from(trial_code(output, input)) / 128.0);
            weights.zip(row).map(|(w, x)| w * f64::from(*x)).sum::<f64>()
        })
    });
    product.len() == x.len() / TRIAL_INPUTS * TRIAL_OUTPUTS
        && want.zip(product).all(|(want, got)| (f64::from(*got) - want).abs() < TRIAL_TOLERANCE)
}

fn trial_weights(dtype: GgmlType) -> TensorData {
    let mut bytes = Vec::new();
    for output in 0..TRIAL_OUTPUTS {
        for input in 0..TRIAL_INPUTS {
            match dtype {
                GgmlType::Q8_0 => {
                    if input % 32 == 0 {
                        bytes.extend(half::f16::from_f32(1.0 / 128.0).to_le_bytes());
                    }
                    bytes.extend(trial_code(output, input).to_le_bytes());
                }
                _ => bytes.extend((f32::from(trial_code(output, input)) / 128.0).to_le_bytes()),
            }
        }
    }
    TensorData { name: "a trial".to_owned(), dtype, shape: vec![TRIAL_OUTPUTS, TRIAL_INPUTS], bytes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trial_passes_products_that_are_right_and_stops_those_that_were_never_computed() {
        let device = Processor::of_candle_on_the_cpu();
        assert!(device.try_out().is_ok());
        let never = vec![0.0; TRIAL_ROWS[1] * TRIAL_OUTPUTS];
        let x = trial_rows(TRIAL_ROWS[1]);
        assert!(!is_product(&x, &never));
        assert!(!is_product(&x, &vec![f32::NAN; never.len()]) && !is_product(&x, &[]));
    }
}
