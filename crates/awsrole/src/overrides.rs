//! Finds settings in the files of a project that make other tools ignore its role.
//!
//! The files are parsed in a separate thread with a time limit, because anyone may have written them.

mod command_lines;
pub(crate) mod documents;
pub(crate) mod files;
mod kubeconfig;
mod read;
pub(crate) mod shown;
mod terraform;
pub(crate) mod variables;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use awsrole_core::aws::profiles::Profiles;
use awsrole_core::base::context::Context;
use awsrole_core::explain::profile_overrides::{Effect, ProfileOverride};
use awsrole_core::plan::resolve::{Preview, preview};
use awsrole_core::project::approval::Chain;

use self::files::FileKind;
use self::terraform::Terraform;

/// The time limit for parsing all files.
const TIME_LIMIT: Duration = Duration::from_secs(2);

/// The stack of the thread, in bytes. The parsers limit the depth of nesting.
const STACK: usize = 16 * 1024 * 1024;

/// A setting as it is written in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Setting {
    file: PathBuf,
    line: usize,
    tool: &'static str,
    text: String,
    /// The name of the profile. `None` for keys, and for a value that only the tool knows.
    profile: Option<String>,
}

/// Returns the settings that override the role of a directory, in the order of files and lines.
///
/// `files` are the project files that apply, nearest first. They need not be approved: they are compared, not used.
pub(crate) fn find(files: &[PathBuf], role: Option<&str>, context: &Context) -> Vec<ProfileOverride> {
    let Some(project) = files.first().and_then(|file| file.parent()) else { return Vec::new() };
    let Ok(profiles) = Profiles::load(context) else { return Vec::new() };
    let same = role_of(files, role, &profiles, context);
    let settings = scan(project, context);
    let judged = settings.into_iter().map(|setting| {
        let Setting { file, line, tool, text, profile } = setting;
        let effect = match &profile {
            Some(name) => Effect::of_profile(name, same.as_ref(), &profiles, context),
            // An expression such as `${opt:profile}`, `$PROFILE` or `{{ env.X }}`.
            None if text.contains('$') || text.contains("{{") => Effect::DecidedAtRunTime,
            None => Effect::OtherIdentity,
        };
        ProfileOverride { file, line, text, tool, effect }
    });
    judged.collect()
}

/// Returns the role with which other identities are compared.
fn role_of(files: &[PathBuf], role: Option<&str>, profiles: &Profiles, context: &Context) -> Option<Preview> {
    preview(Chain::read(files).ok()?.config(), role, profiles, context).ok()
}

/// Searches for files and parses them within the time limit.
fn scan(project: &Path, context: &Context) -> Vec<Setting> {
    let (send, receive) = mpsc::channel();
    let (project, environment) = (project.to_owned(), variables::of_terraform(&context.env));
    let of_user = files::of_user(context);
    let scan = move || {
        let found: BTreeMap<PathBuf, FileKind> = files::of_project(&project).into_iter().chain(of_user).collect();
        let mut terraform = Terraform::of(found.keys().cloned().collect(), environment);
        // The receiver is gone when the time is over.
        let _ = found.iter().try_for_each(|(file, kind)| send.send(read::settings(file, *kind, &mut terraform)));
    };
    let started = std::thread::Builder::new().stack_size(STACK).spawn(scan);
    let (mut found, mut left) = (BTreeSet::new(), TIME_LIMIT);
    if started.is_ok() {
        let start = Instant::now();
        while let Ok(settings) = receive.recv_timeout(left) {
            found.extend(settings);
            left = TIME_LIMIT.saturating_sub(start.elapsed());
        }
    }
    found.into_iter().collect()
}

/// Returns the directory of a file.
fn folder(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new(""))
}
