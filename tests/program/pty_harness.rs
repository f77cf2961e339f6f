//! Tests of the pseudo-terminal harness itself: it must see the current screen only, and detect leftovers.

use crate::common::pty::{Pty, Start};
use std::path::Path;

fn shell(script: &str) -> Pty {
    let dir = std::env::temp_dir();
    let args = ["-c", script];
    Pty::start(&Start { program: Path::new("/bin/sh"), args: &args, env: &[], dir: &dir, size: (40, 5) })
}

#[test]
fn waits_see_the_current_screen_and_exit_codes_come_back() {
    let mut pty = shell("printf 'old\\n'; read line; printf '\\033[2J\\033[Hgot %s' \"$line\"; exit 7");
    pty.wait_text("old");
    pty.line("abc");
    let screen = pty.wait_text("got abc");
    assert!(!screen.contains("old"));
    assert_eq!(pty.wait_exit().exit_code(), 7);
    pty.assert_restored();
    assert!(pty.raw().windows(3).any(|w| w == b"old"));
}

#[test]
#[cfg(unix)]
fn a_terminal_left_in_a_mess_is_noticed() {
    for (script, what) in [
        ("printf '\\033[?1049h'", "alternate screen"),
        ("printf '\\033[?25l'", "cursor"),
        ("printf '\\033[?2004h'", "bracketed paste"),
        ("stty raw", "raw mode"),
    ] {
        let mut pty = shell(script);
        pty.wait_exit();
        let left = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| pty.assert_restored()));
        assert!(left.is_err(), "{what} was not noticed");
    }
}
