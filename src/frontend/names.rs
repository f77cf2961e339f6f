//! The names of a session, for completion at the prompts of the REPL and the full-screen front end.
//!
//! Must not ask the engine, and must read folders only for arguments that are paths.

use crate::command::{Names, Wanted};
use crate::domain::Name;
use crate::policy::Policy;
use crate::session::SessionState;
use crate::session::expr;

/// Most entries of a folder that are offered; a longer list helps nobody.
const MOST_PATHS: usize = 200;

/// What completion can know: the state, the policy and the names of models.
#[derive(Clone, Copy)]
pub struct SessionNames<'a> {
    /// What the facts add up to.
    pub state: &'a SessionState,
    /// The loaded policy.
    pub policy: Option<&'a Policy>,
    /// Names of models that can be loaded.
    pub models: &'a [String],
    /// Files and folders whose path begins so: [`paths`], or nothing.
    pub paths: fn(&str) -> Vec<(String, String)>,
}

impl Names for SessionNames<'_> {
    fn names(&self, wanted: Wanted<'_>) -> Vec<(String, String)> {
        let bare = |name: &Name| (name.to_string(), String::new());
        let nodes = || self.policy.iter().flat_map(|p| &p.nodes);
        match wanted {
            Wanted::Nodes => nodes().map(|n| (n.id.to_string(), n.question.raw().to_owned())).collect(),
            Wanted::Leaves => self
                .policy
                .iter()
                .flat_map(|p| &p.leaves)
                .map(|l| {
                    let label = l.verdict.label.as_ref().map_or(String::new(), |label| format!(" {label}"));
                    (l.id.to_string(), format!("{}{label}", l.verdict.outcome))
                })
                .collect(),
            Wanted::Answers(node) => nodes()
                .filter(|n| n.id == *node)
                .flat_map(|n| &n.answers)
                .map(|(answer, target)| (answer.to_string(), format!("→ {}", target.id())))
                .collect(),
            Wanted::Samples => unique(self.state.walks.iter().map(|w| (w.sample.id.raw().to_owned(), String::new()))),
            Wanted::Breakpoints => {
                let line = |b: &crate::session::Breakpoint| {
                    let condition = b.condition.as_ref().map_or(String::new(), |c| format!(" if {c}"));
                    (b.id.to_string(), format!("{}{condition}", place(&b.at)))
                };
                self.state.breakpoints.iter().map(line).collect()
            }
            Wanted::Displays => self.state.displays.iter().map(|(id, expr)| (id.to_string(), expr.clone())).collect(),
            Wanted::Scores => self
                .state
                .walk_now()
                .map(|w| w.sample.scores.iter().map(|(n, _)| bare(n)).collect())
                .unwrap_or_default(),
            Wanted::Models => self.models.iter().map(|m| (m.clone(), String::new())).collect(),
            Wanted::Tags => unique(self.state.tags.iter().map(|(_, tag)| bare(tag))),
            Wanted::Variables => self.variables(),
            Wanted::Paths(prefix) => (self.paths)(prefix),
        }
    }
}

impl SessionNames<'_> {
    /// The names of expressions, and of the parts that are known: answers after `p.`, scores after `scores.`.
    fn variables(&self) -> Vec<(String, String)> {
        let plain = expr::NAMES.iter().map(|n| (*n).to_owned());
        let answers = self.policy.iter().flat_map(|p| &p.nodes).flat_map(|n| &n.answers).map(|(a, _)| format!("p.{a}"));
        let scores =
            self.state.walk_now().into_iter().flat_map(|w| &w.sample.scores).map(|(n, _)| format!("scores.{n}"));
        unique(plain.chain(answers).chain(scores).map(|name| (name, String::new())))
    }
}

fn place(at: &crate::domain::BreakAt) -> String {
    match at {
        crate::domain::BreakAt::Place(place) => place.to_string(),
        crate::domain::BreakAt::Answer(node, answer) => format!("{node}={answer}"),
        crate::domain::BreakAt::Anywhere => "*".to_owned(),
    }
}

fn unique(names: impl Iterator<Item = (String, String)>) -> Vec<(String, String)> {
    let mut seen = std::collections::HashSet::new();
    names.filter(|(name, _)| seen.insert(name.clone())).collect()
}

/// Files and folders whose path begins with `prefix`, folders with a `/` at the end. Hidden ones only where asked for.
pub fn paths(prefix: &str) -> Vec<(String, String)> {
    let (folder, part) = prefix.rfind('/').map_or(("", prefix), |at| prefix.split_at(at + 1));
    let Ok(entries) = std::fs::read_dir(if folder.is_empty() { "." } else { folder }) else { return Vec::new() };
    let mut found: Vec<(String, String)> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path().is_dir())))
        .filter(|(name, _)| name.starts_with(part) && (part.starts_with('.') || !name.starts_with('.')))
        .take(MOST_PATHS)
        .map(|(name, is_folder)| (format!("{folder}{name}{}", if is_folder { "/" } else { "" }), String::new()))
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_offered_with_their_folder_and_hidden_ones_only_on_demand() {
        let dir = tempfile::tempdir().expect("a folder");
        for name in ["a.toml", "ab.toml", ".hidden"] {
            std::fs::write(dir.path().join(name), "").expect("a file");
        }
        std::fs::create_dir(dir.path().join("more")).expect("a folder");
        let root = dir.path().to_str().expect("a path of plain text");
        let found = |part: &str| -> Vec<String> {
            let names = paths(&format!("{root}/{part}")).into_iter().map(|(path, _)| path);
            names.filter_map(|p| p.strip_prefix(&format!("{root}/")).map(str::to_owned)).collect()
        };
        assert_eq!(found(""), ["a.toml", "ab.toml", "more/"]);
        assert_eq!(found("ab"), ["ab.toml"]);
        assert_eq!(found(".h"), [".hidden"]);
        assert_eq!(paths("/no/such/folder/x"), []);
    }
}
