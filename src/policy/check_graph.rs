//! Checks that need the whole graph: cycles, unreachable and unused items, exceptions asked too late.
//!
//! Must not recurse: a hostile policy may be a chain as long as the limits allow.

use super::check_file::warn;
use super::codes::Code;
use super::diagnostics::{Fault, Sink};
use super::fields::short;
use super::flat::{Flat, FlatNode, Spot};
use super::include::Loaded;
use super::words::{self, Exception, Words};
use crate::domain::{Name, Outcome};

/// Checks the graph.
pub(super) fn check(loaded: &Loaded, flat: &Flat<'_>, sink: &mut Sink) {
    id_lengths(loaded, flat, sink);
    let acyclic = cycles(flat, sink);
    if flat.open || !acyclic {
        return;
    }
    let Some(root) = flat.root else { return };
    reachability(loaded, flat, root, sink);
    idle_nodes(flat, sink);
    let Some(head) = loaded.drafts.first().and_then(|d| d.head.as_ref()) else { return };
    let used = |outcome| leaf_in_use(flat).any(|l| flat.leaves[l].draft.outcome == Some(outcome));
    if leaf_in_use(flat).all(|l| flat.leaves[l].draft.outcome.is_some()) {
        let (bad, good) = (used(Outcome::Violating), used(Outcome::NonViolating));
        if !(bad && good) {
            let message = match bad {
                true => "no walk can end as non_violating",
                false => "no walk can end as violating",
            };
            let fault = Fault::new(Code::OneSided, head.at, message);
            sink.push(fault.hint("add the missing leaf and an answer that leads to it"));
        }
        if !used(Outcome::Escalate) {
            let fault = Fault::new(Code::NoEscalation, head.at, "no walk can end as escalate");
            sink.push(fault.hint("add a leaf with outcome = \"escalate\" for what a person has to decide"));
        }
    }
    if flat.nodes.iter().all(|n| n.draft.unsure.is_none()) {
        let fault = Fault::new(Code::NoUnsure, head.at, "no node says where to go when the model cannot tell");
        sink.push(
            fault.hint("add [node.ID.unsure] with margin = 0.15 and a leaf that escalates, at least where it matters"),
        );
    }
    exceptions(flat, root, head.at, sink);
}

fn id_lengths(loaded: &Loaded, flat: &Flat<'_>, sink: &mut Sink) {
    let ids =
        flat.nodes.iter().map(|n| (&n.id, n.draft.id.at)).chain(flat.leaves.iter().map(|l| (&l.id, l.draft.id.at)));
    for (id, at) in ids.filter(|(id, _)| id.contains('/') && id.chars().count() > Name::MAX_CHARS) {
        // Reported at the include: the included file is fine on its own.
        let include = loaded.instances.iter().skip(1).find(|i| id.starts_with(&i.prefix));
        let name_at = include
            .and_then(|i| i.parent)
            .map_or(at, |(parent, number)| loaded.drafts[loaded.instances[parent].draft].includes[number].name.at);
        let message = format!("the id `{}` is longer than {} characters", short(id), Name::MAX_CHARS);
        sink.push(Fault::new(Code::BadId, name_at, message).hint("give the include a shorter name"));
    }
}

/// Reports one fault per edge that closes a cycle; returns whether there is none.
fn cycles(flat: &Flat<'_>, sink: &mut Sink) -> bool {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        Open(usize),
        Done,
    }
    let mut marks = vec![Mark::New; flat.nodes.len()];
    let mut acyclic = true;
    for start in 0..flat.nodes.len() {
        if marks[start] != Mark::New {
            continue;
        }
        let mut path: Vec<(usize, Vec<usize>)> = vec![(start, next_nodes(&flat.nodes[start]))];
        marks[start] = Mark::Open(0);
        while let Some((node, left)) = path.last_mut() {
            let node = *node;
            let Some(next) = left.pop() else {
                marks[node] = Mark::Done;
                path.pop();
                continue;
            };
            match marks[next] {
                Mark::Done => {}
                Mark::New => {
                    marks[next] = Mark::Open(path.len());
                    path.push((next, next_nodes(&flat.nodes[next])));
                }
                Mark::Open(depth) => {
                    acyclic = false;
                    let circle: Vec<usize> = path[depth..].iter().map(|(n, _)| *n).collect();
                    sink.push(cycle_fault(flat, node, next, &circle));
                }
            }
        }
    }
    acyclic
}

/// The nodes a node leads to, last first, so that they are popped in the order of the answers.
fn next_nodes(node: &FlatNode<'_>) -> Vec<usize> {
    let mut next: Vec<usize> =
        node.targets().filter_map(|s| if let Spot::Node(n) = s { Some(n) } else { None }).collect();
    next.reverse();
    next
}

fn cycle_fault(flat: &Flat<'_>, from: usize, to: usize, circle: &[usize]) -> Fault {
    const SHOWN: usize = 8;
    let mut names: Vec<&str> = circle.iter().take(SHOWN).map(|n| flat.nodes[*n].id.as_str()).collect();
    if circle.len() > SHOWN {
        names.push("…");
    }
    names.push(&flat.nodes[to].id);
    let draft = flat.nodes[from].draft;
    let answers = flat.nodes[from].answers.iter().zip(draft.answers.iter().map(|a| &a.goal));
    let unsure = draft.unsure.iter().map(|u| (&flat.nodes[from].unsure, &u.goal));
    let at = answers.chain(unsure).find(|(s, _)| **s == Some(Spot::Node(to))).and_then(|(_, goal)| goal.as_ref());
    let at = at.map_or(draft.id.at, |g| g.id.at);
    Fault::new(Code::Cycle, at, format!("a walk would go round for ever: {}", names.join(" → ")))
        .hint("lead this answer to a leaf, or to a node further on")
        .related("the circle begins here", flat.nodes[to].draft.id.at)
}

/// Every node that can be reached from `starts`, them included.
fn reach(flat: &Flat<'_>, starts: impl IntoIterator<Item = usize>) -> Vec<bool> {
    let mut seen = vec![false; flat.nodes.len()];
    let mut waiting: Vec<usize> = starts.into_iter().collect();
    while let Some(n) = waiting.pop() {
        if !std::mem::replace(&mut seen[n], true) {
            waiting.extend(next_nodes(&flat.nodes[n]));
        }
    }
    seen
}

/// The nodes that lead to each node.
fn parents(flat: &Flat<'_>) -> Vec<Vec<usize>> {
    let mut parents = vec![Vec::new(); flat.nodes.len()];
    for (i, node) in flat.nodes.iter().enumerate() {
        next_nodes(node).into_iter().for_each(|n| parents[n].push(i));
    }
    parents
}

/// Every node from which `node` can be reached, itself left out.
fn ancestors(parents: &[Vec<usize>], node: usize) -> Vec<bool> {
    let mut seen = vec![false; parents.len()];
    let mut waiting = parents[node].clone();
    while let Some(n) = waiting.pop() {
        if !std::mem::replace(&mut seen[n], true) {
            waiting.extend(&parents[n]);
        }
    }
    seen
}

fn leaf_in_use<'f>(flat: &'f Flat<'_>) -> impl Iterator<Item = usize> + 'f {
    flat.nodes.iter().flat_map(|n| n.targets()).filter_map(|s| if let Spot::Leaf(l) = s { Some(l) } else { None })
}

fn reachability(loaded: &Loaded, flat: &Flat<'_>, root: usize, sink: &mut Sink) {
    let reached = reach(flat, [root]);
    let mut entered = vec![false; loaded.instances.len()];
    for (node, _) in flat.nodes.iter().zip(&reached).filter(|(_, r)| **r) {
        let mut up = Some(node.instance);
        while let Some(i) = up.filter(|i| !std::mem::replace(&mut entered[*i], true)) {
            up = loaded.instances[i].parent.map(|(p, _)| p);
        }
    }
    entered[0] = true;
    for (i, instance) in loaded.instances.iter().enumerate() {
        let Some((parent, number)) = instance.parent.filter(|(p, _)| !entered[i] && entered[*p]) else { continue };
        let name = &loaded.drafts[loaded.instances[parent].draft].includes[number].name;
        let fault =
            Fault::new(Code::IncludeUnused, name.at, format!("nothing leads into include `{}`", short(&name.text)));
        sink.push(
            fault
                .hint(format!("let an answer lead there with next = \"{}\", or remove the include", short(&name.text))),
        );
    }
    // Everything below an unreachable node is unreachable too; only the topmost is reported.
    let mut below = vec![false; flat.nodes.len()];
    for (node, _) in flat.nodes.iter().zip(&reached).filter(|(_, r)| !**r) {
        next_nodes(node).into_iter().for_each(|n| below[n] = true);
    }
    for (i, node) in flat.nodes.iter().enumerate() {
        if !reached[i] && !below[i] && entered[node.instance] {
            let message = format!("no walk can reach node `{}`", short(&node.id));
            let fault = Fault::new(Code::UnreachableNode, node.draft.id.at, message);
            sink.push(fault.hint("let an answer lead to it, or remove it"));
        }
    }
    let mut used = vec![false; flat.leaves.len()];
    leaf_in_use(flat).for_each(|l| used[l] = true);
    for (leaf, _) in flat.leaves.iter().zip(&used).filter(|(l, used)| !**used && l.mapped.is_none()) {
        let message = format!("no answer leads to leaf `{}`", short(&leaf.id));
        let fault = Fault::new(Code::UnusedLeaf, leaf.draft.id.at, message);
        warn(sink, &leaf.draft.allow, fault.hint("let an answer lead to it, or remove it"));
    }
}

fn idle_nodes(flat: &Flat<'_>, sink: &mut Sink) {
    for node in &flat.nodes {
        let mut targets = node.targets();
        let Some(first) = targets.next() else { continue };
        if targets.all(|t| t == first) && node.answers.len() > 1 {
            let id = match first {
                Spot::Node(n) => &flat.nodes[n].id,
                Spot::Leaf(l) => &flat.leaves[l].id,
            };
            let message = format!("every answer of node `{}` leads to `{}`", short(&node.id), short(id));
            let fault = Fault::new(Code::IdleNode, node.draft.id.at, message);
            warn(sink, &node.draft.allow, fault.hint("lead the answers to different places, or remove the node"));
        }
    }
}

/// Exceptions work as sieves: asked first, before anything can be found violating.
fn exceptions(flat: &Flat<'_>, root: usize, head: super::source::At, sink: &mut Sink) {
    let outcome = |s: Spot| if let Spot::Leaf(l) = s { flat.leaves[l].draft.outcome } else { None };
    let violates = |n: &FlatNode<'_>| n.targets().any(|s| outcome(s) == Some(Outcome::Violating));
    let kinds: Vec<(bool, Exception)> = flat
        .nodes
        .iter()
        .map(|n| {
            let question = Words::of(n.draft.question.as_ref().map_or("", |q| q.text.as_str()));
            (words::is_english(&question), words::exception(&n.id, &question))
        })
        .collect();
    if !flat.nodes.iter().any(violates) || !kinds.iter().any(|(english, _)| *english) {
        return;
    }
    if kinds.iter().all(|(_, kind)| *kind == Exception::No) {
        let message = "no node asks whether an exception applies";
        let hint = "ask first for news, education, satire, counter-speech and the like, \
                    or write allow = [\"no-exception-sieve\"] in [policy] where there are none";
        sink.push(Fault::new(Code::NoExceptionSieve, head, message).hint(hint));
        return;
    }
    let is_sieve = |i: usize| {
        let passes = |s| matches!(outcome(s), Some(Outcome::NonViolating | Outcome::Escalate));
        kinds[i].1 == Exception::Yes && flat.nodes[i].targets().any(passes)
    };
    let reached = reach(flat, [root]);
    let judges = |i: usize| {
        let node = &flat.nodes[i];
        violates(node) && !is_sieve(i) && !words::waives_exceptions(&node.draft.guidance)
    };
    let judging: Vec<usize> = (0..flat.nodes.len()).filter(|i| reached[*i] && judges(*i)).collect();
    let below = reach(flat, judging.iter().flat_map(|i| next_nodes(&flat.nodes[*i])));
    let late = (0..flat.nodes.len()).filter(|i| below[*i] && is_sieve(*i));
    let parents = parents(flat);
    // Naming the node before it takes a search each; more than a few of these are one mistake.
    for late in late.take(20) {
        let node = &flat.nodes[late];
        let above = ancestors(&parents, late);
        let mut before = judging.iter().copied().filter(|i| above[*i]).map(|i| &flat.nodes[i]);
        // An included policy has its own exceptions, for its own verdicts.
        let Some(before) = before.find(|n| n.instance == node.instance) else { continue };
        let message = format!(
            "exception `{}` is asked after `{}`, which can already end as violating",
            short(&node.id),
            short(&before.id)
        );
        let fault = Fault::new(Code::LateException, node.draft.id.at, message)
            .hint("ask for exceptions first, or say in the guidance of the earlier node that none applies to it")
            .related("asked before it", before.draft.id.at);
        warn(sink, &node.draft.allow, fault);
    }
}
