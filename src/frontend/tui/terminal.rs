//! The terminal guard: takes the terminal over and restores it exactly, once, on the thread that took it.
//!
//! Must exist before the first change is made, and must undo only what it did.

use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::event::{DisableBracketedPaste, DisableFocusChange, EnableBracketedPaste, EnableFocusChange};
#[cfg(windows)]
use ratatui::crossterm::event::{DisableMouseCapture, EnableMouseCapture};
use ratatui::crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use ratatui::crossterm::{Command, execute};
use std::fmt;
use std::io::{self, Stdout, stdout};
use std::panic::{PanicHookInfo, set_hook, take_hook};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, ThreadId};

type Hook = dyn Fn(&PanicHookInfo<'_>) + Send + Sync;

/// What has been changed and not yet been undone.
#[derive(Default)]
struct Changes {
    raw: bool,
    alternate: bool,
    paste: bool,
    focus: bool,
    hidden: bool,
    /// Whether the mouse is wanted, and whether it is ours.
    wants_mouse: bool,
    mouse: bool,
}

impl Changes {
    fn make(&mut self) -> io::Result<()> {
        if !self.raw {
            enable_raw_mode()?;
            self.raw = true;
        }
        change(&mut self.alternate, true, EnterAlternateScreen)?;
        change(&mut self.paste, true, EnableBracketedPaste)?;
        change(&mut self.focus, true, EnableFocusChange)?;
        if self.wants_mouse {
            change(&mut self.mouse, true, Buttons(true))?;
        }
        change(&mut self.hidden, true, Hide)
    }

    /// Undoes all it can; the first failure is returned, and nothing is tried twice.
    fn undo(&mut self) -> io::Result<()> {
        // First the line settings: this never waits, which writing to a terminal that takes nothing does.
        let cooked = if std::mem::take(&mut self.raw) { disable_raw_mode() } else { Ok(()) };
        let shown = change(&mut self.hidden, false, Show);
        let moused = change(&mut self.mouse, false, Buttons(false));
        let focused = change(&mut self.focus, false, DisableFocusChange);
        let pasted = change(&mut self.paste, false, DisableBracketedPaste);
        let left = change(&mut self.alternate, false, LeaveAlternateScreen);
        cooked.and(shown).and(moused).and(focused).and(pasted).and(left)
    }
}

/// Asks for clicks and the wheel. The library asks for every movement too, which is a flood that nobody reads.
struct Buttons(bool);

impl Command for Buttons {
    fn write_ansi(&self, out: &mut impl fmt::Write) -> fmt::Result {
        out.write_str(if self.0 { "\x1b[?1000h\x1b[?1006h" } else { "\x1b[?1006l\x1b[?1000l" })
    }

    #[cfg(windows)]
    fn execute_winapi(&self) -> io::Result<()> {
        if self.0 { EnableMouseCapture.execute_winapi() } else { DisableMouseCapture.execute_winapi() }
    }
}

/// Makes or undoes one change unless that is done already; an attempt counts as done, for it may have reached the
/// terminal.
fn change(flag: &mut bool, to: bool, command: impl Command) -> io::Result<()> {
    if *flag == to {
        return Ok(());
    }
    *flag = to;
    execute!(stdout(), command)
}

/// Owns the terminal until it is dropped.
pub struct Guard {
    changes: Arc<Mutex<Changes>>,
    previous: Arc<Hook>,
    on: Arc<AtomicBool>,
}

impl Guard {
    /// Takes the terminal over: raw mode, alternate screen, bracketed paste, hidden cursor, and the mouse if wanted. If
    /// a step fails, the ones before it are undone.
    pub fn new(mouse: bool) -> io::Result<Self> {
        let guard = Self::hooked();
        lock(&guard.changes).wants_mouse = mouse;
        lock(&guard.changes).make()?;
        Ok(guard)
    }

    /// The guard with its panic hook and no changes yet.
    fn hooked() -> Self {
        let changes = Arc::new(Mutex::new(Changes::default()));
        let on = Arc::new(AtomicBool::new(true));
        let previous: Arc<Hook> = Arc::from(take_hook());
        let hook = Hooked {
            changes: Arc::clone(&changes),
            previous: Arc::clone(&previous),
            on: Arc::clone(&on),
            owner: thread::current().id(),
        };
        set_hook(Box::new(move |info| hook.panicked(info)));
        Self { changes, previous, on }
    }

    /// Gives the terminal back temporarily, as when a job is stopped.
    pub fn release(&self) -> io::Result<()> {
        lock(&self.changes).undo()
    }

    /// Takes it over again.
    pub fn retake(&self) -> io::Result<()> {
        lock(&self.changes).make()
    }

    /// Restores the terminal if the program has to end while its owner cannot: callable on any thread.
    pub fn farewell(&self) -> Arc<dyn Fn() + Send + Sync> {
        let changes = Arc::clone(&self.changes);
        Arc::new(move || drop(lock(&changes).undo()))
    }

    /// Where to draw.
    pub fn writer(&self) -> Stdout {
        stdout()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // There is nobody left to tell: the terminal is what errors would be shown on.
        drop(lock(&self.changes).undo());
        self.on.store(false, Ordering::Relaxed);
        // A panicking thread may not touch the hook; by then it has become a plain call of the previous one.
        if !thread::panicking() {
            drop(take_hook());
            let previous = Arc::clone(&self.previous);
            set_hook(Box::new(move |info| previous(info)));
        }
    }
}

/// What the panic hook holds.
struct Hooked {
    changes: Arc<Mutex<Changes>>,
    previous: Arc<Hook>,
    on: Arc<AtomicBool>,
    owner: ThreadId,
}

impl Hooked {
    /// On the owning thread the terminal is restored before the message is printed. A panic on another thread is caught
    /// there and arrives as a failure: it must neither tear down a live screen nor print across it.
    fn panicked(&self, info: &PanicHookInfo<'_>) {
        let owner = thread::current().id() == self.owner;
        if owner {
            drop(lock(&self.changes).undo());
        }
        if owner || !self.on.load(Ordering::Relaxed) {
            (self.previous)(info);
        }
    }
}

fn lock(changes: &Mutex<Changes>) -> std::sync::MutexGuard<'_, Changes> {
    changes.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Stops the program as a job, as Ctrl-Z does outside raw mode; returns when it is resumed.
#[cfg(unix)]
pub fn stop() -> io::Result<()> {
    signal_hook::low_level::raise(signal_hook::consts::SIGTSTP)
}

/// There are no jobs here.
#[cfg(not(unix))]
pub fn stop() -> io::Result<()> {
    Ok(())
}
