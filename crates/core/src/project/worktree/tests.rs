//! Tests of which directories count as linked worktrees.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;
use crate::base::files::trusted::Distrust;
use crate::base::files::write_private;

/// A repository `shop` with the linked worktree `wt`, as git 2.47 writes them, and a directory `evil`.
pub(crate) struct Repository {
    _home: tempfile::TempDir,
    pub(crate) root: PathBuf,
}

impl Repository {
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().canonicalize().unwrap();
        let repository = Self { _home: home, root };
        for (path, text) in [
            ("shop/.git/index", "DIRC"),
            ("shop/.git/worktrees/wt/gitdir", "{root}/wt/.git\n"),
            ("shop/.git/worktrees/wt/commondir", "../..\n"),
            ("wt/.git", TO_SHOP),
            ("wt/.awsrole.toml", ""),
            ("evil/.awsrole.toml", ""),
        ] {
            repository.write(path, text);
        }
        repository
    }

    /// Writes a file. `{root}` in its text is the directory that contains everything.
    pub(crate) fn write(&self, path: &str, text: &str) {
        assert!(Path::new(path).is_relative());
        write_private(&self.root.join(path), text.replace("{root}", &self.root.display().to_string()).as_bytes())
            .unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.root.join(from), self.root.join(to)).unwrap();
    }

    fn link(&self, target: &str, link: &str) {
        symlink(self.root.join(target), self.root.join(link)).unwrap();
    }

    fn worktree(&self, dir: &str) -> Result<Option<LinkedWorktree>, Untrusted> {
        LinkedWorktree::of(&self.root.join(dir).join(".awsrole.toml"))
    }

    fn remove(&self, path: &str) {
        fs::remove_file(self.root.join(path)).unwrap();
    }
}

type Change = fn(&Repository);

/// The content of the worktree's `.git` file.
const TO_SHOP: &str = "gitdir: {root}/shop/.git/worktrees/wt\n";

#[test]
fn the_repository_and_the_worktree_lead_to_each_other() {
    let cases: [(&str, Change, &str); 6] = [
        ("absolute paths", |_| {}, "wt"),
        (
            "relative paths, as with worktree.useRelativePaths in git 2.48",
            |all| {
                all.write("wt/.git", "gitdir: ../shop/.git/worktrees/wt\n");
                all.write("shop/.git/worktrees/wt/gitdir", "../../../../wt/.git\n");
            },
            "wt",
        ),
        (
            "moved with `git worktree move`",
            |all| {
                all.rename("wt", "moved");
                all.write("shop/.git/worktrees/wt/gitdir", "{root}/moved/.git\n");
            },
            "moved",
        ),
        (
            "inside the main worktree",
            |all| {
                all.rename("wt", "shop/wt");
                all.write("shop/.git/worktrees/wt/gitdir", "{root}/shop/wt/.git\n");
            },
            "shop/wt",
        ),
        (
            "through a symbolic link to a directory above",
            |all| {
                all.link("shop", "link");
                all.write("wt/.git", "gitdir: {root}/link/.git/worktrees/wt\r\n");
            },
            "wt",
        ),
        ("a directory below", |all| all.write("wt/a/b/.awsrole.toml", ""), "wt/a/b"),
    ];
    for (what, change, dir) in cases {
        let all = Repository::new();
        change(&all);
        let worktree = all.worktree(dir).unwrap().expect(what);
        assert_eq!(worktree.main(), all.root.join("shop"), "{what}");
    }
}

#[test]
fn everything_else_is_no_worktree() {
    let cases: [(&str, Change, &str); 22] = [
        ("the main worktree", |all| all.write("shop/.awsrole.toml", ""), "shop"),
        ("no repository", |_| {}, "evil"),
        ("a forged file, to which nothing leads back", |all| all.write("evil/.git", TO_SHOP), "evil"),
        ("a symbolic link to the real file", |all| all.link("wt/.git", "evil/.git"), "evil"),
        (
            "a forged file through the attacker's own directory, with the commondir of the repository",
            |all| {
                all.write("evil/.git", "gitdir: {root}/evil/store/.git/worktrees/x\n");
                all.write("evil/store/.git/worktrees/x/gitdir", "{root}/evil/.git\n");
                all.write("evil/store/.git/worktrees/x/commondir", "{root}/shop/.git\n");
                all.write("evil/store/.git/index", "DIRC");
            },
            "evil",
        ),
        (
            "a directory that leads back, but isn't in `worktrees`",
            |all| {
                all.write("wt/.git", "gitdir: {root}/shop/.git/other/wt\n");
                all.write("shop/.git/other/wt/gitdir", "{root}/wt/.git\n");
                all.write("shop/.git/other/wt/commondir", "../..\n");
            },
            "wt",
        ),
        ("a submodule", |all| all.write("wt/.git", "gitdir: {root}/shop/.git/modules/wt\n"), "wt"),
        (
            "a submodule in a worktree",
            |all| {
                all.write("wt/sub/.awsrole.toml", "");
                all.write("wt/sub/.git", "gitdir: {root}/shop/.git/worktrees/wt/modules/sub\n");
                all.write("shop/.git/worktrees/wt/modules/sub/HEAD", "");
            },
            "wt/sub",
        ),
        ("moved without git", |all| all.rename("wt", "moved"), "moved"),
        ("pruned", |all| all.remove("shop/.git/worktrees/wt/gitdir"), "wt"),
        ("no commondir", |all| all.remove("shop/.git/worktrees/wt/commondir"), "wt"),
        ("another commondir", |all| all.write("shop/.git/worktrees/wt/commondir", "{root}/evil\n"), "wt"),
        ("a bare repository", |all| all.rename("shop/.git/index", "shop/.git/none"), "wt"),
        (
            "a separate git directory",
            |all| {
                all.rename("shop/.git", "store");
                all.write("shop/.git", "gitdir: {root}/store\n");
                all.write("wt/.git", "gitdir: {root}/store/worktrees/wt\n");
            },
            "wt",
        ),
        (
            "a way back to another file",
            |all| all.write("shop/.git/worktrees/wt/gitdir", "{root}/wt/.awsrole.toml\n"),
            "wt",
        ),
        ("a prefix in upper case", |all| all.write("wt/.git", &TO_SHOP.replace("gitdir", "GITDIR")), "wt"),
        ("a name in upper case", |all| all.write("wt/.git", &TO_SHOP.replace("/wt", "/WT")), "wt"),
        ("a second line", |all| all.write("wt/.git", &format!("{TO_SHOP}gitdir: {{root}}/evil\n")), "wt"),
        ("a NUL byte", |all| all.write("wt/.git", &format!("{TO_SHOP}\0")), "wt"),
        ("an empty path", |all| all.write("wt/.git", "gitdir: \n"), "wt"),
        ("a file that is too large", |all| all.write("wt/.git", &format!("{TO_SHOP}{}", "\n".repeat(5000))), "wt"),
        (
            "a circle",
            |all| {
                all.write("wt/.git", "gitdir: {root}/a\n");
                all.link("b", "a");
                all.link("a", "b");
            },
            "wt",
        ),
    ];
    let accepted = cases.into_iter().filter(|(_, change, dir)| {
        let all = Repository::new();
        change(&all);
        all.worktree(dir) != Ok(None)
    });
    assert_eq!(accepted.map(|(what, ..)| what).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn others_must_not_be_able_to_change_gits_files() {
    for path in [
        "wt",
        "wt/.git",
        "shop",
        "shop/.git",
        "shop/.git/worktrees",
        "shop/.git/worktrees/wt",
        "shop/.git/worktrees/wt/gitdir",
        "shop/.git/worktrees/wt/commondir",
    ] {
        for mode in [0o770, 0o707] {
            let all = Repository::new();
            let path = all.root.join(path);
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(all.worktree("wt"), Err(Untrusted { path, why: Distrust::Writable }), "{mode:o}");
        }
        if rustix::process::geteuid().is_root() {
            let all = Repository::new();
            let path = all.root.join(path);
            std::os::unix::fs::chown(&path, Some(12345), None).unwrap();
            assert!(all.worktree("wt").unwrap_err().is_foreign(), "{}", path.display());
        }
    }
}
