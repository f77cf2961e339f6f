//! Drives the fuzz targets on a stable compiler: the same inputs for the same seed, for a time or for a number of runs.
//!
//! `cargo run --example fuzz -- [--seconds N | --runs N] [--seed N] [--target NAME] [--input FILE]`: the time is shared
//! by the targets, the number is for each. Ends with 1 where an input fails or takes longer than a second, and writes
//! that input to `fuzz-NAME.bin`; `--input` runs such a file again.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a program of its own")]

use crossexam::fuzz::{Mutator, TARGETS, Target};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The longest that one input may take; a debug build on a busy machine takes some milliseconds.
const SLOW: Duration = Duration::from_secs(1);

/// How often a slow input is tried once more.
const AGAIN: u32 = 4;

struct Options {
    seconds: u64,
    runs: u64,
    seed: u64,
    target: Option<String>,
    input: Option<String>,
}

fn options() -> Result<Options, String> {
    let mut options = Options { seconds: 60, runs: u64::MAX, seed: 1, target: None, input: None };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let value = args.next().ok_or_else(|| format!("{arg} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{arg} needs a number"));
        match arg.as_str() {
            "--seconds" => options.seconds = number()?,
            "--runs" => (options.runs, options.seconds) = (number()?, u64::MAX / 1000),
            "--seed" => options.seed = number()?,
            "--target" => options.target = Some(value),
            "--input" => options.input = Some(value),
            _ => return Err(format!("there is no {arg}")),
        }
    }
    Ok(options)
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(why) => {
            eprintln!("error: {why}");
            return ExitCode::from(2);
        }
    };
    let chosen: Vec<Target> =
        TARGETS.into_iter().filter(|t| options.target.as_ref().is_none_or(|name| name == t.name)).collect();
    if let (Some(path), [target]) = (&options.input, &chosen[..]) {
        match std::fs::read(path) {
            Ok(input) => (target.run)(&input),
            Err(error) => eprintln!("error: {path}: {error}"),
        }
        return ExitCode::SUCCESS;
    }
    let share = Duration::from_secs(options.seconds) / chosen.len().max(1) as u32;
    let mut failed = false;
    for target in chosen {
        failed |= !drive(target, &options, share);
    }
    ExitCode::from(u8::from(failed))
}

/// Runs one target; whether everything held.
fn drive(target: Target, options: &Options, share: Duration) -> bool {
    let mut mutator = Mutator::new(options.seed, (target.seeds)(), target.words);
    // What the panic hook writes down.
    let current: Arc<Mutex<Vec<u8>>> = Arc::default();
    let (seen, file) = (Arc::clone(&current), format!("fuzz-{}.bin", target.name));
    let keep = move |input: &[u8]| match std::fs::write(&file, input) {
        Ok(()) => eprintln!("the input is in {file}"),
        Err(error) => eprintln!("the input cannot be kept in {file}: {error}"),
    };
    let told = keep.clone();
    std::panic::set_hook(Box::new(move |info| {
        eprintln!("{info}");
        told(&seen.lock().unwrap_or_else(PoisonError::into_inner));
    }));
    let (start, mut runs, mut slowest, mut holds) = (Instant::now(), 0u64, Duration::ZERO, true);
    while runs < options.runs && holds {
        // A look at the clock costs as much as a small input.
        if runs.is_multiple_of(16) && start.elapsed() > share {
            break;
        }
        current.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&mutator.next().to_vec());
        let input = current.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let began = Instant::now();
        holds = std::panic::catch_unwind(|| (target.run)(&input)).is_ok();
        let mut took = began.elapsed();
        // The clock goes on while other programs have the processor, so a slow input has to be slow every time.
        for _ in 0..AGAIN {
            if took > SLOW && holds {
                let began = Instant::now();
                holds = std::panic::catch_unwind(|| (target.run)(&input)).is_ok();
                took = took.min(began.elapsed());
            }
        }
        slowest = slowest.max(took);
        if holds && took > SLOW {
            eprintln!("{}: one input takes {took:?}", target.name);
            keep(&input);
            holds = false;
        }
        runs += 1;
    }
    drop(std::panic::take_hook());
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{:<10} {runs:>10} runs, seed {}, {seconds:.1} s, {:.0} a second, slowest {:.1} ms: {}",
        target.name,
        options.seed,
        runs as f64 / seconds,
        slowest.as_secs_f64() * 1000.0,
        if holds { "holds" } else { "FAILED" },
    );
    holds
}
