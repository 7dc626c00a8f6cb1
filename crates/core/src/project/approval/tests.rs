//! Tests of which approvals are trusted.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::*;
use crate::base::files;
use crate::project::discover::{FILE_NAME, place};
use crate::settings::user_config::TrustRule;

struct World {
    home: tempfile::TempDir,
    approvals: Approvals,
}

impl World {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let approvals = Approvals::below(&home.path().join("data"));
        Self { home, approvals }
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.home.path().join(name).join(FILE_NAME);
        files::write_private(&path, text.as_bytes()).unwrap();
        path
    }

    fn allow(&self, path: &Path) {
        self.approvals.allow(&chain_of(path)).unwrap();
    }

    fn status(&self, path: &Path) -> ApprovalStatus {
        self.approvals.status(&chain_of(path))
    }

    /// Evaluates the files of a directory as commands do.
    fn vet(&self, name: &str) -> (Verdict, usize) {
        evaluate_files(&self.upward(name), &self.approvals, &UserConfig::default())
    }

    fn upward(&self, name: &str) -> Vec<PathBuf> {
        crate::project::discover::upward(&self.home.path().join(name))
    }
}

fn chain_of(path: &Path) -> Chain {
    Chain::read(&[path.to_owned()]).unwrap()
}

/// Returns the directory with the records of a file, and the name of the approval of its present content.
fn approval_of(world: &World, path: &Path) -> (PathBuf, String) {
    let folder = world.approvals.folder(&place(path));
    (folder, chain::record(chain_of(path).files(), false).0)
}

#[test]
fn approval_is_bound_to_content_and_path() {
    let world = World::new();
    let path = world.write("a", "region = \"x\"");
    assert_eq!(world.status(&path), ApprovalStatus::Unknown);
    world.allow(&path);
    assert_eq!(world.status(&path), ApprovalStatus::Allowed);
    let copy = world.write("b", "region = \"x\"");
    assert_eq!(world.status(&copy), ApprovalStatus::Unknown);
    world.write("a", "region = \"y\"");
    assert_eq!(world.status(&path), ApprovalStatus::Edited);
    world.allow(&path);
    world.write("a", "region = \"x\"");
    assert_eq!(world.status(&path), ApprovalStatus::Allowed, "approvals accumulate");
    world.approvals.deny(&path).unwrap();
    assert_eq!(world.status(&path), ApprovalStatus::Denied);
    world.write("a", "region = \"y\"");
    assert_eq!(world.status(&path), ApprovalStatus::Denied, "deny is for the path");
    world.allow(&path);
    world.write("a", "region = \"x\"");
    assert_eq!(world.status(&path), ApprovalStatus::Edited, "deny forgot what was allowed");
}

#[test]
fn ignores_records_that_are_symbolic_links() {
    let world = World::new();
    let path = world.write("a", "region = \"x\"");
    world.allow(&path);
    let (folder, name) = approval_of(&world, &path);
    std::os::unix::fs::symlink(&path, folder.join("denied")).unwrap();
    assert_eq!(world.status(&path), ApprovalStatus::Allowed, "a link denies nothing");
    fs::remove_file(folder.join(&name)).unwrap();
    std::os::unix::fs::symlink(&path, folder.join(&name)).unwrap();
    assert_eq!(world.status(&path), ApprovalStatus::Unknown, "a link allows nothing");
    assert!(world.approvals.changes(&chain_of(&path)).is_empty(), "a link is no record of what was allowed");
}

#[test]
fn trusts_only_private_approval_directories() {
    let world = World::new();
    let path = world.write("a", "region = \"x\"");
    world.allow(&path);
    let folder = world.approvals.folder(&place(&path));
    for dir in [&world.approvals.dir, &folder] {
        for mode in [0o770, 0o707] {
            fs::set_permissions(dir, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(world.status(&path), ApprovalStatus::Unknown, "{}: {mode:o}", dir.display());
            assert_eq!(world.approvals.status_of_path(&path), ApprovalStatus::Unknown);
            world.allow(&path);
            assert_eq!(world.status(&path), ApprovalStatus::Allowed, "`allow` makes it private again");
        }
    }
    let moved = world.home.path().join("moved");
    fs::rename(&world.approvals.dir, &moved).unwrap();
    std::os::unix::fs::symlink(&moved, &world.approvals.dir).unwrap();
    assert_eq!(world.status(&path), ApprovalStatus::Unknown);
    assert!(world.approvals.allow(&chain_of(&path)).unwrap_err().to_string().contains("it is a link"));
}

#[test]
fn approval_of_an_inheriting_file_covers_the_chain() {
    let world = World::new();
    let far = world.write("a", "region = \"far\"\nexternal_id = \"x1\"");
    let near = world.write("a/b", "inherit = true\nregion = \"near\"");
    let paths = world.upward("a/b");
    assert_eq!(paths[..2], [near.clone(), far.clone()]);
    // Approvals of each file on its own don't apply to both together.
    world.allow(&far);
    let (Verdict::Refused(Refusal { path, status: ApprovalStatus::Unknown, .. }), 1) = world.vet("a/b") else {
        panic!()
    };
    assert_eq!(path, near);
    world.approvals.deny(&near).unwrap();
    fs::remove_dir_all(world.approvals.folder(&place(&far))).unwrap();
    world.approvals.allow(&Chain::read(&paths).unwrap()).unwrap();
    let (Verdict::Allowed(allowed), 2) = world.vet("a/b") else { panic!() };
    let (_, keys) = allowed.config.select(None).unwrap();
    assert_eq!((keys.region.as_ref().unwrap().as_str(), keys.external_id.as_ref().unwrap().as_str()), ("near", "x1"));
    // The base file on its own was never allowed.
    let (Verdict::Refused(Refusal { status: ApprovalStatus::Unknown, .. }), 1) = world.vet("a") else { panic!() };
}

#[test]
fn denied_base_disables_the_chain() {
    let world = World::new();
    let far = world.write("a", "region = \"far\"");
    let near = world.write("a/b", "inherit = true");
    let chain = Chain::read(&world.upward("a/b")).unwrap();
    world.approvals.deny(&far).unwrap();
    // A file that was never allowed leaves the environment unchanged.
    let (verdict, depth) = world.vet("a/b");
    assert!(verdict.holds(depth) == ShellState::Outer && depth == 1);
    world.approvals.allow(&chain).unwrap();
    let (verdict, depth) = world.vet("a/b");
    assert_eq!((verdict.holds(depth), depth), (ShellState::Blocked, 2));
    let Verdict::Refused(Refusal { path, status: ApprovalStatus::Denied, nearest, .. }) = verdict else { panic!() };
    assert_eq!((path, nearest), (far.clone(), near));
    assert_eq!(world.approvals.denied_base(&chain).unwrap().path, far);
    world.allow(&far);
    assert!(matches!(world.vet("a/b"), (Verdict::Allowed(_), 2)));
}

#[test]
fn references_are_checked_although_no_file_is_above() {
    let role = "[role.dev]\nprofile = \"dev\"\n";
    for (text, expected) in [
        (format!("default_role = \"prd\"\n{role}"), ":2: there is no [role.prd]"),
        (format!("{role}source_role = \"bse\"\n"), ":4: there is no [role.bse]"),
        (format!("default_role = \"dev\"\n{role}expires_after = \"30m\"\n"), ":5: the default role can't have"),
        (format!("{role}[agent]\nrole = \"prd\"\n"), ":5: [agent] names `prd`"),
    ] {
        let world = World::new();
        let file = world.write("a", &format!("inherit = true\n{role}"));
        world.allow(&file);
        world.write("a", &format!("inherit = true\n{text}"));
        let problem = Chain::read(std::slice::from_ref(&file)).err().unwrap_or_else(|| panic!("{text}"));
        assert!(problem.summary.contains(&format!(".awsrole.toml{expected}")), "{problem}");
        let (Verdict::Broken { problem: evaluated, .. }, 2) = world.vet("a") else { panic!("{text}") };
        assert_eq!(evaluated, problem);
        // A base file has what the inheriting file refers to, or another default role.
        world.write("", "default_role = \"bse\"\n[role.prd]\n[role.bse]\n");
        let text = text.replace("default_role = \"dev\"\n", "");
        world.write("a", &format!("inherit = true\n{text}"));
        assert!(Chain::read(&world.upward("a")).is_ok(), "{text}");
    }
}

/// Returns files from the innermost directory outwards. All but the last one inherit.
fn texts(count: usize, open: bool) -> Vec<String> {
    let inherit = |at: usize| if at + 1 < count || open { "inherit = true\n" } else { "" };
    (0..count).map(|at| format!("{}region = \"region-{at}\"\n", inherit(at))).collect()
}

/// The directories of a chain of up to four files, innermost first.
const PLACES: [&str; 4] = ["p/a/b/c", "p/a/b", "p/a", "p"];

impl World {
    /// Writes the files of [`PLACES`], innermost first, and removes those that aren't given.
    fn arrange(&self, texts: &[Option<&str>]) {
        for (at, place) in PLACES.iter().enumerate() {
            match texts.get(at).copied().flatten() {
                Some(text) => drop(self.write(place, text)),
                None => drop(fs::remove_file(self.home.path().join(place).join(FILE_NAME))),
            }
        }
    }

    fn holds(&self) -> ShellState {
        let (verdict, depth) = self.vet(PLACES[0]);
        verdict.holds(depth)
    }
}

#[test]
fn any_change_of_a_chain_needs_a_new_approval() {
    for (count, open) in [(1, true), (2, false), (2, true), (3, false), (3, true), (4, false), (4, true)] {
        let world = World::new();
        fs::create_dir_all(world.home.path().join(PLACES[0])).unwrap();
        let texts = texts(count, open);
        let allowed: Vec<Option<&str>> = texts.iter().map(|text| Some(text.as_str())).collect();
        world.arrange(&allowed);
        world.approvals.allow(&Chain::read(&world.upward(PLACES[0])).unwrap()).unwrap();
        assert_eq!(world.holds(), ShellState::Role, "{count} {open}");
        let depth = world.vet(PLACES[0]).1;
        assert_eq!(depth, count + usize::from(open), "what appears above an open chain is looked for");
        let edited = texts.iter().map(|text| format!("{text}# edited\n")).collect::<Vec<_>>();
        let mut changed: Vec<(String, Vec<Option<&str>>)> = Vec::new();
        for at in 0..count {
            let mut one = allowed.clone();
            one[at] = Some(&edited[at]);
            changed.push((format!("edit of {at}"), one));
            if at > 0 {
                let mut one = allowed.clone();
                one[at] = None;
                changed.push((format!("removal of {at}"), one));
            }
            for other in at + 1..count {
                let mut one = allowed.clone();
                one.swap(at, other);
                changed.push((format!("exchange of {at} and {other}"), one));
            }
        }
        if open && count < PLACES.len() {
            let mut one = allowed.clone();
            one.push(Some("region = \"above\"\n"));
            changed.push(("one more above".to_owned(), one));
        }
        for (what, arrangement) in changed {
            world.arrange(&arrangement);
            assert_eq!(world.holds(), ShellState::Blocked, "{count} {open}: {what}");
            world.approvals.allow(&Chain::read(&world.upward(PLACES[0])).unwrap()).unwrap();
            assert_eq!(world.holds(), ShellState::Role, "{count} {open}: {what}, allowed");
            world.arrange(&allowed);
            assert_eq!(world.holds(), ShellState::Role, "{count} {open}: {what}, and back");
            // The next change is compared with the first approval only.
            fs::remove_dir_all(&world.approvals.dir).unwrap();
            world.approvals.allow(&Chain::read(&world.upward(PLACES[0])).unwrap()).unwrap();
        }
    }
}

#[test]
fn inserted_file_needs_a_new_approval() {
    let world = World::new();
    world.arrange(&[Some("inherit = true\n"), None, None, Some("region = \"x\"\n")]);
    world.approvals.allow(&Chain::read(&world.upward(PLACES[0])).unwrap()).unwrap();
    assert_eq!(world.holds(), ShellState::Role);
    for between in ["inherit = true\n", "region = \"x\"\n", ""] {
        world.arrange(&[Some("inherit = true\n"), None, Some(between), Some("region = \"x\"\n")]);
        assert_eq!(world.holds(), ShellState::Blocked, "{between:?}");
    }
}

#[test]
fn different_chains_have_different_records() {
    let file = |place: &str, text: &str, owner| crate::project::discover::ConfigFile {
        path: place.into(),
        place: place.into(),
        canonical: place.into(),
        owner,
        text: text.to_owned(),
    };
    let (a, b) = (file("/p/a", "x", None), file("/p/b", "y", None));
    let chains = [
        vec![a.clone()],
        vec![b.clone()],
        vec![a.clone(), b.clone()],
        vec![b.clone(), a.clone()],
        vec![a.clone(), a.clone()],
        vec![file("/p/a", "x", Some(7))],
        vec![file("/p/a", "x", Some(70))],
        vec![file("/p/a", "x", Some(7)), b.clone()],
        vec![a.clone(), file("/p/b", "y", Some(7))],
        // Fields that would be ambiguous without separators.
        vec![file("/p/a", "x/p/b/p/by", None)],
        vec![file("/p/a", "7x", None), b.clone()],
        vec![file("/p/ax", "", None), b.clone()],
        vec![a.clone(), b.clone(), file("/p/c", "", None)],
    ];
    let mut names = std::collections::BTreeSet::new();
    for chain in &chains {
        for open in [false, true] {
            let (name, bytes) = chain::record(chain, open);
            assert!(names.insert(name), "{chain:?} {open}");
            let read = chain::recorded(&chain[0].place, &bytes).unwrap();
            assert!(chain::changes(chain, &read).is_empty(), "{chain:?} {open}");
            assert_eq!(read.len(), chain.len());
        }
    }
    // The name of a single file's record is the same as in earlier versions.
    assert_eq!(chain::record(&chains[0], false).0, crate::base::digest::sha256(&[b"/p/a\0/p/a\0x"]));
    assert_eq!(chain::record(&chains[0], false).1, b"x");
}

#[test]
fn reports_what_changed() {
    let world = World::new();
    let texts = texts(3, false);
    let allowed: Vec<Option<&str>> = texts.iter().map(|text| Some(text.as_str())).collect();
    world.arrange(&allowed);
    world.approvals.allow(&Chain::read(&world.upward(PLACES[0])).unwrap()).unwrap();
    let (inner, between, last) = (Some(texts[0].as_str()), Some(texts[1].as_str()), Some(texts[2].as_str()));
    for (arrangement, expected) in [
        (vec![inner, between, Some("region = \"y\"\n")], vec![(2, Changed::Content)]),
        (vec![inner, between, None], vec![(2, Changed::Removed)]),
        (vec![inner, None, last], vec![(1, Changed::Removed)]),
        (vec![inner, between, None, last], vec![(3, Changed::Added), (2, Changed::Removed)]),
        (
            vec![Some("region = \"y\"\n"), between, last],
            vec![(0, Changed::Content), (1, Changed::Removed), (2, Changed::Removed)],
        ),
    ] {
        world.arrange(&arrangement);
        let changes = world.approvals.changes(&Chain::read(&world.upward(PLACES[0])).unwrap());
        let found: Vec<_> = changes.into_iter().map(|change| (place(&change.path), change.what)).collect();
        let path = |at: usize| place(&world.home.path().join(PLACES[at]).join(FILE_NAME));
        let expected: Vec<_> = expected.into_iter().map(|(at, what)| (path(at), what)).collect();
        assert_eq!(found, expected);
        let (Verdict::Refused(refusal), _) = world.vet(PLACES[0]) else { panic!() };
        assert_eq!((place(&refusal.path), refusal.change.unwrap().what), found[0]);
    }
}

#[test]
fn base_that_disappears_needs_a_new_approval() {
    let world = World::new();
    let near = world.write("a/b", "inherit = true");
    let far = world.write("a", "region = \"far\"");
    let paths = [near, far.clone()];
    world.approvals.allow(&Chain::read(&paths).unwrap()).unwrap();
    assert!(matches!(evaluate_files(&paths, &world.approvals, &UserConfig::default()).0, Verdict::Allowed(_)));
    fs::remove_file(&far).unwrap();
    let (verdict, depth) = evaluate_files(&paths, &world.approvals, &UserConfig::default());
    assert_eq!((verdict.holds(depth), depth), (ShellState::Blocked, 2));
    let Verdict::Broken { problem, .. } = verdict else { panic!() };
    assert!(problem.summary.contains("was removed while it was being read"), "{problem}");
}

#[test]
fn rules_and_approvals_cover_parts_of_a_chain() {
    let world = World::new();
    let far = world.write("work/p", "region = \"far\"");
    let near = world.write("work/p/q", "inherit = true");
    let root = world.home.path().canonicalize().unwrap();
    let rule = |path: &str, account: &str| TrustRule {
        path: root.join(path),
        accounts: vec![AccountId::parse(account).unwrap()],
        is_of_organization: false,
    };
    let paths = [near.clone(), far.clone()];
    let verdict =
        |trust: Vec<TrustRule>| evaluate_files(&paths, &world.approvals, &UserConfig { trust, ..Default::default() });
    // A rule for both files, and narrower rules for each.
    assert!(matches!(verdict(vec![rule("work", "222222222222")]), (Verdict::Allowed(_), 2)));
    let (Verdict::Allowed(allowed), 2) = verdict(vec![rule("work", "222222222222"), rule("work/p/q", "333333333333")])
    else {
        panic!()
    };
    assert_eq!(allowed.only_accounts(), Some(&[AccountId::parse("222222222222").unwrap()][..]));
    // A rule for the nearest file only: the base file needs an approval of its own.
    let (verdict_, depth) = verdict(vec![rule("work/p/q", "222222222222")]);
    assert_eq!((verdict_.holds(depth), depth), (ShellState::Blocked, 2));
    world.allow(&far);
    assert!(matches!(verdict(vec![rule("work/p/q", "222222222222")]), (Verdict::Allowed(_), 2)));
    world.approvals.deny(&far).unwrap();
    let (verdict, depth) = verdict(vec![rule("work", "222222222222")]);
    assert_eq!((verdict.holds(depth), depth), (ShellState::Blocked, 2), "a rule undoes no refusal");
}

#[test]
fn trusts_approvals_only_below_directories_that_others_can_not_write() {
    let world = World::new();
    let path = world.write("a", "region = \"x\"");
    world.allow(&path);
    let data = world.approvals.data().to_owned();
    for dir in [world.home.path(), &data] {
        for (mode, fine) in [(0o770, false), (0o707, false), (0o755, true), (0o1777, true)] {
            fs::set_permissions(dir, fs::Permissions::from_mode(mode)).unwrap();
            let approvals = Approvals::below(&data);
            let (verdict, depth) = evaluate_files(std::slice::from_ref(&path), &approvals, &UserConfig::default());
            // A decision is recorded, so the user may expect a role.
            let expected = if fine { ShellState::Role } else { ShellState::Blocked };
            assert_eq!(verdict.holds(depth), expected, "{} {mode:o}", dir.display());
            let other = world.write("other", "");
            let (verdict, depth) = evaluate_files(&[other], &approvals, &UserConfig::default());
            assert_eq!(verdict.holds(depth), ShellState::Outer, "nothing was said of this one");
            assert_eq!(approvals.prepare().is_ok(), fine || dir == data, "its own folder is made private again");
            fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).unwrap();
        }
    }
}

#[test]
fn rules_match_whole_components_that_others_can_not_write() {
    let world = World::new();
    let inside = world.write("work/p", "region = \"x\"");
    let beside = world.write("work-evil", "region = \"x\"");
    let account = AccountId::parse("222222222222").unwrap();
    let root = world.home.path().canonicalize().unwrap();
    let trust = vec![TrustRule { path: root.join("work"), accounts: vec![account.clone()], is_of_organization: false }];
    let user = UserConfig { trust, ..UserConfig::default() };
    let (verdict, _) = evaluate_files(std::slice::from_ref(&inside), &world.approvals, &user);
    assert!(matches!(verdict, Verdict::Allowed(allowed) if allowed.only_accounts() == Some(&[account])));
    let (verdict, _) = evaluate_files(&[beside], &world.approvals, &user);
    assert!(matches!(verdict, Verdict::Refused(Refusal { status: ApprovalStatus::Unknown, .. })));
    fs::set_permissions(inside.parent().unwrap(), fs::Permissions::from_mode(0o777)).unwrap();
    let (verdict, _) = evaluate_files(&[inside], &world.approvals, &user);
    let Verdict::Broken { problem, .. } = verdict else { panic!() };
    assert!(problem.causes[0].contains("writable by others"), "{problem}");
}
