//! The kernels for AVX-512 with VNNI: 64 products of bytes an instruction, summed in fours.
//!
//! Must equal [`super::scalar::Scalar`] to the bit.
#![allow(
    clippy::needless_range_loop,
    reason = "loops over registers with bounds known to the compiler, which it unrolls"
)]

use super::activations::GROUP;
use super::arena::Line;
use super::matmul::Work;
use super::packed::{Layout, PANEL, Packed};
use super::tile::{Kernel, ROWS, Rows, STRETCH, Scratch};
use std::arch::x86_64::*;
use std::hint::black_box;
use std::ops::Range;

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

/// Blocks of rows from which on codes of 5 or 6 bits are taken apart beforehand and not again for each block.
const MANY: usize = 3;

impl Kernel for Avx512 {
    #[allow(unsafe_code, reason = "calls code for instructions that were detected")]
    fn run(self, work: &Work<'_>, scratch: &mut Scratch) {
        let (blocks, groups) = (work.blocks(), work.weights.groups());
        let beforehand = blocks >= MANY && matches!(work.weights.format.bits, 5 | 6);
        let step = if beforehand { STRETCH } else { groups.max(1) };
        let mut partial = [[0.0; PANEL]; ROWS];
        for first in (0..groups).step_by(step) {
            let mut part = Part { first, count: step.min(groups - first), codes: None, ahead: true };
            if beforehand {
                // SAFETY: `self` is the proof that the machine has the instructions; the scratch holds a stretch.
                unsafe {
                    match work.weights.format.bits {
                        5 => unpack::<5>(work, &part, &mut scratch.codes),
                        _ => unpack::<6>(work, &part, &mut scratch.codes),
                    }
                }
                (part.codes, part.ahead) = (Some(&scratch.codes[..]), false);
            }
            for b in 0..blocks {
                // Copied only where it has to be: the panel of a small model takes less than a microsecond.
                let copy = (first > 0).then(|| work.block(b, first, &mut partial));
                let rows = copy.as_ref().unwrap_or_else(|| work.rows(b));
                let sums = copy.map_or_else(|| work.sums(b, true, &mut partial), |copy| copy.sums);
                // SAFETY: `self` is the proof that the machine has the instructions; `rows` and `sums` are what they say.
                unsafe {
                    match rows.count {
                        0 => {}
                        1 => of_format::<1>(work, rows, &sums, &part),
                        2 => of_format::<2>(work, rows, &sums, &part),
                        3 => of_format::<3>(work, rows, &sums, &part),
                        4 => of_format::<4>(work, rows, &sums, &part),
                        5 => of_format::<5>(work, rows, &sums, &part),
                        _ => of_format::<6>(work, rows, &sums, &part),
                    }
                }
                work.store(b, &partial);
                // The first block brings the panel into the cache, and what comes after it.
                part.ahead = false;
            }
        }
    }
}

/// Groups of a panel that are worked through in one go.
struct Part<'a> {
    first: usize,
    count: usize,
    /// Their codes, 16 vectors to a group, where they have been taken apart already.
    codes: Option<&'a [Line]>,
    /// Whether to ask for what comes after.
    ahead: bool,
}

/// Adds `set` to the bytes whose bit is set in `mask`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn add_where(x: __m512i, mask: u64, set: __m512i) -> __m512i {
    _mm512_mask_add_epi8(x, mask, x, set)
}

/// Takes the codes of a part apart.
///
/// # Safety
/// The machine has the instructions.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[allow(unsafe_code, reason = "vector loads and stores")]
unsafe fn unpack<const BITS: usize>(work: &Work<'_>, part: &Part<'_>, codes: &mut [Line]) {
    let (layout, panel) = (&work.weights.layout, work.panel());
    for (g, codes) in codes.chunks_exact_mut(16).take(part.count).enumerate() {
        let at = layout.group_at(part.first + g);
        assert!(at + layout.group <= size_of_val(panel));
        for (v, line) in codes.iter_mut().enumerate() {
            // SAFETY: by the assertion the group lies in the panel; a line has 64 bytes and is aligned to as many.
            unsafe {
                let code = weights_at::<BITS>(panel.as_ptr().cast::<u8>().add(at), v);
                _mm512_store_si512(line.0.as_mut_ptr().cast(), code);
            }
        }
    }
}

/// A part of a panel times `R` rows, by the kernel for the format of its weights.
///
/// # Safety
/// The machine has the instructions; `rows` is what its type says, for all groups of the part; its sums go to `to`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[allow(unsafe_code, reason = "hands on what the caller promises")]
unsafe fn of_format<const R: usize>(work: &Work<'_>, rows: &Rows, to: &[*mut f32; ROWS], part: &Part<'_>) {
    let (weights, panel) = (work.weights, work.panel());
    let format = &weights.format;
    // SAFETY: what the caller promises.
    unsafe {
        match (part.codes.is_some(), format.bits, format.scales, format.min, format.nested) {
            (false, 4, 1, false, false) => panel_rows::<R, 4, 1, false, false>(weights, panel, rows, to, part),
            (false, 4, 1, true, false) => panel_rows::<R, 4, 1, true, false>(weights, panel, rows, to, part),
            (false, 5, 1, false, false) => panel_rows::<R, 5, 1, false, false>(weights, panel, rows, to, part),
            (false, 5, 1, true, false) => panel_rows::<R, 5, 1, true, false>(weights, panel, rows, to, part),
            (false, 4, 1, true, true) => panel_rows::<R, 4, 1, true, true>(weights, panel, rows, to, part),
            (false, 5, 1, true, true) => panel_rows::<R, 5, 1, true, true>(weights, panel, rows, to, part),
            (false, 4, 2, true, true) => panel_rows::<R, 4, 2, true, true>(weights, panel, rows, to, part),
            (false, 4, 2, false, true) => panel_rows::<R, 4, 2, false, true>(weights, panel, rows, to, part),
            (false, 6, 2, false, true) => panel_rows::<R, 6, 2, false, true>(weights, panel, rows, to, part),
            (true, _, 1, true, false) => panel_rows::<R, UNPACKED, 1, true, false>(weights, panel, rows, to, part),
            (true, _, 1, true, true) => panel_rows::<R, UNPACKED, 1, true, true>(weights, panel, rows, to, part),
            (true, _, 2, false, true) => panel_rows::<R, UNPACKED, 2, false, true>(weights, panel, rows, to, part),
            (true, ..) => panel_rows::<R, UNPACKED, 1, false, false>(weights, panel, rows, to, part),
            _ => panel_rows::<R, 8, 1, false, false>(weights, panel, rows, to, part),
        }
    }
}

/// How far ahead of its use a panel is asked for.
const AHEAD: usize = 3072;

/// In the place of a number of bits: the codes stand in the part, not in the panel.
const UNPACKED: usize = 0;

/// A part of a panel times `R` rows. Codes are taken apart in registers and never stored, unless they come unpacked; `2 R`
/// registers hold integer dot products, `2 R` sums.
///
/// # Safety
/// As for [`of_format`]; the parameters are those of the format of `weights`.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[allow(unsafe_code, reason = "vector loads and stores without bounds checks in the innermost loop")]
unsafe fn panel_rows<const R: usize, const BITS: usize, const SCALES: usize, const MIN: bool, const NESTED: bool>(
    weights: &Packed,
    panel: &[Line],
    rows: &Rows,
    to: &[*mut f32; ROWS],
    part: &Part<'_>,
) {
    let (layout, groups) = (&weights.layout, part.count);
    assert!(groups > 0 && layout.group_at(part.first + groups - 1) + layout.group <= size_of_val(panel));
    // What the compiler shall know of the layout. A part begins where a span does, for otherwise its first groups would have no
    // header.
    let span = if NESTED { 8 } else { 1 };
    let size = if BITS == UNPACKED { layout.group } else { const { group_bytes(BITS, SCALES, MIN, NESTED) } };
    assert!(layout.groups_per_span == span && layout.group == size && part.first.is_multiple_of(span));
    let unpacked = part.codes.unwrap_or_default();
    assert!(BITS != UNPACKED || unpacked.len() >= groups * 16);
    let (offset, ahead) = (weights.format.offset, part.ahead);
    // SAFETY: by the assertions all groups lie in the panel (and among the unpacked codes), and their parts are where `Layout`
    // puts them; what the caller promises.
    unsafe {
        let mut at = panel.as_ptr().cast::<u8>().add(layout.span_at(part.first));
        let mut header = at;
        let mut sum = sums::<R>(to, rows.fresh);
        for from in (0..groups).step_by(STRETCH) {
            let until = (from + STRETCH).min(groups);
            for g in from..until {
                if NESTED && g % span == 0 {
                    header = at;
                    at = at.add(layout.header);
                }
                if ahead {
                    // A loop of unknown length, on purpose: unrolled, the requests come in bursts, and few rows are read a third
                    // slower (measured on Zen 4).
                    for line in 0..black_box(size) / 64 {
                        // A prefetch reads nothing and may be of any address.
                        _mm_prefetch::<_MM_HINT_T0>(at.wrapping_add(AHEAD + line * 64).cast());
                    }
                }
                let codes = if BITS == UNPACKED { unpacked.as_ptr().add(g * 16).cast::<u8>() } else { at };
                group::<R, BITS, SCALES, MIN, NESTED>(layout, (at, header, codes), rows, g, offset, &mut sum);
                at = at.add(size);
            }
            if rows.rests_within(from, until) != 0 {
                sum = rests::<R, BITS, SCALES, MIN, NESTED>(weights, panel, rows, part, from..until, sum);
            }
        }
        store_sums(to, &sum);
    }
}

/// Bytes of a group in a panel, see [`Layout`].
const fn group_bytes(bits: usize, scales: usize, min: bool, nested: bool) -> usize {
    let numbers = PANEL * scales * if nested { 1 } else { 2 } * if min { 2 } else { 1 };
    (PANEL * GROUP * bits / 8 + numbers).next_multiple_of(64)
}

/// Adds one group: `at` points to it, `header` to its span's scales, `codes` to its codes.
///
/// # Safety
/// As for [`of_format`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[allow(unsafe_code, reason = "hands on what the caller promises")]
unsafe fn group<const R: usize, const BITS: usize, const SCALES: usize, const MIN: bool, const NESTED: bool>(
    layout: &Layout,
    (at, header, codes): (*const u8, *const u8, *const u8),
    rows: &Rows,
    g: usize,
    offset: i32,
    sum: &mut [[__m512; 2]; R],
) {
    let steps = 8 / SCALES;
    for sub in 0..SCALES {
        let from = if NESTED { sub * PANEL } else { sub * PANEL * 2 };
        // SAFETY: what the caller promises.
        unsafe {
            let scale = numbers::<NESTED>(at.add(layout.scales + from), header);
            let mut dot = zeros::<R, SCALES, MIN>(rows, g, sub, offset);
            for s in sub * steps..(sub + 1) * steps {
                let a = weights_at::<BITS>(codes, s * 2);
                let b = weights_at::<BITS>(codes, s * 2 + 1);
                products(&rows.codes, g, s, a, b, &mut dot);
            }
            add_scaled::<R>(rows, g, &dot, scale, sum);
            if MIN {
                let min = numbers::<NESTED>(at.add(layout.mins + from), header.wrapping_add(PANEL * 2));
                add_minima::<R, SCALES>(rows, g, sub, min, sum);
            }
        }
    }
}

/// Adds the products with the rests of some groups, for the rows that have any. Few do, so this takes row by row; the sums come
/// and go by value, so that they stay in registers where most of the time is spent.
///
/// # Safety
/// As for [`of_format`].
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[allow(unsafe_code, reason = "vector loads and reads through pointers")]
unsafe fn rests<const R: usize, const BITS: usize, const SCALES: usize, const MIN: bool, const NESTED: bool>(
    weights: &Packed,
    panel: &[Line],
    rows: &Rows,
    part: &Part<'_>,
    groups: Range<usize>,
    mut sum: [[__m512; 2]; R],
) -> [[__m512; 2]; R] {
    let (layout, base) = (&weights.layout, panel.as_ptr().cast::<u8>());
    let steps = 8 / SCALES;
    let span = if NESTED { 8 } else { 1 };
    let mut marks = rows.rests_within(groups.start, groups.end);
    while marks != 0 {
        let g = groups.start + marks.trailing_zeros() as usize;
        marks &= marks - 1;
        // SAFETY: what the caller promises; it has made sure that the groups lie in the panel and among the unpacked codes, and
        // that spans are what is said here.
        unsafe {
            let header = base.add((part.first + g) / span * (layout.header + span * layout.group));
            let at = header.add(layout.header + (part.first + g) % span * layout.group);
            let codes = match part.codes {
                Some(codes) if BITS == UNPACKED => codes.as_ptr().add(g * 16).cast::<u8>(),
                _ => at,
            };
            for sub in 0..SCALES {
                let from = if NESTED { sub * PANEL } else { sub * PANEL * 2 };
                let scale = numbers::<NESTED>(at.add(layout.scales + from), header);
                for r in 0..R {
                    let of_row = &*rows.scales[r].add(g);
                    if of_row.rest_scale == 0.0 {
                        continue;
                    }
                    let codes_sum = if SCALES == 1 { of_row.rest_sum } else { of_row.half_rest_sum[sub] };
                    let zero = if MIN { 0 } else { (-weights.format.offset).wrapping_mul(codes_sum) };
                    let mut dot = [_mm512_set1_epi32(zero); 2];
                    for s in sub * steps..(sub + 1) * steps {
                        let four = rows.rests[r].add(g * GROUP + s * 4).cast::<i32>().read_unaligned();
                        for h in 0..2 {
                            let weights = weights_at::<BITS>(codes, s * 2 + h);
                            dot[h] = _mm512_dpbusd_epi32(dot[h], weights, _mm512_set1_epi32(four));
                        }
                    }
                    for h in 0..2 {
                        let factor = _mm512_mul_ps(scale[h], _mm512_set1_ps(of_row.rest_scale));
                        sum[r][h] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot[h]), factor, sum[r][h]);
                    }
                }
            }
        }
    }
    sum
}

/// Vector `v` of the codes of the group at `at`, spread to bytes.
///
/// # Safety
/// `at` points to the codes of a group, `v` is below 16.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[allow(unsafe_code, reason = "vector loads")]
unsafe fn weights_at<const BITS: usize>(at: *const u8, v: usize) -> __m512i {
    // SAFETY: what the caller promises.
    unsafe {
        if BITS == 8 || BITS == UNPACKED {
            return _mm512_load_si512(at.add(v * 64).cast());
        }
        let packed = _mm512_load_si512(at.add(v % 8 * 64).cast());
        let packed = if v < 8 { packed } else { _mm512_srli_epi16(packed, 4) };
        let mut codes = _mm512_and_si512(packed, _mm512_set1_epi8(15));
        if BITS >= 5 {
            codes = add_where(codes, at.add(512 + v * 8).cast::<u64>().read(), _mm512_set1_epi8(16));
        }
        if BITS >= 6 {
            codes = add_where(codes, at.add(640 + v * 8).cast::<u64>().read(), _mm512_set1_epi8(32));
        }
        codes
    }
}

/// 32 scales or minima: half-precision numbers, or 8-bit ones times the half-precision ones of the span.
///
/// # Safety
/// `from` points to 64 bytes (nested: 32), `of_span` to 64 where nested.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[allow(unsafe_code, reason = "vector loads")]
unsafe fn numbers<const NESTED: bool>(from: *const u8, of_span: *const u8) -> [__m512; 2] {
    let mut out = [_mm512_setzero_ps(); 2];
    for h in 0..2 {
        // SAFETY: what the caller promises.
        unsafe {
            out[h] = if NESTED {
                let small = _mm512_cvtepi8_epi32(_mm_loadu_si128(from.add(h * 16).cast()));
                let factor = _mm512_cvtph_ps(_mm256_loadu_si256(of_span.add(h * 32).cast()));
                _mm512_mul_ps(_mm512_cvtepi32_ps(small), factor)
            } else {
                _mm512_cvtph_ps(_mm256_loadu_si256(from.add(h * 32).cast()))
            };
        }
    }
    out
}

/// The sums so far.
///
/// # Safety
/// As for [`of_format`]; the same for the functions below, which are its parts.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[allow(unsafe_code, reason = "vector loads")]
unsafe fn sums<const R: usize>(from: &[*mut f32; ROWS], fresh: bool) -> [[__m512; 2]; R] {
    let mut sum = [[_mm512_setzero_ps(); 2]; R];
    if !fresh {
        for r in 0..R {
            for h in 0..2 {
                // SAFETY: what the caller promises.
                sum[r][h] = unsafe { _mm512_loadu_ps(from[r].add(h * 16)) };
            }
        }
    }
    sum
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[allow(unsafe_code, reason = "vector stores")]
unsafe fn store_sums<const R: usize>(to: &[*mut f32; ROWS], sum: &[[__m512; 2]; R]) {
    for r in 0..R {
        for h in 0..2 {
            // SAFETY: what the caller promises.
            unsafe { _mm512_storeu_ps(to[r].add(h * 16), sum[r][h]) };
        }
    }
}

/// Where dot products begin: at minus the offset times the sum of the row's codes, so that the offset need not be taken off
/// every weight. Types with minima have no offset.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[allow(unsafe_code, reason = "reads through pointers")]
unsafe fn zeros<const R: usize, const SCALES: usize, const MIN: bool>(
    rows: &Rows,
    g: usize,
    sub: usize,
    offset: i32,
) -> [[__m512i; 2]; R] {
    let mut dot = [[_mm512_setzero_si512(); 2]; R];
    if !MIN {
        for r in 0..R {
            // SAFETY: what the caller promises.
            let of_row = unsafe { &*rows.scales[r].add(g) };
            let codes = if SCALES == 1 { of_row.sum } else { of_row.half_sum[sub] };
            dot[r] = [_mm512_set1_epi32((-offset).wrapping_mul(codes)); 2];
        }
    }
    dot
}

/// Adds the products of inputs `4 s .. 4 s + 4` of group `g`: `a` holds the weights of outputs 0–15, `b` of 16–31.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[allow(unsafe_code, reason = "reads through pointers")]
unsafe fn products<const R: usize>(
    codes: &[*const i8; ROWS],
    g: usize,
    s: usize,
    a: __m512i,
    b: __m512i,
    dot: &mut [[__m512i; 2]; R],
) {
    for r in 0..R {
        // SAFETY: what the caller promises.
        let four = unsafe { codes[r].add(g * GROUP + s * 4).cast::<i32>().read_unaligned() };
        let four = _mm512_set1_epi32(four);
        dot[r][0] = _mm512_dpbusd_epi32(dot[r][0], a, four);
        dot[r][1] = _mm512_dpbusd_epi32(dot[r][1], b, four);
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[allow(unsafe_code, reason = "reads through pointers")]
unsafe fn add_scaled<const R: usize>(
    rows: &Rows,
    g: usize,
    dot: &[[__m512i; 2]; R],
    scale: [__m512; 2],
    sum: &mut [[__m512; 2]; R],
) {
    for r in 0..R {
        // SAFETY: what the caller promises.
        let of_row = unsafe { &*rows.scales[r].add(g) };
        let of_row = _mm512_set1_ps(of_row.scale);
        for h in 0..2 {
            let factor = _mm512_mul_ps(scale[h], of_row);
            sum[r][h] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot[r][h]), factor, sum[r][h]);
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[allow(unsafe_code, reason = "reads through pointers")]
unsafe fn add_minima<const R: usize, const SCALES: usize>(
    rows: &Rows,
    g: usize,
    sub: usize,
    min: [__m512; 2],
    sum: &mut [[__m512; 2]; R],
) {
    for r in 0..R {
        // SAFETY: what the caller promises.
        let of_row = unsafe { &*rows.scales[r].add(g) };
        let mass = _mm512_set1_ps(if SCALES == 1 { of_row.mass } else { of_row.half_mass[sub] });
        for h in 0..2 {
            sum[r][h] = _mm512_fmadd_ps(min[h], mass, sum[r][h]);
        }
    }
}
