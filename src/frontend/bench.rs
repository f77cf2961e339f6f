//! `bench`: how fast a model reads, writes and walks on this machine, beside what the machine can do at most.
//!
//! Must walk through the same code as `check`, and must print only figures that were measured in this run.

use super::builtin;
use crate::cli::{BenchArgs, BenchPart};
use crate::domain::{Cancel, Content, Device, Judgement, Mode, Name, Part, Piece, Prompt, Sample, sample_file};
use crate::judge::{Judge, JudgeError, Question, Questions, local};
use crate::llm::measure::Measured;
use serde_json::{Map, Value, json};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, Write};
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

/// Why `bench` could not go on.
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
        let samples = samples(args)?;
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

fn samples(args: &BenchArgs) -> io::Result<Vec<Sample>> {
    let loaded = match &args.samples {
        Some(path) => sample_file::load(BufReader::new(File::open(path)?))?,
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
    let mut judge = local::open_gguf(file, options, &mut |_| {}, cancel).map_err(|e| e.in_file(file))?;
    let warm = samples.get(..1).unwrap_or_default();
    judge.judge_all(&mut Walks::new(warm, mode), cancel)?;
    let mut walks = Walks::new(samples, mode);
    let start = Instant::now();
    judge.judge_all(&mut walks, cancel)?;
    let seconds = start.elapsed().as_secs_f64();
    match walks.failed {
        Some(error) => Err(error),
        None => Ok(samples.len() as f64 * 60.0 / seconds),
    }
}

/// All samples through all questions; a sample's next question comes after the answer to the last.
struct Walks<'a> {
    samples: &'a [Sample],
    mode: Mode,
    /// Samples and questions that can be asked now.
    ready: VecDeque<(usize, usize)>,
    failed: Option<JudgeError>,
}

impl<'a> Walks<'a> {
    fn new(samples: &'a [Sample], mode: Mode) -> Self {
        Self { samples, mode, ready: (0..samples.len()).map(|s| (s, 0)).collect(), failed: None }
    }
}

impl Questions for Walks<'_> {
    fn next(&mut self, _idle: bool) -> Option<(u64, Question)> {
        let (sample, question) = self.ready.pop_front()?;
        let number = sample * QUESTIONS.len() + question;
        Some((number as u64, asked(self.samples.get(sample)?, QUESTIONS.get(question)?, self.mode)))
    }

    fn answered(&mut self, number: u64, answer: Result<Judgement, JudgeError>) {
        let (sample, question) = (number as usize / QUESTIONS.len(), number as usize % QUESTIONS.len());
        match answer {
            Err(error) => self.failed = Some(error),
            // Samples that were begun come first, so that they do not pile up.
            Ok(_) if question + 1 < QUESTIONS.len() => self.ready.push_front((sample, question + 1)),
            Ok(_) => {}
        }
    }
}

fn asked(sample: &Sample, question: &str, mode: Mode) -> Question {
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
        answers: ["yes", "no"].into_iter().filter_map(|a| Name::new(a).ok()).collect(),
        mode,
    }
}

/// The most memory the process had at once, in bytes, where the system tells.
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
