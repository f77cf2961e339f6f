//! The kernels for 256-bit vectors: AVX2, and the same with VNNI's dot product of bytes.
//!
//! Must equal [`super::scalar::Scalar`] to the bit.
#![allow(
    clippy::needless_range_loop,
    reason = "loops over registers with bounds known to the compiler, which it unrolls"
)]

use super::activations::{RECORD, ROWS, Rest, SCALE, STRETCH};
use super::arena::Line;
use super::packed::{PANEL, Packed, plane};
use super::tile::{Rows, Scratch, Stretch, Tiles};
use std::arch::x86_64::*;

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

/// `sum + Σ4 weights · codes` without VNNI: the products of two neighbours are added in 16 bits, which must not overflow.
/// Weights of at most 6 bits cannot (`2 · 63 · 127`); those of 8 bits are made signed, and their sign is moved to the codes
/// (`2 · 128 · 127` fits).
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn dot_avx2<const WIDE: bool>(sum: __m256i, weights: __m256i, codes: __m256i) -> __m256i {
    let pairs = if WIDE {
        let signed = _mm256_xor_si256(weights, _mm256_set1_epi8(-128));
        _mm256_maddubs_epi16(_mm256_abs_epi8(signed), _mm256_sign_epi8(codes, signed))
    } else {
        _mm256_maddubs_epi16(weights, codes)
    };
    _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
}

/// The same with VNNI, whose sums have 32 bits; it takes unsigned weights as they are.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avxvnni")]
fn dot_vnni<const WIDE: bool>(sum: __m256i, weights: __m256i, codes: __m256i) -> __m256i {
    _mm256_dpbusd_avx_epi32(sum, weights, codes)
}

macro_rules! kernel {
    ($name:ident, $module:ident, $features:literal, $dot:ident, $signed:literal) => {
        impl Tiles for $name {
            #[allow(unsafe_code, reason = "calls code for instructions that were detected")]
            fn unpack<'a>(
                self,
                weights: &Packed,
                panel: &'a [Line],
                first: usize,
                groups: usize,
                scratch: &'a mut Scratch,
            ) -> Stretch<'a> {
                // SAFETY: `self` is the proof that the machine has the instructions.
                unsafe { unpack(weights, panel, first, groups, scratch) }
            }

            #[allow(unsafe_code, reason = "calls code for instructions that were detected")]
            unsafe fn tile<const SCALES: usize, const MIN: bool>(self, stretch: &Stretch<'_>, rows: &Rows) {
                // SAFETY: `self` is the proof that the machine has the instructions; the caller promises the rest.
                unsafe {
                    match (rows.count, stretch.offset == 128) {
                        (0, _) => {}
                        (1, false) => $module::tile::<1, SCALES, MIN, false>(stretch, rows),
                        (2, false) => $module::tile::<2, SCALES, MIN, false>(stretch, rows),
                        (3, false) => $module::tile::<3, SCALES, MIN, false>(stretch, rows),
                        (4, false) => $module::tile::<4, SCALES, MIN, false>(stretch, rows),
                        (5, false) => $module::tile::<5, SCALES, MIN, false>(stretch, rows),
                        (_, false) => $module::tile::<6, SCALES, MIN, false>(stretch, rows),
                        (1, true) => $module::tile::<1, SCALES, MIN, true>(stretch, rows),
                        (2, true) => $module::tile::<2, SCALES, MIN, true>(stretch, rows),
                        (3, true) => $module::tile::<3, SCALES, MIN, true>(stretch, rows),
                        (4, true) => $module::tile::<4, SCALES, MIN, true>(stretch, rows),
                        (5, true) => $module::tile::<5, SCALES, MIN, true>(stretch, rows),
                        (_, true) => $module::tile::<6, SCALES, MIN, true>(stretch, rows),
                    }
                }
            }
        }

        mod $module {
            use super::*;

            /// `R` rows of 32 sums, eight outputs after the other. `WIDE`: the codes have 8 bits.
            ///
            /// # Safety
            /// See [`Tiles::tile`].
            #[target_feature(enable = $features)]
            #[allow(unsafe_code, reason = "vector loads and stores without bounds checks in the innermost loop")]
            pub(super) unsafe fn tile<const R: usize, const SCALES: usize, const MIN: bool, const WIDE: bool>(
                stretch: &Stretch<'_>,
                rows: &Rows,
            ) {
                let groups = stretch.groups;
                assert!(const { R >= 1 && R <= ROWS && (SCALES == 1 || SCALES == 2) });
                assert!(groups == 0 || stretch.codes.len() >= (groups - 1) * stretch.stride + 16);
                let numbers = groups * SCALES * PANEL;
                assert!(stretch.scales.len() >= numbers && (!MIN || stretch.mins.len() >= numbers));
                for quarter in 0..4 {
                    let mut sum = [_mm256_setzero_ps(); R];
                    // SAFETY: the assertions above and what the caller promises.
                    unsafe {
                        if !rows.fresh {
                            for r in 0..R {
                                sum[r] = _mm256_loadu_ps(rows.sums.add(r * rows.stride + quarter * 8));
                            }
                        }
                        for g in 0..groups {
                            group::<R, SCALES, MIN, WIDE>(stretch, rows, g, quarter, &mut sum);
                        }
                        for r in 0..R {
                            _mm256_storeu_ps(rows.sums.add(r * rows.stride + quarter * 8), sum[r]);
                        }
                    }
                }
                // SAFETY: what the caller promises.
                for rest in unsafe { rows.rests(0) } {
                    // SAFETY: the same; the rests are of these groups and rows.
                    unsafe {
                        rest_of::<SCALES, WIDE>(
                            stretch,
                            rest,
                            rest.group as usize - rows.first,
                            rows.sums.add(rest.row as usize * rows.stride),
                        );
                    }
                }
            }

            /// Adds the products with the codes of one group, for eight outputs.
            ///
            /// # Safety
            /// See [`tile`]: each row has what its type says for group `g`; the stretch has 16 vectors of 64 bytes every `stride` for it
            /// and `SCALES * PANEL` scales (and minima).
            #[inline]
            #[target_feature(enable = $features)]
            #[allow(unsafe_code, reason = "vector loads and reads through pointers")]
            unsafe fn group<const R: usize, const SCALES: usize, const MIN: bool, const WIDE: bool>(
                stretch: &Stretch<'_>,
                rows: &Rows,
                g: usize,
                quarter: usize,
                sum: &mut [__m256; R],
            ) {
                // SAFETY: what the caller promises.
                unsafe {
                    let x = rows.words.add(g * RECORD * R);
                    let vectors = stretch.codes.as_ptr().add(g * stretch.stride).cast::<__m256i>().add(quarter);
                    for sub in 0..SCALES {
                        let at = (g * SCALES + sub) * PANEL + quarter * 8;
                        let scale = _mm256_loadu_ps(stretch.scales.as_ptr().add(at));
                        let steps = 8 / SCALES;
                        let mut dot = [_mm256_setzero_si256(); R];
                        // Types with minima have no offset, and the dot product of signed weights takes it off by itself.
                        if !MIN && !(WIDE && $signed) {
                            for r in 0..R {
                                dot[r] = _mm256_set1_epi32(stretch.start::<SCALES>(rows.minus::<R>(g, r), sub));
                            }
                        }
                        for s in sub * steps..(sub + 1) * steps {
                            let weights = _mm256_load_si256(vectors.add(s * 4));
                            for r in 0..R {
                                let four = x.add(s * R + r).cast::<i32>().read();
                                dot[r] = $dot::<WIDE>(dot[r], weights, _mm256_set1_epi32(four));
                            }
                        }
                        for r in 0..R {
                            let of_row = x.add(SCALE * R + r).cast::<f32>().read();
                            let factor = _mm256_mul_ps(scale, _mm256_set1_ps(of_row));
                            sum[r] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot[r]), factor, sum[r]);
                        }
                        if MIN {
                            let min = _mm256_loadu_ps(stretch.mins.as_ptr().add(at));
                            for r in 0..R {
                                let mass = rows.mass::<R, SCALES>(g, r, sub);
                                sum[r] = _mm256_fmadd_ps(min, _mm256_set1_ps(mass), sum[r]);
                            }
                        }
                    }
                }
            }

            /// Adds the products with the rests of group `g` of one row to its 32 sums.
            ///
            /// # Safety
            /// As for [`group`].
            #[target_feature(enable = $features)]
            #[allow(unsafe_code, reason = "vector loads and stores")]
            unsafe fn rest_of<const SCALES: usize, const WIDE: bool>(
                stretch: &Stretch<'_>,
                rest: &Rest,
                g: usize,
                sums: *mut f32,
            ) {
                let steps = 8 / SCALES;
                for quarter in 0..4 {
                    // SAFETY: what the caller promises.
                    unsafe {
                        let vectors = stretch.codes.as_ptr().add(g * stretch.stride).cast::<__m256i>().add(quarter);
                        let sums = sums.add(quarter * 8);
                        for sub in 0..SCALES {
                            let at = (g * SCALES + sub) * PANEL + quarter * 8;
                            let signed = WIDE && $signed;
                            let start = if signed { 0 } else { stretch.start::<SCALES>(rest.minus, sub) };
                            let mut dot = _mm256_set1_epi32(start);
                            for s in sub * steps..(sub + 1) * steps {
                                let four = rest.codes.as_ptr().add(s * 4).cast::<i32>().read_unaligned();
                                dot = $dot::<WIDE>(dot, _mm256_load_si256(vectors.add(s * 4)), _mm256_set1_epi32(four));
                            }
                            let scale = _mm256_loadu_ps(stretch.scales.as_ptr().add(at));
                            let factor = _mm256_mul_ps(scale, _mm256_set1_ps(rest.scale));
                            let sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot), factor, _mm256_loadu_ps(sums));
                            _mm256_storeu_ps(sums, sum);
                        }
                    }
                }
            }
        }
    };
}

kernel!(Avx2, avx2, "avx2,fma,f16c", dot_avx2, true);
kernel!(AvxVnni, avxvnni, "avx2,fma,f16c,avxvnni", dot_vnni, false);

#[target_feature(enable = "avx2,fma,f16c")]
#[allow(unsafe_code, reason = "vector loads and stores")]
fn unpack<'a>(
    weights: &Packed,
    panel: &'a [Line],
    first: usize,
    groups: usize,
    scratch: &'a mut Scratch,
) -> Stretch<'a> {
    let (format, layout) = (&weights.format, &weights.layout);
    assert!(groups <= STRETCH && first + groups <= weights.groups());
    for g in 0..groups {
        let (at, span) = (layout.group_at(first + g), layout.span_at(first + g));
        let group = &panel[at / 64..(at + layout.group) / 64];
        let header = &panel[span / 64..(span + layout.header) / 64];
        if format.bits < 8 {
            let codes = &mut scratch.codes[g * 16..(g + 1) * 16];
            for (v, code) in codes.iter_mut().enumerate() {
                let low = &group[v % 8].0;
                for (code, low) in code.0.iter_mut().zip(low) {
                    *code = low >> (v / 8 * 4) & 15;
                }
                if format.bits > 4 {
                    let (plane, shift) = plane(format.bits, v);
                    let mask = (1 << (format.bits - 4)) - 1;
                    for (code, high) in code.0.iter_mut().zip(&group[8 + plane].0) {
                        *code |= (high >> shift & mask) << 4;
                    }
                }
            }
        }
        let of_group = g * format.scales * PANEL..(g + 1) * format.scales * PANEL;
        let numbers = |from: usize, head: usize, out: &mut [f32]| {
            for (i, out) in out.as_chunks_mut::<8>().0.iter_mut().enumerate() {
                let value = if format.nested {
                    let small = from + i * 8;
                    let small = &group[small / 64].0[small % 64..small % 64 + 8];
                    // SAFETY: `small` is 8 bytes.
                    let small = _mm256_cvtepi8_epi32(unsafe { _mm_loadl_epi64(small.as_ptr().cast()) });
                    _mm256_mul_ps(_mm256_cvtepi32_ps(small), halves(&header[head], i % 4))
                } else {
                    halves(&group[from / 64], i)
                };
                // SAFETY: `out` is 8 floats.
                unsafe { _mm256_storeu_ps(out.as_mut_ptr(), value) };
            }
        };
        numbers(layout.scales, 0, &mut scratch.scales[of_group.clone()]);
        if format.min {
            numbers(layout.mins, 1, &mut scratch.mins[of_group]);
        }
    }
    if format.bits < 8 {
        return scratch.stretch(format.offset, groups);
    }
    let from = layout.group_at(first) / 64;
    Stretch { codes: &panel[from..], stride: layout.group / 64, ..scratch.stretch(format.offset, groups) }
}

/// Half-precision numbers `8 i .. 8 i + 8` of a line, widened.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
#[allow(unsafe_code, reason = "a vector load")]
fn halves(line: &Line, i: usize) -> __m256 {
    let of = &line.0[i * 16..i * 16 + 16];
    // SAFETY: `of` is 16 bytes.
    _mm256_cvtph_ps(unsafe { _mm_loadu_si128(of.as_ptr().cast()) })
}
