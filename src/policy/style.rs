//! Style diagnostics of nodes: what makes a model answer wrongly although the tree is sound.
//!
//! Must only warn; `words` knows the wording, this file finds its position.

use super::check_file::warn;
use super::codes::Code;
use super::diagnostics::{Fault, Sink};
use super::draft::{Draft, NodeDraft, Text};
use super::fields::short;
use super::include::Loaded;
use super::source::At;
use super::terms::locate;
use super::words::{self, Words};
use crate::text::Escaped;
use std::collections::HashMap;

/// A question of more words than this is not kept in mind; guides for such policies advise one condition a question.
const QUESTION_WORDS: usize = 50;
/// Characters of question, guidance and examples together; about 1,500 tokens, three times what guides advise for a
/// section.
const NODE_CHARS: usize = 6_000;

/// Checks the style of every file.
pub(super) fn check(loaded: &Loaded, sink: &mut Sink) {
    for (file, draft) in loaded.drafts.iter().enumerate() {
        // An included policy may leave the instructions to the one that includes it.
        if file == 0
            && let Some(head) = draft.head.as_ref().filter(|h| h.instructions.is_none())
        {
            let fault = Fault::new(Code::NoInstructions, head.at, "[policy] has no instructions");
            sink.push(
                fault.hint("write instructions = \"\"\"…\"\"\": who the model is, what it reads, how it should answer"),
            );
        }
        hidden_characters(loaded, draft, sink);
        let mut questions: HashMap<String, At> = HashMap::new();
        for node in &draft.nodes {
            check_question(loaded, node, &mut questions, sink);
            check_examples(node, sink);
            for rule in &node.guidance {
                if let Some(word) = words::vague_rule(&Words::of(&rule.text)) {
                    vague(loaded, node, rule, word, sink);
                }
            }
            let texts = node.guidance.iter().chain(node.examples.iter().flat_map(|e| e.text.iter().chain(&e.why)));
            let size: usize = node.question.iter().chain(texts).map(|t| t.text.chars().count()).sum();
            if size > NODE_CHARS {
                let message = format!("node `{}` has {size} characters of text", short(&node.id.text));
                let fault = Fault::new(Code::LongNode, node.id.at, message);
                warn(
                    sink,
                    &node.allow,
                    fault.hint(format!("stay below {NODE_CHARS}: split the node, or move definitions to [[term]]")),
                );
            }
        }
    }
}

fn check_question<'d>(loaded: &Loaded, node: &'d NodeDraft, seen: &mut HashMap<String, At>, sink: &mut Sink) {
    let Some(question) = node.question.as_ref().filter(|q| !q.text.trim().is_empty()) else { return };
    let text: &'d str = &question.text;
    let read = Words::of(text);
    let mut say = |fault: Fault| warn(sink, &node.allow, fault);
    if words::double_negation(&read) {
        let fault = Fault::new(Code::DoubleNegation, question.at, "the question negates twice");
        say(fault.hint("ask for what is there, so that `yes` means that it is"));
    }
    if words::two_judgments(&read) {
        let fault = Fault::new(Code::TwoJudgments, question.at, "the question asks two things at once");
        say(fault.hint("make two nodes of it, one condition each"));
    }
    if let Some(phrase) = words::counting(&read) {
        let fault = Fault::new(Code::Counting, question.at, format!("the question makes the model count (`{phrase}`)"));
        say(fault.hint("ask whether something is there at all, or let other software count"));
    }
    let count = text.split_whitespace().count();
    if count > QUESTION_WORDS {
        let fault = Fault::new(Code::LongQuestion, question.at, format!("the question has {count} words"));
        say(fault.hint(format!("stay below {QUESTION_WORDS}: move conditions to guidance, or split the node")));
    }
    if let Some(word) = words::vague(&read) {
        vague(loaded, node, question, word, sink);
    }
    let key = text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    match seen.get(&key) {
        Some(first) => {
            let fault = Fault::new(Code::RepeatedQuestion, question.at, "another node asks the same question");
            let fault = fault.hint("share one node (two answers may lead to it), or say what is different");
            warn(sink, &node.allow, fault.related("the first is here", *first));
        }
        None => {
            seen.insert(key, question.at);
        }
    }
}

fn vague(loaded: &Loaded, node: &NodeDraft, text: &Text, word: &str, sink: &mut Sink) {
    let at = locate(loaded, text.at, word);
    let fault = Fault::new(Code::VagueWords, at, format!("`{word}` means something else to every reader"));
    warn(sink, &node.allow, fault.hint("say what counts and what does not, or define it with [[term]]"));
}

fn check_examples(node: &NodeDraft, sink: &mut Sink) {
    let name = short(&node.id.text);
    if node.examples.is_empty() {
        let fault = Fault::new(Code::NoExamples, node.id.at, format!("node `{name}` has no examples"));
        warn(sink, &node.allow, fault.hint("add at least two near the boundary, one on each side"));
        return;
    }
    let mut answers = node.examples.iter().filter_map(|e| e.answer.as_ref()).map(|a| &a.text);
    let Some(first) = answers.next() else { return };
    if answers.all(|a| a == first) && node.examples.iter().all(|e| e.answer.is_some()) {
        let message = format!("every example of node `{name}` has the answer `{}`", short(first));
        let at = node.examples.first().and_then(|e| e.answer.as_ref()).map_or(node.id.at, |a| a.at);
        let fault = Fault::new(Code::OneSidedExamples, at, message);
        warn(sink, &node.allow, fault.hint("add one with another answer, just on the other side of the boundary"));
    }
}

/// Controls and invisible characters in what the model reads as policy. Examples may hold them: samples do.
fn hidden_characters(loaded: &Loaded, draft: &Draft, sink: &mut Sink) {
    let head = draft.head.iter().flat_map(|h| h.instructions.iter().chain(&h.title)).map(|t| (t, &[][..]));
    let terms = draft.terms.iter().flat_map(|t| std::iter::once(&t.name).chain(&t.definition)).map(|t| (t, &[][..]));
    let nodes = draft.nodes.iter().flat_map(|n| n.question.iter().chain(&n.guidance).map(|t| (t, n.allow.as_slice())));
    // Most policies are plain ASCII, which escaping leaves as it is; looking closely takes time.
    let plain = |t: &Text| t.text.bytes().all(|b| matches!(b, b' '..=b'~' | b'\n' | b'\t' | b'\r'));
    for (text, allow) in head.chain(terms).chain(nodes).filter(|(t, _)| !plain(t)) {
        let hidden = |c: &char| {
            !matches!(c, '\n' | '\t' | '\r') && Escaped::line(c.encode_utf8(&mut [0; 4])).as_str() != c.to_string()
        };
        // Emoji sequences hold joiners that are hidden alone and fine together: the whole line decides.
        let bad_line = text
            .text
            .split('\n')
            .map(|l| l.trim_end_matches('\r').replace('\t', " "))
            .find(|l| Escaped::line(l).as_str() != l);
        let Some(found) = bad_line.and_then(|l| l.chars().find(hidden)) else { continue };
        let at = locate(loaded, text.at, &found.to_string());
        let message = format!("the text holds the hidden character U+{:04X}", found as u32);
        let fault = Fault::new(Code::HiddenCharacter, at, message);
        warn(sink, allow, fault.hint("remove it: the model reads it, people do not see it"));
    }
}
