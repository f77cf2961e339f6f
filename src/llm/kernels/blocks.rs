//! The blocks of ggml's quantised types, taken apart: integer codes, scales and minima, still unmultiplied. A value is
//! `scale * (code - offset) + min`.
//!
//! Must lose nothing: what comes out is the block's exact values. The layouts are those of `ggml-common.h` and
//! `ggml-quants.c`.

use super::super::gguf::GgmlType;
use super::record::GROUP;
use half::f16;

/// How the weights of one type are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// The type in the file.
    pub dtype: GgmlType,
    /// Bits per code: 4, 5, 6 or 8.
    pub bits: usize,
    /// The code that stands for zero.
    pub offset: i32,
    /// Scales per 32 codes: 1 or 2.
    pub scales: usize,
    /// Whether blocks have a minimum.
    pub min: bool,
    /// Whether the scale of a block is an 8-bit number times a half-precision one of 256 codes, instead of half
    /// precision.
    pub nested: bool,
}

impl Format {
    /// Of a type; `None` for floats and for types that cannot be read.
    pub fn of(dtype: GgmlType) -> Option<Self> {
        let format = |bits, offset, scales, min, nested| Some(Self { dtype, bits, offset, scales, min, nested });
        match dtype {
            GgmlType::Q4_0 => format(4, 8, 1, false, false),
            GgmlType::Q4_1 => format(4, 0, 1, true, false),
            GgmlType::Q5_0 => format(5, 16, 1, false, false),
            GgmlType::Q5_1 => format(5, 0, 1, true, false),
            GgmlType::Q8_0 => format(8, 128, 1, false, false),
            GgmlType::Q2_K => format(4, 0, 2, true, true),
            GgmlType::Q3_K => format(4, 4, 2, false, true),
            GgmlType::Q4_K => format(4, 0, 1, true, true),
            GgmlType::Q5_K => format(5, 0, 1, true, true),
            GgmlType::Q6_K => format(6, 32, 2, false, true),
            GgmlType::F32 | GgmlType::F16 | GgmlType::BF16 | GgmlType::Other(_) => None,
        }
    }

    /// Codes per block of the file.
    pub fn span(&self) -> usize {
        if self.nested { 256 } else { 32 }
    }
}

/// One block, taken apart. Only the first 32 codes count for types with blocks of 32.
pub struct Block {
    /// The codes.
    pub codes: [u8; 256],
    /// Half-precision scale of the block.
    pub scale: u16,
    /// Half-precision minimum of the block (or the factor of the nested minima), with the sign it is added with.
    pub min: u16,
    /// Nested scales, in order.
    pub scales: [i8; 16],
    /// Nested minima, in order; they share the sign of `min`.
    pub mins: [i8; 16],
}

impl Default for Block {
    fn default() -> Self {
        Self { codes: [0; 256], scale: 0, min: 0, scales: [0; 16], mins: [0; 16] }
    }
}

/// The sign bit of half precision.
const SIGN: u16 = 0x8000;

impl Block {
    /// Takes `bytes`, one block of `dtype`, apart.
    pub fn read(&mut self, dtype: GgmlType, bytes: &[u8]) {
        let half = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        match dtype {
            GgmlType::Q4_0 => {
                self.scale = half(0);
                self.nibbles(&bytes[2..18]);
            }
            GgmlType::Q4_1 => {
                (self.scale, self.min) = (half(0), half(2));
                self.nibbles(&bytes[4..20]);
            }
            GgmlType::Q5_0 => {
                self.scale = half(0);
                self.nibbles(&bytes[6..22]);
                self.fifth_bits(&bytes[2..6]);
            }
            GgmlType::Q5_1 => {
                (self.scale, self.min) = (half(0), half(2));
                self.nibbles(&bytes[8..24]);
                self.fifth_bits(&bytes[4..8]);
            }
            GgmlType::Q8_0 => {
                self.scale = half(0);
                self.codes.iter_mut().zip(&bytes[2..34]).for_each(|(code, q)| *code = q ^ 0x80);
            }
            GgmlType::Q2_K => {
                (self.scale, self.min) = (half(80), half(82) ^ SIGN);
                for ((scale, min), byte) in self.scales.iter_mut().zip(&mut self.mins).zip(&bytes[..16]) {
                    (*scale, *min) = ((byte & 15) as i8, (byte >> 4) as i8);
                }
                self.two_bits(&bytes[16..80]);
            }
            GgmlType::Q3_K => {
                self.scale = half(108);
                let packed = &bytes[96..108];
                for i in 0..16 {
                    let low = if i < 8 { packed[i] & 15 } else { packed[i - 8] >> 4 };
                    let high = packed[8 + i % 4] >> (2 * (i / 4)) & 3;
                    self.scales[i] = (low | high << 4) as i8 - 32;
                }
                self.two_bits(&bytes[32..96]);
                self.add_bits(&bytes[..32], 2);
            }
            GgmlType::Q4_K | GgmlType::Q5_K => {
                (self.scale, self.min) = (half(0), half(2) ^ SIGN);
                self.six_bit_scales(&bytes[4..16]);
                let five = dtype == GgmlType::Q5_K;
                let low = &bytes[if five { 48 } else { 16 }..];
                for (codes, low) in self.codes.as_chunks_mut::<64>().0.iter_mut().zip(low.as_chunks::<32>().0) {
                    for (i, byte) in low.iter().enumerate() {
                        (codes[i], codes[i + 32]) = (byte & 15, byte >> 4);
                    }
                }
                if five {
                    self.add_bits(&bytes[16..48], 4);
                }
            }
            GgmlType::Q6_K => {
                self.scale = half(208);
                for (scale, byte) in self.scales.iter_mut().zip(&bytes[192..208]) {
                    *scale = *byte as i8;
                }
                for (run, codes) in self.codes.as_chunks_mut::<32>().0.iter_mut().enumerate() {
                    let (half, quarter) = (run / 4, run % 4);
                    let (low, high) = (&bytes[half * 64 + quarter % 2 * 32..], &bytes[128 + half * 32..]);
                    for ((code, low), high) in codes.iter_mut().zip(low).zip(high) {
                        *code = low >> (quarter / 2 * 4) & 15 | (high >> (quarter * 2) & 3) << 4;
                    }
                }
            }
            GgmlType::F32 | GgmlType::F16 | GgmlType::BF16 | GgmlType::Other(_) => {}
        }
    }

    /// Gives all codes whose scale is zero the code that stands for zero, so that their products are zero with any
    /// scale.
    ///
    /// # Errors
    /// In words, where the scale or the minimum is not a finite number.
    pub fn settle(&mut self, format: &Format) -> Result<(), String> {
        let (scale, min) = (f16::from_bits(self.scale), f16::from_bits(self.min));
        if !scale.is_finite() || !min.is_finite() {
            return Err(
                "a block's scale is infinite or not a number; the file is damaged, so fetch or convert it again".into(),
            );
        }
        let none = scale == f16::ZERO;
        let zero = format.offset as u8;
        if none {
            self.codes.fill(zero);
        }
        if !format.nested {
            return Ok(());
        }
        for (codes, scale) in self.codes.chunks_exact_mut(GROUP / format.scales).zip(&self.scales) {
            if *scale == 0 {
                codes.fill(zero);
            }
        }
        Ok(())
    }

    /// 32 codes of 4 bits: the low halves first.
    fn nibbles(&mut self, bytes: &[u8]) {
        let (low, high) = self.codes.split_at_mut(16);
        for ((low, high), byte) in low.iter_mut().zip(high).zip(bytes) {
            (*low, *high) = (byte & 15, byte >> 4);
        }
    }

    /// Bit `i` of the mask is the fifth bit of code `i`.
    fn fifth_bits(&mut self, mask: &[u8]) {
        for i in 0..32 {
            self.codes[i] |= (mask[i / 8] >> (i % 8) & 1) << 4;
        }
    }

    /// 256 codes of 2 bits: of each byte, the four belong to four runs of 32.
    fn two_bits(&mut self, bytes: &[u8]) {
        for (run, codes) in self.codes.as_chunks_mut::<32>().0.iter_mut().enumerate() {
            for (code, byte) in codes.iter_mut().zip(&bytes[run / 4 * 32..]) {
                *code = byte >> (run % 4 * 2) & 3;
            }
        }
    }

    /// One more bit, `place` bits up, to each of 256 codes: of each byte, the eight belong to eight runs of 32.
    fn add_bits(&mut self, bytes: &[u8], place: u32) {
        for (run, codes) in self.codes.as_chunks_mut::<32>().0.iter_mut().enumerate() {
            for (code, byte) in codes.iter_mut().zip(bytes) {
                *code |= (byte >> run & 1) << place;
            }
        }
    }

    /// Eight scales and eight minima of 6 bits in 12 bytes.
    fn six_bit_scales(&mut self, packed: &[u8]) {
        for j in 0..8 {
            let (scale, min) = if j < 4 {
                (packed[j] & 63, packed[j + 4] & 63)
            } else {
                (packed[j + 4] & 15 | packed[j - 4] >> 6 << 4, packed[j + 4] >> 4 | packed[j] >> 6 << 4)
            };
            (self.scales[j], self.mins[j]) = (scale as i8, min as i8);
        }
    }
}
