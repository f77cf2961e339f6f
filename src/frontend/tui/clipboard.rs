//! The clipboard: sends text to the terminal with OSC 52.
//!
//! Must send exactly what was on the screen, and only as base64, in which no byte can act on the terminal.

/// Most bytes sent: some terminals drop a sequence that is longer.
pub const MOST_BYTES: usize = 48 * 1024;

/// As much of a text as is sent: whole lines, or the beginning of the first if that alone is too long.
pub fn fitting(text: &str) -> &str {
    if text.len() <= MOST_BYTES {
        return text;
    }
    let cut = (0..=MOST_BYTES).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let (head, rest) = text.split_at(cut);
    let end = if rest.starts_with('\n') { None } else { head.rfind('\n') };
    end.and_then(|end| head.get(..end)).unwrap_or(head)
}

/// The sequence that makes a terminal put the [`fitting`] part of `text` into its clipboard.
pub fn sequence(text: &str) -> String {
    format!("\x1b]52;c;{}\x07", base64(fitting(text).as_bytes()))
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
    fn what_is_sent_ends_with_a_line_where_there_is_one() {
        let line = "x".repeat(1023);
        let lines = |count: usize| vec![line.as_str(); count].join("\n");
        assert_eq!(fitting("a\nb"), "a\nb");
        assert_eq!(fitting(&lines(48)), lines(48), "all but a line break of the limit");
        assert_eq!(fitting(&lines(49)), lines(48), "cut right behind a line");
        assert_eq!(fitting(&format!("a\n{}", lines(60))), format!("a\n{}", lines(47)));
        let long = "日".repeat(MOST_BYTES);
        assert_eq!(fitting(&long).len(), MOST_BYTES / 3 * 3);
        assert_eq!(fitting(&format!("a\n{long}")), "a");
    }

    #[test]
    fn nothing_in_a_copied_text_can_act_on_the_terminal_and_a_long_one_is_cut_between_characters() {
        let sequence = sequence(&format!("\x1b]0;is mine\x07{}", "日".repeat(MOST_BYTES)));
        let inside = sequence.strip_prefix("\x1b]52;c;").and_then(|s| s.strip_suffix('\x07')).unwrap();
        assert!(inside.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b)));
        assert!(inside.len() <= MOST_BYTES.div_ceil(3) * 4 && !inside.ends_with("=="));
    }
}
