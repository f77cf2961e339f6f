//! `Policies`: the policies of a session, each parsed once from its record and then shared by the engine and all views.
//!
//! Must take a policy's text from its record alone, never from a file, which may have changed since.

use super::fact::{PolicyRecord, SourceFile};
use crate::policy::{self, Policy};
use std::sync::{Arc, Mutex, PoisonError};

type Known = (Arc<PolicyRecord>, Option<Arc<Policy>>);

/// A handle on the parsed policies of a session; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Policies(Arc<Mutex<Vec<Known>>>);

impl Policies {
    /// The policy of a record; `None` if the record does not hold a valid policy.
    pub fn of(&self, record: &Arc<PolicyRecord>) -> Option<Arc<Policy>> {
        self.known_or(record, || parsed(record).map(Arc::new))
    }

    /// Adds an already parsed policy; returns the shared one for its record.
    pub fn add(&self, record: PolicyRecord, policy: Policy) -> Arc<Policy> {
        let policy = Arc::new(policy);
        self.known_or(&Arc::new(record), || Some(Arc::clone(&policy))).unwrap_or(policy)
    }

    fn known_or(
        &self,
        record: &Arc<PolicyRecord>,
        parsed: impl FnOnce() -> Option<Arc<Policy>>,
    ) -> Option<Arc<Policy>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A session file comes from outside: that two records claim the same digest does not make them equal.
        let same = |other: &Arc<PolicyRecord>| {
            Arc::ptr_eq(record, other) || (record.sha256 == other.sha256 && record.files == other.files)
        };
        if let Some((_, policy)) = known.iter().find(|(other, _)| same(other)) {
            return policy.clone();
        }
        let policy = parsed();
        known.push((Arc::clone(record), policy.clone()));
        policy
    }
}

/// The policy of a record, parsed from the source that the record holds.
fn parsed(record: &PolicyRecord) -> Option<Policy> {
    let main = record.files.first()?;
    let mut find = |path: &str| {
        let file: Option<&SourceFile> = record.files.iter().find(|f| f.path.raw() == path);
        file.map(|f| f.text.raw().to_owned()).ok_or_else(|| format!("the record does not hold {path}"))
    };
    policy::parse(main.path.raw(), main.text.raw(), &mut find).policy
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Digest, Name};

    fn record(title: &str) -> Arc<PolicyRecord> {
        let text = format!(
            "[policy]\nid = \"p\"\nversion = \"1.0.0\"\ntitle = \"{title}\"\nroot = \"a\"\ninstructions = \"Judge.\"\n\
             [node.a]\nquestion = \"Is it so?\"\nanswers = {{ yes = {{ leaf = \"x\" }}, no = {{ leaf = \"y\" }} }}\n\
             [leaf.x]\noutcome = \"violating\"\n[leaf.y]\noutcome = \"non_violating\"\n"
        );
        Arc::new(PolicyRecord {
            id: Name::new("p").expect("a name"),
            version: "1.0.0".into(),
            title: title.into(),
            sha256: Digest::of(b"claimed"),
            files: vec![SourceFile { path: "p.toml".into(), text: text.into() }],
        })
    }

    #[test]
    fn a_policy_is_parsed_once_and_shared_by_all_who_hold_its_record() {
        let policies = Policies::default();
        let first = policies.of(&record("One")).expect("a policy");
        let again = policies.clone().of(&record("One")).expect("a policy");
        assert!(Arc::ptr_eq(&first, &again));
    }

    #[test]
    fn a_digest_that_a_record_merely_claims_does_not_show_another_records_text() {
        let policies = Policies::default();
        assert_eq!(policies.of(&record("One")).expect("a policy").title.raw(), "One");
        assert_eq!(policies.of(&record("Two")).expect("a policy").title.raw(), "Two");
        let broken = Arc::new(PolicyRecord { files: Vec::new(), ..(*record("One")).clone() });
        assert_eq!(policies.of(&broken), None);
    }
}
