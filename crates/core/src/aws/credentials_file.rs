//! Long-lived keys in an AWS file, and their removal from it.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use crate::aws::profiles::{MAX_BYTES, Profiles};
use crate::base::files::{FileError, read_regular, sync_dir};
use crate::base::problem::Problem;
use crate::base::secret::Secret;

/// The keys of a profile in one of the two AWS files.
pub struct KeysInFile {
    /// The path of the file, as configured.
    pub file: PathBuf,
    /// `AKIA…`
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: Secret,
    /// The lines of both settings, counted from 1.
    pub lines: [usize; 2],
}

impl KeysInFile {
    /// Finds a profile's keys.
    ///
    /// # Errors
    /// Fails if the profile has no keys or only half of them, if they are temporary, or if they are in two files.
    pub fn find(profiles: &Profiles, name: &str) -> Result<Self, Problem> {
        let [config, credentials] = profiles.paths().map(|path| path.display().to_string());
        let profile = profiles.get(name).filter(|profile| profile.has_static_keys()).ok_or_else(|| {
            Problem::new(format!("profile {name} has no keys to import"))
                .because(format!("neither {credentials} nor {config} has any for it"))
                .hint(format!("`awsrole keys add {name}` prompts for keys"))
        })?;
        let [id_at, secret_at] = ["aws_access_key_id", "aws_secret_access_key"].map(|key| profile.origin(key));
        let (Some(id), Some(secret)) = (profile.text("aws_access_key_id"), profile.secret("aws_secret_access_key"))
        else {
            return Err(Problem::new(format!("{id_at}: profile {name} has only half of its keys"))
                .hint("it needs aws_access_key_id and aws_secret_access_key"));
        };
        if ["aws_access_key_id", "aws_secret_access_key"].iter().any(|key| profile.inherits(key)) {
            return Err(Problem::new(format!("{id_at}: the keys of profile {name} are in [DEFAULT]"))
                .because("every profile of that file inherits them, so they can't be removed for one")
                .hint(format!("move both lines into the section of {name}")));
        }
        if profile.session_token().is_some() {
            return Err(Problem::new(format!("{id_at}: profile {name} has temporary keys"))
                .hint("only long-lived keys (AKIA…) can be stored"));
        }
        if id_at.file != secret_at.file {
            return Err(Problem::new(format!("{id_at}: the other half of the key is in {}", secret_at.file.display()))
                .hint("move both lines into one file"));
        }
        check_id(id).map_err(|problem| Problem { summary: format!("{id_at}: {}", problem.summary), ..problem })?;
        Ok(Self {
            file: id_at.file,
            access_key_id: id.to_owned(),
            secret_access_key: secret,
            lines: [id_at.line, secret_at.line],
        })
    }

    /// Removes the two lines from the file. All other bytes are unchanged.
    ///
    /// The file keeps its mode, and a symbolic link to it stays a link. The returned backup contains the previous
    /// content.
    ///
    /// # Errors
    /// Fails if the file was changed in the meantime, if a backup of another run exists, or if it can't be written. The
    /// file is unchanged then.
    pub fn remove_keys(&self) -> Result<Backup, Problem> {
        let failed = |what: &'static str, path: &Path| {
            let path = path.to_owned();
            move |e| removal_error(&FileError::new(what, &path, e))
        };
        let target = fs::canonicalize(&self.file).map_err(failed("find", &self.file))?;
        let before = Zeroizing::new(read_regular(&target, MAX_BYTES).map_err(failed("read", &target))?);
        let after = without(&before, self.lines).filter(|_| self.still_there(&before));
        let after = after.ok_or_else(|| {
            Problem::new(format!(
                "{} was changed by another program, so nothing was removed from it",
                self.file.display()
            ))
            .hint("run the same command again")
        })?;
        let mode = fs::metadata(&target).map_err(failed("read", &target))?.permissions();
        let backup = Backup { copy: backup_path(&target), target, after };
        // If the backup exists, another run is in progress, or an interrupted one left the only copy of a key. The
        // backup is on disk before the file is written, because it may become the only copy of the keys.
        let copied = write_temp(&backup.copy, &before, None)
            .and_then(|file| file.persist_noclobber(&backup.copy).map_err(|e| e.error))
            .and_then(|_| sync_parent(&backup.copy));
        copied.map_err(
            |e| match e.kind() {
                io::ErrorKind::AlreadyExists => Problem::new(format!("{} already exists", backup.copy.display()))
                    .because("another run is removing keys from the file, or one was interrupted")
                    .hint("nothing was removed: if no other run is active, check that every key in the backup is stored, delete it, and try again"),
                _ => failed("write", &backup.copy)(e),
            },
        )?;
        let written = write_temp(&backup.target, &backup.after, Some(mode))
            .and_then(|file| file.persist(&backup.target).map_err(|e| e.error));
        if let Err(e) = written {
            let problem = failed("write", &backup.target)(e);
            let _ = fs::remove_file(&backup.copy);
            return Err(problem);
        }
        Ok(backup)
    }

    fn still_there(&self, bytes: &[u8]) -> bool {
        let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
        let holds = |line: usize, value: &str| {
            line.checked_sub(1).and_then(|index| lines.get(index)).is_some_and(|line| {
                let text = std::str::from_utf8(line).unwrap_or_default();
                text.split_once(['=', ':']).is_some_and(|(_, held)| held.trim() == value)
            })
        };
        holds(self.lines[0], &self.access_key_id) && holds(self.lines[1], self.secret_access_key.expose())
    }
}

/// Returns the path of the backup that is kept while keys are removed from a file.
#[must_use]
pub fn backup_path(file: &Path) -> PathBuf {
    let target = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(".before-awsrole");
    target.with_file_name(name)
}

/// The previous content of the file, kept until the stored keys are known to work.
pub struct Backup {
    copy: PathBuf,
    target: PathBuf,
    /// The content of the file after the removal.
    after: Zeroizing<Vec<u8>>,
}

impl Backup {
    /// Restores the previous content.
    ///
    /// # Errors
    /// Fails if the file can't be written, or if another program changed it in the meantime. Then both the changed file
    /// and the backup are kept.
    pub fn restore(&self) -> Result<(), Problem> {
        let not_back = |why: &dyn std::fmt::Display| {
            Problem::new(format!("cannot restore the keys in {}", self.target.display()))
                .because(why)
                .hint(format!("the previous content is in {}: restore it manually", self.copy.display()))
        };
        let explained = |e: io::Error| not_back(&e);
        let now = Zeroizing::new(read_regular(&self.target, MAX_BYTES).map_err(explained)?);
        if *now != *self.after {
            return Err(not_back(&"it was changed by another program"));
        }
        let mode = fs::metadata(&self.target).map_err(explained)?.permissions();
        fs::set_permissions(&self.copy, mode).map_err(explained)?;
        fs::rename(&self.copy, &self.target).and_then(|()| sync_parent(&self.target)).map_err(explained)
    }

    /// Removes the backup with the keys once the new file is on disk.
    pub fn discard(&self) -> Result<(), Problem> {
        let removed = sync_parent(&self.target)
            .and_then(|()| fs::remove_file(&self.copy))
            // Otherwise a crash could bring the secret back.
            .and_then(|()| sync_parent(&self.copy));
        removed.map_err(|e| removal_error(&FileError::new("remove", &self.copy, e)))
    }
}

/// Checks that a text may be the access key ID of a long-lived key. An invalid text is never shown, because it may be
/// the secret.
///
/// # Errors
/// Says what the text is instead, if that is known.
pub fn check_id(text: &str) -> Result<(), Problem> {
    if text.starts_with("ASIA") {
        return Err(Problem::new("this is the ID of a temporary key (ASIA…)")
            .hint("only long-lived keys (AKIA…) can be stored"));
    }
    let fits = text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    if fits && text.starts_with("AKIA") && (16..=32).contains(&text.len()) {
        return Ok(());
    }
    Err(Problem::new("this isn't an access key ID (AKIA and 16 capital letters or digits)")
        .hint("is it the secret? enter the ID first"))
}

fn sync_parent(path: &Path) -> io::Result<()> {
    sync_dir(path.parent().unwrap_or(Path::new("/")))
}

/// Returns the text without the given lines, or `None` if they don't exist.
fn without(bytes: &[u8], lines: [usize; 2]) -> Option<Zeroizing<Vec<u8>>> {
    let mut rest = Zeroizing::new(Vec::with_capacity(bytes.len()));
    let mut left_out = 0;
    for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        if lines.contains(&(index + 1)) {
            left_out += 1;
        } else {
            rest.extend_from_slice(line);
        }
    }
    (left_out == 2).then_some(rest)
}

/// Writes a temporary file in the directory of `path` and flushes it to disk. It is private unless `mode` is given.
fn write_temp(path: &Path, bytes: &[u8], mode: Option<fs::Permissions>) -> io::Result<NamedTempFile> {
    let dir = path.parent().unwrap_or(Path::new("/"));
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(dir)?;
    file.write_all(bytes)?;
    if let Some(mode) = mode {
        file.as_file().set_permissions(mode)?;
    }
    file.as_file().sync_all()?;
    Ok(file)
}

fn removal_error(error: &FileError) -> Problem {
    Problem::new("cannot remove the keys from the file")
        .because(error)
        .hint("they are in the store: remove the two lines manually, or make the directory writable and try again")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;
    use crate::aws::profiles::tests::home;
    use crate::base::files::write_private;

    const FILE: &str = "# mine\r\n[default]\naws_access_key_id = AKIADEFAULT000000000\naws_secret_access_key = keep\n\n[jump]\n; comment\nAWS_Access_Key_Id: AKIAJUMP000000000000\nregion = x\naws_secret_access_key=a#b=c  \n# end";

    #[test]
    fn removes_the_two_lines_and_nothing_else() {
        let (_home, context) = home("", FILE);
        let path = context.paths.home.join(".aws/credentials");
        let target = context.paths.home.join("real");
        fs::rename(&path, &target).unwrap();
        symlink("../real", &path).unwrap();
        fs::set_permissions(&target, fs::Permissions::from_mode(0o640)).unwrap();
        let keys = KeysInFile::find(&Profiles::load(&context).unwrap(), "jump").unwrap();
        assert_eq!((keys.access_key_id.as_str(), keys.secret_access_key.expose()), ("AKIAJUMP000000000000", "a#b=c"));
        let backup = keys.remove_keys().unwrap();
        let left = "# mine\r\n[default]\naws_access_key_id = AKIADEFAULT000000000\naws_secret_access_key = keep\n\n[jump]\n; comment\nregion = x\n# end";
        assert_eq!(fs::read_to_string(&path).unwrap(), left);
        assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
        assert_eq!(fs::metadata(&target).unwrap().mode() & 0o777, 0o640);
        let copy = context.paths.home.join("real.before-awsrole");
        assert_eq!(fs::metadata(&copy).unwrap().mode() & 0o777, 0o600);
        assert!(keys.remove_keys().is_err(), "the lines are others by now");
        backup.restore().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), FILE);
        assert_eq!(fs::metadata(&target).unwrap().mode() & 0o777, 0o640);
        keys.remove_keys().unwrap().discard().unwrap();
        assert!(!copy.exists() && fs::read_to_string(&path).unwrap() == left);
    }

    #[test]
    fn keeps_existing_backups_and_concurrent_changes() {
        let (_home, context) = home("", FILE);
        let path = context.paths.home.join(".aws/credentials");
        let keys = KeysInFile::find(&Profiles::load(&context).unwrap(), "jump").unwrap();
        let copy = backup_path(&path);
        write_private(&copy, b"of another run").unwrap();
        let problem = keys.remove_keys().err().unwrap();
        assert!(problem.summary.contains("already exists"), "{problem}");
        assert_eq!(fs::read_to_string(&copy).unwrap(), "of another run");
        assert_eq!(fs::read_to_string(&path).unwrap(), FILE);
        fs::remove_file(&copy).unwrap();
        let backup = keys.remove_keys().unwrap();
        write_private(&path, b"by another hand").unwrap();
        let problem = backup.restore().unwrap_err();
        assert!(problem.hints[0].contains(".before-awsrole"), "{problem}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "by another hand");
        assert_eq!(fs::read_to_string(&copy).unwrap(), FILE);
    }

    #[test]
    fn reports_keys_that_can_not_be_imported() {
        for (credentials, expected) in [
            ("[jump]\nregion = x\n", "profile jump has no keys to import"),
            ("[jump]\naws_access_key_id = AKIAJUMP000000000000\n", "half of its keys"),
            ("[jump]\naws_access_key_id = ASIAJUMP000000000000\naws_secret_access_key = s\n", "temporary key"),
            ("[jump]\naws_access_key_id = secret/secret\naws_secret_access_key = s\n", "isn't an access key ID"),
            (
                "[DEFAULT]\naws_secret_access_key = s\n[jump]\naws_access_key_id = AKIAJUMP000000000000\n",
                "the keys of profile jump are in [DEFAULT]",
            ),
            (
                "[jump]\naws_access_key_id = AKIAJUMP000000000000\naws_secret_access_key = s\naws_session_token = t\n",
                "temporary keys",
            ),
        ] {
            let (_home, context) = home("", credentials);
            let problem = KeysInFile::find(&Profiles::load(&context).unwrap(), "jump").err().unwrap();
            assert!(problem.summary.contains(expected), "{problem}");
            assert!(!problem.to_string().contains("secret/secret"));
        }
    }
}
