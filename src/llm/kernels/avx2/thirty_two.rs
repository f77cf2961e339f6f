//! Dot products with VNNI: four products and their sum in 32 bits are one instruction.
//!
//! Must not be called where the machine has no VNNI for 256-bit vectors.
#![allow(
    clippy::needless_range_loop,
    reason = "loops over registers with bounds known to the compiler, which it unrolls"
)]

use super::super::packed::log_offset;
use super::super::record::{MINUS, RECORD, Rest, SCALE, STARTS};
use super::super::tile::Rows;
use super::stretch::{Group, Stretch};
use super::tile::tiles;
use std::arch::asm;
use std::arch::x86_64::*;

/// Codes of 8 bits are multiplied whole.
const SPLIT: bool = false;

/// Where the dot products of scale `sub` begin, for the row whose record begins at `x`: minus the sum of its codes,
/// times the offset.
///
/// # Safety
/// The pointer is to the record of `R` rows; the machine has the instructions.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avxvnni")]
#[allow(unsafe_code, reason = "reads through pointers")]
unsafe fn begin<const R: usize, const BITS: usize, const SCALES: usize>(
    x: *const u32,
    _starts: *const u32,
    sub: usize,
) -> __m256i {
    // SAFETY: what the caller promises.
    let minus = |half: usize| _mm256_set1_epi32(unsafe { x.add((MINUS + half) * R).cast::<i32>().read() });
    let minus = match (SCALES, sub) {
        (1, _) => minus(0),
        (_, 0) => _mm256_sub_epi32(minus(0), minus(1)),
        _ => minus(1),
    };
    match const { log_offset(BITS, SCALES) } {
        2 => _mm256_slli_epi32::<2>(minus),
        3 => _mm256_slli_epi32::<3>(minus),
        4 => _mm256_slli_epi32::<4>(minus),
        5 => _mm256_slli_epi32::<5>(minus),
        _ => _mm256_slli_epi32::<7>(minus),
    }
}

/// `dot` and the products of four codes of each output.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avxvnni")]
#[allow(
    unsafe_code,
    reason = "an instruction where it stands: the compiler orders these by output, whose steps wait for one another"
)]
pub fn step(mut dot: __m256i, weights: __m256i, codes: __m256i) -> __m256i {
    // SAFETY: works on registers only; the machine has the instruction.
    unsafe {
        asm!(
            "{{vex}} vpdpbusd {}, {}, {}", inout(ymm_reg) dot, in(ymm_reg) weights, in(ymm_reg) codes,
            options(nomem, nostack, preserves_flags)
        );
    }
    dot
}

/// The sums in 32 bits.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avxvnni")]
fn end<const BITS: usize>(dot: __m256i, _low: __m256i) -> __m256i {
    dot
}

/// Codes as they are.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avxvnni")]
fn halves<const BITS: usize>(codes: __m256i) -> [__m256i; 2] {
    [codes; 2]
}

tiles!("avx2,fma,f16c,avxvnni");
