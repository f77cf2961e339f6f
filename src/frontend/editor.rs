//! `Editor`: opens the user's editor at a node of the loaded policy.
//!
//! Must only be used when somebody sits at a terminal; the editor owns that terminal until it exits.

use super::Client;
use super::interrupt::Interrupt;
use crate::command::{FrontendCommand, Need};
use crate::domain::{Name, Programs, Target, path_text};
use crate::engine::Failure;
use crate::report::{absent, source};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The editor if neither VISUAL nor EDITOR is set.
const USUAL: &str = "vi";

/// The user's editor.
#[derive(Clone, Debug, Default)]
pub struct Editor {
    programs: Programs,
    /// The program and its first arguments, as VISUAL or EDITOR has them.
    words: Vec<OsString>,
}

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileLine {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: usize,
}

impl Editor {
    /// The editor that `wanted`, the value of VISUAL or EDITOR, names.
    pub fn new(programs: Programs, wanted: Option<&str>) -> Self {
        let words: Vec<OsString> = wanted.unwrap_or_default().split_whitespace().map(OsString::from).collect();
        Self { programs, words: if words.is_empty() { vec![USUAL.into()] } else { words } }
    }

    /// Opens the editor at `place` and waits until it exits; meanwhile Ctrl-C belongs to the editor.
    ///
    /// # Errors
    /// If the editor cannot be found or started, or reports failure.
    pub fn open(&self, place: &FileLine, interrupt: &Interrupt) -> Result<(), Failure> {
        let mut command = self.command(place)?;
        let shown = command.get_program().to_string_lossy().into_owned();
        match interrupt.lend(|| command.status()) {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => {
                Err(Failure::user(format!("{shown} ended with {status}")).hinted("reload loads what it wrote"))
            }
            Err(error) => Err(Failure::user(format!("cannot start {shown}: {error}")).hinted(SET_EDITOR)),
        }
    }

    fn command(&self, place: &FileLine) -> Result<Command, Failure> {
        let (name, first) = self.words.split_first().map_or((OsStr::new(USUAL), &[][..]), |(n, f)| (n.as_os_str(), f));
        let unfound = || Failure::user(format!("there is no editor `{}`", name.to_string_lossy())).hinted(SET_EDITOR);
        let program = self.programs.find(name).ok_or_else(unfound)?;
        let missing = |error: std::io::Error| Failure::user(format!("{}: {error}", path_text::of(&place.path)));
        let path = place.path.canonicalize().map_err(missing)?;
        let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
        let mut command = self.programs.command(&program, &folder);
        command.args(first).args(arguments(&program, &path, place.line));
        command.stdin(Stdio::inherit()).stdout(Stdio::inherit()).stderr(Stdio::inherit());
        Ok(command)
    }
}

const SET_EDITOR: &str = "set EDITOR to a program on PATH or an absolute path, and start crossexam again";

/// How to pass a file and a line to an editor. An unknown editor gets the file only.
fn arguments(program: &Path, path: &Path, line: usize) -> Vec<OsString> {
    let file = path.as_os_str().to_owned();
    let with_line = || {
        let mut text = file.clone();
        text.push(format!(":{line}"));
        text
    };
    match program.file_stem().and_then(OsStr::to_str).unwrap_or_default() {
        "vi" | "vim" | "nvim" | "gvim" | "nano" | "pico" | "emacs" | "emacsclient" | "kak" | "micro" | "joe"
        | "jed" | "mg" | "ne" | "mcedit" | "vis" => vec![format!("+{line}").into(), file],
        "hx" | "helix" | "subl" | "zed" => vec![with_line()],
        "code" | "codium" | "cursor" => vec!["--wait".into(), "--goto".into(), with_line()],
        _ => vec![file],
    }
}

/// Where the file of the loaded policy describes `node`. Without `node`: the node asked next or the leaf reached;
/// without a walk, the root.
///
/// # Errors
/// In a recorded session, whose paths come from somebody else; if no policy is loaded or it is compiled into the
/// program; if it has no such node or leaf.
pub fn place(node: Option<&Name>, client: &Client) -> Result<FileLine, Failure> {
    let (state, basis) = (client.state(), client.basis());
    let has = absent::has(state, !client.is_recorded());
    if let Some(need) = FrontendCommand::Edit(node.cloned()).spec().missing(has) {
        return Err(Failure::missing(need, has));
    }
    let none = || Failure::missing(Need::Policy, has);
    let (policy, record) = (basis.loaded.as_deref().ok_or_else(none)?, state.policy.as_ref().ok_or_else(none)?);
    let here = state.walk_now().map(|walk| match walk.frontier() {
        Target::Node(id) | Target::Leaf(id) => id,
    });
    let here = here.filter(|id| policy.node(id.as_str()).is_some() || policy.leaf(id.as_str()).is_some());
    let id = node.or(here.as_ref()).unwrap_or(&policy.root);
    let (file, at) = source::begins(id, policy, record)?;
    if file.path.raw().starts_with("builtin:") {
        return Err(Failure::user("this policy lies inside the program and cannot be edited")
            .hinted("copy what `list` shows to a file, or begin with a policy of your own; load policy PATH"));
    }
    Ok(FileLine { path: path_text::path(file.path.raw()), line: at + 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_editor_is_told_the_line_in_its_own_way() {
        let told = |program: &str| {
            let words = arguments(Path::new(program), Path::new("/p/scams.toml"), 12);
            words.iter().map(|w| w.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
        };
        for (program, expected) in [
            ("/usr/bin/vim", "+12 /p/scams.toml"),
            ("/usr/bin/nano", "+12 /p/scams.toml"),
            ("/usr/bin/hx", "/p/scams.toml:12"),
            ("/usr/bin/code", "--wait --goto /p/scams.toml:12"),
            ("/usr/bin/other", "/p/scams.toml"),
        ] {
            assert_eq!(told(program), expected, "{program}");
        }
    }

    #[test]
    fn nothing_of_a_recorded_session_is_opened() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("sessions/scams-missed-request.jsonl");
        let (facts, _) = crate::session::journal::read(&path).expect("a session");
        let mut client = Client::recorded(facts);
        for _ in 0..3 {
            let node = client.state().walk_now().and_then(|walk| walk.steps.last().map(|step| step.node.id.clone()));
            for node in [None, node.as_ref()] {
                let failure = place(node, &client).expect_err("a recorded path");
                assert_eq!(failure.complaint.message.raw(), Need::Live.missing());
            }
            client.submit(crate::command::EngineCommand::Step(crate::command::Times(1)));
            while client.event(std::time::Duration::ZERO).is_some() {}
        }
        let failure = place(None, &Client::recorded(Vec::new())).expect_err("nothing in it");
        assert_eq!(failure.complaint.message.raw(), Need::Live.missing());
    }

    #[cfg(unix)]
    #[test]
    fn the_editor_is_found_on_path_only_and_gets_the_file_and_its_folder() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().expect("a folder");
        let (policy, program) = (dir.path().join("p.toml"), dir.path().join("vim"));
        std::fs::write(&policy, "").expect("written");
        std::fs::write(&program, "#!/bin/sh\nprintf '%s ' \"$PWD\" \"$@\" > seen\n").expect("written");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("set");
        let path = dir.path().to_string_lossy().into_owned();
        let programs = Programs::from_lookup(|name| (name == "PATH").then(|| OsString::from(&path)));
        let place = FileLine { path: policy, line: 3 };
        Editor::new(programs.clone(), Some("vim -n")).open(&place, &Interrupt::new()).expect("opened");
        let folder = dir.path().canonicalize().expect("there");
        let folder = folder.display();
        let seen = std::fs::read_to_string(dir.path().join("seen")).expect("it ran");
        assert_eq!(seen, format!("{folder} -n +3 {folder}/p.toml "));
        for (wanted, message) in [("./vim", "there is no editor `./vim`"), ("none", "there is no editor `none`")] {
            let failure =
                Editor::new(programs.clone(), Some(wanted)).open(&place, &Interrupt::new()).expect_err(wanted);
            assert_eq!(failure.complaint.message.raw(), message);
            assert!(failure.complaint.hint.is_some_and(|hint| hint.contains("EDITOR")));
        }
    }
}
