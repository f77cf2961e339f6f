//! `Command`: plain data, what a line means. `Display` prints the canonical line, and `parse(display(c)) == c`.
//!
//! Must hold no closures, references or parsed expressions: it crosses threads and is written to the journal as its line.

use super::lex::{free, quote};
use super::spec::{self, CommandSpec};
use crate::domain::{BreakAt, Mode, Name};
use std::fmt;

/// One command. Paths, ids, expressions and notes are text as typed.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// `load policy PATH`
    LoadPolicy(String),
    /// `load samples PATH`
    LoadSamples(String),
    /// `load model NAME|PATH`
    LoadModel(String),
    /// `reload`: reads the loaded policy's file again.
    Reload,
    /// `sample N` or `sample ID`: selects a sample and starts a walk at the root.
    Sample(SampleRef),
    /// `next-sample [where EXPR]`
    NextSample(Option<String>),
    /// `previous-sample`
    PreviousSample,
    /// `walk N`: selects an earlier walk.
    Walk(u32),
    /// `mode direct` or `mode rationale [TOKENS]`
    SetMode(Mode),
    /// `run`: starts the walk of the selected sample again from the root and goes on to the first stop or the leaf.
    Run,
    /// `rerun [NODE]`: asks again from the first step that no longer stands, or from NODE, in a branch.
    Rerun(Option<Name>),
    /// `step [N]`: asks the next N nodes.
    Step(u32),
    /// `next [N]`: like step, but a whole sub-policy counts as one.
    Next(u32),
    /// `finish`: to the end of the sub-policy, or of the walk.
    Finish,
    /// `until NODE|LEAF`: stops before that node, or at that leaf.
    Until(Name),
    /// `continue`: to the next breakpoint or the leaf.
    Continue,
    /// `back [N]`: takes back the last N steps (nothing is deleted).
    Back(u32),
    /// `break` or `tbreak`
    Break {
        /// Where.
        at: BreakAt,
        /// Only if this holds (an expression).
        condition: Option<String>,
        /// Removed after the first stop.
        temporary: bool,
    },
    /// `condition N [EXPR]`: sets or removes the condition of breakpoint N.
    Condition(u32, Option<String>),
    /// `enable [N]`; without N all.
    Enable(Option<u32>),
    /// `disable [N]`; without N all.
    Disable(Option<u32>),
    /// `delete [N]`; without N all.
    Delete(Option<u32>),
    /// `info TOPIC`
    Info(InfoTopic),
    /// `list [NODE]`: the policy's source around a node.
    List(Option<Name>),
    /// `where`: the path so far.
    Where,
    /// `print EXPR`
    Print(String),
    /// `x prompt|tokens|top [K] [@POSITION]`: of the last answered node, or of NODE with `of NODE`.
    Examine {
        /// What to show.
        what: ExamineWhat,
        /// Of which node; `None` is the node that was answered last, or the next one where none was.
        node: Option<Name>,
    },
    /// `display [EXPR]`: shows EXPR after every step; without it lists what is displayed.
    Display(Option<String>),
    /// `undisplay N`
    Undisplay(u32),
    /// `set answer NODE=ANSWER`: a new branch in which NODE is answered so.
    SetAnswer(Name, Name),
    /// `set threshold NAME=VALUE`: overrides a classifier threshold in this session.
    SetThreshold(Name, f64),
    /// `compare [N] [M]`: classifier, LLM and gold side by side; or walk N beside the current one, or beside walk M.
    Compare(Option<u32>, Option<u32>),
    /// `note TEXT`
    Note(String),
    /// `tag NAME`
    Tag(Name),
    /// `save PATH`: copies the session to PATH.
    Save(String),
    /// `source PATH`: runs the commands of a file.
    Source(String),
    /// `help [COMMAND]`
    Help(Option<String>),
    /// `apropos WORD`
    Apropos(String),
    /// `tui`: goes on in the full-screen front end.
    Tui,
    /// `repl`: goes on at the prompt.
    Repl,
    /// `quit`
    Quit,
}

/// Which sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SampleRef {
    /// By place in the file, from 1.
    Number(usize),
    /// By id.
    Id(String),
}

/// What `info` tells of.
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
    /// The `k` most likely next tokens after the first `position` tokens; `None` is where the answer is read.
    Top {
        /// How many.
        k: u32,
        /// Where.
        position: Option<u32>,
    },
}

impl Command {
    /// Its name in the table.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::LoadPolicy(_) => "load policy",
            Self::LoadSamples(_) => "load samples",
            Self::LoadModel(_) => "load model",
            Self::Reload => "reload",
            Self::Walk(_) => "walk",
            Self::Rerun(_) => "rerun",
            Self::Sample(_) => "sample",
            Self::NextSample(_) => "next-sample",
            Self::PreviousSample => "previous-sample",
            Self::SetMode(_) => "mode",
            Self::Run => "run",
            Self::Step(_) => "step",
            Self::Next(_) => "next",
            Self::Finish => "finish",
            Self::Until(_) => "until",
            Self::Continue => "continue",
            Self::Back(_) => "back",
            Self::Break { temporary: false, .. } => "break",
            Self::Break { temporary: true, .. } => "tbreak",
            Self::Condition(..) => "condition",
            Self::Enable(_) => "enable",
            Self::Disable(_) => "disable",
            Self::Delete(_) => "delete",
            Self::Info(_) => "info",
            Self::List(_) => "list",
            Self::Where => "where",
            Self::Print(_) => "print",
            Self::Examine { .. } => "x",
            Self::Display(_) => "display",
            Self::Undisplay(_) => "undisplay",
            Self::SetAnswer(..) => "set answer",
            Self::SetThreshold(..) => "set threshold",
            Self::Compare(..) => "compare",
            Self::Note(_) => "note",
            Self::Tag(_) => "tag",
            Self::Save(_) => "save",
            Self::Source(_) => "source",
            Self::Help(_) => "help",
            Self::Apropos(_) => "apropos",
            Self::Tui => "tui",
            Self::Repl => "repl",
            Self::Quit => "quit",
        }
    }

    /// Its entry in the table.
    pub fn spec(&self) -> &'static CommandSpec {
        spec::by_name(self.name()).expect("a test goes through all variants and finds each in the table")
    }

    /// Who carries it out. `display` without an expression only shows what is displayed.
    pub fn scope(&self) -> spec::Scope {
        if *self == Self::Display(None) { spec::Scope::View } else { self.spec().scope }
    }
}

/// The canonical line: one line without control characters that parses to the same command.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::LoadPolicy(path)
            | Self::LoadSamples(path)
            | Self::LoadModel(path)
            | Self::Save(path)
            | Self::Source(path) => write!(f, " {}", quote(path)),
            Self::Sample(SampleRef::Number(n)) => write!(f, " {n}"),
            Self::Sample(SampleRef::Id(id)) => match quote(id) {
                bare if bare.bytes().all(|b| b.is_ascii_digit()) => write!(f, " \"{bare}\""),
                word => write!(f, " {word}"),
            },
            Self::NextSample(Some(condition)) => write!(f, " where {}", free(condition)),
            Self::SetMode(Mode::Direct) => f.write_str(" direct"),
            Self::SetMode(Mode::Rationale { max_tokens }) => write!(f, " rationale {max_tokens}"),
            Self::Step(1) | Self::Next(1) | Self::Back(1) => Ok(()),
            Self::Step(n) | Self::Next(n) | Self::Back(n) | Self::Undisplay(n) | Self::Walk(n) => write!(f, " {n}"),
            Self::Compare(n, m) => [n, m].into_iter().flatten().try_for_each(|n| write!(f, " {n}")),
            Self::Until(name) | Self::List(Some(name)) | Self::Rerun(Some(name)) | Self::Tag(name) => {
                write!(f, " {}", quote(name.as_str()))
            }
            Self::Break { at, condition, .. } => {
                match at {
                    BreakAt::Place(name) => write!(f, " {}", quote(name.as_str()))?,
                    BreakAt::Answer(node, answer) => write_pair(f, node, answer)?,
                    BreakAt::Anywhere => f.write_str(" *")?,
                }
                condition.as_ref().map_or(Ok(()), |c| write!(f, " if {}", free(c)))
            }
            Self::Condition(n, Some(condition)) => write!(f, " {n} {}", free(condition)),
            Self::Condition(n, None) => write!(f, " {n}"),
            Self::Enable(Some(n)) | Self::Disable(Some(n)) | Self::Delete(Some(n)) => write!(f, " {n}"),
            Self::Info(topic) => write!(f, " {}", topic.as_str()),
            Self::Examine { what, node } => {
                write!(f, " {}", what.as_str())?;
                if let ExamineWhat::Top { k, position } = what {
                    write!(f, " {k}")?;
                    position.map_or(Ok(()), |p| write!(f, " @{p}"))?;
                }
                node.as_ref().map_or(Ok(()), |n| write!(f, " of {}", quote(n.as_str())))
            }
            Self::Print(text)
            | Self::Display(Some(text))
            | Self::Note(text)
            | Self::Apropos(text)
            | Self::Help(Some(text)) => write!(f, " {}", free(text)),
            Self::SetAnswer(node, answer) => write_pair(f, node, answer),
            Self::SetThreshold(name, value) => write!(f, " {}={value}", quote(name.as_str())),
            Self::NextSample(None)
            | Self::PreviousSample
            | Self::Reload
            | Self::Run
            | Self::Rerun(None)
            | Self::Finish
            | Self::Continue
            | Self::Enable(None)
            | Self::Disable(None)
            | Self::Delete(None)
            | Self::List(None)
            | Self::Where
            | Self::Display(None)
            | Self::Help(None)
            | Self::Tui
            | Self::Repl
            | Self::Quit => Ok(()),
        }
    }
}

fn write_pair(f: &mut fmt::Formatter<'_>, node: &Name, answer: &Name) -> fmt::Result {
    write!(f, " {}={}", quote(node.as_str()), quote(answer.as_str()))
}

impl InfoTopic {
    /// Every topic with its word and what it tells, in the order of help.
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
}

impl ExamineWhat {
    /// How many next tokens are shown where nothing else is said.
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
