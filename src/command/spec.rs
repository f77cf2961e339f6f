//! The table: one entry per command. Dispatch, help, completion, key bar and the command reference derive from it.
//!
//! Must stay the only list of commands; a command that is not here does not exist.

use super::arg::{ArgKind as K, ArgSpec, Args};
use super::{Command as C, ExamineWhat, InfoTopic};
use crate::domain::Mode;

/// One command.
#[derive(Clone, Copy, Debug)]
pub struct CommandSpec {
    /// One word, or two.
    pub name: &'static str,
    /// Other names; one word each.
    pub aliases: &'static [&'static str],
    /// Where help lists it.
    pub group: Group,
    /// One line, imperative, without a full stop.
    pub summary: &'static str,
    /// What else there is to know; paragraphs are separated by an empty line.
    pub help: &'static str,
    /// Lines that can be typed as they are, each with what it does; at least one.
    pub examples: &'static [(&'static str, &'static str)],
    /// Its arguments, in order.
    pub args: &'static [ArgSpec],
    /// Who carries it out.
    pub scope: Scope,
    /// Whether an empty line repeats it.
    pub repeat: bool,
    /// Keys of the full-screen front end.
    pub keys: &'static [Key],
    /// Index of the argument that `NAME/N` gives, as in gdb's `x/20`.
    pub slash: Option<usize>,
    /// From arguments to command; `None` where they do not go together.
    pub build: fn(&Args) -> Option<C>,
}

impl CommandSpec {
    /// How to write it: name and arguments.
    pub fn usage(&self) -> String {
        std::iter::once(self.name.to_owned()).chain(self.args.iter().map(ArgSpec::usage)).collect::<Vec<_>>().join(" ")
    }
}

/// Who carries a command out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The engine; it is recorded and gives facts.
    Engine,
    /// The front end answers it from the state; nothing is recorded.
    View,
    /// The front end itself changes; nothing is recorded.
    Frontend,
}

/// A key of the full-screen front end and the command line it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// A character, or one of `space`, `enter`, `backspace`, `tab`, `f1` …, `ctrl-x`.
    pub key: &'static str,
    /// The line; `{node}` is the node selected in the tree. With `prompt` it is put at the prompt and not submitted.
    pub line: &'static str,
    /// What the key bar calls it, at most ten characters.
    pub label: &'static str,
    /// Whether more has to be typed.
    pub prompt: bool,
}

/// Groups of help, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Policies, samples, models.
    Load,
    /// Running the tree.
    Step,
    /// Stopping.
    Break,
    /// Looking.
    Look,
    /// What if.
    Change,
    /// Keeping.
    Keep,
    /// The program itself.
    Program,
}

impl Group {
    /// All groups, in the order of help.
    pub const ALL: [Self; 7] =
        [Self::Load, Self::Step, Self::Break, Self::Look, Self::Change, Self::Keep, Self::Program];

    /// Its title.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Load => "Load and choose",
            Self::Step => "Step through the tree",
            Self::Break => "Stop where it matters",
            Self::Look => "Look",
            Self::Change => "Ask what if",
            Self::Keep => "Keep what was found",
            Self::Program => "The program",
        }
    }
}

/// The entry of a command by its full name.
pub fn by_name(name: &str) -> Option<&'static CommandSpec> {
    TABLE.iter().find(|s| s.name == name)
}

const fn key(key: &'static str, line: &'static str, label: &'static str) -> Key {
    Key { key, line, label, prompt: false }
}

const fn prompt(key: &'static str, line: &'static str, label: &'static str) -> Key {
    Key { key, line, label, prompt: true }
}

/// What most entries share.
const BASE: CommandSpec = CommandSpec {
    name: "",
    aliases: &[],
    group: Group::Program,
    summary: "",
    help: "",
    examples: &[],
    args: &[],
    scope: Scope::Engine,
    repeat: false,
    keys: &[],
    slash: None,
    build: |_| None,
};

const COUNT: &[ArgSpec] = &[ArgSpec::optional("N", K::Count)];
const BREAK: &[ArgSpec] = &[ArgSpec::required("PLACE", K::BreakPlace), ArgSpec::after("if", "EXPR", K::Expr)];
const SOME_BREAKPOINT: &[ArgSpec] = &[ArgSpec::optional("N", K::Breakpoint)];
const INFO_TOPICS: [(&str, &str); InfoTopic::ALL.len()] = {
    let mut words = [("", ""); InfoTopic::ALL.len()];
    let mut i = 0;
    while i < words.len() {
        words[i] = (InfoTopic::ALL[i].1, InfoTopic::ALL[i].2);
        i += 1;
    }
    words
};

/// All commands, in the order in which help lists them.
pub static TABLE: &[CommandSpec] = &[
    CommandSpec {
        name: "load policy",
        group: Group::Load,
        summary: "Load a policy file",
        help: "Reads a policy (TOML), checks it and makes it the policy of every node that is asked from now on. What changed \
               against the version before is listed, and which steps of the walk no longer stand. Walks keep the policy \
               they were made under: one that goes on under another policy, model or mode goes on in a branch. If the file \
               has errors, they are shown and the policy that was loaded stays.",
        examples: &[("load policy testdata/policies/scams.toml", "loads the sample policy on scams")],
        args: &[ArgSpec::required("PATH", K::Path)],
        build: |a| Some(C::LoadPolicy(a.text(0)?)),
        ..BASE
    },
    CommandSpec {
        name: "load samples",
        group: Group::Load,
        summary: "Load a file of samples",
        help: "Reads samples as JSON lines. Lines that cannot be read are counted and named with line and column; the \
               others are loaded.",
        examples: &[("load samples testdata/samples/scams.jsonl", "loads the samples that go with it")],
        args: &[ArgSpec::required("PATH", K::Path)],
        build: |a| Some(C::LoadSamples(a.text(0)?)),
        ..BASE
    },
    CommandSpec {
        name: "load model",
        group: Group::Load,
        summary: "Load a model by name or from a GGUF file",
        help: "Takes the name of a model that the program knows (`crossexam models list`) or the path of a GGUF file. A \
               known model that is not here yet is fetched, and its hash is checked.",
        examples: &[("load model smollm2-135m", "loads the default model")],
        args: &[ArgSpec::required("MODEL", K::Model)],
        build: |a| Some(C::LoadModel(a.text(0)?)),
        ..BASE
    },
    CommandSpec {
        name: "sample",
        group: Group::Load,
        summary: "Select a sample and stand before the root",
        help: "Selects a sample by its number in the file, from 1, or by its id, and begins a walk that has asked nothing \
               yet. An id that looks like a number is written in quotes.",
        examples: &[
            ("sample 3", "selects the third sample"),
            ("sample \"2024\"", "selects the sample whose id is 2024"),
        ],
        args: &[ArgSpec::required("SAMPLE", K::Sample)],
        keys: &[prompt("g", "sample ", "go to")],
        build: |a| Some(C::Sample(a.sample(0)?)),
        ..BASE
    },
    CommandSpec {
        name: "next-sample",
        aliases: &["ns"],
        group: Group::Load,
        summary: "Go to the next sample, or the next one for which an expression holds",
        help: "The expression sees what is known of a sample before it is run, such as its gold outcome and scores; see \
               `help print` for the names.",
        examples: &[
            ("next-sample", "goes to the sample after this one"),
            ("next-sample where gold == \"violating\"", "goes on to a sample that people found violating"),
        ],
        args: &[ArgSpec::after("where", "EXPR", K::Expr)],
        keys: &[key("]", "next-sample", "next post")],
        build: |a| Some(C::NextSample(a.text(0))),
        ..BASE
    },
    CommandSpec {
        name: "previous-sample",
        aliases: &["ps"],
        group: Group::Load,
        summary: "Go to the sample before this one",
        help: "Begins a new walk of that sample; its earlier walks stay in the session, see `info walks`.",
        examples: &[("previous-sample", "goes back by one sample")],
        keys: &[key("[", "previous-sample", "prev post")],
        build: |_| Some(C::PreviousSample),
        ..BASE
    },
    CommandSpec {
        name: "walk",
        group: Group::Load,
        summary: "Go back to an earlier walk of this session",
        help: "Shows that walk as it was made, and further commands act on it. Walks and branches are listed by `info walks`.",
        examples: &[("walk 1", "selects the first walk")],
        args: &[ArgSpec::required("N", K::Walk)],
        keys: &[prompt("W", "walk ", "walk")],
        build: |a| Some(C::Walk(a.number(0)?)),
        ..BASE
    },
    CommandSpec {
        name: "mode",
        group: Group::Load,
        summary: "Choose whether the model writes a rationale before it answers",
        help: "With `rationale` the model first writes its reasons, at most TOKENS tokens of them per node, and the answer \
               is read after that. With `direct` the answer is read right after the question, which is faster.",
        examples: &[
            ("mode direct", "reads the answer right after the question"),
            ("mode rationale 128", "lets the model write up to 128 tokens of reasons first"),
        ],
        args: &[
            ArgSpec::required(
                "MODE",
                K::Enum(&[
                    ("direct", "read the answer right after the question"),
                    ("rationale", "let the model write its reasons first"),
                ]),
            ),
            ArgSpec::optional("TOKENS", K::Count),
        ],
        build: |a| match (a.word(0)?, a.number(1)) {
            ("direct", None) => Some(C::SetMode(Mode::Direct)),
            ("rationale", n) => {
                Some(C::SetMode(Mode::Rationale { max_tokens: n.unwrap_or(Mode::DEFAULT_RATIONALE_TOKENS) }))
            }
            _ => None,
        },
        ..BASE
    },
    CommandSpec {
        name: "run",
        aliases: &["r"],
        group: Group::Step,
        summary: "Start this sample again from the root and go on to the first stop or the leaf",
        help: "Breakpoints stop it. The walk so far stays in the session.",
        examples: &[("run", "walks the selected sample from the root")],
        keys: &[key("r", "run", "run")],
        build: |_| Some(C::Run),
        ..BASE
    },
    CommandSpec {
        name: "step",
        aliases: &["s"],
        group: Group::Step,
        summary: "Ask the next node, or the next N",
        help: "Shows what the model was asked, what it wrote, how likely each answer is, and where the walk goes. An empty \
               line steps again.",
        examples: &[("step", "asks one node"), ("step 3", "asks three nodes")],
        args: COUNT,
        repeat: true,
        keys: &[key("s", "step", "step"), key("space", "step", "step")],
        build: |a| Some(C::Step(a.number(0).unwrap_or(1))),
        ..BASE
    },
    CommandSpec {
        name: "next",
        aliases: &["n"],
        group: Group::Step,
        summary: "Like step, but take a whole included policy as one step",
        help: "Where the next node belongs to an included policy, goes on until the walk has left that policy.",
        examples: &[("next", "steps over an included policy")],
        args: COUNT,
        repeat: true,
        keys: &[key("n", "next", "next")],
        build: |a| Some(C::Next(a.number(0).unwrap_or(1))),
        ..BASE
    },
    CommandSpec {
        name: "finish",
        aliases: &["fin"],
        group: Group::Step,
        summary: "Go on to the end of the included policy, or of the walk",
        help: "Breakpoints stop it.",
        examples: &[("finish", "goes on to the leaf")],
        keys: &[key("f", "finish", "finish")],
        build: |_| Some(C::Finish),
        ..BASE
    },
    CommandSpec {
        name: "until",
        aliases: &["u"],
        group: Group::Step,
        summary: "Go on and stop before a node, or at a leaf",
        help: "Stops earlier at a breakpoint, or at another leaf where the walk never gets there.",
        examples: &[("until deceptive", "goes on and stands before the node `deceptive`")],
        args: &[ArgSpec::required("PLACE", K::Place)],
        keys: &[key("u", "until {node}", "until")],
        build: |a| Some(C::Until(a.name(0)?)),
        ..BASE
    },
    CommandSpec {
        name: "continue",
        aliases: &["c"],
        group: Group::Step,
        summary: "Go on to the next breakpoint or the leaf",
        help: "Ctrl-C stops it at the node that is being asked; nothing is lost.",
        examples: &[("continue", "goes on")],
        keys: &[key("c", "continue", "continue")],
        build: |_| Some(C::Continue),
        ..BASE
    },
    CommandSpec {
        name: "back",
        aliases: &["reverse-step", "reverse-next", "rs", "rn"],
        group: Group::Step,
        summary: "Take back the last step, or the last N",
        help: "Nothing is deleted: the session keeps what was taken back. Stepping on from there asks the model again, \
               with the same result unless the policy, the model or the mode was changed.",
        examples: &[("back", "takes back one step"), ("reverse-step 2", "takes back two")],
        args: COUNT,
        keys: &[key("backspace", "back", "back")],
        build: |a| Some(C::Back(a.number(0).unwrap_or(1))),
        ..BASE
    },
    CommandSpec {
        name: "break",
        aliases: &["b"],
        group: Group::Break,
        summary: "Stop at a node, an answer or a leaf, always or if an expression holds",
        help: "`break NODE` stops before the node is asked; with a condition, after it was answered, since the condition is \
               about the answer. `break NODE=ANSWER` stops when the node was answered so. `break LEAF` stops at that leaf. \
               `break * if EXPR` looks at every node.\n\nAn answer with a space is quoted: break intent=\"not sure\". \
               See `help print` for what an expression can name.",
        examples: &[
            ("break deceptive", "stops before the node `deceptive`"),
            ("break deceptive=yes", "stops when `deceptive` was answered yes"),
            ("break deceptive if p.yes < 0.6", "stops when it was answered and yes is not likely"),
            ("break * if coverage < 0.5", "stops wherever the model wanted to say something else"),
        ],
        args: BREAK,
        keys: &[key("b", "break {node}", "break")],
        build: |a| Some(C::Break { at: a.place(0)?, condition: a.text(1), temporary: false }),
        ..BASE
    },
    CommandSpec {
        name: "tbreak",
        aliases: &["tb"],
        group: Group::Break,
        summary: "Like break, but only once",
        help: "The breakpoint is removed after its first stop.",
        examples: &[("tbreak remove", "stops at the leaf `remove`, once")],
        args: BREAK,
        build: |a| Some(C::Break { at: a.place(0)?, condition: a.text(1), temporary: true }),
        ..BASE
    },
    CommandSpec {
        name: "condition",
        aliases: &[],
        group: Group::Break,
        summary: "Set the condition of a breakpoint, or remove it",
        help: "Without an expression the breakpoint stops always.",
        examples: &[("condition 1 margin < 0.2", "makes breakpoint 1 stop only where the model was torn")],
        args: &[ArgSpec::required("N", K::Breakpoint), ArgSpec::optional("EXPR", K::Expr)],
        build: |a| Some(C::Condition(a.number(0)?, a.text(1))),
        ..BASE
    },
    CommandSpec {
        name: "enable",
        group: Group::Break,
        summary: "Make a breakpoint stop again, or all of them",
        help: "Breakpoints are listed by `info breakpoints`.",
        examples: &[("enable 1", "lets breakpoint 1 stop again")],
        args: SOME_BREAKPOINT,
        build: |a| Some(C::Enable(a.number(0))),
        ..BASE
    },
    CommandSpec {
        name: "disable",
        group: Group::Break,
        summary: "Keep a breakpoint but do not stop there, or at any",
        help: "Breakpoints are listed by `info breakpoints`.",
        examples: &[("disable", "switches all breakpoints off")],
        args: SOME_BREAKPOINT,
        build: |a| Some(C::Disable(a.number(0))),
        ..BASE
    },
    CommandSpec {
        name: "delete",
        aliases: &["d"],
        group: Group::Break,
        summary: "Remove a breakpoint, or all of them",
        help: "Numbers of removed breakpoints are not used again.",
        examples: &[("delete 2", "removes breakpoint 2")],
        args: SOME_BREAKPOINT,
        build: |a| Some(C::Delete(a.number(0))),
        ..BASE
    },
    CommandSpec {
        name: "where",
        aliases: &["bt", "backtrace"],
        group: Group::Look,
        summary: "Show the path so far and what comes next",
        help: "First what the walk was made under: policy, mode and model. Then for every answered node the answer with its \
               probability, margin and coverage, why that edge was taken, the gold answer, and whether the step still \
               stands under the policy that is loaded.",
        examples: &[("where", "shows the path")],
        scope: Scope::View,
        keys: &[key("w", "where", "where")],
        build: |_| Some(C::Where),
        ..BASE
    },
    CommandSpec {
        name: "list",
        aliases: &["l"],
        group: Group::Look,
        summary: "Show the policy's source around a node",
        help: "Without a node: around the one that comes next.",
        examples: &[("list", "shows the source of the next node"), ("list deceptive", "shows that of `deceptive`")],
        args: &[ArgSpec::optional("NODE", K::Place)],
        scope: Scope::View,
        keys: &[key("l", "list {node}", "source")],
        build: |a| Some(C::List(a.name(0))),
        ..BASE
    },
    CommandSpec {
        name: "info",
        aliases: &["i"],
        group: Group::Look,
        summary: "Show one part of the state",
        help: "Topics can be shortened as far as they stay unique: `info b` shows the breakpoints.",
        examples: &[("info breakpoints", "lists the breakpoints"), ("info sample", "shows the sample in full")],
        args: &[ArgSpec::required("TOPIC", K::Enum(&INFO_TOPICS))],
        scope: Scope::View,
        keys: &[key("i", "info node", "node")],
        build: |a| Some(C::Info(InfoTopic::from_word(a.word(0)?)?)),
        ..BASE
    },
    CommandSpec {
        name: "print",
        aliases: &["p"],
        group: Group::Look,
        summary: "Evaluate an expression about the last answered node and the walk",
        help: "An expression is a condition or a value: comparisons (< <= == != >= >), and, or, not, in, arithmetic, \
               strings in quotes, and filters such as `|round(2)`. The names it can use are offered by completion.\n\n\
               What is not known, such as gold where nobody labelled the post, is none. A comparison with it is neither true \
               nor false: `gold == \"violating\" or leaf == \"remove\"` holds at that leaf whatever gold is, and a condition \
               that cannot be told does not hold, so a breakpoint does not stop and next-sample goes on. To ask whether \
               something is known: `gold is none`, `gold is not none`.\n\n\
               The text is taken to the end of the line, so there is no comment after it.",
        examples: &[
            ("print p.yes", "shows the probability of yes"),
            ("print verdict != gold", "says whether it differs"),
        ],
        args: &[ArgSpec::required("EXPR", K::Expr)],
        scope: Scope::View,
        keys: &[prompt("p", "print ", "print")],
        build: |a| Some(C::Print(a.text(0)?)),
        ..BASE
    },
    CommandSpec {
        name: "display",
        group: Group::Look,
        summary: "Show an expression after every step, or list those that are shown",
        help: "See `help print` for expressions. `undisplay N` ends it.",
        examples: &[("display margin", "shows the margin after every step")],
        args: &[ArgSpec::optional("EXPR", K::Expr)],
        build: |a| Some(C::Display(a.text(0))),
        ..BASE
    },
    CommandSpec {
        name: "undisplay",
        group: Group::Look,
        summary: "No longer show a displayed expression",
        help: "Numbers are listed by `info display`.",
        examples: &[("undisplay 1", "ends the first display")],
        args: &[ArgSpec::required("N", K::Display)],
        build: |a| Some(C::Undisplay(a.number(0)?)),
        ..BASE
    },
    CommandSpec {
        name: "x",
        group: Group::Look,
        summary: "Examine the exact prompt, its tokens, or the most likely next tokens",
        help: "`x prompt` shows what the model reads, scaffolding included. `x tokens` shows every token with its id. `x top \
               K @POSITION` shows the K most likely next tokens after the first POSITION tokens; without a position, where \
               the answer is read. As in gdb the count can be attached: `x/20` is `x top 20`.\n\nIt is about the node that \
               was answered last, or with `of NODE` about that one.",
        examples: &[
            ("x prompt", "shows the prompt of the last answered node"),
            ("x tokens of deceptive", "shows the tokens of the node `deceptive`"),
            ("x top 5 @12", "shows the five most likely tokens after the first twelve"),
            ("x/20", "shows the twenty most likely tokens where the answer is read"),
        ],
        args: &[
            ArgSpec::optional(
                "WHAT",
                K::Enum(&[
                    ("prompt", "the prompt as the model reads it"),
                    ("tokens", "the prompt's tokens with their ids"),
                    ("top", "the most likely next tokens"),
                ]),
            ),
            ArgSpec::optional("K", K::Count),
            ArgSpec::optional("@POSITION", K::Position),
            ArgSpec::after("of", "NODE", K::Node),
        ],
        slash: Some(1),
        keys: &[key("x", "x prompt", "prompt"), key("t", "x top", "tokens")],
        build: |a| {
            let what = match (a.word(0), a.number(1), a.number(2)) {
                (Some("top"), k, position) => ExamineWhat::Top { k: k.unwrap_or(ExamineWhat::DEFAULT_TOP), position },
                (None, Some(k), position) => ExamineWhat::Top { k, position },
                (Some("prompt") | None, None, None) => ExamineWhat::Prompt,
                (Some("tokens"), None, None) => ExamineWhat::Tokens,
                _ => return None,
            };
            Some(C::Examine { what, node: a.name(3) })
        },
        ..BASE
    },
    CommandSpec {
        name: "compare",
        aliases: &["cmp"],
        group: Group::Look,
        summary: "Show classifier, LLM and gold side by side",
        help: "For every score: its threshold and on which side of it the sample is. Then the verdict of the walk, the \
               human label, where they differ, and the first node that was answered unlike the gold path.\n\nWith one number: \
               that walk beside the one on the screen; with two: the one beside the other. The first step at which they \
               differ is named.",
        examples: &[
            ("compare", "compares the three verdicts on this sample"),
            ("compare 1", "shows walk 1 beside the walk on the screen"),
            ("compare 1 3", "shows walk 1 beside walk 3"),
        ],
        args: &[ArgSpec::optional("N", K::Walk), ArgSpec::optional("M", K::Walk)],
        scope: Scope::View,
        keys: &[key("=", "compare", "compare")],
        build: |a| Some(C::Compare(a.number(0), a.number(1))),
        ..BASE
    },
    CommandSpec {
        name: "set answer",
        group: Group::Change,
        summary: "Answer a node yourself, in a new branch",
        help: "The walk branches before that node, the node is answered so and marked as overridden. The walk it came from \
               stays as it is.",
        examples: &[("set answer deceptive=no", "goes on as if `deceptive` had been answered no")],
        args: &[ArgSpec::required("NODE=ANSWER", K::NodeAnswer)],
        keys: &[prompt("a", "set answer {node}=", "answer")],
        build: |a| a.pair(0).map(|(node, answer)| C::SetAnswer(node, answer)),
        ..BASE
    },
    CommandSpec {
        name: "set threshold",
        group: Group::Change,
        summary: "Override a classifier threshold in this session",
        help: "A score at or above its threshold counts as violating. It holds for the walk on the screen and for those that \
               begin later; the samples' own thresholds are left alone.",
        examples: &[("set threshold scam=0.8", "lets scam scores from 0.8 count as violating")],
        args: &[ArgSpec::required("NAME=VALUE", K::ScoreValue)],
        build: |a| a.threshold(0).map(|(name, value)| C::SetThreshold(name, value)),
        ..BASE
    },
    CommandSpec {
        name: "reload",
        group: Group::Change,
        summary: "Read the loaded policy's file again and list what changed",
        help: "Lists every node and leaf that is not what it was, by its content, and which steps of the walk no longer stand; \
               `rerun` asks again from the first of them. If the file is gone or has errors, that is shown and the policy \
               that was loaded stays.",
        examples: &[("reload", "loads the policy again after it was edited")],
        keys: &[key("R", "reload", "reload")],
        build: |_| Some(C::Reload),
        ..BASE
    },
    CommandSpec {
        name: "rerun",
        group: Group::Change,
        summary: "Ask again from the first step that no longer stands, or from a node, in a branch",
        help: "After the policy was edited: a branch keeps the steps that still stand under the loaded policy and asks again \
               from the first one that does not, to the first stop or the leaf. With NODE it asks again from that node. The \
               walk it came from stays as it is.",
        examples: &[
            ("rerun", "asks again what changed in the policy"),
            ("rerun deceptive", "asks again from the node `deceptive`"),
        ],
        args: &[ArgSpec::optional("NODE", K::Node)],
        build: |a| Some(C::Rerun(a.name(0))),
        ..BASE
    },
    CommandSpec {
        name: "note",
        group: Group::Keep,
        summary: "Write a note about the walk, at the step where it stands",
        help: "The text is taken as it stands to the end of the line, `#` and quotes included. A line that ends in a \
               backslash goes on in the next one, so a note can have several lines; written in double quotes, \\n is a \
               line break.",
        examples: &[
            ("note the guidance does not cover gift cards", "keeps the finding with this step"),
            ("note \"first line\\nsecond line\"", "keeps a note of two lines"),
        ],
        args: &[ArgSpec::required("TEXT", K::FreeText)],
        keys: &[prompt("m", "note ", "note")],
        build: |a| Some(C::Note(a.text(0)?)),
        ..BASE
    },
    CommandSpec {
        name: "tag",
        group: Group::Keep,
        summary: "Put a tag on the walk, at the step where it stands",
        help: "Tags are short names by which findings are collected later.",
        examples: &[("tag guidance-gap", "marks this step as a gap in the guidance")],
        args: &[ArgSpec::required("TAG", K::Tag)],
        build: |a| Some(C::Tag(a.name(0)?)),
        ..BASE
    },
    CommandSpec {
        name: "save",
        group: Group::Keep,
        summary: "Copy the session to a file",
        help: "Sessions are recorded all the time; this makes a copy elsewhere. A file that exists is not overwritten.",
        examples: &[("save findings/gift-cards.jsonl", "copies the session")],
        args: &[ArgSpec::required("PATH", K::Path)],
        build: |a| Some(C::Save(a.text(0)?)),
        ..BASE
    },
    CommandSpec {
        name: "source",
        group: Group::Program,
        summary: "Run the commands of a file",
        help: "One command a line, as typed here, with `#` comments. Errors name file and line; the first one ends it.",
        examples: &[("source testdata/scripts/first-steps.cmd", "runs the commands of that file")],
        args: &[ArgSpec::required("PATH", K::Path)],
        scope: Scope::Frontend,
        build: |a| Some(C::Source(a.text(0)?)),
        ..BASE
    },
    CommandSpec {
        name: "help",
        aliases: &["h", "?"],
        group: Group::Program,
        summary: "List the commands, or explain one",
        help: "Commands can be shortened as far as they stay unique. Words with spaces are quoted, `#` begins a comment, and \
               a line that ends in a backslash goes on in the next one.",
        examples: &[("help", "lists the commands"), ("help break", "explains `break`")],
        args: &[ArgSpec::optional("COMMAND", K::Command)],
        scope: Scope::View,
        build: |a| Some(C::Help(a.text(0))),
        ..BASE
    },
    CommandSpec {
        name: "apropos",
        group: Group::Program,
        summary: "Find commands by a word of their help",
        help: "Upper and lower case do not matter.",
        examples: &[("apropos classifier", "lists the commands that have to do with the classifier")],
        args: &[ArgSpec::required("WORD", K::FreeText)],
        scope: Scope::View,
        build: |a| Some(C::Apropos(a.text(0)?)),
        ..BASE
    },
    CommandSpec {
        name: "tui",
        group: Group::Program,
        summary: "Go on in the full-screen front end",
        help: "The session goes on as it stands.",
        examples: &[("tui", "opens the five panes")],
        scope: Scope::Frontend,
        build: |_| Some(C::Tui),
        ..BASE
    },
    CommandSpec {
        name: "repl",
        group: Group::Program,
        summary: "Go on at the prompt",
        help: "The session goes on as it stands.",
        examples: &[("repl", "leaves the full-screen front end")],
        scope: Scope::Frontend,
        build: |_| Some(C::Repl),
        ..BASE
    },
    CommandSpec {
        name: "quit",
        aliases: &["q", "exit"],
        group: Group::Program,
        summary: "End the program",
        help: "The session is kept; everything that was acknowledged is on disk.",
        examples: &[("quit", "ends the program")],
        scope: Scope::Frontend,
        keys: &[key("q", "quit", "quit")],
        build: |_| Some(C::Quit),
        ..BASE
    },
];
