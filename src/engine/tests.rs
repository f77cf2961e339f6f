//! What commands do to a session, with a scripted judge: the facts, in order.

mod names;
mod versions;

use super::host::{Event, Host, Notice, Stop, Ticket};
use super::{Engine, Failure, Parts, prompt, walk};
use crate::command::{Command, EngineCommand, parse};
use crate::domain::{Cancel, Complaint, Digest, Examination, Judgement, Mode, ModelInfo, Target};
use crate::judge::scripted::Scripted;
use crate::judge::{Judge, JudgeError, JudgeSource, Look, Progress, Question};
use crate::session::{Fact, SessionState, Step, Taken};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// Three nodes, an exception first, an unsure route, a shared leaf.
const POLICY: &str = r#"
[policy]
id = "test"
version = "1.0.0"
title = "Test"
root = "news"
instructions = "Judge the text."

[node.news]
question = "Is it news?"
answers = { yes = { leaf = "clean" }, no = { next = "insult" } }

[node.insult]
question = "Is it an insult?"
answers = { yes = { next = "group" }, no = { leaf = "clean" } }
unsure = { margin = 0.2, leaf = "review" }

[node.group]
question = "Is it about a group?"
answers = { yes = { leaf = "remove" }, no = { leaf = "clean" } }

[leaf.clean]
outcome = "non_violating"
[leaf.review]
outcome = "escalate"
[leaf.remove]
outcome = "violating"
label = "T1"
severity = 3
action = "remove"
"#;

const SAMPLES: &str = r#"{"id": "a", "text": "first", "gold": "violating"}
{"id": "b", "text": "second", "gold": "non_violating"}
not json
{"id": "c", "text": "third", "gold": "violating"}
"#;

/// Probability of `yes` by node: news 0.1, insult as given, group 0.9.
struct Source(f64);

impl JudgeSource for Source {
    fn open(
        &mut self,
        name: &str,
        _progress: &mut dyn FnMut(Progress),
        _cancel: &Cancel,
    ) -> Result<Box<dyn Judge>, JudgeError> {
        let insult = self.0;
        match name {
            "good" => Ok(Box::new(Scripted::new(move |q: &Question| {
                let asked = |word: &str| q.prompt.pieces().any(|p| p.text.raw().contains(word));
                assert!(!asked("panic now"), "asked to panic");
                let yes = match (asked("Is it news?"), asked("Is it an insult?")) {
                    (true, _) => 0.1,
                    (_, true) => insult,
                    _ => 0.9,
                };
                (vec![yes, 1.0 - yes], "because".to_owned())
            }))),
            "mute" => Ok(Box::new(Scripted::new(|q: &Question| (vec![0.0; q.answers.len()], "because".to_owned())))),
            "other" => Ok(Box::new(Other(Scripted::constant(insult)))),
            other => Err(Complaint::new(format!("no model {other}")).hinted("good").into()),
        }
    }
}

/// A judge that is not the one called `good`.
struct Other(Scripted);

impl Judge for Other {
    fn info(&self) -> &ModelInfo {
        static INFO: std::sync::LazyLock<ModelInfo> = std::sync::LazyLock::new(|| ModelInfo {
            sha256: Digest::of(b"other"),
            name: "other".into(),
            ..Scripted::constant(0.5).info().clone()
        });
        &INFO
    }

    fn judge(
        &mut self,
        question: &Question,
        progress: &mut dyn FnMut(Progress),
        cancel: &Cancel,
    ) -> Result<Judgement, JudgeError> {
        self.0.judge(question, progress, cancel)
    }

    fn examine(
        &mut self,
        question: &Question,
        rationale: Option<&str>,
        look: Look,
        cancel: &Cancel,
    ) -> Result<Examination, JudgeError> {
        self.0.examine(question, rationale, look, cancel)
    }
}

fn command(line: &str) -> EngineCommand {
    match parse(line).expect("a sound line") {
        Some(Command::Engine(command)) => command,
        other => panic!("{line:?} is not for the engine: {other:?}"),
    }
}

struct Bench {
    engine: Engine,
    dir: tempfile::TempDir,
    ticket: u64,
}

impl Bench {
    fn new(insult: f64) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("p.toml"), POLICY).expect("written");
        std::fs::write(dir.path().join("s.jsonl"), SAMPLES).expect("written");
        let opened = Fact::Opened { program: "0".into(), at: "2026-01-01T00:00:00Z".into() };
        let parts = Parts {
            source: Box::new(Source(insult)),
            journal: None,
            facts: vec![opened],
            builtins: &[],
            author: "ann".into(),
        };
        Self { engine: Engine::new(parts), dir, ticket: 0 }
    }

    /// Policy, samples, model and the first sample are loaded.
    fn ready(insult: f64) -> Self {
        let mut bench = Self::new(insult);
        let (policy, samples) = (bench.path("p.toml"), bench.path("s.jsonl"));
        for line in
            [&format!("load policy {policy}"), &format!("load samples {samples}"), "load model good", "sample 1"]
        {
            bench.run(line).1.expect("set up");
        }
        bench
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_string_lossy().into_owned()
    }

    fn run(&mut self, line: &str) -> (Vec<Fact>, Result<Stop, Failure>) {
        let (events, result) = self.events(line);
        let facts = events.into_iter().filter_map(|event| match event {
            Event::Fact(fact) => Some((*fact).clone()),
            Event::Notice(_) => None,
        });
        (facts.collect(), result)
    }

    fn events(&mut self, line: &str) -> (Vec<Event>, Result<Stop, Failure>) {
        let command = command(line);
        self.ticket += 1;
        let mut events = Vec::new();
        let result =
            self.engine.execute(Ticket(self.ticket), &command, &Cancel::new(), &mut |event| events.push(event));
        (events, result)
    }

    fn state(&self) -> &SessionState {
        &self.engine.state
    }

    /// Runs lines and writes what happened, one line per fact.
    fn transcript(&mut self, lines: &[&str]) -> String {
        let mut out = String::new();
        for line in lines {
            let (facts, result) = self.run(line);
            writeln!(out, "> {line}").expect("a string");
            for fact in &facts {
                if let Some(text) = told(fact) {
                    writeln!(out, "  {text}").expect("a string");
                }
            }
            match result {
                Ok(stop) => writeln!(out, "  = {stop:?}"),
                Err(failure) => writeln!(out, "  ! {}", failure.complaint.message.raw()),
            }
            .expect("a string");
        }
        out
    }
}

fn told(fact: &Fact) -> Option<String> {
    Some(match fact {
        Fact::Command { .. } | Fact::Failed { .. } => return None,
        Fact::Stepped { walk, step } => {
            let to = match &step.target {
                Target::Node(id) => format!("node {id}"),
                Target::Leaf(id) => format!("leaf {id}"),
            };
            format!("walk {}: {} {} ({:?}) -> {to}", walk.0, step.node.id, step.answer, step.taken)
        }
        Fact::LeafReached { walk, leaf } => format!("walk {}: {} {}", walk.0, leaf.id, leaf.verdict.outcome),
        Fact::WalkStarted { walk, sample, root, .. } => format!("walk {}: {} at {root}", walk.0, sample.id.raw()),
        Fact::WalkForked { walk, from, at } => format!("walk {}: from {} after {at}", walk.0, from.0),
        Fact::SteppedBack { walk, to } => format!("walk {}: back to {to}", walk.0),
        Fact::BreakpointSet(b) => format!("breakpoint {} {:?} if {:?} on={}", b.id, b.at, b.condition, b.enabled),
        Fact::BreakpointHit { id, at, .. } => format!("hit {id} at {at}"),
        Fact::BreakpointDeleted { id } => format!("breakpoint {id} gone"),
        other => format!("{other:?}"),
    })
}

#[test]
fn step_next_finish_until_continue_and_back_move_as_they_say() {
    let script = ["step", "step 5", "back 2", "next", "finish", "step", "back 9", "back", "continue"];
    insta::assert_snapshot!("moves", Bench::ready(0.8).transcript(&script));
}

#[test]
fn until_where_the_walk_stands_or_cannot_come_any_more_says_so_and_asks_nothing() {
    let mut bench = Bench::ready(0.8);
    for (line, told) in [
        ("until news", Ok(Stop::Already)),
        ("until insult", Ok(Stop::Until)),
        ("until insult", Ok(Stop::Already)),
        ("until news", Err("no way leads from `insult` to `news`")),
        ("until review", Ok(Stop::Leaf)),
        ("until remove", Ok(Stop::Already)),
        ("until clean", Err("the walk is over, at leaf `remove`")),
    ] {
        let (facts, result) = bench.run(line);
        let asked = facts.iter().any(|fact| matches!(fact, Fact::Stepped { .. }));
        assert_eq!(asked, matches!(told, Ok(Stop::Until | Stop::Leaf)), "{line}");
        assert_eq!(
            result.map_err(|failure| failure.complaint.message.raw().to_owned()),
            told.map_err(str::to_owned),
            "{line}"
        );
    }
}

#[test]
fn breakpoints_stop_before_a_node_after_an_answer_at_a_leaf_and_where_a_condition_holds() {
    let script = [
        "break insult",
        "tbreak news=no",
        "break remove",
        "break * if p.yes > 0.85",
        "run",
        "run",
        "continue",
        "disable 1",
        "delete 4",
        "run",
        "delete",
        "run",
    ];
    insta::assert_snapshot!("breakpoints", Bench::ready(0.8).transcript(&script));
}

#[test]
fn there_are_as_many_displays_as_can_be_computed_after_every_step_and_no_more() {
    let mut bench = Bench::ready(0.8);
    for n in 1..=crate::session::state::MOST_DISPLAYS {
        bench.run(&format!("display {n}")).1.expect("a display");
    }
    let failure = bench.run("display steps").1.expect_err("one too many");
    assert!(failure.complaint.message.raw().contains("32 displays"), "{failure:?}");
    assert!(failure.complaint.hint.is_some_and(|hint| hint.contains("undisplay")));
    bench.run("undisplay 3").1.expect("removed");
    bench.run("display steps").1.expect("there is room again");
}

#[test]
fn an_answer_of_a_person_makes_a_branch_and_leaves_the_walk_as_it_was() {
    let mut bench = Bench::ready(0.8);
    let text =
        bench.transcript(&["continue", "set answer insult=no", "back", "set answer insult=yes", "set answer group=no"]);
    insta::assert_snapshot!("branches", text);
    let first = &bench.state().walks[0];
    assert!(!first.overridden() && first.leaf.as_ref().is_some_and(|l| l.id == "remove"));
    let overridden = &bench.state().walks[1];
    let step = overridden.steps.get(1);
    assert!(step.is_none(), "it was stepped back: {step:?}");
    let last = bench.state().walk_now().and_then(|w| w.steps.last()).expect("a step");
    assert_eq!(last.taken, Taken::Overridden);
}

#[test]
fn a_readout_that_is_no_number_is_a_failure_in_every_mode_and_takes_no_edge() {
    for mode in ["mode direct", "mode rationale 8"] {
        let mut bench = Bench::ready(0.8);
        bench.run(mode).1.expect("a mode");
        bench.run("load model mute").1.expect("a model");
        let (facts, result) = bench.run("step");
        let failure = result.expect_err("no answer");
        assert!(
            failure.complaint.message.raw().contains("no probability at all") && failure.complaint.hint.is_some(),
            "{failure:?}"
        );
        assert!(!facts.iter().any(|f| matches!(f, Fact::Stepped { .. })), "{facts:?}");
    }
}

#[test]
fn a_margin_below_the_limit_takes_the_unsure_route() {
    insta::assert_snapshot!("unsure", Bench::ready(0.55).transcript(&["continue"]));
}

#[test]
fn samples_are_chosen_by_number_id_and_condition_and_bad_lines_are_counted() {
    let mut bench = Bench::ready(0.8);
    let script = ["sample c", "sample 2", "next-sample", "next-sample", "previous-sample", "sample 9", "sample nobody"];
    let filtered = ["sample 1", "next-sample where gold == 'violating'", "next-sample where nothing.here"];
    insta::assert_snapshot!("samples", bench.transcript(&script) + &bench.transcript(&filtered));
    assert_eq!(bench.state().samples.as_ref().map(|s| (s.1, s.2)), Some((3, 1)));
}

#[test]
fn looking_for_a_sample_can_be_stopped() {
    let mut bench = Bench::ready(0.8);
    let before = bench.state().walks.clone();
    let stopped = Cancel::new();
    stopped.cancel();
    for line in ["next-sample where sample.id == 'a'", "next-sample where sample.id == 'c'"] {
        let result = bench.engine.execute(Ticket(99), &command(line), &stopped, &mut |_| {});
        assert!(result.expect_err(line).cancelled, "{line}");
        assert_eq!(bench.state().walks, before, "{line}");
    }
}

#[test]
fn a_policy_that_cannot_be_read_is_told_as_lint_tells_it_and_its_hint_is_about_policies() {
    let mut bench = Bench::new(0.8);
    let write = |bench: &Bench, name: &str, bytes: &[u8]| std::fs::write(bench.path(name), bytes).expect("written");
    write(&bench, "large.toml", "#".repeat(crate::policy::limits::FILE_BYTES + 1).as_bytes());
    write(&bench, "latin.toml", b"# ok\n# \xe9");
    for (name, message, hint) in [
        ("none.toml", "there is no such file", "check the path"),
        ("large.toml", "the file has more than 16777216 bytes", "split it with [include.NAME]"),
        ("latin.toml", "line 2 is not UTF-8 text", "iconv"),
        ("", "it is a folder", "check the path"),
    ] {
        let line = format!("load policy {}", bench.path(name));
        let failure = bench.run(&line).1.expect_err(name);
        assert!(failure.complaint.message.raw().contains(message), "{name}: {failure:?}");
        assert!(failure.complaint.hint.as_ref().is_some_and(|h| h.contains(hint)), "{name}: {failure:?}");
    }
}

#[test]
fn what_cannot_be_done_says_what_to_do_and_changes_nothing() {
    let mut bench = Bench::new(0.8);
    for (line, message, hint) in [
        ("step", "no sample is selected", "load samples"),
        ("sample 1", "no samples are loaded", "load samples PATH"),
        ("break news", "no policy is loaded", "load policy PATH"),
        ("load policy /nowhere/p.toml", "/nowhere/p.toml", "check the path"),
        ("load model bad", "no model bad", "good"),
        ("load samples builtin:none", "no builtin", "there are"),
        ("save /tmp/x", "not recorded", "--session"),
    ] {
        let before = bench.state().clone();
        let (_, result) = bench.run(line);
        let failure = result.expect_err(line);
        assert!(failure.complaint.message.raw().contains(message), "{line}: {failure:?}");
        assert!(failure.complaint.hint.as_ref().is_some_and(|h| h.contains(hint)), "{line}: {failure:?}");
        assert_eq!((&before.walks, &before.policy), (&bench.state().walks, &bench.state().policy), "{line}");
    }
    let mut bench = Bench::ready(0.8);
    for (line, message) in [
        ("break nowhere", "no node or leaf `nowhere`"),
        ("break news=maybe", "no answer `maybe`"),
        ("break news if p.", "expression"),
        ("until nowhere", "no node or leaf"),
        ("set answer group=yes", "not on the path"),
        ("set answer news=maybe", "no answer `maybe`"),
        ("condition 7 true", "no breakpoint 7"),
        ("undisplay 3", "no display 3"),
        ("back", "at its root"),
    ] {
        let before = bench.state().walks.clone();
        let failure = bench.run(line).1.expect_err(line);
        assert!(failure.complaint.message.raw().contains(message), "{line}: {failure:?}");
        assert_eq!(before, bench.state().walks, "{line}");
    }
}

#[test]
fn a_broken_policy_is_refused_with_its_place_and_the_loaded_one_stays() {
    let mut bench = Bench::ready(0.8);
    std::fs::write(bench.dir.path().join("bad.toml"), POLICY.replace("next = \"group\"", "next = \"grop\""))
        .expect("written");
    let bad = bench.path("bad.toml");
    let failure = bench.run(&format!("load policy {bad}")).1.expect_err("refused");
    assert!(failure.complaint.message.raw().contains("bad.toml:15:"), "{failure:?}");
    assert!(bench.state().policy.is_some());
    bench.run("step").1.expect("the loaded policy still works");
}

#[test]
fn direct_mode_asks_without_a_rationale() {
    let mut bench = Bench::ready(0.8);
    bench.run("mode direct").1.expect("set");
    bench.run("step").1.expect("a step");
    let judgement = bench.state().walk_now().and_then(|w| w.steps[0].judgement.clone()).expect("a judgement");
    assert_eq!((judgement.rationale, bench.state().mode), (None, Mode::Direct));
}

#[test]
fn a_cancelled_node_takes_no_edge_and_the_next_command_does_not_see_the_old_cancel() {
    let mut bench = Bench::ready(0.8);
    let cancel = Cancel::new();
    cancel.cancel();
    let command = command("continue");
    let failure = bench.engine.execute(Ticket(99), &command, &cancel, &mut |_| {}).expect_err("cancelled");
    assert!(failure.cancelled);
    assert!(bench.state().walks[0].steps.is_empty());
    bench.run("step").1.expect("goes on");
}

#[test]
fn a_fault_in_one_command_does_not_take_the_session_down() {
    let Bench { engine, dir, .. } = Bench::ready(0.8);
    std::fs::write(dir.path().join("evil.jsonl"), "{\"text\": \"panic now\"}\n{\"text\": \"calm\"}\n")
        .expect("written");
    let evil = dir.path().join("evil.jsonl").to_string_lossy().into_owned();
    let mut host = Host::start(engine).expect("a thread");
    let mut results = Vec::new();
    for line in [&format!("load samples {evil}"), "sample 1", "step", "step", "load model good", "sample 2", "step"] {
        let ticket = host.submit(command(line));
        loop {
            match host.event(Duration::from_secs(30)).expect("an event") {
                Event::Notice(Notice::Done { ticket: done, result }) if done == ticket => {
                    results.push((line.to_owned(), result.map_err(|f| f.complaint.message.into_raw())));
                    break;
                }
                _ => {}
            }
        }
    }
    let failed: Vec<_> =
        results.iter().filter_map(|(l, r)| r.as_ref().err().map(|e| (l.as_str(), e.as_str()))).collect();
    assert_eq!(failed.len(), 2, "{results:?}");
    assert!(failed[0].1.contains("internal error") && failed[0].1.contains("asked to panic"), "{failed:?}");
    assert!(failed[1].1.contains("no model is loaded"), "{failed:?}");
}

#[test]
fn a_whole_walk_takes_the_steps_that_stepping_takes() {
    let mut bench = Bench::ready(0.8);
    bench.run("mode direct").1.expect("set");
    bench.run("continue").1.expect("a leaf");
    let stepped = bench.state().walk_now().expect("a walk").clone();
    let policy = super::policy_of_file(&bench.path("p.toml"), &[], &Cancel::new()).expect("a policy");
    let mut judge = Source(0.8).open("good", &mut |_| {}, &Cancel::new()).expect("a judge");
    let mut walking = walk::Walking::new(&policy, (*stepped.sample).clone());
    let walked = loop {
        let question =
            walking.question(&policy, Mode::Direct, &prompt::question).expect("a known node").expect("not at a leaf");
        let judgement = judge.judge(&question, &mut |_| {}, &Cancel::new()).expect("an answer");
        if let Some(walked) = walking.answered(&policy, judgement).expect("an edge") {
            break walked;
        }
    };
    assert_eq!(walking.question(&policy, Mode::Direct, &prompt::question).expect("a leaf"), None);
    // What was read is kept by the debugger alone.
    let bare = |step: &Arc<Step>| Step { prompt: Vec::new(), ..(**step).clone() };
    assert_eq!(walked.steps, stepped.steps.iter().map(bare).collect::<Vec<_>>());
    assert_eq!(Some(walked.leaf), stepped.leaf);
}

#[test]
fn a_note_at_a_node_stands_on_the_step_that_answered_it() {
    let mut bench = Bench::ready(0.8);
    bench.run("continue").1.expect("a walk");
    let walk = bench.state().walk_now().expect("a walk").clone();
    assert!(walk.steps.len() > 1, "a first step that is not the last");
    for (place, step) in walk.steps.iter().enumerate() {
        let (facts, done) = bench.run(&format!("note-at {} why `this` # and that", step.node.id));
        done.expect("noted");
        let on = facts.iter().find_map(|fact| match fact {
            Fact::Noted { on, text, .. } if text.raw() == "why `this` # and that" => Some(*on),
            _ => None,
        });
        assert_eq!(on, Some(crate::session::Subject::Step(walk.id, place)));
    }
}
