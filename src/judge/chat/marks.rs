//! Which tokens make up the scaffolding of a chat format, and whether the model reads them as control tokens.
//!
//! Must not trust a token's type in the model file: converters lose types, and a file may be hostile. A spelling used
//! as scaffolding is a control token everywhere, so that content can never produce it.

use super::error::ChatError;
use super::families::Family;
use super::template::ChatTemplate;
use crate::llm::gguf::Metadata;
use crate::llm::tokenizer::{TYPES, TokenType, Tokenizer};
use crate::text::Escaped;
use std::collections::BTreeSet;

/// The tokenizer for a model that is asked in the format `chat`; `from_file` is the tokenizer with the types that the
/// file gives.
///
/// # Errors
/// If a token that the format needs is read as something else.
pub(super) fn settle(
    metadata: &Metadata,
    from_file: Tokenizer,
    chat: &ChatTemplate,
    family: Option<&Family>,
) -> Result<Tokenizer, ChatError> {
    let texts = [&chat.open, &chat.middle, &chat.close, &chat.open_user].map(String::as_str);
    let mistyped: Vec<u32> = from_file
        .tokens()
        .filter(|(_, spelling, token_type)| {
            *token_type != TokenType::Control && texts.iter().any(|t| t.contains(spelling))
        })
        .filter(|(id, spelling, token_type)| is_mark(&from_file, *id, spelling, *token_type))
        .map(|(id, ..)| id)
        .collect();
    if mistyped.is_empty() {
        verify(metadata, &from_file, &texts, family)?;
        return Ok(from_file);
    }
    let tokenizer = Tokenizer::with_control(metadata, &mistyped)?;
    verify(metadata, &tokenizer, &texts, family)?;
    Ok(tokenizer)
}

/// Whether a token in scaffolding is a mark rather than a word: `<|im_start|>`, `[INST]`, `### User:`. A blank line or
/// a word stays ordinary, because content has them too.
fn is_mark(tokenizer: &Tokenizer, id: u32, spelling: &str, token_type: TokenType) -> bool {
    match token_type {
        TokenType::Byte => false,
        TokenType::Control | TokenType::Unknown => true,
        // A token that tokenisation never produces from its own text was added to be matched as a whole. For words that
        // proves nothing: the pre-tokeniser keeps some of them, such as long numbers, from ever being produced.
        TokenType::Normal | TokenType::Unused => {
            is_bracketed(spelling) || (is_more_than_words(spelling) && !comes_out_of_text(tokenizer, id, spelling))
        }
        // Added on purpose, so a mark by less: but words, and the runs of spaces and of line breaks that some models
        // have, are for content.
        TokenType::UserDefined => is_bracketed(spelling) || is_more_than_words(spelling),
    }
}

/// Whether the text of a token is read as that token.
fn comes_out_of_text(tokenizer: &Tokenizer, id: u32, spelling: &str) -> bool {
    // As if after another piece of text, where no space is prepended.
    tokenizer.encode(spelling, false, Some(id)) == [id]
}

fn is_bracketed(spelling: &str) -> bool {
    let mut chars = spelling.chars();
    let ends = (chars.next(), chars.next_back());
    let paired = matches!(ends, (Some('<'), Some('>')) | (Some('['), Some(']')) | (Some('＜'), Some('＞')));
    paired && chars.clone().any(char::is_alphabetic) && !chars.any(char::is_whitespace)
}

fn is_more_than_words(spelling: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c.is_whitespace() || "▁ĠĊĉč".contains(c);
    spelling.chars().nth(1).is_some() && spelling.chars().any(char::is_alphanumeric) && !spelling.chars().all(word)
}

/// That the model reads every token which the format needs as that token, wherever the format has it.
fn verify(
    metadata: &Metadata,
    tokenizer: &Tokenizer,
    texts: &[&str],
    family: Option<&Family>,
) -> Result<(), ChatError> {
    let Some(family) = family else { return Ok(()) };
    for text in texts {
        let ids = tokenizer.encode_template(text);
        for token in family.needs {
            let Some(id) = tokenizer.id_of(token) else {
                return Err(ChatError::MissingToken { template: family.name, token });
            };
            let read = ids.iter().filter(|i| **i == id).count();
            if read != text.matches(token).count() || !tokenizer.is_control(id) {
                let file_type = file_type(metadata, id)?;
                let instead = instead(tokenizer, &ids, token);
                return Err(ChatError::NotControl { template: family.name, token, file_type, instead });
            }
        }
    }
    Ok(())
}

/// What the file calls a token.
fn file_type(metadata: &Metadata, id: u32) -> Result<&'static str, ChatError> {
    let code = metadata.u32s(TYPES)?.and_then(|codes| codes.get(id as usize).copied());
    Ok(code.and_then(TokenType::from_code).map_or("missing", TokenType::name))
}

/// The special token that is read in place of `token`.
fn instead(tokenizer: &Tokenizer, ids: &[u32], token: &str) -> Escaped {
    let ids: BTreeSet<u32> = ids.iter().copied().collect();
    let mut longest = String::new();
    for id in ids {
        let text = tokenizer.token_text(id);
        let overlaps = (1..=token.len()).any(|n| {
            let (head, tail) = (token.get(..n), token.get(token.len() - n..));
            head.is_some_and(|head| text.ends_with(head)) || tail.is_some_and(|tail| text.starts_with(tail))
        });
        if (text.contains(token) || overlaps) && text != token && text.len() > longest.len() {
            longest = text;
        }
    }
    Escaped::line(&longest)
}
