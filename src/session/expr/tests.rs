//! Tests of expressions: what they can read, what is refused, and that hostile ones stay harmless.

use super::*;
use crate::domain::{
    Content, Digest, Gold, Judgement, Name, Outcome, Rationale, Readout, Sample, StopReason, Target, Usage, Verdict,
};
use crate::policy::Policy;
use crate::session::{Fact, LeafReached, NodeRef, SessionState, Step, Subject, Taken, WalkId};

fn holds(condition: &str, context: &Context) -> Result<bool, Complaint> {
    Condition::read(condition)?.holds(context)
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn sample(gold: Option<Outcome>) -> Sample {
    Sample {
        gold: Gold { outcome: gold, label: None, path: vec![(name("asks"), name("no"))] },
        scores: vec![(name("scam"), 0.4)],
        thresholds: vec![(name("scam"), 0.8)],
        ..Sample::new("s-7", Content::Text("Send me a gift card".into()))
    }
}

fn state(gold: Option<Outcome>) -> SessionState {
    let mut state = SessionState::default();
    facts(sample(gold)).iter().for_each(|fact| state.apply(fact));
    state
}

/// A walk of this sample over one node to a leaf.
fn facts(sample: Sample) -> Vec<Fact> {
    let walk = WalkId(1);
    let readout = Readout::from_logprobs([(name("yes"), 0.6f64.ln()), (name("no"), 0.2f64.ln())]);
    let judgement = Judgement {
        rationale: Some(Rationale { text: "It asks.".into(), tokens: 3, stop: StopReason::Cue }),
        readout,
        prompt_sha256: Digest::of(b""),
        logits_sha256: Digest::of(b""),
        usage: Usage::default(),
    };
    let step = Step {
        node: NodeRef { id: name("asks"), hash: Digest::of(b"") },
        judgement: Some(judgement),
        prompt: Vec::new(),
        answer: name("yes"),
        taken: Taken::Argmax,
        target: Target::Leaf(name("remove")),
    };
    let leaf = LeafReached {
        id: name("remove"),
        verdict: Verdict { outcome: Outcome::Violating, label: Some(name("SC1")) },
        severity: Some(3),
        action: Some(name("remove_post")),
        rule_ids: Vec::new(),
    };
    vec![
        Fact::WalkStarted { walk, index: 6, sample, root: name("asks") },
        Fact::Stepped { walk, step },
        Fact::LeafReached { walk, leaf },
        Fact::ThresholdSet { name: name("scam"), value: 0.3 },
        Fact::Tagged { on: Subject::Walk(walk), tag: name("gift-card"), by: None },
    ]
}

#[test]
fn expressions_see_the_step_the_walk_and_the_sample() {
    let state = state(Some(Outcome::NonViolating));
    let context = Context::of(&state).with_hits(2);
    for source in [
        "p.yes > 0.74 and p[\"yes\"] < 0.76 and margin | round(3) == 0.5",
        "coverage < 0.81 and entropy > 0.8",
        "answer == 'yes' and node == \"asks\" and taken == 'argmax'",
        "verdict == 'violating' and outcome == verdict and label == 'SC1' and leaf == 'remove' and severity >= 3",
        "gold == 'non_violating' and verdict != gold and wrong",
        "gold_path.asks == 'no' and path.asks == 'yes'",
        "scores.scam < 0.8 and thresholds.scam == 0.3 and classifier == 'violating'",
        "sample.id == 's-7' and 'gift' in sample.text and sample.number == 7 and sample.text | length == 19",
        "'gift-card' in tags and steps == 1 and walk == 1 and hits == 2",
        "'asks' in rationale",
        "action is not none and cell == 'both_wrong' and confusion.llm == 'fp' and confusion.classifier == 'fp'",
        "p | length == 2",
    ] {
        assert_eq!(holds(source, &context), Ok(true), "{source}");
    }
}

#[test]
fn a_condition_that_reads_what_is_not_known_does_not_hold() {
    let state = state(None);
    let context = Context::of(&state);
    for source in
        ["verdict != gold", "gold != 'violating'", "not gold", "p.maybe < 0.5", "scores.hate < 1", "wrong == false"]
    {
        assert_eq!(holds(source, &context), Ok(false), "{source}");
    }
    assert_eq!(holds("gold is none", &context), Ok(true));
    assert_eq!(holds("gold is not none and verdict != gold", &context), Ok(false));
    for (source, expected) in [
        ("verdict == 'violating' or gold == 'violating'", true),
        ("gold == 'violating' or verdict == 'violating'", true),
        ("gold == 'violating' or verdict == 'escalate'", false),
        ("not (gold == 'violating' or verdict == 'escalate')", false),
        ("not (gold == 'violating' and verdict == 'escalate')", true),
        ("gold == 'violating' and verdict == 'violating'", false),
        ("gold is none or verdict != gold", true),
        ("gold is not none or verdict != gold", false),
        ("gold and gold | upper == 'X' or true", true),
    ] {
        assert_eq!(holds(source, &context), Ok(expected), "{source}");
    }
    assert_eq!(eval("sample.fields.caption", &context).unwrap().absent, ["sample.fields.caption".into()]);
    let evaluated = eval("p.maybe", &context).unwrap();
    assert_eq!((evaluated.value, evaluated.absent), (Value::None, vec!["p.maybe".into()]));
    let before = Context::of_sample(&state, 0, &sample(None));
    assert_eq!(holds("p.yes < 0.5", &before), Ok(false));
    assert_eq!(holds("scores.scam >= thresholds.scam", &before), Ok(true));
}

/// A policy of two nodes, `asks` (yes, no, in doubt) and `wants` (yes, maybe).
fn policy() -> Policy {
    let text = "[policy]\nid = \"p\"\nversion = \"1.0.0\"\ntitle = \"P\"\nroot = \"asks\"\ninstructions = \"Judge.\"\n\
                [node.asks]\nquestion = \"Does it ask?\"\n[node.asks.answers]\nyes = { next = \"wants\" }\n\
                no = { leaf = \"clean\" }\n\"in doubt\" = { leaf = \"clean\" }\n[node.wants]\nquestion = \"Does it want?\"\n\
                [node.wants.answers]\nyes = { leaf = \"remove\" }\nmaybe = { leaf = \"clean\" }\n\
                [leaf.remove]\noutcome = \"violating\"\nlabel = \"SC1\"\naction = \"remove_post\"\n\
                [leaf.clean]\noutcome = \"non_violating\"\n";
    crate::policy::parse("p.toml", text, &mut |_| Err(String::new())).policy.expect("a policy")
}

/// What is refused: the expression, what the message says, what the hint says.
fn assert_refused(at: &Vocabulary<'_>, cases: &[(&str, &str, &str)]) {
    let mut wrong = Vec::new();
    for (source, message, hint) in cases {
        match check(source, at) {
            Err(error)
                if error.message.raw().contains(message)
                    && error.hint.as_deref().unwrap_or_default().contains(hint) => {}
            other => wrong.push(format!("{source}: {other:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn names_that_there_are_not_are_refused_with_what_was_meant() {
    let policy = policy();
    let all = [&policy];
    let samples = [sample(None)];
    let at =
        Vocabulary { moment: Moment::Breakpoint, policies: &all, samples: Some(&samples), ..Vocabulary::default() };
    assert_refused(
        &at,
        &[
            ("", "the expression is empty", "p.yes < 0.6"),
            ("p.yes <", "cannot be read", "p.yes < 0.6"),
            ("a.b\u{1b}", "cannot be read", "p.yes < 0.6"),
            ("verdct == 'violating'", "there is no `verdct` here", "did you mean `verdict`?"),
            ("nonsense", "there is no `nonsense` here", "help expressions"),
            ("answer == yes", "there is no `yes` here", "texts stand in quotes: \"yes\""),
            ("sample.txt", "there is no `sample.txt` here", "did you mean `sample.text`?"),
            ("confusion.lml", "there is no `confusion.lml` here", "`confusion.llm`"),
            ("p.yse < 0.5", "no node of the policy has the answer `yse`", "did you mean `p.yes`?"),
            ("not (margin < 1 and p['yse'] < 0.5)", "the answer `yse`", "`p.yes`"),
            ("[p.yse]", "the answer `yse`", "`p.yes`"),
            ("p.yse | round(2) > 0.1", "the answer `yse`", "`p.yes`"),
            ("p.yse is none", "the answer `yse`", "`p.yes`"),
            ("(1 if p.yse > 0.2 else 2) == 1", "the answer `yse`", "`p.yes`"),
            ("'yse' in p", "the answer `yse`", "`p.yes`"),
            ("p['in doupt'] > 0", "the answer `in doupt`", "did you mean `p[\"in doubt\"]`?"),
            ("path.aks == 'yes'", "no node `aks`", "`path.asks`"),
            ("gold_path.aks is none", "no node `aks`", "`gold_path.asks`"),
            ("scores.scma > 0.5", "no loaded sample has a score `scma`", "`scores.scam`"),
            ("thresholds.scma > 0.5", "no loaded sample has a score `scma`", "`thresholds.scam`"),
            ("sample.fields.captoin is none", "no loaded sample has a field `captoin`", "there is none"),
            ("answer.yes", "`answer` has no parts", "it is an answer"),
            ("p is none", "`p` is several values", "`p.ANSWER`"),
            ("sample.text.nonsense()", "`sample.text` has no parts", "text"),
            ("range(10)", "there is no `range` here", "help expressions"),
            ("answer()", "cannot call functions", "filters"),
            ("answer | uper == 'YES'", "no filter `uper`", "did you mean `upper`?"),
            ("gold is defined", "`is defined` cannot be asked", "is not none"),
            ("gold is nonne", "no test `is nonne`", "did you mean `none`?"),
        ],
    );
    for fine in [
        "p.yes < 0.6 and verdict != gold",
        "p['in doubt'] > 0.1 or p.maybe > 0.1",
        "scores.scam >= thresholds.scam and hits < 3",
        "gold_path.asks == 'no' and path.wants == 'maybe'",
        "sample.text | length > 10 and tags | length == 0",
        "'asks' in path and 'x' in tags and 'gift' in sample.text",
        "p | length == 2",
        "true",
    ] {
        assert_eq!(check(fine, &at), Ok(()), "{fine}");
    }
}

#[test]
fn words_that_a_name_never_has_are_refused_with_what_was_meant() {
    let policy = policy();
    let all = [&policy];
    let samples = [sample(Some(Outcome::Violating))];
    let at = Vocabulary { policies: &all, samples: Some(&samples), ..Vocabulary::default() };
    assert_refused(
        &at,
        &[
            ("gold == \"violatin\"", "`gold` is never \"violatin\"", "did you mean \"violating\"?"),
            ("'violatin' != verdict", "`verdict` is never \"violatin\"", "\"violating\""),
            ("outcome in ['violating', 'escalat']", "`outcome` is never \"escalat\"", "\"escalate\""),
            ("outcome not in ('violating', 'escalat')", "`outcome` is never \"escalat\"", "\"escalate\""),
            ("classifier is eq 'violatin'", "`classifier` is never", "\"violating\""),
            ("cell == 'tpp'", "`cell` is never \"tpp\"", "it can be \"all_agree\""),
            ("cell == 'tp'", "`cell` is never \"tp\"", "`confusion.llm`"),
            ("cell == 'llm_worng'", "`cell` is never", "\"llm_wrong\""),
            ("confusion.llm == 'tpp'", "`confusion.llm` is never \"tpp\"", "\"tp\""),
            ("answer == 'yse'", "`answer` is never \"yse\"", "\"yes\""),
            ("node == 'aks'", "`node` is never \"aks\"", "\"asks\""),
            ("leaf == 'remov'", "`leaf` is never \"remov\"", "\"remove\""),
            ("label == 'SC2'", "`label` is never \"SC2\"", "\"SC1\""),
            ("gold_label == 'SC2'", "`gold_label` is never \"SC2\"", "\"SC1\""),
            ("action == 'remove_pots'", "`action` is never", "\"remove_post\""),
            ("taken == 'unsre'", "`taken` is never", "\"unsure\""),
            ("path.wants == 'no'", "`path.wants` is never \"no\"", "\"yes\", \"maybe\""),
            ("gold_path.wants == 'no'", "`gold_path.wants` is never \"no\"", "\"maybe\""),
            ("sample.id == 's-8'", "`sample.id` is never \"s-8\"", "\"s-7\""),
            ("gold == none", "`gold` cannot be compared with none", "`gold is none`"),
            ("gold == true", "`gold` is an outcome, and True is not", "\"violating\""),
            ("p.yes < '0.5'", "`p.yes` is a number, and \"0.5\" is not", "without quotes"),
            ("0.1 < margin < '0.5'", "`margin` is a number", "without quotes"),
            ("wrong == 'yes'", "`wrong` is true or false", "wrong"),
            ("tags == 'x'", "`tags` is a list of texts", "in tags"),
            ("p > 0.5", "`p` is several values", "`p.ANSWER`"),
            ("sample == 's-7'", "`sample` is several values", "`sample.id`"),
            ("'x' in margin", "`margin` is a number and contains nothing", "compare"),
            ("1 in tags", "`tags` holds text", "quotes"),
            ("p.yes == answer", "`p.yes` is a number and `answer` is an answer", "one kind"),
        ],
    );
    for fine in
        ["gold_path.asks == 'no'", "margin > 2", "verdict != gold", "action | upper == 'X'", "rationale == 'any'"]
    {
        assert_eq!(check(fine, &at), Ok(()), "{fine}");
    }
}

#[test]
fn what_is_known_depends_on_the_place() {
    let policy = policy();
    let all = [&policy];
    let samples = [sample(None)];
    let anywhere = Vocabulary { policies: &all, samples: Some(&samples), ..Vocabulary::default() };
    let before = Vocabulary { moment: Moment::Sample, ..anywhere };
    let at_wants = Vocabulary { moment: Moment::Breakpoint, node: policy.node("wants"), ..anywhere };
    assert_refused(
        &before,
        &[
            ("verdict == 'violating'", "`verdict` is not known before a sample is run", "gold, scores"),
            ("p.yes < 0.5", "`p.yes` is not known before a sample is run", "help expressions"),
            ("tags | length > 0", "`tags` is not known before", "help expressions"),
        ],
    );
    assert_refused(&anywhere, &[("hits > 1", "`hits` is known in the condition of a breakpoint only", "help")]);
    assert_refused(
        &at_wants,
        &[
            ("p.no < 0.5", "node `wants` has no answer `no`", "`p.yes`, `p.maybe`"),
            ("answer == 'no'", "`answer` is never \"no\"", "\"maybe\""),
        ],
    );
    assert_eq!(check("gold == 'violating' and scores.scam < thresholds.scam", &before), Ok(()));
    assert_eq!(check("hits == 1 and p.maybe < 0.5 and path.asks == 'no'", &at_wants), Ok(()));
    // Without a policy and samples, any answer, score and label may be one.
    let nothing = Vocabulary::default();
    assert_eq!(check("p.yse < 0.5 and scores.scma > 1 and gold_label == 'X' and answer == 'y'", &nothing), Ok(()));
}

/// A walk at its leaf, with human labels on outcome, label and path.
#[test]
fn every_name_of_the_table_has_a_value_somewhere_and_its_example_can_be_typed() {
    let mut labelled = sample(Some(Outcome::NonViolating));
    labelled.gold.label = Some(name("SC1"));
    labelled.content = Content::Fields(vec![crate::domain::Field { name: name("caption"), values: vec!["Hi".into()] }]);
    let mut state = SessionState::default();
    for fact in facts(labelled) {
        state.apply(&fact);
    }
    let context = Context::of(&state).with_hits(2);
    for variable in NAMES {
        let source = match variable.name {
            "p.ANSWER" => "p.yes".to_owned(),
            "sample.fields.NAME" => "sample.fields.caption".to_owned(),
            keyed if variable.keys == Some(Words::Score) || keyed == "thresholds.NAME" => {
                format!("{}scam", variable.fixed())
            }
            _ if variable.keys.is_some() => format!("{}asks", variable.fixed()),
            plain => plain.to_owned(),
        };
        let value = eval(&source, &context).unwrap_or_else(|e| panic!("{source}: {e}"));
        assert_eq!(value.absent, Vec::<Untrusted>::new(), "{source} has no value");
        let kind = match value.value {
            Value::Bool(_) => "true or false",
            Value::Integer(_) | Value::Number(_) => "number",
            Value::Text(_) => "text",
            Value::List(_) => "list",
            other => panic!("{source}: {other:?}"),
        };
        let said = match variable.kind {
            Kind::Number | Kind::Count => "number",
            Kind::Truth => "true or false",
            Kind::Text | Kind::Word(_) => "text",
            Kind::Texts => "list",
        };
        assert_eq!(kind, said, "{source}");
        let at = Vocabulary { moment: Moment::Breakpoint, ..Vocabulary::default() };
        assert_eq!(check(variable.example, &at), Ok(()), "{}", variable.example);
        assert!(variable.example.contains(variable.fixed().trim_end_matches('.')), "{}", variable.example);
    }
    for (filter, _) in FILTERS {
        let on = match filter.split('(').next().unwrap_or_default() {
            "round" | "abs" | "int" | "float" => "margin",
            "sum" => "[1]",
            "first" | "last" | "min" | "max" | "join" | "length" => "tags",
            _ => "answer",
        };
        let source = format!("{on} | {}", filter.replace("(N)", "(2)"));
        assert_eq!(eval(&source, &context).map(|e| e.absent), Ok(Vec::new()), "{source}");
    }
}

#[test]
fn completion_offers_what_can_be_named_at_the_place_and_quotes_what_is_no_plain_word() {
    let policy = policy();
    let all = [&policy];
    let samples = [sample(None)];
    let names = |moment| {
        let at = Vocabulary { moment, policies: &all, samples: Some(&samples), ..Vocabulary::default() };
        let offered = at.variables();
        assert!(offered.iter().all(|(_, told)| !told.is_empty()));
        offered.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    let anywhere = names(Moment::Walk);
    for name in ["p.yes", "p[\"in doubt\"]", "p.maybe", "path.asks", "scores.scam", "margin", "sample.text"] {
        assert_eq!(anywhere.iter().filter(|n| *n == name).count(), 1, "{name}");
    }
    assert!(!anywhere.contains(&"hits".to_owned()) && names(Moment::Breakpoint).contains(&"hits".to_owned()));
    let before = names(Moment::Sample);
    assert!(before.contains(&"gold".to_owned()) && !before.contains(&"verdict".to_owned()), "{before:?}");
}

#[test]
fn hostile_expressions_end_in_an_error_soon() {
    let context = Context::of(&state(None));
    let deep = format!("{}1{}", "(".repeat(1500), ")".repeat(1500));
    let nots = format!("{}true", "not ".repeat(1000));
    let minus = format!("{}1", "-".repeat(4000));
    let list = format!("{}{}", "[".repeat(2000), "]".repeat(2000));
    let long = "1+".repeat(5000) + "1";
    let pow = format!("2{}", "**9".repeat(1000));
    for source in [
        "'a' * 100000000 == 'b'",
        "('x' * 10000000) | length > 1",
        &deep,
        &nots,
        &minus,
        &list,
        &long,
        &pow,
        "sample.text | nonsense",
        "sample.text.nonsense()",
        "p()",
        "1 / 0 > 1",
        "9223372036854775807 * 9223372036854775807 * 9223372036854775807 * 9223372036854775807",
        "{% include 'x' %}",
        "sample.text < {'a': [1]}",
    ] {
        // The value does not matter: that it comes back, and as a value or an error, does.
        let start = std::time::Instant::now();
        let result = eval(source, &context);
        assert!(start.elapsed().as_secs() < 5, "{}", &source.chars().take(30).collect::<String>());
        if let Err(error) = result {
            assert!(!error.message.is_empty());
        }
    }
    for source in ["'a' * 100000000 == 'b'", &deep, &list, &long] {
        assert!(eval(source, &context).is_err(), "{}", &source.chars().take(30).collect::<String>());
    }
}

#[test]
fn values_come_out_as_plain_data() {
    let context = Context::of(&state(None));
    let value = |source: &str| eval(source, &context).unwrap().value;
    assert_eq!(value("1 + 1"), Value::Integer(2));
    assert_eq!(value("p.yes | round(6)"), Value::Number(0.75));
    assert_eq!(value("margin > 0.1"), Value::Bool(true));
    assert_eq!(value("answer"), Value::Text("yes".into()));
    assert_eq!(value("tags"), Value::List(vec![Value::Text("gift-card".into())]));
    assert_eq!(value("path"), Value::Map(vec![("asks".into(), Value::Text("yes".into()))]));
}
