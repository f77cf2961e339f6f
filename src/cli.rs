//! The command line: arguments, and the paths that come from the environment.
//!
//! Must be the only reader of the environment and the home directory; must not start anything.

mod said;

pub use said::Said;

use crate::domain::{Device, Mode, Programs, Threads, path_text};
use crate::policy::GraphFormat;
use crate::text::Untrusted;
use clap::builder::{OsStringValueParser, PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;

/// What the program ends with, for help and manual page.
const EXIT_CODES: &str = "Exit codes: 0 all is well (warnings included); 1 something was found wrong or failed (a policy \
     or sample with errors, a record with an `error`, a command of a script, writing results); 2 nothing was begun: the \
     arguments, or a policy, model or session that they name, cannot be used (in `repl`, a failed command: 1); 130 interrupted; 255 a fault of the program.";

/// A debugger for content-moderation policies: cross-examine every moderation verdict.
///
/// Loads a local language model, steps a sample through each node of a policy's decision tree, shows what the model was
/// asked, what it wrote and how sure it was, compares the verdict with the classifier's and the human label, and
/// records every step in a session.
#[derive(Debug, Parser)]
#[command(name = "crossexam", version, max_term_width = 120, args_conflicts_with_subcommands = true)]
#[command(after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do; without one, the full-screen debugger opens.
    #[command(subcommand)]
    pub command: Option<Sub>,
    /// Arguments of the full-screen debugger.
    #[command(flatten)]
    pub open: OpenArgs,
}

impl Cli {
    /// Writes shell completions.
    pub fn completions(shell: clap_complete::Shell, out: &mut dyn Write) -> io::Result<u8> {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Self::command(), "crossexam", &mut script);
        out.write_all(&script).map(|()| 0)
    }

    /// Writes the manual page as roff.
    pub fn man(out: &mut dyn Write) -> io::Result<u8> {
        clap_mangen::Man::new(Self::command()).render(out).map(|()| 0)
    }
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Sub {
    /// Open the full-screen debugger (the default).
    Open(OpenArgs),
    /// Debug at a prompt, or run commands from stdin.
    Repl(ReplArgs),
    /// Check JSON-lines samples from stdin, one output record a line.
    Check(CheckArgs),
    /// Replay a recorded session; needs no model.
    Replay(ReplayArgs),
    /// List the recorded sessions, newest first.
    Sessions(SessionsArgs),
    /// Check policy files; `--graph` draws the tree.
    Lint(LintArgs),
    /// List, fetch, verify and probe models.
    #[command(subcommand)]
    Models(ModelsCommand),
    /// Open the debugger on a sample policy and samples; fetches the default model once.
    Demo(DemoArgs),
    /// Measure how fast a model reads, writes and walks on this machine.
    Bench(BenchArgs),
    /// Print shell completions.
    Completions {
        /// For which shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page (roff).
    Man,
}

/// Where colours are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// For which background colours are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ThemeChoice {
    /// The full-screen view asks the terminal; then COLORFGBG; else colours that can be read on both.
    #[default]
    Auto,
    /// For a dark background.
    Dark,
    /// For a light background.
    Light,
    /// No colours: bold, dim and reverse.
    Mono,
}

/// How things look on a terminal.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct LooksArgs {
    /// Colours.
    #[arg(long, value_enum, default_value_t)]
    pub color: ColorChoice,
    /// For which background colours are chosen.
    #[arg(long, value_enum, default_value_t)]
    pub theme: ThemeChoice,
}

/// With or without rationale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ModeChoice {
    /// Read the answer right after the question.
    Direct,
    /// Let the model reason first.
    Rationale,
}

/// A path (or a name that may be one) as text, whatever its bytes are.
fn path() -> impl TypedValueParser<Value = String> {
    OsStringValueParser::new().map(|path| path_text::of(&path))
}

/// Where models live and how they are fetched.
#[derive(Clone, Debug, Default, Args)]
pub struct ModelsArgs {
    /// Folder of downloaded models.
    #[arg(long, value_name = "DIR")]
    pub models_dir: Option<PathBuf>,
    /// Never touch the network.
    #[arg(long)]
    pub offline: bool,
    /// Another hub than the default.
    #[arg(long, value_name = "URL")]
    pub hub_endpoint: Option<String>,
}

/// The judge.
#[derive(Clone, Debug, Default, Args)]
pub struct ModelArgs {
    /// Model name (see `crossexam models list`), path of a GGUF file, or `none`. Without a model, `scripted:P` tries a
    /// policy out: every node's first answer gets the probability P.
    #[arg(long, value_name = "NAME|PATH|scripted:P|none", value_parser = path())]
    pub llm: Option<String>,
    /// Where models live.
    #[command(flatten)]
    pub place: ModelsArgs,
    /// Chat template to use instead of the one in the file: a known name, or `embedded` to trust the file's.
    #[arg(long, value_name = "NAME")]
    pub chat_template: Option<String>,
    /// Threads of the model, at most four for each core; all cores without it.
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
    /// Where it is computed.
    #[command(flatten)]
    pub device: DeviceArgs,
}

/// Where a model is computed.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct DeviceArgs {
    /// Where the model's weights are multiplied; a GPU needs a build with that feature.
    #[arg(long, value_name = "cpu|cuda|cuda:N|metal", default_value_t)]
    pub device: Device,
}

/// A number of threads that this machine can use: more than some for each core only wait for one another.
fn threads(text: &str) -> Result<usize, String> {
    let most = Threads::here().most();
    let whole = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(threads) if threads <= most => Ok(threads),
        _ if whole => Err(format!("at most {most} on this machine, {} for each core", Threads::PER_CORE)),
        _ => Err("it is not a whole number".to_owned()),
    }
}

/// Direct answers or rationales.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct ModeArgs {
    /// Whether the model reasons before it answers. Without it: direct, in `check` and in the debugger alike; a session
    /// that is opened again keeps its mode.
    #[arg(long, value_enum)]
    pub mode: Option<ModeChoice>,
    /// The most tokens of rationale per node.
    #[arg(long, value_name = "N", default_value_t = Mode::DEFAULT_RATIONALE_TOKENS)]
    pub rationale_tokens: u32,
}

impl ModeArgs {
    /// The mode, direct by default: it is by far the cheaper one, and one default makes what an analyst sees comparable
    /// to what `check` counted.
    pub fn mode(self) -> Mode {
        match self.mode.unwrap_or(ModeChoice::Direct) {
            ModeChoice::Direct => Mode::Direct,
            ModeChoice::Rationale => Mode::Rationale { max_tokens: self.rationale_tokens },
        }
    }
}

/// What a session is opened with.
#[derive(Clone, Debug, Default, Args)]
pub struct OpenArgs {
    /// Policy file to load.
    #[arg(long, value_name = "FILE", value_parser = path())]
    pub policy: Option<String>,
    /// Samples file to load (JSON lines); the first sample is selected.
    #[arg(long, value_name = "FILE", value_parser = path())]
    pub samples: Option<String>,
    /// The judge.
    #[command(flatten)]
    pub model: ModelArgs,
    /// Direct or rationale.
    #[command(flatten)]
    pub mode: ModeArgs,
    /// Record to this file; an existing session is opened again and goes on.
    #[arg(long, value_name = "FILE")]
    pub session: Option<PathBuf>,
    /// Folder for sessions that are not named.
    #[arg(long, value_name = "DIR")]
    pub sessions_dir: Option<PathBuf>,
    /// Who writes the notes and tags of this session; your user name without it.
    #[arg(long, value_name = "NAME")]
    pub author: Option<String>,
    /// Keep the session in memory only.
    #[arg(long, conflicts_with = "session")]
    pub no_record: bool,
    /// Leave the mouse to the terminal, for selecting text with it.
    #[arg(long)]
    pub no_mouse: bool,
    /// Looks.
    #[command(flatten)]
    pub looks: LooksArgs,
}

/// Arguments of `repl`.
#[derive(Clone, Debug, Args)]
pub struct ReplArgs {
    /// What the session is opened with.
    #[command(flatten)]
    pub open: OpenArgs,
    /// Run the commands of FILE first.
    #[arg(short = 'x', long = "exec-file", value_name = "FILE")]
    pub exec_file: Vec<PathBuf>,
    /// Run CMD first, after the files.
    #[arg(short = 'e', long = "exec", value_name = "CMD")]
    pub exec: Vec<String>,
    /// Read commands from stdin without a prompt (the default where stdin is no terminal), and end after them.
    #[arg(long)]
    pub batch: bool,
    /// One JSON object per event instead of text.
    #[arg(long)]
    pub json: bool,
    /// Go on after a command that failed.
    #[arg(long)]
    pub keep_going: bool,
}

/// Arguments of `check`.
#[derive(Clone, Debug, Args)]
pub struct CheckArgs {
    /// Policy file.
    #[arg(long, value_name = "FILE", value_parser = path())]
    pub policy: String,
    /// The judge.
    #[command(flatten)]
    pub model: ModelArgs,
    /// Direct or rationale.
    #[command(flatten)]
    pub mode: ModeArgs,
    /// Samples come from stdin; whoever names a file is told so.
    #[arg(long, hide = true, value_name = "FILE", value_parser = path())]
    pub samples: Option<String>,
    /// The same.
    #[arg(hide = true, value_parser = path())]
    pub files: Vec<String>,
}

/// Arguments of `replay`.
#[derive(Clone, Debug, Args)]
pub struct ReplayArgs {
    /// The session file; the newest session without it.
    pub session: Option<PathBuf>,
    /// Folder in which the newest session is looked for.
    #[arg(long, value_name = "DIR", conflicts_with = "session")]
    pub sessions_dir: Option<PathBuf>,
    /// Print it instead of opening the full-screen view (the default where stdout is no terminal).
    #[arg(long)]
    pub plain: bool,
    /// Who leaves notes and tags in the review beside the session; your user name without it.
    #[arg(long, value_name = "NAME")]
    pub author: Option<String>,
    /// Leave the mouse to the terminal, for selecting text with it.
    #[arg(long)]
    pub no_mouse: bool,
    /// Looks.
    #[command(flatten)]
    pub looks: LooksArgs,
}

/// Arguments of `sessions`.
#[derive(Clone, Debug, Args)]
pub struct SessionsArgs {
    /// Folder of the sessions.
    #[arg(long, value_name = "DIR")]
    pub sessions_dir: Option<PathBuf>,
    /// How many to list.
    #[arg(long, value_name = "N", default_value_t = 30)]
    pub count: usize,
    /// Looks.
    #[command(flatten)]
    pub looks: LooksArgs,
}

/// The words for how `lint --graph` draws.
fn graphs() -> impl TypedValueParser<Value = GraphFormat> {
    let words = [("text", "Box-drawing characters"), ("dot", "Graphviz"), ("mermaid", "Mermaid")];
    PossibleValuesParser::new(words.map(|(word, help)| PossibleValue::new(word).help(help)))
        .try_map(|word| word.parse::<GraphFormat>())
}

/// Arguments of `lint`.
#[derive(Clone, Debug, Args)]
pub struct LintArgs {
    /// Policy files, samples (`.jsonl`), and folders of both.
    #[arg(required = true)]
    pub policies: Vec<PathBuf>,
    /// One JSON object per diagnostic.
    #[arg(long)]
    pub json: bool,
    /// Check these samples (JSON lines) as well, and compare what the prompt layouts would cost for them.
    #[arg(long, value_name = "FILE")]
    pub samples: Option<PathBuf>,
    /// Draw the tree.
    #[arg(long, value_parser = graphs(), num_args = 0..=1, default_missing_value = "text", require_equals = true)]
    pub graph: Option<GraphFormat>,
    /// Looks.
    #[command(flatten)]
    pub looks: LooksArgs,
}

/// The `models` subcommands.
#[derive(Clone, Debug, Subcommand)]
pub enum ModelsCommand {
    /// Known models: size, licence, what each is good for, whether it is here.
    List(ModelsArgs),
    /// Fetch a model and check its hash.
    Pull(ModelArg),
    /// Print where a model's file is.
    Path(ModelArg),
    /// Check the hash of a fetched model.
    Verify(ModelArg),
    /// Tokenise `{"text"}` lines from stdin as content: `{"ids"}` lines, nothing added.
    Tokenize(ModelArg),
    /// Score `{"ids"}` lines from stdin: the 50 most likely next tokens and 24 greedy ones.
    Score {
        /// Which model.
        #[command(flatten)]
        model: ModelArg,
        /// Multiply in 32-bit floats with activations as they are: slow, and what the fast kernels are measured
        /// against.
        #[arg(long, conflicts_with = "device")]
        exact: bool,
        /// Where it is computed.
        #[command(flatten)]
        device: DeviceArgs,
    },
}

/// One model and where models live.
#[derive(Clone, Debug, Args)]
pub struct ModelArg {
    /// Model name, or path of a GGUF file.
    #[arg(value_parser = path())]
    pub model: String,
    /// Where models live.
    #[command(flatten)]
    pub place: ModelsArgs,
}

/// What `bench` measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BenchPart {
    /// Reading prompts.
    Prefill,
    /// Writing text.
    Decode,
    /// Walking a tree of four questions.
    Walk,
}

/// Arguments of `bench`.
#[derive(Clone, Debug, Args)]
pub struct BenchArgs {
    /// Model name, or path of a GGUF file.
    #[arg(value_parser = path())]
    pub model: String,
    /// Where models live.
    #[command(flatten)]
    pub place: ModelsArgs,
    /// Threads of the model, at most four for each core; all cores without it.
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
    /// Where it is computed.
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Runs per figure; the median counts.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub repeats: usize,
    /// Samples to walk (JSON lines); the demo's without it.
    #[arg(long, value_name = "FILE")]
    pub samples: Option<PathBuf>,
    /// How many samples are walked.
    #[arg(long, value_name = "N", default_value_t = 40)]
    pub count: usize,
    /// Measure this only; can be given several times.
    #[arg(long, value_enum, value_name = "PART")]
    pub only: Vec<BenchPart>,
    /// One JSON object instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `demo`.
#[derive(Clone, Debug, Args)]
pub struct DemoArgs {
    /// The judge; the default model without it.
    #[command(flatten)]
    pub model: ModelArgs,
    /// Direct or rationale.
    #[command(flatten)]
    pub mode: ModeArgs,
    /// Print the demo script's transcript (the default where stdout is no terminal).
    #[arg(long)]
    pub plain: bool,
    /// Who leaves notes and tags in the review beside the session; your user name without it.
    #[arg(long, value_name = "NAME")]
    pub author: Option<String>,
    /// Leave the mouse to the terminal, for selecting text with it.
    #[arg(long)]
    pub no_mouse: bool,
    /// Looks.
    #[command(flatten)]
    pub looks: LooksArgs,
}

/// What the environment says.
#[derive(Clone, Debug)]
pub struct Environment {
    /// The user's home folder, where the environment names one.
    pub home: Option<PathBuf>,
    /// Where models are kept: `$XDG_CACHE_HOME/crossexam/models`.
    pub models_dir: PathBuf,
    /// Where sessions are kept: `$XDG_STATE_HOME/crossexam/sessions`.
    pub sessions_dir: PathBuf,
    /// The history of the prompt: `$XDG_STATE_HOME/crossexam/history`.
    pub history: PathBuf,
    /// `HF_ENDPOINT`.
    pub hub_endpoint: Option<String>,
    /// `HF_TOKEN`; sent to the hub's own host only, never recorded.
    pub hub_token: Option<String>,
    /// The user's name: `USER`, `LOGNAME` or `USERNAME`; `unknown` where none is set.
    pub user: Untrusted,
    /// `NO_COLOR` is set and not empty.
    pub no_color: bool,
    /// `COLORFGBG`, by which some terminals tell their background.
    pub colorfgbg: Option<String>,
    /// The character set of the locale is not UTF-8: `LC_ALL`, else `LC_CTYPE`, else `LANG` names another, or none as
    /// `C` does.
    pub ascii: bool,
    /// `TERM` is `dumb` or not set: no full-screen front end and no colours.
    pub dumb_terminal: bool,
    /// `VISUAL`, or else `EDITOR`: the editor and its arguments.
    pub editor: Option<String>,
    /// `PATH`, and what other programs get of the environment.
    pub programs: Programs,
}

impl Environment {
    /// Reads the process environment.
    pub fn read() -> Self {
        Self::from_lookup(|name| std::env::var_os(name).filter(|v| !v.is_empty()))
    }

    /// Reads what `get` returns, for tests.
    pub fn from_lookup(get: impl Fn(&str) -> Option<OsString>) -> Self {
        let named = get("HOME").or_else(|| get("USERPROFILE")).map(PathBuf::from);
        let home = named.clone().unwrap_or_else(|| PathBuf::from("."));
        let dir = |name: &str, fallback: &str| {
            // The XDG specification tells programs to ignore relative paths.
            let set = get(name).map(PathBuf::from).filter(|p| p.is_absolute());
            set.unwrap_or_else(|| home.join(fallback)).join("crossexam")
        };
        let (cache, state) = (dir("XDG_CACHE_HOME", ".cache"), dir("XDG_STATE_HOME", ".local/state"));
        let term = get("TERM");
        Self {
            home: named,
            models_dir: cache.join("models"),
            sessions_dir: state.join("sessions"),
            history: state.join("history"),
            hub_endpoint: get("HF_ENDPOINT").and_then(|v| v.into_string().ok()),
            hub_token: get("HF_TOKEN").and_then(|v| v.into_string().ok()),
            user: ["USER", "LOGNAME", "USERNAME"]
                .iter()
                .find_map(|name| get(name))
                .map_or_else(|| "unknown".into(), |user| user.to_string_lossy().into_owned().into()),
            no_color: get("NO_COLOR").is_some(),
            colorfgbg: get("COLORFGBG").and_then(|v| v.into_string().ok()),
            ascii: ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(&get).is_some_and(|locale| !is_utf8(&locale)),
            dumb_terminal: term.is_none_or(|t| t == "dumb"),
            editor: get("VISUAL").or_else(|| get("EDITOR")).and_then(|v| v.into_string().ok()),
            programs: Programs::from_lookup(get),
        }
    }

    /// Whether to use colours on a stream that is a terminal or not.
    pub fn color(&self, choice: ColorChoice, terminal: bool) -> bool {
        match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => terminal && !self.no_color && !self.dumb_terminal,
        }
    }
}

/// Whether a locale such as `de_DE.UTF-8` says that the terminal understands UTF-8.
fn is_utf8(locale: &std::ffi::OsStr) -> bool {
    let name = locale.to_string_lossy().to_ascii_lowercase().replace('-', "");
    name.contains("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_argument_table_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_number_of_threads_is_bounded_in_every_entry() {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let entries: [&[&str]; 5] = [&[], &["repl"], &["check", "--policy=p"], &["demo"], &["bench", "m"]];
        for entry in entries {
            let read = |n: &str| {
                let args = [&["crossexam"][..], entry, &["--threads", n]].concat();
                Cli::read_from(args.into_iter().map(OsString::from)).map_err(|said| said.text(false))
            };
            for good in [1, cores, 4 * cores] {
                assert!(read(&good.to_string()).is_ok(), "{entry:?} {good}");
            }
            let limit = format!("at most {} on this machine", 4 * cores);
            for bad in ["1000000", "18446744073709551616", &(4 * cores + 1).to_string()] {
                assert!(read(bad).is_err_and(|why| why.contains(&limit)), "{entry:?} {bad}");
            }
            assert!(read("x").is_err_and(|why| why.contains("not a whole number")), "{entry:?}");
        }
    }

    #[test]
    fn every_graph_has_its_word() {
        for graph in GraphFormat::ALL {
            let args = ["crossexam", "lint", "p.toml", &format!("--graph={}", graph.as_str())];
            let read = Cli::read_from(args.map(OsString::from)).ok().and_then(|cli| cli.command);
            assert!(matches!(read, Some(Sub::Lint(lint)) if lint.graph == Some(graph)), "{graph:?}");
        }
    }

    #[test]
    fn directories_follow_xdg_and_ignore_relative_values() {
        let with = |pairs: &'static [(&str, &str)]| {
            Environment::from_lookup(move |n| pairs.iter().find(|(k, _)| *k == n).map(|(_, v)| OsString::from(v)))
        };
        let env = with(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/c"), ("XDG_STATE_HOME", "relative"), ("TERM", "xterm")]);
        assert_eq!(env.models_dir, PathBuf::from("/c/crossexam/models"));
        assert_eq!(env.sessions_dir, PathBuf::from("/h/.local/state/crossexam/sessions"));
        assert!(!env.dumb_terminal && with(&[]).dumb_terminal);
    }

    #[test]
    fn no_color_loses_against_an_explicit_choice_only() {
        let with = |set: &'static str| {
            Environment::from_lookup(move |n| match n {
                "TERM" => Some(if set == "dumb" { "dumb" } else { "xterm" }.into()),
                n => (n == set).then(|| "1".into()),
            })
        };
        assert!(with("").color(ColorChoice::Auto, true) && !with("").color(ColorChoice::Auto, false));
        for env in [with("NO_COLOR"), with("dumb")] {
            assert!(!env.color(ColorChoice::Auto, true));
            assert!(env.color(ColorChoice::Always, false));
        }
    }

    #[test]
    fn the_locale_says_whether_the_terminal_understands_utf_8() {
        for (set, ascii) in [
            (&[][..], false),
            (&[("LANG", "de_DE.UTF-8")], false),
            (&[("LANG", "C.utf8")], false),
            (&[("LC_CTYPE", "UTF-8")], false),
            (&[("LANG", "C")], true),
            (&[("LANG", "de_DE.ISO-8859-1")], true),
            (&[("LC_ALL", "POSIX"), ("LANG", "de_DE.UTF-8")], true),
            (&[("LC_CTYPE", "en_US.UTF-8"), ("LANG", "C")], false),
        ] {
            let set: Vec<(&str, &str)> = set.to_vec();
            let env = Environment::from_lookup(|n| set.iter().find(|(k, _)| *k == n).map(|(_, v)| OsString::from(v)));
            assert_eq!(env.ascii, ascii, "{set:?}");
        }
    }
}
