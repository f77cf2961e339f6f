//! The vocabulary of a model file: texts, types and special ids, checked so that the encoders can trust every id.
//!
//! Must not know how text is cut into tokens.

use super::bytes;
use crate::llm::gguf::{GgufError, Metadata, StringList};
use std::collections::HashMap;

const TOKENS: &str = "tokenizer.ggml.tokens";
/// The key of the types.
pub const TYPES: &str = "tokenizer.ggml.token_type";

/// The most tokens, bytes of their texts together, and user-defined tokens; the largest real vocabularies have a
/// quarter of a million tokens, 3 MB of text and some hundreds that are user-defined. They bound memory and the time to
/// look for them.
const MAX_TOKENS: usize = 1 << 20;
const MAX_TEXT: usize = 16 << 20;
const MAX_USER_DEFINED: usize = 1 << 14;

/// Spellings that end a turn or a text in the models we know. A token with such a text is taken for a control token
/// even where the file calls it a normal one, because some converters forget to mark them.
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
pub enum TokenType {
    /// A piece of text.
    Normal,
    /// Stands for what the vocabulary cannot spell.
    Unknown,
    /// Scaffolding; never comes out of content.
    Control,
    /// A piece of text that is matched as a whole before anything else.
    UserDefined,
    /// Reserved.
    Unused,
    /// One byte (SentencePiece only).
    Byte,
}

impl TokenType {
    /// The type with the code of ggml.
    pub const fn from_code(code: u32) -> Option<Self> {
        Some(match code {
            0 | 1 => Self::Normal,
            2 => Self::Unknown,
            3 => Self::Control,
            4 => Self::UserDefined,
            5 => Self::Unused,
            6 => Self::Byte,
            _ => return None,
        })
    }

    /// The name of the type, as in ggml.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Unknown => "unknown",
            Self::Control => "control",
            Self::UserDefined => "user-defined",
            Self::Unused => "unused",
            Self::Byte => "byte",
        }
    }
}

/// Texts, types and special ids of all tokens.
#[derive(Debug)]
pub(super) struct Vocab {
    texts: StringList,
    types: Vec<TokenType>,
    ids: HashMap<Box<str>, u32>,
    pub(super) bos: Option<u32>,
    pub(super) eos: Option<u32>,
    pub(super) ends: Vec<u32>,
}

impl Vocab {
    /// Reads and checks the tables. `byte_level`: whether every byte is spelled as one character. `control` become
    /// control tokens, whatever the file says.
    pub(super) fn read(metadata: &Metadata, byte_level: bool, control: &[u32]) -> Result<Self, GgufError> {
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
        let types = types(metadata, &texts, byte_level)?;
        let mut vocab = Self { types, texts, ids, bos: None, eos: None, ends: Vec::new() };
        vocab.bos = vocab.special(metadata, byte_level, "tokenizer.ggml.bos_token_id")?;
        vocab.eos = vocab.special(metadata, byte_level, "tokenizer.ggml.eos_token_id")?;
        let mut ends: Vec<u32> = vocab.eos.into_iter().collect();
        for key in ["tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"] {
            ends.extend(vocab.special(metadata, byte_level, key)?);
        }
        ends.extend(ENDS.iter().filter_map(|text| vocab.id(text)));
        ends.sort_unstable();
        ends.dedup();
        for id in ends.iter().chain(&vocab.bos).chain(control) {
            if let Some(token_type) = vocab.types.get_mut(*id as usize) {
                *token_type = TokenType::Control;
            }
        }
        vocab.ends = ends;
        Ok(vocab)
    }

    /// An id stored under `key`, which must lie inside the vocabulary. It becomes a control token, so it must not be
    /// the token of a byte: no text could have that byte any more.
    fn special(&self, metadata: &Metadata, byte_level: bool, key: &str) -> Result<Option<u32>, GgufError> {
        let Some(id) = metadata.u32(key)? else { return Ok(None) };
        let Some((text, token_type)) = self.text(id).zip(self.token_type(id)) else {
            return Err(GgufError::key(key, format!("token {id} is outside the vocabulary of {} tokens", self.len())));
        };
        if token_type == TokenType::Byte || (byte_level && bytes::is_byte(text)) {
            let name = token_type.name();
            let problem =
                format!("token {id}, {text:?} of type {name}, stands for one byte of text and cannot be special");
            return Err(GgufError::key(key, problem));
        }
        Ok(Some(id))
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

    pub(super) fn token_type(&self, id: u32) -> Option<TokenType> {
        self.types.get(id as usize).copied()
    }

    pub(super) fn types(&self) -> &[TokenType] {
        &self.types
    }

    /// The token with exactly this text, of whatever type.
    pub(super) fn id(&self, text: &str) -> Option<u32> {
        self.ids.get(text).copied()
    }

    /// The token with exactly this text, if it may come out of ordinary text.
    pub(super) fn plain_id(&self, text: &str) -> Option<u32> {
        self.id(text).filter(|id| self.is_plain(*id))
    }

    /// Whether the token may come out of ordinary text. A control token never may; nor may a token that stands for one
    /// byte, or else the text `<0x41>` would be read as `A`.
    pub(super) fn is_plain(&self, id: u32) -> bool {
        matches!(self.token_type(id), Some(TokenType::Normal | TokenType::UserDefined | TokenType::Unused))
    }

    /// Whether the token has a meaning of its own and must not come out of content.
    pub(super) fn is_control(&self, id: u32) -> bool {
        matches!(self.token_type(id), Some(TokenType::Control | TokenType::Unknown))
    }
}

fn types(metadata: &Metadata, texts: &StringList, byte_level: bool) -> Result<Vec<TokenType>, GgufError> {
    let Some(codes) = metadata.u32s(TYPES)? else {
        let by_spelling = |text: &str| match text {
            "<unk>" if !byte_level => TokenType::Unknown,
            "<s>" if !byte_level => TokenType::Control,
            _ => normal_or_byte(text, byte_level),
        };
        return Ok(texts.iter().map(by_spelling).collect());
    };
    if codes.len() != texts.len() {
        return Err(GgufError::key(TYPES, format!("{} types for {} tokens", codes.len(), texts.len())));
    }
    let mut types = Vec::with_capacity(codes.len());
    for (id, (code, text)) in codes.into_iter().zip(texts.iter()).enumerate() {
        types.push(match TokenType::from_code(code) {
            Some(TokenType::Normal | TokenType::Byte) => normal_or_byte(text, byte_level),
            Some(other) => other,
            None => return Err(GgufError::key(TYPES, format!("token {id} has the unknown type {code}"))),
        });
    }
    let user_defined = types.iter().filter(|t| **t == TokenType::UserDefined).count();
    if user_defined > MAX_USER_DEFINED {
        let what = format!("{user_defined} user-defined tokens; at most {MAX_USER_DEFINED} are allowed");
        return Err(GgufError::key(TYPES, what));
    }
    Ok(types)
}

/// What a token is that the file calls normal or a byte: the spelling decides. `<0x41>` is the byte 41 in SentencePiece
/// vocabularies, and nothing else is a byte.
fn normal_or_byte(text: &str, byte_level: bool) -> TokenType {
    let hex = text.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>'));
    match hex {
        Some(hex) if !byte_level && hex.len() == 2 && u8::from_str_radix(hex, 16).is_ok() => TokenType::Byte,
        _ => TokenType::Normal,
    }
}
