//! `ChatTemplate`: a chat format as the text around system and user content, taken from a table or from a model file.
//!
//! Must not let content and template meet: a template is rendered once, on sentinels, and only the text around them is
//! kept.

use super::error::ChatError;
use super::families::{BLANK_LINE, EMBEDDED, FAMILIES, Family};
use super::sandbox::{self, Around, Content, Sandbox};
use crate::domain::{Digest, Part, Piece, Prompt};
use crate::llm::gguf::Metadata;
use crate::llm::tokenizer::Tokenizer;
use crate::text::Untrusted;

/// The key of a model file's own template.
pub(super) const KEY: &str = "tokenizer.chat_template";

/// How content becomes a prompt for one model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatTemplate {
    name: String,
    pub(super) open: String,
    pub(super) middle: String,
    pub(super) close: String,
    pub(super) open_user: String,
    digest: Digest,
}

impl ChatTemplate {
    /// The names of the formats we know.
    pub fn names() -> impl Iterator<Item = &'static str> {
        FAMILIES.iter().map(|f| f.name)
    }

    /// Its name, for example `chatml`; `embedded` for a format of the model's own.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Digest over all scaffolding, begin-of-text token included: equal digests mean equal prompts.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// A prompt's pieces in reading order, from the begin-of-text token to where the model starts writing. Scaffolding
    /// is marked [`Part::Template`] and must be encoded as template, everything else as content. Prefixes may be shared
    /// at every piece boundary.
    pub fn render(&self, prompt: &Prompt) -> Vec<Piece> {
        let scaffold = |text: &str| Piece { part: Part::Template, text: Untrusted::new(text) };
        let mut out = Vec::with_capacity(prompt.system.len() + prompt.user.len() + 3);
        if prompt.system.is_empty() {
            out.push(scaffold(&self.open_user));
        } else {
            out.push(scaffold(&self.open));
            out.extend(prompt.system.iter().cloned());
            out.push(scaffold(&self.middle));
        }
        out.extend(prompt.user.iter().cloned());
        out.push(scaffold(&self.close));
        out.retain(|piece| !piece.text.is_empty());
        out
    }

    pub(super) fn new(name: &str, open: &str, middle: &str, close: &str, open_user: &str) -> Self {
        let [name, open, middle, close, open_user] = [name, open, middle, close, open_user].map(str::to_owned);
        let digest = Digest::of_parts([&open, &middle, &close, &open_user].map(|text| text.as_bytes()));
        Self { name, open, middle, close, open_user, digest }
    }

    /// Prepends the begin-of-text token if the model wants one and the template did not write it.
    pub(super) fn with_bos(self, tokenizer: &Tokenizer) -> Self {
        let Some(bos) = tokenizer.bos().filter(|_| tokenizer.adds_bos()) else { return self };
        let bos = tokenizer.token_text(bos);
        let add = |text: &str| if text.starts_with(&bos) { text.to_owned() } else { [&bos, text].concat() };
        Self::new(&self.name, &add(&self.open), &self.middle, &self.close, &add(&self.open_user))
    }

    /// The file's own template, and which known format it is; `trusted`: it need not be one.
    pub(super) fn embedded(
        metadata: &Metadata,
        tokenizer: &Tokenizer,
        trusted: bool,
    ) -> Result<(Self, Option<&'static Family>), ChatError> {
        let source = metadata.str(KEY)?.ok_or(ChatError::Missing)?;
        let spelling = |id: Option<u32>| id.map(|id| tokenizer.token_text(id)).unwrap_or_default();
        let bos = spelling(tokenizer.bos());
        let runnable = sandbox::without_marks(source);
        let eos = spelling(tokenizer.eos());
        let (around, open_user) = sandbox::apart(|| both(&Sandbox::new(&runnable, bos.clone(), eos)?))?;
        let middle = around.middle.as_deref().unwrap_or(BLANK_LINE);
        if trusted {
            return Ok((Self::new(EMBEDDED, &around.open, middle, &around.close, &open_user), None));
        }
        // The first try is without: in some models (SmolLM2) a turn begins with the begin-of-text token.
        let known = ["", bos.as_str()].into_iter().find_map(|begin| {
            let open = around.open.strip_prefix(begin)?;
            let same = |f: &&Family| (f.open, f.middle, f.close) == (open, middle, around.close.as_str());
            Some((begin, FAMILIES.iter().find(same)?))
        });
        let (begin, family) = known.ok_or_else(|| unknown(source, &around, middle))?;
        // Without system content the file's template may add anything (a persona, say), so the format's own opening is
        // used.
        let open_user = [begin, family.open_user].concat();
        Ok((Self::new(family.name, &around.open, middle, &around.close, &open_user), Some(family)))
    }
}

/// Renders with and without system content; contents are strings, or lists of parts if the template cannot handle
/// strings.
fn both(sandbox: &Sandbox<'_>) -> Result<(Around, String), ChatError> {
    let as_text = both_as(sandbox, Content::Text);
    if as_text.as_ref().is_ok_and(|(around, _)| around.middle.is_some()) {
        return as_text;
    }
    match both_as(sandbox, Content::Parts) {
        Ok(as_parts) if as_parts.0.middle.is_some() || as_text.is_err() => Ok(as_parts),
        _ => as_text,
    }
}

/// A template that refuses or ignores system content has no system role: then the system content goes in front of the
/// user's.
fn both_as(sandbox: &Sandbox<'_>, content: Content) -> Result<(Around, String), ChatError> {
    let with_system = match sandbox.render(true, content) {
        Ok(around) => Some(around),
        Err(ChatError::Render(_) | ChatError::Content { role: "system", times: 0 }) => None,
        Err(error) => return Err(error),
    };
    match (with_system, sandbox.render(false, content)) {
        (Some(around), Ok(user)) => Ok((around, user.open)),
        (None, Ok(user)) => {
            let open = user.open.clone();
            Ok((user, open))
        }
        (Some(around), Err(ChatError::Render(_))) => {
            let open = [around.open.as_str(), around.middle.as_deref().unwrap_or_default()].concat();
            Ok((around, open))
        }
        (_, Err(error)) => Err(error),
    }
}

fn unknown(source: &str, around: &Around, middle: &str) -> ChatError {
    const SHOWN: usize = 4000;
    let mut shown: String = source.chars().take(SHOWN).collect();
    if shown.len() < source.len() {
        shown.push_str(" …");
    }
    ChatError::Unknown {
        sha256: Digest::of(source.as_bytes()),
        shape: Untrusted::new(format!("{}{{system}}{middle}{{user}}{}", around.open, around.close)),
        source_text: Untrusted::new(shown),
    }
}
