//! `awsrole edit`: opens a directory's file in the user's editor, and allows what the editor left if it is valid.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use awsrole_core::base::context::Context;
use awsrole_core::base::files::{read_regular, write_new};
use awsrole_core::base::problem::Problem;
use awsrole_core::project::discover::{self, FILE_NAME, upward};
use awsrole_core::settings::user_config::Settings;

use super::allow::{self, Consent, Strictness};
use crate::report::{CommandError, Outcome};
use awsrole_system::print::print_notice;

/// The largest file that is opened, in bytes. It exceeds the limit of a project file, so that a file that is too large
/// can be edited.
const MAX_BYTES: u64 = 1024 * 1024;

/// What the editor shows for a directory without a file.
const TEMPLATE: &str = "\
# The AWS role of this directory: see `awsrole status --long`.
# profile = \"shop-dev\"          # a profile of ~/.aws/config
# region = \"eu-west-1\"
# account_id = \"222222222222\"   # the pin: no other account's credentials are ever exported
";

pub(super) fn run(dir: Option<PathBuf>, context: &Context, settings: &Settings) -> Result<Outcome, CommandError> {
    let dir = super::common::directory(dir, context)?;
    let path = upward(&dir).into_iter().next().unwrap_or_else(|| dir.join(FILE_NAME));
    let shown = context.shorten(&path);
    let (editor, name) = editor(context)?;
    let before = content(&path)?;
    if before.is_none() {
        write_new(&path, TEMPLATE.as_bytes()).map_err(|e| Problem::new(format!("cannot write {shown}")).because(e))?;
    }
    match open(editor, &path, context) {
        Ok(status) if status.success() => {}
        ended => {
            put_back(&path, before.as_deref())
                .map_err(|e| Problem::new(format!("cannot restore {shown} after {name} failed")).because(e))?;
            let problem = Problem::new(format!("{shown} was not changed, because {name} failed"));
            return Err(match ended {
                Ok(status) => problem.because(format!("`{editor}` ended with {status}")),
                Err(error) => problem.because(error),
            }
            .into());
        }
    }
    let Some(after) = content(&path)? else {
        return Err(Problem::new(format!("{shown} was removed by the editor")).into());
    };
    if before.is_none() && after == TEMPLATE.as_bytes() {
        put_back(&path, None).map_err(|e| Problem::new(format!("cannot remove {shown}")).because(e))?;
        print_notice(format!("nothing was written: {shown} was left as it was"));
        return Ok(Outcome::Done);
    }
    if before.as_ref() == Some(&after) {
        print_notice(format!("nothing was allowed: {shown} was left as it was"));
        return Ok(Outcome::Done);
    }
    let [before, after] = [before.unwrap_or_default(), after].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let consent = Consent::GivenForEdit { before: &before, after: &after };
    allow::run(Some(path), consent, Strictness::Warn, context, settings)
}

/// Returns the user's editor, and the variable that names it.
fn editor(context: &Context) -> Result<(&str, &'static str), Problem> {
    let set = |name: &'static str| Some((context.env.filled(name)?, name));
    set("VISUAL").or_else(|| set("EDITOR")).ok_or_else(|| {
        Problem::new("no editor is set").hint("set EDITOR, as in `export EDITOR=vi`, or in fish `set -Ux EDITOR vi`")
    })
}

/// Runs the editor and waits for its end. As in git, its value is a shell command, to which the path is appended.
fn open(editor: &str, path: &Path, context: &Context) -> io::Result<ExitStatus> {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(format!("{editor} \"$@\"")).arg(editor).arg(path);
    command.env_clear().envs(&context.env.0).status()
}

/// Returns the content of the file, or `None` if there is no file.
fn content(path: &Path) -> Result<Option<Vec<u8>>, Problem> {
    match read_regular(path, MAX_BYTES) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound && path.symlink_metadata().is_err() => Ok(None),
        Err(error) => Err(discover::read(path)
            .err()
            .unwrap_or_else(|| Problem::new(format!("{} can't be read", path.display())).because(error))),
    }
}

/// Restores the content that the file had, or removes a file that wasn't there.
fn put_back(path: &Path, before: Option<&[u8]>) -> io::Result<()> {
    match before {
        None => fs::remove_file(path).or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        }),
        Some(before) if read_regular(path, MAX_BYTES).is_ok_and(|now| now == before) => Ok(()),
        // A symbolic link and the permissions stay as they are.
        Some(before) => OpenOptions::new().write(true).create(true).truncate(true).open(path)?.write_all(before),
    }
}
