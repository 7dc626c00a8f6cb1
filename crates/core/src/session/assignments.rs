//! Accounts and permission sets that IAM Identity Center shows to a signed-in user, cached for a few minutes.
//!
//! There is one file for each start URL. It contains no secrets, and it is only for the sign-in with which it was
//! listed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::aws::arn::AccountId;
use crate::aws::parameters::PermissionSet;
use crate::aws::source::{IdentityCenter, Source};
use crate::aws::time::from_unix;
use crate::base::context::Context;
use crate::base::digest::sha256;
use crate::base::files::{FileError, read_own, write_private};

/// The time after which accounts are listed again.
const MAX_AGE: Duration = Duration::from_secs(10 * 60);

/// The largest file that is read, in bytes. An organization has up to some ten thousand accounts.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// An account in which the user has a permission set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssignedAccount {
    /// The account's ID.
    pub id: AccountId,
    /// The account's name, as the server sent it. It may be empty and contain any character.
    pub name: String,
}

/// The lists of one sign-in.
pub struct Assignments {
    path: PathBuf,
    now: SystemTime,
    stored: StoredLists,
}

#[derive(Default, Serialize, Deserialize)]
struct StoredLists {
    /// A digest of the sign-in.
    sign_in: String,
    /// In seconds since 1970.
    listed_at: u64,
    accounts: Vec<AssignedAccount>,
    permission_sets: BTreeMap<AccountId, Vec<PermissionSet>>,
}

impl Assignments {
    /// Reads the lists of a sign-in. There are none if they are too old, of another sign-in, or not written by awsrole.
    #[must_use]
    pub fn load(sign_in: &IdentityCenter, context: &Context) -> Self {
        let place = sha256(&[sign_in.start_url.as_bytes(), b"\0", sign_in.region.as_str().as_bytes()]);
        let path = context.paths.cache.join(format!("accounts-{place}.json"));
        // This identity includes the access token.
        let identity = Source::IdentityCenter(sign_in.clone()).identity().to_string();
        let digest = sha256(&[identity.as_bytes()]);
        let bytes = read_own(&path, MAX_BYTES).unwrap_or_default();
        let stored: Option<StoredLists> = serde_json::from_slice(&bytes).ok();
        let is_current = |stored: &StoredLists| {
            let age = from_unix(stored.listed_at).and_then(|listed| context.now.duration_since(listed).ok());
            stored.sign_in == digest && age.is_some_and(|age| age < MAX_AGE)
        };
        let stored =
            stored.filter(is_current).unwrap_or_else(|| StoredLists { sign_in: digest, ..StoredLists::default() });
        Self { path, now: context.now, stored }
    }

    /// Returns the accounts. An empty list was not listed yet.
    #[must_use]
    pub fn accounts(&self) -> &[AssignedAccount] {
        &self.stored.accounts
    }

    /// Returns the permission sets in an account. An empty list was not listed yet.
    #[must_use]
    pub fn permission_sets(&self, account: &AccountId) -> &[PermissionSet] {
        self.stored.permission_sets.get(account).map(Vec::as_slice).unwrap_or_default()
    }

    /// Stores the accounts, sorted by name, and drops the permission sets.
    ///
    /// # Errors
    /// Fails if the file can't be written. The lists can be used anyway.
    pub fn record_accounts(&mut self, mut accounts: Vec<AssignedAccount>) -> Result<(), FileError> {
        accounts.sort_by(|one, other| (one.name.to_lowercase(), &one.id).cmp(&(other.name.to_lowercase(), &other.id)));
        accounts.dedup_by(|one, other| one.id == other.id);
        self.stored.accounts = accounts;
        self.stored.permission_sets.clear();
        self.stored.listed_at = self.listed_now();
        self.write()
    }

    /// Stores the permission sets in an account, sorted by name.
    ///
    /// # Errors
    /// As [`Self::record_accounts`].
    pub fn record_permission_sets(
        &mut self,
        account: &AccountId,
        mut sets: Vec<PermissionSet>,
    ) -> Result<(), FileError> {
        sets.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        self.stored.permission_sets.insert(account.clone(), sets);
        // All lists are as old as the oldest.
        if self.stored.listed_at == 0 {
            self.stored.listed_at = self.listed_now();
        }
        self.write()
    }

    fn listed_now(&self) -> u64 {
        self.now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
    }

    fn write(&self) -> Result<(), FileError> {
        write_private(&self.path, &serde_json::to_vec(&self.stored).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::profiles::Profiles;
    use crate::aws::profiles::tests::home;
    use crate::plan::resolve::sign_in_of_session;

    #[test]
    fn permission_sets_without_accounts_are_kept_for_a_while() {
        let config = "[sso-session corp]\nsso_start_url = https://corp.example.com/start\nsso_region = eu-central-1\n";
        let (_home, mut context) = home(config, "");
        context.now = SystemTime::UNIX_EPOCH + MAX_AGE * 1000;
        let profiles = Profiles::load(&context).unwrap();
        let sign_in = sign_in_of_session(&profiles, &context, "corp", "--sso-session").unwrap();
        let sets = [PermissionSet::parse("Admin").unwrap()];
        let [one, other] = ["111111111111", "222222222222"].map(|id| AccountId::parse(id).unwrap());
        Assignments::load(&sign_in, &context).record_permission_sets(&one, sets.to_vec()).unwrap();
        context.now += MAX_AGE / 2;
        let mut lists = Assignments::load(&sign_in, &context);
        assert_eq!(lists.permission_sets(&one), sets);
        lists.record_permission_sets(&other, sets.to_vec()).unwrap();
        context.now += MAX_AGE / 2;
        assert!(Assignments::load(&sign_in, &context).permission_sets(&one).is_empty(), "they are too old");
    }
}
