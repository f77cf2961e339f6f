//! The decoder held against a naive forward pass, on tiny models with random weights, one per family and variant.
//!
//! Must share no code with the decoder's forward pass; only used in tests.
#![cfg(test)]

mod naive;
pub(crate) mod tiny;

use super::decoder::{Decoder, Row};
use super::device::Processor;
use super::gguf::GgufFile;
use super::gguf::write::GgufWriter;
use super::kv::Sequence;
use super::linear::Arithmetic;
use super::scoring;
use crate::domain::Cancel;
use naive::Naive;
use proptest::prelude::*;
use tiny::{Spec, VOCABULARY};

fn load(file: &GgufWriter, threads: usize) -> Result<Decoder, String> {
    let loaded = Decoder::load(&file.open().unwrap(), Arithmetic::Integers, threads, &mut |_| {}, &Cancel::new());
    loaded.map_err(|e| format!("{e} {e:?}"))
}

fn decoder(spec: &Spec, threads: usize) -> Decoder {
    load(&tiny::file(spec), threads).unwrap()
}

/// The first family, llama.
fn llama() -> Spec {
    tiny::families().remove(0)
}

fn prompt(len: usize, seed: u32) -> Vec<u32> {
    (0..len as u32).map(|i| (i * 7 + seed * 13 + i * i * 3) % VOCABULARY as u32).collect()
}

fn rows(tokens: &[u32], sequence: usize) -> Vec<Row> {
    tokens.iter().map(|t| Row { logits: true, ..Row::new(*t, sequence) }).collect()
}

fn bits(logits: &[f32]) -> Vec<u32> {
    logits.iter().map(|l| l.to_bits()).collect()
}

#[test]
fn logits_of_every_family_and_variant_equal_a_naive_forward_in_f64_beyond_block_and_window() {
    let mut seen: Vec<Vec<f32>> = Vec::new();
    for spec in tiny::families().into_iter().chain(tiny::variants()) {
        let naive = Naive::new(&spec, &tiny::file(&spec).open().unwrap());
        let tokens = prompt(150, 1);
        let decoder = decoder(&spec, 1);
        let mut sequence = [Sequence::new(decoder.kv(), Vec::new())];
        let got = decoder.forward(&mut sequence, &rows(&tokens, 0), &Cancel::new()).unwrap();
        let want = naive.logits(&tokens);
        let pairs = got.iter().zip(want.iter().flatten());
        let worst = pairs.map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
        assert!(worst < 2e-5, "{}: {worst}", spec.label);
        // A variant that made no difference would prove nothing.
        let last = got[got.len() - VOCABULARY..].to_vec();
        let near = |other: &Vec<f32>| other.iter().zip(&last).all(|(a, b)| (a - b).abs() < 1e-3);
        let inert = spec.label == "a factor that the type switches off";
        assert_eq!(seen.iter().any(near), inert, "{}", spec.label);
        seen.push(last);
    }
}

/// The same decoder with its linear layers on what stands for a device, in passes of odd sizes.
#[test]
fn with_linear_layers_on_a_device_every_family_computes_the_same_logits() {
    for spec in tiny::families() {
        let file = tiny::file(&spec).open().unwrap();
        let naive = Naive::new(&spec, &file);
        let arithmetic = Arithmetic::On(Processor::of_candle_on_the_cpu());
        let decoder = Decoder::load(&file, arithmetic, 1, &mut |_| {}, &Cancel::new()).unwrap();
        assert_eq!((decoder.device(), decoder.kernel()), ("candle", "candle-qmatmul/1"));
        let tokens = prompt(150, 1);
        let mut sequence = [Sequence::new(decoder.kv(), Vec::new())];
        let mut got = Vec::new();
        for chunk in [&tokens[..1], &tokens[1..8], &tokens[8..141], &tokens[141..]] {
            got.extend(decoder.forward(&mut sequence, &rows(chunk, 0), &Cancel::new()).unwrap());
        }
        let want = naive.logits(&tokens);
        let worst = got.iter().zip(want.iter().flatten()).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
        assert!(worst < 2e-5, "{}: {worst}", spec.label);
    }
}

/// Reads a prompt whole, and again chunk by chunk on two threads, forking after each chunk, while another sequence runs
/// in the same batch.
fn whole_and_in_chunks(spec: &Spec, cuts: &[usize]) -> (Vec<u32>, Vec<u32>) {
    let (one, two) = (decoder(spec, 1), decoder(spec, 2));
    let tokens = prompt(140, 2);
    let kv = two.kv();
    let mut alone = [Sequence::new(one.kv(), Vec::new())];
    let whole = bits(&one.forward(&mut alone, &rows(&tokens, 0), &Cancel::new()).unwrap());
    let mut pair = vec![Sequence::new(kv, Vec::new()), Sequence::new(kv, Vec::new())];
    let mut chunks = Vec::new();
    let mut done = 0;
    for cut in cuts.iter().cycle() {
        if done == tokens.len() {
            break;
        }
        let chunk = &tokens[done..(done + cut).min(tokens.len())];
        let mut batch = rows(chunk, 0);
        batch.splice(0..0, rows(&prompt(3, done as u32), 1));
        let got = two.forward(&mut pair, &batch, &Cancel::new()).unwrap();
        chunks.extend(bits(&got[3 * VOCABULARY..]));
        done += chunk.len();
        pair[0] = pair[0].fork();
        if pair[1].len() > 300 {
            pair[1] = Sequence::new(kv, Vec::new());
        }
    }
    (whole, chunks)
}

/// In a tile of several rows, the first may still see a block of which the last row's window has passed even the end.
#[test]
fn windows_that_end_between_the_rows_of_a_tile_give_the_same_bits_whatever_the_chunks() {
    for spec in tiny::families().into_iter().filter(|spec| spec.window.is_some()) {
        for cut in [2, 5, 6, 7, 64, 66, 140] {
            let (whole, chunks) = whole_and_in_chunks(&spec, &[cut]);
            assert_eq!(whole, chunks, "{} in chunks of {cut}", spec.label);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn logits_have_the_same_bits_alone_chunked_forked_in_a_ragged_batch_and_on_two_threads(
        cuts in prop::collection::vec(1usize..70, 1..8),
    ) {
        for spec in tiny::families() {
            let (whole, chunks) = whole_and_in_chunks(&spec, &cuts);
            prop_assert!(whole == chunks, "{}", spec.label);
        }
    }
}

#[test]
fn files_that_are_not_what_their_architecture_says_are_refused_by_tensor_name() {
    let zeros = |name: &str, len: usize| tiny::file(&llama()).tensor_f32(name, &[len as u64], &vec![0.0; len]);
    let of = |label: &str, name: &str, len: usize| {
        let spec = tiny::families().into_iter().chain(tiny::variants()).find(|s| s.label == label).unwrap();
        tiny::file(&spec).tensor_f32(name, &[len as u64], &vec![1.0; len])
    };
    let long = "rope_factors_long.weight";
    let cases = [
        (zeros("blk.0.attn_output.bias", 40), "blk.0.attn_output.bias", "no such tensor"),
        (zeros("blk.0.attn_q.bias", 96), "blk.0.attn_k.bias", "has no tensor"),
        (zeros("blk.0.attn_q.bias", 95), "blk.0.attn_q.bias", "instead of [96]"),
        (zeros("rope_freqs.weight", 3), "rope_freqs.weight", "instead of [8]"),
        (zeros(long, 8), "rope_factors_short.weight", "has no tensor"),
        (of("phi3 within its context", "rope_freqs.weight", 6), "rope_freqs.weight", "no such tensor"),
        (of("gemma2", "blk.0.attn_q.bias", 192), "blk.0.attn_q.bias", "no such tensor"),
        (of("gemma2", "blk.0.attn_q_norm.weight", 32), "blk.0.attn_q_norm.weight", "no such tensor"),
        (of("qwen3 fused, with biases", "blk.0.attn_q.bias", 96), "blk.0.attn_q.bias", "no such tensor"),
    ];
    for (file, name, what) in cases {
        let error = load(&file, 1).err().unwrap_or_default();
        assert!(error.contains(name) && error.contains(what), "{name}, {what}: {error}");
    }
    let cancel = Cancel::new();
    cancel.cancel();
    let file = tiny::file(&llama()).file();
    let open = GgufFile::open(file.path(), &Cancel::new()).unwrap();
    assert!(matches!(
        Decoder::load(&open, Arithmetic::Integers, 1, &mut |_| {}, &cancel),
        Err(super::LlmError::Cancelled)
    ));
}

#[test]
fn too_long_prompts_and_ids_outside_the_vocabulary_are_errors() {
    let decoder = decoder(&llama(), 1);
    let next = |ids: &[u32]| scoring::next(&decoder, ids, 3, 2, &Cancel::new());
    assert!(matches!(next(&[1; 401]), Err(super::LlmError::TooLong { tokens: 401, context: 400 })));
    assert!(next(&[50]).is_err() && next(&[]).is_err());
    let ok = next(&[1, 2, 3]).unwrap();
    assert_eq!((ok.top.len(), ok.greedy.len()), (3, 2));
    assert_eq!(ok.top[0].0, ok.greedy[0]);
}
