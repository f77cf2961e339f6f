//! `bench`: how fast a model prefills, decodes and walks on this machine, beside the machine's own limits.
//!
//! Must walk through the same code as `check`, and must print only figures measured in this run.

use super::builtin;
use crate::cli::{BenchArgs, BenchPart};
use crate::domain::{Cancel, Content, Device, GuardedFile, Mode, Part, Piece, Prompt, Sample, sample_file};
use crate::engine::many::{Item, Many, Sink, Source};
use crate::judge::{Judge, JudgeError, Question, local};
use crate::llm::measure::Measured;
use crate::policy::{self, Node, Policy};
use crate::record::{Fault, Record};
use serde_json::{Map, Value, json};
use std::io::{self, BufReader, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

const PREFILL: [usize; 3] = [32, 128, 512];
const DECODE: [usize; 3] = [1, 4, 16];
/// Tokens of rationale in the walk that has them.
const RATIONALE: u32 = 32;

/// The walk's policy: what another engine is given too when it is measured beside us.
const QUESTIONS: [&str; 4] = [
    "Does the text refer to a person or a group of people?",
    "Is the target identified by a protected characteristic such as race, religion, gender or disability?",
    "Does the text attack, demean, threaten or dehumanize that target?",
    "Is the text condemning, quoting or discussing such attacks rather than making one?",
];

/// Why `bench` could not continue.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The model.
    #[error(transparent)]
    Model(#[from] JudgeError),
    /// Samples or output.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Measures the model in `file` and writes the figures to `out`.
pub fn run(file: &Path, args: &BenchArgs, out: &mut dyn Write, cancel: &Cancel) -> Result<(), BenchError> {
    let wanted = |part| args.only.is_empty() || args.only.contains(&part);
    let (threads, device) = (args.threads.unwrap_or(0), args.device.device);
    let mut figures = Map::new();
    {
        let model = Measured::open(file, threads, device, args.repeats, cancel)
            .map_err(|e| JudgeError::from(e).in_file(file))?;
        figures.insert("threads".to_owned(), json!(model.threads()));
        figures.insert("device".to_owned(), json!(model.device()));
        figures.insert("isa".to_owned(), json!(model.isa()));
        if device == Device::Cpu {
            let roof = model.roof().map_err(JudgeError::from)?;
            figures.insert("int8_peak_gmacs".to_owned(), json!(rounded(roof.int8_gmacs)));
            figures.insert("memory_gb_s".to_owned(), json!(rounded(roof.memory_gb)));
        }
        figures.insert("weight_bytes".to_owned(), json!(model.weight_bytes()));
        figures.insert("products_per_token".to_owned(), json!(model.products_per_token()));
        if wanted(BenchPart::Prefill) {
            figures.insert("prefill".to_owned(), each(&PREFILL, |len| Ok(model.prefill(len)?))?);
        }
        if wanted(BenchPart::Decode) {
            figures.insert("decode".to_owned(), each(&DECODE, |batch| Ok(model.decode(batch)?))?);
        }
    }
    if wanted(BenchPart::Walk) {
        let samples = samples(args, cancel)?;
        let options = local::Options { threads, device, exact_length: true, ..local::Options::default() };
        let mut walk = Map::new();
        for (name, mode) in [("direct", Mode::Direct), ("rationale32", Mode::Rationale { max_tokens: RATIONALE })] {
            let mut speeds = Vec::new();
            for _ in 0..args.repeats.max(1) {
                speeds.push(walked(file, &options, &samples, mode, cancel)?);
            }
            speeds.sort_by(f64::total_cmp);
            walk.insert(name.to_owned(), json!(rounded(speeds[speeds.len() / 2])));
        }
        figures.insert("walk".to_owned(), Value::Object(walk));
        figures.insert("walk_samples".to_owned(), json!(samples.len()));
    }
    figures.insert("peak_rss_bytes".to_owned(), json!(peak_memory()));
    if args.json {
        writeln!(out, "{}", Value::Object(figures))?;
    } else {
        write!(out, "{}", table(&figures))?;
    }
    Ok(())
}

fn each(sizes: &[usize], figure: impl Fn(usize) -> Result<f64, JudgeError>) -> Result<Value, JudgeError> {
    let mut all = Map::new();
    for size in sizes {
        all.insert(size.to_string(), json!(rounded(figure(*size)?)));
    }
    Ok(Value::Object(all))
}

/// To four digits: more would be noise.
fn rounded(figure: f64) -> f64 {
    let digits = 3 - figure.abs().max(1.0).log10().floor() as i32;
    let scale = 10f64.powi(digits);
    (figure * scale).round() / scale
}

fn samples(args: &BenchArgs, cancel: &Cancel) -> Result<Vec<Sample>, BenchError> {
    let loaded = match &args.samples {
        Some(path) => GuardedFile::open(path, u64::MAX, || cancel.is_cancelled())
            .and_then(|file| sample_file::load(BufReader::new(file)))
            .map_err(|e| match GuardedFile::was_stopped(&e) {
                true => JudgeError::Cancelled.into(),
                false => BenchError::from(io::Error::new(e.kind(), format!("{}: {e}", path.display()))),
            })?,
        None => {
            let text = builtin::ALL.iter().find(|b| b.name == "scams.jsonl").map_or("", |b| b.text);
            sample_file::load(text.as_bytes())?
        }
    };
    Ok(loaded.samples.into_iter().map(|(_, sample)| sample).take(args.count.max(1)).collect())
}

/// Samples a minute through four questions each, the beginning that all share read before the clock starts.
fn walked(
    file: &Path,
    options: &local::Options,
    samples: &[Sample],
    mode: Mode,
    cancel: &Cancel,
) -> Result<f64, JudgeError> {
    let open = || local::open_gguf(file, options, &mut |_| {}, cancel).map_err(|e| e.in_file(file));
    let mut judge: Box<dyn Judge> = Box::new(open()?);
    let policy = policy()?;
    let mut walk = |samples: &[Sample]| {
        // A model that fails is not measured.
        let mut reopen = || Err(JudgeError::Internal("the model layer failed".into()));
        let mut done = Done(None);
        let mut many = Many { ask: &asked, ..Many::new(&policy, mode, &mut reopen, cancel) };
        many.run(&mut judge, &mut Given(samples.iter()), &mut done)?;
        match (done.0, cancel.is_cancelled()) {
            (Some(fault), _) => Err(fault.complaint.into()),
            (None, true) => Err(JudgeError::Cancelled),
            (None, false) => Ok(()),
        }
    };
    walk(samples.get(..1).unwrap_or_default())?;
    let start = Instant::now();
    walk(samples)?;
    Ok(samples.len() as f64 * 60.0 / start.elapsed().as_secs_f64())
}

/// [`QUESTIONS`] as a policy: one after the other, whatever the answers are.
fn policy() -> Result<Policy, JudgeError> {
    let mut text = "[policy]\nid = \"bench\"\nversion = \"1.0.0\"\ntitle = \"bench\"\nroot = \"q1\"\n".to_owned();
    for (number, question) in (1..).zip(QUESTIONS) {
        let next = match number == QUESTIONS.len() {
            true => "leaf = \"end\"".to_owned(),
            false => format!("next = \"q{}\"", number + 1),
        };
        text.push_str(&format!(
            "[node.q{number}]\nquestion = \"{question}\"\n[node.q{number}.answers]\nyes = {{ {next} }}\nno = {{ {next} }}\n"
        ));
    }
    text.push_str("[leaf.end]\noutcome = \"undetermined\"\n");
    let parsed = policy::parse("bench.toml", &text, &mut |_| Err(String::new()));
    parsed.policy.ok_or_else(|| JudgeError::Internal("the policy of the bench is none".into()))
}

/// The samples as a source.
struct Given<'a>(std::slice::Iter<'a, Sample>);

impl Source for Given<'_> {
    fn next(&mut self, _wait: bool) -> Option<Item> {
        self.0.next().map(|sample| Item { line: 1, sample: Ok(sample.clone()) })
    }
}

/// A sink that ends the run at the first sample that could not be walked.
struct Done(Option<Fault>);

impl Sink for Done {
    fn take(&mut self, record: &Record) -> ControlFlow<()> {
        self.0.clone_from(&record.error);
        if self.0.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// The question in the words that other engines are given too, not in those of our prompts.
fn asked(_policy: &Policy, node: &Node, sample: &Sample, mode: Mode) -> Question {
    let piece = |part, text: String| Piece { part, text: text.into() };
    let rules = (1..16).map(|i| {
        format!(
            "Rule {i}: content that meets condition {i} of the policy must be handled according to clause {i} and its \
             listed exceptions."
        )
    });
    let rules = rules.collect::<Vec<_>>().join(" ");
    let text = match &sample.content {
        Content::Text(text) => text.clone(),
        Content::Fields(fields) => fields.iter().flat_map(|f| &f.values).next().cloned().unwrap_or_default(),
    };
    let question = node.question.raw();
    Question {
        prompt: Prompt {
            system: vec![piece(Part::Instructions, format!("You are a content moderation policy expert. {rules}"))],
            user: vec![
                piece(Part::Fence, "Text:\n".to_owned()),
                Piece { part: Part::Sample, text },
                piece(Part::Fence, "\n\n".to_owned()),
                piece(Part::Question, format!("Question: {question}\nThink step by step, then answer yes or no.")),
            ],
            rationale_cue: String::new(),
            // After a rationale the line break comes with it.
            answer_cue: if mode == Mode::Direct { "\nAnswer:" } else { "Answer:" }.to_owned(),
        },
        answers: node.answers.iter().map(|(answer, _)| answer.clone()).collect(),
        mode,
    }
}

/// Peak memory of the process, in bytes, if the system reports it.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches("kB").trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

fn table(figures: &Map<String, Value>) -> String {
    let mut text = String::new();
    let number = |key: &str| figures.get(key).and_then(Value::as_f64);
    let mut line = |what: &str, figure: String| text.push_str(&format!("{what:<34} {figure:>12}\n"));
    for (part, unit) in [("prefill", "tokens/s"), ("decode", "tokens/s"), ("walk", "samples/min")] {
        for (size, figure) in figures.get(part).and_then(Value::as_object).into_iter().flatten() {
            line(&format!("{part} {size} ({unit})"), figure.to_string());
        }
    }
    let (peak, memory) = (number("int8_peak_gmacs"), number("memory_gb_s"));
    let of_512 = figures.get("prefill").and_then(|p| p.get("512")).and_then(Value::as_f64);
    let alone = figures.get("decode").and_then(|d| d.get("1")).and_then(Value::as_f64);
    if let (Some(speed), Some(products), Some(peak)) = (of_512, number("products_per_token"), peak) {
        line("prefill 512, share of int8 peak", format!("{:.0} %", speed * products / peak / 1e7));
    }
    if let (Some(speed), Some(bytes), Some(memory)) = (alone, number("weight_bytes"), memory) {
        line("decode 1, share of memory speed", format!("{:.0} %", speed * bytes / memory / 1e7));
    }
    if let (Some(peak), Some(memory)) = (peak, memory) {
        line("int8 peak (10⁹ products/s)", peak.to_string());
        line("memory (GB/s)", memory.to_string());
    }
    let peak_rss = number("peak_rss_bytes").map_or_else(|| "unknown".to_owned(), |b| format!("{:.0}", b / 1e6));
    line("peak memory (MB)", peak_rss);
    let threads = number("threads").unwrap_or_default();
    let word = |key: &str| figures.get(key).and_then(Value::as_str).unwrap_or_default();
    text.push_str(&format!("{}, {threads} threads, {}\n", word("device"), word("isa")));
    text
}
