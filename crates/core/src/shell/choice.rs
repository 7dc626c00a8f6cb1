//! The role or profile that `awsrole use` chose in a shell, and the proof that it did.
//!
//! A choice is passed on in variables, so that nested shells and the commands typed in them use the same role. But
//! anyone who can set variables, such as an editor's settings in a cloned repository, can write such a variable, and
//! that alone must not make a shell assume a role that `cd` doesn't assume. So awsrole authenticates each choice: a
//! *word* is a message authentication code over the file and the role, or over the profile, followed by the name. A
//! word grants access to nothing else, and is useless to an attacker who cannot set this user's variables.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::aws::time::from_unix;
use crate::base::context::Paths;
use crate::base::files::{self, FileError, read_own};
use crate::base::seal::{KEY_BYTES, Key};
use crate::plan::resolve::SelectedProfile;
use crate::project::config::Config;
use crate::shell::confirm::Confirmation;

/// Length of the proof at the start of a word, in bytes: a nonce and an authentication tag in hexadecimal.
const PROOF: usize = 80;

/// Lengths of the proof in a word that records an end, a confirmation, or both, which are encrypted in it.
const LONGER_PROOFS: [usize; 3] = [PROOF + 16, PROOF + 32, PROOF + 48];

/// In a word, the role that `cd` assumes. No role's name starts with it.
pub const DEFAULT: &str = "-";

/// Maximum length of the name of a role or profile in a choice, in bytes.
const LONGEST_NAME: usize = 1024;

/// Maximum length of a word, in bytes.
pub(crate) const LONGEST: usize = LONGER_PROOFS[2] + 1 + LONGEST_NAME;

/// A choice that awsrole recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice<'w> {
    /// The name of the role, or [`DEFAULT`].
    pub role: &'w str,
    /// What the word records.
    pub terms: Terms,
}

/// What a word records in addition to the role or profile.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Terms {
    /// What the user confirmed.
    pub confirmed: Option<Confirmation>,
    /// The time at which the choice ends, in whole seconds.
    pub until: Option<SystemTime>,
}

impl Terms {
    /// Returns the terms of a role that was only confirmed.
    #[must_use]
    pub fn confirmed(confirmed: Option<Confirmation>) -> Self {
        Self { confirmed, until: None }
    }

    /// Returns the bytes that a word encrypts: the confirmation, then the end in seconds since 1970.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.confirmed.as_ref().map(Confirmation::bytes).unwrap_or_default().to_vec();
        let until = self.until.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        bytes.extend(until.map(|time| time.as_secs().to_be_bytes()).iter().flatten());
        bytes
    }

    /// Returns the terms that a word encrypts, or `None` for a wrong length or time.
    fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let (confirmed, until) = bytes.split_at_checked(bytes.len() / 16 * 16)?;
        let confirmed = if confirmed.is_empty() { None } else { Some(Confirmation::of_bytes(confirmed)?) };
        let until = match until {
            [] => None,
            _ => Some(from_unix(u64::from_be_bytes(until.try_into().ok()?))?),
        };
        Some(Self { confirmed, until })
    }
}

/// Creates and verifies words of choices.
pub struct Choices {
    key: PathBuf,
}

impl Choices {
    /// Returns the choices of the user with these paths. It reads no file.
    #[must_use]
    pub fn of(paths: &Paths) -> Self {
        Self { key: paths.data.join("choices.key") }
    }

    /// Returns the word for a role of a file. The first call creates the key.
    ///
    /// # Errors
    /// Fails if the key can neither be read nor created, or if the role's name is too long.
    pub fn word(&self, file: &Path, role: &str, terms: Terms) -> Result<String, FileError> {
        self.sealed(role, &terms.bytes(), &of_role(file, role))
    }

    /// Returns the word for a profile. The first call creates the key.
    ///
    /// # Errors
    /// As [`Choices::word`].
    pub fn profile_word(&self, name: &str, confirmed: Option<Confirmation>) -> Result<String, FileError> {
        self.sealed(name, &Terms::confirmed(confirmed).bytes(), &of_profile(name))
    }

    /// Returns the choice if the word is a valid proof for this file, otherwise `None`.
    #[must_use]
    pub fn choice<'w>(&self, file: &Path, word: &'w str) -> Option<Choice<'w>> {
        let role = name(word)?;
        let plain = self.opened(word, &of_role(file, role))?;
        Some(Choice { role, terms: Terms::of_bytes(&plain)? })
    }

    /// Returns the profile, and what the user confirmed, if the word is a valid proof for one, otherwise `None`.
    #[must_use]
    pub fn profile(&self, word: &str) -> Option<(SelectedProfile, Option<Confirmation>)> {
        let name = name(word)?;
        let terms = Terms::of_bytes(&self.opened(word, &of_profile(name))?)?;
        Some((SelectedProfile::of_option(name.to_owned()), terms.confirmed))
    }

    fn sealed(&self, name: &str, plain: &[u8], associated: &[u8]) -> Result<String, FileError> {
        let failed = |what: &str| FileError::new("create", &self.key, io::Error::other(what.to_owned()));
        if name.len() > LONGEST_NAME {
            return Err(failed("the name is too long"));
        }
        let key = match self.read() {
            Some(key) => key,
            None => {
                self.make()?;
                self.read().ok_or_else(|| failed("it can't be read again"))?
            }
        };
        let sealed = key.seal(plain, associated).ok_or_else(|| failed("the system has no random numbers"))?;
        let digits: String = sealed.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(format!("{digits}={name}"))
    }

    fn opened(&self, word: &str, associated: &[u8]) -> Option<Vec<u8>> {
        let digits = parts(word)?.0.as_bytes();
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let sealed: Option<Vec<u8>> =
            digits.chunks_exact(2).map(|two| Some(digit(two[0])? << 4 | digit(two[1])?)).collect();
        self.read()?.open(&sealed?, associated).map(|plain| plain.to_vec())
    }

    /// Creates the key. If two processes do so at the same time, the first key is kept.
    fn make(&self) -> Result<(), FileError> {
        let failed = |error| FileError::new("create", &self.key, error);
        let dir = self.key.parent().unwrap_or(Path::new("/"));
        files::private_dir(dir)?;
        let key = Key::random().ok_or_else(|| failed(io::Error::other("the system has no random numbers")))?;
        let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(dir).map_err(failed)?;
        file.write_all(key.expose()).map_err(failed)?;
        if files::is_own(&self.key) {
            // `read` found that the existing file is not a valid key.
            files::remove(&self.key)?;
        }
        match file.persist_noclobber(&self.key) {
            Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => Err(failed(error.error)),
            _ => Ok(()),
        }
    }

    fn read(&self) -> Option<Key> {
        Key::of_bytes(&zeroize::Zeroizing::new(read_own(&self.key, KEY_BYTES as u64).ok()?))
    }
}

/// Returns the time at which a choice of a role ends that is made now (`expires_after`).
#[must_use]
pub fn end(config: &Config, role: Option<&str>, now: SystemTime) -> Option<SystemTime> {
    let (_, keys) = config.select(Some(role?)).ok()?;
    let seconds = (now + keys.expires_after?.duration()).duration_since(UNIX_EPOCH).ok()?.as_secs();
    from_unix(seconds)
}

/// Returns the name in a text that has the form of a word. It doesn't verify the proof.
#[must_use]
pub fn name(word: &str) -> Option<&str> {
    Some(parts(word)?.1)
}

/// Splits what has the form of a word into the digits of its proof and the name.
fn parts(word: &str) -> Option<(&str, &str)> {
    let (proof, name) = word.split_once('=')?;
    let is_proof = (proof.len() == PROOF || LONGER_PROOFS.contains(&proof.len()))
        && proof.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (is_proof && (1..=LONGEST_NAME).contains(&name.len())).then_some((proof, name))
}

/// Returns the data that the proof for a role authenticates. NUL separates the parts, because a path contains none.
fn of_role(file: &Path, role: &str) -> Vec<u8> {
    [b"choice\0", file.as_os_str().as_encoded_bytes(), b"\0", role.as_bytes()].concat()
}

/// Returns the data that the proof for a profile authenticates. The beginning differs from that of any role.
fn of_profile(name: &str) -> Vec<u8> {
    [b"profile\0", name.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::aws::profiles::tests::home;

    #[test]
    fn a_word_proves_one_role_of_one_file() {
        let (_home, context) = home("", "");
        let choices = Choices::of(&context.paths);
        let file = Path::new("/p/.awsrole.toml");
        assert_eq!(choices.choice(file, &format!("{}=prod", "0".repeat(PROOF))), None, "there is no key yet");
        let (confirmed, until) = (Confirmation::of_bytes(b"0123456789abcdef"), from_unix(1_800_000_000));
        let terms = [(None, None), (None, until), (confirmed, None), (confirmed, until)];
        let terms = terms.map(|(confirmed, until)| Terms { confirmed, until }).into_iter();
        let lengths = [PROOF].into_iter().chain(LONGER_PROOFS);
        for ((terms, length), role) in
            terms.zip(lengths).flat_map(|of| ["prod", "a=b", "é", "=", "-"].map(|role| (of, role)))
        {
            let word = choices.word(file, role, terms).unwrap();
            let choice = Some(Choice { role, terms });
            assert_eq!((choices.choice(file, &word), name(&word)), (choice, Some(role)));
            assert_eq!(Choices::of(&context.paths).choice(file, &word), choice, "the key stays");
            assert_eq!(choices.choice(Path::new("/q/.awsrole.toml"), &word), None);
            for forged in
                [format!("{word}x"), word.replacen(&word[..1], "g", 1), word[1..].to_owned(), word.to_uppercase()]
            {
                assert_eq!(choices.choice(file, &forged), None, "{forged}");
            }
            let swapped = format!("{}=other", &word[..length]);
            assert_eq!(choices.choice(file, &swapped), None);
        }
        assert_eq!(fs::metadata(&choices.key).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_word_for_a_profile_is_none_for_a_role() {
        let (_home, context) = home("", "");
        let choices = Choices::of(&context.paths);
        for profile in ["prod", "two words", "a=b", "-x", "'é\"$(id)"] {
            let confirmed = Confirmation::of_bytes(b"0123456789abcdef");
            let word = choices.profile_word(profile, confirmed).unwrap();
            assert_eq!(choices.profile(&word), Some((SelectedProfile::of_option(profile.to_owned()), confirmed)));
            let word = choices.profile_word(profile, None).unwrap();
            // A path could be chosen so that both begin alike, if their prefixes did.
            for file in ["", "/", "/p/.awsrole.toml", profile] {
                assert_eq!(choices.choice(Path::new(file), &word), None);
                assert_eq!(choices.profile(&choices.word(Path::new(file), profile, Terms::default()).unwrap()), None);
            }
            assert_eq!(choices.profile(&format!("{}=other", &word[..PROOF])), None);
            assert_eq!(choices.profile(&format!("{}={profile}", "0".repeat(PROOF))), None);
        }
        assert!(choices.profile_word(&"x".repeat(LONGEST_NAME + 1), None).is_err());
    }

    #[test]
    fn another_key_makes_all_words_void() {
        let (_home, context) = home("", "");
        let choices = Choices::of(&context.paths);
        let file = Path::new("/p/.awsrole.toml");
        let word = choices.word(file, "prod", Terms::default()).unwrap();
        for key in [&b""[..], &[0; KEY_BYTES], &[0; KEY_BYTES + 1]] {
            files::write_private(&choices.key, key).unwrap();
            assert_eq!(choices.choice(file, &word), None);
        }
    }

    #[test]
    fn what_has_another_form_is_no_word() {
        let proof = "0".repeat(PROOF);
        let long = "x".repeat(LONGEST_NAME + 1);
        for text in
            ["", "prod", "=prod", &proof, &format!("{proof}="), &format!("{proof}x"), &format!("{proof}={long}")]
        {
            assert_eq!(name(text), None, "{text}");
        }
        assert_eq!(name(&format!("{proof}={}", &long[1..])), Some(&long[1..]));
        assert_eq!(name(&format!("{}=x", "é".repeat(PROOF / 2))), None);
    }
}
