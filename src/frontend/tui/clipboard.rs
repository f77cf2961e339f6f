//! The clipboard: text for the terminal to keep, as OSC 52 has it.
//!
//! Must send what was on the screen, and nothing of it as it is: in base64 no byte can act on the terminal.

/// Most bytes sent: some terminals drop a sequence that is longer.
pub const MOST_BYTES: usize = 48 * 1024;

/// The sequence that makes a terminal put `text` into its clipboard; what is beyond [`MOST_BYTES`] is left out.
pub fn sequence(text: &str) -> String {
    let end = (0..=text.len().min(MOST_BYTES)).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
    format!("\x1b]52;c;{}\x07", base64(text.as_bytes().get(..end).unwrap_or_default()))
}

/// Base64 (RFC 4648), with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: [u8; 64] = *b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = DIGITS[(word >> (18 - 6 * place) & 63) as usize];
            out.push(if place <= chunk.len() { digit as char } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (raw, expected) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
            ("\u{fb}\u{ff}", "w7vDvw=="),
        ] {
            assert_eq!(base64(raw.as_bytes()), expected, "{raw}");
        }
    }

    #[test]
    fn nothing_in_a_copied_text_can_act_on_the_terminal_and_a_long_one_is_cut_between_characters() {
        let sequence = sequence(&format!("\x1b]0;owned\x07\n{}", "日".repeat(MOST_BYTES)));
        let inside = sequence.strip_prefix("\x1b]52;c;").and_then(|s| s.strip_suffix('\x07')).unwrap();
        assert!(inside.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b)));
        assert!(inside.len() <= MOST_BYTES.div_ceil(3) * 4 && !inside.ends_with("=="));
    }
}
