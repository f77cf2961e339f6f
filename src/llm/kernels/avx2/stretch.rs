//! A stretch of a panel, packed or unpacked, and how a kernel reads the codes and scales of a quarter (8 outputs) from
//! it.
//!
//! Must give the numbers that [`super::super::packed`] describes, in either form.

use super::super::arena::Line;
use super::super::packed::{GROUP_CODES, PANEL, Packed, group_bytes};
use super::super::tile::Scratch;
use std::arch::x86_64::*;
use std::ops::Range;

/// Some groups of a panel.
#[derive(Clone, Copy)]
pub struct Stretch<'a> {
    /// The matrix.
    pub weights: &'a Packed,
    /// The groups' numbers in the panel.
    pub first: usize,
    /// How many there are.
    pub groups: usize,
    panel: &'a [Line],
    /// The same taken apart: 16 vectors of codes to a group, `[group][scale][output]` numbers.
    scratch: Option<&'a Scratch>,
}

/// Where the parts of a group are.
#[derive(Clone, Copy)]
pub struct Group {
    codes: *const u8,
    scales: *const u8,
    mins: *const u8,
    header: *const u8,
}

impl<'a> Stretch<'a> {
    /// Groups `of` of a panel, taken apart into `scratch` if `unpack`.
    ///
    /// # Safety
    /// The machine has AVX2, FMA and half-precision conversion.
    #[target_feature(enable = "avx2,fma,f16c")]
    #[allow(unsafe_code, reason = "hands on what the caller promises")]
    pub unsafe fn new(
        weights: &'a Packed,
        panel: &'a [Line],
        of: Range<usize>,
        unpack: bool,
        scratch: &'a mut Scratch,
    ) -> Self {
        let layout = &weights.layout;
        assert!(!of.is_empty() && of.end <= weights.groups());
        assert!(layout.group_at(of.end - 1) + layout.group <= size_of_val(panel));
        let mut stretch = Self { weights, first: of.start, groups: of.len(), panel, scratch: None };
        if unpack {
            let f = &weights.format;
            // SAFETY: all groups lie in the panel, and the parameters are those of the format.
            unsafe {
                match (f.bits, f.scales, f.min, f.nested) {
                    (4, 1, false, false) => unpack_into::<4, 1, false, false>(&stretch, scratch),
                    (4, 1, true, false) => unpack_into::<4, 1, true, false>(&stretch, scratch),
                    (5, 1, false, false) => unpack_into::<5, 1, false, false>(&stretch, scratch),
                    (5, 1, true, false) => unpack_into::<5, 1, true, false>(&stretch, scratch),
                    (4, 1, true, true) => unpack_into::<4, 1, true, true>(&stretch, scratch),
                    (5, 1, true, true) => unpack_into::<5, 1, true, true>(&stretch, scratch),
                    (4, 2, true, true) => unpack_into::<4, 2, true, true>(&stretch, scratch),
                    (4, 2, false, true) => unpack_into::<4, 2, false, true>(&stretch, scratch),
                    (6, 2, false, true) => unpack_into::<6, 2, false, true>(&stretch, scratch),
                    _ => return stretch,
                }
            }
            stretch.scratch = Some(scratch);
        }
        stretch
    }

    /// Whether it was taken apart.
    pub fn is_unpacked(&self) -> bool {
        self.scratch.is_some()
    }

    /// Where group `g` of the stretch is, for the parameters of its format; `PLAIN` if it was taken apart.
    #[inline(always)]
    pub fn group<const BITS: usize, const SCALES: usize, const MIN: bool, const NESTED: bool, const PLAIN: bool>(
        &self,
        g: usize,
    ) -> Group {
        if PLAIN && let Some(scratch) = self.scratch {
            let numbers = g * SCALES * PANEL * 4;
            return Group {
                codes: scratch.codes.as_ptr().cast::<u8>().wrapping_add(g * GROUP_CODES),
                scales: scratch.scales.as_ptr().cast::<u8>().wrapping_add(numbers),
                mins: scratch.mins.as_ptr().cast::<u8>().wrapping_add(numbers),
                header: std::ptr::null(),
            };
        }
        let (base, g) = (self.panel.as_ptr().cast::<u8>(), self.first + g);
        let size = const { group_bytes(BITS, SCALES, MIN, NESTED) };
        let headers = const { if MIN { PANEL * 4 } else { PANEL * 2 } };
        let header = base.wrapping_add(if NESTED { g / 8 * (headers + 8 * size) } else { 0 });
        let codes = match NESTED {
            true => header.wrapping_add(headers + g % 8 * size),
            false => base.wrapping_add(g * size),
        };
        let scales = codes.wrapping_add(GROUP_CODES * BITS / 8);
        let mins = scales.wrapping_add(PANEL * SCALES * if NESTED { 1 } else { 2 });
        Group { codes, scales, mins, header }
    }
}

impl Group {
    /// The scales number `sub` of the eight outputs of a quarter.
    ///
    /// # Safety
    /// The group is where it says and of this kind; the machine has the instructions.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    #[allow(unsafe_code, reason = "hands on what the caller promises")]
    pub unsafe fn scales<const NESTED: bool, const PLAIN: bool>(self, sub: usize, quarter: usize) -> __m256 {
        // SAFETY: what the caller promises.
        unsafe { of_quarter::<NESTED, PLAIN>(self.scales, self.header, sub, quarter) }
    }

    /// The minima, likewise.
    ///
    /// # Safety
    /// As for [`Self::scales`].
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    #[allow(unsafe_code, reason = "hands on what the caller promises")]
    pub unsafe fn mins<const NESTED: bool, const PLAIN: bool>(self, sub: usize, quarter: usize) -> __m256 {
        // SAFETY: what the caller promises.
        unsafe { of_quarter::<NESTED, PLAIN>(self.mins, self.header.wrapping_add(PANEL * 2), sub, quarter) }
    }

    /// The codes of inputs `4 STEP .. 4 STEP + 4` for the eight outputs of a quarter, spread to bytes.
    ///
    /// # Safety
    /// As for [`Self::scales`].
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    #[allow(unsafe_code, reason = "vector loads")]
    pub unsafe fn codes<const BITS: usize, const PLAIN: bool, const STEP: usize>(self, quarter: usize) -> __m256i {
        let at = self.codes.wrapping_add(quarter * 32);
        // SAFETY: what the caller promises; in stored vectors of 64 bytes two quarters stand side by side, see
        // `packed`.
        unsafe {
            if PLAIN || BITS == 8 {
                return _mm256_load_si256(at.add(STEP * 128).cast());
            }
            let low = _mm256_load_si256(at.add(STEP % 4 * 128).cast());
            let low = if STEP < 4 { low } else { _mm256_srli_epi16::<4>(low) };
            let low = _mm256_and_si256(low, _mm256_set1_epi8(15));
            if BITS == 4 {
                return low;
            }
            // Vectors 2 STEP and 2 STEP + 1 have their upper bits `STEP` (`STEP / 2 * 2`) places up, see
            // `packed::plane`.
            let (plane, shift) = if BITS == 5 { (0, STEP) } else { (STEP % 2 * 128, STEP / 2 * 2) };
            let high = _mm256_load_si256(at.add(GROUP_CODES / 2 + plane).cast());
            let high = match shift {
                0 => _mm256_slli_epi16::<4>(high),
                1 => _mm256_slli_epi16::<3>(high),
                2 => _mm256_slli_epi16::<2>(high),
                3 => _mm256_slli_epi16::<1>(high),
                4 => high,
                5 => _mm256_srli_epi16::<1>(high),
                6 => _mm256_srli_epi16::<2>(high),
                _ => _mm256_srli_epi16::<3>(high),
            };
            _mm256_or_si256(low, _mm256_and_si256(high, _mm256_set1_epi8(if BITS == 5 { 0x10 } else { 0x30 })))
        }
    }
}

/// Eight of the numbers that begin at `from`: floats, half-precision numbers, or 8-bit ones times the half-precision
/// ones of the span.
///
/// # Safety
/// As for [`Group::scales`].
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
#[allow(unsafe_code, reason = "vector loads")]
unsafe fn of_quarter<const NESTED: bool, const PLAIN: bool>(
    from: *const u8,
    header: *const u8,
    sub: usize,
    quarter: usize,
) -> __m256 {
    let at = sub * PANEL + quarter * 8;
    // SAFETY: what the caller promises.
    unsafe {
        if PLAIN {
            return _mm256_load_ps(from.add(at * 4).cast());
        }
        if NESTED {
            let small = _mm256_cvtepi8_epi32(_mm_loadl_epi64(from.add(at).cast()));
            let of_span = _mm256_cvtph_ps(_mm_loadu_si128(header.add(quarter * 16).cast()));
            return _mm256_mul_ps(_mm256_cvtepi32_ps(small), of_span);
        }
        _mm256_cvtph_ps(_mm_loadu_si128(from.add(at * 2).cast()))
    }
}

/// Takes a stretch apart.
///
/// # Safety
/// The machine has the instructions; the parameters are those of the format.
#[target_feature(enable = "avx2,fma,f16c")]
#[allow(unsafe_code, reason = "vector stores")]
unsafe fn unpack_into<const BITS: usize, const SCALES: usize, const MIN: bool, const NESTED: bool>(
    stretch: &Stretch<'_>,
    scratch: &mut Scratch,
) {
    let codes = &mut scratch.codes[..stretch.groups * (GROUP_CODES / 64)];
    let (codes, numbers) = (codes.as_mut_ptr().cast::<__m256i>(), stretch.groups * SCALES * PANEL);
    let (scales, mins) = (scratch.scales[..numbers].as_mut_ptr(), scratch.mins[..numbers].as_mut_ptr());
    for g in 0..stretch.groups {
        let group = stretch.group::<BITS, SCALES, MIN, NESTED, false>(g);
        for quarter in 0..4 {
            // SAFETY: what the caller promises; there is room for 32 vectors and `SCALES` times 32 numbers a group.
            unsafe {
                // One by one, since shifts must be by constants.
                macro_rules! steps {
                    ($($s:literal)*) => {
                        $(_mm256_store_si256(codes.add(g * 32 + $s * 4 + quarter), group.codes::<BITS, false, $s>(quarter));)*
                    };
                }
                steps!(0 1 2 3 4 5 6 7);
                for sub in 0..SCALES {
                    let at = (g * SCALES + sub) * PANEL + quarter * 8;
                    _mm256_storeu_ps(scales.add(at), group.scales::<NESTED, false>(sub, quarter));
                    if MIN {
                        _mm256_storeu_ps(mins.add(at), group.mins::<NESTED, false>(sub, quarter));
                    }
                }
            }
        }
    }
}
