//! Names of accounts that IAM Identity Center showed at a sign-in.
//!
//! They are used for accounts that the user gave no name in config.toml. The file is in awsrole's state directory and
//! contains no secrets.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::aws::arn::AccountId;
use crate::base::context::Paths;
use crate::base::files::{FileError, read_own, write_private};
use crate::settings::accounts::{AccountName, Accounts};

/// The largest file that is read, in bytes. An organization has up to some ten thousand accounts.
const MAX_BYTES: u64 = 1024 * 1024;

/// Records the names that a sign-in showed, in addition to those of earlier ones.
///
/// Names that a prompt couldn't show unchanged are left out.
///
/// # Errors
/// Fails if the file can't be written.
pub fn record(paths: &Paths, shown: impl IntoIterator<Item = (AccountId, String)>) -> Result<(), FileError> {
    let mut names = load(paths);
    let shown: BTreeMap<AccountId, String> =
        shown.into_iter().filter(|(_, name)| AccountName::parse(name).is_ok()).collect();
    if shown.iter().all(|(id, name)| names.get(id).is_some_and(|known| known.as_str() == name)) {
        return Ok(());
    }
    names.extend(shown.into_iter().filter_map(|(id, name)| Some((id, AccountName::parse(&name).ok()?))));
    let text: BTreeMap<&str, &str> = names.iter().map(|(id, name)| (id.as_str(), name.as_str())).collect();
    write_private(&file(paths), &serde_json::to_vec(&text).unwrap_or_default())
}

/// Adds the recorded names for accounts without a name.
pub(super) fn complete(accounts: &mut Accounts, paths: &Paths) {
    for (id, name) in load(paths) {
        accounts.0.entry(id).or_default().name.get_or_insert(name);
    }
}

/// Reads the recorded names. A file that can't be read, or wasn't written by awsrole, has none.
fn load(paths: &Paths) -> BTreeMap<AccountId, AccountName> {
    let Ok(bytes) = read_own(&file(paths), MAX_BYTES) else { return BTreeMap::new() };
    let text: BTreeMap<String, String> = serde_json::from_slice(&bytes).unwrap_or_default();
    let parsed = text.iter().map(|(id, name)| Some((AccountId::parse(id).ok()?, AccountName::parse(name).ok()?)));
    parsed.collect::<Option<_>>().unwrap_or_default()
}

fn file(paths: &Paths) -> PathBuf {
    paths.state.join("account-names.json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::profiles::tests::home;
    use crate::settings::accounts::Account;

    fn id(digit: char) -> AccountId {
        AccountId::parse(&digit.to_string().repeat(12)).unwrap()
    }

    #[test]
    fn the_users_own_names_take_precedence() {
        let (_home, context) = home("", "");
        record(&context.paths, [(id('1'), "shown".to_owned()), (id('2'), "shown".to_owned())]).unwrap();
        record(&context.paths, [(id('3'), "later".to_owned()), (id('4'), "$(id)".to_owned())]).unwrap();
        let mine = Account { name: AccountName::parse("mine").ok(), ..Account::default() };
        let mut accounts = Accounts([(id('1'), mine)].into());
        complete(&mut accounts, &context.paths);
        let names = ['1', '2', '3', '4'].map(|digit| accounts.name(&id(digit)).map(str::to_owned));
        assert_eq!(names, [Some("mine".into()), Some("shown".into()), Some("later".into()), None]);
    }

    #[test]
    fn a_file_that_awsrole_cannot_have_written_has_no_names() {
        let (_home, context) = home("", "");
        for text in ["{", "[]", r#"{"1":"a"}"#, r#"{"111111111111":"a\u001b"}"#, r#"{"111111111111":1}"#] {
            write_private(&file(&context.paths), text.as_bytes()).unwrap();
            assert!(load(&context.paths).is_empty(), "{text}");
        }
    }
}
