//! What is printed for each fact.

use super::fixture::*;
use crate::domain::{BreakAt, Digest, Mode};
use crate::report::{Basis, Doc, Page, plain, transcript};
use crate::session::{Breakpoint, Fact, FailureKind, Policies, PolicyRecord, SessionState, SourceFile, Subject};

/// Applies the facts one by one and prints each as it happens.
fn transcript_of(facts: &[Fact], width: usize) -> String {
    let (policies, mut state, mut doc) = (Policies::default(), SessionState::default(), Doc::new());
    for fact in facts {
        state.apply(fact);
        doc.extend(transcript::fact(&state, &Basis::of(&state, &policies), fact, Page::live(width)));
    }
    plain::render(&doc)
}

#[test]
fn a_session_from_loading_to_a_verdict_by_hand() {
    insta::assert_snapshot!(transcript_of(&facts(), 100));
}

#[test]
fn the_same_session_at_60_cells() {
    insta::assert_snapshot!(transcript_of(&facts(), 60));
}

#[test]
fn a_post_with_fields_and_no_labels() {
    let walk = WALK;
    let facts = [
        Fact::PolicyLoaded(record()),
        Fact::ModeSet { mode: Mode::Direct },
        Fact::WalkStarted { walk, index: 8, sample: video_sample(), root: name("awareness") },
        Fact::DisplayAdded { id: 1, expr: "p.yes".into() },
        Fact::DisplayAdded { id: 2, expr: "gold".into() },
        Fact::Stepped { walk, step: last_step() },
        Fact::LeafReached { walk, leaf: leaf("remove") },
    ];
    insta::assert_snapshot!(transcript_of(&facts, 80));
}

#[test]
fn a_policy_that_lacks_what_a_breakpoint_names_says_which() {
    let breakpoint = |id, at, condition: Option<&str>, enabled| {
        let condition = condition.map(str::to_owned);
        Fact::BreakpointSet(Breakpoint { id, at, condition, temporary: false, enabled, hits: 0 })
    };
    let place = |id: &str| BreakAt::Place(name(id));
    let set = [
        breakpoint(1, place("request"), None, true),
        breakpoint(2, BreakAt::Answer(name("request"), name("unclear")), None, true),
        breakpoint(3, place("request"), Some("p.unclear > 0.3"), false),
        breakpoint(4, BreakAt::Anywhere, Some("leaf == 'review' or scores.scam > 0.5"), true),
        breakpoint(5, place("sender"), None, true),
        breakpoint(6, BreakAt::Answer(name("sender"), name("yes")), None, true),
        breakpoint(7, place("remove"), None, true),
        breakpoint(8, BreakAt::Anywhere, Some("p.yes < 0.6 and path.request is not none"), true),
    ];
    let loaded = |edits: &[(&str, &str)]| {
        let text = edits.iter().fold(POLICY.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replace(from, to)
        });
        let files = vec![SourceFile { path: "policies/scams.toml".into(), text: text.as_str().into() }];
        Fact::PolicyLoaded(PolicyRecord { sha256: Digest::of(text.as_bytes()), files, ..record() })
    };
    let told = |second: Fact| {
        let facts: Vec<Fact> = [&[loaded(&[])], &set[..], &[second]].concat();
        transcript_of(&facts, 100)
            .lines()
            .filter(|line| line.contains("! ") || line.starts_with("    "))
            .fold(String::new(), |text, line| text + line + "\n")
    };
    assert_eq!(told(loaded(&[("Count fees.", "Count all fees.")])), "");
    let without_unclear = (", unclear = { leaf = \"review\" }", "");
    insta::assert_snapshot!(
        "breakpoints_of_another_policy",
        told(loaded(&[without_unclear, ("sender", "pretends"), ("review", "escalated")]))
    );
    assert_eq!(
        told(loaded(&[("id = \"scams\"", "id = \"others\""), ("sender", "pretends")])).matches("! breakpoint").count(),
        2
    );
}

#[test]
fn everything_else_that_can_happen() {
    let mut state = facts();
    let breakpoint = |id, at, condition: Option<&str>, temporary, enabled| {
        let condition = condition.map(str::to_owned);
        Fact::BreakpointSet(Breakpoint { id, at, condition, temporary, enabled, hits: 0 })
    };
    let before = state.len();
    state.extend([
        breakpoint(1, BreakAt::Place(name("request")), None, false, true),
        breakpoint(2, BreakAt::Anywhere, Some("p.yes < 0.6"), false, true),
        breakpoint(3, BreakAt::Answer(name("request"), name("unclear")), None, true, false),
        Fact::BreakpointHit { id: 2, walk: WALK, at: name("request") },
        Fact::BreakpointDeleted { id: 1 },
        Fact::SteppedBack { walk: WALK, to: 1 },
        Fact::DisplayRemoved { id: 1 },
        Fact::ThresholdSet { name: name("scam"), value: 0.95 },
        Fact::Noted {
            on: Subject::Step(WALK, 1),
            text: "The guidance does not name fees.\nAsk policy.".into(),
            by: None,
        },
        Fact::Tagged { on: Subject::Session, tag: name("needs-review"), by: None },
        Fact::Cancelled { walk: WALK, node: name("sender") },
        Fact::Failed { kind: FailureKind::User, message: "samples/\u{1b}[2Jx.jsonl: no such file".into() },
        Fact::Failed { kind: FailureKind::Internal, message: "the index is out of range".into() },
        Fact::Saved { path: "/tmp/copy.jsonl".into() },
        Fact::Resumed { at: "2026-11-23T09:00:00Z".into() },
        Fact::SamplesLoaded { path: "x.jsonl".into(), count: 1, bad: 0, faults: Vec::new(), sha256: Digest::of(b"x") },
    ]);
    let all = transcript_of(&state, 80);
    let skipped = transcript_of(&state[..before], 80).len();
    insta::assert_snapshot!(all.get(skipped..).unwrap());
}

#[test]
fn a_replayed_session_says_recorded_and_an_edited_policy_is_noticed() {
    let state = state(&facts()[..7]);
    let mut step = first_step();
    step.node.hash = Digest::of(b"older text");
    let fact = Fact::Stepped { walk: WALK, step };
    insta::assert_snapshot!(plain::render(&transcript::fact(
        &state,
        &Basis::of(&state, &Policies::default()),
        &fact,
        Page::recorded(80)
    )));
}

#[test]
fn the_short_form_is_one_line_per_fact() {
    let policies = Policies::default();
    let mut state = SessionState::default();
    let mut doc = Doc::new();
    for fact in &facts() {
        state.apply(fact);
        doc.extend(transcript::brief(&state, &Basis::of(&state, &policies), fact, Page::live(90)));
    }
    insta::assert_snapshot!(plain::render(&doc));
}
