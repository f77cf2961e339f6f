//! How much of a TOML text is worth parsing, determined before parsing: a parsed text and its errors can take a hundred
//! times the memory of the text.
//!
//! Must keep nothing of the text, and must count as an error what the parser of the `toml` crate counts as one.

use super::limits;
use toml_parser::decoder::Encoding;
use toml_parser::parser::{EventReceiver, RecursionGuard, ValidateWhitespace, parse_document};
use toml_parser::{ErrorSink, ParseError, Raw, Source, Span};

/// As in the `toml` crate.
const MOST_DEEP: u32 = 80;

/// How much is to be parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// All of it.
    Whole,
    /// This many bytes, after which there are enough errors.
    Cut(usize),
    /// Nothing: it has more than [`limits::TOKENS`] tokens.
    TooMany,
}

/// The extent of `text`, of which `most_errors` errors are enough.
pub(super) fn of(text: &str, most_errors: usize) -> Extent {
    let source = Source::new(text);
    let tokens: Vec<_> = source.lex().take(limits::TOKENS + 1).collect();
    if tokens.len() > limits::TOKENS {
        return Extent::TooMany;
    }
    let (mut errors, mut cut) = (0, Extent::Whole);
    let mut count = |error: ParseError| {
        errors += 1;
        if errors == most_errors
            && let Some(span) = error.unexpected().or(error.context())
        {
            cut = Extent::Cut(span.end());
        }
    };
    let mut values = Values(source);
    let mut receiver = ValidateWhitespace::new(&mut values, source);
    parse_document(&tokens, &mut RecursionGuard::new(&mut receiver, MOST_DEEP), &mut count);
    cut
}

/// Looks into keys and values for errors inside them, such as a bad escape in a string.
struct Values<'t>(Source<'t>);

impl<'t> Values<'t> {
    fn raw(&self, span: Span, encoding: Option<Encoding>) -> Option<Raw<'t>> {
        Some(Raw::new_unchecked(self.0.input().get(span.start()..span.end())?, encoding, span))
    }
}

impl EventReceiver for Values<'_> {
    fn simple_key(&mut self, span: Span, encoding: Option<Encoding>, error: &mut dyn ErrorSink) {
        if let Some(raw) = self.raw(span, encoding) {
            raw.decode_key(&mut (), error);
        }
    }

    fn scalar(&mut self, span: Span, encoding: Option<Encoding>, error: &mut dyn ErrorSink) {
        if let Some(raw) = self.raw(span, encoding) {
            let _kind = raw.decode_scalar(&mut (), error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_counted_wherever_they_are_and_what_comes_after_enough_of_them_is_cut_off() {
        let cases = [
            ("stray carriage returns", "\r".repeat(5000)),
            ("bad escapes in one text", format!("a = \"{}\"", r"\q".repeat(5000))),
            ("bad values", (0..5000).map(|i| format!("k{i} = 1_\n")).collect()),
            ("no values", "a\n".repeat(5000)),
            ("control characters in a comment", "#\u{1}\n".repeat(5000)),
            ("no keys", "= 1\n".repeat(5000)),
        ];
        for (what, text) in cases {
            let Extent::Cut(at) = of(&text, 200) else { panic!("{what}: {:?}", of(&text, 200)) };
            assert!(at < 5000, "{what}: {at}");
            let (_, errors) = toml::de::DeTable::parse_recoverable(text.get(..at).expect("between characters"));
            assert!((199..1000).contains(&errors.len()), "{what}: {} errors", errors.len());
        }
    }

    #[test]
    fn what_has_few_errors_is_parsed_whole_and_what_is_no_policy_by_its_length_alone_is_not() {
        assert_eq!(of("a = 1\nb = [1, 2]\n[t]\nc = \"\"\"x\ny\"\"\"\n", 1), Extent::Whole);
        assert_eq!(of(&"\r".repeat(199), 200), Extent::Whole);
        let long = format!("a = [{}]", "1,".repeat(limits::TOKENS / 2));
        assert_eq!(of(&long, 200), Extent::TooMany);
    }
}
