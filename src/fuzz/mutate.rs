//! Inputs mutated from other inputs, the same for the same seed; they drive the targets when libFuzzer is not
//! available.
//!
//! Must be cheap compared to the targets, and must be able to reach every byte string.

/// The longest input.
const LONGEST: usize = 2048;

/// An endless row of inputs.
#[derive(Clone, Debug)]
pub struct Mutator {
    state: u64,
    seeds: Vec<Vec<u8>>,
    words: &'static [&'static str],
    current: Vec<u8>,
}

impl Mutator {
    /// The inputs of this `seed`, mutated from `seeds` and `words`.
    pub fn new(seed: u64, mut seeds: Vec<Vec<u8>>, words: &'static [&'static str]) -> Self {
        seeds.iter_mut().for_each(|seed| seed.truncate(LONGEST));
        Self { state: seed, seeds, words, current: Vec::new() }
    }

    /// A number from 0 to `n`, without it: SplitMix64.
    fn below(&mut self, n: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n.max(1) as u64) as usize
    }

    /// The next input.
    #[allow(clippy::should_implement_trait, reason = "it never ends and lends what it gives")]
    pub fn next(&mut self) -> &[u8] {
        // Mostly a fresh seed, sometimes the last input once more, so that changes pile up.
        if self.current.is_empty() || self.below(4) != 0 {
            let which = self.below(self.seeds.len());
            self.current.clone_from(self.seeds.get(which).unwrap_or(&Vec::new()));
        }
        for _ in 0..=self.below(6) {
            self.change();
        }
        self.current.truncate(LONGEST);
        &self.current
    }

    /// Two places in the current input, in order.
    fn range(&mut self, most: usize) -> std::ops::Range<usize> {
        let from = self.below(self.current.len() + 1);
        let len = self.below(most.min(self.current.len() - from) + 1);
        from..from + len
    }

    fn insert(&mut self, bytes: &[u8]) {
        let range = self.range(8);
        let range = if self.below(2) == 0 { range } else { range.start..range.start };
        drop(self.current.splice(range, bytes.iter().copied()));
    }

    fn change(&mut self) {
        const BYTES: [u8; 16] = *b"\0\x01\x1b\x7f\x80\xc2\xe2\xff\n\r\"\\{}[]";
        match self.below(10) {
            0 => {
                let (at, bit) = (self.below(self.current.len()), self.below(8));
                if let Some(byte) = self.current.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
            1 => {
                let (at, new) = (self.below(self.current.len()), self.below(256) as u8);
                if let Some(byte) = self.current.get_mut(at) {
                    *byte = new;
                }
            }
            2 => {
                let byte = BYTES[self.below(BYTES.len())];
                self.insert(&[byte]);
            }
            3 | 4 => {
                let which = self.below(self.words.len());
                self.insert(self.words.get(which).unwrap_or(&"").as_bytes());
            }
            5 => {
                let range = self.range(64);
                drop(self.current.drain(range));
            }
            6 => {
                let range = self.range(64);
                let copy = self.current.get(range).unwrap_or_default().to_vec();
                self.insert(&copy);
            }
            7 => {
                // A part of another seed.
                let which = self.below(self.seeds.len());
                let len = self.seeds.get(which).map_or(0, Vec::len);
                let from = self.below(len);
                let to = (from + 1 + self.below(96)).min(len);
                let part = self.seeds.get(which).and_then(|s| s.get(from..to)).unwrap_or_default().to_vec();
                self.insert(&part);
            }
            8 => {
                const NUMBERS: [&str; 8] =
                    ["0", "-1", "1e999", "18446744073709551615", "0.0000001", "NaN", "4294967296", "65536"];
                let which = self.below(NUMBERS.len());
                self.insert(NUMBERS[which].as_bytes());
            }
            _ => {
                // A number as model files have them.
                let value = match self.below(3) {
                    0 => self.below(16) as u64,
                    1 => u64::MAX - self.below(16) as u64,
                    _ => 1 << self.below(64),
                };
                let wide = if self.below(2) == 0 { 4 } else { 8 };
                self.insert(value.to_le_bytes().get(..wide).unwrap_or_default());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_inputs_and_none_is_too_long() {
        let new = |seed| Mutator::new(seed, vec![b"abc".to_vec(), b"d".repeat(5000)], &["word"]);
        let (mut a, mut b, mut other) = (new(7), new(7), new(8));
        let mut differ = false;
        for _ in 0..1000 {
            let input = a.next().to_vec();
            assert!(input.len() <= LONGEST);
            assert_eq!(input, b.next());
            differ |= input != other.next();
        }
        assert!(differ);
    }
}
