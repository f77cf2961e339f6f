//! The kinds of arguments, a closed set from which parsing, completion and help derive; their parsed values, and how
//! those are written in a canonical line.
//!
//! Must not know which command takes which arguments; the table says that.

use super::lex::{free, quote, quoted};
use super::values::SampleRef;
use crate::domain::{BreakAt, Name};
use std::fmt::{self, Write as _};

/// One argument of a command, in order.
#[derive(Clone, Copy, Debug)]
pub struct ArgSpec {
    /// What help calls it, for example `NODE`.
    pub name: &'static str,
    /// What it is.
    pub kind: ArgKind,
    /// Whether the command cannot go without it.
    pub required: bool,
    /// The word that announces it, for example `if`. Such an argument is always optional.
    pub keyword: Option<&'static str>,
}

impl ArgSpec {
    /// An argument that must be there.
    pub const fn required(name: &'static str, kind: ArgKind) -> Self {
        Self { name, kind, required: true, keyword: None }
    }

    /// An argument that may be left out.
    pub const fn optional(name: &'static str, kind: ArgKind) -> Self {
        Self { name, kind, required: false, keyword: None }
    }

    /// An argument that may be left out and is announced by a word.
    pub const fn after(keyword: &'static str, name: &'static str, kind: ArgKind) -> Self {
        Self { name, kind, required: false, keyword: Some(keyword) }
    }

    /// How help writes it: `NODE`, `[N]`, `[if EXPR]`, `direct|rationale`.
    pub fn usage(&self) -> String {
        let name = match self.kind {
            ArgKind::Enum(words) if words.len() <= 3 => words.iter().map(|w| w.0).collect::<Vec<_>>().join("|"),
            _ => self.name.to_owned(),
        };
        match (self.keyword, self.required) {
            (Some(keyword), _) => format!("[{keyword} {name}]"),
            (None, true) => name,
            (None, false) => format!("[{name}]"),
        }
    }
}

/// What an expression can see, depending on where it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A sample before it is run.
    Sample,
    /// A walk.
    Walk,
    /// A walk, and the breakpoint whose condition it is.
    Breakpoint,
}

/// What an argument is. Completion depends on this alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgKind {
    /// The id of a node.
    Node,
    /// The id of a node or a leaf.
    Place,
    /// Where a breakpoint stops: a node, a leaf, `NODE=ANSWER` or `*`.
    BreakPlace,
    /// `NODE=ANSWER`.
    NodeAnswer,
    /// `NAME=VALUE`: a classifier score and a finite number.
    ScoreValue,
    /// A sample by number, or by id.
    Sample,
    /// The number of a breakpoint.
    Breakpoint,
    /// The number of a displayed expression.
    Display,
    /// The number of a walk.
    Walk,
    /// A file.
    Path,
    /// A model: a manifest's name or a GGUF file.
    Model,
    /// A count, from 1.
    Count,
    /// `@N`: a position, from 0.
    Position,
    /// A tag.
    Tag,
    /// The name of a command, one or two words.
    Command,
    /// One of these words; each with what it means.
    Enum(&'static [(&'static str, &'static str)]),
    /// An expression, which sees so much: the rest of the line.
    Expr(Seen),
    /// Text: the rest of the line.
    FreeText,
}

impl ArgKind {
    /// Whether it takes the rest of the line verbatim.
    pub const fn is_rest(self) -> bool {
        matches!(self, Self::Expr(_) | Self::FreeText | Self::Command)
    }

    /// What it is, for help and error messages.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Node => "the id of a node of the policy",
            Self::Place => "the id of a node or a leaf",
            Self::BreakPlace => "a node, a leaf, NODE=ANSWER, or * for every node",
            Self::NodeAnswer => "a node and one of its answers, NODE=ANSWER",
            Self::ScoreValue => "a classifier score and its threshold, NAME=VALUE",
            Self::Sample => "a sample's number in its file (from 1) or its id",
            Self::Breakpoint => "the number of a breakpoint",
            Self::Display => "the number of a displayed expression",
            Self::Walk => "the number of a walk",
            Self::Path => "a file",
            Self::Model => "the name of a model or the path of a GGUF file",
            Self::Count => "a number from 1",
            Self::Position => "@N, a position in the prompt's tokens, from 0",
            Self::Tag => "a tag: letters, digits and _ - . : / +",
            Self::Command => "a command",
            Self::Enum(_) => "one of a few words",
            Self::Expr(_) => "an expression, such as p.yes < 0.6 and verdict != gold",
            Self::FreeText => "text, to the end of the line",
        }
    }
}

/// What an argument was read as.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Free text, an expression, a path.
    Text(String),
    /// A name.
    Name(Name),
    /// A node and an answer.
    Pair(Name, Name),
    /// A score and a threshold.
    Threshold(Name, f64),
    /// A place to stop.
    Break(BreakAt),
    /// A sample.
    Sample(SampleRef),
    /// A count, a position, the number of a breakpoint.
    Number(u32),
    /// One of an [`ArgKind::Enum`]'s words.
    Word(&'static str),
}

impl ArgSpec {
    /// Writes the argument as in a canonical line, preceded by a space, so that it reads back as `value`.
    pub(super) fn write(&self, value: &Value, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(keyword) = self.keyword {
            write!(f, " {keyword}")?;
        }
        f.write_char(' ')?;
        let pair = |node: &Name, answer: &Name| format!("{}={}", quote(node.as_str()), quote(answer.as_str()));
        match value {
            Value::Text(text) if self.kind.is_rest() => f.write_str(&free(text)),
            Value::Text(text) => f.write_str(&quote(text)),
            Value::Name(name) | Value::Break(BreakAt::Place(name)) => f.write_str(&quote(name.as_str())),
            Value::Pair(node, answer) | Value::Break(BreakAt::Answer(node, answer)) => f.write_str(&pair(node, answer)),
            Value::Break(BreakAt::Anywhere) => f.write_char('*'),
            Value::Threshold(name, value) => write!(f, "{}={value}", quote(name.as_str())),
            Value::Sample(SampleRef::Number(n)) => write!(f, "{n}"),
            // An id that reads as a number would select the sample of that number.
            Value::Sample(SampleRef::Id(id)) if id.bytes().all(|b| b.is_ascii_digit()) => f.write_str(&quoted(id)),
            Value::Sample(SampleRef::Id(id)) => f.write_str(&quote(id)),
            Value::Number(n) if self.kind == ArgKind::Position => write!(f, "@{n}"),
            Value::Number(n) => write!(f, "{n}"),
            Value::Word(word) => f.write_str(word),
        }
    }
}
