//! What a pass that breaks off leaves behind.
#![cfg(test)]

use super::*;
use crate::llm::oracle::tiny;

/// A layer of a device that is gone, with its outputs.
struct Gone(usize);

impl Linear for Gone {
    fn forward(&self, _pool: &Pool, _x: &Activations, _out: &mut [f32]) -> Result<(), LlmError> {
        Err(LlmError::Internal("gone".into()))
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

/// Cancels, and then computes as the layer in it does.
struct Cancelling(Box<dyn Linear>, Cancel);

impl Linear for Cancelling {
    fn forward(&self, pool: &Pool, x: &Activations, out: &mut [f32]) -> Result<(), LlmError> {
        self.1.cancel();
        self.0.forward(pool, x, out)
    }

    fn inputs(&self) -> usize {
        self.0.inputs()
    }

    fn outputs(&self) -> usize {
        self.0.outputs()
    }

    fn weights(&self, j: usize, out: &mut [f32]) -> Result<(), String> {
        self.0.weights(j, out)
    }

    fn quantized(&self) -> bool {
        self.0.quantized()
    }

    fn bytes(&self) -> usize {
        self.0.bytes()
    }
}

#[test]
fn after_a_pass_that_broke_off_no_position_of_it_is_taken_for_read_and_the_rest_gives_the_same_bits() {
    let (whole, never) = (load(), Cancel::new());
    let (mut broken, mut cancelled, cancel) = (load(), load(), Cancel::new());
    broken.layers[1].down = Box::new(Gone(broken.arch.width));
    let layer = std::mem::replace(&mut cancelled.layers[0].down, Box::new(Gone(0)));
    cancelled.layers[0].down = Box::new(Cancelling(layer, cancel.clone()));
    let mut fresh = [Sequence::new(whole.kv(), Vec::new())];
    let want = whole.forward(&mut fresh, &rows(0..40, 0), &never).unwrap();

    let mut first = Sequence::new(whole.kv(), Vec::new());
    whole.forward(std::slice::from_mut(&mut first), &rows(0..21, 0), &never).unwrap();
    let second = first.fork();
    let mut sequences = [first, second];
    whole.forward(&mut sequences, &rows(21..25, 0), &never).unwrap();
    let mut more = rows(25..37, 0);
    more.extend(rows(21..23, 1));
    assert!(matches!(broken.forward(&mut sequences, &more, &never), Err(LlmError::Internal(_))));
    assert_eq!([sequences[0].len(), sequences[1].len()], [25, 21]);
    assert!(matches!(cancelled.forward(&mut sequences, &more, &cancel), Err(LlmError::Cancelled)), "between layers");
    assert_eq!([sequences[0].len(), sequences[1].len()], [25, 21]);

    for (sequence, from) in [(0, 25), (1, 21)] {
        let again = whole.forward(&mut sequences, &rows(from..40, sequence), &never).unwrap();
        assert!(again.iter().zip(&want[want.len() - again.len()..]).all(|(a, b)| a.to_bits() == b.to_bits()));
        assert_eq!(sequences[sequence].tokens(), fresh[0].tokens());
    }
}
