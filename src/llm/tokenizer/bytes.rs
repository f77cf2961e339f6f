//! The alphabet of byte-level vocabularies: a character for every byte.
//!
//! Must not know vocabularies or merges.

use std::collections::HashMap;

/// The character that stands for a byte in byte-level vocabularies: printable Latin-1 bytes stand for themselves, the
/// others for 256 and up in order.
pub(super) fn char_of(byte: u8) -> char {
    let kept = |b: u8| matches!(b, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    if kept(byte) {
        return char::from(byte);
    }
    let before = (0..byte).filter(|b| !kept(*b)).count() as u32;
    char::from_u32(256 + before).expect("below 512 every number is a character")
}

/// All characters of [`char_of`] with their bytes.
pub(super) fn bytes_of_chars() -> HashMap<char, u8> {
    (0..=255).map(|byte| (char_of(byte), byte)).collect()
}

/// Whether `text` is the token of a byte.
pub(super) fn is_byte(text: &str) -> bool {
    let mut chars = text.chars();
    // The characters of all bytes lie below 256 + 68, see `char_of`.
    matches!((chars.next(), chars.next()), (Some(c), None) if c < '\u{144}' && bytes_of_chars().contains_key(&c))
}
