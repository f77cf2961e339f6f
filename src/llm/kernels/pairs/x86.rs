//! Dot products of 16-bit codes on AVX-512 with VNNI and on AVX2.
//!
//! Must equal `scalar` of the module above.
#![allow(
    clippy::needless_range_loop,
    reason = "loops over registers with bounds known to the compiler, which it unrolls"
)]

use super::super::avx2;
use super::super::avx512;
use super::{Sums, Tile, by_size};
use std::arch::x86_64::*;

/// Proof that the machine has AVX-512 with VNNI.
#[derive(Clone, Copy)]
pub struct Avx512(avx512::Avx512);

impl Avx512 {
    /// Where the machine has it.
    pub fn detect() -> Option<Self> {
        avx512::Avx512::detect().map(Self)
    }

    /// See [`super::Dots::add`].
    #[inline]
    #[allow(unsafe_code, reason = "calls code for instructions that were detected")]
    pub(super) fn add<const STEP: usize, const ROW: usize>(self, tile: &Tile<'_, STEP, ROW>, sums: &mut Sums) {
        // SAFETY: `self` is the proof that the machine has the instructions; the caller has made sure that the tile
        // fits.
        unsafe { by_size!(tile_512, tile, sums) }
    }
}

/// Proof that the machine has AVX2.
#[derive(Clone, Copy)]
pub struct Avx2(avx2::Avx2);

impl Avx2 {
    /// Where the machine has it.
    pub fn detect() -> Option<Self> {
        avx2::Avx2::detect().map(Self)
    }

    /// See [`super::Dots::add`].
    #[inline]
    #[allow(unsafe_code, reason = "calls code for instructions that were detected")]
    pub(super) fn add<const STEP: usize, const ROW: usize>(self, tile: &Tile<'_, STEP, ROW>, sums: &mut Sums) {
        // SAFETY: `self` is the proof that the machine has the instructions; the caller has made sure that the tile
        // fits.
        unsafe { by_size!(tile_256, tile, sums) }
    }
}

/// `R` rows times `C` vectors of columns; `R C` registers of sums.
///
/// # Safety
/// The machine has the instructions; the tile fits and has so many rows and columns.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[allow(unsafe_code, reason = "vector loads and stores without bounds checks in the innermost loop")]
unsafe fn tile_512<const R: usize, const C: usize, const STEP: usize, const ROW: usize>(
    tile: &Tile<'_, STEP, ROW>,
    sums: &mut Sums,
) {
    // SAFETY: what the caller promises.
    unsafe {
        let mut sum = [[_mm512_setzero_si512(); C]; R];
        if !tile.fresh {
            for r in 0..R {
                for c in 0..C {
                    sum[r][c] = _mm512_loadu_si512(sums[r][c].as_ptr().cast());
                }
            }
        }
        for part in tile.parts {
            let mut pairs = tile.pairs.as_ptr().add(part.from * STEP).cast::<i32>();
            let columns: [*const __m512i; C] = std::array::from_fn(|c| part.columns[c].as_ptr().cast());
            for i in 0..tile.steps {
                let vectors: [__m512i; C] = std::array::from_fn(|c| _mm512_loadu_si512(columns[c].add(i)));
                for r in 0..R {
                    let pair = _mm512_set1_epi32(pairs.add(r * ROW).read_unaligned());
                    for c in 0..C {
                        sum[r][c] = _mm512_dpwssd_epi32(sum[r][c], vectors[c], pair);
                    }
                }
                pairs = pairs.add(STEP);
            }
        }
        for r in 0..R {
            for c in 0..C {
                _mm512_storeu_si512(sums[r][c].as_mut_ptr().cast(), sum[r][c]);
            }
        }
    }
}

/// `R` rows times `C` vectors of columns, one after the other; `2 R` registers of sums.
///
/// # Safety
/// As for [`tile_512`].
#[inline(never)]
#[target_feature(enable = "avx2,fma,f16c")]
#[allow(unsafe_code, reason = "vector loads and stores without bounds checks in the innermost loop")]
unsafe fn tile_256<const R: usize, const C: usize, const STEP: usize, const ROW: usize>(
    tile: &Tile<'_, STEP, ROW>,
    sums: &mut Sums,
) {
    // SAFETY: what the caller promises.
    unsafe {
        for c in 0..C {
            let mut sum = [[_mm256_setzero_si256(); 2]; R];
            if !tile.fresh {
                for r in 0..R {
                    for h in 0..2 {
                        sum[r][h] = _mm256_loadu_si256(sums[r][c].as_ptr().add(h * 8).cast());
                    }
                }
            }
            for part in tile.parts {
                let mut pairs = tile.pairs.as_ptr().add(part.from * STEP).cast::<i32>();
                let column = part.columns[c].as_ptr().cast::<__m256i>();
                for i in 0..tile.steps {
                    let vector = [_mm256_loadu_si256(column.add(i * 2)), _mm256_loadu_si256(column.add(i * 2 + 1))];
                    for r in 0..R {
                        let pair = _mm256_set1_epi32(pairs.add(r * ROW).read_unaligned());
                        for h in 0..2 {
                            sum[r][h] = _mm256_add_epi32(sum[r][h], _mm256_madd_epi16(vector[h], pair));
                        }
                    }
                    pairs = pairs.add(STEP);
                }
            }
            for r in 0..R {
                for h in 0..2 {
                    _mm256_storeu_si256(sums[r][c].as_mut_ptr().add(h * 8).cast(), sum[r][h]);
                }
            }
        }
    }
}
