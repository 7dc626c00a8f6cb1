//! The files that apply to a directory: the nearest one and, with `inherit`, those above it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::base::digest::sha256;
use crate::base::problem::Problem;
use crate::project::config::Config;
use crate::project::discover::{self, ConfigFile};

/// The prefix of a record of several files. A record of a single file without inheritance is its content, which can't
/// contain NUL.
const SEVERAL: &[u8] = b"\0chain-1\0";

/// The end of the record of a chain whose last file doesn't inherit.
const CLOSED: &[u8] = b"closed";

/// The end of the record of a chain whose last file inherits although no file is above it.
const OPEN: &[u8] = b"open";

/// The files that apply to a directory, nearest first, each read once, and their merged config.
pub struct Chain {
    files: Vec<ConfigFile>,
    config: Box<Config>,
    open: bool,
}

impl Chain {
    /// Reads the files that apply. `paths` are those of the directory and of all its parents, nearest first.
    ///
    /// # Errors
    /// Fails if one of them can't be read or parsed.
    pub fn read(paths: &[PathBuf]) -> Result<Self, Problem> {
        let Reading { files, config, end, .. } = Reading::of(paths);
        match (end, config) {
            (End::Broken(problem), _) => Err(problem),
            (_, None) => Err(Problem::new("there is no .awsrole.toml here")),
            (end, Some(config)) => Ok(Self { files, config, open: matches!(end, End::Open) }),
        }
    }

    /// Returns the files, nearest first. There is at least one.
    #[must_use]
    pub fn files(&self) -> &[ConfigFile] {
        &self.files
    }

    /// Returns the nearest file, to which the approval of the whole chain belongs.
    #[must_use]
    pub fn nearest(&self) -> &ConfigFile {
        &self.files[0]
    }

    /// Returns the merged config for display. It need not be allowed.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Returns whether the last file inherits although no file is above it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open
    }
}

/// The files that could be read and parsed.
pub(super) struct Reading {
    /// The files that could be read. The last one may have failed to parse.
    pub(super) files: Vec<ConfigFile>,
    /// The number of files that could be parsed.
    pub(super) parsed: usize,
    /// Their merged config.
    pub(super) config: Option<Box<Config>>,
    pub(super) end: End,
}

/// How a chain ends.
pub(super) enum End {
    /// With a file that doesn't inherit.
    Closed,
    /// With a file that inherits, with none above it.
    Open,
    /// With a file that can't be read or parsed.
    Broken(Problem),
}

impl End {
    pub(super) fn problem(self) -> Option<Problem> {
        match self {
            Self::Broken(problem) => Some(problem),
            Self::Closed | Self::Open => None,
        }
    }
}

impl Reading {
    pub(super) fn of(paths: &[PathBuf]) -> Self {
        let mut reading = Self { files: Vec::new(), parsed: 0, config: None, end: End::Open };
        for path in paths {
            let file = match discover::read(path) {
                Ok(file) => file,
                Err(problem) => return Self { end: End::Broken(problem), ..reading },
            };
            let parsed = Config::parse(&file);
            reading.files.push(file);
            let config = match parsed {
                Ok(config) => Box::new(config),
                Err(problem) => return Self { end: End::Broken(problem), ..reading },
            };
            let inherits = config.inherit;
            reading.parsed += 1;
            reading.config = Some(match reading.config.take() {
                None => config,
                Some(near) => Box::new(near.merged_over(*config)),
            });
            if !inherits {
                return Self { end: End::Closed, ..reading }.checked();
            }
        }
        reading.checked()
    }

    /// Checks the references in the merged config. Without this, those of a file that inherits are never checked.
    fn checked(self) -> Self {
        match self.config.as_ref().map(|config| config.check_references()) {
            Some(Err(problem)) => Self { end: End::Broken(problem), ..self },
            _ => self,
        }
    }
}

/// Returns the record of allowed files, and the SHA-256 that is its name.
///
/// For a single file that doesn't inherit and belongs to the user or to root, the record is its content, and the name
/// is the SHA-256 over place, NUL, target, NUL, content. For all others, the record is everything that is hashed: for
/// each file, nearest first, place, target, the user ID of another owner or nothing, and content, and finally whether
/// the chain is open or closed, each preceded by NUL. No field contains NUL, so different lists of files never have the
/// same record.
pub(super) fn record(files: &[ConfigFile], open: bool) -> (String, Vec<u8>) {
    if let ([file], false) = (files, open)
        && file.owner.is_none()
    {
        let (place, target) = (bytes(&file.place), bytes(&file.canonical));
        let text = file.text.as_bytes();
        return (sha256(&[place, b"\0", target, b"\0", text]), text.to_vec());
    }
    let mut record = SEVERAL.to_vec();
    for file in files {
        let owner = file.owner.map(|owner| owner.to_string()).unwrap_or_default();
        for field in [bytes(&file.place), bytes(&file.canonical), owner.as_bytes(), file.text.as_bytes()] {
            record.extend_from_slice(field);
            record.push(b'\0');
        }
    }
    record.extend_from_slice(if open { OPEN } else { CLOSED });
    (sha256(&[&record]), record)
}

fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

/// A file as it was when it was allowed.
pub(super) struct Recorded {
    pub(super) place: PathBuf,
    /// `None` if the record doesn't contain it, as for a single file.
    pub(super) target: Option<PathBuf>,
    pub(super) owner: Option<u32>,
    pub(super) text: String,
}

/// Parses what [`record`] returned for the file at `place`.
pub(super) fn recorded(place: &Path, bytes: &[u8]) -> Option<Vec<Recorded>> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
    let Some(fields) = bytes.strip_prefix(SEVERAL) else {
        return Some(vec![Recorded { place: place.to_owned(), target: None, owner: None, text: text(bytes)? }]);
    };
    let fields: Vec<&[u8]> = fields.split(|byte| *byte == b'\0').collect();
    let path = |bytes| PathBuf::from(OsStr::from_bytes(bytes));
    let files = fields.chunks_exact(4).map(|fields| {
        Some(Recorded {
            place: path(fields[0]),
            target: Some(path(fields[1])),
            owner: text(fields[2])?.parse().ok(),
            text: text(fields[3])?,
        })
    });
    files.collect()
}

/// A difference between a file and its allowed state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    /// The path of the file.
    pub path: PathBuf,
    /// The kind of change.
    pub what: Changed,
    /// The content that was allowed. Empty if the file didn't exist.
    pub before: String,
    /// The present content. Empty if the file doesn't exist.
    pub now: String,
}

/// The kind of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// The content changed.
    Content,
    /// The file doesn't exist any more, or isn't inherited any more.
    Removed,
    /// The file didn't exist, or wasn't inherited.
    Added,
    /// The file is a symbolic link with another target.
    Target,
    /// The owner changed. Contains the user ID unless it is root or the user of this process.
    Owner(Option<u32>),
}

/// Compares files with those that were allowed, in order of precedence.
pub(super) fn changes(files: &[ConfigFile], before: &[Recorded]) -> Vec<FileChange> {
    let mut changes = Vec::new();
    for file in files {
        let old = before.iter().find(|old| old.place == file.place);
        let what = match old {
            None => Changed::Added,
            Some(old) if old.text != file.text => Changed::Content,
            Some(old) if old.target.as_ref().is_some_and(|target| *target != file.canonical) => Changed::Target,
            Some(old) if old.owner != file.owner => Changed::Owner(file.owner),
            Some(_) => continue,
        };
        let before = old.map(|old| old.text.clone()).unwrap_or_default();
        changes.push(FileChange { path: file.path.clone(), what, before, now: file.text.clone() });
    }
    let removed = before.iter().filter(|old| files.iter().all(|file| file.place != old.place));
    changes.extend(removed.map(|old| FileChange {
        path: old.place.clone(),
        what: Changed::Removed,
        before: old.text.clone(),
        now: String::new(),
    }));
    changes
}
