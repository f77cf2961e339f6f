//! Typed access to a TOML table with spans; reports wrong types, unknown keys and empty texts as it goes.
//!
//! Must not know what the keys of a policy mean.

use super::codes::Code;
use super::diagnostics::{Fault, Sink, did_you_mean, one_of};
use super::draft::Text;
use super::source::At;
use crate::domain::Name;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value with its key.
#[derive(Clone, Copy)]
pub(super) struct Entry<'t, 'i> {
    pub key: &'t str,
    /// The key's position; for an element of an array, the value's position.
    pub key_at: At,
    pub value: &'t DeValue<'i>,
    pub value_at: At,
}

/// What reading a file needs everywhere.
pub(super) struct Cx<'s> {
    pub file: usize,
    pub sink: &'s mut Sink,
}

impl Cx<'_> {
    pub fn at(&self, span: Range<usize>) -> At {
        At::new(self.file, span)
    }

    fn entry<'t, 'i>(
        &self,
        key: &'t Spanned<std::borrow::Cow<'i, str>>,
        value: &'t Spanned<DeValue<'i>>,
    ) -> Entry<'t, 'i> {
        Entry {
            key: key.get_ref(),
            key_at: self.at(key.span()),
            value: value.get_ref(),
            value_at: self.at(value.span()),
        }
    }

    /// All entries in the order of the file (the table itself is sorted by key).
    pub fn entries<'t, 'i>(&self, table: &'t DeTable<'i>) -> Vec<Entry<'t, 'i>> {
        let mut all: Vec<_> = table.iter().map(|(k, v)| self.entry(k, v)).collect();
        all.sort_by_key(|e| e.key_at);
        all
    }

    pub fn get<'t, 'i>(&self, table: &'t DeTable<'i>, key: &str) -> Option<Entry<'t, 'i>> {
        table.get_key_value(key).map(|(k, v)| self.entry(k, v))
    }

    /// Reports every key that is not in `known`. `what` names the owner of the keys, for example ``node `a` ``.
    pub fn known_keys(&mut self, table: &DeTable<'_>, what: &str, known: &[&str]) {
        for entry in self.entries(table) {
            if !known.contains(&entry.key) {
                let hint = match did_you_mean(entry.key, known.iter().copied()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("remove it; known keys are {}", one_of(known.iter().copied())),
                };
                let message = format!("unknown key `{}` in {what}", short(entry.key));
                self.sink.push(Fault::new(Code::UnknownKey, entry.key_at, message).hint(hint));
            }
        }
    }

    pub fn wrong_type(&mut self, entry: Entry<'_, '_>, wanted: &str, hint: impl Into<String>) {
        let message = format!("`{}` has to be {wanted}, this is {}", short(entry.key), type_name(entry.value));
        self.sink.push(Fault::new(Code::WrongType, entry.value_at, message).hint(hint));
        self.sink.damaged = true;
    }

    /// A table, or a fault.
    pub fn table<'t, 'i>(&mut self, entry: Entry<'t, 'i>, hint: &str) -> Option<&'t DeTable<'i>> {
        let table = entry.value.as_table();
        if table.is_none() {
            self.wrong_type(entry, "a table", hint);
        }
        table
    }

    /// The elements of an array, or a fault. Elements keep the key of the array.
    pub fn array<'t, 'i>(&mut self, entry: Entry<'t, 'i>, hint: &str) -> Vec<Entry<'t, 'i>> {
        let Some(array) = entry.value.as_array() else {
            self.wrong_type(entry, "a list", hint);
            return Vec::new();
        };
        let element = |v: &'t Spanned<DeValue<'i>>| Entry {
            key: entry.key,
            key_at: self.at(v.span()),
            value: v.get_ref(),
            value_at: self.at(v.span()),
        };
        array.iter().map(element).collect()
    }

    /// A text, or a fault; an empty one is a fault too, and returned as the empty text.
    pub fn string(&mut self, entry: Entry<'_, '_>) -> Option<Text> {
        let Some(text) = entry.value.as_str() else {
            let hint = format!("write {} = \"…\"", short(entry.key));
            self.wrong_type(entry, "text", hint);
            return None;
        };
        if text.trim().is_empty() {
            let message = format!("`{}` is empty", short(entry.key));
            let hint = format!("write something or remove `{}`", short(entry.key));
            self.sink.push(Fault::new(Code::EmptyText, entry.value_at, message).hint(hint));
        }
        Some(Text { text: text.to_owned(), at: entry.value_at })
    }

    /// The text under `key`, if it is there.
    pub fn text(&mut self, table: &DeTable<'_>, key: &str) -> Option<Text> {
        let entry = self.get(table, key)?;
        self.string(entry)
    }

    /// The text under `key`, or a fault at `owner`.
    pub fn required(&mut self, table: &DeTable<'_>, key: &str, owner: At, what: &str, hint: &str) -> Option<Text> {
        if !table.contains_key(key) {
            let message = format!("{what} has no `{key}`");
            self.sink.push(Fault::new(Code::MissingKey, owner, message).hint(hint));
            return None;
        }
        self.text(table, key)
    }

    /// The texts under `key`: a list of texts, or one text.
    pub fn texts(&mut self, table: &DeTable<'_>, key: &str) -> Vec<Text> {
        let Some(entry) = self.get(table, key) else { return Vec::new() };
        if entry.value.is_str() {
            return self.string(entry).into_iter().collect();
        }
        let elements = self.array(entry, &format!("write {key} = [\"…\", \"…\"]"));
        elements.into_iter().filter_map(|e| self.string(e)).collect()
    }

    /// A fault if `text` cannot be a [`Name`], or an id with characters that commands and includes need for themselves.
    pub fn check_name(&mut self, text: &Text, what: &str, kind: NameKind) {
        let at = text.at;
        if text.text.trim().is_empty() && kind == NameKind::Label {
            return;
        }
        let fault = match Name::new(&text.text) {
            Err(e) => Some(e.to_string()),
            Ok(_) if kind == NameKind::Id => {
                text.text.chars().find(|c| !(c.is_alphanumeric() || "_-.".contains(*c))).map(|c| match c {
                    ' ' => "an id cannot contain a space".to_owned(),
                    c => format!("an id cannot contain `{c}`"),
                })
            }
            Ok(_) => None,
        };
        if let Some(why) = fault {
            let hint = match kind {
                NameKind::Id => "use letters, digits, `_`, `-` and `.`, at most 64 of them",
                NameKind::Label => "use letters, digits, single spaces and `_ - . : / +`, at most 64 of them",
            };
            self.sink.push(Fault::new(Code::BadId, at, format!("{what} `{}`: {why}", short(&text.text))).hint(hint));
        }
    }
}

/// Which characters a name may have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum NameKind {
    /// Node, leaf and include ids: no space and no `/`, which joins an include's name to its ids.
    Id,
    /// Everything a `Name` allows.
    Label,
}

/// The first 60 characters of a text, for messages.
pub(super) fn short(text: &str) -> String {
    let mut out: String = text.chars().take(60).collect();
    if out.len() < text.len() {
        out.push('…');
    }
    out
}

fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
