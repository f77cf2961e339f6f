//! No two files of the product import each other, directly or in a cycle, outside `llm/kernels`.
//!
//! Must read `use` lines only. Importing from the module that a file belongs to (`super`) is no cycle, because a module
//! and its parts are read together. Re-exports are followed to the file that defines a name.
#![allow(clippy::string_slice, reason = "every position comes from a search in the same text")]

use crate::{Source, product_sources, report};
use std::collections::{BTreeMap, BTreeSet};

/// The place of a module: `["session", "journal"]`.
type Module = Vec<String>;

struct File<'a> {
    source: &'a Source,
    /// Paths of its `use` lines.
    uses: Vec<Vec<String>>,
    /// Paths of its public re-exports.
    exports: Vec<Vec<String>>,
}

fn module(path: &str) -> Module {
    let path = path.trim_start_matches("src/").trim_end_matches(".rs");
    path.trim_end_matches("/mod").split('/').map(str::to_owned).collect()
}

/// The paths of one `use` tree, without what `as` renames it to.
fn paths(tree: &str) -> Vec<Vec<String>> {
    let (mut depth, mut start, mut parts) = (0_usize, 0, Vec::new());
    for (at, letter) in tree.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&tree[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&tree[start..]);
    let segments = |text: &str| text.split("::").map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned).collect();
    let mut found = Vec::new();
    for part in parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty()) {
        match part.split_once('{') {
            None => found.push(segments(part.split(" as ").next().unwrap_or(part))),
            Some((before, inner)) => {
                let before: Vec<String> = segments(before);
                let inner = inner.rsplit_once('}').map_or(inner, |(inner, _)| inner);
                found.extend(paths(inner).into_iter().map(|rest| [before.clone(), rest].concat()));
            }
        }
    }
    found
}

fn uses(text: &str, keyword: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(keyword) {
        let line_start = rest[..at].rfind('\n').map_or(0, |n| n + 1);
        let tree = &rest[at + keyword.len()..];
        let end = tree.find(';').unwrap_or(tree.len());
        if rest[line_start..at].trim().is_empty() {
            found.extend(paths(&tree[..end]));
        }
        rest = &tree[end..];
    }
    found
}

/// The file of a path, as far as it exists; re-exports are followed.
fn file_of(files: &BTreeMap<Module, File>, from: &Module, path: &[String]) -> Option<Module> {
    let mut full: Module = match path.first().map(String::as_str) {
        Some("crate") => path[1..].to_vec(),
        Some("super" | "self") => {
            let up = path.iter().take_while(|s| *s == "super").count();
            let rest: Vec<String> = path[up..].iter().filter(|s| *s != "self").cloned().collect();
            [&from[..from.len() - up.min(from.len())], &rest].concat()
        }
        _ => [&from[..], path].concat(),
    };
    full.retain(|s| s != "self");
    let own = path.first().is_some_and(|s| ["crate", "super", "self"].contains(&s.as_str()));
    if !own && !files.contains_key(full.get(..=from.len())?) {
        return None;
    }
    for _ in 0..8 {
        let length = (1..=full.len()).rev().find(|n| files.contains_key(&full[..*n]))?;
        let place: Module = full[..length].to_vec();
        let Some(name) = full.get(length) else { return Some(place) };
        let export = files[&place].exports.iter().find(|e| e.last() == Some(name) && e[0] != "crate");
        let Some(export) = export else { return Some(place) };
        full = [&place[..], &export.iter().filter(|s| *s != "self").cloned().collect::<Vec<_>>()].concat();
    }
    None
}

/// Everything that can be reached from `start`.
fn reached<'a>(edges: &'a BTreeMap<Module, BTreeSet<Module>>, start: &'a Module) -> BTreeSet<&'a Module> {
    let (mut seen, mut todo) = (BTreeSet::new(), vec![start]);
    while let Some(module) = todo.pop() {
        for next in edges.get(module).into_iter().flatten() {
            if seen.insert(next) {
                todo.push(next);
            }
        }
    }
    seen
}

#[test]
fn files_do_not_import_each_other_in_circles() {
    let sources = product_sources();
    let files: BTreeMap<Module, File> = sources
        .iter()
        .filter(|s| s.path != "src/lib.rs" && s.path != "src/main.rs")
        .map(|source| {
            let text = source.product();
            let exports =
                ["pub use ", "pub(crate) use ", "pub(super) use "].iter().flat_map(|k| uses(text, k)).collect();
            (module(&source.path), File { source, uses: uses(text, "use "), exports })
        })
        .collect();
    assert!(
        files.values().any(|f| !f.exports.is_empty()) && files.values().filter(|f| !f.uses.is_empty()).count() > 100
    );
    let edges: BTreeMap<Module, BTreeSet<Module>> = files
        .iter()
        .map(|(module, file)| {
            let targets = file.uses.iter().filter_map(|path| file_of(&files, module, path));
            (module.clone(), targets.filter(|target| !module.starts_with(target)).collect())
        })
        .collect();
    let broken: Vec<String> = edges
        .keys()
        .filter(|module| !module.starts_with(&["llm".to_owned(), "kernels".to_owned()]))
        .filter(|module| reached(&edges, module).contains(module))
        .map(|module| {
            let back = edges[module].iter().filter(|t| reached(&edges, t).contains(module));
            format!("{} -> {}", files[module].source.path, back.map(|t| t.join("/")).collect::<Vec<_>>().join(", "))
        })
        .collect();
    report("files do not import each other in circles", &broken);
}
