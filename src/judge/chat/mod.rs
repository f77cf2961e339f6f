//! Chat templates: what a model expects around system and user content, as pieces of scaffolding.
//!
//! Must not let content and template meet: a template is rendered once, on sentinels, and only the text around them is
//! kept. A template from a model file is used without asking only if that text is exactly one of the formats we know;
//! nothing else in it can then reach a prompt.

mod bounded;
mod error;
mod families;
mod marks;
mod methods;
mod python;
mod sandbox;
mod template;
#[cfg(test)]
mod tests;

pub use error::ChatError;
pub use template::ChatTemplate;

use crate::llm::gguf::Metadata;
use crate::llm::tokenizer::Tokenizer;
use crate::text::Escaped;
use families::{EMBEDDED, FAMILIES};

/// The tokenizer and the chat format of a model, matched to each other: whatever the format uses as scaffolding is a
/// control token, whatever the file calls it, and never comes out of content.
///
/// `choice`: `None` takes the file's own format if it is a known one; a name selects that format; `embedded` takes the
/// file's own in any case.
///
/// # Errors
/// Says what is wrong with the format, the vocabulary, or the combination.
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
