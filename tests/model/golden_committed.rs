//! Log-probabilities and token ids of SmolLM2 against the reference values in `testdata/golden`, on every machine.
//!
//! Must fail, not skip, if `CROSSEXAM_REQUIRE_MODEL` demands the model. The first check is against exact arithmetic: it
//! shows which of two rounding programs is off, which a comparison with another engine does not.

use crate::common::model::smollm2;
use crate::golden::{Limits, Top, check, distance, field, score, turned_round};
use crossexam::domain::Cancel;
use crossexam::llm::decoder::Decoder;
use crossexam::llm::gguf::GgufFile;
use crossexam::llm::linear::Arithmetic;
use crossexam::llm::tokenizer::Tokenizer;
use serde_json::Value;

/// Our own exact arithmetic is in f32. All limits are over a prompt's ten most likely tokens.
const EXACT: Limits = Limits { most: 5e-4, median: 2e-4 };
/// Our kernels round activations. llama.cpp, which rounds more coarsely, is 0.30 and 0.21 off on these prompts.
const KERNELS: Limits = Limits { most: 0.20, median: 0.15 };
/// The reference rounds too, and the two distances add up.
const REFERENCE: Limits = Limits { most: 0.40, median: 0.30 };

struct Prompt {
    ids: Vec<u32>,
    exact: Top,
    reference: Top,
}

fn prompts() -> Vec<Prompt> {
    let text = include_str!("../../testdata/golden/smollm2-135m-instruct-q4_1.jsonl");
    let prompts: Vec<_> = text.lines().map(prompt).collect();
    assert_eq!(prompts.len(), 5);
    prompts
}

fn prompt(line: &str) -> Prompt {
    let line: Value = serde_json::from_str(line).expect("JSON");
    Prompt { ids: field(&line, "ids"), exact: field(&line, "exact"), reference: field(&line, "reference") }
}

fn open() -> Option<GgufFile> {
    let models = smollm2()?;
    Some(GgufFile::open(&models.join("SmolLM2-135M-Instruct.Q4_1.gguf"), &Cancel::new()).expect("the model opens"))
}

fn decoder(file: &GgufFile, arithmetic: Arithmetic) -> Decoder {
    // One thread: the bits are the same, and the tests beside this one want the other cores.
    Decoder::load(file, arithmetic, 1, &mut |_| {}, &Cancel::new()).expect("the model loads")
}

#[test]
fn smollm2_is_near_exact_arithmetic_and_then_near_the_reference() {
    let Some(file) = open() else { return };
    let (prompts, kernels) = (prompts(), decoder(&file, Arithmetic::Integers));
    let found: Vec<Top> = prompts.iter().map(|prompt| score(&kernels, &prompt.ids)).collect();
    let distances = |wanted: fn(&Prompt) -> &Top| {
        prompts.iter().zip(&found).map(|(prompt, found)| distance(wanted(prompt), found)).collect()
    };
    check("kernels against exact arithmetic", distances(|p| &p.exact), &KERNELS);
    check("kernels against the reference", distances(|p| &p.reference), &REFERENCE);
    for (number, (prompt, found)) in prompts.iter().zip(&found).enumerate() {
        assert!(!turned_round(&prompt.exact, found, 1.0), "prompt {number} goes on with another token");
    }
}

#[test]
fn our_exact_arithmetic_is_exact() {
    let Some(file) = open() else { return };
    let (prompts, exact) = (prompts(), decoder(&file, Arithmetic::Exact));
    // It is slow, so the short ones have to do.
    let distances = prompts
        .iter()
        .filter(|prompt| prompt.ids.len() < 40)
        .map(|prompt| distance(&prompt.exact, &score(&exact, &prompt.ids)));
    check("exact arithmetic", distances.collect(), &EXACT);
}

#[test]
fn a_prompt_is_tokenised_as_the_reference_did_it() {
    let Some(file) = open() else { return };
    let tokenizer = Tokenizer::from_metadata(file.metadata()).expect("its tokenizer is known");
    for (number, prompt) in prompts().iter().enumerate() {
        let text = tokenizer.decode(&prompt.ids);
        assert!(tokenizer.encode_content(&text) == prompt.ids, "prompt {number}");
    }
}
