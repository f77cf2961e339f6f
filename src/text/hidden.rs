//! Which characters would not be visible to a reader as they are, and which of them are legitimate in some script.
//!
//! Must not keep Unicode tables by hand where std or a `unicode-*` crate has them; what is listed here is checked
//! against a scan of all characters.

use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};
use unicode_security::mixed_script::AugmentedScriptSet;
use unicode_width::UnicodeWidthChar;

/// ZERO WIDTH NON-JOINER.
pub(super) const ZWNJ: char = '\u{200c}';
/// ZERO WIDTH JOINER.
pub(super) const ZWJ: char = '\u{200d}';

/// One letter of every script whose spelling uses ZWJ and ZWNJ between letters (UAX #31, section 2.3): Arabic, Syriac,
/// Mongolian, the scripts of India, Sinhala, Khmer.
const JOINING_SCRIPTS: [char; 14] = ['ا', 'ܐ', 'ᠠ', 'क', 'ক', 'ਕ', 'ક', 'କ', 'க', 'క', 'ಕ', 'ക', 'ක', 'ក'];

/// Whether `c` affects its surroundings or is invisible to a reader: controls, format characters (bidi, zero-width,
/// tags), line and paragraph separators, variation selectors, fillers, private use, unassigned code points, U+FFFD
/// (something was lost here), and the two characters wider than two cells, on which no two terminals agree.
///
/// Spaces, combining marks and everything with a glyph are not hidden.
pub fn is_hidden(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    use GeneralCategory as G;
    c == char::REPLACEMENT_CHARACTER
        || c.general_category_group() == GeneralCategoryGroup::Other
        || matches!(c.general_category(), G::LineSeparator | G::ParagraphSeparator)
        || is_ignorable_mark_or_letter(c)
        || c.width().is_some_and(|w| w > 2)
}

/// The default-ignorable code points that are marks or letters.
fn is_ignorable_mark_or_letter(c: char) -> bool {
    matches!(c,
        '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180d}' | '\u{180f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{e0100}'..='\u{e01ef}')
}

/// Whether `c` takes no cell of its own: a combining mark, or a vowel or final consonant of a Hangul syllable.
pub(super) fn is_zero_width(c: char) -> bool {
    c.width() == Some(0)
}

/// Whether a joiner between `before` and `after` is part of the spelling: both are letters or marks of the same script,
/// one that uses joiners. A ZWJ may also end a word after a virama (older Malayalam and Sinhala).
pub(super) fn joins_letters(before: char, joiner: char, after: Option<char>) -> bool {
    let Some(script) = JOINING_SCRIPTS.into_iter().find(|s| same_script(*s, before)) else { return false };
    match after {
        Some(next) if same_script(script, next) => is_letter_or_mark(before) && is_letter_or_mark(next),
        // Vowel signs are alphabetic to std, a virama is not; a nukta is neither, and harmless.
        _ => joiner == ZWJ && is_zero_width(before) && !before.is_alphabetic(),
    }
}

/// Whether `c` is a Han ideograph, the base of ideographic variation sequences.
pub(super) fn is_han(c: char) -> bool {
    c.is_alphabetic() && same_script('一', c)
}

fn is_letter_or_mark(c: char) -> bool {
    matches!(c.general_category_group(), GeneralCategoryGroup::Letter | GeneralCategoryGroup::Mark)
}

fn same_script(a: char, b: char) -> bool {
    let script = AugmentedScriptSet::for_char(b).base;
    !is_hidden(b)
        && !script.is_common()
        && !script.is_inherited()
        && !script.intersection(AugmentedScriptSet::for_char(a).base).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition in terms of Unicode properties, from another implementation (the `regex` crates' tables).
    #[test]
    fn a_scan_of_all_characters_agrees_with_the_unicode_properties() {
        let wanted = fancy_regex::Regex::new(
            r"[\p{Cc}\p{Cf}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}\x{fffd}]",
        )
        .expect("a valid pattern");
        let unassigned = fancy_regex::Regex::new(r"\p{Cn}").expect("a valid pattern");
        let mut buffer = [0; 4];
        for c in '\0'..=char::MAX {
            let text = &*c.encode_utf8(&mut buffer);
            let hidden = wanted.is_match(text).expect("a match");
            if hidden {
                assert!(is_hidden(c), "U+{:04X} must be hidden", c as u32);
            } else if is_hidden(c) {
                // Unassigned here or in the other table (they may be of different Unicode versions), or too wide.
                let wide = c.width().is_some_and(|w| w > 2);
                assert!(wide || unassigned.is_match(text).expect("a match"), "U+{:04X} is visible", c as u32);
            }
        }
    }

    #[test]
    fn spaces_that_take_a_cell_are_left_alone() {
        for c in ['\u{20}', '\u{a0}', '\u{1680}', '\u{2000}', '\u{2009}', '\u{202f}', '\u{205f}', '\u{3000}'] {
            assert!(!is_hidden(c), "U+{:04X}", c as u32);
        }
    }

    #[test]
    fn joiners_belong_between_letters_of_scripts_that_use_them() {
        let cases = [
            ('ی', ZWNJ, Some('خ'), true, "Persian"),
            ('्', ZWJ, Some('ष'), true, "Devanagari half form"),
            ('র', ZWJ, Some('্'), true, "Bengali ya-phalaa"),
            ('്', ZWJ, None, true, "old Malayalam chillu at the end of a word"),
            ('്', ZWNJ, None, false, "ZWNJ at the end of a word does nothing"),
            ('ی', ZWNJ, None, false, "end of text"),
            ('ی', ZWNJ, Some('x'), false, "two scripts"),
            ('a', ZWJ, Some('b'), false, "Latin"),
            ('ی', ZWNJ, Some('1'), false, "a digit"),
            ('ا', ZWJ, Some('\u{202e}'), false, "a hidden character"),
        ];
        for (before, joiner, after, expected, what) in cases {
            assert_eq!(joins_letters(before, joiner, after), expected, "{what}");
        }
    }
}
