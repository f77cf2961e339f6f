//! The smaller views and the renderers.

use super::fixture::*;
use crate::domain::{Complaint, Examination, Mode, Part, Piece, TokenView, TopToken};
use crate::report::theme::Theme;
use crate::report::{
    Basis, Doc, Line, Page, Role, ansi, beside, compare, examination, failure, info, json, plain, transcript, walk,
};
use crate::session::{Fact, FailureKind, Policies, SessionState, Subject, WalkId};

const PAGE: Page = Page::live(80);

#[test]
fn comparison_of_a_walk_with_an_overridden_threshold() {
    let mut facts = facts();
    facts.push(Fact::ThresholdSet { name: name("scam"), value: 0.95 });
    let state = state(&facts);
    insta::assert_snapshot!(plain::render(&compare::compare(state.walk_now().unwrap(), PAGE)));
}

#[test]
fn comparison_where_nothing_is_known_yet() {
    let state = state(&[Fact::WalkStarted { walk: WALK, index: 0, sample: video_sample(), root: name("awareness") }]);
    insta::assert_snapshot!(plain::render(&compare::compare(state.walk_now().unwrap(), PAGE)));
}

/// What `where` shows of a walk.
fn path(state: &SessionState, walk: WalkId, page: Page) -> String {
    let walk = state.walk(walk).unwrap();
    plain::render(&walk::path(state, walk, &Basis::of_walk(state, Some(walk), &Policies::default()), page))
}

#[test]
fn the_path_of_a_branch() {
    let state = state(&facts());
    insta::assert_snapshot!(path(&state, WalkId(2), PAGE));
    insta::assert_snapshot!("the_path_of_the_first_walk", path(&state, WALK, PAGE));
}

#[test]
fn a_branch_tells_once_what_it_is_made_under_and_what_its_source_was() {
    let mut facts = facts();
    let fork = facts.iter().position(|f| matches!(f, Fact::WalkForked { .. })).unwrap();
    facts.insert(fork, Fact::ModeSet { mode: Mode::Direct });
    let state = state(&facts);
    let branch = state.walk(WalkId(2)).unwrap();
    let listed = plain::render(&walk::summary(&state, branch, PAGE));
    assert_eq!((listed.matches("direct").count(), listed.matches("rationale").count()), (1, 0), "{listed}");
    assert!(listed.contains("branch of walk 1 after 1 step"), "{listed}");
    let basis = Basis::of(&state, &Policies::default());
    let path = plain::render(&walk::path(&state, branch, &basis, PAGE));
    assert!(path.contains("branch of walk 1 after 1 step, which was under rationale 96\n"), "{path}");
    assert_eq!(path.matches("direct").count(), 1, "{path}");
}

#[test]
fn a_branch_shares_the_notes_on_the_steps_it_shares() {
    let on = |walk, step| Fact::Noted { on: Subject::Step(walk, step), text: "x".into(), by: None };
    let mut facts = facts();
    facts.extend([on(WALK, 0), on(WALK, 1), on(WalkId(2), 2)]);
    let state = state(&facts);
    let remarks = |id, place| state.remarks_on(state.walk(id).unwrap(), place);
    let branch = WalkId(2);
    let found = [remarks(WALK, 0), remarks(WALK, 1), remarks(branch, 0), remarks(branch, 1), remarks(branch, 2)];
    assert_eq!(found, [1, 1, 1, 0, 1]);
}

#[test]
fn two_walks_beside_each_other() {
    let state = state(&facts());
    let (first, branch) = (state.walk(WALK).unwrap(), state.walk(WalkId(2)).unwrap());
    insta::assert_snapshot!(plain::render(&beside::beside(first, branch, PAGE)));
    assert_eq!(beside::first_difference(first, branch), Some(1));
    assert_eq!(beside::first_difference(first, first), None);
    let narrow = beside::beside(first, branch, Page::live(40));
    assert!(narrow.0.iter().all(|line| line.width() <= 60), "{}", plain::render(&narrow));
}

#[test]
fn steps_of_a_session_opened_again_are_recorded_and_later_ones_are_not() {
    let steps = |facts: &[Fact], page: Page| {
        let shown = path(&state(facts), WALK, page);
        let word = |line: &str| line.split_whitespace().next_back().unwrap_or_default().to_owned();
        shown.lines().filter(|l| l.starts_with(['#', '='])).map(word).collect::<Vec<_>>()
    };
    let mut facts = facts();
    let again = facts.iter().rfind(|f| matches!(f, Fact::Stepped { walk: WALK, .. })).cloned().unwrap();
    facts.push(Fact::Resumed { at: "2026-10-02T09:00:00Z".to_owned() });
    assert_eq!(steps(&facts, PAGE), ["recorded"; 3]);
    facts.extend([Fact::SteppedBack { walk: WALK, to: 1 }, again]);
    assert_eq!(steps(&facts, PAGE)[..2], ["recorded", "recomputed"]);
    assert_eq!(steps(&facts, Page::recorded(80))[..2], ["recorded"; 2]);
}

#[test]
fn examinations_show_every_character() {
    let piece = |part, text: &str| Piece { part, text: text.into() };
    let prompt = Examination::Prompt(vec![
        piece(Part::Template, "<|im_start|>system\n"),
        piece(Part::Instructions, "You check one post against one rule at a time."),
        piece(Part::Sample, "Pay the 1.99 cus\u{200b}toms fee\r\n\u{1b}[2J"),
        piece(Part::Question, "Does the post make a request for value?"),
        piece(Part::Cue, "Answer:"),
    ]);
    insta::assert_snapshot!("prompt", plain::render(&examination::examination(&prompt, PAGE)));
    let token = |position, id, text: &str, part, control| TokenView { position, id, text: text.into(), part, control };
    let tokens = Examination::Tokens(vec![
        token(0, 1, "<|im_start|>", Part::Template, true),
        token(1, 9690, "system", Part::Template, false),
        token(2, 198, "\n", Part::Template, false),
        token(3, 2683, " Pay", Part::Sample, false),
        token(4, 40112, "\u{200b}", Part::Sample, false),
    ]);
    insta::assert_snapshot!("tokens", plain::render(&examination::examination(&tokens, PAGE)));
    let top = |id, text: &str, p: f64| TopToken { id, text: text.into(), logprob: p.ln() };
    let top =
        Examination::Top { position: 412, tokens: vec![top(2, " yes", 0.61), top(5, " no", 0.3), top(7, "\n", 1e-5)] };
    insta::assert_snapshot!("top", plain::render(&examination::examination(&top, PAGE)));
}

#[test]
fn a_failure_says_what_to_do() {
    let doc = failure::failure(
        FailureKind::User,
        &Complaint::new("there is no sample 93: 46 samples are loaded").hinted("`info samples` lists them."),
        60,
    );
    insta::assert_snapshot!(plain::render(&doc), @r"
    error: there is no sample 93: 46 samples are loaded
    hint: `info samples` lists them.
    ");
}

fn small() -> Doc {
    Doc(vec![
        Line::new().with(Role::Heading, "A *title*"),
        Line::new(),
        Line::new().with(Role::Node, "request").with(Role::Text, " → ").untrusted(Role::Content, &"a\u{1b}b```".into()),
    ])
}

#[test]
fn renderers() {
    insta::assert_snapshot!(ansi::render(&small(), Theme::Dark).replace('\u{1b}', "ESC"), @r"
    ESC[1mA *title*ESC[0m

    ESC[1;94mrequestESC[0m → aESC[7;91m<U+001B>ESC[0mb```
    ");
}

#[test]
fn no_colour_is_used_alone_for_two_roles_of_opposite_meaning() {
    for (a, b) in [(Role::Violating, Role::NonViolating), (Role::Good, Role::Bad), (Role::Good, Role::Warning)] {
        for theme in [Theme::Dark, Theme::Light, Theme::Either] {
            assert_ne!(theme.look(a), theme.look(b));
        }
    }
}

#[test]
fn json_keeps_the_roles() {
    insta::assert_snapshot!(json::render(&small()));
}

#[test]
fn of_the_displays_of_a_recording_only_so_many_are_computed_and_it_says_so() {
    let added = |id| Fact::DisplayAdded { id, expr: "steps".into() };
    let mut facts = facts();
    let before = facts.len();
    facts.extend((100..600).map(added));
    let state = state(&facts);
    let most = crate::session::state::MOST_DISPLAYS;
    assert!(facts[..before].iter().all(|f| !matches!(f, Fact::DisplayRemoved { .. })), "all are there");
    for doc in [transcript::displays(&state), info::displays(&state)] {
        let text = plain::render(&doc);
        assert_eq!(text.lines().count(), most + 1, "{text}");
        let more = format!("{} not computed: only the first {most} are", state.displays.len() - most);
        assert!(text.trim_end().ends_with(&more), "{text}");
    }
    let told = plain::render(&transcript::brief(&state, &Basis::default(), &added(600), PAGE));
    assert!(told.contains("steps  not computed"), "{told}");
}

#[test]
fn a_basis_that_follows_a_session_is_the_one_made_anew_and_costs_what_is_new() {
    let policies = Policies::default();
    let mut all = facts();
    let step = all.iter().find(|f| matches!(f, Fact::Stepped { .. })).unwrap().clone();
    let policy = all.iter().find(|f| matches!(f, Fact::PolicyLoaded(_))).cloned();
    all.extend(policy);
    all.extend([
        Fact::WalkSelected { walk: WALK },
        Fact::SteppedBack { walk: WALK, to: 1 },
        step.clone(),
        Fact::WalkForked { walk: WalkId(9), from: WALK, at: 2 },
        Fact::SteppedBack { walk: WalkId(9), to: 0 },
        Fact::WalkSelected { walk: WALK },
    ]);
    let (mut state, mut basis) = (SessionState::default(), Basis::default());
    for fact in &all {
        state.apply(fact);
        basis.follow(&state, &policies);
        assert_eq!(format!("{basis:?}"), format!("{:?}", Basis::of(&state, &policies)), "after {fact:?}");
    }
    // Made anew after every step, this takes 1,000 million of them.
    for _ in 0..40_000 {
        state.apply(&step);
        basis.follow(&state, &policies);
    }
    assert_eq!(format!("{:?}", basis.stale(40_000)), format!("{:?}", Basis::of(&state, &policies).stale(40_000)));
}
