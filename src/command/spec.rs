//! The table: one row per command. Its enums, parsing, canonical lines, dispatch, help, completion, key bar and the
//! command reference derive from it.
//!
//! Must stay the only list of commands; a command that is not here does not exist. A new one needs a row here, an arm
//! in the dispatch of whoever runs it (`engine`, `report::view` or a front end), a function that does the work, and a
//! test.

use super::arg::{ArgKind as K, ArgSpec, Seen, Value};
use super::field::{Field, Values};
use super::need::{Has, Need};
use super::values::{ExamineWhat, InfoTopic, SampleRef, Times};
use crate::domain::{BreakAt, Mode, Name};
use std::fmt;

/// One command: what a line means, as plain data. `Display` prints the canonical line, and `parse(display(c)) == c`.
///
/// Its type says who runs it, so that it cannot be sent to anyone else.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Run by the engine; recorded, and produces facts.
    Engine(EngineCommand),
    /// Answered by looking at the state; nothing is recorded.
    View(ViewCommand),
    /// The front end itself changes; nothing is recorded.
    Frontend(FrontendCommand),
}

impl Command {
    /// Its row in the table.
    pub const fn spec(&self) -> &'static CommandSpec {
        match self {
            Self::Engine(command) => command.spec(),
            Self::View(command) => command.spec(),
            Self::Frontend(command) => command.spec(),
        }
    }

    /// Its name in the table.
    pub const fn name(&self) -> &'static str {
        self.spec().name
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Engine(command) => command.fmt(f),
            Self::View(command) => command.fmt(f),
            Self::Frontend(command) => command.fmt(f),
        }
    }
}

/// One row of the table.
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
    /// Index of the argument that `NAME/N` sets, as in gdb's `x/20`.
    pub slash: Option<usize>,
    /// What must be loaded before it can run, in the order in which missing things are reported.
    pub needs: &'static [Need],
    /// The line that the name without arguments stands for, if that is another command.
    pub bare: Option<&'static str>,
    /// From the argument values to the command; `None` if they are inconsistent.
    pub build: fn(&mut Values) -> Option<Command>,
}

impl CommandSpec {
    /// How to write it: name and arguments.
    pub fn usage(&self) -> String {
        std::iter::once(self.name.to_owned()).chain(self.args.iter().map(ArgSpec::usage)).collect::<Vec<_>>().join(" ")
    }

    /// The first of what it needs that is not there.
    pub fn missing(&self, has: Has) -> Option<Need> {
        self.needs.iter().copied().find(|need| !has.meets(*need))
    }

    /// Writes the canonical line: one line without control characters that parses to the same command.
    fn write(&self, values: &[Option<Value>], f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        for (arg, value) in self.args.iter().zip(values) {
            if let Some(value) = value {
                arg.write(value, f)?;
            }
        }
        Ok(())
    }
}

/// Who carries a command out: see the variants of [`Command`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The engine.
    Engine,
    /// Whoever holds the state.
    View,
    /// The front end itself.
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
    TABLE.iter().copied().find(|s| s.name == name)
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
    scope: Scope::View,
    repeat: false,
    keys: &[],
    slash: None,
    needs: &[],
    bare: None,
    build: |_| None,
};

const COUNT: &[ArgSpec] = &[ArgSpec::optional("N", K::Count)];
const BREAK: &[ArgSpec] =
    &[ArgSpec::required("PLACE", K::BreakPlace), ArgSpec::after("if", "EXPR", K::Expr(Seen::Breakpoint))];
const SOME_BREAKPOINT: &[ArgSpec] = &[ArgSpec::optional("N", K::Breakpoint)];

/// The rows in the order of help: by group, and within a group as they are written below.
const fn by_group<const N: usize>(mut rows: [&'static CommandSpec; N]) -> [&'static CommandSpec; N] {
    let mut sorted = 1;
    while sorted < N {
        let mut at = sorted;
        while at > 0 && rows[at - 1].group as u8 > rows[at].group as u8 {
            rows.swap(at - 1, at);
            at -= 1;
        }
        sorted += 1;
    }
    rows
}

/// From `Variant(field: Type, …) { name: …, summary: …, … }`, generates an enum variant, its row in the table, and the
/// conversions from argument values to the variant and back.
macro_rules! commands {
    ($(
        $(#[$doc:meta])*
        $scope:ident: $hand:ident {$(
            $command:ident $(( $($field:ident: $type:ty),+ ))? {
                name: $name:literal, summary: $summary:literal, $($key:ident: $value:expr),+ $(,)?
            }
        )+}
    )+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq)]
            pub enum $hand {$(
                #[doc = concat!("`", $name, "`: ", $summary, ".")]
                $command $(( $($type),+ ))?,
            )+}

            impl $hand {
                /// Its row in the table.
                pub const fn spec(&self) -> &'static CommandSpec {
                    match self {$( Self::$command { .. } => &rows::$command, )+}
                }
            }

            impl fmt::Display for $hand {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    let mut values = Vec::new();
                    match self {$( Self::$command $(( $($field),+ ))? => { $( $( $field.write(&mut values); )+ )? } )+}
                    self.spec().write(&values, f)
                }
            }

            impl From<$hand> for Command {
                fn from(command: $hand) -> Self {
                    Self::$scope(command)
                }
            }
        )+

        /// The rows, each under the name of its variant.
        #[allow(non_upper_case_globals)]
        mod rows {
            use super::*;
            $($(
                pub(super) static $command: CommandSpec = CommandSpec {
                    name: $name,
                    summary: $summary,
                    scope: Scope::$scope,
                    build: |_values| {
                        Some(Command::$scope($hand::$command $(( $( <$type>::read(_values)? ),+ ))?))
                    },
                    $($key: $value,)+
                    ..BASE
                };
            )+)+
        }

        /// All commands, in the order in which help lists them.
        pub static TABLE: &[&CommandSpec] = &by_group([$($( &rows::$command, )+)+]);
    };
}

commands! {
    /// Looking: answered from the state, by `report::view`.
    View: ViewCommand {
        Where {
            name: "where",
            summary: "Show the path so far and what comes next",
            aliases: &["bt", "backtrace"],
            group: Group::Look,
            help: "First what the walk was made under: policy, mode and model. Then for every answered node the answer with its \
                   probability, margin and coverage, why that edge was taken, the gold answer, and whether the step still \
                   stands under the policy that is loaded.",
            examples: &[("where", "shows the path")],
            keys: &[key("w", "where", "where")],
            needs: &[Need::Walk],
        }

        List(node: Option<Name>) {
            name: "list",
            summary: "Show the policy's source around a node",
            aliases: &["l"],
            group: Group::Look,
            help: "Without a node: around the one that comes next.",
            examples: &[("list", "shows the source of the next node"), ("list request", "shows that of `request`")],
            args: &[ArgSpec::optional("NODE", K::Place)],
            keys: &[key("l", "list {node}", "source")],
            needs: &[Need::Policy],
        }

        Info(topic: InfoTopic) {
            name: "info",
            summary: "Show one part of the state",
            aliases: &["i"],
            group: Group::Look,
            help: "Topics can be shortened as far as they stay unique: `info b` shows the breakpoints.",
            examples: &[("info breakpoints", "lists the breakpoints"), ("info sample", "shows the sample in full")],
            args: &[ArgSpec::required("TOPIC", K::Enum(&InfoTopic::WORDS))],
        }

        Node(node: Option<Name>) {
            name: "node",
            summary: "Show a node: question, guidance, answers and where they lead; or what a leaf says",
            group: Group::Look,
            help: "Without a node: the one that is asked next, at a leaf the one answered last, as `info node`. A node that the walk \
                   has asked is shown as it was asked.",
            examples: &[("node", "shows the next node"), ("node deceptive", "shows the node `deceptive`")],
            args: &[ArgSpec::optional("NODE", K::Place)],
            keys: &[key("i", "node {node}", "node")],
            needs: &[Need::Policy],
        }

        Print(expr: String) {
            name: "print",
            summary: "Evaluate an expression about the last answered node and the walk",
            aliases: &["p"],
            group: Group::Look,
            help: "An expression is a condition or a value: comparisons (< <= == != >= >), and, or, not, in, arithmetic, \
                   strings in quotes, and filters such as `|round(2)`. `help expressions` lists the names it can use.\n\n\
                   What is not known, such as gold where nobody labelled the post, is none. A comparison with it is neither true \
                   nor false: `gold == \"violating\" or leaf == \"remove\"` holds at that leaf whatever gold is, and a condition \
                   that cannot be told does not hold, so a breakpoint does not stop and next-sample goes on. To ask whether \
                   something is known: `gold is none`, `gold is not none`. What there cannot be, such as an answer that the \
                   node does not have, is refused.\n\n\
                   The text is taken to the end of the line, so there is no comment after it.",
            examples: &[
                ("print p.yes", "shows the probability of yes"),
                ("print verdict != gold", "says whether it differs"),
            ],
            args: &[ArgSpec::required("EXPR", K::Expr(Seen::Walk))],
            keys: &[prompt("p", "print ", "print")],
        }

        Compare(one: Option<u32>, other: Option<u32>) {
            name: "compare",
            summary: "Show classifier, LLM and gold side by side",
            aliases: &["cmp"],
            group: Group::Look,
            help: "For every score: its threshold and on which side of it the sample is. Then the verdict of the walk, the \
                   human label, where they differ, and the first node that was answered unlike the gold path.\n\nWith one \
                   number: that walk beside the one on the screen; with two: the one beside the other. The first step at \
                   which they differ is named.",
            examples: &[
                ("compare", "compares the three verdicts on this sample"),
                ("compare 1", "shows walk 1 beside the walk on the screen"),
                ("compare 1 3", "shows walk 1 beside walk 3"),
            ],
            args: &[ArgSpec::optional("N", K::Walk), ArgSpec::optional("M", K::Walk)],
            keys: &[key("=", "compare", "compare")],
            needs: &[Need::Walk],
        }

        Help(topic: Option<String>) {
            name: "help",
            summary: "List the commands, or explain one, an expression or a word",
            aliases: &["h", "?"],
            group: Group::Program,
            help: "Commands can be shortened as far as they stay unique. Words with spaces are quoted, `#` begins a comment, and \
                   a line that ends in a backslash goes on in the next one.",
            examples: &[
                ("help", "lists the commands"),
                ("help break", "explains `break`"),
                ("help expressions", "lists what conditions, print and display can name"),
                ("help words", "explains the words and marks on the screen"),
            ],
            args: &[ArgSpec::optional("COMMAND", K::Command)],
        }

        Apropos(words: String) {
            name: "apropos",
            summary: "Find commands by a word of their help",
            group: Group::Program,
            help: "Upper and lower case do not matter.",
            examples: &[("apropos classifier", "lists the commands that have to do with the classifier")],
            args: &[ArgSpec::required("WORD", K::FreeText)],
        }
    }

    /// Doing: carried out by the engine, and recorded.
    Engine: EngineCommand {
        LoadPolicy(path: String) {
            name: "load policy",
            summary: "Load a policy file",
            group: Group::Load,
            help: "Reads a policy (TOML), checks it and makes it the policy of every node that is asked from now on. What changed \
                   against the version before is listed, which steps of the walk no longer stand, and which breakpoints name \
                   what is no longer there. Walks keep the policy they were made under: one that goes on under another \
                   policy, model or mode goes on in a branch. If the file has errors, they are shown and the policy that was \
                   loaded stays.",
            examples: &[("load policy testdata/policies/scams.toml", "loads the sample policy on scams")],
            args: &[ArgSpec::required("PATH", K::Path)],
            needs: &[Need::Live],
        }

        LoadSamples(path: String) {
            name: "load samples",
            summary: "Load a file of samples",
            group: Group::Load,
            help: "Reads samples as JSON lines. Lines that cannot be read are counted and named with line and column; the \
                   others are loaded.",
            examples: &[("load samples testdata/samples/scams.jsonl", "loads the samples that go with it")],
            args: &[ArgSpec::required("PATH", K::Path)],
            needs: &[Need::Live],
        }

        LoadModel(name: String) {
            name: "load model",
            summary: "Load a model by name or from a GGUF file",
            group: Group::Load,
            help: "Takes the name of a model that the program knows (`crossexam models list`) or the path of a GGUF file. A \
                   known model that is not here yet is fetched, and its hash is checked.",
            examples: &[("load model smollm2-135m", "loads the default model")],
            args: &[ArgSpec::required("MODEL", K::Model)],
            needs: &[Need::Live],
        }

        Sample(which: SampleRef) {
            name: "sample",
            summary: "Select a sample and stand before the root",
            group: Group::Load,
            help: "Selects a sample by its number in the file, from 1, or by its id, and begins a walk that has asked nothing \
                   yet. An id that looks like a number is written in quotes.",
            examples: &[
                ("sample 3", "selects the third sample"),
                ("sample \"2024\"", "selects the sample whose id is 2024"),
            ],
            args: &[ArgSpec::required("SAMPLE", K::Sample)],
            keys: &[prompt("g", "sample ", "go to")],
            needs: &[Need::Samples, Need::Policy],
        }

        NextSample(condition: Option<String>) {
            name: "next-sample",
            summary: "Go to the next sample, or the next one for which an expression holds",
            aliases: &["ns"],
            group: Group::Load,
            help: "The expression sees what is known of a sample before it is run, such as its gold outcome and scores; see \
                   `help expressions` for the names.",
            examples: &[
                ("next-sample", "goes to the sample after this one"),
                ("next-sample where gold == \"violating\"", "goes on to a sample that people found violating"),
            ],
            args: &[ArgSpec::after("where", "EXPR", K::Expr(Seen::Sample))],
            keys: &[key("]", "next-sample", "next post")],
            needs: &[Need::Samples, Need::Policy],
        }

        PreviousSample {
            name: "previous-sample",
            summary: "Go to the sample before this one",
            aliases: &["ps"],
            group: Group::Load,
            help: "Begins a new walk of that sample; its earlier walks stay in the session, see `info walks`.",
            examples: &[("previous-sample", "goes back by one sample")],
            keys: &[key("[", "previous-sample", "prev post")],
            needs: &[Need::Walk, Need::Samples],
        }

        Walk(id: u32) {
            name: "walk",
            summary: "Go back to an earlier walk of this session",
            group: Group::Load,
            help: "Shows that walk as it was made, and further commands act on it. Walks and branches are listed by `info \
                   walks`.",
            examples: &[("walk 1", "selects the first walk")],
            args: &[ArgSpec::required("N", K::Walk)],
            keys: &[prompt("W", "walk ", "walk")],
            needs: &[Need::Walk],
        }

        SetMode(mode: Mode) {
            name: "mode",
            summary: "Choose whether the model writes a rationale before it answers",
            group: Group::Load,
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
            needs: &[Need::Live],
        }

        Run {
            name: "run",
            summary: "Start this sample again from the root and go on to the first stop or the leaf",
            aliases: &["r"],
            group: Group::Step,
            help: "Breakpoints stop it. The walk so far stays in the session.",
            examples: &[("run", "walks the selected sample from the root")],
            keys: &[key("r", "run", "run")],
            needs: &[Need::Walk, Need::Policy, Need::Model],
        }

        Step(count: Times) {
            name: "step",
            summary: "Ask the next node, or the next N",
            aliases: &["s"],
            group: Group::Step,
            help: "Shows what the model was asked, what it wrote, how likely each answer is, and where the walk goes. An empty \
                   line steps again.",
            examples: &[("step", "asks one node"), ("step 3", "asks three nodes")],
            args: COUNT,
            repeat: true,
            keys: &[key("s", "step", "step"), key("space", "step", "step")],
            needs: &[Need::Walk, Need::Policy, Need::Model],
        }

        Next(count: Times) {
            name: "next",
            summary: "Like step, but take a whole included policy as one step",
            aliases: &["n"],
            group: Group::Step,
            help: "Where the next node belongs to an included policy, goes on until the walk has left that policy.",
            examples: &[("next", "steps over an included policy")],
            args: COUNT,
            repeat: true,
            keys: &[key("n", "next", "next")],
            needs: &[Need::Walk, Need::Policy, Need::Model],
        }

        Finish {
            name: "finish",
            summary: "Go on to the end of the included policy, or of the walk",
            aliases: &["fin"],
            group: Group::Step,
            help: "Breakpoints stop it.",
            examples: &[("finish", "goes on to the leaf")],
            keys: &[key("f", "finish", "finish")],
            needs: &[Need::Walk, Need::Policy, Need::Model],
        }

        Until(place: Name) {
            name: "until",
            summary: "Go on and stop before a node, or at a leaf",
            aliases: &["u"],
            group: Group::Step,
            help: "Stops earlier at a breakpoint, or at another leaf where the walk never gets there. Where it stands there \
                   already, or no way leads there from where it stands, it says so and nothing is asked.",
            examples: &[("until request", "goes on and stands before the node `request`")],
            args: &[ArgSpec::required("PLACE", K::Place)],
            keys: &[key("u", "until {node}", "until")],
            needs: &[Need::Walk, Need::Policy, Need::Model],
        }

        Continue {
            name: "continue",
            summary: "Go on to the next breakpoint or the leaf",
            aliases: &["c"],
            group: Group::Step,
            help: "Ctrl-C stops it at the node that is being asked; nothing is lost.",
            examples: &[("continue", "goes on")],
            keys: &[key("c", "continue", "continue")],
            needs: &[Need::Walk, Need::Policy, Need::Model],
        }

        Back(count: Times) {
            name: "back",
            summary: "Take back the last step, or the last N",
            aliases: &["reverse-step", "reverse-next", "rs", "rn"],
            group: Group::Step,
            help: "Nothing is deleted: the session keeps what was taken back. Stepping on from there asks the model again, \
                   with the same result unless the policy, the model or the mode was changed.",
            examples: &[("back", "takes back one step"), ("reverse-step 2", "takes back two")],
            args: COUNT,
            keys: &[key("backspace", "back", "back")],
            needs: &[Need::Walk],
        }

        Break(at: BreakAt, condition: Option<String>) {
            name: "break",
            summary: "Stop at a node, an answer or a leaf, always or if an expression holds",
            aliases: &["b"],
            group: Group::Break,
            help: "`break NODE` stops before the node is asked; with a condition, after it was answered, since the condition is \
                   about the answer. `break NODE=ANSWER` stops when the node was answered so. `break LEAF` stops at that leaf. \
                   `break * if EXPR` looks at every node.\n\nAn answer with a space is quoted: break intent=\"not sure\". \
                   See `help expressions` for what an expression can name. Names and words that there are not are refused.",
            examples: &[
                ("break request", "stops before the node `request`"),
                ("break request=yes", "stops when `request` was answered yes"),
                ("break request if p.yes < 0.6", "stops when it was answered and yes is not likely"),
                ("break * if coverage < 0.5", "stops wherever the model wanted to say something else"),
            ],
            args: BREAK,
            keys: &[key("b", "break {node}", "break")],
            needs: &[Need::Live, Need::Policy],
        }

        BreakOnce(at: BreakAt, condition: Option<String>) {
            name: "tbreak",
            summary: "Like break, but only once",
            aliases: &["tb"],
            group: Group::Break,
            help: "The breakpoint is removed after its first stop.",
            examples: &[("tbreak phishing", "stops at the leaf `phishing`, once")],
            args: BREAK,
            needs: &[Need::Live, Need::Policy],
        }

        Condition(id: u32, condition: Option<String>) {
            name: "condition",
            summary: "Set the condition of a breakpoint, or remove it",
            group: Group::Break,
            help: "Without an expression the breakpoint stops always.",
            examples: &[("condition 1 margin < 0.2", "makes breakpoint 1 stop only where the model was torn")],
            args: &[ArgSpec::required("N", K::Breakpoint), ArgSpec::optional("EXPR", K::Expr(Seen::Breakpoint))],
            needs: &[Need::Live],
        }

        Enable(id: Option<u32>) {
            name: "enable",
            summary: "Make a breakpoint stop again, or all of them",
            group: Group::Break,
            help: "Breakpoints are listed by `info breakpoints`.",
            examples: &[("enable 1", "lets breakpoint 1 stop again")],
            args: SOME_BREAKPOINT,
            needs: &[Need::Live],
        }

        Disable(id: Option<u32>) {
            name: "disable",
            summary: "Keep a breakpoint but do not stop there, or at any",
            group: Group::Break,
            help: "Breakpoints are listed by `info breakpoints`.",
            examples: &[("disable", "switches all breakpoints off")],
            args: SOME_BREAKPOINT,
            needs: &[Need::Live],
        }

        Delete(id: Option<u32>) {
            name: "delete",
            summary: "Remove a breakpoint, or all of them",
            aliases: &["d"],
            group: Group::Break,
            help: "Numbers of removed breakpoints are not used again.",
            examples: &[("delete 2", "removes breakpoint 2")],
            args: SOME_BREAKPOINT,
            needs: &[Need::Live],
        }

        Display(expr: String) {
            name: "display",
            summary: "Show an expression after every step, or list those that are shown",
            group: Group::Look,
            help: "See `help expressions`. `undisplay N` ends it.",
            examples: &[("display margin", "shows the margin after every step")],
            args: &[ArgSpec::required("EXPR", K::Expr(Seen::Walk))],
            bare: Some("info display"),
            needs: &[Need::Live],
        }

        Undisplay(id: u32) {
            name: "undisplay",
            summary: "No longer show a displayed expression",
            group: Group::Look,
            help: "Numbers are listed by `info display`.",
            examples: &[("undisplay 1", "ends the first display")],
            args: &[ArgSpec::required("N", K::Display)],
            needs: &[Need::Live],
        }

        Examine(what: ExamineWhat, node: Option<Name>) {
            name: "x",
            summary: "Examine the exact prompt, its tokens, or the most likely next tokens",
            group: Group::Look,
            help: "`x prompt` shows what the model reads, scaffolding included. `x tokens` shows every token with its id. `x top \
                   K @POSITION` shows the K most likely next tokens after the first POSITION tokens; without a position, where \
                   the answer is read. As in gdb the count can be attached: `x/20` is `x top 20`.\n\nIt is about the node that \
                   was answered last, or with `of NODE` about that one. What it shows is kept in the session. In a \
                   recorded session `x prompt` shows what was read, and the others show what they found while it was recorded.",
            examples: &[
                ("x prompt", "shows the prompt of the last answered node"),
                ("x tokens of request", "shows the tokens of the node `request`"),
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
            keys: &[key("x", "x prompt of {node}", "prompt"), key("t", "x tokens of {node}", "tokens")],
            needs: &[Need::Walk, Need::Model],
        }

        SetAnswer(to: (Name, Name)) {
            name: "set answer",
            summary: "Answer a node yourself, in a new branch",
            group: Group::Change,
            help: "The walk branches before that node, the node is answered so and marked as overridden. The walk it came from \
                   stays as it is.",
            examples: &[("set answer request=no", "goes on as if `request` had been answered no")],
            args: &[ArgSpec::required("NODE=ANSWER", K::NodeAnswer)],
            keys: &[prompt("a", "set answer {node}=", "answer")],
            needs: &[Need::Live, Need::Policy, Need::Walk],
        }

        SetThreshold(to: (Name, f64)) {
            name: "set threshold",
            summary: "Override a classifier threshold in this session",
            group: Group::Change,
            help: "A score at or above its threshold counts as violating. It holds for the walk on the screen and for those that \
                   begin later; the samples' own thresholds are left alone.",
            examples: &[("set threshold scam=0.8", "lets scam scores from 0.8 count as violating")],
            args: &[ArgSpec::required("NAME=VALUE", K::ScoreValue)],
            needs: &[Need::Live],
        }

        Reload {
            name: "reload",
            summary: "Read the loaded policy's file again and list what changed",
            group: Group::Change,
            help: "Lists every node and leaf that is not what it was, by its content, and which steps of the walk no longer \
                   stand; `rerun` asks again from the first of them. If the file is gone or has errors, that is shown and \
                   the policy that was loaded stays.",
            examples: &[("reload", "loads the policy again after it was edited")],
            keys: &[key("R", "reload", "reload")],
            needs: &[Need::Live, Need::Policy],
        }

        Rerun(node: Option<Name>) {
            name: "rerun",
            summary: "Ask again from the first step that no longer stands, or from a node, in a branch",
            group: Group::Change,
            help: "After the policy was edited: a branch keeps the steps that still stand under the loaded policy and asks \
                   again from the first one that does not, to the first stop or the leaf. With NODE it asks again from that \
                   node. The walk it came from stays as it is.",
            examples: &[
                ("rerun", "asks again what changed in the policy"),
                ("rerun request", "asks again from the node `request`"),
            ],
            args: &[ArgSpec::optional("NODE", K::Node)],
            keys: &[key("A", "rerun", "ask again")],
            needs: &[Need::Live, Need::Walk, Need::Policy],
        }

        Note(text: String) {
            name: "note",
            summary: "Write a note about the walk, at the step where it stands",
            group: Group::Keep,
            help: "The text is taken as it stands to the end of the line, `#` and quotes included. A line that ends in a \
                   backslash goes on in the next one, so a note can have several lines; written in double quotes, \\n is a \
                   line break.\n\nIn a recorded session it goes to a review beside the \
                   recording, with your name and the time; the recording stays as it is.",
            examples: &[
                ("note the guidance does not cover gift cards", "keeps the finding with this step"),
                ("note \"first line\\nsecond line\"", "keeps a note of two lines"),
            ],
            args: &[ArgSpec::required("TEXT", K::FreeText)],
        }

        NoteAt(node: Name, text: String) {
            name: "note-at",
            summary: "Write a note about a step of the walk: the one that answered NODE",
            group: Group::Keep,
            help: "The node has to be answered in the walk on the screen. The text is taken as with `note`.",
            examples: &[("note-at deceptive the reason is not given", "keeps the finding with the step of `deceptive`")],
            args: &[ArgSpec::required("NODE", K::Node), ArgSpec::required("TEXT", K::FreeText)],
            keys: &[prompt("m", "note-at {node} ", "note")],
            needs: &[Need::Walk],
        }

        Tag(tag: Name) {
            name: "tag",
            summary: "Put a tag on the walk, at the step where it stands",
            group: Group::Keep,
            help: "Tags are short names by which findings are collected later. In a recorded session they go to the review, as \
                   notes do.",
            examples: &[("tag guidance-gap", "marks this step as a gap in the guidance")],
            args: &[ArgSpec::required("TAG", K::Tag)],
        }

        Save(path: String) {
            name: "save",
            summary: "Copy the session to a file",
            group: Group::Keep,
            help: "Sessions are recorded all the time; this makes a copy elsewhere. A file that exists is not overwritten. Of a \
                   recorded session the recording itself is copied; reviews stay beside it.",
            examples: &[("save findings/gift-cards.jsonl", "copies the session")],
            args: &[ArgSpec::required("PATH", K::Path)],
        }
    }

    /// What concerns the front end itself.
    Frontend: FrontendCommand {
        Source(path: String) {
            name: "source",
            summary: "Run the commands of a file",
            group: Group::Program,
            help: "One command a line, as typed here, with `#` comments. Errors name file and line; the first one ends it.",
            examples: &[("source testdata/scripts/demo.cmd", "runs the commands of that file")],
            args: &[ArgSpec::required("PATH", K::Path)],
        }

        Edit(node: Option<Name>) {
            name: "edit",
            summary: "Open your editor where a node is described, and reload after it",
            group: Group::Change,
            help: "The editor is the one that VISUAL or EDITOR names; known ones are opened at the node's line. Without NODE it \
                   is the node that is asked next, or the leaf. When the editor ends, the policy is read again as by `reload`. \
                   Needs a terminal.",
            examples: &[("edit request", "edits the node `request` and loads the policy again")],
            args: &[ArgSpec::optional("NODE", K::Place)],
            keys: &[key("e", "edit {node}", "edit")],
            needs: &[Need::Live, Need::Policy],
        }

        Tui {
            name: "tui",
            summary: "Go on in the full-screen front end",
            group: Group::Program,
            help: "The session goes on as it stands.",
            examples: &[("tui", "opens the five panes")],
        }

        Repl {
            name: "repl",
            summary: "Go on at the prompt",
            group: Group::Program,
            help: "The session goes on as it stands.",
            examples: &[("repl", "leaves the full-screen front end")],
        }

        Quit {
            name: "quit",
            summary: "End the program",
            aliases: &["q", "exit"],
            group: Group::Program,
            help: "The session is kept; everything that was acknowledged is on disk.",
            examples: &[("quit", "ends the program")],
            keys: &[key("q", "quit", "quit")],
        }
    }
}
