//! The program's only signal handler: Ctrl-C, termination, and a terminal that went away.
//!
//! Must be installed once per process. It asks whatever runs to stop, and ends the process itself only if that cannot
//! work: a thread blocked on a full pipe or a dead terminal never sees the request.

use crate::domain::Cancel;
use crate::engine::Canceller;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long the program may take to end after it was asked to.
const GRACE: Duration = Duration::from_millis(1200);

/// How often a program that should end is woken, and how often the terminal is checked.
const WAKE: Duration = Duration::from_millis(50);

/// How long a way back to the shell's screen may take when the program is ended for it.
const FAREWELL: Duration = Duration::from_millis(200);

/// At a prompt, presses this close to the first are the impatience of one and the same wish.
const IMPATIENCE: Duration = Duration::from_secs(1);

/// Exit code of a program that was interrupted or terminated.
pub const INTERRUPTED: u8 = 130;

/// What Ctrl-C means now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Meaning {
    /// The program is to end, as filters do.
    End,
    /// The running command should stop; the program continues.
    Stop,
    /// Nothing: it is for another program, which has the terminal.
    Others,
}

/// What is to be done about a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// The running command was asked to stop.
    Told,
    /// The program was asked to end and has [`GRACE`] to do so.
    Ending,
    /// Nothing else helps: end the program now.
    Now,
}

/// Cheap to clone; all clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    pressed: AtomicBool,
    ending: AtomicBool,
    meaning: AtomicU8,
    /// When the first press came that nobody has answered yet.
    first: Mutex<Option<Instant>>,
    told: Mutex<Told>,
    farewell: Mutex<Option<Farewell>>,
}

/// What to notify.
#[derive(Debug, Default)]
struct Told {
    engine: Option<Canceller>,
    flag: Option<Cancel>,
}

/// Restores the terminal if the program ends before its owner can.
#[derive(Clone)]
struct Farewell(Arc<dyn Fn() + Send + Sync>);

impl std::fmt::Debug for Farewell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Farewell")
    }
}

impl Interrupt {
    /// Not connected to any signal.
    pub fn new() -> Self {
        Self::default()
    }

    /// Installs the handler for SIGINT, SIGTERM and SIGHUP.
    ///
    /// # Errors
    /// If the system refuses.
    #[cfg(unix)]
    pub fn connect(&self) -> io::Result<()> {
        use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
        let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        let this = self.clone();
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            deaf();
            for signal in signals.forever() {
                let verdict = if signal == SIGINT { this.press(Instant::now()) } else { this.end() };
                match verdict {
                    Verdict::Told => {}
                    Verdict::Ending => this.watch_the_end(),
                    Verdict::Now => this.end_now(),
                }
            }
        })?;
        Ok(())
    }

    /// Installs the handler for Ctrl-C.
    ///
    /// # Errors
    /// If the system refuses.
    #[cfg(not(unix))]
    pub fn connect(&self) -> io::Result<()> {
        let this = self.clone();
        ctrlc::set_handler(move || drop(this.press(Instant::now()))).map_err(io::Error::other)
    }

    /// Ends the program when the terminal goes away. This needs a watcher, because there may be no SIGHUP (nohup,
    /// background jobs), and reading from a dead terminal need not fail.
    ///
    /// # Errors
    /// If the system cannot start a thread.
    pub fn watch_terminal(&self) -> io::Result<()> {
        let this = self.clone();
        std::thread::Builder::new().name("terminal".to_owned()).spawn(move || {
            deaf();
            while !this.ending() {
                if terminal_gone() {
                    this.end();
                    return this.watch_the_end();
                }
                std::thread::sleep(WAKE * 2);
            }
        })?;
        Ok(())
    }

    /// From now on Ctrl-C means this.
    pub fn means(&self, meaning: Meaning) {
        self.0.meaning.store(meaning as u8, Ordering::SeqCst);
    }

    /// Runs `other`, which waits for a program that has the terminal: meanwhile Ctrl-C is for that program.
    pub fn lend<T>(&self, other: impl FnOnce() -> T) -> T {
        let before = self.0.meaning.swap(Meaning::Others as u8, Ordering::SeqCst);
        let done = other();
        self.0.meaning.store(before, Ordering::SeqCst);
        done
    }

    /// The flag that a filter polls: set by every signal that should end it.
    pub fn flag(&self) -> Cancel {
        let mut told = lock(&self.0.told);
        let flag = told.flag.get_or_insert_with(Cancel::new).clone();
        if self.ending() {
            flag.cancel();
        }
        flag
    }

    /// From now on signals stop what this engine runs.
    pub fn watch(&self, canceller: Canceller) {
        lock(&self.0.told).engine = Some(canceller);
    }

    /// Sets what restores the terminal, for as long as somebody has taken it over.
    pub fn farewell(&self, give_back: Option<Arc<dyn Fn() + Send + Sync>>) {
        *lock(&self.0.farewell) = give_back.map(Farewell);
    }

    /// Whether a signal came since the last time this was asked.
    pub fn take(&self) -> bool {
        self.0.pressed.swap(false, Ordering::SeqCst)
    }

    /// Whether a signal came that nobody has asked for yet; it stays to be asked for.
    pub fn pressed(&self) -> bool {
        self.0.pressed.load(Ordering::SeqCst)
    }

    /// What was running has stopped: the next press is a first one again, and one that came too late is forgotten.
    pub fn settled(&self) {
        self.take();
        *lock(&self.0.first) = None;
    }

    /// Whether the program is to end.
    pub fn ending(&self) -> bool {
        self.0.ending.load(Ordering::SeqCst)
    }

    /// Whether to end with [`INTERRUPTED`], whatever else went wrong: what fails on a terminal that is gone is no
    /// fault.
    pub fn ended_by_signal(&self) -> bool {
        self.ending() || terminal_gone()
    }

    /// Ctrl-C.
    fn press(&self, now: Instant) -> Verdict {
        if self.0.meaning.load(Ordering::SeqCst) == Meaning::Others as u8 {
            return Verdict::Told;
        }
        let first = *lock(&self.0.first).get_or_insert(now);
        let again = first != now;
        let stops = self.0.meaning.load(Ordering::SeqCst) == Meaning::Stop as u8;
        if again && (!stops || now.duration_since(first) >= IMPATIENCE) {
            return Verdict::Now;
        }
        if stops {
            self.tell();
            return Verdict::Told;
        }
        self.end()
    }

    /// A termination.
    fn end(&self) -> Verdict {
        self.0.ending.store(true, Ordering::SeqCst);
        if self.tell() { Verdict::Ending } else { Verdict::Now }
    }

    /// Asks what runs to stop; false if nothing would notice.
    fn tell(&self) -> bool {
        self.0.pressed.store(true, Ordering::SeqCst);
        let told = lock(&self.0.told);
        if let Some(engine) = &told.engine {
            engine.cancel();
        }
        if let Some(flag) = &told.flag {
            flag.cancel();
        }
        let screen = lock(&self.0.farewell).is_some();
        let stops = self.0.meaning.load(Ordering::SeqCst) == Meaning::Stop as u8;
        told.engine.is_some() || told.flag.is_some() || screen || stops
    }

    /// Makes sure that the program ends within [`GRACE`], on a separate thread so that signals are still handled.
    fn watch_the_end(&self) {
        let this = self.clone();
        let watch = move || {
            deaf();
            let start = Instant::now();
            while start.elapsed() < GRACE {
                // The line editor reacts to SIGINT only, and only while it reads a line; so the signal is repeated
                // until it has ended.
                #[cfg(unix)]
                if this.0.meaning.load(Ordering::SeqCst) == Meaning::Stop as u8 {
                    nix::sys::signal::kill(nix::unistd::Pid::this(), nix::sys::signal::SIGINT).unwrap_or(());
                }
                this.tell();
                std::thread::sleep(WAKE);
            }
            this.end_now();
        };
        if std::thread::Builder::new().name("end".to_owned()).spawn(watch).is_err() {
            self.end_now();
        }
    }

    /// Ends the process at once, restoring the terminal if that takes no time. The journal is intact: everything
    /// acknowledged is on the disk.
    fn end_now(&self) {
        let farewell = lock(&self.0.farewell).clone();
        if let Some(Farewell(give_back)) = farewell {
            let thread = std::thread::spawn(move || give_back());
            let start = Instant::now();
            while !thread.is_finished() && start.elapsed() < FAREWELL {
                std::thread::sleep(WAKE / 10);
            }
        }
        #[cfg(unix)]
        signal_hook::low_level::exit(INTERRUPTED.into());
    }
}

/// Blocks SIGINT and SIGWINCH on this thread, so that other threads handle them. The line editor's handler for both
/// writes to a socket and blocks when that is full, as happens when a terminal is resized constantly and nobody reads.
/// The thread that ends the program must not get stuck there.
#[cfg(unix)]
fn deaf() {
    use nix::sys::signal::{SIGINT, SIGWINCH, SigSet};
    let signals: SigSet = [SIGINT, SIGWINCH].into_iter().collect();
    // It fails for numbers that are no signals only.
    signals.thread_block().unwrap_or(());
}

/// There are no such handlers here.
#[cfg(not(unix))]
fn deaf() {}

/// Whether stdin or stdout was a terminal that is gone.
#[cfg(unix)]
pub fn terminal_gone() -> bool {
    gone(io::stdin()) || gone(io::stdout())
}

/// Every query on a terminal that is gone fails with an I/O error, but only some moments after the other side was
/// closed; until then polling reports a hang-up.
#[cfg(unix)]
fn gone(stream: impl std::os::fd::AsFd) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::io::Errno;
    match rustix::termios::tcgetattr(&stream) {
        Err(error) => matches!(error, Errno::IO | Errno::NXIO),
        Ok(_) => {
            let mut of = [PollFd::new(&stream, PollFlags::empty())];
            poll(&mut of, Some(&Timespec::default())).is_ok() && of[0].revents().contains(PollFlags::HUP)
        }
    }
}

/// Terminals do not go away here without ending the program.
#[cfg(not(unix))]
pub fn terminal_gone() -> bool {
    false
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    #[test]
    fn a_filter_is_told_once_and_ended_by_the_second_press() {
        let interrupt = Interrupt::new();
        let flag = interrupt.flag();
        let start = Instant::now();
        assert_eq!(interrupt.press(start), Verdict::Ending);
        assert!(flag.is_cancelled() && interrupt.ending());
        assert_eq!(interrupt.press(at(start, 10)), Verdict::Now);
    }

    #[test]
    fn where_nobody_listens_the_first_signal_ends_the_program() {
        assert_eq!(Interrupt::new().press(Instant::now()), Verdict::Now);
        assert_eq!(Interrupt::new().end(), Verdict::Now);
    }

    #[test]
    fn at_a_prompt_a_press_stops_what_runs_and_only_a_command_that_goes_on_costs_the_program() {
        let interrupt = Interrupt::new();
        interrupt.means(Meaning::Stop);
        let start = Instant::now();
        assert_eq!(interrupt.press(start), Verdict::Told);
        assert!(interrupt.take() && !interrupt.take() && !interrupt.ending());
        assert_eq!(interrupt.press(at(start, 300)), Verdict::Told, "a double press");
        assert_eq!(interrupt.press(at(start, 1500)), Verdict::Now, "it did not stop");
        interrupt.settled();
        assert_eq!(interrupt.press(at(start, 9000)), Verdict::Told, "another command");
        assert_eq!(interrupt.end(), Verdict::Ending);
        assert!(interrupt.ending());
    }

    #[test]
    fn ctrl_c_while_another_program_has_the_terminal_is_not_ours_and_a_termination_still_is() {
        for meaning in [Meaning::End, Meaning::Stop] {
            let interrupt = Interrupt::new();
            let flag = interrupt.flag();
            interrupt.means(meaning);
            let start = Instant::now();
            interrupt.lend(|| {
                for millis in [0, 300, 1500, 9000] {
                    assert_eq!(interrupt.press(at(start, millis)), Verdict::Told, "{meaning:?} after {millis} ms");
                }
            });
            assert!(!interrupt.pressed() && !interrupt.ending() && !flag.is_cancelled());
            let after = if meaning == Meaning::End { Verdict::Ending } else { Verdict::Told };
            assert_eq!(interrupt.press(at(start, 9900)), after, "a first press, meant as before");
            assert_eq!(interrupt.lend(|| interrupt.end()), Verdict::Ending);
        }
    }

    #[test]
    fn a_flag_that_is_asked_for_after_the_signal_is_set() {
        let interrupt = Interrupt::new();
        drop(interrupt.flag());
        assert_eq!(interrupt.end(), Verdict::Ending);
        assert!(interrupt.flag().is_cancelled());
    }
}
