//! Defined terms and the `[[references]]` to them.
//!
//! Must not change the text: references stay as written, and the prompt shows the definitions beside them.
//!
//! Definitions of the including policy take precedence: if an included policy defines the same term, its definition is
//! ignored.

use super::codes::Code;
use super::diagnostics::{Fault, Sink, did_you_mean};
use super::draft::Text;
use super::fields::short;
use super::include::Loaded;
use super::source::At;
use std::collections::{BTreeSet, HashMap};

/// The terms of all files.
#[derive(Debug, Default)]
pub(super) struct Terms<'d> {
    /// Name and definition, the policy's own first, then those of its includes.
    pub all: Vec<(&'d Text, &'d Text)>,
    by_key: HashMap<String, usize>,
    /// Terms that some text refers to.
    used: BTreeSet<usize>,
    suggestions: usize,
}

/// How a term's name is compared: without case and outer space, so that a sentence can begin with one.
fn key(name: &str) -> String {
    name.trim().to_lowercase()
}

/// The names between `[[` and `]]` in `text`, and what follows the first `[[` that is left open, to the end of its
/// line.
pub(super) fn references(text: &str) -> (Vec<&str>, Option<&str>) {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("[[") {
        // A reference stays on one line; otherwise one forgotten bracket would swallow a page.
        match after.split_once("]]").filter(|(name, _)| !name.contains('\n')) {
            Some((name, tail)) => {
                found.push(name);
                rest = tail;
            }
            None => return (found, Some(after.lines().next().unwrap_or_default())),
        }
    }
    (found, None)
}

impl<'d> Terms<'d> {
    /// Collects the definitions.
    pub fn collect(loaded: &'d Loaded, sink: &mut Sink) -> Self {
        let mut terms = Self { suggestions: 20, ..Self::default() };
        let mut files_done = BTreeSet::new();
        for instance in &loaded.instances {
            if !files_done.insert(instance.draft) {
                continue;
            }
            for term in &loaded.drafts[instance.draft].terms {
                let Some(definition) = &term.definition else { continue };
                let Some(first) = terms.by_key.get(&key(&term.name.text)).copied() else {
                    terms.by_key.insert(key(&term.name.text), terms.all.len());
                    terms.all.push((&term.name, definition));
                    continue;
                };
                let (first_name, first_definition) = terms.all[first];
                let name = short(&term.name.text);
                if first_name.at.file == term.name.at.file {
                    let fault =
                        Fault::new(Code::DuplicateTerm, term.name.at, format!("term `{name}` is defined twice"));
                    sink.push(fault.hint("keep one definition").related("the first is here", first_name.at));
                } else if first_definition.text != definition.text {
                    let message = format!("term `{name}` is defined differently by the including policy");
                    let fault = Fault::new(Code::RedefinedTerm, term.name.at, message);
                    sink.push(
                        fault
                            .hint("the including policy's definition is used; rename one if that is not meant")
                            .related("it is used instead", first_name.at),
                    );
                }
            }
        }
        terms
    }

    /// Checks every text that the model reads, and that every term is used.
    pub fn check(&mut self, loaded: &'d Loaded, sink: &mut Sink) {
        for draft in &loaded.drafts {
            let head = draft.head.iter().flat_map(|h| &h.instructions).map(|t| (t, &[][..]));
            let nodes = draft
                .nodes
                .iter()
                .flat_map(|n| n.question.iter().chain(&n.guidance).map(move |t| (t, n.allow.as_slice())));
            let definitions = draft.terms.iter().flat_map(|t| &t.definition).map(|t| (t, &[][..]));
            for (text, allow) in head.chain(nodes).chain(definitions) {
                self.check_text(loaded, text, allow, sink);
            }
        }
        for (i, (name, _)) in self.all.iter().enumerate() {
            if !self.used.contains(&i) {
                let message = format!("no text refers to term `{}`", short(&name.text));
                let hint = format!("write [[{}]] where it is meant, or remove it", short(&name.text));
                sink.push(Fault::new(Code::UnusedTerm, name.at, message).hint(hint));
            }
        }
    }

    fn check_text(&mut self, loaded: &Loaded, text: &Text, allow: &[Code], sink: &mut Sink) {
        let (names, open) = references(&text.text);
        if let Some(after) = open.filter(|_| !allow.contains(&Code::OpenTerm)) {
            let at = locate(loaded, text.at, &format!("[[{after}"));
            let fault = Fault::new(Code::OpenTerm, at, "a `[[` is not closed by `]]` on its line");
            sink.push(fault.hint("write [[term]]"));
        }
        for name in names {
            if let Some(i) = self.by_key.get(&key(name)) {
                self.used.insert(*i);
                continue;
            }
            let hint = if self.suggestions == 0 {
                None
            } else {
                self.suggestions -= 1;
                did_you_mean(name, self.all.iter().map(|(n, _)| n.text.as_str()))
            };
            let hint = hint.map_or_else(
                || "define it with [[term]], name and definition".to_owned(),
                |meant| format!("did you mean [[{meant}]]?"),
            );
            let at = locate(loaded, text.at, &format!("[[{name}]]"));
            let fault = Fault::new(Code::UnknownTerm, at, format!("term `{}` is not defined", short(name)));
            sink.push(fault.hint(hint));
        }
    }

    /// The terms that `texts` use, also through definitions, in file order: the definitions that the model needs for
    /// them.
    pub fn used_by<'a>(&self, texts: impl Iterator<Item = &'a str>) -> BTreeSet<usize>
    where
        'd: 'a,
    {
        let mut found = BTreeSet::new();
        let mut waiting: Vec<&str> = texts.collect();
        while let Some(text) = waiting.pop() {
            for name in references(text).0 {
                if let Some(i) = self.by_key.get(&key(name))
                    && found.insert(*i)
                {
                    waiting.push(&self.all[*i].1.text);
                }
            }
        }
        found
    }
}

/// Where `needle` is inside a value, or the whole value if it is spelt differently there (escapes, line ends).
pub(super) fn locate(loaded: &Loaded, within: At, needle: &str) -> At {
    let file = within.file as usize;
    let source = loaded.files.get(file).and_then(|f| f.text.raw().get(within.span())).unwrap_or_default();
    match source.find(needle) {
        Some(i) if !needle.is_empty() => {
            let start = within.span().start + i;
            At::new(file, start..start + needle.len())
        }
        _ => within,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found_and_open_ones_noticed() {
        let cases: [(&str, &[&str], Option<&str>); 6] = [
            ("no references", &[], None),
            ("a [[fake shop]] and [[scam]].", &["fake shop", "scam"], None),
            ("[[open", &[], Some("open")),
            ("[[open\nclosed]]", &[], Some("open")),
            ("[[]]", &[""], None),
            ("a[0]]", &[], None),
        ];
        for (text, names, open) in cases {
            assert_eq!(references(text), (names.to_vec(), open), "{text:?}");
        }
    }
}
