//! What must hold for every document of every fact, even absurd ones.

use super::fixture::policy;
use crate::report::{Basis, Doc, Page, plain, transcript};
use crate::session::{SessionState, arbitrary};
use crate::text::is_hidden;
use proptest::prelude::*;

fn inert(doc: &Doc) -> bool {
    doc.0.iter().all(|line| {
        line.0.iter().all(|span| {
            !span
                .text
                .as_str()
                .chars()
                .any(|c| c != '\u{200d}' && !('\u{fe00}'..='\u{fe0f}').contains(&c) && is_hidden(c))
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_fact_in_any_state_is_printed_inert_and_without_nan(
        facts in prop::collection::vec(arbitrary::fact(), 1..30),
        width in 20..120_usize,
    ) {
        let (basis, mut state) = (Basis::only(policy().into()), SessionState::default());
        for fact in &facts {
            state.apply(fact);
            let doc = transcript::fact(&state, &basis, fact, Page::live(width));
            prop_assert!(inert(&doc));
            let text = plain::render(&doc);
            prop_assert!(!text.contains("NaN") && !text.contains("inf "));
            prop_assert!(inert(&transcript::brief(&state, &basis, fact, Page::recorded(width))));
        }
    }
}
