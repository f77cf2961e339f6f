//! Fuzz targets: for each kind of input from outside, one function that takes any bytes, processes them as the program
//! does, and asserts what must hold for all inputs. Both `cargo fuzz` (`fuzz/`) and, on a stable compiler, `cargo run
//! --example fuzz` run them; docs/FUZZING.md lists what each asserts.
//!
//! Must not be used by the product, must not read files or clocks, and must give the same result for the same bytes.

mod keys;
mod model;
mod mutate;
mod options;
mod text;

pub use keys::keys;
pub use model::{gguf, template, tokenizer};
pub use mutate::Mutator;
pub use options::Options;
pub use text::{command, journal, policy, samples};

/// One kind of input.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, as in `fuzz/fuzz_targets`.
    pub name: &'static str,
    /// Takes any bytes; panics if an assertion fails.
    pub run: fn(&[u8]),
    /// Inputs to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Words that mean something in it.
    pub words: &'static [&'static str],
}

/// All of them.
pub const TARGETS: [Target; 8] = [
    Target { name: "policy", run: policy, seeds: text::policies, words: text::POLICY_WORDS },
    Target { name: "samples", run: samples, seeds: text::sample_files, words: text::SAMPLE_WORDS },
    Target { name: "journal", run: journal, seeds: text::journals, words: text::JOURNAL_WORDS },
    Target { name: "gguf", run: gguf, seeds: model::headers, words: model::HEADER_WORDS },
    Target { name: "tokenizer", run: tokenizer, seeds: model::texts, words: model::TEXT_WORDS },
    Target { name: "template", run: template, seeds: model::templates, words: model::TEMPLATE_WORDS },
    Target { name: "command", run: command, seeds: text::lines, words: text::LINE_WORDS },
    Target { name: "keys", run: keys, seeds: keys::sequences, words: keys::WORDS },
];

/// Whether `text` is safe on a terminal: its only control character is the line break, and it has no hidden characters
/// except those that escaping leaves (joiners, selectors and tags inside well-formed sequences).
fn inert(text: &str) -> bool {
    text.chars().all(|c| {
        !crate::text::is_hidden(c)
            || matches!(c, '\n' | '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0020}'..='\u{e01ef}')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_seed_and_inputs_made_of_them_hold_in_every_target() {
        for target in TARGETS {
            let seeds = (target.seeds)();
            assert!(!seeds.is_empty(), "{}", target.name);
            seeds.iter().for_each(|seed| (target.run)(seed));
            (target.run)(b"");
            let mut mutator = Mutator::new(1, seeds, target.words);
            for _ in 0..200 {
                (target.run)(mutator.next());
            }
        }
    }

    #[test]
    fn every_target_has_its_file_for_cargo_fuzz_and_its_place_in_the_document() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let manifest = std::fs::read_to_string(root.join("fuzz/Cargo.toml")).expect("fuzz/Cargo.toml");
        let document = std::fs::read_to_string(root.join("docs/FUZZING.md")).expect("docs/FUZZING.md");
        for Target { name, .. } in TARGETS {
            let file = std::fs::read_to_string(root.join(format!("fuzz/fuzz_targets/{name}.rs"))).expect(name);
            assert!(file.contains(&format!("crossexam::fuzz::{name}(data)")), "{name}");
            assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
            assert!(document.contains(&format!("| `{name}` |")), "{name}");
        }
    }
}
