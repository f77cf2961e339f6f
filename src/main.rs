//! The program: arguments in, exit code out.
//!
//! Must hold no logic of its own.

fn main() {}
