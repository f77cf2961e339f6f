//! Rotary position embedding.
//!
//! Must compute angles in f64 from the position itself, so that a position has the same angle on every path to it.

use super::arch::{Rope, RopeStyle};

/// Sines and cosines for the positions of one batch: `[row][pair]`.
pub struct Angles {
    pairs: usize,
    cos: Vec<f32>,
    sin: Vec<f32>,
}

/// Frequencies of one rotary embedding: `scale * base^(-2i / dims) / factor[i]`.
///
/// `factors` stretch single pairs (the tensor `rope_freqs.weight` of Llama 3); empty for none.
pub fn frequencies(rope: Rope, dims: usize, factors: &[f32]) -> Vec<f64> {
    (0..dims / 2)
        .map(|i| {
            let factor = factors.get(i).map_or(1.0, |f| f64::from(*f));
            f64::from(rope.scale) * f64::from(rope.base).powf(-2.0 * i as f64 / dims as f64) / factor
        })
        .collect()
}

impl Angles {
    /// Angles of `positions`.
    pub fn new(frequencies: &[f64], positions: impl Iterator<Item = usize>) -> Self {
        let mut angles = Self { pairs: frequencies.len(), cos: Vec::new(), sin: Vec::new() };
        for position in positions {
            for frequency in frequencies {
                let (sin, cos) = (position as f64 * frequency).sin_cos();
                angles.sin.push(sin as f32);
                angles.cos.push(cos as f32);
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
        let rope = Rope { base: 100.0, scale: 0.5 };
        let f = frequencies(rope, 4, &[]);
        assert!((f[0] - 0.5).abs() < 1e-12 && (f[1] - 0.05).abs() < 1e-12);
        assert_eq!(frequencies(rope, 4, &[1.0, 5.0])[1], f[1] / 5.0);
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
