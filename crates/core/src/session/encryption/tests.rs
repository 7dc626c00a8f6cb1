use crate::base::cache_key_backend::CacheKeyBackend;
use crate::base::cache_key_backend::CacheKeySetting;
use crate::base::cache_key_backend::KeyBackend;
use crate::base::cache_key_backend::KeyUnavailable;
use std::cell::{Cell, RefCell};
use std::fs;

use super::*;
use crate::base::files;
use crate::settings::user_config::Settings;

/// A key backend in memory.
pub(crate) struct Shelf {
    usable: RefCell<Vec<KeyBackend>>,
    full: Cell<bool>,
    kept: RefCell<Vec<(KeyBackend, String, Key)>>,
}

impl Shelf {
    pub(crate) fn new() -> Rc<Self> {
        let usable = RefCell::new(vec![KeyBackend::Keyring, KeyBackend::Runtime]);
        Rc::new(Self { usable, full: Cell::default(), kept: RefCell::default() })
    }

    fn only(&self, places: &[KeyBackend]) {
        *self.usable.borrow_mut() = places.to_vec();
    }

    fn check(&self, place: KeyBackend) -> Result<(), KeyUnavailable> {
        let there = self.usable.borrow().contains(&place);
        there.then_some(()).ok_or_else(|| KeyUnavailable(format!("no {}", place.shown())))
    }

    fn backends(&self) -> Vec<KeyBackend> {
        self.kept.borrow().iter().map(|(place, _, _)| *place).collect()
    }
}

impl CacheKeyBackend for Shelf {
    fn find(&self, place: KeyBackend, name: &str) -> Result<Option<Key>, KeyUnavailable> {
        self.check(place)?;
        let kept = self.kept.borrow();
        let found = kept.iter().find(|(at, called, _)| (*at, called.as_str()) == (place, name));
        Ok(found.map(|(_, _, key)| key.clone()))
    }

    fn put(&self, place: KeyBackend, name: &str, key: &Key) -> Result<(), KeyUnavailable> {
        self.check(place)?;
        if self.full.get() {
            return Err(KeyUnavailable("full".to_owned()));
        }
        self.kept.borrow_mut().push((place, name.to_owned(), key.clone()));
        Ok(())
    }

    fn keep(&self, _: KeyBackend, _: &str) {}

    fn remove(&self, place: KeyBackend, name: &str) {
        self.kept.borrow_mut().retain(|(at, called, _)| (*at, called.as_str()) != (place, name));
    }
}

const PLAIN: &[u8] = b"{\"canary\":1}";

fn world(wanted: CacheKeySetting) -> (tempfile::TempDir, Rc<Shelf>, CacheEncryption) {
    let home = tempfile::tempdir().unwrap();
    let shelf = Shelf::new();
    let encryption = CacheEncryption::new(&home.path().join("cache"), shelf.clone(), wanted);
    (home, shelf, encryption)
}

fn sealed_by(encryption: &CacheEncryption, name: &str) -> Vec<u8> {
    encryption.seal(name, PLAIN).unwrap().content.to_vec()
}

fn opens(encryption: &CacheEncryption, name: &str, content: &[u8]) -> bool {
    encryption.open(name, Zeroizing::new(content.to_vec())).is_some_and(|plain| plain.as_slice() == PLAIN)
}

#[test]
fn content_is_bound_to_its_name_directory_and_key() {
    let (home, shelf, encryption) = world(CacheKeySetting::Auto);
    let sealed = sealed_by(&encryption, "a");
    assert_eq!(sealed[..2], [VERSION, b'k']);
    assert!(opens(&encryption, "a", &sealed) && !opens(&encryption, "b", &sealed));
    let elsewhere = CacheEncryption::new(&home.path().join("copy"), shelf.clone(), CacheKeySetting::Auto);
    assert!(!opens(&elsewhere, "a", &sealed));
    let spelled = CacheEncryption::new(&home.path().join("./cache/../cache"), shelf.clone(), CacheKeySetting::Auto);
    assert!(opens(&spelled, "a", &sealed));
    for broken in [&b""[..], &sealed[..1], &sealed[..2], &sealed[2..], &[&[3], &sealed[1..]].concat(), b"2k", PLAIN] {
        assert!(!opens(&encryption, "a", broken));
    }
    encryption.forget().unwrap();
    assert!(!opens(&encryption, "a", &sealed) && shelf.backends().is_empty());
    assert!(opens(&encryption, "a", &sealed_by(&encryption, "a")), "a new key");
    assert!(!opens(&encryption, "a", &sealed));
}

#[test]
fn uses_the_best_backend_and_writes_nothing_without_one() {
    let (_home, shelf, encryption) = world(CacheKeySetting::Auto);
    shelf.only(&[]);
    let missing = ["the kernel's keyring", "the keychain", "the runtime directory"];
    let missing = missing.map(|place| KeyUnavailable(format!("no {place}"))).to_vec();
    assert!(matches!(encryption.seal("a", PLAIN), Err(SealError::NoKey(why)) if why == missing));
    assert_eq!(encryption.protection(), Protection::Nothing(missing.clone()));
    assert_eq!(encryption.prove(), Protection::Nothing(missing));
    assert!(!opens(&encryption, "a", PLAIN), "what isn't encrypted counts only where the user chose so");
    shelf.only(&[KeyBackend::Runtime]);
    let in_runtime = sealed_by(&encryption, "a");
    assert_eq!(in_runtime[1], b'r');
    shelf.only(&[KeyBackend::Keyring, KeyBackend::Runtime]);
    assert_eq!(encryption.protection(), Protection::Encrypted(KeyBackend::Keyring));
    assert!(opens(&encryption, "a", &in_runtime), "its key is there");
    assert_eq!(sealed_by(&encryption, "a")[1], b'k');
    shelf.only(&[]);
    assert!(!opens(&encryption, "a", &in_runtime));
}

#[test]
fn backend_without_room_is_no_protection() {
    let (_home, shelf, encryption) = world(CacheKeySetting::Auto);
    shelf.full.set(true);
    let full =
        vec![KeyUnavailable("full".into()), KeyUnavailable("no the keychain".into()), KeyUnavailable("full".into())];
    assert_eq!(encryption.prove(), Protection::Nothing(full.clone()));
    assert!(matches!(encryption.seal("a", PLAIN), Err(SealError::NoKey(why)) if why == full));
    shelf.full.set(false);
    assert_eq!(encryption.prove(), Protection::Encrypted(KeyBackend::Keyring));
    assert!(!encryption.dir.join("probe").exists());
}

#[test]
fn unwritable_directory_is_no_protection() {
    let (home, _, encryption) = world(CacheKeySetting::Auto);
    files::write_private(&home.path().join("cache"), b"a file").unwrap();
    assert!(matches!(encryption.prove(), Protection::Nothing(_)));
}

#[test]
fn key_ids_are_unique_and_do_not_reveal_the_key() {
    let (_home, shelf, encryption) = world(CacheKeySetting::Auto);
    let first = encryption.seal("a", PLAIN).unwrap().key_id.unwrap();
    assert_eq!(encryption.keys().map(|key| key.id()).collect::<Vec<_>>(), std::slice::from_ref(&first));
    let hex: String = shelf.kept.borrow()[0].2.expose().iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(first.len() == 16 && !hex.contains(&first));
    encryption.forget().unwrap();
    assert_ne!(encryption.seal("a", PLAIN).unwrap().key_id.unwrap(), first);
    let (_home, _, encryption) = world(CacheKeySetting::None);
    assert_eq!(encryption.seal("a", PLAIN).unwrap().key_id, None);
}

#[test]
fn uses_no_backend_other_than_the_configured_one() {
    let (_home, shelf, encryption) = world(CacheKeySetting::Runtime);
    let sealed = sealed_by(&encryption, "a");
    assert_eq!((sealed[1], encryption.protection()), (b'r', Protection::Encrypted(KeyBackend::Runtime)));
    assert!(!opens(&encryption, "a", PLAIN));
    shelf.only(&[KeyBackend::Keyring]);
    assert!(encryption.seal("a", PLAIN).err().unwrap().to_string().contains("no the runtime directory"));
    assert_eq!(encryption.protection(), Protection::Nothing(vec![KeyUnavailable("no the runtime directory".into())]));
    let (_home, _, encryption) = world(CacheKeySetting::None);
    assert_eq!(sealed_by(&encryption, "a"), PLAIN);
    assert!(opens(&encryption, "a", PLAIN) && !opens(&encryption, "a", &sealed));
    assert_eq!((encryption.protection(), encryption.prove()), (Protection::Plain, Protection::Plain));
}

#[test]
fn ignores_keys_of_the_wrong_length() {
    for length in [0, 31, 33, 64] {
        assert!(Key::of_bytes(&vec![1; length]).is_none());
    }
    assert_eq!(Key::of_bytes(&[1; 32]).unwrap().expose(), [1; 32]);
}

#[test]
fn directory_behind_a_symbolic_link_has_one_key() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("real")).unwrap();
    std::os::unix::fs::symlink(home.path().join("real"), home.path().join("link")).unwrap();
    let shelf = Shelf::new();
    let encryption = CacheEncryption::new(&home.path().join("link/cache"), shelf.clone(), CacheKeySetting::Auto);
    let sealed = sealed_by(&encryption, "a");
    assert!(opens(&encryption, "a", &sealed));
    assert_eq!(shelf.backends().len(), 1);
    files::remove(&home.path().join("link/cache/key.lock")).unwrap();
}

#[test]
fn unreadable_config_never_weakens_protection() {
    let (_home, mut context) = crate::aws::profiles::tests::home("", "");
    let shelf = Shelf::new();
    context.keys = shelf.clone();
    let sealed = sealed_by(&CacheEncryption::of_cache(&context, Settings::load(&context).or_default().key), "a");
    files::write_private(&context.paths.config.join("config.toml"), b"[cache]\nkey = \"runtime\"\nbroken").unwrap();
    let encryption = CacheEncryption::of_cache(&context, Settings::load(&context).or_default().key);
    assert!(encryption.seal("b", PLAIN).err().unwrap().to_string().contains("config.toml"));
    assert!(matches!(encryption.protection(), Protection::Nothing(why) if why[0].0.contains("config.toml")));
    assert!(opens(&encryption, "a", &sealed), "to log out of what it is");
    shelf.only(&[]);
    assert!(encryption.seal("b", PLAIN).is_err() && !opens(&encryption, "b", PLAIN), "nor without any place");
}
