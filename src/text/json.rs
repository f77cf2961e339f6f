//! JSON text that is safe on a terminal: characters that could act there are written as `\uXXXX`, which reads back as
//! the same text.
//!
//! Must be used for all JSON with outside text that leaves the program: plain `serde_json` passes C1 controls, bidi
//! overrides and zero-width characters through.

use super::is_hidden;
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};
use std::io::{self, Write};

/// `value` as JSON text on one line, with nothing in it that could act on a terminal.
///
/// Fails only if `value` has no JSON form (a map with keys that are not text, or a `Serialize` that fails).
pub fn to_string(value: &impl Serialize) -> Result<String, serde_json::Error> {
    let mut out = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut out, Inert))?;
    Ok(String::from_utf8(out).expect("a JSON serializer given text writes text"))
}

/// Compact JSON in which every hidden character is an escape sequence.
struct Inert;

impl Formatter for Inert {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        if fragment.bytes().all(|b| matches!(b, b' '..=b'~')) {
            return writer.write_all(fragment.as_bytes());
        }
        for c in fragment.chars() {
            if is_hidden(c) {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            } else {
                write!(writer, "{c}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_control_reaches_the_terminal_through_json_and_the_text_reads_back_unchanged() {
        for c in ('\0'..='\u{9f}').chain(['\u{2028}', '\u{e9}', '漢', '🦀', '"', '\\']) {
            let text = format!("a{c}b");
            let json = to_string(&text).expect("text has a JSON form");
            assert!(!json.chars().any(char::is_control), "{c:?} went through as {json:?}");
            assert_eq!(serde_json::from_str::<String>(&json).expect("JSON"), text, "{c:?}");
        }
    }

    #[test]
    fn text_that_people_read_stays_readable() {
        assert_eq!(to_string(&"é 漢 нет").expect("JSON"), "\"é 漢 нет\"");
    }
}
