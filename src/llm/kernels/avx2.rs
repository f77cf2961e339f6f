//! The kernels for 256-bit vectors: AVX2, and the same with VNNI's dot product of bytes.
//!
//! Must equal [`super::scalar::Scalar`] to the bit.
//!
//! A block of rows is multiplied with several quarters of a panel (8 outputs each) at a time, so that dot products fill
//! the registers: in 16-bit lanes without VNNI (see [`sixteen`]), in 32-bit lanes with it. With few blocks of rows,
//! codes are unpacked in registers; with more, a stretch is unpacked once and all blocks read it from L1.
pub mod sixteen;
mod stretch;
pub mod thirty_two;
mod tile;

use super::packed::PANEL;
use super::record::{ROWS, STRETCH};
use super::tile::Work;
use super::tile::{Kernel, Scratch};
use stretch::Stretch;

/// Proof that the machine has AVX2, FMA and half-precision conversion.
#[derive(Clone, Copy)]
pub struct Avx2(());

impl Avx2 {
    /// Where the machine has them.
    pub fn detect() -> Option<Self> {
        let has =
            is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c");
        has.then_some(Self(()))
    }
}

/// Proof that the machine has AVX-VNNI besides.
#[derive(Clone, Copy)]
pub struct AvxVnni(());

impl AvxVnni {
    /// Where the machine has it.
    pub fn detect() -> Option<Self> {
        (Avx2::detect().is_some() && is_x86_feature_detected!("avxvnni")).then_some(Self(()))
    }
}

/// Blocks of rows from which on a stretch is taken apart once for all.
const MANY: usize = 3;

macro_rules! kernel {
    ($name:ident, $tiles:ident) => {
        impl Kernel for $name {
            #[allow(unsafe_code, reason = "calls code for instructions that were detected")]
            fn run(self, work: &Work<'_>, scratch: &mut Scratch) {
                let mut partial = [[0.0; PANEL]; ROWS];
                let (weights, groups) = (work.weights, work.weights.groups());
                // Codes of 8 bits lie in the panel as they are used.
                let unpack = work.blocks() >= MANY && weights.format.bits < 8;
                for first in (0..groups).step_by(STRETCH) {
                    let of = first..groups.min(first + STRETCH);
                    // SAFETY: `self` is the proof that the machine has the instructions.
                    let stretch = unsafe { Stretch::new(weights, work.panel(), of, unpack, scratch) };
                    for b in 0..work.blocks() {
                        let rows = work.block(b, first, &mut partial);
                        // SAFETY: the same; `block` gives rows that are what they say, for all groups of the panel.
                        unsafe {
                            match rows.count {
                                0 => {}
                                1 => $tiles::of_format::<1, 4, 4>(&stretch, &rows),
                                2 => $tiles::of_format::<2, 4, 2>(&stretch, &rows),
                                3 => $tiles::of_format::<3, 4, 2>(&stretch, &rows),
                                4 => $tiles::of_format::<4, 2, 1>(&stretch, &rows),
                                5 => $tiles::of_format::<5, 2, 1>(&stretch, &rows),
                                _ => $tiles::of_format::<6, 2, 1>(&stretch, &rows),
                            }
                        }
                        work.store(b, &partial);
                    }
                }
            }
        }
    };
}

kernel!(Avx2, sixteen);
kernel!(AvxVnni, thirty_two);
