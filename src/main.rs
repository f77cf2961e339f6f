//! The program: arguments in, exit code out.
//!
//! Must hold no logic of its own.

use crossexam::cli::{Cli, Environment};
use crossexam::frontend::launch;
use std::process::ExitCode;

fn main() -> ExitCode {
    let env = Environment::read();
    ExitCode::from(match Cli::read() {
        Ok(cli) => launch::run(cli, &env),
        Err(said) => launch::say(&said, &env),
    })
}
