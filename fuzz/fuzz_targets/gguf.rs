//! `crossexam::fuzz::gguf` under libFuzzer.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| crossexam::fuzz::gguf(data));
