//! A view of JSON text that keeps where every value stands and how it was written.
//!
//! Must only be given text that `serde_json` has accepted: it finds the parts of a value and checks nothing itself.

/// One value as it stands in the line.
#[derive(Clone, Copy)]
pub(super) struct Raw<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Raw<'a> {
    /// The value that is the whole of `line`.
    pub fn new(line: &'a str) -> Self {
        Self::trimmed(line, 0)
    }

    fn trimmed(text: &'a str, at: usize) -> Self {
        let rest = text.trim_ascii_start();
        Self { text: rest.trim_ascii_end(), at: at + (text.len() - rest.len()) }
    }

    /// Byte offset in the line.
    pub fn at(self) -> usize {
        self.at
    }

    /// The JSON text as it was written.
    pub fn text(self) -> &'a str {
        self.text
    }

    /// What it is, for error messages.
    pub fn kind(self) -> &'static str {
        match self.text.as_bytes().first() {
            Some(b'{') => "an object",
            Some(b'[') => "a list",
            Some(b'"') => "a text",
            Some(b't' | b'f') => "true or false",
            Some(b'n') => "null",
            _ => "a number",
        }
    }

    /// Whether it is null.
    pub fn is_null(self) -> bool {
        self.text == "null"
    }

    /// The bool, where it is one.
    pub fn bool(self) -> Option<bool> {
        self.text.parse().ok()
    }

    /// The decoded text, where it is one.
    pub fn string(self) -> Option<String> {
        serde_json::from_str(self.text).ok()
    }

    /// The number, where it is one; JSON has no other numbers than finite ones.
    pub fn number(self) -> Option<f64> {
        serde_json::from_str::<serde_json::Value>(self.text).ok()?.as_f64().filter(|n| n.is_finite())
    }

    /// A whole number as it was written.
    pub fn whole_number(self) -> Option<String> {
        let digits = self.text.strip_prefix('-').unwrap_or(self.text);
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| self.text.to_owned())
    }

    /// The members of an object, keys decoded, in the order written, repeated keys included.
    pub fn members(self) -> Option<Vec<(String, Self)>> {
        self.text.strip_prefix('{')?;
        let mut members = Vec::new();
        let mut key = None;
        for part in self.parts() {
            match key.take() {
                None => key = Some(part.string()?),
                Some(k) => members.push((k, part)),
            }
        }
        Some(members)
    }

    /// The elements of a list.
    pub fn elements(self) -> Option<Vec<Self>> {
        self.text.strip_prefix('[')?;
        Some(self.parts())
    }

    /// The values one level down: those between the outer brackets, split at the commas and colons that stand at that level.
    fn parts(self) -> Vec<Self> {
        let mut parts = Vec::new();
        let (mut depth, mut in_string, mut escaped, mut from) = (0usize, false, false, 1);
        for (i, b) in self.text.bytes().enumerate() {
            if in_string {
                match b {
                    _ if escaped => escaped = false,
                    b'\\' => escaped = true,
                    b'"' => in_string = false,
                    _ => {}
                }
                continue;
            }
            let closes = matches!(b, b'}' | b']');
            if depth == 1 && (closes || matches!(b, b',' | b':')) {
                let part = Self::trimmed(self.text.get(from..i).unwrap_or_default(), self.at + from);
                // Only an empty object or list has an empty part.
                if !part.text.is_empty() {
                    parts.push(part);
                }
                from = i + 1;
            }
            match b {
                b'"' => in_string = true,
                b'{' | b'[' => depth += 1,
                _ if closes => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        parts
    }
}

/// `text` as a JSON text.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
