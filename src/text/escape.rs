//! `Escaped`: text that is safe to write to a terminal, and the only function that makes it.
//!
//! Must not drop anything: a moderator has to see what was hidden.
//!
//! There is one notation: a hidden character becomes `<U+XXXX>`, with four to six hexadecimal digits. Text that already
//! spells such a marker is left as it is, because escaping must be idempotent (error texts quote escaped texts) and the
//! letters are harmless. [`Escaped::segments`], which views use for highlighting, and [`Escaped::hidden`] tell the two
//! apart.

use super::emoji;
use super::hidden::{ZWJ, ZWNJ, is_han, is_hidden, is_zero_width, joins_letters};
use std::fmt;
use std::fmt::Write as _;
use std::ops::Range;
use unicode_segmentation::UnicodeSegmentation;

/// More combining marks than this on one base become markers (UTS #39, section 5.4, forbids more than four).
const MAX_MARKS: usize = 4;

/// Text in which no character can act on a terminal: controls, bidi, zero-width, tag and other format characters, stray
/// variation selectors and stacked combining marks become visible markers such as `<U+202E>`. Always one line.
///
/// Kept intact: emoji sequences, joiners between letters of scripts that need them, ideographic variation sequences.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Escaped {
    text: String,
    /// Byte ranges of the markers, in order, none empty, none overlapping.
    markers: Vec<(usize, usize)>,
}

/// A part of an [`Escaped`] text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Its text.
    pub text: &'a str,
    /// Whether it is the marker of one hidden character.
    pub hidden: bool,
}

impl Escaped {
    /// Escapes `raw` for one line: line breaks and tabs become markers too.
    pub fn line(raw: &str) -> Self {
        let mut out = Self::default();
        if raw.bytes().all(|b| matches!(b, b' '..=b'~')) {
            out.text.push_str(raw);
            return out;
        }
        let mut clusters = raw.graphemes(true).peekable();
        while let Some(cluster) = clusters.next() {
            out.push_cluster(cluster, clusters.peek().and_then(|next| next.chars().next()));
        }
        out
    }

    /// Escapes `raw` line by line, splitting at `\n` (a `\r` before it stays visible as a marker).
    pub fn lines(raw: &str) -> Vec<Self> {
        raw.split('\n').map(Self::line).collect()
    }

    /// The safe text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The safe text by value.
    pub fn into_string(self) -> String {
        self.text
    }

    /// How many characters were hidden, which is how many markers there are.
    pub fn hidden(&self) -> usize {
        self.markers.len()
    }

    /// Whether there is no text at all.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The text in parts, markers apart, in order; together they are [`Self::as_str`].
    pub fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        let ends = self.markers.iter().flat_map(|&(start, end)| [(start, false), (end, true)]);
        let mut from = 0;
        ends.chain([(self.text.len(), false)]).filter_map(move |(to, hidden)| {
            let text = self.text.get(from..to)?;
            from = to;
            (!text.is_empty()).then_some(Segment { text, hidden })
        })
    }

    /// The part at `range` (bytes of [`Self::as_str`]), cut outwards at character boundaries. A marker that is cut in
    /// two is no marker in the part.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Self {
        let floor = |mut at: usize| {
            at = at.min(self.text.len());
            while !self.text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let (from, to) = (floor(range.start), floor(range.end));
        let inside = self.markers.iter().filter(|(start, end)| *start >= from && *end <= to);
        Self {
            text: self.text.get(from..to).unwrap_or_default().to_owned(),
            markers: inside.map(|(start, end)| (start - from, end - from)).collect(),
        }
    }

    /// Appends `other`, markers and all.
    pub fn append(&mut self, other: &Self) {
        let base = self.text.len();
        self.text.push_str(&other.text);
        self.markers.extend(other.markers.iter().map(|(start, end)| (base + start, base + end)));
    }

    /// Adds one grapheme cluster of the raw text; `next` is the character after it.
    pub(super) fn push_cluster(&mut self, cluster: &str, next: Option<char>) {
        if emoji::is_sequence(cluster) {
            self.text.push_str(cluster);
            return;
        }
        // The last character that was kept as it is: what a mark or a joiner would act on. `None` after a marker.
        let mut base: Option<char> = None;
        let mut marks = 0;
        let mut chars = cluster.chars().peekable();
        while let Some(c) = chars.next() {
            // A zero-width character that begins the next cluster becomes a marker itself.
            let after = chars.peek().copied().or(next.filter(|n| !is_zero_width(*n)));
            if is_hidden(c) {
                let kept = base.is_some_and(|b| match c {
                    // At the cap a following mark becomes a marker, and then there is nothing to join to.
                    ZWJ | ZWNJ => marks < MAX_MARKS && joins_letters(b, c, after),
                    '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' => is_han(b),
                    _ => false,
                });
                if kept {
                    self.text.push(c);
                    base = Some(c);
                } else {
                    self.push_marker(c);
                    base = None;
                }
            } else if is_zero_width(c) {
                if base.is_none() || marks == MAX_MARKS {
                    self.push_marker(c);
                    base = None;
                } else {
                    self.text.push(c);
                    marks += 1;
                    base = Some(c);
                }
            } else {
                self.text.push(c);
                marks = 0;
                base = Some(c);
            }
        }
    }

    fn push_marker(&mut self, c: char) {
        let start = self.text.len();
        write!(self.text, "<U+{:04X}>", c as u32).expect("writing to a String cannot fail");
        self.markers.push((start, self.text.len()));
    }
}

impl fmt::Display for Escaped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{Stream, width};
    use proptest::prelude::*;

    fn text(raw: &str) -> String {
        Escaped::line(raw).into_string()
    }

    #[test]
    fn attacks_on_a_terminal_become_text() {
        let cases = [
            ("OSC 52 clipboard write", "\u{1b}]52;c;cHduZWQ=\u{7}", "<U+001B>]52;c;cHduZWQ=<U+0007>"),
            ("OSC 8 link", "\u{1b}]8;;http://x\u{1b}\\y", "<U+001B>]8;;http://x<U+001B>\\y"),
            ("unterminated DCS", "\u{1b}Pq", "<U+001B>Pq"),
            ("C1 CSI", "\u{9b}2J", "<U+009B>2J"),
            ("C1 OSC and ST", "\u{9d}0;x\u{9c}", "<U+009D>0;x<U+009C>"),
            (
                "carriage return forgery",
                "verdict: violating\rverdict: clean    ",
                "verdict: violating<U+000D>verdict: clean    ",
            ),
            ("line forgery", "a\nleaf clean", "a<U+000A>leaf clean"),
            ("line separator forgery", "a\u{2028}b\u{2029}c\u{85}d", "a<U+2028>b<U+2029>c<U+0085>d"),
            ("backspace forgery", "no\u{8}\u{8}yes", "no<U+0008><U+0008>yes"),
            ("delete", "a\u{7f}", "a<U+007F>"),
            ("Trojan Source", "\u{202e}txt\u{2066}x\u{2069}", "<U+202E>txt<U+2066>x<U+2069>"),
            ("marks of direction", "a\u{200e}b\u{200f}c\u{61c}", "a<U+200E>b<U+200F>c<U+061C>"),
            ("tag smuggling", "hi\u{e0061}\u{e007f}", "hi<U+E0061><U+E007F>"),
            ("tags after an emoji", "😀\u{e0061}", "😀<U+E0061>"),
            ("zero-width word splitting", "ki\u{200b}ll \u{2060}\u{feff}", "ki<U+200B>ll <U+2060><U+FEFF>"),
            ("joiners between Latin letters", "k\u{200d}i\u{200c}ll", "k<U+200D>i<U+200C>ll"),
            ("selector smuggling", "a\u{fe01}\u{e0101}", "a<U+FE01><U+E0101>"),
            ("selectors after an emoji", "😀\u{e0101}\u{e0102}", "😀<U+E0101><U+E0102>"),
            ("soft hyphen", "kill\u{ad}er", "kill<U+00AD>er"),
            ("Hangul filler as a blank name", "\u{3164}\u{115f}\u{1160}\u{ffa0}", "<U+3164><U+115F><U+1160><U+FFA0>"),
            ("grapheme joiner", "a\u{34f}b", "a<U+034F>b"),
            ("private use", "\u{e000}\u{f8ff}", "<U+E000><U+F8FF>"),
            ("noncharacter", "\u{fdd0}\u{10ffff}", "<U+FDD0><U+10FFFF>"),
            ("what is left of a lone surrogate", "\u{fffd}", "<U+FFFD>"),
            ("a mark that would land on our own text", "\u{301}a", "<U+0301>a"),
            ("a mark after a marker", "\u{1b}\u{301}", "<U+001B><U+0301>"),
            ("zalgo", "a\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}b", "a\u{301}\u{302}\u{303}\u{304}<U+0305><U+0306>b"),
        ];
        for (attack, raw, expected) in cases {
            assert_eq!(text(raw), expected, "{attack}");
        }
    }

    #[test]
    fn what_people_write_stays_whole() {
        for raw in [
            "plain ASCII, with <angle> & quotes",
            "naïve café \u{a0} — “quotes”",
            "e\u{301} combining",
            "👨‍👩‍👧‍👦 ❤️‍🔥 🏳️‍🌈 👍🏽 🇩🇪🇫🇷 1️⃣ 🏴󠁧󠁢󠁥󠁮󠁧󠁿 ☺️ ☺︎",
            "می‌خواهم",
            "क्‍ष র‍্যা ന്‍",
            "葛󠄀城市",
            "ภาษาไทย ที่นี่",
            "שָׁלוֹם عَرَبِيٌّ",
            "한국어 한글",
            "ｶﾞﾊﾟ",
            "日本語\u{3000}テキスト",
        ] {
            assert_eq!(text(raw), raw);
            assert_eq!(Escaped::line(raw).hidden(), 0);
        }
    }

    #[test]
    fn a_spelled_marker_is_left_alone_and_not_counted() {
        let escaped = Escaped::line("<U+202E> and \u{202e}");
        assert_eq!(escaped.as_str(), "<U+202E> and <U+202E>");
        assert_eq!(escaped.hidden(), 1);
        let segments: Vec<_> = escaped.segments().map(|s| (s.text, s.hidden)).collect();
        assert_eq!(segments, [("<U+202E> and ", false), ("<U+202E>", true)]);
    }

    #[test]
    fn a_slice_keeps_the_markers_that_lie_in_it_whole() {
        let escaped = Escaped::line("ab\u{1b}cd\u{7}");
        assert_eq!(escaped.slice(1..11).segments().map(|s| s.hidden).collect::<Vec<_>>(), [false, true, false]);
        assert_eq!(escaped.slice(0..5).hidden(), 0);
        assert_eq!(escaped.slice(Range { start: 40, end: 2 }).as_str(), "");
        let mut joined = escaped.slice(0..10);
        joined.append(&escaped.slice(10..99));
        assert_eq!(joined, escaped);
    }

    #[test]
    fn characters_alone_and_after_a_letter_are_inert_afterwards() {
        for c in '\0'..=char::MAX {
            // Most of the code space is private or unassigned; the scan of `is_hidden` covers all of it, this one
            // samples.
            if !matches!(c, '\0'..='\u{1ffff}' | '\u{e0000}'..='\u{e0fff}') && !(c as u32).is_multiple_of(257) {
                continue;
            }
            for raw in [String::from(c), format!("a{c}b")] {
                let escaped = Escaped::line(&raw);
                assert!(!escaped.as_str().chars().any(is_hidden), "U+{:04X}", c as u32);
                assert_eq!(escaped.hidden() > 0, escaped.as_str() != raw, "U+{:04X}", c as u32);
            }
        }
    }

    /// Characters that interact: joiners, marks, selectors, tags, jamo, flags, prepended letters, markers spelled out.
    fn nasty() -> impl Strategy<Value = String> {
        let alphabet: Vec<char> = "a<U+1B>1# \n\r\u{1b}\u{9b}\u{200c}\u{200d}\u{200b}\u{202e}\u{301}\u{302}\u{fe0e}\u{fe0f}\u{e0101}\
            \u{20e3}👩👧❤😀🏽🏴🇩🇪\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e007f}یخلاक्षा্রയ്ന\u{d4e}葛가\u{1100}\u{1161}\u{11a8}\u{ff9e}\u{3164}\u{fffd}\u{600}"
            .chars()
            .collect();
        prop_oneof![
            prop::collection::vec(prop::sample::select(alphabet), 0..24).prop_map(|chars| chars.into_iter().collect()),
            ".*",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn escaping_twice_is_escaping_once(raw in nasty()) {
            let once = text(&raw);
            prop_assert_eq!(text(&once), once);
        }

        #[test]
        fn only_joiners_selectors_and_flag_tags_are_left(raw in nasty()) {
            let allowed = |c| matches!(c, ZWJ | ZWNJ | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' | '\u{e0061}'..='\u{e007f}');
            prop_assert!(text(&raw).chars().all(|c| !is_hidden(c) || allowed(c)));
        }

        #[test]
        fn nothing_is_lost(raw in nasty()) {
            let escaped = Escaped::line(&raw);
            let restored: String = escaped.segments().map(|s| if s.hidden {
                let digits = s.text.trim_start_matches("<U+").trim_end_matches('>');
                char::from_u32(u32::from_str_radix(digits, 16).unwrap()).unwrap().to_string()
            } else {
                s.text.to_owned()
            }).collect();
            prop_assert_eq!(restored, raw);
        }

        #[test]
        fn no_cluster_is_without_a_cell(raw in nasty()) {
            let out = text(&raw);
            prop_assert!(out.graphemes(true).all(|g| width::width(g) > 0), "{}", out);
        }

        #[test]
        fn a_stream_gives_the_same_however_it_is_cut(raw in nasty(), cuts in prop::collection::vec(1usize..5, 1..30)) {
            let chars: Vec<char> = raw.chars().collect();
            let (mut stream, mut lines, mut at) = (Stream::default(), vec![Escaped::default()], 0);
            for cut in cuts.iter().cycle() {
                if at >= chars.len() { break }
                let end = (at + cut).min(chars.len());
                let mut parts = stream.push(&chars[at..end].iter().collect::<String>()).into_iter();
                lines.last_mut().unwrap().append(&parts.next().unwrap());
                lines.extend(parts);
                at = end;
            }
            lines.last_mut().unwrap().append(&stream.finish());
            prop_assert_eq!(lines, Escaped::lines(&raw));
        }
    }
}
