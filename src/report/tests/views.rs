//! The output of view commands.

use super::fixture::*;
use crate::command::{Command, ViewCommand, parse};
use crate::domain::BreakAt;
use crate::policy::{Policy, parse as parse_policy};
use crate::report::{Basis, Page, failure, plain, view, walk_tree};
use crate::session::{Breakpoint, Fact, FailureKind, Policies, SessionState, Stamp, Subject, WalkId};
use std::fmt::Write as _;

const PAGE: Page = Page::live(80);

fn command(line: &str) -> ViewCommand {
    match parse(line).unwrap_or_else(|e| panic!("{line}: {e:?}")) {
        Some(Command::View(command)) => command,
        other => panic!("{line} does not only look: {other:?}"),
    }
}

fn show(line: &str, state: &SessionState, page: Page) -> String {
    match view::answer(&command(line), state, &Basis::of(state, &Policies::default()), page) {
        Ok(doc) => plain::render(&doc),
        Err(error) => plain::render(&failure::failure(FailureKind::User, &error, page.width)),
    }
}

fn all(lines: &[&str], state: &SessionState) -> String {
    lines.iter().fold(String::new(), |mut out, line| {
        writeln!(out, "> {line}\n{}", show(line, state, PAGE)).unwrap();
        out
    })
}

/// The scripted session, with something set and noted.
fn worked_on() -> SessionState {
    let mut facts = facts();
    let breakpoint = |id, at, condition: Option<&str>| {
        let condition = condition.map(str::to_owned);
        Fact::BreakpointSet(Breakpoint { id, at, condition, temporary: false, enabled: true, hits: 0 })
    };
    facts.extend([
        breakpoint(1, BreakAt::Place(name("request")), None),
        breakpoint(2, BreakAt::Anywhere, Some("coverage < 0.5")),
        Fact::BreakpointHit { id: 2, walk: WalkId(2), at: name("sender") },
        Fact::DisplayAdded { id: 1, expr: "margin".into() },
        Fact::DisplayAdded { id: 2, expr: "p.maybe".into() },
        Fact::ThresholdSet { name: name("scam"), value: 0.95 },
        Fact::Noted {
            on: Subject::Walk(WalkId(2)),
            text: "Fees are not named in the guidance.\nAsk policy \u{202e}.".into(),
            by: Some(Stamp { author: "ann\u{200b}".into(), at: "2026-01-02T03:04:05Z".into(), after: None }),
        },
        Fact::Tagged { on: Subject::Step(WALK, 1), tag: name("low-coverage"), by: None },
        Fact::Command { line: "step".into() },
    ]);
    state(&facts)
}

#[test]
fn what_a_session_holds() {
    let lines =
        ["info session", "info walks", "info breakpoints", "info display", "info notes", "info samples", "display"];
    insta::assert_snapshot!(all(&lines, &worked_on()));
}

#[test]
fn the_sample_and_its_scores() {
    insta::assert_snapshot!(all(&["info sample", "info scores", "compare"], &worked_on()));
}

#[test]
fn the_policy_and_its_nodes() {
    let start = state(&facts()[..7]);
    insta::assert_snapshot!(all(&["info policy", "info node", "list", "list remove", "info model"], &start));
}

#[test]
fn where_and_print() {
    let lines = [
        "where",
        "print p",
        "print p.yes",
        "print answer == 'yes' and margin > 0.9",
        "print gold",
        "print scores",
        "print path",
        "print sample.id",
        "print tags",
        "print verdict != gold",
        "print p.perhaps",
        "print verdikt",
    ];
    insta::assert_snapshot!(all(&lines, &worked_on()));
}

#[test]
fn print_refuses_what_there_is_not_where_it_stands() {
    let facts: Vec<Fact> = facts().into_iter().take_while(|fact| !matches!(fact, Fact::Stepped { .. })).collect();
    let (walked, begun) = (worked_on(), state(&facts));
    let empty = SessionState::default();
    for (state, line, shown) in [
        (&walked, "print p.yse", "node `sender` has no answer `yse`"),
        (&walked, "print p.yse", "did you mean `p.yes`?"),
        (&walked, "print p.unclear < 0.5", "node `sender` has no answer `unclear`"),
        (&walked, "print path.reqest", "did you mean `path.request`?"),
        (&walked, "print scores.nowhere", "(not known here: scores.nowhere)"),
        (&begun, "print p.yse", "no node of the policy has the answer `yse`"),
        (&begun, "print p.unclear", "(not known here: p.unclear)"),
        (&empty, "print p.yse", "(not known here: p.yse)"),
    ] {
        let text = show(line, state, PAGE).replace("\n ", "");
        assert!(text.contains(shown), "{line}: {text}");
    }
}

#[test]
fn an_empty_session_says_what_to_do() {
    let lines = [
        "where",
        "compare",
        "list",
        "print answer",
        "display",
        "info session",
        "info walks",
        "info node",
        "info policy",
        "info model",
        "info sample",
        "info samples",
        "info scores",
        "info breakpoints",
        "info notes",
    ];
    insta::assert_snapshot!(all(&lines, &SessionState::default()));
}

#[test]
fn an_unknown_node_and_a_hidden_character_in_the_source() {
    let mut facts = facts();
    if let Some(Fact::PolicyLoaded(record)) = facts.get_mut(1) {
        record.files[0].text = POLICY.replace("Count fees.", "Count\u{200b} fees.").into();
    }
    let state = state(&facts);
    insta::assert_snapshot!(all(&["list nowhere", "list request"], &state));
}

#[test]
fn help_at_60_cells() {
    let state = SessionState::default();
    let page = Page::live(60);
    insta::assert_snapshot!("help_step", show("help step", &state, page));
    insta::assert_snapshot!("help_unknown", show("help stepp", &state, page));
    insta::assert_snapshot!("help_words", show("help words", &state, Page::live(100)));
    insta::assert_snapshot!("help_expressions", show("help expressions", &state, Page::live(100)));
    assert!(show("help expresions", &state, page).contains("Did you mean `expressions`?"));
    for topic in ["help words", "help expressions", "help word"] {
        let text = show(topic, &state, page);
        assert!(text.lines().count() > 30 && text.lines().all(|l| l.chars().count() <= 60), "{topic}: {text}");
    }
    insta::assert_snapshot!("apropos", show("apropos threshold", &state, page));
    let overview = show("help", &state, page);
    assert!(overview.lines().all(|l| l.chars().count() <= 60), "{overview}");
}

/// A chain of `n` nodes, each with a second child that has a chain of its own.
fn big(n: usize) -> Policy {
    let mut text = String::from(
        "[policy]\nid = \"big\"\nversion = \"1.0.0\"\ntitle = \"Big\"\nroot = \"a0\"\ninstructions = \"Judge.\"\n",
    );
    let mut chain = |prefix: &str, side: Option<&str>| {
        for i in 0..n {
            let next = if i + 1 == n {
                "{ leaf = \"clean\" }".to_owned()
            } else {
                format!("{{ next = \"{prefix}{}\" }}", i + 1)
            };
            let other = match side {
                Some(side) if i + 2 == n => format!("{{ next = \"{side}0\" }}"),
                _ => "{ leaf = \"remove\" }".to_owned(),
            };
            write!(
                text,
                "[node.{prefix}{i}]\nquestion = \"Does rule {i} hold?\"\nanswers = {{ yes = {other}, no = {next} }}\n"
            )
            .unwrap();
        }
    };
    chain("a", Some("b"));
    chain("b", None);
    text.push_str("[leaf.remove]\noutcome = \"violating\"\nlabel = \"X1\"\n[leaf.clean]\noutcome = \"non_violating\"\nlabel = \"X0\"\n");
    let parsed = parse_policy("big.toml", &text, &mut |_| Err(String::new()));
    parsed.policy.unwrap_or_else(|| panic!("{:?}", parsed.diagnostics))
}

#[test]
fn trees() {
    let (policy, done) = (policy(), worked_on());
    let drawn = |walk| walk_tree::tree(&policy, walk, None, PAGE);
    insta::assert_snapshot!("tree_without_a_walk", plain::render(&drawn(None).doc));
    let first = done.walk(WALK);
    insta::assert_snapshot!("tree_of_an_unsure_walk", plain::render(&drawn(first).doc));
    let middle = state(&facts()[..7]);
    let tree = drawn(middle.walk_now());
    let cursor = tree.doc.0.get(tree.cursor.unwrap()).unwrap().text();
    assert!(cursor.contains("request") && cursor.contains("<= asked next"), "{cursor}");
}

#[test]
fn a_big_tree_is_folded_and_none_of_it_is_lost_count_of() {
    let policy = big(6);
    let whole = walk_tree::tree(&policy, None, None, PAGE).doc;
    assert_eq!(whole.0.len(), 1 + 2 * 12);
    let start = state(&[Fact::WalkStarted { walk: WALK, index: 0, sample: video_sample(), root: name("a0") }]);
    let folded = walk_tree::tree(&policy, start.walk_now(), Some(20), PAGE);
    insta::assert_snapshot!(plain::render(&folded.doc));
    let _deep = walk_tree::tree(&big(200), None, None, PAGE);
}
