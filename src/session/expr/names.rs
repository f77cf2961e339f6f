//! The table of names that an expression can use, one row each. Their values, `help expressions`, completion and the
//! checks all derive from it.
//!
//! Must stay the only list of these names.

/// One name.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// As it is written; a part in capitals is a placeholder for any name of its kind, as in `p.ANSWER`.
    pub name: &'static str,
    /// What its value is.
    pub kind: Kind,
    /// What the part in capitals can be.
    pub keys: Option<Words>,
    /// From where on it is known.
    pub since: Since,
    /// What it means.
    pub meaning: &'static str,
    /// A condition that uses it.
    pub example: &'static str,
}

impl Variable {
    /// The parts of the name.
    pub fn parts(&self) -> impl Iterator<Item = &'static str> {
        self.name.split('.')
    }

    /// The name up to the part in capitals, with the dot: `p.`; the whole name if there is none.
    pub fn fixed(&self) -> &'static str {
        self.keys.and_then(|_| self.name.rfind('.')).and_then(|dot| self.name.get(..=dot)).unwrap_or(self.name)
    }
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number.
    Number,
    /// A whole number.
    Count,
    /// True or false.
    Truth,
    /// Any text.
    Text,
    /// A text that is one of a few words.
    Word(Words),
    /// Several texts.
    Texts,
}

impl Kind {
    /// What it is, for help.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Count => "whole number",
            Self::Truth => "true or false",
            Self::Text => "text",
            Self::Word(words) => words.describe(),
            Self::Texts => "list of texts",
        }
    }
}

/// Words of one sort: some always the same, some those of the policy or the samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Words {
    /// Answers of the policy's nodes; at a breakpoint on one node those of that node.
    Answer,
    /// Answers of the node that the name itself gives, as in `path.NODE`.
    AnswerThere,
    /// Nodes of the policy.
    Node,
    /// Nodes of the policy, and those with a human answer.
    GoldNode,
    /// Leaves of the policy.
    Leaf,
    /// Labels of the policy's leaves.
    Label,
    /// The same, and the labels of the samples.
    GoldLabel,
    /// Actions of the policy's leaves.
    Action,
    /// Outcomes.
    Outcome,
    /// Why an edge was taken.
    Taken,
    /// Cells of the agreement.
    Cell,
    /// A side against gold.
    Confusion,
    /// Scores of the samples.
    Score,
    /// Scores of the samples that have a threshold.
    Threshold,
    /// Fields of the samples.
    Field,
    /// Ids of the samples.
    Sample,
}

impl Words {
    /// What one of them is, for help.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Answer | Self::AnswerThere => "an answer",
            Self::Node | Self::GoldNode => "a node",
            Self::Leaf => "a leaf",
            Self::Label | Self::GoldLabel => "a label",
            Self::Action => "an action",
            Self::Outcome => "an outcome",
            Self::Taken => "argmax, unsure or overridden",
            Self::Cell => "a cell",
            Self::Confusion => "tp, fp, fn or tn",
            Self::Score | Self::Threshold => "a score",
            Self::Field => "a field",
            Self::Sample => "an id",
        }
    }
}

/// From where on a name has a value, at the earliest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Since {
    /// Before the sample is run: `next-sample where` sees it too.
    Sample,
    /// When a walk has begun.
    Walk,
    /// After the first answer.
    Step,
    /// At the leaf.
    Leaf,
    /// In the condition of a breakpoint.
    Stop,
}

impl Since {
    /// All of them, in order, each with the title of its names in help.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Step, "The node answered last"),
        (Self::Leaf, "The leaf, when the walk is there"),
        (Self::Sample, "The sample, known before it is run"),
        (Self::Walk, "The walk so far"),
        (Self::Stop, "The breakpoint, in its own condition"),
    ];
}

const fn row(name: &'static str, kind: Kind, since: Since, meaning: &'static str, example: &'static str) -> Variable {
    Variable { name, kind, keys: None, since, meaning, example }
}

const fn keyed(keys: Words, row: Variable) -> Variable {
    Variable { keys: Some(keys), ..row }
}

use Kind::{Count, Number, Text, Texts, Truth, Word};
use Since::{Leaf, Sample, Step, Stop, Walk};

/// All names, in the order in which they are listed for people.
pub static NAMES: &[Variable] = &[
    keyed(
        Words::Answer,
        row("p.ANSWER", Number, Step, "probability of that answer among the node's answers, 0 to 1", "p.yes < 0.6"),
    ),
    row("answer", Word(Words::Answer), Step, "the answer whose edge was taken", "answer == \"yes\""),
    row("node", Word(Words::Node), Step, "the node that was answered", "node == \"deceptive\""),
    row("margin", Number, Step, "how far the likeliest answer is ahead of the next one, 0 to 1", "margin < 0.2"),
    row("entropy", Number, Step, "how undecided the answers are, in bits; 0 is certain", "entropy > 0.9"),
    row("coverage", Number, Step, "share of everything the model could say that lies on the answers", "coverage < 0.5"),
    row("taken", Word(Words::Taken), Step, "why that edge was taken", "taken == \"unsure\""),
    row("rationale", Text, Step, "what the model wrote before it answered", "\"gift card\" in rationale"),
    row("leaf", Word(Words::Leaf), Leaf, "the leaf that was reached", "leaf == \"remove\""),
    row("verdict", Word(Words::Outcome), Leaf, "the LLM's outcome", "verdict != gold"),
    row("outcome", Word(Words::Outcome), Leaf, "the same as verdict", "outcome == \"escalate\""),
    row("label", Word(Words::Label), Leaf, "the LLM's policy label", "label != gold_label"),
    row("severity", Count, Leaf, "how severe the policy says it is", "severity >= 3"),
    row("action", Word(Words::Action), Leaf, "what the policy says to do", "action is none"),
    row(
        "wrong",
        Truth,
        Leaf,
        "whether the LLM decides against gold; not known if one of them is escalate or undetermined",
        "wrong and margin > 0.5",
    ),
    row("cell", Word(Words::Cell), Leaf, "who agrees with whom: see help words", "cell == \"llm_wrong\""),
    row("confusion.llm", Word(Words::Confusion), Leaf, "the LLM against gold", "confusion.llm == \"fp\""),
    row(
        "confusion.classifier",
        Word(Words::Confusion),
        Sample,
        "the classifier against gold",
        "confusion.classifier == \"fn\"",
    ),
    row("gold", Word(Words::Outcome), Sample, "the outcome that a human gave", "gold == \"violating\""),
    row("gold_label", Word(Words::GoldLabel), Sample, "the label that a human gave", "gold_label is not none"),
    keyed(
        Words::GoldNode,
        row(
            "gold_path.NODE",
            Word(Words::AnswerThere),
            Sample,
            "the answer that a human gave at that node",
            "gold_path.deceptive == \"yes\"",
        ),
    ),
    row("classifier", Word(Words::Outcome), Sample, "the classifier's outcome", "classifier != gold"),
    keyed(Words::Score, row("scores.NAME", Number, Sample, "that score of the classifier", "scores.scam >= 0.5")),
    keyed(
        Words::Threshold,
        row(
            "thresholds.NAME",
            Number,
            Sample,
            "from where on that score is violating",
            "scores.scam < thresholds.scam",
        ),
    ),
    row("sample.id", Word(Words::Sample), Sample, "its id", "sample.id == \"scam-03\""),
    row("sample.number", Count, Sample, "its place in the file, from 1", "sample.number > 10"),
    row("sample.text", Text, Sample, "all its text", "\"gift card\" in sample.text | lower"),
    keyed(
        Words::Field,
        row("sample.fields.NAME", Text, Sample, "the text of that field", "sample.fields.caption is not none"),
    ),
    keyed(
        Words::Node,
        row("path.NODE", Word(Words::AnswerThere), Walk, "the answer taken at that node", "path.deceptive == \"no\""),
    ),
    row("steps", Count, Walk, "how many nodes are answered", "steps > 3"),
    row("tags", Texts, Walk, "tags on this walk", "\"guidance-gap\" in tags"),
    row("walk", Count, Walk, "the walk's number", "walk == 2"),
    row("hits", Count, Stop, "how often the breakpoint has stopped", "hits < 5"),
];

/// Useful filters, each with what it does to a value.
pub static FILTERS: &[(&str, &str)] = &[
    ("lower", "the text in small letters"),
    ("upper", "the text in capitals"),
    ("trim", "the text without spaces at its ends"),
    ("replace(\"A\", \"B\")", "the text with B for every A"),
    ("length", "how many characters, entries or parts"),
    ("round(N)", "the number with N decimals"),
    ("abs", "the number without its sign"),
    ("int", "as a whole number"),
    ("float", "as a number"),
    ("string", "as a text"),
    ("first", "the first of several"),
    ("last", "the last of several"),
    ("min", "the smallest of several"),
    ("max", "the largest of several"),
    ("sum", "all of them added up"),
    ("join(\", \")", "a list as one text"),
];

/// Whether names begin so.
pub(super) fn is_root(word: &str) -> bool {
    NAMES.iter().any(|v| v.parts().next() == Some(word))
}

/// Whether a name has parts, as `p` and `sample` have.
pub(super) fn has_parts(word: &str) -> bool {
    NAMES.iter().any(|v| v.parts().next() == Some(word) && v.name.contains('.'))
}

/// What a path of an expression is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Found {
    /// A whole name.
    Name(&'static Variable),
    /// The beginning of names, as `p` and `sample.fields` are.
    Group,
    /// A name, and parts that it does not have.
    Further(&'static Variable),
    /// None; as many parts as this are right.
    Unknown(usize),
}

/// Looks a path up.
pub(super) fn find(path: &[&str]) -> Found {
    let mut right = 0;
    for variable in NAMES {
        let parts: Vec<&str> = variable.parts().collect();
        let fits = |(place, (part, typed)): (usize, (&&str, &&str))| {
            (variable.keys.is_some() && place + 1 == parts.len()) || part == typed
        };
        let same = parts.iter().zip(path).enumerate().take_while(|pair| fits(*pair)).count();
        right = right.max(same);
        if same == path.len().min(parts.len()) {
            return match path.len().cmp(&parts.len()) {
                std::cmp::Ordering::Less => Found::Group,
                std::cmp::Ordering::Equal => Found::Name(variable),
                std::cmp::Ordering::Greater => Found::Further(variable),
            };
        }
    }
    Found::Unknown(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_listed_once_and_under_one_title() {
        for (i, variable) in NAMES.iter().enumerate() {
            assert!(!NAMES.iter().take(i).any(|v| v.name == variable.name), "{} twice", variable.name);
            assert!(Since::ALL.iter().any(|(since, _)| *since == variable.since), "{} has no title", variable.name);
            assert!(!variable.meaning.ends_with('.'), "{}", variable.name);
            let last = variable.parts().last().expect("a part");
            assert_eq!(last.chars().all(char::is_uppercase), variable.keys.is_some(), "{}", variable.name);
        }
    }
}
