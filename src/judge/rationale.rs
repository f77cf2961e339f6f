//! The text of a rationale as it streams in, token by token: whole characters only. It ends where the model begins to
//! answer, leaves a blank line after some text, or repeats an earlier line. Small models do the latter two instead of
//! ending their turn, and would then go on until the token limit.
//!
//! Must never show a piece that is taken back later: text that may still turn out to be the answer cue or a blank line
//! is held back.

use crate::domain::StopReason;
use crate::llm::tokenizer::Utf8Stream;

/// Turns bytes into text.
#[derive(Debug)]
pub struct RationaleText {
    cue: String,
    stream: Utf8Stream,
    text: String,
    /// Whether what is in the text can end it.
    ends: bool,
    /// How many bytes of `text` were given out.
    shown: usize,
    stop: Option<StopReason>,
}

impl RationaleText {
    /// Text that ends where `cue` appears at the start of a line.
    pub fn new(cue: &str) -> Self {
        let (stream, text) = (Utf8Stream::new(), String::new());
        Self { cue: cue.trim().to_owned(), stream, text, ends: true, shown: 0, stop: None }
    }

    /// Text that never ends by itself.
    pub fn endless() -> Self {
        Self { ends: false, ..Self::new("") }
    }

    /// Takes the bytes of one token and returns the text that is final by now; [`Self::stop`] says whether it ends
    /// here.
    pub fn push(&mut self, bytes: &[u8]) -> String {
        self.text.push_str(&self.stream.push(bytes));
        if !self.ends {
            return self.take(self.text.len());
        }
        let cue = self.cue_at().map(|at| (at, StopReason::Cue));
        match cue.into_iter().chain(self.over_at()).min_by_key(|(at, _)| *at) {
            Some((at, stop)) => {
                self.text.truncate(at);
                // The token that ended the text may end within a character.
                self.stream = Utf8Stream::new();
                self.stop = Some(stop);
                self.take(self.text.len())
            }
            None => self.take(self.text.len() - self.held()),
        }
    }

    /// Why the text ended, if it did so by itself.
    pub fn stop(&self) -> Option<StopReason> {
        self.stop
    }

    /// Ends the text; returns what was held back, and the whole.
    pub fn finish(mut self) -> (String, String) {
        let rest = self.stream.finish();
        self.text.push_str(&rest);
        let rest = self.take(self.text.len());
        (rest, self.text)
    }

    fn take(&mut self, to: usize) -> String {
        let piece = self.text.get(self.shown..to).unwrap_or_default().to_owned();
        self.shown = self.shown.max(to);
        piece
    }

    /// Where a line begins with the cue.
    fn cue_at(&self) -> Option<usize> {
        if self.cue.is_empty() {
            return None;
        }
        let mut starts = self.text.match_indices(&self.cue).map(|(at, _)| at);
        starts.find(|at| self.text.get(..*at).is_some_and(begins_line))
    }

    /// Where the lines end the text: at the first blank one after one that is not, or after the first repeated one.
    fn over_at(&self) -> Option<(usize, StopReason)> {
        let mut said: Vec<&str> = Vec::new();
        let mut at = 0;
        for line in self.text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            let end = at + line.len();
            match line.trim() {
                "" if said.is_empty() => {}
                "" => return Some((at, StopReason::BlankLine)),
                line if said.contains(&line) => return Some((end, StopReason::Repetition)),
                line => said.push(line),
            }
            at = end;
        }
        None
    }

    /// Bytes at the end that could become a cue or a blank line.
    fn held(&self) -> usize {
        self.held_as_blank().max(self.held_as_cue())
    }

    /// How many blanks the last line begins with, if it consists of nothing else.
    fn held_as_blank(&self) -> usize {
        let last = self.text.rsplit('\n').next().unwrap_or_default();
        let begun = !self.text.trim().is_empty() && last.trim().is_empty();
        if begun { last.len() } else { 0 }
    }

    fn held_as_cue(&self) -> usize {
        let cuts =
            self.text.char_indices().map(|(at, _)| at).rev().take_while(|at| self.text.len() - at < self.cue.len());
        let could = |at: &usize| {
            let (before, after) = (self.text.get(..*at), self.text.get(*at..));
            after.is_some_and(|a| self.cue.starts_with(a)) && before.is_some_and(begins_line)
        };
        cuts.filter(could).last().map_or(0, |at| self.text.len() - at)
    }
}

/// Whether text after `before` is at the beginning of a line, apart from blanks.
fn begins_line(before: &str) -> bool {
    let before = before.trim_end_matches([' ', '\t', '*']);
    before.is_empty() || before.ends_with('\n')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(parts: &[&str]) -> (Vec<String>, String, Option<StopReason>) {
        let mut text = RationaleText::new("Answer:");
        let mut pieces = Vec::new();
        for part in parts {
            pieces.push(text.push(part.as_bytes()));
            if let Some(stop) = text.stop() {
                return (pieces, text.finish().1, Some(stop));
            }
        }
        let (rest, whole) = text.finish();
        pieces.push(rest);
        (pieces, whole, None)
    }

    #[test]
    fn a_cue_at_the_start_of_a_line_ends_the_text_and_is_never_shown() {
        let (pieces, whole, cue) = run(&["It asks", ".\n", "Ans", "wer", ": yes"]);
        assert_eq!(cue, Some(StopReason::Cue));
        assert_eq!(whole, "It asks.\n");
        assert_eq!(pieces.concat(), whole);
        assert_eq!(run(&["Answer", ":"]).2, Some(StopReason::Cue));
        assert_eq!(run(&["no\n**", "Answer:"]).2, Some(StopReason::Cue));
    }

    #[test]
    fn the_cue_word_inside_a_sentence_and_an_unfinished_cue_are_text() {
        assert_eq!(run(&["The Answer: is", " clear"]).1, "The Answer: is clear");
        let (pieces, whole, cue) = run(&["x\nAns"]);
        assert_eq!((pieces.concat().as_str(), whole.as_str(), cue), ("x\nAns", "x\nAns", None));
    }

    #[test]
    fn a_blank_line_after_text_ends_it_and_is_never_shown() {
        for (parts, whole) in [
            (&["It asks.", "\n\n", "It"] as &[&str], "It asks.\n"),
            (&["It asks.\n", " ", "\t", "\nIt"], "It asks.\n"),
            (&["\n\n It asks.\r\n\r\n"], "\n\n It asks.\r\n"),
            (&["a\nb\n\nAnswer:"], "a\nb\n"),
        ] {
            let (pieces, text, stop) = run(parts);
            assert_eq!((pieces.concat().as_str(), text.as_str(), stop), (whole, whole, Some(StopReason::BlankLine)));
        }
        for whole in ["\n\n", " \n\n a", "a\n b", "a\n  "] {
            let (pieces, text, stop) = run(&[whole]);
            assert_eq!((pieces.concat().as_str(), text.as_str(), stop), (whole, whole, None));
        }
    }

    #[test]
    fn a_character_that_begins_behind_the_end_is_no_part_of_it() {
        for end in ["a\n\n", "a\nAnswer:"] {
            let mut text = RationaleText::new("Answer:");
            text.push(&[end.as_bytes(), b"\xf0\x9f"].concat());
            assert!(text.stop().is_some());
            assert_eq!(text.finish(), (String::new(), "a\n".to_owned()));
        }
    }

    #[test]
    fn an_endless_text_is_never_cut() {
        let mut text = RationaleText::endless();
        let pieces = ["a\n", "\n", "a\n", "Answer:"].map(|part| text.push(part.as_bytes()));
        assert_eq!((pieces.concat().as_str(), text.stop()), ("a\n\na\nAnswer:", None));
        assert_eq!(text.finish(), (String::new(), "a\n\na\nAnswer:".to_owned()));
    }

    #[test]
    fn a_line_that_was_there_before_ends_it() {
        let (pieces, whole, stop) = run(&["It asks.\nNo.\n", " It", " asks. ", "\nNo."]);
        assert_eq!((pieces.concat(), stop), (whole.clone(), Some(StopReason::Repetition)));
        assert_eq!(whole, "It asks.\nNo.\n It asks. \n");
        assert_eq!(run(&["It asks.\nIt asks. Or not.\nIt"]).2, None);
    }

    proptest! {
        #[test]
        fn the_pieces_make_the_whole_text_however_the_bytes_are_cut(
            text in "[Answer: \n*é👩]{0,30}",
            cut in 1usize..5,
        ) {
            let mut stream = RationaleText::new("Answer:");
            let mut shown = String::new();
            let mut ended = false;
            for bytes in text.as_bytes().chunks(cut) {
                shown.push_str(&stream.push(bytes));
                if stream.stop().is_some() {
                    ended = true;
                    break;
                }
            }
            let (rest, whole) = stream.finish();
            shown.push_str(&rest);
            prop_assert_eq!(&shown, &whole);
            prop_assert!(text.starts_with(&whole));
            prop_assert!(ended || whole == text);
        }
    }
}
