//! What is believed of approvals, and what isn't.

use std::os::unix::fs::PermissionsExt;

use super::*;

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
        let path = self.home.path().join(name).join(discover::FILE_NAME);
        files::write_private(&path, text.as_bytes()).unwrap();
        path
    }

    fn allow(&self, path: &Path) {
        self.approvals.allow(&discover::read(path).unwrap()).unwrap();
    }

    fn standing(&self, path: &Path) -> Standing {
        self.approvals.standing(&discover::read(path).unwrap())
    }
}

#[test]
fn approval_belongs_to_content_and_path() {
    let world = World::new();
    let path = world.write("a", "region = \"x\"");
    assert_eq!(world.standing(&path), Standing::Unknown);
    world.allow(&path);
    assert_eq!(world.standing(&path), Standing::Allowed);
    let copy = world.write("b", "region = \"x\"");
    assert_eq!(world.standing(&copy), Standing::Unknown);
    world.write("a", "region = \"y\"");
    assert_eq!(world.standing(&path), Standing::Edited);
    world.allow(&path);
    world.write("a", "region = \"x\"");
    assert_eq!(world.standing(&path), Standing::Allowed, "approvals accumulate");
    world.approvals.deny(&path).unwrap();
    assert_eq!(world.standing(&path), Standing::Denied);
    world.write("a", "region = \"y\"");
    assert_eq!(world.standing(&path), Standing::Denied, "deny is for the path");
    world.allow(&path);
    world.write("a", "region = \"x\"");
    assert_eq!(world.standing(&path), Standing::Edited, "deny forgot what was allowed");
}

#[test]
fn a_link_is_no_approval_and_no_denial() {
    let world = World::new();
    let path = world.write("a", "region = \"x\"");
    world.allow(&path);
    let folder = world.approvals.folder(&place(&path));
    let file = discover::read(&path).unwrap();
    std::os::unix::fs::symlink(&path, folder.join("denied")).unwrap();
    assert_eq!(world.standing(&path), Standing::Allowed, "a link denies nothing");
    fs::remove_file(folder.join(fingerprint(&file))).unwrap();
    std::os::unix::fs::symlink(&path, folder.join(fingerprint(&file))).unwrap();
    assert_eq!(world.standing(&path), Standing::Unknown, "a link allows nothing");
    assert_eq!(world.approvals.last_allowed(&file), None);
}

#[test]
fn approvals_count_where_nobody_else_can_put_them() {
    let world = World::new();
    let path = world.write("a", "region = \"x\"");
    world.allow(&path);
    let folder = world.approvals.folder(&place(&path));
    for dir in [&world.approvals.dir, &folder] {
        for mode in [0o770, 0o707] {
            fs::set_permissions(dir, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(world.standing(&path), Standing::Unknown, "{}: {mode:o}", dir.display());
            assert_eq!(world.approvals.standing_of_path(&path), Standing::Unknown);
            world.allow(&path);
            assert_eq!(world.standing(&path), Standing::Allowed, "`allow` makes it private again");
        }
    }
    let moved = world.home.path().join("moved");
    fs::rename(&world.approvals.dir, &moved).unwrap();
    std::os::unix::fs::symlink(&moved, &world.approvals.dir).unwrap();
    assert_eq!(world.standing(&path), Standing::Unknown);
    assert!(world.approvals.allow(&discover::read(&path).unwrap()).unwrap_err().to_string().contains("it is a link"));
}

#[test]
fn what_is_inherited_must_be_allowed_too() {
    let world = World::new();
    let far = world.write("a", "region = \"far\"\nexternal_id = \"x1\"");
    let near = world.write("a/b", "inherit = true\nregion = \"near\"");
    world.allow(&near);
    let paths = [near, far.clone()];
    let (verdict, depth) = vet(&paths, &world.approvals, &UserConfig::default());
    assert!(matches!(verdict, Verdict::Refused { path, standing: Standing::Unknown } if path == far));
    assert_eq!(depth, 2);
    world.allow(&far);
    let (Verdict::Allowed(allowed), 2) = vet(&paths, &world.approvals, &UserConfig::default()) else { panic!() };
    let (_, keys) = allowed.config.select(None).unwrap();
    assert_eq!((keys.region.unwrap().as_str(), keys.external_id.unwrap().as_str()), ("near", "x1"));
}

#[test]
fn a_rule_trusts_whole_components_that_no_one_else_can_write() {
    let world = World::new();
    let inside = world.write("work/p", "region = \"x\"");
    let beside = world.write("work-evil", "region = \"x\"");
    let account = AccountId::parse("222222222222").unwrap();
    let root = world.home.path().canonicalize().unwrap();
    let trust = vec![TrustRule { path: root.join("work"), accounts: vec![account.clone()] }];
    let user = UserConfig { trust, ..UserConfig::default() };
    let (verdict, _) = vet(std::slice::from_ref(&inside), &world.approvals, &user);
    assert!(matches!(verdict, Verdict::Allowed(allowed) if allowed.only_accounts() == Some(&[account])));
    let (verdict, _) = vet(&[beside], &world.approvals, &user);
    assert!(matches!(verdict, Verdict::Refused { standing: Standing::Unknown, .. }));
    fs::set_permissions(inside.parent().unwrap(), fs::Permissions::from_mode(0o777)).unwrap();
    let (verdict, _) = vet(&[inside], &world.approvals, &user);
    let Verdict::Broken { problem, .. } = verdict else { panic!() };
    assert!(problem.causes[0].contains("others may write"), "{problem}");
}
