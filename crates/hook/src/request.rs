//! Parses the arguments of `hook export` and `hook digest`, with which the snippets call awsrole.

use std::ffi::OsString;
use std::path::PathBuf;

use awsrole_core::shell::export::Event;
use awsrole_core::shell::statements::Shell;

/// What reads the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerReader {
    /// The snippet of a shell.
    Snippet(Shell),
    /// A module that reads JSON, or another tool.
    Json,
    /// The module of tcsh.
    Tcsh,
}

impl AnswerReader {
    fn parse(name: &str) -> Option<Self> {
        match name {
            "json" => Some(Self::Json),
            "tcsh" => Some(Self::Tcsh),
            name => Shell::parse(name).map(Self::Snippet),
        }
    }
}

/// A snippet's request for the state that its shell should have.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// What reads the answer.
    pub reader: AnswerReader,
    /// The event that caused the request.
    pub event: Event,
    /// Whether awsrole may prompt on the terminal.
    pub ask: bool,
    /// The role that the user chose in this shell, as a word of `awsrole use`.
    pub role: Option<String>,
    /// The profile that the user chose in this shell, as a word of `awsrole use --profile`.
    pub profile: Option<String>,
    /// Credential variables that the user changed manually.
    pub changed: Vec<String>,
    /// The protocol version of the snippet. `None` means that of this program.
    pub protocol: Option<u32>,
    /// Whether the answer must tell the shell how to compare the files.
    pub views: bool,
    /// Whether the answer only says if a new decision is needed.
    pub compare: bool,
    /// The token of the last answer. `None` is a tool that makes one request.
    pub token: Option<String>,
    /// The awsrole command that the user just typed.
    pub typed: Option<String>,
    /// The project files that the shell found, nearest first. If empty, awsrole searches from the working directory
    /// upward.
    pub files: Vec<PathBuf>,
}

impl Request {
    /// Parses arguments that have exactly the form in which a snippet writes them. Every `cd` waits for this, and clap
    /// would account for a twentieth of the time.
    #[must_use]
    pub fn of_snippet(words: &[OsString]) -> Option<Self> {
        let [hook, export, reader, rest @ ..] = words else { return None };
        if hook != "hook" || export != "export" {
            return None;
        }
        let (options, files) = rest.split_at(rest.iter().position(|word| word == "--")?);
        let mut request = Self {
            reader: AnswerReader::parse(reader.to_str()?)?,
            event: Event::Prompt,
            ask: false,
            role: None,
            profile: None,
            changed: Vec::new(),
            protocol: None,
            views: false,
            compare: false,
            token: None,
            typed: None,
            files: files[1..].iter().map(PathBuf::from).collect(),
        };
        let mut options = options.iter().map(|word| word.to_str());
        while let Some(option) = options.next() {
            match option? {
                "--event" => request.event = Event::parse(options.next()??)?,
                "--ask" => request.ask = true,
                "--views" => request.views = true,
                "--compare" => request.compare = true,
                "--token" => request.token = Some(options.next()??.to_owned()),
                "--typed" => request.typed = Some(options.next()??.to_owned()),
                "--role" => request.role = Some(options.next()??.to_owned()),
                "--profile" => request.profile = Some(options.next()??.to_owned()),
                "--changed" => request.changed.push(options.next()??.to_owned()),
                "--protocol" => request.protocol = Some(options.next()??.parse().ok()?),
                _ => return None,
            }
        }
        Some(request)
    }
}

/// Parses the arguments of `hook digest` and returns the files.
#[must_use]
pub fn digest_files(words: &[OsString]) -> Option<Vec<PathBuf>> {
    match words {
        [hook, digest, dashes, files @ ..] if hook == "hook" && digest == "digest" && dashes == "--" => {
            Some(files.iter().map(PathBuf::from).collect())
        }
        _ => None,
    }
}
