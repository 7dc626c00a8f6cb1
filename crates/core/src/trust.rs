//! Has the user allowed this file?

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::arn::AccountId;
use crate::config::Config;
use crate::digest::sha256;
use crate::discover::{self, ConfigFile, place};
use crate::files::{self, FileError};
use crate::problem::Problem;
use crate::user_config::{TrustRule, UserConfig};

/// What the user has said of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// This content at this path was allowed.
    Allowed,
    /// A rule in the user's config allows it, for roles of these accounts.
    AllowedFor(Vec<AccountId>),
    /// Another content at this path was allowed.
    Edited,
    /// The path was denied, whatever it contains.
    Denied,
    /// Nothing.
    Unknown,
}

/// A config that the user has allowed: only this can become a plan. It is made of the very bytes
/// that were hashed.
pub struct Allowed {
    config: Config,
    only_accounts: Option<Vec<AccountId>>,
}

impl Allowed {
    /// The config, with what it inherits.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// If only a rule allows it: the accounts for which it does.
    #[must_use]
    pub fn only_accounts(&self) -> Option<&[AccountId]> {
        self.only_accounts.as_deref()
    }
}

/// What came of looking at a directory's files.
pub enum Verdict {
    /// All that count are allowed.
    Allowed(Box<Allowed>),
    /// One of them isn't.
    Refused {
        /// The file.
        path: PathBuf,
        /// Why.
        standing: Standing,
    },
    /// One of them can't be read or parsed.
    Broken {
        /// What is wrong.
        problem: Problem,
        /// What the user had said of the path.
        standing: Standing,
    },
}

/// What a shell holds in a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// The file's role, or nobody's identity if that can't be had.
    Role,
    /// The environment without awsrole.
    Outer,
    /// Nobody's identity.
    Closed,
}

impl Verdict {
    /// What follows of a verdict on a directory's files, of which `depth` were looked at. A cloned file takes nobody's
    /// identity away, nor does one that was denied. But where something was in force (the file before its edit, or the
    /// nearer one that inherits this), the outer identity is none that the user would expect.
    #[must_use]
    pub fn holds(&self, depth: usize) -> Holds {
        match self {
            Self::Allowed(_) => Holds::Role,
            Self::Refused { standing: Standing::Denied | Standing::Unknown, .. }
            | Self::Broken { standing: Standing::Denied | Standing::Unknown, .. }
                if depth <= 1 =>
            {
                Holds::Outer
            }
            _ => Holds::Closed,
        }
    }
}

/// The approvals of one user: a folder for each path, in it a file for each allowed content. They
/// accumulate, so that switching branches back and forth needs no new one.
pub struct Approvals {
    dir: PathBuf,
}

impl Approvals {
    /// Approvals below awsrole's data directory.
    #[must_use]
    pub fn below(data: &Path) -> Self {
        Self { dir: data.join("approvals") }
    }

    /// What was said of a file. No environment variable has a say in it.
    #[must_use]
    pub fn standing(&self, file: &ConfigFile) -> Standing {
        let folder = self.folder(&file.place);
        // What others planted says nothing, nor what lies where they could have planted it.
        if !self.is_ours(&folder) {
            Standing::Unknown
        } else if files::is_own(&folder.join("denied")) {
            Standing::Denied
        } else if files::is_own(&folder.join(fingerprint(file))) {
            Standing::Allowed
        } else {
            Self::standing_in(&folder)
        }
    }

    /// Allows a content at its path, and takes back that the path was denied.
    pub fn allow(&self, file: &ConfigFile) -> Result<(), FileError> {
        let folder = self.folder(&file.place);
        self.make_ours(&folder)?;
        files::remove(&folder.join("denied"))?;
        files::write_private(&folder.join(fingerprint(file)), file.text.as_bytes())
    }

    /// Denies a path whatever it contains, and forgets what was allowed there.
    pub fn deny(&self, path: &Path) -> Result<(), FileError> {
        let folder = self.folder(&place(path));
        self.make_ours(&folder)?;
        files::write_private(&folder.join("denied"), path.as_os_str().as_encoded_bytes())?;
        for entry in fs::read_dir(&folder).map_err(|e| FileError::new("reading", &folder, e))?.flatten() {
            // What is unfinished may be what another process is just about to say.
            if entry.file_name() != "denied" && !files::is_unfinished(&entry) {
                files::remove(&entry.path())?;
            }
        }
        Ok(())
    }

    /// The content at this path that was allowed last, to show the difference.
    #[must_use]
    pub fn last_allowed(&self, file: &ConfigFile) -> Option<String> {
        let folder = self.folder(&file.place);
        let entries = fs::read_dir(&folder).ok().filter(|_| self.is_ours(&folder))?.flatten();
        let newest = entries
            .filter(|entry| entry.file_name() != "denied" && !files::is_unfinished(entry))
            .filter(|entry| files::is_own(&entry.path()))
            .max_by_key(|entry| entry.metadata().and_then(|m| m.modified()).ok())?;
        fs::read_to_string(newest.path()).ok()
    }

    /// What was said of a path, whatever lies there now.
    fn standing_of_path(&self, path: &Path) -> Standing {
        let folder = self.folder(&place(path));
        if self.is_ours(&folder) { Self::standing_in(&folder) } else { Standing::Unknown }
    }

    /// Whether nobody else can have put anything into a path's folder, or that folder in its place.
    fn is_ours(&self, folder: &Path) -> bool {
        files::is_own_dir(&self.dir) && files::is_own_dir(folder)
    }

    /// Makes the folders, and private: what is said in others would never be believed.
    fn make_ours(&self, folder: &Path) -> Result<(), FileError> {
        for dir in [&self.dir, folder] {
            files::private_dir(dir)?;
            if !files::is_own_dir(dir) {
                return Err(FileError::new("entering", dir, io::Error::other("it is a link")));
            }
        }
        Ok(())
    }

    fn standing_in(folder: &Path) -> Standing {
        match fs::read_dir(folder) {
            Err(_) => Standing::Unknown,
            Ok(entries) => {
                let whole = entries.flatten().filter(|entry| !files::is_unfinished(entry));
                let own = whole.filter(|entry| files::is_own(&entry.path()));
                let names: Vec<_> = own.map(|entry| entry.file_name()).collect();
                if names.iter().any(|name| name == "denied") {
                    Standing::Denied
                } else if names.is_empty() {
                    Standing::Unknown
                } else {
                    Standing::Edited
                }
            }
        }
    }

    fn folder(&self, canonical: &Path) -> PathBuf {
        self.dir.join(sha256(&[canonical.as_os_str().as_encoded_bytes()]))
    }
}

/// Looks at the files of a directory, nearest first, and at those that they inherit. Returns how
/// many of them count, so that the shell knows which to compare.
#[must_use]
pub fn vet(paths: &[PathBuf], approvals: &Approvals, user: &UserConfig) -> (Verdict, usize) {
    let mut merged: Option<Allowed> = None;
    for (index, path) in paths.iter().enumerate() {
        let depth = index + 1;
        let broken = |problem, standing| (Verdict::Broken { problem, standing }, depth);
        let file = match discover::read(path) {
            Ok(file) => file,
            Err(problem) => return broken(problem, approvals.standing_of_path(path)),
        };
        let (only_accounts, standing) = match approvals.standing(&file) {
            Standing::Allowed => (None, Standing::Allowed),
            standing @ (Standing::Unknown | Standing::Edited) => match ruled(&file, &user.trust) {
                Ok(accounts) if accounts.is_empty() => {
                    return (Verdict::Refused { path: path.clone(), standing }, depth);
                }
                Ok(accounts) => (Some(accounts.clone()), Standing::AllowedFor(accounts)),
                Err(problem) => return broken(problem, standing),
            },
            standing => {
                return (Verdict::Refused { path: path.clone(), standing }, depth);
            }
        };
        let config = match Config::parse(&file) {
            Ok(config) => config,
            Err(problem) => return broken(problem, standing),
        };
        let inherits = config.inherit;
        let allowed = match merged.take() {
            None => Allowed { config, only_accounts },
            Some(near) => Allowed {
                config: near.config.over(config),
                only_accounts: narrowest(near.only_accounts, only_accounts),
            },
        };
        if !inherits {
            return (Verdict::Allowed(Box::new(allowed)), depth);
        }
        merged = Some(allowed);
    }
    match merged {
        Some(allowed) => (Verdict::Allowed(Box::new(allowed)), paths.len()),
        None => (
            Verdict::Broken { problem: Problem::new("there is no .awsrole.toml here"), standing: Standing::Unknown },
            0,
        ),
    }
}

/// sha256 over place, NUL, target, NUL, bytes: a copy of an allowed file elsewhere isn't allowed, nor
/// a link that leads to another file of the same content.
fn fingerprint(file: &ConfigFile) -> String {
    let (place, target) = (&file.place, &file.canonical);
    sha256(&[
        place.as_os_str().as_encoded_bytes(),
        b"\0",
        target.as_os_str().as_encoded_bytes(),
        b"\0",
        file.text.as_bytes(),
    ])
}

fn narrowest(one: Option<Vec<AccountId>>, other: Option<Vec<AccountId>>) -> Option<Vec<AccountId>> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.into_iter().filter(|account| other.contains(account)).collect()),
        (one, other) => one.or(other),
    }
}

/// The accounts of all rules that a file falls under, by whole components: `/work` says nothing of
/// `/work-evil`. A link must fall under them with its place and with its target.
fn ruled(file: &ConfigFile, rules: &[TrustRule]) -> Result<Vec<AccountId>, Problem> {
    let paths = [&file.place, &file.canonical];
    let fits = |rule: &&TrustRule| paths.iter().all(|path| path.starts_with(&rule.path));
    let accounts: Vec<AccountId> = rules.iter().filter(fits).flat_map(|rule| rule.accounts.clone()).collect();
    if accounts.is_empty() {
        return Ok(accounts);
    }
    // No hash stands for the content, so no one else may be able to change it.
    for path in paths.iter().flat_map(|path| path.ancestors()) {
        let found =
            fs::metadata(path).map_err(|e| Problem::new(format!("{} can't be examined", path.display())).because(e))?;
        let sticky = found.is_dir() && found.mode() & 0o1000 != 0;
        let ours = found.uid() == rustix::process::geteuid().as_raw() || found.uid() == 0;
        let writable = found.mode() & 0o022 != 0 && !sticky;
        if !ours || writable {
            let why = if ours { "others may write to it" } else { "it belongs to another user" };
            return Err(Problem::new(format!("{} isn't trusted by your [[trust]] rule", file.path.display()))
                .because(format!("{}: {why}", path.display()))
                .hint(format!("`chmod go-w {}`, or approve this content with `awsrole allow`", path.display())));
        }
    }
    Ok(accounts)
}

#[cfg(test)]
mod tests;
