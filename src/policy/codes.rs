//! The table of all `lint` diagnostics: code, name, severity, and one line on why it matters. The documentation derives
//! from it.
//!
//! Must stay the only place where a code, its name or its severity is defined.

use std::fmt;

/// How bad a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The policy cannot be used.
    Error,
    /// The policy can be used and is likely to give wrong verdicts, or to be hard to keep.
    Warning,
}

impl Severity {
    /// The word of every output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// When a diagnostic is held back because it may only follow from another fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// Something in the file is wrong: always reported.
    Present,
    /// Something is missing: reported only if every file could be read completely, otherwise it would be noise.
    Absent,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct CodeInfo {
    /// The code itself.
    pub code: Code,
    /// What is printed, for example `P012`; never reused for something else.
    pub id: &'static str,
    /// A readable name, accepted wherever the id is.
    pub name: &'static str,
    /// Error or warning.
    pub severity: Severity,
    /// Whether it is held back when a file is damaged.
    pub basis: Basis,
    /// What it means, in one line.
    pub explain: &'static str,
}

macro_rules! codes {
    ($($variant:ident $id:literal $name:literal $severity:ident $basis:ident $explain:literal;)*) => {
        /// What a diagnostic is about; see [`CODES`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $(#[doc = $explain] $variant,)* }

        /// All codes, in order of their ids.
        pub const CODES: &[CodeInfo] = &[$(CodeInfo {
            code: Code::$variant,
            id: $id,
            name: $name,
            severity: Severity::$severity,
            basis: Basis::$basis,
            explain: $explain,
        },)*];
    };
}

codes! {
    // The file as TOML.
    Syntax "P001" "syntax" Error Present "The file is not valid TOML here.";
    DuplicateKey "P002" "duplicate-key" Error Present "A key or table is defined twice; only the first would count.";
    TooLarge "P003" "too-large" Error Present "A file, or the policy as a whole, is larger than any policy should be.";
    UnknownKey "P004" "unknown-key" Error Present "A key that policies do not have, often a slip of the pen.";
    WrongType "P005" "wrong-type" Error Present "A value of the wrong kind, such as a number where text is needed.";
    MissingKey "P006" "missing-key" Error Absent "Something that has to be there is missing.";
    EmptyText "P007" "empty-text" Error Present "A text with nothing in it.";
    BadId "P008" "bad-id" Error Present "An id or label with characters that ids do not have.";
    NoPolicyTable "P009" "no-policy-table" Error Absent "The file has no [policy] table and so no id, version or root.";
    // The head of the policy.
    BadVersion "P010" "bad-version" Error Present "A version that is not MAJOR.MINOR.PATCH.";
    BadDate "P011" "bad-date" Error Present "A date that is not a day written as YYYY-MM-DD.";
    BadLayout "P012" "bad-layout" Error Present "A prompt layout that does not exist.";
    NoRoot "P013" "no-root" Error Absent "The policy does not say which node is asked first.";
    UnknownRoot "P014" "unknown-root" Error Absent "The root names a node that does not exist.";
    NoNodes "P015" "no-nodes" Error Absent "The policy asks nothing.";
    IdClash "P016" "id-clash" Error Present "Two of node, leaf and include share an id, so that targets are ambiguous.";
    BadAllow "P017" "bad-allow" Error Present "`allow` names a code that does not exist or that cannot be allowed.";
    // Nodes.
    NoQuestion "P020" "no-question" Error Absent "A node without a question.";
    TooFewAnswers "P021" "too-few-answers" Error Absent "A node with fewer than two answers decides nothing.";
    TooManyAnswers "P022" "too-many-answers" Error Present "A node with more than eight answers; a model cannot weigh so many.";
    DuplicateAnswer "P023" "duplicate-answer" Error Present "The same answer twice in one node; only the first would count.";
    CaseClash "P024" "case-clash" Error Present "Two answers that differ only in upper and lower case.";
    PrefixClash "P025" "prefix-clash" Error Present "One answer begins another, so that a reader of the first words cannot tell them apart.";
    NoTarget "P026" "no-target" Error Present "An answer that leads nowhere.";
    TwoTargets "P027" "two-targets" Error Present "An answer that leads to two places.";
    UnknownNode "P028" "unknown-node" Error Absent "`next` names a node that does not exist.";
    UnknownLeaf "P029" "unknown-leaf" Error Absent "`leaf` names a leaf that does not exist.";
    TargetKind "P030" "target-kind" Error Present "`next` names a leaf, or `leaf` names a node.";
    MarginRange "P031" "margin-range" Error Present "An unsure margin outside 0 to 1.";
    ExampleAnswer "P032" "example-answer" Error Absent "An example with an answer that its node does not have.";
    ExampleConflict "P033" "example-conflict" Error Present "The same example text with two different answers.";
    // Leaves.
    NoOutcome "P040" "no-outcome" Error Absent "A leaf that gives no outcome.";
    BadOutcome "P041" "bad-outcome" Error Present "An outcome that does not exist.";
    SeverityRange "P042" "severity-range" Error Present "A severity outside 0 to 5.";
    // The tree.
    Cycle "P050" "cycle" Error Present "Nodes that lead back to themselves: a walk would never end.";
    UnreachableNode "P051" "unreachable-node" Error Absent "A node that no walk can reach.";
    // Terms.
    UnknownTerm "P060" "unknown-term" Error Absent "A [[reference]] to a term that is not defined.";
    DuplicateTerm "P061" "duplicate-term" Error Present "A term defined twice.";
    // Includes.
    IncludeUnreadable "P070" "include-unreadable" Error Present "An included policy that cannot be read.";
    IncludeCycle "P071" "include-cycle" Error Present "A policy that includes itself.";
    IncludeDepth "P072" "include-depth" Error Present "Includes nested too deep.";
    IncludePath "P073" "include-path" Error Present "An include path that is missing, is absolute or leaves the policy's folder.";
    IncludeLeaf "P074" "include-leaf" Error Absent "A leaf mapping for a leaf that the included policy does not have.";
    IncludeUnused "P075" "include-unused" Error Absent "An included policy that nothing enters.";
    // Structure that works and is likely to give wrong verdicts.
    IncompleteLeaf "P101" "incomplete-leaf" Warning Absent "A violating leaf without label, severity or action: enforcement cannot act on it.";
    UnusedLeaf "P102" "unused-leaf" Warning Absent "A leaf that no answer leads to.";
    NoEscalation "P103" "no-escalation" Warning Absent "No leaf escalates, so doubtful content cannot reach a person.";
    NoUnsure "P104" "no-unsure" Warning Absent "No node has an unsure route, so a coin flip counts as a decision.";
    IdleNode "P105" "idle-node" Warning Absent "All answers of a node lead to the same place, so asking changes nothing.";
    OneSided "P106" "one-sided" Warning Absent "The policy can only ever violate, or never violate.";
    NoExceptionSieve "P107" "no-exception-sieve" Warning Absent "No node asks for exceptions such as news, satire or counter-speech before the violations.";
    LateException "P108" "late-exception" Warning Absent "An exception is asked after a verdict of violating could already be given.";
    UnusedTerm "P109" "unused-term" Warning Absent "A defined term that no text refers to.";
    OpenTerm "P110" "open-term" Warning Present "A `[[` without its `]]`.";
    RedefinedTerm "P111" "redefined-term" Warning Present "An included policy defines a term differently; the including policy's definition is used.";
    DuplicateRule "P112" "duplicate-rule" Warning Present "The same rule id twice on one leaf.";
    // Style: what a model or a person reads.
    NoInstructions "P120" "no-instructions" Warning Absent "The model reads no instructions before the questions.";
    NoExamples "P121" "no-examples" Warning Absent "A node without examples near its boundary.";
    OneSidedExamples "P122" "one-sided-examples" Warning Absent "All examples of a node have the same answer, which biases the model to it.";
    RepeatedExample "P123" "repeated-example" Warning Present "The same example twice in one node.";
    DoubleNegation "P124" "double-negation" Warning Present "A question with two negations is read wrongly by models and people.";
    TwoJudgments "P125" "two-judgments" Warning Present "A question that asks two things at once; yes to which?";
    Counting "P126" "counting" Warning Present "A question that makes the model count; language models count badly.";
    VagueWords "P127" "vague-words" Warning Present "A word that every reader understands differently.";
    LongQuestion "P128" "long-question" Warning Present "A question too long to be kept in mind.";
    LongNode "P129" "long-node" Warning Present "A node with so much text that its point is lost.";
    RepeatedQuestion "P130" "repeated-question" Warning Present "Two nodes ask the same question.";
    HiddenCharacter "P131" "hidden-character" Warning Present "An invisible or control character in text that the model reads.";
}

impl Code {
    /// The row of the table.
    pub fn info(self) -> &'static CodeInfo {
        &CODES[self as usize]
    }

    /// What is printed, for example `P012`.
    pub fn id(self) -> &'static str {
        self.info().id
    }

    /// Finds a code by id or name, as `allow` writes it.
    pub fn find(text: &str) -> Option<Self> {
        CODES.iter().find(|c| c.id.eq_ignore_ascii_case(text) || c.name == text).map(|c| c.code)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_own_row_id_and_name_in_order() {
        for (i, row) in CODES.iter().enumerate() {
            assert_eq!(row.code as usize, i, "{}", row.id);
            assert_eq!(Code::find(row.id), Some(row.code), "id {} is used twice", row.id);
            assert_eq!(Code::find(row.name), Some(row.code), "name {} is used twice", row.name);
            assert!(row.explain.ends_with(['.', '?']), "{}", row.explain);
            assert!(i == 0 || CODES[i - 1].id < row.id, "{} is out of order", row.id);
            let warning_range = row.id > "P100";
            assert_eq!(row.severity == Severity::Warning, warning_range, "{}: warnings begin at P101", row.id);
        }
    }

    /// The table of all diagnostics as Markdown.
    fn markdown() -> String {
        let row = |c: &CodeInfo| format!("| {} | `{}` | {} | {} |\n", c.id, c.name, c.severity, c.explain);
        let head = "| Code | Name | Severity | What it means |\n|---|---|---|---|\n".to_owned();
        CODES.iter().map(row).fold(head, |out, row| out + &row)
    }

    /// `UPDATE_DOCS=1 cargo test` rewrites the table.
    #[test]
    fn the_table_in_the_documentation_is_this_table() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("POLICIES.md");
        let written = std::fs::read_to_string(&path).expect("POLICIES.md can be read").replace("\r\n", "\n");
        let (text, _) = written.split_once("| Code |").unwrap_or((&written, ""));
        let wanted = format!("{text}{}", markdown());
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, &wanted).expect("POLICIES.md can be written");
        } else {
            assert!(written == wanted, "POLICIES.md is stale: run the tests with UPDATE_DOCS=1");
        }
    }
}
