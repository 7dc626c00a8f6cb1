//! `awsrole import`: prints a project file that selects the role of the files of other tools. It never runs anything.

mod env_files;
mod mairu;
mod profile_keys;
mod settings;

use std::fs;
use std::path::{Path, PathBuf};

use awsrole_core::aws::profiles::Profiles;
use awsrole_core::base::context::Context;
use awsrole_core::base::files::read_regular;
use awsrole_core::base::problem::Problem;
use awsrole_core::base::suggest::suggestion;
use awsrole_core::project::discover::FILE_NAME;
use awsrole_core::shell::state::OuterEnv;
use awsrole_system::print::{out, print_notice};

use self::settings::{Imported, ShownLine};
use crate::overrides::files::{FileKind, OF_MISE};
use crate::report::{CommandError, Outcome};

/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// The files of a directory that are read, the most important first. If two of them set the same key, the first is
/// used.
const FILES: [&str; 7] =
    [".envrc", "mise.local.toml", ".mise.local.toml", "mise.toml", ".mise.toml", ".env", mairu::FILE_NAME];

pub(super) fn run(path: Option<PathBuf>, context: &Context) -> Result<Outcome, CommandError> {
    let outer = context.with_env(OuterEnv::reconstruct(&context.env).env);
    let path = match path {
        Some(path) => outer.dir.join(path.to_str().map_or(path.clone(), |text| outer.expand(text))),
        None => super::common::directory(None, &outer)?,
    };
    let profiles = Profiles::load(&outer)?;
    let found =
        fs::metadata(&path).map_err(|e| Problem::new(format!("cannot read {}", outer.shorten(&path))).because(e))?;
    let is_aws_config = || path.canonicalize().ok() == profiles.paths()[0].canonicalize().ok();
    let imported = match found.is_dir() {
        true => of_directory(&path, &profiles, &outer),
        false if is_aws_config() => profile_keys::of_all(&profiles, &outer),
        false => of_file(&path, &profiles, &outer)?,
    };
    imported.remarks.iter().for_each(print_notice);
    let Some(text) = imported.text() else {
        return Err(Problem::new(format!("there is nothing to import in {}", outer.shorten(&path)))
            .because("no literal setting there selects a profile, a role or a region")
            .hint("`awsrole init` creates a project file from your profiles")
            .into());
    };
    let target = if found.is_dir() { path.join(FILE_NAME) } else { path.with_file_name(FILE_NAME) };
    // Before the text is written, because the output may be redirected to this file.
    let exists = target.symlink_metadata().is_ok_and(|found| found.len() > 0);
    out(&text)?;
    print_notice(match exists {
        _ if is_aws_config() => format!("write the roles that a project needs to its {FILE_NAME}"),
        true => format!("{} exists already: compare it", outer.shorten(&target)),
        false => format!("write this to {}, then run `awsrole allow`", outer.shorten(&target)),
    });
    Ok(Outcome::Done)
}

/// Reads the files of a directory.
fn of_directory(dir: &Path, profiles: &Profiles, context: &Context) -> Imported {
    let mut imported = Imported::default();
    for name in FILES.into_iter().chain(OF_MISE) {
        let path = dir.join(name);
        if path.symlink_metadata().is_ok() {
            read(&path, &mut imported, profiles, context);
        }
    }
    follow_profile(&mut imported, profiles, context);
    imported
}

fn of_file(path: &Path, profiles: &Profiles, context: &Context) -> Result<Imported, Problem> {
    let mut imported = Imported::default();
    if !read(path, &mut imported, profiles, context) {
        return Err(Problem::new(format!("cannot import {}: the kind of file is unknown", context.shorten(path)))
            .hint("it reads .envrc, .env, mise.toml, .mairu.json and ~/.aws/config"));
    }
    follow_profile(&mut imported, profiles, context);
    Ok(imported)
}

/// Reads one file. Returns false if its name tells nothing about its format.
fn read(path: &Path, imported: &mut Imported, profiles: &Profiles, context: &Context) -> bool {
    let kind = FileKind::of(path);
    let is_mairu = path.ends_with(mairu::FILE_NAME);
    if !is_mairu && !matches!(kind, Some(FileKind::Direnv | FileKind::Dotenv | FileKind::Mise)) {
        return false;
    }
    let place = ShownLine { file: context.shorten(path), line: 0 };
    let text = match read_regular(path, MAX_BYTES).map(String::from_utf8) {
        Ok(Ok(text)) => text,
        Ok(Err(_)) => {
            imported.skip(&place, "it isn't UTF-8");
            return true;
        }
        Err(error) => {
            imported.skip(&place, &error.to_string());
            return true;
        }
    };
    match kind {
        _ if is_mairu => mairu::read(&text, &place, imported, profiles),
        Some(FileKind::Direnv) => env_files::envrc(&text, &place, imported),
        Some(FileKind::Mise) => env_files::mise(&text, &place, imported),
        _ => env_files::dotenv(&text, &place, imported),
    }
    true
}

/// Replaces a profile that only runs another tool by the one that this tool uses, and adds the keys that awsrole reads
/// from project files only.
fn follow_profile(imported: &mut Imported, profiles: &Profiles, context: &Context) {
    let Some((name, place)) = imported.profile() else { return };
    let Some(profile) = profiles.get(&name) else {
        let hint = suggestion(&name, "the existing profiles are", &profiles.names());
        imported.remarks.push(format!("{place}: there is no profile `{name}` in your AWS files: {hint}"));
        return;
    };
    let keys = profile_keys::of(profile, profiles, context);
    imported.remarks.extend(keys.remarks);
    if keys.profile != name {
        imported.replace_profile(&keys.profile);
    }
    for (key, value, place) in keys.settings {
        imported.set(key, value, &place);
    }
}
