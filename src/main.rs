//! The program: parses arguments, starts a front end, maps an error to an exit code.
//!
//! Must hold no logic of its own.

fn main() {}
