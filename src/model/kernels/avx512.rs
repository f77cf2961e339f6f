//! The kernels for AVX-512 with VNNI: 64 products of bytes an instruction, summed in fours.
//!
//! Must equal [`super::tile::Scalar`] to the bit.

use super::activations::{GROUP, GroupScale};
use super::arena::Line;
use super::packed::{GROUP_CODES, PANEL, Packed};
use super::tile::{Kernel, ROWS, RowPart, STRETCH, Scratch, Stretch, Sums};
use std::arch::x86_64::*;

/// Proof that the machine has the instructions.
#[derive(Clone, Copy)]
pub struct Avx512(());

impl Avx512 {
    /// Where the machine has them.
    pub fn detect() -> Option<Self> {
        let has = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vnni");
        has.then_some(Self(()))
    }
}

impl Kernel for Avx512 {
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
    unsafe fn tile<const SCALES: usize, const MIN: bool>(
        self,
        stretch: &Stretch<'_>,
        rows: &[RowPart<'_>],
        fresh: bool,
        sums: &Sums,
    ) {
        // SAFETY: `self` is the proof that the machine has the instructions; the caller promises the rest.
        unsafe {
            match rows.len() {
                0 => {}
                1 => tile::<1, SCALES, MIN>(stretch, rows, fresh, sums),
                2 => tile::<2, SCALES, MIN>(stretch, rows, fresh, sums),
                3 => tile::<3, SCALES, MIN>(stretch, rows, fresh, sums),
                4 => tile::<4, SCALES, MIN>(stretch, rows, fresh, sums),
                5 => tile::<5, SCALES, MIN>(stretch, rows, fresh, sums),
                _ => tile::<6, SCALES, MIN>(stretch, rows, fresh, sums),
            }
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[allow(unsafe_code, reason = "vector loads and stores at places that the layout of the panel gives")]
fn unpack<'a>(
    weights: &Packed,
    panel: &'a [Line],
    first: usize,
    groups: usize,
    scratch: &'a mut Scratch,
) -> Stretch<'a> {
    let (format, layout) = (&weights.format, &weights.layout);
    assert!(groups <= STRETCH && first + groups <= weights.groups());
    assert!(groups == 0 || layout.group_at(first + groups - 1) + layout.group <= size_of_val(panel));
    let base = panel.as_ptr().cast::<u8>();
    let codes = scratch.codes.as_mut_ptr().cast::<u8>();
    for g in 0..groups {
        // SAFETY: by the assertions the group lies in the panel, and so does its span's header, which comes before it. Its parts
        // are where `Layout` puts them. `scratch` has room for STRETCH groups: 1024 codes, 64 scales and 64 minima each.
        unsafe {
            let group = base.add(layout.group_at(first + g));
            let header = base.add(layout.span_at(first + g));
            match format.bits {
                4 => unpack_codes::<4>(group, codes.add(g * GROUP_CODES)),
                5 => unpack_codes::<5>(group, codes.add(g * GROUP_CODES)),
                6 => unpack_codes::<6>(group, codes.add(g * GROUP_CODES)),
                _ => {}
            }
            let count = format.scales * 2;
            let from = g * format.scales * PANEL;
            let (scales, mins) = (group.add(layout.scales), group.add(layout.mins));
            if format.nested {
                nested(scales, header, count, scratch.scales.as_mut_ptr().add(from));
                if format.min {
                    nested(mins, header.add(PANEL * 2), count, scratch.mins.as_mut_ptr().add(from));
                }
            } else {
                halves(scales, count, scratch.scales.as_mut_ptr().add(from));
                if format.min {
                    halves(mins, count, scratch.mins.as_mut_ptr().add(from));
                }
            }
        }
    }
    if format.bits < 8 {
        return scratch.stretch(format.offset, groups);
    }
    let from = layout.group_at(first) / 64;
    Stretch { codes: &panel[from..], stride: layout.group / 64, ..scratch.stretch(format.offset, groups) }
}

/// Spreads the codes of a group to bytes.
///
/// # Safety
/// `from` points to `128 * BITS` readable bytes, `to` to 1024 writable ones, both at multiples of 64.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[allow(unsafe_code, reason = "vector loads and stores")]
unsafe fn unpack_codes<const BITS: usize>(from: *const u8, to: *mut u8) {
    let low = _mm512_set1_epi8(15);
    for v in 0..8 {
        // SAFETY: what the caller promises.
        unsafe {
            let packed = _mm512_load_si512(from.add(v * 64).cast());
            let mut a = _mm512_and_si512(packed, low);
            let mut b = _mm512_and_si512(_mm512_srli_epi16(packed, 4), low);
            for bit in 4..BITS {
                let masks = from.add(512 + (bit - 4) * 128).cast::<u64>();
                let set = _mm512_set1_epi8(1 << bit);
                a = add_where(a, masks.add(v).read(), set);
                b = add_where(b, masks.add(v + 8).read(), set);
            }
            _mm512_store_si512(to.add(v * 64).cast(), a);
            _mm512_store_si512(to.add(512 + v * 64).cast(), b);
        }
    }
}

/// Adds `set` to the bytes whose bit is set in `mask`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn add_where(x: __m512i, mask: u64, set: __m512i) -> __m512i {
    _mm512_mask_add_epi8(x, mask, x, set)
}

/// Widens `count` times 16 half-precision numbers.
///
/// # Safety
/// `from` points to `32 * count` readable bytes, `to` to `16 * count` writable floats.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[allow(unsafe_code, reason = "vector loads and stores")]
unsafe fn halves(from: *const u8, count: usize, to: *mut f32) {
    for i in 0..count {
        // SAFETY: what the caller promises.
        unsafe { _mm512_storeu_ps(to.add(i * 16), _mm512_cvtph_ps(_mm256_loadu_si256(from.add(i * 32).cast()))) };
    }
}

/// `count` times 16 nested numbers: 8-bit numbers times the half-precision ones of their outputs.
///
/// # Safety
/// `from` points to `16 * count` readable bytes, `of_span` to 64, `to` to `16 * count` writable floats.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[allow(unsafe_code, reason = "vector loads and stores")]
unsafe fn nested(from: *const u8, of_span: *const u8, count: usize, to: *mut f32) {
    for i in 0..count {
        // SAFETY: what the caller promises.
        unsafe {
            let small = _mm512_cvtepi8_epi32(_mm_loadu_si128(from.add(i * 16).cast()));
            let factor = _mm512_cvtph_ps(_mm256_loadu_si256(of_span.add(i % 2 * 32).cast()));
            _mm512_storeu_ps(to.add(i * 16), _mm512_mul_ps(_mm512_cvtepi32_ps(small), factor));
        }
    }
}

/// `R` rows of 32 sums: `2 R` registers of integer dot products, `2 R` of sums.
///
/// # Safety
/// See [`Kernel::tile`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[allow(unsafe_code, reason = "vector loads and stores without bounds checks in the innermost loop")]
unsafe fn tile<const R: usize, const SCALES: usize, const MIN: bool>(
    stretch: &Stretch<'_>,
    rows: &[RowPart<'_>],
    fresh: bool,
    sums: &Sums,
) {
    let groups = stretch.groups;
    assert!(const { R >= 1 && R <= ROWS && (SCALES == 1 || SCALES == 2) });
    assert!(rows.len() >= R && rows.iter().all(|r| r.codes.len() >= groups * GROUP && r.scales.len() >= groups));
    assert!(groups == 0 || stretch.codes.len() >= (groups - 1) * stretch.stride + 16);
    assert!(stretch.scales.len() >= groups * SCALES * PANEL && (!MIN || stretch.mins.len() >= groups * SCALES * PANEL));
    let codes: [*const i8; R] = std::array::from_fn(|r| rows[r].codes.as_ptr());
    let scales: [*const GroupScale; R] = std::array::from_fn(|r| rows[r].scales.as_ptr());
    let zero = _mm512_setzero_ps();
    let mut sum = [[zero; 2]; R];
    if !fresh {
        for r in 0..R {
            for h in 0..2 {
                // SAFETY: what the caller promises.
                sum[r][h] = unsafe { _mm512_loadu_ps(sums[r].add(h * 16)) };
            }
        }
    }
    for g in 0..groups {
        for line in 0..stretch.ahead_lines {
            // A prefetch reads nothing and may be of any address.
            _mm_prefetch::<_MM_HINT_T0>(stretch.ahead.wrapping_add(g * stretch.ahead_lines + line).cast());
        }
        // SAFETY: the assertions above: each row has codes and scales for `groups` groups, the stretch has 16 vectors every
        // `stride` for each and `SCALES * PANEL` scales (and minima).
        unsafe {
            let vectors = stretch.codes.as_ptr().add(g * stretch.stride).cast::<__m512i>();
            for sub in 0..SCALES {
                let mut dot = [[_mm512_setzero_si512(); 2]; R];
                if !MIN {
                    for r in 0..R {
                        let of_row = &*scales[r].add(g);
                        let codes = if SCALES == 1 { of_row.sum } else { of_row.half_sum[sub] };
                        dot[r] = [_mm512_set1_epi32(-stretch.offset * codes); 2];
                    }
                }
                let steps = 8 / SCALES;
                for s in sub * steps..(sub + 1) * steps {
                    let a = _mm512_load_si512(vectors.add(s * 2));
                    let b = _mm512_load_si512(vectors.add(s * 2 + 1));
                    for r in 0..R {
                        let four = codes[r].add(g * GROUP + s * 4).cast::<i32>().read_unaligned();
                        let four = _mm512_set1_epi32(four);
                        dot[r][0] = _mm512_dpbusd_epi32(dot[r][0], a, four);
                        dot[r][1] = _mm512_dpbusd_epi32(dot[r][1], b, four);
                    }
                }
                let at = (g * SCALES + sub) * PANEL;
                let scale = [0, 1].map(|h| _mm512_loadu_ps(stretch.scales.as_ptr().add(at + h * 16)));
                for r in 0..R {
                    let of_row = _mm512_set1_ps((*scales[r].add(g)).scale);
                    for h in 0..2 {
                        let factor = _mm512_mul_ps(scale[h], of_row);
                        sum[r][h] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot[r][h]), factor, sum[r][h]);
                    }
                }
                if MIN {
                    let min = [0, 1].map(|h| _mm512_loadu_ps(stretch.mins.as_ptr().add(at + h * 16)));
                    for r in 0..R {
                        let of_row = &*scales[r].add(g);
                        let mass = _mm512_set1_ps(if SCALES == 1 { of_row.mass } else { of_row.half_mass[sub] });
                        for h in 0..2 {
                            sum[r][h] = _mm512_fmadd_ps(min[h], mass, sum[r][h]);
                        }
                    }
                }
            }
        }
    }
    for r in 0..R {
        for h in 0..2 {
            // SAFETY: what the caller promises.
            unsafe { _mm512_storeu_ps(sums[r].add(h * 16), sum[r][h]) };
        }
    }
}
