//! Rounding on AVX-512: one group of all rows of a block at a time, so that the rows fill registers and the words of a
//! group are written in the order in which kernels read them.
//!
//! Must give exactly the codes, scales, sums and masses of the loop in the module above.
#![allow(
    clippy::needless_range_loop,
    reason = "loops over registers with bounds known to the compiler, which it unrolls"
)]

use super::super::avx512::Avx512;
use super::super::record::{GROUP, MASS, MINUS, RECORD, ROWS, SCALE};
use super::{FINER, LARGEST_CODE, ROUND, Round, SMALLEST, TOO_LARGE};
use std::arch::x86_64::*;

/// Rounds all groups of a block, without rests; returns for each row the sum of the squares of its scales, or `None`
/// where a number is not finite or counts as such.
#[allow(unsafe_code, reason = "calls code for instructions that were detected")]
pub(super) fn codes(_proof: Avx512, block: &mut Round<'_>) -> Option<[f32; ROWS]> {
    let (rows, groups) = (block.rows(), block.groups());
    assert!(block.floats.len() == rows * groups * GROUP && block.words.len() == rows * groups * RECORD);
    assert!(block.half_masses.len() == rows * groups);
    // SAFETY: the machine has the instructions, of which there is a proof; the assertions.
    unsafe {
        match rows {
            1 => of_rows::<1>(block, groups),
            2 => of_rows::<2>(block, groups),
            3 => of_rows::<3>(block, groups),
            4 => of_rows::<4>(block, groups),
            5 => of_rows::<5>(block, groups),
            6 => of_rows::<6>(block, groups),
            _ => None,
        }
    }
}

/// See [`codes`].
///
/// # Safety
/// The machine has the instructions; the block has `R` rows of `groups` groups.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[allow(unsafe_code, reason = "vector loads and stores")]
unsafe fn of_rows<const R: usize>(block: &mut Round<'_>, groups: usize) -> Option<[f32; ROWS]> {
    let (floats, words) = (block.floats.as_ptr(), block.words.as_mut_ptr());
    let half_masses = block.half_masses.as_mut_ptr();
    let own: __mmask8 = (1 << R) - 1;
    let mut power = _mm256_setzero_ps();
    for g in 0..groups {
        let mut x = [[_mm512_setzero_ps(); 2]; R];
        for r in 0..R {
            for h in 0..2 {
                // SAFETY: group `g` of row `r` is two vectors long.
                x[r][h] = unsafe { _mm512_loadu_ps(floats.add((r * groups + g) * GROUP + h * 16)) };
            }
        }
        let tops = largest(&x);
        if _mm256_cmpge_epu32_mask(tops, _mm256_set1_epi32(TOO_LARGE.to_bits() as i32)) != 0 {
            return None;
        }
        let finer = _mm256_set1_epi32(FINER as i32);
        let scales = _mm256_castps_si256(_mm256_div_ps(_mm256_castsi256_ps(tops), _mm256_set1_ps(LARGEST_CODE)));
        let scales = _mm256_andnot_si256(finer, _mm256_add_epi32(scales, finer));
        let scales = _mm256_max_ps(_mm256_castsi256_ps(scales), _mm256_set1_ps(SMALLEST));
        let inverses = _mm512_castps256_ps512(_mm256_div_ps(_mm256_set1_ps(1.0), scales));
        power = _mm256_add_ps(power, _mm256_mul_ps(scales, scales));

        let mut narrow = [_mm512_setzero_si512(); ROWS];
        for r in 0..R {
            let inverse = _mm512_permutexvar_ps(_mm512_set1_epi32(r as i32), inverses);
            narrow[r] = _mm512_packs_epi32(code(x[r][0], inverse), code(x[r][1], inverse));
        }
        // Of two rows, in each quarter `w`: words `w` and `w + 4` of the first, then of the second.
        let pairs = [0, 2, 4].map(|r| _mm512_packs_epi16(narrow[r], narrow[r + 1]));
        let [first, second] = sums_of_halves(pairs);
        let all = _mm256_add_epi32(first, second);
        let masses = [first, second].map(|sums| _mm256_mul_ps(scales, _mm256_cvtepi32_ps(sums)));

        // SAFETY: the record has 12 words of each row, and a row has a half mass for each group.
        unsafe {
            let to = words.add(g * RECORD * R).cast::<i32>();
            store_codes::<R>(to, pairs);
            let minus = |sums| _mm256_sub_epi32(_mm256_setzero_si256(), sums);
            _mm256_mask_storeu_ps(to.add(SCALE * R).cast(), own, scales);
            _mm256_mask_storeu_epi32(to.add(MINUS * R), own, minus(all));
            _mm256_mask_storeu_epi32(to.add((MINUS + 1) * R), own, minus(second));
            _mm256_mask_storeu_ps(to.add(MASS * R).cast(), own, _mm256_mul_ps(scales, _mm256_cvtepi32_ps(all)));
            // Rows 0, 1 and 4, 5; rows 2, 3.
            let of_rows = [_mm256_unpacklo_ps(masses[0], masses[1]), _mm256_unpackhi_ps(masses[0], masses[1])];
            let quarters = [
                _mm256_castps256_ps128(of_rows[0]),
                _mm256_castps256_ps128(of_rows[1]),
                _mm256_extractf128_ps::<1>(of_rows[0]),
            ];
            for r in 0..R {
                let (to, two) = (half_masses.add(r * groups + g).cast::<f64>(), _mm_castps_pd(quarters[r / 2]));
                if r % 2 == 0 { _mm_storel_pd(to, two) } else { _mm_storeh_pd(to, two) }
            }
        }
    }
    let mut powers = [0.0; 8];
    // SAFETY: eight floats.
    unsafe { _mm256_storeu_ps(powers.as_mut_ptr(), power) };
    Some(std::array::from_fn(|r| powers[r]))
}

/// The bits of the largest magnitude of each row; zero where there is no row.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn largest<const R: usize>(x: &[[__m512; 2]; R]) -> __m256i {
    let magnitude = |x: __m512| _mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(0x7fff_ffff));
    let mut most = [_mm512_setzero_si512(); 8];
    for r in 0..R {
        most[r] = _mm512_max_epu32(magnitude(x[r][0]), magnitude(x[r][1]));
    }
    // The maxima of four rows side by side in each quarter of a register, then over the quarters.
    let two = |a, b| _mm512_max_epu32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    let four = |a, b| _mm512_max_epu32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
    let halves = |x| _mm256_max_epu32(_mm512_castsi512_si256(x), _mm512_extracti64x4_epi64::<1>(x));
    let low = halves(four(two(most[0], most[1]), two(most[2], most[3])));
    let high = halves(four(two(most[4], most[5]), two(most[6], most[7])));
    _mm256_max_epu32(_mm256_permute2x128_si256::<0x20>(low, high), _mm256_permute2x128_si256::<0x31>(low, high))
}

/// Sixteen codes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn code(x: __m512, inverse: __m512) -> __m512i {
    let round = _mm512_set1_ps(ROUND);
    let rounded = _mm512_add_ps(_mm512_mul_ps(x, inverse), round);
    _mm512_sub_epi32(_mm512_castps_si512(rounded), _mm512_castps_si512(round))
}

/// Of each row the sum of the first 16 codes, and of the others.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn sums_of_halves(pairs: [__m512i; 3]) -> [__m256i; 2] {
    // Of two rows: first and second half of the one, then of the other.
    let [a, b, c] = pairs.map(|codes| {
        let sums = _mm512_dpbusd_epi32(_mm512_setzero_si512(), _mm512_set1_epi8(1), codes);
        let sums = _mm256_add_epi32(_mm512_castsi512_si256(sums), _mm512_extracti64x4_epi64::<1>(sums));
        _mm_castsi128_ps(_mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256::<1>(sums)))
    });
    let first = [_mm_shuffle_ps::<0x88>(a, b), _mm_shuffle_ps::<0x88>(c, c)];
    let second = [_mm_shuffle_ps::<0xdd>(a, b), _mm_shuffle_ps::<0xdd>(c, c)];
    [first, second].map(|[low, high]| _mm256_castps_si256(_mm256_set_m128(high, low)))
}

/// Which words of `pairs` (see [`of_rows`]) make the vectors of a record of `R` rows: of the first two pairs, and of
/// what comes of these and the third.
const fn order(rows: usize) -> [[[i32; 16]; 2]; 3] {
    let mut order = [[[0; 16]; 2]; 3];
    let mut to = 0;
    while to < 8 * rows {
        let (word, row) = (to / rows, to % rows);
        let from = (word % 4 * 4 + row % 2 * 2 + word / 4) as i32;
        order[to / 16][0][to % 16] = if row < 4 { from + (row / 2 * 16) as i32 } else { 0 };
        order[to / 16][1][to % 16] = if row < 4 { (to % 16) as i32 } else { from + 16 };
        to += 1;
    }
    order
}

/// Writes the codes of a group, `[word][row]`.
///
/// # Safety
/// The machine has the instructions; `to` has room for eight words of `R` rows.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[allow(unsafe_code, reason = "vector loads and stores")]
unsafe fn store_codes<const R: usize>(to: *mut i32, pairs: [__m512i; 3]) {
    const ORDERS: [[[[i32; 16]; 2]; 3]; ROWS] = [order(1), order(2), order(3), order(4), order(5), order(6)];
    let order = const { &ORDERS[R - 1] };
    for v in 0..R.div_ceil(2) {
        // SAFETY: what the caller promises; of an odd number of rows, half of the last vector.
        unsafe {
            let [of_four, of_all] = order[v].each_ref().map(|order| _mm512_loadu_si512(order.as_ptr().cast()));
            let codes = _mm512_permutex2var_epi32(pairs[0], of_four, pairs[1]);
            let codes = if R > 4 { _mm512_permutex2var_epi32(codes, of_all, pairs[2]) } else { codes };
            if v * 2 + 1 < R {
                _mm512_storeu_si512(to.add(v * 16).cast(), codes);
            } else {
                _mm256_storeu_si256(to.add(v * 16).cast(), _mm512_castsi512_si256(codes));
            }
        }
    }
}
