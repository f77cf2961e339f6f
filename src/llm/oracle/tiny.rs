//! Tiny models with random weights: a table of families and variants, each as the keys and tensors of its file and, in
//! words of its own, as what the file means.
//!
//! Must not ask the code under test what a key means: a row states it, and the naive forward follows the row.
#![cfg(test)]

use crate::llm::gguf::write::GgufWriter;

pub const VOCABULARY: usize = 50;
pub const WIDTH: usize = 40;
pub const FEED_FORWARD: usize = 56;
pub const CONTEXT: u32 = 400;
const LONG: &str = "rope_factors_long.weight";
const SHORT: &str = "rope_factors_short.weight";

/// A value of the metadata.
#[derive(Clone, Copy, Debug)]
pub enum Key {
    U(u32),
    F(f32),
    B(bool),
    S(&'static str),
}
use Key::{B, F, S, U};

/// What is done to the rotary embedding, as its paper parametrises it.
#[derive(Clone, Copy, Debug)]
pub enum Scaling {
    None,
    Linear {
        factor: f64,
    },
    /// The positions first trained with, turns from which on and up to which, and the divisor of the extra magnitude.
    Yarn {
        factor: f64,
        original: f64,
        fast: f64,
        slow: f64,
        over: f64,
    },
    /// Factors of single pairs, in tensors.
    Factors {
        tensor: &'static str,
        magnitude: f64,
    },
}

/// One model: its file and its meaning.
#[derive(Clone, Debug)]
pub struct Spec {
    pub label: &'static str,
    pub family: &'static str,
    /// Keys below the family's name besides the sizes.
    pub keys: Vec<(&'static str, Key)>,
    /// Vectors of `rope_dims / 2` numbers that stretch pairs.
    pub factors: &'static [&'static str],
    pub layers: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub dim: usize,
    pub rope_dims: usize,
    pub interleaved: bool,
    pub gelu: bool,
    pub sandwich: bool,
    pub qk_norm: bool,
    pub qkv_bias: bool,
    pub fused_qkv: bool,
    pub fused_up: bool,
    pub own_head: bool,
    pub base: f64,
    pub scaling: Scaling,
    /// Positions seen, every how many layers one sees all, and the base in the others.
    pub window: Option<(usize, usize, f64)>,
    pub unrotated_every: Option<usize>,
    pub attention_cap: Option<f64>,
    pub final_cap: Option<f64>,
    pub attention_scale: f64,
    pub embedding_scale: f64,
    pub residual_scale: f64,
    pub logit_divisor: f64,
    /// Growth of the queries: scale and positions per step.
    pub temperature: Option<(f64, usize)>,
}

fn llama() -> Spec {
    Spec {
        label: "llama",
        family: "llama",
        keys: vec![("rope.dimension_count", U(16)), ("vocab_size", U(VOCABULARY as u32)), ("expert_count", U(0))],
        factors: &[],
        layers: 3,
        heads: 6,
        kv_heads: 2,
        dim: 16,
        rope_dims: 16,
        interleaved: true,
        gelu: false,
        sandwich: false,
        qk_norm: false,
        qkv_bias: false,
        fused_qkv: false,
        fused_up: false,
        own_head: false,
        base: 10_000.0,
        scaling: Scaling::None,
        window: None,
        unrotated_every: None,
        attention_cap: None,
        final_cap: None,
        attention_scale: 0.25,
        embedding_scale: 1.0,
        residual_scale: 1.0,
        logit_divisor: 1.0,
        temperature: None,
    }
}

fn gemma() -> Spec {
    Spec {
        interleaved: false,
        gelu: true,
        sandwich: true,
        dim: 32,
        rope_dims: 32,
        attention_scale: 1.0 / 32f64.sqrt(),
        embedding_scale: (WIDTH as f64).sqrt(),
        ..llama()
    }
}

fn phi3() -> Spec {
    let original = ("rope.scaling.original_context_length", U(CONTEXT));
    Spec {
        label: "phi3",
        family: "phi3",
        // A window in the file that is not applied.
        keys: vec![("rope.dimension_count", U(12)), ("attention.sliding_window", U(70)), original],
        rope_dims: 12,
        interleaved: false,
        fused_qkv: true,
        fused_up: true,
        own_head: true,
        ..llama()
    }
}

/// One model of each family.
pub fn families() -> Vec<Spec> {
    let neox = Spec { interleaved: false, ..llama() };
    let granite = vec![
        ("attention.scale", F(0.4)),
        ("embedding_scale", F(6.0)),
        ("residual_scale", F(0.3)),
        ("logit_scale", F(5.0)),
        ("rope.freq_base", F(5e5)),
    ];
    let caps = vec![
        ("attn_logit_softcapping", F(9.0)),
        ("final_logit_softcapping", F(4.0)),
        ("attention.sliding_window", U(70)),
    ];
    let mistral3 = vec![
        ("attention.temperature_scale", F(0.3)),
        ("rope.scaling.type", S("yarn")),
        ("rope.scaling.factor", F(16.0)),
        ("rope.scaling.original_context_length", U(50)),
        ("rope.scaling.yarn_beta_fast", F(3.0)),
        ("rope.scaling.yarn_beta_slow", F(0.5)),
        ("rope.scaling.yarn_log_multiplier", F(0.5)),
    ];
    let over = 0.05 * 16f64.ln() + 1.0;
    vec![
        llama(),
        Spec { label: "qwen2", family: "qwen2", keys: vec![], qkv_bias: true, ..neox.clone() },
        Spec {
            label: "qwen3",
            family: "qwen3",
            keys: vec![("rope.freq_base", F(1e6))],
            qk_norm: true,
            base: 1e6,
            ..neox.clone()
        },
        Spec {
            label: "gemma2",
            family: "gemma2",
            keys: caps,
            layers: 5,
            window: Some((70, 2, 10_000.0)),
            attention_cap: Some(9.0),
            final_cap: Some(4.0),
            ..gemma()
        },
        Spec {
            label: "gemma3",
            family: "gemma3",
            keys: vec![("attention.sliding_window", U(70)), ("rope.freq_base", F(1e6))],
            layers: 7,
            qk_norm: true,
            base: 1e6,
            window: Some((70, 6, 10_000.0)),
            ..gemma()
        },
        phi3(),
        Spec {
            label: "granite",
            family: "granite",
            keys: granite,
            base: 5e5,
            attention_scale: 0.4,
            embedding_scale: 6.0,
            residual_scale: 0.3,
            logit_divisor: 5.0,
            ..llama()
        },
        Spec { label: "smollm3", family: "smollm3", layers: 9, unrotated_every: Some(4), ..llama() },
        Spec {
            label: "mistral3",
            family: "mistral3",
            keys: mistral3,
            scaling: Scaling::Yarn { factor: 16.0, original: 50.0, fast: 3.0, slow: 0.5, over },
            temperature: Some((0.3, 50)),
            ..llama()
        },
    ]
}

/// What files of those families may have besides.
pub fn variants() -> Vec<Spec> {
    let with = |spec: &Spec, label, keys: &[(&'static str, Key)], change: &dyn Fn(&mut Spec)| {
        let mut spec = Spec { label, ..spec.clone() };
        spec.keys.extend(keys);
        change(&mut spec);
        spec
    };
    let family = |name: &str| families().into_iter().find(|s| s.family == name).unwrap();
    let yarn = [("rope.scaling.type", S("yarn")), ("rope.scaling.factor", F(4.0))];
    let linear = [("rope.scaling.type", S("linear")), ("rope.scaling.factor", F(8.0))];
    let yarn_of = |original| Scaling::Yarn { factor: 4.0, original, fast: 32.0, slow: 1.0, over: 1.0 };
    let original = ("rope.scaling.original_context_length", U(100));
    let swa = [("rope.freq_base_swa", F(500.0))];
    vec![
        with(&llama(), "linear", &linear, &|s| s.scaling = Scaling::Linear { factor: 8.0 }),
        with(&llama(), "linear by its old name", &[("rope.scale_linear", F(2.0))], &|s| {
            s.scaling = Scaling::Linear { factor: 2.0 };
        }),
        with(&llama(), "a factor that the type switches off", &[linear[1], ("rope.scaling.type", S("none"))], &|_| {}),
        with(&llama(), "llama3 factors", &[("rope.freq_base", F(5e5))], &|s| {
            s.factors = &["rope_freqs.weight"];
            s.base = 5e5;
            s.scaling = Scaling::Factors { tensor: "rope_freqs.weight", magnitude: 1.0 };
        }),
        with(&llama(), "llama with biases and a head", &[], &|s| (s.qkv_bias, s.own_head) = (true, true)),
        with(&llama(), "longrope in llama", &[original, ("rope.scaling.type", S("longrope"))], &|s| {
            s.factors = &[LONG, SHORT];
            s.scaling = Scaling::Factors { tensor: LONG, magnitude: 1.0 };
        }),
        with(&family("qwen2"), "yarn", &[yarn[0], yarn[1], original], &|s| s.scaling = yarn_of(100.0)),
        with(&family("qwen3"), "yarn from the context itself", &yarn, &|s| s.scaling = yarn_of(400.0)),
        with(&family("qwen2"), "qwen2 without biases", &[], &|s| s.qkv_bias = false),
        with(&family("qwen3"), "qwen3 fused, with biases", &[], &|s| (s.qkv_bias, s.fused_qkv) = (true, true)),
        with(&family("gemma2"), "gemma2 with a local base", &swa, &|s| s.window = Some((70, 2, 500.0))),
        with(&family("gemma2"), "gemma2 as its program has it", &[], &|s| {
            s.keys = vec![];
            (s.attention_cap, s.final_cap) = (Some(50.0), Some(30.0));
            s.window = Some((4096, 2, 10_000.0));
        }),
        with(&family("gemma3"), "gemma3, scaled where it sees all", &[linear[0], linear[1], swa[0]], &|s| {
            s.scaling = Scaling::Linear { factor: 8.0 };
            s.window = Some((70, 6, 500.0));
        }),
        with(&family("gemma3"), "gemma3 without windows", &[("final_logit_softcapping", F(3.0))], &|s| {
            s.keys[0].1 = U(0);
            (s.window, s.final_cap) = (None, Some(3.0));
        }),
        with(&phi3(), "phi3 within its context", &[("rope.scaling.attn_factor", F(1.2))], &|s| {
            s.factors = &[LONG, SHORT];
            s.scaling = Scaling::Factors { tensor: SHORT, magnitude: 1.2f32.into() };
        }),
        with(&phi3(), "phi3 beyond its context", &[("rope.scaling.attn_factor", F(1.2))], &|s| {
            s.keys[2].1 = U(100);
            s.factors = &[LONG, SHORT];
            s.scaling = Scaling::Factors { tensor: LONG, magnitude: 1.2f32.into() };
        }),
        with(&phi3(), "phi3 with everything apart", &[("attention.causal", B(true))], &|s| {
            (s.fused_qkv, s.qkv_bias, s.own_head) = (false, true, false);
        }),
        with(&family("granite"), "granite without rotation", &[("rope.scaling.finetuned", B(false))], &|s| {
            s.unrotated_every = Some(1);
        }),
        with(&family("granite"), "granite with a scale for its logits alone", &[], &|s| {
            s.keys.retain(|(key, _)| *key == "logit_scale");
            (s.base, s.attention_scale, s.embedding_scale, s.residual_scale) = (10_000.0, 0.25, 1.0, 1.0);
        }),
        with(&family("mistral3"), "mistral3 without growing queries", &[], &|s| {
            s.keys.retain(|(key, _)| *key != "attention.temperature_scale");
            s.temperature = None;
        }),
    ]
}

/// The file, with weights that depend on names and shapes alone.
pub fn file(spec: &Spec) -> GgufWriter {
    let key = |suffix: &str| format!("{}.{suffix}", spec.family);
    let mut file = GgufWriter::new()
        .str("general.architecture", spec.family)
        .u32(&key("context_length"), CONTEXT)
        .u32(&key("embedding_length"), WIDTH as u32)
        .u32(&key("block_count"), spec.layers as u32)
        .u32(&key("feed_forward_length"), FEED_FORWARD as u32)
        .u32(&key("attention.head_count"), spec.heads as u32)
        .u32(&key("attention.head_count_kv"), spec.kv_heads as u32)
        .u32(&key("attention.key_length"), spec.dim as u32)
        .u32(&key("attention.value_length"), spec.dim as u32)
        .f32(&key("attention.layer_norm_rms_epsilon"), 1e-5);
    for (suffix, value) in &spec.keys {
        file = match *value {
            U(value) => file.u32(&key(suffix), value),
            F(value) => file.f32(&key(suffix), value),
            B(value) => file.bool(&key(suffix), value),
            S(value) => file.str(&key(suffix), value),
        };
    }
    let mut state = 1u32;
    let mut add = |name: String, shape: &[usize], around: f32| {
        let count = shape.iter().product();
        let scale = if shape.len() == 2 { 1.7 / (shape[1] as f32).sqrt() } else { 0.3 };
        let mut number = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            around + ((state >> 8) as f32 / (1 << 23) as f32 - 1.0) * scale
        };
        let numbers: Vec<f32> = (0..count).map(|_| number()).collect();
        let shape: Vec<u64> = shape.iter().map(|n| *n as u64).collect();
        file = std::mem::take(&mut file).tensor_f32(&name, &shape, &numbers);
    };
    add("token_embd.weight".into(), &[VOCABULARY, WIDTH], 0.0);
    add("output_norm.weight".into(), &[WIDTH], 1.0);
    if spec.own_head {
        add("output.weight".into(), &[VOCABULARY, WIDTH], 0.0);
    }
    for (i, name) in spec.factors.iter().enumerate() {
        add((*name).into(), &[spec.rope_dims / 2], 1.5 + 2.0 * i as f32);
    }
    let (q, kv) = (spec.heads * spec.dim, spec.kv_heads * spec.dim);
    let parts: &[(&str, usize)] =
        if spec.fused_qkv { &[("attn_qkv", q + 2 * kv)] } else { &[("attn_q", q), ("attn_k", kv), ("attn_v", kv)] };
    let ups: &[(&str, usize)] = if spec.fused_up {
        &[("ffn_up", 2 * FEED_FORWARD)]
    } else {
        &[("ffn_gate", FEED_FORWARD), ("ffn_up", FEED_FORWARD)]
    };
    for layer in 0..spec.layers {
        let name = |part: &str| format!("blk.{layer}.{part}");
        for (part, n) in parts.iter().chain(ups) {
            add(name(&format!("{part}.weight")), &[*n, WIDTH], 0.0);
        }
        for (part, n) in parts.iter().filter(|_| spec.qkv_bias) {
            add(name(&format!("{part}.bias")), &[*n], 0.0);
        }
        add(name("attn_output.weight"), &[WIDTH, q], 0.0);
        add(name("ffn_down.weight"), &[WIDTH, FEED_FORWARD], 0.0);
        for norm in ["attn_norm.weight", "ffn_norm.weight"] {
            add(name(norm), &[WIDTH], 1.0);
        }
        for norm in ["post_attention_norm.weight", "post_ffw_norm.weight"].iter().filter(|_| spec.sandwich) {
            add(name(norm), &[WIDTH], 1.0);
        }
        for norm in ["attn_q_norm.weight", "attn_k_norm.weight"].iter().filter(|_| spec.qk_norm) {
            add(name(norm), &[spec.dim], 1.0);
        }
    }
    file
}
