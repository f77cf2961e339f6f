//! The kernels for AVX-512 with VNNI: 64 byte products per instruction, summed in fours. The kernels here read panels
//! as they are stored; `unpacked` has those for many blocks of rows.
//!
//! Must equal [`super::scalar::Scalar`] to the bit.
#![allow(
    clippy::needless_range_loop,
    reason = "loops over registers with bounds known to the compiler, which it unrolls"
)]

mod unpacked;

use super::arena::Line;
use super::packed::{GROUP_CODES, Layout, PANEL, Packed, group_bytes, log_offset, plane};
use super::record::{MASS, MINUS, RECORD, ROWS, Rest, SCALE, STRETCH};
use super::tile::Work;
use super::tile::{Kernel, Rows, Scratch};
use std::arch::asm;
use std::arch::x86_64::*;
use std::hint::black_box;
use unpacked::Unpacked;

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
    fn run(self, work: &Work<'_>, scratch: &mut Scratch) {
        let mut partial = [[0.0; PANEL]; ROWS];
        // SAFETY: `self` is the proof that the machine has the instructions.
        let unpacked = (work.blocks() >= unpacked::MANY).then(|| unsafe { Unpacked::of(work, &mut scratch.panel) });
        for b in 0..work.blocks() {
            let (rows, to) = (work.rows(b), work.sums(b, true, &mut partial));
            let ahead = Ahead::of(work, b);
            if work.writes_to_memory() {
                for at in (0..rows.count).flat_map(|r| [r * to.1, r * to.1 + PANEL / 2]) {
                    // SAFETY: a prefetch writes nothing and may be of any address.
                    unsafe { _mm_prefetch::<_MM_HINT_ET0>(to.0.wrapping_add(at).cast()) };
                }
            }
            // SAFETY: `self` is the proof that the machine has the instructions; `rows` and `to` are what they say.
            unsafe {
                match (rows.count, &unpacked) {
                    (0, _) => {}
                    (4, Some(unpacked)) => unpacked.multiply::<4>(rows, to, ahead),
                    (5, Some(unpacked)) => unpacked.multiply::<5>(rows, to, ahead),
                    (6, Some(unpacked)) => unpacked.multiply::<6>(rows, to, ahead),
                    (1, _) => of_format::<1>(work, rows, to, ahead),
                    (2, _) => of_format::<2>(work, rows, to, ahead),
                    (3, _) => of_format::<3>(work, rows, to, ahead),
                    (4, _) => of_format::<4>(work, rows, to, ahead),
                    (5, _) => of_format::<5>(work, rows, to, ahead),
                    _ => of_format::<6>(work, rows, to, ahead),
                }
            }
            work.store(b, &partial);
        }
    }
}

/// A panel times `R` rows, by the kernel for the format of its weights.
///
/// # Safety
/// The machine has the instructions; `rows` is what its type says, for all groups of the panel; its sums go to `to`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[allow(unsafe_code, reason = "hands on what the caller promises")]
unsafe fn of_format<const R: usize>(work: &Work<'_>, rows: &Rows, to: (*mut f32, usize), ahead: Ahead) {
    let (weights, panel) = (work.weights, work.panel());
    let format = &weights.format;
    // SAFETY: what the caller promises.
    unsafe {
        match (format.bits, format.scales, format.min, format.nested) {
            (4, 1, false, false) => panel_rows::<R, 4, 1, false, false>(weights, panel, rows, to, ahead),
            (4, 1, true, false) => panel_rows::<R, 4, 1, true, false>(weights, panel, rows, to, ahead),
            (5, 1, false, false) => panel_rows::<R, 5, 1, false, false>(weights, panel, rows, to, ahead),
            (5, 1, true, false) => panel_rows::<R, 5, 1, true, false>(weights, panel, rows, to, ahead),
            (4, 1, true, true) => panel_rows::<R, 4, 1, true, true>(weights, panel, rows, to, ahead),
            (5, 1, true, true) => panel_rows::<R, 5, 1, true, true>(weights, panel, rows, to, ahead),
            (4, 2, true, true) => panel_rows::<R, 4, 2, true, true>(weights, panel, rows, to, ahead),
            (4, 2, false, true) => panel_rows::<R, 4, 2, false, true>(weights, panel, rows, to, ahead),
            (6, 2, false, true) => panel_rows::<R, 6, 2, false, true>(weights, panel, rows, to, ahead),
            _ => panel_rows::<R, 8, 1, false, false>(weights, panel, rows, to, ahead),
        }
    }
}

/// What is prefetched while a block of rows is multiplied with a panel.
#[derive(Clone, Copy)]
enum Ahead {
    /// The only block: the part of its own panel that comes soon.
    Near,
    /// One of several blocks: its share of the panel that this thread takes next, which begins `from` bytes after the
    /// start of the current one and is prefetched `lines` cache lines per group. A prefetch fills the cache of the core
    /// that asks, so only the thread's own next panel is of use. The blocks share the work evenly, so that memory is
    /// busy all the time and not during the first block only.
    Next { from: usize, lines: usize },
}

impl Ahead {
    /// For block `b`.
    fn of(work: &Work<'_>, b: usize) -> Self {
        let (panel, groups, blocks) = (size_of_val(work.panel()), work.weights.groups(), work.blocks());
        if blocks == 1 {
            return Self::Near;
        }
        let lines = (panel / 64).div_ceil(groups.max(1) * blocks);
        let done = b * groups * lines * 64;
        Self::Next { from: work.next * panel + done, lines: if done < panel { lines } else { 0 } }
    }
}

/// How far ahead the only block of rows prefetches its panel into L1. L1 can wait for too few lines at a time to use
/// the whole memory bandwidth. On Zen 4 one row was fastest with the smaller distance, four rows with the larger.
const fn near(rows: usize) -> usize {
    if rows == 1 { 1536 } else { 3072 }
}

/// How far ahead it prefetches its panel into L2.
const FAR: usize = 10 << 10;

/// A panel times `R` rows. Codes are unpacked in registers and never stored; `2 R` registers hold integer dot products,
/// `2 R` hold sums.
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
    to: (*mut f32, usize),
    ahead: Ahead,
) {
    let (layout, groups) = (&weights.layout, weights.groups());
    assert!(groups > 0 && layout.group_at(groups - 1) + layout.group <= size_of_val(panel));
    // What the compiler shall know of the layout.
    let span = if NESTED { 8 } else { 1 };
    let size = const { group_bytes(BITS, SCALES, MIN, NESTED) };
    assert!(layout.groups_per_span == span && layout.group == size);
    assert!(MIN || weights.format.offset == 1 << const { log_offset(BITS, SCALES) });
    // SAFETY: by the assertions all groups lie in the panel, and their parts are where `Layout` puts them; what the
    // caller promises.
    unsafe {
        let mut at = panel.as_ptr().cast::<u8>();
        let mut header = at;
        let mut x = rows.words;
        let mut sum = [[_mm512_setzero_ps(); 2]; R];
        for from in (0..groups).step_by(STRETCH) {
            let until = (from + STRETCH).min(groups);
            for g in from..until {
                if NESTED && g % span == 0 {
                    header = at;
                    at = at.add(layout.header);
                }
                // A prefetch reads nothing and may be of any address.
                match ahead {
                    // A loop of unknown length, on purpose: unrolled, the requests come in bursts, and few rows are
                    // read a third slower (measured on Zen 4).
                    Ahead::Near => {
                        for line in 0..black_box(size) / 64 {
                            _mm_prefetch::<_MM_HINT_T0>(at.wrapping_add(const { near(R) } + line * 64).cast());
                            _mm_prefetch::<_MM_HINT_T1>(at.wrapping_add(FAR + line * 64).cast());
                        }
                    }
                    Ahead::Next { from, lines } => {
                        let from = panel.as_ptr().cast::<u8>().wrapping_add(from + g * lines * 64);
                        for line in 0..lines {
                            _mm_prefetch::<_MM_HINT_T1>(from.wrapping_add(line * 64).cast());
                        }
                    }
                }
                group::<R, BITS, SCALES, MIN, NESTED>(layout, (at, header), (x, rows, g), &mut sum);
                at = at.add(size);
                x = x.add(RECORD * R);
            }
            let of_stretch = rows.rests(from);
            if !of_stretch.is_empty() {
                sum = rests::<R, BITS, SCALES, MIN, NESTED>(weights, panel, of_stretch, sum);
            }
        }
        for r in 0..R {
            for h in 0..2 {
                _mm512_storeu_ps(to.0.add(r * to.1 + h * 16), sum[r][h]);
            }
        }
    }
}

/// Adds one group: `at` points to it, `header` to its span's scales, `x` to its record; it is group `g` of the rows.
///
/// # Safety
/// As for [`of_format`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[allow(unsafe_code, reason = "vector loads and reads through pointers")]
unsafe fn group<const R: usize, const BITS: usize, const SCALES: usize, const MIN: bool, const NESTED: bool>(
    layout: &Layout,
    (at, header): (*const u8, *const u8),
    (x, rows, g): (*const u32, &Rows, usize),
    sum: &mut [[__m512; 2]; R],
) {
    let steps = 8 / SCALES;
    for sub in 0..SCALES {
        let from = if NESTED { sub * PANEL } else { sub * PANEL * 2 };
        // What the compiler knows to be the same place it loads once, and then has too few registers for the sums.
        let at = if sub > 0 { black_box(at) } else { at };
        // SAFETY: what the caller promises.
        unsafe {
            // Dot products begin at minus the offset times the sum of the row's codes, so that the offset need not be
            // taken off every weight. Types with minima have no offset.
            let mut dot = [[_mm512_setzero_si512(); 2]; R];
            if !MIN {
                for r in 0..R {
                    let minus = |half: usize| _mm512_set1_epi32(x.add((MINUS + half) * R + r).cast::<i32>().read());
                    let minus = match (SCALES, sub) {
                        (1, _) => minus(0),
                        (_, 0) => _mm512_sub_epi32(minus(0), minus(1)),
                        _ => minus(1),
                    };
                    dot[r] = [times_offset::<BITS, SCALES>(minus); 2];
                }
            }
            // One by one, since shifts must be by constants, and a loop is not always unrolled.
            macro_rules! steps {
                ($($s:literal)*) => {
                    $(if (sub * steps..(sub + 1) * steps).contains(&$s) {
                        let a = weights_at::<BITS>(at, $s * 2);
                        let b = weights_at::<BITS>(at, $s * 2 + 1);
                        for r in 0..R {
                            let four = _mm512_set1_epi32(x.add($s * R + r).cast::<i32>().read());
                            dot[r][0] = _mm512_dpbusd_epi32(dot[r][0], a, four);
                            dot[r][1] = _mm512_dpbusd_epi32(dot[r][1], b, four);
                        }
                    })*
                };
            }
            steps!(0 1 2 3);
            let at = if SCALES == 1 && BITS == 5 { black_box(at) } else { at };
            steps!(4 5 6 7);
            let scale = numbers::<NESTED>(at.add(layout.scales + from), header);
            for r in 0..R {
                let of_row = _mm512_set1_ps(x.add(SCALE * R + r).cast::<f32>().read());
                for h in 0..2 {
                    let factor = _mm512_mul_ps(scale[h], of_row);
                    sum[r][h] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot[r][h]), factor, sum[r][h]);
                }
            }
            if MIN {
                let min = numbers::<NESTED>(at.add(layout.mins + from), header.wrapping_add(PANEL * 2));
                for r in 0..R {
                    let mass = if SCALES == 1 {
                        x.add(MASS * R + r).cast::<f32>().read()
                    } else {
                        (*rows.half_masses[r].add(g))[sub]
                    };
                    for h in 0..2 {
                        sum[r][h] = _mm512_fmadd_ps(min[h], _mm512_set1_ps(mass), sum[r][h]);
                    }
                }
            }
        }
    }
}

/// Times the offset: a shift, which costs no turn of the units that multiply.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn times_offset<const BITS: usize, const SCALES: usize>(x: __m512i) -> __m512i {
    match const { log_offset(BITS, SCALES) } {
        2 => _mm512_slli_epi32::<2>(x),
        3 => _mm512_slli_epi32::<3>(x),
        4 => _mm512_slli_epi32::<4>(x),
        5 => _mm512_slli_epi32::<5>(x),
        _ => _mm512_slli_epi32::<7>(x),
    }
}

/// Adds the products with the rests of a stretch, one rest at a time: two in three groups have none in any of six rows.
/// Sums are passed by value, so that they stay in registers during the long loop over groups.
///
/// # Safety
/// As for [`of_format`].
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[allow(unsafe_code, reason = "vector loads and reads through pointers")]
unsafe fn rests<const R: usize, const BITS: usize, const SCALES: usize, const MIN: bool, const NESTED: bool>(
    weights: &Packed,
    panel: &[Line],
    rests: &[Rest],
    mut sum: [[__m512; 2]; R],
) -> [[__m512; 2]; R] {
    let (layout, base) = (&weights.layout, panel.as_ptr().cast::<u8>());
    let steps = 8 / SCALES;
    let span = if NESTED { 8 } else { 1 };
    // Rows often have rests in the same groups, whose codes are then taken apart once.
    for rests in rests.chunk_by(|a, b| a.group == b.group) {
        let g = rests[0].group as usize;
        // SAFETY: what the caller promises; it has made sure that the groups lie in the panel, and that spans are what
        // is said here.
        unsafe {
            let header = base.add(g / span * (layout.header + span * layout.group));
            let at = header.add(layout.header + g % span * layout.group);
            let of = |v: usize| weights_at::<BITS>(at, v);
            // A loop of sixteen is not unrolled, and shifts would not be known.
            let low = [of(0), of(1), of(2), of(3), of(4), of(5), of(6), of(7)];
            let high = [of(8), of(9), of(10), of(11), of(12), of(13), of(14), of(15)];
            let codes = [low, high];
            let mut scales = [[_mm512_setzero_ps(); 2]; SCALES];
            for (sub, scale) in scales.iter_mut().enumerate() {
                let from = if NESTED { sub * PANEL } else { sub * PANEL * 2 };
                *scale = numbers::<NESTED>(at.add(layout.scales + from), header);
            }
            for rest in rests {
                let sum = &mut sum[rest.row as usize];
                for sub in 0..SCALES {
                    let mut start = _mm512_setzero_si512();
                    if !MIN {
                        let minus = |half: usize| _mm512_set1_epi32(rest.minus[half]);
                        let minus = match (SCALES, sub) {
                            (1, _) => minus(0),
                            (_, 0) => _mm512_sub_epi32(minus(0), minus(1)),
                            _ => minus(1),
                        };
                        start = times_offset::<BITS, SCALES>(minus);
                    }
                    // Two sums of integers each, so that few instructions wait for one another.
                    let mut dot = [[start, _mm512_setzero_si512()]; 2];
                    for s in sub * steps..(sub + 1) * steps {
                        let four = _mm512_set1_epi32(rest.codes.as_ptr().add(s * 4).cast::<i32>().read_unaligned());
                        for h in 0..2 {
                            dot[h][s % 2] = _mm512_dpbusd_epi32(dot[h][s % 2], codes[s / 4][s % 4 * 2 + h], four);
                        }
                    }
                    for h in 0..2 {
                        let dot = _mm512_cvtepi32_ps(_mm512_add_epi32(dot[h][0], dot[h][1]));
                        sum[h] =
                            _mm512_fmadd_ps(dot, _mm512_mul_ps(scales[sub][h], _mm512_set1_ps(rest.scale)), sum[h]);
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
        if BITS == 8 {
            return _mm512_load_si512(at.add(v * 64).cast());
        }
        let low = _mm512_load_si512(at.add(v % 8 * 64).cast());
        let low = if v < 8 { low } else { _mm512_srli_epi16(low, 4) };
        let low_bits = _mm512_set1_epi8(15);
        if BITS == 4 {
            return _mm512_and_si512(low, low_bits);
        }
        let (plane, shift) = plane(BITS, v);
        let high = _mm512_load_si512(at.add(GROUP_CODES / 2 + plane * 64).cast());
        // To where they belong, from the fifth bit on; shifts of a register by constants, once all is unrolled.
        let high = match shift {
            0 => _mm512_slli_epi16(high, 4),
            1 => _mm512_slli_epi16(high, 3),
            2 => _mm512_slli_epi16(high, 2),
            3 => _mm512_slli_epi16(high, 1),
            4 => high,
            5 => _mm512_srli_epi16(high, 1),
            6 => _mm512_srli_epi16(high, 2),
            _ => _mm512_srli_epi16(high, 3),
        };
        let high = _mm512_and_si512(high, _mm512_set1_epi8(if BITS == 5 { 0x10 } else { 0x30 }));
        match BITS {
            5 => or(_mm512_and_si512(low, low_bits), high),
            // `low & low_bits | high`.
            _ => _mm512_ternarylogic_epi32(low, low_bits, high, 0xea),
        }
    }
}

/// `a | b`, which the compiler must not make one instruction with what made `a`: that one (`vpternlogd`) takes turns of
/// the units that multiply, and two simple ones do not (measured on Zen 4; 2 % of a long pass). With six bits there are
/// too few registers for it to pay.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[allow(unsafe_code, reason = "an instruction that has no other name")]
fn or(a: __m512i, b: __m512i) -> __m512i {
    let or;
    // SAFETY: works on registers only; the machine has the instruction.
    unsafe {
        asm!(
            "vpord {}, {}, {}", lateout(zmm_reg) or, in(zmm_reg) a, in(zmm_reg) b,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    or
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
