//! Reads a TOML document into a [`Draft`]: which tables and keys a policy has.
//!
//! Must look at one table at a time; `check_file` checks what spans several.

use super::codes::{CODES, Code, Severity};
use super::diagnostics::{Fault, did_you_mean, one_of};
use super::draft::{
    AnswerDraft, Draft, ExampleDraft, Goal, GoalKind, Head, IncludeDraft, LeafDraft, NodeDraft, TermDraft, Text,
    UnsureDraft,
};
use super::fields::{Cx, Entry, NameKind, short};
use super::source::At;
use crate::domain::{Layout, Outcome};
use toml::de::{DeTable, DeValue};

const HEAD_KEYS: &[&str] = &["id", "version", "title", "owner", "effective", "root", "instructions", "layout", "allow"];
const NODE_KEYS: &[&str] = &["question", "guidance", "examples", "answers", "unsure", "allow"];
const LEAF_KEYS: &[&str] = &["outcome", "label", "severity", "action", "rule_ids", "allow"];

/// Reads one document.
pub(super) fn draft(cx: &mut Cx<'_>, root: &DeTable<'_>) -> Draft {
    cx.known_keys(root, "the policy file", &["policy", "term", "node", "leaf", "include"]);
    let mut draft = Draft::default();
    if let Some(entry) = cx.get(root, "policy") {
        draft.head = cx.table(entry, "write [policy] on a line of its own").map(|t| head(cx, t, entry.key_at));
    }
    if let Some(entry) = cx.get(root, "term") {
        for element in cx.array(entry, "write [[term]] with two brackets") {
            if let Some(table) = cx.table(element, "write [[term]] with a name and a definition") {
                draft.terms.extend(term(cx, table, element.value_at));
            }
        }
    }
    draft.nodes = section(cx, root, "node", node);
    draft.leaves = section(cx, root, "leaf", leaf);
    draft.includes = section(cx, root, "include", include);
    draft
}

/// The tables `[SECTION.ID]`, in file order.
fn section<T>(
    cx: &mut Cx<'_>,
    root: &DeTable<'_>,
    name: &str,
    mut read: impl FnMut(&mut Cx<'_>, Text, &DeTable<'_>) -> T,
) -> Vec<T> {
    let hint = format!("write [{name}.ID] on a line of its own");
    let Some(entry) = cx.get(root, name) else { return Vec::new() };
    let Some(table) = cx.table(entry, &hint) else { return Vec::new() };
    let mut out = Vec::new();
    for entry in cx.entries(table) {
        let Some(inner) = cx.table(entry, &hint) else { continue };
        let id = Text { text: entry.key.to_owned(), at: entry.key_at };
        cx.check_name(&id, name, NameKind::Id);
        out.push(read(cx, id, inner));
    }
    out
}

fn head(cx: &mut Cx<'_>, table: &DeTable<'_>, at: At) -> Head {
    let what = "[policy]";
    cx.known_keys(table, what, HEAD_KEYS);
    let id = cx.required(table, "id", at, what, "write id = \"…\": a short name that stays the same in every version");
    if let Some(id) = &id {
        cx.check_name(id, "policy id", NameKind::Label);
    }
    let version = cx.required(table, "version", at, what, "write version = \"1.0.0\"");
    if let Some(v) = version.as_ref().filter(|v| !v.text.trim().is_empty())
        && let Err(e) = semver::Version::parse(&v.text)
    {
        let fault = Fault::new(Code::BadVersion, v.at, format!("`{}` is not a version: {e}", short(&v.text)));
        cx.sink.push(fault.hint("write three numbers: MAJOR.MINOR.PATCH, for example 1.2.0"));
    }
    let title = cx.required(table, "title", at, what, "write title = \"…\": what people call this policy");
    let instructions = cx.text(table, "instructions");
    Head {
        at,
        id,
        version,
        title,
        owner: cx.text(table, "owner"),
        effective: effective(cx, table),
        root: cx.text(table, "root"),
        instructions,
        layout: layout(cx, table),
        allow: allow(cx, table),
    }
}

fn effective(cx: &mut Cx<'_>, table: &DeTable<'_>) -> Option<Text> {
    let entry = cx.get(table, "effective")?;
    if let DeValue::Datetime(d) = entry.value
        && let (Some(date), None) = (d.date, d.time)
    {
        return Some(Text { text: date.to_string(), at: entry.value_at });
    }
    let fault = Fault::new(Code::BadDate, entry.value_at, "`effective` has to be a day of the calendar");
    cx.sink.push(fault.hint("write it without quotes and without a time, for example effective = 2026-10-01"));
    None
}

fn layout(cx: &mut Cx<'_>, table: &DeTable<'_>) -> Layout {
    let all = [Layout::SampleFirst, Layout::NodeFirst];
    let Some(text) = cx.text(table, "layout") else { return Layout::default() };
    all.into_iter().find(|l| l.as_str() == text.text).unwrap_or_else(|| {
        let hint = format!("write {}", one_of(all.map(Layout::as_str)));
        cx.sink
            .push(Fault::new(Code::BadLayout, text.at, format!("unknown layout `{}`", short(&text.text))).hint(hint));
        Layout::default()
    })
}

/// The warnings that the author has seen and accepted.
fn allow(cx: &mut Cx<'_>, table: &DeTable<'_>) -> Vec<Code> {
    let mut out = Vec::new();
    for text in cx.texts(table, "allow") {
        let found = Code::find(&text.text);
        if let Some(code) = found.filter(|c| c.info().severity == Severity::Warning) {
            out.push(code);
            continue;
        }
        let fault = match found {
            Some(code) => Fault::new(Code::BadAllow, text.at, format!("{code} is an error and cannot be allowed"))
                .hint("mend the error; only warnings can be allowed"),
            None => {
                let names = CODES.iter().filter(|c| c.severity == Severity::Warning).map(|c| c.name);
                let hint = match did_you_mean(&text.text, names) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => "write a warning's code or name, for example \"P121\" or \"no-examples\"".to_owned(),
                };
                Fault::new(Code::BadAllow, text.at, format!("there is no warning `{}`", short(&text.text))).hint(hint)
            }
        };
        cx.sink.push(fault);
    }
    out
}

fn term(cx: &mut Cx<'_>, table: &DeTable<'_>, at: At) -> Option<TermDraft> {
    cx.known_keys(table, "[[term]]", &["name", "definition"]);
    let name = cx.required(table, "name", at, "[[term]]", "write name = \"…\"");
    let definition = cx.required(table, "definition", at, "[[term]]", "write definition = \"…\"");
    Some(TermDraft { name: name?, definition })
}

fn node(cx: &mut Cx<'_>, id: Text, table: &DeTable<'_>) -> NodeDraft {
    let what = format!("node `{}`", short(&id.text));
    cx.known_keys(table, &what, NODE_KEYS);
    let question = cx.text(table, "question");
    if !table.contains_key("question") {
        let fault = Fault::new(Code::NoQuestion, id.at, format!("{what} has no question"));
        cx.sink.push(fault.hint("write question = \"…?\": what the model is asked"));
    }
    let answers = answers(cx, &id, table);
    NodeDraft {
        question,
        guidance: cx.texts(table, "guidance"),
        examples: examples(cx, table),
        answers,
        unsure: unsure(cx, table, &what),
        allow: allow(cx, table),
        id,
    }
}

/// Answers beyond these are not read: a table with a hundred thousand is an attack, not a node.
const ANSWERS_READ: usize = 64;

fn answers(cx: &mut Cx<'_>, id: &Text, table: &DeTable<'_>) -> Vec<AnswerDraft> {
    let mut out = Vec::new();
    let entry = cx.get(table, "answers");
    let inner = entry.and_then(|e| cx.table(e, "write [node.ID.answers] with lines such as yes = { next = \"…\" }"));
    if entry.is_none() || inner.is_some() {
        let count = inner.map_or(0, DeTable::len);
        let at = entry.map_or(id.at, |e| e.key_at);
        let what = format!("node `{}` has {count} answer{}", short(&id.text), if count == 1 { "" } else { "s" });
        if count < 2 {
            let fault = Fault::new(Code::TooFewAnswers, at, what);
            cx.sink.push(
                fault.hint("give it 2 to 8 answers, for example yes = { leaf = \"…\" } and no = { next = \"…\" }"),
            );
        } else if count > 8 {
            let fault = Fault::new(Code::TooManyAnswers, at, what);
            cx.sink.push(fault.hint("at most 8 are allowed: split the node in two"));
        }
    }
    for entry in inner.map(|t| cx.entries(t)).unwrap_or_default().into_iter().take(ANSWERS_READ) {
        let name = Text { text: entry.key.to_owned(), at: entry.key_at };
        cx.check_name(&name, "answer", NameKind::Label);
        let what = format!("answer `{}`", short(entry.key));
        out.push(AnswerDraft { goal: goal_of(cx, entry, &what, &[]), name });
    }
    out
}

fn goal_of(cx: &mut Cx<'_>, entry: Entry<'_, '_>, what: &str, more: &[&str]) -> Option<Goal> {
    let hint = format!("write {} = {{ next = \"NODE\" }} or {{ leaf = \"LEAF\" }}", short(entry.key));
    let table = cx.table(entry, &hint)?;
    goal(cx, table, entry.key_at, what, more)
}

/// `next` or `leaf` of a table whose other keys are `more`.
fn goal(cx: &mut Cx<'_>, table: &DeTable<'_>, at: At, what: &str, more: &[&str]) -> Option<Goal> {
    let known: Vec<&str> = ["next", "leaf"].iter().chain(more).copied().collect();
    cx.known_keys(table, what, &known);
    match (cx.get(table, "next"), cx.get(table, "leaf")) {
        (Some(next), Some(leaf)) => {
            let fault = Fault::new(Code::TwoTargets, leaf.key_at, format!("{what} has both `next` and `leaf`"));
            cx.sink.push(fault.hint("keep the one that is meant").related("the other one is here", next.key_at));
            None
        }
        (Some(entry), None) => cx.string(entry).map(|id| Goal { kind: GoalKind::Next, id }),
        (None, Some(entry)) => cx.string(entry).map(|id| Goal { kind: GoalKind::Leaf, id }),
        (None, None) => {
            // A misspelt `next` was already reported as an unknown key; saying both would be noise.
            if table.keys().all(|k| more.contains(&k.get_ref().as_ref())) {
                let fault = Fault::new(Code::NoTarget, at, format!("{what} leads nowhere"));
                cx.sink.push(fault.hint("write next = \"NODE\" or leaf = \"LEAF\""));
            }
            None
        }
    }
}

fn examples(cx: &mut Cx<'_>, table: &DeTable<'_>) -> Vec<ExampleDraft> {
    let hint = "write examples = [{ text = \"…\", answer = \"…\", why = \"…\" }]";
    let Some(entry) = cx.get(table, "examples") else { return Vec::new() };
    let mut out = Vec::new();
    for element in cx.array(entry, hint) {
        let Some(table) = cx.table(element, hint) else { continue };
        cx.known_keys(table, "the example", &["text", "answer", "why"]);
        out.push(ExampleDraft {
            text: cx.required(table, "text", element.value_at, "the example", hint),
            answer: cx.required(table, "answer", element.value_at, "the example", hint),
            why: cx.text(table, "why"),
        });
    }
    out
}

fn unsure(cx: &mut Cx<'_>, table: &DeTable<'_>, node: &str) -> Option<UnsureDraft> {
    let entry = cx.get(table, "unsure")?;
    let inner = cx.table(entry, "write [node.ID.unsure] with margin = 0.15 and leaf = \"…\"")?;
    let what = format!("the unsure route of {node}");
    let goal = goal(cx, inner, entry.key_at, &what, &["margin"]);
    let Some(margin) = cx.get(inner, "margin") else {
        let fault = Fault::new(Code::MissingKey, entry.key_at, format!("{what} has no `margin`"));
        cx.sink.push(fault.hint("write margin = 0.15: below this difference of the two best answers it is followed"));
        return Some(UnsureDraft { margin: 0.0, goal });
    };
    let value = match margin.value {
        DeValue::Float(f) => f.as_str().parse::<f64>().ok(),
        DeValue::Integer(_) => integer(margin.value).map(|i| i as f64),
        _ => {
            cx.wrong_type(margin, "a number", "write margin = 0.15");
            return None;
        }
    };
    match value.filter(|m| (0.0..=1.0).contains(m)) {
        Some(margin) => Some(UnsureDraft { margin, goal }),
        None => {
            let fault = Fault::new(Code::MarginRange, margin.value_at, "a margin is a number from 0 to 1");
            cx.sink.push(fault.hint("it is the difference of two probabilities; 0.1 to 0.3 is usual"));
            // The route exists all the same; without it, its leaf would be reported as unused.
            Some(UnsureDraft { margin: 0.0, goal })
        }
    }
}

fn integer(value: &DeValue<'_>) -> Option<i64> {
    let i = value.as_integer()?;
    i64::from_str_radix(i.as_str(), i.radix()).ok()
}

fn leaf(cx: &mut Cx<'_>, id: Text, table: &DeTable<'_>) -> LeafDraft {
    let what = format!("leaf `{}`", short(&id.text));
    cx.known_keys(table, &what, LEAF_KEYS);
    let outcomes = || one_of(Outcome::ALL.map(Outcome::as_str));
    if !table.contains_key("outcome") {
        let fault = Fault::new(Code::NoOutcome, id.at, format!("{what} has no outcome"));
        cx.sink.push(fault.hint(format!("write outcome = one of {}", outcomes())));
    }
    let outcome = cx.text(table, "outcome").filter(|o| !o.text.trim().is_empty()).and_then(|o| {
        let found = o.text.parse::<Outcome>().ok();
        if found.is_none() {
            let hint = match did_you_mean(&o.text, Outcome::ALL.map(Outcome::as_str)) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("write one of {}", outcomes()),
            };
            let message = format!("unknown outcome `{}`", short(&o.text));
            cx.sink.push(Fault::new(Code::BadOutcome, o.at, message).hint(hint));
        }
        found
    });
    let severity = cx.get(table, "severity").and_then(|entry| severity(cx, entry));
    let label = cx.text(table, "label");
    let action = cx.text(table, "action");
    let rule_ids = cx.texts(table, "rule_ids");
    let named = label.iter().map(|t| ("label", t)).chain(action.iter().map(|t| ("action", t)));
    for (what, text) in named.chain(rule_ids.iter().map(|t| ("rule id", t))) {
        cx.check_name(text, what, NameKind::Label);
    }
    LeafDraft { outcome, label, severity, action, rule_ids, allow: allow(cx, table), id }
}

fn severity(cx: &mut Cx<'_>, entry: Entry<'_, '_>) -> Option<u8> {
    if !entry.value.is_integer() {
        cx.wrong_type(entry, "a whole number", "write severity = 3: 0 is none, 5 the worst");
        return None;
    }
    let found = integer(entry.value).and_then(|i| u8::try_from(i).ok()).filter(|s| *s <= 5);
    if found.is_none() {
        let fault = Fault::new(Code::SeverityRange, entry.value_at, "a severity is a whole number from 0 to 5");
        cx.sink.push(fault.hint("0 is none, 5 the worst"));
    }
    // Some severity was written; calling it missing as well would be noise.
    found.or(Some(0))
}

fn include(cx: &mut Cx<'_>, name: Text, table: &DeTable<'_>) -> IncludeDraft {
    let what = format!("include `{}`", short(&name.text));
    cx.known_keys(table, &what, &["path", "leaves"]);
    let path = if table.contains_key("path") {
        cx.text(table, "path")
    } else {
        // Not as a missing key: the contents of that file are unknown, and missing keys are held back in that case.
        let fault = Fault::new(Code::IncludePath, name.at, format!("{what} has no `path`"));
        cx.sink.push(fault.hint("write path = \"other.toml\", relative to this file"));
        None
    };
    let mut leaves = Vec::new();
    let hint = "write [include.NAME.leaves] with lines such as THEIRS = \"OURS\"";
    if let Some(inner) = cx.get(table, "leaves").and_then(|e| cx.table(e, hint)) {
        for entry in cx.entries(inner) {
            let theirs = Text { text: entry.key.to_owned(), at: entry.key_at };
            let goal = if entry.value.is_str() {
                cx.string(entry).map(|id| Goal { kind: GoalKind::Leaf, id })
            } else {
                goal_of(cx, entry, &format!("mapped leaf `{}`", short(entry.key)), &[])
            };
            leaves.extend(goal.map(|g| (theirs, g)));
        }
    }
    IncludeDraft { name, path, leaves }
}
