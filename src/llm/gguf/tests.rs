//! Hostile and well-formed model files, one test per way to break a reader.

use super::write::{GgufWriter, on_disk};
use super::*;

fn open(bytes: &[u8]) -> Result<GgufFile, GgufError> {
    GgufFile::open(on_disk(bytes).path(), &Cancel::new())
}

/// The message of the error with which `writer`'s file is refused.
fn refusal(writer: &GgufWriter) -> String {
    writer.open().err().map(|e| e.to_string()).expect("the file is refused")
}

fn small() -> GgufWriter {
    GgufWriter::new()
        .str("general.architecture", "llama")
        .u32("llama.block_count", 2)
        .f32("llama.rope.freq_base", 10_000.0)
        .bool("tokenizer.ggml.add_bos_token", true)
        .strings("tokenizer.ggml.tokens", &["a", "", "ß"])
        .f32s("tokenizer.ggml.scores", &[0.0, -1.5, 2.0])
        .i32s("tokenizer.ggml.token_type", &[1, 3, 1])
        .tensor_f32("one", &[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
        .tensor_f32("two", &[1], &[7.0])
}

#[test]
fn an_architecture_that_is_not_known_is_not_blamed_on_the_converter() {
    let unsupported = |key| GgufError::unsupported(key, "x").hint().unwrap_or_default();
    for key in ["general.architecture", "llama.expert_count", "tokenizer.ggml.pre"] {
        assert!(unsupported(key).contains("models list") && !unsupported(key).contains("faulty"), "{key}");
    }
    assert!(GgufError::key("llama.block_count", "x").hint().unwrap_or_default().contains("conversion"));
}

#[test]
fn a_well_formed_file_is_read_back() {
    let file = small().open().expect("a good file");
    let meta = file.metadata();
    assert_eq!(meta.str("general.architecture").unwrap(), Some("llama"));
    assert_eq!(meta.u32("llama.block_count").unwrap(), Some(2));
    assert_eq!(meta.f32("llama.rope.freq_base").unwrap(), Some(10_000.0));
    assert_eq!(meta.bool("tokenizer.ggml.add_bos_token").unwrap(), Some(true));
    let tokens = meta.strings("tokenizer.ggml.tokens").unwrap().unwrap();
    assert_eq!(tokens.iter().collect::<Vec<_>>(), ["a", "", "ß"]);
    assert_eq!((tokens.len(), tokens.get(1), tokens.get(3)), (3, Some(""), None));
    assert_eq!(meta.f32s("tokenizer.ggml.scores").unwrap(), Some(vec![0.0, -1.5, 2.0]));
    assert_eq!(meta.u32s("tokenizer.ggml.token_type").unwrap(), Some(vec![1, 3, 1]));
    assert_eq!(meta.u32("absent").unwrap(), None);
    assert_eq!(file.tensors().map(|(name, _)| name).collect::<Vec<_>>(), ["one", "two"]);
    let one = file.tensor("one").unwrap();
    assert_eq!((one.dtype, one.shape.as_slice(), one.bytes.len()), (GgmlType::F32, &[2, 3][..], 24));
    assert_eq!(file.dequantize("two").unwrap(), [7.0]);
}

#[test]
fn a_getter_names_the_key_and_both_types_where_they_differ() {
    let file = small().i32s("negative", &[1, -2]).f32("nan", f32::NAN).open().unwrap();
    let meta = file.metadata();
    let messages = [
        meta.u32("general.architecture").unwrap_err().to_string(),
        meta.f32("llama.block_count").unwrap_err().to_string(),
        meta.strings("tokenizer.ggml.scores").unwrap_err().to_string(),
        meta.u32s("negative").unwrap_err().to_string(),
        meta.f32("nan").unwrap_err().to_string(),
        meta.bool("llama.block_count").unwrap_err().to_string(),
    ];
    insta::assert_snapshot!(messages.join("\n"), @r"
    key `general.architecture` of the model file: integer expected, string found
    key `llama.block_count` of the model file: float expected, integer found
    key `tokenizer.ggml.scores` of the model file: array of strings expected, array of floats found
    key `negative` of the model file: element 1 is -2, not in 0..2^32
    key `nan` of the model file: NaN is not a finite number
    key `llama.block_count` of the model file: bool expected, integer found
    ");
}

#[test]
fn a_file_cut_at_any_byte_is_refused_and_never_panics() {
    let whole = small().bytes();
    for len in 0..whole.len() {
        let error = open(&whole[..len]).err().unwrap_or_else(|| panic!("cut at {len} was accepted"));
        assert!(matches!(error, GgufError::Truncated { .. }), "cut at {len}: {error}");
        assert!(error.hint().is_some());
    }
}

#[test]
fn a_file_with_any_header_byte_changed_is_read_or_refused_and_never_panics() {
    let writer = small();
    let whole = writer.bytes();
    for at in 0..writer.header_len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            if let Ok(file) = open(&bytes) {
                for (name, _) in file.tensors() {
                    // May fail (an unknown type); must not panic.
                    let _unused = file.dequantize(name);
                }
                for key in file.metadata().keys() {
                    let _unused = (file.metadata().u32s(key), file.metadata().f32s(key), file.metadata().u32(key));
                }
            }
        }
    }
}

#[test]
fn candle_div_ceil_by_zero_alignment_zero_is_refused() {
    assert_eq!(
        refusal(&small().alignment(0)),
        "key `general.alignment` of the model file: 0 is no power of two from 1 to 65536"
    );
}

#[test]
fn an_alignment_that_is_no_power_of_two_or_huge_or_a_string_is_refused() {
    for alignment in [3, 48, 1 << 17, u32::MAX] {
        assert!(refusal(&small().alignment(alignment)).contains("no power of two"), "{alignment}");
    }
    assert!(refusal(&small().str("general.alignment", "32")).contains("integer expected"));
}

#[test]
fn another_alignment_is_honoured() {
    for alignment in [1, 8, 64, 4096] {
        let file = small().alignment(alignment).open().unwrap();
        assert_eq!(file.dequantize("two").unwrap(), [7.0], "{alignment}");
    }
}

#[test]
fn candle_3712_shape_product_that_wraps_is_refused() {
    // 2^32 * 2^32 wraps to 0 and (2^63 + 1) * 2 to 2: both looked tiny to a reader that multiplies unchecked.
    for shape in [[1 << 32, 1 << 32], [(1 << 63) + 1, 2], [1 << 62, 2]] {
        let writer = GgufWriter::new().tensor("t", 0, &shape, &[0; 64]);
        assert!(refusal(&writer).contains("overflows 63 bits"), "{shape:?}");
    }
    // The product fits, its bytes do not.
    let writer = GgufWriter::new().tensor("t", 0, &[1 << 62], &[0; 64]);
    assert!(refusal(&writer).contains("overflows 64 bits"));
}

#[test]
fn candle_3533_small_file_with_huge_counts_is_refused_before_allocation() {
    let string_len = GgufWriter::new().raw("k", 8, &u64::MAX.to_le_bytes());
    assert!(refusal(&string_len).contains("at most"));
    let string_within_cap = GgufWriter::new().raw("k", 8, &(15u64 << 20).to_le_bytes());
    assert!(refusal(&string_within_cap).contains("ends too early"));
    for (code, count) in [(4u32, u64::MAX), (4, 1 << 61), (10, 1 << 30), (8, u64::MAX), (8, 1 << 21), (0, 1 << 40)] {
        let value = [&code.to_le_bytes()[..], &count.to_le_bytes()].concat();
        let message = refusal(&GgufWriter::new().raw("k", 9, &value));
        assert!(
            message.contains("at most") || message.contains("ends too early") || message.contains("counted in bytes"),
            "{code} {count}: {message}"
        );
    }
    for at in [8, 16] {
        let mut bytes = small().bytes();
        bytes[at..at + 8].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(open(&bytes).unwrap_err().to_string().contains("are allowed"));
    }
}

#[test]
fn llama_cpp_cve_2025_53630_tensor_sizes_that_sum_past_64_bits_are_refused() {
    let writer = GgufWriter::new().tensor("a", 24, &[1 << 62], &[0; 32]).tensor("b", 0, &[1 << 60], &[0; 32]).tensor(
        "c",
        0,
        &[1 << 60],
        &[0; 32],
    );
    assert!(refusal(&writer).contains("ends too early"));
}

#[test]
fn llama_cpp_cve_2026_27940_offset_that_wraps_with_the_size_is_refused() {
    let writer = GgufWriter::new().tensor("a", 0, &[8], &[0; 32]).at_offset(u64::MAX - 31);
    assert!(refusal(&writer).contains("overflows 64 bits"));
}

#[test]
fn ollama_cve_2026_7482_tensor_past_the_end_of_the_file_is_refused_not_read() {
    let writer = small().tensor_f32("three", &[8], &[0.0; 8]).at_offset(1 << 20);
    let message = refusal(&writer);
    assert!(message.contains("tensor `three`") && message.contains("ends too early"), "{message}");
}

#[test]
fn databricks_2024_array_of_unknown_or_nested_type_is_refused() {
    for (code, words) in [(9u32, "array of arrays"), (13, "unknown type 13"), (u32::MAX, "unknown type 4294967295")] {
        let value = [&code.to_le_bytes()[..], &1u64.to_le_bytes(), &[0; 16]].concat();
        assert!(refusal(&GgufWriter::new().raw("k", 9, &value)).contains(words), "{code}");
    }
    assert!(refusal(&GgufWriter::new().raw("k", 77, &[0; 16])).contains("unknown type 77"));
}

#[test]
fn databricks_2024_and_llama_cpp_25596_too_many_or_no_or_empty_dimensions_are_refused() {
    let dims = |shape: &[u64]| refusal(&GgufWriter::new().tensor("t", 0, shape, &[0; 64]));
    assert!(dims(&[1, 1, 1, 1, 1]).contains("5 dimensions"));
    assert!(dims(&[]).contains("0 dimensions"));
    assert!(dims(&[4, 0]).contains("size 0"));
}

#[test]
fn talos_2024_row_that_is_no_multiple_of_the_block_is_refused() {
    let writer = GgufWriter::new().tensor("t", 8, &[2, 48], &[0; 102]);
    assert_eq!(
        refusal(&writer),
        "tensor `t` of the model file: its rows have 48 numbers, which is no multiple of the 32 in a Q8_0 block"
    );
}

#[test]
fn duplicate_keys_and_tensors_are_refused() {
    assert!(refusal(&small().u32("llama.block_count", 3)).contains("`llama.block_count` stands there twice"));
    assert!(refusal(&small().tensor_f32("one", &[1], &[0.0])).contains("`one` stands there twice"));
}

#[test]
fn tensors_that_share_bytes_or_are_misaligned_are_refused() {
    let shared = small().tensor_f32("three", &[8], &[0.0; 8]).at_offset(0);
    assert!(refusal(&shared).contains("inside tensor"));
    let misaligned = small().tensor_f32("three", &[8], &[0.0; 8]).at_offset(4);
    assert!(refusal(&misaligned).contains("no multiple of the alignment 32"));
}

#[test]
fn an_unknown_tensor_type_is_an_error_only_for_that_tensor() {
    let file = small().tensor("mx", 39, &[32], &[0; 17]).tensor_f32("three", &[1], &[3.0]).open().unwrap();
    assert_eq!(file.dequantize("three").unwrap(), [3.0]);
    assert_eq!(file.tensor_info("mx").unwrap().dtype, GgmlType::Other(39));
    let error = file.tensor("mx").unwrap_err();
    assert_eq!(error.to_string(), "tensor `mx` of the model file: MXFP4 cannot be read");
    assert!(error.hint().unwrap().contains("another quantisation"));
    assert_eq!(file.tensor("none").unwrap_err().to_string(), "the model file has no tensor `none`");
}

#[test]
fn other_formats_versions_and_byte_orders_are_named() {
    let mut messages = Vec::new();
    for head in [&b"PK34"[..], b"GGUF\x01\0\0\0", b"GGUF\0\0\0\x03", b"GGUF\x09\0\0\0", b""] {
        messages.push(open(&[head, &[0; 32][..head.len() * 4]].concat()).unwrap_err().to_string());
    }
    insta::assert_snapshot!(messages.join("\n"), @r"
    not a usable GGUF file: it begins with `PK34` instead of `GGUF` (at byte 0)
    not a usable GGUF file: version 1 of GGUF, which is no longer in use (at byte 4)
    not a usable GGUF file: a big-endian file; only little-endian is read (at byte 4)
    not a usable GGUF file: version 9 of GGUF; 2 and 3 are known (at byte 4)
    the model file ends too early: the magic number at byte 0 needs 4 bytes, but the file has 0 in all
    ");
}

#[test]
fn a_directory_and_a_missing_file_are_refused_with_words() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(GgufFile::open(dir.path(), &Cancel::new()), Err(GgufError::NotAFile)));
    let missing = GgufFile::open(&dir.path().join("none.gguf"), &Cancel::new()).unwrap_err();
    assert!(missing.to_string().starts_with("cannot open the model file:"));
}

#[test]
fn hostile_text_in_a_key_reaches_the_error_message_without_its_control_characters() {
    let message = refusal(&small().str("\u{1b}[2Jkey", "a").str("\u{1b}[2Jkey", "b"));
    assert!(!message.contains('\u{1b}') && message.contains("key"), "{message:?}");
    let file = small().str("\u{1b}]0;x\u{7}", "a").open().unwrap();
    assert!(!file.metadata().u32("\u{1b}]0;x\u{7}").unwrap_err().to_string().contains('\u{1b}'));
}

#[test]
fn invalid_utf8_and_half_bools_are_refused_with_their_place() {
    let bad_text = GgufWriter::new().raw("k", 8, &[&2u64.to_le_bytes()[..], &[0xc3, 0x28]].concat());
    assert_eq!(refusal(&bad_text), "not a usable GGUF file: value of key `k` is not valid UTF-8 (at byte 37)");
    assert!(refusal(&GgufWriter::new().raw("k", 7, &[2])).contains("neither 0 nor 1 (at byte 37)"));
}

#[test]
fn cancelling_stops_opening_and_hashing() {
    let cancel = Cancel::new();
    let disk = small().file();
    let file = GgufFile::open(disk.path(), &cancel).unwrap();
    cancel.cancel();
    assert!(matches!(GgufFile::open(disk.path(), &cancel), Err(GgufError::Cancelled)));
    assert!(matches!(file.sha256(&mut |_, _| (), &cancel), Err(GgufError::Cancelled)));
}

#[test]
fn the_digest_is_that_of_the_whole_file_and_progress_ends_at_its_length() {
    let file = small().open().unwrap();
    let mut last = (0, 0);
    let digest = file.sha256(&mut |done, all| last = (done, all), &Cancel::new()).unwrap();
    assert_eq!(digest, Digest::of(&small().bytes()));
    assert_eq!(last, (file.file_len(), file.file_len()));
}

#[test]
fn a_file_cut_after_it_was_opened_gives_an_error_not_zeros() {
    let disk = small().file();
    let file = GgufFile::open(disk.path(), &Cancel::new()).unwrap();
    disk.as_file().set_len(small().header_len() as u64).unwrap();
    assert!(matches!(file.tensor("one"), Err(GgufError::Truncated { .. })));
}

/// A part of a split model, `number` from 1, with one tensor.
fn part(number: u32, count: u32, tensor: &str) -> GgufWriter {
    let writer =
        GgufWriter::new().u32("split.no", number - 1).u32("split.count", count).u32("split.tensors.count", count);
    let writer = if number == 1 { writer.str("general.architecture", "llama") } else { writer };
    writer.tensor_f32(tensor, &[2], &[number as f32, 0.5])
}

/// Writes parts under the names that llama.cpp gives them.
fn folder_of(parts: &[GgufWriter]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (n, part) in parts.iter().enumerate() {
        std::fs::write(folder.path().join(name_of(n + 1, parts.len())), part.bytes()).unwrap();
    }
    folder
}

fn name_of(number: usize, count: usize) -> String {
    format!("a model-{number:05}-of-{count:05}.gguf")
}

#[test]
fn a_split_model_is_read_whole_from_any_of_its_parts() {
    let parts = [part(1, 3, "one"), part(2, 3, "two"), part(3, 3, "three")];
    let folder = folder_of(&parts);
    let whole: Vec<u8> = parts.iter().flat_map(GgufWriter::bytes).collect();
    for number in 1..=3 {
        let file = GgufFile::open(&folder.path().join(name_of(number, 3)), &Cancel::new()).unwrap();
        assert_eq!(file.metadata().str("general.architecture").unwrap(), Some("llama"));
        assert_eq!(file.tensors().map(|(name, _)| name).collect::<Vec<_>>(), ["one", "three", "two"]);
        for (name, first) in [("one", 1.0), ("two", 2.0), ("three", 3.0)] {
            assert_eq!(file.dequantize(name).unwrap(), [first, 0.5], "{name}");
        }
        assert_eq!(file.file_len(), whole.len() as u64);
        let mut last = (0, 0);
        let digest = file.sha256(&mut |done, all| last = (done, all), &Cancel::new()).unwrap();
        assert_eq!((digest, last), (Digest::of(&whole), (whole.len() as u64, whole.len() as u64)));
    }
}

#[cfg(unix)]
#[test]
fn parts_whose_name_is_no_text_are_found() {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = |number: u32| {
        let name = [&b"m\xff"[..], format!("-{number:05}-of-00002.gguf").as_bytes()].concat();
        folder.path().join(std::ffi::OsStr::from_bytes(&name))
    };
    for (number, tensor) in [(1, "one"), (2, "two")] {
        std::fs::write(path(number), part(number, 2, tensor).bytes()).unwrap();
    }
    assert_eq!(GgufFile::open(&path(2), &Cancel::new()).unwrap().tensors().count(), 2);
}

#[test]
fn a_split_model_with_a_missing_a_foreign_or_a_broken_part_is_refused_with_the_parts_name() {
    let good = || vec![part(1, 3, "one"), part(2, 3, "two"), part(3, 3, "three")];
    let refusal = |folder: &tempfile::TempDir, name: &str| {
        let error = GgufFile::open(&folder.path().join(name), &Cancel::new()).expect_err(name);
        assert!(error.hint().is_some());
        error.to_string()
    };
    let folder = folder_of(&good());
    std::fs::remove_file(folder.path().join(name_of(2, 3))).unwrap();
    for asked in [1, 3] {
        assert_eq!(
            refusal(&folder, &name_of(asked, 3)),
            "part 2 of 3 of the model is missing: a model-00002-of-00003.gguf"
        );
    }
    std::fs::write(folder.path().join(name_of(2, 3)), &part(2, 3, "two").bytes()[..40]).unwrap();
    assert!(
        refusal(&folder, &name_of(1, 3)).starts_with("in a model-00002-of-00003.gguf: the model file ends too early")
    );
    std::fs::rename(folder.path().join(name_of(1, 3)), folder.path().join("renamed.gguf")).unwrap();
    assert_eq!(
        refusal(&folder, "renamed.gguf"),
        "the file is part 1 of 3 of a model, but its name does not end in -00001-of-00003.gguf"
    );
    let cases: [(usize, GgufWriter, &str); 5] = [
        (1, part(3, 3, "two"), "it does not say that it is part 2 of 3"),
        (1, part(2, 4, "two"), "it does not say that it is part 2 of 3"),
        (1, GgufWriter::new().tensor_f32("two", &[1], &[1.0]), "it does not say that it is part 2 of 3"),
        (2, part(3, 3, "one"), "tensor `one` of the model file: it stands in an earlier part too"),
        (2, part(3, 3, "three").at_offset(3), "no multiple of the alignment"),
    ];
    for (at, wrong, problem) in cases {
        let mut parts = good();
        parts[at] = wrong;
        let folder = folder_of(&parts);
        let refused = refusal(&folder, &name_of(1, 3));
        assert!(refused.starts_with(&format!("in {}: ", name_of(at + 1, 3))) && refused.contains(problem), "{refused}");
    }
    let mut parts = good();
    parts[2] = part(3, 3, "three").tensor_f32("four", &[1], &[1.0]);
    assert!(refusal(&folder_of(&parts), &name_of(1, 3)).contains("the parts have 4 tensors instead of 3"));
    let alone = part(1, 3, "one").without("split.no").u32("split.no", 3).open().expect_err("no such part");
    assert!(alone.to_string().contains("part 3, counted from 0, of 3"), "{alone}");
    let many = part(1, 100_000, "one").open().expect_err("too many");
    assert!(many.to_string().contains("at most 512"), "{many}");
    assert!(part(1, 1, "one").open().is_ok(), "a split into one is whole");
}

#[test]
fn the_tensors_of_all_parts_of_a_split_model_are_bounded_before_they_are_read() {
    let told = part(1, 3, "one").without("split.tensors.count").u32("split.tensors.count", 65_537);
    assert!(told.open().expect_err("too many").to_string().contains("65537 tensors; at most 65536"));
    // Each part has no more than a model may have; the table of the last one is not there at all.
    let many = |number: u32, count: u64| {
        let mut bytes = part(number, 3, "x").without("split.tensors.count").bytes();
        bytes[8..16].copy_from_slice(&count.to_le_bytes());
        bytes
    };
    let folder = folder_of(
        &[part(1, 3, "one"), part(2, 3, "two"), part(3, 3, "three")].map(|p| p.without("split.tensors.count")),
    );
    std::fs::write(folder.path().join(name_of(3, 3)), many(3, 65_535)).unwrap();
    let error = GgufFile::open(&folder.path().join(name_of(1, 3)), &Cancel::new()).expect_err("too many").to_string();
    let wanted = "in a model-00003-of-00003.gguf: not a usable GGUF file: 65535 tensors after 2 in earlier parts; at most \
                  65536 are allowed (at byte 8)";
    assert_eq!(error, wanted);
}
