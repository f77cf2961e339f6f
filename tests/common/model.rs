//! What some tests need and not every machine has: the real model of the end-to-end tests, and certain programs.
//!
//! Must report why a test is skipped. If `CROSSEXAM_REQUIRE_MODEL` is set, as in `.ci/run`, must not skip for lack of
//! anything that the project has or fetches itself.

use std::path::PathBuf;

/// The folder named by `CROSSEXAM_TEST_MODELS`, if it holds `file`.
pub fn models_with(file: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("CROSSEXAM_TEST_MODELS").map(PathBuf::from).filter(|dir| dir.join(file).is_file());
    if folder.is_none() {
        missing(&format!("{file} is not in the folder that CROSSEXAM_TEST_MODELS names"));
    }
    folder
}

/// Reports why a test is skipped.
///
/// # Panics
/// If nothing may be skipped.
pub fn missing(what: &str) {
    assert!(std::env::var_os("CROSSEXAM_REQUIRE_MODEL").is_none(), "{what}");
    println!("skipped: {what}");
}

/// The folder with SmolLM2-135M-Instruct, which `.ci/run` fetches.
pub fn smollm2() -> Option<PathBuf> {
    models_with("SmolLM2-135M-Instruct.Q4_1.gguf")
}
