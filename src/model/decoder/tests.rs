//! What a pass that breaks off leaves behind.
#![cfg(test)]

use super::*;
use crate::model::oracle::tiny;

/// A layer of a device that is gone, with its outputs.
struct Gone(usize);

impl Linear for Gone {
    fn forward(&self, _pool: &Pool, _x: &Activations, _out: &mut [f32]) -> Result<(), JudgeError> {
        Err(JudgeError::Internal("gone".into()))
    }

    fn inputs(&self) -> usize {
        0
    }

    fn outputs(&self) -> usize {
        self.0
    }

    fn weights(&self, _j: usize, _out: &mut [f32]) -> Result<(), String> {
        Err("gone".to_owned())
    }

    fn quantized(&self) -> bool {
        false
    }

    fn bytes(&self) -> usize {
        0
    }
}

fn load() -> Decoder {
    let file = tiny::file(&tiny::families()[0]).open().unwrap();
    Decoder::load(&file, Arithmetic::Integers, 1, &mut |_| {}, &Cancel::new()).unwrap()
}

fn rows(tokens: std::ops::Range<u32>, sequence: usize) -> Vec<Row> {
    tokens.map(|t| Row { logits: true, ..Row::new(t % 50, sequence) }).collect()
}

#[test]
fn after_a_pass_that_broke_off_no_position_of_it_is_taken_for_read_and_the_rest_gives_the_same_bits() {
    let (whole, mut broken) = (load(), load());
    let width = broken.arch.width;
    broken.layers[1].down = Box::new(Gone(width));
    let mut first = Sequence::new(whole.kv_shape(), Vec::new());
    whole.forward(std::slice::from_mut(&mut first), &rows(0..21, 0)).unwrap();
    let second = first.fork();
    let mut sequences = [first, second];
    whole.forward(&mut sequences, &rows(21..25, 0)).unwrap();
    assert_eq!([sequences[0].len(), sequences[1].len()], [25, 21]);

    let mut more = rows(25..28, 0);
    more.extend(rows(21..23, 1));
    assert!(matches!(broken.forward(&mut sequences, &more), Err(JudgeError::Internal(_))));
    assert_eq!([sequences[0].len(), sequences[1].len()], [21, 21], "what is shared stays");

    let mut fresh = [Sequence::new(whole.kv_shape(), Vec::new())];
    let want = whole.forward(&mut fresh, &rows(0..30, 0)).unwrap();
    for sequence in 0..2 {
        let again = whole.forward(&mut sequences, &rows(21..30, sequence)).unwrap();
        assert!(again.iter().zip(&want[want.len() - again.len()..]).all(|(a, b)| a.to_bits() == b.to_bits()));
        assert_eq!(sequences[sequence].tokens(), fresh[0].tokens());
    }
}
