//! A line that could not be read, with a caret under the fault and what to do.
//!
//! Must not decide what is a fault.

use super::failure::hint;
use super::{Doc, Line, Role};
use crate::command::ParseError;
use crate::text::{Escaped, Untrusted, width};

/// A line longer than this many cells is not shown again under its error.
const MOST_CELLS: usize = 160;

/// Why `line` could not be read; `place` is its origin, for example `demo.cmd:3`.
pub fn misread(line: &str, place: Option<&Escaped>, error: &ParseError) -> Doc {
    let mut doc = Doc::new();
    let mut head = Line::new().with(Role::Error, "error: ");
    if let Some(place) = place {
        head = head.escaped(Role::Value, place).with(Role::Text, ": ");
    }
    doc.push(head.with(Role::Text, &error.message));
    let (shown, span) = line_of(line, &error.span);
    let before = width::width(Escaped::line(shown.get(..span.start).unwrap_or_default()).as_str());
    let under = width::width(Escaped::line(shown.get(span).unwrap_or_default()).as_str()).max(1);
    if !shown.trim().is_empty() && before + under <= MOST_CELLS && width::width(shown) <= MOST_CELLS {
        doc.push(Line::new().with(Role::Text, "  ").untrusted(Role::Content, &Untrusted::from(shown)));
        let caret = format!("  {}{}", " ".repeat(before), "^".repeat(under));
        doc.push(Line::new().with(Role::Error, caret));
    }
    doc.extend(error.hint.as_deref().map(|text| hint(text, MOST_CELLS)).unwrap_or_default());
    doc
}

/// The one of several lines that `span` begins in, and the span in it.
fn line_of<'a>(text: &'a str, span: &std::ops::Range<usize>) -> (&'a str, std::ops::Range<usize>) {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let end = start + line.len();
        let bare = line.trim_end_matches('\n');
        if span.start < end || (end == text.len() && !line.ends_with('\n')) {
            let from = (span.start - start).min(bare.len());
            return (bare, from..(span.end.max(span.start) - start).min(bare.len()));
        }
        start = end;
    }
    ("", 0..0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::parse;
    use crate::report::plain;

    fn shown(line: &str) -> String {
        plain::render(&misread(line, None, &parse(line).expect_err("a fault")))
    }

    #[test]
    fn the_caret_stands_under_the_fault_whatever_stands_before_it() {
        insta::assert_snapshot!(shown("load policy a.toml b"), @r"
        error: `load policy` takes no more than this
          load policy a.toml b
                             ^
        hint: usage: load policy PATH
        ");
        insta::assert_snapshot!(shown("tag 漢字!"), @r"
        error: a name cannot contain U+0021
          tag 漢字!
              ^^^^^
        hint: usage: tag TAG
        ");
        insta::assert_snapshot!(shown("set answer a\u{202e}b=x y"), @r"
        error: a name cannot contain U+202E
          set answer a<U+202E>b=x y
                     ^^^^^^^^^^^^
        hint: usage: set answer NODE=ANSWER
        ");
        insta::assert_snapshot!(shown("note \"a\n b\\q\""), @r#"
        error: there is no such escape in double quotes
           b\q"
            ^^
        hint: there are \\ \" \n \r \t and \u{HEX}; in single quotes a backslash is just a backslash
        "#);
    }
}
