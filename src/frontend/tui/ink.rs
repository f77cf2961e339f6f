//! Ink: styled spans made of our own words and of escaped text, wrapped into the rows of a pane.
//!
//! Must take text from outside as `Escaped` or as a checked `Name` only; `&str` is for our own words and numbers.

use super::theme::{Styles, Theme};
use crate::domain::Name;
use crate::report::{self, Role};
use crate::text::{Escaped, Untrusted, width};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use std::ops::Range;

/// One row of a pane.
pub type Row = Line<'static>;

/// Writes rows in the looks of a theme.
#[derive(Clone, Copy, Debug)]
pub struct Ink(pub Theme);

impl Ink {
    /// Our own words or a number.
    pub fn own(self, role: Role, text: impl Into<String>) -> Span<'static> {
        Span::styled(text.into(), self.0.style(role))
    }

    /// A checked name.
    pub fn name(self, role: Role, name: &Name) -> Span<'static> {
        Span::styled(name.as_str().to_owned(), self.0.style(role))
    }

    /// Lines that only divide.
    pub fn faint(self, text: impl Into<String>) -> Span<'static> {
        Span::styled(text.into(), self.0.dividing())
    }

    /// Escaped text, with the markers of hidden characters set off from the rest.
    pub fn escaped(self, role: Role, text: &Escaped) -> Vec<Span<'static>> {
        let style = |hidden| self.0.style(if hidden { Role::Hidden } else { role });
        text.segments().map(|part| Span::styled(part.text.to_owned(), style(part.hidden))).collect()
    }

    /// Text from outside as paragraphs: one row per line of the text, each wrapped at `width` cells.
    pub fn paragraphs(self, role: Role, text: &Untrusted, limit: usize, indent: &str) -> Vec<Row> {
        Escaped::lines(text.raw())
            .iter()
            .flat_map(|line| {
                let mut row = vec![Span::raw(indent.to_owned())];
                row.extend(self.escaped(role, line));
                wrap(&Row::from(row), limit, width::width(indent))
            })
            .collect()
    }

    /// A line of a report in as many rows of at most `limit` cells as it needs. Right-aligned text goes at the right
    /// edge of the first row, or in a row of its own if there is no room.
    pub fn fitted(self, line: &report::Line, limit: usize, indent: usize) -> Vec<Row> {
        let gap = line.0.iter().position(|span| span.role == Role::Gap);
        let Some((left, right)) = gap.and_then(|at| Some((line.0.get(..at)?, line.0.get(at + 1..)?))) else {
            return wrap(&self.line(line), limit, indent);
        };
        let [left, right] = [left, right].map(|spans| self.line(&report::Line(spans.to_vec())));
        if cells(&left.spans) + 1 + cells(&right.spans) <= limit {
            return vec![spread(left, right, limit)];
        }
        let mut rows = wrap(&left, limit, indent);
        rows.push(spread(Row::default(), right, limit));
        rows
    }

    /// A line of a report.
    pub fn line(self, line: &report::Line) -> Row {
        Row::from(line.0.iter().flat_map(|span| self.escaped(span.role, &span.text)).collect::<Vec<_>>())
    }
}

/// Cells that a row takes, counted as the screen counts them: cluster by cluster.
pub fn cells(spans: &[Span<'_>]) -> usize {
    spans.iter().map(|s| width::width(&s.content)).sum()
}

/// Wraps `row` at `limit` cells. Continuation rows start with `indent` spaces. Returns at least one row, none wider
/// than `limit`.
pub fn wrap(row: &Row, limit: usize, indent: usize) -> Vec<Row> {
    if cells(&row.spans) <= limit || limit == 0 {
        return vec![row.clone()];
    }
    let indent = if indent + 8 > limit { 0 } else { indent };
    let text: String = row.spans.iter().map(|s| s.content.as_ref()).collect();
    let first = width::wrap(&text, limit).into_iter().next().unwrap_or(0..text.len());
    let tail = text.get(first.end..).unwrap_or_default();
    let start = first.end + tail.len() - tail.trim_start_matches(' ').len();
    let mut rows = vec![fit_down(cut(row, first), limit)];
    for range in width::wrap(tail.trim_start_matches(' '), limit - indent) {
        let mut spans = vec![Span::raw(" ".repeat(indent))];
        spans.extend(cut(row, start + range.start..start + range.end));
        rows.push(fit_down(spans, limit));
    }
    rows
}

/// The part of `row` at `range`, in bytes of its whole text.
fn cut(row: &Row, range: Range<usize>) -> Vec<Span<'static>> {
    let mut out = Vec::new();
    let mut at = 0;
    for span in &row.spans {
        let length = span.content.len();
        let from = range.start.saturating_sub(at).min(length);
        let to = range.end.saturating_sub(at).min(length);
        at += length;
        if let Some(text) = span.content.get(from..to)
            && !text.is_empty()
        {
            out.push(Span::styled(text.to_owned(), span.style));
        }
    }
    out
}

/// One cluster can be wider than a very narrow pane.
fn fit_down(spans: Vec<Span<'static>>, limit: usize) -> Row {
    if cells(&spans) > limit { fit(Row::from(spans), limit) } else { Row::from(spans) }
}

/// Cuts or fills `row` to exactly `limit` cells.
pub fn fit(row: Row, limit: usize) -> Row {
    let mut used = 0;
    let mut out: Vec<Span<'static>> = Vec::new();
    for span in row.spans {
        let own = width::width(&span.content);
        if used + own <= limit {
            used += own;
            out.push(span);
            continue;
        }
        let cut = width::truncate(&span.content, limit - used);
        used += width::width(&cut);
        out.push(Span::styled(cut, span.style));
        break;
    }
    if used < limit {
        out.push(Span::raw(" ".repeat(limit - used)));
    }
    Row::from(out)
}

/// A row as the selected one: in one look from end to end, since colours turned around are patches.
pub fn selected_row(mut row: Row, style: Style) -> Row {
    row.spans.iter_mut().for_each(|span| span.style.fg = None);
    row.style(style)
}

/// Puts `right` at the right end of a row of `limit` cells; `left` is cut if both do not fit.
pub fn spread(left: Row, right: Row, limit: usize) -> Row {
    let own = cells(&right.spans);
    if own >= limit {
        return fit(right, limit);
    }
    let room = limit - own;
    let left = if cells(&left.spans) + 1 > room && own > 0 { fit(left, room - 1) } else { left };
    let mut row = fit(left, room);
    row.spans.extend(right.spans);
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::style::{Style, Stylize};

    fn texts(rows: &[Row]) -> Vec<String> {
        rows.iter().map(|r| r.spans.iter().map(|s| s.content.as_ref()).collect()).collect()
    }

    #[test]
    fn wrapping_keeps_styles_hangs_the_indent_and_never_exceeds_the_width() {
        let cases: [(&str, usize, usize, &[&str]); 4] = [
            ("one two three", 8, 0, &["one two", "three"]),
            ("• one two three four", 12, 2, &["• one two", "  three four"]),
            ("abcdefghij", 4, 0, &["abcd", "efgh", "ij"]),
            ("日本語テキスト", 5, 0, &["日本", "語テ", "キス", "ト"]),
        ];
        for (text, limit, indent, expected) in cases {
            let rows = wrap(&Row::from(text.to_owned()), limit, indent);
            assert_eq!(texts(&rows), expected, "{text}");
            assert!(rows.iter().all(|r| cells(&r.spans) <= limit), "{text}");
        }
        let two = Row::from(vec![Span::raw("plain "), Span::raw("bold text").bold()]);
        let rows = wrap(&two, 10, 0);
        assert_eq!(texts(&rows), ["plain bold", "text"]);
        assert!(rows[1].spans.iter().any(|s| s.content == "text" && s.style == Style::new().bold()));
    }

    #[test]
    fn a_report_line_keeps_its_right_edge_at_every_width() {
        let line = report::Line::new().with(Role::Node, "awareness").with(Role::Text, "  no 0.839");
        let line = line.right(Role::Muted, "recomputed", 60);
        let ink = Ink(Theme::Mono);
        let cases: [(usize, &[&str]); 4] = [
            (60, &["awareness  no 0.839                               recomputed"]),
            (30, &["awareness  no 0.839 recomputed"]),
            (29, &["awareness  no 0.839          ", "                   recomputed"]),
            (12, &["awareness ", "  no 0.839", "  recomputed"]),
        ];
        for (width, expected) in cases {
            let rows = texts(&ink.fitted(&line, width, 2));
            let trimmed = |rows: &[String]| rows.iter().map(|r| r.trim_end().to_owned()).collect::<Vec<_>>();
            let expected: Vec<String> = expected.iter().map(|r| (*r).to_owned()).collect();
            assert_eq!(trimmed(&rows), trimmed(&expected), "{width}");
        }
    }

    #[test]
    fn rows_are_fitted_by_cells_and_not_by_characters() {
        for width in 0..12 {
            assert_eq!(cells(&fit(Row::from("日本語 text"), width).spans), width);
            let row = spread(Row::from("left side"), Row::from("right"), width);
            assert_eq!(cells(&row.spans), width);
        }
    }
}
