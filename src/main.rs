//! The program: arguments in, exit code out.
//!
//! Must hold no logic of its own.

use clap::Parser;
use crossexam::cli::{Cli, Environment};
use crossexam::frontend::launch;
use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(launch::run(Cli::parse(), &Environment::read()))
}
