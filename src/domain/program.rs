//! `Programs`: where other programs are found and which environment they get. The only place that creates a `Command`.
//!
//! Must never run a program from the current folder: analysts work in folders of files that others sent them. A program
//! is looked up on the absolute entries of PATH only, runs in a folder that the caller names, and gets only the
//! variables listed here.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Variables that are handed on as they are: they name no place where code is looked for.
const WORDS: &[&str] = &[
    "COLORTERM",
    "DISPLAY",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "LC_MESSAGES",
    "LOGNAME",
    "PIP_DEFAULT_TIMEOUT",
    "PIP_PROXY",
    "PIP_RETRIES",
    "PIP_TIMEOUT",
    "PIP_TRUSTED_HOST",
    "SSH_CONNECTION",
    "STY",
    "TERM",
    "TMUX",
    "TZ",
    "USER",
    "WAYLAND_DISPLAY",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "ALL_PROXY",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
];

/// Variables that hold one or more locations. Passed on only if each is an absolute path or an address: a relative path
/// would mean another place in the program's folder than it does here.
const PLACES: &[&str] = &[
    "CURL_CA_BUNDLE",
    "HOME",
    "PIP_CACHE_DIR",
    "PIP_CERT",
    "PIP_CLIENT_CERT",
    "PIP_CONFIG_FILE",
    "PIP_INDEX_URL",
    "PYENV_ROOT",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "SYSTEMROOT",
    "TERMINFO",
    "USERPROFILE",
    "XAUTHORITY",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR",
    "XDG_STATE_HOME",
];

/// Like the above, for the pip variables that are separated by spaces.
const LISTS: &[&str] = &["PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"];

/// Where programs are found and the variables they get.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Programs {
    folders: Vec<PathBuf>,
    variables: Vec<(OsString, OsString)>,
}

impl Programs {
    /// Takes the harmless variables of an environment, which `get` looks up.
    pub fn from_lookup(get: impl Fn(&str) -> Option<OsString>) -> Self {
        let folders = get("PATH").map(|path| std::env::split_paths(&path).filter(|p| p.is_absolute()).collect());
        let take = |names: &[&str], fits: fn(&OsStr) -> bool| -> Vec<_> {
            let found = names.iter().filter_map(|name| Some((OsString::from(name), get(name)?)));
            found.filter(|(_, value)| fits(value)).collect()
        };
        let all =
            |value: &OsStr| value.to_str().is_some_and(|list| list.split_whitespace().all(|p| absolute(p.as_ref())));
        let variables = [take(WORDS, |_| true), take(PLACES, absolute), take(LISTS, all)].concat();
        Self { folders: folders.unwrap_or_default(), variables }
    }

    /// The program called `name`, which may itself be an absolute path.
    pub fn find(&self, name: &OsStr) -> Option<PathBuf> {
        if Path::new(name).is_absolute() {
            return Some(PathBuf::from(name));
        }
        // A name with a slash would be looked for from the current folder.
        let plain = Path::new(name).components().count() == 1 && !name.is_empty();
        let mut file = name.to_owned();
        file.push(std::env::consts::EXE_SUFFIX);
        self.folders.iter().map(|folder| folder.join(&file)).filter(|_| plain).find(|path| executable(path))
    }

    /// A command that runs `program`, an absolute path, in `folder`; its stdin is empty unless set otherwise.
    pub fn command(&self, program: &Path, folder: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(self.variables.iter().map(|(name, value)| (name, value)));
        if let Ok(path) = std::env::join_paths(&self.folders) {
            command.env("PATH", path);
        }
        command.current_dir(folder).stdin(Stdio::null());
        command
    }
}

/// Whether a value is an address, or all paths in it are absolute.
fn absolute(value: &OsStr) -> bool {
    let address = value.to_str().is_some_and(|text| text.starts_with("http://") || text.starts_with("https://"));
    address || std::env::split_paths(value).all(|path| path.is_absolute())
}

#[cfg(unix)]
fn executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn executable(path: &Path) -> bool {
    path.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&str, &str)]) -> Programs {
        Programs::from_lookup(|name| pairs.iter().find(|(n, _)| *n == name).map(|(_, value)| value.into()))
    }

    fn names(programs: &Programs) -> Vec<&str> {
        programs.variables.iter().filter_map(|(name, _)| name.to_str()).collect()
    }

    #[cfg(unix)]
    #[test]
    fn a_program_is_found_on_absolute_entries_of_path_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().expect("a folder");
        let put = |name: &str, mode: u32| {
            let path = dir.path().join(name);
            std::fs::write(&path, "").expect("writable");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("writable");
            path
        };
        let (tool, _data) = (put("tool", 0o755), put("data", 0o644));
        let path = format!(":.:bin:{}", dir.path().display());
        let programs = with(&[("PATH", path.as_str())]);
        assert_eq!(programs.folders, [dir.path()]);
        assert_eq!(programs.find(OsStr::new("tool")), Some(tool.clone()));
        assert_eq!(programs.find(tool.as_os_str()), Some(tool));
        for name in ["data", "none", "", ".", "./tool", "../tool", "x/tool"] {
            assert_eq!(programs.find(OsStr::new(name)), None, "{name:?}");
        }
        assert_eq!(with(&[]).find(OsStr::new("sh")), None, "without PATH nothing is found");
    }

    #[test]
    fn variables_that_lead_to_code_or_into_the_current_folder_are_not_handed_on() {
        let harmless =
            [("HOME", "/h"), ("LANG", "C"), ("https_proxy", "http://p:1"), ("PIP_INDEX_URL", "https://i/simple")];
        let harmful = [
            ("PYTHONPATH", "."),
            ("PYTHONSTARTUP", "/x.py"),
            ("PYTHONHOME", "/x"),
            ("LD_PRELOAD", "/x.so"),
            ("LD_LIBRARY_PATH", "."),
            ("BASH_ENV", "/x"),
            ("PIP_TARGET", "/x"),
            ("HF_TOKEN", "secret"),
        ];
        let relative = [
            ("XDG_CONFIG_HOME", "config"),
            ("PIP_CONFIG_FILE", "pip.conf"),
            ("PIP_FIND_LINKS", "/wheels wheels"),
            ("PIP_EXTRA_INDEX_URL", "file:wheels"),
            ("SSL_CERT_FILE", "./ca.pem"),
            ("PYENV_ROOT", ""),
            ("SSL_CERT_DIR", "/certs:certs"),
        ];
        let programs = with(&[&harmless[..], &harmful, &relative].concat());
        let mut kept = names(&programs);
        kept.sort_unstable();
        assert_eq!(kept, ["HOME", "LANG", "PIP_INDEX_URL", "https_proxy"]);
        assert!(names(&with(&relative)).is_empty());
    }
}
