//! `LocalSource`: turns the name an analyst types (a manifest's name or the path of a GGUF file) into a judge.
//!
//! Must not read weights itself: it finds the file, has it fetched and checked, and hands it to the loader.

use super::hub::{self, Options};
use super::manifest::{Manifest, is_part};
use super::{Judge, JudgeError, JudgeSource, Progress, local};
use crate::domain::{Cancel, Complaint, path_text};
use std::path::{Path, PathBuf};

/// Opens a GGUF file as a judge that calls itself by the given name.
pub type Load = dyn FnMut(&Path, &str, &mut dyn FnMut(Progress), &Cancel) -> Result<Box<dyn Judge>, JudgeError> + Send;

/// Opens local models.
pub struct LocalSource {
    options: Options,
    load: Box<Load>,
}

/// What a name resolves to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// A model of ours, which may have to be fetched.
    Manifest(Box<Manifest>),
    /// A file that is there.
    File(PathBuf),
}

impl LocalSource {
    /// A source that fetches as `options` say and opens files with `load`.
    pub fn new(options: Options, load: Box<Load>) -> Self {
        Self { options, load }
    }

    /// A source of models that run here: GGUF files, opened as `local` says under the name they were asked for.
    pub fn gguf(options: Options, local: local::Options) -> Self {
        let load = move |path: &Path, name: &str, progress: &mut dyn FnMut(Progress), cancel: &Cancel| {
            let options = local::Options { name: Some(name.to_owned()), ..local.clone() };
            Ok(Box::new(local::open_gguf(path, &options, progress, cancel)?) as Box<dyn Judge>)
        };
        Self::new(options, Box::new(load))
    }
}

/// Resolves `name`: a manifest, else a file at that path, else a file of that name in the models folder.
pub fn resolve(name: &str, models_dir: &Path) -> Result<Resolved, JudgeError> {
    if let Some(manifest) = Manifest::find(name) {
        return Ok(Resolved::Manifest(Box::new(manifest)));
    }
    let there = [path_text::path(name), models_dir.join(path_text::path(name))].into_iter().find(|path| path.is_file());
    if let Some(path) = there {
        return Ok(Resolved::File(path));
    }
    let known: Vec<String> = Manifest::all().into_iter().map(|m| m.name).collect();
    let message = if name.contains(['/', '\\']) || name.ends_with(".gguf") {
        format!("there is no file {name}")
    } else {
        format!("there is no model called {name}")
    };
    let hint = match is_part(name) {
        true => "crossexam does not fetch split models: download all parts into one folder, under the names they were \
                 published with, and give the path of any of them"
            .to_owned(),
        false => format!("give the path of a GGUF file, or one of {}", known.join(", ")),
    };
    Err(Complaint::new(message).hinted(hint).into())
}

impl JudgeSource for LocalSource {
    fn open(
        &mut self,
        name: &str,
        progress: &mut dyn FnMut(Progress),
        cancel: &Cancel,
    ) -> Result<Box<dyn Judge>, JudgeError> {
        let path = match resolve(name, &self.options.models_dir)? {
            Resolved::Manifest(manifest) => hub::fetch(&manifest, &self.options, progress, cancel)?.path,
            Resolved::File(path) => path,
        };
        (self.load)(&path, name, progress, cancel).map_err(|error| error.in_file(&path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::scripted::Scripted;
    use std::sync::{Arc, Mutex};

    #[test]
    fn a_name_is_a_manifest_a_path_or_a_file_of_the_models_folder_and_else_an_error_with_the_choices() {
        let dir = tempfile::tempdir().expect("a folder for the test");
        let file = dir.path().join("own.gguf");
        std::fs::write(&file, b"x").expect("writable");
        let full = file.display().to_string();
        assert!(matches!(resolve("smollm2-135m", dir.path()), Ok(Resolved::Manifest(m)) if m.name == "smollm2-135m"));
        for name in [full.as_str(), "own.gguf"] {
            assert_eq!(resolve(name, dir.path()).expect(name), Resolved::File(file.clone()));
        }
        for (name, expected, way) in [
            ("smol", "no model called smol", "qwen3-4b"),
            ("x/y.gguf", "no file x/y.gguf", "qwen3-4b"),
            ("x-00001-of-0003.gguf", "no file x-0", "qwen3-4b"),
            ("a/x-00001-of-00003.gguf", "no file a/x-00001-of-00003.gguf", "does not fetch split models: download all"),
        ] {
            let Err(JudgeError::Unusable(Complaint { message, hint })) = resolve(name, dir.path()) else {
                panic!("{name}")
            };
            assert!(message.raw().contains(expected) && hint.is_some_and(|h| h.contains(way)), "{name}");
        }
    }

    #[test]
    fn a_file_that_is_no_model_is_an_error_with_its_path_and_no_crash() {
        let dir = tempfile::tempdir().expect("a folder for the test");
        let file = dir.path().join("own.gguf");
        std::fs::write(&file, b"no model").expect("writable");
        let mut source = LocalSource::gguf(Options::new(dir.path()), local::Options::default());
        let opened = source.open(&file.display().to_string(), &mut |_| {}, &Cancel::new());
        assert!(matches!(opened, Err(JudgeError::Unusable(_))));
    }

    #[test]
    fn open_hands_the_right_file_to_the_loader_and_offline_says_what_to_do() {
        let dir = tempfile::tempdir().expect("a folder for the test");
        std::fs::write(dir.path().join("own.gguf"), b"x").expect("writable");
        let opened = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&opened);
        let options = Options { offline: true, ..Options::new(dir.path()) };
        let mut source = LocalSource::new(
            options,
            Box::new(move |path, name, _, _| {
                seen.lock().expect("no panic while held").push((path.to_owned(), name.to_owned()));
                Ok(Box::new(Scripted::constant(0.5)))
            }),
        );
        assert!(source.open("own.gguf", &mut |_| {}, &Cancel::new()).is_ok());
        source.load = Box::new(|_, _, _, _| Err(Complaint::new("`mamba` is not supported").into()));
        let refused = source.open("own.gguf", &mut |_| {}, &Cancel::new());
        let Err(JudgeError::Unusable(Complaint { message, .. })) = refused else { panic!("the loader refused it") };
        assert!(message.raw().contains("own.gguf: `mamba` is"), "the file is named: {message:?}");
        assert_eq!(*opened.lock().expect("no panic"), [(dir.path().join("own.gguf"), "own.gguf".to_owned())]);
        let missing = source.open("smollm2-135m", &mut |_| {}, &Cancel::new());
        let Err(JudgeError::Unusable(Complaint { message, hint })) = missing else { panic!("not there and offline") };
        assert!(message.raw().contains("offline") && hint.is_some_and(|h| h.contains("put it at")));
    }
}
