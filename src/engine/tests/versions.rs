//! Walks and the policies, judges and modes they were made under: loading something later changes no recorded answer.

use super::{Bench, POLICY, Source};
use crate::domain::{Examination, Mode, Name};
use crate::engine::host::{Event, Stop};
use crate::engine::{Engine, Parts};
use crate::session::state::Walk;
use crate::session::{Fact, SessionState, Taken, WalkId};

const EDITED: (&str, &str) = ("Is it an insult?", "Is it really an insult?");

impl Bench {
    /// Edits the policy file; `load policy` is left to the test.
    fn edit(&self, (from, to): (&str, &str)) {
        let text = std::fs::read_to_string(self.path("p.toml")).expect("the policy");
        assert!(text.contains(from), "{from}");
        std::fs::write(self.path("p.toml"), text.replace(from, to)).expect("written");
    }

    fn load_edited(&mut self, edit: (&str, &str)) -> Vec<Fact> {
        self.edit(edit);
        let path = self.path("p.toml");
        let (facts, result) = self.run(&format!("load policy {path}"));
        result.expect("loaded");
        facts
    }

    fn walk(&self, id: u32) -> &Walk {
        self.state().walk(WalkId(id)).expect("a walk")
    }

    /// The question of step `place` of a walk, as it was asked.
    fn question(&self, walk: u32, place: usize) -> String {
        let walk = self.walk(walk);
        let record = walk.conditions_of(place).policy.as_ref().expect("a policy");
        let policy = self.engine.policies.of(record).expect("a policy");
        policy.node(walk.steps[place].node.id.as_str()).expect("a node").question.raw().to_owned()
    }
}

#[test]
fn a_policy_loaded_later_does_not_change_what_a_walk_was_asked() {
    let mut bench = Bench::ready(0.8);
    bench.run("step 2").1.expect("two steps");
    let before = bench.walk(1).clone();
    bench.load_edited(EDITED);
    assert_eq!(bench.walk(1), &before);
    assert_eq!(bench.question(1, 1), "Is it an insult?");
    assert!(!before.goes_on_under(&bench.state().conditions()));
}

#[test]
fn a_walk_that_goes_on_under_another_policy_is_a_branch_and_no_walk_mixes_two() {
    let mut bench = Bench::ready(0.8);
    bench.run("step 2").1.expect("two steps");
    bench.load_edited(EDITED);
    bench.run("back").1.expect("a step is taken back");
    let (facts, result) = bench.run("step");
    result.expect("a step");
    assert!(matches!(facts[1], Fact::WalkForked { walk: WalkId(2), from: WalkId(1), at: 1 }), "{facts:?}");
    assert_eq!((bench.walk(1).steps.len(), bench.walk(2).steps.len()), (1, 2));
    assert_eq!(bench.question(2, 1), EDITED.1, "the new step under the new policy");
    let old = bench.walk(1).conditions.policy.clone();
    assert_eq!(bench.walk(2).conditions_of(0).policy, old, "the shared step keeps its own");
    assert_ne!(bench.walk(2).conditions.policy, old);
    assert_eq!(bench.walk(1).shared(), 0);
    let (facts, _) = bench.run("step");
    assert!(!facts.iter().any(|f| matches!(f, Fact::WalkForked { .. })), "one branch is enough: {facts:?}");
}

#[test]
fn every_movement_that_asks_branches_where_something_else_was_loaded() {
    for line in ["step", "next", "finish", "continue", "until group"] {
        for change in ["mode direct", "mode rationale 7", "load model other", "POLICY"] {
            let mut bench = Bench::ready(0.8);
            bench.run("step").1.expect("a step");
            let first = bench.walk(1).clone();
            match change {
                "POLICY" => drop(bench.load_edited(EDITED)),
                change => drop(bench.run(change).1.expect("changed")),
            }
            assert_eq!(bench.walk(1), &first, "{change}");
            bench.run(line).1.expect(line);
            assert_eq!(bench.walk(1), &first, "{line} after {change}");
            assert_eq!(bench.walk(2).forked_from, Some((WalkId(1), 1)), "{line} after {change}");
            assert!(bench.walk(2).conditions.same(&bench.state().conditions()), "{line} after {change}");
        }
    }
}

#[test]
fn the_same_policy_mode_or_model_again_makes_no_branch() {
    let mut bench = Bench::ready(0.8);
    bench.run("step").1.expect("a step");
    let path = bench.path("p.toml");
    for line in [&format!("load policy {path}"), "load model good", "mode rationale 96", "step"] {
        bench.run(line).1.expect(line);
    }
    assert_eq!((bench.state().walks.len(), bench.walk(1).steps.len()), (1, 2));
}

#[test]
fn a_walk_that_asked_nothing_yet_takes_what_is_loaded() {
    let mut bench = Bench::ready(0.8);
    bench.run("mode direct").1.expect("set");
    assert_eq!(bench.walk(1).conditions.mode, Mode::Direct);
    std::fs::write(
        bench.path("p.toml"),
        POLICY.replace("\"news\"", "\"press\"").replace("[node.news]", "[node.press]"),
    )
    .expect("written");
    let path = bench.path("p.toml");
    let (facts, result) = bench.run(&format!("load policy {path}"));
    result.expect("loaded");
    assert!(matches!(&facts[2], Fact::WalkStarted { walk: WalkId(2), index: 0, root, .. } if root == "press"));
    bench.run("step").1.expect("a step");
    assert_eq!(bench.walk(2).steps[0].node.id, "press");
    bench.run("back").1.expect("taken back");
    bench.run("mode rationale").1.expect("set");
    bench.run("step").1.expect("a step");
    assert_eq!(bench.state().walks.len(), 2, "with no answers left nothing is mixed");
}

#[test]
fn a_node_that_is_gone_is_told_and_the_walk_stays() {
    let mut bench = Bench::ready(0.8);
    bench.run("step").1.expect("a step");
    std::fs::write(bench.path("p.toml"), POLICY.replace("insult", "offence")).expect("written");
    let path = bench.path("p.toml");
    bench.run(&format!("load policy {path}")).1.expect("loaded");
    let before = bench.state().walks.clone();
    let failure = bench.run("step").1.expect_err("no such node");
    assert!(failure.complaint.message.raw().contains("no node `insult`"), "{failure:?}");
    assert!(failure.complaint.hint.as_ref().is_some_and(|h| h.contains("run")), "{failure:?}");
    assert_eq!(bench.state().walks, before);
}

#[test]
fn thresholds_hold_for_the_walk_they_were_set_on_and_for_later_ones() {
    let mut bench = Bench::ready(0.8);
    let threshold = |bench: &Bench, walk| bench.walk(walk).thresholds.iter().map(|(_, t)| *t).collect::<Vec<_>>();
    bench.run("set threshold scam=0.5").1.expect("set");
    bench.run("sample 2").1.expect("selected");
    bench.run("set threshold scam=0.9").1.expect("set");
    bench.run("sample 3").1.expect("selected");
    assert_eq!([1, 2, 3].map(|walk| threshold(&bench, walk)), [vec![0.5], vec![0.9], vec![0.9]]);
}

#[test]
fn a_hand_made_answer_has_no_probabilities_of_another_question_beside_it() {
    for (edit, kept) in [(EDITED, false), (("Is it about a group?", "Is it about groups?"), false)] {
        let mut bench = Bench::ready(0.8);
        bench.run("step 2").1.expect("two steps");
        bench.load_edited(edit);
        bench.run("set answer insult=no").1.expect("set");
        let step = bench.state().walk_now().and_then(|w| w.steps.last()).expect("a step");
        assert_eq!((step.taken, step.judgement.is_some()), (Taken::Overridden, kept), "{edit:?}");
    }
    let mut bench = Bench::ready(0.8);
    bench.run("step 2").1.expect("two steps");
    bench.run("set answer insult=no").1.expect("set");
    assert!(bench.state().walk_now().and_then(|w| w.steps.last()).expect("a step").judgement.is_some());
}

#[test]
fn x_shows_a_step_as_it_was_asked_and_refuses_where_the_model_is_another() {
    let mut bench = Bench::ready(0.8);
    bench.run("step 2").1.expect("two steps");
    bench.load_edited(EDITED);
    bench.run("mode direct").1.expect("set");
    let prompt = |bench: &mut Bench, line: &str| {
        let (events, result) = bench.events(line);
        result.expect(line);
        events.into_iter().find_map(|event| match event {
            Event::Fact(fact) => match &*fact {
                Fact::Examined { found: Examination::Prompt(pieces), .. } => {
                    Some(pieces.iter().map(|p| p.text.raw().to_owned()).collect::<String>())
                }
                _ => None,
            },
            Event::Notice(_) => None,
        })
    };
    let text = prompt(&mut bench, "x prompt").expect("a prompt");
    assert!(text.contains("Is it an insult?") && text.contains("Reason in one or two sentences"), "{text}");
    let text = prompt(&mut bench, "x prompt of group").expect("a prompt");
    assert!(text.contains("Is it about a group?") && !text.contains("Reason in"), "not asked yet, so as it would be");
    bench.run("load model other").1.expect("loaded");
    let kept = prompt(&mut bench, "x prompt of insult").expect("what was read is kept");
    assert!(kept.contains("Is it an insult?"), "{kept}");
    let failure = bench.run("x tokens of insult").1.expect_err("refused");
    assert!(failure.complaint.message.raw().contains("another model"), "{failure:?}");
}

#[test]
fn a_policy_that_is_broken_or_gone_leaves_the_loaded_one_and_its_walk() {
    let mut bench = Bench::ready(0.8);
    bench.run("step").1.expect("a step");
    let (path, before) = (bench.path("p.toml"), bench.state().walks.clone());
    std::fs::write(&path, "[policy").expect("written");
    bench.run(&format!("load policy {path}")).1.expect_err("broken");
    std::fs::remove_file(&path).expect("removed");
    bench.run(&format!("load policy {path}")).1.expect_err("gone");
    assert_eq!(bench.state().walks, before);
    assert_eq!(bench.run("step").1.expect("goes on"), Stop::Done);
    assert_eq!(bench.state().walks.len(), 1);
}

#[test]
fn replay_and_a_session_opened_again_hold_every_walk_to_its_own_policy() {
    let mut bench = Bench::ready(0.8);
    let mut facts = vec![];
    let mut run = |bench: &mut Bench, line: &str| facts.extend(bench.run(line).0);
    let path = bench.path("p.toml");
    let (policy, samples) = (format!("load policy {path}"), format!("load samples {}", bench.path("s.jsonl")));
    for line in [&policy, &samples, "load model good", "sample 1", "step 2"] {
        run(&mut bench, line);
    }
    bench.edit(EDITED);
    for line in [&policy, "continue", "mode direct", "back 2", "continue"] {
        run(&mut bench, line);
    }
    let mut replayed = SessionState::default();
    facts.iter().for_each(|fact| replayed.apply(fact));
    let parts = Parts { source: Box::new(Source(0.8)), journal: None, facts, builtins: &[], author: "ann".into() };
    let again = Engine::new(parts);
    assert_eq!(again.state, replayed);
    let live: Vec<&Walk> = bench.state().walks.iter().filter(|w| w.id.0 > 1).collect();
    assert_eq!(live.len(), replayed.walks.len());
    for (live, replayed) in live.iter().zip(&replayed.walks) {
        assert_eq!(
            (&live.under, &live.conditions, &live.steps),
            (&replayed.under, &replayed.conditions, &replayed.steps)
        );
    }
    let insult = |walk: &Walk| {
        let place = walk.steps.iter().position(|s| s.node.id == Name::new("insult").expect("a name"))?;
        let policy = again.policies.of(walk.conditions_of(place).policy.as_ref()?)?;
        Some(policy.node("insult")?.question.raw().to_owned())
    };
    let asked: Vec<Option<String>> = replayed.walks.iter().map(insult).collect();
    assert_eq!(asked[0].as_deref(), Some(EDITED.0));
}

#[test]
fn walk_selects_an_earlier_walk_and_commands_act_on_it() {
    let mut bench = Bench::ready(0.8);
    bench.run("step 2").1.expect("two steps");
    bench.run("sample 2").1.expect("selected");
    assert_eq!(bench.run("walk 1").0[1], Fact::WalkSelected { walk: WalkId(1) });
    assert_eq!(bench.state().current, Some(WalkId(1)));
    bench.run("step").1.expect("goes on where it stood");
    assert_eq!(bench.walk(1).steps.len(), 3);
    let failure = bench.run("walk 9").1.expect_err("no such walk");
    assert!(
        failure.complaint.message.raw().contains("no walk 9")
            && failure.complaint.hint.is_some_and(|h| h.contains("info walks"))
    );
    assert_eq!(bench.state().current, Some(WalkId(1)));
}

#[test]
fn reload_reads_the_file_again_and_says_when_nothing_changed() {
    let mut bench = Bench::ready(0.8);
    let (facts, result) = bench.run("reload");
    assert_eq!((facts.len(), result.expect("read")), (1, Stop::Unchanged));
    bench.edit(EDITED);
    let (facts, result) = bench.run("reload");
    assert_eq!(result.expect("read"), Stop::Done);
    assert!(matches!(&facts[1], Fact::PolicyLoaded(record) if record.files[0].text.raw().contains(EDITED.1)));
    for spoil in [|path: &str| std::fs::write(path, "[policy"), |path: &str| std::fs::remove_file(path)] {
        let (before, path) = (bench.state().policy.clone(), bench.path("p.toml"));
        spoil(&path).expect("spoiled");
        bench.run("reload").1.expect_err("cannot be read");
        assert_eq!(bench.state().policy, before);
        bench.run("sample 2").1.expect("the loaded policy still works");
    }
}

#[test]
fn rerun_asks_again_from_the_first_step_that_no_longer_stands() {
    for (edit, at) in [
        (EDITED, 1),
        (("Is it about a group?", "Is it about groups?"), 2),
        (("Is it news?", "Is it in the news?"), 0),
        (("Judge the text.", "Judge the text well."), 0),
        (("margin = 0.2", "margin = 0.7"), 1),
        (("yes = { next = \"group\" }", "yes = { leaf = \"remove\" }, maybe = { next = \"group\" }"), 1),
    ] {
        let mut bench = Bench::ready(0.8);
        bench.run("continue").1.expect("a leaf");
        let first = bench.walk(1).clone();
        bench.edit(edit);
        bench.run("reload").1.expect("loaded");
        assert_eq!(bench.run("rerun").1.expect("asked again"), Stop::Leaf, "{edit:?}");
        assert_eq!(bench.walk(1), &first, "{edit:?}");
        assert_eq!(bench.walk(2).forked_from, Some((WalkId(1), at)), "{edit:?}");
        assert!(bench.walk(2).leaf.is_some(), "{edit:?}");
        let failure = bench.run("rerun").1.expect_err("nothing is left to ask again");
        assert!(failure.complaint.message.raw().contains("still stands"), "{failure:?}");
    }
}

#[test]
fn rerun_takes_a_changed_leaf_again_without_asking() {
    let mut bench = Bench::ready(0.8);
    bench.run("continue").1.expect("a leaf");
    bench.edit(("severity = 3", "severity = 5"));
    bench.run("reload").1.expect("loaded");
    let (facts, result) = bench.run("rerun");
    assert_eq!(result.expect("taken again"), Stop::Leaf);
    assert!(!facts.iter().any(|f| matches!(f, Fact::Stepped { .. })), "{facts:?}");
    let severity = |walk| bench.walk(walk).leaf.as_ref().and_then(|leaf| leaf.severity);
    assert_eq!((severity(1), severity(2)), (Some(3), Some(5)));
}

#[test]
fn rerun_from_a_node_and_what_it_refuses() {
    let mut bench = Bench::ready(0.8);
    bench.run("continue").1.expect("a leaf");
    bench.run("rerun insult").1.expect("asked again");
    assert_eq!(bench.walk(2).forked_from, Some((WalkId(1), 1)));
    let before = bench.state().walks.clone();
    for (line, message) in [("rerun nowhere", "has not asked `nowhere`"), ("rerun", "still stands")] {
        let failure = bench.run(line).1.expect_err(line);
        assert!(failure.complaint.message.raw().contains(message), "{line}: {failure:?}");
    }
    assert_eq!(bench.state().walks, before);
    std::fs::write(bench.path("p.toml"), POLICY.replace("insult", "offence")).expect("written");
    bench.run("reload").1.expect("loaded");
    bench.run("rerun insult").1.expect_err("it is gone");
    assert_eq!(bench.state().walks, before);
    bench.run("rerun").1.expect("from the root, whose answer leads elsewhere now");
    assert_eq!(bench.walk(3).forked_from, Some((WalkId(2), 0)));
}
