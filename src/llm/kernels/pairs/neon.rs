//! Dot products of 16-bit codes on ARM's 128-bit vectors.
//!
//! Must equal `scalar` of the module above.
#![allow(
    clippy::needless_range_loop,
    reason = "loops over registers with bounds known to the compiler, which it unrolls"
)]

use super::super::neon;
use super::{Sums, Tile, by_size};
use std::arch::aarch64::*;

/// Proof that the machine has NEON.
#[derive(Clone, Copy)]
pub struct Neon(neon::Neon);

impl Neon {
    /// Where the machine has it.
    pub fn detect() -> Option<Self> {
        neon::Neon::detect().map(Self)
    }

    /// See [`super::Dots::add`].
    #[inline]
    #[allow(unsafe_code, reason = "calls code for instructions that were detected")]
    pub(super) fn add<const STEP: usize, const ROW: usize>(self, tile: &Tile<'_, STEP, ROW>, sums: &mut Sums) {
        // SAFETY: `self` is the proof that the machine has the instructions; the caller has made sure that the tile
        // fits.
        unsafe { by_size!(tile_128, tile, sums) }
    }
}

/// `R` rows times `C` vectors of columns, one after the other; `4 R` registers of sums.
///
/// # Safety
/// The machine has the instructions; the tile fits and has so many rows and columns.
#[inline(never)]
#[target_feature(enable = "neon")]
#[allow(unsafe_code, reason = "vector loads and stores without bounds checks in the innermost loop")]
unsafe fn tile_128<const R: usize, const C: usize, const STEP: usize, const ROW: usize>(
    tile: &Tile<'_, STEP, ROW>,
    sums: &mut Sums,
) {
    // SAFETY: what the caller promises.
    unsafe {
        for c in 0..C {
            let mut sum = [[vdupq_n_s32(0); 4]; R];
            if !tile.fresh {
                for r in 0..R {
                    for q in 0..4 {
                        sum[r][q] = vld1q_s32(sums[r][c].as_ptr().add(q * 4));
                    }
                }
            }
            for part in tile.parts {
                let mut pairs = tile.pairs.as_ptr().add(part.from * STEP).cast::<i16>();
                let column = part.columns[c].as_ptr().cast::<i16>();
                for i in 0..tile.steps {
                    for h in 0..2 {
                        // The first codes of eight columns, and their second ones.
                        let int16x8x2_t(first, second) = vld2q_s16(column.add(i * 32 + h * 16));
                        for r in 0..R {
                            let (a, b) = (*pairs.add(r * ROW * 2), *pairs.add(r * ROW * 2 + 1));
                            let low = vmlal_n_s16(sum[r][h * 2], vget_low_s16(first), a);
                            sum[r][h * 2] = vmlal_n_s16(low, vget_low_s16(second), b);
                            let high = vmlal_high_n_s16(sum[r][h * 2 + 1], first, a);
                            sum[r][h * 2 + 1] = vmlal_high_n_s16(high, second, b);
                        }
                    }
                    pairs = pairs.add(STEP * 2);
                }
            }
            for r in 0..R {
                for q in 0..4 {
                    vst1q_s32(sums[r][c].as_mut_ptr().add(q * 4), sum[r][q]);
                }
            }
        }
    }
}
