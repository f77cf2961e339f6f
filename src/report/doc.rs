//! `Doc`: lines of spans, each with a role.
//!
//! Must take untrusted text as `Escaped` only; `&str` is for our own words.

use crate::text::{Escaped, Untrusted};

/// What a span is. A theme maps roles to looks; a role never stands for a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Plain words.
    Text,
    /// A title.
    Heading,
    /// The name of a value.
    Key,
    /// A value.
    Value,
    /// Less important.
    Muted,
    /// Sample or policy text.
    Content,
    /// What the model wrote.
    Rationale,
    /// A node's id.
    Node,
    /// An answer.
    Answer,
    /// A leaf's id.
    Leaf,
    /// A violating outcome.
    Violating,
    /// A non-violating outcome.
    NonViolating,
    /// An escalated or undetermined outcome.
    Escalate,
    /// Something agrees or is in order.
    Good,
    /// Something disagrees or is wrong.
    Bad,
    /// Look here.
    Warning,
    /// An error.
    Error,
    /// What to do next.
    Hint,
    /// A bar or chart element.
    Bar,
    /// Overridden by a person.
    Overridden,
    /// Where execution stands.
    Cursor,
    /// A hidden character made visible.
    Hidden,
}

/// Text with a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// What it is.
    pub role: Role,
    /// Safe to write to a terminal.
    pub text: Escaped,
}

/// One line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line(pub Vec<Span>);

/// A document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Doc(pub Vec<Line>);

impl Line {
    /// A line with no spans.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds our own words.
    #[must_use]
    pub fn with(mut self, role: Role, text: impl AsRef<str>) -> Self {
        self.0.push(Span { role, text: Escaped::line(text.as_ref()) });
        self
    }

    /// Adds untrusted text, escaped, on this line; hidden characters get [`Role::Hidden`].
    #[must_use]
    pub fn untrusted(self, role: Role, text: &Untrusted) -> Self {
        self.escaped(role, &text.escaped())
    }

    /// Adds text that is escaped already; hidden characters get [`Role::Hidden`].
    #[must_use]
    pub fn escaped(mut self, role: Role, text: &Escaped) -> Self {
        let mut at = 0;
        for segment in text.segments() {
            let end = at + segment.text.len();
            let role = if segment.hidden { Role::Hidden } else { role };
            self.0.push(Span { role, text: text.slice(at..end) });
            at = end;
        }
        self
    }

    /// The text without roles.
    pub fn text(&self) -> String {
        self.0.iter().map(|s| s.text.as_str()).collect()
    }
}

impl Doc {
    /// A document with no lines.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a line.
    pub fn push(&mut self, line: Line) {
        self.0.push(line);
    }

    /// Adds all lines of another document.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}
