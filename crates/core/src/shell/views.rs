//! Determines how a shell can detect changes of the project files at its prompts.
//!
//! A shell cannot open a file without blocking if the file is a FIFO without a writer. Between its check and its
//! opening of the file, another user could replace the file by a FIFO. So a shell opens only files that no other user
//! can replace. For all others this process computes a digest, because it can open files without blocking.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::base::digest::sha256;
use crate::base::files::walk::{PathEntry, walk};
use crate::base::files::{current_user, read_regular};
use crate::project::discover::MAX_BYTES;

/// How a shell can compare its files, nearest first.
pub struct Views {
    /// Whether the shell may open the file: only root and the user can replace it.
    pub own: Vec<bool>,
    /// A digest of each file, if there is one that the shell must not open.
    pub(crate) digests: Vec<String>,
}

impl Views {
    /// Examines files. It reads their contents only if a digest is needed.
    #[must_use]
    pub fn of(files: &[PathBuf]) -> Self {
        let own: Vec<bool> = files.iter().map(|path| !others_can_replace(path)).collect();
        let digests = if own.contains(&false) { files.iter().map(|path| seen(path)).collect() } else { Vec::new() };
        Self { own, digests }
    }

    /// Returns a digest of the nearest files, if the shell must not open one of them.
    #[must_use]
    pub fn digest(&self, count: usize) -> Option<String> {
        let needed = self.own.get(..count).is_some_and(|own| own.contains(&false));
        self.digests.get(..count).filter(|_| needed).map(joined)
    }
}

/// Returns a digest of the paths and contents of files, as [`Views::digest`] does.
#[must_use]
pub fn digest(files: &[PathBuf]) -> String {
    let digests: Vec<String> = files.iter().map(|path| seen(path)).collect();
    joined(&digests)
}

fn joined(digests: &[String]) -> String {
    let digests: Vec<&[u8]> = digests.iter().map(String::as_bytes).collect();
    sha256(&digests)
}

/// Returns a digest of a path and the file's content, or the reason why it cannot be read.
fn seen(path: &Path) -> String {
    let (kind, content) = match read_regular(path, MAX_BYTES) {
        Ok(bytes) => (b"+", bytes),
        Err(error) => (b"-", error.to_string().into_bytes()),
    };
    sha256(&[path.as_os_str().as_encoded_bytes(), b"\0", kind, &content])
}

/// Returns whether every shell reads a text unchanged. Some shells drop NULs, and the bash snippet marks words with
/// control characters.
#[must_use]
pub fn is_plain(text: &str) -> bool {
    text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\t' | '\r'))
}

/// Returns whether a user other than root and the user of this process can replace the file at a path, or the target of
/// a symbolic link. A file's owner who cannot replace it can change its content, but not turn it into a FIFO.
///
/// If this cannot be determined, it returns true.
#[must_use]
pub fn others_can_replace(path: &Path) -> bool {
    let me = current_user();
    let check = |entry: &PathEntry<'_>| if others_can_replace_entry(entry, me) { Err(()) } else { Ok(()) };
    !path.is_absolute() || walk(path, check, |_, _| ()).is_err()
}

/// Returns whether others can replace an entry of a directory, or create it if it doesn't exist. In a sticky directory
/// they cannot replace the entries of user `me`, but they can create one after this user removed it. Editors remove
/// files at any time, so in a sticky directory only the user's subdirectories are safe.
fn others_can_replace_entry(entry: &PathEntry<'_>, me: u32) -> bool {
    let is_ours = |found: &Metadata| found.uid() == 0 || found.uid() == me;
    let is_sticky = entry.dir_found.mode() & 0o1000 != 0;
    let is_own_dir = entry.found.is_some_and(|found| found.is_dir() && is_ours(found));
    let may_write = others_may_write(entry.dir, entry.dir_found, me);
    !is_ours(entry.dir_found) || may_write && !(is_sticky && is_own_dir)
}

/// Returns whether a directory's mode lets others write to it. Many systems create directories with write permission
/// for the owner's group, and give each user a private group whose ID is the user's. Then only an access control list
/// can grant access to others.
fn others_may_write(dir: &Path, found: &Metadata, me: u32) -> bool {
    let private_group = found.gid() == me;
    found.mode() & 0o002 != 0 || found.mode() & 0o020 != 0 && (!private_group || has_acl(dir))
}

fn has_acl(dir: &Path) -> bool {
    let missing = [rustix::io::Errno::NODATA, rustix::io::Errno::OPNOTSUPP];
    let size = rustix::fs::getxattr(dir, "system.posix_acl_access", &mut [0_u8; 0][..]);
    !size.is_err_and(|error| missing.contains(&error))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};

    use super::*;
    use crate::base::files::write_new;

    const OTHER: Option<u32> = Some(12345);

    /// Returns a directory that no other user can write to, and a file two directories below it.
    fn home() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().canonicalize().unwrap();
        fs::create_dir_all(path.join("a/b")).unwrap();
        let file = path.join("a/b/file");
        write_new(&file, b"text").unwrap();
        (home, path, file)
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_folder_that_others_can_write_to_keeps_nothing_but_folders_if_it_is_sticky() {
        let (_home, home, file) = home();
        for (dir, sticky) in [("a", false), ("a/b", true)] {
            for (mode, replaced) in [(0o757, true), (0o1777, sticky), (0o700, false), (0o755, false)] {
                set_mode(&home.join(dir), mode);
                assert_eq!(others_can_replace(&file), replaced, "{dir} {mode:o}");
                assert_eq!(others_can_replace(&file.with_file_name("none")), replaced, "{dir} {mode:o}");
            }
        }
        set_mode(&home.join("a"), 0o757);
        assert!(!others_can_replace(&home.join("a/../file")), "it isn't in that folder");
        set_mode(&home.join("a"), 0o755);
        set_mode(&file, 0o666);
        assert!(!others_can_replace(&file), "its content is compared");
        assert!(others_can_replace(Path::new("file")), "where that is isn't known");
    }

    #[test]
    fn a_group_is_others_unless_it_is_the_users_own() {
        let me = current_user();
        let (_home, home, file) = home();
        set_mode(&home.join("a"), 0o775);
        let mine = fs::metadata(home.join("a")).unwrap().gid() == me;
        assert_eq!(others_can_replace(&file), !mine);
        if chown(home.join("a"), None, OTHER).is_ok() {
            assert!(others_can_replace(&file));
        }
    }

    #[test]
    fn both_the_place_of_a_link_and_that_of_its_target_count() {
        let (_home, home, file) = home();
        fs::create_dir_all(home.join("links/deep")).unwrap();
        let links = [("links/one", file.clone()), ("links/deep/two", "../one".into()), ("links/three", "../a".into())];
        for (link, target) in &links {
            symlink(target, home.join(link)).unwrap();
        }
        let paths = ["links/one", "links/deep/two", "links/three/b/file"].map(|path| home.join(path));
        assert_eq!(paths.clone().map(|path| others_can_replace(&path)), [false; 3]);
        for dir in ["links", "a"] {
            set_mode(&home.join(dir), 0o757);
            assert_eq!(paths.clone().map(|path| others_can_replace(&path)), [true; 3], "{dir}");
            set_mode(&home.join(dir), 0o755);
        }
        symlink("loop", home.join("loop")).unwrap();
        assert!(others_can_replace(&home.join("loop")));
    }

    #[test]
    fn what_belongs_to_another_user_can_be_replaced_where_its_owner_may() {
        let (_home, home, file) = home();
        if chown(&file, OTHER, None).is_err() {
            return; // Only root can give files away, as it does in tests/cli.
        }
        assert!(!others_can_replace(&file), "it is a file as long as it is there");
        symlink("a/b/file", home.join("link")).unwrap();
        lchown(home.join("link"), OTHER, None).unwrap();
        assert!(!others_can_replace(&home.join("link")), "nor can they replace a link");
        set_mode(&home, 0o1777);
        assert!(!others_can_replace(&file) && others_can_replace(&home.join("link")));
        chown(home.join("a"), OTHER, None).unwrap();
        assert!(others_can_replace(&file), "they own a folder on the way, and can replace that");
    }

    #[test]
    fn a_digest_tells_contents_and_reasons_apart() {
        let (_home, home, file) = home();
        let mut digests = vec![seen(&file)];
        for bytes in [&b"text\0"[..], b"\xff", b"", &[b'#'; 16 * 1024 + 1]] {
            crate::base::files::write_private(&file, bytes).unwrap();
            digests.push(seen(&file));
        }
        fs::remove_file(&file).unwrap();
        digests.push(seen(&file));
        fs::create_dir(&file).unwrap();
        digests.extend([seen(&file), seen(&home.join("a"))]);
        let count = digests.len();
        digests.sort();
        digests.dedup();
        assert_eq!(digests.len(), count);
    }

    #[test]
    fn a_digest_is_for_the_files_that_count_and_only_where_it_is_needed() {
        let (_home, home, file) = home();
        let upper = home.join("file");
        write_new(&upper, b"upper").unwrap();
        let files = [file, upper.clone()];
        assert!(Views::of(&files).digests.is_empty());
        set_mode(&home, 0o1777);
        let views = Views::of(&files);
        assert_eq!(views.own, [true, false]);
        assert_eq!((views.digest(1), views.digest(2), views.digest(3)), (None, Some(digest(&files)), None));
        assert!(is_plain("a = 'b'\r\n\t# \u{e9}") && !is_plain("a\0") && !is_plain("\u{1}") && !is_plain("\u{9b}"));
    }
}
