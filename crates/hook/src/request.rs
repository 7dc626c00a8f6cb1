//! What the snippets ask: the arguments of `hook export` and `hook digest`.

use std::ffi::OsString;
use std::path::PathBuf;

use awsrole_core::shell::export::Event;
use awsrole_core::shell::statements::Shell;

/// A question of a snippet: what should this shell hold?
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// The shell.
    pub shell: Shell,
    /// Why it asks.
    pub event: Event,
    /// Whether a person may be prompted on the terminal.
    pub ask: bool,
    /// The role that was chosen in this shell, as `awsrole use` wrote it.
    pub role: Option<String>,
    /// Credential variables that were changed manually.
    pub changed: Vec<String>,
    /// The version of the protocol that the snippet speaks; none: that of this program.
    pub protocol: Option<u32>,
    /// Whether the shell wants to know what to compare the files with.
    pub views: bool,
    /// The files that were found, nearest first; none: they are searched from the working directory upward.
    pub files: Vec<PathBuf>,
}

impl Request {
    /// Reads the arguments if they are exactly as a snippet writes them. Every `cd` waits for these; clap would take a
    /// twentieth of the time.
    #[must_use]
    pub fn of_snippet(words: &[OsString]) -> Option<Self> {
        let [hook, export, shell, rest @ ..] = words else { return None };
        if hook != "hook" || export != "export" {
            return None;
        }
        let (options, files) = rest.split_at(rest.iter().position(|word| word == "--")?);
        let mut request = Self {
            shell: Shell::parse(shell.to_str()?)?,
            event: Event::Prompt,
            ask: false,
            role: None,
            changed: Vec::new(),
            protocol: None,
            views: false,
            files: files[1..].iter().map(PathBuf::from).collect(),
        };
        let mut options = options.iter().map(|word| word.to_str());
        while let Some(option) = options.next() {
            match option? {
                "--event" => request.event = Event::parse(options.next()??)?,
                "--ask" => request.ask = true,
                "--views" => request.views = true,
                "--role" => request.role = Some(options.next()??.to_owned()),
                "--changed" => request.changed.push(options.next()??.to_owned()),
                "--protocol" => request.protocol = Some(options.next()??.parse().ok()?),
                _ => return None,
            }
        }
        Some(request)
    }
}

/// Reads the arguments of `hook digest` as a snippet writes them; returns the files.
#[must_use]
pub fn digest_files(words: &[OsString]) -> Option<Vec<PathBuf>> {
    match words {
        [hook, digest, dashes, files @ ..] if hook == "hook" && digest == "digest" && dashes == "--" => {
            Some(files.iter().map(PathBuf::from).collect())
        }
        _ => None,
    }
}
