//! The policies, samples and scripts compiled into the program, addressed as `builtin:NAME`; the demo uses them.
//!
//! Must only include files of `testdata/`, which the tests and the README use too.

use crate::engine::Builtin;

macro_rules! builtin {
    ($name:literal, $path:literal) => {
        Builtin { name: $name, text: include_str!(concat!("../../testdata/", $path)) }
    };
}

/// All of them.
pub const ALL: &[Builtin] = &[
    builtin!("scams.toml", "policies/scams.toml"),
    builtin!("scams.jsonl", "samples/scams.jsonl"),
    builtin!("hate.toml", "policies/hate.toml"),
    builtin!("hate.jsonl", "samples/hate.jsonl"),
];

/// What `demo` runs where stdout is no terminal.
pub const DEMO_SCRIPT: &str = include_str!("../../testdata/scripts/demo.cmd");
