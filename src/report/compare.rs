//! Classifier, LLM and gold side by side.
//!
//! Must not read a missing label as "no": unknown values are shown as unknown.

use super::number::decimal;
use super::{Doc, Line, Page, Role};
use crate::domain::{Name, Outcome, Provenance, Sample, Verdict};
use crate::session::state::Walk;
use crate::session::{LeafReached, Step};
use crate::stats::agreement::{Agreement, Cell, Confusion};

/// Cells of the column with who says it, and of the one with the outcome.
const WHO: usize = 12;
const WHAT: usize = 18;

/// The symbol beside an outcome, so that no colour is needed to recognise it.
pub const fn symbol(outcome: Outcome) -> &'static str {
    outcome.symbol()
}

/// `■ violating SC1`
pub fn verdict(line: Line, verdict: &Verdict) -> Line {
    let role = Role::of(verdict.outcome);
    let line = line.with(role, format!("{} {}", symbol(verdict.outcome), verdict.outcome));
    match &verdict.label {
        Some(label) => line.with(Role::Value, format!(" {label}")),
        None => line,
    }
}

/// A reached leaf: its verdict and what follows from it, in at most two lines if they fit.
pub fn leaf(leaf: &LeafReached, page: Page, source: Provenance) -> Doc {
    let mut doc = Doc::new();
    let line = Line::new().with(Role::Leaf, "leaf ").with(Role::Leaf, &leaf.id).with(Role::Text, "  ");
    let role = if source == Provenance::Overridden { Role::Overridden } else { Role::Muted };
    doc.push(verdict(line, &leaf.verdict).right(role, source.as_str(), page.width));
    let mut parts = Vec::new();
    parts.extend(leaf.severity.map(|s| format!("severity {s}")));
    parts.extend(leaf.action.as_ref().map(|a| format!("action {a}")));
    if !leaf.rule_ids.is_empty() {
        let rules: Vec<&str> = leaf.rule_ids.iter().map(crate::domain::Name::as_str).collect();
        parts.push(format!("rules {}", rules.join(", ")));
    }
    if !parts.is_empty() {
        doc.words(Line::new().with(Role::Text, "  "), Role::Value, &parts.join(" · "), page.width);
    }
    doc
}

/// All verdicts on the sample of a walk, each against gold, and the cell they fall in.
pub fn compare(walk: &Walk, page: Page) -> Doc {
    let mut doc = Doc::new();
    let sample = walk.sample.as_ref();
    let gold = sample.gold.outcome;
    let agreement = agreement(walk);

    doc.push(gold_row(sample));
    let mut llm = row("LLM");
    match &walk.leaf {
        Some(leaf) => {
            let who = page.source_of_walk(walk);
            let why = Line::new()
                .with(Role::Leaf, format!("leaf {}", leaf.id))
                .with(if who == Provenance::Overridden { Role::Overridden } else { Role::Muted }, format!(" · {who}"));
            llm = verdict_row("LLM", &leaf.verdict, against(Some(&leaf.verdict), sample, agreement.llm), why);
        }
        None => llm = llm.with(Role::Muted, "no verdict yet: the walk has not reached a leaf"),
    }
    doc.push(llm);
    match sample.classified(&walk.thresholds) {
        Some(outcome) => {
            let verdict = Verdict { outcome, label: None };
            let note = against(Some(&verdict), sample, agreement.classifier);
            doc.push(verdict_row("classifier", &verdict, note, classifier_name(sample)));
        }
        None if sample.scores.is_empty() => doc.push(row("classifier").with(Role::Muted, "no scores recorded")),
        None => {
            doc.push(row("classifier").with(Role::Muted, "no threshold for its scores; `set threshold NAME=VALUE`"))
        }
    }
    doc.extend(scores(walk));
    for (who, verdict) in &sample.verdicts {
        let note = against(Some(verdict), sample, Confusion::of(Some(verdict.outcome), gold));
        doc.push(verdict_row(who.as_str(), verdict, note, Line::new().with(Role::Muted, "recorded")));
    }
    // As everywhere: without the LLM's verdict, a cell would be based on the classifier alone.
    match agreement.cell.filter(|_| walk.leaf.is_some()) {
        Some(cell) => doc.push(cell_row(cell)),
        None if abstains(walk) => doc.push(
            row("cell").column(Role::Muted, "none", WHAT).with(Role::Muted, "escalate and undetermined decide nothing"),
        ),
        None => {}
    }
    doc.extend(gold_path(walk, page));
    doc
}

/// The first step whose answer differs from the human one at that node: its index from 0, the step, the gold answer.
pub fn first_unlike_gold(walk: &Walk) -> Option<(usize, &Step, &Name)> {
    walk.steps.iter().enumerate().find_map(|(place, step)| {
        let gold = walk.gold_answer(&step.node.id).filter(|gold| **gold != step.answer)?;
        Some((place, step.as_ref(), gold))
    })
}

/// Where the walk leaves the gold path; empty if nobody labelled a path.
fn gold_path(walk: &Walk, page: Page) -> Doc {
    let mut doc = Doc::new();
    if walk.sample.gold.path.is_empty() {
        return doc;
    }
    let line = row("gold path");
    match first_unlike_gold(walk) {
        Some((place, step, gold)) => {
            let line = line
                .with(Role::Bad, "left at ")
                .with(Role::Muted, format!("step {}, ", place + 1))
                .with(Role::Node, &step.node.id)
                .with(Role::Text, ": answered ")
                .with(Role::Answer, &step.answer)
                .with(Role::Text, ", gold is ")
                .with(Role::Answer, gold);
            doc.push(line);
        }
        None if walk.steps.iter().any(|s| walk.gold_answer(&s.node.id).is_some()) => {
            let so_far = if walk.leaf.is_some() { "" } else { " so far" };
            doc.words(line, Role::Good, &format!("every labelled node is answered as it says{so_far}"), page.width);
        }
        None => doc.words(line, Role::Muted, "no labelled node is answered yet", page.width),
    }
    doc
}

/// Who agrees with whom on the sample of a walk.
pub fn agreement(walk: &Walk) -> Agreement {
    let llm = walk.leaf.as_ref().map(|leaf| leaf.verdict.outcome);
    Agreement::of(walk.sample.classified(&walk.thresholds), llm, walk.sample.gold.outcome)
}

/// Whether the walk has a verdict, and that or another side decides nothing although it is there.
fn abstains(walk: &Walk) -> bool {
    let sample = walk.sample.as_ref();
    let Some(leaf) = &walk.leaf else { return false };
    let sides = [Some(leaf.verdict.outcome), sample.classified(&walk.thresholds), sample.gold.outcome];
    sides.into_iter().flatten().any(|outcome| outcome.violates().is_none())
}

/// The cell, in words.
pub fn cell_row(cell: Cell) -> Line {
    let (role, words) = match cell {
        Cell::AllAgree => (Role::Good, "all that decide agree with gold"),
        Cell::ClassifierWrong => (Role::Bad, "only the classifier decides against gold"),
        Cell::LlmWrong => (Role::Bad, "only the LLM decides against gold"),
        Cell::BothWrong => (Role::Bad, "classifier and LLM both decide against gold"),
        Cell::AgreeNoGold => (Role::Text, "classifier and LLM agree; there is no gold that decides"),
        Cell::DisagreeNoGold => (Role::Warning, "classifier and LLM disagree; there is no gold that decides"),
    };
    row("cell").column(role, cell.as_str(), WHAT).with(Role::Muted, words)
}

/// Every score against its threshold.
pub fn scores(walk: &Walk) -> Doc {
    let sample = walk.sample.as_ref();
    let mut doc = Doc::new();
    let column = sample.scores.iter().map(|(n, _)| crate::text::width::width(n.as_str())).max().unwrap_or(0).min(24);
    for (name, score) in &sample.scores {
        let line = row("").column(Role::Text, name, column + 2).column(Role::Value, decimal(*score), 7);
        let line = match sample.threshold(name.as_str(), &walk.thresholds) {
            Some(threshold) => {
                let over = *score >= threshold;
                let (role, sign) = if over { (Role::Violating, "≥") } else { (Role::NonViolating, "<") };
                line.with(role, sign).with(Role::Value, format!(" {}", decimal(threshold)))
            }
            None => line.with(Role::Muted, "no threshold"),
        };
        let set = walk.thresholds.iter().any(|(n, _)| n == name);
        doc.push(if set { line.with(Role::Overridden, "  threshold overridden") } else { line });
    }
    doc
}

/// The human label.
pub fn gold_row(sample: &Sample) -> Line {
    match (&sample.gold.outcome, &sample.gold.label) {
        (Some(outcome), label) => verdict(row("gold"), &Verdict { outcome: *outcome, label: label.clone() }),
        (None, Some(label)) => {
            row("gold").with(Role::Muted, "outcome not known").with(Role::Value, format!(" {label}"))
        }
        (None, None) => row("gold").with(Role::Muted, "not known"),
    }
}

fn classifier_name(sample: &Sample) -> Line {
    match &sample.classifier {
        Some(classifier) => {
            let line = Line::new().untrusted(Role::Muted, &classifier.id);
            match &classifier.version {
                Some(version) => line.with(Role::Muted, " ").untrusted(Role::Muted, version),
                None => line,
            }
        }
        None => Line::new(),
    }
}

fn row(who: &str) -> Line {
    Line::new().column(Role::Key, who, WHO)
}

fn verdict_row(who: &str, value: &Verdict, note: (Role, String), why: Line) -> Line {
    let mut what = verdict(Line::new(), value);
    let fill = WHAT.saturating_sub(what.width()).max(2);
    what = what.with(Role::Text, " ".repeat(fill));
    let gap = if note.1.is_empty() { "" } else { "  " };
    row(who).join(what).with(note.0, note.1).with(Role::Text, gap).join(why)
}

/// One verdict against gold: `right (tp)`, `wrong (fn)`, neither if one of the two decides nothing, or nothing without
/// gold.
fn against(verdict: Option<&Verdict>, sample: &Sample, confusion: Option<Confusion>) -> (Role, String) {
    match confusion {
        Some(c) if c.is_wrong() => (Role::Bad, format!("wrong ({})", c.as_str())),
        Some(c) => match (verdict.and_then(|v| v.label.as_ref()), &sample.gold.label) {
            (Some(said), Some(gold)) if said != gold => {
                (Role::Warning, format!("right ({}), label should be {gold}", c.as_str()))
            }
            _ => (Role::Good, format!("right ({})", c.as_str())),
        },
        None if verdict.is_some() && sample.gold.outcome.is_some() => {
            (Role::Muted, "neither right nor wrong".to_owned())
        }
        None => (Role::Muted, String::new()),
    }
}
