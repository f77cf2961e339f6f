//! Devices that linear layers can be computed on besides the CPU: which this build has, and opening one.
//!
//! Must not know the layers; `trial` tries a device out with one.

use super::LlmError;
use crate::domain::{Complaint, Device};
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
    /// Opens `device`, where it is not the CPU. It must be tried out before it is used, which `Processor::open` does.
    ///
    /// # Errors
    /// Where this build or this machine does not have it.
    pub(super) fn untried(device: Device) -> Result<Option<Self>, LlmError> {
        check_built(device)?;
        let opened = match device {
            Device::Cpu => return Ok(None),
            Device::Cuda(number) => Candle::new_cuda(number),
            Device::Metal => Candle::new_metal(0),
        };
        let candle = opened.map_err(|error| {
            Complaint::new(format!("{device} cannot be used: {}", told(&error)))
                .hinted("docs/GPU.md says which driver and libraries it needs; --device cpu works everywhere")
        })?;
        Ok(Some(Self { model: model(&candle), candle, name: device.to_string() }))
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
        Complaint::new(format!("`{tensor}` ({mib} MiB) could not be put on {}: {}", self.name, told(error)))
            .hinted("end other programs that use its memory, take a smaller model, or --device cpu")
            .into()
    }

    /// The error where the device does not compute any more.
    pub(super) fn failed(&self, error: &candle_core::Error) -> LlmError {
        Complaint::new(format!("{} failed while it computed: {}", self.name, told(error)))
            .hinted("open the model again, on another device (--device cpu) if it goes on")
            .into()
    }
}

/// The error alone: candle adds a backtrace where the environment asks for one.
fn told(error: &candle_core::Error) -> String {
    match error {
        candle_core::Error::WithBacktrace { inner, .. } => told(inner),
        other => other.to_string(),
    }
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
    Err(Complaint::new(format!("{device} was asked for, and this build of crossexam has {} only", has.join(", ")))
        .hinted(format!("build it with cargo build --release --features {feature}, as docs/GPU.md says"))
        .into())
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
                let Err(LlmError::Unusable(Complaint { message, hint })) = refused else {
                    panic!("{device} was opened")
                };
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
            let LlmError::Unusable(Complaint { message, hint }) = error else { panic!("{error}") };
            assert_eq!(message.raw(), told);
            assert!(hint.is_some_and(|h| h.contains("--device cpu")));
        }
    }
}
