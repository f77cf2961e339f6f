//! Lines of commands from a file or a stream: continuation lines joined, each with its origin.
//!
//! Must not run anything, and must not hold more than one line in memory.

use super::interrupt::Interrupt;
use crate::command::FrontendCommand;
use crate::command::lex;
use crate::domain::sample_file::RawLines;
use crate::domain::{GuardedFile, path_text};
use crate::engine::Failure;
use crate::text::{Escaped, Untrusted};
use std::io::{self, BufRead, BufReader, ErrorKind};
use std::path::Path;
use std::time::{Duration, Instant};

/// Scripts may run scripts this deep; deeper is taken for one that runs itself.
pub const MOST_DEEP: usize = 16;

/// Where a line came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The file, or a word such as `stdin`.
    pub file: Untrusted,
    /// Its number, from 1; the first line's number if several were joined.
    pub line: usize,
}

impl Origin {
    /// `FILE:LINE`, safe to print.
    pub fn shown(&self) -> Escaped {
        Escaped::line(&format!("{}:{}", self.file.raw(), self.line))
    }
}

/// One line as it will be read by the command language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptLine {
    /// Where it began.
    pub place: Origin,
    /// Its text, with a line break at each continuation; or why it cannot be read.
    pub text: Result<String, &'static str>,
}

/// The lines of one file or stream.
pub struct Script<R> {
    lines: RawLines<R>,
    file: Untrusted,
}

impl<R: BufRead> Script<R> {
    /// Lines of `reader`; `file` is what errors call it.
    pub fn new(file: Untrusted, reader: R) -> Self {
        Self { lines: RawLines::new(reader), file }
    }
}

impl<R: BufRead> Iterator for Script<R> {
    type Item = io::Result<ScriptLine>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut joined: Option<ScriptLine> = None;
        for raw in self.lines.by_ref() {
            let raw = match raw {
                Ok(raw) => raw,
                Err(error) => return Some(Err(error)),
            };
            let bytes = raw.bytes.strip_suffix(b"\r").unwrap_or(&raw.bytes);
            let text = match std::str::from_utf8(bytes) {
                _ if raw.too_long => Err("this line is too long"),
                Ok(text) => Ok(text),
                Err(_) => Err("this line is not UTF-8"),
            };
            let place = Origin { file: self.file.clone(), line: raw.number };
            let line = joined.get_or_insert(ScriptLine { place, text: Ok(String::new()) });
            match (text, &mut line.text) {
                (Ok(text), Ok(whole)) => match lex::continued(text) {
                    Some(part) => {
                        whole.push_str(part);
                        whole.push('\n');
                        continue;
                    }
                    None => whole.push_str(text),
                },
                (Err(fault), _) => line.text = Err(fault),
                (Ok(_), Err(_)) => {}
            }
            break;
        }
        joined.map(Ok)
    }
}

/// A line typed at a prompt, with the same rule: a line break after a backslash joins two lines.
pub fn joined(typed: &str) -> String {
    let mut out = String::new();
    for line in typed.split_inclusive('\n') {
        match line.strip_suffix('\n').and_then(lex::continued) {
            Some(part) => {
                out.push_str(part);
                out.push('\n');
            }
            None => out.push_str(line),
        }
    }
    out
}

/// Pasted text, treated like a file: its complete lines, and what follows the last of them.
pub fn pasted(text: &str) -> (Vec<ScriptLine>, String) {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let (mut finished, mut at) = (0, 0);
    for line in text.split_inclusive('\n') {
        at += line.len();
        if line.strip_suffix('\n').is_some_and(|line| lex::continued(line).is_none()) {
            finished = at;
        }
    }
    let (lines, rest) = text.split_at(finished);
    // Reading from memory does not fail.
    (Script::new("pasted".into(), lines.as_bytes()).filter_map(Result::ok).collect(), rest.to_owned())
}

/// The most that is read of a script as a whole.
const MOST_BYTES: u64 = 16 << 20;

/// How long a pipe may take to give all of a script to a front end that does nothing else meanwhile.
const PATIENCE: Duration = Duration::from_secs(1);

/// All lines of a file, for a front end that must not wait long.
///
/// # Errors
/// If it is neither a file nor a pipe, is too large, or cannot be read within [`PATIENCE`].
pub fn whole(path: &Path, interrupt: &Interrupt) -> io::Result<Vec<ScriptLine>> {
    let start = Instant::now();
    let file = GuardedFile::open(path, MOST_BYTES, || interrupt.ending() || start.elapsed() > PATIENCE)?;
    let name = Untrusted::from(path_text::of(path));
    let lines: io::Result<Vec<ScriptLine>> = Script::new(name, BufReader::new(file)).collect();
    lines.map_err(|error| match GuardedFile::was_stopped(&error) {
        true => io::Error::new(ErrorKind::TimedOut, "its end did not come within a second"),
        false => error,
    })
}

/// The failure for a command that does not work where lines are run one after the other, as from a file, a pipe or a
/// paste.
pub fn not_here(command: &FrontendCommand) -> Failure {
    let needs = if matches!(command, FrontendCommand::Edit(_)) { "somebody at the prompt" } else { "a terminal" };
    Failure::user(format!("`{command}` needs {needs}"))
        .hinted("here commands are read one after the other; leave it out")
}

/// Why a script was not read, as a failed command.
pub fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::user(format!("cannot read {}: {error}", path_text::of(path)))
        .hinted("paths are taken from the folder in which the program was started")
}

/// Scripts that run scripts, deeper than any would.
pub fn too_deep() -> Failure {
    Failure::user(format!("scripts run scripts more than {MOST_DEEP} deep")).hinted("does one of them run itself?")
}

/// Whether the text typed so far continues on another line.
pub fn goes_on(typed: &str) -> bool {
    let last = typed.rsplit('\n').next().unwrap_or_default();
    lex::continued(last).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Vec<(usize, Result<String, &'static str>)> {
        Script::new("s".into(), text).map(|l| l.expect("readable")).map(|l| (l.place.line, l.text)).collect()
    }

    #[test]
    fn lines_are_joined_and_keep_the_number_of_the_first() {
        let text = b"step\r\nnote a\\\r\nb\\\nc\n\n# no\\\nrun";
        let expected = [(1, "step"), (2, "note a\nb\nc"), (5, ""), (6, "# no\\"), (7, "run")];
        assert_eq!(read(text), expected.map(|(n, t)| (n, Ok(t.to_owned()))));
    }

    #[test]
    fn a_line_that_cannot_be_read_is_an_error_in_its_place() {
        assert_eq!(
            read(b"a\n\xff\nb"),
            [(1, Ok("a".to_owned())), (2, Err("this line is not UTF-8")), (3, Ok("b".to_owned()))]
        );
        assert_eq!(read(b"note \\"), [(1, Ok("note \n".to_owned()))]);
        assert_eq!(read(b""), []);
    }

    #[test]
    fn pasted_text_is_lines_as_from_a_file_and_what_is_not_finished_stays() {
        let cases: [(&str, &[&str], &str); 8] = [
            ("note x\nstep\n", &["note x", "step"], ""),
            ("note x\r\nstep\rrun\r", &["note x", "step", "run"], ""),
            ("# x\nstep", &["# x"], "step"),
            ("step", &[], "step"),
            ("", &[], ""),
            ("\n\nstep\n", &["", "", "step"], ""),
            ("note a\\\nb\nst", &["note a\nb"], "st"),
            ("step\nnote a\\\n", &["step"], "note a\\\n"),
        ];
        for (text, lines, rest) in cases {
            let (found, left) = pasted(text);
            let found: Vec<_> = found.iter().map(|line| line.text.as_deref().expect("text")).collect();
            assert_eq!((found.as_slice(), left.as_str()), (lines, rest), "{text:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_script_that_is_no_file_or_has_no_end_is_refused_in_about_a_second() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = |name: &str| dir.path().join(name);
        std::fs::write(path("s"), "step\nrun\n").expect("written");
        std::fs::File::create(path("large")).and_then(|file| file.set_len(MOST_BYTES + 1)).expect("a sparse file");
        let fifo = path("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
            .expect("a pipe");
        let read = |path: &Path| whole(path, &Interrupt::new()).map(|lines| lines.len()).map_err(|e| e.to_string());
        assert_eq!(read(&path("s")), Ok(2));
        // A writer that writes nothing and never closes.
        let _writer = std::fs::OpenOptions::new().read(true).write(true).open(&fifo).expect("opened");
        let start = Instant::now();
        for (path, message) in [
            (dir.path(), "it is a folder"),
            (&path("large"), "it has 16777217 bytes"),
            (Path::new("/dev/zero"), "device"),
            (&fifo, "its end did not come within a second"),
        ] {
            let error = read(path).expect_err(message);
            assert!(error.contains(message), "{error}");
        }
        assert!(start.elapsed() < PATIENCE * 5);
    }

    #[test]
    fn what_is_typed_at_a_prompt_follows_the_same_rule() {
        assert!(goes_on("note a\\") && goes_on("note a\\\nb\\") && !goes_on("note a\\\nb") && !goes_on("# a\\"));
        assert_eq!(joined("note a\\\nb"), "note a\nb");
        assert_eq!(joined("note a\nb"), "note a\nb");
    }
}
