//! Tiny vocabularies made by hand, and broken ones.

use super::*;
use crate::llm::gguf::write::GgufWriter;
use proptest::prelude::*;

const NORMAL: i32 = 1;
const CONTROL: i32 = 3;
const USER: i32 = 4;
const BYTE: i32 = 6;

/// A byte-level vocabulary: 256 byte tokens, the results of `merges`, then `extra` tokens with their types.
fn bpe(pre: &str, merges: &[&str], extra: &[(&str, i32)]) -> GgufWriter {
    let mut tokens: Vec<String> = (0..=255).map(|b| bytes::char_of(b).to_string()).collect();
    tokens.extend(merges.iter().map(|m| m.replace(' ', "")));
    let mut types = vec![NORMAL; tokens.len()];
    for (text, kind) in extra {
        tokens.push((*text).to_owned());
        types.push(*kind);
    }
    GgufWriter::new()
        .str("tokenizer.ggml.model", "gpt2")
        .str("tokenizer.ggml.pre", pre)
        .strings("tokenizer.ggml.tokens", &tokens)
        .i32s("tokenizer.ggml.token_type", &types)
        .strings("tokenizer.ggml.merges", merges)
}

/// A SentencePiece vocabulary: `<unk> <s> </s>`, 256 byte tokens, then `pieces` with score and type.
fn spm(pieces: &[(&str, f32, i32)]) -> GgufWriter {
    let mut tokens: Vec<String> = ["<unk>", "<s>", "</s>"].map(str::to_owned).to_vec();
    tokens.extend((0..=255).map(|b| format!("<0x{b:02X}>")));
    let mut types = vec![2, CONTROL, CONTROL];
    types.resize(tokens.len(), BYTE);
    let mut scores = vec![0.0; tokens.len()];
    for (text, score, kind) in pieces {
        tokens.push((*text).to_owned());
        scores.push(*score);
        types.push(*kind);
    }
    GgufWriter::new()
        .str("tokenizer.ggml.model", "llama")
        .strings("tokenizer.ggml.tokens", &tokens)
        .f32s("tokenizer.ggml.scores", &scores)
        .i32s("tokenizer.ggml.token_type", &types)
        .u32("tokenizer.ggml.bos_token_id", 1)
        .u32("tokenizer.ggml.eos_token_id", 2)
}

fn build(writer: &GgufWriter) -> Result<Tokenizer, GgufError> {
    Tokenizer::from_metadata(writer.open().expect("the container is well-formed").metadata())
}

#[track_caller]
fn pieces(tokenizer: &Tokenizer, ids: &[u32]) -> Vec<String> {
    ids.iter().map(|id| tokenizer.token_text(*id)).collect()
}

#[test]
fn byte_pairs_merge_by_rank_then_from_the_left() {
    let t = build(&bpe("gpt-2", &["a b", "b c", "ab c", "a a", "aa a"], &[])).unwrap();
    let cut = |text: &str| pieces(&t, &t.encode_content(text));
    assert_eq!(cut("abc"), ["abc"]);
    assert_eq!(cut("bcabc"), ["bc", "abc"]);
    assert_eq!(cut("aaab"), ["aa", "ab"]);
    assert_eq!(cut("aaaaa"), ["aa", "aaa"]);
    assert_eq!(cut(""), Vec::<String>::new());
}

#[test]
fn llama_3_takes_a_word_that_is_a_token_without_merging_but_never_a_control_word() {
    let extra = [("zzz", NORMAL), ("yyy", CONTROL)];
    let with = build(&bpe("llama-bpe", &["z z"], &extra)).unwrap();
    let without = build(&bpe("gpt-2", &["z z"], &extra)).unwrap();
    assert_eq!(pieces(&with, &with.encode_content("zzz yyy")), ["zzz", " ", "y", "y", "y"]);
    assert_eq!(pieces(&without, &without.encode_content("zzz")), ["zz", "z"]);
}

#[test]
fn spm_merges_by_score_then_from_the_left_and_falls_back_to_bytes() {
    let t = build(&spm(&[
        ("▁", -5.0, NORMAL),
        ("a", -4.0, NORMAL),
        ("b", -4.0, NORMAL),
        ("ab", -1.0, NORMAL),
        ("ba", -2.0, NORMAL),
        ("▁a", -3.0, NORMAL),
        ("aa", -1.0, NORMAL),
    ]))
    .unwrap();
    let cut = |text: &str| pieces(&t, &t.encode_content(text));
    assert_eq!(cut("aba"), [" ", "ab", "a"], "a space goes first");
    assert_eq!(cut("aaa"), [" ", "aa", "a"], "equal scores from the left");
    assert_eq!(t.encode_content("ß"), [259, 3 + 0xc3, 3 + 0x9f]);
    assert_eq!(t.decode(&t.encode_content("ß a")), " ß a");
    assert_eq!(t.lost_bytes("ß\u{4}"), 0);
}

#[test]
fn spm_puts_its_space_only_at_the_start_and_after_special_tokens() {
    let pieces_of = [("▁", -5.0, NORMAL), ("a", -4.0, NORMAL)];
    let t = build(&spm(&pieces_of)).unwrap();
    let [space, a] = [259, 260];
    assert_eq!(t.encode("a", false, None), [space, a]);
    assert_eq!(t.encode("a", false, t.bos()), [space, a]);
    assert_eq!(t.encode("a", false, Some(a)), [a]);
    assert_eq!(t.encode_template("a</s>a"), [space, a, 2, space, a]);
    let plain = build(&spm(&pieces_of).bool("tokenizer.ggml.add_space_prefix", false)).unwrap();
    assert_eq!(plain.encode_content("a"), [a]);
    assert_ne!(plain.digest(), t.digest());
}

#[test]
fn phi_3_takes_no_white_space_after_a_control_token_of_its_scaffolding() {
    let control = [("<|user|>", 0.0, CONTROL), ("<|end|>", 0.0, CONTROL), ("▁", -5.0, NORMAL), ("a", -4.0, NORMAL)];
    let of = |arch: &str| build(&spm(&control).str("general.architecture", arch)).unwrap();
    let (t, other) = (of("phi3"), of("llama"));
    let [user, end, space, a, line] = [259, 260, 261, 262, 3 + 10];
    assert_eq!(t.encode_template("<|end|>\n<|user|>\n"), [end, user]);
    assert_eq!(t.encode_template("<|user|> \n a<s>\n"), [user, space, a, 1, space, line]);
    assert_eq!(t.encode("\na", false, Some(user)), [space, line, a], "content stays what it is");
    assert_eq!(other.encode_template("<|end|>\n<|user|>"), [end, space, line, user]);
    assert_ne!(t.digest(), other.digest());
}

#[test]
fn spellings_of_control_tokens_are_control_tokens_in_templates_and_never_in_content() {
    let t = build(&bpe("qwen2", &[], &[("<|im_start|>", CONTROL), ("<|im_end|>", NORMAL), ("<tool>", USER)])).unwrap();
    let [start, end, tool] = ["<|im_start|>", "<|im_end|>", "<tool>"].map(|text| t.id_of(text).unwrap());
    let text = "<|im_start|>a<tool><|im_end|>";
    assert_eq!(t.encode_template(text), [start, 97, tool, end]);
    let ids = t.encode_content(text);
    assert!(!ids.contains(&start) && !ids.contains(&end) && ids.contains(&tool));
    assert_eq!(t.decode(&ids), text);
    assert!(t.is_control(end), "a turn's end is control even where the file forgot to say so");
    assert!(t.is_end(end) && !t.is_end(start) && !t.is_control(tool));
}

#[test]
fn spm_content_cannot_merge_its_way_to_a_control_or_byte_token() {
    let all: Vec<(String, f32, i32)> = "</s><unk>0x41"
        .chars()
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .map(|c| (c.to_string(), -9.0, NORMAL))
        .chain(["</", "</s", "<s", "<0", "<0x", "<0x4", "<0x41"].map(|t| (t.to_owned(), -1.0, NORMAL)))
        .collect();
    let refs: Vec<(&str, f32, i32)> = all.iter().map(|(t, s, k)| (t.as_str(), *s, *k)).collect();
    let t = build(&spm(&refs).bool("tokenizer.ggml.add_space_prefix", false)).unwrap();
    let text = "</s><s><unk><0x41>";
    let ids = t.encode_content(text);
    assert!(ids.iter().all(|id| *id > 258), "{ids:?}");
    assert_eq!(t.decode(&ids), text);
}

#[test]
fn bpe_merges_that_make_a_control_token_are_left_out() {
    let writer = bpe("gpt-2", &["a b"], &[]).u32("tokenizer.ggml.eos_token_id", 256);
    let t = build(&writer).unwrap();
    assert_eq!(pieces(&t, &t.encode_content("ab")), ["a", "b"]);
    assert_eq!((t.eos(), t.ends()), (Some(256), &[256][..]));
}

#[test]
fn user_defined_tokens_are_matched_longest_first_as_llama_cpp_does() {
    let t = build(&bpe("gpt-2", &[], &[("\n", USER), ("\n\n", USER), ("\n\n\n", USER), ("ab", USER), ("bcd", USER)]));
    let t = t.unwrap();
    assert_eq!(pieces(&t, &t.encode_content("\n\n\n\nx\n\n")), ["\n\n\n", "\n", "x", "\n\n"]);
    assert_eq!(pieces(&t, &t.encode_content("abcd")), ["a", "bcd"]);
}

#[test]
fn a_byte_without_a_token_is_left_out_and_counted() {
    let tokens: Vec<String> = (0..=255).filter(|b| *b != 4).map(|b| bytes::char_of(b).to_string()).collect();
    let writer = GgufWriter::new()
        .str("tokenizer.ggml.model", "gpt2")
        .str("tokenizer.ggml.pre", "smollm")
        .strings("tokenizer.ggml.tokens", &tokens)
        .strings::<&str>("tokenizer.ggml.merges", &[]);
    let t = build(&writer).unwrap();
    assert_eq!(t.decode(&t.encode_content("a\u{4}b")), "ab");
    assert_eq!((t.lost_bytes("a\u{4}b\u{4}"), t.lost_bytes("ab")), (2, 0));
}

#[test]
fn every_broken_table_is_refused_with_its_key_and_what_is_wrong() {
    let no_key = GgufWriter::new();
    let base = || bpe("gpt-2", &["a b"], &[]);
    let no_bytes = GgufWriter::new()
        .str("tokenizer.ggml.model", "gpt2")
        .str("tokenizer.ggml.pre", "gpt-2")
        .strings("tokenizer.ggml.tokens", &["ab"])
        .strings::<&str>("tokenizer.ggml.merges", &[]);
    let no_spm_bytes = GgufWriter::new()
        .str("tokenizer.ggml.model", "llama")
        .strings("tokenizer.ggml.tokens", &["<unk>", "a"])
        .f32s("tokenizer.ggml.scores", &[0.0, 0.0]);
    let cases = [
        no_key,
        GgufWriter::new().str("tokenizer.ggml.model", "gpt2"),
        GgufWriter::new().str("tokenizer.ggml.model", "gpt2").strings::<&str>("tokenizer.ggml.tokens", &[]),
        GgufWriter::new().str("tokenizer.ggml.model", "bert").strings("tokenizer.ggml.tokens", &["a"]),
        GgufWriter::new().str("tokenizer.ggml.model", "gpt2").strings("tokenizer.ggml.tokens", &["a", "b", "a"]),
        bpe("mystery", &[], &[]),
        bpe("gpt-2", &[], &[("zz", 9)]),
        base().u32("tokenizer.ggml.eos_token_id", 300),
        base().u32("tokenizer.ggml.bos_token_id", u32::MAX),
        no_bytes,
        no_spm_bytes,
        GgufWriter::new()
            .str("tokenizer.ggml.model", "llama")
            .strings("tokenizer.ggml.tokens", &["a", "b"])
            .f32s("tokenizer.ggml.scores", &[0.0]),
        GgufWriter::new()
            .str("tokenizer.ggml.model", "llama")
            .strings("tokenizer.ggml.tokens", &["a", "b"])
            .i32s("tokenizer.ggml.token_type", &[1]),
        GgufWriter::new().str("tokenizer.ggml.model", "llama").strings("tokenizer.ggml.tokens", &["a", "b"]),
    ];
    let messages: Vec<String> = cases.iter().map(|w| build(w).unwrap_err().to_string()).collect();
    insta::assert_snapshot!(messages.join("\n"), @r#"
    the model file has no key `tokenizer.ggml.model`
    the model file has no key `tokenizer.ggml.tokens`
    key `tokenizer.ggml.tokens` of the model file: the vocabulary is empty
    key `tokenizer.ggml.model` of the model file: the tokenizer family `bert` is not known; known are gpt2 and llama
    key `tokenizer.ggml.tokens` of the model file: tokens 0 and 2 have the same text "a"
    key `tokenizer.ggml.pre` of the model file: the pre-tokenizer `mystery` is not known; known are default, gpt-2, phi-2, olmo, mpt, exaone4, smollm, starcoder, refact, command-r, codeshell, exaone, llama-bpe, llama3, llama-v3, falcon3, pixtral, dbrx, smaug-bpe, qwen2, deepseek-r1-qwen, stablelm2, megrez, qwen35, gpt-4o, llama4, tekken
    key `tokenizer.ggml.token_type` of the model file: token 256 has the unknown type 9
    key `tokenizer.ggml.eos_token_id` of the model file: token 300 is outside the vocabulary of 257 tokens
    key `tokenizer.ggml.bos_token_id` of the model file: token 4294967295 is outside the vocabulary of 257 tokens
    key `tokenizer.ggml.tokens` of the model file: none of the 256 byte tokens is there
    key `tokenizer.ggml.tokens` of the model file: the byte token <0x00> is missing
    key `tokenizer.ggml.scores` of the model file: 1 scores for 2 tokens
    key `tokenizer.ggml.token_type` of the model file: 1 types for 2 tokens
    the model file has no key `tokenizer.ggml.scores`
    "#);
}

#[test]
fn a_token_of_one_byte_is_never_made_a_control_token() {
    for key in ["bos", "eos", "eot", "eom"].map(|name| format!("tokenizer.ggml.{name}_token_id")) {
        for (writer, spelled) in [
            (bpe("gpt-2", &[], &[]).u32(&key, 97), "token 97, \"a\" of type normal, stands for one byte"),
            (bpe("gpt-2", &[], &[]).u32(&key, 10), "token 10, \"Ċ\" of type normal, stands for one byte"),
        ] {
            let refused = build(&writer).unwrap_err().to_string();
            assert!(refused.contains(&key) && refused.contains(spelled), "{refused}");
        }
    }
    let pieces = spm(&[("a", 0.0, NORMAL)]);
    let refused = build(&pieces.u32("tokenizer.ggml.eot_token_id", 3 + 10)).unwrap_err().to_string();
    assert!(refused.contains("\"<0x0A>\" of type byte"), "{refused}");
}

#[test]
fn where_types_are_missing_sentencepiece_bytes_and_markers_go_by_their_spelling() {
    let pieces = [("▁", -5.0, NORMAL), ("<", -4.0, NORMAL), ("<u", -1.0, NORMAL), ("unk", -1.0, NORMAL)];
    let (typed, untyped) = (spm(&pieces), spm(&pieces).without("tokenizer.ggml.token_type"));
    let [typed, untyped] = [typed, untyped].map(|writer| build(&writer).unwrap());
    for text in ["<unk>ß", "<s></s>\n<0x41>", "a<unk"] {
        assert_eq!(untyped.encode_content(text), typed.encode_content(text), "{text}");
        assert_eq!(untyped.encode_template(text), typed.encode_template(text), "{text}");
    }
    assert_eq!(untyped.digest(), typed.digest());
}

/// A vocabulary with merges that the test writes itself.
fn with_merges(merges: &[&str]) -> GgufWriter {
    let tokens: Vec<String> = (0..=255).map(|b| bytes::char_of(b).to_string()).collect();
    GgufWriter::new()
        .str("tokenizer.ggml.model", "gpt2")
        .str("tokenizer.ggml.pre", "gpt-2")
        .strings("tokenizer.ggml.tokens", &tokens)
        .strings("tokenizer.ggml.merges", merges)
}

#[test]
fn tokenizers_2094_and_2151_merges_longer_than_any_token_or_of_absent_tokens_are_refused() {
    for (merge, problem) in [
        ("a b", "\"ab\" is not in the vocabulary"),
        ("aa b", "\"aa\" is not in the vocabulary"),
        ("ab", "no space between its two tokens"),
        ("", "no space between its two tokens"),
        (" ", "\"\" is not in the vocabulary"),
        ("a  b", "\" b\" is not in the vocabulary"),
    ] {
        let message = build(&with_merges(&[merge])).unwrap_err().to_string();
        assert!(message.contains("tokenizer.ggml.merges") && message.contains(problem), "{merge:?}: {message}");
    }
}

#[test]
fn half_a_megabyte_without_a_space_is_encoded_in_much_less_than_quadratic_time() {
    let merges = ["a a", "aa aa", "aaaa aaaa", "b a"];
    let text = "ba".repeat(1 << 17) + &"a".repeat(1 << 18);
    let t = build(&bpe("qwen2", &merges, &[])).unwrap();
    assert_eq!(t.decode(&t.encode_content(&text)).len(), text.len());
    let pieces: Vec<(String, f32, i32)> = (0..8)
        .map(|n| ("a".repeat(1 << n), -10.0 + n as f32, NORMAL))
        .chain([("ba".to_owned(), -1.0, NORMAL)])
        .collect();
    let refs: Vec<(&str, f32, i32)> = pieces.iter().map(|(t, s, k)| (t.as_str(), *s, *k)).collect();
    let t = build(&spm(&refs).bool("tokenizer.ggml.add_space_prefix", false)).unwrap();
    assert_eq!(t.decode(&t.encode_content(&text)).len(), text.len());
}

#[test]
fn vocabularies_past_every_limit_are_refused() {
    let numbered = |n: usize| (0..n).map(|i| format!("{i}")).collect::<Vec<_>>();
    let base = || GgufWriter::new().str("tokenizer.ggml.model", "llama");
    let many = build(&base().strings("tokenizer.ggml.tokens", &numbered((1 << 20) + 1))).unwrap_err();
    assert!(many.to_string().contains("1048577 tokens"), "{many}");
    let long =
        build(&base().strings("tokenizer.ggml.tokens", &["a".repeat(9 << 20), "b".repeat(9 << 20)])).unwrap_err();
    assert!(long.to_string().contains("18874368 bytes together"), "{long}");
    let user = (1 << 14) + 1;
    let all_user =
        base().strings("tokenizer.ggml.tokens", &numbered(user)).i32s("tokenizer.ggml.token_type", &vec![USER; user]);
    assert!(build(&all_user).unwrap_err().to_string().contains("16385 user-defined tokens"));
}

/// Everything that is done with a file before a model computes.
fn use_file(bytes: &[u8]) {
    let disk = crate::llm::gguf::write::on_disk(bytes);
    let Ok(file) = crate::llm::gguf::GgufFile::open(disk.path(), &crate::domain::Cancel::new()) else { return };
    let Ok(tokenizer) = Tokenizer::from_metadata(file.metadata()) else { return };
    let text = "ab a\n\n<|im_start|>\u{4}ß ▁<0x41>";
    for template in [false, true] {
        let ids = tokenizer.encode(text, template, tokenizer.bos());
        assert!(
            ids.iter().all(|id| (*id as usize) < tokenizer.vocab_size() && (template || !tokenizer.is_control(*id)))
        );
        let _unused = tokenizer.decode(&ids);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn mutated_files_load_or_are_refused_and_never_panic(
        family in 0..2,
        edits in prop::collection::vec((any::<prop::sample::Index>(), prop_oneof![any::<u8>(), Just(0), Just(0xff), 0u8..12]), 1..6),
        cut in prop::option::weighted(0.1, any::<prop::sample::Index>()),
    ) {
        let (writer, end) = if family == 0 {
            (bpe("qwen2", &["a b", "Ġ a"], &[("<|im_start|>", CONTROL), ("<|im_end|>", CONTROL), ("\n\n", USER)]), 256)
        } else {
            (spm(&[("▁", -2.0, NORMAL), ("a", -3.0, NORMAL), ("▁a", -1.0, NORMAL), ("\n\n", 0.0, USER)]), 0)
        };
        let mut bytes = writer.u32("tokenizer.ggml.eot_token_id", end).bytes();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        use_file(&bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn content_never_gives_a_control_token_and_decodes_to_itself(
        text in prop_oneof!["\\PC{0,20}", "(<\\||im_|end|start|\\|>|<s>|</s>|[ab \n]){0,20}", any::<String>()],
        family in 0..3,
    ) {
        let specials = [("<|im_start|>", CONTROL), ("<|im_end|>", CONTROL), ("\n\n", USER)];
        let t = match family {
            0 => build(&bpe("qwen2", &["a b", "< |", "| >", "i m", "<| im"], &specials)),
            1 => build(&bpe("smollm", &["a b", "Ġ a"], &specials)),
            _ => build(&spm(&[("▁", -2.0, NORMAL), ("a", -3.0, NORMAL), ("▁a", -1.0, NORMAL), ("\n\n", 0.0, USER)])
                .bool("tokenizer.ggml.add_space_prefix", false)),
        };
        let t = t.unwrap();
        let ids = t.encode_content(&text);
        prop_assert!(ids.iter().all(|id| !t.is_control(*id) && (*id as usize) < t.vocab_size()));
        // SentencePiece text cannot tell `▁` from a space.
        let wanted = if family == 2 { text.replace('▁', " ") } else { text.clone() };
        prop_assert_eq!(t.decode(&ids), wanted);
    }

    #[test]
    fn byte_pairs_merge_as_in_the_tokenizers_crate(word in "[abc]{1,24}", ranks in prop::collection::vec((0usize..12, 0usize..12), 0..12)) {
        // Builds tokens by merging random earlier ones, so that every merge is legal.
        let mut tokens: Vec<String> = ["a", "b", "c"].map(str::to_owned).to_vec();
        let mut merges: Vec<(String, String)> = Vec::new();
        for (left, right) in ranks {
            let (left, right) = (tokens[left % tokens.len()].clone(), tokens[right % tokens.len()].clone());
            let merged = [left.as_str(), right.as_str()].concat();
            if !tokens.contains(&merged) {
                tokens.push(merged);
                merges.push((left, right));
            }
        }
        let written: Vec<String> = merges.iter().map(|(l, r)| format!("{l} {r}")).collect();
        let written: Vec<&str> = written.iter().map(String::as_str).collect();
        let ours = build(&bpe("gpt-2", &written, &[])).unwrap();
        let vocab: Vec<(String, u32)> = (0..).zip(&tokens).map(|(id, text)| (text.clone(), id)).collect();
        let theirs = tokenizers::models::bpe::BPE::new(vocab.into_iter().collect(), merges);
        let theirs = tokenizers::Model::tokenize(&theirs, &word).unwrap();
        let theirs: Vec<String> = theirs.into_iter().map(|token| token.value).collect();
        prop_assert_eq!(pieces(&ours, &ours.encode_content(&word)), theirs);
    }
}
