//! `Host`: the only handle front ends have on the engine. Commands go in, events come out, nothing blocks the caller.
//!
//! Must hold the one worker thread and the one clock of the program, and must not interpret commands.

use super::{Engine, Failure, SampleIds};
use crate::command::EngineCommand;
use crate::domain::{Cancel, Name};
use crate::judge::Progress;
use crate::session::{Fact, Policies};
use std::any::Any;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Queue limit for commands; a front end that exceeds it gets an error.
const WAITING_COMMANDS: usize = 256;
/// Events that may wait; past that the worker waits for the front end, so memory stays bounded.
const WAITING_EVENTS: usize = 4096;

/// Number of a submitted command, from 1, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What comes out of the engine.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Happened, and is in the journal: apply it to the state.
    Fact(Arc<Fact>),
    /// To show while it lasts; never in the journal.
    Notice(Notice),
}

/// What may be lost.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// A command began to run.
    Started(Ticket),
    /// How far it is.
    Progress(Ticket, Progress),
    /// A node is being asked.
    Asking {
        /// For which command.
        ticket: Ticket,
        /// The node.
        node: Name,
    },
    /// A command is done; exactly one for every ticket, after all its facts.
    Done {
        /// Which command.
        ticket: Ticket,
        /// Why it ended.
        result: Result<Stop, Failure>,
    },
}

/// Why a command ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It was completed.
    Done,
    /// At a breakpoint.
    Breakpoint(u32),
    /// At a leaf.
    Leaf,
    /// Before the place it was told to go to.
    Until,
    /// What was read again is what was loaded already.
    Unchanged,
    /// The walk already stands where it was told to go.
    Already,
}

/// Stops the running command from anywhere, a signal handler's thread included. Never reaches a later command.
#[derive(Clone, Debug, Default)]
pub struct Canceller(Arc<Mutex<Cancel>>);

impl Canceller {
    /// Asks the running command to stop.
    pub fn cancel(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).cancel();
    }

    /// The flag of the command that begins to run now.
    pub(super) fn renew(&self) -> Cancel {
        let cancel = Cancel::new();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&cancel);
        cancel
    }
}

/// The engine's handle.
pub struct Host {
    commands: Option<SyncSender<(Ticket, EngineCommand)>>,
    events: Receiver<Event>,
    refused: RefCell<VecDeque<Event>>,
    submitted: u64,
    running: Canceller,
    policies: Policies,
    sample_ids: SampleIds,
    worker: Option<JoinHandle<()>>,
}

impl Host {
    /// Starts the worker thread around `engine`.
    pub fn start(engine: Engine) -> std::io::Result<Self> {
        let (commands, todo) = sync_channel::<(Ticket, EngineCommand)>(WAITING_COMMANDS);
        let (out, events) = sync_channel(WAITING_EVENTS);
        let running = Canceller::default();
        let current = running.clone();
        let policies = engine.policies.clone();
        let sample_ids = engine.sample_ids.clone();
        let worker = std::thread::Builder::new().name("engine".to_owned()).spawn(move || {
            work(engine, &todo, &out, &current);
        })?;
        Ok(Self {
            commands: Some(commands),
            events,
            refused: RefCell::default(),
            submitted: 0,
            running,
            policies,
            sample_ids,
            worker: Some(worker),
        })
    }

    /// Hands over a command and returns at once. Every ticket gets exactly one [`Notice::Done`].
    pub fn submit(&mut self, command: EngineCommand) -> Ticket {
        self.submitted += 1;
        let ticket = Ticket(self.submitted);
        let sent = match &self.commands {
            Some(commands) => commands.try_send((ticket, command)),
            None => Err(TrySendError::Disconnected((ticket, command))),
        };
        if let Err(error) = sent {
            let failure = match error {
                TrySendError::Full(_) => Failure::user("too many commands are waiting").hinted("wait or cancel"),
                TrySendError::Disconnected(_) => {
                    Failure::internal("the engine has stopped").hinted("start again; the session can be opened again")
                }
            };
            let done = Notice::Done { ticket, result: Err(failure) };
            self.refused.borrow_mut().push_back(Event::Notice(done));
        }
        ticket
    }

    /// The next event within `wait`; `None` on timeout.
    pub fn event(&self, wait: Duration) -> Option<Event> {
        if let Some(event) = self.refused.borrow_mut().pop_front() {
            return Some(event);
        }
        self.events.recv_timeout(wait).ok()
    }

    /// Asks the running command to stop.
    pub fn cancel(&self) {
        self.running.cancel();
    }

    /// The policies that the engine has parsed, to be shared instead of parsed again.
    pub fn policies(&self) -> Policies {
        self.policies.clone()
    }

    /// The ids of the samples that the engine has loaded.
    pub fn sample_ids(&self) -> SampleIds {
        self.sample_ids.clone()
    }

    /// What a signal handler holds to stop the running command.
    pub fn canceller(&self) -> Canceller {
        self.running.clone()
    }
}

impl Drop for Host {
    /// Stops the running command and waits for the worker, so that the journal is closed when this returns.
    fn drop(&mut self) {
        self.commands = None;
        self.running.cancel();
        while let Some(worker) = &self.worker {
            if worker.is_finished() {
                break;
            }
            self.running.cancel();
            match self.events.recv_timeout(Duration::from_millis(20)) {
                Ok(_) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        if let Some(worker) = self.worker.take() {
            // A panic in the worker was already reported as a failed command; there is nobody left to tell here.
            drop(worker.join());
        }
    }
}

fn work(mut engine: Engine, todo: &Receiver<(Ticket, EngineCommand)>, out: &SyncSender<Event>, current: &Canceller) {
    while let Ok((ticket, command)) = todo.recv() {
        let cancel = current.renew();
        let mut open = out.send(Event::Notice(Notice::Started(ticket))).is_ok();
        let mut emit = |event: Event| open &= out.send(event).is_ok();
        // A fault in one command must not take the session down: it becomes a failed command.
        let result = catch_unwind(AssertUnwindSafe(|| engine.execute(ticket, &command, &cancel, &mut emit)))
            .unwrap_or_else(|panic| {
                engine.forget_judge();
                Err(Failure::internal(panic_text(panic.as_ref()))
                    .hinted("this is a fault of crossexam; the session is kept, load the model again to go on"))
            });
        open &= out.send(Event::Notice(Notice::Done { ticket, result })).is_ok();
        if !open {
            return;
        }
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("internal error: {}", text.unwrap_or_else(|| "unknown".to_owned()))
}

/// The wall clock as RFC 3339 in UTC, to the second.
pub fn now() -> String {
    jiff::Timestamp::now().round(jiff::Unit::Second).unwrap_or_else(|_| jiff::Timestamp::now()).to_string()
}
