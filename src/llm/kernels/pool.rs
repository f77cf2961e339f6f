//! A thread pool for one model: data-parallel loops of a few microseconds. Helpers spin while the next loop is near, so
//! that the operating system need not wake them, and sleep soon after.
//!
//! Must not influence results: a task computes the same whichever thread takes it and whatever their number.
//!
//! rayon serves elsewhere. Here one token of a small model passes two hundred loops of a few microseconds each, and
//! sleeping and waking in between would take a third of the time.

use crate::domain::Threads;
use std::any::Any;
use std::cell::UnsafeCell;
use std::hint::spin_loop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long an idle thread looks for work before it sleeps, unless a pass is under way: far shorter than anything a
/// person or another program would notice.
const LOOK: Duration = Duration::from_micros(60);

/// The gate's bit for "there is work". The bits above it count the helpers that are inside, the upper half numbers the
/// loops, so that a helper that has done its part does not come in again for nothing, nor takes the next loop for the
/// last.
const OPEN: u64 = 1;
const INSIDE: u64 = 2;
const LOOP: u64 = 1 << 32;

/// A loop body and how often it runs.
#[derive(Clone, Copy)]
struct Job {
    body: *const (dyn Fn(usize) + Sync),
    count: usize,
}

/// A value with cache lines of its own (two, since processors fetch neighbours together): what one thread watches must
/// not lie beside what another writes, or every write waits for the watcher to let go.
#[repr(align(128))]
struct Apart<T>(T);

struct Shared {
    /// Written by the owner while the gate is shut and nobody is inside, read by those inside.
    job: Apart<UnsafeCell<Option<Job>>>,
    gate: Apart<AtomicU64>,
    /// The next task to take.
    next: Apart<AtomicUsize>,
    asleep: AtomicUsize,
    /// Passes under way: more loops follow at once.
    passes: AtomicUsize,
    quit: AtomicBool,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

#[allow(unsafe_code, reason = "a closure that lives on the caller's stack is lent to threads that outlive it")]
// SAFETY: `job` is the only field that is not thread-safe by itself. The owner writes it only while the gate is shut
// and nobody inside, which it has waited for; a helper reads it only between raising and lowering the count of the
// gate, and may raise it only while the gate is open. The body is `Sync`, so several threads may call it.
unsafe impl Sync for Shared {}
#[allow(unsafe_code, reason = "see above")]
// SAFETY: as for `Sync`; the pointer in `job` is followed only while the loop that owns it waits.
unsafe impl Send for Shared {}

/// The team: the calling thread and `threads - 1` helpers.
pub struct Pool {
    shared: Arc<Shared>,
    helpers: Vec<JoinHandle<()>>,
    /// Only one loop at a time; a second caller waits.
    turn: Mutex<()>,
}

impl Pool {
    /// A team of `threads` threads (0: as many as the machine runs at once).
    ///
    /// # Errors
    /// Where the system refuses a thread, and where there would be more than [`Threads::most`].
    pub fn new(threads: usize) -> std::io::Result<Self> {
        let machine = Threads::here();
        let threads = match threads {
            0 => machine.cores,
            n if n > machine.most() => {
                let problem = format!("{n} threads; at most {} on this machine", machine.most());
                return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, problem));
            }
            n => n,
        };
        let shared = Arc::new(Shared {
            job: Apart(UnsafeCell::new(None)),
            gate: Apart(AtomicU64::new(0)),
            next: Apart(AtomicUsize::new(0)),
            asleep: AtomicUsize::new(0),
            passes: AtomicUsize::new(0),
            quit: AtomicBool::new(false),
            panic: Mutex::new(None),
        });
        let start = |i| {
            let shared = Arc::clone(&shared);
            thread::Builder::new().name(format!("model-{i}")).spawn(move || help(&shared))
        };
        let helpers = (1..threads).map(start).collect::<Result<_, _>>()?;
        Ok(Self { shared, helpers, turn: Mutex::new(()) })
    }

    /// Number of threads, the caller's included.
    pub fn threads(&self) -> usize {
        self.helpers.len() + 1
    }

    /// Announces many loops in quick succession: as long as the guard lives, helpers stay awake between them. Waking a
    /// thread by the kernel takes longer than most loops.
    pub fn pass(&self) -> Pass<'_> {
        self.shared.passes.fetch_add(1, Ordering::Relaxed);
        Pass(&self.shared)
    }

    /// Calls `body` with every number below `count`, on all threads, and returns when all calls have.
    ///
    /// Must not be called from inside `body`. A panic in `body` comes out here.
    pub fn run(&self, count: usize, body: &(dyn Fn(usize) + Sync)) {
        if self.helpers.is_empty() || count <= 1 {
            (0..count).for_each(body);
            return;
        }
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.open(Job { body: erase(body), count });
        let mine = catch_unwind(AssertUnwindSafe(|| take_tasks(&self.shared.next.0, count, body)));
        // Nobody may enter any more; those inside finish the task they are at.
        self.shared.gate.0.fetch_and(!OPEN, Ordering::AcqRel);
        let mut spins = 0u32;
        while !self.shared.gate.0.load(Ordering::Acquire).is_multiple_of(LOOP) {
            spins += 1;
            // A helper may have lost its core to another program; give it ours.
            if spins.is_multiple_of(1 << 12) { thread::yield_now() } else { spin_loop() }
        }
        let theirs = self.shared.panic.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(panic) = mine.err().or(theirs) {
            resume_unwind(panic);
        }
    }

    /// Calls `body` with every number below `count`: each thread takes a stretch of consecutive numbers, and helps with
    /// those of the others when it is done. For loops that read memory: reading in order is fastest, and handing out
    /// the remainder one by one leaves the least waiting at the end.
    pub fn stretches(&self, count: usize, body: &(dyn Fn(usize) + Sync)) {
        let threads = self.threads();
        let end = |stretch: usize| count * (stretch + 1) / threads;
        let next: Vec<_> = (0..threads).map(|s| Apart(AtomicUsize::new(count * s / threads))).collect();
        self.run(threads, &|own| {
            for stretch in (own..threads).chain(0..own) {
                take_tasks(&next[stretch].0, end(stretch), body);
            }
        });
    }

    #[allow(unsafe_code, reason = "hands the job over")]
    fn open(&self, job: Job) {
        let shared = &self.shared;
        // SAFETY: the gate is shut and nobody is inside: the last loop waited for that, and `turn` keeps other loops
        // out.
        unsafe { *shared.job.0.get() = Some(job) };
        shared.next.0.store(0, Ordering::Relaxed);
        let number = (shared.gate.0.load(Ordering::Relaxed) / LOOP).wrapping_add(1);
        shared.gate.0.store(((number % LOOP) * LOOP) | OPEN, Ordering::SeqCst);
        if shared.asleep.load(Ordering::SeqCst) > 0 {
            self.helpers.iter().for_each(|h| h.thread().unpark());
        }
    }

    /// Cuts `data` into pieces of `size` and calls `body` with each piece and its number, at least `grain` pieces to a
    /// task.
    pub fn pieces<T: Send>(&self, data: &mut [T], size: usize, grain: usize, body: impl Fn(usize, &mut [T]) + Sync) {
        let (len, pieces) = (data.len(), data.len().div_ceil(size.max(1)));
        let grain = grain.max(pieces.div_ceil(self.threads() * 4)).max(1);
        let base = Disjoint(data.as_mut_ptr());
        self.run(pieces.div_ceil(grain), &|task| {
            for piece in task * grain..((task + 1) * grain).min(pieces) {
                body(piece, base.part(piece * size, size.min(len - piece * size)));
            }
        });
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.quit.store(true, Ordering::SeqCst);
        for helper in self.helpers.drain(..) {
            helper.thread().unpark();
            // A helper cannot panic: its tasks are caught.
            let _ended = helper.join();
        }
    }
}

/// See [`Pool::pass`].
pub struct Pass<'a>(&'a Shared);

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.0.passes.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A mutable slice that tasks take different parts of.
struct Disjoint<T>(*mut T);

#[allow(unsafe_code, reason = "tasks write to different parts of one slice")]
// SAFETY: only `part` gives access, and its callers ask for parts that do not overlap.
unsafe impl<T: Send> Sync for Disjoint<T> {}

impl<T> Disjoint<T> {
    #[allow(unsafe_code, clippy::mut_from_ref, reason = "see `pieces`")]
    fn part(&self, from: usize, len: usize) -> &mut [T] {
        // SAFETY: `pieces` gives each number to one task only and its parts lie inside the slice, which it holds
        // exclusively until all tasks are done.
        unsafe { std::slice::from_raw_parts_mut(self.0.add(from), len) }
    }
}

#[allow(unsafe_code, reason = "forgets how long the body lives")]
fn erase(body: &(dyn Fn(usize) + Sync)) -> *const (dyn Fn(usize) + Sync + 'static) {
    // SAFETY: only the lifetime changes. The pointer is followed only inside the gate, and `run` does not return (nor
    // unwind: its own tasks are caught) before the gate is shut and empty.
    unsafe { std::mem::transmute::<*const (dyn Fn(usize) + Sync + '_), *const (dyn Fn(usize) + Sync + 'static)>(body) }
}

fn take_tasks(next: &AtomicUsize, count: usize, body: &(dyn Fn(usize) + Sync)) {
    loop {
        let task = next.fetch_add(1, Ordering::Relaxed);
        if task >= count {
            return;
        }
        body(task);
    }
}

/// A helper's life.
fn help(shared: &Shared) {
    let mut since = Instant::now();
    let mut looks = 0u32;
    let mut done = 0;
    while !shared.quit.load(Ordering::Relaxed) {
        if let Some(number) = enter(shared, done) {
            done = number;
            work(shared);
            since = Instant::now();
            looks = 0;
            continue;
        }
        looks += 1;
        spin_loop();
        // The clock costs more than a look, so it is read now and then.
        if looks.is_multiple_of(64) && shared.passes.load(Ordering::Relaxed) == 0 && since.elapsed() > LOOK {
            sleep(shared, done);
            since = Instant::now();
        }
    }
}

/// Goes through the gate if it is open for another loop than number `done`; gives the loop's number.
fn enter(shared: &Shared, done: u64) -> Option<u64> {
    let mut gate = shared.gate.0.load(Ordering::Acquire);
    while gate & OPEN != 0 && gate / LOOP != done {
        match shared.gate.0.compare_exchange_weak(gate, gate + INSIDE, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return Some(gate / LOOP),
            Err(now) => gate = now,
        }
    }
    None
}

#[allow(unsafe_code, reason = "takes the job over")]
fn work(shared: &Shared) {
    // SAFETY: this thread is inside the gate.
    if let Some(job) = unsafe { *shared.job.0.get() } {
        // SAFETY: this thread is inside the gate, so `run` has not returned and the body lives.
        let body = unsafe { &*job.body };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| take_tasks(&shared.next.0, job.count, body))) {
            *shared.panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic);
        }
    }
    shared.gate.0.fetch_sub(INSIDE, Ordering::Release);
}

fn sleep(shared: &Shared, done: u64) {
    shared.asleep.fetch_add(1, Ordering::SeqCst);
    let gate = shared.gate.0.load(Ordering::SeqCst);
    let work = gate & OPEN != 0 && gate / LOOP != done;
    if !work && !shared.quit.load(Ordering::SeqCst) {
        thread::park();
    }
    shared.asleep.fetch_sub(1, Ordering::SeqCst);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_threads_are_started_than_the_machine_has_use_for() {
        let most = Threads::here().most();
        for threads in [most + 1, 1_000_000, usize::MAX] {
            let error = Pool::new(threads).err().expect("too many").to_string();
            assert_eq!(error, format!("{threads} threads; at most {most} on this machine"));
        }
        assert_eq!(Pool::new(most).expect("threads").threads(), most);
    }

    #[test]
    fn every_task_runs_once_whatever_the_number_of_threads_and_tasks() {
        for threads in [1, 2, 4] {
            let pool = Pool::new(threads).expect("threads");
            for count in [0, 1, 2, 3, 100, 1000] {
                let runs: Vec<AtomicU64> = (0..count).map(|_| AtomicU64::new(0)).collect();
                pool.run(count, &|i| {
                    runs[i].fetch_add(1, Ordering::Relaxed);
                });
                assert!(runs.iter().all(|n| n.load(Ordering::Relaxed) == 1), "{threads} threads, {count} tasks");
            }
        }
    }

    #[test]
    fn stretches_hand_out_every_number_once_whatever_the_number_of_threads() {
        for threads in [1, 2, 4] {
            let pool = Pool::new(threads).expect("threads");
            for count in [0, 1, 2, 4, 7, 1000] {
                let runs: Vec<AtomicU64> = (0..count).map(|_| AtomicU64::new(0)).collect();
                pool.stretches(count, &|i| {
                    runs[i].fetch_add(1, Ordering::Relaxed);
                });
                assert!(runs.iter().all(|n| n.load(Ordering::Relaxed) == 1), "{threads} threads, {count} numbers");
            }
        }
    }

    #[test]
    fn pieces_are_cut_as_asked_and_written_in_place() {
        let pool = Pool::new(3).expect("threads");
        for (len, size, grain) in [(0, 4, 1), (17, 4, 1), (64, 64, 2), (1000, 7, 3)] {
            let mut data = vec![0usize; len];
            pool.pieces(&mut data, size, grain, |piece, part| {
                assert!(part.len() == size || (piece + 1) * size > len);
                part.fill(piece + 1);
            });
            let want: Vec<usize> = (0..len).map(|i| i / size + 1).collect();
            assert_eq!(data, want);
        }
    }

    #[test]
    fn a_panic_in_a_task_comes_out_and_the_team_works_on() {
        let pool = Pool::new(2).expect("threads");
        for bad in [0, 50, 99] {
            let caught = catch_unwind(AssertUnwindSafe(|| {
                pool.run(100, &|i| assert!(i != bad, "task {bad}"));
            }));
            assert!(caught.is_err());
            let sum = AtomicU64::new(0);
            pool.run(100, &|i| {
                sum.fetch_add(i as u64, Ordering::Relaxed);
            });
            assert_eq!(sum.load(Ordering::Relaxed), 4950);
        }
    }

    #[test]
    fn thousands_of_short_loops_with_pauses_long_enough_to_fall_asleep_lose_nothing() {
        let pool = Pool::new(2).expect("threads");
        let sum = AtomicU64::new(0);
        for round in 0..3000u64 {
            pool.run(3, &|_| {
                sum.fetch_add(1, Ordering::Relaxed);
            });
            if round % 500 == 0 {
                let until = Instant::now() + LOOK * 3;
                while Instant::now() < until {
                    spin_loop();
                }
            }
        }
        assert_eq!(sum.load(Ordering::Relaxed), 9000);
    }
}
