//! Loads policies, samples and models: each becomes a fact, and then the engine works with it.
//!
//! Must record the whole source of a policy, so that a session explains itself without any other file.

use super::{Engine, Execution, Failure, Stop, policy_file, samples::SampleSet};
use crate::command::{Has, Need};
use crate::domain::sample_file::{self, Doubts, KnownGold, Loaded, RawLine};
use crate::domain::{Cancel, Complaint, GuardedFile, Sample, path_text};
use crate::judge::Progress;
use crate::policy::{self, Parsed, Policy};
use crate::session::{Fact, PolicyRecord, SourceFile};
use std::io::{self, BufReader};

/// A file inside the program, found as `builtin:NAME`.
#[derive(Clone, Copy, Debug)]
pub struct Builtin {
    /// Its name, for example `scams.toml`.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

/// The most that is read of a samples file for a session; `check` streams instead.
const SAMPLES_LIMIT: u64 = 1 << 30;
/// How many bad lines of a samples file are named; all are counted.
const FAULTS_TOLD: usize = 5;

/// The builtin that `path` names; `None` if it names a file.
fn builtin(path: &str, builtins: &[Builtin]) -> Option<Result<&'static str, Failure>> {
    let name = path.strip_prefix("builtin:")?;
    Some(builtins.iter().find(|b| b.name == name).map(|b| b.text).ok_or_else(|| {
        let known = builtins.iter().map(|b| b.name).collect::<Vec<_>>().join(", ");
        Failure::user(format!("there is no builtin `{name}`")).hinted(format!("there are {known}"))
    }))
}

/// What went wrong with the file at `path`.
fn unreadable(path: &str, error: &io::Error) -> Failure {
    if GuardedFile::was_stopped(error) {
        return Failure::cancelled();
    }
    Failure::user(format!("{path}: {error}")).hinted(match error.kind() {
        io::ErrorKind::FileTooLarge => "split it; `crossexam check` reads any number of samples from its stdin",
        io::ErrorKind::InvalidData => {
            "write the file as UTF-8, or convert it: iconv -f OLD-ENCODING -t UTF-8 OLD > NEW"
        }
        io::ErrorKind::TimedOut | io::ErrorKind::InvalidInput => "give the path of a regular file",
        _ => "check the path; it is relative to where crossexam was started",
    })
}

fn read_text(path: &str, builtins: &[Builtin], cancel: &Cancel) -> Result<String, Failure> {
    if let Some(text) = builtin(path, builtins) {
        return text.map(str::to_owned);
    }
    policy_file::read_text(&path_text::path(path), cancel).map_err(|e| unreadable(path, &e))
}

fn load_samples(
    path: &str,
    builtins: &[Builtin],
    cancel: &Cancel,
    watch: &mut dyn FnMut(&RawLine, &Sample),
) -> Result<Loaded, Failure> {
    if let Some(text) = builtin(path, builtins) {
        return sample_file::load_watched(text?.as_bytes(), watch).map_err(|e| unreadable(path, &e));
    }
    GuardedFile::open(&path_text::path(path), SAMPLES_LIMIT, || cancel.is_cancelled())
        .and_then(|file| sample_file::load_watched(BufReader::with_capacity(1 << 16, file), watch))
        .map_err(|e| unreadable(path, &e))
}

fn parse_policy(path: &str, builtins: &[Builtin], cancel: &Cancel) -> Result<(Policy, Vec<SourceFile>), Failure> {
    let text = read_text(path, builtins, cancel)?;
    let mut read = |include: &str| match path.starts_with("builtin:") {
        true => read_text(&format!("builtin:{include}"), builtins, cancel).map_err(|f| f.complaint.message.into_raw()),
        false => policy_file::read_include(&path_text::path(path), include, cancel),
    };
    let parsed = policy::parse(path, &text, &mut read);
    match parsed.policy {
        Some(policy) => {
            let files = parsed.files.into_iter().map(|f| SourceFile { path: f.path, text: f.text }).collect();
            Ok((policy, files))
        }
        None => Err(refusal(&parsed)),
    }
}

/// Loads a policy file (or builtin) without a session, for `check`.
///
/// # Errors
/// If it cannot be read, or with the policy's first error and how many more there are.
pub fn policy_of_file(path: &str, builtins: &[Builtin], cancel: &Cancel) -> Result<Policy, Failure> {
    parse_policy(path, builtins, cancel).map(|(policy, _)| policy)
}

impl Engine {
    pub(super) fn load_policy(&mut self, run: &mut Execution, path: &str) -> Result<Stop, Failure> {
        let (policy, files) = parse_policy(&self.path(path), self.builtins, run.cancel)?;
        self.use_policy(run, policy, files)
    }

    /// Reads the file of the loaded policy again.
    pub(super) fn reload(&mut self, run: &mut Execution) -> Result<Stop, Failure> {
        let none = || Failure::missing(Need::Policy, Has::default());
        let record = self.state.policy.clone().ok_or_else(none)?;
        let path = record.files.first().ok_or_else(none)?.path.raw();
        let (policy, files) = parse_policy(path, self.builtins, run.cancel)?;
        if files == record.files {
            return Ok(Stop::Unchanged);
        }
        self.use_policy(run, policy, files)
    }

    fn use_policy(&mut self, run: &mut Execution, policy: Policy, files: Vec<SourceFile>) -> Result<Stop, Failure> {
        let record = PolicyRecord {
            id: policy.id.clone(),
            version: policy.version.clone(),
            title: policy.title.clone(),
            sha256: policy.sha256,
            files,
        };
        // Known before anybody hears of the fact, so that nobody parses it again.
        let policy = self.policies.add(record.clone(), policy);
        self.record(run, Fact::PolicyLoaded(record))?;
        self.policy = Some(policy);
        self.begin_anew_where_nothing_was_asked(run)
    }

    /// A walk that has asked nothing has nothing to keep: its sample begins again at the root of the policy now loaded.
    fn begin_anew_where_nothing_was_asked(&mut self, run: &mut Execution) -> Result<Stop, Failure> {
        let now = self.state.conditions();
        let Some(walk) = self.state.walk_now().filter(|w| w.steps.is_empty() && !w.goes_on_under(&now)) else {
            return Ok(Stop::Done);
        };
        let (index, sample) = (walk.index, walk.sample.clone());
        let policy = self.policy()?;
        self.start_walk(run, index, (*sample).clone(), &policy).map(|()| Stop::Done)
    }

    pub(super) fn load_samples(&mut self, run: &mut Execution, path: &str) -> Result<Stop, Failure> {
        let path = self.path(path);
        let path = path.as_str();
        let mut doubts = Doubts::new(self.policy.as_ref().map(|policy| {
            let mut known = KnownGold::default();
            policy.add_gold(&mut known);
            known
        }));
        let mut watch = |line: &RawLine, sample: &Sample| drop(doubts.of(line, sample));
        let loaded = load_samples(path, self.builtins, run.cancel, &mut watch)?;
        let bad = loaded.bad;
        if loaded.samples.is_empty() {
            let complaint = match loaded.errors.into_iter().next() {
                Some(e) => e.complaint.about(format!("{path}:{}:{}", e.line, e.col)),
                None => Complaint::new(format!("{path} has no samples"))
                    .hinted("one JSON object a line, with \"text\" or \"fields\""),
            };
            return Err(complaint.into());
        }
        let told = |e: &sample_file::SampleError| {
            let (what, hint) = (e.complaint.message.raw(), e.complaint.hint.as_deref().unwrap_or_default());
            format!("{}:{}: {what} ({hint})", e.line, e.col)
        };
        let faults = loaded.errors.iter().take(FAULTS_TOLD).map(|e| told(e).into()).collect();
        let samples: Vec<_> = loaded.samples.into_iter().map(|(_, sample)| sample).collect();
        let fact = Fact::SamplesLoaded { path: path.into(), count: samples.len(), bad, faults, sha256: loaded.sha256 };
        self.record(run, fact)?;
        self.sample_ids.set(&samples);
        self.samples = Some(SampleSet { samples });
        if let Some(told) = doubts.told() {
            let note = Progress::Note(format!("{told}; `crossexam lint POLICY SAMPLES` shows where").into());
            (run.emit)(super::Event::Notice(super::Notice::Progress(run.ticket, note)));
        }
        Ok(Stop::Done)
    }

    pub(super) fn load_model(&mut self, run: &mut Execution, name: &str) -> Result<Stop, Failure> {
        let name = self.path(name);
        let (ticket, cancel) = (run.ticket, run.cancel);
        let emit = &mut *run.emit;
        let mut progress = |p| emit(super::Event::Notice(super::Notice::Progress(ticket, p)));
        let judge = self.source.open(&name, &mut progress, cancel)?;
        self.record(run, Fact::ModelLoaded(judge.info().clone()))?;
        self.judge = Some(judge);
        Ok(Stop::Done)
    }

    /// Drops the judge after a fault in it: its caches may be half written.
    pub(super) fn forget_judge(&mut self) {
        self.judge = None;
    }
}

/// Why a policy was not loaded: its first error with its place, and how many more there are.
fn refusal(parsed: &Parsed) -> Failure {
    let Some(first) = parsed.errors().next() else {
        return Failure::internal("a policy without errors was not built");
    };
    let place = &first.place;
    let more = match parsed.errors().count() {
        1 => String::new(),
        n => format!(" (and {} more errors)", n - 1),
    };
    let what = format!(
        "{}:{}:{}: {} [{}]{more}",
        place.path.raw(),
        place.line,
        place.col,
        first.complaint.message.raw(),
        first.code.id()
    );
    let hint = first.complaint.hint.as_ref().map(|h| format!("{h}; ")).unwrap_or_default();
    Failure::user(what).hinted(format!("{hint}crossexam lint FILE shows everything that is wrong"))
}

/// The samples of a reopened session, if the file it named still exists unchanged.
pub(super) fn samples_again(facts: &[Fact], builtins: &[Builtin]) -> Option<SampleSet> {
    let (path, recorded) = facts.iter().rev().find_map(|fact| match fact {
        Fact::SamplesLoaded { path, sha256, .. } => Some((path.raw(), *sha256)),
        _ => None,
    })?;
    let loaded = load_samples(path, builtins, &Cancel::new(), &mut |_, _| {}).ok()?;
    let samples = loaded.samples.into_iter().map(|(_, sample)| sample).collect();
    (loaded.sha256 == recorded).then_some(SampleSet { samples })
}
