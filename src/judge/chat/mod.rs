//! Chat templates: what a model has to read around system and user content, as pieces of scaffolding.
//!
//! Must not let content and template meet: a template is rendered once, on sentinels, and only the text around them is kept.
//! A template out of a model file is used without asking only if that text is exactly one of the formats we know; what else
//! it says or does has then no way into a prompt.

mod families;
mod marks;
mod python;
mod sandbox;
#[cfg(test)]
mod tests;

use super::JudgeError;
use crate::domain::{Digest, Part, Piece, Prompt};
use crate::llm::gguf::{GgufError, Metadata};
use crate::llm::tokenizer::Tokenizer;
use crate::text::{Escaped, Untrusted};
use families::{BLANK_LINE, FAMILIES, Family};
use sandbox::{Around, Content, Sandbox};

const KEY: &str = "tokenizer.chat_template";
/// The name that chooses the model file's own template, whatever it is.
const EMBEDDED: &str = "embedded";

/// How content becomes a prompt for one model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatTemplate {
    name: String,
    open: String,
    middle: String,
    close: String,
    open_user: String,
    digest: Digest,
}

/// Why there is no chat template to use.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    /// The metadata cannot be read.
    #[error(transparent)]
    File(#[from] GgufError),
    /// The model file has none: it is a base model, or an incomplete conversion.
    #[error("the model file has no chat template")]
    Missing,
    /// The name asked for is none of ours.
    #[error("there is no chat template `{name}`")]
    UnknownName {
        /// The name.
        name: Escaped,
    },
    /// The model cannot read the format, since a token of it is not in its vocabulary.
    #[error("the chat template `{template}` needs the token `{token}`, which this model does not have")]
    MissingToken {
        /// The format's name.
        template: &'static str,
        /// The token's spelling.
        token: &'static str,
    },
    /// The model cannot read the format, since it takes other tokens where the format has this one.
    #[error(
        "the chat template `{template}` needs the control token `{token}` (type {file_type} in the model file), but the model \
         reads `{instead}` in its place"
    )]
    NotControl {
        /// The format's name.
        template: &'static str,
        /// The token's spelling.
        token: &'static str,
        /// What the file says it is.
        file_type: &'static str,
        /// The spelling of what is read.
        instead: Escaped,
    },
    /// The embedded template is none of the known formats.
    #[error(
        "the model file has a chat template of its own (sha256 {sha256}). The model would read: {} The template: {}",
        shape.escaped(),
        source_text.escaped()
    )]
    Unknown {
        /// Digest of its text.
        sha256: Digest,
        /// What it makes of one system and one user turn.
        shape: Untrusted,
        /// Its text, cut after some thousand characters.
        source_text: Untrusted,
    },
    /// The embedded template is longer than any real one.
    #[error("the model file's chat template has {len} bytes; at most {max} are allowed")]
    TooLong {
        /// Its length.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// The embedded template runs too long or produces too much.
    #[error("the model file's chat template does not come to an end within its limits")]
    Fuel,
    /// The embedded template is faulty or raises an error.
    #[error("the model file's chat template fails: {}", .0.escaped())]
    Render(Untrusted),
    /// The embedded template does not show a content exactly once.
    #[error("the model file's chat template shows the {role} content {times} times instead of once")]
    Content {
        /// `system` or `user`.
        role: &'static str,
        /// How often.
        times: usize,
    },
    /// The embedded template puts the user's content before the system's.
    #[error("the model file's chat template puts the user content before the system content")]
    Order,
}

impl ChatError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let names = ChatTemplate::names().collect::<Vec<_>>().join(", ");
        Some(match self {
            Self::File(error) => return error.hint().map(str::to_owned),
            Self::Missing => {
                format!("for a base model choose `--chat-template plain`, else the format it was trained with: {names}")
            }
            Self::UnknownName { .. } => format!("there are {EMBEDDED}, {names}"),
            Self::Unknown { .. } => {
                format!("check it, then choose `--chat-template {EMBEDDED}` to use it, or another one: {names}")
            }
            Self::MissingToken { .. }
            | Self::NotControl { .. }
            | Self::TooLong { .. }
            | Self::Fuel
            | Self::Render(_)
            | Self::Content { .. }
            | Self::Order => format!("choose the format the model was trained with by `--chat-template`: {names}"),
        })
    }
}

impl From<ChatError> for JudgeError {
    fn from(error: ChatError) -> Self {
        match error {
            ChatError::File(error) => error.into(),
            ChatError::Unknown { sha256, ref shape, ref source_text } => Self::Unusable {
                hint: error.hint(),
                // With its line breaks, for a front end to escape line by line.
                message: Untrusted::new(format!(
                    "the model file has a chat template of its own (sha256 {sha256}). The model would read:\n{}\nThe template:\n{}",
                    shape.raw(),
                    source_text.raw()
                )),
            },
            error => Self::Unusable { hint: error.hint(), message: error.to_string().into() },
        }
    }
}

/// The tokenizer and the chat format of a model, made for each other: what the format needs as scaffolding is a control token,
/// whatever the file calls it, and never comes out of content.
///
/// `choice`: `None` takes the file's own format if it is a known one; a name takes that format; `embedded` takes the file's own
/// whatever it is.
///
/// # Errors
/// Says what is wrong with the format, the vocabulary, or the two together.
pub fn open(metadata: &Metadata, choice: Option<&str>) -> Result<(Tokenizer, ChatTemplate), ChatError> {
    let tokenizer = Tokenizer::from_metadata(metadata)?;
    let (chat, family) = match choice {
        None => ChatTemplate::embedded(metadata, &tokenizer, false)?,
        Some(EMBEDDED) => ChatTemplate::embedded(metadata, &tokenizer, true)?,
        Some(name) => {
            let family = FAMILIES.iter().find(|f| f.name == name);
            let family = family.ok_or_else(|| ChatError::UnknownName { name: Escaped::line(name) })?;
            let chat = ChatTemplate::new(name, family.open, family.middle, family.close, family.open_user);
            (chat, Some(family))
        }
    };
    let chat = chat.with_bos(&tokenizer);
    Ok((marks::settle(metadata, tokenizer, &chat, family)?, chat))
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

    /// A prompt's pieces in reading order, from the begin-of-text token to where the model writes. Scaffolding has
    /// [`Part::Template`] and is to be encoded as template, all else as content. Prefixes may be shared at every piece.
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

    fn new(name: &str, open: &str, middle: &str, close: &str, open_user: &str) -> Self {
        let [name, open, middle, close, open_user] = [name, open, middle, close, open_user].map(str::to_owned);
        let digest = Digest::of_parts([&open, &middle, &close, &open_user].map(|text| text.as_bytes()));
        Self { name, open, middle, close, open_user, digest }
    }

    /// Puts the begin-of-text token in front where the model wants one and the template did not write it.
    fn with_bos(self, tokenizer: &Tokenizer) -> Self {
        let Some(bos) = tokenizer.bos().filter(|_| tokenizer.adds_bos()) else { return self };
        let bos = tokenizer.token_text(bos);
        let add = |text: &str| if text.starts_with(&bos) { text.to_owned() } else { [&bos, text].concat() };
        Self::new(&self.name, &add(&self.open), &self.middle, &self.close, &add(&self.open_user))
    }

    /// The file's own template, and which known format it is; `trusted`: it need not be one.
    fn embedded(
        metadata: &Metadata,
        tokenizer: &Tokenizer,
        trusted: bool,
    ) -> Result<(Self, Option<&'static Family>), ChatError> {
        let source = metadata.str(KEY)?.ok_or(ChatError::Missing)?;
        let spelling = |id: Option<u32>| id.map(|id| tokenizer.token_text(id)).unwrap_or_default();
        let bos = spelling(tokenizer.bos());
        let runnable = sandbox::without_marks(source);
        let sandbox = Sandbox::new(&runnable, bos.clone(), spelling(tokenizer.eos()))?;
        let (around, open_user) = both(&sandbox)?;
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
        // Without system content the file may write what it likes (a persona, say), so the format's own opening is used.
        let open_user = [begin, family.open_user].concat();
        Ok((Self::new(family.name, &around.open, middle, &around.close, &open_user), Some(family)))
    }
}

/// Renders with and without system content; contents are strings, or lists of parts where the template cannot do with strings.
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

/// A template that refuses or ignores system content has no system role: then the system content goes in front of the user's.
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
