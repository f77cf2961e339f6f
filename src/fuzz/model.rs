//! Targets for what a model file contains: its header, its vocabulary applied to content, its chat template.
//!
//! Must build its files by hand, so that it needs no real model.

use crate::domain::{Cancel, Part, Piece, Prompt};
use crate::judge::chat;
use crate::llm::arch::Arch;
use crate::llm::gguf::{self, Metadata};
use crate::llm::tokenizer::Tokenizer;
use std::sync::LazyLock;

/// The beginning of a GGUF file, and everything derived from it before tensors are read.
///
/// In an accepted header every tensor lies inside the file; a tokenizer built from it never gives a control token for
/// content.
pub fn gguf(data: &[u8]) {
    let Ok((metadata, tensors)) = gguf::header_of(data, &Cancel::new()) else { return };
    for (name, info) in &tensors {
        let end = info.size.map_or(Some(info.offset), |size| info.offset.checked_add(size));
        assert!(end.is_some_and(|end| end <= data.len() as u64), "the tensor {name:?} lies outside the file");
    }
    drop(Arch::read(&metadata));
    let Ok(tokenizer) = Tokenizer::from_metadata(&metadata) else { return };
    content(&tokenizer, "a <s></s><|im_start|>b\u{1f600}");
    if let Ok((tokenizer, _)) = chat::open(&metadata, None) {
        content(&tokenizer, "a <s></s><|im_start|>b\u{1f600}");
    }
}

/// Text, tokenised as content and as scaffolding by one of four small vocabularies; the first byte chooses.
///
/// Content gives no control token, and its tokens spell the content.
pub fn tokenizer(data: &[u8]) {
    let (which, text) = data.split_first().map_or((0, data), |(which, text)| (usize::from(*which), text));
    let text = String::from_utf8_lossy(text);
    let Some(tokenizer) = TOKENIZERS.get(which % TOKENIZERS.len().max(1)) else { return };
    content(tokenizer, &text);
    for id in tokenizer.encode_template(&text) {
        assert!(!tokenizer.token_bytes(id).is_empty(), "an id outside the vocabulary");
    }
}

fn content(tokenizer: &Tokenizer, text: &str) {
    let ids = tokenizer.encode_content(text);
    assert!(!ids.iter().any(|id| tokenizer.is_control(*id)), "a control token out of {text:?}");
    if WHOLE.iter().any(|name| tokenizer.id_of(name).is_some()) && tokenizer.lost_bytes(text) == 0 {
        let spelled = tokenizer.decode(&ids);
        // Vocabularies with scores use this character for a space, and read it in content as a space, too.
        let with_spaces = |text: &str| text.replace('▁', " ");
        assert_eq!(with_spaces(&spelled), with_spaces(text));
    }
}

/// A token that marks those of our vocabularies that contain every byte.
const WHOLE: [&str; 1] = ["<|whole|>"];

static TOKENIZERS: LazyLock<Vec<Tokenizer>> = LazyLock::new(|| {
    let files = ["gpt-2", "qwen2", "llama-bpe"].into_iter().map(byte_level).chain([by_score()]);
    files.filter_map(|file| Tokenizer::from_metadata(&gguf::header_of(&file, &Cancel::new()).ok()?.0).ok()).collect()
});

/// A chat template from a model file, with a small vocabulary.
///
/// The rendered prompt holds every piece of content exactly once, in order and unchanged, and no template part holds
/// content.
pub fn template(data: &[u8]) {
    let source = String::from_utf8_lossy(data);
    let file = small(&source);
    let Ok((metadata, _)) = gguf::header_of(&file, &Cancel::new()) else { return };
    held(&metadata, None);
    held(&metadata, Some("embedded"));
}

fn held(metadata: &Metadata, choice: Option<&str>) {
    let (tokenizer, template) = match chat::open(metadata, choice) {
        Ok(opened) => opened,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    const CONTENT: [&str; 3] = ["{{ 'a' }}<|im_end|>", "\u{0}", "%}</s> x"];
    let [system, first, second] = CONTENT.map(|text| Piece { part: Part::Sample, text: text.into() });
    let prompt = Prompt {
        system: vec![system],
        user: vec![first, second],
        rationale_cue: String::new(),
        answer_cue: String::new(),
    };
    let pieces = template.render(&prompt);
    let shown: Vec<&str> = pieces.iter().filter(|p| p.part == Part::Sample).map(|p| p.text.raw()).collect();
    assert_eq!(shown, CONTENT);
    CONTENT.iter().for_each(|text| content(&tokenizer, text));
}

/// A GGUF file of keys alone.
#[derive(Default)]
struct File {
    keys: Vec<u8>,
    count: u64,
}

impl File {
    fn key(mut self, name: &str, code: u32, value: &[u8]) -> Self {
        self.keys.extend(spelled(name));
        self.keys.extend(code.to_le_bytes());
        self.keys.extend(value);
        self.count += 1;
        self
    }

    fn str(self, name: &str, value: &str) -> Self {
        self.key(name, 8, &spelled(value))
    }

    fn u32(self, name: &str, value: u32) -> Self {
        self.key(name, 4, &value.to_le_bytes())
    }

    fn list(self, name: &str, code: u32, count: usize, items: &[u8]) -> Self {
        let head = [&code.to_le_bytes()[..], &(count as u64).to_le_bytes(), items].concat();
        self.key(name, 9, &head)
    }

    fn strings(self, name: &str, values: &[String]) -> Self {
        let items: Vec<u8> = values.iter().flat_map(|v| spelled(v)).collect();
        self.list(name, 8, values.len(), &items)
    }

    fn numbers(self, name: &str, code: u32, values: &[[u8; 4]]) -> Self {
        self.list(name, code, values.len(), values.as_flattened())
    }

    /// With a tensor of four numbers behind the keys.
    fn bytes(self) -> Vec<u8> {
        let mut file = b"GGUF\x03\0\0\0".to_vec();
        file.extend(1u64.to_le_bytes());
        file.extend(self.count.to_le_bytes());
        file.extend(self.keys);
        file.extend(spelled("token_embd.weight"));
        file.extend(1u32.to_le_bytes());
        file.extend(4u64.to_le_bytes());
        file.extend([0; 12]);
        file.resize(file.len().next_multiple_of(32) + 16, 0);
        file
    }
}

fn spelled(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}

/// The character that stands for a byte in byte-level vocabularies.
fn char_of(byte: u8) -> char {
    let own = |b: u8| matches!(b, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    if own(byte) {
        return char::from(byte);
    }
    let before = (0..byte).filter(|b| !own(*b)).count() as u32;
    char::from_u32(256 + before).unwrap_or(' ')
}

fn byte_level(pre: &str) -> Vec<u8> {
    let merges = ["t h", "th e", "Ġ t", "a b", "ab c", "Ċ Ċ"].map(str::to_owned);
    let mut tokens: Vec<String> = (0..=255).map(|b| char_of(b).to_string()).collect();
    tokens.extend(merges.iter().map(|merge| merge.replace(' ', "")));
    let mut types = vec![1; tokens.len()];
    for (token, kind) in [("<|im_start|>", 3), ("<|im_end|>", 3), ("<tool_call>", 4), (WHOLE[0], 3)] {
        tokens.push(token.to_owned());
        types.push(kind);
    }
    let types: Vec<[u8; 4]> = types.into_iter().map(i32::to_le_bytes).collect();
    File::default()
        .str("general.architecture", "llama")
        .str("tokenizer.ggml.model", "gpt2")
        .str("tokenizer.ggml.pre", pre)
        .strings("tokenizer.ggml.tokens", &tokens)
        .numbers("tokenizer.ggml.token_type", 5, &types)
        .strings("tokenizer.ggml.merges", &merges)
        .u32("tokenizer.ggml.eos_token_id", 263)
        .bytes()
}

fn by_score() -> Vec<u8> {
    let mut tokens: Vec<String> = ["<unk>", "<s>", "</s>"].map(str::to_owned).to_vec();
    tokens.extend((0..=255).map(|b| format!("<0x{b:02X}>")));
    let mut types = vec![2, 3, 3];
    types.resize(tokens.len(), 6);
    let mut scores = vec![0.0f32; tokens.len()];
    for (token, kind) in [
        ("▁", 1),
        ("t", 1),
        ("h", 1),
        ("th", 1),
        ("the", 1),
        ("▁the", 1),
        ("e", 1),
        ("\n\n", 4),
        (WHOLE[0], 3),
        ("<|im_start|>", 3),
        ("<|im_end|>", 3),
    ] {
        scores.push(-(tokens.len() as f32));
        tokens.push(token.to_owned());
        types.push(kind);
    }
    let types: Vec<[u8; 4]> = types.into_iter().map(i32::to_le_bytes).collect();
    let scores: Vec<[u8; 4]> = scores.into_iter().map(f32::to_le_bytes).collect();
    File::default()
        .str("general.architecture", "llama")
        .str("tokenizer.ggml.model", "llama")
        .strings("tokenizer.ggml.tokens", &tokens)
        .numbers("tokenizer.ggml.scores", 6, &scores)
        .numbers("tokenizer.ggml.token_type", 5, &types)
        .key("tokenizer.ggml.add_space_prefix", 7, &[0])
        .u32("tokenizer.ggml.bos_token_id", 1)
        .u32("tokenizer.ggml.eos_token_id", 2)
        .bytes()
}

/// The smallest vocabulary with the tokens of a chat format, and a chat template.
fn small(template: &str) -> Vec<u8> {
    let tokens = ["<unk>", "<s>", "</s>", "▁", "a", "<|im_start|>", "<|im_end|>"].map(str::to_owned);
    File::default()
        .str("tokenizer.ggml.model", "llama")
        .strings("tokenizer.ggml.tokens", &tokens)
        .numbers("tokenizer.ggml.scores", 6, &[[0; 4]; 7])
        .numbers("tokenizer.ggml.token_type", 5, &[2i32, 3, 3, 1, 1, 3, 3].map(i32::to_le_bytes))
        .u32("tokenizer.ggml.bos_token_id", 1)
        .u32("tokenizer.ggml.eos_token_id", 2)
        .str("tokenizer.chat_template", template)
        .bytes()
}

pub(super) fn headers() -> Vec<Vec<u8>> {
    // Small ones, so that a change hits what counts; the whole vocabularies are mutated, too.
    let keys = File::default()
        .str("general.architecture", "llama")
        .u32("llama.block_count", 2)
        .u32("llama.context_length", 2048)
        .u32("llama.embedding_length", 64)
        .u32("llama.feed_forward_length", 128)
        .u32("llama.attention.head_count", 4)
        .key("llama.attention.layer_norm_rms_epsilon", 6, &1e-5f32.to_le_bytes())
        .u32("general.alignment", 32);
    let tokens: Vec<String> = ["a", "b", "ab", "<s>"].map(str::to_owned).to_vec();
    let vocabulary = File::default()
        .str("tokenizer.ggml.model", "gpt2")
        .str("tokenizer.ggml.pre", "gpt-2")
        .strings("tokenizer.ggml.tokens", &tokens)
        .numbers("tokenizer.ggml.token_type", 5, &[1i32, 1, 1, 3].map(i32::to_le_bytes))
        .strings("tokenizer.ggml.merges", &["a b".to_owned()])
        .key("tokenizer.ggml.add_bos_token", 7, &[1])
        .u32("tokenizer.ggml.bos_token_id", 3);
    vec![keys.bytes(), vocabulary.bytes()]
}

pub(super) const HEADER_WORDS: &[&str] = &[
    "GGUF",
    "general.architecture",
    "llama.block_count",
    "tokenizer.ggml.tokens",
    "tokenizer.ggml.merges",
    "general.alignment",
    "qwen2",
    "gemma3",
    "phi3",
    "llama.rope.freq_base",
    "tokenizer.ggml.model",
    "llama.rope.scaling.type",
    "yarn",
];

pub(super) fn texts() -> Vec<Vec<u8>> {
    const TEXTS: [&str; 5] = [
        "the abc\n\n<|im_start|>user",
        "Hello,  I'll 123456 \r\n\t x'S \u{1f600}\u{200d}",
        "日本語 हिन्दी \u{e0041} \u{300}\u{301}",
        "<tool_call> </s><s> <0x0A>▁▁",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa    \n\n\n",
    ];
    (0..4u8).flat_map(|which| TEXTS.map(|text| [&[which], text.as_bytes()].concat())).collect()
}

pub(super) const TEXT_WORDS: &[&str] = &[
    "<|im_start|>",
    "<|im_end|>",
    "</s>",
    "<unk>",
    "▁",
    "  ",
    "\n\n",
    "'ll",
    "1234",
    "\u{a0}",
    "é",
    "e\u{301}",
    "\u{ad}",
    "ſ",
    "İ",
    "<0x41>",
    "the",
];

pub(super) fn templates() -> Vec<Vec<u8>> {
    const TEMPLATES: [&str; 5] = [
        "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
        "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{% set s = messages[0]['content'] %}{% endif %}{% for m in messages %}{% if m.role == 'user' %}[INST] {{ s ~ m.content | trim }} [/INST]{% endif %}{% endfor %}",
        "{%- set ns = namespace(x=0) -%}{%- for m in messages -%}{%- set ns.x = ns.x + 1 -%}{{ m.content.strip().split('x')[-1] }}{%- endfor -%}",
        "{{ raise_exception('no') }}{{ strftime_now('%d %b %Y') }}{{ tools | tojson }}",
        "{% macro f(x) %}{{ x }}{% endmacro %}{{ f(messages[0].content) }}{% generation %}{{ f(messages | last | string) }}{% endgeneration %}",
    ];
    TEMPLATES.map(|t| t.as_bytes().to_vec()).to_vec()
}

pub(super) const TEMPLATE_WORDS: &[&str] = &[
    "{{",
    "}}",
    "{%",
    "%}",
    "{#",
    "#}",
    "messages",
    "['content']",
    ".content",
    "| trim",
    "| tojson",
    "for i in range(100000)",
    "endfor",
    "if",
    "else",
    "endif",
    "loop.index",
    "namespace",
    "m.role == 'user'",
    "* 99999999",
    "~",
    "[::-1]",
    "| replace('a', 'b')",
    "add_generation_prompt",
    "<|im_start|>",
];
