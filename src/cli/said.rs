//! Messages of the argument parser (help, version, errors), made safe for a terminal.
//!
//! Must not let through any character of an argument that could act on a terminal: clap quotes arguments verbatim in
//! its messages.

use super::Cli;
use crate::text::{Escaped, Untrusted};
use clap::{CommandFactory, Parser};
use std::ffi::{OsStr, OsString};

/// A message to print instead of running anything.
#[derive(Clone, Debug)]
pub struct Said {
    /// clap's text with its colours in it.
    styled: String,
    code: u8,
    is_error: bool,
}

impl Cli {
    /// Reads the arguments of the process.
    ///
    /// # Errors
    /// The text to print if there is nothing to run: help, the version, or what is wrong.
    pub fn read() -> Result<Self, Said> {
        Self::read_from(std::env::args_os())
    }

    /// Reads these arguments; the first is the name of the program.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_from(args: impl IntoIterator<Item = OsString>) -> Result<Self, Said> {
        let args: Vec<OsString> = args.into_iter().collect();
        Self::try_parse_from(&args).map_err(|raw| {
            // Parse the same arguments again with everything spelled out that acts on a terminal. Then nothing in the
            // message does, wherever clap or a value parser quotes them, and help, hints and colours stay as usual.
            let error = match Self::try_parse_from(args.iter().map(|arg| inert(arg))) {
                Err(error) if error.kind() == raw.kind() => error,
                // The escaped arguments parse (the original one was not Unicode), so the error is reported without
                // quoting it.
                _ => Self::command().error(raw.kind(), raw.kind().as_str().unwrap_or("an argument cannot be used")),
            };
            Said {
                styled: error.render().ansi().to_string(),
                code: u8::try_from(error.exit_code()).unwrap_or(2),
                is_error: error.use_stderr(),
            }
        })
    }
}

/// An argument as it may be shown.
fn inert(arg: &OsStr) -> OsString {
    Untrusted::new(arg.to_string_lossy()).escaped().into_string().into()
}

impl Said {
    /// The exit code to end with.
    pub fn code(&self) -> u8 {
        self.code
    }

    /// Whether it belongs on stderr; help and the version belong on stdout.
    pub fn is_error(&self) -> bool {
        self.is_error
    }

    /// The text, with clap's colours or without. Nothing else in it can act on a terminal.
    pub fn text(&self, color: bool) -> String {
        let mut out = String::new();
        let mut rest = self.styled.as_str();
        while let Some(at) = rest.find('\u{1b}') {
            let (before, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
            push(&mut out, before);
            let end = color_end(from);
            let (style, after) = from.split_at_checked(end.unwrap_or(1)).unwrap_or((from, ""));
            match end {
                Some(_) if color => out.push_str(style),
                Some(_) => {}
                None => push(&mut out, style),
            }
            rest = after;
        }
        push(&mut out, rest);
        out
    }
}

/// The end of the colour sequence that `text` begins with; `None` if it begins with another kind of sequence.
fn color_end(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\u{1b}[")?;
    let end = parameters.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    parameters.get(end..)?.starts_with('m').then_some("\u{1b}[".len() + end + 1)
}

/// Adds `text`, line by line.
fn push(out: &mut String, text: &str) {
    for (number, line) in Escaped::lines(text).iter().enumerate() {
        if number > 0 {
            out.push('\n');
        }
        out.push_str(line.as_str());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::is_hidden;

    fn said(args: &[&str]) -> Said {
        let args = std::iter::once("crossexam").chain(args.iter().copied()).map(OsString::from);
        Cli::read_from(args).expect_err("nothing to do")
    }

    /// Title, clipboard, a C1 control sequence, a line of its own, an override, a tag character, a backspace.
    const ATTACKS: [&str; 6] = [
        "\u{1b}]0;X\u{7}",
        "\u{1b}]52;c;ZXZpbA==\u{1b}\\",
        "\u{9b}31m",
        "a\nerror: b\r",
        "x\u{202e}gnp\u{e0041}",
        "a\u{8}\u{7f}",
    ];

    #[test]
    fn no_argument_acts_on_the_terminal_through_any_error_of_the_parser() {
        type Way<'a> = &'a dyn Fn(&str) -> Vec<String>;
        let ways: [Way<'_>; 14] = [
            &|x| vec![x.to_owned()],
            &|x| vec![format!("--{x}")],
            &|x| vec![format!("-{x}")],
            &|x| vec!["lint".to_owned(), format!("--{x}")],
            &|x| vec!["lint".to_owned(), "p.toml".to_owned(), format!("--grap{x}")],
            &|x| vec!["lint".to_owned(), "p.toml".to_owned(), format!("--graph={x}")],
            &|x| vec!["models".to_owned(), format!("lst{x}")],
            &|x| vec!["completions".to_owned(), format!("bash{x}")],
            &|x| vec!["--mode".to_owned(), x.to_owned()],
            &|x| vec!["check".to_owned(), "--policy=p".to_owned(), "--device".to_owned(), x.to_owned()],
            &|x| vec!["bench".to_owned(), "m".to_owned(), "--threads".to_owned(), x.to_owned()],
            &|x| vec!["bench".to_owned(), "m".to_owned(), format!("--count={x}")],
            &|x| vec!["replay".to_owned(), "a".to_owned(), x.to_owned()],
            &|x| vec!["--no-record".to_owned(), "--session".to_owned(), x.to_owned(), "--color=never".to_owned()],
        ];
        for attack in ATTACKS {
            for (way, args) in ways.iter().enumerate() {
                let args = args(attack);
                let said = said(&args.iter().map(String::as_str).collect::<Vec<_>>());
                assert!(said.is_error() && said.code() == 2, "{way}: {attack:?}");
                let plain = said.text(false);
                let bad = plain.chars().find(|c| is_hidden(*c) && *c != '\n');
                assert_eq!(bad, None, "{way}: {attack:?} in {plain:?}");
                assert!(!plain.contains("\nerror: b"), "{way}: a line of its own in {plain}");
                let colored = said.text(true);
                for part in colored.split('\u{1b}').skip(1) {
                    assert!(color_end(&format!("\u{1b}{part}")).is_some(), "{way}: {attack:?} in {colored:?}");
                }
            }
        }
    }

    #[test]
    fn the_name_of_the_program_in_its_help_is_inert() {
        let help = Cli::read_from(["/bin/\u{1b}]0;X\u{7}", "--help"].map(OsString::from)).expect_err("help");
        assert!(!help.text(false).chars().any(|c| is_hidden(c) && c != '\n'));
    }

    #[test]
    fn what_is_hidden_in_an_argument_is_shown_and_not_dropped() {
        assert!(said(&["lint", "--\u{1b}]0;X\u{7}"]).text(false).contains("'--<U+001B>]0;X<U+0007>'"));
    }

    #[test]
    fn hints_help_and_version_stay_what_they_are() {
        let typo = said(&["lnit", "p.toml"]);
        assert!(typo.text(false).contains("a similar subcommand exists: 'lint'"), "{}", typo.text(false));
        assert!(typo.text(true).contains("\u{1b}["), "with colours");
        let help = said(&["--help"]);
        assert!(!help.is_error() && help.code() == 0);
        assert!(help.text(false).contains("cross-examine every moderation verdict"));
        let version = said(&["--version"]);
        assert_eq!(
            (version.text(false).as_str(), version.code()),
            (concat!("crossexam ", env!("CARGO_PKG_VERSION"), "\n"), 0)
        );
    }

    #[cfg(unix)]
    #[test]
    fn an_argument_that_is_no_unicode_is_refused_without_being_quoted() {
        use std::os::unix::ffi::OsStringExt;
        let args = ["crossexam".into(), "--author".into(), OsString::from_vec(vec![0xff, 0x1b])];
        let said = Cli::read_from(args).expect_err("no Unicode");
        assert!(said.is_error() && said.code() == 2);
        assert!(said.text(false).contains("UTF-8"), "{}", said.text(false));
    }
}
