//! Which question is prefilled first, on a tiny model.

use super::*;
use crate::domain::{Name, Piece, Prompt};
use crate::judge::local::{Options, open_gguf};
use crate::llm::oracle::tiny;

/// No questions but those that a test begins itself.
struct Nobody;

impl Questions for Nobody {
    fn next(&mut self, _idle: bool) -> Option<(u64, Question)> {
        None
    }

    fn answered(&mut self, _number: u64, _answer: Result<Judgement, JudgeError>) {}
}

fn judge() -> LocalJudge {
    let tokens: Vec<String> = ('a'..='z').chain('A'..='X').map(|c| c.to_string()).collect();
    assert_eq!(tokens.len(), tiny::VOCABULARY);
    let file = tiny::file(&tiny::families().remove(0))
        .str("tokenizer.ggml.model", "gpt2")
        .str("tokenizer.ggml.pre", "gpt-2")
        .strings("tokenizer.ggml.tokens", &tokens)
        .strings::<&str>("tokenizer.ggml.merges", &[]);
    let options = Options { chat: Some("plain".to_owned()), threads: 1, ..Options::default() };
    open_gguf(file.file().path(), &options, &mut |_| {}, &Cancel::new()).unwrap()
}

/// A question of 100 tokens.
fn question(text: &str) -> Question {
    let user = vec![Piece { part: Part::Sample, text: text.repeat(100 / text.len()).into() }];
    let prompt = Prompt { system: Vec::new(), user, rationale_cue: String::new(), answer_cue: String::new() };
    Question { prompt, answers: ["yes", "no"].map(|name| Name::new(name).unwrap()).to_vec(), mode: Mode::Direct }
}

/// What each task has read after one pass, by its number.
fn read_after_a_pass(batch: &mut Batch<'_>) -> Vec<(u64, usize)> {
    batch.pass(&mut Nobody, &Cancel::new()).unwrap();
    let mut read: Vec<_> =
        batch.tasks.iter().map(|t| (t.number, t.sequences.first().map_or(0, Sequence::len))).collect();
    read.sort_unstable();
    read
}

#[test]
fn the_most_urgent_question_reads_first_however_late_it_came() {
    let mut judge = judge();
    let first_pass = judge.pace.rows();
    let mut batch = Batch { judge: &mut judge, tasks: Vec::new(), waiting: VecDeque::new() };
    for (number, text) in [(7, "abcde"), (9, "fghij"), (3, "klmno")] {
        let task = batch.judge.task(number, question(text)).unwrap();
        batch.begin(task, &mut Nobody);
    }
    assert_eq!(read_after_a_pass(&mut batch), [(3, first_pass), (7, 0), (9, 0)]);
}

#[test]
fn who_reads_what_a_more_urgent_question_waits_for_is_as_urgent_as_that() {
    let mut judge = judge();
    let first_pass = judge.pace.rows();
    let mut batch = Batch { judge: &mut judge, tasks: Vec::new(), waiting: VecDeque::new() };
    for (number, text) in [(5, "abcde"), (9, "fghij"), (3, "fghij")] {
        let task = batch.judge.task(number, question(text)).unwrap();
        batch.begin(task, &mut Nobody);
    }
    assert_eq!(batch.waiting.iter().map(|t| t.number).collect::<Vec<_>>(), [3], "it spares reading the same twice");
    assert_eq!(read_after_a_pass(&mut batch), [(5, 0), (9, first_pass)]);
}
