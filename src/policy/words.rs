//! Wording, in English, that is known to mislead models and people.
//!
//! Must stay silent when it is not sure: a warning on a good policy teaches people to ignore warnings.

use super::draft::Text;

/// A text as lower-case words, split once for all checks. Text in `[[…]]` is left out, since a defined term means what
/// its definition says. So is text in quotes: it is what somebody else might write.
pub(super) struct Words {
    /// The text without those parts.
    text: String,
    list: Vec<String>,
    /// The words between single spaces, with a space at both ends.
    line: String,
}

impl Words {
    /// Takes `text` apart.
    pub fn of(text: &str) -> Self {
        let mut text = text.to_owned();
        for (open, close) in [("[[", "]]"), ("\"", "\""), ("“", "”"), ("«", "»")] {
            text = without(&text, open, close);
        }
        let list = words(&text);
        let line = format!(" {} ", list.join(" "));
        Self { text, list, line }
    }

    /// The first of `phrases` to occur, as whole words.
    fn phrase<'p>(&self, phrases: &[&'p str]) -> Option<&'p str> {
        let bytes = self.line.as_bytes();
        let whole =
            |at: usize, p: &str| bytes.get(at.wrapping_sub(1)) == Some(&b' ') && bytes.get(at + p.len()) == Some(&b' ');
        let first = |p: &str| self.line.match_indices(p).map(|(at, _)| at).find(|at| whole(*at, p));
        phrases.iter().filter_map(|p| first(p).map(|at| (at, *p))).min().map(|(_, p)| p)
    }
}

/// `text` with every part from `open` to `close` replaced by a word that means nothing; an opening without an end
/// stays.
fn without(text: &str, open: &str, close: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(open) {
        let Some((_, tail)) = after.split_once(close) else { break };
        out.push_str(before);
        out.push_str(" _ ");
        rest = tail;
    }
    out.push_str(rest);
    out
}

fn words(text: &str) -> Vec<String> {
    text.to_lowercase()
        .split(|c: char| !(c.is_alphanumeric() || matches!(c, '\'' | '’' | '_')))
        .map(|w| w.trim_matches(['\'', '’']).replace('’', "'"))
        .filter(|w| !w.is_empty())
        .collect()
}

/// Whether a text is English, as far as the checks here need to know.
pub(super) fn is_english(words: &Words) -> bool {
    words.list.iter().any(|w| matches!(w.as_str(), "the" | "does" | "this" | "text" | "is" | "are"))
}

const NEGATIONS: &[&str] =
    &["not", "no", "never", "none", "nobody", "nothing", "nowhere", "neither", "without", "cannot", "lacks", "lacking"];
const NEGATIVE: &[&str] = &[
    "unlike",
    "unlikely",
    "uncommon",
    "unrelated",
    "unlawful",
    "unreasonable",
    "unjustified",
    "unclear",
    "untrue",
    "unaware",
    "illegal",
    "impossible",
    "incorrect",
    "inaccurate",
    "dishonest",
    "harmless",
    "unharmful",
    "unintentional",
    "involuntary",
];

/// Two negations in one clause, or a negation before a negative word.
pub(super) fn double_negation(question: &Words) -> bool {
    let negates = |w: &str| NEGATIONS.contains(&w) || w.ends_with("n't");
    if !question.list.iter().any(|w| negates(w)) {
        return false;
    }
    let mut clauses = question
        .text
        .split(['?', '.', '!', ';', ':', ',', '？'])
        .flat_map(|c| c.split(" and "))
        .flat_map(|c| c.split(" but "));
    clauses.any(|clause| {
        let line = format!(" {} ", words(clause).join(" "));
        // Set phrases whose "not" or "no" negates nothing.
        let line = [
            " whether or not ",
            " or not ",
            " not only ",
            " yes or no ",
            " no matter ",
            " no longer than ",
            " no one else ",
        ]
        .iter()
        .fold(line, |l, idiom| l.replace(idiom, " "));
        let words: Vec<&str> = line.split_whitespace().collect();
        let twice = words.iter().filter(|w| negates(w)).count() > 1;
        let turned = words
            .iter()
            .enumerate()
            .any(|(i, w)| NEGATIVE.contains(w) && words.iter().take(i).rev().take(2).any(|before| negates(before)));
        twice || turned
    })
}

/// Two questions in one: two question marks, `and/or`, or a second verb with a subject of its own.
pub(super) fn two_judgments(question: &Words) -> bool {
    let text = &question.text;
    if text.matches(['?', '？']).count() > 1 || text.contains("and/or") || text.contains("And/or") {
        return true;
    }
    const VERBS: &[&str] = &["is", "are", "does", "do", "did", "was", "were", "has", "have"];
    const SUBJECTS: &[&str] = &[
        "it", "they", "the", "this", "that", "there", "its", "their", "someone", "anyone", "he", "she", "you", "any",
        "a", "an", "_",
    ];
    question.list.windows(3).any(|w| match w {
        [joint, verb, subject] => {
            matches!(joint.as_str(), "and" | "or")
                && VERBS.contains(&verb.as_str())
                && SUBJECTS.contains(&subject.as_str())
        }
        _ => false,
    })
}

/// The words that ask for a count, if the question does.
pub(super) fn counting(question: &Words) -> Option<String> {
    let asked = ["how many", "how often", "how much of", "count the", "count how", "count all"];
    if let Some(found) = question.phrase(&asked) {
        return Some(found.to_owned());
    }
    let words = &question.list;
    // The number of links is counted; the number of a card or of their account is read.
    let read = ["a", "an", "the", "your", "their", "his", "her", "its", "one's", "someone's", "_"];
    if words.windows(4).any(|w| w[..3] == ["the", "number", "of"] && !read.contains(&w[3].as_str())) {
        return Some("the number of".to_owned());
    }
    let number = |w: &str| {
        w.parse::<u64>().is_ok_and(|n| n > 1)
            || ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve", "dozen", "half"]
                .contains(&w)
    };
    // An age or an amount of money is read, not counted.
    let measured = |w: &str| {
        [
            "year", "years", "month", "months", "day", "days", "hour", "hours", "percent", "dollars", "euros",
            "pounds", "usd", "old",
        ]
        .contains(&w)
    };
    for i in 0..words.len() {
        let at = |k: usize| words.get(i + k).map_or("", String::as_str);
        let bounded = match (at(0), at(1)) {
            ("at", "least" | "most") => Some(2),
            ("more" | "fewer" | "less", "than") => Some(2),
            ("exactly", _) => Some(1),
            _ => None,
        };
        if let Some(k) = bounded
            && number(at(k))
            && !measured(at(k + 1))
        {
            return Some(words.get(i..=i + k).unwrap_or_default().join(" "));
        }
        if number(at(0)) && at(1) == "or" && matches!(at(2), "more" | "fewer") && !measured(at(3)) {
            return Some(format!("{} or {}", at(0), at(2)));
        }
    }
    None
}

/// A vague word in a question.
pub(super) fn vague(question: &Words) -> Option<&'static str> {
    question.phrase(&[
        "generally",
        "usually",
        "normally",
        "typically",
        "often",
        "sometimes",
        "mostly",
        "somewhat",
        "some kind of",
        "some sort of",
        "etc",
        "and so on",
        "and the like",
        "or similar",
        "inappropriate",
        "appropriate",
        "reasonable",
        "unreasonable",
        "excessive",
        "questionable",
        "problematic",
        "borderline",
        "stuff",
    ])
}

/// A vague word in guidance, where describing what often happens is fine but leaving the rule open is not.
pub(super) fn vague_rule(guidance: &Words) -> Option<&'static str> {
    guidance.phrase(&[
        "etc",
        "and so on",
        "as appropriate",
        "where appropriate",
        "if appropriate",
        "use your judgment",
        "use your judgement",
        "use common sense",
        "use your best judgment",
        "when in doubt decide",
        "as needed",
    ])
}

/// Beginnings of words with which people name exceptions.
const EXCEPTIONS: &[&str] = &[
    "except",
    "exempt",
    "newsworth",
    "news",
    "journalis",
    "documentar",
    "educat",
    "satir",
    "parod",
    "fiction",
    "artistic",
    "condemn",
    "counterspeech",
    "counter",
    "awareness",
    "academic",
    "scholar",
    "quot",
    "reclaim",
    "report",
    "warn",
    "prevent",
    "sieve",
];
/// Words that may or may not name one: enough not to report that there is none.
const PERHAPS: &[&str] = &[
    "allow",
    "permit",
    "legitimate",
    "benign",
    "context",
    "consent",
    "official",
    "joke",
    "banter",
    "discuss",
    "critic",
    "histor",
    "research",
    "victim",
    "mention",
    "scope",
    "self",
    "lawful",
    "genuine",
    "harmless",
    "describ",
    "neutral",
    "opinion",
];

/// How a node speaks of exceptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exception {
    /// Not at all.
    No,
    /// Perhaps: enough not to claim that there is none.
    Perhaps,
    /// Its words say so.
    Yes,
}

/// Whether a node asks for an exception, as far as the words of its id and its question say.
pub(super) fn exception(id: &str, question: &Words) -> Exception {
    let id = id.to_lowercase();
    let words = id.split(['_', '-', '.', '/']).chain(question.list.iter().map(String::as_str));
    let mut found = Exception::No;
    for word in words {
        if EXCEPTIONS.iter().any(|s| word.starts_with(s)) {
            return Exception::Yes;
        }
        if PERHAPS.iter().any(|s| word.starts_with(s)) {
            found = Exception::Perhaps;
        }
    }
    found
}

/// Whether guidance speaks of exceptions, and so has thought of them.
pub(super) fn waives_exceptions(guidance: &[Text]) -> bool {
    guidance.iter().any(|g| words(&g.text).iter().any(|w| w.starts_with("except") || w.starts_with("exempt")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &[&str] = &[
        "Does the text ask the reader for money, credentials or personal data?",
        "Is the text itself news, education, satire or a warning about scams?",
        "Does the text say whether or not the seller is known?",
        "Does the writer claim to be someone they are not?",
        "Does the text praise or excuse violence against people?",
        "Is the person under 18 years old, or at least 65 years old?",
        "Does the text attack a person or group because of a protected characteristic?",
        "Does the text describe what people can and should do?",
        "Is the offer of at least one gift tied to a payment?",
        "Does the text have no target, only a general opinion?",
        "Does the text attack a person rather than an opinion?",
        "Does the text ask \"are you over 18? is it not so?\" of the reader?",
        "Does the text ask for the number of a card, or for the phone number of the reader?",
        "Does the author say they are not joking, and that nobody is safe?",
        "What kind of offer is in the text?",
        "Welche Gruppe wird nicht ohne Grund genannt?",
        "Does the text use [[not a word]] without naming a person?",
    ];

    #[test]
    fn plain_questions_raise_nothing() {
        for q in GOOD {
            assert!(!double_negation(&Words::of(q)), "double negation: {q}");
            assert!(!two_judgments(&Words::of(q)), "two judgments: {q}");
            assert_eq!(counting(&Words::of(q)), None, "{q}");
            assert_eq!(vague(&Words::of(q)), None, "{q}");
        }
    }

    #[test]
    fn double_negations_are_found() {
        for q in [
            "Is it not the case that the text does not ask for money?",
            "Isn't the text without a threat?",
            "Does the text never say nothing of the price?",
            "Is the claim not untrue?",
            "Isn’t this unlikely to be a threat?",
        ] {
            assert!(double_negation(&Words::of(q)), "{q}");
        }
    }

    #[test]
    fn two_judgments_are_found() {
        for q in [
            "Does the text ask for money, and does it threaten the reader?",
            "Is the text an insult? Is it a threat?",
            "Does the text insult and/or threaten?",
            "Is it an advert or is it a scam?",
        ] {
            assert!(two_judgments(&Words::of(q)), "{q}");
        }
    }

    #[test]
    fn counting_is_found() {
        for (q, words) in [
            ("How many links are in the text?", "how many"),
            ("Does the text have at least three hashtags?", "at least three"),
            ("Does it contain more than 5 links?", "more than 5"),
            ("Are there two or more insults?", "two or more"),
            ("Is the number of mentions high?", "the number of"),
        ] {
            assert_eq!(counting(&Words::of(q)).as_deref(), Some(words), "{q}");
        }
    }

    #[test]
    fn vague_words_are_found_and_defined_terms_left_alone() {
        assert_eq!(vague(&Words::of("Is the text generally inappropriate?")), Some("generally"));
        assert_eq!(vague(&Words::of("Is the text [[inappropriate]]?")), None);
        assert_eq!(vague_rule(&Words::of("Scammers often ask for gift cards.")), None);
        assert_eq!(vague_rule(&Words::of("Count gift cards, crypto etc. as money.")), Some("etc"));
    }
}
