//! Whether anybody but root and the user of this process can change what a path leads to.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use super::OTHERS_WRITE;

/// How many symbolic links are followed, as in Linux (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// A component of a path that other users control.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untrusted {
    /// The component.
    pub path: PathBuf,
    /// What is wrong with it.
    pub why: Distrust,
}

/// Why a component of a path isn't trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Distrust {
    /// It belongs to another user.
    Foreign {
        /// The owner's user id.
        owner: u32,
        /// It is a symbolic link.
        link: bool,
    },
    /// Its group or everybody may write to it, and it isn't a sticky directory.
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

    /// Returns the command that makes the component trusted, where there is one.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        let (path, me) = (self.path.display(), rustix::process::geteuid().as_raw());
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
            Distrust::Writable => write!(f, "{path}: others may write to it"),
            Distrust::Unknown(kind) => write!(f, "{path}: {kind}"),
        }
    }
}

/// Resolves an absolute path as the system does, and checks every component that is met on the way, symbolic links and
/// the directories in which they and their targets are: each must belong to root or to the user of this process, and
/// none may be writable for others. In a sticky directory others may create files but not replace ours.
///
/// Returns the path without symbolic links. What isn't there yet is returned as it is written: nobody else can create
/// it, or it is checked when it is there.
///
/// # Errors
/// The first component that another user controls.
pub fn resolve(path: &Path) -> Result<PathBuf, Untrusted> {
    walk(path, |_| true)
}

/// Returns the first component of a path, met as by [`resolve`], that belongs to another user.
#[must_use]
pub fn foreign_component(path: &Path) -> Option<PathBuf> {
    walk(path, |why| matches!(why, Distrust::Foreign { .. })).err().map(|untrusted| untrusted.path)
}

fn walk(path: &Path, counts: impl Fn(&Distrust) -> bool) -> Result<PathBuf, Untrusted> {
    let me = rustix::process::geteuid().as_raw();
    let check = |path: &Path| {
        let (found, why) = examine(path, me);
        match why.filter(&counts) {
            Some(why) => Err(Untrusted { path: path.to_owned(), why }),
            None => Ok(found),
        }
    };
    let mut resolved = PathBuf::from("/");
    check(&resolved)?;
    let mut rest = components(path);
    let mut links = 0;
    while let Some(name) = rest.pop() {
        if name == ".." {
            resolved.pop();
            continue;
        }
        let next = resolved.join(&name);
        match check(&next)? {
            Found::Other => resolved = next,
            Found::Link => {
                links += 1;
                let target = match fs::read_link(&next) {
                    Ok(target) if links <= MOST_LINKS => target,
                    Ok(_) => return Err(Untrusted { path: next, why: Distrust::Unknown(io::ErrorKind::TooManyLinks) }),
                    Err(e) => return Err(Untrusted { path: next, why: Distrust::Unknown(e.kind()) }),
                };
                if target.is_absolute() {
                    resolved = PathBuf::from("/");
                }
                rest.extend(components(&target));
            }
            Found::Nothing => {
                rest.reverse();
                return Ok(rest.into_iter().fold(next, |path, name| path.join(name)));
            }
        }
    }
    Ok(resolved)
}

enum Found {
    Link,
    Nothing,
    Other,
}

/// The names in a path, the first one last.
fn components(path: &Path) -> Vec<OsString> {
    let names = path.components().filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir));
    let mut names: Vec<OsString> = names.map(|part| part.as_os_str().to_owned()).collect();
    names.reverse();
    names
}

/// What a path is for the user `me`, and why it isn't trusted.
fn examine(path: &Path, me: u32) -> (Found, Option<Distrust>) {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return (Found::Nothing, None),
        Err(e) => return (Found::Other, Some(Distrust::Unknown(e.kind()))),
    };
    let link = found.is_symlink();
    let sticky = found.is_dir() && found.mode() & 0o1000 != 0;
    let why = if found.uid() != 0 && found.uid() != me {
        Some(Distrust::Foreign { owner: found.uid(), link })
    // A link is replaced by who may write to its directory; its own mode means nothing.
    } else if found.mode() & OTHERS_WRITE != 0 && !sticky && !link {
        Some(Distrust::Writable)
    } else {
        None
    };
    (if link { Found::Link } else { Found::Other }, why)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    use super::*;

    /// A private directory, and its path without links.
    fn private() -> (tempfile::TempDir, PathBuf) {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().canonicalize().unwrap();
        (home, path)
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_path_is_resolved_as_the_system_resolves_it() {
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
    fn every_component_counts_wherever_it_was_met() {
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
    fn a_file_that_others_can_write_is_not_trusted_though_its_sticky_bit_is_set() {
        let (_home, home) = private();
        crate::base::files::write_private(&home.join("file"), b"").unwrap();
        set_mode(&home.join("file"), 0o1666);
        assert_eq!(resolve(&home.join("file")).unwrap_err().why, Distrust::Writable);
    }

    #[test]
    fn links_in_a_circle_end() {
        let (_home, home) = private();
        symlink("b", home.join("a")).unwrap();
        symlink("a", home.join("b")).unwrap();
        assert!(matches!(resolve(&home.join("a")).unwrap_err().why, Distrust::Unknown(_)));
    }

    #[test]
    fn a_link_or_directory_of_another_user_is_named_with_its_remedy() {
        if !rustix::process::geteuid().is_root() {
            return; // Only root can give files away; `tests/cli` runs as root, too.
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
