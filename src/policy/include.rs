//! Resolves include paths, and loads a policy with everything it includes.
//!
//! Must not read files itself, and must not let a path leave the folder of the policy file.
//!
//! Path rules: a path is relative to the file that includes it and is written with `/`. It may use `..`, but never to
//! leave the folder of the policy file: a policy fetched from elsewhere must not be able to name any other file of the
//! machine and so quote it in a prompt or a session. Whether a link inside that folder points outside is checked by
//! whoever reads the files.

use super::codes::Code;
use super::diagnostics::{Fault, Sink};
use super::draft::{Draft, Text};
use super::fields::{Cx, short};
use super::source::{At, SourceFile};
use super::{limits, read, syntax};
use std::collections::HashMap;

/// Reads one file for the parser: takes a path, returns the text or says in words why not.
pub type ReadFile<'a> = dyn FnMut(&str) -> Result<String, String> + 'a;

/// One use of a file: the policy itself, or an include of it.
#[derive(Debug)]
pub(super) struct Instance {
    /// Prefix of every id: empty, `NAME/`, `OUTER/INNER/` …
    pub prefix: String,
    /// Which draft.
    pub draft: usize,
    /// The instance that includes it, and which of its includes it is.
    pub parent: Option<(usize, usize)>,
    depth: usize,
}

/// All files and uses of them.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    pub files: Vec<SourceFile>,
    /// Path of each file relative to the policy's folder; empty for the policy itself.
    pub relative: Vec<String>,
    /// One per file.
    pub drafts: Vec<Draft>,
    /// The policy first, then its includes in file order, each followed by its own.
    pub instances: Vec<Instance>,
}

/// Reads the policy at `path` and what it includes.
pub(super) fn load(path: &str, text: &str, read_file: &mut ReadFile<'_>, sink: &mut Sink) -> Loaded {
    let folder = path.rfind(std::path::is_separator).and_then(|i| path.get(..=i)).unwrap_or_default().to_owned();
    let mut loaded = Loaded::default();
    loaded.add_file(path.to_owned(), String::new(), text.to_owned(), sink);
    let mut by_path: HashMap<String, usize> = HashMap::new();
    // A stack with the last include at the bottom keeps the order of the files without recursion.
    let mut waiting = vec![Instance { prefix: String::new(), draft: 0, parent: None, depth: 0 }];
    while let Some(instance) = waiting.pop() {
        let index = loaded.instances.len();
        let (draft, depth, prefix) = (instance.draft, instance.depth, instance.prefix.clone());
        loaded.instances.push(instance);
        let includes: Vec<(Text, Text)> = loaded.drafts.get(draft).map_or_else(Vec::new, |d| {
            d.includes.iter().map(|i| (i.name.clone(), i.path.clone().unwrap_or_else(|| i.name.clone()))).collect()
        });
        let mut found = Vec::new();
        for (number, (name, path)) in includes.into_iter().enumerate() {
            if loaded.drafts[draft].includes[number].path.is_none() {
                sink.damaged = true;
                continue;
            }
            if loaded.instances.len() + waiting.len() + found.len() > limits::INCLUDES {
                let message = format!("more than {} policies are included", limits::INCLUDES);
                sink.push(Fault::new(Code::TooLarge, path.at, message).hint("join small policies in one file"));
                sink.damaged = true;
                break;
            }
            let Some(child) = loaded.include(&folder, index, &path, depth, &mut by_path, read_file, sink) else {
                sink.damaged = true;
                continue;
            };
            let prefix = format!("{prefix}{}/", name.text);
            found.push(Instance { prefix, draft: child, parent: Some((index, number)), depth: depth + 1 });
        }
        waiting.extend(found.into_iter().rev());
    }
    loaded
}

impl Loaded {
    fn add_file(&mut self, path: String, relative: String, text: String, sink: &mut Sink) -> usize {
        let file = self.files.len();
        let mut draft = Draft::default();
        if text.len() > limits::FILE_BYTES {
            let message =
                format!("the file has more than {} bytes, which is the most that is read", limits::FILE_BYTES);
            sink.push(Fault::new(Code::TooLarge, At::new(file, 0..0), message).hint("split it with [include.NAME]"));
            sink.damaged = true;
        } else {
            let document = syntax::document(file, &text, sink);
            draft = read::draft(&mut Cx { file, sink }, &document);
        }
        self.files.push(SourceFile { path: path.into(), text: text.into() });
        self.relative.push(relative);
        self.drafts.push(draft);
        file
    }

    /// Loads (or finds) the file that `written` names; the fault says why not.
    #[allow(clippy::too_many_arguments)]
    fn include(
        &mut self,
        folder: &str,
        parent: usize,
        written: &Text,
        depth: usize,
        by_path: &mut HashMap<String, usize>,
        read_file: &mut ReadFile<'_>,
        sink: &mut Sink,
    ) -> Option<usize> {
        let from = self.relative.get(self.instances.get(parent)?.draft)?.clone();
        let relative = match resolve(&from, &written.text) {
            Ok(relative) => relative,
            Err((why, hint)) => {
                let message = format!("cannot include `{}`: {why}", short(&written.text));
                sink.push(Fault::new(Code::IncludePath, written.at, message).hint(hint));
                return None;
            }
        };
        let path = format!("{folder}{relative}");
        let is_main = self.files.first().is_some_and(|f| f.path.raw() == path);
        let known = if is_main { Some(0) } else { by_path.get(&relative).copied() };
        let mut above = Some(parent);
        while let Some(instance) = above.and_then(|i| self.instances.get(i)) {
            if Some(instance.draft) == known {
                let message = format!("`{}` includes itself", short(&written.text));
                sink.push(Fault::new(Code::IncludeCycle, written.at, message).hint("remove this include"));
                return None;
            }
            above = instance.parent.map(|(i, _)| i);
        }
        if depth >= limits::INCLUDE_DEPTH {
            let message = format!("includes are nested more than {} deep", limits::INCLUDE_DEPTH);
            sink.push(Fault::new(Code::IncludeDepth, written.at, message).hint("include it from a file further up"));
            return None;
        }
        if let Some(known) = known {
            return Some(known);
        }
        match read_file(&path) {
            Ok(text) => {
                let index = self.add_file(path, relative.clone(), text, sink);
                by_path.insert(relative, index);
                Some(index)
            }
            Err(why) => {
                let message = format!("cannot read `{}`: {why}", short(&written.text));
                let hint = "the path is relative to this file; check its spelling and that the file can be read";
                sink.push(Fault::new(Code::IncludeUnreadable, written.at, message).hint(hint));
                None
            }
        }
    }
}

/// The path that `written` in the file `from` means; both relative to the policy's folder. Or why not, and what to do.
fn resolve(from: &str, written: &str) -> Result<String, (&'static str, &'static str)> {
    let relative = "write a path relative to this file, inside the policy's folder, with `/`";
    let drive = written.chars().nth(1) == Some(':');
    if written.starts_with('/') || drive {
        return Err(("the path is absolute", relative));
    }
    if written.contains('\\') || written.chars().any(char::is_control) {
        return Err(("the path has a backslash or a control character", relative));
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in written.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                if parts.pop().is_none() {
                    return Err(("the path leaves the policy's folder", "move the file into the policy's folder"));
                }
            }
            part => parts.push(part),
        }
    }
    if parts.is_empty() {
        return Err(("the path names a folder", relative));
    }
    Ok(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn include_paths_stay_inside_the_policys_folder() {
        let good = [
            ("", "a.toml", "a.toml"),
            ("", "./x/a.toml", "x/a.toml"),
            ("x/y.toml", "../a.toml", "a.toml"),
            ("x/y.toml", "z.toml", "x/z.toml"),
        ];
        for (from, written, path) in good {
            assert_eq!(resolve(from, written).as_deref(), Ok(path), "{from} {written}");
        }
        let bad = ["/etc/passwd", "../a.toml", "x/../../a.toml", "C:/a.toml", "x\\a.toml", "a\u{0}.toml", ".", "x/.."];
        for written in bad {
            assert!(resolve("", written).is_err(), "{written:?}");
        }
    }
}
