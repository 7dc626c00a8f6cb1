//! Tests of approvals of the same files at other paths.

use std::fs;
use std::path::Path;

use super::super::chain::Changed;
use super::super::{ApprovalStatus, ShellState, Verdict, evaluate_files};
use super::*;
use crate::project::discover::{FILE_NAME, upward};
use crate::project::worktree::tests::Repository;
use crate::settings::user_config::UserConfig;

struct World {
    repository: Repository,
    approvals: Approvals,
}

impl World {
    /// Creates the repository, and writes a file of the main worktree that is allowed.
    fn with_allowed(dir: &str, text: &str) -> Self {
        let repository = Repository::new();
        let approvals = Approvals::below(&repository.root.join("data"));
        let world = Self { repository, approvals };
        world.write(dir, text);
        world.allow(dir);
        world
    }

    fn write(&self, dir: &str, text: &str) {
        self.repository.write(&Path::new(dir).join(FILE_NAME).display().to_string(), text);
    }

    fn path(&self, dir: &str) -> PathBuf {
        self.repository.root.join(dir).join(FILE_NAME)
    }

    fn chain(&self, dir: &str) -> Chain {
        Chain::read(&upward(&self.repository.root.join(dir))).unwrap()
    }

    fn allow(&self, dir: &str) {
        self.approvals.allow(&self.chain(dir)).unwrap();
    }

    fn deny(&self, dir: &str) {
        self.approvals.deny(&self.path(dir)).unwrap();
    }

    fn verdict(&self, dir: &str) -> (Verdict, usize) {
        evaluate_files(&upward(&self.repository.root.join(dir)), &self.approvals, &UserConfig::default())
    }

    fn holds(&self, dir: &str) -> ShellState {
        let (verdict, depth) = self.verdict(dir);
        verdict.holds(depth)
    }

    fn main_worktree(&self, dir: &str) -> Option<PathBuf> {
        match self.verdict(dir).0 {
            Verdict::Allowed(allowed) => allowed.main_worktree().map(Path::to_owned),
            _ => None,
        }
    }
}

type Change = fn(&World);

const TEXT: &str = "region = \"x\"\n";

#[test]
fn the_same_file_is_allowed_in_the_worktree() {
    let world = World::with_allowed("shop", TEXT);
    world.write("wt", TEXT);
    let shop = Some(world.repository.root.join("shop"));
    assert_eq!(world.main_worktree("wt"), shop);
    assert_eq!(world.main_worktree("shop"), None, "its own approval");
    // The approval is for content at a path, as in the main worktree. The present file there doesn't count.
    world.write("shop", "region = \"y\"\n");
    assert_eq!((world.holds("shop"), world.main_worktree("wt")), (ShellState::Blocked, shop.clone()));
    fs::remove_file(world.path("shop")).unwrap();
    assert_eq!(world.main_worktree("wt"), shop);
    world.allow("wt");
    assert_eq!((world.main_worktree("wt"), world.holds("wt")), (None, ShellState::Role), "its own approval");
}

#[test]
fn other_bytes_and_other_paths_are_not_allowed() {
    let world = World::with_allowed("shop/a", TEXT);
    for (dir, text) in [("wt/a", "region = \"x\" \n"), ("wt/b", TEXT), ("wt/a/a", TEXT), ("wt", TEXT), ("evil/a", TEXT)]
    {
        world.write(dir, text);
        let Verdict::Refused(refusal) = world.verdict(dir).0 else { panic!("{dir}") };
        assert_eq!(refusal.status, ApprovalStatus::Unknown, "{dir}");
        fs::remove_file(world.path(dir)).unwrap();
    }
    world.write("wt/a", "region = \"y\"\n");
    let Some(InMain::Differs(main, changes)) = world.approvals.in_main(&world.chain("wt/a")) else { panic!() };
    assert_eq!(main, world.repository.root.join("shop"));
    let [change] = &changes[..] else { panic!("{changes:?}") };
    assert_eq!((&change.path, &change.what), (&world.path("wt/a"), &Changed::Content));
    assert_eq!((change.before.as_str(), change.now.as_str()), (TEXT, "region = \"y\"\n"));
    // One of several approvals of the worktree is that of the main worktree.
    world.allow("wt/a");
    world.write("wt/a", TEXT);
    assert_eq!(world.holds("wt/a"), ShellState::Role);
}

#[test]
fn a_denial_in_either_place_ends_it() {
    let world = World::with_allowed("shop", TEXT);
    world.write("wt", TEXT);
    world.deny("wt");
    assert_eq!((world.holds("wt"), world.holds("shop")), (ShellState::Outer, ShellState::Role));
    let world = World::with_allowed("shop", TEXT);
    world.write("wt", TEXT);
    world.deny("shop");
    assert_eq!((world.holds("wt"), world.holds("shop")), (ShellState::Outer, ShellState::Outer));
    assert!(matches!(world.approvals.in_main(&world.chain("wt")), Some(InMain::Denied(_))));
}

#[test]
fn a_chain_must_correspond_as_a_whole() {
    let inherit = "inherit = true\n";
    let new = || {
        let repository = Repository::new();
        let world = World { approvals: Approvals::below(&repository.root.join("data")), repository };
        for (dir, text) in [("", TEXT), ("shop", inherit), ("wt", inherit), ("shop/a", inherit), ("wt/a", inherit)] {
            world.write(dir, text);
        }
        world.allow("shop/a");
        world
    };
    let world = new();
    assert_eq!(world.main_worktree("wt/a"), Some(world.repository.root.join("shop")));
    let changes: [(&str, Change); 6] = [
        ("a base in the worktree", |world| world.write("wt", "inherit = true\nregion = \"y\"\n")),
        ("a file above both", |world| world.write("", "region = \"y\"\n")),
        ("a missing base", |world| fs::remove_file(world.path("wt")).unwrap()),
        ("a file that doesn't inherit", |world| world.write("wt", TEXT)),
        ("a base that was denied in the main worktree", |world| world.deny("shop")),
        ("a base that was denied above both", |world| world.deny("")),
    ];
    for (what, change) in changes {
        let world = new();
        change(&world);
        assert_ne!(world.holds("wt/a"), ShellState::Role, "{what}");
    }
}

#[test]
fn finds_where_the_same_files_were_allowed() {
    let world = World::with_allowed("shop", TEXT);
    for dir in ["evil", "evil/other"] {
        world.write(dir, TEXT);
    }
    world.write("evil/different", "region = \"y\"\n");
    world.allow("evil/other");
    world.allow("evil/different");
    fs::remove_file(world.path("shop")).unwrap();
    let chain = world.chain("evil");
    assert_eq!(world.approvals.same_elsewhere(&chain), [world.path("evil/other"), world.path("shop")]);
    world.deny("evil/other");
    assert_eq!(world.approvals.same_elsewhere(&chain), [world.path("shop")], "a denial forgets what was allowed");
    assert!(world.approvals.in_main(&chain).is_none());
}
