//! Vector arithmetic in safe Rust: one instruction-set dispatch, the register tile that products of floats with weights
//! are made of, and `exp`. Each result is accumulated in one order, whatever the batch, so it has the same bits in
//! every batch.
//!
//! Must stay free of `unsafe` and of any knowledge of tensors, models or threads.

use pulp::{Arch, Simd, WithSimd};

/// Columns that are computed side by side; also positions per group of the KV cache.
pub const LANES: usize = 16;

/// Rows that the register tile holds at once: 6 rows of 16 columns fill the 16 registers of AVX2.
pub const TILE_ROWS: usize = 6;

/// Work that runs on vectors: `LANES` floats are `V` registers of the instruction set `S`.
pub trait Vectors {
    /// What comes out.
    type Output;
    /// Does the work; must be `#[inline(always)]` so that it is compiled for the instruction set.
    fn run<S: Simd, const V: usize>(self, simd: S) -> Self::Output;
}

struct Dispatch<T>(T);

impl<T: Vectors> WithSimd for Dispatch<T> {
    type Output = T::Output;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> T::Output {
        match S::F32_LANES {
            16 => self.0.run::<S, 1>(simd),
            8 => self.0.run::<S, 2>(simd),
            4 => self.0.run::<S, 4>(simd),
            _ => self.0.run::<S, 16>(simd),
        }
    }
}

/// Runs `work` on the best instruction set of this machine.
pub fn dispatch<T: Vectors>(work: T) -> T::Output {
    Arch::new().dispatch(Dispatch(work))
}

/// Name of the instruction set that [`dispatch`] uses.
pub fn isa() -> &'static str {
    struct Name;
    impl Vectors for Name {
        type Output = usize;
        #[inline(always)]
        fn run<S: Simd, const V: usize>(self, _simd: S) -> usize {
            S::F32_LANES
        }
    }
    match (dispatch(Name), cfg!(target_arch = "aarch64")) {
        (16, _) => "avx512",
        (8, _) => "avx2+fma",
        (4, true) => "neon",
        (4, false) => "simd128",
        _ => "scalar",
    }
}

/// Views floats as groups of [`LANES`], each `V` registers; a rest shorter than a group is left out.
#[inline(always)]
pub fn groups<S: Simd, const V: usize>(floats: &[f32]) -> &[[S::f32s; V]] {
    S::as_simd_f32s(floats).0.as_chunks::<V>().0
}

/// As [`groups`], to write.
#[inline(always)]
pub fn groups_mut<S: Simd, const V: usize>(floats: &mut [f32]) -> &mut [[S::f32s; V]] {
    S::as_mut_simd_f32s(floats).0.as_chunks_mut::<V>().0
}

/// `acc[r] += sum over i of x[i][r] * w[i]`, one product after the other in the order of `i`, for `R` rows at once.
#[inline(always)]
pub fn tile<S: Simd, const V: usize, const R: usize>(
    simd: S,
    x: &[[f32; R]],
    w: &[[S::f32s; V]],
    acc: &mut [[S::f32s; V]; R],
) {
    let mut sums = *acc;
    for (x, w) in x.iter().zip(w) {
        for r in 0..R {
            let factor = simd.splat_f32s(x[r]);
            for v in 0..V {
                sums[r][v] = simd.mul_add_e_f32s(factor, w[v], sums[r][v]);
            }
        }
    }
    *acc = sums;
}

/// `rows` rows (at most [`TILE_ROWS`]) of [`LANES`] sums: `acc[r] += x[.., r] · w`, where `x` is packed as `[i][rows]`.
#[inline(always)]
pub fn tile_rows<S: Simd, const V: usize>(
    simd: S,
    rows: usize,
    x: &[f32],
    w: &[[S::f32s; V]],
    acc: &mut [[f32; LANES]; TILE_ROWS],
) {
    match rows {
        1 => tile_const::<S, V, 1>(simd, x, w, acc),
        2 => tile_const::<S, V, 2>(simd, x, w, acc),
        3 => tile_const::<S, V, 3>(simd, x, w, acc),
        4 => tile_const::<S, V, 4>(simd, x, w, acc),
        5 => tile_const::<S, V, 5>(simd, x, w, acc),
        _ => tile_const::<S, V, 6>(simd, x, w, acc),
    }
}

#[inline(always)]
fn tile_const<S: Simd, const V: usize, const R: usize>(
    simd: S,
    x: &[f32],
    w: &[[S::f32s; V]],
    acc: &mut [[f32; LANES]; TILE_ROWS],
) {
    let mut sums = [[simd.splat_f32s(0.0); V]; R];
    for (sum, row) in sums.iter_mut().zip(acc.iter()) {
        sum.copy_from_slice(&groups::<S, V>(row)[0]);
    }
    tile::<S, V, R>(simd, x.as_chunks::<R>().0, w, &mut sums);
    for (sum, row) in sums.iter().zip(acc.iter_mut()) {
        groups_mut::<S, V>(row)[0] = *sum;
    }
}

/// `exp(x)` for `x <= 88`, relative error below 2e-7; 0 below -87.3. Range reduction by ln 2 in two parts and a
/// polynomial of degree 6 (coefficients of Cephes `expf`), so that the bits do not depend on the platform's libm.
#[inline(always)]
pub fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    // Adding 1.5 * 2^23 rounds to the nearest integer, which then stands in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let lowest = simd.splat_f32s(-87.3);
    let clamped = simd.min_f32s(simd.max_f32s(x, lowest), simd.splat_f32s(88.0));
    let shifted = simd.mul_add_e_f32s(clamped, simd.splat_f32s(std::f32::consts::LOG2_E), simd.splat_f32s(ROUND));
    let n = simd.sub_f32s(shifted, simd.splat_f32s(ROUND));
    let r = simd.mul_add_e_f32s(n, simd.splat_f32s(-0.693_359_4), clamped);
    let r = simd.mul_add_e_f32s(n, simd.splat_f32s(2.121_944_4e-4), r);
    let mut p = simd.splat_f32s(1.987_569_1e-4);
    for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = simd.mul_add_e_f32s(p, r, simd.splat_f32s(c));
    }
    let p = simd.mul_add_e_f32s(p, simd.mul_f32s(r, r), simd.add_f32s(r, simd.splat_f32s(1.0)));
    // 2^n by putting n into the exponent: the low bits of `shifted` hold n above a constant that the shift drops.
    let bits = simd.transmute_u32s_f32s(shifted);
    let exponent = simd.wrapping_dyn_shl_u32s(bits, simd.splat_u32s(23));
    let power = simd.transmute_f32s_u32s(simd.add_u32s(exponent, simd.splat_u32s(127 << 23)));
    let result = simd.mul_f32s(p, power);
    simd.select_f32s(simd.less_than_f32s(x, lowest), simd.splat_f32s(0.0), result)
}

/// Sum of the lanes in a fixed order (a tree), the same for every width of register.
pub fn sum_lanes(mut lanes: [f32; LANES]) -> f32 {
    for half in [8, 4, 2, 1] {
        for i in 0..half {
            lanes[i] += lanes[i + half];
        }
    }
    lanes[0]
}

/// The largest lane; none may be NaN.
pub fn largest_lane(mut lanes: [f32; LANES]) -> f32 {
    for half in [8, 4, 2, 1] {
        for i in 0..half {
            lanes[i] = lanes[i].max(lanes[i + half]);
        }
    }
    lanes[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Exp<'a>(&'a mut [f32]);
    impl Vectors for Exp<'_> {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd, const V: usize>(self, simd: S) {
            for group in groups_mut::<S, V>(self.0) {
                for v in group {
                    *v = exp(simd, *v);
                }
            }
        }
    }

    #[test]
    fn exp_is_within_two_tenmillionths_of_the_exact_value_and_zero_far_below() {
        let mut xs: Vec<f32> = (0..LANES * 2000).map(|i| -87.0 + i as f32 * (175.0 / 32_000.0)).collect();
        let exact: Vec<f64> = xs.iter().map(|x| f64::from(*x).exp()).collect();
        dispatch(Exp(&mut xs));
        for (got, want) in xs.iter().zip(exact) {
            assert!((f64::from(*got) / want - 1.0).abs() < 2e-7, "{got} {want}");
        }
        let mut edge = [0.0f32; LANES];
        edge[1] = f32::NEG_INFINITY;
        edge[2] = -1000.0;
        dispatch(Exp(&mut edge));
        assert_eq!(&edge[..3], &[1.0, 0.0, 0.0]);
    }
}
