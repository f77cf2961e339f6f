//! Removes wall-clock values from facts and texts, so that two runs can be compared.
//!
//! Must leave out nothing else.

use crossexam::session::Fact;

/// The fact without its time.
pub fn without_time(mut fact: Fact) -> Fact {
    if let Fact::Noted { by: Some(stamp), .. } | Fact::Tagged { by: Some(stamp), .. } = &mut fact {
        stamp.at.clear();
    }
    fact
}

/// The text with every time, of the form `2026-01-02T03:04:05Z` or `2026-01-02 03:04`, as `TIME`.
pub fn without_times(text: &str) -> String {
    let pattern = r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2}(\.\d+)?)?Z?";
    let time = fancy_regex::Regex::new(pattern).expect("a pattern");
    time.replace_all(text, "TIME").into_owned()
}
