//! The readout of one node: how likely each answer is, and how far the readout can be trusted.
//!
//! Must never renormalise silently: `coverage` always travels with the probabilities.

use super::Name;
use super::wire::Float;
use serde::{Deserialize, Serialize};

/// One allowed answer as the model sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AnswerScore {
    /// The answer.
    pub answer: Name,
    /// Teacher-forced log-probability of the answer's tokens and its terminator, over the full vocabulary (natural
    /// log).
    #[serde(with = "Float")]
    pub logprob: f64,
    /// Softmax of `logprob` over the allowed answers; these sum to 1.
    #[serde(with = "Float")]
    pub p: f64,
}

/// Probabilities of all allowed answers of a node, in the node's own order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Readout {
    /// One entry per allowed answer.
    pub answers: Vec<AnswerScore>,
    /// Full-vocabulary probability mass on the allowed answers: sum of exp(logprob), in 0..=1.
    #[serde(with = "Float")]
    pub coverage: f64,
}

impl Readout {
    /// Coverage below this is reported as low: most of the model's mass is on something that is no answer.
    pub const LOW_COVERAGE: f64 = 0.5;

    /// Builds a readout from raw log-probabilities, one per answer, computing `p` as a softmax over them.
    ///
    /// `p` is exact in f64 up to rounding; `coverage` is the plain sum of the raw probabilities.
    pub fn from_logprobs(scores: impl IntoIterator<Item = (Name, f64)>) -> Self {
        let scores: Vec<_> = scores.into_iter().collect();
        let max = scores.iter().map(|(_, l)| *l).fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = scores.iter().map(|(_, l)| (l - max).exp()).sum();
        let coverage = scores.iter().map(|(_, l)| l.exp()).sum::<f64>().min(1.0);
        let answers = scores
            .into_iter()
            .map(|(answer, logprob)| AnswerScore { answer, logprob, p: (logprob - max).exp() / sum })
            .collect();
        Self { answers, coverage }
    }

    /// Coverage below this is none. Logits are 32-bit floats: in such floats this mass is 0, no answer can be told from
    /// an impossible one, and a softmax over the answers would make a verdict of nothing.
    pub const NO_COVERAGE: f64 = f32::MIN_POSITIVE as f64;

    /// Whether these are probabilities at all: numbers, of answers that the model can give.
    pub fn is_usable(&self) -> bool {
        self.coverage >= Self::NO_COVERAGE && self.answers.iter().all(|a| a.p.is_finite())
    }

    /// The most probable answer; the first of equals. `None` only for an empty readout.
    pub fn best(&self) -> Option<&AnswerScore> {
        self.answers.iter().reduce(|best, a| if a.p > best.p { a } else { best })
    }

    /// Probability of `answer`, where it is allowed.
    pub fn p(&self, answer: &str) -> Option<f64> {
        self.answers.iter().find(|a| a.answer == *answer).map(|a| a.p)
    }

    /// Difference between the two highest probabilities, in 0..=1.
    pub fn margin(&self) -> f64 {
        let mut ps: Vec<f64> = self.answers.iter().map(|a| a.p).collect();
        ps.sort_by(|a, b| b.total_cmp(a));
        match ps.as_slice() {
            [first, second, ..] => first - second,
            [only] => *only,
            [] => 0.0,
        }
    }

    /// Shannon entropy of `p` in bits.
    pub fn entropy(&self) -> f64 {
        -self.answers.iter().filter(|a| a.p > 0.0).map(|a| a.p * a.p.log2()).sum::<f64>()
    }

    /// Whether the model wanted to say something that is no allowed answer.
    pub fn low_coverage(&self) -> bool {
        self.coverage < Self::LOW_COVERAGE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::new(text).expect("a test name")
    }

    #[test]
    fn softmax_margin_entropy_and_coverage_equal_values_worked_by_hand() {
        let r = Readout::from_logprobs([(name("yes"), 0.3f64.ln()), (name("no"), 0.1f64.ln())]);
        assert!((r.answers[0].p - 0.75).abs() < 1e-12 && (r.answers[1].p - 0.25).abs() < 1e-12);
        assert!((r.coverage - 0.4).abs() < 1e-12 && r.low_coverage());
        assert!((r.margin() - 0.5).abs() < 1e-12);
        assert!((r.entropy() - 0.811_278_124_459_132_8).abs() < 1e-12);
        assert_eq!(r.best().map(|a| a.answer.as_str()), Some("yes"));
    }

    #[test]
    fn what_is_no_number_or_has_no_coverage_is_not_usable() {
        let none = f64::NEG_INFINITY;
        for (logprobs, usable) in [
            (&[-1.0, -2.0][..], true),
            (&[-1.0, none], true),
            (&[-80.0, -81.0], true),
            (&[-100.0, -101.0], false),
            (&[-800.0, -801.0], false),
            (&[none, none], false),
            (&[f64::NAN, -1.0], false),
            (&[-1.0, f64::NAN], false),
            (&[], false),
        ] {
            let names = ["a", "b"].map(name);
            let readout = Readout::from_logprobs(names.into_iter().zip(logprobs.iter().copied()));
            assert_eq!(readout.is_usable(), usable, "{logprobs:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn probabilities_sum_to_one_and_do_not_move_with_a_shift(
            logprobs in proptest::collection::vec(-40.0..0.0f64, 2..=8), shift in -40.0..0.0f64,
        ) {
            let names = || (0..logprobs.len()).map(|i| name(&format!("a{i}")));
            let plain = Readout::from_logprobs(names().zip(logprobs.iter().copied()));
            let moved = Readout::from_logprobs(names().zip(logprobs.iter().map(|l| l + shift)));
            proptest::prop_assert!((plain.answers.iter().map(|a| a.p).sum::<f64>() - 1.0).abs() < 1e-12);
            for (a, b) in plain.answers.iter().zip(&moved.answers) {
                proptest::prop_assert!((a.p - b.p).abs() < 1e-10, "{} {}", a.p, b.p);
            }
            proptest::prop_assert!(plain.is_usable() && moved.is_usable());
        }
    }

    #[test]
    fn very_small_log_probabilities_do_not_turn_into_nan() {
        let r = Readout::from_logprobs([(name("a"), -2000.0), (name("b"), -2001.0)]);
        assert!((r.answers.iter().map(|a| a.p).sum::<f64>() - 1.0).abs() < 1e-12);
        assert_eq!(r.coverage, 0.0);
    }
}
