//! What this machine can do at most: int8 products and bytes from memory per second, with the threads of the model.
//! `bench` compares its figures with these.
//!
//! Must not be used for anything that influences a result.

use super::isa::Isa;
use super::pool::Pool;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// How long each figure is measured; the best of several passes counts, since other programs can only slow it down.
const TIME: Duration = Duration::from_millis(300);

fn best(work: f64, stop: &dyn Fn() -> bool, mut pass: impl FnMut()) -> f64 {
    let start = Instant::now();
    let mut best = 0.0f64;
    while start.elapsed() < TIME && !stop() {
        let from = Instant::now();
        pass();
        best = best.max(work / from.elapsed().as_secs_f64());
    }
    best
}

/// Products of bytes a second with registers only, in 10⁹, all threads together; so far as measured, once `stop` says
/// so.
pub fn int8_peak(pool: &Pool, isa: Isa, stop: &dyn Fn() -> bool) -> f64 {
    const ROUNDS: usize = 20_000;
    let per_round = products_per_round(isa);
    let work = (ROUNDS * per_round * pool.threads()) as f64 / 1e9;
    best(work, stop, || {
        pool.run(pool.threads(), &|_| {
            black_box(rounds(isa, ROUNDS));
        });
    })
}

/// Bytes read from memory a second, in 10⁹, all threads together; so far as measured, once `stop` says so.
pub fn memory_bandwidth(pool: &Pool, stop: &dyn Fn() -> bool) -> f64 {
    // Far more than any cache, in pieces that threads take turns with.
    const WORDS: usize = 32 << 20;
    const PIECE: usize = 1 << 18;
    if stop() {
        return 0.0;
    }
    let words = vec![1u64; WORDS];
    best((WORDS * 8) as f64 / 1e9, stop, || {
        pool.run(WORDS / PIECE, &|piece| {
            let piece = &words[piece * PIECE..(piece + 1) * PIECE];
            let mut sums = [0u64; 32];
            for chunk in piece.as_chunks::<32>().0 {
                sums.iter_mut().zip(chunk).for_each(|(sum, word)| *sum = sum.wrapping_add(*word));
            }
            black_box(sums);
        });
    })
}

fn products_per_round(isa: Isa) -> usize {
    match isa {
        Isa::Avx512Vnni => 16 * 64,
        Isa::AvxVnni | Isa::Avx2 | Isa::NeonDot | Isa::Neon => 12 * 32,
        Isa::Scalar => 64,
    }
}

#[allow(unsafe_code, reason = "calls code for instructions that were detected")]
fn rounds(isa: Isa, count: usize) -> i32 {
    match isa {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the instructions were detected.
        Isa::Avx512Vnni if isa.available() => unsafe { x86::avx512(count) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the instructions were detected.
        Isa::AvxVnni if isa.available() => unsafe { x86::avxvnni(count) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the instructions were detected.
        Isa::Avx2 if isa.available() => unsafe { x86::avx2(count) },
        #[cfg(target_arch = "aarch64")]
        // SAFETY: the instructions were detected.
        Isa::NeonDot if isa.available() => unsafe { arm::neon_dot(count) },
        #[cfg(target_arch = "aarch64")]
        // SAFETY: the instructions were detected.
        Isa::Neon if isa.available() => unsafe { arm::neon(count) },
        _ => (0..count).fold(0i32, |sum, i| {
            let x: [i8; 64] = black_box([i as i8; 64]);
            x.iter().fold(sum, |sum, x| sum.wrapping_add(i32::from(*x) * i32::from(x ^ 3)))
        }),
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::super::avx2;
    use std::arch::x86_64::*;
    use std::hint::black_box;

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    pub(super) fn avx512(count: usize) -> i32 {
        let (a, b) = (black_box(_mm512_set1_epi8(3)), black_box(_mm512_set1_epi8(5)));
        let mut sums = [_mm512_setzero_si512(); 16];
        for _ in 0..count {
            sums.iter_mut().for_each(|sum| *sum = _mm512_dpbusd_epi32(*sum, a, b));
        }
        sums.into_iter().fold(0, |all, sum| all.wrapping_add(_mm512_reduce_add_epi32(sum)))
    }

    macro_rules! peak {
        ($name:ident, $features:literal, $step:path) => {
            #[target_feature(enable = $features)]
            pub(super) fn $name(count: usize) -> i32 {
                let (a, b) = (black_box(_mm256_set1_epi8(3)), black_box(_mm256_set1_epi8(5)));
                // More than what one instruction after another waits for.
                let mut sums = [_mm256_setzero_si256(); 12];
                for _ in 0..count {
                    sums.iter_mut().for_each(|sum| *sum = $step(*sum, a, b));
                }
                sums.into_iter().fold(0, |all, sum| all.wrapping_add(_mm256_extract_epi32::<0>(sum)))
            }
        };
    }

    peak!(avxvnni, "avx2,fma,f16c,avxvnni", avx2::thirty_two::step);
    peak!(avx2, "avx2,fma,f16c", avx2::sixteen::step);
}

#[cfg(target_arch = "aarch64")]
mod arm {
    use super::super::neon::{dot_neon, dot_sdot};
    use std::arch::aarch64::*;
    use std::hint::black_box;

    macro_rules! peak {
        ($name:ident, $features:literal, $dot:ident) => {
            #[target_feature(enable = $features)]
            pub(super) fn $name(count: usize) -> i32 {
                // Weights that are not known to be equal, and codes that change, so that no product is computed only
                // once.
                let weights = black_box([vdupq_n_s8(3); 12]);
                let (mut codes, step) = (black_box(vdupq_n_s8(5)), black_box(vdupq_n_s8(1)));
                let mut sums = [vdupq_n_s32(0); 12];
                for _ in 0..count {
                    for (sum, weights) in sums.iter_mut().zip(weights) {
                        *sum = $dot::<false, 0, 1>(*sum, [weights; 2], [codes; 2]);
                    }
                    codes = veorq_s8(codes, step);
                }
                sums.into_iter().fold(0, |all, sum| all.wrapping_add(vaddvq_s32(sum)))
            }
        };
    }

    peak!(neon_dot, "neon,dotprod", dot_sdot);
    peak!(neon, "neon", dot_neon);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_figures_are_numbers_above_zero() {
        let pool = Pool::new(1).expect("threads");
        assert!(int8_peak(&pool, Isa::best(), &|| false) > 0.0 && memory_bandwidth(&pool, &|| false) > 0.0);
    }

    #[test]
    fn nothing_is_measured_after_a_stop() {
        let pool = Pool::new(1).expect("threads");
        assert_eq!((int8_peak(&pool, Isa::best(), &|| true), memory_bandwidth(&pool, &|| true)), (0.0, 0.0));
    }
}
