//! Paths as text: commands, facts and messages are UTF-8, and a path need not be.
//!
//! Must give back exactly the path that a text was made from, and must leave UTF-8 paths unchanged.
//!
//! Each byte that is not UTF-8 becomes one of the last characters of the last private-use plane: bytes 80 to FF map to
//! U+10FF80 to U+10FFFF. No font or program uses these characters; if a path does contain one, its four bytes are
//! encoded the same way. They count as hidden characters, so a terminal shows `<U+10FFFC>` for the byte FC.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The character for the byte 0.
#[cfg(unix)]
const BASE: u32 = 0x10_ff00;

/// The text of a path.
#[cfg(unix)]
pub fn of(path: impl AsRef<OsStr>) -> String {
    use std::os::unix::ffi::OsStrExt;
    let stand_in = |byte: &u8| char::from_u32(BASE + u32::from(*byte)).unwrap_or(char::REPLACEMENT_CHARACTER);
    let mut text = String::new();
    for chunk in path.as_ref().as_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            match byte_of(c) {
                Some(_) => text.extend(c.encode_utf8(&mut [0; 4]).as_bytes().iter().map(stand_in)),
                None => text.push(c),
            }
        }
        text.extend(chunk.invalid().iter().map(stand_in));
    }
    text
}

/// The path of a text.
#[cfg(unix)]
pub fn path(text: &str) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        match byte_of(c) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    std::ffi::OsString::from_vec(bytes).into()
}

/// The byte that a character encodes.
#[cfg(unix)]
fn byte_of(c: char) -> Option<u8> {
    u8::try_from(u32::from(c).checked_sub(BASE)?).ok().filter(|byte| *byte >= 0x80)
}

/// The text of a path; what is not Unicode is lost here.
#[cfg(not(unix))]
pub fn of(path: impl AsRef<OsStr>) -> String {
    path.as_ref().to_string_lossy().into_owned()
}

/// The path of a text.
#[cfg(not(unix))]
pub fn path(text: &str) -> PathBuf {
    text.into()
}

/// The text with a leading `~` or `~/` replaced by the home folder, if there is one.
pub fn at_home(text: &str, home: Option<&Path>) -> String {
    match (text.strip_prefix('~'), home) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with(std::path::is_separator) => {
            format!("{}{rest}", of(home).trim_end_matches(std::path::is_separator))
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_a_tilde_that_stands_for_the_home_folder_is_replaced() {
        let home = Some(Path::new("/h/u"));
        for (text, expected) in [
            ("~/a b.toml", "/h/u/a b.toml"),
            ("~", "/h/u"),
            ("~other/x", "~other/x"),
            ("a~/x", "a~/x"),
            ("./~/x", "./~/x"),
            ("", ""),
        ] {
            assert_eq!(at_home(text, home), expected);
            assert_eq!(at_home(text, None), text);
        }
    }

    #[cfg(unix)]
    proptest! {
        #[test]
        fn every_path_comes_back_and_utf8_stays_as_it_is(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            use std::os::unix::ffi::OsStrExt;
            let text = of(OsStr::from_bytes(&bytes));
            let again = path(&text);
            prop_assert_eq!(again.as_os_str().as_bytes(), bytes.as_slice());
            if let Ok(valid) = std::str::from_utf8(&bytes) {
                prop_assert!(text == valid || valid.chars().any(|c| byte_of(c).is_some()));
            }
        }

        #[test]
        fn every_text_of_a_path_stays_the_same(text in any::<String>()) {
            prop_assert_eq!(of(path(&of(&text))), of(&text));
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_path_that_holds_the_stand_ins_themselves_comes_back_too() {
        use std::os::unix::ffi::OsStrExt;
        let raw = "a\u{10fffc}b".as_bytes();
        assert_eq!(path(&of(OsStr::from_bytes(raw))).as_os_str().as_bytes(), raw);
        assert_eq!(of(OsStr::from_bytes(b"gr\xfcn")), "gr\u{10fffc}n");
    }
}
