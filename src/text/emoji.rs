//! Which grapheme clusters are well-formed emoji, so that their joiners, selectors and tags are not shown as hidden
//! characters.
//!
//! Must not keep a list of emoji: the grammar is that of UTS #51 (section 1.4.9), and pictographs are recognised by the
//! rules of grapheme segmentation.

use super::hidden::{ZWJ, is_hidden, is_zero_width};
use unicode_segmentation::UnicodeSegmentation;

/// VARIATION SELECTOR-15 and -16: text and emoji presentation.
const PRESENTATION: [char; 2] = ['\u{fe0e}', '\u{fe0f}'];

/// The tags of the three subdivision flags recommended for interchange: England, Scotland, Wales. For any other tag
/// sequence fonts draw a plain black flag, which would hide the text in the tags; such tags stay markers.
const SUBDIVISIONS: [&str; 3] = ["gbeng", "gbsct", "gbwls"];

/// Whether `cluster` is one well-formed emoji: a ZWJ sequence, a flag, a keycap, or a pictograph with its presentation
/// selector or skin tone.
pub(super) fn is_sequence(cluster: &str) -> bool {
    let chars: Vec<char> = cluster.chars().collect();
    is_keycap(&chars) || is_subdivision_flag(&chars) || chars.split(|c| *c == ZWJ).all(is_element)
}

/// Whether `c` is an extended pictograph: a ZWJ between two of them never breaks a cluster (rule GB11 of UAX #29).
fn is_pictograph(c: char) -> bool {
    if c.is_ascii() || is_hidden(c) || is_zero_width(c) || is_skin_tone(c) {
        return false;
    }
    // A consonant can follow a ZWJ too (GB9c), but never one that comes after a pictograph.
    let pair: String = ['\u{2764}', ZWJ, c].iter().collect();
    pair.graphemes(true).count() == 1 && !c.is_alphabetic()
}

fn is_skin_tone(c: char) -> bool {
    matches!(c, '\u{1f3fb}'..='\u{1f3ff}')
}

fn is_element(chars: &[char]) -> bool {
    let Some((base, rest)) = chars.split_first() else { return false };
    let rest = strip_presentation(rest);
    let rest = match rest.split_first() {
        Some((tone, rest)) if is_skin_tone(*tone) => strip_presentation(rest),
        _ => rest,
    };
    is_pictograph(*base) && rest.is_empty()
}

fn strip_presentation(chars: &[char]) -> &[char] {
    match chars.split_first() {
        Some((selector, rest)) if PRESENTATION.contains(selector) => rest,
        _ => chars,
    }
}

fn is_keycap(chars: &[char]) -> bool {
    matches!(chars, ['0'..='9' | '#' | '*', '\u{fe0f}', '\u{20e3}'])
}

fn is_subdivision_flag(chars: &[char]) -> bool {
    let ['\u{1f3f4}', tags @ .., '\u{e007f}'] = chars else { return false };
    let text: Option<String> = tags.iter().map(|c| char::from_u32((*c as u32).wrapping_sub(0xe0000))).collect();
    text.is_some_and(|t| SUBDIVISIONS.contains(&t.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_formed_sequences_are_told_from_smuggled_characters() {
        let cases = [
            ("👨‍👩‍👧‍👦", true, "family"),
            ("❤️‍🔥", true, "heart on fire"),
            ("🏳️‍🌈", true, "rainbow flag"),
            ("👍🏽", true, "skin tone"),
            ("🧑🏿‍🤝‍🧑🏻", true, "two skin tones"),
            ("☺️", true, "emoji presentation"),
            ("☺︎", true, "text presentation"),
            ("©️", true, "copyright sign as emoji"),
            ("1️⃣", true, "keycap"),
            ("🏴󠁧󠁢󠁳󠁣󠁴󠁿", true, "flag of Scotland"),
            ("🏴\u{e0068}\u{e0069}\u{e007f}", false, "tags that spell a text"),
            ("🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}", false, "no end tag"),
            ("😀\u{e0068}\u{e0069}\u{e007f}", false, "tags on another emoji"),
            ("😀\u{fe0f}\u{fe0f}", false, "two selectors"),
            ("😀\u{fe01}", false, "a selector that emoji do not have"),
            ("👩\u{200d}", false, "a joiner that joins nothing"),
            ("👩\u{200d}\u{200d}👧", false, "two joiners"),
            ("a\u{fe0f}", false, "a selector on a letter"),
            ("1\u{fe0f}", false, "a digit that is no keycap"),
            ("क\u{94d}\u{200d}ष", false, "a conjunct is no emoji"),
        ];
        for (text, expected, what) in cases {
            assert_eq!(is_sequence(text), expected, "{what}");
        }
    }
}
