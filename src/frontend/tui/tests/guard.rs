//! The terminal guard in a pseudo-terminal: panics on its own thread and on others.

use crate::frontend::tui::terminal::Guard;
use std::io::Write;

#[path = "../../../../tests/common/pty.rs"]
#[allow(dead_code, missing_docs)]
mod pty;

const ROLE: &str = "CROSSEXAM_GUARD_CHILD";

/// Runs one of the children below in a pseudo-terminal.
fn child(role: &str) -> pty::Pty {
    let exe = std::env::current_exe().expect("the test program");
    let args = ["--exact", "frontend::tui::tests::guard::as_a_child", "--nocapture", "--test-threads=1"];
    let dir = std::env::temp_dir();
    pty::Pty::start(&pty::Start { program: &exe, args: &args, env: &[(ROLE, role)], dir: &dir, size: (80, 24) })
}

/// Does nothing but in a process started by [`child`].
#[test]
fn as_a_child() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let guard = Guard::new(true).unwrap();
    if role == "owner" {
        panic!("the owner fell");
    }
    drop(std::thread::spawn(|| panic!("another thread fell")).join());
    write!(guard.writer(), "still here").unwrap();
    guard.writer().flush().unwrap();
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

#[test]
fn a_panic_of_the_owner_gives_the_terminal_back_before_it_is_told() {
    let mut pty = child("owner");
    pty.wait_exit();
    pty.assert_restored();
    let screen = pty.screen();
    assert!(screen.contains("the owner fell"), "{screen}");
}

#[test]
fn a_panic_of_another_thread_neither_tears_the_screen_down_nor_prints_across_it() {
    let mut pty = child("worker");
    pty.wait("the live screen", |s| s.alternate_screen() && s.contents().contains("still here"));
    assert!(!pty.screen().contains("another thread fell"));
    // Raw mode: Enter is a carriage return, and a line ends at a line feed.
    pty.send("\n");
    pty.wait_exit();
    pty.assert_restored();
}
