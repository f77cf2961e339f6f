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
    let candle = match dtype {
        GgmlType::F32 => {
            return fill(out, bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])));
        }
        GgmlType::F16 => {
            return fill(out, bytes.chunks_exact(2).map(|b| half::f16::from_le_bytes([b[0], b[1]]).to_f32()));
        }
        GgmlType::BF16 => {
            return fill(out, bytes.chunks_exact(2).map(|b| half::bf16::from_le_bytes([b[0], b[1]]).to_f32()));
        }
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
        GgmlType::Other(_) => return Err(format!("{dtype} cannot be read")),
    };
    // candle asserts that the bytes lie at an even address; so copy them to one, whatever the caller's slice has.
    let mut aligned = vec![0; bytes.len() + 1];
    let start = aligned.as_ptr().addr() % 2;
    let view = &mut aligned[start..start + bytes.len()];
    view.copy_from_slice(bytes);
    match candle.from_data(Cow::Borrowed(view)).dequantize(out.len()).map_err(|e| e.to_string())? {
        CpuStorage::F32(floats) => fill(out, floats.into_iter()),
        _ => Err("the conversion gave no 32-bit floats".to_owned()),
    }
}

fn fill(out: &mut [f32], from: impl ExactSizeIterator<Item = f32>) -> Result<(), String> {
    if from.len() != out.len() {
        return Err(format!("{} numbers instead of {}", from.len(), out.len()));
    }
    out.iter_mut().zip(from).for_each(|(out, float)| *out = float);
    Ok(())
}
