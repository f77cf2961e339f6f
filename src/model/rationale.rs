//! The text of a rationale as it comes, token by token: whole characters only, and cut where the model begins to answer.
//!
//! Must never show a piece that is taken back later: what could still become the answer cue is held back.

use super::tokenizer::Utf8Stream;

/// Takes bytes, gives text.
#[derive(Debug)]
pub struct RationaleText {
    cue: String,
    stream: Utf8Stream,
    text: String,
    /// How many bytes of `text` were given out.
    shown: usize,
}

impl RationaleText {
    /// Text that ends where `cue` begins at the start of a line.
    pub fn new(cue: &str) -> Self {
        Self { cue: cue.trim().to_owned(), stream: Utf8Stream::new(), text: String::new(), shown: 0 }
    }

    /// Takes the bytes of one token. Gives the text that is certain by now, and whether the model wrote the cue.
    pub fn push(&mut self, bytes: &[u8]) -> (String, bool) {
        self.text.push_str(&self.stream.push(bytes));
        match self.cue_at() {
            Some(at) => {
                self.text.truncate(at);
                (self.take(self.text.len()), true)
            }
            None => (self.take(self.text.len() - self.held()), false),
        }
    }

    /// Ends the text: gives what was held back, and the whole.
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

    /// Bytes at the end that could become a cue.
    fn held(&self) -> usize {
        let cuts =
            self.text.char_indices().map(|(at, _)| at).rev().take_while(|at| self.text.len() - at < self.cue.len());
        let could = |at: &usize| {
            let (before, after) = (self.text.get(..*at), self.text.get(*at..));
            after.is_some_and(|a| self.cue.starts_with(a)) && before.is_some_and(begins_line)
        };
        cuts.filter(could).last().map_or(0, |at| self.text.len() - at)
    }
}

/// Whether what follows `before` stands at the beginning of a line, leading blanks aside.
fn begins_line(before: &str) -> bool {
    let before = before.trim_end_matches([' ', '\t', '*']);
    before.is_empty() || before.ends_with('\n')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(parts: &[&str]) -> (Vec<String>, String, bool) {
        let mut text = RationaleText::new("Answer:");
        let mut pieces = Vec::new();
        for part in parts {
            let (piece, cue) = text.push(part.as_bytes());
            pieces.push(piece);
            if cue {
                return (pieces, text.finish().1, true);
            }
        }
        let (rest, whole) = text.finish();
        pieces.push(rest);
        (pieces, whole, false)
    }

    #[test]
    fn a_cue_at_the_start_of_a_line_ends_the_text_and_is_never_shown() {
        let (pieces, whole, cue) = run(&["It asks", ".\n", "Ans", "wer", ": yes"]);
        assert!(cue);
        assert_eq!(whole, "It asks.\n");
        assert_eq!(pieces.concat(), whole);
        assert!(run(&["Answer", ":"]).2);
        assert!(run(&["no\n**", "Answer:"]).2);
    }

    #[test]
    fn the_cue_word_inside_a_sentence_and_an_unfinished_cue_are_text() {
        assert_eq!(run(&["The Answer: is", " clear"]).1, "The Answer: is clear");
        let (pieces, whole, cue) = run(&["x\nAns"]);
        assert_eq!((pieces.concat().as_str(), whole.as_str(), cue), ("x\nAns", "x\nAns", false));
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
                let (piece, cue) = stream.push(bytes);
                shown.push_str(&piece);
                if cue {
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
