//! Values used by commands only: which sample, what `info` and `x` show, how often.
//!
//! Must not duplicate values of the session or the domain, and must not read or write lines.

/// Which sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SampleRef {
    /// By place in the file, from 1.
    Number(usize),
    /// By id.
    Id(String),
}

/// A repeat count, 1 by default; `step 1` is written `step`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times(pub u32);

/// What `info` shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InfoTopic {
    /// `info breakpoints`
    Breakpoints,
    /// `info display`
    Display,
    /// `info node`
    Node,
    /// `info policy`
    Policy,
    /// `info model`
    Model,
    /// `info sample`
    Sample,
    /// `info samples`
    Samples,
    /// `info scores`
    Scores,
    /// `info session`
    Session,
    /// `info walks`: all walks and branches of the session.
    Walks,
    /// `info notes`
    Notes,
}

/// What `x` shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExamineWhat {
    /// The prompt as the model reads it.
    Prompt,
    /// The prompt's tokens with ids.
    Tokens,
    /// The `k` most likely next tokens after the first `position` tokens; `None` means where the answer is read.
    Top {
        /// How many.
        k: u32,
        /// Where.
        position: Option<u32>,
    },
}

impl InfoTopic {
    /// Every topic with its word and its description, in the order of help.
    pub const ALL: [(Self, &'static str, &'static str); 11] = [
        (Self::Breakpoints, "breakpoints", "all breakpoints, their conditions and how often they stopped"),
        (Self::Display, "display", "the expressions shown after every step"),
        (Self::Node, "node", "the current node: question, guidance, examples, answers"),
        (Self::Policy, "policy", "the loaded policy: version, owner, size, hash"),
        (Self::Model, "model", "the loaded model: architecture, hashes, device"),
        (Self::Sample, "sample", "the current sample, with gold and recorded verdicts"),
        (Self::Samples, "samples", "the loaded file of samples"),
        (Self::Scores, "scores", "the classifier's scores against their thresholds"),
        (Self::Session, "session", "this session: how much was recorded"),
        (Self::Walks, "walks", "all walks and branches of the session"),
        (Self::Notes, "notes", "notes and tags"),
    ];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|t| t.0 == self).map_or("", |t| t.1)
    }

    /// The topic of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|t| t.1 == word).map(|t| t.0)
    }

    /// The words and their descriptions, as an argument's list of words.
    pub const WORDS: [(&'static str, &'static str); Self::ALL.len()] = {
        let mut words = [("", ""); Self::ALL.len()];
        let mut i = 0;
        while i < words.len() {
            words[i] = (Self::ALL[i].1, Self::ALL[i].2);
            i += 1;
        }
        words
    };
}

impl ExamineWhat {
    /// How many next tokens are shown by default.
    pub const DEFAULT_TOP: u32 = 10;

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prompt => "prompt",
            Self::Tokens => "tokens",
            Self::Top { .. } => "top",
        }
    }
}
