use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::*;
use crate::aws::credentials::tests::credentials;
use crate::session::encryption::tests::Shelf;

fn in_dir(dir: &Path, wanted: CacheKeySetting) -> Cache {
    Cache::in_dir(dir, CacheEncryption::new(dir, Shelf::new(), wanted))
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

#[test]
fn returns_stored_entries_until_they_expire() {
    let home = tempfile::tempdir().unwrap();
    let cache = in_dir(&home.path().join("cache"), CacheKeySetting::Auto);
    cache.store("k", &credentials(at(1000), 900), false).unwrap();
    let entry = cache.load("k", at(1000)).unwrap();
    assert!(entry.credentials == credentials(at(1000), 900));
    assert!(!entry.is_due(at(1719)));
    assert!(entry.is_due(at(1720)));
    assert!(cache.load("k", at(1899)).is_some());
    assert!(cache.load("k", at(1900)).is_none());
    let path = cache.sessions().next().unwrap();
    assert_eq!(fs::metadata(path).unwrap().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(home.path().join("cache")).unwrap().mode() & 0o777, 0o700);
}

#[test]
fn damaged_entry_is_a_miss() {
    for setting in [CacheKeySetting::Auto, CacheKeySetting::None] {
        let home = tempfile::tempdir().unwrap();
        let cache = in_dir(home.path(), setting);
        cache.store("k", &credentials(at(1000), 900), false).unwrap();
        let path = cache.sessions().next().unwrap();
        let whole = fs::read(&path).unwrap();
        let mut broken: Vec<&[u8]> = vec![b"", b"{", b"\xff\xfe", b"null", b"[]", b"{\"version\":1}", b"\x02k"];
        let long = vec![b'x'; 200_000];
        broken.extend([&long[..], &whole[..whole.len() / 2], &whole[..whole.len() - 1]]);
        for content in broken {
            files::write_private(&path, content).unwrap();
            assert!(cache.load("k", at(1000)).is_none(), "{}", content.escape_ascii());
        }
        cache.store("k", &credentials(at(1000), 900), false).unwrap();
        assert!(cache.load("k", at(1000)).is_some(), "a new session replaces it");
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(cache.load("k", at(1000)).is_none());
    }
}

#[test]
fn entry_with_unusable_values_is_a_miss() {
    for setting in [CacheKeySetting::Auto, CacheKeySetting::None] {
        let home = tempfile::tempdir().unwrap();
        let cache = in_dir(home.path(), setting);
        let stored = credentials(at(1000), 900);
        cache.store("k", &stored, false).unwrap();
        let path = cache.sessions().next().unwrap();
        let content = String::from_utf8(cache.read("k").unwrap().to_vec()).unwrap();
        let token = stored.session_token.as_ref().unwrap().expose();
        for (from, to) in [
            ("\"version\":1", "\"version\":99"),
            (&*format!("\"{token}\""), "\"\""),
            (&*format!("\"{}\"", stored.access_key_id), "\"\""),
            // A time that can't be represented.
            ("1900", "18446744073709551615"),
        ] {
            let changed = content.replace(from, to);
            assert_ne!(changed, content);
            let sealed = cache.encryption.seal(&Cache::sealed_name("k"), changed.as_bytes()).ok().unwrap();
            files::write_private(&path, &sealed.content).unwrap();
            assert!(cache.load("k", at(1000)).is_none(), "{from}");
        }
    }
}

#[test]
fn machines_with_a_shared_directory_keep_their_own_sessions() {
    let home = tempfile::tempdir().unwrap();
    let [one, other] = [in_dir(home.path(), CacheKeySetting::Auto), in_dir(home.path(), CacheKeySetting::Auto)];
    one.store("k", &credentials(at(1000), 900), false).unwrap();
    assert!(other.load("k", at(1000)).is_none(), "it is encrypted with another machine's key");
    other.store("k", &credentials(at(1000), 1800), false).unwrap();
    for (cache, lasts) in [(&one, 900), (&other, 1800)] {
        assert!(cache.load("k", at(1001)).unwrap().credentials == credentials(at(1000), lasts));
    }
    one.log_out("k", at(1002)).unwrap();
    assert!(other.load("k", at(1003)).is_none(), "a logout is for all machines");
}

#[test]
fn removes_unencrypted_entries_when_the_user_chooses_encryption() {
    let home = tempfile::tempdir().unwrap();
    in_dir(home.path(), CacheKeySetting::None).store("k", &credentials(at(1000), 900), false).unwrap();
    let cache = in_dir(home.path(), CacheKeySetting::Auto);
    assert!(cache.load("k", at(1000)).is_none());
    cache.store("k", &credentials(at(1000), 900), false).unwrap();
    assert_eq!(cache.sessions().count(), 1);
    assert!(cache.sessions().all(|path| !fs::read(path).unwrap().starts_with(b"{")));
}

#[test]
fn external_keys_can_not_name_other_files() {
    let home = tempfile::tempdir().unwrap();
    let cache = in_dir(&home.path().join("cache"), CacheKeySetting::Auto);
    for key in ["../outside", "/etc/passwd", "", ".", "a/b", &"A".repeat(64), &"0".repeat(63)] {
        cache.store(key, &credentials(at(1000), 900), false).unwrap();
        assert!(cache.load(key, at(1000)).is_some());
        cache.log_out(key, at(1000)).unwrap();
    }
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
}

#[test]
fn records_source_ids_in_order() {
    let home = tempfile::tempdir().unwrap();
    let cache = in_dir(home.path(), CacheKeySetting::Auto);
    assert_eq!(cache.source_ids("s"), SourceIds::default());
    for id in ["ASIA1", "ASIA1", "ASIA2", "no id", "ASIA2"] {
        cache.record_source_id("s", id).unwrap();
    }
    let ids = |id: &str| Some(id.to_owned());
    assert_eq!(cache.source_ids("s"), SourceIds { current: ids("ASIA2"), previous: ids("ASIA1") });
    files::write_private(&cache.path("s", SOURCE), b"\xff\n../x\n").unwrap();
    assert_eq!(cache.source_ids("s"), SourceIds::default());
}

#[test]
fn sweeps_unusable_files_once_an_hour() {
    let home = tempfile::tempdir().unwrap();
    let cache = in_dir(home.path(), CacheKeySetting::Auto);
    let now = fs::metadata(home.path()).unwrap().modified().unwrap();
    let old = now - MIN_KEY_TTL - Duration::from_secs(60);
    cache.store("old", &credentials(now, 900), false).unwrap();
    cache.record_source_id("old", "ASIA1").unwrap();
    cache.remember("refused", now, FailureKind::Refused, &Problem::new("no")).unwrap();
    cache.remember("out", now, FailureKind::LoggedOut, &Problem::new("no")).unwrap();
    drop(cache.lock("free", Duration::ZERO).ok().unwrap());
    let held = cache.lock("held", Duration::ZERO).ok().unwrap();
    for entry in fs::read_dir(home.path()).unwrap().flatten() {
        fs::File::options().write(true).open(entry.path()).unwrap().set_modified(old).unwrap();
    }
    files::write_private(&home.path().join("other"), b"of somebody else").unwrap();
    cache.store("new", &credentials(now, 900), false).unwrap();
    let left = |key: &str, kind: &str| cache.path(key, kind).exists();
    assert!(cache.load("old", now).is_none() && cache.load("new", now).is_some());
    assert!(!left("old", SOURCE) && !left("refused", "failure") && !left("free", "lock"));
    assert!(left("out", "failure") && left("held", "lock") && home.path().join("other").exists());
    drop(held);
    cache.store("later", &credentials(now, 900), false).unwrap();
    assert!(left("held", "lock"), "not at every store");
}

#[test]
fn failures_expire_and_end_with_success() {
    let home = tempfile::tempdir().unwrap();
    let cache = in_dir(home.path(), CacheKeySetting::Auto);
    let problem = Problem::new("no");
    for (kind, passing) in [(FailureKind::Transient, 30), (FailureKind::Refused, 30), (FailureKind::LoggedOut, 1 << 40)]
    {
        cache.remember("k", at(1000), kind, &problem).unwrap();
        assert!(cache.failure("k", at(1000 + passing - 1), Trigger::Background).is_some());
        assert!(
            cache.failure("k", at(1000 + passing), Trigger::Background).is_none() || kind == FailureKind::LoggedOut
        );
        assert!(cache.failure("k", at(1005), Trigger::User).is_none());
    }
    cache.store("k", &credentials(at(1000), 900), false).unwrap();
    assert!(cache.failure("k", at(1001), Trigger::Background).is_none());
}

#[test]
fn typed_command_after_a_wrong_code_may_enter_another() {
    let home = tempfile::tempdir().unwrap();
    let cache = in_dir(home.path(), CacheKeySetting::Auto);
    cache.remember("k", at(1000), FailureKind::WrongCode, &Problem::new("no")).unwrap();
    assert!(cache.failure("k", at(999), Trigger::User).is_some(), "it waited for the prompt");
    assert!(cache.failure("k", at(1000), Trigger::User).is_none());
    assert!(cache.failure("k", at(1029), Trigger::Background).is_some());
    assert!(cache.failure("k", at(1030), Trigger::Background).is_none());
}

#[test]
fn failure_of_a_process_that_started_later_is_used() {
    let home = tempfile::tempdir().unwrap();
    let cache = in_dir(home.path(), CacheKeySetting::Auto);
    cache.remember("k", at(1060), FailureKind::Refused, &Problem::new("no")).unwrap();
    for trigger in [Trigger::User, Trigger::Background] {
        assert!(cache.failure("k", at(1058), trigger).is_some());
        assert!(cache.failure("k", at(1000), trigger).is_some());
        assert!(cache.failure("k", at(999), trigger).is_none(), "the clock was wrong");
    }
}

#[test]
fn damaged_failure_is_ignored() {
    let home = tempfile::tempdir().unwrap();
    let cache = in_dir(home.path(), CacheKeySetting::Auto);
    cache.remember("k", at(1000), FailureKind::Refused, &Problem::new("no")).unwrap();
    assert!(cache.failure("k", at(1001), Trigger::Background).is_some());
    for broken in [&b""[..], b"{", b"\xff", b"{\"version\":1,\"at\":\"x\"}"] {
        files::write_private(&cache.path("k", "failure"), broken).unwrap();
        assert!(cache.failure("k", at(1001), Trigger::Background).is_none(), "{}", broken.escape_ascii());
    }
}

#[test]
fn directory_becomes_private_when_a_session_is_stored() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("cache");
    fs::create_dir(&dir).unwrap();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o777)).unwrap();
    in_dir(&dir, CacheKeySetting::Auto).store("k", &credentials(at(1000), 900), false).unwrap();
    assert_eq!(fs::metadata(&dir).unwrap().mode() & 0o777, 0o700);
}

#[test]
fn refresh_keeps_old_entries_and_logout_removes_them() {
    let home = tempfile::tempdir().unwrap();
    let cache = in_dir(home.path(), CacheKeySetting::Auto);
    cache.store("k", &credentials(at(1000), 900), false).unwrap();
    cache.mark_stale("k", at(1001)).unwrap();
    assert!(cache.load("k", at(1002)).unwrap().is_due(at(1002)));
    assert_eq!(cache.log_out_of_all(at(1003)).unwrap(), 1);
    assert!(cache.load("k", at(1004)).is_none());
    assert!(cache.failure("k", at(1004), Trigger::Background).is_some());
    assert!(cache.failure("k", at(1004), Trigger::User).is_none());
}
