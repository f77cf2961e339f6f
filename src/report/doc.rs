//! `Doc`: lines of spans, each with a role.
//!
//! Must take untrusted text as `Escaped` only; `&str` is for our own words.

use crate::domain::Outcome;
use crate::text::width::{fit, width, wrap};
use crate::text::{Escaped, Untrusted};

/// The kind of a span. A theme maps roles to looks; a role never stands for a colour.
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
    /// Blanks before right-aligned text; when a line is fitted to another width, as many as there is room for.
    Gap,
}

impl Role {
    /// The word for machines, and the name a theme would use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text | Self::Gap => "text",
            Self::Heading => "heading",
            Self::Key => "key",
            Self::Value => "value",
            Self::Muted => "muted",
            Self::Content => "content",
            Self::Rationale => "rationale",
            Self::Node => "node",
            Self::Answer => "answer",
            Self::Leaf => "leaf",
            Self::Violating => "violating",
            Self::NonViolating => "non_violating",
            Self::Escalate => "escalate",
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Hint => "hint",
            Self::Bar => "bar",
            Self::Overridden => "overridden",
            Self::Cursor => "cursor",
            Self::Hidden => "hidden",
        }
    }

    /// The role of an outcome.
    pub const fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Violating => Self::Violating,
            Outcome::NonViolating => Self::NonViolating,
            Outcome::Escalate | Outcome::Undetermined => Self::Escalate,
        }
    }
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

    /// Adds our own words, cut or filled up with spaces to `cells`: a column.
    #[must_use]
    pub fn column(self, role: Role, text: impl AsRef<str>, cells: usize) -> Self {
        self.with(role, fit(text.as_ref(), cells))
    }

    /// Adds all spans of another line.
    #[must_use]
    pub fn join(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Moves what follows to the right edge of `cells`; at least one space apart.
    #[must_use]
    pub fn right(self, role: Role, text: impl AsRef<str>, cells: usize) -> Self {
        let gap = cells.saturating_sub(self.width() + width(text.as_ref())).max(1);
        self.with(Role::Gap, " ".repeat(gap)).with(role, text)
    }

    /// The text without roles.
    pub fn text(&self) -> String {
        self.0.iter().map(|s| s.text.as_str()).collect()
    }

    /// Cells it takes.
    pub fn width(&self) -> usize {
        self.0.iter().map(|s| width(s.text.as_str())).sum()
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

    /// Adds untrusted text in as many lines as it needs at `cells`, with `prefix` before the first line and as many
    /// spaces before the others. Line breaks of the text are kept.
    pub fn paragraph(&mut self, prefix: Line, role: Role, text: &Untrusted, cells: usize) {
        self.wrapped(prefix, role, Escaped::lines(text.raw()), cells);
    }

    /// The same with our own words.
    pub fn words(&mut self, prefix: Line, role: Role, text: &str, cells: usize) {
        self.wrapped(prefix, role, vec![Escaped::line(text)], cells);
    }

    fn wrapped(&mut self, prefix: Line, role: Role, texts: Vec<Escaped>, cells: usize) {
        let indent = prefix.width();
        let mut prefix = Some(prefix);
        for text in texts {
            for range in wrap(text.as_str(), cells.saturating_sub(indent).max(MIN_COLUMN)) {
                let line = prefix.take().unwrap_or_else(|| Line::new().with(Role::Text, " ".repeat(indent)));
                self.push(line.escaped(role, &text.slice(range)));
            }
        }
    }
}

/// Text is never wrapped narrower than this: a column of single letters cannot be read.
const MIN_COLUMN: usize = 16;
