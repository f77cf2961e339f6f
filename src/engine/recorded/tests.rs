//! A recorded session driven by commands: what each shows, where it leads, and what stays as it was.
//!
//! Must not write beside a recording of the repository.

use super::*;
use crate::command::{Command, parse};
use crate::domain::{Part, Piece, TopToken};
use crate::session::{Subject, journal};
use std::path::Path;

fn example() -> Recorded {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("sessions/scams-missed-request.jsonl");
    Recorded::new(journal::read(&path).expect("a session").0)
}

/// What a line shows in the recording, and whether it could be run.
fn run(client: &mut Recorded, line: &str) -> (Vec<Event>, Result<Stop, Failure>) {
    let Ok(Some(Command::Engine(command))) = parse(line) else { panic!("{line} is no command of the engine") };
    client.submit(command);
    let mut events = Vec::new();
    while let Some(event) = client.event(Duration::ZERO) {
        match event {
            Event::Notice(Notice::Done { result, .. }) => return (events, result),
            event => events.push(event),
        }
    }
    panic!("{line} never ended")
}

#[test]
fn a_reviewer_sees_without_a_model_what_each_node_was_asked() {
    let mut client = example();
    let mut seen = 0;
    while run(&mut client, "step").1.is_ok() {
        let walk = client.state().walk_now().expect("a walk");
        let Some(step) = walk.steps.last().cloned() else { continue };
        let sample = walk.sample.content.clone();
        let (events, result) = run(&mut client, "x prompt");
        result.expect("shown");
        let found = events.iter().find_map(|event| match event {
            Event::Fact(fact) => match &**fact {
                Fact::Examined { found: Examination::Prompt(pieces), .. } => Some(pieces.clone()),
                _ => None,
            },
            Event::Notice(_) => None,
        });
        let text: String = found.expect("a prompt").iter().map(|piece| piece.text.raw()).collect();
        if let crate::domain::Content::Text(text_of_sample) = &sample {
            assert!(text.contains(text_of_sample.raw()), "{text}");
        }
        let rationale = step.judgement.as_ref().and_then(|j| j.rationale.as_ref());
        assert!(rationale.is_none_or(|r| text.contains(r.text.raw())), "{text}");
        assert!(text.contains("Question: ") && text.ends_with("Answer:"), "{text}");
        seen += 1;
    }
    assert!(seen > 0, "the example has steps");
    let failure = run(&mut client, "x top").1.expect_err("nobody asked for it");
    assert!(failure.complaint.message.raw().contains("holds no `x top` of node"), "{failure:?}");
    assert!(failure.complaint.hint.is_some_and(|hint| hint.contains("x prompt")));
}

/// The facts that `line` shows.
fn found(client: &mut Recorded, line: &str) -> Examination {
    let (events, result) = run(client, line);
    result.expect(line);
    let fact = events.iter().find_map(|event| match event {
        Event::Fact(fact) => Some(Arc::clone(fact)),
        Event::Notice(_) => None,
    });
    match fact.as_deref() {
        Some(Fact::Examined { found, .. }) => found.clone(),
        other => panic!("{line} shows {other:?}"),
    }
}

#[test]
fn a_reviewer_sees_what_was_read_and_what_x_found_wherever_in_the_recording_that_stands() {
    let facts = example().replay.facts().iter().map(|fact| (**fact).clone()).collect::<Vec<_>>();
    let at = facts.iter().position(|fact| matches!(fact, Fact::Stepped { .. })).expect("a step");
    let Fact::Stepped { walk, mut step } = facts[at].clone() else { panic!("a step") };
    let node = step.node.id.clone();
    let read = vec![
        Piece { part: Part::Template, text: "<|im_start|>".into() },
        Piece { part: Part::Sample, text: "as it was".into() },
    ];
    step.prompt.clone_from(&read);
    let top = |position, count| {
        let token = |id| TopToken { id, text: "t".into(), logprob: -f64::from(id) };
        Examination::Top { position, tokens: (0..count).map(token).collect() }
    };
    let examined = |found| Fact::Examined { walk, node: node.clone(), found };
    let mut changed = facts.clone();
    changed.splice(
        at..=at,
        [
            Fact::Stepped { walk, step },
            examined(top(12, 5)),
            examined(top(90, 10)),
            examined(Examination::Tokens(Vec::new())),
            examined(top(12, 3)),
        ],
    );
    let mut client = Recorded::new(changed);
    run(&mut client, "step").1.expect("a step");
    for (line, expected) in [
        (format!("x prompt of {node}"), Examination::Prompt(read)),
        (format!("x tokens of {node}"), Examination::Tokens(Vec::new())),
        (format!("x top of {node}"), top(90, 10)),
        (format!("x top 3 of {node}"), top(90, 3)),
        (format!("x top 20 @12 of {node}"), top(12, 5)),
    ] {
        assert_eq!(found(&mut client, &line), expected, "{line}");
    }
    run(&mut client, &format!("x top 5 @13 of {node}")).1.expect_err("nobody looked there");
}

#[test]
fn what_a_reviewer_leaves_stands_where_it_was_left_and_in_a_file_beside_the_recording() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("s.jsonl");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("sessions/scams-missed-request.jsonl");
    std::fs::copy(example, &path).expect("copied");
    let before = std::fs::read(&path).expect("read");
    let open = || {
        let (facts, recovery) = journal::read(&path).expect("a session");
        let reviewer = Reviewer::new(path.clone(), recovery.first_line, "ana".into());
        let (facts, _) = reviewer.merged(facts);
        Recorded::new(facts).reviewed_by(reviewer, Some(dir.path().to_owned()))
    };
    let mut client = open();
    let (own, length) = (client.state().notes.len(), client.length());
    run(&mut client, "note before any answer").1.expect("kept");
    run(&mut client, "step 2").1.expect("steps");
    let walk = client.state().walk_now().expect("a walk");
    let (id, first) = (walk.id, walk.steps[0].node.id.clone());
    run(&mut client, &format!("note-at {first} too strict")).1.expect("kept");
    run(&mut client, "tag gap").1.expect("kept");
    run(&mut client, "tag gap").1.expect_err("there already");
    run(&mut client, "note-at nowhere x").1.expect_err("not answered");
    let noted = |client: &Recorded| {
        let notes = client.state().notes.iter().filter(|n| n.by.as_ref().is_some_and(|by| by.after.is_some()));
        notes.map(|n| (n.on, n.text.raw().to_owned())).collect::<Vec<_>>()
    };
    let expected =
        [(Subject::Walk(id), "before any answer".to_owned()), (Subject::Step(id, 0), "too strict".to_owned())];
    assert_eq!(noted(&client), expected);
    assert_eq!(client.length(), length.map(|n| n + 3));
    run(&mut client, "save ~/copy.jsonl").1.expect("copied");
    run(&mut client, "save ~/copy.jsonl").1.expect_err("is there");
    assert_eq!(std::fs::read(dir.path().join("copy.jsonl")).expect("read"), before, "a copy is the recording");
    assert_eq!(std::fs::read(&path).expect("read"), before, "the recording stays as it is");

    let mut again = open();
    assert_eq!(again.state().notes.len(), own, "where the first walk begins nothing was left yet");
    run(&mut again, "continue").1.expect("stops at a note");
    assert_eq!(noted(&again), expected[..1]);
    run(&mut again, "step 2").1.expect("steps");
    run(&mut again, "continue").1.expect("stops at a note");
    assert_eq!(noted(&again), expected);
    assert_eq!(again.state().tags.len(), 0);
    run(&mut again, "continue").1.expect("stops at a tag");
    assert_eq!(again.state().tags.len(), 1);
}

#[test]
fn a_movement_stops_where_it_is_when_it_is_cancelled_and_the_next_command_does_not_see_it() {
    // Movements over thousands of steps, which nothing stopped.
    for line in ["step 4000000000", "next-sample where sample.number > 1000", "until nowhere_near"] {
        let mut client = of_many_walks();
        let Ok(Some(Command::Engine(command))) = parse(line) else { panic!("{line} is no command of the engine") };
        let (from, ticket) = (client.replay.position(), client.submit(command));
        assert_eq!(client.event(Duration::ZERO), Some(Event::Notice(Notice::Started(ticket))), "{line}");
        let canceller = client.canceller();
        if line.starts_with("until") {
            // It takes no longer than reading the recording does, and has ended.
            canceller.cancel();
        } else {
            assert!(!matches!(client.event(Duration::ZERO), Some(Event::Notice(Notice::Done { .. })) | None));
            canceller.cancel();
            let next = client.event(Duration::ZERO);
            let done = Notice::Done { ticket, result: Err(Failure::cancelled()) };
            assert_eq!(next, Some(Event::Notice(done)), "{line}");
            assert!(client.replay.position() <= from + 1, "{line}: it stops where it is");
        }
        while client.event(Duration::ZERO).is_some() {}
        run(&mut client, "next-sample").1.expect("an old request stops no later command");
    }
}

#[test]
fn nobody_can_leave_notes_about_facts_that_are_in_no_file() {
    for line in ["note x", "tag x", "save /x.jsonl"] {
        let failure = run(&mut example(), line).1.expect_err(line);
        assert!(failure.complaint.message.raw().contains("recorded session"), "{failure:?}");
    }
}

#[test]
fn the_next_walk_of_a_sample_that_fits_is_found_and_conditions_are_refused_as_in_a_live_session() {
    let mut client = with_two_walks();
    let walk = |client: &Recorded| client.state().walk_now().map(|walk| walk.id.0);
    assert_eq!(walk(&client), Some(1));
    let failure = run(&mut client, "next-sample where gold == \"violatin\"").1.expect_err("no such outcome");
    assert!(failure.complaint.hint.is_some_and(|hint| hint.contains("violating")));
    let failure = run(&mut client, "next-sample where sample.number > 1000").1.expect_err("none is");
    assert!(failure.complaint.message.raw().starts_with("no later walk"), "{failure:?}");
    assert_eq!(walk(&client), Some(1), "what failed moves nobody");
    run(&mut client, "next-sample where sample.number > 0").1.expect("the third walk begins again");
    assert_eq!(walk(&client), Some(3));
}

/// Walks of one sample without a step.
fn of_many_walks() -> Recorded {
    let sample = crate::domain::Sample::new("s", crate::domain::Content::Text("x".into()));
    let root = Name::new("root").expect("a name");
    let start = |n: u32| Fact::WalkStarted { walk: WalkId(n), index: 0, sample: sample.clone(), root: root.clone() };
    Recorded::new((1..=100).map(start).collect())
}

/// A walk that is begun twice, with a step taken back, and a branch that is abandoned.
fn with_two_walks() -> Recorded {
    let template = journal::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("sessions/scams-missed-request.jsonl"));
    let facts = template.expect("a session").0;
    let policy = facts.iter().find(|f| matches!(f, Fact::PolicyLoaded(_))).expect("a policy").clone();
    let start = facts.iter().find(|f| matches!(f, Fact::WalkStarted { .. })).expect("a walk").clone();
    let Some(Fact::Stepped { step, .. }) = facts.iter().find(|f| matches!(f, Fact::Stepped { .. })).cloned() else {
        panic!("a step")
    };
    let Fact::WalkStarted { index, sample, root, .. } = start.clone() else { panic!("a walk") };
    let walk = WalkId(1);
    let command = || Fact::Command { line: "x".into() };
    Recorded::new(vec![
        policy,
        start,
        Fact::Stepped { walk, step: step.clone() },
        Fact::SteppedBack { walk, to: 0 },
        Fact::Stepped { walk, step },
        Fact::WalkForked { walk: WalkId(2), from: walk, at: 0 },
        Fact::WalkSelected { walk },
        Fact::WalkStarted { walk: WalkId(3), index, sample, root },
        command(),
    ])
}

#[test]
fn until_finds_places_that_a_walk_comes_to_without_a_step() {
    let mut client = with_two_walks();
    let walk = client.state().walk_now().expect("a walk");
    let (root, next) = (walk.root.clone(), "asks_for_value");
    assert_ne!(root, next, "the example begins elsewhere");
    let steps = |client: &Recorded| client.state().walk_now().map(|walk| (walk.id.0, walk.steps.len()));
    let mut stops = Vec::new();
    while run(&mut client, &format!("until {root}")).1.expect("it stands there or comes there") == Stop::Until {
        stops.push(steps(&client).expect("a walk"));
    }
    // Back at the root, a branch of nothing, a new walk; not the command after it, which moves nobody.
    assert_eq!(stops, [(1, 0), (2, 0), (3, 0)]);
}

#[test]
fn whatever_fails_leaves_the_walk_that_is_looked_at() {
    let mut client = with_two_walks();
    while run(&mut client, "step").1.is_ok() {}
    run(&mut client, "walk 2").1.expect("there is a walk 2");
    let before = client.state().clone();
    for line in ["until nowhere", "step", "continue", "next-sample", "sample 999", "walk 99", "note x", "x top"] {
        let (events, result) = run(&mut client, line);
        assert!(result.is_err() && events.len() == 1, "{line}: {events:?}");
        assert_eq!((client.state(), client.state().current), (&before, Some(WalkId(2))), "{line}");
    }
    run(&mut client, "walk 1").1.expect("there is a walk 1");
    run(&mut client, "sample 1").1.expect("to the beginning");
    while run(&mut client, "back").1.is_ok() {}
    assert!(client.state().walk_now().is_none());
}

#[test]
fn every_fact_is_told_in_the_state_that_it_made() {
    let mut client = example();
    let facts = client.replay.facts().to_vec();
    let last = facts.iter().rev().find_map(|fact| match &**fact {
        Fact::Stepped { step, .. } => Some(step.node.id.clone()),
        _ => None,
    });
    let until = format!("until {}", last.expect("a step"));
    let mut told = 0;
    for line in ["step", "step 2", "continue", "sample 1", "continue", "next-sample", "back 3", "step", &until] {
        let Ok(Some(Command::Engine(command))) = parse(line) else { panic!("{line} is no command of the engine") };
        client.submit(command);
        while let Some(event) = client.event(Duration::ZERO) {
            let Event::Fact(fact) = event else { continue };
            let position = client.replay.position();
            assert_eq!(fact, facts[position - 1], "{line}");
            let mut state = SessionState::default();
            facts[..position].iter().for_each(|fact| state.apply(fact));
            assert_eq!(client.state(), &state, "{line}");
            told += 1;
        }
    }
    assert!(told > 10, "{told} facts were told");
}

#[test]
fn commands_that_come_before_the_last_one_was_told_are_carried_out_after_it() {
    let (mut one, mut all) = (example(), example());
    let lines = ["step", "back", "step 2", "x prompt"];
    let events: Vec<Event> = lines
        .iter()
        .flat_map(|line| {
            let (mut events, result) = run(&mut one, line);
            events.push(Event::Notice(Notice::Done { ticket: Ticket(one.tickets), result }));
            events
        })
        .collect();
    for line in lines {
        let Ok(Some(Command::Engine(command))) = parse(line) else { panic!("{line} is no command of the engine") };
        all.submit(command);
    }
    assert_eq!(std::iter::from_fn(|| all.event(Duration::ZERO)).collect::<Vec<_>>(), events);
    assert_eq!(all.state(), one.state());
}

#[test]
fn until_and_sample_move_through_a_recording_and_stay_where_there_is_no_such_place() {
    let mut client = example();
    let first = client.state().walk_now().expect("a walk").clone();
    let node = {
        run(&mut client, "step 2").1.expect("two steps");
        client.state().walk_now().and_then(|w| w.steps.get(1).map(|s| s.node.id.clone())).expect("a second node")
    };
    run(&mut client, &format!("sample {}", first.number())).1.expect("back at its beginning");
    assert_eq!(client.state().walk_now().map(|w| w.steps.len()), Some(0));
    run(&mut client, &format!("until {node}")).1.expect("comes there");
    assert_eq!(client.state().walk_now().map(|w| w.frontier()), Some(Target::Node(node.clone())));
    let (events, result) = run(&mut client, &format!("until {node}"));
    assert_eq!((events.len(), result.expect("is told")), (1, Stop::Already), "it stands there");
    run(&mut client, "walk 1").1.expect("looked at");
    let before = client.state().clone();
    for line in ["until nowhere", "sample 999", "sample none", "walk 99", "note x", "load policy p.toml"] {
        assert!(run(&mut client, line).1.is_err(), "{line}");
        assert_eq!(client.state(), &before, "{line}");
    }
    run(&mut client, &format!("sample \"{}\"", first.sample.id.raw())).1.expect("by id");
}
