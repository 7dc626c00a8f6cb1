//! Checks whether users other than root and the user of this process can change what a path resolves to.

use std::fmt;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::walk::{PathEntry, walk};
use super::{OTHERS_WRITE, current_user};

/// A component of a path that other users control.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untrusted {
    /// The path of the component.
    pub path: PathBuf,
    /// Why it isn't trusted.
    pub why: Distrust,
}

/// Why a component of a path isn't trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Distrust {
    /// It belongs to another user.
    Foreign {
        /// The owner's user id.
        owner: u32,
        /// Whether it is a symbolic link.
        link: bool,
    },
    /// Its group or everybody may write to it, and it isn't a directory with the sticky bit.
    Writable,
    /// It can't be examined.
    Unknown(io::ErrorKind),
}

impl Untrusted {
    /// Returns whether the component belongs to another user.
    #[must_use]
    pub fn is_foreign(&self) -> bool {
        matches!(self.why, Distrust::Foreign { .. })
    }

    /// Returns the command that makes the component trusted, if there is one.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        let (path, me) = (self.path.display(), current_user());
        match self.why {
            Distrust::Foreign { link, .. } => Some(format!("sudo chown {}{me} {path}", if link { "-h " } else { "" })),
            Distrust::Writable => Some(format!("chmod go-w {path}")),
            Distrust::Unknown(_) => None,
        }
    }
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match self.why {
            Distrust::Foreign { owner, link } => {
                let what = if link { "the link" } else { "it" };
                write!(f, "{path}: {what} belongs to another user (uid {owner})")
            }
            Distrust::Writable => write!(f, "{path} is writable by others"),
            Distrust::Unknown(kind) => write!(f, "{path}: {kind}"),
        }
    }
}

/// Resolves an absolute path and checks every component on the way.
///
/// The components include symbolic links and the directories that contain them and their targets. Each must belong to
/// root or to the user of this process, and must not be writable by others. Directories with the sticky bit are
/// accepted: others may create files in them but can't replace ours.
///
/// Returns the path without symbolic links. The part that doesn't exist yet is returned unchanged: nobody else can
/// create it, and once it exists it is checked.
///
/// # Errors
/// Returns the first component that another user controls.
pub fn resolve(path: &Path) -> Result<PathBuf, Untrusted> {
    resolve_as(path, current_user())
}

/// Resolves a path as [`resolve`] does, for another user than that of this process: only root and `user` may own the
/// components.
///
/// # Errors
/// Returns the first component that another user controls.
pub fn resolve_as(path: &Path, user: u32) -> Result<PathBuf, Untrusted> {
    resolve_if(path, user, |_| true)
}

/// Returns the first component of a path that belongs to another user, in the order of [`resolve`].
#[must_use]
pub fn foreign_component(path: &Path) -> Option<PathBuf> {
    let untrusted = resolve_if(path, current_user(), Untrusted::is_foreign).err()?;
    untrusted.is_foreign().then_some(untrusted.path)
}

/// Resolves a path unless a component is untrusted for a reason that counts.
fn resolve_if(path: &Path, user: u32, counts: impl Fn(&Untrusted) -> bool) -> Result<PathBuf, Untrusted> {
    let unknown =
        |path: &Path, error: io::Error| Untrusted { path: path.to_owned(), why: Distrust::Unknown(error.kind()) };
    let check = |entry: &PathEntry<'_>| {
        let components = [(entry.dir, Some(entry.dir_found)), (entry.path, entry.found)];
        let untrusted = components.into_iter().find_map(|(path, found)| {
            Some(Untrusted { path: path.to_owned(), why: distrust(found?, user)? }).filter(&counts)
        });
        untrusted.map_or(Ok(()), Err)
    };
    walk(path, check, unknown)
}

/// Returns why a user shouldn't trust a file, a directory or a symbolic link.
fn distrust(found: &Metadata, user: u32) -> Option<Distrust> {
    let link = found.is_symlink();
    let sticky = found.is_dir() && found.mode() & 0o1000 != 0;
    if found.uid() != 0 && found.uid() != user {
        Some(Distrust::Foreign { owner: found.uid(), link })
    // A symbolic link can be replaced by anyone who may write to its directory. Its own mode has no effect.
    } else if found.mode() & OTHERS_WRITE != 0 && !sticky && !link {
        Some(Distrust::Writable)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    use super::*;

    /// Creates a private directory and returns its path without symbolic links.
    fn private() -> (tempfile::TempDir, PathBuf) {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().canonicalize().unwrap();
        (home, path)
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn resolves_paths_as_the_system_does() {
        let (_home, home) = private();
        fs::create_dir_all(home.join("real/deep")).unwrap();
        crate::base::files::write_private(&home.join("real/deep/file"), b"").unwrap();
        symlink("real", home.join("relative")).unwrap();
        symlink(home.join("relative/deep"), home.join("absolute")).unwrap();
        symlink("../real/deep/../deep/./file", home.join("real/up")).unwrap();
        for path in ["real/deep/file", "relative/deep/file", "absolute/file", "real/up", "absolute/../deep/file"] {
            let path = home.join(path);
            assert_eq!(resolve(&path).unwrap(), path.canonicalize().unwrap(), "{}", path.display());
        }
        assert_eq!(resolve(&home.join("absolute/new/er")).unwrap(), home.join("real/deep/new/er"));
    }

    #[test]
    fn checks_every_component_including_those_of_link_targets() {
        let (_home, home) = private();
        for dir in ["a/b", "target/t", "links"] {
            fs::create_dir_all(home.join(dir)).unwrap();
        }
        symlink(home.join("target/t"), home.join("a/b/link")).unwrap();
        symlink(home.join("a"), home.join("links/a")).unwrap();
        let path = home.join("links/a/b/link/new");
        assert_eq!(resolve(&path).unwrap(), home.join("target/t/new"));
        for dir in ["a", "a/b", "target", "target/t", "links"] {
            for (mode, fine) in [(0o775, false), (0o757, false), (0o1777, true), (0o755, true)] {
                set_mode(&home.join(dir), mode);
                let expected = Untrusted { path: home.join(dir), why: Distrust::Writable };
                assert_eq!(resolve(&path).err(), (!fine).then_some(expected), "{dir} {mode:o}");
            }
        }
    }

    #[test]
    fn ignores_the_sticky_bit_of_files() {
        let (_home, home) = private();
        crate::base::files::write_private(&home.join("file"), b"").unwrap();
        set_mode(&home.join("file"), 0o1666);
        assert_eq!(resolve(&home.join("file")).unwrap_err().why, Distrust::Writable);
    }

    #[test]
    fn rejects_circular_links() {
        let (_home, home) = private();
        symlink("b", home.join("a")).unwrap();
        symlink("a", home.join("b")).unwrap();
        assert!(matches!(resolve(&home.join("a")).unwrap_err().why, Distrust::Unknown(_)));
        assert_eq!(foreign_component(&home.join("a")), None);
    }

    #[test]
    fn reports_links_and_directories_of_other_users_with_a_remedy() {
        if !rustix::process::geteuid().is_root() {
            return; // Only root can change owners. `tests/cli` covers this as root.
        }
        let (_home, home) = private();
        fs::create_dir_all(home.join("mine")).unwrap();
        fs::create_dir_all(home.join("theirs/mine")).unwrap();
        chown(home.join("theirs"), Some(12345), None).unwrap();
        symlink(home.join("mine"), home.join("link")).unwrap();
        std::os::unix::fs::lchown(home.join("link"), Some(12345), None).unwrap();
        for (path, at, link) in [("link", "link", true), ("theirs/mine", "theirs", false), ("theirs", "theirs", false)]
        {
            let untrusted = resolve(&home.join(path)).unwrap_err();
            assert_eq!(untrusted, Untrusted { path: home.join(at), why: Distrust::Foreign { owner: 12345, link } });
            assert!(untrusted.remedy().unwrap().ends_with(&format!("0 {}", home.join(at).display())));
        }
    }
}
