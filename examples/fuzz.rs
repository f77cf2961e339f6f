//! Runs the fuzz targets on a stable compiler. The same seed gives the same inputs.
//!
//! `cargo run --example fuzz -- [--seconds N | --runs N] [--seed N] [--target NAME] [--input FILE]`: `--seconds` is the
//! total for all targets, `--runs` the number of inputs per target. Exits with 1 if an input fails or takes longer than
//! a second, and writes that input to `fuzz-NAME.bin`; `--input` runs such a file again with the named target. Exits
//! with 2 for invalid arguments.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a program of its own")]

use crossexam::fuzz::{Mutator, Options, Target};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Time limit for one input; a debug build on a busy machine takes a few milliseconds.
const SLOW: Duration = Duration::from_secs(1);

/// How often a slow input is tried once more.
const AGAIN: u32 = 4;

fn main() -> ExitCode {
    let read = |path: &String| std::fs::read(path).map_err(|error| format!("{path}: {error}"));
    let begun = Options::read(std::env::args().skip(1))
        .and_then(|options| options.input.as_ref().map(read).transpose().map(|input| (options, input)));
    let (options, input) = match begun {
        Ok(begun) => begun,
        Err(why) => {
            eprintln!("error: {why}");
            return ExitCode::from(2);
        }
    };
    if let Some(input) = input {
        options.targets.iter().for_each(|target| (target.run)(&input));
        return ExitCode::SUCCESS;
    }
    let share = Duration::from_secs(options.seconds) / options.targets.len() as u32;
    let mut failed = false;
    for target in &options.targets {
        failed |= !drive(target, &options, share);
    }
    ExitCode::from(u8::from(failed))
}

/// Runs one target; whether everything held.
fn drive(target: &Target, options: &Options, share: Duration) -> bool {
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
        // The clock keeps running while other programs have the processor, so an input counts as slow only if it is
        // slow every time.
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
