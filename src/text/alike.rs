//! What a mistyped word was meant to be: the words spelt much like it, and the question that names them.
//!
//! Must not know what the words stand for.

/// The words of `options` that are spelt much like `word`, most alike first; at most three.
pub fn alike<'a>(word: &str, options: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let limit = (word.chars().count() / 3).clamp(1, 3);
    let mut found: Vec<_> = options
        .into_iter()
        .map(|option| (strsim::osa_distance(word, option), option))
        .filter(|(distance, option)| *distance <= limit && option.chars().count() > 1)
        .collect();
    found.sort();
    found.dedup();
    found.truncate(3);
    found.into_iter().map(|(_, option)| option).collect()
}

/// `did you mean X or Y?`, each as `shown` writes it; `None` where nothing is spelt alike.
pub fn did_you_mean(near: &[&str], shown: impl Fn(&str) -> String) -> Option<String> {
    let names: Vec<String> = near.iter().map(|name| shown(name)).collect();
    (!names.is_empty()).then(|| format!("did you mean {}?", names.join(" or ")))
}

#[cfg(test)]
mod tests {
    use super::*;

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
