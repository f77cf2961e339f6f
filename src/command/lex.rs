//! The lexer: words with quotes, `#` comments and byte spans, and the rest of a line verbatim where a command takes
//! text.
//!
//! Must not know any command. It is strict on submit and tolerant while a line is being typed; one flag of the same
//! code decides.
//!
//! Outside quotes a backslash escapes only white space, a quote or `#`, so that `C:\posts\a.jsonl` needs no quoting.
//! `'…'` is literal. `"…"` knows `\\ \" \n \r \t` and `\u{HEX}`. A `#` at the start of a word begins a comment.

use std::borrow::Cow;
use std::ops::Range;

/// One word of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The word without its quotes and escapes.
    pub text: String,
    /// Its position in the line, in bytes, quotes included.
    pub span: Range<usize>,
    /// Whether any part of it was quoted or escaped; such a word is never a keyword or a number of a sample.
    pub quoted: bool,
}

/// Why a word could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LexError {
    /// A quote that is not closed; it opened at this byte.
    Unclosed(usize),
    /// An escape that `"…"` does not know.
    Escape(Range<usize>),
}

/// Reads a line word by word.
#[derive(Clone, Debug)]
pub struct Lexer<'a> {
    line: &'a str,
    at: usize,
    strict: bool,
}

impl<'a> Lexer<'a> {
    /// For a line that was submitted.
    pub const fn strict(line: &'a str) -> Self {
        Self { line, at: 0, strict: true }
    }

    /// For a line that is still being typed: an open quote ends with the line, and an unknown escape is taken
    /// literally.
    pub const fn tolerant(line: &'a str) -> Self {
        Self { line, at: 0, strict: false }
    }

    /// The next word; `None` at the end of the line or at a comment.
    pub fn word(&mut self) -> Result<Option<Token>, LexError> {
        self.skip_space();
        let start = self.at;
        if matches!(self.peek(), None | Some('#')) {
            return Ok(None);
        }
        let mut text = String::new();
        let mut quoted = false;
        while let Some(c) = self.peek() {
            match c {
                _ if c.is_whitespace() => break,
                '\'' => {
                    quoted = true;
                    self.single_quoted(&mut text)?;
                }
                '"' => {
                    quoted = true;
                    self.double_quoted(&mut text)?;
                }
                '\\' => {
                    self.bump();
                    match self.peek() {
                        Some(next) if next.is_whitespace() || matches!(next, '"' | '\'' | '#') => {
                            quoted = true;
                            text.push(next);
                            self.bump();
                        }
                        _ => text.push('\\'),
                    }
                }
                _ => {
                    text.push(c);
                    self.bump();
                }
            }
        }
        Ok(Some(Token { text, span: start..self.at, quoted }))
    }

    /// What [`Self::word`] would give, without moving on.
    pub fn peek_word(&self) -> Result<Option<Token>, LexError> {
        self.clone().word()
    }

    /// The rest of the line, trimmed, and its position. Nothing in it is a comment.
    pub fn rest(&mut self) -> (&'a str, Range<usize>) {
        self.skip_space();
        let start = self.at;
        let text = self.tail().trim_end();
        self.at = self.line.len();
        (text, start..start + text.len())
    }

    /// Where the next word would begin, in bytes.
    pub const fn position(&self) -> usize {
        self.at
    }

    fn tail(&self) -> &'a str {
        self.line.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.tail().chars().next()
    }

    fn bump(&mut self) {
        self.at += self.peek().map_or(0, char::len_utf8);
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.bump();
        }
    }

    fn single_quoted(&mut self, text: &mut String) -> Result<(), LexError> {
        let open = self.at;
        self.bump();
        while let Some(c) = self.peek() {
            self.bump();
            if c == '\'' {
                return Ok(());
            }
            text.push(c);
        }
        if self.strict { Err(LexError::Unclosed(open)) } else { Ok(()) }
    }

    fn double_quoted(&mut self, text: &mut String) -> Result<(), LexError> {
        let open = self.at;
        self.bump();
        while let Some(c) = self.peek() {
            let start = self.at;
            self.bump();
            match c {
                '"' => return Ok(()),
                '\\' => match self.escape() {
                    Some(c) => text.push(c),
                    None if self.strict => return Err(LexError::Escape(start..self.at)),
                    None => text.push('\\'),
                },
                _ => text.push(c),
            }
        }
        if self.strict { Err(LexError::Unclosed(open)) } else { Ok(()) }
    }

    /// The character an escape stands for, after its backslash; `None` (and one character further) if there is no such
    /// escape.
    fn escape(&mut self) -> Option<char> {
        let c = self.peek()?;
        if c == 'u'
            && let Some(inner) = self.tail().strip_prefix("u{")
            && let Some((hex, _)) = inner.split_once('}')
            && hex.len() <= 6
            && let Some(decoded) = u32::from_str_radix(hex, 16).ok().and_then(char::from_u32)
        {
            self.at += "u{}".len() + hex.len();
            return Some(decoded);
        }
        let decoded = match c {
            '\\' | '"' => c,
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            _ => {
                if self.strict {
                    self.bump();
                }
                return None;
            }
        };
        self.bump();
        Some(decoded)
    }
}

/// `text` as one word of a canonical line: bare if that reads back as itself, else in double quotes.
pub fn quote(text: &str) -> Cow<'_, str> {
    let bare = |c: char| !(c.is_whitespace() || needs_escape(c) || matches!(c, '"' | '\'' | '#'));
    if !text.is_empty() && text.chars().all(bare) { Cow::Borrowed(text) } else { Cow::Owned(quoted(text)) }
}

/// `text` in double quotes.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if needs_escape(c) => out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
            _ => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Whether a canonical line cannot hold `c` as it is: it would end the line, or act on whatever prints it.
fn needs_escape(c: char) -> bool {
    c == '\\' || c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// The value of free text or an expression: the text itself, unless all of it is one `"…"` word.
pub fn unwrap_free(raw: &str) -> Result<String, LexError> {
    let mut lexer = Lexer::strict(raw);
    if raw.starts_with('"') {
        let mut text = String::new();
        match lexer.double_quoted(&mut text) {
            Ok(()) if lexer.at == raw.len() => return Ok(text),
            // An expression may begin with a string: `"a" in tags`. Only a text that is nothing but quotes must be
            // sound.
            Ok(()) => {}
            Err(error) if raw.ends_with('"') && raw.matches('"').count() == 2 => return Err(error),
            Err(_) => {}
        }
    }
    Ok(raw.to_owned())
}

/// Free text or an expression as the end of a canonical line: unchanged if that reads back as itself.
pub fn free(text: &str) -> Cow<'_, str> {
    let plain = !text.is_empty()
        && text.trim() == text
        && !text.ends_with('\\')
        && !text.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'))
        && unwrap_free(text).is_ok_and(|t| t == text);
    if plain { Cow::Borrowed(text) } else { Cow::Owned(quoted(text)) }
}

/// The line without its last backslash, if it continues on the next one. Comments do not continue.
pub fn continued(line: &str) -> Option<&str> {
    if line.trim_start().starts_with('#') { None } else { line.strip_suffix('\\') }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        let mut lexer = Lexer::strict(line);
        std::iter::from_fn(|| lexer.word().expect("a sound line")).map(|t| t.text).collect()
    }

    #[test]
    fn words_quotes_comments_and_backslashes() {
        let cases: [(&str, &[&str]); 12] = [
            ("", &[]),
            ("  # only a comment", &[]),
            ("step 3 # three", &["step", "3"]),
            ("a#b", &["a#b"]),
            ("'a b' \"c d\"", &["a b", "c d"]),
            ("n=\"not sure\"", &["n=not sure"]),
            (r"C:\new\posts.jsonl \\host\share", &[r"C:\new\posts.jsonl", r"\\host\share"]),
            (r"my\ file \#1 \'", &["my file", "#1", "'"]),
            (r#""a\"b\\c\n\t\u{1f600}""#, &["a\"b\\c\n\t😀"]),
            (r"'a\nb'", &[r"a\nb"]),
            ("\"\"", &[""]),
            ("a\nb\u{a0}c", &["a", "b", "c"]),
        ];
        for (line, expected) in cases {
            assert_eq!(words(line), expected, "{line:?}");
        }
    }

    #[test]
    fn spans_are_bytes_of_the_line_and_include_quotes() {
        let mut lexer = Lexer::strict("é 'b c'");
        let spans: Vec<_> = std::iter::from_fn(|| lexer.word().expect("sound")).map(|t| (t.span, t.quoted)).collect();
        assert_eq!(spans, [(0..2, false), (3..8, true)]);
    }

    #[test]
    fn strict_names_the_fault_and_tolerant_goes_on() {
        for (line, error, text) in [
            ("a 'b c", LexError::Unclosed(2), "b c"),
            ("a \"b", LexError::Unclosed(2), "b"),
            (r#"a "\Users""#, LexError::Escape(3..5), r"\Users"),
            (r#"a "\u{110000}""#, LexError::Escape(3..5), r"\u{110000}"),
            ("a \"b\\", LexError::Escape(4..5), "b\\"),
        ] {
            let mut strict = Lexer::strict(line);
            assert_eq!(strict.word().map(|t| t.map(|t| t.text)), Ok(Some("a".into())));
            assert_eq!(strict.word(), Err(error), "{line}");
            let mut tolerant = Lexer::tolerant(line);
            tolerant.word().expect("tolerant").expect("a");
            assert_eq!(tolerant.word().expect("tolerant").expect("a word").text, text, "{line}");
        }
    }

    #[test]
    fn free_text_is_taken_as_it_stands_unless_it_is_one_quoted_word() {
        for (raw, text) in [
            ("it's # 5 \"so\"", "it's # 5 \"so\""),
            (r#""two\nlines""#, "two\nlines"),
            (r#""a" in tags or b == "c""#, r#""a" in tags or b == "c""#),
            (r"a\nb", r"a\nb"),
        ] {
            assert_eq!(unwrap_free(raw).as_deref(), Ok(text));
        }
        assert_eq!(unwrap_free(r#""\q""#), Err(LexError::Escape(1..3)));
    }

    #[test]
    fn only_lines_that_are_no_comment_go_on() {
        assert_eq!(continued("note a\\"), Some("note a"));
        assert_eq!(continued(" # a\\"), None);
        assert_eq!(continued("note a"), None);
    }

    proptest::proptest! {
        #[test]
        fn quoting_reads_back_as_itself_on_one_line(text in proptest::prelude::any::<String>()) {
            let word = quote(&text);
            proptest::prop_assert!(!word.chars().any(|c| c.is_control()));
            proptest::prop_assert_eq!(words(&word), vec![text.clone()]);
            proptest::prop_assert_eq!(unwrap_free(&free(&text)), Ok(text));
        }

        #[test]
        fn no_line_makes_the_lexer_panic_or_hang(line in proptest::prelude::any::<String>()) {
            let mut lexer = Lexer::tolerant(&line);
            while let Ok(Some(token)) = lexer.word() {
                proptest::prop_assert!(line.get(token.span).is_some());
            }
        }
    }
}
