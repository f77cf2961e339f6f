//! What a decoder is, as data: read from the metadata of a GGUF file and from a table of families.
//!
//! Must refuse whatever it does not know, by name, and never guess: a wrong guess gives fluent nonsense.

mod families;
mod keys;
#[cfg(test)]
mod tests;

use super::gguf::{GgufError, Metadata};
use families::FAMILIES;
use keys::Keys;

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
    /// Position scale (1 over the scaling factor).
    pub scale: f32,
    /// Which pairs the scale is for; `None`: all.
    pub yarn: Option<Yarn>,
    /// Factor on the turned numbers.
    pub magnitude: f32,
}

/// YaRN (arXiv 2309.00071, section 3.2): pairs that turn often within the original context keep their frequency, those
/// that turn less than once get the scale, those between a mixture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Yarn {
    /// Positions the model was first trained with.
    pub original_context: usize,
    /// Full turns within them from which on nothing is scaled.
    pub beta_fast: f32,
    /// Full turns within them up to which everything is scaled.
    pub beta_slow: f32,
}

/// Queries that grow with their position `p`, by `1 + scale * ln(1 + floor(p / every))`, so that attention over a long
/// context stays sharp (as in Llama 4).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Temperature {
    /// How much.
    pub scale: f32,
    /// Positions per step.
    pub every: usize,
}

/// Which rotary embedding a layer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerRope {
    /// That of the layers that see everything.
    Global,
    /// That of the layers that see a window.
    Local,
    /// None: the layer knows positions only from what the others made of them.
    None,
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
    /// Biases on queries, keys and values, where the file has them.
    pub qkv_bias: bool,
    /// The gate is the first half of the tensor `ffn_up`.
    pub fused_gate_up: bool,
    /// Which pairs are rotated.
    pub rope_style: RopeStyle,
    /// How many numbers of each head are rotated, from the first.
    pub rope_dims: usize,
    /// The rotary embedding (of layers that see everything).
    pub rope: Rope,
    /// Layers that see only a window.
    pub sliding: Option<Sliding>,
    /// Every how many layers the last has no rotation.
    pub unrotated_every: Option<usize>,
    /// Positions the model was first trained with; a longer context uses the tensor `rope_factors_long`.
    pub original_context: usize,
    /// Factor on `q · k`.
    pub attention_scale: f32,
    /// A factor on `q · k` that grows with the position.
    pub temperature: Option<Temperature>,
    /// `cap * tanh(s / cap)` on attention scores.
    pub attention_softcap: Option<f32>,
    /// The same on the logits.
    pub final_softcap: Option<f32>,
    /// Factor on the embeddings.
    pub embedding_scale: f32,
    /// Factor on what attention and MLP add to the residual stream.
    pub residual_scale: f32,
    /// Factor on the logits.
    pub logit_scale: f32,
    /// The MLP's nonlinearity.
    pub activation: Activation,
}

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
            GgufError::unsupported(
                "general.architecture",
                format!("`{architecture}` is not supported; supported: {known}"),
            )
        })?;
        let keys = Keys { metadata, family };
        keys.refuse_unknown()?;

        let context = keys.size("context_length")?;
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
            return Err(keys.unsupported("attention.key_length", problem));
        }
        if let Some(value) = keys.optional_size("attention.value_length")?
            && value != head_dim
        {
            let problem = format!("{value} differs from the key length {head_dim}, which is not supported");
            return Err(keys.unsupported("attention.value_length", problem));
        }
        let rope_dims = keys.optional_size("rope.dimension_count")?.unwrap_or(head_dim);
        if rope_dims % 2 != 0 || rope_dims > head_dim {
            let problem = format!("{rope_dims} is odd or more than the head's {head_dim}");
            return Err(keys.error("rope.dimension_count", problem));
        }
        let original_context = keys.original_context(context)?;
        let rope = keys.rope(original_context)?;
        let scale_width = if family.wide_scale_layers == Some(layers) { width / heads } else { head_dim };
        let eps = keys.positive("attention.layer_norm_rms_epsilon")?;
        let logit_divisor = keys.own("logit_scale")?;
        if family.needs_logit_scale && logit_divisor.is_none() {
            return Err(keys.missing("logit_scale"));
        }
        let embedding_scale = if family.scaled_embedding { (width as f32).sqrt() } else { 1.0 };
        Ok(Self {
            name: family.name,
            context,
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
            fused_gate_up: family.fused_gate_up,
            rope_style: family.rope_style,
            rope_dims,
            rope,
            sliding: keys.sliding(context, rope)?,
            unrotated_every: keys.unrotated_every()?,
            original_context,
            attention_scale: keys.own("attention.scale")?.unwrap_or(1.0 / (scale_width as f32).sqrt()),
            temperature: keys.temperature(original_context)?,
            attention_softcap: keys.own("attn_logit_softcapping")?.or(family.attention_softcap),
            final_softcap: keys.own("final_logit_softcapping")?.or(family.final_softcap),
            embedding_scale: keys.own("embedding_scale")?.unwrap_or(embedding_scale),
            residual_scale: keys.own("residual_scale")?.unwrap_or(1.0),
            logit_scale: 1.0 / logit_divisor.unwrap_or(1.0),
            activation: family.activation,
        })
    }

    /// The window of layer `layer`, where it has one.
    pub fn window(&self, layer: usize) -> Option<&Sliding> {
        self.sliding.as_ref().filter(|s| !(layer + 1).is_multiple_of(s.every))
    }

    /// The rotary embedding of layer `layer`.
    pub fn layer_rope(&self, layer: usize) -> LayerRope {
        match self.unrotated_every {
            Some(every) if (layer + 1).is_multiple_of(every) => LayerRope::None,
            _ if self.window(layer).is_some() => LayerRope::Local,
            _ => LayerRope::Global,
        }
    }

    /// The factor on `q · k` for a query at `position`.
    pub fn query_scale(&self, position: usize) -> f32 {
        let grown = |t: Temperature| 1.0 + f64::from(t.scale) * ((1 + position / t.every) as f64).ln();
        self.attention_scale * self.temperature.map_or(1.0, grown) as f32
    }

    /// Query heads per key head.
    pub fn group(&self) -> usize {
        self.heads / self.kv_heads
    }
}
