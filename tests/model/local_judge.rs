//! A real model answers nodes: the same bits by every path, the cache is used, a cancel takes effect at once.
//!
//! Must skip, with a message, if the model is absent.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crossexam::domain::{Cancel, Examination, Judgement, Mode, Name, Part, Piece, Prompt, StopReason};
use crossexam::judge::local::{LocalJudge, Options, open_gguf};
use crossexam::judge::{Judge, JudgeError, Look, Progress, Question, Questions};
use std::time::{Duration, Instant};

fn open(threads: usize) -> Option<LocalJudge> {
    open_with(Options { threads, ..Options::default() })
}

fn open_with(options: Options) -> Option<LocalJudge> {
    let model = crate::common::model::smollm2()?.join("SmolLM2-135M-Instruct.Q4_1.gguf");
    Some(open_gguf(&model, &options, &mut |_| {}, &Cancel::new()).unwrap())
}

fn question(sample: &str, asked: &str, mode: Mode) -> Question {
    let piece = |part, text: &str| Piece { part, text: text.into() };
    let guidance =
        "Count gift cards, crypto and bank transfers as money. A price in an advertisement is no request.\n".repeat(6);
    Question {
        prompt: Prompt {
            system: vec![piece(Part::Instructions, "You apply a content policy, one question at a time.\n")],
            user: vec![
                piece(Part::Guidance, &guidance),
                piece(Part::Sample, &format!("Text: {sample}\n")),
                piece(Part::Question, &format!("Question: {asked}\n")),
                piece(Part::Answers, "Answer with one of: yes, no, not sure\n"),
            ],
            rationale_cue: "Rationale:".to_owned(),
            answer_cue: "Answer:".to_owned(),
        },
        answers: ["yes", "no", "not sure"].map(|a| Name::new(a).unwrap()).into(),
        mode,
    }
}

fn judge(judge: &mut LocalJudge, question: &Question) -> Judgement {
    judge.judge(question, &mut |_| {}, &Cancel::new()).unwrap()
}

const ASKED: [&str; 2] = ["Does the text ask the reader for money?", "Is the text an advertisement?"];

#[test]
fn an_answer_has_the_same_bits_alone_after_other_prompts_forked_and_with_one_thread_and_two() {
    let (Some(mut one), Some(mut two)) = (open(1), open(2)) else { return };
    let mode = Mode::Rationale { max_tokens: 12 };
    let asked = question("Send me a gift card and I double it.", ASKED[0], mode);
    // A record names what made the bits.
    assert_eq!((one.info().kernel.as_str(), one.info().kv_dtype.as_str()), ("int8/4", "i16"));
    let alone = judge(&mut one, &asked);
    assert_eq!(alone.usage.reused_tokens, 0);
    // Other prompts first, which share parts of this one: its beginning is then known in several segments.
    for sample in ["Send me a gift card, please.", "Send me flowers.", "Lovely shoes, 30 dollars."] {
        judge(&mut two, &question(sample, ASKED[1], Mode::Direct));
    }
    let after_others = judge(&mut two, &asked);
    assert!(after_others.usage.reused_tokens > 100, "{:?}", after_others.usage);
    let again = judge(&mut two, &asked);
    assert!(again.usage.computed_tokens < after_others.usage.computed_tokens);
    for other in [after_others, again] {
        assert_eq!(other.rationale, alone.rationale);
        assert_eq!(other.prompt_sha256, alone.prompt_sha256);
        assert_eq!(other.logits_sha256, alone.logits_sha256);
        assert_eq!(other.readout, alone.readout);
    }
}

/// Asks all questions at once and takes their answers as they come.
struct Many {
    ready: Vec<Question>,
    answers: Vec<Option<Judgement>>,
}

impl Questions for Many {
    fn next(&mut self, _idle: bool) -> Option<(u64, Question)> {
        let question = self.ready.pop()?;
        Some((self.ready.len() as u64, question))
    }

    fn answered(&mut self, number: u64, answer: Result<Judgement, JudgeError>) {
        self.answers[number as usize] = Some(answer.unwrap());
    }
}

#[test]
fn thirty_seven_questions_at_once_get_the_bits_they_get_alone() {
    let (Some(mut one), Some(mut two)) = (open(1), open(2)) else { return };
    let ready: Vec<Question> = (0..37)
        .map(|i| {
            let sample = format!("Offer number {i}: send me {} dollars {}.", i * 7, "now ".repeat(i % 5));
            let mode = if i % 3 == 0 { Mode::Rationale { max_tokens: 4 + i as u32 % 7 } } else { Mode::Direct };
            question(&sample, ASKED[i % 2], mode)
        })
        .collect();
    let mut many = Many { answers: vec![None; ready.len()], ready: ready.clone() };
    two.judge_all(&mut many, &Cancel::new()).unwrap();
    for (index, (asked, together)) in ready.iter().zip(many.answers).enumerate().step_by(4) {
        let (alone, together) = (judge(&mut one, asked), together.unwrap());
        assert_eq!(together.rationale, alone.rationale, "question {index}");
        assert_eq!(together.logits_sha256, alone.logits_sha256, "question {index}");
        assert_eq!(together.readout, alone.readout, "question {index}");
    }
}

#[test]
fn a_rationale_of_exact_length_never_ends_by_itself_and_is_not_read_again() {
    let options = Options { exact_length: true, ..Options::default() };
    let (Some(mut free), Some(mut exact)) = (open(0), open_with(options)) else { return };
    // Which rationale is short depends on how numbers are rounded, so this takes the first that is.
    let samples = ["Lovely shoes, 30 dollars.", "Hello there.", "Send money.", "What a day.", "Buy now!", "Thank you."];
    let mut ends_by_itself =
        samples.iter().flat_map(|sample| ASKED.map(|asked| (sample, asked))).filter_map(|(sample, asked)| {
            let asked = question(sample, asked, Mode::Rationale { max_tokens: 60 });
            let rationale = judge(&mut free, &asked).rationale.unwrap();
            (rationale.stop != StopReason::Length).then_some((asked, rationale))
        });
    let (asked, rationale) = ends_by_itself.next().expect("one that ends by itself is needed here");
    let judged = judge(&mut exact, &asked);
    let longer = judged.rationale.unwrap();
    assert_eq!((longer.tokens, longer.stop), (60, StopReason::Length));
    assert!(longer.text.raw().starts_with(rationale.text.raw().trim_end()) && !longer.text.raw().contains("<|"));
    let own = judged.usage.prompt_tokens + 60;
    assert!((own..own + 10).contains(&judged.usage.computed_tokens), "{:?}", judged.usage);
}

#[test]
fn an_edit_of_the_question_reads_only_the_tokens_from_the_edit_on() {
    let Some(mut model) = open(0) else { return };
    let before = judge(&mut model, &question("Send money.", ASKED[0], Mode::Direct));
    let after = judge(&mut model, &question("Send money.", "Does the text ask the reader for cash?", Mode::Direct));
    // All before the edited word was known; what follows it is a line of answers, the cue and the answers themselves.
    assert!(after.usage.reused_tokens + 40 > after.usage.prompt_tokens, "{:?} {:?}", before.usage, after.usage);
    assert!(after.usage.computed_tokens < 50, "{:?}", after.usage);
}

#[test]
fn node_first_prefixes_are_read_once_for_all_samples() {
    let Some(mut model) = open(0) else { return };
    let first = judge(&mut model, &question("Hello there.", ASKED[0], Mode::Direct));
    for sample in ["Send money.", "Buy now!", "What a day."] {
        let next = judge(&mut model, &question(sample, ASKED[0], Mode::Direct));
        assert!(next.usage.reused_tokens > 100, "{:?} after {:?}", next.usage, first.usage);
        assert!(next.usage.computed_tokens < first.usage.computed_tokens / 2);
    }
}

#[test]
fn probabilities_are_of_the_full_vocabulary_and_x_shows_the_same_prompt() {
    let Some(mut model) = open(0) else { return };
    let asked = question("Send money.", ASKED[0], Mode::Direct);
    let judged = judge(&mut model, &asked);
    let sum: f64 = judged.readout.answers.iter().map(|a| a.p).sum();
    assert!((sum - 1.0).abs() < 1e-9 && judged.readout.coverage > 0.0 && judged.readout.coverage < 1.0);
    let cancel = Cancel::new();
    let Examination::Tokens(tokens) = model.examine(&asked, None, Look::Tokens, &cancel).unwrap() else { panic!() };
    assert_eq!(tokens.len(), judged.usage.prompt_tokens as usize);
    assert!(tokens.iter().all(|t| !t.control || t.part == Part::Template));
    let look = Look::Top { k: 5, position: None };
    let Examination::Top { position, tokens: top } = model.examine(&asked, None, look, &cancel).unwrap() else {
        panic!()
    };
    assert_eq!((position as usize, top.len()), (tokens.len(), 5));
    assert!(top[0].logprob >= judged.readout.answers.iter().map(|a| a.logprob).fold(f64::MIN, f64::max));
}

#[test]
fn a_cancel_in_the_middle_of_a_long_prompt_lands_soon_and_what_was_read_stays_known() {
    let Some(mut model) = open(0) else { return };
    let asked = question(&"A long text about nothing in particular. ".repeat(120), ASKED[0], Mode::Direct);
    let cancel = Cancel::new();
    let mut asked_at = None;
    let mut stop = |progress| {
        if let Progress::Prefill { done, total } = progress
            && done > total / 4
            && asked_at.is_none()
        {
            cancel.cancel();
            asked_at = Some(Instant::now());
        }
    };
    let result = model.judge(&asked, &mut stop, &cancel);
    assert!(matches!(result, Err(JudgeError::Cancelled)));
    // Generous, for a machine that is busy with other tests; alone it is about a tenth of a second.
    assert!(asked_at.unwrap().elapsed() < Duration::from_secs(5));
    let again = judge(&mut model, &asked);
    assert!(again.usage.reused_tokens > again.usage.prompt_tokens / 4);
}
