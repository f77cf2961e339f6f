//! What some tests need and not every machine has: the real model of the end-to-end tests, programs.
//!
//! Must say why where a test is skipped, and must not skip where `CROSSEXAM_REQUIRE_MODEL` asks for what the project
//! has or fetches itself, as `.ci/run` does.

use std::path::PathBuf;

/// The folder named by `CROSSEXAM_TEST_MODELS`, if it holds `file`.
pub fn models_with(file: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("CROSSEXAM_TEST_MODELS").map(PathBuf::from).filter(|dir| dir.join(file).is_file());
    if folder.is_none() {
        missing(&format!("{file} is not in the folder that CROSSEXAM_TEST_MODELS names"));
    }
    folder
}

/// Says why a test is skipped.
///
/// # Panics
/// Where nothing may be skipped.
pub fn missing(what: &str) {
    assert!(std::env::var_os("CROSSEXAM_REQUIRE_MODEL").is_none(), "{what}");
    println!("skipped: {what}");
}

/// The folder with SmolLM2-135M-Instruct, which `.ci/run` fetches.
pub fn smollm2() -> Option<PathBuf> {
    models_with("SmolLM2-135M-Instruct.Q4_1.gguf")
}
