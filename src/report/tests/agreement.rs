//! What `compare` shows against what expressions say: every outcome of the three sides.
//!
//! Must read the shown text, as an analyst does, and not how it is made.

use super::fixture::*;
use crate::domain::{Content, Gold, Outcome, Sample, Verdict};
use crate::report::{Page, compare, plain};
use crate::session::expr::{Condition, Context};
use crate::session::{Fact, LeafReached};

const SIDES: [Option<Outcome>; 5] =
    [Some(Outcome::Violating), Some(Outcome::NonViolating), Some(Outcome::Escalate), Some(Outcome::Undetermined), None];

/// A walk that reached a leaf with this verdict, or none; scores can say neither escalate nor undetermined.
fn facts(classifier: Option<Outcome>, llm: Option<Outcome>, gold: Option<Outcome>) -> Vec<Fact> {
    let score = classifier.map(|outcome| if outcome == Outcome::Violating { 0.9 } else { 0.1 });
    let sample = Sample {
        gold: Gold { outcome: gold, ..Gold::default() },
        scores: score.map(|score| (name("scam"), score)).into_iter().collect(),
        thresholds: vec![(name("scam"), 0.5)],
        ..Sample::new("s", Content::Text("x".into()))
    };
    let started = Fact::WalkStarted { walk: WALK, index: 0, sample, root: name("awareness") };
    let leaf = llm.map(|outcome| LeafReached {
        id: name("end"),
        verdict: Verdict { outcome, label: None },
        severity: None,
        action: None,
        rule_ids: Vec::new(),
    });
    [Some(started), leaf.map(|leaf| Fact::LeafReached { walk: WALK, leaf })].into_iter().flatten().collect()
}

/// The word for how a row of `compare` marks its side.
fn marked(shown: &str, who: &str) -> &'static str {
    let line = shown.lines().find(|line| line.trim_start().starts_with(who)).unwrap_or_default();
    let marks = ["neither right nor wrong", "right (", "wrong ("];
    marks.into_iter().find(|mark| line.contains(mark)).unwrap_or("")
}

#[test]
fn compare_cell_wrong_and_confusion_agree_for_every_outcome_of_the_three_sides() {
    let decides = |side: Option<Outcome>| side.and_then(Outcome::violates);
    for classifier in [SIDES[0], SIDES[1], None] {
        for (llm, gold) in SIDES.into_iter().flat_map(|llm| SIDES.map(|gold| (llm, gold))) {
            let state = state(&facts(classifier, llm, gold));
            let shown = plain::render(&compare::compare(state.walk_now().unwrap(), Page::live(100)));
            let context = Context::of(&state);
            let holds = |source: &str| Condition::read(source).unwrap().holds(&context).unwrap();
            let case = format!("classifier {classifier:?}, LLM {llm:?}, gold {gold:?}:\n{shown}");
            // Each side: what is shown, and what `confusion` and `wrong` say of it.
            for (who, name, side) in [("LLM", "confusion.llm", llm), ("classifier", "confusion.classifier", classifier)]
            {
                let wanted = match (side, decides(side), gold, decides(gold)) {
                    (_, Some(side), _, Some(gold)) if side == gold => "right (",
                    (_, Some(_), _, Some(_)) => "wrong (",
                    (Some(_), _, Some(_), _) => "neither right nor wrong",
                    _ => "",
                };
                assert_eq!(marked(&shown, who), wanted, "{who}: {case}");
                assert_eq!(holds(&format!("{name} is not none")), wanted.ends_with('('), "{name}: {case}");
                if who == "LLM" {
                    assert_eq!(
                        (holds("wrong"), holds("not wrong")),
                        (wanted == "wrong (", wanted == "right ("),
                        "{case}"
                    );
                    assert!(!holds("wrong") || holds("cell == 'llm_wrong' or cell == 'both_wrong'"), "{case}");
                }
            }
            // The cell: the same word on the screen and in expressions, and none only where it is said why.
            let cell = shown
                .lines()
                .find(|line| line.trim_start().starts_with("cell"))
                .and_then(|l| l.split_whitespace().nth(1));
            match cell {
                Some("none") => {
                    assert!([llm, gold].into_iter().flatten().any(|side| side.violates().is_none()), "{case}");
                    assert!(shown.contains("escalate and undetermined decide nothing"), "{case}");
                    assert!(holds("cell is none"), "{case}");
                }
                Some(word) => assert!(holds(&format!("cell == '{word}'")), "{case}"),
                None => assert!(holds("cell is none"), "{case}"),
            }
        }
    }
}
