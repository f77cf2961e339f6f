//! A program in a pseudo-terminal: what a person types and sees, without sleeps.
//!
//! One thread reads for the child's whole life, so a full buffer can never block it. A wait is a predicate on the
//! current screen with a deadline; text that has scrolled away never matches. With readline-like programs, wait for the
//! prompt before each line. To show that something is absent, first wait for something that proves that the redraw
//! happened.

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};
use std::io::{ErrorKind, Read, Write};
use std::num::NonZeroU16;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a wait may last; long, because test machines are busy, and never waited for in a test that passes.
const DEADLINE: Duration = Duration::from_secs(60);

/// How a program is started. The environment holds only what is named here, and a `TERM`.
pub struct Start<'a> {
    /// The program.
    pub program: &'a Path,
    /// Its arguments.
    pub args: &'a [&'a str],
    /// Its environment.
    pub env: &'a [(&'a str, &'a str)],
    /// Its working directory, which is also its home.
    pub dir: &'a Path,
    /// Columns and rows.
    pub size: (u16, u16),
}

/// Answers a query for the cursor position, as a terminal does.
#[derive(Default)]
struct Answers(Vec<u8>);

impl vt100::Callbacks for Answers {
    fn unhandled_csi(&mut self, screen: &mut vt100::Screen, i1: Option<u8>, _: Option<u8>, params: &[&[u16]], c: char) {
        if (i1, params, c) == (None, &[&[6][..]][..], 'n') {
            let (row, column) = screen.cursor_position();
            self.0.extend_from_slice(format!("\x1b[{};{}R", row + 1, column + 1).as_bytes());
        }
    }
}

struct Seen {
    parser: vt100::Parser<Answers>,
    raw: Vec<u8>,
    closed: bool,
}

/// A running program and its screen.
pub struct Pty {
    /// `None` once the terminal was closed, as the next one.
    master: Option<Box<dyn MasterPty + Send>>,
    writer: Option<Arc<Mutex<Box<dyn Write + Send>>>>,
    child: Box<dyn Child + Send + Sync>,
    seen: Arc<(Mutex<Seen>, Condvar)>,
    reader: Option<JoinHandle<()>>,
    /// Tells the reader to release the terminal after its next read.
    closing: Arc<AtomicBool>,
    cooked: String,
}

impl Pty {
    /// Starts a program.
    pub fn start(start: &Start<'_>) -> Self {
        let size = size(start.size);
        let pair = native_pty_system().openpty(size).expect("a pseudo-terminal");
        let mut command = CommandBuilder::new(start.program);
        command.args(start.args);
        command.cwd(start.dir);
        command.env_clear();
        command.env("TERM", "xterm-256color");
        command.env("HOME", start.dir);
        start.env.iter().for_each(|(name, value)| command.env(name, value));
        let cooked = termios(&*pair.master);
        let child = pair.slave.spawn_command(command).expect("the program starts");
        drop(pair.slave);
        let (columns, rows) = cells(start.size);
        let parser = vt100::Parser::new_with_callbacks(rows, columns, 0, Answers::default());
        let seen = Seen { parser, raw: Vec::new(), closed: false };
        let seen = Arc::new((Mutex::new(seen), Condvar::new()));
        let mut source = pair.master.try_clone_reader().expect("a reader");
        let sink = Arc::clone(&seen);
        let writer = Arc::new(Mutex::new(pair.master.take_writer().expect("a writer")));
        let answers = Arc::clone(&writer);
        let closing = Arc::new(AtomicBool::new(false));
        let enough = Arc::clone(&closing);
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            loop {
                let read = match source.read(&mut buffer) {
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    // Linux says EIO when the last process on the other side has gone.
                    Err(_) => 0,
                    Ok(read) => read,
                };
                let mut seen = lock(&sink.0);
                let bytes = buffer.get(..read).unwrap_or_default();
                seen.parser.process(bytes);
                seen.raw.extend_from_slice(bytes);
                seen.closed = read == 0;
                sink.1.notify_all();
                let answer = std::mem::take(&mut seen.parser.callbacks_mut().0);
                drop(seen);
                if !answer.is_empty() {
                    // The program may have ended without waiting for the answer.
                    drop(lock(&answers).write_all(&answer));
                }
                if read == 0 || enough.load(Ordering::SeqCst) {
                    return;
                }
            }
        });
        let (master, writer, reader) = (Some(pair.master), Some(writer), Some(reader));
        Self { master, writer, child, seen, reader, closing, cooked }
    }

    /// Types `keys` as they are.
    pub fn send(&mut self, keys: &str) {
        let mut writer = lock(self.writer.as_ref().expect("an open terminal"));
        writer.write_all(keys.as_bytes()).and_then(|()| writer.flush()).expect("the program reads its terminal");
    }

    /// Types a line, waits until it appears before the cursor, and presses Enter. So a prompt that is waited for
    /// afterwards is the next one, and nothing is typed while the terminal changes its mode.
    #[track_caller]
    pub fn line(&mut self, line: &str) {
        self.send(line);
        self.wait(&format!("{line:?} before the cursor"), |screen| {
            let (row, column) = screen.cursor_position();
            screen.contents_between(row, 0, row, column).ends_with(line)
        });
        self.send("\r");
    }

    /// Waits until `holds` is true of the current screen and returns the screen's text.
    #[track_caller]
    pub fn wait(&self, what: &str, holds: impl Fn(&vt100::Screen) -> bool) -> String {
        let end = Instant::now() + DEADLINE;
        let mut seen = lock(&self.seen.0);
        loop {
            if holds(seen.parser.screen()) {
                return seen.parser.screen().contents();
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || seen.closed {
                let why = if seen.closed { "the program ended" } else { "the time is over" };
                panic!("waiting for {what}: {why}. The screen:\n{}", seen.parser.screen().contents());
            }
            seen = self.seen.1.wait_timeout(seen, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until the current screen shows `text`.
    #[track_caller]
    pub fn wait_text(&self, text: &str) -> String {
        self.wait(&format!("{text:?}"), |screen| screen.contents().contains(text))
    }

    /// Waits until the cursor is right after a prompt that begins with `prompt` and ends in `> `, with nothing typed.
    #[track_caller]
    pub fn wait_prompt(&self, prompt: &str) -> String {
        self.wait(&format!("the prompt {prompt:?}"), |screen| {
            let (row, column) = screen.cursor_position();
            let line = screen.contents_between(row, 0, row, column);
            line.starts_with(prompt) && line.trim_end().ends_with('>') && line.chars().count() <= usize::from(column)
        })
    }

    /// Changes the size of the terminal.
    pub fn resize(&self, columns: u16, rows: u16) {
        let (c, r) = cells((columns, rows));
        lock(&self.seen.0).parser.screen_mut().set_size(r, c);
        self.master
            .as_ref()
            .expect("an open terminal")
            .resize(size((columns, rows)))
            .expect("a terminal can be resized");
    }

    /// The text of the current screen.
    pub fn screen(&self) -> String {
        lock(&self.seen.0).parser.screen().contents()
    }

    /// Every byte that was written to the terminal.
    pub fn raw(&self) -> Vec<u8> {
        lock(&self.seen.0).raw.clone()
    }

    /// The program's process id.
    pub fn pid(&self) -> u32 {
        self.child.process_id().expect("the child is running")
    }

    /// Ends the program at once, as `kill -9` does.
    pub fn kill(&mut self) {
        self.child.kill().expect("the child can be killed");
    }

    /// Waits for the end of the program and of its output.
    #[track_caller]
    pub fn wait_exit(&mut self) -> ExitStatus {
        let end = Instant::now() + DEADLINE;
        let mut seen = lock(&self.seen.0);
        while !seen.closed {
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the program does not end. The screen:\n{}", seen.parser.screen().contents());
            seen = self.seen.1.wait_timeout(seen, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(seen);
        self.child.wait().expect("an exit status")
    }

    /// Closes the terminal, as a window is closed, and waits for the end of the program: its exit code and how long it
    /// took.
    #[track_caller]
    pub fn hang_up(&mut self) -> (u32, Duration) {
        self.closing.store(true, Ordering::SeqCst);
        let end = Instant::now() + DEADLINE;
        let mut columns = 90;
        while self.reader.as_ref().is_some_and(|reader| !reader.is_finished()) {
            assert!(Instant::now() < end, "the program writes nothing");
            // Whatever has the terminal answers one of these by writing something.
            columns += 1;
            self.resize(columns, 30);
            self.send("\u{c}");
            std::thread::yield_now();
        }
        drop(self.reader.take().expect("a reader").join());
        // Nobody reads any more; what the program has to say about these stays with it.
        for columns in (100..200).cycle().take(20_000) {
            self.resize(columns, 30);
            std::thread::yield_now();
        }
        // The library's writer types Ctrl-D when it is dropped, if the terminal has a key for that; closing a window
        // does not.
        let tty = self.master.as_ref().and_then(|master| master.tty_name()).expect("a terminal with a name");
        // Do not wait for pending output, which nobody reads any more.
        let undone = std::process::Command::new("stty").arg("-F").arg(tty).args(["-drain", "eof", "undef"]).status();
        assert!(undone.expect("stty runs").success());
        let start = Instant::now();
        drop((self.master.take(), self.writer.take()));
        self.end_within(start)
    }

    /// Waits only for the program to end: its exit code and the time since `start`. A program that does not end is
    /// killed.
    #[track_caller]
    pub fn end_within(&mut self, start: Instant) -> (u32, Duration) {
        let child = nix::unistd::Pid::from_raw(self.pid() as i32);
        let (ended, end) = std::sync::mpsc::channel::<()>();
        let watch = std::thread::spawn(move || {
            if end.recv_timeout(DEADLINE / 4).is_err_and(|e| e == std::sync::mpsc::RecvTimeoutError::Timeout) {
                // The library's own killer sends SIGHUP only.
                nix::sys::signal::kill(child, nix::sys::signal::Signal::SIGKILL).ok();
            }
        });
        let status = self.child.wait().expect("an exit status");
        let took = start.elapsed();
        drop(ended);
        drop(watch.join());
        (status.exit_code(), took)
    }

    /// After the end: the terminal is as it was found.
    #[track_caller]
    pub fn assert_restored(&self) {
        let seen = lock(&self.seen.0);
        let screen = seen.parser.screen();
        assert!(!screen.alternate_screen(), "the alternate screen was left on");
        assert!(!screen.hide_cursor(), "the cursor was left hidden");
        assert!(!screen.bracketed_paste(), "bracketed paste was left on");
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None, "the mouse was left captured");
        assert_eq!(
            termios(&**self.master.as_ref().expect("an open terminal")),
            self.cooked,
            "the terminal was left in raw mode"
        );
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        // The child may have ended already; then there is nothing to kill.
        drop(self.child.kill());
        drop(self.child.wait());
        if let Some(reader) = self.reader.take() {
            drop(reader.join());
        }
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn size((columns, rows): (u16, u16)) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

fn cells((columns, rows): (u16, u16)) -> (NonZeroU16, NonZeroU16) {
    // A terminal that does not know its size is still some size.
    let or = |cells, unknown| NonZeroU16::new(cells).or(NonZeroU16::new(unknown)).expect("not nothing");
    (or(columns, 80), or(rows, 24))
}

/// The terminal's line settings as text, to compare before and after.
fn termios(master: &dyn MasterPty) -> String {
    format!("{:?}", master.get_termios())
}
