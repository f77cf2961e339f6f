//! The names in a session, for completion at both prompts.
//!
//! Must not ask the engine: names come from the state that the front end holds. It reads file names only, to complete a
//! path.

use crate::command::arg::Seen;
use crate::command::complete::{Names, Wanted};
use crate::command::{CommandSpec, Need};
use crate::domain::{Name, Sample, path_text};
use crate::engine::SampleIds;
use crate::policy::Policy;
use crate::session::SessionState;
use crate::session::expr::{Moment, Vocabulary};
use crate::text::Untrusted;
use std::collections::HashSet;
use std::path::{MAIN_SEPARATOR, Path, PathBuf};
use std::sync::Arc;

/// Most file names offered; a folder with more is not helped by a longer list.
const MOST_PATHS: usize = 200;

/// Most ids of samples offered.
const MOST_SAMPLES: usize = 200;

/// Names, each with a few words on it.
type Listed = Vec<(String, String)>;

/// The names of a session at one moment.
#[derive(Clone, Debug, Default)]
pub struct SessionNames {
    nodes: Vec<(String, String, Listed)>,
    leaves: Listed,
    /// Those that were selected.
    samples: Listed,
    /// All that are loaded, in file order; a recording has none.
    loaded: Arc<[Untrusted]>,
    breakpoints: Listed,
    displays: Listed,
    walks: Listed,
    scores: Listed,
    tags: Listed,
    models: Listed,
    /// What the names in expressions come from; most lines need none, so they are listed when one does.
    policy: Option<Arc<Policy>>,
    sample: Option<Arc<Sample>>,
    thresholds: Vec<(Name, f64)>,
    recorded: bool,
    /// What `~` stands for in a path.
    home: Option<PathBuf>,
}

impl SessionNames {
    /// The names in this state; `models` are those that can be loaded by name, each with a few words on it.
    pub fn of(state: &SessionState, policy: Option<Arc<Policy>>, models: &[(String, String)]) -> Self {
        let mut names = Self { models: models.to_vec(), ..Self::default() };
        if let Some(policy) = &policy {
            names.of_policy(policy);
        }
        let mut selected: Vec<_> = state.walks.iter().map(|walk| (walk.number(), walk.sample.id.raw())).collect();
        selected.sort_by_key(|(number, _)| *number);
        for (number, id) in selected {
            // An id that reads as a number would select another sample: those are offered in quotes by the completion.
            push(&mut names.samples, id, numbered(number));
        }
        for walk in state.walks.iter().rev() {
            let end = walk.leaf.as_ref().map_or_else(String::new, |leaf| format!(", {}", leaf.id));
            push(&mut names.walks, &walk.id.0.to_string(), format!("sample {}{end}", walk.number()));
        }
        let sample = state.walk_now().map(|w| &w.sample);
        for (name, value) in sample.into_iter().flat_map(|s| &s.scores) {
            push(&mut names.scores, name.as_str(), format!("{value}"));
        }
        for b in &state.breakpoints {
            push(&mut names.breakpoints, &b.id.to_string(), b.condition.clone().unwrap_or_default());
        }
        for (id, expr) in &state.displays {
            push(&mut names.displays, &id.to_string(), expr.clone());
        }
        for tagged in state.tags.iter().rev() {
            push(&mut names.tags, tagged.tag.as_str(), String::new());
        }
        [&mut names.samples, &mut names.scores, &mut names.tags].into_iter().for_each(keep_first);
        names.sample = sample.cloned();
        names.thresholds = state.thresholds_now().to_vec();
        names.policy = policy;
        names
    }

    /// Those of a session in which these samples are loaded.
    #[must_use]
    pub fn with_samples(self, ids: &SampleIds) -> Self {
        Self { loaded: ids.now(), ..self }
    }

    /// The ids of samples that begin so, in file order; a large file has too many to list them all.
    fn samples(&self, begun: &str) -> Listed {
        if self.loaded.is_empty() {
            return self.samples.iter().filter(|(id, _)| id.starts_with(begun)).take(MOST_SAMPLES).cloned().collect();
        }
        let mut seen = HashSet::new();
        let all = self.loaded.iter().map(Untrusted::raw).enumerate();
        let fits = all.filter(|(_, id)| id.starts_with(begun) && seen.insert(*id)).take(MOST_SAMPLES);
        fits.map(|(at, id)| (id.to_owned(), numbered(at + 1))).collect()
    }

    /// Those of a recorded session, in which some commands are refused.
    #[must_use]
    pub fn recorded(self, recorded: bool) -> Self {
        Self { recorded, ..self }
    }

    /// Those for a user whose home folder this is.
    #[must_use]
    pub fn at_home(self, home: Option<&Path>) -> Self {
        Self { home: home.map(Path::to_owned), ..self }
    }

    /// The names that an expression can use.
    fn variables(&self, moment: Moment) -> Listed {
        let policies: Vec<&Policy> = self.policy.as_deref().into_iter().collect();
        let samples = self.sample.as_deref().map(std::slice::from_ref);
        Vocabulary { moment, policies: &policies, samples, thresholds: &self.thresholds, node: None }.variables()
    }

    fn of_policy(&mut self, policy: &Policy) {
        for node in &policy.nodes {
            let answers = node.answers.iter().map(|(a, to)| (a.to_string(), format!("leads to {}", to.id()))).collect();
            self.nodes.push((node.id.to_string(), node.question.raw().to_owned(), answers));
        }
        for leaf in &policy.leaves {
            push(&mut self.leaves, leaf.id.as_str(), leaf.verdict.outcome.to_string());
        }
    }
}

impl Names for SessionNames {
    fn offers(&self, command: &CommandSpec) -> bool {
        !(self.recorded && command.needs.contains(&Need::Live))
    }

    fn names(&self, wanted: Wanted<'_>) -> Listed {
        match wanted {
            Wanted::Nodes => self.nodes.iter().map(|(id, question, _)| (id.clone(), question.clone())).collect(),
            Wanted::Answers(node) => self.nodes.iter().find(|n| n.0 == node).map(|n| n.2.clone()).unwrap_or_default(),
            Wanted::Leaves => self.leaves.clone(),
            Wanted::Samples(begun) => self.samples(begun),
            Wanted::Breakpoints => self.breakpoints.clone(),
            Wanted::Walks => self.walks.clone(),
            Wanted::Displays => self.displays.clone(),
            Wanted::Scores => self.scores.clone(),
            Wanted::Models => self.models.clone(),
            Wanted::Tags => self.tags.clone(),
            Wanted::Variables(seen) => self.variables(match seen {
                Seen::Sample => Moment::Sample,
                Seen::Walk => Moment::Walk,
                Seen::Breakpoint => Moment::Breakpoint,
            }),
            Wanted::Paths(begun) => paths(begun, self.home.as_deref()),
        }
    }
}

fn numbered(sample: usize) -> String {
    format!("sample {sample}")
}

fn push(list: &mut Listed, name: &str, doc: String) {
    list.push((name.to_owned(), doc));
}

/// Leaves of each name the first. A session can have very many walks of one sample, so no name is looked for in a list.
fn keep_first(list: &mut Listed) {
    let mut seen = HashSet::new();
    list.retain(|(name, _)| seen.insert(name.clone()));
}

/// Files and folders whose path begins with `begun`, the first ones by name; hidden ones only if a dot was typed. `~`
/// stands for the home folder, as it does when the path is read. Names that are not Unicode cannot be typed and are
/// left out.
fn paths(begun: &str, home: Option<&Path>) -> Listed {
    if begun == "~" && home.is_some() {
        return vec![("~/".to_owned(), String::new())];
    }
    let is_separator = |c: char| c == '/' || c == MAIN_SEPARATOR;
    let cut = begun.rfind(is_separator).map_or(0, |at| at + 1);
    let (typed, part) = begun.split_at_checked(cut).unwrap_or(("", begun));
    let folder = if typed.is_empty() { ".".into() } else { path_text::path(&path_text::at_home(typed, home)) };
    let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut found: Vec<String> =
        names.filter(|name| name.starts_with(part) && (part.starts_with('.') || !name.starts_with('.'))).collect();
    found.sort_unstable();
    found.truncate(MOST_PATHS);
    let shown = |name: String| {
        let slash = if folder.join(&name).is_dir() { "/" } else { "" };
        (format!("{typed}{name}{slash}"), String::new())
    };
    found.into_iter().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(begun: &str, home: Option<&Path>) -> Vec<String> {
        SessionNames::default().at_home(home).names(Wanted::Paths(begun)).into_iter().map(|(path, _)| path).collect()
    }

    #[test]
    fn paths_are_completed_below_the_home_folder_too() {
        let home = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(home.path().join("posts")).expect("made");
        for name in ["policy.toml", ".hidden", "other.txt", "posts/a b.jsonl"] {
            std::fs::write(home.path().join(name), "").expect("written");
        }
        let home = Some(home.path());
        for (begun, found) in [
            ("~", &["~/"][..]),
            ("~/po", &["~/policy.toml", "~/posts/"]),
            ("~/.h", &["~/.hidden"]),
            ("~/posts/", &["~/posts/a b.jsonl"]),
            ("~/none/", &[]),
            ("~other/", &[]),
        ] {
            assert_eq!(listed(begun, home), found, "{begun}");
        }
        assert_eq!(listed("~", None), Vec::<String>::new());
    }

    #[test]
    fn of_the_loaded_samples_those_that_begin_so_are_offered_in_file_order_visited_or_not() {
        let ids = ["post-2", "post-1", "x-1", "post-2"].into_iter().map(Untrusted::from);
        let names = SessionNames { loaded: ids.collect(), ..SessionNames::default() };
        let offered = |names: &SessionNames, begun: &str| names.names(Wanted::Samples(begun));
        let listed = |rows: &[(&str, &str)]| -> Listed {
            rows.iter().map(|(id, doc)| ((*id).to_owned(), (*doc).to_owned())).collect()
        };
        let all = [("post-2", "sample 1"), ("post-1", "sample 2"), ("x-1", "sample 3")];
        assert_eq!(offered(&names, ""), listed(&all));
        assert_eq!(offered(&names, "post"), listed(&all[..2]));
        let many = (0..100_000).map(|number| Untrusted::from(format!("post-{number:06}")));
        let names = SessionNames { loaded: many.collect(), ..SessionNames::default() };
        assert_eq!(offered(&names, "").len(), MOST_SAMPLES);
        assert_eq!(offered(&names, "post-099999"), listed(&[("post-099999", "sample 100000")]));
    }

    #[test]
    fn a_name_is_listed_once_however_often_it_stands_in_the_session() {
        let mut list: Listed = Vec::new();
        for number in 0..100_000 {
            push(&mut list, &format!("post-{}", number / 2), format!("sample {number}"));
        }
        // Looking through the list for each of them took minutes in this profile.
        keep_first(&mut list);
        assert_eq!((list.len(), list[1].0.as_str(), list[1].1.as_str()), (50_000, "post-1", "sample 2"));
    }

    #[test]
    fn of_a_large_folder_the_first_names_are_listed_whatever_its_order() {
        let dir = tempfile::tempdir().expect("a folder");
        for number in (0..MOST_PATHS + 50).rev() {
            std::fs::write(dir.path().join(format!("{number:04}")), "").expect("written");
        }
        let folder = format!("{}/", path_text::of(dir.path()));
        let expected: Vec<String> = (0..MOST_PATHS).map(|number| format!("{folder}{number:04}")).collect();
        assert_eq!(listed(&folder, None), expected);
    }
}
