//! The standard streams at startup: whether stdout was open, and a stderr that may go away.
//!
//! Must hold the only `unsafe` outside the kernels, which is one attribute. If a standard stream is closed, the
//! standard library opens /dev/null in its place before `main`, so that every write seems to succeed, and nobody can
//! tell later. So a function that the loader calls even earlier does the check.

use std::io::{self, Stderr, Write};
use std::sync::atomic::{AtomicBool, Ordering};

static CLOSED: AtomicBool = AtomicBool::new(false);

/// Whether stdout was closed when the program started (`>&-`), so that nobody will read what is written there.
pub fn stdout_was_closed() -> bool {
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    std::hint::black_box(&BEFORE_MAIN);
    CLOSED.load(Ordering::Relaxed)
}

// Sound: the loader calls the functions in this section with arguments that a function with the C calling convention
// may ignore, and `look` relies on nothing that the standard library sets up: it makes one system call and stores into
// an atomic.
#[cfg(any(target_os = "linux", target_os = "macos"))]
#[allow(unsafe_code, reason = "see the head of this file")]
#[used]
#[cfg_attr(target_os = "linux", unsafe(link_section = ".init_array"))]
#[cfg_attr(target_os = "macos", unsafe(link_section = "__DATA,__mod_init_func"))]
static BEFORE_MAIN: extern "C" fn() = look;

#[cfg(any(target_os = "linux", target_os = "macos"))]
extern "C" fn look() {
    let closed = rustix::io::fcntl_getfd(rustix::stdio::stdout()) == Err(rustix::io::Errno::BADF);
    CLOSED.store(closed, Ordering::Relaxed);
}

/// stderr for messages. If nobody reads it any more, the work continues and the exit code stays the same.
pub struct Messages(Stderr);

impl Messages {
    /// To stderr.
    pub fn new() -> Self {
        Self(io::stderr())
    }
}

impl Write for Messages {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(self.0.write(bytes).unwrap_or(bytes.len()))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().or(Ok(()))
    }
}
