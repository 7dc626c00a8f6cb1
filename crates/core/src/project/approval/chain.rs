//! The files that count in a directory: the nearest one and, with `inherit`, those above it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::base::digest::sha256;
use crate::base::problem::Problem;
use crate::project::config::Config;
use crate::project::discover::{self, ConfigFile};

/// How a record of several files begins. A record of one file that says nothing of others is its content, and content
/// has no NUL.
const SEVERAL: &[u8] = b"\0chain-1\0";

/// How the record of a chain ends that is closed: its last file doesn't inherit.
const CLOSED: &[u8] = b"closed";

/// The same for a chain above whose last file there is none, though that file says `inherit`.
const OPEN: &[u8] = b"open";

/// The files that count in a directory, the nearest first, each read once, and what they say together.
pub struct Chain {
    files: Vec<ConfigFile>,
    config: Config,
    open: bool,
}

impl Chain {
    /// Reads the files that count. `paths` are those of the directory and of all above it, nearest first.
    ///
    /// # Errors
    /// One of them can't be read or parsed.
    pub fn read(paths: &[PathBuf]) -> Result<Self, Problem> {
        let Reading { files, config, end, .. } = Reading::of(paths);
        match (end, config) {
            (End::Broken(problem), _) => Err(problem),
            (_, None) => Err(Problem::new("there is no .awsrole.toml here")),
            (end, Some(config)) => Ok(Self { files, config, open: matches!(end, End::Open) }),
        }
    }

    /// Returns the files, the nearest first: at least one.
    #[must_use]
    pub fn files(&self) -> &[ConfigFile] {
        &self.files
    }

    /// Returns the nearest file, to which the approval of the whole chain belongs.
    #[must_use]
    pub fn nearest(&self) -> &ConfigFile {
        &self.files[0]
    }

    /// Returns what the files say together. Nobody need have allowed it: it is to be shown.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Returns whether the last file inherits although there is none above it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open
    }
}

/// Files as far as they could be read and parsed.
pub(super) struct Reading {
    /// Those that could be read. One more than could be parsed, if parsing one ended it.
    pub(super) files: Vec<ConfigFile>,
    /// How many could be parsed.
    pub(super) parsed: usize,
    /// What those say together.
    pub(super) config: Option<Config>,
    pub(super) end: End,
}

/// Where a chain ends.
pub(super) enum End {
    /// At a file that doesn't inherit.
    Closed,
    /// At a file that inherits, with none above it.
    Open,
    /// At a file that can't be read or parsed.
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
                Ok(config) => config,
                Err(problem) => return Self { end: End::Broken(problem), ..reading },
            };
            let inherits = config.inherit;
            reading.parsed += 1;
            reading.config = Some(match reading.config.take() {
                None => config,
                Some(near) => near.over(config),
            });
            if !inherits {
                return Self { end: End::Closed, ..reading };
            }
        }
        reading
    }
}

/// What is stored of allowed files, and the sha256 that names it.
///
/// Of a single file that doesn't inherit and belongs to the user or to root the content is stored, under the sha256
/// over place, NUL, target, NUL, content. Of all others everything is stored that was hashed: for each file, the
/// nearest first, place, target, another user's id or nothing, and content, and at last whether the chain is closed,
/// each behind a NUL. No field contains a NUL, so no two lists of files have the same text.
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
    /// `None` where the record doesn't say it: of a single file.
    pub(super) target: Option<PathBuf>,
    pub(super) owner: Option<u32>,
    pub(super) text: String,
}

/// Reads what [`record`] stored for the file at `place`.
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

/// How a file differs from what was allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    /// The file.
    pub path: PathBuf,
    /// What changed.
    pub what: Changed,
    /// The content that was allowed; empty if the file wasn't there.
    pub before: String,
    /// The content now; empty if the file isn't there.
    pub now: String,
}

/// What changed about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// Its content.
    Content,
    /// It isn't there any more, or isn't inherited any more.
    Removed,
    /// It wasn't there, or wasn't inherited.
    Added,
    /// It is a link, and leads to another file.
    Target,
    /// It belongs to another user: who it is, if that is neither root nor the user of this process.
    Owner(Option<u32>),
}

/// Compares files with those that were allowed, in the order in which they count.
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
