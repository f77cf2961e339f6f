//! Dot products without VNNI, accumulated in 16-bit lanes: two instructions per 32 products instead of three.
//!
//! Must never lose a bit. A lane accumulates half of a group's products: the first two, or the last two, of every four
//! inputs. Sums may wrap around on the way; the final sum of a lane fits, and only that is read.
//!
//! Why it fits: with the offset subtracted, 4- and 5-bit weights are -16 to 15, and 16 products are at most
//! `16 · 16 · 127` = 32,512. 6-bit weights are -32 to 31 and have a scale for every 8 products of a lane, which gives
//! the same bound. Types with minima have no offset: 16 products of 4-bit codes are at most `16 · 15 · 127` = 30,480,
//! and of 5-bit codes only 8 fit (`8 · 31 · 127` = 31,496). 8-bit codes are multiplied as two codes of 4 bits: the
//! upper half less 8, and the lower half.
#![allow(
    clippy::needless_range_loop,
    reason = "loops over registers with bounds known to the compiler, which it unrolls"
)]

use super::super::packed::log_offset;
use super::super::record::{RECORD, Rest, SCALE, STARTS};
use super::super::tile::Rows;
use super::stretch::{Group, Stretch};
use super::tile::tiles;
use std::arch::asm;
use std::arch::x86_64::*;

/// Codes of 8 bits are multiplied in halves.
const SPLIT: bool = true;

/// The initial value of the dot products of scale `sub`, for the rows whose starts are at `starts`: minus the sums of
/// each lane's codes, times the offset.
///
/// # Safety
/// The pointer is to starts of `R` rows; the machine has the instructions.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
#[allow(unsafe_code, reason = "reads through pointers")]
unsafe fn begin<const R: usize, const BITS: usize, const SCALES: usize>(
    _x: *const u32,
    starts: *const u32,
    sub: usize,
) -> __m256i {
    let word = if SCALES == 1 { 0 } else { 1 + sub };
    // SAFETY: what the caller promises.
    let minus = _mm256_set1_epi32(unsafe { starts.add(word * R).cast::<i32>().read() });
    // Of 8 bits, the upper half has an offset of 8.
    match const { log_offset(if BITS == 8 { 4 } else { BITS }, SCALES) } {
        2 => _mm256_slli_epi16::<2>(minus),
        3 => _mm256_slli_epi16::<3>(minus),
        4 => _mm256_slli_epi16::<4>(minus),
        _ => _mm256_slli_epi16::<5>(minus),
    }
}

/// `dot` and the products of four codes of each output; two of at most 6 bits never saturate (`2 · 63 · 127`).
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
#[allow(
    unsafe_code,
    reason = "instructions where they stand: the compiler orders these by output, whose steps wait for one another"
)]
pub fn step(mut dot: __m256i, weights: __m256i, codes: __m256i) -> __m256i {
    // SAFETY: works on registers only; the machine has the instructions.
    unsafe {
        asm!(
            "vpmaddubsw {products}, {weights}, {codes}", "vpaddw {dot}, {dot}, {products}",
            dot = inout(ymm_reg) dot, weights = in(ymm_reg) weights, codes = in(ymm_reg) codes, products = out(ymm_reg) _,
            options(nomem, nostack, preserves_flags)
        );
    }
    dot
}

/// The sums of both lanes in 32 bits; of 8 bits those of both halves.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn end<const BITS: usize>(dot: __m256i, low: __m256i) -> __m256i {
    if BITS == 8 {
        let upper = _mm256_madd_epi16(dot, _mm256_set1_epi16(16));
        return _mm256_add_epi32(upper, _mm256_madd_epi16(low, _mm256_set1_epi16(1)));
    }
    _mm256_madd_epi16(dot, _mm256_set1_epi16(1))
}

/// The upper and lower halves of codes of 8 bits; others as they are.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn halves<const BITS: usize>(codes: __m256i) -> [__m256i; 2] {
    if BITS < 8 {
        return [codes; 2];
    }
    let four = _mm256_set1_epi8(15);
    [_mm256_and_si256(_mm256_srli_epi16::<4>(codes), four), _mm256_and_si256(codes, four)]
}

tiles!("avx2,fma,f16c");
