//! Rotary position embedding.
//!
//! Must compute angles in f64 from the position itself, so that a position has the same angle on every path to it.

use super::arch::{Rope, RopeStyle, Yarn};

/// Sines and cosines for the positions of one batch: `[row][pair]`.
pub struct Angles {
    pairs: usize,
    cos: Vec<f32>,
    sin: Vec<f32>,
}

/// By how much each pair of a head turns from one position to the next, and the factor on what is turned. Without pairs
/// it leaves everything as it is.
#[derive(Clone, Debug, Default)]
pub struct Frequencies {
    pairs: Vec<f64>,
    magnitude: f64,
}

impl Frequencies {
    /// The frequencies of one rotary embedding over `dims` numbers: `scale * base^(-2i / dims) / factor[i]`; YaRN
    /// scales some pairs and not others.
    ///
    /// `factors` stretch single pairs (the tensors `rope_freqs.weight` of Llama 3 and `rope_factors_*.weight` of
    /// LongRoPE); empty for none.
    pub fn new(rope: Rope, dims: usize, factors: &[f32]) -> Self {
        let base = f64::from(rope.base);
        let scale = f64::from(rope.scale);
        let pair = |i: usize| {
            let factor = factors.get(i).map_or(1.0, |f| f64::from(*f));
            let scaled = rope.yarn.map_or(1.0, |yarn| yarn_scaled(yarn, base, dims, i));
            base.powf(-2.0 * i as f64 / dims as f64) / factor * (scale * scaled + (1.0 - scaled))
        };
        Self { pairs: (0..dims / 2).map(pair).collect(), magnitude: f64::from(rope.magnitude) }
    }
}

/// How much of the scale pair `i` gets: 0 for one that turns at least `beta_fast` times within the original context, 1
/// for one that turns at most `beta_slow` times, and in between linear in `i`, with whole pairs as its ends (as the
/// authors' program and llama.cpp have it; the paper interpolates over the turns themselves).
fn yarn_scaled(yarn: Yarn, base: f64, dims: usize, i: usize) -> f64 {
    let pair_of_turns = |turns: f32| {
        let longest = yarn.original_context as f64 / (f64::from(turns) * std::f64::consts::TAU);
        dims as f64 * longest.ln() / (2.0 * base.ln())
    };
    let first = pair_of_turns(yarn.beta_fast).floor().max(0.0);
    let last = pair_of_turns(yarn.beta_slow).ceil().min(dims as f64 - 1.0);
    ((i as f64 - first) / (last - first).max(0.001)).clamp(0.0, 1.0)
}

impl Angles {
    /// Angles of `positions`.
    pub fn new(frequencies: &Frequencies, positions: impl Iterator<Item = usize>) -> Self {
        let pairs = frequencies.pairs.len();
        let mut angles = Self { pairs, cos: Vec::new(), sin: Vec::new() };
        for position in positions {
            for frequency in &frequencies.pairs {
                let (sin, cos) = (position as f64 * frequency).sin_cos();
                angles.sin.push((sin * frequencies.magnitude) as f32);
                angles.cos.push((cos * frequencies.magnitude) as f32);
            }
        }
        angles
    }

    /// Rotates the first numbers of one head of row `row`.
    pub fn rotate(&self, style: RopeStyle, row: usize, head: &mut [f32]) {
        let of_row = row * self.pairs..(row + 1) * self.pairs;
        let turns = self.cos[of_row.clone()].iter().zip(&self.sin[of_row]);
        let turn = |a: &mut f32, b: &mut f32, (cos, sin): (&f32, &f32)| {
            (*a, *b) = (*a * cos - *b * sin, *a * sin + *b * cos);
        };
        match style {
            RopeStyle::Interleaved => {
                for (pair, by) in head.as_chunks_mut::<2>().0.iter_mut().zip(turns) {
                    let [a, b] = pair;
                    turn(a, b, by);
                }
            }
            RopeStyle::Neox => {
                let (first, second) = head.split_at_mut(self.pairs);
                for ((a, b), by) in first.iter_mut().zip(second).zip(turns) {
                    turn(a, b, by);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_turn_by_the_angle_of_their_position_and_the_rest_stays() {
        let rope = Rope { base: 100.0, scale: 0.5, yarn: None, magnitude: 1.0 };
        let f = Frequencies::new(rope, 4, &[]);
        assert!((f.pairs[0] - 0.5).abs() < 1e-12 && (f.pairs[1] - 0.05).abs() < 1e-12);
        assert_eq!(Frequencies::new(rope, 4, &[1.0, 5.0]).pairs[1], f.pairs[1] / 5.0);
        let angles = Angles::new(&f, [0, 2].into_iter());
        let mut still = [1.0, 2.0, 3.0, 4.0, 5.0];
        angles.rotate(RopeStyle::Neox, 0, &mut still);
        assert_eq!(still, [1.0, 2.0, 3.0, 4.0, 5.0]);
        let mut neox = [1.0, 1.0, 0.0, 0.0, 5.0];
        angles.rotate(RopeStyle::Neox, 1, &mut neox);
        let mut pairs = [1.0, 0.0, 1.0, 0.0, 5.0];
        angles.rotate(RopeStyle::Interleaved, 1, &mut pairs);
        let (c0, s0, c1, s1) = (1f32.cos(), 1f32.sin(), 0.1f32.cos(), 0.1f32.sin());
        for (got, want) in neox.iter().zip([c0, c1, s0, s1, 5.0]) {
            assert!((got - want).abs() < 1e-6);
        }
        for (got, want) in pairs.iter().zip([c0, s0, c1, s1, 5.0]) {
            assert!((got - want).abs() < 1e-6);
        }
    }
}
