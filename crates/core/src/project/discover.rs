//! Finds and reads the nearest `.awsrole.toml`.

use crate::base::location::line_of;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::base::files::walk::canonical;
use crate::base::files::{is_foreign, read_with_owner};
use crate::base::problem::Problem;

/// The name of the project file.
pub const FILE_NAME: &str = ".awsrole.toml";

/// The largest file that is read, in bytes. Typical files have a few hundred.
pub const MAX_BYTES: u64 = 16 * 1024;

/// A `.awsrole.toml`. It is read once, so the content that is hashed is the content that is parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFile {
    /// The path as it was found, for messages.
    pub path: PathBuf,
    /// The directory without symbolic links, and the file's name. Approvals are bound to this path.
    ///
    /// If the file itself is a symbolic link, it isn't followed: an approval of the target doesn't apply to the link.
    pub place: PathBuf,
    /// The path without symbolic links. If the file is a link, this is its target.
    pub canonical: PathBuf,
    /// The owner's user ID, if the file or the symbolic link at its place belongs neither to root nor to the user of
    /// this process.
    ///
    /// Such a file can be allowed, because a clone in a container often belongs to another ID. The approval then
    /// doesn't apply to a file of a different owner.
    pub owner: Option<u32>,
    /// The content.
    pub text: String,
}

/// Returns the `.awsrole.toml` of a directory and of all its parents, nearest first.
///
/// Everything with this name is included, even a directory or a dangling symbolic link: silently using the next file
/// upward would assume a role that the user doesn't expect.
#[must_use]
pub fn upward(dir: &Path) -> Vec<PathBuf> {
    dir.ancestors().map(|dir| dir.join(FILE_NAME)).filter(|path| path.symlink_metadata().is_ok()).collect()
}

/// Reads a regular file.
///
/// # Errors
/// Fails for a directory, FIFO or device, a dangling symbolic link, a file that can't be read or is larger than
/// [`MAX_BYTES`], a NUL byte, and invalid UTF-8.
pub fn read(path: &Path) -> Result<ConfigFile, Problem> {
    let failed = |e: &io::Error| explain(path, e);
    let place = place(path);
    let found = place.symlink_metadata();
    let link = found.as_ref().ok().filter(|found| found.is_symlink());
    // The path is resolved again only if there is a symbolic link to follow.
    let canonical = match place.is_absolute() && link.is_none() {
        true => place.clone(),
        false => path.canonicalize().map_err(|e| failed(&e))?,
    };
    let (bytes, owner) = read_with_owner(&canonical, MAX_BYTES).map_err(|e| failed(&e))?;
    let owner = link.map(MetadataExt::uid).into_iter().chain([owner]).find(|owner| is_foreign(*owner));
    let text = String::from_utf8(bytes).map_err(|e| {
        let line = line_of(e.as_bytes(), e.utf8_error().valid_up_to());
        Problem::new(format!("{}:{line}: the file isn't valid UTF-8", path.display())).hint("save it as UTF-8")
    })?;
    if let Some(at) = text.find('\0') {
        let line = line_of(text.as_bytes(), at);
        return Err(Problem::new(format!("{}:{line}: the file contains a NUL byte", path.display())));
    }
    Ok(ConfigFile { path: path.to_owned(), place, canonical, owner, text })
}

/// Returns the [`ConfigFile::place`] of a path, whether or not it exists. If its directory can't be resolved, returns
/// the path itself.
#[must_use]
pub fn place(path: &Path) -> PathBuf {
    match (path.parent().map(canonical), path.file_name()) {
        (Some(Ok(dir)), Some(name)) => dir.join(name),
        _ => path.to_owned(),
    }
}

fn explain(path: &Path, error: &io::Error) -> Problem {
    let shown = path.display();
    match error.kind() {
        io::ErrorKind::NotFound if path.symlink_metadata().is_ok() => {
            Problem::new(format!("{shown} can't be read: it is a dangling symbolic link"))
                .hint("fix or remove the symlink")
        }
        io::ErrorKind::NotFound => Problem::new(format!("{shown} was removed while it was being read"))
            .hint("run the command again, or `awsrole refresh`"),
        io::ErrorKind::PermissionDenied => Problem::new(format!("{shown} can't be read: permission denied"))
            .hint(format!("make it readable for you: chmod u+r {shown}")),
        io::ErrorKind::InvalidInput if error.to_string().contains("larger") => {
            Problem::new(format!("{shown} is larger than {} KiB", MAX_BYTES / 1024))
                .hint("is it a project file of awsrole?")
        }
        io::ErrorKind::InvalidInput => Problem::new(format!("{shown} isn't a regular file"))
            .hint("awsrole reads only a regular file: remove or rename it"),
        _ => Problem::new(format!("{shown} can't be read")).because(error),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::base::files::write_private;

    #[test]
    fn lists_everything_of_the_name_nearest_first() {
        let home = tempfile::tempdir().unwrap();
        let deep = home.path().join("a/b");
        write_private(&home.path().join(FILE_NAME), b"").unwrap();
        fs::create_dir_all(deep.join(FILE_NAME)).unwrap();
        let found = upward(&deep);
        assert_eq!(found[0], deep.join(FILE_NAME));
        assert_eq!(found[1], home.path().join(FILE_NAME));
    }

    #[test]
    fn rejects_anything_but_plain_text_files() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(FILE_NAME);
        let cases: [(&dyn Fn(), &str); 5] = [
            (&|| fs::create_dir(&path).unwrap(), "isn't a regular file"),
            (&|| std::os::unix::fs::symlink("nowhere", &path).unwrap(), "a dangling symbolic link"),
            (&|| write_private(&path, b"a\nb\xff").unwrap(), ":2: the file isn't valid UTF-8"),
            (&|| write_private(&path, b"a = 1\n\n\0").unwrap(), ":3: the file contains a NUL"),
            (&|| write_private(&path, &vec![b'#'; 16 * 1024 + 1]).unwrap(), "larger than 16 KiB"),
        ];
        for (make, expected) in cases {
            make();
            let problem = read(&path).unwrap_err();
            assert!(problem.summary.contains(expected), "{problem}");
            if path.is_dir() { fs::remove_dir(&path).unwrap() } else { fs::remove_file(&path).unwrap() }
        }
    }
}
