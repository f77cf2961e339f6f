//! The kernels for ARM's 128-bit vectors: NEON, and the same with the dot product of bytes (`sdot`).
//!
//! Must equal [`super::scalar::Scalar`] to the bit.
//!
//! The 32 registers hold a tile of 6 rows times 8 outputs: 12 registers of integer dot products and 12 of sums, which leaves 8 for
//! weights and codes. Each of a row's registers of 16 codes serves four steps, since `sdot` multiplies by one lane of it; so at 6
//! rows there is less than one load to three dot products, and all of those are independent, which hides their latency on cores
//! with up to four vector units. Fewer rows take more outputs at a time for the same reason.
#![allow(
    clippy::needless_range_loop,
    reason = "loops over registers with bounds known to the compiler, which it unrolls"
)]

use super::activations::GROUP;
use super::arena::Line;
use super::packed::{PANEL, Packed};
use super::tile::{ROWS, Rows, STRETCH, Scratch, Stretch, Tiles};
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

/// `sum + Σ4 weights[0] · lane FIRST of the codes + Σ4 weights[1] · lane NEXT` without `sdot`: the products of neighbours are added
/// in 16 bits, which must not overflow. Of weights of 8 bits two products fit (`2 · 128 · 127`), of those of at most 6 bits four
/// (`4 · 63 · 127`), so that half of the additions fall away.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn dot_neon<const WIDE: bool, const FIRST: i32, const NEXT: i32>(
    sum: int32x4_t,
    weights: [int8x16_t; 2],
    codes: int8x16_t,
) -> int32x4_t {
    let lanes = vreinterpretq_s32_s8(codes);
    let first = vreinterpretq_s8_s32(vdupq_laneq_s32::<FIRST>(lanes));
    let next = vreinterpretq_s8_s32(vdupq_laneq_s32::<NEXT>(lanes));
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
    codes: int8x16_t,
) -> int32x4_t {
    const { assert!(FIRST >= 0 && FIRST < 4 && NEXT >= 0 && NEXT < 4) };
    // SAFETY: the instruction is among the features of this function and touches these registers only.
    unsafe {
        asm!(
            "sdot {sum:v}.4s, {weights:v}.16b, {codes:v}.4b[{lane}]",
            sum = inout(vreg) sum, weights = in(vreg) weights[0], codes = in(vreg) codes, lane = const FIRST,
            options(pure, nomem, nostack, preserves_flags)
        );
        asm!(
            "sdot {sum:v}.4s, {weights:v}.16b, {codes:v}.4b[{lane}]",
            sum = inout(vreg) sum, weights = in(vreg) weights[1], codes = in(vreg) codes, lane = const NEXT,
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
                let (scales, sums) = (&rows.scales, &rows.sums);
                for column in (0..PANEL).step_by(C * 4) {
                    let mut sum = [[vdupq_n_f32(0.0); C]; R];
                    if !rows.fresh {
                        for r in 0..R {
                            for c in 0..C {
                                // SAFETY: what the caller promises.
                                sum[r][c] = unsafe { vld1q_f32(sums[r].add(column + c * 4)) };
                            }
                        }
                    }
                    // Once with the codes; where there are any, once with the rests.
                    let with_rests = (0..groups).filter(|g| rows.have_rests(*g));
                    let passes = (0..groups).map(|g| (g, 0)).chain(with_rests.map(|g| (g, 1)));
                    for (g, rest) in passes {
                        // SAFETY: the assertions above and what the caller promises: each row has codes and scales for `groups` groups, the stretch has 16
                        // vectors of 64 bytes every `stride` for each and `SCALES * PANEL` scales (and minima).
                        unsafe {
                            let vectors = stretch.codes.as_ptr().add(g * stretch.stride).cast::<i8>().add(column * 4);
                            for sub in 0..SCALES {
                                let at = (g * SCALES + sub) * PANEL + column;
                                let codes = if rest == 0 { &rows.codes } else { &rows.rests };
                                let mut dot = [[vdupq_n_s32(0); C]; R];
                                // Weights of 8 bits are made signed, which takes their offset off.
                                if !MIN && !WIDE {
                                    for r in 0..R {
                                        let of_row = &*scales[r].add(g);
                                        let codes = match (SCALES, rest) {
                                            (1, 0) => of_row.sum,
                                            (1, _) => of_row.rest_sum,
                                            (_, 0) => of_row.half_sum[sub],
                                            _ => of_row.half_rest_sum[sub],
                                        };
                                        dot[r] = [vdupq_n_s32(-stretch.offset * codes); C];
                                    }
                                }
                                for half in sub..sub + 2 / SCALES {
                                    let mut of_rows = [vdupq_n_s8(0); R];
                                    for r in 0..R {
                                        of_rows[r] = vld1q_s8(codes[r].add(g * GROUP + half * 16));
                                    }
                                    let vectors = vectors.add(half * 512);
                                    products::<R, C, WIDE, 0, 1>(vectors, &of_rows, &mut dot);
                                    products::<R, C, WIDE, 2, 3>(vectors.add(256), &of_rows, &mut dot);
                                }
                                for c in 0..C {
                                    let scale = vld1q_f32(stretch.scales.as_ptr().add(at + c * 4));
                                    for r in 0..R {
                                        let of_row = &*scales[r].add(g);
                                        let of_row = if rest == 0 { of_row.scale } else { of_row.rest_scale };
                                        let factor = vmulq_n_f32(scale, of_row);
                                        sum[r][c] = vfmaq_f32(sum[r][c], vcvtq_f32_s32(dot[r][c]), factor);
                                    }
                                }
                                if MIN && rest == 0 {
                                    for c in 0..C {
                                        let min = vld1q_f32(stretch.mins.as_ptr().add(at + c * 4));
                                        for r in 0..R {
                                            let of_row = &*scales[r].add(g);
                                            let mass = if SCALES == 1 { of_row.mass } else { of_row.half_mass[sub] };
                                            sum[r][c] = vfmaq_n_f32(sum[r][c], min, mass);
                                        }
                                    }
                                }
                            }
                        }
                    }
                    for r in 0..R {
                        for c in 0..C {
                            // SAFETY: what the caller promises.
                            unsafe { vst1q_f32(sums[r].add(column + c * 4), sum[r][c]) };
                        }
                    }
                }
            }

            /// Adds the products of two steps (of four inputs each) to `4 C` outputs of `R` rows, whose codes are in two lanes.
            ///
            /// # Safety
            /// From `vectors` on there are the weights of these outputs for one step, and 128 bytes further for the next.
            #[inline]
            #[target_feature(enable = $features)]
            #[allow(unsafe_code, reason = "vector loads")]
            unsafe fn products<const R: usize, const C: usize, const WIDE: bool, const FIRST: i32, const NEXT: i32>(
                vectors: *const i8,
                codes: &[int8x16_t; R],
                dot: &mut [[int32x4_t; C]; R],
            ) {
                for c in 0..C {
                    // SAFETY: what the caller promises.
                    let mut weights = unsafe { [vld1q_s8(vectors.add(c * 16)), vld1q_s8(vectors.add(c * 16 + 128))] };
                    if WIDE {
                        let sign = vdupq_n_s8(i8::MIN);
                        weights = [veorq_s8(weights[0], sign), veorq_s8(weights[1], sign)];
                    }
                    for r in 0..R {
                        dot[r][c] = $dot::<WIDE, FIRST, NEXT>(dot[r][c], weights, codes[r]);
                    }
                }
            }
        }
    };
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
    let (low, high) = out.split_at_mut(8);
    let masks = &group[8..8 + (BITS - 4) * 2];
    for (v, ((packed, low), high)) in group.iter().zip(low).zip(high).enumerate() {
        for (quarter, packed) in packed.0.as_chunks::<16>().0.iter().enumerate() {
            // SAFETY: `packed` is 16 bytes.
            let packed = unsafe { vld1q_u8(packed.as_ptr()) };
            let mut codes = [vandq_u8(packed, vdupq_n_u8(15)), vshrq_n_u8::<4>(packed)];
            for bit in 0..BITS - 4 {
                for (half, codes) in codes.iter_mut().enumerate() {
                    let mask = &masks[bit * 2 + half].0[v % 8 * 8 + quarter * 2..];
                    *codes = vorrq_u8(*codes, vandq_u8(where_set([mask[0], mask[1]]), vdupq_n_u8(16 << bit)));
                }
            }
            // SAFETY: both are 16 bytes.
            unsafe {
                vst1q_u8(low.0[quarter * 16..quarter * 16 + 16].as_mut_ptr(), codes[0]);
                vst1q_u8(high.0[quarter * 16..quarter * 16 + 16].as_mut_ptr(), codes[1]);
            }
        }
    }
}

/// All ones in the bytes whose bit in the mask of 16 is set.
#[inline]
#[target_feature(enable = "neon")]
fn where_set(mask: [u8; 2]) -> uint8x16_t {
    // Byte i looks at byte i / 8 of the mask, and there at bit i % 8.
    let which = vcreate_u8(0x8040_2010_0804_0201);
    vcombine_u8(vtst_u8(vdup_n_u8(mask[0]), which), vtst_u8(vdup_n_u8(mask[1]), which))
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
