//! A diagnostic drawn by miette into an excerpt of its source.
//!
//! Must hand miette escaped text only: it prints source, labels and messages as they are.

use super::{LintOptions, place, plain_line};
use crate::policy::{Diagnostic, Location, Severity, SourceFile};
use crate::report::Role;
use crate::report::theme::{Colour, Theme};
use crate::text::Escaped;
use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, SourceCode, SourceSpan,
    SpanContents, ThemeCharacters, ThemeStyles,
};
use std::fmt;

/// Other places further away than this are named, not drawn: they would get a frame of their own with the title of this
/// one.
const NEAR_LINES: usize = 4;
/// Of a longer line only the part around the fault is shown.
const LINE_CHARS: usize = 240;

/// The picture, several lines, ending in a line break.
pub(super) fn picture(d: &Diagnostic, files: &[SourceFile], options: &LintOptions) -> String {
    let theme = GraphicalTheme {
        characters: if options.ascii { ThemeCharacters::ascii() } else { ThemeCharacters::unicode() },
        styles: options.theme.map_or_else(ThemeStyles::none, styles),
    };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_links(false)
        .without_primary_span_start()
        .without_syntax_highlighting()
        .with_width(if options.width == 0 { 100 } else { options.width.clamp(40, 160) });
    let mut out = String::new();
    match handler.render_report(&mut out, &Shown::new(d, files)) {
        Ok(()) => out,
        // miette gives up on positions it cannot find; the plain line says the same.
        Err(fmt::Error) => format!("{}\n", plain_line(d)),
    }
}

/// The looks of a theme in miette's terms.
fn styles(theme: Theme) -> ThemeStyles {
    let style = |role| {
        let look = theme.look(role);
        let style = ThemeStyles::none().error;
        let style = if look.bold { style.bold() } else { style };
        let style = if look.dim { style.dimmed() } else { style };
        match look.colour {
            None => style,
            Some(Colour::Red) => style.red(),
            Some(Colour::Green) => style.green(),
            Some(Colour::Blue) => style.blue(),
            Some(Colour::Magenta) => style.magenta(),
            Some(Colour::Cyan) => style.cyan(),
            Some(Colour::Gray) => style.white(),
            Some(Colour::DarkGray) => style.bright_black(),
            Some(Colour::LightRed) => style.bright_red(),
            Some(Colour::LightGreen) => style.bright_green(),
            Some(Colour::LightYellow) => style.bright_yellow(),
            Some(Colour::LightBlue) => style.bright_blue(),
            Some(Colour::LightMagenta) => style.bright_magenta(),
            Some(Colour::LightCyan) => style.bright_cyan(),
        }
    };
    ThemeStyles {
        error: style(Role::Error),
        warning: style(Role::Warning),
        advice: style(Role::Hint),
        help: style(Role::Hint),
        link: style(Role::Node),
        linum: style(Role::Muted),
        highlights: vec![style(Role::Leaf), style(Role::Answer), style(Role::Good)],
    }
}

/// A diagnostic in miette's terms, everything escaped.
#[derive(Debug)]
struct Shown {
    code: String,
    severity: miette::Severity,
    message: String,
    help: Option<String>,
    labels: Vec<LabeledSpan>,
    source: Excerpt,
}

/// The lines around a fault. miette sees only these, with the right line numbers.
#[derive(Debug)]
struct Excerpt {
    /// Location of the fault, as the picture's title.
    name: String,
    text: String,
    /// Number of the first line, from 0.
    first_line: usize,
}

impl Shown {
    fn new(d: &Diagnostic, files: &[SourceFile]) -> Self {
        let near = |p: &Location| p.file == d.place.file && p.line.abs_diff(d.place.line) <= NEAR_LINES;
        let (drawn, named): (Vec<_>, Vec<_>) = d.related.iter().partition(|(_, p)| near(p));
        let mut help: Vec<String> = d.complaint.hint.iter().map(|h| Escaped::line(h).into_string()).collect();
        help.extend(named.iter().map(|(message, p)| format!("{}: {}", message.escaped(), place(p))));
        let text = files.get(d.place.file).map_or("", |f| f.text.raw());
        let mut labels = vec![(None, &d.place)];
        labels.extend(drawn.iter().map(|(message, p)| (Some(message.escaped().into_string()), p)));
        let (source, spans) = Excerpt::new(text, &labels, place(&d.place));
        let label = |((message, _), (start, end)): ((Option<String>, &Location), (usize, usize))| {
            let span = SourceSpan::from((start, end - start));
            match message {
                None => LabeledSpan::new_primary_with_span(None, span),
                message => LabeledSpan::new_with_span(message, span),
            }
        };
        Self {
            code: format!("{}[{}] {}", d.severity, d.code, d.code.info().name),
            severity: if d.severity == Severity::Error { miette::Severity::Error } else { miette::Severity::Warning },
            message: d.complaint.to_string(),
            help: (!help.is_empty()).then(|| help.join("\n")),
            labels: labels.into_iter().zip(spans).map(label).collect(),
            source,
        }
    }
}

impl Excerpt {
    /// The lines from a little before the first to a little after the last label, and where each label is in them.
    fn new(text: &str, labels: &[(Option<String>, &Location)], name: String) -> (Self, Vec<(usize, usize)>) {
        let lines = labels.iter().map(|(_, p)| p.line - 1);
        let first_line = lines.clone().min().unwrap_or(0).saturating_sub(2);
        let last_line = lines.max().unwrap_or(0) + 2;
        let mut shown = String::new();
        let mut spans = vec![(0, 0); labels.len()];
        let mut offset = 0;
        for (number, line) in text.split_inclusive('\n').enumerate().take(last_line + 1) {
            let start = offset;
            offset += line.len();
            if number < first_line {
                continue;
            }
            let line = line.trim_end_matches(['\n', '\r']);
            let mut cuts: Vec<usize> = Vec::new();
            for (_, p) in labels.iter().filter(|(_, p)| p.line - 1 == number) {
                // A label that spans several lines is drawn on its first.
                cuts.extend([p.span.start, p.span.end].map(|o| o.saturating_sub(start).min(line.len())));
            }
            let (text, places) = shown_line(line, &cuts);
            let mut places = places.into_iter().map(|o| o + shown.len());
            for (span, _) in spans.iter_mut().zip(labels).filter(|(_, (_, p))| p.line - 1 == number) {
                if let (Some(start), Some(end)) = (places.next(), places.next()) {
                    *span = (start, end.max(start));
                }
            }
            shown.push_str(&text);
            shown.push('\n');
        }
        // A fault at the end of the file, after its last line break, is on a line that `split_inclusive` does not give.
        for (span, _) in spans.iter_mut().zip(labels).filter(|(_, (_, p))| p.span.start >= offset) {
            *span = (shown.len(), shown.len());
        }
        (Self { name, text: shown, first_line }, spans)
    }
}

/// A source line as it is shown, and where the offsets `cuts` end up in it. Tabs become spaces, hidden characters
/// become visible, and a very long line is cut around the first of `cuts`.
fn shown_line(line: &str, cuts: &[usize]) -> (String, Vec<usize>) {
    let mut order: Vec<usize> = cuts.to_vec();
    order.sort_unstable();
    let near = order.first().copied().unwrap_or(0);
    let (mut from, mut to) = (0, line.len());
    if line.chars().count() > LINE_CHARS {
        let before = line.get(..near).unwrap_or_default();
        from = before.char_indices().rev().take(LINE_CHARS / 4).last().map_or(near, |(i, _)| i);
        let rest = line.get(from..).unwrap_or_default();
        to = rest.char_indices().nth(LINE_CHARS).map_or(line.len(), |(i, _)| from + i);
    }
    let mut out = String::from(if from > 0 { "…" } else { "" });
    let mut places = vec![0; cuts.len()];
    let mut at = from;
    // Escaped piece by piece, so that the ends of every label are known; cutting a cluster in two only hides more.
    for cut in order.iter().map(|c| (*c).clamp(from, to)).chain([to]) {
        let piece = line.get(at..cut).unwrap_or_default().replace('\t', "    ");
        out.push_str(Escaped::line(&piece).as_str());
        at = cut;
        for (place, _) in places.iter_mut().zip(cuts).filter(|(_, c)| (**c).clamp(from, to) == cut) {
            *place = out.len();
        }
    }
    if to < line.len() {
        out.push('…');
    }
    (out, places)
}

impl SourceCode for Excerpt {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let inner = self.text.read_span(span, before, after)?;
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.clone(),
            inner.data(),
            *inner.span(),
            inner.line() + self.first_line,
            inner.column(),
            inner.line_count(),
        )))
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Shown {}

impl miette::Diagnostic for Shown {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(&self.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|h| Box::new(h) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }
}
