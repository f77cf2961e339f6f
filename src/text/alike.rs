//! Suggestions for a mistyped word: the words spelt most like it, and the question that offers them.
//!
//! Must not know what the words stand for.

use std::collections::HashSet;

/// The longest word that is compared, in characters: as long as a name can be. What is longer was not mistyped.
const LONGEST: usize = 64;

/// How many different options are compared at most; those of quite another length cost nothing and do not count.
const MOST_COMPARED: usize = 10_000;

/// The words of `options` that are spelt most like `word`, best match first; at most three.
///
/// A comparison costs the product of the two lengths, and both may come from outside, so only short words are compared.
pub fn alike<'a>(word: &str, options: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let Some(length) = length_within(word, LONGEST) else { return Vec::new() };
    let limit = (length / 3).clamp(1, 3);
    let fits = |option: &str| length_within(option, length + limit).is_some_and(|n| n > 1 && n + limit >= length);
    let mut seen = HashSet::new();
    let mut found: Vec<_> = options
        .into_iter()
        .filter(|option| fits(option) && seen.insert(*option))
        .take(MOST_COMPARED)
        .map(|option| (strsim::osa_distance(word, option), option))
        .filter(|(distance, _)| *distance <= limit)
        .collect();
    found.sort();
    found.truncate(3);
    found.into_iter().map(|(_, option)| option).collect()
}

/// The length of `text` in characters, if it is at most `most`; stops counting after that.
fn length_within(text: &str, most: usize) -> Option<usize> {
    let length = text.chars().take(most + 1).count();
    (length <= most).then_some(length)
}

/// `did you mean X or Y?`, each formatted by `shown`; `None` if there are no similar words.
pub fn did_you_mean(near: &[&str], shown: impl Fn(&str) -> String) -> Option<String> {
    let names: Vec<String> = near.iter().map(|name| shown(name)).collect();
    (!names.is_empty()).then(|| format!("did you mean {}?", names.join(" or ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_lengths_and_numbers_cost_what_their_size_is() {
        // Compared letter by letter, each pair would take minutes.
        let long = "x".repeat(1 << 20);
        assert!(alike(&long, [long.as_str(), "x"]).is_empty());
        assert_eq!(alike("scam", std::iter::repeat_n(long.as_str(), 1000).chain(["scan"])), ["scan"]);
        assert_eq!(alike("scam", std::iter::repeat_n("spam", 2 * MOST_COMPARED).chain(["scan"])), ["scan", "spam"]);
        let name = "a".repeat(LONGEST);
        assert_eq!(alike(&name, [format!("{name}b").as_str()]), [format!("{name}b")]);
        assert!(alike(&format!("{name}b"), [name.as_str()]).is_empty());
    }

    #[test]
    fn a_slip_of_the_pen_finds_its_word_and_another_word_does_not() {
        let words = ["deceptive", "asks_for_value", "yes", "no"];
        for (word, near) in [
            ("decptive", &["deceptive"] as &[&str]),
            ("yse", &["yes"]),
            ("ask_for_value", &["asks_for_value"]),
            ("violence", &[]),
            ("", &[]),
        ] {
            assert_eq!(alike(word, words), near, "{word}");
        }
        let quoted = |word: &str| format!("`{word}`");
        assert_eq!(did_you_mean(&["a", "b"], quoted).as_deref(), Some("did you mean `a` or `b`?"));
        assert_eq!(did_you_mean(&[], quoted), None);
    }
}
