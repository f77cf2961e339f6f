//! Search in the visible pane: which rows match, and how matches are marked.
//!
//! Must search the rows as they are drawn, so that every match can be seen.

use super::ink::Row;
use ratatui::style::Modifier;
use ratatui::text::Span;
use std::ops::Range;

/// A text that was searched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// What was typed.
    pub text: String,
    /// The row it was found in last.
    pub at: Option<usize>,
}

impl Search {
    /// A search for `text` that has found nothing yet.
    pub fn new(text: &str) -> Self {
        Self { text: text.to_owned(), at: None }
    }

    /// The row of the next (or previous) match, wrapping around; `from` is where a first search begins. Also returns
    /// its number among all matches, from 1, and how many there are.
    pub fn step(&mut self, rows: &[Row], from: usize, forward: bool) -> Option<(usize, usize, usize)> {
        let found: Vec<usize> =
            (0..rows.len()).filter(|i| !matches(&text_of(&rows[*i]), &self.text).is_empty()).collect();
        let place = match (self.at, forward) {
            (Some(at), true) => found.iter().position(|i| *i > at).unwrap_or(0),
            (None, true) => found.iter().position(|i| *i >= from).unwrap_or(0),
            (at, false) => found.iter().rposition(|i| *i < at.unwrap_or(from)).unwrap_or(found.len().saturating_sub(1)),
        };
        self.at = found.get(place).copied();
        self.at.map(|row| (row, place + 1, found.len()))
    }

    /// `row` with all matches set off.
    pub fn mark(&self, row: Row) -> Row {
        let found = matches(&text_of(&row), &self.text);
        if found.is_empty() {
            return row;
        }
        let style = row.style;
        let mut spans = Vec::new();
        let mut at = 0;
        for span in row.spans {
            let (start, end) = (at, at + span.content.len());
            at = end;
            let mut from = start;
            for hit in found.iter().filter(|hit| hit.start < end && hit.end > start) {
                let inside = hit.start.max(start)..hit.end.min(end);
                spans.push(part(&span, from - start..inside.start - start, false));
                spans.push(part(&span, inside.start - start..inside.end - start, true));
                from = inside.end;
            }
            spans.push(part(&span, from - start..end - start, false));
        }
        spans.retain(|span| !span.content.is_empty());
        Row::from(spans).style(style)
    }
}

fn part(span: &Span<'static>, range: Range<usize>, found: bool) -> Span<'static> {
    let text = span.content.get(range).unwrap_or_default().to_owned();
    let style = if found { span.style.add_modifier(Modifier::REVERSED | Modifier::UNDERLINED) } else { span.style };
    Span::styled(text, style)
}

/// The text of a row.
pub fn text_of(row: &Row) -> String {
    row.spans.iter().map(|s| s.content.as_ref()).collect()
}

/// Matches of `wanted` in `text`; case matters only if `wanted` has upper case.
fn matches(text: &str, wanted: &str) -> Vec<Range<usize>> {
    let exact = wanted.chars().any(char::is_uppercase);
    let same = |a: char, b: char| a == b || (!exact && a.to_lowercase().eq(b.to_lowercase()));
    let mut found: Vec<Range<usize>> = Vec::new();
    if wanted.is_empty() {
        return found;
    }
    for (start, _) in text.char_indices() {
        if found.last().is_some_and(|last| start < last.end) {
            continue;
        }
        let mut rest = text.get(start..).unwrap_or_default().chars();
        if wanted.chars().all(|c| rest.next().is_some_and(|own| same(own, c))) {
            found.push(start..text.len() - rest.as_str().len());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::style::Stylize;

    #[test]
    fn case_matters_only_where_the_search_has_upper_case() {
        for (text, wanted, expected) in [
            ("Ask and ask", "ask", vec![(0, 3), (8, 11)]),
            ("Ask and ask", "Ask", vec![(0, 3)]),
            ("aaaa", "aa", vec![(0, 2), (2, 4)]),
            ("größer", "RÖ", vec![]),
            ("größer", "rö", vec![(1, 4)]),
            ("x", "", vec![]),
            ("日本語", "本", vec![(3, 6)]),
        ] {
            let found: Vec<(usize, usize)> = matches(text, wanted).iter().map(|hit| (hit.start, hit.end)).collect();
            assert_eq!(found, expected, "{wanted} in {text}");
        }
    }

    #[test]
    fn matches_are_visited_in_both_directions_around_the_ends() {
        let rows: Vec<Row> = ["a", "hit", "b", "hit", "c"].into_iter().map(Row::from).collect();
        let mut search = Search::new("hit");
        let mut walk = |steps: &[bool]| -> Vec<usize> {
            steps.iter().map(|forward| search.step(&rows, 2, *forward).unwrap().0).collect()
        };
        assert_eq!(walk(&[true, true, true, false, false]), [3, 1, 3, 1, 3]);
        assert_eq!(Search::new("none").step(&rows, 0, true), None);
    }

    #[test]
    fn a_match_across_spans_is_marked_in_all_of_them_and_no_text_is_lost() {
        let row = Row::from(vec![Span::raw("one tw"), Span::raw("o three").bold()]);
        let marked = Search::new("two").mark(row.clone());
        assert_eq!(text_of(&marked), text_of(&row));
        let found: String = marked
            .spans
            .iter()
            .filter(|s| s.style.add_modifier.contains(Modifier::REVERSED))
            .map(|s| s.content.as_ref())
            .collect();
        assert_eq!(found, "two");
    }
}
