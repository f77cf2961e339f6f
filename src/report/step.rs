//! One answered node: what was asked, what the model wrote, how likely each answer was, and where it led.
//!
//! Must show coverage beside every set of probabilities, and must mark what a person set.

use super::number::{bar, bits, count, decimal, millis, p};
use super::{Doc, Line, Page, Role};
use crate::domain::{Judgement, Name, Provenance, Readout, StopReason, Target};
use crate::policy::Policy;
use crate::session::{Step, Taken};
use crate::text::{Untrusted, width};

/// Cells of the longest bar.
const BAR: usize = 24;

/// A step on one line: `2 request  yes 0.934 → impersonation`, with the provenance of its values at the right edge.
pub fn head(number: usize, step: &Step, page: Page) -> Line {
    let line =
        Line::new().with(Role::Muted, format!("{number} ")).with(Role::Node, &step.node.id).with(Role::Text, "  ");
    let source = if step.taken == Taken::Overridden { Provenance::Overridden } else { page.source };
    let role = if source == Provenance::Overridden { Role::Overridden } else { Role::Muted };
    edge(line, step).right(role, source.as_str(), page.width)
}

/// The answer with its probability, and where it led.
pub fn edge(line: Line, step: &Step) -> Line {
    let line = match step.taken {
        Taken::Overridden => line.with(Role::Answer, &step.answer).with(Role::Overridden, " (set by hand)"),
        Taken::Argmax => answer_with_p(line, step),
        Taken::Unsure => answer_with_p(line, step).with(Role::Warning, " unsure"),
    };
    target(line.with(Role::Muted, " → "), &step.target)
}

fn answer_with_p(line: Line, step: &Step) -> Line {
    let line = line.with(Role::Answer, &step.answer);
    match step.judgement.as_ref().and_then(|j| j.readout.p(step.answer.as_str())) {
        Some(value) => line.with(Role::Value, format!(" {}", p(value))),
        None => line,
    }
}

/// A node or leaf with the role of its kind.
pub fn target(line: Line, target: &Target) -> Line {
    match target {
        Target::Node(id) => line.with(Role::Node, id),
        Target::Leaf(id) => line.with(Role::Leaf, id),
    }
}

/// Why the edge of a step was taken.
pub fn why(step: &Step, policy: Option<&Policy>) -> String {
    match step.taken {
        Taken::Argmax => "the most probable answer".to_owned(),
        Taken::Overridden => "answered by hand".to_owned(),
        Taken::Unsure => {
            let node = policy.and_then(|policy| policy.node(step.node.id.as_str()));
            let limit = node.and_then(|n| n.unsure.as_ref());
            let limit = limit.map(|u| format!(" of {}", decimal(u.margin))).unwrap_or_default();
            format!("the margin is below the limit{limit}, so the node's unsure edge was followed")
        }
    }
}

/// Everything about a step; `policy` is the one it was asked under. `gold` is the answer a human gave at this node.
pub fn step(number: usize, step: &Step, policy: Option<&Policy>, gold: Option<&Name>, page: Page) -> Doc {
    let mut doc = Doc::new();
    doc.push(head(number, step, page));
    let node = policy.and_then(|policy| policy.node(step.node.id.as_str()));
    if let Some(node) = node {
        let question = Untrusted::from(as_read(node.question.raw()));
        doc.paragraph(margin(), Role::Content, &question, page.width);
        if node.hash != step.node.hash {
            doc.words(
                margin(),
                Role::Warning,
                "! the recorded policy is not the one the model was asked under: its text was another",
                page.width,
            );
        }
    }
    if let Some(judgement) = &step.judgement {
        doc.extend(judged(step, judgement, page));
    }
    if step.taken == Taken::Unsure {
        doc.words(warning(), Role::Warning, &why(step, policy), page.width);
    }
    if let Some(gold) = gold {
        let (role, word) = if *gold == step.answer { (Role::Good, "agrees") } else { (Role::Bad, "differs") };
        let line = margin().with(Role::Key, "gold answer ").with(Role::Answer, gold).with(Role::Text, ": ");
        doc.push(line.with(role, word));
    }
    doc
}

fn judged(step: &Step, judgement: &Judgement, page: Page) -> Doc {
    let mut doc = Doc::new();
    if let Some(rationale) = &judgement.rationale {
        let quote = margin().with(Role::Bar, "│ ");
        let mut text = Doc::new();
        // The space before the first token and the line ends after the last say nothing; `x` shows them.
        let written = Untrusted::from(rationale.text.raw().trim_matches([' ', '\n']));
        text.paragraph(quote.clone(), Role::Rationale, &written, page.width);
        for (i, line) in text.0.into_iter().enumerate() {
            let rest = line.0.into_iter().skip(if i == 0 { 0 } else { 1 });
            doc.push(if i == 0 { Line(rest.collect()) } else { quote.clone().join(Line(rest.collect())) });
        }
        if rationale.stop == StopReason::Length {
            let text = format!("… cut off after {} tokens", rationale.tokens);
            doc.push(quote.with(Role::Muted, text));
        }
    }
    let chosen = (step.taken != Taken::Unsure).then_some(&step.answer);
    doc.extend(readout(&judgement.readout, chosen, page));
    let usage = judgement.usage;
    let mut cost = format!("{} tokens", count(usage.prompt_tokens.into()));
    if usage.reused_tokens > 0 {
        cost.push_str(&format!(", {} reused", count(usage.reused_tokens.into())));
    }
    cost.push_str(&format!(", {} computed · {}", count(usage.computed_tokens.into()), millis(usage.millis)));
    if usage.prompt_tokens > 0 {
        doc.words(margin(), Role::Muted, &cost, page.width);
    }
    doc
}

/// Bars of all answers, and how far they can be trusted. `chosen` is the answer that was followed.
pub fn readout(readout: &Readout, chosen: Option<&Name>, page: Page) -> Doc {
    let mut doc = Doc::new();
    let column = readout.answers.iter().map(|a| width::width(a.answer.as_str())).max().unwrap_or(0).min(24);
    let cells = page.width.saturating_sub(column + 14).clamp(4, BAR);
    for score in &readout.answers {
        let taken = chosen == Some(&score.answer);
        let role = if taken { Role::Answer } else { Role::Text };
        let line = margin().with(role, if taken { "▸ " } else { "  " }).column(role, &score.answer, column);
        doc.push(line.with(Role::Value, format!("  {}  ", p(score.p))).with(Role::Bar, bar(score.p, cells)));
    }
    let low = readout.low_coverage();
    let line = margin()
        .with(Role::Key, "coverage ")
        .with(if low { Role::Warning } else { Role::Value }, p(readout.coverage))
        .with(Role::Key, " · margin ")
        .with(Role::Value, p(readout.margin()))
        .with(Role::Key, " · entropy ")
        .with(Role::Value, bits(readout.entropy()));
    doc.push(line);
    if low {
        let text = format!(
            "low coverage: {} of the model's probability went to something that is no allowed answer",
            p((1.0 - readout.coverage).clamp(0.0, 1.0)).trim()
        );
        doc.words(warning(), Role::Warning, &text, page.width);
    }
    doc
}

/// Policy text as the model reads it: references to terms without their brackets.
pub fn as_read(text: &str) -> String {
    text.replace("[[", "").replace("]]", "")
}

fn warning() -> Line {
    Line::new().with(Role::Warning, "  ! ")
}

fn margin() -> Line {
    Line::new().with(Role::Text, "  ")
}
