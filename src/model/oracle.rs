//! Tiny models with random weights, and a forward pass written down naively in f64, to hold the decoder against.
//!
//! Must share no code with the decoder's forward pass; only used in tests.
#![cfg(test)]

use super::arch::{Activation, Arch, RopeStyle};
use super::decoder::{Decoder, Row};
use super::gguf::GgufFile;
use super::gguf::write::GgufWriter;
use super::kv::Sequence;
use super::{readout, scoring};
use crate::domain::Cancel;
use proptest::prelude::*;

const VOCABULARY: usize = 50;

/// A file of the family `arch` with weights that depend on `seed` alone.
fn tiny(arch: &str) -> GgufWriter {
    let gemma = arch == "gemma3";
    let (layers, dim, width, ff) = (if gemma { 7 } else { 3 }, if gemma { 32 } else { 16 }, 40, 56);
    let (heads, kv_heads) = (6, 2);
    let key = |suffix: &str| format!("{arch}.{suffix}");
    let mut file = GgufWriter::new()
        .str("general.architecture", arch)
        .u32(&key("context_length"), 400)
        .u32(&key("embedding_length"), width as u32)
        .u32(&key("block_count"), layers)
        .u32(&key("feed_forward_length"), ff as u32)
        .u32(&key("attention.head_count"), heads as u32)
        .u32(&key("attention.head_count_kv"), kv_heads as u32)
        .u32(&key("attention.key_length"), dim as u32)
        .u32(&key("attention.value_length"), dim as u32)
        .f32(&key("attention.layer_norm_rms_epsilon"), 1e-5)
        .f32(&key("final_logit_softcapping"), 20.0)
        .f32(&key("attn_logit_softcapping"), 15.0);
    if gemma {
        file = file.u32("gemma3.attention.sliding_window", 70);
    }
    let mut state = 1u32;
    let mut tensor = |file: GgufWriter, name: &str, shape: &[usize], around: f32| {
        let count = shape.iter().product();
        let scale = if shape.len() == 2 { 1.7 / (shape[1] as f32).sqrt() } else { 0.3 };
        let numbers: Vec<f32> = (0..count)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                around + ((state >> 8) as f32 / (1 << 23) as f32 - 1.0) * scale
            })
            .collect();
        let shape: Vec<u64> = shape.iter().map(|n| *n as u64).collect();
        file.tensor_f32(name, &shape, &numbers)
    };
    file = tensor(file, "token_embd.weight", &[VOCABULARY, width], 0.0);
    file = tensor(file, "output_norm.weight", &[width], 1.0);
    for layer in 0..layers {
        let name = |part: &str| format!("blk.{layer}.{part}");
        let (q, kv) = (heads * dim, kv_heads * dim);
        for (part, n, k) in [
            ("attn_q.weight", q, width),
            ("attn_k.weight", kv, width),
            ("attn_v.weight", kv, width),
            ("attn_output.weight", width, q),
            ("ffn_gate.weight", ff, width),
            ("ffn_up.weight", ff, width),
            ("ffn_down.weight", width, ff),
        ] {
            file = tensor(file, &name(part), &[n, k], 0.0);
        }
        let mut vectors = vec![("attn_norm.weight", width, 1.0), ("ffn_norm.weight", width, 1.0)];
        match arch {
            "gemma3" => vectors.extend([
                ("post_attention_norm.weight", width, 1.0),
                ("post_ffw_norm.weight", width, 1.0),
                ("attn_q_norm.weight", dim, 1.0),
                ("attn_k_norm.weight", dim, 1.0),
            ]),
            "qwen2" => vectors.extend([("attn_q.bias", q, 0.0), ("attn_k.bias", kv, 0.0), ("attn_v.bias", kv, 0.0)]),
            _ => {}
        }
        for (part, len, around) in vectors {
            file = tensor(file, &name(part), &[len], around);
        }
    }
    file
}

fn decoder(arch: &str, threads: usize) -> Decoder {
    Decoder::load(&tiny(arch).open().unwrap(), threads, &mut |_| {}, &Cancel::new()).unwrap()
}

struct Naive {
    arch: Arch,
    file: GgufFile,
}

type Matrix = Vec<Vec<f64>>;

impl Naive {
    fn vector(&self, name: &str) -> Option<Vec<f64>> {
        self.file.tensor_info(name)?;
        Some(self.file.dequantize(name).unwrap().into_iter().map(f64::from).collect())
    }

    fn times(&self, x: &Matrix, name: &str) -> Matrix {
        let k = self.file.tensor_info(name).unwrap().shape[1];
        let w = self.vector(name).unwrap();
        let dot = |row: &Vec<f64>, w: &[f64]| row.iter().zip(w).map(|(a, b)| a * b).sum();
        x.iter().map(|row| w.chunks(k).map(|w| dot(row, w)).collect()).collect()
    }

    fn norm(&self, x: &[f64], name: &str) -> Vec<f64> {
        let Some(w) = self.vector(name) else { return x.to_vec() };
        let mean = x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64;
        x.iter().zip(w).map(|(x, w)| x / (mean + f64::from(self.arch.norm_eps)).sqrt() * w).collect()
    }

    /// Bias, head norm and rotation of queries or keys: `[position][head][dim]`.
    fn heads(&self, x: Matrix, layer: usize, which: &str) -> Vec<Matrix> {
        let a = &self.arch;
        let base = a.window(layer).map_or(a.rope.base, |w| w.rope.base);
        let bias = self.vector(&format!("blk.{layer}.attn_{which}.bias"));
        let one = |position: usize, row: Vec<f64>| -> Matrix {
            let row: Vec<f64> = match &bias {
                Some(bias) => row.iter().zip(bias).map(|(x, b)| x + b).collect(),
                None => row,
            };
            let turn = |head: &[f64]| {
                let head = self.norm(head, &format!("blk.{layer}.attn_{which}_norm.weight"));
                let half = a.head_dim / 2;
                let mut out = head.clone();
                for i in 0..half {
                    let (p, q) = match a.rope_style {
                        RopeStyle::Interleaved => (2 * i, 2 * i + 1),
                        RopeStyle::Neox => (i, i + half),
                    };
                    let angle = position as f64 * f64::from(base).powf(-2.0 * i as f64 / a.head_dim as f64);
                    out[p] = head[p] * angle.cos() - head[q] * angle.sin();
                    out[q] = head[p] * angle.sin() + head[q] * angle.cos();
                }
                out
            };
            let keep = |head: &[f64]| head.to_vec();
            row.chunks(a.head_dim).map(|head| if which == "v" { keep(head) } else { turn(head) }).collect()
        };
        x.into_iter().enumerate().map(|(position, row)| one(position, row)).collect()
    }

    fn logits(&self, tokens: &[u32]) -> Matrix {
        let a = &self.arch;
        let embedding = self.vector("token_embd.weight").unwrap();
        let scale = if a.name == "gemma3" { (a.width as f64).sqrt() } else { 1.0 };
        let embed = |t: &u32| embedding[*t as usize * a.width..][..a.width].iter().map(|x| x * scale).collect();
        let mut x: Matrix = tokens.iter().map(embed).collect();
        for layer in 0..a.layers {
            let name = |part: &str| format!("blk.{layer}.{part}");
            let h: Matrix = x.iter().map(|x| self.norm(x, &name("attn_norm.weight"))).collect();
            let q = self.heads(self.times(&h, &name("attn_q.weight")), layer, "q");
            let k = self.heads(self.times(&h, &name("attn_k.weight")), layer, "k");
            let v = self.heads(self.times(&h, &name("attn_v.weight")), layer, "v");
            let mut mixed: Matrix = Vec::new();
            for (i, asking) in q.iter().enumerate() {
                let first = a.window(layer).map_or(0, |w| (i + 1).saturating_sub(w.window));
                let mut row = Vec::new();
                for (head, query) in asking.iter().enumerate() {
                    let of = head / (a.heads / a.kv_heads);
                    let dot = |j: usize| query.iter().zip(&k[j][of]).map(|(a, b)| a * b).sum::<f64>();
                    let cap = a.attention_softcap.map_or(1e9, f64::from);
                    let scores = (first..=i).map(|j| cap * (dot(j) / (a.head_dim as f64).sqrt() / cap).tanh());
                    let weights: Vec<f64> = scores.map(f64::exp).collect();
                    let sum: f64 = weights.iter().sum();
                    let number = |d: usize| (first..=i).map(|j| weights[j - first] * v[j][of][d]).sum::<f64>() / sum;
                    row.extend((0..a.head_dim).map(number));
                }
                mixed.push(row);
            }
            let add = |x: &mut Matrix, change: Matrix, norm: &str| {
                for (x, change) in x.iter_mut().zip(change) {
                    x.iter_mut().zip(self.norm(&change, norm)).for_each(|(x, c)| *x += c);
                }
            };
            add(&mut x, self.times(&mixed, &name("attn_output.weight")), &name("post_attention_norm.weight"));
            let h: Matrix = x.iter().map(|x| self.norm(x, &name("ffn_norm.weight"))).collect();
            let (gate, up) = (self.times(&h, &name("ffn_gate.weight")), self.times(&h, &name("ffn_up.weight")));
            let act = |g: f64| match a.activation {
                Activation::Silu => g / (1.0 + (-g).exp()),
                Activation::GeluTanh => {
                    0.5 * g * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (g + 0.044_715 * g.powi(3))).tanh())
                }
            };
            let gated = |(g, u): (&Vec<f64>, &Vec<f64>)| g.iter().zip(u).map(|(g, u)| act(*g) * u).collect();
            let hidden: Matrix = gate.iter().zip(&up).map(gated).collect();
            add(&mut x, self.times(&hidden, &name("ffn_down.weight")), &name("post_ffw_norm.weight"));
        }
        let h: Matrix = x.iter().map(|x| self.norm(x, "output_norm.weight")).collect();
        let cap = a.final_softcap.map_or(1e9, f64::from);
        let logits = self.times(&h, "token_embd.weight").into_iter();
        logits.map(|row| row.into_iter().map(|l| cap * (l / cap).tanh()).collect()).collect()
    }
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

const FAMILIES: [&str; 3] = ["llama", "qwen2", "gemma3"];

#[test]
fn logits_of_every_family_equal_a_naive_forward_in_f64_beyond_block_and_window() {
    for family in FAMILIES {
        let file = tiny(family).open().unwrap();
        let naive = Naive { arch: Arch::read(file.metadata()).unwrap(), file };
        let tokens = prompt(150, 1);
        let decoder = decoder(family, 1);
        let mut sequence = [Sequence::new(decoder.kv_shape(), Vec::new())];
        let got = decoder.forward(&mut sequence, &rows(&tokens, 0)).unwrap();
        let want = naive.logits(&tokens);
        let pairs = got.iter().zip(want.iter().flatten());
        let worst = pairs.map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
        assert!(worst < 2e-4, "{family}: {worst}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn logits_have_the_same_bits_alone_chunked_forked_in_a_ragged_batch_and_on_two_threads(
        cuts in prop::collection::vec(1usize..70, 1..8),
        family in 0usize..3,
    ) {
        let (one, two) = (decoder(FAMILIES[family], 1), decoder(FAMILIES[family], 2));
        let tokens = prompt(140, 2);
        let shape = one.kv_shape();
        let mut alone = [Sequence::new(shape, Vec::new())];
        let whole = bits(&one.forward(&mut alone, &rows(&tokens, 0)).unwrap());
        // Chunk by chunk on two threads, forking after each, while another sequence runs in the same batch.
        let mut pair = vec![Sequence::new(shape, Vec::new()), Sequence::new(shape, Vec::new())];
        let mut done = 0;
        for cut in cuts.iter().cycle() {
            if done == tokens.len() {
                break;
            }
            let chunk = &tokens[done..(done + cut).min(tokens.len())];
            let mut batch = rows(chunk, 0);
            batch.splice(0..0, rows(&prompt(3, done as u32), 1));
            let got = two.forward(&mut pair, &batch).unwrap();
            let from = done * VOCABULARY;
            prop_assert_eq!(&bits(&got)[3 * VOCABULARY..], &whole[from..from + chunk.len() * VOCABULARY]);
            done += chunk.len();
            pair[0] = pair[0].fork();
            if pair[1].len() > 300 {
                pair[1] = Sequence::new(shape, Vec::new());
            }
        }
    }
}

#[test]
fn the_readout_over_the_trie_equals_scoring_each_answer_token_by_token() {
    for family in FAMILIES {
        let decoder = decoder(family, 2);
        let answers: [&[u32]; 5] = [&[3, 4, 5], &[3, 4], &[3, 9], &[8], &[3, 4, 5, 6]];
        let endings = [0, 1, 5, 7];
        let tokens = prompt(70, 3);
        let mut sequence = Sequence::new(decoder.kv_shape(), Vec::new());
        let read = |sequence: &mut Sequence, tokens: &[u32]| {
            scoring::read(&decoder, sequence, tokens, &mut Default::default(), &mut |_| {}, &Cancel::new()).unwrap()
        };
        let logits = read(&mut sequence, &tokens);
        let all: Vec<Vec<u32>> = answers.iter().map(|a| a.to_vec()).collect();
        let scores = readout::score(&decoder, &mut sequence, &logits, &all, &endings).unwrap();
        assert_eq!(scores.computed, 6, "each token of the trie once");
        for (answer, got) in answers.iter().zip(&scores.logprobs) {
            let mut fresh = Sequence::new(decoder.kv_shape(), Vec::new());
            let mut logits = read(&mut fresh, &tokens);
            let mut want = 0.0;
            for token in *answer {
                want += scoring::LogSoftmax::new(&logits).unwrap().logprob(logits[*token as usize]);
                logits = read(&mut fresh, &[*token]);
            }
            let softmax = scoring::LogSoftmax::new(&logits).unwrap();
            // After [3, 4] the ending token 5 goes on to [3, 4, 5], which is another answer.
            let ends = endings.iter().filter(|e| !(**answer == [3, 4] && **e == 5));
            want += ends.map(|e| softmax.logprob(logits[*e as usize]).exp()).sum::<f64>().ln();
            assert!((got - want).abs() < 1e-5, "{family} {answer:?}: {got} {want}");
        }
    }
}

#[test]
fn files_that_are_not_what_their_architecture_says_are_refused_by_tensor_name() {
    let load = |file: &GgufWriter| {
        let loaded = Decoder::load(&file.open().unwrap(), 1, &mut |_| {}, &Cancel::new());
        loaded.err().map(|e| format!("{e} {e:?}")).unwrap_or_default()
    };
    let extra = load(&tiny("llama").tensor_f32("blk.0.attn_q.bias", &[96], &[0.0; 96]));
    assert!(extra.contains("blk.0.attn_q.bias") && extra.contains("no such tensor"), "{extra}");
    let missing = load(&tiny("llama").str("general.name", "x").tensor_f32("rope_freqs.weight", &[3], &[1.0; 3]));
    assert!(missing.contains("rope_freqs.weight") && missing.contains("instead of [8]"), "{missing}");
    let cancel = Cancel::new();
    cancel.cancel();
    let file = tiny("llama").file();
    let open = GgufFile::open(file.path(), &Cancel::new()).unwrap();
    assert!(matches!(Decoder::load(&open, 1, &mut |_| {}, &cancel), Err(super::JudgeError::Cancelled)));
}

#[test]
fn too_long_prompts_and_ids_outside_the_vocabulary_are_errors() {
    let decoder = decoder("llama", 1);
    let next = |ids: &[u32]| scoring::next(&decoder, ids, 3, 2, &Cancel::new());
    assert!(matches!(next(&[1; 401]), Err(super::JudgeError::TooLong { tokens: 401, context: 400 })));
    assert!(next(&[50]).is_err() && next(&[]).is_err());
    let ok = next(&[1, 2, 3]).unwrap();
    assert_eq!((ok.top.len(), ok.greedy.len()), (3, 2));
    assert_eq!(ok.top[0].0, ok.greedy[0]);
}
