//! The table of families: what a family's files do not say because every program that runs them knows it.
//!
//! Must hold no number that a file of the family states itself, other than the value that holds where it is left out.
//! Learnt from the models' papers and checked against llama.cpp, whose conversion decides what the keys mean.

use super::{Activation, RopeStyle};

/// One family.
pub(super) struct Family {
    /// Its name in GGUF.
    pub(super) name: &'static str,
    pub(super) rope_style: RopeStyle,
    pub(super) activation: Activation,
    /// Norms also after attention and after the MLP.
    pub(super) sandwich: bool,
    /// A norm over each head of queries and keys.
    pub(super) qk_norm: bool,
    /// Its files may have biases on queries, keys and values.
    pub(super) qkv_bias: bool,
    /// `ffn_up` holds the gate in its first half.
    pub(super) fused_gate_up: bool,
    /// Embeddings are multiplied by the square root of the width.
    pub(super) scaled_embedding: bool,
    /// With this many layers (the 27B models) the attention scale comes from `width / heads` instead of the head's
    /// width.
    pub(super) wide_scale_layers: Option<usize>,
    /// What is done about `attention.sliding_window`.
    pub(super) window: Windows,
    /// Every how many layers one has no rotation.
    pub(super) unrotated_every: Option<usize>,
    /// The cap on attention scores where the file does not say.
    pub(super) attention_softcap: Option<f32>,
    /// The cap on logits where the file does not say.
    pub(super) final_softcap: Option<f32>,
    /// The file must say by what the logits are divided.
    pub(super) needs_logit_scale: bool,
    /// `rope.scaling.finetuned = false` means that no layer has a rotation (elsewhere the key is a remark).
    pub(super) finetuned_is_rope: bool,
    /// Keys that only this family and its like have, besides those all families share.
    pub(super) keys: &'static [&'static str],
}

/// What a window in the metadata means.
#[derive(Clone, Copy)]
pub(super) enum Windows {
    /// The family has none; a file that says otherwise is refused.
    Refused,
    /// It is read and not applied. The windows in files of phi3 are not those the models were trained with, and
    /// llama.cpp looks at everything too (its pull request 13676).
    Ignored,
    /// All layers but every `every`-th have one.
    Alternating {
        every: usize,
        /// The window where the file does not say; `None`: no layer has one then.
        default: Option<usize>,
        /// Base of those layers' own rotary embedding, unscaled; `None`: they share the others'.
        base: Option<f32>,
    },
}

const PLAIN: Family = Family {
    name: "llama",
    rope_style: RopeStyle::Interleaved,
    activation: Activation::Silu,
    sandwich: false,
    qk_norm: false,
    qkv_bias: true,
    fused_gate_up: false,
    scaled_embedding: false,
    wide_scale_layers: None,
    window: Windows::Refused,
    unrotated_every: None,
    attention_softcap: None,
    final_softcap: None,
    needs_logit_scale: false,
    finetuned_is_rope: false,
    keys: &[],
};

/// All families. Mistral's older models are `llama` in GGUF.
pub(super) const FAMILIES: &[Family] = &[
    PLAIN,
    Family { name: "mistral3", keys: &["attention.temperature_scale", "rope.scaling.yarn_log_multiplier"], ..PLAIN },
    Family { name: "smollm3", unrotated_every: Some(4), ..PLAIN },
    Family {
        name: "granite",
        needs_logit_scale: true,
        finetuned_is_rope: true,
        keys: &["attention.scale", "embedding_scale", "logit_scale", "residual_scale"],
        ..PLAIN
    },
    Family { name: "qwen2", rope_style: RopeStyle::Neox, ..PLAIN },
    Family { name: "qwen3", rope_style: RopeStyle::Neox, qk_norm: true, ..PLAIN },
    Family { name: "phi3", rope_style: RopeStyle::Neox, fused_gate_up: true, window: Windows::Ignored, ..PLAIN },
    Family {
        name: "gemma2",
        window: Windows::Alternating { every: 2, default: Some(4096), base: None },
        wide_scale_layers: Some(46),
        attention_softcap: Some(50.0),
        final_softcap: Some(30.0),
        keys: &[
            "attention.sliding_window_pattern",
            "attn_logit_softcapping",
            "final_logit_softcapping",
            "rope.freq_base_swa",
        ],
        ..GEMMA
    },
    Family {
        name: "gemma3",
        qk_norm: true,
        window: Windows::Alternating { every: 6, default: None, base: Some(10_000.0) },
        wide_scale_layers: Some(62),
        keys: &[
            "attention.sliding_window_pattern",
            "final_logit_softcapping",
            "rope.freq_base_swa",
            "rope.global.freq_base",
            "rope.local.freq_base",
            "rope.local_freq_base",
        ],
        ..GEMMA
    },
];

const GEMMA: Family = Family {
    rope_style: RopeStyle::Neox,
    activation: Activation::GeluTanh,
    sandwich: true,
    qkv_bias: false,
    scaled_embedding: true,
    ..PLAIN
};
