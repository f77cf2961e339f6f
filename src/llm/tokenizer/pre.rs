//! Pre-tokenizers: how byte-level BPE models cut text into words before any merge.
//!
//! Must not guess: a model whose `tokenizer.ggml.pre` is not in the table is refused, since a wrong cut gives wrong
//! tokens without any other sign. The patterns are those of each model's `tokenizer.json` in the form that llama.cpp
//! uses (its `(?i:'s)` is ASCII only), with the lookahead `\s+(?!\S)` replaced by [`GiveBack`], so that all of them run
//! in linear time.

use fancy_regex::Regex;

/// What stands for `\s+(?!\S)|\s+`: a run of white space before other text leaves its last character to that text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GiveBack {
    /// The pattern has no such part.
    Never,
    /// Every run of more than one character.
    Always,
    /// As `Always`, but not a run that ends in a line break, which another part of the pattern has matched.
    UnlessLineBreak,
}

const GPT2: (&str, GiveBack) = (r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+", GiveBack::Always);
const DIGIT: (&str, GiveBack) = (r"\p{N}", GiveBack::Never);
const LLAMA3: (&str, GiveBack) = (
    r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+",
    GiveBack::UnlessLineBreak,
);
const QWEN2: (&str, GiveBack) = (
    r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+",
    GiveBack::UnlessLineBreak,
);
const QWEN35: (&str, GiveBack) = (
    r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+",
    GiveBack::UnlessLineBreak,
);
const GPT4O: (&str, GiveBack) = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+",
    GiveBack::UnlessLineBreak,
);
const TEKKEN: (&str, GiveBack) = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+",
    GiveBack::UnlessLineBreak,
);
const PUNCTUATION: (&str, GiveBack) = (r"[\p{P}\$\+<=>\^~\|]+", GiveBack::Never);
const NUMBER: (&str, GiveBack) = (r"\p{N}+", GiveBack::Never);
const THREE_DIGITS: (&str, GiveBack) = (r"[0-9][0-9][0-9]", GiveBack::Never);

/// One row of the table.
struct Row {
    names: &'static [&'static str],
    stages: &'static [(&'static str, GiveBack)],
    ignore_merges: bool,
    add_bos: bool,
}

const TABLE: &[Row] = &[
    Row {
        names: &["default"],
        stages: &[PUNCTUATION, GPT2, NUMBER, THREE_DIGITS],
        ignore_merges: false,
        add_bos: false,
    },
    Row { names: &["gpt-2", "phi-2", "olmo", "mpt", "exaone4"], stages: &[GPT2], ignore_merges: false, add_bos: false },
    Row {
        names: &["smollm", "starcoder", "refact", "command-r", "codeshell", "exaone"],
        stages: &[DIGIT, GPT2],
        ignore_merges: false,
        add_bos: false,
    },
    Row {
        names: &["llama-bpe", "llama3", "llama-v3", "falcon3", "pixtral"],
        stages: &[LLAMA3],
        ignore_merges: true,
        add_bos: true,
    },
    Row { names: &["dbrx", "smaug-bpe"], stages: &[LLAMA3], ignore_merges: false, add_bos: false },
    Row {
        names: &["qwen2", "deepseek-r1-qwen", "stablelm2", "megrez"],
        stages: &[QWEN2],
        ignore_merges: false,
        add_bos: false,
    },
    Row { names: &["qwen35"], stages: &[QWEN35], ignore_merges: false, add_bos: false },
    Row { names: &["gpt-4o", "llama4"], stages: &[GPT4O], ignore_merges: false, add_bos: false },
    Row { names: &["tekken"], stages: &[TEKKEN], ignore_merges: true, add_bos: true },
];

/// A pre-tokenizer ready to use.
#[derive(Debug)]
pub(super) struct PreTokenizer {
    stages: Vec<(Regex, GiveBack)>,
    /// Whether a word that is a token as it stands is not built by merges.
    pub(super) ignore_merges: bool,
    /// Whether a begin-of-text token goes first where the file does not say.
    pub(super) add_bos: bool,
}

impl PreTokenizer {
    /// The pre-tokenizer of that name in the file's metadata.
    ///
    /// # Errors
    /// In words, listing the known names.
    pub(super) fn named(name: &str) -> Result<Self, String> {
        let row = TABLE.iter().find(|row| row.names.contains(&name)).ok_or_else(|| {
            let known: Vec<_> = TABLE.iter().flat_map(|row| row.names).copied().collect();
            format!("the pre-tokenizer `{name}` is not known; known are {}", known.join(", "))
        })?;
        let compile = |(pattern, back): &(&str, GiveBack)| Ok((Regex::new(pattern).map_err(|e| e.to_string())?, *back));
        let stages = row.stages.iter().map(compile).collect::<Result<_, String>>()?;
        Ok(Self { stages, ignore_merges: row.ignore_merges, add_bos: row.add_bos })
    }

    /// Cuts `text` into words; together they are the whole text.
    ///
    /// Each stage cuts the pieces of the stage before it, and does not see beyond a piece's ends.
    pub(super) fn split<'t>(&self, text: &'t str) -> Vec<&'t str> {
        let mut pieces = vec![text];
        for (regex, back) in &self.stages {
            let mut next = Vec::with_capacity(pieces.len());
            for piece in pieces {
                cut(regex, *back, piece, &mut next);
            }
            pieces = next;
        }
        pieces
    }
}

/// Pushes the matches of `regex` in `piece` and what lies between them.
fn cut<'t>(regex: &Regex, back: GiveBack, piece: &'t str, out: &mut Vec<&'t str>) {
    let mut at = 0;
    let mut push = |range: std::ops::Range<usize>| out.extend(piece.get(range).filter(|part| !part.is_empty()));
    // An error is impossible in a pattern without backtracking; were there one, the rest would be one word.
    while let Ok(Some(found)) = regex.find_from_pos(piece, at) {
        let mut end = found.end();
        if end < piece.len() && back != GiveBack::Never {
            end -= given_back(found.as_str(), back);
        }
        if end == at {
            break;
        }
        push(at..found.start());
        push(found.start()..end);
        at = end;
    }
    push(at..piece.len());
}

/// Bytes of the last character of `found` where it is a run of white space that has to give it back.
fn given_back(found: &str, back: GiveBack) -> usize {
    if !found.chars().all(char::is_whitespace) {
        return 0;
    }
    let mut from_end = found.chars().rev();
    match (from_end.next(), from_end.next()) {
        (Some('\r' | '\n'), _) if back == GiveBack::UnlessLineBreak => 0,
        (Some(last), Some(_)) => last.len_utf8(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pre: &str, text: &str, words: &[&str]) {
        let found = PreTokenizer::named(pre).unwrap().split(text);
        assert_eq!(found, words, "{pre}: {text:?}");
        assert_eq!(found.concat(), text);
    }

    #[test]
    fn words_numbers_and_white_space_are_cut_as_each_model_was_trained() {
        check("gpt-2", "It's 2024  now!\n\n x", &["It", "'s", " 2024", " ", " now", "!", "\n\n", " x"]);
        check("smollm", "It's 2024  now", &["It", "'s", " ", "2", "0", "2", "4", " ", " now"]);
        check("qwen2", "It'S 2024  now!\n\n x", &["It", "'S", " ", "2", "0", "2", "4", " ", " now", "!\n\n", " x"]);
        check("llama-bpe", "12345 \u{a0} \tx", &["123", "45", " \u{a0} ", "\tx"]);
        check("default", "a 1234!!", &["a", " ", "123", "4", "!!"]);
        check("tekken", "HelloWorld don't", &["Hello", "World", " don", "'t"]);
        check("gpt-4o", "HelloWorld don't", &["Hello", "World", " don't"]);
    }

    #[test]
    fn a_run_of_white_space_leaves_its_last_character_only_to_text_that_follows() {
        check("qwen2", "a   ", &["a", "   "]);
        check("qwen2", "a   b", &["a", "  ", " b"]);
        check("qwen2", "a \n \n  b", &["a", " \n \n", " ", " b"]);
        check("qwen2", "\t\t(", &["\t", "\t", "("]);
        check("gpt-2", "\n\n\nb", &["\n\n", "\n", "b"]);
        check("gpt-2", " ", &[" "]);
        check("gpt-2", "", &[]);
    }

    #[test]
    fn all_patterns_compile_and_no_name_stands_in_two_rows() {
        let mut names: Vec<_> = TABLE.iter().flat_map(|row| row.names).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
        for name in names {
            PreTokenizer::named(name).unwrap();
        }
    }

    #[test]
    fn an_unknown_name_is_refused_and_named() {
        let message = PreTokenizer::named("mystery").unwrap_err();
        assert!(message.starts_with("the pre-tokenizer `mystery` is not known; known are default, gpt-2"), "{message}");
    }

    #[test]
    fn half_a_megabyte_of_spaces_or_letters_is_cut_in_linear_time() {
        for text in [" ".repeat(1 << 19) + "x", "a".repeat(1 << 19), "\n ".repeat(1 << 18), "1".repeat(1 << 18)] {
            for pre in ["default", "qwen2", "smollm"] {
                assert_eq!(PreTokenizer::named(pre).unwrap().split(&text).concat().len(), text.len());
            }
        }
    }
}
