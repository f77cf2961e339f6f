//! The node pane: question, guidance, the streaming rationale and, always visible below them, the answers.
//!
//! Must mark every value with its provenance: recorded, recomputed or overridden.

use super::compare;
use crate::change::Stale;
use crate::domain::{Name, Provenance, Readout, Target};
use crate::frontend::tui::activity::Activity;
use crate::frontend::tui::ink::{Ink, Row, cells, fit, spread, wrap};
use crate::frontend::tui::view::View;
use crate::policy::{Leaf, Node};
use crate::report::Role;
use crate::report::change::otherwise;
use crate::report::node as nodes;
use crate::report::number::{decimal, millis};
use crate::session::{Step, Taken};
use crate::text::{Untrusted, width};
use ratatui::text::Span;

/// Widest answer bar, in cells: longer ones are no easier to compare.
const BAR_CELLS: usize = 40;

/// Which node or leaf the pane shows and what is known of it.
pub struct Subject<'a> {
    /// The node or leaf.
    pub id: Name,
    /// The leaf, if it is one.
    pub leaf: Option<&'a Leaf>,
    /// Its text, if the policy is known.
    pub node: Option<&'a Node>,
    /// Its step in the current walk, with its place from 0.
    pub step: Option<(usize, &'a Step)>,
    /// Whether it is being asked right now.
    pub asking: bool,
    /// How the loaded policy's question differs from the one shown.
    pub stale: Option<Stale>,
}

/// What to show: the selected node or leaf, else the node being asked, else the one answered last, else the next one.
pub fn subject<'a>(view: View<'a>, selected: Option<&Target>, activity: &Activity) -> Option<Subject<'a>> {
    let selected = match selected {
        Some(Target::Leaf(id)) => {
            let leaf = view.policy().and_then(|policy| policy.leaf(id.as_str()));
            return Some(Subject { id: id.clone(), leaf, node: None, step: None, asking: false, stale: None });
        }
        Some(Target::Node(id)) => Some(id).filter(|id| view.policy().is_none_or(|p| p.node(id.as_str()).is_some())),
        None => None,
    };
    let id = selected
        .cloned()
        .or_else(|| activity.asking().cloned())
        .or_else(|| view.walk()?.steps.last().map(|s| s.node.id.clone()))
        .or_else(|| view.next_node())
        .or_else(|| view.policy().map(|p| p.root.clone()))?;
    let asking = activity.asking() == Some(&id);
    let step = if asking { None } else { view.step_of(&id) };
    let stale = if asking { None } else { view.stale(&id) };
    // What is being asked is asked under the loaded policy, and shown so before the branch it goes to has a step.
    let loaded = || view.basis.loaded.as_deref().and_then(|policy| policy.node(id.as_str()));
    let node = if asking { loaded() } else { view.node(&id) };
    Some(Subject { node, leaf: None, step, asking, stale, id })
}

/// The title in the pane's border.
pub fn title(ink: Ink, view: View<'_>, subject: Option<&Subject<'_>>) -> Vec<Span<'static>> {
    let Some(subject) = subject else {
        return vec![Span::raw("Node")];
    };
    if subject.leaf.is_some() {
        let reached = view.walk().is_some_and(|w| w.leaf.as_ref().is_some_and(|leaf| leaf.id == subject.id));
        let tail = if reached { " · reached" } else { " · not reached" };
        return vec![Span::raw("Leaf "), ink.name(Role::Leaf, &subject.id), ink.own(Role::Muted, tail)];
    }
    let mut spans = vec![Span::raw("Node "), ink.name(Role::Node, &subject.id)];
    let tail = match (&subject.step, subject.asking) {
        (_, true) => " · being asked".to_owned(),
        (Some((i, _)), _) => format!(" · step {}", i + 1),
        (None, _) => " · not asked yet".to_owned(),
    };
    spans.push(ink.own(Role::Muted, tail));
    if subject.stale.is_some() {
        spans.push(ink.own(Role::Warning, " · stale"));
    }
    spans
}

/// The part that stays in sight at the top: the question.
pub fn question(ink: Ink, subject: Option<&Subject<'_>>, limit: usize) -> Vec<Row> {
    match subject {
        None => wrap(&Row::from(ink.own(Role::Hint, "No policy is loaded. Type :load policy PATH")), limit, 0),
        Some(subject) => subject
            .node
            .map_or_else(Vec::new, |node| ink.paragraphs(Role::Heading, &unmarked(&node.question), limit, "")),
    }
}

/// Policy text as the model reads it: without the `[[ ]]` around terms.
fn unmarked(text: &Untrusted) -> Untrusted {
    Untrusted::from(text.raw().replace("[[", "").replace("]]", ""))
}

/// The part that scrolls: guidance, examples, the unsure route and the rationale. Examples and route give way to what
/// the model said if all of it takes more than `room` rows.
pub fn rows(ink: Ink, subject: Option<&Subject<'_>>, activity: &Activity, limit: usize, room: usize) -> Vec<Row> {
    let Some(subject) = subject else { return Vec::new() };
    if let Some(leaf) = subject.leaf {
        return nodes::verdict_of(leaf, limit).0.iter().flat_map(|line| ink.fitted(line, limit, 2)).collect();
    }
    let mut rows = Vec::new();
    if let Some(node) = subject.node {
        for point in &node.guidance {
            rows.extend(ink.paragraphs(Role::Muted, &unmarked(point), limit, "• "));
        }
    }
    let mut said = Vec::new();
    if subject.asking {
        said = rationale(ink, "Rationale", &activity.text(), limit, true);
    } else if let Some(text) = subject.step.and_then(|(_, s)| s.judgement.as_ref()?.rationale.as_ref()) {
        let heading = format!("Rationale ({} tokens, {})", text.tokens, text.stop.as_str().replace('_', " "));
        said = rationale(ink, &heading, &text.text, limit, false);
    }
    if let Some(node) = subject.node.filter(|_| !subject.asking) {
        let route = route(ink, subject, node, limit);
        let all = [examples(ink, node, limit), route.clone()].concat();
        let left = room.saturating_sub(rows.len() + said.len());
        let fits = |more: &Vec<Row>| subject.step.is_none() || more.len() <= left;
        rows.extend([all, route].into_iter().find(fits).unwrap_or_default());
    }
    rows.extend(said);
    rows
}

/// Where a sample goes whose margin is too small; the footer says so itself once it went there.
fn route(ink: Ink, subject: &Subject<'_>, node: &Node, width: usize) -> Vec<Row> {
    let taken = subject.step.is_some_and(|(_, step)| step.taken == Taken::Unsure);
    let Some(unsure) = node.unsure.as_ref().filter(|_| !taken) else { return Vec::new() };
    let text = format!("~ unsure, if the margin is below {} → ", decimal(unsure.margin));
    wrap(&Row::from(vec![ink.own(Role::Muted, text), ink.name(Role::Muted, unsure.target.id())]), width, 2)
}

fn examples(ink: Ink, node: &Node, width: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    for example in &node.examples {
        let mut spans = vec![ink.own(Role::Key, "e.g. ")];
        spans.extend(ink.escaped(Role::Content, &example.text.escaped()));
        spans.push(ink.own(Role::Answer, format!(" → {}", example.answer)));
        if let Some(why) = &example.why {
            spans.push(ink.own(Role::Muted, ": "));
            spans.extend(ink.escaped(Role::Muted, &why.escaped()));
        }
        rows.extend(wrap(&Row::from(spans), width, 5));
    }
    rows
}

fn rationale(ink: Ink, heading: &str, text: &Untrusted, width: usize, streaming: bool) -> Vec<Row> {
    let mut rows = vec![Row::default(), Row::from(ink.own(Role::Key, heading.to_owned()))];
    let text = text.raw().trim_start_matches(['\n', ' ']);
    rows.extend(ink.paragraphs(Role::Rationale, &Untrusted::from(text), width, ""));
    if streaming && let Some(last) = rows.last_mut() {
        last.spans.push(ink.own(Role::Cursor, " "));
    }
    rows
}

/// The part that stays in sight at the bottom: a bar per answer, then coverage and margin, then warnings.
pub fn footer(ink: Ink, subject: Option<&Subject<'_>>, source: Option<Provenance>, width: usize) -> Vec<Row> {
    let Some(subject) = subject else { return Vec::new() };
    let readout = subject.step.and_then(|(_, s)| s.judgement.as_ref()).map(|j| &j.readout);
    let names: Vec<&Name> = match (readout, subject.node) {
        (Some(r), _) => r.answers.iter().map(|a| &a.answer).collect(),
        (None, Some(node)) => node.answers.iter().map(|(a, _)| a).collect(),
        (None, None) => Vec::new(),
    };
    let pad = names.iter().map(|n| width::width(n.as_str())).max().unwrap_or(0).min(width / 3);
    let mut rows: Vec<Row> = names.iter().map(|name| answer(ink, subject, readout, name, pad, width)).collect();
    if let Some((_, step)) = subject.step {
        rows.push(figures(ink, step, source, width));
        rows.extend(remarks(ink, subject, step, width));
    }
    if let Some(stale) = &subject.stale {
        let text = format!("  ⚠ {}", otherwise(stale));
        rows.push(fit(Row::from(ink.own(Role::Warning, text)), width));
    }
    rows
}

fn answer(ink: Ink, subject: &Subject<'_>, readout: Option<&Readout>, name: &Name, pad: usize, width: usize) -> Row {
    let taken = subject.step.is_some_and(|(_, s)| s.answer == *name);
    let role = if taken { Role::Answer } else { Role::Text };
    let label = width::truncate(name.as_str(), pad);
    let gap = " ".repeat(pad - width::width(&label));
    let target = subject.node.and_then(|n| n.target(name.as_str())).map(|t| t.id().clone());
    let mut spans = vec![ink.own(role, if taken { "▸ " } else { "  " }), ink.own(role, format!("{label}{gap} "))];
    let fixed = 2 + pad + 1 + 6 + 1;
    let cells = width.saturating_sub(fixed + 18).clamp(8, BAR_CELLS).min(width.saturating_sub(fixed));
    match readout.and_then(|r| r.p(name.as_str())) {
        Some(p) => {
            spans.extend(bar(ink, p, cells, taken));
            spans.push(ink.own(role, format!(" {p:.3} ")));
        }
        None => {
            spans.push(ink.faint("·".repeat(cells)));
            spans.push(ink.own(Role::Muted, if subject.asking { "   …   " } else { "       " }));
        }
    }
    if let Some(target) = target {
        spans.push(ink.own(Role::Muted, "→ "));
        spans.push(ink.name(if taken { Role::Leaf } else { Role::Muted }, &target));
    }
    fit(Row::from(spans), width)
}

/// A bar of `cells` cells, exact to an eighth of a cell.
pub fn bar(ink: Ink, p: f64, cells: usize, strong: bool) -> Vec<Span<'static>> {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (p.clamp(0.0, 1.0) * cells as f64 * 8.0).round() as usize;
    let full = eighths / 8;
    let part = EIGHTHS.get(eighths % 8).copied().unwrap_or("");
    let rest = cells - full - usize::from(!part.is_empty());
    vec![
        ink.own(if strong { Role::Answer } else { Role::Bar }, format!("{}{part}", "█".repeat(full))),
        ink.faint("·".repeat(rest)),
    ]
}

fn figures(ink: Ink, step: &Step, source: Option<Provenance>, limit: usize) -> Row {
    let right = source.map_or_else(Row::default, |source| {
        let (role, symbol) = compare::origin(source);
        Row::from(ink.own(role, format!("{symbol} {source}")))
    });
    let Some(judgement) = &step.judgement else {
        return spread(Row::from(ink.own(Role::Muted, "  the model was not asked")), right, limit);
    };
    let r = &judgement.readout;
    let mut left = Vec::new();
    for (key, value) in [("coverage", r.coverage), ("margin", r.margin()), ("entropy", r.entropy())] {
        left.push(ink.own(Role::Key, format!("  {key} ")));
        let low = key == "coverage" && r.low_coverage();
        left.push(ink.own(if low { Role::Warning } else { Role::Value }, format!("{value:.2}")));
    }
    let usage = &judgement.usage;
    let cost = format!("  {} tokens, {} reused", usage.computed_tokens, usage.reused_tokens);
    let time = format!("  {}", millis(usage.millis));
    for extra in [cost, time] {
        if cells(&left) + width::width(&extra) + cells(&right.spans) < limit {
            left.push(ink.own(Role::Muted, extra));
        }
    }
    left.truncate(if cells(&left) + cells(&right.spans) < limit { left.len() } else { 4 });
    spread(Row::from(left), right, limit)
}

fn remarks(ink: Ink, subject: &Subject<'_>, step: &Step, width: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    if let Some(judgement) = &step.judgement
        && judgement.readout.low_coverage()
    {
        let text = format!(
            "  ⚠ low coverage: {:.0} % of the mass is on no answer",
            (1.0 - judgement.readout.coverage) * 100.0
        );
        rows.push(Row::from(ink.own(Role::Warning, text)));
    }
    if step.taken == Taken::Unsure {
        let margin = subject.node.and_then(|n| n.unsure.as_ref()).map_or(0.0, |u| u.margin);
        rows.push(Row::from(vec![
            ink.own(Role::Escalate, format!("  ~ margin below {margin:.2}: the unsure route was taken → ")),
            ink.name(Role::Leaf, step.target.id()),
        ]));
    }
    rows.into_iter().map(|row| fit(row, width)).collect()
}
