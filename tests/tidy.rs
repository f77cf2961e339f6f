//! House rules that the compiler does not check: which module may import which, file heads, file sizes, forbidden
//! words.
//!
//! Must read the source as text only; each rule is one test, named after the rule.

#[path = "tidy/circles.rs"]
mod circles;

use std::path::{Path, PathBuf};

/// Which of our modules a module may import; a module may always import itself. The floors of ARCHITECTURE.md, from the
/// top.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("main", &["cli", "frontend"]),
    ("fuzz", &["frontend", "engine", "report", "session", "policy", "command", "judge", "llm", "text", "domain"]),
    (
        "frontend",
        &[
            "cli", "engine", "change", "command", "record", "report", "session", "policy", "stats", "judge", "llm",
            "text", "domain",
        ],
    ),
    ("engine", &["change", "command", "policy", "record", "session", "judge", "classify", "stats", "domain", "text"]),
    ("report", &["change", "record", "session", "policy", "command", "stats", "text", "domain"]),
    ("change", &["policy", "record", "stats", "domain", "text"]),
    ("record", &["session", "stats", "domain", "text"]),
    ("cli", &["policy", "domain", "text"]),
    ("judge", &["llm", "domain", "text"]),
    ("classify", &["llm", "domain", "text"]),
    ("llm", &["domain", "text"]),
    ("policy", &["domain", "text"]),
    ("session", &["policy", "stats", "domain", "text"]),
    ("stats", &["domain"]),
    ("command", &["domain", "text"]),
    ("domain", &["text"]),
    ("text", &[]),
    ("lib", &[]),
];

/// Crates that only some folders may use: (crate, folders).
const WALLS: &[(&str, &[&str])] = &[
    ("ratatui", &["src/frontend/tui"]),
    ("crossterm", &["src/frontend/tui"]),
    ("tui_input", &["src/frontend/tui"]),
    ("rustyline", &["src/frontend/repl", "src/frontend/history"]),
    ("nix", &["src/frontend/interrupt"]),
    ("rustix", &["src/frontend/repl", "src/frontend/interrupt", "src/domain/guarded", "src/frontend/launch/streams"]),
    ("candle_core", &["src/llm", "src/classify"]),
    ("tokenizers", &["src/llm", "src/classify"]),
    ("hf_hub", &["src/judge/hub"]),
    ("clap", &["src/cli", "src/main.rs"]),
];

/// Words that only some places may say: (word, places that may, why).
const RESERVED: &[(&str, &[&str], &str)] = &[
    (
        "std::env::",
        &["src/cli", "src/main.rs", "src/domain/program.rs"],
        "the core does not read the environment (`program` takes lists of paths apart)",
    ),
    ("Command::new(", &["src/domain/program.rs"], "other programs are started by domain::Programs only"),
    ("SystemTime::now", &[], "the one clock is engine::host"),
    ("Timestamp::now", &["src/engine/host.rs"], "the one clock is engine::host"),
    ("process::exit", &[], "return an ExitCode"),
    ("println!", &[], "write to the stream you were given"),
    ("eprintln!", &[], "write to the stream you were given"),
    ("todo!(", &[], "nothing half done"),
    ("unimplemented!(", &[], "nothing half done"),
    ("dbg!(", &[], "left over"),
];

/// Where serde derives are allowed: wire and file types. Facts, and the values they hold, serialise themselves.
const SERDE_FILES: &[&str] = &[
    "src/domain/complaint.rs",
    "src/domain/examination.rs",
    "src/domain/judgement.rs",
    "src/domain/outcome.rs",
    "src/domain/place.rs",
    "src/domain/probability.rs",
    "src/domain/prompt.rs",
    "src/domain/sample.rs",
    "src/domain/wire.rs",
    "src/session/fact.rs",
    "src/stats/agreement.rs",
    "src/text/untrusted.rs",
    "src/policy/file",
    "src/domain/sample_file",
    "src/judge/manifest",
    "src/judge/hub",
    "src/record",
    "src/frontend/models",
    "src/frontend/lint",
    "src/report/json",
];

/// Where `unsafe` is allowed: the kernels, and the one attribute that detects a closed standard stream.
const UNSAFE_FILES: &[&str] = &["src/llm/kernels", "src/frontend/launch/streams.rs"];

/// Front ends, which may not import each other.
const FRONT_ENDS: &[&str] = &["batch", "repl", "tui", "check", "lint", "replay"];

const LARGE: usize = 400;
const LIMIT: usize = 700;
/// The command table is one repeated declaration and may be long.
const SIZE_EXEMPT: &[&str] = &["src/command/spec.rs"];

pub(crate) struct Source {
    /// Path from the repository root, with `/`.
    pub(crate) path: String,
    text: String,
}

impl Source {
    /// The text before the tests at the end of the file.
    pub(crate) fn product(&self) -> &str {
        self.text.split("#[cfg(test)]\nmod ").next().unwrap_or_default()
    }

    /// Lines of code outside tests, numbered from 1, comments left out.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.product().lines().enumerate().map(|(n, line)| (n + 1, line));
        lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    fn is_test_file(&self) -> bool {
        self.path.contains("/tests/") || self.path.ends_with("tests.rs") || self.text.contains("\n#![cfg(test)]")
    }

    fn within(&self, places: &[&str]) -> bool {
        places.iter().any(|place| self.path.starts_with(place))
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root.join("src"), root.join("tests"), root.join("benches")];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let name = path.strip_prefix(root).expect("found below the root").to_string_lossy().replace('\\', "/");
                found.push(Source { path: name, text: std::fs::read_to_string(&path).expect("readable source") });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(found.iter().any(|s| s.path == "src/lib.rs"), "the sources were found");
    found
}

pub(crate) fn product_sources() -> Vec<Source> {
    sources().into_iter().filter(|s| s.path.starts_with("src/") && !s.is_test_file()).collect()
}

fn module_of(path: &str) -> &str {
    let rest = path.strip_prefix("src/").unwrap_or(path);
    rest.split('/').next().unwrap_or(rest).trim_end_matches(".rs")
}

pub(crate) fn report(rule: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{rule}:\n  {}", broken.join("\n  "));
}

/// Names of our modules that a line of code mentions through `crate::` or `crossexam::`.
fn mentioned(line: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for root in ["crate::", "crossexam::"] {
        for (at, _) in line.match_indices(root) {
            let rest = line.get(at + root.len()..).unwrap_or_default();
            let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
            names.push(rest.get(..end).unwrap_or_default());
        }
    }
    names.retain(|n| !n.is_empty());
    names
}

#[test]
fn imports_go_downwards_only() {
    let mut broken = Vec::new();
    for source in &product_sources() {
        let module = module_of(&source.path);
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(m, _)| *m == module) else {
            broken.push(format!("{}: module `{module}` is in no floor of the table", source.path));
            continue;
        };
        for (number, line) in source.code() {
            for name in mentioned(line) {
                if name != module && !allowed.contains(&name) {
                    broken.push(format!("{}:{number}: `{module}` may not import `{name}`", source.path));
                }
            }
        }
    }
    report("imports go downwards only", &broken);
}

#[test]
fn front_ends_do_not_import_each_other() {
    let mut broken = Vec::new();
    for source in product_sources().iter().filter(|s| s.path.starts_with("src/frontend/")) {
        let own = source.path.trim_start_matches("src/frontend/").split('/').next().unwrap_or_default();
        let own = own.trim_end_matches(".rs");
        if !FRONT_ENDS.contains(&own) {
            continue;
        }
        for (number, line) in source.code() {
            for other in FRONT_ENDS.iter().filter(|o| **o != own) {
                if line.contains(&format!("frontend::{other}::")) || line.contains(&format!("super::{other}::")) {
                    broken.push(format!("{}:{number}: `{own}` imports `{other}`", source.path));
                }
            }
        }
    }
    report("front ends do not import each other", &broken);
}

#[test]
fn crates_stay_behind_their_walls() {
    let mut broken = Vec::new();
    for source in sources().iter().filter(|s| s.path.starts_with("src/")) {
        for (name, places) in WALLS.iter().filter(|(_, places)| !source.within(places)) {
            for (number, line) in source.code() {
                let used = line.match_indices(&format!("{name}::")).any(|(at, _)| {
                    let before = line.get(..at).and_then(|b| b.chars().next_back());
                    before.is_none_or(|c| !(c.is_alphanumeric() || c == '_' || c == ':'))
                });
                if used {
                    broken.push(format!("{}:{number}: `{name}` belongs to {}", source.path, places.join(", ")));
                }
            }
        }
    }
    report("crates stay behind their walls", &broken);
}

#[test]
fn reserved_words_stay_where_they_belong() {
    let mut broken = Vec::new();
    for source in &product_sources() {
        for (number, line) in source.code() {
            for (word, places, why) in RESERVED {
                if line.contains(word) && !source.within(places) {
                    broken.push(format!("{}:{number}: `{word}`: {why}", source.path));
                }
            }
        }
    }
    report("reserved words stay where they belong", &broken);
}

#[test]
fn tests_are_never_switched_off() {
    let mut broken = Vec::new();
    for source in &sources() {
        for (number, line) in source.text.lines().enumerate() {
            if line.trim_start().starts_with("#[ignore") || line.trim_start().starts_with("#[should_panic") {
                broken.push(format!("{}:{}: {}", source.path, number + 1, line.trim()));
            }
        }
    }
    report("tests are never switched off", &broken);
}

#[test]
fn unwrap_panic_and_unsafe_stand_in_tests_only() {
    let mut broken = Vec::new();
    for source in &product_sources() {
        for (number, line) in source.code() {
            for word in [".unwrap()", "panic!(", "unreachable!(", "unsafe {", "unsafe fn", "unsafe impl", "unsafe("] {
                let allowed = word.starts_with("unsafe") && source.within(UNSAFE_FILES);
                if line.contains(word) && !allowed {
                    broken.push(format!("{}:{number}: `{word}`", source.path));
                }
            }
        }
    }
    report("unwrap, panic and unsafe stand in tests only", &broken);
}

#[test]
fn serde_derives_stand_in_wire_and_file_types_only() {
    let mut broken = Vec::new();
    for source in product_sources().iter().filter(|s| !s.within(SERDE_FILES)) {
        for (number, line) in source.code() {
            if line.contains("derive(") && (line.contains("Serialize") || line.contains("Deserialize")) {
                broken.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    report("serde derives stand in wire and file types only", &broken);
}

#[test]
fn every_file_says_what_it_is_and_must_not_do() {
    let mut broken = Vec::new();
    for source in &sources() {
        let header: Vec<_> = source.text.lines().take_while(|l| l.starts_with("//!")).collect();
        if header.is_empty() {
            broken.push(format!("{}: has no `//!` header", source.path));
        } else if source.path.starts_with("src/") && !source.is_test_file() {
            let text = header.join(" ").to_lowercase();
            if !["must", "never", "only", "not "].iter().any(|w| text.contains(w)) {
                broken.push(format!("{}: its header does not say what it must not do", source.path));
            }
        }
    }
    report("every file says what it is and must not do", &broken);
}

#[test]
fn files_stay_small() {
    let mut broken = Vec::new();
    for source in product_sources().iter().filter(|s| !SIZE_EXEMPT.contains(&s.path.as_str())) {
        let lines = source.product().lines().count();
        if lines > LIMIT {
            broken.push(format!("{}: {lines} lines, the limit is {LIMIT} ({LARGE} is large)", source.path));
        }
    }
    report("files stay small", &broken);
}

#[test]
fn lines_have_no_trailing_space_and_no_notes_to_self() {
    let mut broken = Vec::new();
    for source in sources().iter().filter(|s| s.path != "tests/program/tidy.rs") {
        for (number, line) in source.text.lines().enumerate() {
            let note = ["TODO", "FIXME", "XXX", "HACK"].iter().any(|w| line.contains(&format!("// {w}")));
            if line.ends_with(' ') || note {
                broken.push(format!("{}:{}: {}", source.path, number + 1, line.trim_start()));
            }
        }
    }
    report("no trailing space, no notes to self", &broken);
}

#[test]
fn the_lock_file_holds_one_of_each_terminal_library() {
    let lock = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock")).expect("a lock file");
    for name in ["crossterm", "ratatui-core", "ratatui", "rustyline", "candle-core", "tokenizers"] {
        let copies = lock.matches(&format!("name = \"{name}\"\n")).count();
        assert_eq!(copies, 1, "{copies} copies of {name}");
    }
    assert!(!lock.contains("source = \"git+"), "no git dependencies");
}

#[test]
fn documents_exist_and_name_no_path_of_a_machine() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "COMMANDS.md"] {
        let text = std::fs::read_to_string(root.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        for folder in ["root", "home"] {
            assert!(!text.contains(&format!("/{folder}/")), "{name} names a path of a machine");
        }
    }
}

/// Most columns of a comment or of a line of prose.
const COLUMNS: usize = 120;
/// Pages that the program writes.
const GENERATED: &[&str] = &["COMMANDS.md", "docs/words.md", "docs/expressions.md"];

#[test]
fn comments_and_prose_stay_within_120_columns() {
    let mut broken = Vec::new();
    for source in &sources() {
        for (number, line) in source.text.lines().enumerate() {
            if line.trim_start().starts_with("//") && line.chars().count() > COLUMNS {
                broken.push(format!("{}:{}", source.path, number + 1));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["", "docs"] {
        for entry in std::fs::read_dir(root.join(folder)).expect("a folder").flatten() {
            let path = entry.path();
            let name = path.strip_prefix(root).expect("below the root").to_string_lossy().replace('\\', "/");
            if !name.ends_with(".md") || GENERATED.contains(&name.as_str()) {
                continue;
            }
            let mut code = false;
            for (number, line) in std::fs::read_to_string(&path).expect("a page").lines().enumerate() {
                code ^= line.trim_start().starts_with("```");
                // A table's row, an image and a line with an address cannot be broken.
                let whole = ["|", "!["].iter().any(|mark| line.trim_start().starts_with(mark)) || line.contains("://");
                if !code && !whole && line.chars().count() > COLUMNS {
                    broken.push(format!("{name}:{}", number + 1));
                }
            }
        }
    }
    report("comments and prose stay within 120 columns", &broken);
}
