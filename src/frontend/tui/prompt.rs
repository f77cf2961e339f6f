//! The `:` prompt: the line being typed, its completions, its meaning so far, and the history.
//!
//! Must not know any command: whatever completes or explains a line is passed in as [`Advice`].

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::ops::Range;
use tui_input::{Input, InputRequest};

/// Longest line that can be typed or pasted, in characters.
const MOST_CHARS: usize = 4000;

/// One completion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The bytes of the line that it replaces.
    pub span: Range<usize>,
    /// What it puts there.
    pub insert: String,
    /// What the popup shows; safe to print.
    pub label: String,
    /// What it means; safe to print.
    pub doc: String,
}

/// What the command language says of a line that is still being typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advice {
    /// Completions.
    pub candidates: Vec<Candidate>,
    /// What would come next, shown behind the cursor.
    pub hint: String,
    /// What the command does.
    pub help: String,
}

/// Gives advice on a line with the cursor at a byte.
pub type Adviser<'a> = &'a dyn Fn(&str, usize) -> Advice;

/// What a key did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// The prompt stays open.
    Open,
    /// The line was submitted.
    Submit(String),
    /// The prompt is closed and the line forgotten.
    Close,
}

/// A line being typed.
#[derive(Clone, Debug, Default)]
pub struct Prompt {
    input: Input,
    advice: Advice,
    /// The chosen candidate, and the line and cursor it was chosen for.
    choice: Option<(usize, String)>,
    /// Place in the history, and the line that was being typed.
    recall: Option<(usize, String)>,
    /// Why the line was refused.
    error: Option<String>,
    /// Whether a text to search for is typed, and no command.
    search: bool,
}

impl Prompt {
    /// Opens the prompt with `text` and the cursor at its end.
    pub fn new(text: &str, adviser: Adviser<'_>) -> Self {
        let mut prompt = Self { input: Input::new(text.to_owned()), ..Self::default() };
        prompt.advise(adviser);
        prompt
    }

    /// Opens the prompt for a text to search for.
    pub fn search() -> Self {
        Self { search: true, ..Self::default() }
    }

    /// Whether a text to search for is typed, and no command.
    pub const fn is_search(&self) -> bool {
        self.search
    }

    /// The prefix of the line.
    pub const fn sigil(&self) -> &'static str {
        if self.search { "/" } else { ":" }
    }

    /// The line.
    pub fn text(&self) -> &str {
        self.input.value()
    }

    /// The line up to the cursor.
    pub fn before_cursor(&self) -> String {
        self.text().chars().take(self.input.cursor()).collect()
    }

    /// The line from the cursor on.
    pub fn after_cursor(&self) -> String {
        self.text().chars().skip(self.input.cursor()).collect()
    }

    /// What the language says of the line.
    pub const fn advice(&self) -> &Advice {
        &self.advice
    }

    /// The candidate that Tab has chosen.
    pub fn chosen(&self) -> Option<usize> {
        self.choice.as_ref().map(|(i, _)| *i)
    }

    /// Why the last submitted line was refused.
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// Refuses the line: it stays, with the reason beside it.
    pub fn refuse(&mut self, reason: String, at: usize) {
        self.error = Some(reason);
        let chars = self.text().char_indices().take_while(|(i, _)| *i < at).count();
        self.input.handle(InputRequest::SetCursor(chars));
    }

    /// Takes a key.
    pub fn key(&mut self, key: KeyEvent, history: &[String], adviser: Adviser<'_>) -> Typed {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let word = control || key.modifiers.contains(KeyModifiers::ALT);
        let request = match key.code {
            KeyCode::Enter => return Typed::Submit(self.text().to_owned()),
            KeyCode::Esc => return Typed::Close,
            KeyCode::Char('c') if control => return Typed::Close,
            KeyCode::Backspace if self.text().is_empty() => return Typed::Close,
            KeyCode::Tab | KeyCode::BackTab => {
                self.complete(key.code == KeyCode::Tab, adviser);
                return Typed::Open;
            }
            KeyCode::Up => return self.recall(true, history, adviser),
            KeyCode::Down => return self.recall(false, history, adviser),
            KeyCode::Char('p') if control => return self.recall(true, history, adviser),
            KeyCode::Char('n') if control => return self.recall(false, history, adviser),
            KeyCode::Char('a') if control => InputRequest::GoToStart,
            KeyCode::Char('e') if control => InputRequest::GoToEnd,
            KeyCode::Char('u') if control => InputRequest::DeleteFromStart,
            KeyCode::Char('k') if control => InputRequest::DeleteTillEnd,
            KeyCode::Char('w') if control => InputRequest::DeletePrevWord,
            KeyCode::Char('y') if control => InputRequest::Yank,
            KeyCode::Char('b') if control => InputRequest::GoToPrevChar,
            KeyCode::Char('f') if control => InputRequest::GoToNextChar,
            KeyCode::Char('b') if word => InputRequest::GoToPrevWord,
            KeyCode::Char('f') if word => InputRequest::GoToNextWord,
            KeyCode::Home => InputRequest::GoToStart,
            KeyCode::End => InputRequest::GoToEnd,
            KeyCode::Left if word => InputRequest::GoToPrevWord,
            KeyCode::Right if word => InputRequest::GoToNextWord,
            KeyCode::Left => InputRequest::GoToPrevChar,
            KeyCode::Right => InputRequest::GoToNextChar,
            KeyCode::Backspace if word => InputRequest::DeletePrevWord,
            KeyCode::Backspace => InputRequest::DeletePrevChar,
            KeyCode::Delete => InputRequest::DeleteNextChar,
            KeyCode::Char(c) if !control => {
                self.insert(c);
                self.edited(adviser);
                return Typed::Open;
            }
            _ => return Typed::Open,
        };
        self.input.handle(request);
        self.edited(adviser);
        Typed::Open
    }

    /// Inserts pasted text into the line; text with line breaks is not handled here.
    pub fn paste(&mut self, text: &str, adviser: Adviser<'_>) {
        for c in text.trim_end_matches(['\r', '\n']).chars().take(MOST_CHARS) {
            self.insert(if matches!(c, '\r' | '\n') { ' ' } else { c });
        }
        self.edited(adviser);
    }

    fn insert(&mut self, c: char) {
        if self.text().chars().count() < MOST_CHARS {
            self.input.handle(InputRequest::InsertChar(c));
        }
    }

    fn edited(&mut self, adviser: Adviser<'_>) {
        self.choice = None;
        self.recall = None;
        self.error = None;
        self.advise(adviser);
    }

    fn advise(&mut self, adviser: Adviser<'_>) {
        if self.search {
            return;
        }
        self.advice = adviser(self.text(), self.before_cursor().len());
    }

    /// Puts the next (or the previous) candidate into the line; the list stays as it was for the line as typed.
    fn complete(&mut self, forward: bool, adviser: Adviser<'_>) {
        let count = self.advice.candidates.len();
        if count == 0 {
            return;
        }
        let base = self.choice.as_ref().map_or_else(|| self.text().to_owned(), |(_, base)| base.clone());
        let index = match (self.chosen(), forward) {
            (Some(i), true) => (i + 1) % count,
            (Some(i), false) => (i + count - 1) % count,
            (None, true) => 0,
            (None, false) => count - 1,
        };
        let Some(candidate) = self.advice.candidates.get(index) else { return };
        let head = base.get(..candidate.span.start).unwrap_or(&base);
        let tail = base.get(candidate.span.end..).unwrap_or("");
        let cursor = head.chars().count() + candidate.insert.chars().count();
        let line = format!("{head}{}{tail}", candidate.insert);
        self.input = Input::new(line).with_cursor(cursor);
        self.choice = Some((index, base));
        self.error = None;
        // The candidates are still those of the line as typed; what comes next is not.
        self.advice.hint = adviser(self.text(), self.before_cursor().len()).hint;
    }

    fn recall(&mut self, older: bool, history: &[String], adviser: Adviser<'_>) -> Typed {
        if self.search {
            return Typed::Open;
        }
        let (at, draft) = self.recall.clone().unwrap_or_else(|| (history.len(), self.text().to_owned()));
        let at = if older { at.saturating_sub(1) } else { (at + 1).min(history.len()) };
        let line = history.get(at).cloned().unwrap_or_else(|| draft.clone());
        self.input = Input::new(line);
        self.edited(adviser);
        self.recall = Some((at, draft));
        Typed::Open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adviser(line: &str, _: usize) -> Advice {
        let words = ["break", "back"];
        let candidates = words
            .into_iter()
            .filter(|w| w.starts_with(line))
            .map(|w| Candidate { span: 0..line.len(), insert: format!("{w} "), label: w.into(), doc: String::new() })
            .collect();
        Advice { candidates, ..Advice::default() }
    }

    fn press(prompt: &mut Prompt, code: KeyCode) -> Typed {
        prompt.key(KeyEvent::from(code), &["one".to_owned(), "two".to_owned()], &adviser)
    }

    #[test]
    fn tab_goes_round_the_candidates_of_the_line_as_it_was_typed() {
        let mut prompt = Prompt::new("b", &adviser);
        for expected in ["break ", "back ", "break "] {
            press(&mut prompt, KeyCode::Tab);
            assert_eq!(prompt.text(), expected);
        }
        press(&mut prompt, KeyCode::BackTab);
        assert_eq!(prompt.text(), "back ");
        assert_eq!(press(&mut prompt, KeyCode::Enter), Typed::Submit("back ".into()));
    }

    #[test]
    fn the_arrow_keys_recall_lines_and_come_back_to_the_draft() {
        let mut prompt = Prompt::new("dra", &adviser);
        for (code, expected) in [
            (KeyCode::Up, "two"),
            (KeyCode::Up, "one"),
            (KeyCode::Up, "one"),
            (KeyCode::Down, "two"),
            (KeyCode::Down, "dra"),
        ] {
            press(&mut prompt, code);
            assert_eq!(prompt.text(), expected);
        }
    }

    #[test]
    fn the_hint_behind_a_completed_word_is_that_of_the_new_line() {
        let adviser = |line: &str, at: usize| match line {
            "info " => {
                let topic = |word: &str| Candidate {
                    span: at..at,
                    insert: word.into(),
                    label: word.into(),
                    doc: String::new(),
                };
                let candidates = vec![topic("node"), topic("notes")];
                Advice { candidates, hint: "TOPIC".into(), help: String::new() }
            }
            _ => Advice { hint: format!("after {line}"), ..Advice::default() },
        };
        let mut prompt = Prompt::new("info ", &adviser);
        assert_eq!(prompt.advice().hint, "TOPIC");
        for expected in ["info node", "info notes", "info node"] {
            prompt.key(KeyEvent::from(KeyCode::Tab), &[], &adviser);
            assert_eq!((prompt.text(), &prompt.advice().hint), (expected, &format!("after {expected}")));
        }
    }

    #[test]
    fn pasted_line_breaks_do_not_submit_and_a_huge_paste_is_cut() {
        let mut prompt = Prompt::new("note ", &adviser);
        prompt.paste("a\r\nb\n", &adviser);
        assert_eq!(prompt.text(), "note a  b");
        prompt.paste(&"x".repeat(10_000), &adviser);
        assert_eq!(prompt.text().chars().count(), MOST_CHARS);
    }

    #[test]
    fn a_refused_line_stays_with_the_cursor_at_the_fault() {
        let mut prompt = Prompt::new("brük x", &adviser);
        prompt.refuse("there is no such command".into(), 6);
        assert_eq!((prompt.text(), prompt.before_cursor().as_str()), ("brük x", "brük "));
        press(&mut prompt, KeyCode::Char('y'));
        assert_eq!(prompt.error(), None);
    }
}
