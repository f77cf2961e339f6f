//! How the program ends: exit codes, and error messages on stderr.
//!
//! Must not end the process itself; `main` returns the code.

use crate::domain::Complaint;
use crate::engine::Failure;
use crate::frontend::bench::BenchError;
use crate::frontend::words;
use crate::judge::JudgeError;
use crate::llm::LlmError;
use crate::session::{FailureKind, JournalError};
use crate::text::{Escaped, Untrusted};
use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, Write};

/// Done.
pub const OK: u8 = 0;
/// Something was found wrong, or could not be done.
pub const FAILED: u8 = 1;
/// Nothing was begun: the arguments make no sense, or what they name cannot be used.
pub const USAGE: u8 = 2;
/// Ctrl-C or termination.
pub use crate::frontend::interrupt::INTERRUPTED;
/// A fault of ours.
pub const INTERNAL: u8 = 255;

/// Why the program could not do what was asked, with its exit code.
pub struct Stopped {
    code: u8,
    complaint: Complaint,
}

impl Stopped {
    /// The arguments make no sense.
    pub fn usage(message: impl Into<Untrusted>) -> Self {
        Self { code: USAGE, complaint: Complaint::new(message) }
    }

    /// It could not be done.
    pub fn failed(message: impl Into<Untrusted>) -> Self {
        Self { code: FAILED, ..Self::usage(message) }
    }

    /// Adds what to do.
    pub fn hinted(self, hint: impl Into<String>) -> Self {
        Self { complaint: self.complaint.hinted(hint), ..self }
    }

    /// The same, where nothing was begun: what would be a failure is [`USAGE`].
    pub fn before_start(self) -> Self {
        Self { code: if self.code == FAILED { USAGE } else { self.code }, ..self }
    }

    /// With this exit code, unless it is a success.
    pub fn at_least(self, code: u8) -> Self {
        Self { code: if self.code == OK { OK } else { code }, ..self }
    }

    /// Prints it on `err` and returns the exit code.
    pub fn tell(&self, err: &mut dyn Write) -> u8 {
        if !self.complaint.message.is_empty() {
            let text = words::told(&self.complaint);
            // If stderr is closed there is nobody to tell.
            drop(err.write_all(text.as_bytes()));
        }
        self.code
    }
}

/// From now on panics are reported like every other error: nothing that their message quotes can act on the terminal.
pub fn tell_panics() {
    std::panic::set_hook(Box::new(|info| {
        let mut text: String = Escaped::lines(&info.to_string()).iter().map(|l| format!("{}\n", l.as_str())).collect();
        let trace = Backtrace::capture();
        if trace.status() == BacktraceStatus::Captured {
            text.push_str(&trace.to_string());
        }
        drop(io::stderr().write_all(text.as_bytes()));
    }));
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // The reader of a pipe went away: that is its right, and no fault.
            io::ErrorKind::BrokenPipe => Self { code: OK, ..Self::usage("") },
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::failed(format!("writing results: {error}")).hinted("free some space, or write somewhere else")
            }
            _ => Self::failed(error.to_string()),
        }
    }
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        let code = match (failure.cancelled, failure.kind) {
            (true, _) => INTERRUPTED,
            (false, FailureKind::User) => FAILED,
            (false, FailureKind::Internal) => INTERNAL,
        };
        Self { code, complaint: failure.complaint }
    }
}

impl From<JudgeError> for Stopped {
    fn from(error: JudgeError) -> Self {
        Failure::from(error).into()
    }
}

impl From<LlmError> for Stopped {
    fn from(error: LlmError) -> Self {
        JudgeError::from(error).into()
    }
}

impl From<BenchError> for Stopped {
    fn from(error: BenchError) -> Self {
        match error {
            BenchError::Model(error) => error.into(),
            BenchError::Io(error) => error.into(),
        }
    }
}

impl From<JournalError> for Stopped {
    fn from(error: JournalError) -> Self {
        Failure::from(error).into()
    }
}
