//! The answers to view commands: `info`, `list`, `where`, `print`, `compare`, `help` and the like.
//!
//! Must not change anything: a view is computed from the state, the policy and the page alone.

use super::absent::missing;
use super::{Basis, Doc, Line, Page, beside, compare, help, info, source, value, walk};
use crate::command::{InfoTopic, Need, ViewCommand};
use crate::domain::Complaint;
use crate::policy::Policy;
use crate::session::expr::{self, Context, Vocabulary};
use crate::session::state::Walk;
use crate::session::{SessionState, WalkId};

/// What `command` shows.
///
/// # Errors
/// If what it asks for does not exist yet.
pub fn answer(command: &ViewCommand, state: &SessionState, basis: &Basis, page: Page) -> Result<Doc, Complaint> {
    use ViewCommand as C;
    match command {
        C::Info(topic) => info(*topic, state, basis, page),
        C::Node(node) => info::node(node.as_ref(), state, basis, page),
        C::List(node) => source::list(node.as_ref(), state, basis, page),
        C::Where => Ok(walk::path(state, current(state)?, basis, page)),
        C::Compare(None, _) => Ok(compare::compare(current(state)?, page)),
        C::Compare(Some(n), None) => Ok(beside::beside(walk_of(state, *n)?, current(state)?, page)),
        C::Compare(Some(n), Some(m)) => Ok(beside::beside(walk_of(state, *n)?, walk_of(state, *m)?, page)),
        C::Print(expr) => print(expr, state, basis),
        C::Help(topic) => help::help(topic.as_deref(), page),
        C::Apropos(words) => help::apropos(words, page),
    }
}

fn info(topic: InfoTopic, state: &SessionState, basis: &Basis, page: Page) -> Result<Doc, Complaint> {
    Ok(match topic {
        InfoTopic::Breakpoints => info::breakpoints(state),
        InfoTopic::Display => info::displays(state),
        InfoTopic::Node => info::node(None, state, basis, page)?,
        InfoTopic::Policy => info::policy(state, loaded(state, basis)?, basis, page),
        InfoTopic::Model => info::model(state, page)?,
        InfoTopic::Sample => info::sample(current(state)?, page),
        InfoTopic::Samples => info::samples(state, page)?,
        InfoTopic::Scores => info::scores(current(state)?)?,
        InfoTopic::Session => info::session(state, page),
        InfoTopic::Walks => info::walks(state, page),
        InfoTopic::Notes => info::notes(state, page),
    })
}

fn print(expr: &str, state: &SessionState, basis: &Basis) -> Result<Doc, Complaint> {
    let walk = state.walk_now();
    let steps = walk.map_or(0, |walk| walk.steps.len());
    // The steps of a walk may have been made under several policies, and the next is asked under the loaded one.
    let under = (0..=steps).filter_map(|place| basis.of_step(place));
    let mut policies: Vec<&Policy> = Vec::new();
    for policy in basis.loaded.as_deref().into_iter().chain(under) {
        if !policies.iter().any(|known| std::ptr::eq(*known, policy)) {
            policies.push(policy);
        }
    }
    // The answers that have values here are those of the node that was answered last.
    let last = steps.checked_sub(1);
    let node = last.and_then(|place| basis.of_step(place)?.node(walk?.steps.get(place)?.node.id.as_str()));
    let at = Vocabulary { policies: &policies, node, thresholds: state.thresholds_now(), ..Vocabulary::default() };
    let result = expr::check(expr, &at).and_then(|()| expr::eval(expr, &Context::of(state)));
    match result {
        Ok(_) => Ok(Doc(vec![value::evaluated(Line::new(), expr, &result)])),
        Err(error) => Err(error),
    }
}

fn current(state: &SessionState) -> Result<&Walk, Complaint> {
    state.walk_now().ok_or_else(|| missing(Need::Walk, state))
}

fn walk_of(state: &SessionState, id: u32) -> Result<&Walk, Complaint> {
    let hint = "`info walks` lists them.";
    state.walk(WalkId(id)).ok_or_else(|| Complaint::new(format!("there is no walk {id}")).hinted(hint))
}

fn loaded<'a>(state: &SessionState, basis: &'a Basis) -> Result<&'a Policy, Complaint> {
    basis.loaded.as_deref().ok_or_else(|| missing(Need::Policy, state))
}
