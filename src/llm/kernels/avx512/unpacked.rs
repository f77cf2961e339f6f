//! The kernels for many blocks of rows. What would compete with the multiplication of bytes is done once per panel for
//! all blocks and kept in L2: codes of 5 and 6 bits are spread to bytes, and the scales of the panel are multiplied
//! with all scales that a row can have, up to a power of two. On Zen 4 both would take turns of the units that multiply
//! bytes.
//!
//! Must equal [`super::super::scalar::Scalar`] to the bit.
#![allow(
    clippy::needless_range_loop,
    reason = "loops over registers with bounds known to the compiler, which it unrolls"
)]

use super::super::arena::Line;
use super::super::packed::{Layout, PANEL, Packed};
use super::super::record::{MASS, MINUS, RECORD, Rest, SCALE, STRETCH};
use super::super::tile::Work;
use super::super::tile::{Rows, start};
use super::{Ahead, numbers, weights_at};
use std::arch::x86_64::*;

/// With fewer blocks it is faster to multiply with the panel as it is.
pub const MANY: usize = 4;

/// Vectors of the codes of a group.
const CODES: usize = 16;

/// Vectors of the multiples of one scale: four to seven quarters, each of both halves of the outputs.
const MULTIPLES: usize = 8;

/// The bits of 1.
const ONE: i32 = 127 << 23;

/// A panel with what was made of it: the codes of all groups where they have 5 or 6 bits, then for each group multiples
/// of each scale and minima of each scale.
pub struct Unpacked<'a> {
    weights: &'a Packed,
    panel: &'a [Line],
    room: &'a [Line],
}

/// Whether codes of so many bits are spread. Those of 4 bits take only a shift and a mask.
const fn spread(bits: usize) -> bool {
    bits == 5 || bits == 6
}

/// Vectors of a group in the room, besides its codes.
const fn stride(scales: usize, min: bool) -> usize {
    scales * (MULTIPLES + if min { 2 } else { 0 })
}

/// Vectors of codes of a group in the room, which come before all else.
const fn codes(bits: usize) -> usize {
    if spread(bits) { CODES } else { 0 }
}

impl<'a> Unpacked<'a> {
    /// Of the panel of `work`.
    ///
    /// # Safety
    /// The machine has the instructions.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    #[allow(unsafe_code, reason = "hands on what the caller promises")]
    pub unsafe fn of(work: &'a Work<'_>, room: &'a mut Vec<Line>) -> Self {
        let (weights, panel) = (work.weights, work.panel());
        let (format, layout, groups) = (&weights.format, &weights.layout, weights.groups());
        assert!(groups > 0 && layout.group_at(groups - 1) + layout.group <= size_of_val(panel));
        let lines = groups * (codes(format.bits) + stride(format.scales, format.min));
        if room.len() < lines {
            room.resize(lines, Line([0; 64]));
        }
        // SAFETY: what the caller promises; the assertion, and the room that was made.
        unsafe {
            match (format.bits, format.nested) {
                (4, false) => unpack::<4, false>(weights, panel, room),
                (4, true) => unpack::<4, true>(weights, panel, room),
                (5, false) => unpack::<5, false>(weights, panel, room),
                (5, true) => unpack::<5, true>(weights, panel, room),
                (6, _) => unpack::<6, true>(weights, panel, room),
                _ => unpack::<8, false>(weights, panel, room),
            }
        }
        Self { weights, panel, room }
    }

    /// Times `R` rows, by the kernel for the format of the weights.
    ///
    /// # Safety
    /// The machine has the instructions; `rows` is what its type says, for all groups of the panel; its sums go to
    /// `to`.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    #[allow(unsafe_code, reason = "hands on what the caller promises")]
    pub unsafe fn multiply<const R: usize>(&self, rows: &Rows, to: (*mut f32, usize), ahead: Ahead) {
        let format = &self.weights.format;
        // SAFETY: what the caller promises.
        unsafe {
            match (format.bits, format.scales, format.min) {
                (4, 1, false) => self.rows::<R, 4, 1, false>(rows, to, ahead),
                (4, 1, true) => self.rows::<R, 4, 1, true>(rows, to, ahead),
                (4, _, false) => self.rows::<R, 4, 2, false>(rows, to, ahead),
                (4, _, true) => self.rows::<R, 4, 2, true>(rows, to, ahead),
                (5, _, false) => self.rows::<R, 5, 1, false>(rows, to, ahead),
                (5, _, true) => self.rows::<R, 5, 1, true>(rows, to, ahead),
                (6, _, _) => self.rows::<R, 6, 2, false>(rows, to, ahead),
                _ => self.rows::<R, 8, 1, false>(rows, to, ahead),
            }
        }
    }

    /// Times `R` rows; `2 R` registers hold integer dot products, `2 R` sums.
    ///
    /// # Safety
    /// As for [`Self::multiply`]; the parameters are those of the format of the weights.
    #[inline(never)]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    #[allow(unsafe_code, reason = "vector loads and stores without bounds checks in the innermost loop")]
    unsafe fn rows<const R: usize, const BITS: usize, const SCALES: usize, const MIN: bool>(
        &self,
        rows: &Rows,
        to: (*mut f32, usize),
        ahead: Ahead,
    ) {
        let Layout { header, group: bytes, groups_per_span, .. } = self.weights.layout;
        let (groups, offset) = (self.weights.groups(), self.weights.format.offset);
        let (next, lines) = match ahead {
            Ahead::Near => (0, 0),
            Ahead::Next { from, lines } => (from, lines),
        };
        let next = self.panel.as_ptr().cast::<u8>().wrapping_add(next);
        // SAFETY: what the caller promises, and what `of` made.
        unsafe {
            let mut unpacked = self.room.as_ptr().cast::<__m512i>();
            let mut made = unpacked.add(groups * const { codes(BITS) });
            let mut packed = self.panel.as_ptr().cast::<u8>();
            let mut x = rows.words;
            let mut sum = [[_mm512_setzero_ps(); 2]; R];
            for from in (0..groups).step_by(STRETCH) {
                for g in from..(from + STRETCH).min(groups) {
                    for line in g * lines..(g + 1) * lines {
                        // A prefetch reads nothing and may be of any address.
                        _mm_prefetch::<_MM_HINT_T1>(next.wrapping_add(line * 64).cast());
                    }
                    if header > 0 && g % groups_per_span == 0 {
                        packed = packed.add(header);
                    }
                    let codes_at = if const { spread(BITS) } { unpacked.cast() } else { packed };
                    unpacked = unpacked.add(const { codes(BITS) });
                    group::<R, BITS, SCALES, MIN>((codes_at, made), offset, (x, rows, g), &mut sum);
                    packed = packed.add(bytes);
                    made = made.add(const { stride(SCALES, MIN) });
                    x = x.add(RECORD * R);
                }
                let of_stretch = rows.rests(from);
                if !of_stretch.is_empty() {
                    // A copy, so that the sums themselves stay in registers where most of the time is spent.
                    let mut with_rests = sum;
                    self.rests::<R, BITS, SCALES, MIN>(of_stretch, &mut with_rests);
                    sum = with_rests;
                }
            }
            for r in 0..R {
                for h in 0..2 {
                    _mm512_storeu_ps(to.0.add(r * to.1 + h * 16), sum[r][h]);
                }
            }
        }
    }

    /// Adds the products with the rests of a stretch, one by one: two in three groups have none in any of six rows.
    ///
    /// # Safety
    /// As for [`Self::rows`].
    #[inline(never)]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    #[allow(unsafe_code, reason = "vector loads and reads through pointers")]
    unsafe fn rests<const R: usize, const BITS: usize, const SCALES: usize, const MIN: bool>(
        &self,
        rests: &[Rest],
        sum: &mut [[__m512; 2]; R],
    ) {
        let steps = 8 / SCALES;
        let (layout, offset) = (&self.weights.layout, self.weights.format.offset);
        for rest in rests {
            let g = rest.group as usize;
            // SAFETY: what the caller promises.
            unsafe {
                let packed = self.panel.as_ptr().cast::<u8>().add(layout.group_at(g));
                let unpacked = self.room.as_ptr().cast::<__m512i>();
                let made =
                    unpacked.add(self.weights.groups() * const { codes(BITS) } + g * const { stride(SCALES, MIN) });
                let codes = if const { spread(BITS) } { unpacked.add(g * CODES).cast() } else { packed };
                let sum = &mut sum[rest.row as usize];
                for sub in 0..SCALES {
                    let start = if MIN { 0 } else { start::<SCALES>(offset, rest.minus, sub) };
                    // Two sums of integers each, so that few instructions wait for one another.
                    let mut dot = [[_mm512_set1_epi32(start), _mm512_setzero_si512()]; 2];
                    for s in sub * steps..(sub + 1) * steps {
                        let four = _mm512_set1_epi32(rest.codes.as_ptr().add(s * 4).cast::<i32>().read_unaligned());
                        for h in 0..2 {
                            dot[h][s % 2] = _mm512_dpbusd_epi32(dot[h][s % 2], code::<BITS>(codes, s * 2 + h), four);
                        }
                    }
                    for h in 0..2 {
                        let scale = _mm512_add_epi32(made.add(sub * MULTIPLES + h).read(), _mm512_set1_epi32(ONE));
                        let factor = _mm512_mul_ps(_mm512_castsi512_ps(scale), _mm512_set1_ps(rest.scale));
                        let dot = _mm512_cvtepi32_ps(_mm512_add_epi32(dot[h][0], dot[h][1]));
                        sum[h] = _mm512_fmadd_ps(dot, factor, sum[h]);
                    }
                }
            }
        }
    }
}

/// Makes what [`Unpacked`] has of each group.
///
/// # Safety
/// The machine has the instructions; the panel has the groups, the parameters are those of its format, and there is
/// room.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[allow(unsafe_code, reason = "vector loads and stores")]
unsafe fn unpack<const BITS: usize, const NESTED: bool>(weights: &Packed, panel: &[Line], room: &mut [Line]) {
    let (layout, format) = (&weights.layout, &weights.format);
    let per_scale = if NESTED { PANEL } else { PANEL * 2 };
    let mut unpacked = room.as_mut_ptr().cast::<__m512i>();
    // SAFETY: there is room for the codes of all groups first.
    let mut to = unsafe { unpacked.add(weights.groups() * const { codes(BITS) }) };
    for g in 0..weights.groups() {
        // SAFETY: what the caller promises; the parts of a group are where `Layout` puts them.
        unsafe {
            let base = panel.as_ptr().cast::<u8>();
            let (at, header) = (base.add(layout.group_at(g)), base.add(layout.span_at(g)));
            if const { spread(BITS) } {
                // One by one, since shifts must be by constants, and a loop is not always unrolled.
                macro_rules! unpack_codes {
                    ($($v:literal)*) => { $(unpacked.add($v).write(weights_at::<BITS>(at, $v));)* };
                }
                unpack_codes!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
                unpacked = unpacked.add(CODES);
            }
            for sub in 0..format.scales {
                let scale = numbers::<NESTED>(at.add(layout.scales + sub * per_scale), header);
                for h in 0..2 {
                    for (quarters, multiple) in multiples(scale[h]).into_iter().enumerate() {
                        to.add(quarters * 2 + h).write(multiple);
                    }
                }
                to = to.add(MULTIPLES);
            }
            for sub in 0..if format.min { format.scales } else { 0 } {
                let min = numbers::<NESTED>(at.add(layout.mins + sub * per_scale), header.wrapping_add(PANEL * 2));
                for h in 0..2 {
                    to.add(h).write(_mm512_castps_si512(min[h]));
                }
                to = to.add(2);
            }
        }
    }
}

/// Of 16 scales, four to seven quarters, exactly (scales have 18 bits at most); as bits, less those that the scale of a
/// row has beyond its power of two. One addition of integers, of the bits of that scale, is then the product with it.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn multiples(scale: __m512) -> [__m512i; 4] {
    // The bits of zero cannot be added to; any other number will do, since products with codes of such a scale are zero
    // (`Block::settle`).
    let zero = _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(scale, _mm512_setzero_ps());
    let scale = _mm512_mask_mov_ps(scale, zero, _mm512_set1_ps(1.0));
    let quarter = _mm512_mul_ps(scale, _mm512_set1_ps(0.25));
    let mut multiple = scale;
    std::array::from_fn(|quarters| {
        let of_row = ONE + ((quarters as i32) << 21);
        let bits = _mm512_sub_epi32(_mm512_castps_si512(multiple), _mm512_set1_epi32(of_row));
        multiple = _mm512_add_ps(multiple, quarter);
        bits
    })
}

/// Vector `v` of the codes of a group that were `BITS` bits long.
///
/// # Safety
/// As for [`weights_at`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[allow(unsafe_code, reason = "hands on what the caller promises")]
unsafe fn code<const BITS: usize>(at: *const u8, v: usize) -> __m512i {
    // SAFETY: what the caller promises.
    unsafe { if BITS == 4 { weights_at::<4>(at, v) } else { weights_at::<8>(at, v) } }
}

/// Adds one group: `codes` are its codes, `made` what was made of its scales, `x` is its record; it is group `g` of the
/// rows.
///
/// # Safety
/// As for [`Unpacked::rows`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[allow(unsafe_code, reason = "vector loads and reads through pointers")]
unsafe fn group<const R: usize, const BITS: usize, const SCALES: usize, const MIN: bool>(
    (codes, made): (*const u8, *const __m512i),
    offset: i32,
    (x, rows, g): (*const u32, &Rows, usize),
    sum: &mut [[__m512; 2]; R],
) {
    let steps = 8 / SCALES;
    for sub in 0..SCALES {
        // SAFETY: what the caller promises.
        unsafe {
            let mut dot = [[_mm512_setzero_si512(); 2]; R];
            // Types with minima have no offset.
            for r in 0..if MIN { 0 } else { R } {
                let minus = [0, 1].map(|half| x.add((MINUS + half) * R + r).cast::<i32>().read());
                dot[r] = [_mm512_set1_epi32(start::<SCALES>(offset, minus, sub)); 2];
            }
            for s in sub * steps..(sub + 1) * steps {
                let (a, b) = (code::<BITS>(codes, s * 2), code::<BITS>(codes, s * 2 + 1));
                for r in 0..R {
                    let four = _mm512_set1_epi32(x.add(s * R + r).cast::<i32>().read());
                    dot[r][0] = _mm512_dpbusd_epi32(dot[r][0], a, four);
                    dot[r][1] = _mm512_dpbusd_epi32(dot[r][1], b, four);
                }
            }
            for r in 0..R {
                // One by one: the compiler would make vectors of these steps, and wait for them.
                let scale = x.add(SCALE * R + r).cast::<i32>().read_volatile();
                let quarters = (scale >> 21 & 3) as usize;
                for h in 0..2 {
                    let multiple = made.add(sub * MULTIPLES + quarters * 2 + h).read();
                    let factor = _mm512_castsi512_ps(_mm512_add_epi32(multiple, _mm512_set1_epi32(scale)));
                    sum[r][h] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot[r][h]), factor, sum[r][h]);
                }
            }
            if MIN {
                let min = made.add(SCALES * MULTIPLES + sub * 2).cast::<__m512>();
                for r in 0..R {
                    let mass = if SCALES == 1 {
                        x.add(MASS * R + r).cast::<f32>().read()
                    } else {
                        (*rows.half_masses[r].add(g))[sub]
                    };
                    for h in 0..2 {
                        sum[r][h] = _mm512_fmadd_ps(min.add(h).read(), _mm512_set1_ps(mass), sum[r][h]);
                    }
                }
            }
        }
    }
}
