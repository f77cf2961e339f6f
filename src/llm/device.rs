//! Devices that linear layers can be computed on besides the CPU: which this build has, opening one, and trying it out.
//!
//! Must not let a device that computes wrong products be used: candle does not ask its fast CUDA kernels whether they ran.

use super::LlmError;
use super::gguf::{GgmlType, TensorData};
use super::linear::on_device::OnDevice;
use crate::domain::Device;
use candle_core::Device as Candle;

/// Devices that a build can have, each with whether this one does.
const BUILT: [(&str, bool); 2] = [("cuda", cfg!(feature = "cuda")), ("metal", cfg!(feature = "metal"))];

/// A device that was opened.
#[derive(Clone, Debug)]
pub struct Processor {
    candle: Candle,
    name: String,
    model: String,
}

impl Processor {
    /// Opens `device`, where it is not the CPU, and tries it out.
    ///
    /// # Errors
    /// Where this build or this machine does not have it, or where it computes wrongly.
    pub fn open(device: Device) -> Result<Option<Self>, LlmError> {
        check_built(device)?;
        let opened = match device {
            Device::Cpu => return Ok(None),
            Device::Cuda(number) => Candle::new_cuda(number),
            Device::Metal => Candle::new_metal(0),
        };
        let candle = opened.map_err(|error| LlmError::Unusable {
            message: format!("{device} cannot be used: {}", told(&error)).into(),
            hint: Some(
                "docs/GPU.md says which driver and libraries it needs; --device cpu works everywhere".to_owned(),
            ),
        })?;
        let processor = Self { model: model(&candle), candle, name: device.to_string() };
        processor.try_out()?;
        Ok(Some(processor))
    }

    /// candle's own CPU kernels as if they were a device: the same code without a GPU.
    #[cfg(test)]
    pub fn of_candle_on_the_cpu() -> Self {
        Self { candle: Candle::Cpu, name: "candle".to_owned(), model: "cpu".to_owned() }
    }

    /// What is recorded: `cuda:0`, `metal`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Which product it is, as far as its driver tells; its name otherwise.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// What candle knows it by.
    pub(super) fn candle(&self) -> &Candle {
        &self.candle
    }

    /// The error where weights do not get onto the device.
    pub(super) fn no_room(&self, tensor: &str, bytes: usize, error: &candle_core::Error) -> LlmError {
        let mib = bytes.div_ceil(1 << 20);
        LlmError::Unusable {
            message: format!("`{tensor}` ({mib} MiB) could not be put on {}: {}", self.name, told(error)).into(),
            hint: Some("end other programs that use its memory, take a smaller model, or --device cpu".to_owned()),
        }
    }

    /// The error where the device does not compute any more.
    pub(super) fn failed(&self, error: &candle_core::Error) -> LlmError {
        LlmError::Unusable {
            message: format!("{} failed while it computed: {}", self.name, told(error)).into(),
            hint: Some("open the model again, on another device (--device cpu) if it goes on".to_owned()),
        }
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
        LlmError::Unusable {
            message: format!(
                "{} ({}) gives wrong products: tried with {dtype} weights and {rows} rows",
                self.name, self.model
            )
            .into(),
            hint: Some(
                "the program was probably built for another generation of GPU: build it with the CUDA_COMPUTE_CAP of this \
                 one, as docs/GPU.md says"
                    .to_owned(),
            ),
        }
    }
}

/// The error alone: candle adds a backtrace where the environment asks for one.
fn told(error: &candle_core::Error) -> String {
    match error {
        candle_core::Error::WithBacktrace { inner, .. } => told(inner),
        other => other.to_string(),
    }
}

/// Rows of the trial: one, and enough for the kernels that are made for many.
const TRIAL_ROWS: [usize; 2] = [1, 67];
const TRIAL_INPUTS: usize = 256;
const TRIAL_OUTPUTS: usize = 160;
/// Sums of 256 products of numbers below 1, one side rounded to 8 bits: typically off by 0.02. Sums that were not computed are
/// off by several.
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

/// Whether this build has `device`, before anything is fetched or opened for it.
///
/// # Errors
/// It says what this build has and how to build the other.
pub fn check_built(device: Device) -> Result<(), LlmError> {
    let feature = match device {
        Device::Cpu => return Ok(()),
        Device::Cuda(_) => "cuda",
        Device::Metal => "metal",
    };
    if BUILT.contains(&(feature, true)) {
        return Ok(());
    }
    let has: Vec<&str> = BUILT.iter().filter(|(_, built)| *built).map(|(name, _)| *name).chain(["cpu"]).collect();
    Err(LlmError::Unusable {
        message: format!("{device} was asked for, and this build of crossexam has {} only", has.join(", ")).into(),
        hint: Some(format!("build it with cargo build --release --features {feature}, as docs/GPU.md says")),
    })
}

#[cfg(feature = "cuda")]
fn model(candle: &Candle) -> String {
    let asked = |device: &candle_core::CudaDevice| {
        let stream = device.cuda_stream();
        let context = stream.context();
        let (major, minor) = context.compute_capability().ok()?;
        Some(format!("{} (compute capability {major}.{minor})", context.name().ok()?))
    };
    let told = candle.as_cuda_device().ok().and_then(asked).unwrap_or_else(|| "GPU".to_owned());
    // It is recorded and shown as it is.
    told.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').collect()
}

#[cfg(not(feature = "cuda"))]
fn model(_candle: &Candle) -> String {
    "GPU".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_this_build_does_not_have_is_an_error_that_says_how_to_build_it() {
        assert!(matches!(Processor::open(Device::Cpu), Ok(None)));
        for (device, feature) in [(Device::Cuda(1), "cuda"), (Device::Metal, "metal")] {
            if BUILT.contains(&(feature, true)) {
                continue;
            }
            for refused in [check_built(device), Processor::open(device).map(|_| ())] {
                let Err(LlmError::Unusable { message, hint }) = refused else { panic!("{device} was opened") };
                assert!(message.raw().starts_with(&format!("{device} was asked for")), "{message:?}");
                assert!(message.raw().ends_with("cpu only"), "{message:?}");
                assert!(
                    hint.is_some_and(|h| h.contains(&format!("--features {feature}")) && h.contains("docs/GPU.md"))
                );
            }
        }
    }

    #[test]
    fn an_error_of_a_device_names_it_and_holds_no_backtrace() {
        let device = Processor::of_candle_on_the_cpu();
        let gone = candle_core::Error::WithBacktrace {
            inner: Box::new(candle_core::Error::msg("gone")),
            backtrace: Box::new(std::backtrace::Backtrace::force_capture()),
        };
        for (error, told) in [
            (device.failed(&gone), "candle failed while it computed: gone"),
            (device.no_room("w", 1 << 21, &gone), "`w` (2 MiB) could not be put on candle: gone"),
        ] {
            let LlmError::Unusable { message, hint } = error else { panic!("{error}") };
            assert_eq!(message.raw(), told);
            assert!(hint.is_some_and(|h| h.contains("--device cpu")));
        }
    }

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
