//! The output of `info`: policy, model, sample, session and what was set or noted in it.
//!
//! Must say what is missing instead of showing an empty screen.

use super::absent::{missing, nothing};
use super::compare::{gold_row, scores as score_rows, verdict};
use super::number::{count, plural};
use super::{
    Basis, Doc, Line, Page, Role, change, conditions, content, node as nodes, source, transcript, walk, walk_tree,
};
use crate::command::Need;
use crate::domain::{Complaint, Mode, Name, Provenance, Target, Verdict};
use crate::policy::Policy;
use crate::session::state::Walk;
use crate::session::{SessionState, SourceFile};
use crate::text::Untrusted;
use crate::text::alike::did_you_mean;
use std::collections::BTreeSet;

/// Cells of the column with the names of values.
const KEY: usize = 14;
/// Rows of the tree in `info policy` above which parts off the path are folded.
const TREE_ROWS: usize = 60;

fn key(name: &str) -> Line {
    Line::new().column(Role::Key, name, KEY)
}

/// `info breakpoints`
pub fn breakpoints(state: &SessionState) -> Doc {
    if state.breakpoints.is_empty() {
        return nothing("no breakpoints; `break NODE` sets one");
    }
    let line = |b| {
        let line = transcript::breakpoint(b);
        if b.hits > 0 { line.with(Role::Muted, format!("  stopped {}", plural(b.hits, "time"))) } else { line }
    };
    Doc(state.breakpoints.iter().map(line).collect())
}

/// `info display`
pub fn displays(state: &SessionState) -> Doc {
    if state.displays.is_empty() {
        return nothing("nothing is displayed; `display EXPR` shows a value after every step");
    }
    transcript::displays_after(state, "")
}

/// `node NODE` and `info node`: the given node or leaf, else the node asked next; at a leaf, the one answered last. A
/// node is shown as it was asked, or as it would be under the policy of the walk.
pub fn node(asked: Option<&Name>, state: &SessionState, basis: &Basis, page: Page) -> Result<Doc, Complaint> {
    let walk = state.walk_now();
    let place = match (asked, walk.map(Walk::frontier)) {
        (Some(id), _) => walk.and_then(|w| w.steps.iter().rposition(|step| step.node.id == *id)),
        (None, Some(Target::Leaf(_))) => walk.and_then(|w| w.steps.len().checked_sub(1)),
        (None, _) => None,
    };
    let (policy, record) = match (walk, place) {
        (Some(walk), Some(place)) => (basis.of_step(place), walk.conditions_of(place).policy.as_ref()),
        (Some(walk), None) => (basis.policy.as_deref(), walk.conditions.policy.as_ref()),
        (None, _) => (basis.loaded.as_deref(), state.policy.as_ref()),
    };
    let policy = policy.ok_or_else(|| missing(Need::Policy, state))?;
    let id = match (asked, walk.map(Walk::frontier)) {
        (Some(id), _) => id.clone(),
        (None, Some(Target::Node(id))) => id,
        (None, Some(Target::Leaf(_))) => {
            walk.and_then(|w| w.steps.last()).map_or_else(|| policy.root.clone(), |s| s.node.id.clone())
        }
        (None, None) => policy.root.clone(),
    };
    if let (None, Some(leaf)) = (policy.node(id.as_str()), policy.leaf(id.as_str())) {
        let at = record.and_then(|record| source::begins(&id, policy, record).ok());
        return Ok(nodes::leaf(leaf, at.map(|(file, line)| position(file, line + 1)), page));
    }
    if let (Some(asked), None) = (asked, policy.node(id.as_str())) {
        let near = did_you_mean(&policy.names_like(asked.as_str(), true), |name| format!("`{name}`"));
        let hint = near.unwrap_or_else(|| "`info policy` lists the nodes.".to_owned());
        return Err(Complaint::new(format!("the policy has no node or leaf `{asked}`")).hinted(hint));
    }
    let node = policy.node(id.as_str()).ok_or_else(|| {
        Complaint::new(format!("the policy of the walk has no node `{id}`"))
            .hinted("The walk was made with another policy; `run` starts it again.")
    })?;
    let at = record.and_then(|record| record.files.get(node.file)).map(|file| position(file, node.line));
    let mut doc = nodes::node(node, policy, at, page);
    let otherwise = match place {
        Some(place) => basis.stale(place).cloned(),
        None => basis.asks_otherwise(&id),
    };
    if let Some(stale) = otherwise {
        doc.words(Line::new().with(Role::Warning, "  ! "), Role::Warning, &change::otherwise(&stale), page.width);
    }
    Ok(doc)
}

fn position(file: &SourceFile, line: usize) -> Line {
    Line::new().untrusted(Role::Muted, &file.path).with(Role::Muted, format!(":{line}"))
}

/// `info policy`
pub fn policy(state: &SessionState, policy: &Policy, basis: &Basis, page: Page) -> Doc {
    let mut doc = Doc::new();
    let version =
        Line::new().with(Role::Value, &policy.id).with(Role::Text, " ").untrusted(Role::Value, &policy.version);
    doc.push(key("policy").join(version));
    doc.paragraph(key("title"), Role::Content, &policy.title, page.width);
    let rows: [(&str, Option<&Untrusted>); 2] =
        [("owner", policy.owner.as_ref()), ("in force from", policy.effective.as_ref())];
    for (name, text) in rows {
        if let Some(text) = text {
            doc.push(key(name).untrusted(Role::Value, text));
        }
    }
    if let Some(record) = &state.policy {
        for (i, file) in record.files.iter().enumerate() {
            doc.push(key(if i == 0 { "file" } else { "" }).untrusted(Role::Value, &file.path));
        }
    }
    let size =
        [plural(policy.nodes.len(), "node"), plural(policy.leaves.len(), "leaf"), plural(policy.terms.len(), "term")];
    doc.push(key("size").with(Role::Value, size.join(", ")));
    doc.push(key("layout").with(Role::Value, policy.layout.as_str()));
    doc.push(key("sha256").with(Role::Muted, policy.sha256.to_string()));
    // The path of a walk that was made under another policy is no path in this one.
    let walk = state.walk_now().filter(|_| !basis.is_older());
    if let Some(older) = state.walk_now().filter(|_| basis.is_older()) {
        let made = conditions::made_under(Line::new(), &older.conditions).text();
        let text = format!("walk {} was made under {made}; `where` shows it as it was", older.id.0);
        doc.words(key("").with(Role::Warning, "! "), Role::Warning, &text, page.width);
    }
    doc.push(Line::new());
    doc.extend(walk_tree::tree(policy, walk, Some(TREE_ROWS), page).doc);
    doc
}

/// `info model`
pub fn model(state: &SessionState, page: Page) -> Result<Doc, Complaint> {
    let info = state.model.as_ref().ok_or_else(|| missing(Need::Model, state))?;
    let mut doc = Doc::new();
    doc.paragraph(key("model"), Role::Value, &info.name, page.width);
    doc.push(key("architecture").untrusted(Role::Value, &info.architecture));
    doc.push(key("size").with(Role::Value, transcript::parameters(info.parameters)));
    doc.push(key("context").with(Role::Value, format!("{} tokens", count(info.context.into()))));
    let device = format!("{}, {} kernels, {}, {} cache", info.device, info.kernel, info.isa, info.kv_dtype);
    doc.push(key("runs on").with(Role::Value, device));
    doc.push(key("mode").with(Role::Value, mode(state.mode)));
    for (name, digest) in
        [("file", info.sha256), ("tokenizer", info.tokenizer_sha256), ("template", info.template_sha256)]
    {
        doc.push(key(name).with(Role::Muted, format!("sha256 {digest}")));
    }
    Ok(doc)
}

fn mode(mode: Mode) -> String {
    match mode {
        Mode::Direct => "direct".to_owned(),
        Mode::Rationale { max_tokens } => format!("rationale, up to {}", plural(max_tokens, "token")),
    }
}

/// `info sample`
pub fn sample(walk: &Walk, page: Page) -> Doc {
    let sample = walk.sample.as_ref();
    let mut doc = Doc::new();
    let head = Line::new().with(Role::Heading, format!("sample {} ", walk.number()));
    doc.push(head.untrusted(Role::Value, &sample.id));
    doc.extend(content::content(sample, 2, usize::MAX, page));
    doc.push(gold_row(sample));
    if !sample.gold.path.is_empty() {
        let path: Vec<String> = sample.gold.path.iter().map(|(node, answer)| format!("{node}={answer}")).collect();
        doc.words(Line::new().column(Role::Key, "gold path", 12), Role::Value, &path.join(", "), page.width);
    }
    if let Some(outcome) = sample.classified(&walk.thresholds) {
        doc.push(verdict(Line::new().column(Role::Key, "classifier", 12), &Verdict { outcome, label: None }));
    }
    doc.extend(score_rows(walk));
    for (who, said) in &sample.verdicts {
        doc.push(verdict(Line::new().column(Role::Key, who, 12), said).with(Role::Muted, "  recorded"));
    }
    if let Some(meta) = &sample.meta {
        doc.paragraph(Line::new().column(Role::Key, "meta", 12), Role::Muted, meta, page.width);
    }
    doc
}

/// `info samples`
pub fn samples(state: &SessionState, page: Page) -> Result<Doc, Complaint> {
    let (path, good, bad) = state.samples.as_ref().ok_or_else(|| missing(Need::Samples, state))?;
    let mut doc = Doc::new();
    doc.push(key("file").untrusted(Role::Value, path));
    doc.push(key("samples").with(Role::Value, count(*good as u64)));
    if *bad > 0 {
        doc.push(key("").with(Role::Warning, format!("{} could not be read", plural(*bad, "line"))));
    }
    let samples = |fits: &dyn Fn(&Walk) -> bool| {
        let seen: BTreeSet<usize> = state.walks.iter().filter(|w| fits(w)).map(|w| w.index).collect();
        seen.len()
    };
    let (walked, ended) = (samples(&|w| !w.steps.is_empty()), samples(&|w| w.leaf.is_some()));
    let line = key("walked").with(Role::Value, format!("{walked} of {}", count(*good as u64)));
    doc.push(line.with(Role::Muted, format!("  {ended} to a verdict")));
    if let Some(walk) = state.walk_now() {
        let line = key("now at").with(Role::Value, format!("{} ", walk.number()));
        let line = line.untrusted(Role::Value, &walk.sample.id).with(Role::Text, "  ");
        let cells = page.width.saturating_sub(line.width());
        doc.push(line.join(content::excerpt(&walk.sample, cells)));
    }
    Ok(doc)
}

/// `info scores`
pub fn scores(walk: &Walk) -> Result<Doc, Complaint> {
    let sample = walk.sample.as_ref();
    if sample.scores.is_empty() {
        return Err(Complaint::new("the sample has no classifier scores")
            .hinted("They stand under `scores` in the sample file."));
    }
    let mut doc = Doc::new();
    if let Some(outcome) = sample.classified(&walk.thresholds) {
        doc.push(verdict(Line::new().column(Role::Key, "classifier", 12), &Verdict { outcome, label: None }));
    }
    doc.extend(score_rows(walk));
    Ok(doc)
}

/// `info session`
pub fn session(state: &SessionState, page: Page) -> Doc {
    let mut doc = Doc::new();
    let none = |line: Line, what: &str| line.with(Role::Muted, format!("no {what} loaded"));
    doc.push(match &state.policy {
        Some(p) => key("policy").with(Role::Value, &p.id).with(Role::Text, " ").untrusted(Role::Value, &p.version),
        None => none(key("policy"), "policy"),
    });
    doc.push(match &state.samples {
        Some((path, good, _)) => key("samples")
            .with(Role::Value, count(*good as u64))
            .with(Role::Text, " from ")
            .untrusted(Role::Value, path),
        None => none(key("samples"), "samples"),
    });
    doc.push(match &state.model {
        Some(info) => key("model").untrusted(Role::Value, &info.name),
        None => none(key("model"), "model"),
    });
    doc.push(key("mode").with(Role::Value, mode(state.mode)));
    let done = state.walks.iter().filter(|w| w.leaf.is_some()).count();
    let walks =
        if state.walks.is_empty() { "none yet".to_owned() } else { format!("{}, {done} at a leaf", state.walks.len()) };
    doc.push(key("walks").with(Role::Value, walks));
    let counts = [
        plural(state.breakpoints.len(), "breakpoint"),
        plural(state.displays.len(), "display"),
        plural(state.notes.len(), "note"),
        plural(state.tags.len(), "tag"),
    ];
    doc.push(key("set").with(Role::Value, counts.join(", ")));
    for (name, value) in &state.thresholds {
        let text = format!("{name} = {}", super::number::decimal(*value));
        doc.push(key("threshold").with(Role::Value, text).with(Role::Overridden, "  overridden"));
    }
    doc.push(
        key("journal")
            .with(Role::Value, format!("{}, {}", plural(state.facts, "fact"), plural(state.commands, "command"))),
    );
    let read_back: usize = state.walks.iter().map(|w| w.read_back).sum();
    let older = match read_back {
        0 => String::new(),
        _ if page.source == Provenance::Recorded => String::new(),
        n => format!("; {} from before the session was opened again: recorded", plural(n, "step")),
    };
    doc.push(key("values are").with(Role::Value, page.source.as_str()).with(Role::Muted, older));
    doc
}

/// `info walks`
pub fn walks(state: &SessionState, page: Page) -> Doc {
    if state.walks.is_empty() {
        return nothing("no walks yet; `sample 1` begins one");
    }
    let mut doc = Doc::new();
    for walk in &state.walks {
        doc.extend(walk::summary(state, walk, page));
    }
    doc
}

/// `info notes`: notes and tags.
pub fn notes(state: &SessionState, page: Page) -> Doc {
    if state.notes.is_empty() && state.tags.is_empty() {
        return nothing("no notes and no tags; `note TEXT` and `tag NAME` leave some");
    }
    let mut doc = Doc::new();
    for note in &state.notes {
        let head = Line::new().with(Role::Muted, format!("note on {}", transcript::subject(note.on)));
        doc.push(transcript::stamped(transcript::place_of(head, state, note.on), note.by.as_ref()));
        doc.paragraph(Line::new().with(Role::Text, "  "), Role::Content, &note.text, page.width);
    }
    for tag in &state.tags {
        let head = Line::new().with(Role::Muted, format!("tag on {}", transcript::subject(tag.on)));
        let line = transcript::place_of(head, state, tag.on).with(Role::Muted, ": ").with(Role::Value, &tag.tag);
        doc.push(transcript::stamped(line, tag.by.as_ref()));
    }
    doc
}
