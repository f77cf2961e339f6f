//! The tokenizer of a model, built from the metadata of its GGUF file alone.
//!
//! Must not normalise text, and must not let content turn into control tokens: content and the scaffolding of the chat
//! template are encoded by different functions, and only the second knows the spellings of control tokens.
//!
//! Two families: byte-level BPE (`tokenizer.ggml.model = gpt2`) and SentencePiece-style merging by score (`llama`).
//! Token ids are those of llama.cpp for plain content. That includes **user-defined** tokens (type 4: runs of line
//! breaks and spaces in Gemma, `<tool_call>` in Qwen): llama.cpp matches them in content too, longest first, and so do
//! we. They carry no control type; a control or unknown token (types 3 and 2, and whatever ends a turn) never comes out
//! of content.

mod bpe;
mod bytes;
mod pre;
mod special;
mod spm;
mod stream;
#[cfg(test)]
mod tests;
mod vocab;

pub use stream::Utf8Stream;
pub use vocab::{TYPES, TokenType};

use crate::domain::Digest;
use crate::llm::gguf::{GgufError, Metadata};
use special::{Fragment, Specials};
use vocab::Vocab;

const MODEL: &str = "tokenizer.ggml.model";
const PRE: &str = "tokenizer.ggml.pre";

#[derive(Debug)]
enum Family {
    Bpe(Box<bpe::Bpe>),
    Spm { encoder: spm::Spm, space_prefix: bool },
}

/// Text to token ids and back.
#[derive(Debug)]
pub struct Tokenizer {
    vocab: Vocab,
    specials: Specials,
    family: Family,
    add_bos: bool,
    /// Control tokens take the white space behind them with them. No file says so: it is a property of Phi-3's
    /// tokenizer (its tokens are marked `rstrip`), which llama.cpp knows too.
    strips: bool,
    /// The bytes of all tokens one behind the other, and where each ends.
    bytes: Vec<u8>,
    ends: Vec<usize>,
    digest: Digest,
}

impl Tokenizer {
    /// Builds the tokenizer that a model file describes.
    ///
    /// # Errors
    /// Names the key that is missing, wrong or unknown: a tokenizer family or pre-tokenizer outside our tables, tables
    /// of unequal length, tokens that occur twice, merges of tokens that do not exist, ids outside the vocabulary.
    pub fn from_metadata(metadata: &Metadata) -> Result<Self, GgufError> {
        Self::with_control(metadata, &[])
    }

    /// As [`Self::from_metadata`], but the tokens `control` are control tokens whatever the file calls them. Which ones
    /// those are has to be known before the encoders are built: they leave out whatever would make one out of content.
    ///
    /// # Errors
    /// As [`Self::from_metadata`].
    pub fn with_control(metadata: &Metadata, control: &[u32]) -> Result<Self, GgufError> {
        let model = metadata.str(MODEL)?.ok_or_else(|| GgufError::missing_key(MODEL))?;
        let vocab = Vocab::read(metadata, model == "gpt2", control)?;
        let (family, default_bos) = match model {
            "gpt2" => {
                let name = metadata.str(PRE)?.ok_or_else(|| GgufError::missing_key(PRE))?;
                let pre = pre::PreTokenizer::named(name).map_err(|what| GgufError::unsupported(PRE, what))?;
                let key = "tokenizer.ggml.merges";
                let merges = metadata.strings(key)?.ok_or_else(|| GgufError::missing_key(key))?;
                let add_bos = pre.add_bos;
                (Family::Bpe(Box::new(bpe::Bpe::new(&vocab, merges, pre)?)), add_bos)
            }
            "llama" => {
                let encoder = spm::Spm::new(&vocab, metadata.f32s("tokenizer.ggml.scores")?)?;
                let space_prefix = metadata.bool("tokenizer.ggml.add_space_prefix")?.unwrap_or(true);
                (Family::Spm { encoder, space_prefix }, true)
            }
            other => {
                let what = format!("the tokenizer family `{other}` is not known; known are gpt2 and llama");
                return Err(GgufError::unsupported(MODEL, what));
            }
        };
        let add_bos = metadata.bool("tokenizer.ggml.add_bos_token")?.unwrap_or(default_bos) && vocab.bos.is_some();
        let (bytes, ends) = token_bytes(&vocab, matches!(family, Family::Bpe(_)));
        let strips = matches!(family, Family::Spm { .. }) && metadata.str("general.architecture")? == Some("phi3");
        let digest = digest(metadata, &vocab, [add_bos, strips])?;
        Ok(Self { specials: Specials::new(&vocab), vocab, family, add_bos, strips, bytes, ends, digest })
    }

    /// Encodes content that stands alone: what a sample, a policy or a rationale says. Never gives a control token.
    pub fn encode_content(&self, text: &str) -> Vec<u32> {
        self.encode(text, false, None)
    }

    /// Encodes scaffolding of a chat template, in which the spellings of control tokens are control tokens.
    pub fn encode_template(&self, text: &str) -> Vec<u32> {
        self.encode(text, true, None)
    }

    /// Encodes one chunk of a longer prompt; `previous` is the token before it. (Some SentencePiece models put a space
    /// before text at the very start and after a control token.)
    pub fn encode(&self, text: &str, template: bool, previous: Option<u32>) -> Vec<u32> {
        let special = |id| {
            matches!(self.vocab.token_type(id), Some(TokenType::Control | TokenType::Unknown | TokenType::UserDefined))
        };
        let mut after_special = previous.is_none_or(special);
        let mut out = Vec::new();
        let mut strip = false;
        for fragment in self.specials.split(&self.vocab, text, template) {
            let fragment = match fragment {
                // White space as in C.
                Fragment::Text(text) if strip => {
                    Fragment::Text(text.trim_start_matches([' ', '\t', '\n', '\u{b}', '\u{c}', '\r']))
                }
                other => other,
            };
            if fragment == Fragment::Text("") {
                continue;
            }
            strip = matches!(fragment, Fragment::Token(id) if self.strips_after(id));
            match (fragment, &self.family) {
                (Fragment::Token(id), _) => out.push(id),
                (Fragment::Text(text), Family::Bpe(bpe)) => bpe.encode(&self.vocab, text, &mut out),
                (Fragment::Text(text), Family::Spm { encoder, space_prefix }) => {
                    encoder.encode(&self.vocab, text, *space_prefix && after_special, &mut out);
                }
            }
            after_special = matches!(fragment, Fragment::Token(_));
        }
        out
    }

    fn strips_after(&self, id: u32) -> bool {
        let text = self.vocab.text(id);
        self.strips
            && self.vocab.token_type(id) == Some(TokenType::Control)
            && !matches!(text, Some("<s>" | "<|endoftext|>"))
    }

    /// How many bytes of `text` the vocabulary has no token for; they are left out of the ids (a few control characters
    /// in some byte-level vocabularies; always 0 for the SentencePiece family).
    pub fn lost_bytes(&self, text: &str) -> usize {
        match &self.family {
            Family::Bpe(bpe) => {
                let fragments = self.specials.split(&self.vocab, text, false);
                let lost = |fragment: &Fragment<'_>| match fragment {
                    Fragment::Text(text) => bpe.lost_bytes(text),
                    Fragment::Token(_) => 0,
                };
                fragments.iter().map(lost).sum()
            }
            Family::Spm { .. } => 0,
        }
    }

    /// The bytes that a token stands for; may be part of a character. Control tokens give their spelling, ids outside
    /// the vocabulary nothing.
    pub fn token_bytes(&self, id: u32) -> &[u8] {
        let id = id as usize;
        let start = id.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.ends.get(id).and_then(|end| self.bytes.get(start..*end)).unwrap_or_default()
    }

    /// The text of one token, with U+FFFD where it is no whole character.
    pub fn token_text(&self, id: u32) -> String {
        String::from_utf8_lossy(self.token_bytes(id)).into_owned()
    }

    /// The text of several tokens, with U+FFFD where bytes are no UTF-8.
    pub fn decode(&self, ids: &[u32]) -> String {
        let bytes: Vec<u8> = ids.iter().flat_map(|id| self.token_bytes(*id)).copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Whether a token is scaffolding (control or unknown) and so can never come out of content.
    pub fn is_control(&self, id: u32) -> bool {
        self.vocab.is_control(id)
    }

    /// Whether the model ends its turn or its text with this token.
    pub fn is_end(&self, id: u32) -> bool {
        self.vocab.ends.binary_search(&id).is_ok()
    }

    /// The tokens that end a turn or a text, ascending.
    pub fn ends(&self) -> &[u32] {
        &self.vocab.ends
    }

    /// The begin-of-text token.
    pub fn bos(&self) -> Option<u32> {
        self.vocab.bos
    }

    /// The end-of-text token.
    pub fn eos(&self) -> Option<u32> {
        self.vocab.eos
    }

    /// Whether every prompt has to begin with [`Self::bos`].
    pub fn adds_bos(&self) -> bool {
        self.add_bos
    }

    /// The token whose text in the file is exactly `text`, of whatever kind.
    pub fn id_of(&self, text: &str) -> Option<u32> {
        self.vocab.id(text)
    }

    /// All tokens: id, text as it stands in the file, and type. What begins or ends a text has the type `Control` here,
    /// even where the file says something else.
    pub fn tokens(&self) -> impl Iterator<Item = (u32, &str, TokenType)> {
        (0u32..).zip(self.vocab.texts().iter()).zip(self.vocab.types()).map(|((id, text), t)| (id, text, *t))
    }

    /// How many tokens there are; all ids are below.
    pub fn vocab_size(&self) -> usize {
        self.vocab.len()
    }

    /// Digest over everything in the file that decides about token ids.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

/// The bytes of every token. Byte-level tokens spell each byte as a character; SentencePiece tokens have `▁` for a
/// space and `<0x41>` for a byte. Control and user-defined tokens stand for their own spelling.
fn token_bytes(vocab: &Vocab, byte_level: bool) -> (Vec<u8>, Vec<usize>) {
    let byte_of = bytes::bytes_of_chars();
    let mut bytes = Vec::new();
    let mut ends = Vec::with_capacity(vocab.len());
    for (text, token_type) in vocab.texts().iter().zip(vocab.types()) {
        match token_type {
            TokenType::Control | TokenType::Unknown | TokenType::UserDefined => bytes.extend(text.as_bytes()),
            _ if byte_level => {
                for c in text.chars() {
                    match byte_of.get(&c) {
                        Some(byte) => bytes.push(*byte),
                        None => bytes.extend(c.encode_utf8(&mut [0; 4]).as_bytes()),
                    }
                }
            }
            _ => match text
                .strip_prefix("<0x")
                .and_then(|t| t.strip_suffix('>'))
                .filter(|_| *token_type == TokenType::Byte)
            {
                Some(hex) => bytes.extend(u8::from_str_radix(hex, 16)),
                None => bytes.extend(text.replace(spm::SPACE, " ").as_bytes()),
            },
        }
        ends.push(bytes.len());
    }
    (bytes, ends)
}

fn digest(metadata: &Metadata, vocab: &Vocab, flags: [bool; 2]) -> Result<Digest, GgufError> {
    let types: Vec<u8> = vocab.types().iter().map(|t| *t as u8).collect();
    let scores = metadata.f32s("tokenizer.ggml.scores")?.unwrap_or_default();
    let scores: Vec<u8> = scores.iter().flat_map(|score| score.to_le_bytes()).collect();
    let prefix = metadata.bool("tokenizer.ggml.add_space_prefix")?.map_or("", |on| if on { "1" } else { "0" });
    let names = [metadata.str(MODEL)?.unwrap_or(""), metadata.str(PRE)?.unwrap_or(""), prefix];
    let mut parts: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
    // The second flag is left out where it is off: digests of recorded sessions were made without it.
    let flags = flags.map(u8::from);
    let flags = if flags[1] == 0 { &flags[..1] } else { &flags[..] };
    parts.extend([flags, &types, &scores]);
    parts.extend(vocab.texts().iter().map(str::as_bytes));
    if let Some(merges) = metadata.strings("tokenizer.ggml.merges")? {
        parts.extend(merges.iter().map(str::as_bytes));
    }
    Ok(Digest::of_parts(parts))
}
