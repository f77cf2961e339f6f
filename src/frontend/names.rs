//! The names of a session, for completion at both prompts.
//!
//! Must not ask the engine: everything comes from the state that the front end holds; only file names are read, when a
//! path is completed.

use crate::command::arg::Seen;
use crate::command::complete::{Names, Wanted};
use crate::command::{CommandSpec, Need};
use crate::policy::Policy;
use crate::session::SessionState;
use crate::session::expr::{Moment, Vocabulary};
use std::path::{MAIN_SEPARATOR, Path};

/// Most file names offered; a folder with more is not helped by a longer list.
const MOST_PATHS: usize = 200;

/// Names, each with a few words on it.
type Listed = Vec<(String, String)>;

/// The names of a session at one moment.
#[derive(Clone, Debug, Default)]
pub struct SessionNames {
    nodes: Vec<(String, String, Listed)>,
    leaves: Listed,
    samples: Listed,
    breakpoints: Listed,
    displays: Listed,
    walks: Listed,
    scores: Listed,
    tags: Listed,
    models: Listed,
    /// Of a sample, of a walk, and at a breakpoint.
    variables: [Listed; 3],
    recorded: bool,
}

impl SessionNames {
    /// The names in this state; `models` are those that can be loaded by name, each with a few words on it.
    pub fn of(state: &SessionState, policy: Option<&Policy>, models: &[(String, String)]) -> Self {
        let mut names = Self { models: models.to_vec(), ..Self::default() };
        if let Some(policy) = policy {
            names.of_policy(policy);
        }
        for walk in state.walks.iter().rev() {
            let id = walk.sample.id.raw();
            // An id that reads as a number would select another sample: those are offered in quotes by the completion.
            push(&mut names.samples, id, format!("sample {}", walk.number()));
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
        let policies: Vec<&Policy> = policy.into_iter().collect();
        let at = Vocabulary {
            policies: &policies,
            samples: sample.map(|sample| std::slice::from_ref(sample.as_ref())),
            thresholds: state.thresholds_now(),
            ..Vocabulary::default()
        };
        names.variables =
            [Moment::Sample, Moment::Walk, Moment::Breakpoint].map(|moment| Vocabulary { moment, ..at }.variables());
        names
    }

    /// Those of a recorded session, in which some commands are refused.
    #[must_use]
    pub fn recorded(self, recorded: bool) -> Self {
        Self { recorded, ..self }
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
            Wanted::Samples => self.samples.clone(),
            Wanted::Breakpoints => self.breakpoints.clone(),
            Wanted::Walks => self.walks.clone(),
            Wanted::Displays => self.displays.clone(),
            Wanted::Scores => self.scores.clone(),
            Wanted::Models => self.models.clone(),
            Wanted::Tags => self.tags.clone(),
            Wanted::Variables(seen) => {
                let [sample, walk, breakpoint] = &self.variables;
                match seen {
                    Seen::Sample => sample.clone(),
                    Seen::Walk => walk.clone(),
                    Seen::Breakpoint => breakpoint.clone(),
                }
            }
            Wanted::Paths(begun) => paths(begun),
        }
    }
}

/// Adds a name that is not there yet.
fn push(list: &mut Listed, name: &str, doc: String) {
    if !list.iter().any(|(n, _)| n == name) {
        list.push((name.to_owned(), doc));
    }
}

/// Files and folders whose path begins with `begun`, sorted; hidden ones only where a dot was typed. Names that are no
/// Unicode cannot be typed and are left out.
fn paths(begun: &str) -> Listed {
    let is_separator = |c: char| c == '/' || c == MAIN_SEPARATOR;
    let cut = begun.rfind(is_separator).map_or(0, |at| at + 1);
    let (folder, part) = begun.split_at_checked(cut).unwrap_or(("", begun));
    let read = std::fs::read_dir(if folder.is_empty() { Path::new(".") } else { Path::new(folder) });
    let mut found: Listed = read
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let fits = name.starts_with(part) && (part.starts_with('.') || !name.starts_with('.'));
            let slash = if entry.path().is_dir() { "/" } else { "" };
            fits.then(|| (format!("{folder}{name}{slash}"), String::new()))
        })
        .take(MOST_PATHS)
        .collect();
    found.sort();
    found
}
