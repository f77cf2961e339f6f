//! Help as plain data, for `help`, `apropos` and the command reference, all derived from the table.
//!
//! Must not hold text about single commands; that belongs in the table.

use super::need::Need;
use super::resolve::{self, Resolved};
use super::spec::{CommandSpec, Group, Scope, TABLE};

/// One block of help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HelpBlock {
    /// A title.
    Heading(String),
    /// How a command is written.
    Usage(String),
    /// A paragraph, not wrapped.
    Paragraph(String),
    /// A name and what it is.
    Item {
        /// The name, or a usage.
        term: String,
        /// What it is.
        text: String,
    },
    /// A line that can be typed, and what it does.
    Example {
        /// The line.
        line: String,
        /// What it does.
        what: String,
    },
}

/// How lines are written, wherever a command is typed.
pub const LANGUAGE: &str = "A command can be shortened as far as it stays unique, and an empty line repeats `step` and \
     `next`. Words with spaces are quoted, `#` begins a comment, and a line that ends in a backslash goes on in the next \
     one. Notes and expressions are taken as they stand to the end of the line.";

/// The topics of `help` other than commands, each with a description; the texts are in `report::words`.
pub const TOPICS: [(&str, &str); 2] = [
    ("expressions", "every name that conditions, print and display can use"),
    ("words", "what the words and marks on the screen mean"),
];

/// What `help` shows: all commands for `None`, otherwise the command `topic`, or every command that begins with that
/// word.
///
/// Fails with the names of commands that may have been meant.
pub fn help(topic: Option<&str>, live: bool) -> Result<Vec<HelpBlock>, Vec<&'static str>> {
    let Some(topic) = topic else { return Ok(overview(live)) };
    let mut words = topic.split_whitespace();
    let (first, second) = (words.next().unwrap_or_default(), words.next());
    match resolve::resolve(first, second) {
        Resolved::Command(spec) => Ok(command(spec)),
        Resolved::Group(specs) => Ok(specs.iter().map(|s| summary(s)).collect()),
        Resolved::Ambiguous(names) | Resolved::Unknown(names) => Err(names),
    }
}

/// What `apropos` shows: the commands whose name, summary, help or examples have all these words, in the table's order.
pub fn apropos(words: &str) -> Vec<&'static CommandSpec> {
    let wanted: Vec<String> = words.split_whitespace().map(str::to_lowercase).collect();
    let all_of = |s: &CommandSpec| {
        let examples = s.examples.iter().map(|e| format!("{} {}", e.0, e.1)).collect::<String>();
        format!("{} {} {} {} {examples}", s.name, s.aliases.join(" "), s.summary, s.help).to_lowercase()
    };
    TABLE.iter().copied().filter(|s| !wanted.is_empty() && wanted.iter().all(|w| all_of(s).contains(w))).collect()
}

/// A command as one line of a list.
pub fn summary(spec: &CommandSpec) -> HelpBlock {
    let names = std::iter::once(spec.name).chain(spec.aliases.iter().copied().filter(|a| a.chars().count() <= 3));
    HelpBlock::Item { term: names.collect::<Vec<_>>().join(", "), text: spec.summary.to_owned() }
}

/// All there is to say of a command.
pub fn command(spec: &CommandSpec) -> Vec<HelpBlock> {
    let mut blocks = vec![HelpBlock::Usage(spec.usage()), HelpBlock::Paragraph(format!("{}.", spec.summary))];
    blocks.extend(spec.help.split("\n\n").map(|p| HelpBlock::Paragraph(p.to_owned())));
    for arg in spec.args {
        blocks.push(HelpBlock::Item { term: arg.name.to_owned(), text: arg.kind.describe().to_owned() });
        if let super::arg::ArgKind::Enum(words) = arg.kind {
            blocks.extend(words.iter().map(|w| HelpBlock::Item { term: format!("  {}", w.0), text: w.1.to_owned() }));
        }
    }
    if !spec.needs.is_empty() {
        let needs = spec.needs.iter().map(|need| need.noun()).collect::<Vec<_>>().join(", ");
        blocks.push(HelpBlock::Item { term: "needs".to_owned(), text: needs });
    }
    if !spec.aliases.is_empty() {
        blocks.push(HelpBlock::Item { term: "also".to_owned(), text: spec.aliases.join(", ") });
    }
    if !spec.keys.is_empty() {
        let keys = spec.keys.iter().map(|k| k.key).collect::<Vec<_>>().join(", ");
        blocks.push(HelpBlock::Item { term: "keys".to_owned(), text: format!("{keys} (full-screen)") });
    }
    blocks.extend(spec.examples.iter().map(|e| HelpBlock::Example { line: e.0.to_owned(), what: e.1.to_owned() }));
    blocks
}

/// All commands; in a recorded session those that are not refused there.
fn overview(live: bool) -> Vec<HelpBlock> {
    let mut blocks = Vec::new();
    let offered = |spec: &&CommandSpec| live || !spec.needs.contains(&Need::Live);
    for group in Group::ALL {
        let items: Vec<_> = TABLE.iter().copied().filter(|s| s.group == group).filter(offered).map(summary).collect();
        if !items.is_empty() {
            blocks.push(HelpBlock::Heading(group.title().to_owned()));
            blocks.extend(items);
        }
    }
    if !live {
        let text = "This is a recorded session: the commands that would ask a model or write something are left out.";
        blocks.push(HelpBlock::Paragraph(text.to_owned()));
    }
    blocks.push(HelpBlock::Paragraph(LANGUAGE.to_owned()));
    blocks.push(HelpBlock::Paragraph("`help COMMAND` explains one, `apropos WORD` finds one.".to_owned()));
    blocks.extend(TOPICS.iter().map(|(topic, what)| HelpBlock::Paragraph(format!("`help {topic}`: {what}."))));
    blocks
}

/// The command reference as Markdown.
pub fn markdown() -> String {
    let mut out = String::from(
        "# Commands\n\nThe same language at the prompt of the full-screen view, in the REPL and on stdin. This page is made \
         from the table in `src/command/spec.rs`; a test keeps it true.\n\n",
    );
    out.push_str(LANGUAGE);
    out.push('\n');
    for (topic, what) in TOPICS {
        out.push_str(&format!("\n- [{topic}](docs/{topic}.md): {what}"));
    }
    out.push('\n');
    for group in Group::ALL {
        out.push_str(&format!("\n## {}\n", group.title()));
        for spec in TABLE.iter().copied().filter(|s| s.group == group) {
            out.push_str(&entry(spec));
        }
    }
    out
}

fn entry(spec: &CommandSpec) -> String {
    let mut out = format!("\n### `{}`\n\n{}.\n\n{}\n", spec.usage(), spec.summary, spec.help);
    let mut facts = Vec::new();
    if !spec.aliases.is_empty() {
        facts.push(format!("also {}", code(spec.aliases)));
    }
    if !spec.keys.is_empty() {
        let keys: Vec<_> = spec.keys.iter().map(|k| k.key).collect();
        facts.push(format!("key {}", code(&keys)));
    }
    if spec.repeat {
        facts.push("an empty line repeats it".to_owned());
    }
    let needs: Vec<_> = spec.needs.iter().map(|need| need.noun()).collect();
    if !needs.is_empty() {
        facts.push(format!("needs {}", needs.join(", ")));
    }
    if spec.scope == Scope::Engine {
        facts.push("recorded in the session".to_owned());
    }
    if !facts.is_empty() {
        out.push_str(&format!("\n*{}*\n", facts.join(" · ")));
    }
    let words = spec.args.iter().filter_map(|a| if let super::arg::ArgKind::Enum(w) = a.kind { Some(w) } else { None });
    for (word, what) in words.flatten() {
        out.push_str(&format!("\n- `{word}`: {what}"));
    }
    if spec.args.iter().any(|a| matches!(a.kind, super::arg::ArgKind::Enum(_))) {
        out.push('\n');
    }
    out.push_str("\n```\n");
    let width = spec.examples.iter().map(|e| e.0.chars().count()).max().unwrap_or(0);
    for (line, what) in spec.examples {
        let pad = " ".repeat(width - line.chars().count());
        out.push_str(&format!("{line}{pad}   # {what}\n"));
    }
    out.push_str("```\n");
    out
}

fn code(words: &[&str]) -> String {
    words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_overview_names_every_command() {
        let blocks = help(None, true).expect("the overview");
        let items = |blocks: &[HelpBlock]| blocks.iter().filter(|b| matches!(b, HelpBlock::Item { .. })).count();
        assert_eq!(items(&blocks), TABLE.len());
        let refused = TABLE.iter().filter(|s| s.needs.contains(&Need::Live)).count();
        assert!(refused > 10, "{refused}");
        assert_eq!(
            items(&help(None, false).expect("the overview")),
            TABLE.len() - refused,
            "not in a recorded session"
        );
    }

    #[test]
    fn help_on_one_command_follows_abbreviations_and_names_what_was_meant() {
        let usage = |topic| match help(Some(topic), true) {
            Ok(blocks) => match blocks.first() {
                Some(HelpBlock::Usage(usage)) => usage.clone(),
                other => format!("{other:?}"),
            },
            Err(names) => names.join("|"),
        };
        assert_eq!(usage("b"), "break PLACE [if EXPR]");
        assert_eq!(usage("load policy"), "load policy PATH");
        assert_eq!(usage("stpe"), "step");
        assert_eq!(help(Some("set"), true).map(|blocks| blocks.len()), Ok(2));
    }

    #[test]
    fn apropos_finds_all_words_whatever_their_case() {
        let names = |words| apropos(words).iter().map(|s| s.name).collect::<Vec<_>>();
        assert_eq!(names("Classifier THRESHOLD"), ["compare", "set threshold"]);
        assert!(names("breakpoint").contains(&"condition"));
        assert!(names("no such thing at all").is_empty() && names(" ").is_empty());
    }

    /// `UPDATE_DOCS=1 cargo test` rewrites the page.
    #[test]
    fn the_command_reference_is_what_the_table_says() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("COMMANDS.md");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, markdown()).expect("COMMANDS.md can be written");
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
        assert!(written == markdown(), "COMMANDS.md is stale: run the tests with UPDATE_DOCS=1");
    }
}
