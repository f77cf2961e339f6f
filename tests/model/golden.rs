//! How far log-probabilities are from reference values, for the tests that have some.
//!
//! Must not know where the values come from.

use crossexam::domain::Cancel;
use crossexam::llm::decoder::Decoder;
use crossexam::llm::scoring;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Tokens with their log-probabilities, the most likely first.
pub type Top = Vec<(u32, f64)>;

/// How far a log-probability may be off at the worst of a prompt's tokens.
pub struct Limits {
    /// On every prompt.
    pub most: f64,
    /// In the median over prompts.
    pub median: f64,
}

/// A lead of the first token below this may be turned round by rounding.
pub const LEAD: f64 = 0.3;

/// What `key` of a line of recorded values holds.
pub fn field<T: DeserializeOwned>(line: &Value, key: &str) -> T {
    serde_json::from_value(line[key].clone()).expect("recorded values have their form")
}

/// All tokens that may come next.
pub fn score(decoder: &Decoder, ids: &[u32]) -> Top {
    scoring::next(decoder, ids, decoder.vocabulary(), 0, &Cancel::new()).expect("it can be scored").top
}

/// Largest difference over the first ten tokens of `wanted`.
pub fn distance(wanted: &Top, found: &Top) -> f64 {
    let of = |id: u32| found.iter().find(|(i, _)| *i == id).map_or(f64::NEG_INFINITY, |(_, p)| *p);
    wanted.iter().take(10).map(|(id, p)| (p - of(*id)).abs()).fold(0.0, f64::max)
}

/// Whether the most likely token of `wanted` leads so clearly (by `slack` times what rounding can explain) that `found`
/// must have the same one, and does not.
pub fn turned_round(wanted: &Top, found: &Top, slack: f64) -> bool {
    wanted[0].1 - wanted[1].1 > LEAD * slack && found[0].0 != wanted[0].0
}

/// Checks distances, one for each prompt.
pub fn check(what: &str, mut worst: Vec<f64>, limits: &Limits) {
    worst.sort_by(f64::total_cmp);
    let (median, most) = (worst[worst.len() / 2], worst[worst.len() - 1]);
    println!("{what}: {} prompts, difference median {median:.3}, most {most:.3}", worst.len());
    assert!(most <= limits.most && median <= limits.median, "{what}: {worst:?}");
}
