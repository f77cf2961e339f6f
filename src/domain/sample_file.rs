//! Sample files: each line, a JSON object, becomes a `Sample`; a bad line becomes an error with line, column and what
//! to do.
//!
//! Must not change the content in any way, must not stop at a bad line, and must not read an absent or null label as
//! "no".
//!
//! The keys are listed in one table, `keys`, from which the table in SAMPLES.md is generated.
//!
//! Any other key is kept in `meta` under its own name. A key that differs from a known one only in case, separators or
//! a final s is refused, because a threshold under a misspelled key would silently not count.

mod doubts;
mod gold;
mod json;
mod keys;
mod read;
#[cfg(test)]
mod tests;

use super::{Classifier, Complaint, Content, Field, Name, Outcome, Sample, Verdict};
use crate::text::Untrusted;
use json::Raw;
use std::collections::HashSet;
use std::sync::LazyLock;

pub use doubts::{Doubt, DoubtKind, Doubts, KnownGold};
pub use keys::{Key, TABLE};
pub use read::{Loaded, MAX_ERRORS, MAX_SAMPLES, RawLine, RawLines, load, load_watched};

/// The longest line, in bytes. A longer one is an error and is skipped without being kept in memory.
pub const MAX_LINE_BYTES: usize = 4 << 20;

/// The most members of an object with a known meaning, such as `scores`; `meta` may have any number.
pub const MAX_MEMBERS: usize = 4096;

/// The longest message about a line, in characters: a message quotes the line, which may be of any length.
const MAX_MESSAGE: usize = 400;

/// Why a line is no sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleError {
    /// Line in the file, from 1.
    pub line: usize,
    /// Column in characters, from 1: where the offending value begins.
    pub col: usize,
    /// What is wrong, which may quote the line, and what to do about it.
    pub complaint: Complaint,
}

const KEYS: [&str; keys::NAMES.len()] = keys::NAMES;

/// Reads one line (without its line break, which does no harm). `line` is its number from 1; it names a sample without
/// an id.
pub fn parse_line(line: usize, bytes: &[u8]) -> Result<Sample, SampleError> {
    if bytes.len() > MAX_LINE_BYTES {
        return Err(too_long(line));
    }
    if is_utf16(bytes) {
        return Err(SampleError {
            line,
            col: 1,
            complaint: Complaint::new("the line is UTF-16, not UTF-8")
                .hinted("write the file as UTF-8, or convert it: iconv -f UTF-16 -t UTF-8 OLD > NEW"),
        });
    }
    let text = std::str::from_utf8(bytes).map_err(|e| SampleError {
        line,
        col: String::from_utf8_lossy(bytes.get(..e.valid_up_to()).unwrap_or_default()).chars().count() + 1,
        complaint: Complaint::new("the line is not valid UTF-8")
            .hinted("write the file as UTF-8; a text cut in the middle of a character is a common cause"),
    })?;
    let here = Line { no: line, text };
    if text.trim_ascii().is_empty() {
        return Err(here.error(0, "the line is empty", "write one JSON object a line"));
    }
    if text.starts_with('\u{feff}') {
        let hint = "files that were put together keep their marks: take the three bytes EF BB BF out here";
        return Err(here.error(0, "the line begins with a byte order mark (U+FEFF)", hint));
    }
    let root = Raw::read(text).map_err(|e| here.syntax(&e))?;
    let Some(members) = root.members() else {
        let message = format!("the line is {}, not an object", root.kind());
        return Err(here.error(root.at(), &message, r#"write a sample as {"id": "…", "text": "…"}"#));
    };
    here.sample(&here.unique(members)?)
}

/// Whether the text is UTF-16: it has that byte order mark, or every other byte of its beginning is zero, as in JSON
/// encoded as UTF-16. A single zero byte is a different fault.
fn is_utf16(bytes: &[u8]) -> bool {
    let begin = bytes.get(..bytes.len().min(4)).unwrap_or_default();
    bytes.starts_with(b"\xff\xfe")
        || bytes.starts_with(b"\xfe\xff")
        || (begin.contains(&0) && begin.windows(2).all(|two| two.iter().filter(|byte| **byte == 0).count() == 1))
}

pub(super) fn too_long(line: usize) -> SampleError {
    SampleError {
        line,
        col: 1,
        complaint: Complaint::new(format!("the line is longer than {MAX_LINE_BYTES} bytes"))
            .hinted("split the sample, or leave out what the model is not to read"),
    }
}

/// The members of an object, with keys decoded.
type Members<'a> = Vec<(String, Raw<'a>)>;

/// The line being read, for errors.
struct Line<'a> {
    no: usize,
    text: &'a str,
}

impl<'a> Line<'a> {
    fn error(&self, at: usize, message: &str, hint: &str) -> SampleError {
        let col = self.text.char_indices().take_while(|(i, _)| *i < at).count() + 1;
        let message: String = match message.char_indices().nth(MAX_MESSAGE) {
            Some((end, _)) => format!("{}…", message.get(..end).unwrap_or_default()),
            None => message.to_owned(),
        };
        SampleError { line: self.no, col, complaint: Complaint::new(message).hinted(hint) }
    }

    fn wrong(&self, what: &str, raw: Raw, wanted: &str) -> SampleError {
        let message = format!("{what} is {}, not {wanted}", raw.kind());
        self.error(raw.at(), &message, &format!("write {wanted}, or leave the key out where it is unknown"))
    }

    fn syntax(&self, e: &serde_json::Error) -> SampleError {
        // The parser counts bytes and names the last one it read.
        let at = e.column().saturating_sub(1);
        let whole = e.to_string();
        let reason = whole.rsplit_once(" at line ").map_or(whole.as_str(), |(reason, _)| reason);
        let hint = match e.classify() {
            serde_json::error::Category::Eof => "the line ends too early: a sample must stand on one line, whole",
            _ if reason.contains("surrogate") || reason.contains("hex escape") => {
                "write the character itself, or both halves of its surrogate pair"
            }
            _ if reason.contains("control character") => r"write control characters inside texts as \n, \t or \u00XX",
            _ if reason.contains("number out of range") => "scores and thresholds are finite numbers",
            _ if reason.contains("recursion") => "put deeply nested data elsewhere and refer to it by id",
            _ => "write one JSON object a line; NaN, comments, single quotes and trailing commas are not JSON",
        };
        self.error(at, &format!("not valid JSON: {reason}"), hint)
    }

    /// Refuses a repeated key: which of the two values counts would be a guess.
    fn unique(&self, members: Members<'a>) -> Result<Members<'a>, SampleError> {
        let mut seen = HashSet::with_capacity(members.len());
        for (key, raw) in &members {
            if !seen.insert(key.as_str()) {
                let message = format!("the key {key:?} stands here twice");
                return Err(self.error(raw.at(), &message, "keep one of them; use a list for several values"));
            }
        }
        drop(seen);
        Ok(members)
    }

    fn sample(&self, members: &Members<'a>) -> Result<Sample, SampleError> {
        let get = |key: &str| members.iter().find(|(k, _)| k == key).map(|(_, raw)| *raw).filter(|raw| !raw.is_null());
        let id = match get("id") {
            None => format!("line-{}", self.no).into(),
            Some(raw) => self.id(raw)?,
        };
        let labels = gold::Keys {
            gold: get("gold"),
            violates_key: members.iter().any(|(k, _)| k == "gold_violates"),
            violates: get("gold_violates"),
            label: get("gold_label"),
            path: get("gold_path"),
        };
        let (gold, gold_is_free) = self.gold(&labels)?;
        Ok(Sample {
            id,
            content: self.content(members, get("text"), get("fields"))?,
            gold,
            scores: get("scores").map_or(Ok(Vec::new()), |raw| self.numbers("scores", raw))?,
            thresholds: get("thresholds").map_or(Ok(Vec::new()), |raw| self.numbers("thresholds", raw))?,
            classifier: get("classifier").map(|raw| self.classifier(raw)).transpose()?,
            verdicts: get("verdicts").map_or(Ok(Vec::new()), |raw| self.verdicts(raw))?,
            meta: self.meta(members, get("meta"), gold_is_free)?,
        })
    }

    fn id(&self, raw: Raw) -> Result<Untrusted, SampleError> {
        match raw.string().or_else(|| raw.whole_number()) {
            Some(id) if id.is_empty() => Err(self.error(raw.at(), "the id is empty", "leave it out to get `line-N`")),
            Some(id) => Ok(id.into()),
            None if raw.number().is_some() => {
                let message = format!("`id` is {}, not a text or a whole number", raw.text());
                let hint = "write it as a text; table programs give whole numbers a fraction (123.0) where some ids are \
                            missing, so read the column as text";
                Err(self.error(raw.at(), &message, hint))
            }
            None => Err(self.wrong("`id`", raw, "a text or a whole number")),
        }
    }

    fn content(
        &self,
        members: &Members<'a>,
        text: Option<Raw>,
        fields: Option<Raw<'a>>,
    ) -> Result<Content, SampleError> {
        match (text, fields) {
            (Some(raw), None) => {
                let text = raw.string().ok_or_else(|| self.wrong("`text`", raw, "a text"))?;
                Ok(Content::Text(text.into()))
            }
            (None, Some(raw)) => self.fields(raw),
            (Some(_), Some(raw)) => Err(self.error(
                raw.at(),
                "the sample has both `text` and `fields`",
                "keep `text` for a plain text, or `fields` for the parts of a photo or video post",
            )),
            (None, None) => {
                let at = members.iter().find(|(k, _)| k == "text" || k == "fields").map_or(0, |(_, raw)| raw.at());
                let hint = r#"give "text": "…", or "fields": {"caption": "…", "transcript": "…"}"#;
                Err(self.error(at, "the sample has neither `text` nor `fields`", hint))
            }
        }
    }

    fn fields(&self, raw: Raw<'a>) -> Result<Content, SampleError> {
        let mut fields = Vec::new();
        for (key, value) in self.object("`fields`", raw)? {
            let name = self.name("the field name", &key, value)?;
            if value.is_null() {
                continue;
            }
            let texts = value.string().map(|text| vec![text.into()]);
            let values = match texts.or_else(|| value.elements().and_then(|all| strings(&all))) {
                Some(values) => values,
                None => return Err(self.wrong(&format!("the field {key:?}"), value, "a text or a list of texts")),
            };
            fields.push(Field { name, values });
        }
        if fields.is_empty() {
            return Err(self.error(raw.at(), "`fields` holds nothing to read", "give at least one field a text"));
        }
        Ok(Content::Fields(fields))
    }

    fn object(&self, what: &str, raw: Raw<'a>) -> Result<Members<'a>, SampleError> {
        let members = raw.members().ok_or_else(|| self.wrong(what, raw, "an object"))?;
        if members.len() > MAX_MEMBERS {
            let message = format!("{what} has {} members; at most {MAX_MEMBERS} are read", members.len());
            return Err(self.error(raw.at(), &message, "put what is not needed for the verdict under `meta`"));
        }
        self.unique(members)
    }

    fn name(&self, what: &str, text: &str, raw: Raw) -> Result<Name, SampleError> {
        Name::new(text).map_err(|e| {
            let hint = "use 1 to 64 letters, digits, `_ - . : / + @` or single inner spaces";
            self.error(raw.at(), &format!("{what} {text:?} cannot be used: {e}"), hint)
        })
    }

    fn numbers(&self, key: &str, raw: Raw<'a>) -> Result<Vec<(Name, f64)>, SampleError> {
        let mut out = Vec::new();
        for (name, value) in self.object(&format!("`{key}`"), raw)? {
            let checked = self.name(&format!("in `{key}` the name"), &name, value)?;
            if !value.is_null() {
                let what = format!("{name:?} in `{key}`");
                out.push((checked, value.number().ok_or_else(|| self.wrong(&what, value, "a number"))?));
            }
        }
        Ok(out)
    }

    fn classifier(&self, raw: Raw<'a>) -> Result<Classifier, SampleError> {
        let members = self.object("`classifier`", raw)?;
        let (mut id, mut version) = (None, None);
        for (key, value) in &members {
            let slot = match key.as_str() {
                "id" => &mut id,
                "version" => &mut version,
                _ => {
                    let message = format!("`classifier` has no key {key:?}");
                    return Err(self.error(value.at(), &message, "give `id` and `version`; put the rest under `meta`"));
                }
            };
            if !value.is_null() {
                let text = value.string().or_else(|| value.number().map(|_| value.text().to_owned()));
                *slot = Some(text.ok_or_else(|| self.wrong(&format!("`classifier.{key}`"), *value, "a text"))?.into());
            }
        }
        let id = id.ok_or_else(|| {
            self.error(raw.at(), "`classifier` has no `id`", "name the classifier, or leave `classifier` out")
        })?;
        Ok(Classifier { id, version })
    }

    fn verdicts(&self, raw: Raw<'a>) -> Result<Vec<(Name, Verdict)>, SampleError> {
        let mut out = Vec::new();
        for (who, value) in self.object("`verdicts`", raw)? {
            let name = self.name("in `verdicts` the name", &who, value)?;
            if value.is_null() {
                continue;
            }
            let what = format!("the verdict of {who:?}");
            let verdict = match value.members() {
                None => Verdict { outcome: self.outcome(&what, value)?, label: None },
                Some(members) => {
                    let members = self.unique(members)?;
                    let get = |key: &str| members.iter().find(|(k, v)| k == key && !v.is_null()).map(|(_, v)| *v);
                    let outcome = get("outcome").ok_or_else(|| {
                        self.error(value.at(), &format!("{what} has no `outcome`"), "give an outcome, or leave it out")
                    })?;
                    let label = get("label").map(|raw| self.label("its label", raw)).transpose()?;
                    Verdict { outcome: self.outcome(&what, outcome)?, label }
                }
            };
            out.push((name, verdict));
        }
        Ok(out)
    }

    fn label(&self, what: &str, raw: Raw) -> Result<Name, SampleError> {
        let text = raw.string().ok_or_else(|| self.wrong(what, raw, "a text"))?;
        self.name(what, &text, raw)
    }

    fn outcome(&self, what: &str, raw: Raw) -> Result<Outcome, SampleError> {
        match (raw.bool(), raw.string()) {
            (Some(true), _) => Ok(Outcome::Violating),
            (Some(false), _) => Ok(Outcome::NonViolating),
            (None, Some(word)) => word.parse().map_err(|hint: String| {
                self.error(
                    raw.at(),
                    &format!("{what} is {word:?}, which is no outcome"),
                    &format!("{hint}; a policy label belongs in `gold_label`"),
                )
            }),
            (None, None) => Err(self.wrong(what, raw, "an outcome word, true or false")),
        }
    }

    /// Everything under other keys, as JSON text: `meta` as given, with those keys added.
    fn meta(&self, members: &Members, meta: Option<Raw>, gold_is_free: bool) -> Result<Option<Untrusted>, SampleError> {
        let inside = match meta {
            None => Vec::new(),
            Some(raw) => raw.members().ok_or_else(|| self.wrong("`meta`", raw, "an object"))?,
        };
        let taken: HashSet<&str> = inside.iter().map(|(key, _)| key.as_str()).collect();
        let mut extra = Vec::new();
        for (key, raw) in members {
            if KEYS.contains(&key.as_str()) && !(gold_is_free && key == "gold") {
                continue;
            }
            let as_ours = folded(key);
            let meant = FOLDED.iter().zip(KEYS).find(|(folded, known)| *known != key && **folded == as_ours);
            if let Some((_, known)) = meant {
                let message = format!("the key {key:?} is not known");
                return Err(self.error(
                    raw.at(),
                    &message,
                    &format!("did you mean `{known}`? if not, put it under `meta`"),
                ));
            }
            if taken.contains(key.as_str()) {
                let message = format!("the key {key:?} stands both in the sample and in its `meta`");
                return Err(self.error(raw.at(), &message, "keep one of them"));
            }
            extra.push((key, *raw));
        }
        if extra.is_empty() {
            return Ok(meta.map(|raw| raw.text().into()));
        }
        let own = inside.iter().map(|(key, raw)| (key, *raw));
        let all: Vec<String> =
            own.chain(extra).map(|(key, raw)| format!("{}:{}", json::quoted(key), raw.text())).collect();
        Ok(Some(format!("{{{}}}", all.join(",")).into()))
    }
}

fn strings(all: &[Raw]) -> Option<Vec<Untrusted>> {
    all.iter().map(|raw| raw.string().map(Untrusted::from)).collect()
}

/// [`KEYS`] as [`folded`] has them.
static FOLDED: LazyLock<[String; KEYS.len()]> = LazyLock::new(|| KEYS.map(folded));

/// A key without case, separators and a final s.
fn folded(key: &str) -> String {
    let letters: String = key.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    letters.strip_suffix('s').map_or(letters.clone(), str::to_owned)
}
