//! What a decoder is, as data: read from the metadata of a GGUF file and from a table of families.
//!
//! Must refuse whatever it does not know, by name, and never guess: a wrong guess gives fluent nonsense.

use super::gguf::{GgufError, Metadata};

/// How pairs of numbers are rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RopeStyle {
    /// Pairs `(2i, 2i + 1)`, as llama's weights in GGUF are permuted for.
    Interleaved,
    /// Pairs `(i, i + dims / 2)`, as in GPT-NeoX.
    Neox,
}

/// A rotary position embedding: position `p` turns pair `i` by `p * scale * base^(-2i / dims)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rope {
    /// Base of the geometric series of frequencies.
    pub base: f32,
    /// Linear position scale (1 over the scaling factor).
    pub scale: f32,
}

/// The nonlinearity of the gated MLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `x * sigmoid(x)`.
    Silu,
    /// The tanh approximation of GELU.
    GeluTanh,
}

/// Layers that see only the last positions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sliding {
    /// How many positions such a layer sees, the row's own included.
    pub window: usize,
    /// Every `every`-th layer (the last of each group) sees everything instead.
    pub every: usize,
    /// Its own rotary embedding.
    pub rope: Rope,
}

/// A decoder-only transformer with RMS norms, rotary positions, grouped-query attention and a gated MLP.
#[derive(Clone, Debug, PartialEq)]
pub struct Arch {
    /// The family's name in GGUF.
    pub name: &'static str,
    /// Longest input in tokens.
    pub context: usize,
    /// Width of the residual stream.
    pub width: usize,
    /// Number of layers.
    pub layers: usize,
    /// Width of the MLP.
    pub feed_forward: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; each serves `heads / kv_heads` query heads.
    pub kv_heads: usize,
    /// Numbers per head.
    pub head_dim: usize,
    /// Added to the mean square in every RMS norm.
    pub norm_eps: f32,
    /// Norms also after attention and after the MLP, before the residual sum.
    pub sandwich: bool,
    /// A norm over each head of the queries and keys, before the rotation.
    pub qk_norm: bool,
    /// Biases on queries, keys and values.
    pub qkv_bias: bool,
    /// Which pairs are rotated.
    pub rope_style: RopeStyle,
    /// How many numbers of each head are rotated, from the first.
    pub rope_dims: usize,
    /// The rotary embedding (of layers that see everything).
    pub rope: Rope,
    /// Layers that see only a window.
    pub sliding: Option<Sliding>,
    /// Factor on `q · k`.
    pub attention_scale: f32,
    /// `cap * tanh(s / cap)` on attention scores.
    pub attention_softcap: Option<f32>,
    /// The same on the logits.
    pub final_softcap: Option<f32>,
    /// Factor on the embeddings.
    pub embedding_scale: f32,
    /// The MLP's nonlinearity.
    pub activation: Activation,
}

/// What a family's files do not say because its program knows.
struct Family {
    name: &'static str,
    rope_style: RopeStyle,
    activation: Activation,
    sandwich: bool,
    qk_norm: bool,
    qkv_bias: bool,
    /// Embeddings are multiplied by the square root of the width.
    scaled_embedding: bool,
    /// Period of the layers that see everything, and the base of the others' rotary embedding.
    sliding: Option<(usize, f32)>,
}

const FAMILIES: [Family; 3] = [
    Family {
        name: "llama",
        rope_style: RopeStyle::Interleaved,
        activation: Activation::Silu,
        sandwich: false,
        qk_norm: false,
        qkv_bias: false,
        scaled_embedding: false,
        sliding: None,
    },
    Family {
        name: "qwen2",
        rope_style: RopeStyle::Neox,
        activation: Activation::Silu,
        sandwich: false,
        qk_norm: false,
        qkv_bias: true,
        scaled_embedding: false,
        sliding: None,
    },
    Family {
        name: "gemma3",
        rope_style: RopeStyle::Neox,
        activation: Activation::GeluTanh,
        sandwich: true,
        qk_norm: true,
        qkv_bias: false,
        scaled_embedding: true,
        sliding: Some((6, 10_000.0)),
    },
];

/// Keys under the family's name that are understood; any other changes the model in a way we would not follow.
const KEYS: [&str; 17] = [
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.layer_norm_rms_epsilon",
    "attention.sliding_window",
    "attention.value_length",
    "attn_logit_softcapping",
    "block_count",
    "context_length",
    "embedding_length",
    "feed_forward_length",
    "final_logit_softcapping",
    "rope.dimension_count",
    "rope.freq_base",
    "rope.scaling.factor",
    "rope.scaling.type",
    "vocab_size",
];

/// gemma3 with this many layers (27B) scales attention by the width of a head as `width / heads` instead of `head_dim`.
const GEMMA3_27B_LAYERS: usize = 62;

impl Arch {
    /// Reads the description.
    ///
    /// # Errors
    /// For an unknown architecture, an unknown key, a missing one, and for numbers that do not fit each other.
    pub fn read(metadata: &Metadata) -> Result<Self, GgufError> {
        let architecture = metadata.str("general.architecture")?;
        let architecture = architecture.ok_or_else(|| GgufError::missing_key("general.architecture"))?;
        let family = FAMILIES.iter().find(|f| f.name == architecture).ok_or_else(|| {
            let known: Vec<_> = FAMILIES.iter().map(|f| f.name).collect();
            let known = known.join(", ");
            GgufError::key("general.architecture", format!("`{architecture}` is not supported; supported: {known}"))
        })?;
        let keys = Keys { metadata, prefix: family.name };
        keys.refuse_unknown()?;

        let width = keys.size("embedding_length")?;
        let layers = keys.size("block_count")?;
        let heads = keys.size("attention.head_count")?;
        let kv_heads = keys.optional_size("attention.head_count_kv")?.unwrap_or(heads);
        if heads % kv_heads != 0 {
            return Err(keys.error("attention.head_count_kv", format!("{kv_heads} does not divide {heads} heads")));
        }
        let head_dim = match keys.optional_size("attention.key_length")? {
            Some(dim) => dim,
            None if width % heads == 0 => width / heads,
            None => return Err(keys.error("attention.head_count", format!("{heads} does not divide {width}"))),
        };
        if head_dim % 16 != 0 || head_dim > 512 {
            let problem = format!("heads of {head_dim} numbers; multiples of 16 up to 512 are supported");
            return Err(keys.error("attention.key_length", problem));
        }
        if let Some(value) = keys.optional_size("attention.value_length")?
            && value != head_dim
        {
            return Err(keys.error("attention.value_length", format!("{value} differs from the key length {head_dim}")));
        }
        let rope_dims = keys.optional_size("rope.dimension_count")?.unwrap_or(head_dim);
        if rope_dims % 2 != 0 || rope_dims > head_dim {
            let problem = format!("{rope_dims} is odd or more than the head's {head_dim}");
            return Err(keys.error("rope.dimension_count", problem));
        }
        let base = keys.positive("rope.freq_base")?.unwrap_or(10_000.0);
        let scale_width = match (family.name, layers) {
            ("gemma3", GEMMA3_27B_LAYERS) => width / heads,
            _ => head_dim,
        };
        let eps = keys.positive("attention.layer_norm_rms_epsilon")?;
        Ok(Self {
            name: family.name,
            context: keys.size("context_length")?,
            width,
            layers,
            feed_forward: keys.size("feed_forward_length")?,
            heads,
            kv_heads,
            head_dim,
            norm_eps: eps.ok_or_else(|| keys.missing("attention.layer_norm_rms_epsilon"))?,
            sandwich: family.sandwich,
            qk_norm: family.qk_norm,
            qkv_bias: family.qkv_bias,
            rope_style: family.rope_style,
            rope_dims,
            rope: Rope { base, scale: keys.rope_scale()? },
            sliding: keys.sliding(family)?,
            attention_scale: 1.0 / (scale_width as f32).sqrt(),
            attention_softcap: keys.positive("attn_logit_softcapping")?,
            final_softcap: keys.positive("final_logit_softcapping")?,
            embedding_scale: if family.scaled_embedding { (width as f32).sqrt() } else { 1.0 },
            activation: family.activation,
        })
    }

    /// The window of layer `layer`, where it has one.
    pub fn window(&self, layer: usize) -> Option<&Sliding> {
        self.sliding.as_ref().filter(|s| !(layer + 1).is_multiple_of(s.every))
    }

    /// Query heads per key head.
    pub fn group(&self) -> usize {
        self.heads / self.kv_heads
    }
}

struct Keys<'a> {
    metadata: &'a Metadata,
    prefix: &'static str,
}

impl Keys<'_> {
    fn key(&self, suffix: &str) -> String {
        format!("{}.{suffix}", self.prefix)
    }

    fn error(&self, suffix: &str, what: String) -> GgufError {
        GgufError::key(&self.key(suffix), what)
    }

    fn missing(&self, suffix: &str) -> GgufError {
        GgufError::missing_key(&self.key(suffix))
    }

    fn refuse_unknown(&self) -> Result<(), GgufError> {
        let own = self.metadata.keys().filter_map(|k| k.strip_prefix(self.prefix)?.strip_prefix('.'));
        for suffix in own {
            if !KEYS.contains(&suffix) {
                return Err(self.error(suffix, "this variant of the architecture is not supported".to_owned()));
            }
        }
        Ok(())
    }

    /// A number of things: at least 1, and small enough that products of a few of them cannot overflow.
    fn optional_size(&self, suffix: &str) -> Result<Option<usize>, GgufError> {
        let Some(n) = self.metadata.u32(&self.key(suffix))? else { return Ok(None) };
        if n == 0 || n > 1 << 24 {
            return Err(self.error(suffix, format!("{n} is not in 1..=2^24")));
        }
        Ok(Some(n as usize))
    }

    fn size(&self, suffix: &str) -> Result<usize, GgufError> {
        self.optional_size(suffix)?.ok_or_else(|| self.missing(suffix))
    }

    fn positive(&self, suffix: &str) -> Result<Option<f32>, GgufError> {
        match self.metadata.f32(&self.key(suffix))? {
            Some(x) if x.is_nan() || x <= 0.0 => Err(self.error(suffix, format!("{x} is not above 0"))),
            x => Ok(x),
        }
    }

    fn rope_scale(&self) -> Result<f32, GgufError> {
        let kind = self.metadata.str(&self.key("rope.scaling.type"))?;
        let factor = self.positive("rope.scaling.factor")?;
        match (kind, factor) {
            (None | Some("none"), None) => Ok(1.0),
            (None | Some("linear"), Some(factor)) => Ok(1.0 / factor),
            (Some("linear"), None) => Err(self.missing("rope.scaling.factor")),
            (Some(other), _) => {
                Err(self.error("rope.scaling.type", format!("`{other}` is not supported; supported: none, linear")))
            }
        }
    }

    fn sliding(&self, family: &Family) -> Result<Option<Sliding>, GgufError> {
        let window = self.optional_size("attention.sliding_window")?;
        match (family.sliding, window) {
            (Some((every, base)), Some(window)) => Ok(Some(Sliding { window, every, rope: Rope { base, scale: 1.0 } })),
            (Some(_), None) => Err(self.missing("attention.sliding_window")),
            (None, None) => Ok(None),
            (None, Some(_)) => Err(self
                .error("attention.sliding_window", format!("{} with a sliding window is not supported", family.name))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::gguf::write::GgufWriter;

    fn base(arch: &str) -> GgufWriter {
        GgufWriter::new()
            .str("general.architecture", arch)
            .u32(&format!("{arch}.context_length"), 128)
            .u32(&format!("{arch}.embedding_length"), 64)
            .u32(&format!("{arch}.block_count"), 12)
            .u32(&format!("{arch}.feed_forward_length"), 96)
            .u32(&format!("{arch}.attention.head_count"), 4)
            .u32(&format!("{arch}.attention.head_count_kv"), 2)
            .f32(&format!("{arch}.attention.layer_norm_rms_epsilon"), 1e-5)
    }

    fn read(file: &GgufWriter) -> Result<Arch, String> {
        Arch::read(file.open().unwrap().metadata()).map_err(|e| e.to_string())
    }

    #[test]
    fn the_three_families_differ_as_their_papers_say() {
        let llama = read(&base("llama").f32("llama.rope.freq_base", 5e5)).unwrap();
        assert_eq!((llama.head_dim, llama.group(), llama.rope.base), (16, 2, 5e5));
        assert_eq!((llama.rope_style, llama.qkv_bias), (RopeStyle::Interleaved, false));
        let qwen = read(&base("qwen2")).unwrap();
        assert_eq!((qwen.rope_style, qwen.qkv_bias, qwen.qk_norm), (RopeStyle::Neox, true, false));
        let gemma = base("gemma3").u32("gemma3.attention.sliding_window", 8).u32("gemma3.attention.key_length", 32);
        let gemma =
            read(&gemma.str("gemma3.rope.scaling.type", "linear").f32("gemma3.rope.scaling.factor", 8.0)).unwrap();
        assert_eq!((gemma.embedding_scale, gemma.rope.scale), (8.0, 0.125));
        let windows: Vec<bool> = (0..12).map(|l| gemma.window(l).is_some()).collect();
        assert_eq!(windows, [[true, true, true, true, true, false]; 2].concat());
        assert_eq!(gemma.window(0).map(|s| (s.rope.base, s.rope.scale)), Some((10_000.0, 1.0)));
    }

    #[test]
    fn what_is_unknown_or_inconsistent_is_refused_by_name() {
        let cases = [
            (GgufWriter::new(), "no key `general.architecture`"),
            (base("mamba"), "`mamba` is not supported; supported: llama, qwen2, gemma3"),
            (base("llama").u32("llama.expert_count", 8), "`llama.expert_count` of the model file: this variant"),
            (base("llama").str("llama.rope.scaling.type", "yarn"), "`yarn` is not supported"),
            (base("llama").u32("llama.attention.sliding_window", 8), "with a sliding window is not supported"),
            (base("llama").u32("llama.attention.key_length", 24), "heads of 24 numbers"),
            (base("llama").u32("llama.attention.value_length", 32), "differs from the key length 16"),
            (base("llama").u32("llama.rope.dimension_count", 64), "64 is odd or more than the head's 16"),
            (base("gemma3"), "no key `gemma3.attention.sliding_window`"),
        ];
        for (file, error) in cases {
            let got = read(&file).unwrap_err();
            assert!(got.contains(error), "{got:?} should say {error:?}");
        }
    }
}
