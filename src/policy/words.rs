//! Wording that is known to mislead models and people, in English.
//!
//! Must stay silent where it is not sure: a warning on a good policy teaches people to ignore warnings.

use super::draft::Text;

/// Lower-case words of `text`, without what stands in `[[…]]`: a defined term means what its definition says.
fn words(text: &str) -> Vec<String> {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("[[") {
        plain.push_str(before);
        plain.push_str(" _ ");
        rest = after.split_once("]]").map_or("", |(_, tail)| tail);
    }
    plain.push_str(rest);
    plain
        .to_lowercase()
        .replace('’', "'")
        .split(|c: char| !(c.is_alphanumeric() || c == '\'' || c == '_'))
        .map(|w| w.trim_matches('\'').to_owned())
        .filter(|w| !w.is_empty())
        .collect()
}

/// Whether a text is English, as far as the checks here need to know.
pub(super) fn is_english(text: &str) -> bool {
    words(text).iter().any(|w| matches!(w.as_str(), "the" | "does" | "this" | "text" | "is" | "are"))
}

/// The first phrase of `phrases` that stands in `words` as whole words.
fn phrase<'p>(words: &[String], phrases: &[&'p str]) -> Option<&'p str> {
    let line = format!(" {} ", words.join(" "));
    phrases.iter().copied().filter_map(|p| line.find(&format!(" {p} ")).map(|at| (at, p))).min().map(|(_, p)| p)
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

/// Two negations in one sentence, or a negation before a negative word.
pub(super) fn double_negation(question: &str) -> bool {
    question.split(['?', '.', '!', ';', '？']).any(|sentence| {
        let line = format!(" {} ", words(sentence).join(" "));
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
        let negates = |w: &str| NEGATIONS.contains(&w) || w.ends_with("n't");
        let twice = words.iter().filter(|w| negates(w)).count() > 1;
        let turned = words
            .iter()
            .enumerate()
            .any(|(i, w)| NEGATIVE.contains(w) && words.iter().take(i).rev().take(2).any(|before| negates(before)));
        twice || turned
    })
}

/// Two questions in one: two question marks, `and/or`, or a second verb with a subject of its own.
pub(super) fn two_judgments(question: &str) -> bool {
    if question.matches(['?', '？']).count() > 1 || question.to_lowercase().contains("and/or") {
        return true;
    }
    const VERBS: &[&str] = &["is", "are", "does", "do", "did", "was", "were", "has", "have"];
    const SUBJECTS: &[&str] = &[
        "it", "they", "the", "this", "that", "there", "its", "their", "someone", "anyone", "he", "she", "you", "any",
        "a", "an", "_",
    ];
    words(question).windows(3).any(|w| match w {
        [joint, verb, subject] => {
            matches!(joint.as_str(), "and" | "or")
                && VERBS.contains(&verb.as_str())
                && SUBJECTS.contains(&subject.as_str())
        }
        _ => false,
    })
}

/// The words that ask for a count, if the question does.
pub(super) fn counting(question: &str) -> Option<String> {
    let words = words(question);
    if let Some(found) =
        phrase(&words, &["how many", "how often", "how much of", "number of", "count the", "count how", "count all"])
    {
        return Some(found.to_owned());
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
pub(super) fn vague(question: &str) -> Option<&'static str> {
    phrase(
        &words(question),
        &[
            "generally",
            "usually",
            "normally",
            "typically",
            "often",
            "sometimes",
            "mostly",
            "mainly",
            "somewhat",
            "fairly",
            "rather",
            "quite",
            "kind of",
            "sort of",
            "some kind of",
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
            "bad",
            "stuff",
        ],
    )
}

/// A vague word in guidance, where describing what often happens is fine but leaving the rule open is not.
pub(super) fn vague_rule(guidance: &str) -> Option<&'static str> {
    phrase(
        &words(guidance),
        &[
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
        ],
    )
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
/// Words that may or may not name one: enough not to claim that there is none.
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

fn any_stem(id: &str, question: &str, stems: &[&str]) -> bool {
    let id = id.replace(['_', '-', '.', '/'], " ");
    words(&format!("{id} {question}")).iter().any(|w| stems.iter().any(|s| w.starts_with(s)))
}

/// Whether a node asks for an exception, as far as its words say.
pub(super) fn is_exception(id: &str, question: &str) -> bool {
    any_stem(id, question, EXCEPTIONS)
}

/// Whether a node may be asking for an exception.
pub(super) fn hints_at_exception(id: &str, question: &str) -> bool {
    is_exception(id, question) || any_stem(id, question, PERHAPS)
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
        "Welche Gruppe wird nicht ohne Grund genannt?",
        "Does the text use [[not a word]] without naming a person?",
    ];

    #[test]
    fn plain_questions_raise_nothing() {
        for q in GOOD {
            assert!(!double_negation(q), "double negation: {q}");
            assert!(!two_judgments(q), "two judgments: {q}");
            assert_eq!(counting(q), None, "{q}");
            assert_eq!(vague(q), None, "{q}");
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
            assert!(double_negation(q), "{q}");
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
            assert!(two_judgments(q), "{q}");
        }
    }

    #[test]
    fn counting_is_found() {
        for (q, words) in [
            ("How many links are in the text?", "how many"),
            ("Does the text have at least three hashtags?", "at least three"),
            ("Does it contain more than 5 links?", "more than 5"),
            ("Are there two or more insults?", "two or more"),
            ("Is the number of mentions high?", "number of"),
        ] {
            assert_eq!(counting(q).as_deref(), Some(words), "{q}");
        }
    }

    #[test]
    fn vague_words_are_found_and_defined_terms_left_alone() {
        assert_eq!(vague("Is the text generally inappropriate?"), Some("generally"));
        assert_eq!(vague("Is the text [[inappropriate]]?"), None);
        assert_eq!(vague_rule("Scammers often ask for gift cards."), None);
        assert_eq!(vague_rule("Count gift cards, crypto etc. as money."), Some("etc"));
    }
}
