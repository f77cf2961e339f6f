//! Unknown names and values are refused when the command is given, with a suggestion.

use super::*;
use crate::command::EngineCommand;
use crate::domain::Name;

/// Wherever a node, an answer, a leaf, a sample or a score is named, a typing error is told from a name that does not
/// exist.
#[test]
fn a_mistyped_name_is_refused_with_the_one_that_was_meant() {
    let mut bench = Bench::ready(0.8);
    bench.run("break insult").1.expect("a breakpoint");
    for (line, message, hint) in [
        ("break insalt", "no node or leaf `insalt`", "did you mean `insult`?"),
        ("tbreak remov", "no node or leaf `remov`", "did you mean `remove`?"),
        ("break insalt=yes", "no node `insalt`", "did you mean `insult`?"),
        ("break insult=yse", "no answer `yse`", "did you mean `yes`?"),
        ("until insalt", "no node or leaf `insalt`", "did you mean `insult`?"),
        ("x prompt of insalt", "no node `insalt`", "did you mean `insult`?"),
        ("x tokens of remove", "no node `remove`", "`remove` is a leaf"),
        ("note-at insalt a note", "`insalt` is not answered", "`where` shows the steps"),
        ("set answer insalt=yes", "no node `insalt`", "did you mean `insult`?"),
        ("set answer insult=yse", "no answer `yse`", "did you mean `yes`?"),
        ("sample cc", "no sample with id `cc`", "info samples"),
        ("break insult if p.yse < 0.5", "node `insult` has no answer `yse`", "did you mean `p.yes`?"),
        ("break * if p.yse < 0.5", "no node of the policy has the answer `yse`", "did you mean `p.yes`?"),
        ("tbreak insult=yes if gold == 'violatin'", "`gold` is never \"violatin\"", "\"violating\""),
        ("condition 1 p.yse < 0.5", "node `insult` has no answer `yse`", "`p.yes`"),
        ("condition 1 node == 'insalt'", "`node` is never \"insalt\"", "\"insult\""),
        ("condition 1 leaf == 'remov'", "`leaf` is never \"remov\"", "\"remove\""),
        ("condition 1 cell == 'tpp'", "`cell` is never \"tpp\"", "all_agree"),
        ("display p.yse", "no node of the policy has the answer `yse`", "`p.yes`"),
        ("display verdikt", "no `verdikt` here", "`verdict`"),
        ("display hits", "`hits` is known in the condition", "help expressions"),
        ("next-sample where gold == 'violatin'", "`gold` is never \"violatin\"", "\"violating\""),
        ("next-sample where p.yes < 0.5", "`p.yes` is not known before a sample is run", "gold, scores"),
        ("next-sample where golld is none", "no `golld` here", "`gold`"),
    ] {
        let before = bench.state().clone();
        let failure = bench.run(line).1.expect_err(line);
        assert!(failure.complaint.message.raw().contains(message), "{line}: {failure:?}");
        assert!(failure.complaint.hint.as_ref().is_some_and(|h| h.contains(hint)), "{line}: {failure:?}");
        let after = bench.state();
        assert_eq!(
            (before.breakpoints, before.displays),
            (after.breakpoints.clone(), after.displays.clone()),
            "{line}"
        );
    }
}

#[test]
fn a_threshold_is_a_number_that_its_score_can_have() {
    let mut bench = Bench::new(0.8);
    let samples =
        "{\"text\":\"a\",\"scores\":{\"scam\":0.3,\"logit\":-4.5}}\n{\"text\":\"b\",\"scores\":{\"logit\":7}}\n";
    let file = bench.dir.path().join("scores.jsonl");
    std::fs::write(&file, samples).expect("written");
    let refused = |bench: &mut Bench, line: &str, message: &str, hint: &str| {
        let failure = bench.run(line).1.expect_err(line);
        assert!(failure.complaint.message.raw().contains(message), "{line}: {failure:?}");
        assert!(failure.complaint.hint.as_ref().is_some_and(|h| h.contains(hint)), "{line}: {failure:?}");
        assert!(bench.state().thresholds.is_empty(), "{line}");
    };
    refused(&mut bench, "set threshold logit=3", "a threshold of 3 is outside", "load samples PATH first");
    bench.run(&format!("load samples {}", file.display())).1.expect("samples");
    for (line, message, hint) in [
        ("set threshold scam=1.5", "a threshold of 1.5 is outside the range of `scam`", "50 % is written 0.5"),
        ("set threshold scam=-0.1", "outside the range", "between 0 and 1"),
        ("set threshold scam=50", "outside the range", "between 0 and 1"),
        ("set threshold logit=7.5", "outside the range of `logit`", "from -4.5 to 7"),
        ("set threshold scma=0.5", "no loaded sample has a score `scma`", "did you mean `scam`?"),
    ] {
        refused(&mut bench, line, message, hint);
    }
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let set = EngineCommand::SetThreshold((Name::new("scam").expect("a name"), value));
        let result = bench.engine.execute(Ticket(1), &set, &Cancel::new(), &mut |_| ());
        assert!(result.is_err(), "{value}");
    }
    for fine in ["set threshold scam=0", "set threshold scam=1", "set threshold logit=-4.5"] {
        bench.run(fine).1.expect(fine);
    }
    for word in ["NaN", "inf", "-inf", "1e999", "half"] {
        assert!(parse(&format!("set threshold scam={word}")).is_err(), "{word}");
    }
}

#[test]
fn a_number_that_is_an_id_is_told_to_be_quoted() {
    let mut bench = Bench::ready(0.8);
    let file = bench.dir.path().join("ids.jsonl");
    std::fs::write(&file, "{\"id\":\"2024\",\"text\":\"a\"}\n").expect("written");
    bench.run(&format!("load samples {}", file.display())).1.expect("loaded");
    for (line, quoted) in [("sample 2024", true), ("sample 2025", false)] {
        let hint = bench.run(line).1.expect_err(line).complaint.hint.unwrap_or_default();
        assert_eq!(hint.contains("quote it: sample \"2024\""), quoted, "{line}: {hint}");
    }
    bench.run("sample \"2024\"").1.expect("by its id");
}

#[test]
fn a_persons_own_answer_has_no_margin_that_a_breakpoint_stops_at() {
    for (condition, stops) in [("margin < 0.9", false), ("p.yes < 0.9", false), ("answer == 'yes'", true)] {
        let mut bench = Bench::ready(0.8);
        bench.run("step").1.expect("a step");
        bench.run(&format!("break insult if {condition}")).1.expect("a breakpoint");
        let stop = bench.run("set answer insult=yes").1.expect("an answer");
        assert_eq!(matches!(stop, Stop::Breakpoint(_)), stops, "{condition}: {stop:?}");
    }
}
