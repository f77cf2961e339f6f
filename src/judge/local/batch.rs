//! Many questions at once: each is a task that prefills, decodes and answers; every pass of the model takes rows of all
//! of them.
//!
//! Must give each question the bits it would get alone: a task depends on its own tokens only, never on its neighbours.

#[cfg(test)]
mod tests;

use super::super::rationale::RationaleText;
use super::super::readout::{self, Plan, Scores};
use super::super::{JudgeError, Progress, Question, Questions};
use super::{LocalJudge, Tokens};
use crate::domain::{Cancel, Digest, Judgement, Mode, Part, Rationale, Readout, StopReason, Usage};
use crate::llm::decoder::Row;
use crate::llm::kv::Sequence;
use crate::llm::scoring;
use std::collections::VecDeque;
use std::time::Instant;

/// Most questions at a time. Decode is bound by reading the weights, which all tasks share. Beyond this number it is
/// bound by arithmetic, and more tasks would only cost memory.
const WIDTH: usize = 32;

/// A question waits while another one prefills the same prefix, if that saves at least this many tokens.
const WORTH_WAITING: usize = 16;

/// Rows of reading that a pass takes at least, whatever else it has to do.
const LEAST_READING: usize = 8;

/// Answers `questions` until there are no more.
pub(super) fn run(judge: &mut LocalJudge, questions: &mut dyn Questions, cancel: &Cancel) -> Result<(), JudgeError> {
    let mut batch = Batch { judge, tasks: Vec::new(), waiting: VecDeque::new() };
    let result = batch.run(questions, cancel);
    if result.is_err() {
        batch.keep_what_was_read();
    }
    result
}

struct Batch<'a> {
    judge: &'a mut LocalJudge,
    tasks: Vec<Task>,
    /// Tasks that would read what another is just reading.
    waiting: VecDeque<Task>,
}

struct Task {
    number: u64,
    /// Who reads first: the lowest rank. The number, or that of a more urgent task that waits for what this one reads.
    rank: u64,
    question: Question,
    start: Instant,
    /// What is read, up to the answer; without the rationale as long as that is not written.
    tokens: Tokens,
    /// One; while answering, one for each leaf of the answers.
    sequences: Vec<Sequence>,
    phase: Phase,
    rationale: Option<Rationale>,
    /// Tokens that were known when the task began.
    reused: usize,
    computed: usize,
}

enum Phase {
    /// Reads what comes before the rationale.
    Opening,
    /// Writes the rationale; `next` is to be read.
    Writing { text: RationaleText, written: u32, next: u32 },
    /// Reads up to the answer.
    Whole,
    /// Reads the answers, after the logits at the end of the prompt.
    Answering { plan: Plan, prompt: Vec<f32> },
}

/// What one task has in a pass.
struct Share {
    task: usize,
    sequences: usize,
    rows: usize,
    /// How many of the rows have logits.
    logits: usize,
}

/// What the logits of a task are or say.
enum Finding {
    /// It has none yet.
    Nothing,
    /// The most likely next token: `None` if the logits are not finite or no token may be written.
    Next(Option<u32>),
    /// Those at the end of the prompt.
    Prompt(Vec<f32>),
    Scores(Result<Scores, JudgeError>),
}

impl Batch<'_> {
    fn run(&mut self, questions: &mut dyn Questions, cancel: &Cancel) -> Result<(), JudgeError> {
        loop {
            if cancel.is_cancelled() {
                return Err(JudgeError::Cancelled);
            }
            self.admit(questions);
            if self.tasks.is_empty() {
                return Ok(());
            }
            self.pass(questions, cancel)?;
        }
    }

    /// Begins tasks as long as there is room for their keys and values.
    fn admit(&mut self, questions: &mut dyn Questions) {
        for _ in 0..self.waiting.len() {
            if let Some(task) = self.waiting.pop_front() {
                self.begin(task, questions);
            }
        }
        while self.tasks.len() + self.waiting.len() < WIDTH && self.has_room() {
            let idle = self.tasks.is_empty() && self.waiting.is_empty();
            let Some((number, question)) = questions.next(idle) else { return };
            match self.judge.task(number, question) {
                Ok(task) => self.begin(task, questions),
                Err(error) => questions.answered(number, Err(error)),
            }
        }
    }

    /// Whether what the tasks hold for themselves leaves half of the budget for prompts that are known.
    fn has_room(&self) -> bool {
        let shape = self.judge.decoder.kv().shape();
        let held = self.tasks.iter().map(|t| shape.bytes(t.tokens.ids.len() - t.reused.min(t.tokens.ids.len())));
        self.tasks.is_empty() || held.sum::<usize>() < self.judge.kv_bytes / 2
    }

    fn begin(&mut self, mut task: Task, questions: &mut dyn Questions) {
        let sequence = self.judge.known_part(&task.tokens.ids);
        let known = sequence.len();
        let reading = self.tasks.iter_mut().filter(|t| matches!(t.phase, Phase::Opening | Phase::Whole));
        let shared = reading.map(|t| (common(&t.tokens.ids, &task.tokens.ids), t)).max_by_key(|(shared, _)| *shared);
        if let Some((shared, reader)) = shared
            && shared >= known + WORTH_WAITING
        {
            reader.rank = reader.rank.min(task.rank);
            self.waiting.push_back(task);
            return;
        }
        task.reused = known;
        task.sequences = vec![sequence];
        task.report(questions);
        self.tasks.push(task);
    }

    /// One pass of the model: a token of everything that is written or answered, and as much reading as the pace
    /// allows.
    fn pass(&mut self, questions: &mut dyn Questions, cancel: &Cancel) -> Result<(), JudgeError> {
        let start = Instant::now();
        let (mut rows, mut sequences, mut shares) = (Vec::new(), Vec::new(), Vec::new());
        let fixed: usize = self.tasks.iter().map(|t| t.fixed_rows()).sum();
        let mut budget = self.judge.pace.rows().saturating_sub(fixed).max(LEAST_READING);
        // The most urgent read first. The order of rows has no influence on their bits.
        self.tasks.sort_by_key(|t| t.rank);
        for (index, task) in self.tasks.iter_mut().enumerate() {
            let first = rows.len();
            let logits = task.rows(sequences.len(), &mut budget, &mut rows);
            if rows.len() > first {
                let share = Share { task: index, sequences: task.sequences.len(), rows: rows.len() - first, logits };
                sequences.append(&mut task.sequences);
                shares.push(share);
            }
        }
        let logits = self.judge.decoder.forward(&mut sequences, &rows, cancel);
        let mut back = sequences.into_iter();
        for share in &shares {
            self.tasks[share.task].sequences = back.by_ref().take(share.sequences).collect();
        }
        let logits = logits?;
        self.judge.pace.adapt(rows.len(), start.elapsed());

        let findings = self.findings(&shares, &logits);
        self.judge.decoder.recycle(logits);
        let mut done = Vec::new();
        for (share, finding) in shares.iter().zip(findings) {
            let task = &mut self.tasks[share.task];
            task.computed += share.rows;
            task.report(questions);
            match self.judge.advance(task, finding, questions) {
                Ok(None) => {}
                Ok(Some(judgement)) => done.push((share.task, Ok(judgement))),
                Err(error) => done.push((share.task, Err(error))),
            }
        }
        // From the last to the first, so that the numbers of those before stay true.
        for (index, answer) in done.into_iter().rev() {
            let task = self.tasks.remove(index);
            questions.answered(task.number, answer);
        }
        Ok(())
    }

    /// What the logits of every share say, found by all threads.
    fn findings(&self, shares: &[Share], logits: &[f32]) -> Vec<Finding> {
        let (judge, vocabulary) = (&*self.judge, self.judge.decoder.vocabulary());
        let mut rest = logits;
        let mut findings: Vec<(&Phase, &[f32], Finding)> = Vec::with_capacity(shares.len());
        for share in shares {
            let (own, others) = rest.split_at(share.logits * vocabulary);
            rest = others;
            findings.push((&self.tasks[share.task].phase, own, Finding::Nothing));
        }
        judge.decoder.pool().pieces(&mut findings, 1, 1, |_, findings| {
            for (phase, logits, finding) in findings {
                if !logits.is_empty() {
                    *finding = judge.finding(phase, logits);
                }
            }
        });
        findings.into_iter().map(|(_, _, finding)| finding).collect()
    }

    /// After a cancel: the parts of prompts that were read are known from now on.
    fn keep_what_was_read(&mut self) {
        for task in &mut self.tasks {
            if let (Phase::Opening | Phase::Whole, [sequence]) = (&task.phase, task.sequences.as_mut_slice()) {
                self.judge.known.insert(sequence);
            }
        }
    }
}

impl Task {
    /// Rows it has in every pass, whatever the pace.
    fn fixed_rows(&self) -> usize {
        match &self.phase {
            Phase::Opening | Phase::Whole => 0,
            Phase::Writing { .. } => 1,
            Phase::Answering { plan, .. } => plan.len(),
        }
    }

    /// Its rows in this pass, with `first` as the number of its first sequence; returns how many of them have logits.
    fn rows(&self, first: usize, budget: &mut usize, rows: &mut Vec<Row>) -> usize {
        match &self.phase {
            Phase::Opening | Phase::Whole => {
                let done = self.sequences.first().map_or(0, Sequence::len);
                let rest = self.tokens.ids.get(done..).unwrap_or_default();
                let count = rest.len().min(*budget);
                *budget -= count;
                rows.extend(rest.iter().take(count).map(|token| Row::new(*token, first)));
                let ends = count > 0 && count == rest.len();
                if let (true, Some(last)) = (ends, rows.last_mut()) {
                    last.logits = true;
                }
                usize::from(ends)
            }
            Phase::Writing { next, .. } => {
                rows.push(Row { logits: true, ..Row::new(*next, first) });
                1
            }
            Phase::Answering { plan, .. } => {
                rows.extend(plan.rows(first));
                plan.len()
            }
        }
    }

    fn report(&self, questions: &mut dyn Questions) {
        if let (Phase::Opening | Phase::Whole, Some(sequence)) = (&self.phase, self.sequences.first()) {
            let (done, total) = (sequence.len() as u32, self.tokens.ids.len() as u32);
            questions.progress(self.number, Progress::Prefill { done, total });
        }
    }
}

impl LocalJudge {
    fn task(&self, number: u64, question: Question) -> Result<Task, JudgeError> {
        let (tokens, phase) = match question.mode {
            Mode::Rationale { .. } => (self.encode(&self.opening(&question.prompt, question.mode)), Phase::Opening),
            Mode::Direct => (self.encode(&self.whole(&question, None)), Phase::Whole),
        };
        scoring::check(&self.decoder, tokens.ids.len(), &tokens.ids)?;
        Ok(Task {
            number,
            rank: number,
            question,
            start: Instant::now(),
            tokens,
            sequences: Vec::new(),
            phase,
            rationale: None,
            reused: 0,
            computed: 0,
        })
    }

    /// What the logits of a task in this phase say.
    fn finding(&self, phase: &Phase, logits: &[f32]) -> Finding {
        match phase {
            Phase::Opening | Phase::Writing { .. } => {
                let may = |token| !self.exact_length || self.has_text(token);
                let finite = scoring::are_finite(logits);
                Finding::Next(if finite { scoring::argmax_of(logits, may) } else { None })
            }
            Phase::Whole => Finding::Prompt(logits.to_vec()),
            Phase::Answering { plan, prompt } => Finding::Scores(plan.scores(prompt, logits, &self.endings)),
        }
    }

    /// Takes a task on after a pass.
    fn advance(
        &mut self,
        task: &mut Task,
        finding: Finding,
        questions: &mut dyn Questions,
    ) -> Result<Option<Judgement>, JudgeError> {
        match finding {
            Finding::Nothing => Ok(None),
            Finding::Next(token) => {
                if let Phase::Opening = task.phase {
                    self.known.insert(first(&mut task.sequences)?);
                    let text = match self.exact_length {
                        true => RationaleText::endless(),
                        false => RationaleText::new(&task.question.prompt.answer_cue),
                    };
                    task.phase = Phase::Writing { text, written: 0, next: 0 };
                }
                self.write(task, token, questions)?;
                Ok(None)
            }
            Finding::Prompt(prompt) => {
                let sequence = first(&mut task.sequences)?;
                self.known.insert(sequence);
                let previous = task.tokens.ids.last().copied();
                let answers = readout::tokenize(&self.tokenizer, &task.question.answers, previous)?;
                let plan = Plan::new(&self.decoder, sequence.len(), &answers)?;
                task.sequences = plan.branches(sequence);
                task.phase = Phase::Answering { plan, prompt };
                Ok(None)
            }
            Finding::Scores(scores) => Ok(Some(task.judgement(scores?))),
        }
    }

    /// Whether a token is text of a rationale. Others end the turn, also a padding row of the head, beyond the
    /// tokenizer's vocabulary.
    fn has_text(&self, token: u32) -> bool {
        let known = (token as usize) < self.tokenizer.vocab_size();
        known && !self.tokenizer.is_end(token) && !self.tokenizer.is_control(token)
    }

    /// Appends the next token of a rationale, or ends it and moves on to reading the whole prompt.
    fn write(&mut self, task: &mut Task, choice: Option<u32>, questions: &mut dyn Questions) -> Result<(), JudgeError> {
        let Mode::Rationale { max_tokens } = task.question.mode else { return Ok(()) };
        let Phase::Writing { text, written, next } = &mut task.phase else { return Ok(()) };
        let token = choice.ok_or_else(scoring::not_finite)?;
        let sequence = first(&mut task.sequences)?;
        let stop = if *written == max_tokens || sequence.len() >= self.decoder.arch().context {
            Some(StopReason::Length)
        } else if !self.has_text(token) {
            Some(StopReason::EndOfTurn)
        } else {
            *written += 1;
            *next = token;
            let piece = text.push(self.tokenizer.token_bytes(token));
            if !piece.is_empty() {
                questions.progress(task.number, Progress::Token(piece.into()));
            }
            text.stop()
        };
        let Some(stop) = stop else { return Ok(()) };
        let tokens = *written;
        let (rest, whole) = std::mem::replace(text, RationaleText::new("")).finish();
        if !rest.is_empty() {
            questions.progress(task.number, Progress::Token(rest.into()));
        }
        self.known.insert(sequence);
        // The rationale is encoded again from its text, so that the recorded text alone reproduces the prompt. If that
        // gives the tokens the model wrote, as it nearly always does, they are cached and cost nothing.
        task.tokens = self.encode(&self.whole(&task.question, Some(&whole)));
        task.rationale = Some(Rationale { text: whole.into(), tokens, stop });
        scoring::check(&self.decoder, task.tokens.ids.len(), &task.tokens.ids)?;
        task.sequences = vec![self.known_part(&task.tokens.ids)];
        task.phase = Phase::Whole;
        Ok(())
    }
}

fn first(sequences: &mut [Sequence]) -> Result<&mut Sequence, JudgeError> {
    sequences.first_mut().ok_or_else(|| JudgeError::Internal("a task without text".into()))
}

impl Task {
    fn judgement(&mut self, scores: Scores) -> Judgement {
        let rationale_tokens = self.tokens.parts.iter().filter(|p| **p == Part::Rationale).count();
        let ids: Vec<u8> = self.tokens.ids.iter().flat_map(|id| id.to_le_bytes()).collect();
        Judgement {
            rationale: self.rationale.take(),
            readout: Readout::from_logprobs(self.question.answers.iter().cloned().zip(scores.logprobs)),
            prompt_sha256: Digest::of(&ids),
            logits_sha256: scores.logits_sha256,
            usage: Usage {
                prompt_tokens: (self.tokens.ids.len() - rationale_tokens) as u32,
                reused_tokens: self.reused as u32,
                computed_tokens: self.computed as u32,
                millis: self.start.elapsed().as_millis() as u32,
            },
        }
    }
}

fn common(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}
