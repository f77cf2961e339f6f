//! Rounding on AVX-512: four groups at a time, whose largest numbers and sums are found together.
//!
//! Must give the very codes, scales, sums and masses of the loop in the module above.

use super::super::activations::{GROUP, RECORD};
use super::super::avx512::Avx512;
use super::{ROUND, Round, record};
use std::arch::x86_64::*;

/// Groups worked through together.
const TOGETHER: usize = 4;

/// Rounds all groups of a row, without rests; returns the sum of the squares of their scales, or `None` where a number is not finite.
#[allow(unsafe_code, reason = "calls code for instructions that were detected")]
pub(super) fn groups(_proof: Avx512, row: &mut Round<'_>) -> Option<f32> {
    let mut power = 0.0;
    for (first, x) in row.floats.as_chunks::<GROUP>().0.chunks(TOGETHER).enumerate() {
        // SAFETY: the machine has the instructions, of which there is a proof.
        let four = unsafe { four(x) }?;
        for (i, g) in (first * TOGETHER..).take(x.len()).enumerate() {
            let (scale, sums) = (four.scales[i], [four.sums[i * 2], four.sums[i * 2 + 1]]);
            // Word `w` of group `i`: see `four`.
            let word = |w: usize| four.codes[i / 2][w % 4 * 4 + i % 2 * 2 + w / 4];
            let (record, half_masses): ([u32; RECORD], _) = record(std::array::from_fn(word), scale, sums);
            row.half_masses[g] = half_masses;
            row.words.set(g, &record);
            power += scale * scale;
        }
    }
    Some(power)
}

/// Up to four rounded groups.
struct Four {
    /// Of two groups each: of four words, the first has four codes of the first half of the first group, then come its second half and
    /// the halves of the second group; then the next four codes of each.
    codes: [[u32; 16]; 2],
    scales: [f32; TOGETHER],
    /// Of both halves of each group.
    sums: [i32; TOGETHER * 2],
}

/// # Safety
/// The machine has the instructions.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[allow(unsafe_code, reason = "vector loads and stores")]
unsafe fn four(x: &[[f32; GROUP]]) -> Option<Four> {
    let mut out = Four { codes: [[0; 16]; 2], scales: [0.0; TOGETHER], sums: [0; TOGETHER * 2] };
    let mut halves = [[_mm512_setzero_ps(); 2]; TOGETHER];
    for (halves, x) in halves.iter_mut().zip(x) {
        for (h, half) in halves.iter_mut().enumerate() {
            // SAFETY: a group is two vectors long.
            *half = unsafe { _mm512_loadu_ps(x.as_ptr().add(h * 16)) };
        }
    }
    let magnitude = |x: __m512| _mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(0x7fff_ffff));
    let [m0, m1, m2, m3] = halves.map(|[a, b]| _mm512_max_epu32(magnitude(a), magnitude(b)));
    // The maxima of four groups side by side in each quarter of a register, then over the quarters.
    let low = _mm512_max_epu32(_mm512_unpacklo_epi32(m0, m1), _mm512_unpackhi_epi32(m0, m1));
    let high = _mm512_max_epu32(_mm512_unpacklo_epi32(m2, m3), _mm512_unpackhi_epi32(m2, m3));
    let all = _mm512_max_epu32(_mm512_unpacklo_epi64(low, high), _mm512_unpackhi_epi64(low, high));
    let all = _mm256_max_epu32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64::<1>(all));
    let tops = _mm_max_epu32(_mm256_castsi256_si128(all), _mm256_extracti128_si256::<1>(all));
    if _mm_cmpge_epu32_mask(tops, _mm_set1_epi32(0x7f80_0000)) != 0 {
        return None;
    }
    let tops = _mm_castsi128_ps(tops);
    let large = _mm_cmp_ps_mask::<_CMP_GE_OQ>(tops, _mm_set1_ps(1e-35));
    let inverses = _mm512_castps128_ps512(_mm_maskz_div_ps(large, _mm_set1_ps(127.0), tops));
    // SAFETY: four floats.
    unsafe { _mm_storeu_ps(out.scales.as_mut_ptr(), _mm_div_ps(tops, _mm_set1_ps(127.0))) };
    let round = _mm512_set1_ps(ROUND);
    let code = |x: __m512, inverse: __m512| {
        let rounded = _mm512_add_ps(_mm512_mul_ps(x, inverse), round);
        _mm512_sub_epi32(_mm512_castps_si512(rounded), _mm512_castps_si512(round))
    };
    for two in 0..2 {
        let narrow = [0, 1].map(|i| {
            let g = two * 2 + i;
            let inverse = _mm512_permutexvar_ps(_mm512_set1_epi32(g as i32), inverses);
            _mm512_packs_epi32(code(halves[g][0], inverse), code(halves[g][1], inverse))
        });
        let codes = _mm512_packs_epi16(narrow[0], narrow[1]);
        let sums = _mm512_dpbusd_epi32(_mm512_setzero_si512(), _mm512_set1_epi8(1), codes);
        let sums = _mm256_add_epi32(_mm512_castsi512_si256(sums), _mm512_extracti64x4_epi64::<1>(sums));
        let sums = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256::<1>(sums));
        // SAFETY: sixteen words, and four sums of the eight.
        unsafe {
            _mm512_storeu_si512(out.codes[two].as_mut_ptr().cast(), codes);
            _mm_storeu_si128(out.sums.as_mut_ptr().add(two * 4).cast(), sums);
        }
    }
    Some(out)
}
