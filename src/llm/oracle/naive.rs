//! The forward pass of a transformer, written down naively in f64 from the papers.
//!
//! Must share no code with the decoder: it knows a model by its row in the table of tiny models and by its tensors.
#![cfg(test)]

use super::tiny::{FEED_FORWARD, Scaling, Spec, VOCABULARY, WIDTH};
use crate::llm::gguf::GgufFile;
use std::collections::HashMap;
use std::f64::consts::{PI, TAU};

pub type Matrix = Vec<Vec<f64>>;

pub struct Naive {
    spec: Spec,
    tensors: HashMap<String, Vec<f64>>,
}

impl Naive {
    pub fn new(spec: &Spec, file: &GgufFile) -> Self {
        let read = |name: &str| file.dequantize(name).unwrap().into_iter().map(f64::from).collect();
        let tensors = file.tensors().map(|(name, _)| (name.to_owned(), read(name))).collect();
        Self { spec: spec.clone(), tensors }
    }

    /// `x · Wᵀ + b`, where there is a bias.
    fn times(&self, x: &Matrix, name: &str) -> Matrix {
        let w = &self.tensors[&format!("{name}.weight")];
        let bias = self.tensors.get(&format!("{name}.bias"));
        let dot = |row: &Vec<f64>, w: &[f64]| row.iter().zip(w).map(|(a, b)| a * b).sum::<f64>();
        let product = |row: &Vec<f64>| -> Vec<f64> {
            let out = w.chunks(row.len()).map(|w| dot(row, w)).enumerate();
            out.map(|(i, y)| y + bias.map_or(0.0, |b| b[i])).collect()
        };
        x.iter().map(product).collect()
    }

    fn norm(&self, x: &[f64], name: &str) -> Vec<f64> {
        let Some(w) = self.tensors.get(name) else { return x.to_vec() };
        let mean = x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64;
        x.iter().zip(w).map(|(x, w)| x / (mean + f64::from(1e-5f32)).sqrt() * w).collect()
    }

    fn windowed(&self, layer: usize) -> Option<(usize, f64)> {
        let (size, every, base) = self.spec.window?;
        (layer % every != every - 1).then_some((size, base))
    }

    /// By how much pair `i` turns per position, and the factor on it.
    fn turn(&self, layer: usize, i: usize) -> (f64, f64) {
        let s = &self.spec;
        if s.unrotated_every.is_some_and(|every| layer % every == every - 1) {
            return (0.0, 1.0);
        }
        let dims = s.rope_dims as f64;
        let plain = |base: f64| base.powf(-2.0 * i as f64 / dims);
        match (self.windowed(layer), s.scaling) {
            (Some((_, base)), _) => (plain(base), 1.0),
            (None, Scaling::None) => (plain(s.base), 1.0),
            (None, Scaling::Linear { factor }) => (plain(s.base) / factor, 1.0),
            (None, Scaling::Factors { tensor, magnitude }) => (plain(s.base) / self.tensors[tensor][i], magnitude),
            (None, Scaling::Yarn { factor, original, fast, slow, over }) => {
                // The pair that makes `turns` turns over the original context solves turns * wavelength = original.
                let pair = |turns: f64| dims * (original / (turns * TAU)).ln() / (2.0 * s.base.ln());
                let (low, high) = (pair(fast).floor().max(0.0), pair(slow).ceil().min(dims - 1.0));
                let kept = 1.0 - ((i as f64 - low) / (high - low)).clamp(0.0, 1.0);
                let (fast, slow) = (plain(s.base), plain(s.base) / factor);
                (slow * (1.0 - kept) + fast * kept, (0.1 * factor.ln() + 1.0) / over)
            }
        }
    }

    /// Queries, keys and values as `[position][head][dim]`.
    fn heads(&self, h: &Matrix, layer: usize) -> [Vec<Matrix>; 3] {
        let s = &self.spec;
        let name = |part: &str| format!("blk.{layer}.{part}");
        let (q, kv) = (s.heads * s.dim, s.kv_heads * s.dim);
        let [q, k, v] = if s.fused_qkv {
            let all = self.times(h, &name("attn_qkv"));
            [0..q, q..q + kv, q + kv..q + 2 * kv].map(|part| all.iter().map(|row| row[part.clone()].to_vec()).collect())
        } else {
            ["attn_q", "attn_k", "attn_v"].map(|part| self.times(h, &name(part)))
        };
        let split = |x: Matrix| -> Vec<Matrix> {
            x.iter().map(|row| row.chunks(s.dim).map(<[f64]>::to_vec).collect()).collect()
        };
        let turned = |x: Matrix, norm: &str| {
            let mut x = split(x);
            for (position, heads) in x.iter_mut().enumerate() {
                heads.iter_mut().for_each(|head| *head = self.rotated(&self.norm(head, &name(norm)), layer, position));
            }
            x
        };
        [turned(q, "attn_q_norm.weight"), turned(k, "attn_k_norm.weight"), split(v)]
    }

    fn rotated(&self, head: &[f64], layer: usize, position: usize) -> Vec<f64> {
        let mut out = head.to_vec();
        let pairs = self.spec.rope_dims / 2;
        for i in 0..pairs {
            let (p, q) = if self.spec.interleaved { (2 * i, 2 * i + 1) } else { (i, i + pairs) };
            let (frequency, magnitude) = self.turn(layer, i);
            let (sin, cos) = (position as f64 * frequency).sin_cos();
            out[p] = (head[p] * cos - head[q] * sin) * magnitude;
            out[q] = (head[p] * sin + head[q] * cos) * magnitude;
        }
        out
    }

    fn attention(&self, h: &Matrix, layer: usize) -> Matrix {
        let s = &self.spec;
        let [q, k, v] = self.heads(h, layer);
        let mixed = |i: usize| -> Vec<f64> {
            let first = self.windowed(layer).map_or(0, |(size, _)| (i + 1).saturating_sub(size));
            let grown = s.temperature.map_or(1.0, |(by, every)| 1.0 + by * (1.0 + (i / every) as f64).ln());
            let mix = |(head, query): (usize, &Vec<f64>)| -> Vec<f64> {
                let of = head / (s.heads / s.kv_heads);
                let score = |j: usize| {
                    let dot: f64 = query.iter().zip(&k[j][of]).map(|(a, b)| a * b).sum();
                    let score = dot * grown * s.attention_scale;
                    s.attention_cap.map_or(score, |cap| cap * (score / cap).tanh()).exp()
                };
                let weights: Vec<f64> = (first..=i).map(score).collect();
                let sum: f64 = weights.iter().sum();
                (0..s.dim).map(|d| (first..=i).map(|j| weights[j - first] * v[j][of][d]).sum::<f64>() / sum).collect()
            };
            q[i].iter().enumerate().flat_map(mix).collect()
        };
        (0..h.len()).map(mixed).collect()
    }

    fn mlp(&self, h: &Matrix, layer: usize) -> Matrix {
        let name = |part: &str| format!("blk.{layer}.{part}");
        let up = self.times(h, &name("ffn_up"));
        let gate_up: Matrix = if self.spec.fused_up {
            up
        } else {
            let gate = self.times(h, &name("ffn_gate"));
            gate.into_iter().zip(up).map(|(gate, up)| [gate, up].concat()).collect()
        };
        let silu = |g: f64| g / (1.0 + (-g).exp());
        let gelu = |g: f64| 0.5 * g * (1.0 + ((2.0 / PI).sqrt() * (g + 0.044_715 * g.powi(3))).tanh());
        let act = |g: f64| if self.spec.gelu { gelu(g) } else { silu(g) };
        let hidden = |row: &Vec<f64>| (0..FEED_FORWARD).map(|i| act(row[i]) * row[FEED_FORWARD + i]).collect();
        self.times(&gate_up.iter().map(hidden).collect(), &name("ffn_down"))
    }

    /// Logits after each token: `[position][vocabulary]`.
    pub fn logits(&self, tokens: &[u32]) -> Matrix {
        let s = &self.spec;
        let embedding: Vec<&[f64]> = self.tensors["token_embd.weight"].chunks(WIDTH).collect();
        assert_eq!(embedding.len(), VOCABULARY);
        let embed = |t: &u32| embedding[*t as usize].iter().map(|x| x * s.embedding_scale).collect();
        let mut x: Matrix = tokens.iter().map(embed).collect();
        let normed = |x: &Matrix, name: &str| x.iter().map(|x| self.norm(x, name)).collect::<Matrix>();
        let add = |x: &mut Matrix, change: Matrix| {
            for (x, change) in x.iter_mut().zip(change) {
                x.iter_mut().zip(change).for_each(|(x, c)| *x += c * s.residual_scale);
            }
        };
        for layer in 0..s.layers {
            let name = |part: &str| format!("blk.{layer}.{part}");
            let mixed = self.attention(&normed(&x, &name("attn_norm.weight")), layer);
            let change = self.times(&mixed, &name("attn_output"));
            add(&mut x, normed(&change, &name("post_attention_norm.weight")));
            let change = self.mlp(&normed(&x, &name("ffn_norm.weight")), layer);
            add(&mut x, normed(&change, &name("post_ffw_norm.weight")));
        }
        let head = if s.own_head { "output" } else { "token_embd" };
        let logits = self.times(&normed(&x, "output_norm.weight"), head);
        let last = |logit: f64| {
            let logit = logit / s.logit_divisor;
            s.final_cap.map_or(logit, |cap| cap * (logit / cap).tanh())
        };
        logits.into_iter().map(|row| row.into_iter().map(last).collect()).collect()
    }
}
