//! Reads the keys of one family from a file's metadata.
//!
//! Must refuse, by name, every key it does not know and every value whose meaning is not certain.

use super::families::{Family, Windows};
use super::{Rope, Sliding, Temperature, Yarn};
use crate::llm::gguf::{GgufError, Metadata};

/// What keys of image encoders begin with. They say nothing about the decoder of text, and a file that has such an
/// encoder is refused for its tensors, which this decoder does not use.
const OF_IMAGES: &[&str] = &["clip.", "image_token_index", "mm.", "spatial_merge_size", "vision."];

/// Keys under the family's name that are understood in every family; any other changes the model in a way we would not
/// follow.
const SHARED: &[&str] = &[
    "attention.causal",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.layer_norm_rms_epsilon",
    "attention.sliding_window",
    "attention.value_length",
    "block_count",
    "context_length",
    "embedding_length",
    "expert_count",
    "expert_used_count",
    "feed_forward_length",
    "rope.dimension_count",
    "rope.freq_base",
    "rope.scale_linear",
    "rope.scaling.attn_factor",
    "rope.scaling.factor",
    "rope.scaling.finetuned",
    "rope.scaling.original_context_length",
    "rope.scaling.type",
    "rope.scaling.yarn_beta_fast",
    "rope.scaling.yarn_beta_slow",
    // The number of rows of the embedding, which its tensor says again.
    "vocab_size",
];

/// Names of the base of layers that see everything, the one of today first. The others are in the first files of
/// gemma3.
const GLOBAL_BASES: [&str; 2] = ["rope.freq_base", "rope.global.freq_base"];
/// The same for layers with a window.
const LOCAL_BASES: [&str; 3] = ["rope.freq_base_swa", "rope.local.freq_base", "rope.local_freq_base"];

pub(super) struct Keys<'a> {
    pub(super) metadata: &'a Metadata,
    pub(super) family: &'static Family,
}

impl Keys<'_> {
    fn key(&self, suffix: &str) -> String {
        format!("{}.{suffix}", self.family.name)
    }

    pub(super) fn error(&self, suffix: &str, what: String) -> GgufError {
        GgufError::key(&self.key(suffix), what)
    }

    /// An error about a value that means a model which we do not compute.
    pub(super) fn unsupported(&self, suffix: &str, what: impl AsRef<str>) -> GgufError {
        GgufError::unsupported(&self.key(suffix), what)
    }

    pub(super) fn missing(&self, suffix: &str) -> GgufError {
        GgufError::missing_key(&self.key(suffix))
    }

    /// Refuses keys that are not known, and known ones that have no effect only at a value they do not have.
    pub(super) fn refuse_unknown(&self) -> Result<(), GgufError> {
        let unsupported = |suffix: &str| self.unsupported(suffix, "this variant of the architecture is not supported");
        let own = self.metadata.keys().filter_map(|k| k.strip_prefix(self.family.name)?.strip_prefix('.'));
        for suffix in own {
            let of_images = OF_IMAGES.iter().any(|begin| suffix.starts_with(begin));
            if !of_images && !SHARED.contains(&suffix) && !self.family.keys.contains(&suffix) {
                return Err(unsupported(suffix));
            }
        }
        for none in ["expert_count", "expert_used_count"] {
            if self.metadata.u32(&self.key(none))?.unwrap_or(0) != 0 {
                return Err(unsupported(none));
            }
        }
        if self.metadata.bool(&self.key("attention.causal"))? == Some(false) {
            return Err(unsupported("attention.causal"));
        }
        Ok(())
    }

    /// A number of things: at least 1, and small enough that products of a few of them cannot overflow.
    pub(super) fn optional_size(&self, suffix: &str) -> Result<Option<usize>, GgufError> {
        let Some(n) = self.metadata.u32(&self.key(suffix))? else { return Ok(None) };
        if n == 0 || n > 1 << 24 {
            return Err(self.error(suffix, format!("{n} is not in 1..=2^24")));
        }
        Ok(Some(n as usize))
    }

    pub(super) fn size(&self, suffix: &str) -> Result<usize, GgufError> {
        self.optional_size(suffix)?.ok_or_else(|| self.missing(suffix))
    }

    pub(super) fn positive(&self, suffix: &str) -> Result<Option<f32>, GgufError> {
        match self.metadata.f32(&self.key(suffix))? {
            Some(x) if x.is_nan() || x <= 0.0 => Err(self.error(suffix, format!("{x} is not above 0"))),
            x => Ok(x),
        }
    }

    /// As [`Self::positive`] for keys whose 0 means that there is nothing of the kind.
    fn positive_or_off(&self, suffix: &str) -> Result<Option<f32>, GgufError> {
        match self.metadata.f32(&self.key(suffix))? {
            Some(0.0) => Ok(None),
            _ => self.positive(suffix),
        }
    }

    /// A number that goes by several names in files of different age, `names[0]` the one of today. All that are there
    /// must agree.
    fn renamed(&self, names: &[&str]) -> Result<Option<f32>, GgufError> {
        let mut found: Option<(f32, &str)> = None;
        for name in names {
            if !SHARED.contains(name) && !self.family.keys.contains(name) {
                continue;
            }
            let Some(value) = self.positive(name)? else { continue };
            match found {
                Some((first, other)) if first != value => {
                    let problem = format!("{value} where `{}` says {first}", self.key(other));
                    return Err(self.error(name, problem));
                }
                _ => found = Some((value, name)),
            }
        }
        Ok(found.map(|(value, _)| value))
    }

    /// A key that only some families have: unread in others, which refuse it.
    pub(super) fn own(&self, suffix: &str) -> Result<Option<f32>, GgufError> {
        if self.family.keys.contains(&suffix) { self.positive_or_off(suffix) } else { Ok(None) }
    }

    /// The context that the model was first trained with, before its positions were stretched to `context`.
    pub(super) fn original_context(&self, context: usize) -> Result<usize, GgufError> {
        Ok(self.optional_size("rope.scaling.original_context_length")?.unwrap_or(context))
    }

    /// The rotary embedding.
    ///
    /// llama.cpp reads the two betas of YaRN for some families only and uses the paper's 32 and 1 for the others. A
    /// file that says something else was trained with it, so the file is followed.
    pub(super) fn rope(&self, original_context: usize) -> Result<Rope, GgufError> {
        let base = self.renamed(&GLOBAL_BASES)?.unwrap_or(10_000.0);
        let kind = self.metadata.str(&self.key("rope.scaling.type"))?;
        let factor = self.positive("rope.scaling.factor")?.or(self.positive("rope.scale_linear")?);
        let magnitude = self.positive("rope.scaling.attn_factor")?.unwrap_or(1.0);
        let plain = Rope { base, scale: 1.0, yarn: None, magnitude };
        match (kind, factor) {
            (None | Some("none" | "longrope"), None) | (Some("none"), Some(_)) => Ok(plain),
            (None | Some("linear"), Some(factor)) => Ok(Rope { scale: 1.0 / factor, ..plain }),
            (Some("yarn"), Some(factor)) => {
                // Scores of stretched positions are flatter; this makes up for it (YaRN, arXiv 2309.00071, eq. 22).
                let sharper = |by: f32| if factor > 1.0 { 0.1 * by * factor.ln() + 1.0 } else { 1.0 };
                let over = self.own("rope.scaling.yarn_log_multiplier")?.map_or(1.0, sharper);
                let yarn = Yarn {
                    original_context,
                    beta_fast: self.positive("rope.scaling.yarn_beta_fast")?.unwrap_or(32.0),
                    beta_slow: self.positive("rope.scaling.yarn_beta_slow")?.unwrap_or(1.0),
                };
                Ok(Rope { scale: 1.0 / factor, yarn: Some(yarn), magnitude: magnitude * sharper(1.0) / over, base })
            }
            (Some("linear" | "yarn"), None) => Err(self.missing("rope.scaling.factor")),
            // Its factor stands in the tensors; whether this one comes on top of them is not agreed upon.
            (Some("longrope"), Some(_)) => {
                Err(self.unsupported("rope.scaling.factor", "a factor beside longrope is not supported"))
            }
            (Some(other), _) => {
                let problem = format!("`{other}` is not supported; supported: none, linear, yarn, longrope");
                Err(self.unsupported("rope.scaling.type", problem))
            }
        }
    }

    /// The layers with a window; `rope` is that of the others.
    pub(super) fn sliding(&self, context: usize, rope: Rope) -> Result<Option<Sliding>, GgufError> {
        let key = "attention.sliding_window";
        // 0 says that there is none.
        let stated = match self.metadata.u32(&self.key(key))? {
            Some(0) => Some(None),
            Some(_) => Some(self.optional_size(key)?),
            None => None,
        };
        match (self.family.window, stated) {
            (Windows::Ignored, _) => Ok(None),
            // A window as wide as the context hides nothing.
            (Windows::Refused, Some(Some(window))) if window < context => {
                Err(self.unsupported(key, format!("{} with a sliding window is not supported", self.family.name)))
            }
            (Windows::Refused, _) => Ok(None),
            (Windows::Alternating { every, default, base }, stated) => {
                self.check_pattern(every)?;
                let Some(window) = stated.unwrap_or(default) else { return Ok(None) };
                let local = match base {
                    Some(base) => Rope { base, scale: 1.0, yarn: None, magnitude: 1.0 },
                    None => rope,
                };
                let base = self.renamed(&LOCAL_BASES)?.unwrap_or(local.base);
                Ok(Some(Sliding { window, every, rope: Rope { base, ..local } }))
            }
        }
    }

    /// Where a file says which layers have a window, as a period or layer by layer, it must say what holds for the
    /// family.
    fn check_pattern(&self, every: usize) -> Result<(), GgufError> {
        let key = "attention.sliding_window_pattern";
        let name = self.key(key);
        if !self.metadata.contains(&name) {
            return Ok(());
        }
        let same = match self.metadata.u32s(&name) {
            Ok(layers) => layers
                .unwrap_or_default()
                .iter()
                .zip(1..)
                .all(|(has, layer): (&u32, usize)| (*has != 0) != layer.is_multiple_of(every)),
            Err(_) => self.metadata.u32(&name)? == u32::try_from(every).ok(),
        };
        let problem = || self.unsupported(key, format!("other layers with a window than all but every {every}th"));
        if same { Ok(()) } else { Err(problem()) }
    }

    /// Whether the layers have a rotation, and every how many there is one without.
    pub(super) fn unrotated_every(&self) -> Result<Option<usize>, GgufError> {
        let finetuned = self.metadata.bool(&self.key("rope.scaling.finetuned"))?;
        match finetuned {
            Some(false) if self.family.finetuned_is_rope => Ok(Some(1)),
            _ => Ok(self.family.unrotated_every),
        }
    }

    /// The growth of attention scores with the position.
    pub(super) fn temperature(&self, every: usize) -> Result<Option<Temperature>, GgufError> {
        Ok(self.own("attention.temperature_scale")?.map(|scale| Temperature { scale, every }))
    }
}
