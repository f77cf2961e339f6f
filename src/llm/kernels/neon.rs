//! The kernels for ARM's 128-bit vectors: NEON, and the same with the dot product of bytes (`sdot`).
//!
//! Must equal [`super::scalar::Scalar`] to the bit.
//!
//! The 32 registers hold a tile of 6 rows times 8 outputs: 12 registers of integer dot products and 12 of sums, which
//! leaves 8 for weights and codes. A register of codes holds one step of four rows, since `sdot` multiplies by one lane
//! of it; so at 6 rows there is one load to three dot products, and all of those are independent, which hides their
//! latency on cores with up to four vector units. Fewer rows take more outputs at a time for the same reason.
#![allow(
    clippy::needless_range_loop,
    reason = "loops over registers with bounds known to the compiler, which it unrolls"
)]

use super::arena::Line;
use super::packed::{PANEL, Packed, plane};
use super::record::{RECORD, ROWS, Rest, SCALE, STRETCH};
use super::tile::{Rows, Scratch, Stretch, Tiles, start};
use std::arch::aarch64::*;
use std::arch::{asm, is_aarch64_feature_detected};

/// Proof that the machine has NEON.
#[derive(Clone, Copy)]
pub struct Neon(());

impl Neon {
    /// Where the machine has it.
    pub fn detect() -> Option<Self> {
        is_aarch64_feature_detected!("neon").then_some(Self(()))
    }
}

/// Proof that the machine has the dot product of bytes besides.
#[derive(Clone, Copy)]
pub struct NeonDot(());

impl NeonDot {
    /// Where the machine has it.
    pub fn detect() -> Option<Self> {
        (Neon::detect().is_some() && is_aarch64_feature_detected!("dotprod")).then_some(Self(()))
    }
}

/// `sum + Σ4 weights[0] · lane FIRST of codes[0] + Σ4 weights[1] · lane NEXT of codes[1]` without `sdot`. Neighbouring
/// products are added in 16 bits, which must not overflow: of 8-bit weights two products fit (`2 · 128 · 127`), of
/// weights of at most 6 bits four (`4 · 63 · 127`), which saves half of the additions.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn dot_neon<const WIDE: bool, const FIRST: i32, const NEXT: i32>(
    sum: int32x4_t,
    weights: [int8x16_t; 2],
    codes: [int8x16_t; 2],
) -> int32x4_t {
    let first = vreinterpretq_s8_s32(vdupq_laneq_s32::<FIRST>(vreinterpretq_s32_s8(codes[0])));
    let next = vreinterpretq_s8_s32(vdupq_laneq_s32::<NEXT>(vreinterpretq_s32_s8(codes[1])));
    let low = vmull_s8(vget_low_s8(weights[0]), vget_low_s8(first));
    let high = vmull_high_s8(weights[0], first);
    if WIDE {
        let sum = vpadalq_s16(sum, vpaddq_s16(low, high));
        let low = vmull_s8(vget_low_s8(weights[1]), vget_low_s8(next));
        vpadalq_s16(sum, vpaddq_s16(low, vmull_high_s8(weights[1], next)))
    } else {
        let low = vmlal_s8(low, vget_low_s8(weights[1]), vget_low_s8(next));
        vpadalq_s16(sum, vpaddq_s16(low, vmlal_high_s8(high, weights[1], next)))
    }
}

/// The same with `sdot`, whose sums have 32 bits.
#[inline]
#[target_feature(enable = "neon,dotprod")]
#[allow(unsafe_code, reason = "an instruction that has no stable intrinsic yet")]
pub(super) fn dot_sdot<const WIDE: bool, const FIRST: i32, const NEXT: i32>(
    mut sum: int32x4_t,
    weights: [int8x16_t; 2],
    codes: [int8x16_t; 2],
) -> int32x4_t {
    const { assert!(FIRST >= 0 && FIRST < 4 && NEXT >= 0 && NEXT < 4) };
    // SAFETY: the instruction is among the features of this function and touches these registers only.
    unsafe {
        asm!(
            "sdot {sum:v}.4s, {weights:v}.16b, {codes:v}.4b[{lane}]",
            sum = inout(vreg) sum, weights = in(vreg) weights[0], codes = in(vreg) codes[0], lane = const FIRST,
            options(pure, nomem, nostack, preserves_flags)
        );
        asm!(
            "sdot {sum:v}.4s, {weights:v}.16b, {codes:v}.4b[{lane}]",
            sum = inout(vreg) sum, weights = in(vreg) weights[1], codes = in(vreg) codes[1], lane = const NEXT,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    sum
}

macro_rules! kernel {
    ($name:ident, $module:ident, $features:literal, $dot:ident) => {
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
                        (1, false) => $module::tile::<1, 8, SCALES, MIN, false>(stretch, rows),
                        (2, false) => $module::tile::<2, 4, SCALES, MIN, false>(stretch, rows),
                        (3, false) => $module::tile::<3, 4, SCALES, MIN, false>(stretch, rows),
                        (4, false) => $module::tile::<4, 2, SCALES, MIN, false>(stretch, rows),
                        (5, false) => $module::tile::<5, 2, SCALES, MIN, false>(stretch, rows),
                        (_, false) => $module::tile::<6, 2, SCALES, MIN, false>(stretch, rows),
                        (1, true) => $module::tile::<1, 8, SCALES, MIN, true>(stretch, rows),
                        (2, true) => $module::tile::<2, 4, SCALES, MIN, true>(stretch, rows),
                        (3, true) => $module::tile::<3, 4, SCALES, MIN, true>(stretch, rows),
                        (4, true) => $module::tile::<4, 2, SCALES, MIN, true>(stretch, rows),
                        (5, true) => $module::tile::<5, 2, SCALES, MIN, true>(stretch, rows),
                        (_, true) => $module::tile::<6, 2, SCALES, MIN, true>(stretch, rows),
                    }
                }
            }
        }

        mod $module {
            use super::*;

            /// `R` rows of 32 sums, `4 C` outputs after the other. `WIDE`: the codes have 8 bits.
            ///
            /// # Safety
            /// See [`Tiles::tile`].
            #[target_feature(enable = $features)]
            #[allow(unsafe_code, reason = "vector loads and stores without bounds checks in the innermost loop")]
            pub(super) unsafe fn tile<
                const R: usize,
                const C: usize,
                const SCALES: usize,
                const MIN: bool,
                const WIDE: bool,
            >(
                stretch: &Stretch<'_>,
                rows: &Rows,
            ) {
                let groups = stretch.groups;
                assert!(const { R >= 1 && R <= ROWS && PANEL % (C * 4) == 0 && (SCALES == 1 || SCALES == 2) });
                assert!(
                    groups <= STRETCH && (groups == 0 || stretch.codes.len() >= (groups - 1) * stretch.stride + 16)
                );
                let numbers = groups * SCALES * PANEL;
                assert!(stretch.scales.len() >= numbers && (!MIN || stretch.mins.len() >= numbers));
                for column in (0..PANEL).step_by(C * 4) {
                    let mut sum = [[vdupq_n_f32(0.0); C]; R];
                    // SAFETY: the assertions above and what the caller promises.
                    unsafe {
                        if !rows.fresh {
                            for r in 0..R {
                                for c in 0..C {
                                    sum[r][c] = vld1q_f32(rows.sums.add(r * rows.stride + column + c * 4));
                                }
                            }
                        }
                        for g in 0..groups {
                            group::<R, C, SCALES, MIN, WIDE>(stretch, rows, g, column, &mut sum);
                        }
                        for r in 0..R {
                            for c in 0..C {
                                vst1q_f32(rows.sums.add(r * rows.stride + column + c * 4), sum[r][c]);
                            }
                        }
                    }
                }
                // SAFETY: what the caller promises.
                for rest in unsafe { rows.rests(0) } {
                    let (g, row) = (rest.group as usize - rows.first, rest.row as usize);
                    // SAFETY: the same; the rests are of these groups and rows.
                    unsafe { rest_of::<SCALES, WIDE>(stretch, rest, g, rows.sums.add(row * rows.stride)) };
                }
            }

            /// Adds the products with the codes of one group, for `4 C` outputs from `column` on.
            ///
            /// # Safety
            /// See [`tile`]: each row has what its type says for group `g`; the stretch has 16 vectors of 64 bytes
            /// every `stride` for it and `SCALES * PANEL` scales (and minima).
            #[inline]
            #[target_feature(enable = $features)]
            #[allow(unsafe_code, reason = "vector loads and reads through pointers")]
            unsafe fn group<const R: usize, const C: usize, const SCALES: usize, const MIN: bool, const WIDE: bool>(
                stretch: &Stretch<'_>,
                rows: &Rows,
                g: usize,
                column: usize,
                sum: &mut [[float32x4_t; C]; R],
            ) {
                // SAFETY: what the caller promises.
                unsafe {
                    let x = rows.words.add(g * RECORD * R);
                    let vectors = stretch.codes.as_ptr().add(g * stretch.stride).cast::<i8>().add(column * 4);
                    for sub in 0..SCALES {
                        let at = (g * SCALES + sub) * PANEL + column;
                        let mut dot = [[vdupq_n_s32(0); C]; R];
                        // Types with minima have no offset, and weights of 8 bits are made signed, which takes it off.
                        if !MIN && !WIDE {
                            for r in 0..R {
                                let minus = rows.minus::<R>(g, r);
                                dot[r] = [vdupq_n_s32(start::<SCALES>(stretch.offset, minus, sub)); C];
                            }
                        }
                        let steps = 8 / SCALES;
                        for s in (sub * steps..(sub + 1) * steps).step_by(2) {
                            // Reading four rows where there are fewer ends inside the record all the same.
                            let of_step = |s: usize| {
                                let at = x.add(s * R).cast::<i8>();
                                [vld1q_s8(at), if R > 4 { vld1q_s8(at.add(16)) } else { vdupq_n_s8(0) }]
                            };
                            let codes = [of_step(s), of_step(s + 1)];
                            for c in 0..C {
                                let weights = weights_at::<WIDE>(vectors.add(s * 128 + c * 16));
                                for r in 0..R {
                                    let (dot, codes) = (&mut dot[r][c], [codes[0][r / 4], codes[1][r / 4]]);
                                    *dot = match r % 4 {
                                        0 => $dot::<WIDE, 0, 0>(*dot, weights, codes),
                                        1 => $dot::<WIDE, 1, 1>(*dot, weights, codes),
                                        2 => $dot::<WIDE, 2, 2>(*dot, weights, codes),
                                        _ => $dot::<WIDE, 3, 3>(*dot, weights, codes),
                                    };
                                }
                            }
                        }
                        for c in 0..C {
                            let scale = vld1q_f32(stretch.scales.as_ptr().add(at + c * 4));
                            for r in 0..R {
                                let factor = vmulq_n_f32(scale, x.add(SCALE * R + r).cast::<f32>().read());
                                sum[r][c] = vfmaq_f32(sum[r][c], vcvtq_f32_s32(dot[r][c]), factor);
                            }
                        }
                        if MIN {
                            for c in 0..C {
                                let min = vld1q_f32(stretch.mins.as_ptr().add(at + c * 4));
                                for r in 0..R {
                                    let mass = rows.mass::<R, SCALES>(g, r, sub);
                                    sum[r][c] = vfmaq_n_f32(sum[r][c], min, mass);
                                }
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
                // SAFETY: what the caller promises.
                unsafe {
                    let vectors = stretch.codes.as_ptr().add(g * stretch.stride).cast::<i8>();
                    for sub in 0..SCALES {
                        let start = if WIDE { 0 } else { start::<SCALES>(stretch.offset, rest.minus, sub) };
                        for column in (0..PANEL).step_by(4) {
                            let mut dot = vdupq_n_s32(start);
                            for half in sub..sub + 2 / SCALES {
                                let vectors = vectors.add(half * 512 + column * 4);
                                let codes = [vld1q_s8(rest.codes.as_ptr().add(half * 16)); 2];
                                dot = $dot::<WIDE, 0, 1>(dot, weights_at::<WIDE>(vectors), codes);
                                dot = $dot::<WIDE, 2, 3>(dot, weights_at::<WIDE>(vectors.add(256)), codes);
                            }
                            let scale = vld1q_f32(stretch.scales.as_ptr().add((g * SCALES + sub) * PANEL + column));
                            let sums = sums.add(column);
                            let sum = vfmaq_f32(vld1q_f32(sums), vcvtq_f32_s32(dot), vmulq_n_f32(scale, rest.scale));
                            vst1q_f32(sums, sum);
                        }
                    }
                }
            }
        }
    };
}

/// The weights of four outputs for two steps, of four inputs each. Those of 8 bits are made signed.
///
/// # Safety
/// `vectors` points to 16 bytes of the one step, and 128 bytes further are those of the next.
#[inline]
#[target_feature(enable = "neon")]
#[allow(unsafe_code, reason = "vector loads")]
unsafe fn weights_at<const WIDE: bool>(vectors: *const i8) -> [int8x16_t; 2] {
    // SAFETY: what the caller promises.
    let [first, next] = unsafe { [vld1q_s8(vectors), vld1q_s8(vectors.add(128))] };
    let sign = vdupq_n_s8(if WIDE { i8::MIN } else { 0 });
    [veorq_s8(first, sign), veorq_s8(next, sign)]
}

kernel!(Neon, neon, "neon", dot_neon);
kernel!(NeonDot, neon_dot, "neon,dotprod", dot_sdot);

#[target_feature(enable = "neon")]
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
        let codes = &mut scratch.codes[g * 16..(g + 1) * 16];
        match format.bits {
            4 => spread::<4>(group, codes),
            5 => spread::<5>(group, codes),
            6 => spread::<6>(group, codes),
            _ => {}
        }
        let of_group = g * format.scales * PANEL..(g + 1) * format.scales * PANEL;
        let numbers = |from: usize, head: usize, out: &mut [f32]| {
            for (i, out) in out.as_chunks_mut::<8>().0.iter_mut().enumerate() {
                let value = if format.nested {
                    let small = from + i * 8;
                    let small = &group[small / 64].0[small % 64..small % 64 + 8];
                    // SAFETY: `small` is 8 bytes.
                    let small = vmovl_s8(unsafe { vld1_s8(small.as_ptr().cast()) });
                    let [a, b] = halves(&header[head], i % 4);
                    [
                        vmulq_f32(vcvtq_f32_s32(vmovl_s16(vget_low_s16(small))), a),
                        vmulq_f32(vcvtq_f32_s32(vmovl_high_s16(small)), b),
                    ]
                } else {
                    halves(&group[from / 64], i)
                };
                // SAFETY: `out` is 8 floats.
                unsafe {
                    vst1q_f32(out.as_mut_ptr(), value[0]);
                    vst1q_f32(out.as_mut_ptr().add(4), value[1]);
                }
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

/// Spreads the codes of `group`, of `BITS` bits, to the 16 vectors of `out`.
#[inline]
#[target_feature(enable = "neon")]
#[allow(unsafe_code, reason = "vector loads and stores")]
fn spread<const BITS: usize>(group: &[Line], out: &mut [Line]) {
    for (v, out) in out.iter_mut().enumerate() {
        let quarters = group[v % 8].0.as_chunks::<16>().0.iter().zip(out.0.as_chunks_mut::<16>().0);
        for (quarter, (low, out)) in quarters.enumerate() {
            // SAFETY: `low`, `out` and a quarter of a line are 16 bytes.
            unsafe {
                let low = vld1q_u8(low.as_ptr());
                let low = if v < 8 { vandq_u8(low, vdupq_n_u8(15)) } else { vshrq_n_u8::<4>(low) };
                let code = if BITS > 4 {
                    let (plane, shift) = plane(BITS, v);
                    let high = vld1q_u8(group[8 + plane].0.as_ptr().add(quarter * 16));
                    // A shift by less than nothing goes to the right; from the fifth bit on they belong.
                    let high = vshlq_u8(high, vdupq_n_s8(4 - shift as i8));
                    vorrq_u8(low, vandq_u8(high, vdupq_n_u8(if BITS == 5 { 0x10 } else { 0x30 })))
                } else {
                    low
                };
                vst1q_u8(out.as_mut_ptr(), code);
            }
        }
    }
}

/// Half-precision numbers `8 i .. 8 i + 8` of a line, widened.
#[inline]
#[target_feature(enable = "neon")]
#[allow(unsafe_code, reason = "vector loads, and an instruction that has no stable intrinsic yet")]
fn halves(line: &Line, i: usize) -> [float32x4_t; 2] {
    let of = &line.0[i * 16..i * 16 + 16];
    let (low, high): (float32x4_t, float32x4_t);
    // SAFETY: `of` is 16 bytes; the instructions are NEON's and touch these registers only.
    unsafe {
        let numbers = vld1q_u8(of.as_ptr());
        asm!("fcvtl {to:v}.4s, {from:v}.4h", to = out(vreg) low, from = in(vreg) numbers,
            options(pure, nomem, nostack, preserves_flags));
        asm!("fcvtl2 {to:v}.4s, {from:v}.8h", to = out(vreg) high, from = in(vreg) numbers,
            options(pure, nomem, nostack, preserves_flags));
    }
    [low, high]
}
