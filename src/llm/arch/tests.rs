//! What is read from metadata, family by family, and what is refused.

use super::*;
use crate::llm::gguf::write::GgufWriter;

fn base(arch: &str) -> GgufWriter {
    with_layers(arch, 12)
}

fn with_layers(arch: &str, layers: u32) -> GgufWriter {
    GgufWriter::new()
        .str("general.architecture", arch)
        .u32(&format!("{arch}.context_length"), 128)
        .u32(&format!("{arch}.embedding_length"), 64)
        .u32(&format!("{arch}.block_count"), layers)
        .u32(&format!("{arch}.feed_forward_length"), 96)
        .u32(&format!("{arch}.attention.head_count"), 4)
        .u32(&format!("{arch}.attention.head_count_kv"), 2)
        .f32(&format!("{arch}.attention.layer_norm_rms_epsilon"), 1e-5)
}

fn read(file: &GgufWriter) -> Result<Arch, String> {
    Arch::read(file.open().unwrap().metadata()).map_err(|e| e.to_string())
}

#[test]
fn the_families_differ_as_their_papers_say() {
    let llama = read(&base("llama").f32("llama.rope.freq_base", 5e5)).unwrap();
    assert_eq!((llama.head_dim, llama.group(), llama.rope.base), (16, 2, 5e5));
    assert_eq!((llama.rope_style, llama.qk_norm), (RopeStyle::Interleaved, false));
    let qwen = read(&base("qwen2")).unwrap();
    assert_eq!((qwen.rope_style, qwen.qkv_bias, qwen.qk_norm), (RopeStyle::Neox, true, false));
    let gemma = base("gemma3").u32("gemma3.attention.sliding_window", 8).u32("gemma3.attention.key_length", 32);
    let gemma = read(&gemma.str("gemma3.rope.scaling.type", "linear").f32("gemma3.rope.scaling.factor", 8.0)).unwrap();
    assert_eq!((gemma.embedding_scale, gemma.rope.scale), (8.0, 0.125));
    let windows: Vec<bool> = (0..12).map(|l| gemma.window(l).is_some()).collect();
    assert_eq!(windows, [[true, true, true, true, true, false]; 2].concat());
    assert_eq!(gemma.window(0).map(|s| (s.rope.base, s.rope.scale)), Some((10_000.0, 1.0)));
    let smollm = read(&base("smollm3")).unwrap();
    let ropes: Vec<bool> = (0..12).map(|l| smollm.layer_rope(l) == LayerRope::None).collect();
    assert_eq!(ropes, [[false, false, false, true]; 3].concat());
}

#[test]
fn the_largest_gemmas_scale_attention_by_width_over_heads() {
    let scale = |arch: &str, layers: u32| {
        let file = with_layers(arch, layers).u32(&format!("{arch}.attention.key_length"), 32);
        read(&file).unwrap().attention_scale
    };
    for (arch, largest) in [("gemma2", 46), ("gemma3", 62)] {
        assert_eq!((scale(arch, largest), scale(arch, 26)), (0.25, 1.0 / 32f32.sqrt()), "{arch}");
    }
}

#[test]
fn keys_whose_value_has_no_effect_are_accepted_and_any_other_value_of_them_is_not() {
    let quiet = base("llama").u32("llama.expert_count", 0).u32("llama.expert_used_count", 0).u32("llama.vocab_size", 9);
    let quiet = quiet.bool("llama.attention.causal", true).bool("llama.rope.scaling.finetuned", false);
    let quiet = quiet.u32("llama.attention.sliding_window", 128).str("llama.rope.scaling.type", "none");
    assert_eq!(read(&quiet).unwrap(), read(&base("llama")).unwrap());
    assert_eq!(read(&base("phi3").u32("phi3.attention.sliding_window", 8)).unwrap().sliding, None);
}

fn gemma() -> GgufWriter {
    base("gemma3").u32("gemma3.attention.sliding_window", 8)
}

#[test]
fn keys_of_an_image_encoder_say_nothing_about_the_decoder_of_text() {
    let plain = read(&gemma()).unwrap();
    let published = gemma()
        .u32("gemma3.mm.tokens_per_image", 256)
        .u32("gemma3.vision.block_count", 27)
        .u32("gemma3.vision.embedding_length", 1152)
        .f32("gemma3.vision.attention.layer_norm_epsilon", 1e-6);
    assert_eq!(read(&published).unwrap(), plain);
    let mistral = base("mistral3").u32("mistral3.vision.image_size", 1540).u32("mistral3.spatial_merge_size", 2);
    let mistral = mistral.u32("mistral3.image_token_index", 10).bool("mistral3.mm.projector_bias", false);
    assert_eq!(read(&mistral).unwrap(), read(&base("mistral3")).unwrap());
    for key in ["gemma3.visions", "gemma3.mmap", "gemma3.rope.scaling.beta", "gemma3.attention.vision.x"] {
        assert!(read(&gemma().u32(key, 1)).unwrap_err().contains("this variant"), "{key}");
    }
}

#[test]
fn rope_bases_are_understood_under_their_older_names() {
    let today = read(&gemma().f32("gemma3.rope.freq_base", 1e6).f32("gemma3.rope.freq_base_swa", 2e4)).unwrap();
    for (global, local) in [
        ("rope.global.freq_base", "rope.local.freq_base"),
        ("rope.freq_base", "rope.local.freq_base"),
        ("rope.global.freq_base", "rope.local_freq_base"),
    ] {
        let old = gemma().f32(&format!("gemma3.{global}"), 1e6).f32(&format!("gemma3.{local}"), 2e4);
        assert_eq!(read(&old).unwrap(), today, "{global}, {local}");
    }
    let both = gemma().f32("gemma3.rope.freq_base", 1e6).f32("gemma3.rope.global.freq_base", 1e6);
    assert_eq!(read(&both).unwrap().rope.base, 1e6);
    let contrary = gemma().f32("gemma3.rope.freq_base", 1e6).f32("gemma3.rope.global.freq_base", 1e4);
    assert!(read(&contrary).unwrap_err().contains("10000 where `gemma3.rope.freq_base` says 1000000"));
    assert!(read(&base("llama").f32("llama.rope.global.freq_base", 1e6)).unwrap_err().contains("this variant"));
}

#[test]
fn a_pattern_of_windows_is_that_of_the_family_or_refused() {
    let pattern = "gemma3.attention.sliding_window_pattern";
    let layers: Vec<i32> = (1..=12).map(|layer| i32::from(layer % 6 != 0)).collect();
    assert_eq!(read(&gemma().i32s(pattern, &layers)).unwrap(), read(&gemma()).unwrap());
    assert_eq!(read(&gemma().u32(pattern, 6)).unwrap(), read(&gemma()).unwrap());
    for other in [gemma().u32(pattern, 5), gemma().i32s(pattern, &[1; 12])] {
        assert!(read(&other).unwrap_err().contains("all but every 6th"));
    }
    assert!(read(&gemma().str(pattern, "LLLLLG")).is_err());
}

#[test]
fn what_is_not_supported_is_not_blamed_on_the_converter() {
    for file in [
        base("llama").u32("llama.expert_count", 8),
        base("llama").u32("llama.mystery", 1),
        base("llama").str("llama.rope.scaling.type", "dynamic"),
        base("llama").u32("llama.attention.key_length", 24),
        base("llama").u32("llama.attention.sliding_window", 8),
        base("mamba"),
    ] {
        let error = Arch::read(file.open().unwrap().metadata()).unwrap_err();
        assert!(matches!(error, GgufError::Unsupported { .. }), "{error}");
        assert!(!error.hint().unwrap_or_default().contains("faulty"), "{error}");
    }
}

#[test]
fn what_is_unknown_or_inconsistent_is_refused_by_name() {
    let linear = base("llama").str("llama.rope.scaling.type", "linear");
    let longrope = base("llama").str("llama.rope.scaling.type", "longrope").f32("llama.rope.scaling.factor", 4.0);
    let cases = [
        (GgufWriter::new(), "no key `general.architecture`"),
        (
            base("mamba"),
            "`mamba` is not supported; supported: llama, mistral3, smollm3, granite, qwen2, qwen3, phi3, gemma2",
        ),
        (base("llama").u32("llama.expert_count", 8), "`llama.expert_count` of the model file: this variant"),
        (
            base("llama").bool("llama.attention.causal", false),
            "`llama.attention.causal` of the model file: this variant",
        ),
        (base("llama").f32("llama.residual_scale", 0.5), "`llama.residual_scale` of the model file: this variant"),
        (base("gemma3").f32("gemma3.attn_logit_softcapping", 5.0), "`gemma3.attn_logit_softcapping` of the model file"),
        (base("llama").str("llama.rope.scaling.type", "dynamic"), "`dynamic` is not supported"),
        (linear, "no key `llama.rope.scaling.factor`"),
        (base("qwen3").str("qwen3.rope.scaling.type", "yarn"), "no key `qwen3.rope.scaling.factor`"),
        (longrope, "a factor beside longrope"),
        (base("granite"), "no key `granite.logit_scale`"),
        (base("llama").u32("llama.attention.sliding_window", 8), "with a sliding window is not supported"),
        (base("llama").u32("llama.attention.key_length", 24), "heads of 24 numbers"),
        (base("llama").u32("llama.attention.value_length", 32), "differs from the key length 16"),
        (base("llama").u32("llama.rope.dimension_count", 64), "64 is odd or more than the head's 16"),
    ];
    for (file, error) in cases {
        let got = read(&file).unwrap_err();
        assert!(got.contains(error), "{got:?} should say {error:?}");
    }
}
