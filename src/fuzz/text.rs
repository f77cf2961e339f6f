//! Targets for what people and programs write: policies, samples, sessions, command lines.
//!
//! Must assert properties of any input, not of one known fault.

use super::inert;
use crate::command::complete::NoNames;
use crate::command::{self, Command, EngineCommand};
use crate::domain::Target as Leads;
use crate::domain::sample_file::{self, RawLines};
use crate::policy::{self, GraphFormat};
use crate::report::{Basis, Doc, Page, plain, transcript};
use crate::session::{Fact, Policies, SessionState, journal as session, wire};

/// A policy file; the text after each NUL is the next included file.
///
/// Every fault has a position in its file and a text that cannot act on a terminal. A refused policy has an error. An
/// accepted one has none, is drawn safely in every format, reads again as the same policy, and every walk through it
/// ends.
pub fn policy(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let read = || {
        let mut files = text.split('\0');
        let main = files.next().unwrap_or_default().to_owned();
        let mut include =
            move |_: &str| files.next().map(str::to_owned).ok_or_else(|| "there is no such file".to_owned());
        policy::parse("p.toml", &main, &mut include)
    };
    let parsed = read();
    for fault in &parsed.diagnostics {
        let file = parsed.files.iter().find(|f| f.path == fault.place.path);
        let len = file.map_or(0, |f| f.text.raw().len());
        assert!(fault.place.line > 0 && fault.place.col > 0, "{fault:?}");
        assert!(
            fault.place.span.start <= fault.place.span.end && fault.place.span.end <= len,
            "{fault:?} of {len} bytes"
        );
        assert!(inert(&fault.complaint.in_one_line()), "{fault:?}");
    }
    let Some(policy) = &parsed.policy else {
        assert!(parsed.errors().next().is_some(), "refused without saying why");
        return;
    };
    assert!(parsed.errors().next().is_none(), "accepted with an error");
    assert_eq!(read().policy.as_ref(), Some(policy), "read again as another policy");
    for format in GraphFormat::ALL {
        let drawn = policy::graph::render(policy, format);
        assert!(drawn.ends_with('\n') && inert(&drawn), "{drawn:?}");
    }
    let mut at = policy.root.clone();
    for turn in 0.. {
        assert!(turn <= policy.nodes.len(), "a walk goes round in a circle");
        let node = policy.nodes.iter().find(|n| n.id == at);
        let way = node.and_then(|n| n.answers.get(turn % n.answers.len().max(1)));
        assert!(way.is_some(), "an edge leads nowhere");
        match way {
            Some((_, Leads::Node(next))) => at = next.clone(),
            Some((_, Leads::Leaf(leaf))) => {
                assert!(policy.leaf(leaf.as_str()).is_some(), "an edge leads to no leaf");
                return;
            }
            None => return,
        }
    }
}

/// A file of samples.
///
/// Every line is a sample, blank, or a fault with a position, a short message and a hint; the `meta` of a sample is
/// JSON; and a line means the same on its own.
pub fn samples(data: &[u8]) {
    let loaded = sample_file::load(data);
    let Ok(loaded) = loaded else {
        assert!(loaded.is_ok(), "memory cannot fail");
        return;
    };
    let lines: Vec<_> = RawLines::new(data).flatten().collect();
    let blank = lines.iter().filter(|l| l.is_blank()).count();
    assert_eq!(loaded.samples.len() + loaded.bad + blank, lines.len());
    for error in &loaded.errors {
        assert!(error.line >= 1 && error.line <= lines.len() && error.col >= 1, "{error:?}");
        let (message, hint) = (&error.complaint.message, &error.complaint.hint);
        assert!(hint.as_ref().is_some_and(|hint| !hint.is_empty()) && !message.is_empty(), "{error:?}");
        assert!(message.raw().len() < 4000, "{error:?}");
    }
    for (number, sample) in &loaded.samples {
        assert!(!sample.id.is_empty());
        if let Some(meta) = &sample.meta {
            let value = serde_json::from_str::<serde_json::Value>(meta.raw());
            assert!(value.is_ok_and(|v| v.is_object()), "{meta:?}");
        }
        let alone = lines.get(number - 1).and_then(|line| sample_file::parse_line(*number, &line.bytes).ok());
        assert_eq!(alone.as_ref(), Some(sample));
    }
}

/// A session file; and the lines of the input as facts, framed like those of a session file.
///
/// Reading never panics; the facts fold into a state and are shown safely; they survive writing and reading.
pub fn journal(data: &[u8]) {
    if let Ok((facts, recovery)) = session::of_bytes("s.jsonl".as_ref(), data) {
        assert!(recovery.notices().iter().all(|notice| inert(notice.as_str())));
        told(&facts);
    }
    let lines: Vec<&[u8]> = data.split(|b| *b == b'\n').filter(|line| !line.is_empty()).collect();
    let Ok((facts, _)) = session::of_bytes("s.jsonl".as_ref(), &session::framed(&lines)) else { return };
    assert!(facts.len() <= lines.len() + 1);
    told(&facts);
}

fn told(facts: &[Fact]) {
    let (mut state, policies) = (SessionState::default(), Policies::default());
    for fact in facts {
        let again = wire::from_text(wire::to_text(fact).as_bytes());
        assert_eq!(again.as_ref().ok(), Some(fact), "written and read again");
        state.apply(fact);
        let doc = match fact {
            Fact::Command { line } => Doc(vec![transcript::command(line)]),
            other => transcript::fact(&state, &Basis::of(&state, &policies), other, Page::recorded(80)),
        };
        let shown = plain::render(&doc);
        assert!(inert(&shown), "{shown:?}");
    }
}

/// A command line.
///
/// A command reads back from its own text as the same command; a fault has a position in the line and a text that
/// cannot act on a terminal; a completion replaces a range of the line.
pub fn command(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match command::parse(&text) {
        Ok(None) => {}
        Ok(Some(command)) => same(&command),
        Err(error) => {
            assert!(error.span.start <= error.span.end && error.span.end <= text.len() + 1, "{error:?}");
            assert!(inert(&error.message) && error.hint.as_deref().is_none_or(inert), "{error:?}");
        }
    }
    let cursor = data.first().map_or(0, |b| usize::from(*b) % (text.len() + 1));
    let cursor = (0..=cursor).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    for completion in command::complete(&text, cursor, &NoNames) {
        assert!(text.get(completion.span.clone()).is_some(), "{completion:?}");
    }
    drop(command::hint(&text));
    // The text as one note: quoting loses nothing.
    if !text.trim().is_empty() {
        same(&Command::Engine(EngineCommand::Note(text.into_owned())));
    }
}

fn same(command: &Command) {
    let line = command.to_string();
    let again = command::parse(&line);
    assert_eq!(again.as_ref().ok().and_then(Option::as_ref), Some(command), "{line:?}");
}

pub(super) fn policies() -> Vec<Vec<u8>> {
    const FILES: [&str; 3] = [
        include_str!("../../testdata/broken/00-good.toml"),
        include_str!("../../testdata/broken/p024-case-clash.toml"),
        "[policy]\nid = \"p\"\nversion = \"1.0.0\"\ntitle = \"T\"\nroot = \"a\"\ninstructions = \"Say.\"\n[include.x]\npath = \"x.toml\"\n\
         [node.a]\nquestion = \"Is it bad?\"\n[node.a.answers]\nyes = { next = \"x/a\" }\nno = { leaf = \"l\" }\n[leaf.l]\noutcome = \"violating\"\n\0\
         [policy]\nid = \"x\"\nversion = \"1.0.0\"\ntitle = \"T\"\nroot = \"a\"\n[node.a]\nquestion = \"Is it so?\"\nanswers = { yes = { leaf = \"m\" }, no = { leaf = \"m\" } }\n\
         [node.a.unsure]\nmargin = 0.15\nleaf = \"m\"\n[leaf.m]\noutcome = \"non_violating\"\nseverity = 2\n",
    ];
    FILES.map(|f| f.as_bytes().to_vec()).to_vec()
}

pub(super) const POLICY_WORDS: &[&str] = &[
    "[node.a]\n",
    "[leaf.l]\n",
    "[[term]]\nname = \"x\"\ndefinition = \"[[y]]\"\n",
    "{ next = \"a\" }",
    "{ leaf = \"l\" }",
    "allow = [\"P121\"]\n",
    "\"\"\"",
    "'''",
    "\\u{202e}",
    "layout = \"node-first\"\n",
    "[node.a.unsure]\nmargin = 0.1\nleaf = \"l\"\n",
    "2026-02-31",
    "[include.y]\n",
    "answers",
    "root = \"a\"\n",
    "\u{1b}[2J",
    "\u{202e}",
];

pub(super) fn sample_files() -> Vec<Vec<u8>> {
    const FILES: [&str; 4] = [
        "{\"id\":\"a\",\"text\":\"x\"}\n\n{\"fields\":{\"caption\":\"c\",\"comments\":[\"d\",\"e\"]},\"gold\":true}\n",
        "{\"text\":\"x\",\"scores\":{\"s\":0.5},\"thresholds\":{\"s\":0.7},\"classifier\":{\"id\":\"c\",\"version\":\"1\"},\"k\":[1,{\"a\":null}]}\n",
        "{\"id\":7,\"text\":\"\\ud83d\\ude00\",\"gold\":\"violating\",\"gold_label\":\"L\",\"gold_path\":{\"n\":\"yes\"},\"verdicts\":{\"h\":{\"outcome\":\"violating\",\"label\":\"L\"},\"m\":false},\"meta\":{\"a\":1}}\r\n",
        "\u{feff}{\"text\":\"x\",\"gold_violates\":null,\"gold\":\"free\"}\nbroken\n{\"text\":1}",
    ];
    FILES.map(|f| f.as_bytes().to_vec()).to_vec()
}

pub(super) const SAMPLE_WORDS: &[&str] = &[
    "\"id\":",
    "\"text\":\"a\"",
    "\"fields\":{",
    "\"gold\":",
    "\"gold_violates\":true",
    "\"gold_path\":{",
    "\"scores\":{",
    "\"thresholds\":{",
    "\"classifier\":{\"id\":",
    "\"verdicts\":{",
    "\"meta\":{",
    "null",
    "true",
    "\\ud800",
    "\\u0000",
    "},",
    "\n",
    "\"violating\"",
    "\u{feff}",
];

pub(super) fn journals() -> Vec<Vec<u8>> {
    const SESSION: &str = include_str!("../../sessions/scams-missed-request.jsonl");
    let facts = session::of_bytes("s.jsonl".as_ref(), SESSION.as_bytes()).map(|(facts, _)| facts).unwrap_or_default();
    // A line of a policy or a sample is long; without it the others get their share of changes.
    let texts: Vec<String> = facts.iter().map(wire::to_text).filter(|text| text.len() < 1500).collect();
    let mut seeds: Vec<Vec<u8>> = texts.chunks(3).map(|some| some.join("\n").into_bytes()).collect();
    seeds.push(SESSION.as_bytes().to_vec());
    seeds
}

pub(super) const JOURNAL_WORDS: &[&str] = &[
    "{\"kind\":",
    "\"walk\":",
    "\"crossexam_session\":\"1.0\",",
    "\"seq\":",
    "\"crc\":\"",
    "null",
    "\"node\":",
    "\"answer\":\"yes\"",
    "\n",
    "\\u001b",
    "\"fact\":{",
    "1e300",
    "-1",
    "\"sha256\":\"",
];

pub(super) fn lines() -> Vec<Vec<u8>> {
    let examples = command::TABLE.iter().flat_map(|spec| [spec.name.to_owned(), spec.usage()]);
    let own = [
        "break deceptive if p.yes < 0.6",
        "note \"a \\\"b\\\" \\u{1b}\"",
        "set answer a=no",
        "list 'a b'",
        "x/5 top",
        "sample \"12\"",
        "# c",
    ];
    examples.chain(own.map(str::to_owned)).map(String::into_bytes).collect()
}

pub(super) const LINE_WORDS: &[&str] = &[
    "\"",
    "'",
    "\\",
    " if ",
    "=",
    "/",
    " -- ",
    "\\u{1F600}",
    "\\u{",
    "set ",
    "note ",
    "until ",
    "0",
    "\n",
    "\t",
    "$",
    "~",
    "#",
    "\u{200d}",
    "help ",
];
