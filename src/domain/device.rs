//! Where a model's linear layers are computed.
//!
//! Must not know whether this build or this machine has the device.

use std::fmt;
use std::str::FromStr;

/// A device, by the name under which it is asked for and recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Device {
    /// `cpu`
    #[default]
    Cpu,
    /// `cuda:N`: an NVIDIA GPU, numbered from 0 as its driver does; `cuda` is the first.
    Cuda(usize),
    /// `metal`: the GPU of an Apple computer.
    Metal,
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
            Self::Metal => f.write_str("metal"),
        }
    }
}

/// A name that is no device's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a device is cpu, cuda, cuda:N (the GPU with the number N, from 0) or metal")]
pub struct DeviceError;

impl FromStr for Device {
    type Err = DeviceError;

    fn from_str(name: &str) -> Result<Self, DeviceError> {
        match name {
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            "metal" => Ok(Self::Metal),
            other => {
                // Digits only: `parse` alone would take `+1`.
                let number = other.strip_prefix("cuda:").filter(|n| n.bytes().all(|b| b.is_ascii_digit()));
                number.and_then(|n| n.parse().ok()).map(Self::Cuda).ok_or(DeviceError)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_read_by_the_name_it_is_recorded_by_and_anything_else_is_refused() {
        for (name, device) in
            [("cpu", Device::Cpu), ("cuda:0", Device::Cuda(0)), ("cuda:13", Device::Cuda(13)), ("metal", Device::Metal)]
        {
            assert_eq!((name.parse(), device.to_string()), (Ok(device), name.to_owned()));
        }
        assert_eq!("cuda".parse(), Ok(Device::Cuda(0)));
        for name in ["", "gpu", "CPU", "cuda:", "cuda:x", "cuda:-1", "cuda:+1", "cuda:99999999999999999999", "metal:0"]
        {
            assert_eq!(name.parse::<Device>(), Err(DeviceError), "{name}");
        }
    }
}
