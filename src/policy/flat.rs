//! All instances of the files (one per inclusion) as one graph: every id prefixed with the name of its include, every
//! target resolved to an index.
//!
//! Must not judge the graph; `check_graph` does.

use super::codes::Code;
use super::diagnostics::{Fault, Sink, did_you_mean};
use super::draft::{Goal, GoalKind, LeafDraft, NodeDraft};
use super::fields::short;
use super::include::Loaded;
pub(super) use super::index::Spot;
use super::limits;
use super::source::At;
use std::collections::HashMap;

/// A node of some instance.
#[derive(Debug)]
pub(super) struct FlatNode<'d> {
    pub id: String,
    pub draft: &'d NodeDraft,
    pub instance: usize,
    /// Targets, one per answer of the draft; `None` if a fault explains why.
    pub answers: Vec<Option<Spot>>,
    pub unsure: Option<Spot>,
}

impl FlatNode<'_> {
    /// Everything the node leads to.
    pub fn targets(&self) -> impl Iterator<Item = Spot> {
        self.answers.iter().copied().flatten().chain(self.unsure)
    }
}

/// A leaf of some instance.
#[derive(Debug)]
pub(super) struct FlatLeaf<'d> {
    pub id: String,
    pub draft: &'d LeafDraft,
    /// Where an including policy redirects this leaf.
    pub mapped: Option<Spot>,
}

/// The graph.
#[derive(Debug)]
pub(super) struct Flat<'d> {
    pub nodes: Vec<FlatNode<'d>>,
    pub leaves: Vec<FlatLeaf<'d>>,
    /// Index of the root node.
    pub root: Option<usize>,
    /// Whether some target could not be resolved, so that reachability proves nothing.
    pub open: bool,
}

struct Index<'d> {
    nodes: HashMap<String, usize>,
    leaves: HashMap<String, usize>,
    /// Instance by name without the closing slash.
    includes: HashMap<String, usize>,
    loaded: &'d Loaded,
    /// Looking for a similar id takes time in proportion to the policy, so only the first few unknown ones get it.
    suggestions: usize,
}

/// Joins all instances.
pub(super) fn flatten<'d>(loaded: &'d Loaded, sink: &mut Sink) -> Flat<'d> {
    let mut flat = Flat { nodes: Vec::new(), leaves: Vec::new(), root: None, open: false };
    let mut index =
        Index { nodes: HashMap::new(), leaves: HashMap::new(), includes: HashMap::new(), loaded, suggestions: 20 };
    for (number, instance) in loaded.instances.iter().enumerate() {
        let draft = &loaded.drafts[instance.draft];
        if number > 0 {
            index.includes.insert(instance.prefix.trim_end_matches('/').to_owned(), number);
        }
        for node in &draft.nodes {
            let id = format!("{}{}", instance.prefix, node.id.text);
            index.nodes.entry(id.clone()).or_insert(flat.nodes.len());
            flat.nodes.push(FlatNode { id, draft: node, instance: number, answers: Vec::new(), unsure: None });
        }
        for leaf in &draft.leaves {
            let id = format!("{}{}", instance.prefix, leaf.id.text);
            index.leaves.entry(id.clone()).or_insert(flat.leaves.len());
            flat.leaves.push(FlatLeaf { id, draft: leaf, mapped: None });
        }
        if flat.nodes.len() > limits::NODES || flat.leaves.len() > limits::LEAVES {
            let at = draft.nodes.last().map_or(At::new(instance.draft, 0..0), |n| n.id.at);
            let message = format!("a policy has at most {} nodes and {} leaves", limits::NODES, limits::LEAVES);
            sink.push(Fault::new(Code::TooLarge, at, message).hint("split it into policies that are used one by one"));
            sink.damaged = true;
            flat.open = true;
            return flat;
        }
    }
    index.resolve_all(&mut flat, sink);
    flat
}

impl<'d> Index<'d> {
    fn resolve_all(&mut self, flat: &mut Flat<'d>, sink: &mut Sink) {
        let loaded = self.loaded;
        for i in 0..flat.nodes.len() {
            let node = &flat.nodes[i];
            let (draft, prefix) = (node.draft, &loaded.instances[node.instance].prefix);
            let mut open = draft.answers.len() < 2;
            let mut follow = |goal: &Option<Goal>| {
                let spot = goal.as_ref().and_then(|g| self.spot(prefix, g, sink));
                open |= spot.is_none();
                spot
            };
            let answers = draft.answers.iter().map(|a| follow(&a.goal)).collect();
            let unsure = draft.unsure.as_ref().and_then(|u| follow(&u.goal));
            flat.open |= open;
            flat.nodes[i].answers = answers;
            flat.nodes[i].unsure = unsure;
        }
        for (number, instance) in loaded.instances.iter().enumerate() {
            let root = self.root(number, sink);
            if number == 0 {
                flat.root = root;
            }
            let Some((parent, include)) = instance.parent else { continue };
            let outer = &loaded.instances[parent];
            for (theirs, goal) in &loaded.drafts[outer.draft].includes[include].leaves {
                let spot = self.spot(&outer.prefix, goal, sink);
                flat.open |= spot.is_none();
                match self.leaves.get(&format!("{}{}", instance.prefix, theirs.text)) {
                    Some(leaf) => flat.leaves[*leaf].mapped = spot,
                    None => {
                        let leaves = loaded.drafts[instance.draft].leaves.iter().map(|l| l.id.text.as_str());
                        let hint = suggestion(&theirs.text, leaves, "name a leaf of the included policy");
                        let message = format!("the included policy has no leaf `{}`", short(&theirs.text));
                        sink.push(Fault::new(Code::IncludeLeaf, theirs.at, message).hint(hint));
                    }
                }
            }
        }
        self.follow_mappings(flat, sink);
    }

    /// Replaces every mapped leaf by its mapping, through several includes if needed.
    fn follow_mappings(&self, flat: &mut Flat<'d>, sink: &mut Sink) {
        let mut ends = Vec::with_capacity(flat.leaves.len());
        for (i, leaf) in flat.leaves.iter().enumerate() {
            let mut spot = Spot::Leaf(i);
            let mut left = limits::INCLUDES;
            while let Spot::Leaf(l) = spot
                && let Some(next) = flat.leaves[l].mapped
            {
                if left == 0 {
                    let message = format!("leaf `{}` is mapped to itself through other leaves", short(&leaf.id));
                    let fault = Fault::new(Code::Cycle, leaf.draft.id.at, message);
                    sink.push(fault.hint("map one of them to a leaf of this policy's own"));
                    break;
                }
                left -= 1;
                spot = next;
            }
            ends.push(spot);
        }
        let end = |spot: &mut Spot| {
            if let Spot::Leaf(l) = *spot {
                *spot = ends[l];
            }
        };
        for node in &mut flat.nodes {
            node.answers.iter_mut().flatten().chain(node.unsure.as_mut()).for_each(end);
        }
    }

    /// The node at which an instance is entered.
    fn root(&mut self, instance: usize, sink: &mut Sink) -> Option<usize> {
        let prefix = &self.loaded.instances[instance].prefix;
        let root = self.loaded.drafts[self.loaded.instances[instance].draft].head.as_ref()?.root.as_ref()?;
        let goal = Goal { kind: GoalKind::Next, id: root.clone() };
        match self.find(prefix, &goal, 0) {
            Some(Spot::Node(n)) => Some(n),
            _ => {
                let draft = &self.loaded.drafts[self.loaded.instances[instance].draft];
                let asks_nothing = draft.nodes.is_empty() && draft.includes.is_empty();
                if !root.text.trim().is_empty() && !asks_nothing {
                    let message = format!("the root `{}` is not a node", short(&root.text));
                    let hint = self.similar(prefix, &goal, "write the id of the node that is asked first");
                    sink.push(Fault::new(Code::UnknownRoot, root.at, message).hint(hint));
                }
                None
            }
        }
    }

    /// Resolves a goal, without reporting faults. An include's name means its root; `depth` counts roots that are
    /// includes.
    fn find(&self, prefix: &str, goal: &Goal, depth: usize) -> Option<Spot> {
        let id = format!("{prefix}{}", goal.id.text);
        if goal.kind == GoalKind::Leaf {
            return self.leaves.get(&id).copied().map(Spot::Leaf);
        }
        if let Some(node) = self.nodes.get(&id) {
            return Some(Spot::Node(*node));
        }
        let instance = &self.loaded.instances[*self.includes.get(&id).filter(|_| depth <= limits::INCLUDE_DEPTH)?];
        let root = self.loaded.drafts[instance.draft].head.as_ref()?.root.clone()?;
        self.find(&instance.prefix, &Goal { kind: GoalKind::Next, id: root }, depth + 1)
    }

    /// Where a goal leads, or a fault.
    fn spot(&mut self, prefix: &str, goal: &Goal, sink: &mut Sink) -> Option<Spot> {
        if let Some(spot) = self.find(prefix, goal, 0) {
            return Some(spot);
        }
        let id = format!("{prefix}{}", goal.id.text);
        let is_place = self.nodes.contains_key(&id) || self.includes.contains_key(&id);
        let written = short(&goal.id.text);
        let fault = match goal.kind {
            _ if goal.id.text.trim().is_empty() => return None,
            GoalKind::Next if is_place => return None, // an include without a good root: said there
            GoalKind::Next if self.leaves.contains_key(&id) => {
                Fault::new(Code::TargetKind, goal.id.at, format!("`{written}` is a leaf, not a node"))
                    .hint(format!("write leaf = \"{written}\""))
            }
            GoalKind::Leaf if is_place => {
                Fault::new(Code::TargetKind, goal.id.at, format!("`{written}` is a node, not a leaf"))
                    .hint(format!("write next = \"{written}\""))
            }
            GoalKind::Next => Fault::new(Code::UnknownNode, goal.id.at, format!("there is no node `{written}`"))
                .hint(self.similar(prefix, goal, "add [node.ID] with this id, or name one that exists")),
            GoalKind::Leaf => Fault::new(Code::UnknownLeaf, goal.id.at, format!("there is no leaf `{written}`"))
                .hint(self.similar(prefix, goal, "add [leaf.ID] with this id, or name one that exists")),
        };
        sink.push(fault);
        None
    }

    fn similar(&mut self, prefix: &str, goal: &Goal, otherwise: &str) -> String {
        if self.suggestions == 0 {
            return otherwise.to_owned();
        }
        self.suggestions -= 1;
        let ids = if goal.kind == GoalKind::Leaf { &self.leaves } else { &self.nodes };
        let mut ids: Vec<&str> = ids.keys().filter_map(|id| id.strip_prefix(prefix)).collect();
        ids.sort_unstable();
        suggestion(&goal.id.text, ids, otherwise)
    }
}

fn suggestion<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>, otherwise: &str) -> String {
    did_you_mean(word, candidates).map_or_else(|| otherwise.to_owned(), |meant| format!("did you mean `{meant}`?"))
}
