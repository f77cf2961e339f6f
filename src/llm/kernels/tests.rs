//! What the kernels promise: exact unpacking, the same bits on every instruction set, in every batch, on any number of
//! threads.

use super::super::gguf::{GgmlType, dequantize_into};
use super::activations::Activations;
use super::arena::Arena;
use super::blocks::Format;
use super::isa::Isa;
use super::matmul::multiply;
use super::packed::Packed;
use super::pool::Pool;

/// The quantised types; all of them have kernels.
fn types() -> impl Iterator<Item = GgmlType> {
    GgmlType::ALL.into_iter().skip(3)
}

/// Where the half-precision numbers of a block stand.
fn halves(dtype: GgmlType) -> &'static [usize] {
    match dtype {
        GgmlType::Q4_1 | GgmlType::Q5_1 | GgmlType::Q4_K | GgmlType::Q5_K => &[0, 2],
        GgmlType::Q2_K => &[80, 82],
        GgmlType::Q3_K => &[108],
        GgmlType::Q6_K => &[208],
        _ => &[0],
    }
}

/// A matrix of random blocks with sensible scales.
fn blocks(dtype: GgmlType, outputs: usize, inputs: usize, seed: u64) -> Vec<u8> {
    let (per_block, size) = dtype.block().unwrap();
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    let mut bytes: Vec<u8> = (0..outputs * inputs / per_block * size).map(|_| next()).collect();
    for block in bytes.chunks_exact_mut(size) {
        for at in halves(dtype) {
            let number = half::f16::from_f32((f32::from(next()) - 128.0) / 8192.0);
            block[*at..*at + 2].copy_from_slice(&number.to_le_bytes());
        }
    }
    bytes
}

fn packed(dtype: GgmlType, outputs: usize, inputs: usize) -> (Packed, Vec<f32>) {
    let bytes = blocks(dtype, outputs, inputs, 7 + outputs as u64);
    let mut floats = vec![0.0; outputs * inputs];
    dequantize_into(dtype, &bytes, &mut floats).unwrap();
    (Packed::new(&mut Arena::default(), Format::of(dtype).unwrap(), outputs, inputs, &bytes).unwrap(), floats)
}

fn activations(rows: usize, width: usize) -> Activations {
    let pool = Pool::new(1).unwrap();
    let mut all = Activations::default();
    all.fill(&pool, rows, width, |row, x| {
        for (i, x) in x.iter_mut().enumerate() {
            // Some groups of some rows have rests.
            let size = if i % 160 == 7 * row % 160 { 90.0 } else { ((i / 32 + row) % 5) as f32 };
            *x = ((i * 31 + row * 17) as f32 * 0.61).sin() * size;
        }
    });
    all
}

fn isas() -> impl Iterator<Item = Isa> {
    Isa::ALL.into_iter().filter(|isa| isa.available())
}

fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|x| x.to_bits()).collect()
}

/// Outputs that are no multiple of a panel, inputs that are no multiple of a stretch, one stretch and several.
fn shapes(dtype: GgmlType) -> [(usize, usize); 3] {
    if Format::of(dtype).unwrap().nested { [(5, 256), (70, 768), (64, 512)] } else { [(5, 32), (70, 608), (64, 512)] }
}

#[test]
fn rows_read_back_are_the_dequantised_rows() {
    for dtype in types() {
        for (outputs, inputs) in shapes(dtype) {
            let (weights, floats) = packed(dtype, outputs, inputs);
            let mut row = vec![0.0; inputs];
            for (j, want) in floats.chunks_exact(inputs).enumerate() {
                weights.row(j, &mut row);
                for (got, want) in row.iter().zip(want) {
                    assert!((got - want).abs() <= want.abs() * 1e-6 + 1e-9, "{dtype} row {j}: {got} {want}");
                }
            }
        }
    }
}

#[test]
fn products_equal_the_sum_in_f64_over_the_dequantised_weights_and_the_rounded_activations() {
    for dtype in types() {
        for (outputs, inputs) in shapes(dtype) {
            let (weights, floats) = packed(dtype, outputs, inputs);
            let x = activations(7, inputs);
            let mut out = vec![0.0; 7 * outputs];
            multiply(&Pool::new(1).unwrap(), Isa::best(), &[&weights], &x, &mut out);
            for r in 0..7 {
                let number = |i: usize| {
                    let group = x.group(r, i / 32);
                    f64::from(group.codes[i % 32]) * f64::from(group.scale)
                        + f64::from(group.rest.codes[i % 32]) * f64::from(group.rest.scale)
                };
                let rounded: Vec<f64> = (0..inputs).map(number).collect();
                for j in 0..outputs {
                    let row = &floats[j * inputs..(j + 1) * inputs];
                    let products = || rounded.iter().zip(row).map(|(x, w)| x * f64::from(*w));
                    let (want, size) = (products().sum::<f64>(), products().map(f64::abs).sum::<f64>());
                    let got = f64::from(out[r * outputs + j]);
                    assert!((got - want).abs() <= size * 3e-6 + 1e-9, "{dtype} {outputs}x{inputs}: {got} {want}");
                }
            }
        }
    }
}

#[test]
fn every_instruction_set_batch_and_number_of_threads_gives_the_bits_of_the_scalar_reference() {
    let pools = [1, 2, 3].map(|n| Pool::new(n).unwrap());
    for dtype in types() {
        for (outputs, inputs) in shapes(dtype) {
            let (weights, _) = packed(dtype, outputs, inputs);
            let most = 37;
            let mut whole = vec![0.0; most * outputs];
            multiply(&pools[0], Isa::Scalar, &[&weights], &activations(most, inputs), &mut whole);
            for isa in isas() {
                for rows in [1, 2, 3, 4, 5, 6, 7, 13, 37] {
                    for pool in &pools {
                        let mut out = vec![f32::NAN; rows * outputs];
                        multiply(pool, isa, &[&weights], &activations(rows, inputs), &mut out);
                        assert_eq!(bits(&out), bits(&whole[..rows * outputs]), "{dtype} {isa:?} {rows} rows");
                    }
                }
            }
        }
    }
}

/// Kernels that add products in 16 bits must not overflow or saturate.
#[test]
fn codes_at_their_limits_give_the_bits_of_the_scalar_reference() {
    let pool = Pool::new(1).unwrap();
    let (rows, outputs, inputs) = (7, 40, 256);
    let mut x = Activations::default();
    // All codes are 127 or -127; the longest run of one sign is a whole row.
    x.fill(&pool, rows, inputs, |row, x| {
        x.iter_mut().enumerate().for_each(|(i, x)| *x = if i & row == 0 { 127.0 } else { -127.0 });
    });
    assert!((0..8).all(|g| x.group(3, g).codes.iter().all(|code| code.abs() == 127)));
    for dtype in types() {
        // 0x80 and 0x7f: the limits of signed weights.
        for byte in [0x00, 0x7f, 0x80, 0xff] {
            let mut bytes = vec![byte; outputs * inputs / dtype.block().unwrap().0 * dtype.block().unwrap().1];
            for block in bytes.chunks_exact_mut(dtype.block().unwrap().1) {
                for at in halves(dtype) {
                    block[*at..*at + 2].copy_from_slice(&half::f16::from_f32(0.013).to_le_bytes());
                }
            }
            let weights = Format::of(dtype).unwrap();
            let weights = Packed::new(&mut Arena::default(), weights, outputs, inputs, &bytes).unwrap();
            let [mut want, mut out] = [(); 2].map(|()| vec![0.0; rows * outputs]);
            multiply(&pool, Isa::Scalar, &[&weights], &x, &mut want);
            for isa in isas() {
                multiply(&pool, isa, &[&weights], &x, &mut out);
                assert_eq!(bits(&out), bits(&want), "{dtype} {isa:?} {byte:#x}");
            }
        }
    }
}

#[test]
fn stacked_matrices_of_different_types_give_their_outputs_side_by_side() {
    let parts = [GgmlType::Q4_K, GgmlType::Q8_0, GgmlType::Q6_K].map(|dtype| packed(dtype, 40, 256).0);
    let x = activations(3, 256);
    let pool = Pool::new(2).unwrap();
    let mut out = vec![0.0; 3 * 120];
    multiply(&pool, Isa::best(), &[&parts[0], &parts[1], &parts[2]], &x, &mut out);
    for (p, part) in parts.iter().enumerate() {
        let mut alone = vec![0.0; 3 * 40];
        multiply(&pool, Isa::best(), &[part], &x, &mut alone);
        for r in 0..3 {
            assert_eq!(&out[r * 120 + p * 40..][..40], &alone[r * 40..][..40]);
        }
    }
}

#[test]
fn activations_that_are_not_finite_come_out_as_not_a_number_on_every_instruction_set() {
    let pool = Pool::new(1).unwrap();
    for dtype in types() {
        let (weights, _) = packed(dtype, 32, 512);
        // Few rows and many: kernels may have another way for each.
        for rows in [1, 24] {
            let mut x = Activations::default();
            x.fill(&pool, rows, 512, |row, x| x.fill(if row == rows / 2 { f32::INFINITY } else { 1.0 }));
            for isa in isas() {
                let mut out = vec![0.0; rows * 32];
                multiply(&pool, isa, &[&weights], &x, &mut out);
                let nan = |row: usize| out[row * 32..][..32].iter().filter(|x| x.is_nan()).count();
                assert!(
                    (0..rows).all(|row| nan(row) == if row == rows / 2 { 32 } else { 0 }),
                    "{dtype} {isa:?} {rows}"
                );
            }
        }
    }
}

/// Whatever the codes are: a kernel may multiply what they give with any number.
#[test]
fn blocks_and_parts_of_blocks_with_a_scale_of_zero_have_no_part_in_the_sum() {
    let pool = Pool::new(1).unwrap();
    let (outputs, inputs, rows) = (40, 512, 24);
    for dtype in types() {
        let mut bytes = blocks(dtype, outputs, inputs, 3);
        let size = dtype.block().unwrap().1;
        for (i, block) in bytes.chunks_exact_mut(size).enumerate() {
            let zero = if i % 2 == 0 { half::f16::ZERO } else { half::f16::NEG_ZERO };
            if i % 3 == 0 {
                block[halves(dtype)[0]..][..2].copy_from_slice(&zero.to_le_bytes());
            }
            // Scales of parts of a block, of some every one.
            match dtype {
                GgmlType::Q2_K if i % 3 == 1 => block[..8].iter_mut().for_each(|scale| *scale &= 0xf0),
                GgmlType::Q4_K | GgmlType::Q5_K if i % 3 == 1 => block[4..8].fill(0),
                GgmlType::Q6_K if i % 3 == 1 => block[192..200].fill(0),
                _ => {}
            }
        }
        let mut floats = vec![0.0; outputs * inputs];
        dequantize_into(dtype, &bytes, &mut floats).unwrap();
        let format = Format::of(dtype).unwrap();
        let weights = Packed::new(&mut Arena::default(), format, outputs, inputs, &bytes).unwrap();
        let mut row = vec![0.0; inputs];
        for (j, want) in floats.chunks_exact(inputs).enumerate() {
            weights.row(j, &mut row);
            assert!(row.iter().zip(want).all(|(got, want)| (got - want).abs() <= want.abs() * 1e-6 + 1e-9), "{dtype}");
        }
        let x = activations(rows, inputs);
        let [mut want, mut out] = [(); 2].map(|()| vec![0.0; rows * outputs]);
        multiply(&pool, Isa::Scalar, &[&weights], &x, &mut want);
        for isa in isas() {
            multiply(&pool, isa, &[&weights], &x, &mut out);
            assert_eq!(bits(&out), bits(&want), "{dtype} {isa:?}");
        }
    }
}

#[test]
fn activations_of_all_sizes_give_the_bits_of_the_scalar_reference() {
    let pool = Pool::new(1).unwrap();
    let (outputs, inputs, rows) = (40, 512, 24);
    for dtype in types() {
        let (weights, _) = packed(dtype, outputs, inputs);
        let mut x = Activations::default();
        x.fill(&pool, rows, inputs, |row, x| {
            for (i, x) in x.iter_mut().enumerate() {
                // From numbers that count as zero to the largest that do not count as infinite.
                *x = ((i * 31 + row * 17) as f32 * 0.61).sin() * 10f32.powi((i / 32 * 7 + row * 5) as i32 % 68 - 38);
            }
        });
        let [mut want, mut out] = [(); 2].map(|()| vec![0.0; rows * outputs]);
        multiply(&pool, Isa::Scalar, &[&weights], &x, &mut want);
        assert!(want.iter().all(|x| x.is_finite()));
        for isa in isas() {
            multiply(&pool, isa, &[&weights], &x, &mut out);
            assert_eq!(bits(&out), bits(&want), "{dtype} {isa:?}");
        }
    }
}

#[test]
fn a_scale_that_is_not_a_finite_number_is_an_error() {
    for dtype in types() {
        for at in halves(dtype) {
            for number in [half::f16::INFINITY, half::f16::NAN] {
                let mut bytes = blocks(dtype, 2, 512, 5);
                let last = bytes.len() - dtype.block().unwrap().1;
                bytes[last + at..][..2].copy_from_slice(&number.to_le_bytes());
                let error = Packed::new(&mut Arena::default(), Format::of(dtype).unwrap(), 2, 512, &bytes);
                assert!(error.is_err_and(|e| e.contains("scale")), "{dtype}");
            }
        }
    }
}

#[test]
fn bytes_that_are_not_whole_rows_of_blocks_are_an_error() {
    let format = Format::of(GgmlType::Q4_K).unwrap();
    for (outputs, inputs, len) in [(1, 256, 143), (2, 256, 144), (1, 128, 144), (0, 256, 0), (usize::MAX, 256, 144)] {
        assert!(Packed::new(&mut Arena::default(), format, outputs, inputs, &vec![0; len]).is_err());
    }
}
