//! Finds the table entry that the words of a line name: by full name, alias or unique prefix; suggests a command
//! otherwise.
//!
//! Must not read arguments.

use super::spec::{CommandSpec, TABLE};
use crate::text::alike::alike;

/// How a word or two were understood.
#[derive(Clone, Debug)]
pub enum Resolved {
    /// As this command.
    Command(&'static CommandSpec),
    /// As the first word of several two-word commands; the second word is missing.
    Group(Vec<&'static CommandSpec>),
    /// As any of these, by name.
    Ambiguous(Vec<&'static str>),
    /// As none; these are spelt alike.
    Unknown(Vec<&'static str>),
}

/// The command that `word` names, with `second` as the second word of a two-word command.
pub fn resolve(word: &str, second: Option<&str>) -> Resolved {
    let found = first_word(word);
    let two_words: Vec<_> = found.iter().copied().filter(|s| s.name.contains(' ')).collect();
    match found.as_slice() {
        [] => Resolved::Unknown(alike(word, TABLE.iter().copied().flat_map(words))),
        [one] if two_words.is_empty() => Resolved::Command(one),
        _ if two_words.len() == found.len() && same_head(&two_words) => match second {
            None => Resolved::Group(two_words),
            Some(second) => second_word(second, &two_words),
        },
        _ => Resolved::Ambiguous(found.iter().filter_map(|s| matching(s, word)).fold(Vec::new(), |mut names, name| {
            if !names.contains(&name) {
                names.push(name);
            }
            names
        })),
    }
}

/// The first word of a command's name.
pub fn head(spec: &CommandSpec) -> &'static str {
    spec.name.split(' ').next().unwrap_or(spec.name)
}

/// The one of `options` that `word` names in full or as a unique prefix; otherwise those it could be.
pub fn unique<'a>(word: &str, options: impl Iterator<Item = &'a str> + Clone) -> Result<&'a str, Vec<&'a str>> {
    if let Some(exact) = options.clone().find(|o| *o == word) {
        return Ok(exact);
    }
    let found: Vec<_> = options.filter(|o| !word.is_empty() && o.starts_with(word)).collect();
    if let [one] = found.as_slice() { Ok(one) } else { Err(found) }
}

fn words(spec: &'static CommandSpec) -> impl Iterator<Item = &'static str> {
    std::iter::once(head(spec)).chain(spec.aliases.iter().copied())
}

/// The first of a command's words that `word` abbreviates.
fn matching(spec: &'static CommandSpec, word: &str) -> Option<&'static str> {
    words(spec).find(|w| w.starts_with(word))
}

fn first_word(word: &str) -> Vec<&'static CommandSpec> {
    let exact: Vec<_> = TABLE.iter().copied().filter(|s| words(s).any(|w| w == word)).collect();
    if !exact.is_empty() || word.is_empty() {
        return exact;
    }
    TABLE.iter().copied().filter(|s| words(s).any(|w| w.starts_with(word))).collect()
}

fn same_head(specs: &[&'static CommandSpec]) -> bool {
    specs.iter().all(|s| Some(head(s)) == specs.first().map(|f| head(f)))
}

fn second_word(second: &str, specs: &[&'static CommandSpec]) -> Resolved {
    let tail = |s: &'static CommandSpec| s.name.split_once(' ').map_or("", |(_, tail)| tail);
    match unique(second, specs.iter().map(|s| tail(s))) {
        Ok(word) => {
            specs.iter().find(|s| tail(s) == word).map_or(Resolved::Unknown(Vec::new()), |s| Resolved::Command(s))
        }
        Err(found) if found.is_empty() => {
            let near = alike(second, specs.iter().map(|s| tail(s)));
            Resolved::Unknown(specs.iter().filter(|s| near.contains(&tail(s))).map(|s| s.name).collect())
        }
        Err(found) => Resolved::Ambiguous(specs.iter().filter(|s| found.contains(&tail(s))).map(|s| s.name).collect()),
    }
}
