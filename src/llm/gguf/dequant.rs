//! Widens stored tensors to 32-bit floats, in parallel and without a second copy.
//!
//! Must give the same bits whatever the number of threads: each block is widened by itself.

use super::GgmlType;
use candle_core::CpuStorage;
use candle_core::quantized::GgmlDType;
use rayon::prelude::*;
use std::borrow::Cow;

/// Elements per piece of work: a multiple of every block size.
const PIECE: usize = 1 << 16;

/// Widens `bytes`, whole blocks of `dtype`, into `out`, one float per element.
///
/// Quantised blocks go through candle's reference conversion, a formula per ggml block type.
///
/// # Errors
/// In words, for a type that cannot be read, or where the lengths do not fit each other.
pub fn dequantize_into(dtype: GgmlType, bytes: &[u8], out: &mut [f32]) -> Result<(), String> {
    let (per_block, block_bytes) = dtype.block().ok_or_else(|| format!("{dtype} cannot be read"))?;
    let blocks = out.len() / per_block;
    if blocks * per_block != out.len() || blocks.checked_mul(block_bytes) != Some(bytes.len()) {
        return Err(format!("{} bytes of {dtype} do not hold {} numbers", bytes.len(), out.len()));
    }
    let piece_bytes = PIECE / per_block * block_bytes;
    out.par_chunks_mut(PIECE).zip(bytes.par_chunks(piece_bytes)).try_for_each(|(out, bytes)| piece(dtype, bytes, out))
}

fn piece(dtype: GgmlType, bytes: &[u8], out: &mut [f32]) -> Result<(), String> {
    match dtype {
        GgmlType::F32 => {
            return fill(out, bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])));
        }
        GgmlType::F16 => {
            return fill(out, bytes.chunks_exact(2).map(|b| half::f16::from_le_bytes([b[0], b[1]]).to_f32()));
        }
        GgmlType::BF16 => {
            return fill(out, bytes.chunks_exact(2).map(|b| half::bf16::from_le_bytes([b[0], b[1]]).to_f32()));
        }
        _ => {}
    }
    let candle = quantized(dtype).ok_or_else(|| format!("{dtype} cannot be read"))?;
    let (copy, start) = aligned(&[bytes]);
    match candle.from_data(Cow::Borrowed(&copy[start..])).dequantize(out.len()).map_err(|e| e.to_string())? {
        CpuStorage::F32(floats) => fill(out, floats.into_iter()),
        _ => Err("the conversion gave no 32-bit floats".to_owned()),
    }
}

/// candle's name of a quantised type; `None` for floats and for types that cannot be read.
pub fn quantized(dtype: GgmlType) -> Option<GgmlDType> {
    Some(match dtype {
        GgmlType::Q4_0 => GgmlDType::Q4_0,
        GgmlType::Q4_1 => GgmlDType::Q4_1,
        GgmlType::Q5_0 => GgmlDType::Q5_0,
        GgmlType::Q5_1 => GgmlDType::Q5_1,
        GgmlType::Q8_0 => GgmlDType::Q8_0,
        GgmlType::Q2_K => GgmlDType::Q2K,
        GgmlType::Q3_K => GgmlDType::Q3K,
        GgmlType::Q4_K => GgmlDType::Q4K,
        GgmlType::Q5_K => GgmlDType::Q5K,
        GgmlType::Q6_K => GgmlDType::Q6K,
        GgmlType::F32 | GgmlType::F16 | GgmlType::BF16 | GgmlType::Other(_) => return None,
    })
}

/// A copy of all `parts` in a row, and where it begins: candle asserts that blocks lie at an even address.
pub fn aligned(parts: &[&[u8]]) -> (Vec<u8>, usize) {
    let len = parts.iter().map(|part| part.len()).sum::<usize>();
    let mut copy: Vec<u8> = Vec::with_capacity(len + 1);
    let start = copy.as_ptr().addr() % 2;
    copy.resize(start, 0);
    parts.iter().for_each(|part| copy.extend_from_slice(part));
    (copy, start)
}

fn fill(out: &mut [f32], from: impl ExactSizeIterator<Item = f32>) -> Result<(), String> {
    if from.len() != out.len() {
        return Err(format!("{} numbers instead of {}", from.len(), out.len()));
    }
    out.iter_mut().zip(from).for_each(|(out, float)| *out = float);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn widen(dtype: GgmlType, bytes: &[u8], len: usize) -> Vec<f32> {
        let mut out = vec![f32::NAN; len];
        dequantize_into(dtype, bytes, &mut out).unwrap();
        out
    }

    /// A block of 32: the half-precision numbers in `heads`, then `body`.
    fn block(heads: &[f32], body: &[u8]) -> Vec<u8> {
        heads.iter().flat_map(|h| half::f16::from_f32(*h).to_le_bytes()).chain(body.iter().copied()).collect()
    }

    #[test]
    fn blocks_worked_by_hand_have_their_numbers() {
        let nibbles: Vec<u8> = (0..16).map(|i| i | (15 - i) << 4).collect();
        // Low nibbles are the first half of the block, high nibbles the second.
        let low = |i: usize| if i < 16 { i as f32 } else { 31.0 - i as f32 };
        assert_eq!(
            widen(GgmlType::Q4_0, &block(&[0.5], &nibbles), 32),
            std::array::from_fn::<_, 32, _>(|i| 0.5 * (low(i) - 8.0))
        );
        assert_eq!(
            widen(GgmlType::Q4_1, &block(&[2.0, -3.0], &nibbles), 32),
            std::array::from_fn::<_, 32, _>(|i| 2.0 * low(i) - 3.0)
        );
        // The fifth bit of element i is bit i of the mask.
        let mask = 0x0000_8001u32.to_le_bytes();
        let fifth = |i: usize| if i == 0 || i == 15 { 16.0 } else { 0.0 };
        let five = [&mask[..], &nibbles].concat();
        assert_eq!(
            widen(GgmlType::Q5_0, &block(&[1.0], &five), 32),
            std::array::from_fn::<_, 32, _>(|i| low(i) + fifth(i) - 16.0)
        );
        assert_eq!(
            widen(GgmlType::Q5_1, &block(&[1.0, 0.5], &five), 32),
            std::array::from_fn::<_, 32, _>(|i| low(i) + fifth(i) + 0.5)
        );
        let signed: Vec<u8> = (0..32).map(|i| (i as i8 - 16) as u8).collect();
        assert_eq!(
            widen(GgmlType::Q8_0, &block(&[0.25], &signed), 32),
            std::array::from_fn::<_, 32, _>(|i| 0.25 * (i as f32 - 16.0))
        );
        assert_eq!(widen(GgmlType::BF16, &[0x80, 0x3f, 0x00, 0xc0], 2), [1.0, -2.0]);
        assert_eq!(widen(GgmlType::F16, &[0x00, 0x3c, 0x00, 0xc0], 2), [1.0, -2.0]);
        assert_eq!(widen(GgmlType::F32, &1.5f32.to_le_bytes(), 1), [1.5]);
    }

    #[test]
    fn lengths_that_do_not_fit_and_unknown_types_are_errors() {
        for dtype in GgmlType::ALL {
            let (per_block, bytes) = dtype.block().unwrap();
            assert!(dequantize_into(dtype, &vec![0; bytes + 1], &mut vec![0.0; per_block]).is_err());
            assert!(dequantize_into(dtype, &vec![0; bytes], &mut vec![0.0; per_block + 1]).is_err());
            assert!(dequantize_into(dtype, &[], &mut []).is_ok());
        }
        assert_eq!(dequantize_into(GgmlType::Other(39), &[0; 17], &mut [0.0; 32]).unwrap_err(), "MXFP4 cannot be read");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn any_bytes_at_any_address_widen_block_by_block_as_in_candle(
            which in 3usize..13, seed in any::<u64>(), blocks in 1usize..300, shift in 0usize..3,
        ) {
            let dtype = GgmlType::ALL[which];
            let (per_block, block_bytes) = dtype.block().unwrap();
            let mut state = seed;
            let mut next = || { state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1); (state >> 56) as u8 };
            let bytes: Vec<u8> = (0..blocks * block_bytes + shift).map(|_| next()).collect();
            let bytes = &bytes[shift..];
            let whole = widen(dtype, bytes, blocks * per_block);
            for (i, one) in bytes.chunks_exact(block_bytes).enumerate().step_by(97) {
                let alone = widen(dtype, one, per_block);
                let same = alone.iter().zip(&whole[i * per_block..]).all(|(a, b)| a.to_bits() == b.to_bits());
                prop_assert!(same, "{dtype} block {i}");
            }
        }
    }
}
