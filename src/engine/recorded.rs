//! `Recorded`: a recorded session as a driver. Commands that move a live walk move a cursor over the recorded facts.
//!
//! Must ask no judge and must not write to the recording: commands that need a live session are refused, and a
//! reviewer's notes go to a separate file.

mod review;

use super::prompt::{self, Asked};
use super::{Canceller, Driver, Event, Failure, Notice, Stop, Ticket, annotate};
use crate::command::{EngineCommand, ExamineWhat, Has, Need, SampleRef, Times};
use crate::domain::{Cancel, Examination, Name, Target};
use crate::judge::Progress;
use crate::policy::Policy;
use crate::session::expr::{self, Moment, Vocabulary};
use crate::session::replay::{Replay, Stride};
use crate::session::state::Walk;
use crate::session::{Fact, Policies, Reviewer, SessionState, WalkId};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A recorded session, a position in it, and the events not yet delivered.
#[derive(Clone)]
pub struct Recorded {
    replay: Replay,
    policies: Policies,
    tickets: u64,
    commands: VecDeque<(Ticket, EngineCommand)>,
    /// Shared by copies: one file is written by one.
    reviewer: Option<Arc<Mutex<Reviewer>>>,
    home: Option<PathBuf>,
    waiting: VecDeque<Waiting>,
    running: Canceller,
    /// The flag of the command in flight.
    cancel: Cancel,
}

/// What the command in flight still has to report.
#[derive(Clone)]
enum Waiting {
    /// This.
    Event(Event),
    /// The facts of the recording up to this position. Each is applied when it is delivered, so that the receiver sees
    /// the session as it was then.
    To(usize),
    /// The facts up to the beginning of the next walk whose sample fits.
    Search {
        ticket: Ticket,
        condition: String,
        /// Where the search has come to.
        at: usize,
    },
}

impl Recorded {
    /// Positioned where the first walk begins.
    pub fn new(facts: Vec<Fact>) -> Self {
        let mut replay = Replay::new(facts);
        replay.forward(Stride::Walk);
        Self {
            replay,
            policies: Policies::default(),
            tickets: 0,
            commands: VecDeque::new(),
            reviewer: None,
            home: None,
            waiting: VecDeque::new(),
            running: Canceller::default(),
            cancel: Cancel::new(),
        }
    }

    /// The same recording with a reviewer who may leave notes; `~` in the path of a command is their `home`.
    #[must_use]
    pub fn reviewed_by(self, reviewer: Reviewer, home: Option<PathBuf>) -> Self {
        Self { reviewer: Some(Arc::new(Mutex::new(reviewer))), home, ..self }
    }

    fn carry_out(&mut self, ticket: Ticket, command: &EngineCommand) -> Result<Stop, Failure> {
        use EngineCommand as C;
        let refused = || Failure::missing(Need::Live, Has::default());
        match command {
            command if command.spec().needs.contains(&Need::Live) => Err(refused()),
            C::Step(Times(count)) | C::Next(Times(count)) => self.forward(Stride::Step, *count),
            C::Continue | C::Finish | C::Run => self.forward(Stride::Stop, 1),
            C::NextSample(None) => self.forward(Stride::Walk, 1),
            C::NextSample(Some(condition)) => self.next_sample_where(ticket, condition),
            C::Back(Times(count)) => self.back(Stride::Step, *count),
            C::PreviousSample => self.back(Stride::Walk, 1),
            C::Walk(id) => self.look_at(WalkId(*id)),
            C::Sample(which) => self.go_to_sample(which),
            C::Until(place) => self.until(place),
            C::Note(text) => self.note(annotate::subject(self.replay.state()), text),
            C::NoteAt(node, text) => self.note(annotate::step_of(self.replay.state(), node)?, text),
            C::Tag(tag) => self.tag(tag),
            C::Save(path) => self.save(path),
            C::Examine(what, node) => {
                let asked = prompt::asked(self.replay.state(), &self.policies, node.as_ref())?;
                match self.examined(*what, &asked) {
                    Some(fact) => Ok(self.show(fact)),
                    None => Err(Failure::user(format!(
                        "the recording holds no `x {}` of node `{}`",
                        what.as_str(),
                        asked.node
                    ))
                    .hinted("x prompt shows what was asked; `--session FILE --llm MODEL` goes on with a session")),
                }
            }
            _ => Err(refused()),
        }
    }

    fn tell(&mut self, event: Event) {
        self.waiting.push_back(Waiting::Event(event));
    }

    fn forward(&mut self, stride: Stride, count: u32) -> Result<Stop, Failure> {
        let to = self.replay.ahead(stride, count);
        self.waiting.push_back(Waiting::To(to));
        moved(to != self.replay.position())
    }

    /// To the beginning of the next walk whose sample fits. Each condition may take as long as any expression, so the
    /// samples are tried one by one while events are asked for.
    fn next_sample_where(&mut self, ticket: Ticket, condition: &str) -> Result<Stop, Failure> {
        let policy = self.replay.state().policy.as_ref().and_then(|record| self.policies.of(record));
        let policies: Vec<&Policy> = policy.as_deref().into_iter().collect();
        let known = Vocabulary { moment: Moment::Sample, policies: &policies, ..Vocabulary::default() };
        expr::check(condition, &known)?;
        let (condition, at) = (condition.to_owned(), self.replay.position());
        self.waiting.push_back(Waiting::Search { ticket, condition, at });
        Ok(Stop::Done)
    }

    /// Tries the next walk from `at` on.
    fn search(&mut self, ticket: Ticket, condition: String, at: usize) -> Result<(), Failure> {
        let facts = self.replay.facts();
        let next = facts.iter().enumerate().skip(at).find_map(|(at, fact)| match &**fact {
            Fact::WalkStarted { index, sample, .. } => Some((at + 1, *index, sample)),
            _ => None,
        });
        let Some((at, index, sample)) = next else {
            return Err(Failure::user("no later walk of the recording is of a sample that fits")
                .hinted("it holds the samples that were selected; sample goes to an earlier one"));
        };
        let context = expr::Context::of_sample(self.replay.state(), index, sample);
        if expr::Condition::read(&condition)?.holds(&context)? {
            self.waiting.push_front(Waiting::To(at));
            return Ok(());
        }
        let permille = (at.saturating_mul(1000) / facts.len().max(1)).min(1000) as u16;
        self.waiting.push_front(Waiting::Search { ticket, condition, at });
        let progress = Progress::Loading { what: "trying the samples", permille };
        self.waiting.push_front(Waiting::Event(Event::Notice(Notice::Progress(ticket, progress))));
        Ok(())
    }

    /// The command in flight ends with this, wherever it has come to.
    fn fail(&mut self, failure: Failure) {
        for waiting in &mut self.waiting {
            if let Waiting::Event(Event::Notice(Notice::Done { result, .. })) = waiting {
                *result = Err(failure.clone());
            }
        }
    }

    fn back(&mut self, stride: Stride, count: u32) -> Result<Stop, Failure> {
        let (from, to) = (self.replay.position(), self.replay.behind(stride, count));
        if to != from {
            self.replay.seek(to);
        }
        moved(to != from)
    }

    /// To the beginning of the first walk of a sample, wherever it is.
    fn go_to_sample(&mut self, which: &SampleRef) -> Result<Stop, Failure> {
        let fits = |fact: &Fact| match (fact, which) {
            (Fact::WalkStarted { index, .. }, SampleRef::Number(n)) => index.checked_add(1) == Some(*n),
            (Fact::WalkStarted { sample, .. }, SampleRef::Id(id)) => sample.id.raw() == id,
            _ => false,
        };
        let Some(at) = self.replay.facts().iter().position(|fact| fits(fact)) else {
            return Err(Failure::user("the recording has no walk of that sample")
                .hinted("it holds the samples that were selected; next-sample goes from one to the next"));
        };
        self.replay.seek(at);
        self.waiting.push_back(Waiting::To(at + 1));
        Ok(Stop::Done)
    }

    /// Moves forward until a walk stands before `place` (at it, if it is a leaf), whether it got there by a step, a
    /// start, a branch, a step back or by being selected.
    fn until(&mut self, place: &Name) -> Result<Stop, Failure> {
        let stands_there = |state: &SessionState| {
            let frontier = state.walk_now().map(Walk::frontier);
            frontier.is_some_and(|at| matches!(at, Target::Node(id) | Target::Leaf(id) if id == *place))
        };
        match self.replay.next_place(stands_there) {
            Some(to) => {
                self.waiting.push_back(Waiting::To(to));
                Ok(Stop::Until)
            }
            None if stands_there(self.replay.state()) => Ok(Stop::Already),
            None => Err(Failure::user(format!("the recording does not come to `{place}` after this"))
                .hinted("sample and back go to earlier places")),
        }
    }

    /// The recorded result of `x` for this kind and node, anywhere in the recording; if no position is given, the one
    /// for which the most tokens were read. A branch shares the steps before it and the results recorded for them.
    fn examined(&self, what: ExamineWhat, asked: &Asked) -> Option<Fact> {
        let mut walks = vec![asked.walk];
        let state = self.replay.state();
        while let Some((from, shared)) = walks.last().and_then(|id| state.walk(*id)?.forked_from) {
            let there = state.walk(from).and_then(|w| w.steps.iter().position(|s| s.node.id == asked.node));
            if walks.contains(&from) || there.is_none_or(|at| at >= shared) {
                break;
            }
            walks.push(from);
        }
        let mut here = self.replay.facts().iter().filter_map(|fact| match &**fact {
            Fact::Examined { walk, node, found } if walks.contains(walk) && *node == asked.node => Some(found),
            _ => None,
        });
        let found = match what {
            ExamineWhat::Prompt => Some(Examination::Prompt(asked.pieces())),
            ExamineWhat::Tokens => here.rfind(|found| matches!(found, Examination::Tokens(_))).cloned(),
            ExamineWhat::Top { k, position } => here
                .filter_map(|found| match found {
                    Examination::Top { position: at, tokens } => Some((*at, tokens)),
                    _ => None,
                })
                .filter(|(at, _)| position.is_none_or(|asked| asked == *at))
                .max_by_key(|(at, tokens)| (*at, tokens.len()))
                .map(|(position, tokens)| Examination::Top {
                    position,
                    tokens: tokens.iter().take(k as usize).cloned().collect(),
                }),
        };
        Some(Fact::Examined { walk: asked.walk, node: asked.node.clone(), found: found? })
    }

    /// Shows something other than a movement, as the fact it would be in a live session; it is not part of the
    /// recording.
    fn show(&mut self, fact: Fact) -> Stop {
        self.tell(Event::Fact(Arc::new(fact)));
        Stop::Done
    }

    /// Changes only which walk is shown; this is not part of the recording.
    fn look_at(&mut self, walk: WalkId) -> Result<Stop, Failure> {
        if !self.replay.select(walk) {
            return Err(
                Failure::user(format!("there is no walk {} up to here", walk.0)).hinted("info walks lists them")
            );
        }
        self.tell(Event::Fact(Arc::new(Fact::WalkSelected { walk })));
        Ok(Stop::Done)
    }
}

fn moved(moved: bool) -> Result<Stop, Failure> {
    if moved { Ok(Stop::Done) } else { Err(Failure::user("the recording has nothing more in this direction")) }
}

impl Driver for Recorded {
    fn submit(&mut self, command: EngineCommand) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.commands.push_back((ticket, command));
        ticket
    }

    fn event(&mut self, _: Duration) -> Option<Event> {
        loop {
            match self.waiting.pop_front() {
                Some(Waiting::Event(event)) => return Some(event),
                Some(Waiting::To(_) | Waiting::Search { .. }) if self.cancel.is_cancelled() => {
                    self.fail(Failure::cancelled());
                }
                Some(Waiting::Search { ticket, condition, at }) => {
                    if let Err(failure) = self.search(ticket, condition, at) {
                        self.fail(failure);
                    }
                }
                Some(Waiting::To(position)) if self.replay.position() < position => {
                    self.waiting.push_front(Waiting::To(position));
                    return self.replay.forward(Stride::Fact).first().cloned().map(Event::Fact);
                }
                Some(Waiting::To(_)) => {}
                None => {
                    let (ticket, command) = self.commands.pop_front()?;
                    self.cancel = self.running.renew();
                    self.tell(Event::Notice(Notice::Started(ticket)));
                    let result = self.carry_out(ticket, &command);
                    self.tell(Event::Notice(Notice::Done { ticket, result }));
                }
            }
        }
    }

    fn state(&self) -> &SessionState {
        self.replay.state()
    }

    fn policies(&self) -> &Policies {
        &self.policies
    }

    fn cancel(&self) {
        self.running.cancel();
    }

    fn canceller(&self) -> Canceller {
        self.running.clone()
    }

    fn length(&self) -> Option<usize> {
        Some(self.replay.facts().len())
    }

    fn is_recorded(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
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
        let start =
            |n: u32| Fact::WalkStarted { walk: WalkId(n), index: 0, sample: sample.clone(), root: root.clone() };
        Recorded::new((1..=100).map(start).collect())
    }

    /// A walk that is begun twice, with a step taken back, and a branch that is abandoned.
    fn with_two_walks() -> Recorded {
        let template =
            journal::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("sessions/scams-missed-request.jsonl"));
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
}
