//! The instruction sets that there are kernels for, and which of them this machine has.
//!
//! Must not choose by anything but the machine: what is computed is the same on all.

#[cfg(target_arch = "aarch64")]
use super::neon;
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};

/// Which kernels multiply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// 512-bit vectors and VNNI.
    Avx512Vnni,
    /// 256-bit vectors and VNNI.
    AvxVnni,
    /// 256-bit vectors.
    Avx2,
    /// ARM's 128-bit vectors and dot product of bytes.
    NeonDot,
    /// ARM's 128-bit vectors.
    Neon,
    /// No vectors.
    Scalar,
}

impl Isa {
    /// All, best first.
    pub const ALL: [Self; 6] = [Self::Avx512Vnni, Self::AvxVnni, Self::Avx2, Self::NeonDot, Self::Neon, Self::Scalar];

    /// Whether this machine has it.
    pub fn available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => avx512::Avx512::detect().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni => avx2::AvxVnni::detect().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => avx2::Avx2::detect().is_some(),
            #[cfg(target_arch = "aarch64")]
            Self::NeonDot => neon::NeonDot::detect().is_some(),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => neon::Neon::detect().is_some(),
            Self::Scalar => true,
            _ => false,
        }
    }

    /// The best of this machine.
    pub fn best() -> Self {
        Self::ALL.into_iter().find(|isa| isa.available()).unwrap_or(Self::Scalar)
    }

    /// Its name in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Avx512Vnni => "avx512vnni",
            Self::AvxVnni => "avxvnni",
            Self::Avx2 => "avx2",
            Self::NeonDot => "neon+dotprod",
            Self::Neon => "neon",
            Self::Scalar => "scalar",
        }
    }
}
