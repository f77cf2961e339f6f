//! The fuzz target for keys in the full-screen view, over a recorded session, so that it needs no model and no thread.
//!
//! Must send its input the way that a terminal's events take.

use crate::engine::Recorded;
use crate::frontend::Client;
use crate::frontend::tui::Hammer;
use crate::session::journal;
use std::sync::LazyLock;

/// Keys, pastes and terminal sizes, one or a few bytes each.
///
/// Nothing on the screen can act on a terminal, whatever was pressed at whatever size.
pub fn keys(data: &[u8]) {
    let mut hammer = Hammer::new(Client::of(SESSION.clone()));
    hammer.press(data, |cell| assert!(!cell.chars().any(char::is_control), "{cell:?} on the screen"));
}

/// Read once; copies share its facts and the policies parsed from them, which no key can change.
static SESSION: LazyLock<Recorded> = LazyLock::new(|| {
    let bytes = include_bytes!("../../sessions/scams-missed-request.jsonl");
    Recorded::new(journal::of_bytes("s.jsonl".as_ref(), bytes).map(|(facts, _)| facts).unwrap_or_default())
});

pub(super) fn sequences() -> Vec<Vec<u8>> {
    const KEYS: [&str; 8] = [
        "sc]]w:info\r",
        "?jjjj\u{1b}",
        ":next\tx\r/no\rn",
        "12jG\t\tq",
        "\u{1}\u{2}:note a\r\u{3}",
        ":list \t\r",
        "p:help break\rjjkk\u{1b}\u{1b}",
        "iltx:where\r[[",
    ];
    KEYS.map(|k| k.as_bytes().to_vec()).to_vec()
}

pub(super) const WORDS: &[&str] =
    &[":", "\r", "\u{1b}", "\t", "info ", "note ", "until ", "help", "jjjj", "\u{80}", "\u{85}", "\u{90}", "?"];
