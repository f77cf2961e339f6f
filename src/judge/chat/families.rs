//! The chat formats we know, as the text before, between and after system and user content.
//!
//! Must not hold a begin-of-text token: the tokenizer decides whether there is one, and it is added in one place.

/// One format.
#[derive(Debug)]
pub(super) struct Family {
    /// The name to choose it by.
    pub(super) name: &'static str,
    /// Before the system content.
    pub(super) open: &'static str,
    /// Between system and user content. A blank line alone means that the format has no system turn.
    pub(super) middle: &'static str,
    /// After the user content, up to where the model writes.
    pub(super) close: &'static str,
    /// Before the user content if there is no system content.
    pub(super) open_user: &'static str,
    /// Spellings in the above that must be tokens of the model.
    pub(super) needs: &'static [&'static str],
}

/// The text between system and user content if they share a turn.
pub(super) const BLANK_LINE: &str = "\n\n";

/// The name that chooses the model file's own template, whatever it is.
pub(super) const EMBEDDED: &str = "embedded";

/// No scaffolding at all: for base models, which never saw a chat format.
pub(super) const PLAIN: &str = "plain";

pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "chatml",
        open: "<|im_start|>system\n",
        middle: "<|im_end|>\n<|im_start|>user\n",
        close: "<|im_end|>\n<|im_start|>assistant\n",
        open_user: "<|im_start|>user\n",
        needs: &["<|im_start|>", "<|im_end|>"],
    },
    Family {
        name: "chatml-no-think",
        open: "<|im_start|>system\n",
        middle: "<|im_end|>\n<|im_start|>user\n",
        close: "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
        open_user: "<|im_start|>user\n",
        needs: &["<|im_start|>", "<|im_end|>", "<think>", "</think>"],
    },
    Family {
        name: "llama3",
        open: "<|start_header_id|>system<|end_header_id|>\n\n",
        middle: "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n",
        close: "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
        open_user: "<|start_header_id|>user<|end_header_id|>\n\n",
        needs: &["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"],
    },
    Family {
        name: "llama3.1",
        open: "<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n",
        middle: "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n",
        close: "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
        open_user: "<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n",
        needs: &["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"],
    },
    Family {
        name: "gemma",
        open: "<start_of_turn>user\n",
        middle: BLANK_LINE,
        close: "<end_of_turn>\n<start_of_turn>model\n",
        open_user: "<start_of_turn>user\n",
        needs: &["<start_of_turn>", "<end_of_turn>"],
    },
    Family {
        name: "phi3",
        open: "<|system|>\n",
        middle: "<|end|>\n<|user|>\n",
        close: "<|end|>\n<|assistant|>\n",
        open_user: "<|user|>\n",
        needs: &["<|system|>", "<|user|>", "<|assistant|>", "<|end|>"],
    },
    Family {
        name: "phi4-mini",
        open: "<|system|>",
        middle: "<|end|><|user|>",
        close: "<|end|><|assistant|>",
        open_user: "<|user|>",
        needs: &["<|system|>", "<|user|>", "<|assistant|>", "<|end|>"],
    },
    Family {
        name: "phi4",
        open: "<|im_start|>system<|im_sep|>",
        middle: "<|im_end|><|im_start|>user<|im_sep|>",
        close: "<|im_end|><|im_start|>assistant<|im_sep|>",
        open_user: "<|im_start|>user<|im_sep|>",
        needs: &["<|im_start|>", "<|im_sep|>", "<|im_end|>"],
    },
    Family { name: "mistral", open: "[INST] ", middle: BLANK_LINE, close: "[/INST]", open_user: "[INST] ", needs: &[] },
    Family {
        name: "mistral-v1",
        open: "[INST] ",
        middle: BLANK_LINE,
        close: " [/INST]",
        open_user: "[INST] ",
        needs: &[],
    },
    Family {
        name: "mistral-tekken",
        open: "[INST]",
        middle: BLANK_LINE,
        close: "[/INST]",
        open_user: "[INST]",
        needs: &["[INST]", "[/INST]"],
    },
    Family {
        name: "mistral-v7-tekken",
        open: "[SYSTEM_PROMPT]",
        middle: "[/SYSTEM_PROMPT][INST]",
        close: "[/INST]",
        open_user: "[INST]",
        needs: &["[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[INST]", "[/INST]"],
    },
    // As its authors have it: no token ends the system turn.
    Family {
        name: "smollm3",
        open: "<|im_start|>system\n## Metadata\n\nKnowledge Cutoff Date: June 2025\nToday Date: 26 July 2024\nReasoning Mode: /no_think\n\n## Custom Instructions\n\n",
        middle: "\n\n<|im_start|>user\n",
        close: "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n",
        open_user: "<|im_start|>user\n",
        needs: &["<|im_start|>", "<|im_end|>", "<think>", "</think>"],
    },
    // As in files that were converted with a corrected template.
    Family {
        name: "smollm3-mended",
        open: "<|im_start|>system\n## Metadata\n\nKnowledge Cutoff Date: June 2025\nReasoning Mode: /no_think\n\n## Custom Instructions\n\n",
        middle: "\n\n<|im_end|>\n<|im_start|>user\n",
        close: "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n",
        open_user: "<|im_start|>user\n",
        needs: &["<|im_start|>", "<|im_end|>", "<think>", "</think>"],
    },
    Family {
        name: "zephyr",
        open: "<|system|>\n",
        middle: "</s>\n<|user|>\n",
        close: "</s>\n<|assistant|>\n",
        open_user: "<|user|>\n",
        needs: &["</s>"],
    },
    Family {
        name: "granite",
        open: "<|start_of_role|>system<|end_of_role|>",
        middle: "<|end_of_text|>\n<|start_of_role|>user<|end_of_role|>",
        close: "<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>",
        open_user: "<|start_of_role|>user<|end_of_role|>",
        needs: &["<|start_of_role|>", "<|end_of_role|>", "<|end_of_text|>"],
    },
    Family { name: PLAIN, open: "", middle: BLANK_LINE, close: BLANK_LINE, open_user: "", needs: &[] },
];
