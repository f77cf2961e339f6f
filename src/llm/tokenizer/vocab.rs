//! The vocabulary of a model file: texts, kinds and special ids, checked so that the encoders can trust every id.
//!
//! Must not know how text is cut into tokens.

use crate::llm::gguf::{GgufError, Metadata, StringList};
use std::collections::HashMap;

const TOKENS: &str = "tokenizer.ggml.tokens";
const TYPES: &str = "tokenizer.ggml.token_type";

/// The most tokens, bytes of their texts together, and user-defined tokens; the largest real vocabularies have a quarter of a
/// million tokens, 3 MB of text and some hundreds that are user-defined. They bound memory and the time to look for them.
const MAX_TOKENS: usize = 1 << 20;
const MAX_TEXT: usize = 16 << 20;
const MAX_USER_DEFINED: usize = 1 << 14;

/// Spellings that end a turn or a text in the models we know. A token with such a text is taken for a control token even
/// where the file calls it a normal one, because some converters forget to mark them.
const ENDS: [&str; 10] = [
    "<|im_end|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end|>",
    "<|end_of_turn|>",
    "<end_of_turn>",
    "<|return|>",
    "</s>",
];

/// What the file says a token is (codes of ggml; 0, "undefined", is taken for normal).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Normal,
    Unknown,
    Control,
    UserDefined,
    Unused,
    Byte,
}

/// Texts, kinds and special ids of all tokens.
#[derive(Debug)]
pub(super) struct Vocab {
    texts: StringList,
    kinds: Vec<Kind>,
    ids: HashMap<Box<str>, u32>,
    pub(super) bos: Option<u32>,
    pub(super) eos: Option<u32>,
    pub(super) ends: Vec<u32>,
}

impl Vocab {
    /// Reads and checks the tables.
    pub(super) fn read(metadata: &Metadata) -> Result<Self, GgufError> {
        let texts = metadata.strings(TOKENS)?.ok_or_else(|| GgufError::missing_key(TOKENS))?;
        if texts.is_empty() {
            return Err(GgufError::key(TOKENS, "the vocabulary is empty"));
        }
        if texts.len() > MAX_TOKENS || texts.text_len() > MAX_TEXT {
            let what = format!(
                "{} tokens of {} bytes together; at most {MAX_TOKENS} of {MAX_TEXT} are allowed",
                texts.len(),
                texts.text_len()
            );
            return Err(GgufError::key(TOKENS, what));
        }
        let texts = texts.clone();
        let mut ids = HashMap::with_capacity(texts.len());
        for (id, text) in texts.iter().enumerate() {
            let id = u32::try_from(id).map_err(|_| GgufError::key(TOKENS, "more than 2^32 tokens"))?;
            if let Some(first) = ids.insert(Box::from(text), id) {
                return Err(GgufError::key(TOKENS, format!("tokens {first} and {id} have the same text {text:?}")));
            }
        }
        let mut vocab =
            Self { kinds: kinds(metadata, texts.len())?, texts, ids, bos: None, eos: None, ends: Vec::new() };
        vocab.bos = vocab.special(metadata, "tokenizer.ggml.bos_token_id")?;
        vocab.eos = vocab.special(metadata, "tokenizer.ggml.eos_token_id")?;
        let mut ends: Vec<u32> = vocab.eos.into_iter().collect();
        for key in ["tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"] {
            ends.extend(vocab.special(metadata, key)?);
        }
        ends.extend(ENDS.iter().filter_map(|text| vocab.id(text)));
        ends.sort_unstable();
        ends.dedup();
        for id in ends.iter().copied().chain(vocab.bos) {
            if let Some(kind) = vocab.kinds.get_mut(id as usize) {
                *kind = Kind::Control;
            }
        }
        vocab.ends = ends;
        Ok(vocab)
    }

    /// An id stored under `key`, which must lie inside the vocabulary.
    fn special(&self, metadata: &Metadata, key: &str) -> Result<Option<u32>, GgufError> {
        match metadata.u32(key)? {
            Some(id) if id as usize >= self.len() => {
                Err(GgufError::key(key, format!("token {id} is outside the vocabulary of {} tokens", self.len())))
            }
            id => Ok(id),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.texts.len()
    }

    /// All texts, as they stand in the file.
    pub(super) fn texts(&self) -> &StringList {
        &self.texts
    }

    /// The text of a token as it stands in the file (with `Ġ` or `▁` for a space).
    pub(super) fn text(&self, id: u32) -> Option<&str> {
        self.texts.get(id as usize)
    }

    pub(super) fn kind(&self, id: u32) -> Option<Kind> {
        self.kinds.get(id as usize).copied()
    }

    pub(super) fn kinds(&self) -> &[Kind] {
        &self.kinds
    }

    /// The token with exactly this text, of whatever kind.
    pub(super) fn id(&self, text: &str) -> Option<u32> {
        self.ids.get(text).copied()
    }

    /// The token with exactly this text, if it may come out of ordinary text.
    pub(super) fn plain_id(&self, text: &str) -> Option<u32> {
        self.id(text).filter(|id| self.is_plain(*id))
    }

    /// Whether the token may come out of ordinary text. A control token never may; nor may a token that stands for one byte,
    /// or else the text `<0x41>` would be read as `A`.
    pub(super) fn is_plain(&self, id: u32) -> bool {
        matches!(self.kind(id), Some(Kind::Normal | Kind::UserDefined | Kind::Unused))
    }

    /// Whether the token has a meaning of its own and must not come out of content.
    pub(super) fn is_control(&self, id: u32) -> bool {
        matches!(self.kind(id), Some(Kind::Control | Kind::Unknown))
    }
}

fn kinds(metadata: &Metadata, len: usize) -> Result<Vec<Kind>, GgufError> {
    let Some(codes) = metadata.u32s(TYPES)? else { return Ok(vec![Kind::Normal; len]) };
    if codes.len() != len {
        return Err(GgufError::key(TYPES, format!("{} types for {len} tokens", codes.len())));
    }
    let kind = |(id, code)| match code {
        0 | 1 => Ok(Kind::Normal),
        2 => Ok(Kind::Unknown),
        3 => Ok(Kind::Control),
        4 => Ok(Kind::UserDefined),
        5 => Ok(Kind::Unused),
        6 => Ok(Kind::Byte),
        _ => Err(GgufError::key(TYPES, format!("token {id} has the unknown type {code}"))),
    };
    let kinds: Vec<Kind> = codes.into_iter().enumerate().map(kind).collect::<Result<_, _>>()?;
    let user_defined = kinds.iter().filter(|kind| **kind == Kind::UserDefined).count();
    if user_defined > MAX_USER_DEFINED {
        let what = format!("{user_defined} user-defined tokens; at most {MAX_USER_DEFINED} are allowed");
        return Err(GgufError::key(TYPES, what));
    }
    Ok(kinds)
}
