//! The transcript: one document per fact, the same in the REPL, in scripts and in replay.
//!
//! Must be given the state after the fact was applied, and must not repeat what the reader typed.

use super::compare::{compare, leaf};
use super::conditions::branched_under;
use super::examination::{examination, examined};
use super::number::{count, decimal, plural};
use super::{Basis, Doc, Line, Page, Role, change, content, failure, step, value, walk};
use crate::domain::{BreakAt, Complaint, Mode, ModelInfo, Name, Sample};
use crate::session::expr::{self, Context};
use crate::session::state::MOST_DISPLAYS;
use crate::session::{Breakpoint, Fact, FailureKind, PolicyRecord, SessionState, Stamp, Step, Subject, WalkId};
use crate::text::{Escaped, Untrusted};

/// Lines of a sample that are shown when it is selected.
const SAMPLE_LINES: usize = 12;

/// What to print for `fact`. Empty for [`Fact::Command`]: the line is on the screen already, and replay prints it
/// with [`command`].
pub fn fact(state: &SessionState, basis: &Basis, fact: &Fact, page: Page) -> Doc {
    match fact {
        Fact::Command { .. } => Doc::new(),
        Fact::WalkStarted { walk, index, sample, root } => started(state, *walk, *index, sample, root, page),
        Fact::Stepped { walk, step } => stepped(state, basis, *walk, step, page),
        Fact::LeafReached { walk, .. } => reached(state, *walk, page),
        Fact::Examined { found, .. } => examination(found, page),
        Fact::Failed { kind, message } => failure::failure(*kind, &Complaint::new(message.clone()), page.width),
        other => brief(state, basis, other, page),
    }
}

/// The line of a command, for replay.
pub fn command(line: &str) -> Line {
    Line::new().with(Role::Muted, "> ").with(Role::Text, line)
}

/// The same in as few lines as possible, for a log beside panes that show the rest.
pub fn brief(state: &SessionState, basis: &Basis, fact: &Fact, page: Page) -> Doc {
    let line = Line::new();
    Doc(vec![match fact {
        Fact::Command { .. } => return Doc::new(),
        Fact::Opened { program, at } => line.with(Role::Muted, format!("session opened {at} by crossexam {program}")),
        Fact::Resumed { at } => line.with(Role::Muted, format!("session resumed {at}")),
        Fact::PolicyLoaded(record) => {
            let mut doc = Doc(vec![policy_loaded(record)]);
            doc.extend(change::loaded(state, basis, page));
            return doc;
        }
        Fact::SamplesLoaded { path, count, bad, faults, .. } => {
            let mut doc = Doc::new();
            doc.push(samples_loaded(path, *count, *bad));
            for fault in faults {
                doc.paragraph(Line::new().with(Role::Muted, "  line "), Role::Text, fault, page.width);
            }
            return doc;
        }
        Fact::ModelLoaded(info) => model_loaded(info),
        Fact::ModeSet { mode } => mode_set(*mode),
        Fact::WalkStarted { walk, index, sample, .. } => line
            .with(Role::Heading, format!("sample {} ", index.saturating_add(1)))
            .untrusted(Role::Value, &sample.id)
            .with(Role::Muted, format!("  walk {}", walk.0)),
        Fact::WalkForked { walk, from, at } => {
            let line = line
                .with(Role::Heading, format!("walk {}", walk.0))
                .with(Role::Muted, format!(" branches off walk {} after {}", from.0, plural(*at, "step")));
            let changed = state.walk(*walk).and_then(|fork| branched_under(state, fork));
            match changed {
                Some((_, now)) => line.with(Role::Muted, ", under ").join(now),
                None => line,
            }
        }
        Fact::Stepped { walk, step } => {
            let number = state.walk(*walk).map_or(1, |w| w.steps.len());
            step::head(number, step, page)
        }
        Fact::LeafReached { walk, leaf: reached } => {
            let source = state.walk(*walk).map_or(page.source, |w| page.source_of_walk(w));
            return Doc(leaf(reached, page, source).0.into_iter().take(1).collect());
        }
        Fact::SteppedBack { walk, .. } => {
            let line = line.with(Role::Text, "back to ");
            match state.walk(*walk) {
                Some(walk) => {
                    step::target(line, &walk.frontier()).with(Role::Muted, " (the steps stay in the session)")
                }
                None => line,
            }
        }
        Fact::WalkSelected { walk } => {
            let Some(walk) = state.walk(*walk) else { return Doc::new() };
            return walk::summary(state, walk, page);
        }
        Fact::BreakpointSet(breakpoint) => self::breakpoint(breakpoint),
        Fact::BreakpointDeleted { id } => line.with(Role::Text, format!("breakpoint {id} deleted")),
        Fact::BreakpointHit { id, at, .. } => breakpoint_hit(state, *id, at),
        Fact::DisplayAdded { id, expr } if state.displays.len() > MOST_DISPLAYS => line
            .with(Role::Muted, format!("{id}: "))
            .untrusted(Role::Key, &expr.as_str().into())
            .with(Role::Warning, format!("  not computed: only the first {MOST_DISPLAYS} displays are")),
        Fact::DisplayAdded { id, expr } => {
            let result = expr::eval(expr, &Context::of(state));
            value::evaluated(line.with(Role::Muted, format!("{id}: ")), expr, &result)
        }
        Fact::DisplayRemoved { id } => line.with(Role::Text, format!("display {id} removed")),
        Fact::ThresholdSet { name, value } => line
            .with(Role::Text, "threshold ")
            .with(Role::Key, name)
            .with(Role::Text, " = ")
            .with(Role::Value, decimal(*value))
            .with(Role::Overridden, "  overridden"),
        Fact::Noted { on, text, by } => {
            let mut doc = Doc::new();
            let line = in_review(line.with(Role::Good, "noted"), by.as_ref());
            let prefix = line.with(Role::Muted, format!(" on {}: ", subject(*on)));
            doc.paragraph(prefix, Role::Content, text, page.width);
            return doc;
        }
        Fact::Tagged { on, tag, by } => in_review(line.with(Role::Good, "tagged"), by.as_ref())
            .with(Role::Muted, format!(" on {}: ", subject(*on)))
            .with(Role::Value, tag),
        Fact::Examined { node, found, .. } => examined(found).with(Role::Muted, " of ").with(Role::Node, node),
        Fact::Cancelled { node, .. } => line
            .with(Role::Warning, "stopped")
            .with(Role::Text, " while asking ")
            .with(Role::Node, node)
            .with(Role::Muted, "; no answer was taken"),
        Fact::Failed { kind, message } => {
            let word = if *kind == FailureKind::Internal { "internal error: " } else { "error: " };
            let lines: Vec<&str> = message.raw().lines().collect();
            line.with(Role::Error, word).untrusted(Role::Text, &lines.join("; ").into())
        }
        Fact::ReviewOf { session } => {
            line.with(Role::Muted, "review of the session that begins with ").with(Role::Value, session.to_string())
        }
        Fact::Saved { path } => line.with(Role::Good, "saved").with(Role::Text, " to ").untrusted(Role::Value, path),
    }])
}

/// The author, if it was left in a review rather than in the session itself.
fn in_review(line: Line, by: Option<&Stamp>) -> Line {
    match by.filter(|by| by.after.is_some()) {
        Some(by) => line.with(Role::Muted, " in review by ").escaped(Role::Text, &by.author.escaped()),
        None => line,
    }
}

/// What a note or tag is about, in words.
pub fn subject(on: Subject) -> String {
    match on {
        Subject::Session => "the session".to_owned(),
        Subject::Walk(walk) => format!("walk {}", walk.0),
        Subject::Step(walk, step) => format!("walk {}, step {}", walk.0, step.saturating_add(1)),
    }
}

/// The sample and the node that something is about, as far as the session has them: `, sample 3 post-0003, node
/// deceptive`.
pub fn place_of(line: Line, state: &SessionState, on: Subject) -> Line {
    let (walk, place) = match on {
        Subject::Session => return line,
        Subject::Walk(walk) => (walk, None),
        Subject::Step(walk, place) => (walk, Some(place)),
    };
    let Some(walk) = state.walk(walk) else { return line };
    let line =
        line.with(Role::Muted, format!(", sample {} ", walk.number())).escaped(Role::Muted, &walk.sample.id.escaped());
    match place.and_then(|place| walk.steps.get(place)) {
        Some(step) => line.with(Role::Muted, ", node ").with(Role::Node, &step.node.id),
        None => line,
    }
}

/// A line with the author and time of the note.
pub fn stamped(line: Line, by: Option<&Stamp>) -> Line {
    match by {
        None => line,
        Some(by) => line
            .with(Role::Muted, ", by ")
            .escaped(Role::Text, &by.author.escaped())
            .with(Role::Muted, ", ")
            .escaped(Role::Text, &Escaped::line(&by.at)),
    }
}

/// A breakpoint as it would be typed, and its state.
pub fn breakpoint(breakpoint: &Breakpoint) -> Line {
    let line = Line::new()
        .with(Role::Text, if breakpoint.temporary { "temporary breakpoint " } else { "breakpoint " })
        .with(Role::Value, breakpoint.id.to_string())
        .with(Role::Text, " at ");
    let line = place(line, &breakpoint.at);
    let line = match &breakpoint.condition {
        Some(condition) => line.with(Role::Muted, " if ").with(Role::Key, condition),
        None => line,
    };
    if breakpoint.enabled { line } else { line.with(Role::Warning, "  disabled") }
}

/// Where a breakpoint stops.
pub fn place(line: Line, at: &BreakAt) -> Line {
    match at {
        BreakAt::Place(id) => line.with(Role::Node, id),
        BreakAt::Answer(node, answer) => line.with(Role::Node, node).with(Role::Muted, "=").with(Role::Answer, answer),
        BreakAt::Anywhere => line.with(Role::Node, "every node"),
    }
}

fn started(state: &SessionState, walk: WalkId, index: usize, sample: &Sample, root: &Name, page: Page) -> Doc {
    let mut doc = Doc::new();
    let of = state.samples.as_ref().map(|(_, count, _)| format!(" of {count}")).unwrap_or_default();
    let line = Line::new()
        .with(Role::Heading, format!("sample {}{of} ", index.saturating_add(1)))
        .untrusted(Role::Value, &sample.id);
    doc.push(line.right(Role::Muted, format!("walk {}", walk.0), page.width));
    doc.extend(content::content(sample, 2, SAMPLE_LINES, page));
    doc.push(
        Line::new()
            .with(Role::Cursor, "=>")
            .with(Role::Text, "  ")
            .with(Role::Node, root)
            .with(Role::Muted, "  is asked next"),
    );
    doc
}

fn stepped(state: &SessionState, basis: &Basis, walk: WalkId, step: &Step, page: Page) -> Doc {
    let (number, gold) = match state.walk(walk) {
        Some(walk) => (walk.steps.len(), walk.gold_answer(&step.node.id)),
        None => (1, None),
    };
    let policy = basis.of_step(number.saturating_sub(1));
    let mut doc = step::step(number, step, policy, gold, page);
    doc.extend(displays(state));
    doc
}

/// The values of all displays, as they are shown after every step.
pub fn displays(state: &SessionState) -> Doc {
    displays_after(state, "  ")
}

/// The same after this margin.
pub fn displays_after(state: &SessionState, margin: &str) -> Doc {
    if state.displays.is_empty() {
        return Doc::new();
    }
    let context = Context::of(state);
    let shown = |(id, expr): &(u32, String)| {
        let line = Line::new().with(Role::Muted, format!("{margin}{id}: "));
        value::evaluated(line, expr, &expr::eval(expr, &context))
    };
    let mut doc = Doc(state.displays.iter().take(MOST_DISPLAYS).map(shown).collect());
    // More come from a file only: a session refuses them.
    if let Some(more @ 1..) = state.displays.len().checked_sub(MOST_DISPLAYS) {
        let line = Line::new().with(Role::Muted, margin);
        doc.push(
            line.with(
                Role::Warning,
                format!("{} not computed: only the first {MOST_DISPLAYS} are", count(more as u64)),
            ),
        );
    }
    doc
}

fn reached(state: &SessionState, id: WalkId, page: Page) -> Doc {
    let Some(walk) = state.walk(id) else { return Doc::new() };
    let Some(reached) = &walk.leaf else { return Doc(vec![walk::standing(walk, page)]) };
    let mut doc = leaf(reached, page, page.source_of_walk(walk));
    let sample = walk.sample.as_ref();
    if sample.gold.outcome.is_some() || sample.gold.label.is_some() || !sample.scores.is_empty() {
        let compared = compare(walk, page);
        doc.0.extend(compared.0.into_iter().map(|line| Line::new().with(Role::Text, "  ").join(line)));
    }
    doc
}

fn policy_loaded(record: &PolicyRecord) -> Line {
    Line::new()
        .with(Role::Text, "policy ")
        .with(Role::Value, &record.id)
        .with(Role::Text, " ")
        .untrusted(Role::Value, &record.version)
        .with(Role::Muted, "  ")
        .untrusted(Role::Content, &record.title)
        .with(Role::Muted, format!("  sha256 {}", record.sha256.short()))
}

fn samples_loaded(path: &Untrusted, good: usize, bad: usize) -> Line {
    let line =
        Line::new().with(Role::Value, plural(good, "sample")).with(Role::Text, " from ").untrusted(Role::Value, path);
    if bad == 0 { line } else { line.with(Role::Warning, format!("  {} could not be read", plural(bad, "line"))) }
}

fn model_loaded(info: &ModelInfo) -> Line {
    Line::new()
        .with(Role::Text, "model ")
        .untrusted(Role::Value, &info.name)
        .with(Role::Muted, format!("  {} · ", parameters(info.parameters)))
        .untrusted(Role::Muted, &info.architecture)
        .with(Role::Muted, format!(" · {} · reads {} tokens", info.device, count(info.context.into())))
}

/// `135 M parameters`
pub fn parameters(n: u64) -> String {
    match n {
        0..1_000_000 => format!("{} parameters", count(n)),
        1_000_000..999_500_000 => format!("{} M parameters", (n + 500_000) / 1_000_000),
        _ => format!("{:.1} B parameters", n as f64 / 1e9),
    }
}

fn mode_set(mode: Mode) -> Line {
    let line = Line::new().with(Role::Text, "mode ").with(Role::Value, mode.as_str());
    match mode {
        Mode::Direct => line.with(Role::Muted, "  the answer is read right after the question"),
        Mode::Rationale { max_tokens } => {
            line.with(Role::Muted, format!("  the model writes up to {} first", plural(max_tokens, "token")))
        }
    }
}

fn breakpoint_hit(state: &SessionState, id: u32, at: &Name) -> Line {
    let line = Line::new()
        .with(Role::Warning, "◆ ")
        .with(Role::Text, "breakpoint ")
        .with(Role::Value, id.to_string())
        .with(Role::Text, " at ")
        .with(Role::Node, at);
    match state.breakpoints.iter().find(|b| b.id == id).and_then(|b| b.condition.as_ref()) {
        Some(condition) => line.with(Role::Muted, " because ").with(Role::Key, condition),
        None => line,
    }
}
