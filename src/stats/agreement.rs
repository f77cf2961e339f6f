//! The agreement of classifier, LLM and gold on one sample: one cell, and one confusion per side.
//!
//! Must not read a missing label as "no", nor an escalation as an error.
//!
//! A side **decides** if its outcome is violating or non-violating. It **abstains** if its outcome is escalate or
//! undetermined. It is **missing** if there is no classifier, no threshold, no model or no label.
//!
//! | gold | classifier and LLM | cell |
//! |---|---|---|
//! | decides | both decide against it | `both_wrong` |
//! | decides | only the classifier decides against it | `classifier_wrong` |
//! | decides | only the LLM decides against it | `llm_wrong` |
//! | decides | at least one decides, all as gold does, none abstains | `all_agree` |
//! | decides | none decides against it, and one abstains or both are missing | none |
//! | abstains or missing | both decide, the same | `agree_no_gold` |
//! | abstains or missing | both decide, not the same | `disagree_no_gold` |
//! | abstains or missing | not both decide | none |
//!
//! So a side that abstains is never wrong, and keeps the others from "all agree"; a missing side does neither. A gold
//! label of escalate says that a person has to decide, so it settles nothing for either side. `tp`, `fp`, `fn` and `tn`
//! exist for a side where both that side and gold decide, violating being the positive class.

use crate::domain::Outcome;
use serde::{Deserialize, Serialize};

/// Who agrees with whom on one sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cell {
    /// Every side that is there decides as gold does.
    AllAgree,
    /// The classifier, and only it, decides against gold.
    ClassifierWrong,
    /// The LLM, and only it, decides against gold.
    LlmWrong,
    /// Both decide against gold.
    BothWrong,
    /// Both decide the same; gold does not decide.
    AgreeNoGold,
    /// One decides violating and the other non-violating; gold does not decide.
    DisagreeNoGold,
}

impl Cell {
    /// All cells, in the order in which they are listed everywhere.
    pub const ALL: [Self; 6] = [
        Self::AllAgree,
        Self::ClassifierWrong,
        Self::LlmWrong,
        Self::BothWrong,
        Self::AgreeNoGold,
        Self::DisagreeNoGold,
    ];

    /// The word of the output record and of every screen.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AllAgree => "all_agree",
            Self::ClassifierWrong => "classifier_wrong",
            Self::LlmWrong => "llm_wrong",
            Self::BothWrong => "both_wrong",
            Self::AgreeNoGold => "agree_no_gold",
            Self::DisagreeNoGold => "disagree_no_gold",
        }
    }
}

/// One side against gold; violating is the positive class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Confusion {
    /// Violating, and rightly.
    #[serde(rename = "tp")]
    TruePositive,
    /// Violating, and gold says non-violating.
    #[serde(rename = "fp")]
    FalsePositive,
    /// Non-violating, and gold says violating.
    #[serde(rename = "fn")]
    FalseNegative,
    /// Non-violating, and rightly.
    #[serde(rename = "tn")]
    TrueNegative,
}

impl Confusion {
    /// All four, in the order in which they are listed everywhere.
    pub const ALL: [Self; 4] = [Self::TruePositive, Self::FalsePositive, Self::FalseNegative, Self::TrueNegative];

    /// `tp`, `fp`, `fn` or `tn`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TruePositive => "tp",
            Self::FalsePositive => "fp",
            Self::FalseNegative => "fn",
            Self::TrueNegative => "tn",
        }
    }

    /// One side against gold; `None` unless both decide.
    pub fn of(side: Option<Outcome>, gold: Option<Outcome>) -> Option<Self> {
        Some(match (side?.violates()?, gold?.violates()?) {
            (true, true) => Self::TruePositive,
            (true, false) => Self::FalsePositive,
            (false, true) => Self::FalseNegative,
            (false, false) => Self::TrueNegative,
        })
    }

    /// Whether the side decided against gold.
    pub const fn is_wrong(self) -> bool {
        matches!(self, Self::FalsePositive | Self::FalseNegative)
    }
}

/// The agreement on one sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// The cell; `None` if the table above gives none.
    pub cell: Option<Cell>,
    /// The classifier against gold.
    pub classifier: Option<Confusion>,
    /// The LLM against gold.
    pub llm: Option<Confusion>,
}

impl Agreement {
    /// Compares three outcomes; `None` is a missing side.
    pub fn of(classifier: Option<Outcome>, llm: Option<Outcome>, gold: Option<Outcome>) -> Self {
        let (c, l) = (Confusion::of(classifier, gold), Confusion::of(llm, gold));
        let wrong = |side: Option<Confusion>| side.is_some_and(Confusion::is_wrong);
        let abstains = |side: Option<Outcome>| side.is_some_and(|o| o.violates().is_none());
        let cell = if gold.and_then(Outcome::violates).is_some() {
            match (wrong(c), wrong(l)) {
                (true, true) => Some(Cell::BothWrong),
                (true, false) => Some(Cell::ClassifierWrong),
                (false, true) => Some(Cell::LlmWrong),
                (false, false) if abstains(classifier) || abstains(llm) => None,
                (false, false) => c.or(l).map(|_| Cell::AllAgree),
            }
        } else {
            match (classifier.and_then(Outcome::violates), llm.and_then(Outcome::violates)) {
                (Some(c), Some(l)) if c == l => Some(Cell::AgreeNoGold),
                (Some(_), Some(_)) => Some(Cell::DisagreeNoGold),
                _ => None,
            }
        };
        Self { cell, classifier: c, llm: l }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIDES: [Option<Outcome>; 5] = [
        Some(Outcome::Violating),
        Some(Outcome::NonViolating),
        Some(Outcome::Escalate),
        Some(Outcome::Undetermined),
        None,
    ];

    /// One table per gold outcome; rows are the classifier, columns the LLM, both in the order of `SIDES`.
    const UNDECIDED: [&str; 5] = ["=!...", "!=...", ".....", ".....", "....."];
    const TABLES: [[&str; 5]; 5] = [
        ["AL..A", "CBCCC", ".L...", ".L...", "AL..."],
        ["BCCCC", "LA..A", "L....", "L....", "LA..."],
        UNDECIDED,
        UNDECIDED,
        UNDECIDED,
    ];

    #[test]
    fn every_combination_of_three_sides_gives_the_cell_of_the_table() {
        for (gold, table) in SIDES.into_iter().zip(TABLES) {
            for (classifier, row) in SIDES.into_iter().zip(table) {
                for (llm, expected) in SIDES.into_iter().zip(row.chars()) {
                    let letter = match Agreement::of(classifier, llm, gold).cell {
                        Some(Cell::AllAgree) => 'A',
                        Some(Cell::ClassifierWrong) => 'C',
                        Some(Cell::LlmWrong) => 'L',
                        Some(Cell::BothWrong) => 'B',
                        Some(Cell::AgreeNoGold) => '=',
                        Some(Cell::DisagreeNoGold) => '!',
                        None => '.',
                    };
                    assert_eq!(letter, expected, "classifier {classifier:?}, LLM {llm:?}, gold {gold:?}");
                }
            }
        }
    }

    #[test]
    fn confusions_of_both_sides_exist_only_where_side_and_gold_decide() {
        let words = |side| SIDES.map(|gold| Confusion::of(side, gold).map_or("-", Confusion::as_str));
        assert_eq!(words(Some(Outcome::Violating)), ["tp", "fp", "-", "-", "-"]);
        assert_eq!(words(Some(Outcome::NonViolating)), ["fn", "tn", "-", "-", "-"]);
        for abstaining in [Some(Outcome::Escalate), Some(Outcome::Undetermined), None] {
            assert_eq!(words(abstaining), ["-"; 5], "{abstaining:?}");
        }
        for (classifier, llm) in SIDES.into_iter().flat_map(|c| SIDES.map(|l| (c, l))) {
            let a = Agreement::of(classifier, llm, Some(Outcome::Violating));
            let gold = Some(Outcome::Violating);
            assert_eq!((a.classifier, a.llm), (Confusion::of(classifier, gold), Confusion::of(llm, gold)));
        }
    }
}
