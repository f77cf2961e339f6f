//! The tree of a policy as text for a terminal, and as DOT or Mermaid for documents.
//!
//! Must return text that is safe to print, whatever the policy says, and must not recurse.

mod export;
mod text;
mod words;

use super::tree::Policy;

/// How the tree is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GraphFormat {
    /// Lines and box-drawing characters.
    Text,
    /// The language of Graphviz.
    Dot,
    /// Mermaid, as Markdown pages show it.
    Mermaid,
}

impl GraphFormat {
    /// All formats.
    pub const ALL: [Self; 3] = [Self::Text, Self::Dot, Self::Mermaid];

    /// The word of the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Dot => "dot",
            Self::Mermaid => "mermaid",
        }
    }
}

impl std::str::FromStr for GraphFormat {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|f| f.as_str() == text);
        found.ok_or_else(|| "a graph is one of text, dot, mermaid".to_owned())
    }
}

/// Draws `policy`; ends in a line break.
pub fn render(policy: &Policy, format: GraphFormat) -> String {
    match format {
        GraphFormat::Text => text::text(policy),
        GraphFormat::Dot => export::dot(policy),
        GraphFormat::Mermaid => export::mermaid(policy),
    }
}
