//! The table of a sample's keys, used by the reader, its error messages and SAMPLES.md.
//!
//! Must stay the only list of these keys.

/// One key of a sample.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// As spelt in the file.
    pub name: &'static str,
    /// What its value is.
    pub value: &'static str,
    /// The meaning if it is absent or null.
    pub absent: &'static str,
    /// What it is for.
    pub meaning: &'static str,
}

const fn key(name: &'static str, value: &'static str, absent: &'static str, meaning: &'static str) -> Key {
    Key { name, value, absent, meaning }
}

/// All keys, in the order of the page.
pub const TABLE: &[Key] = &[
    key("id", "text or whole number", "`line-N`", "the post's id in your own system"),
    key("text", "text", "then `fields` is needed", "the post, where it is one text"),
    key(
        "fields",
        "object: name to text, list of texts or null",
        "then `text` is needed",
        "the post, where it has parts such as `caption`, `transcript`, `ocr`, `hashtags`, `comments`; the model reads them under their names",
    ),
    key(
        "gold",
        "an outcome (`violating`, `non_violating`, `escalate`, `undetermined`), or true or false",
        "not known",
        "what a human decided; true is violating, false is non_violating; with `escalate` or `undetermined` no verdict is right or wrong",
    ),
    key(
        "gold_violates",
        "true or false",
        "not known",
        "the same for data sets that use `gold` for words of their own: with this key there, `gold` may hold anything and is kept in `meta`",
    ),
    key("gold_label", "text", "not known", "the policy label that a human gave, such as `SC1`"),
    key("gold_path", "object: node to answer", "not known", "the answers that a human gave, node by node"),
    key("scores", "object: name to number or null", "no scores", "what the classifier gave"),
    key(
        "thresholds",
        "object: name to number or null",
        "no thresholds",
        "from where on a score is violating; a score without one says nothing",
    ),
    key(
        "classifier",
        "object: `id`, and `version` where there is one",
        "not known",
        "which classifier made the scores",
    ),
    key(
        "verdicts",
        "object: who, to an outcome, true, false or `{\"outcome\", \"label\"}`",
        "none",
        "verdicts that were recorded elsewhere, of an auditor or another model",
    ),
    key("meta", "object", "none", "anything else; it is kept and shown, and no model reads it"),
];

/// The names alone.
pub(super) const NAMES: [&str; TABLE.len()] = {
    let mut names = [""; TABLE.len()];
    let mut i = 0;
    while i < names.len() {
        names[i] = TABLE[i].name;
        i += 1;
    }
    names
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sample_file::parse_line;

    const BEGIN: &str = "<!-- The table of keys; UPDATE_DOCS=1 cargo test writes it anew. -->\n";

    fn page() -> (std::path::PathBuf, String) {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("SAMPLES.md");
        let text = std::fs::read_to_string(&path).expect("SAMPLES.md can be read").replace("\r\n", "\n");
        (path, text)
    }

    /// `UPDATE_DOCS=1 cargo test` rewrites the table.
    #[test]
    fn the_table_of_the_documentation_is_this_table() {
        let (path, written) = page();
        let row = |k: &Key| format!("| `{}` | {} | {} | {} |\n", k.name, k.value, k.absent, k.meaning);
        let table: String = TABLE.iter().map(row).collect();
        let (before, rest) = written.split_once(BEGIN).expect("the place of the table");
        let after = rest.split_once("\n\n").map_or("", |(_, after)| after);
        let head = "| Key | Value | Absent or null | What it is |\n|---|---|---|---|\n";
        let wanted = format!("{before}{BEGIN}{head}{table}\n{after}");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, &wanted).expect("SAMPLES.md can be written");
        } else {
            assert!(written == wanted, "SAMPLES.md is stale: run the tests with UPDATE_DOCS=1");
        }
    }

    #[test]
    fn every_sample_of_the_documentation_can_be_read_and_every_key_is_shown() {
        let (_, text) = page();
        let blocks: Vec<&str> = text.split("```json\n").skip(1).filter_map(|b| b.split("```").next()).collect();
        let lines: Vec<&str> = blocks.iter().flat_map(|block| block.lines()).collect();
        assert!(lines.len() >= 4, "{lines:?}");
        for line in &lines {
            parse_line(1, line.as_bytes()).unwrap_or_else(|e| panic!("{line}: {e:?}"));
        }
        for key in NAMES {
            assert!(lines.iter().any(|line| line.contains(&format!("\"{key}\":"))), "no example shows {key}");
        }
    }
}
