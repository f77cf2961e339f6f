//! Builds a [`Policy`], with content hashes, from a graph without errors.
//!
//! Must not be called if there are errors; must not change any text.

use super::draft::{NodeDraft, Text};
use super::flat::{Flat, Spot};
use super::include::Loaded;
use super::terms::Terms;
use super::tree::{Example, Leaf, Node, Policy, Term, Unsure};
use crate::domain::{Digest, Name, Target, Verdict};
use crate::policy::source::LineIndex;
use crate::text::Untrusted;

/// The policy; `None` only if an earlier pass missed an error.
pub(super) fn policy(loaded: &Loaded, flat: &Flat<'_>, terms: &Terms<'_>) -> Option<Policy> {
    let head = loaded.drafts.first()?.head.as_ref()?;
    let lines: Vec<LineIndex> = loaded.files.iter().map(|f| LineIndex::new(f.text.raw())).collect();
    let name = |text: &str| Name::new(text).ok();
    let untrusted = |t: &Text| Untrusted::from(t.text.as_str());
    let node_ids: Vec<Name> = flat.nodes.iter().map(|n| name(&n.id)).collect::<Option<_>>()?;
    let leaf_ids: Vec<Name> = flat.leaves.iter().map(|l| name(&l.id)).collect::<Option<_>>()?;
    let target = |spot: Spot| match spot {
        Spot::Node(n) => node_ids.get(n).cloned().map(Target::Node),
        Spot::Leaf(l) => leaf_ids.get(l).cloned().map(Target::Leaf),
    };
    let mut nodes = Vec::with_capacity(flat.nodes.len());
    for (flat_node, id) in flat.nodes.iter().zip(&node_ids) {
        let draft = flat_node.draft;
        let mut answers = Vec::with_capacity(draft.answers.len());
        for (answer, spot) in draft.answers.iter().zip(&flat_node.answers) {
            answers.push((name(&answer.name.text)?, target((*spot)?)?));
        }
        let mut examples = Vec::with_capacity(draft.examples.len());
        for example in &draft.examples {
            examples.push(Example {
                text: untrusted(example.text.as_ref()?),
                answer: name(&example.answer.as_ref()?.text)?,
                why: example.why.as_ref().map(untrusted),
            });
        }
        let unsure = match &draft.unsure {
            Some(u) => Some(Unsure { margin: u.margin, target: target(flat_node.unsure?)? }),
            None => None,
        };
        let file = draft.id.at.file as usize;
        nodes.push(Node {
            id: id.clone(),
            question: untrusted(draft.question.as_ref()?),
            guidance: draft.guidance.iter().map(untrusted).collect(),
            examples,
            answers,
            unsure,
            hash: node_hash(draft, terms),
            line: lines.get(file)?.place(loaded.files.get(file)?.text.raw(), draft.id.at.start as usize).0,
            file,
        });
    }
    let mut leaves = Vec::with_capacity(flat.leaves.len());
    for (flat_leaf, id) in flat.leaves.iter().zip(&leaf_ids).filter(|(l, _)| l.mapped.is_none()) {
        let draft = flat_leaf.draft;
        let label = |t: &Option<Text>| t.as_ref().and_then(|t| name(&t.text));
        leaves.push(Leaf {
            id: id.clone(),
            verdict: Verdict { outcome: draft.outcome?, label: label(&draft.label) },
            severity: draft.severity,
            action: label(&draft.action),
            rule_ids: draft.rule_ids.iter().map(|r| name(&r.text)).collect::<Option<_>>()?,
        });
    }
    Some(Policy {
        id: name(&head.id.as_ref()?.text)?,
        version: untrusted(head.version.as_ref()?),
        title: untrusted(head.title.as_ref()?),
        owner: head.owner.as_ref().map(untrusted),
        effective: head.effective.as_ref().map(untrusted),
        root: node_ids.get(flat.root?)?.clone(),
        instructions: instructions(loaded),
        layout: head.layout,
        terms: terms
            .all
            .iter()
            .map(|(name, definition)| Term { name: untrusted(name), definition: untrusted(definition) })
            .collect(),
        nodes,
        leaves,
        sha256: digest(loaded),
    })
}

/// The policy's own instructions first, then those of each included file once, as paragraphs: so all nodes share one
/// prefix, and an included node keeps the instructions it was written with.
fn instructions(loaded: &Loaded) -> Untrusted {
    let all = loaded.drafts.iter().filter_map(|d| d.head.as_ref()?.instructions.as_ref());
    all.map(|t| t.text.as_str()).collect::<Vec<_>>().join("\n\n").into()
}

/// Hash of what the model reads at this node: question, guidance, examples, answers (not where they lead) and the
/// definitions of the terms used, directly or through other definitions. Changing this list requires a new version in
/// the first part.
fn node_hash(draft: &NodeDraft, terms: &Terms<'_>) -> Digest {
    let question = draft.question.iter().map(|t| ("question", t));
    let guidance = draft.guidance.iter().map(|t| ("guidance", t));
    let examples = draft.examples.iter().flat_map(|e| {
        let (text, answer, why) = (e.text.iter(), e.answer.iter(), e.why.iter());
        text.map(|t| ("example", t)).chain(answer.map(|t| ("example answer", t))).chain(why.map(|t| ("example why", t)))
    });
    let answers = draft.answers.iter().map(|a| ("answer", &a.name));
    let texts = draft.question.iter().chain(&draft.guidance).map(|t| t.text.as_str());
    let used = terms.used_by(texts);
    let terms = used.iter().flat_map(|i| [("term", terms.all[*i].0), ("definition", terms.all[*i].1)]);
    let all = question.chain(guidance).chain(examples).chain(answers).chain(terms);
    let mut parts: Vec<&[u8]> = vec![b"node/1"];
    parts.extend(all.flat_map(|(tag, text)| [tag.as_bytes(), text.text.as_bytes()]));
    Digest::of_parts(parts)
}

/// For one file, the digest of its bytes, as `sha256sum` prints it; for several, a digest over their relative paths and
/// texts, so that a policy has the same digest in every folder.
fn digest(loaded: &Loaded) -> Digest {
    match loaded.files.as_slice() {
        [only] => Digest::of(only.text.raw().as_bytes()),
        files => Digest::of_parts(
            files.iter().zip(&loaded.relative).flat_map(|(f, path)| [path.as_bytes(), f.text.raw().as_bytes()]),
        ),
    }
}
