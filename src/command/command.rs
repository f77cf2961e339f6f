//! `Command`: plain data, what a line means. `Display` prints the canonical line, and `parse(display(c)) == c`.
//!
//! Must hold no closures, references or parsed expressions: it crosses threads and is written to the journal as its line.

use crate::domain::{BreakAt, Mode, Name};

/// One command. Paths, ids, expressions and notes are text as typed.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// `load policy PATH`
    LoadPolicy(String),
    /// `load samples PATH`
    LoadSamples(String),
    /// `load model NAME|PATH`
    LoadModel(String),
    /// `sample N` or `sample ID`: selects a sample and starts a walk at the root.
    Sample(SampleRef),
    /// `next-sample [where EXPR]`
    NextSample(Option<String>),
    /// `previous-sample`
    PreviousSample,
    /// `mode direct` or `mode rationale [TOKENS]`
    SetMode(Mode),
    /// `run`: starts the walk of the selected sample again from the root and goes on to the first stop or the leaf.
    Run,
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
    /// `compare`: classifier, LLM and gold side by side.
    Compare,
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
