//! Terminal cells: how wide a text is, where to cut and where to wrap it.
//!
//! Must only be given `Escaped` or our own text; must agree with ratatui, which places one grapheme cluster after
//! another.

use std::ops::Range;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// The width of `text` in cells: the sum over its grapheme clusters. `unicode-width` on the whole text would also join
/// letters of neighbouring clusters (Arabic lam and alef), which no grid of cells does.
pub fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.graphemes(true).map(UnicodeWidthStr::width).sum() }
}

/// The longest prefix of whole grapheme clusters and markers within `cells`, with `…` in the last cell if something was
/// cut.
pub fn truncate(text: &str, cells: usize) -> String {
    if width(text) <= cells {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for unit in units(text) {
        let w = width(unit);
        if used + w + 1 > cells {
            break;
        }
        used += w;
        out.push_str(unit);
    }
    if cells > 0 {
        out.push('…');
    }
    out
}

/// `text` cut to `cells` or filled up with spaces.
pub fn fit(text: &str, cells: usize) -> String {
    let mut out = truncate(text, cells);
    out.extend(std::iter::repeat_n(' ', cells.saturating_sub(width(&out))));
    out
}

/// Where to break `text` so that no line is wider than `cells`: byte ranges of the lines, in order. Breaks after
/// spaces, around wide (CJK) characters, and inside a word only if the word alone is wider than a line. Spaces at a
/// break belong to no line. A unit wider than `cells` gets a line of its own. An empty text is one empty line.
pub fn wrap(text: &str, cells: usize) -> Vec<Range<usize>> {
    let mut lines = Vec::new();
    // The line so far, where its last word begins, and the width of that word.
    let (mut start, mut end, mut used) = (0, 0, 0);
    let (mut word_start, mut word_used) = (0, 0);
    let mut at = 0;
    for unit in units(text) {
        let w = width(unit);
        let space = unit.chars().all(char::is_whitespace);
        if space {
            // Trailing spaces may extend past the edge; they are dropped at the line break.
            at += unit.len();
            used += w;
            (word_start, word_used) = (at, 0);
            continue;
        }
        if w > 1 && !unit.is_ascii() {
            (word_start, word_used) = (at, 0);
        }
        if used + w > cells && at > start {
            if word_start > start && word_start <= at && word_used + w <= cells {
                lines.push(trim_end(text, start..word_start));
                (start, used) = (word_start, word_used);
            } else {
                lines.push(trim_end(text, start..at));
                (start, used) = (at, 0);
                (word_start, word_used) = (at, 0);
            }
        }
        at += unit.len();
        used += w;
        word_used += w;
        end = at;
        if w > 1 && !unit.is_ascii() {
            (word_start, word_used) = (at, 0);
        }
    }
    lines.push(if end <= start { start..text.len() } else { start..end });
    if let Some(last) = lines.last_mut() {
        *last = trim_end(text, last.clone());
    }
    lines
}

fn trim_end(text: &str, range: Range<usize>) -> Range<usize> {
    let line = text.get(range.clone()).unwrap_or_default();
    range.start..range.start + line.trim_end().len()
}

/// Grapheme clusters, with a marker such as `<U+202E>` as one unit.
fn units(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let len = marker_len(rest).or_else(|| rest.graphemes(true).next().map(str::len))?;
        let (unit, tail) = rest.split_at_checked(len)?;
        rest = tail;
        Some(unit)
    })
}

/// The length of the marker at the beginning of `text`.
fn marker_len(text: &str) -> Option<usize> {
    let digits = text.strip_prefix("<U+")?;
    let count = digits.bytes().take_while(u8::is_ascii_hexdigit).count();
    ((4..=6).contains(&count) && digits.as_bytes().get(count) == Some(&b'>')).then_some(count + 4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Escaped;
    use proptest::prelude::*;

    fn lines(text: &str, cells: usize) -> Vec<&str> {
        wrap(text, cells).into_iter().map(|r| text.get(r).unwrap()).collect()
    }

    #[test]
    fn widths_are_those_of_cells() {
        for (text, cells) in [("abc", 3), ("日本", 4), ("👨‍👩‍👧", 2), ("e\u{301}", 1), ("❤️", 2), ("🇩🇪", 2), ("لا", 2)]
        {
            assert_eq!(width(text), cells, "{text}");
        }
    }

    #[test]
    fn a_cut_never_divides_a_cluster_or_a_marker() {
        assert_eq!(truncate("abcdef", 4), "abc…");
        assert_eq!(truncate("日本語", 4), "日…");
        assert_eq!(truncate("ab<U+202E>", 6), "ab…");
        assert_eq!(truncate("abc", 0), "");
        assert_eq!(fit("日", 4), "日  ");
    }

    #[test]
    fn lines_break_at_words() {
        assert_eq!(lines("the quick brown fox", 10), ["the quick", "brown fox"]);
        assert_eq!(lines("the quick", 9), ["the quick"]);
        assert_eq!(lines("a  b", 1), ["a", "b"]);
        assert_eq!(lines("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(lines("日本語テキスト", 5), ["日本", "語テ", "キス", "ト"]);
        assert_eq!(lines("see <U+202E><U+202E>", 12), ["see <U+202E>", "<U+202E>"]);
        assert_eq!(lines("", 5), [""]);
        assert_eq!(lines("   ", 5), [""]);
        assert_eq!(lines("  indented text", 10), ["  indented", "text"]);
        assert_eq!(lines("trailing   ", 8), ["trailing"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn wrapped_lines_fit_and_lose_nothing_but_spaces(raw in "[a-z 日\u{1b}é]{0,60}", cells in 2usize..20) {
            let escaped = Escaped::line(&raw);
            let text = escaped.as_str();
            let parts = lines(text, cells);
            let kept: String = parts.concat().split_whitespace().collect();
            prop_assert_eq!(kept, text.split_whitespace().collect::<String>());
            for part in parts {
                prop_assert!(width(part) <= cells || units(part).count() == 1, "{:?} in {}", part, cells);
            }
        }

        #[test]
        fn a_truncated_text_fits(raw in ".*", cells in 0usize..40) {
            prop_assert!(width(&truncate(Escaped::line(&raw).as_str(), cells)) <= cells);
        }

        #[test]
        fn the_width_is_what_a_terminal_advances_where_no_emoji_sequence_is_involved(raw in "[a-zé日\u{1b}\u{202e}\u{301}\u{200d}\u{e0061}ی‌خक्]{0,20}") {
            let escaped = Escaped::line(&raw);
            let mut terminal = vt100::Parser::new(2u16.try_into().unwrap(), 900u16.try_into().unwrap(), 0);
            terminal.process(escaped.as_str().as_bytes());
            prop_assert_eq!(usize::from(terminal.screen().cursor_position().1), width(escaped.as_str()));
        }
    }
}
