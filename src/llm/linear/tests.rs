//! Linear layers against sums in f64, and against themselves in other batches.
#![cfg(test)]

use super::*;
use crate::llm::gguf;
use candle_core::quantized::QTensor;
use candle_core::{Device, Tensor};

/// Deterministic numbers in -1..1.
fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}

fn matrix(n: usize, k: usize, dtype: GgmlType) -> TensorData {
    let numbers = numbers(n * k, 7 + n as u32).into_iter();
    let bytes = match dtype {
        GgmlType::F16 => numbers.flat_map(|x| half::f16::from_f32(x).to_le_bytes()).collect(),
        GgmlType::BF16 => numbers.flat_map(|x| half::bf16::from_f32(x).to_le_bytes()).collect(),
        GgmlType::Q8_0 => {
            let numbers: Vec<f32> = numbers.collect();
            let block = |block: &[f32]| {
                let codes = block.iter().map(|x| (x * 127.0) as i8 as u8);
                half::f16::from_f32(1.0 / 127.0).to_le_bytes().into_iter().chain(codes).collect::<Vec<u8>>()
            };
            numbers.chunks(32).flat_map(block).collect()
        }
        _ => numbers.flat_map(f32::to_le_bytes).collect(),
    };
    TensorData { name: format!("w{n}"), dtype, shape: vec![n, k], bytes }
}

fn by(arithmetic: Arithmetic, parts: Vec<TensorData>) -> Box<dyn Linear> {
    load(&mut Arena::default(), &arithmetic, parts).unwrap()
}

fn layer(parts: Vec<TensorData>) -> Box<dyn Linear> {
    by(Arithmetic::Integers, parts)
}

fn rows(pool: &Pool, rows: usize, k: usize) -> Activations {
    let x = numbers(rows * k, 3);
    let mut all = Activations::default();
    all.fill(pool, rows, k, |row, to| to.copy_from_slice(&x[row * k..(row + 1) * k]));
    all
}

fn product(layer: &dyn Linear, pool: &Pool, count: usize) -> Vec<f32> {
    let mut out = vec![f32::NAN; count * layer.outputs()];
    layer.forward(pool, &rows(pool, count, layer.inputs()), &mut out).unwrap();
    out
}

/// n not a multiple of a panel, k beyond one depth block.
const CASES: [(usize, usize, GgmlType, f64); 4] = [
    (40, 96, GgmlType::F32, 1e-5),
    (17, 2080, GgmlType::F16, 1e-4),
    (33, 72, GgmlType::BF16, 1e-5),
    (40, 96, GgmlType::Q8_0, 0.2),
];

#[test]
fn a_product_equals_the_sum_in_f64_over_the_dequantised_weights() {
    let pool = Pool::new(2).unwrap();
    for (n, k, dtype, tolerance) in CASES {
        let w = matrix(n, k, dtype);
        let exact = w.to_f32().unwrap();
        let layer = layer(vec![w]);
        let (out, x) = (product(layer.as_ref(), &pool, 8), rows(&pool, 8, k));
        for (r, out) in out.chunks_exact(n).enumerate() {
            for (j, got) in out.iter().enumerate() {
                let x = &x.floats()[r * k..(r + 1) * k];
                let want: f64 = x.iter().zip(&exact[j * k..]).map(|(x, w)| f64::from(*x) * f64::from(*w)).sum();
                assert!((f64::from(*got) - want).abs() < tolerance, "{dtype:?} {got} {want}");
            }
        }
    }
}

#[test]
fn a_row_has_the_same_bits_alone_and_in_every_batch_and_with_one_thread_and_two() {
    let pools = [1, 2].map(|n| Pool::new(n).unwrap());
    for (n, k, dtype, _) in CASES {
        let layer = layer(vec![matrix(n, k, dtype)]);
        let whole = product(layer.as_ref(), &pools[0], 37);
        for count in [1, 2, 5, 6, 7, 13, 37] {
            for pool in &pools {
                let out = product(layer.as_ref(), pool, count);
                let same = out.iter().zip(&whole).all(|(a, b)| a.to_bits() == b.to_bits());
                assert!(same, "{dtype:?} {count} rows");
            }
        }
    }
}

#[test]
fn stacked_matrices_give_their_outputs_and_their_weights_side_by_side() {
    let pool = Pool::new(2).unwrap();
    let types = [GgmlType::Q8_0, GgmlType::F32, GgmlType::F16, GgmlType::Q8_0];
    let parts = || types.iter().enumerate().map(|(i, dtype)| matrix(32 + i, 256, *dtype));
    let stacked = layer(parts().collect());
    let whole = product(stacked.as_ref(), &pool, 3);
    let mut from = 0;
    for part in parts() {
        let n = part.shape[0];
        let exact = part.to_f32().unwrap();
        let alone = product(layer(vec![part]).as_ref(), &pool, 3);
        let mut weights = vec![0.0; 256];
        stacked.weights(from + 1, &mut weights).unwrap();
        assert!(weights.iter().zip(&exact[256..]).all(|(a, b)| (a - b).abs() < 1e-6));
        for r in 0..3 {
            assert_eq!(&whole[r * stacked.outputs() + from..][..n], &alone[r * n..][..n]);
        }
        from += n;
    }
    assert_eq!((from, stacked.quantized()), (stacked.outputs(), true));
}

#[test]
fn matrices_with_other_inputs_than_the_first_are_refused() {
    let parts = vec![matrix(8, 64, GgmlType::F32), matrix(9, 96, GgmlType::F32)];
    for arithmetic in [Arithmetic::Integers, Arithmetic::Exact, device()] {
        let refused = load(&mut Arena::default(), &arithmetic, parts.clone()).err().map(|e| format!("{e}"));
        assert!(
            refused.is_some_and(|e| e.contains("96 numbers instead of 64") && e.contains("`w9`")),
            "{arithmetic:?}"
        );
    }
}

#[test]
fn of_several_matrices_the_one_at_fault_is_named() {
    // A scale that is no number, in every place of the stack.
    for faulty in 0..3 {
        let mut parts: Vec<TensorData> = (0..3).map(|i| matrix(8 + i, 64, GgmlType::Q8_0)).collect();
        parts[faulty].bytes[..2].copy_from_slice(&half::f16::INFINITY.to_le_bytes());
        let refused = load(&mut Arena::default(), &Arithmetic::Integers, parts.clone()).err().map(|e| e.to_string());
        assert!(refused.as_ref().is_some_and(|e| e.starts_with(&format!("tensor `w{}`", 8 + faulty))), "{refused:?}");
        parts[faulty].shape = vec![8, 2, 32];
        for arithmetic in [Arithmetic::Integers, Arithmetic::Exact, device()] {
            let refused = load(&mut Arena::default(), &arithmetic, parts.clone()).err().map(|e| e.to_string());
            assert!(refused.is_some_and(|e| e.contains(&format!("`w{}`", 8 + faulty))), "{arithmetic:?}");
        }
    }
}

fn device() -> Arithmetic {
    Arithmetic::On(Processor::of_candle_on_the_cpu())
}

/// A matrix of a quantised type, rounded to it by candle.
fn rounded(n: usize, k: usize, dtype: GgmlType) -> TensorData {
    let Some(candle) = gguf::quantized(dtype) else { return matrix(n, k, dtype) };
    let floats = Tensor::from_vec(numbers(n * k, 7 + n as u32), (n, k), &Device::Cpu).unwrap();
    let bytes = QTensor::quantize(&floats, candle).unwrap().data().unwrap().into_owned();
    TensorData { name: format!("w{n}"), dtype, shape: vec![n, k], bytes }
}

#[test]
fn a_device_differs_from_exact_arithmetic_by_no_more_than_activations_of_8_bits_do_and_by_nothing_for_floats() {
    let pool = Pool::new(1).unwrap();
    let (n, k) = (40, 512);
    for dtype in GgmlType::ALL {
        let w = rounded(n, k, dtype);
        let floats = w.to_f32().unwrap();
        // A row's largest number is below 1, so half a step is below 1/254; scales of 16 bits add a little.
        let step = if gguf::quantized(dtype).is_some() { 0.5 / 127.0 + 1e-3 } else { 1e-6 };
        let (exact, device) = (by(Arithmetic::Exact, vec![w.clone()]), by(device(), vec![w.clone()]));
        assert_eq!((device.inputs(), device.outputs()), (k, n));
        assert_eq!(device.quantized(), gguf::quantized(dtype).is_some(), "{dtype}");
        for count in [1, 2, 7, 33] {
            let (want, got) = (product(exact.as_ref(), &pool, count), product(device.as_ref(), &pool, count));
            for (i, (want, got)) in want.iter().zip(&got).enumerate() {
                let weights: f32 = floats[i % n * k..(i % n + 1) * k].iter().map(|w| w.abs()).sum();
                assert!((want - got).abs() <= weights * step, "{dtype}, {count} rows: {got} instead of {want}");
            }
            assert!(got.iter().any(|x| *x != 0.0));
        }
    }
}

#[test]
fn stacked_matrices_on_a_device_give_their_outputs_side_by_side_and_keep_their_weights_to_themselves() {
    let pool = Pool::new(1).unwrap();
    let types = [GgmlType::Q4_K, GgmlType::Q4_K, GgmlType::F32, GgmlType::F16, GgmlType::Q6_K];
    let parts: Vec<TensorData> = types.iter().enumerate().map(|(i, dtype)| rounded(32 + i, 256, *dtype)).collect();
    let stacked = by(device(), parts.clone());
    let floats = (34 + 35) * 256 * 4;
    let bytes: usize = [0, 1, 4].iter().map(|i| parts[*i].bytes.len()).sum();
    assert_eq!((stacked.outputs(), stacked.bytes(), stacked.quantized()), (170, bytes + floats, true));
    let whole = product(stacked.as_ref(), &pool, 3);
    let mut from = 0;
    for part in parts {
        let n = part.shape[0];
        let alone = product(by(device(), vec![part]).as_ref(), &pool, 3);
        for r in 0..3 {
            let pairs = whole[r * 170 + from..][..n].iter().zip(&alone[r * n..][..n]);
            assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-4));
        }
        from += n;
    }
    assert!(stacked.weights(0, &mut [0.0; 256]).is_err_and(|e| e.contains("on candle")));
    assert!(product(stacked.as_ref(), &pool, 0).is_empty());
}
