//! Cuts text at the tokens that are matched as a whole before anything else: user-defined ones always, control tokens
//! only in the scaffolding of a chat template.
//!
//! Must never match a control token in content. Order of matching as in llama.cpp: the longest token first, in the
//! whole text, then the next shorter in what is left.

use super::vocab::{TokenType, Vocab};

/// A stretch of text or a token found in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fragment<'t> {
    Text(&'t str),
    Token(u32),
}

/// The tokens to look for, longest first.
#[derive(Debug)]
pub(super) struct Specials {
    user_defined: Vec<u32>,
    all: Vec<u32>,
}

impl Specials {
    pub(super) fn new(vocab: &Vocab) -> Self {
        let mut all: Vec<u32> = (0u32..)
            .zip(vocab.types())
            .filter(|(_, token_type)| {
                matches!(token_type, TokenType::UserDefined | TokenType::Control | TokenType::Unknown)
            })
            .map(|(id, _)| id)
            .filter(|id| vocab.text(*id).is_some_and(|text| !text.is_empty()))
            .collect();
        all.sort_by_key(|id| (std::cmp::Reverse(vocab.text(*id).map_or(0, str::len)), *id));
        let user_defined =
            all.iter().copied().filter(|id| vocab.token_type(*id) == Some(TokenType::UserDefined)).collect();
        Self { user_defined, all }
    }

    /// Cuts `text`; control tokens are found only where `template` says so.
    pub(super) fn split<'t>(&self, vocab: &Vocab, text: &'t str, template: bool) -> Vec<Fragment<'t>> {
        let mut fragments = vec![Fragment::Text(text)];
        for id in if template { &self.all } else { &self.user_defined } {
            let Some(needle) = vocab.text(*id) else { continue };
            if !text.contains(needle) {
                continue;
            }
            let mut next = Vec::with_capacity(fragments.len());
            for fragment in fragments {
                match fragment {
                    Fragment::Token(_) => next.push(fragment),
                    Fragment::Text(text) => {
                        for (i, part) in text.split(needle).enumerate() {
                            next.extend((i > 0).then_some(Fragment::Token(*id)));
                            next.push(Fragment::Text(part));
                        }
                    }
                }
            }
            fragments = next;
        }
        fragments.retain(|fragment| *fragment != Fragment::Text(""));
        fragments
    }
}
