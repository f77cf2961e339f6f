//! What is doubtful in samples that can be read: a threshold without its score, an id that stood before, and gold that
//! the loaded policies do not know.
//!
//! Must not refuse a sample, and must cost what the samples' size is.

use super::{RawLine, json::Raw};
use crate::domain::{Complaint, Name, Sample};
use crate::text::alike::{alike, did_you_mean};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

/// The most ids that are remembered; `check` reads any number of samples.
const MOST_IDS: usize = 1_000_000;

/// For how many different unknown words a similar one is looked for: each is compared with every name of the policies.
const MOST_SUGGESTIONS: usize = 100;

/// What kind of doubt it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DoubtKind {
    /// A threshold for a score that the sample does not have.
    ThresholdWithoutScore,
    /// An id that an earlier sample has.
    RepeatedId,
    /// `gold_path` names a node that no policy has.
    UnknownNode,
    /// `gold_path` gives an answer that the node does not have.
    UnknownAnswer,
    /// `gold_label` is the label of no leaf.
    UnknownLabel,
}

impl DoubtKind {
    /// The code that `lint` shows.
    pub const fn code(self) -> &'static str {
        match self {
            Self::ThresholdWithoutScore => "S101",
            Self::RepeatedId => "S102",
            Self::UnknownNode => "S103",
            Self::UnknownAnswer => "S104",
            Self::UnknownLabel => "S105",
        }
    }

    /// A readable name for the code.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ThresholdWithoutScore => "threshold-without-score",
            Self::RepeatedId => "repeated-id",
            Self::UnknownNode => "unknown-gold-node",
            Self::UnknownAnswer => "unknown-gold-answer",
            Self::UnknownLabel => "unknown-gold-label",
        }
    }
}

/// One doubt about a sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// Which kind.
    pub kind: DoubtKind,
    /// Line in the file, from 1.
    pub line: usize,
    /// Column in characters, from 1: where the doubtful value begins.
    pub col: usize,
    /// What is doubtful and what to do about it.
    pub complaint: Complaint,
}

/// The names that gold may use.
#[derive(Clone, Debug, Default)]
pub struct KnownGold {
    nodes: BTreeMap<String, BTreeSet<String>>,
    labels: BTreeSet<String>,
}

impl KnownGold {
    /// Adds a node with its answers; of several policies with such a node, each answer counts.
    pub fn node<'a>(&mut self, id: &Name, answers: impl Iterator<Item = &'a Name>) {
        self.nodes.entry(id.to_string()).or_default().extend(answers.map(Name::to_string));
    }

    /// Adds the label of a leaf.
    pub fn label(&mut self, label: &Name) {
        self.labels.insert(label.to_string());
    }
}

/// Looks at the samples of one file, in their order.
#[derive(Debug, Default)]
pub struct Doubts {
    known: Option<KnownGold>,
    hashing: RandomState,
    /// The line of each id, by the id's hash.
    ids: HashMap<u64, usize>,
    suggested: HashMap<String, Option<String>>,
    counts: BTreeMap<DoubtKind, u64>,
}

/// Where a doubt lies: the key, and the member of its object.
type Place<'a> = (&'static str, Option<&'a str>);

impl Doubts {
    /// Without policies, gold is taken as it is.
    pub fn new(known: Option<KnownGold>) -> Self {
        Self { known, ..Self::default() }
    }

    /// What is doubtful in the sample that was read from `line`.
    pub fn of(&mut self, line: &RawLine, sample: &Sample) -> Vec<Doubt> {
        let mut found: Vec<(DoubtKind, Place<'_>, Complaint)> = Vec::new();
        self.id(line.number, sample, &mut found);
        thresholds(sample, &mut found);
        self.gold(sample, &mut found);
        if found.is_empty() {
            return Vec::new();
        }
        let places = Places::of(line);
        let mut doubts = Vec::with_capacity(found.len());
        for (kind, (key, member), complaint) in found {
            // A score that is null is known to be missing, and its threshold is no mistake.
            if kind == DoubtKind::ThresholdWithoutScore && member.is_some_and(|name| places.has("scores", name)) {
                continue;
            }
            *self.counts.entry(kind).or_default() += 1;
            doubts.push(Doubt { kind, line: line.number, col: places.col(key, member), complaint });
        }
        doubts
    }

    /// How many doubts there were of which kind, in one line; `None` if there were none.
    pub fn told(&self) -> Option<String> {
        let parts: Vec<String> = self
            .counts
            .iter()
            .map(|(kind, count)| format!("{count} {} [{}]", kind.name().replace('-', " "), kind.code()))
            .collect();
        (!parts.is_empty()).then(|| format!("doubtful in the samples: {}", parts.join(", ")))
    }

    fn id<'a>(&mut self, line: usize, sample: &'a Sample, found: &mut Vec<(DoubtKind, Place<'a>, Complaint)>) {
        let hash = self.hashing.hash_one(sample.id.raw());
        match self.ids.get(&hash) {
            Some(first) => found.push((
                DoubtKind::RepeatedId,
                ("id", None),
                Complaint::new(format!("line {first} has the same id"))
                    .hinted("give every sample an id of its own; `sample ID` finds only the first"),
            )),
            None if self.ids.len() < MOST_IDS => drop(self.ids.insert(hash, line)),
            None => {}
        }
    }

    fn gold<'a>(&mut self, sample: &'a Sample, found: &mut Vec<(DoubtKind, Place<'a>, Complaint)>) {
        let Some(known) = &self.known else { return };
        let suggested = &mut self.suggested;
        if let Some(label) = sample.gold.label.as_ref().filter(|label| !known.labels.contains(label.as_str())) {
            let complaint = Complaint::new(format!("no leaf of the policy has the label `{label}`"));
            let hint = suggestion(suggested, "label", label, || &known.labels, "lint --graph shows the leaves");
            found.push((DoubtKind::UnknownLabel, ("gold_label", None), complaint.hinted(hint)));
        }
        for (node, answer) in &sample.gold.path {
            let place = ("gold_path", Some(node.as_str()));
            match known.nodes.get(node.as_str()) {
                None => {
                    let complaint = Complaint::new(format!("the policy has no node `{node}`"));
                    let hint = suggestion(suggested, "node", node, || known.nodes.keys(), "lint --graph shows them");
                    found.push((DoubtKind::UnknownNode, place, complaint.hinted(hint)));
                }
                Some(answers) if !answers.contains(answer.as_str()) => {
                    let complaint = Complaint::new(format!("node `{node}` has no answer `{answer}`"));
                    let list: Vec<&str> = answers.iter().map(String::as_str).collect();
                    let list = format!("its answers are {}", list.join(", "));
                    let hint = suggestion(suggested, node.as_str(), answer, || answers, &list);
                    found.push((DoubtKind::UnknownAnswer, place, complaint.hinted(hint)));
                }
                Some(_) => {}
            }
        }
    }
}

fn thresholds<'a>(sample: &'a Sample, found: &mut Vec<(DoubtKind, Place<'a>, Complaint)>) {
    if sample.thresholds.is_empty() {
        return;
    }
    let scores: HashSet<&str> = sample.scores.iter().map(|(name, _)| name.as_str()).collect();
    for (name, _) in sample.thresholds.iter().filter(|(name, _)| !scores.contains(name.as_str())) {
        let near = alike(name.as_str(), scores.iter().copied().take(MOST_SUGGESTIONS));
        let hint = did_you_mean(&near, |name| format!("`{name}`"));
        let hint = hint.unwrap_or_else(|| "give the score, or leave the threshold out: it says nothing".to_owned());
        let complaint = Complaint::new(format!("the sample has no score `{name}` for this threshold"));
        found.push((DoubtKind::ThresholdWithoutScore, ("thresholds", Some(name.as_str())), complaint.hinted(hint)));
    }
}

/// What was probably meant, else `otherwise`. Looked for once for each word, and for so many words only.
fn suggestion<'a, I>(
    suggested: &mut HashMap<String, Option<String>>,
    of: &str,
    word: &Name,
    options: impl FnOnce() -> I,
    otherwise: &str,
) -> String
where
    I: IntoIterator<Item = &'a String>,
{
    let key = format!("{of} {word}");
    if !suggested.contains_key(&key) && suggested.len() < MOST_SUGGESTIONS {
        let near = alike(word.as_str(), options().into_iter().map(String::as_str));
        suggested.insert(key.clone(), did_you_mean(&near, |name| format!("`{name}`")));
    }
    let meant = suggested.get(&key).and_then(Option::as_ref);
    meant.cloned().unwrap_or_else(|| otherwise.to_owned())
}

/// The columns of the values of a line.
#[derive(Default)]
struct Places(HashMap<(String, Option<String>), usize>);

impl Places {
    fn of(line: &RawLine) -> Self {
        Self::read(line).unwrap_or_default()
    }

    fn read(line: &RawLine) -> Option<Self> {
        let text = std::str::from_utf8(&line.bytes).ok()?;
        let mut all: Vec<((String, Option<String>), usize)> = Vec::new();
        for (key, raw) in Raw::read(text).ok()?.members()? {
            if ["scores", "thresholds", "gold_path"].contains(&key.as_str()) {
                let members = raw.members().unwrap_or_default();
                all.extend(members.into_iter().map(|(name, raw)| ((key.clone(), Some(name)), raw.at())));
            }
            all.push(((key, None), raw.at()));
        }
        all.sort_by_key(|(_, at)| *at);
        // One pass over the line: characters are counted from each value to the next.
        let (mut byte, mut col) = (0, 1);
        let columns = all.into_iter().map(|(place, at)| {
            col += text.get(byte..at).map_or(0, |between| between.chars().count());
            byte = at;
            (place, col)
        });
        Some(Self(columns.collect()))
    }

    fn has(&self, key: &str, member: &str) -> bool {
        self.0.contains_key(&(key.to_owned(), Some(member.to_owned())))
    }

    fn col(&self, key: &str, member: Option<&str>) -> usize {
        self.0.get(&(key.to_owned(), member.map(str::to_owned))).copied().unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sample_file::RawLines;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    fn known() -> KnownGold {
        let mut known = KnownGold::default();
        known.node(&name("hurry"), [name("yes"), name("no")].iter());
        known.label(&name("GC1"));
        known
    }

    fn doubts(doubts: &mut Doubts, file: &str) -> Vec<Doubt> {
        let lines = RawLines::new(file.as_bytes()).map(|line| line.expect("memory"));
        lines.flat_map(|line| doubts.of(&line, &line.parse().expect("a sample"))).collect()
    }

    #[test]
    fn every_doubt_says_where_and_what_was_meant() {
        for (line, code, col, message, hint) in [
            (r#"{"text":"é","gold_path":{"hurrry":"yes"}}"#, "S103", 35, "no node `hurrry`", "did you mean `hurry`?"),
            (r#"{"text":"x","gold_path":{"hurry":"yess"}}"#, "S104", 34, "no answer `yess`", "did you mean `yes`?"),
            (r#"{"text":"x","gold_path":{"hurry":"maybe"}}"#, "S104", 34, "no answer `maybe`", "answers are no, yes"),
            (r#"{"text":"x","gold_label":"GC2"}"#, "S105", 26, "the label `GC2`", "did you mean `GC1`?"),
            (r#"{"text":"x","scores":{"scam":1},"thresholds":{"scma":1}}"#, "S101", 54, "`scma`", "mean `scam`?"),
            (r#"{"text":"x","thresholds":{"scam":1}}"#, "S101", 34, "no score `scam`", "leave the threshold out"),
            (
                "{\"id\":\"a\",\"text\":\"x\"}\n{\"text\":\"x\",\"id\":\"a\"}",
                "S102",
                18,
                "line 1 has the same id",
                "own",
            ),
        ] {
            let mut all = Doubts::new(Some(known()));
            let found = doubts(&mut all, line);
            let [doubt] = found.as_slice() else { panic!("{line}: {found:?}") };
            assert_eq!((doubt.kind.code(), doubt.col), (code, col), "{line}: {doubt:?}");
            assert!(doubt.complaint.message.raw().contains(message), "{line}: {doubt:?}");
            assert!(doubt.complaint.hint.as_ref().is_some_and(|h| h.contains(hint)), "{line}: {doubt:?}");
            assert!(all.told().is_some_and(|told| told.contains(code) && told.contains(": 1 ")), "{:?}", all.told());
        }
    }

    #[test]
    fn what_is_right_or_cannot_be_told_is_no_doubt() {
        for (line, known) in [
            (r#"{"text":"x","gold_path":{"hurry":"no"},"gold_label":"GC1"}"#, Some(known())),
            (r#"{"text":"x","gold_path":{"other":"no"},"gold_label":"ZZ"}"#, None),
            (r#"{"text":"x","scores":{"scam":null},"thresholds":{"scam":1}}"#, None),
            ("{\"text\":\"x\"}\n{\"text\":\"x\"}", None),
        ] {
            let mut all = Doubts::new(known);
            assert_eq!((doubts(&mut all, line), all.told()), (Vec::new(), None), "{line}");
        }
    }

    #[test]
    fn a_line_full_of_doubts_costs_what_its_length_is() {
        // Quadratic work on this took minutes in this profile.
        let many: Vec<String> = (0..4000).map(|i| format!(r#""k{i}":"{}""#, "x".repeat(60))).collect();
        let line = format!(r#"{{"text":"{}","gold_path":{{{}}}}}"#, "é".repeat(1_000_000), many.join(","));
        assert_eq!(doubts(&mut Doubts::new(Some(known())), &line).len(), 4000);
    }
}
