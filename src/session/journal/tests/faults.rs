//! Every call to the disk fails, once or permanently, in every way; the power fails after every call, with every
//! combination of unsynced writes. Nothing acknowledged may be lost, nothing may be invented, and nothing may be
//! acknowledged wrongly.

use crate::session::arbitrary;
use crate::session::journal::*;
use crate::session::sim_disk::{Failure, Plan, SimDisk};
use std::panic::{AssertUnwindSafe, catch_unwind};

const PATH: &str = "dir/s.jsonl";
const COPY: &str = "dir/copy.jsonl";

const FAILURES: [Failure; 6] = [
    Failure::Error(io::ErrorKind::StorageFull),
    Failure::Error(io::ErrorKind::Other),
    Failure::Error(io::ErrorKind::Interrupted),
    Failure::Full,
    Failure::Short,
    Failure::Sync,
];

/// Facts of different length, some longer than many sectors.
fn facts() -> Vec<Fact> {
    arbitrary::one_of_each().into_iter().take(9).collect()
}

/// What the program learned about its writes.
#[derive(Debug, Default)]
struct Told {
    /// How many facts were acknowledged.
    acknowledged: usize,
    /// How many it tried to write, the failed ones included.
    tried: usize,
    /// Whether the copy was acknowledged, and with how many facts.
    copied: Option<usize>,
}

/// Creates a session, writes half of the facts, closes and reopens it, writes the rest, and copies it. Continues after
/// an error as an engine does: with the next fact.
fn run(disk: &SimDisk, facts: &[Fact]) -> Told {
    let mut told = Told { tried: 1, ..Told::default() };
    let half = facts.len() / 2;
    let Ok(mut journal) = Journal::create_on(Arc::new(disk.clone()), Path::new(PATH), &facts[0]) else { return told };
    told.acknowledged = 1;
    let mut failed = write(&mut journal, &facts[1..half], &mut told, false);
    drop(journal);
    if failed {
        return told;
    }
    let Ok((mut journal, back, recovery)) = Journal::resume_on(Arc::new(disk.clone()), Path::new(PATH)) else {
        return told;
    };
    assert_eq!((back.as_slice(), recovery.is_clean()), (&facts[..half], true));
    failed = write(&mut journal, &facts[half..], &mut told, failed);
    let count = told.acknowledged;
    if journal.copy_to(Path::new(COPY), false).is_ok() {
        told.copied = Some(count);
    }
    assert!(!failed || journal.append(&facts[1]).is_err(), "a poisoned journal took a fact");
    told
}

/// Appends; says whether one failed. After a failure everything has to fail.
fn write(journal: &mut Journal, facts: &[Fact], told: &mut Told, mut failed: bool) -> bool {
    for fact in facts {
        if !failed {
            told.tried += 1;
        }
        match journal.append(fact) {
            Ok(()) => {
                assert!(!failed, "a fact was acknowledged after a failure");
                told.acknowledged += 1;
            }
            Err(JournalError::Poisoned { .. }) => assert!(failed, "poisoned by nothing"),
            Err(e) => {
                assert!(!failed, "a poisoned journal wrote again: {e}");
                failed = true;
            }
        }
    }
    failed
}

/// Opens the session on what is left of the disk and compares it with what was acknowledged.
fn check(disk: &SimDisk, facts: &[Fact], told: &Told, case: &str) {
    match Journal::resume_on(Arc::new(disk.clone()), Path::new(PATH)) {
        Ok((mut journal, back, recovery)) => {
            assert!(back.len() >= told.acknowledged, "{case}: {} of {} facts", back.len(), told.acknowledged);
            assert!(back.len() <= told.tried, "{case}: facts that were never written");
            assert_eq!(back, facts[..back.len()], "{case}");
            assert_eq!(recovery.damage, None, "{case}");
            // Facts that were read once stay, even if the previous process had left them in memory only.
            outlives(&disk.power_cut(&mut choices(0)), &back, case);
            journal.append(&facts[1]).unwrap_or_else(|e| panic!("{case}: {e}"));
            let more: Vec<Fact> = back.iter().chain([&facts[1]]).cloned().collect();
            outlives(&disk.power_cut(&mut choices(0)), &more, case);
        }
        Err(JournalError::NotBegun { .. }) => assert_eq!(told.acknowledged, 0, "{case}"),
        Err(JournalError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            assert_eq!(told.acknowledged, 0, "{case}: the file is gone");
        }
        // Zeros in place of the header, or a mixture of it and zeros.
        Err(JournalError::NotASession { .. } | JournalError::Damaged { .. } | JournalError::Version { .. }) => {
            assert_eq!(told.acknowledged, 0, "{case}: unreadable");
        }
        Err(e) => panic!("{case}: {e}"),
    }
    let files = disk.files();
    match (files.get(Path::new(COPY)), told.copied) {
        (Some(bytes), Some(count)) => {
            let scan = recover::scan(Path::new(COPY), bytes).unwrap_or_else(|e| panic!("{case}: {e}"));
            assert_eq!((&scan.facts[..], scan.recovery.is_clean()), (&facts[..count], true), "{case}: the copy");
        }
        (None, Some(_)) => panic!("{case}: the copy is gone"),
        // Not acknowledged: it may be there, whole, or hold nothing.
        (Some(bytes), None) if !bytes.is_empty() => {
            let scan = recover::scan(Path::new(COPY), bytes).unwrap_or_else(|e| panic!("{case}: {e}"));
            assert!(scan.recovery.is_clean(), "{case}: half a copy");
        }
        _ => {}
    }
}

/// A second power cut after the session was opened again takes nothing away.
fn outlives(left: &SimDisk, facts: &[Fact], case: &str) {
    let (_, back, recovery) = Journal::resume_on(Arc::new(left.clone()), Path::new(PATH))
        .unwrap_or_else(|e| panic!("{case}, opened again, then the power was cut: {e}"));
    // A torn end whose removal did not reach the disk may come back; it is then found again.
    assert_eq!((back.as_slice(), recovery.damage), (facts, None), "{case}, opened again, then the power was cut");
}

/// Choices of a power cut: none, all, or a mixture that `seed` decides.
fn choices(seed: u32) -> impl FnMut() -> bool {
    let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
    move || match seed {
        0 => false,
        1 => true,
        _ => {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state & 4 == 0
        }
    }
}

#[test]
fn no_failure_of_any_call_loses_or_invents_a_fact_or_lies() {
    let facts = facts();
    let disk = SimDisk::default();
    let told = run(&disk, &facts);
    assert_eq!((told.acknowledged, told.copied), (facts.len(), Some(facts.len())));
    let calls = disk.calls();
    assert!(calls > 40, "{calls} calls are too few to mean something");
    for failure in FAILURES {
        for for_ever in [false, true] {
            for at in 0..calls {
                let case = format!("{failure:?} at call {at}, for ever: {for_ever}");
                let disk = SimDisk::default();
                disk.plan(Some(Plan { at, failure, for_ever }));
                let told = catch_unwind(AssertUnwindSafe(|| run(&disk, &facts))).unwrap_or_else(|_| panic!("{case}"));
                disk.plan(None);
                let left: Vec<SimDisk> = (0..4).map(|seed| disk.power_cut(&mut choices(seed))).collect();
                for (seed, left) in left.iter().enumerate() {
                    check(left, &facts, &told, &format!("{case}, then the power was cut ({seed})"));
                }
                check(&disk, &facts, &told, &case);
            }
        }
    }
}

#[test]
fn a_power_cut_after_any_call_leaves_everything_acknowledged() {
    let facts = facts();
    let disk = SimDisk::default();
    run(&disk, &facts);
    for at in 0..disk.calls() {
        // From here on no call reaches the disk: what the program does after the cut does not matter.
        let disk = SimDisk::default();
        let failure = Failure::Error(io::ErrorKind::Other);
        disk.plan(Some(Plan { at, failure, for_ever: true }));
        let told = run(&disk, &facts);
        for seed in 0..60 {
            let left = disk.power_cut(&mut choices(seed));
            check(&left, &facts, &told, &format!("cut before call {at} ({seed})"));
        }
    }
}

#[test]
fn a_failure_while_a_torn_session_is_opened_loses_nothing_either() {
    let facts = facts();
    let disk = SimDisk::default();
    run(&disk, &facts);
    let bytes = disk.files()[Path::new(PATH)].clone();
    let torn = &bytes[..bytes.len() - 5];
    let told = Told { acknowledged: facts.len() - 1, tried: facts.len(), copied: None };
    let fresh = || SimDisk::with(Path::new(PATH), torn);
    let disk = fresh();
    Journal::resume_on(Arc::new(disk.clone()), Path::new(PATH)).expect("resumed");
    let calls = disk.calls();
    for failure in FAILURES {
        for for_ever in [false, true] {
            for at in 0..calls {
                let case = format!("{failure:?} at call {at} of opening, for ever: {for_ever}");
                let disk = fresh();
                disk.plan(Some(Plan { at, failure, for_ever }));
                let opened = Journal::resume_on(Arc::new(disk.clone()), Path::new(PATH));
                if let Ok((_, back, recovery)) = &opened {
                    assert_eq!(back.len(), told.acknowledged, "{case}");
                    assert!(recovery.tail.is_some(), "{case}");
                }
                drop(opened);
                disk.plan(None);
                for seed in 0..8 {
                    let left = disk.power_cut(&mut choices(seed));
                    check(&left, &facts, &told, &format!("{case}, then the power was cut ({seed})"));
                    let files = left.files();
                    let tail = torn.len() - bytes_of(&facts[..told.acknowledged]);
                    let kept = files.iter().any(|(path, b)| path != Path::new(PATH) && b.len() == tail);
                    assert!(kept, "{case} ({seed}): the incomplete record is not kept");
                }
                check(&disk, &facts, &told, &case);
            }
        }
    }
}

fn bytes_of(facts: &[Fact]) -> usize {
    let disk = SimDisk::default();
    let mut journal = Journal::create_on(Arc::new(disk.clone()), Path::new(PATH), &facts[0]).expect("created");
    facts[1..].iter().for_each(|fact| journal.append(fact).expect("appended"));
    disk.files()[Path::new(PATH)].len()
}

#[test]
fn a_file_that_another_program_changed_is_not_written_to() {
    let facts = facts();
    let disk = SimDisk::default();
    let mut journal = Journal::create_on(Arc::new(disk.clone()), Path::new(PATH), &facts[0]).expect("created");
    disk.open(Path::new(PATH)).expect("opened").truncate(10).expect("cut");
    let error = journal.append(&facts[1]).expect_err("refused");
    assert_eq!(error.to_string(), "cannot write to dir/s.jsonl: another program changed the file");
    let error = journal.append(&facts[1]).expect_err("poisoned");
    assert_eq!(
        error.to_string(),
        "dir/s.jsonl is no longer recorded, because a write failed: another program changed the file"
    );
}
