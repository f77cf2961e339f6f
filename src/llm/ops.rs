//! The small operations between the matrix products: RMS norm, gated activation, softcap. One row at a time.
//!
//! Must give each row the same bits whatever other rows there are.

use super::arch::Activation;
use super::simd::{self, LANES, Vectors};
use pulp::Simd;

/// `out = x / sqrt(mean(x²) + eps) * weight`. Lengths need not be multiples of [`LANES`].
pub fn rms_norm(x: &mut [f32], weight: &[f32], eps: f32) {
    simd::dispatch(RmsNorm { x, weight, eps });
}

struct RmsNorm<'a> {
    x: &'a mut [f32],
    weight: &'a [f32],
    eps: f32,
}

impl Vectors for RmsNorm<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const V: usize>(self, simd: S) {
        let mut squares = [simd.splat_f32s(0.0); V];
        for group in simd::groups::<S, V>(self.x) {
            for v in 0..V {
                squares[v] = simd.mul_add_e_f32s(group[v], group[v], squares[v]);
            }
        }
        let mut lanes = [0.0; LANES];
        simd::groups_mut::<S, V>(&mut lanes)[0] = squares;
        let whole = self.x.len() / LANES * LANES;
        for (lane, x) in lanes.iter_mut().zip(&self.x[whole..]) {
            *lane += x * x;
        }
        let scale = 1.0 / (simd::sum_lanes(lanes) / self.x.len() as f32 + self.eps).sqrt();
        let by = simd.splat_f32s(scale);
        for (x, w) in simd::groups_mut::<S, V>(self.x).iter_mut().zip(simd::groups::<S, V>(self.weight)) {
            for v in 0..V {
                x[v] = simd.mul_f32s(simd.mul_f32s(x[v], by), w[v]);
            }
        }
        for (x, w) in self.x[whole..].iter_mut().zip(&self.weight[whole..]) {
            *x = *x * scale * w;
        }
    }
}

/// `out[i] = activation(gate_up[i]) * gate_up[n + i]`, where `n` is the length of `out`.
pub fn gated(activation: Activation, gate_up: &[f32], out: &mut [f32]) {
    let (gate, up) = gate_up.split_at(out.len());
    let whole = out.len() / LANES * LANES;
    simd::dispatch(Gated { activation, gate, up, out });
    if whole < out.len() {
        // The rest in a padded group, so that every number goes through the same code.
        let mut padded = [[0.0; LANES]; 3];
        let rest = out.len() - whole;
        padded[0][..rest].copy_from_slice(&gate[whole..]);
        padded[1][..rest].copy_from_slice(&up[whole..out.len()]);
        let [gate, up, result] = &mut padded;
        simd::dispatch(Gated { activation, gate, up, out: result });
        out[whole..].copy_from_slice(&result[..rest]);
    }
}

struct Gated<'a> {
    activation: Activation,
    gate: &'a [f32],
    up: &'a [f32],
    out: &'a mut [f32],
}

impl Vectors for Gated<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const V: usize>(self, simd: S) {
        let inputs = simd::groups::<S, V>(self.gate).iter().zip(simd::groups::<S, V>(self.up));
        for (out, (gate, up)) in simd::groups_mut::<S, V>(self.out).iter_mut().zip(inputs) {
            for v in 0..V {
                let x = gate[v];
                // Both are x * sigmoid(z): GELU's tanh form with z = 2 * sqrt(2 / pi) * (x + 0.044715 x³).
                let z = match self.activation {
                    Activation::Silu => x,
                    Activation::GeluTanh => {
                        let cubic = simd.mul_add_e_f32s(
                            simd.mul_f32s(x, x),
                            simd.splat_f32s(1.595_769 * 0.044_715),
                            simd.splat_f32s(1.595_769),
                        );
                        simd.mul_f32s(x, cubic)
                    }
                };
                let e = simd::exp(simd, simd.sub_f32s(simd.splat_f32s(0.0), z));
                let sigmoid = simd.div_f32s(simd.splat_f32s(1.0), simd.add_f32s(simd.splat_f32s(1.0), e));
                out[v] = simd.mul_f32s(simd.mul_f32s(x, sigmoid), up[v]);
            }
        }
    }
}

/// `cap * tanh(x / cap)`.
pub fn softcap(x: &mut [f32], cap: f32) {
    for x in x {
        *x = cap * (*x / cap).tanh();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn norm_and_activations_equal_their_formulas_at_lengths_that_are_no_multiple_of_a_register() {
        for n in [16, 21, 64] {
            let x: Vec<f32> = (0..n).map(|i| (i as f32 * 0.7).sin() * 3.0).collect();
            let w: Vec<f32> = (0..n).map(|i| 1.0 + i as f32 * 0.01).collect();
            let mut got = x.clone();
            rms_norm(&mut got, &w, 1e-5);
            let mean = x.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / n as f64;
            for i in 0..n {
                let want = f64::from(x[i]) / (mean + 1e-5).sqrt() * f64::from(w[i]);
                assert!((f64::from(got[i]) - want).abs() < 1e-5);
            }
            let gate_up: Vec<f32> = x.iter().chain(&w).copied().collect();
            let (mut silu, mut gelu) = (vec![0.0; n], vec![0.0; n]);
            gated(Activation::Silu, &gate_up, &mut silu);
            gated(Activation::GeluTanh, &gate_up, &mut gelu);
            for i in 0..n {
                let (x, w) = (f64::from(x[i]), f64::from(w[i]));
                assert!((f64::from(silu[i]) - x / (1.0 + (-x).exp()) * w).abs() < 1e-5);
                let tanh = ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3))).tanh();
                assert!((f64::from(gelu[i]) - 0.5 * x * (1.0 + tanh) * w).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn a_softcap_bounds_and_keeps_small_numbers() {
        let mut x = [0.001, 1000.0, -1000.0];
        softcap(&mut x, 30.0);
        assert!((x[0] - 0.001).abs() < 1e-6 && x[1] <= 30.0 && x[2] >= -30.0 && x[1] > 29.9);
    }
}
