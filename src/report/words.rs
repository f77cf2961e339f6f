//! The glossary and the reference of expressions: the texts of `help words` and `help expressions`, and of the pages
//! generated from them.
//!
//! Must stay the one list of marks: a test looks for every mark that a screen draws.

use crate::command::help::{HelpBlock, TOPICS};
use crate::session::expr::{FILTERS, NAMES, Since};

/// The longest line of a page.
const COLUMNS: usize = 118;

/// Terms of the field and of this program, with their meaning here.
pub const WORDS: &[(&str, &str)] = &[
    ("policy", "a tree of questions with verdicts at its ends, in a TOML file"),
    ("node", "one question of a policy, with guidance, examples and its answers"),
    ("answer", "one of the 2 to 8 words that a node allows"),
    ("edge", "the way from an answer to the next node or to a leaf"),
    ("leaf", "an end of the tree: an outcome, and often a label, a severity and an action"),
    (
        "outcome",
        "violating, non_violating, escalate (a person has to decide) or undetermined; the last two decide nothing",
    ),
    ("label", "the policy category of a verdict, such as SC1"),
    ("verdict", "an outcome, with its label where there is one"),
    ("sample", "one post: a text, or named fields such as caption and transcript"),
    ("gold", "what a human said about a sample; where nobody said anything it is not known, which is not \"no\""),
    ("gold path", "the answers that a human gave node by node"),
    ("classifier", "the model that scores posts at scale; its scores come with the samples"),
    ("score, threshold", "a number of the classifier, and from where on it counts as violating"),
    ("LLM", "the language model that answers the nodes"),
    (
        "direct, rationale",
        "two modes: the answer is read right after the question, or after the model wrote its reasons",
    ),
    ("rationale", "what the model wrote before it answered"),
    ("walk", "one sample on its way through the tree, from the root to a leaf"),
    ("step", "one node asked and answered, and its edge taken"),
    ("path", "the steps of a walk so far"),
    ("branch", "a walk that shares its first steps with another one and then goes on differently"),
    ("session", "everything that happened, step by step, in a file that can be replayed without a model"),
    (
        "readout",
        "how an answer is read: the model's probability of every allowed answer, not what it happened to write",
    ),
    ("probability, p", "how likely an answer is among the allowed answers of its node; these add up to 1"),
    (
        "coverage",
        "how much of everything the model could have said lies on the allowed answers; below 0.5 the p say little",
    ),
    ("margin", "how far the likeliest answer is ahead of the next one: 0 is a tie, 1 is certain"),
    ("entropy", "how spread out the probabilities are, in bits: 0 is certain, 1 is two equal answers"),
    ("unsure route", "where a node sends a sample whose margin is too small"),
    ("recorded", "read from a session, as it was then"),
    ("recomputed", "asked of the model in this session"),
    ("overridden", "said by a person in place of the model or of the file"),
    ("stale", "made under a policy that has changed since, so that the step no longer stands"),
    (
        "right, wrong",
        "a verdict that decides what gold decides, or the other thing; if the verdict or gold is escalate or \
         undetermined, it is neither",
    ),
    ("cell", "who is right, in one word, counting only who decides: one of the next six, or none"),
    ("all_agree", "classifier and LLM, as far as they are there, decide what gold decides"),
    ("classifier_wrong", "only the classifier decides against gold; the LLM is right, decides nothing or is missing"),
    ("llm_wrong", "only the LLM decides against gold; the classifier is right, decides nothing or is missing"),
    ("both_wrong", "classifier and LLM both decide against gold"),
    ("agree_no_gold", "gold decides nothing or is not known; classifier and LLM decide the same"),
    ("disagree_no_gold", "gold decides nothing or is not known; classifier and LLM decide different things"),
    ("tp", "true positive: violating, and gold says so too"),
    ("fp", "false positive: violating, but gold says non_violating"),
    ("fn", "false negative: non_violating, but gold says violating"),
    ("tn", "true negative: non_violating, and gold says so too"),
    ("breakpoint", "where a walk stops: at a node, an answer, a leaf, or where a condition holds"),
];

/// Marks of the screens and the printed views.
pub const MARKS: &[(&str, &str)] = &[
    ("●", "a node that is answered; beside a value: recomputed; in the header: a live session"),
    ("○", "a node that is not answered"),
    ("▶", "the node that is asked next"),
    ("◌", "the node that is being asked now"),
    ("◆", "a breakpoint, with its number; beside a value: recorded; in the header: a recorded session"),
    ("◇", "a breakpoint that is disabled"),
    ("◆1?", "a breakpoint with a condition"),
    ("✎", "overridden: a person's answer or threshold"),
    ("↪", "a node that stands elsewhere in the tree: ↑ above, ↓ below"),
    ("↺", "the same where a walk is printed: the node stands above"),
    ("↳", "here a branch leaves the walk of that number"),
    ("~unsure", "the margin was too small, and the unsure route was taken"),
    ("!low", "coverage is below 0.5; marks that stand beside words stand alone where there is no room: !, ~, ≠"),
    (
        "≠",
        "stale, at a node; in the compare pane: classifier and LLM disagree; in `compare N M`: the first step that differs",
    ),
    ("✓", "right: as gold says"),
    ("✗", "wrong: gold says something else"),
    ("▸", "the answer that was taken"),
    ("■", "violating"),
    ("□", "non_violating"),
    ("▲", "escalate"),
    ("?", "undetermined"),
    ("⚠", "look at this: low coverage, or characters that cannot be seen"),
];

/// What `help words` shows.
pub fn words() -> Vec<HelpBlock> {
    let item = |(term, text): &(&str, &str)| HelpBlock::Item { term: (*term).to_owned(), text: (*text).to_owned() };
    let mut blocks = vec![HelpBlock::Heading("Words".to_owned())];
    blocks.extend(WORDS.iter().map(item));
    blocks.push(HelpBlock::Heading("Marks".to_owned()));
    blocks.extend(MARKS.iter().map(item));
    blocks
}

const LANGUAGE: &str = "Compare with `== != < <= > >=` and `in`, join with `and`, `or` and `not`, compute with `+ - * /` and parentheses. \
     Texts stand in quotes: `answer == \"yes\"`. A part that is no plain word stands in brackets: `p[\"not sure\"]`.";

const UNKNOWN: &str = "What is not known is none. A comparison with it is neither true nor false, so a condition that needs it does not \
     hold. `gold is none` and `gold is not none` ask whether it is known.";

/// What `help expressions` shows.
pub fn expressions() -> Vec<HelpBlock> {
    let text = |text: &str| HelpBlock::Paragraph(text.to_owned());
    let mut blocks = vec![
        text("For `print`, `display`, `break … if`, `condition` and `next-sample where`."),
        text(LANGUAGE),
        text(UNKNOWN),
    ];
    for (since, title) in Since::ALL {
        blocks.push(HelpBlock::Heading(title.to_owned()));
        blocks.extend(NAMES.iter().filter(|v| v.since == since).map(|v| HelpBlock::Item {
            term: v.name.to_owned(),
            text: format!("{} ({}): `{}`", v.meaning, v.kind.describe(), v.example),
        }));
    }
    blocks.push(HelpBlock::Heading("Filters, as in sample.text | lower".to_owned()));
    blocks.extend(
        FILTERS.iter().map(|(name, what)| HelpBlock::Item { term: (*name).to_owned(), text: (*what).to_owned() }),
    );
    blocks
}

/// What is shown of one of [`TOPICS`], named in full or by a beginning of four letters or more.
pub fn topic(word: &str) -> Option<Vec<HelpBlock>> {
    let fits = |name: &str| name == word || (word.len() >= 4 && name.starts_with(word));
    match TOPICS.iter().map(|(name, _)| *name).find(|name| fits(name))? {
        "expressions" => Some(expressions()),
        "words" => Some(words()),
        _ => None,
    }
}

/// A paragraph in lines of a page.
fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= COLUMNS => {
                line.push_str(&format!(" {word}"))
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

/// Blocks as a Markdown page.
pub fn markdown(title: &str, blocks: &[HelpBlock]) -> String {
    let cell = |text: &str| text.replace('|', "\\|");
    let mut out = format!("# {title}\n\nThis page is made from `src/report/words.rs`; a test keeps it true.\n");
    let mut in_table = false;
    for block in blocks {
        match block {
            HelpBlock::Heading(text) => out.push_str(&format!("\n## {text}\n")),
            HelpBlock::Item { term, text } => {
                if !in_table {
                    out.push_str("\n| | |\n|---|---|\n");
                }
                out.push_str(&format!("| `{}` | {} |\n", cell(term), cell(text)));
            }
            HelpBlock::Usage(text) | HelpBlock::Paragraph(text) => out.push_str(&format!("\n{}\n", wrapped(text))),
            HelpBlock::Example { line, what } => out.push_str(&format!("\n`{line}`: {what}\n")),
        }
        in_table = matches!(block, HelpBlock::Item { .. });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{Cell, Confusion};
    use std::path::{Path, PathBuf};

    /// `UPDATE_DOCS=1 cargo test` rewrites the pages.
    #[test]
    fn the_pages_of_words_and_expressions_are_what_help_says() {
        for (name, title, blocks) in
            [("words.md", "Words and marks", words()), ("expressions.md", "Expressions", expressions())]
        {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
            let wanted = markdown(title, &blocks);
            if std::env::var_os("UPDATE_DOCS").is_some() {
                std::fs::write(&path, &wanted).expect("the page can be written");
            }
            let written = std::fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
            assert!(written == wanted, "docs/{name} is stale: run the tests with UPDATE_DOCS=1");
        }
    }

    /// Arrows, shapes and signs. Lines, bars and the four plain arrows say nothing by themselves.
    fn is_mark(c: char) -> bool {
        matches!(c, '\u{2190}'..='\u{21ff}' | '≠' | '\u{25a0}'..='\u{27bf}' | '\u{2b00}'..='\u{2bff}')
            && !"←↑→↓".contains(c)
    }

    fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("a folder of the source").flatten() {
            let path = entry.path();
            match path.is_dir() {
                true if path.ends_with("tests") => {}
                true => rust_files(&path, found),
                false if path.ends_with("tests.rs") || path.ends_with("words.rs") => {}
                false => found.push(path),
            }
        }
    }

    #[test]
    fn every_mark_that_a_screen_draws_is_explained() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut files = Vec::new();
        for folder in ["report", "frontend/tui", "policy/graph"] {
            rust_files(&root.join(folder), &mut files);
        }
        let explained: String = MARKS.iter().map(|(mark, _)| *mark).collect();
        for file in files {
            let text = std::fs::read_to_string(&file).expect("readable source");
            let product = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
            for line in product.lines().filter(|line| !line.trim_start().starts_with("//")) {
                let quoted = line.split('"').skip(1).step_by(2);
                for c in quoted.flat_map(str::chars).filter(|c| is_mark(*c)) {
                    assert!(explained.contains(c), "{c} in {} is in no row of MARKS", file.display());
                }
            }
        }
    }

    #[test]
    fn every_topic_is_explained() {
        for (name, what) in TOPICS {
            assert!(topic(name).is_some_and(|blocks| blocks.len() > 10) && !what.is_empty(), "{name}");
        }
    }

    #[test]
    fn every_cell_and_every_side_of_it_is_explained() {
        let words = Cell::ALL.iter().map(|c| c.as_str()).chain(Confusion::ALL.iter().map(|c| c.as_str()));
        for word in words {
            assert!(WORDS.iter().any(|(term, _)| *term == word), "{word}");
        }
    }
}
