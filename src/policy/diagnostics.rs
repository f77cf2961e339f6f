//! Diagnostics: what is wrong with a policy, where, and what to do about it.
//!
//! Must not print or colour anything; a front end renders them.

use super::codes::{Basis, Code, Severity};
use super::source::{At, LineIndex, SourceFile};
use crate::domain::Complaint;
use crate::text::Untrusted;
use std::collections::HashSet;
use std::ops::Range;

/// One thing that is wrong with a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What it is about.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, which quotes the policy, and what to do about it.
    pub complaint: Complaint,
    /// Where.
    pub place: Location,
    /// Other places that matter, such as the first of two definitions.
    pub related: Vec<(Untrusted, Location)>,
}

/// A place in one of the files of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// Which of the files that were read.
    pub file: usize,
    /// That file's path.
    pub path: Untrusted,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub col: usize,
    /// Bytes of the file's text.
    pub span: Range<usize>,
}

/// A fault as the passes report it, before places are worked out.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub code: Code,
    pub at: At,
    pub complaint: Complaint,
    pub related: Vec<(String, At)>,
}

impl Fault {
    pub fn new(code: Code, at: At, message: impl Into<String>) -> Self {
        Self { code, at, complaint: Complaint::new(message.into()), related: Vec::new() }
    }

    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { complaint: self.complaint.hinted(hint), ..self }
    }

    #[must_use]
    pub fn related(mut self, message: impl Into<String>, at: At) -> Self {
        self.related.push((message.into(), at));
        self
    }
}

/// Collects faults of all passes.
#[derive(Debug, Default)]
pub(super) struct Sink {
    faults: Vec<Fault>,
    /// Set when part of the policy could not be read, so that something missing proves nothing.
    pub damaged: bool,
    /// Warnings that a policy allows in its own file (`Some`) or everywhere (`None`).
    pub allowed: Vec<(Option<u32>, Code)>,
}

/// More than anyone reads; a hostile file must not make millions.
const MAX_FAULTS: usize = 500;
/// Warnings kept while collecting, and as many errors again.
const MAX_COLLECTED: usize = 20_000;

impl Sink {
    pub fn push(&mut self, fault: Fault) {
        let error = fault.code.info().severity == Severity::Error;
        if self.faults.len() < if error { 2 * MAX_COLLECTED } else { MAX_COLLECTED } {
            self.faults.push(fault);
        }
    }

    pub fn has_errors(&self) -> bool {
        self.faults.iter().any(|f| f.code.info().severity == Severity::Error)
    }

    /// Sorts, removes duplicates and what only follows from damage, and computes lines and columns.
    pub fn finish(self, files: &[SourceFile]) -> Vec<Diagnostic> {
        let mut faults = self.faults;
        let error = |f: &Fault| f.code.info().severity == Severity::Error;
        let present = |f: &Fault| f.code.info().basis == Basis::Present;
        // If no error reports the damage itself, its consequences are all there is to report.
        if self.damaged && faults.iter().any(|f| error(f) && present(f)) {
            faults.retain(present);
        }
        faults.retain(|f| {
            !self.allowed.iter().any(|(file, code)| *code == f.code && file.is_none_or(|n| n == f.at.file))
        });
        // After a broken header the keys below it are taken for those of another table.
        let broken: Vec<At> = faults.iter().filter(|f| f.code == Code::Syntax).map(|f| f.at).collect();
        let below = |at: At| broken.iter().any(|b| b.file == at.file && b.start < at.start);
        faults.retain(|f| !matches!(f.code, Code::UnknownKey | Code::DuplicateKey) || !below(f.at));
        faults.sort_by_key(|f| (f.at.file, f.at.start, f.code));
        let mut seen = HashSet::new();
        faults.retain(|f| seen.insert((f.code, f.at)));
        if faults.len() > MAX_FAULTS {
            // Errors first: a thousand warnings must not push out the one error that explains them.
            faults.sort_by_key(|f| (f.code.info().severity, f.at.file, f.at.start, f.code));
            faults.truncate(MAX_FAULTS);
            faults.sort_by_key(|f| (f.at.file, f.at.start, f.code));
        }
        let lines: Vec<LineIndex> = files.iter().map(|f| LineIndex::new(f.text.raw())).collect();
        let place = |at: At| {
            let file = at.file as usize;
            let (path, (line, col)) = match (files.get(file), lines.get(file)) {
                (Some(f), Some(index)) => (f.path.clone(), index.place(f.text.raw(), at.start as usize)),
                _ => (Untrusted::default(), (1, 1)),
            };
            Location { file, path, line, col, span: at.span() }
        };
        faults
            .into_iter()
            .map(|f| Diagnostic {
                code: f.code,
                severity: f.code.info().severity,
                complaint: f.complaint,
                place: place(f.at),
                related: f.related.into_iter().map(|(m, at)| (m.into(), place(at))).collect(),
            })
            .collect()
    }
}

/// `one`, `one or two`, `one, two or three`, each in backquotes.
pub(super) fn one_of<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.into_iter().map(|w| format!("`{w}`")).collect();
    match words.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        [init @ .., last] => format!("{} or {last}", init.join(", ")),
    }
}

/// The candidate most like `word`, if it is close enough to be meant: at most a third of its letters differ.
pub(super) fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.to_lowercase().chars().take(64).collect();
    let limit = (word.len() / 3).clamp(1, 4);
    candidates
        .into_iter()
        .map(|c| (distance(&word, &c.to_lowercase().chars().take(64).collect::<Vec<_>>()), c))
        .filter(|(d, _)| *d <= limit)
        .min_by_key(|(d, _)| *d)
        .map(|(_, c)| c)
}

/// Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut rows = [vec![0; b.len() + 1], (0..=b.len()).collect::<Vec<usize>>(), vec![0; b.len() + 1]];
    for (i, ca) in a.iter().enumerate() {
        let [before, previous, current] = &mut rows;
        current[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let mut best = (previous[j] + usize::from(ca != cb)).min(previous[j + 1] + 1).min(current[j] + 1);
            if i > 0 && j > 0 && a[i - 1] == *cb && *ca == b[j - 1] {
                best = best.min(before[j - 1] + 1);
            }
            current[j + 1] = best;
        }
        rows.rotate_left(1);
    }
    rows[1][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_pen_are_recognised_and_other_words_are_not() {
        let keys = ["question", "guidance", "examples", "answers", "unsure"];
        for (word, meant) in
            [("quesiton", "question"), ("Guidance", "guidance"), ("example", "examples"), ("answer", "answers")]
        {
            assert_eq!(did_you_mean(word, keys), Some(meant), "{word}");
        }
        for word in ["colour", "x", ""] {
            assert_eq!(did_you_mean(word, keys), None, "{word}");
        }
    }

    #[test]
    fn distance_counts_a_swap_once() {
        let chars = |s: &str| s.chars().collect::<Vec<_>>();
        for (a, b, d) in [("", "", 0), ("", "abc", 3), ("abc", "acb", 1), ("kitten", "sitting", 3)] {
            assert_eq!(distance(&chars(a), &chars(b)), d, "{a} {b}");
        }
    }
}
