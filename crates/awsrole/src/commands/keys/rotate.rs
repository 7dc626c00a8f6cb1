//! `awsrole keys rotate`: creates a new key with IAM and deletes the old one.
//!
//! Each step is recorded in the profile's record before the next one begins, so an interrupted rotation continues where
//! it stopped. The active key changes at one point, when the record is replaced.

use std::time::{Duration, SystemTime};

use awsrole_core::aws::access_keys::{AccessKeyStores, Record, Rotation};
use awsrole_core::aws::credentials::Credentials;
use awsrole_core::aws::endpoint::Endpoint;
use awsrole_core::aws::profiles::Profiles;
use awsrole_core::aws::source::{Source, StaticKeys};
use awsrole_core::aws::time::rfc3339;
use awsrole_core::base::context::Context;
use awsrole_core::base::problem::Problem;
use awsrole_core::base::secret::Secret;
use awsrole_core::plan::resolve::keys_plan;
use awsrole_core::plan::role_plan::RolePlan;
use awsrole_core::session::cache::Cache;
use awsrole_core::session::fetch::{Providers, obtain_unexported};
use awsrole_core::session::lookup::ObtainOptions;
use awsrole_core::session::sts::{Sts, StsError};
use awsrole_core::settings::user_config::Settings;
use awsrole_keys::Stores;
use awsrole_sts::{AccessKey, Iam, RemoteSources, RemoteSts};

use crate::authenticator::TerminalPrompter;
use crate::report::{CommandError, Outcome};
use awsrole_system::ambient;
use awsrole_system::print::print_notice;

/// The time that AWS may need until a new key works everywhere. Ten seconds are typical.
const KEY_PROPAGATION_TIMEOUT: Duration = Duration::from_secs(90);

pub(super) fn run(
    profile: &str,
    deactivate: bool,
    delete: Option<&str>,
    context: &Context,
    settings: &Settings,
) -> Result<Outcome, CommandError> {
    let record = super::stored(context, profile)?;
    crate::commands::common::with_remote(context, settings, |sts| {
        let person = TerminalPrompter::new(true, context, settings);
        let stores = Stores::new(&context.paths, &person);
        let mut run = RotationRun { sts, stores: &stores, person: &person, context, settings, deactivate, record };
        run.rotate(delete)
    })
}

/// A rotation in progress.
struct RotationRun<'a> {
    sts: &'a RemoteSts<'a>,
    stores: &'a Stores<'a>,
    person: &'a TerminalPrompter<'a>,
    context: &'a Context,
    settings: &'a Settings,
    deactivate: bool,
    record: Record,
}

impl RotationRun<'_> {
    fn rotate(&mut self, delete: Option<&str>) -> Result<Outcome, CommandError> {
        let (plan, endpoint) = self.plan()?;
        let caller = self.caller(&plan)?;
        let iam = Iam { remote: self.sts, caller: &caller, endpoint: &endpoint };
        if let Some(other) = delete {
            self.make_room(&iam, other)?;
        }
        if let Some(Rotation::Replaced(old)) = self.record.rotation.clone() {
            return self.retire(&old, &plan, &caller, &endpoint);
        }
        let new = match self.record.rotation.clone() {
            Some(Rotation::Stored(new)) => new,
            Some(Rotation::Asked(since)) => match self.find_leftover_key(&iam, &since)? {
                Some(new) => new,
                None => self.create(&iam)?,
            },
            Some(Rotation::Replaced(_)) | None => self.create(&iam)?,
        };
        self.verify(&new, &caller, &plan.endpoint)?;
        let old = std::mem::replace(&mut self.record.access_key_id, new);
        self.record.added = rfc3339(self.context.now);
        self.save(Some(Rotation::Replaced(old.clone())))?;
        self.retire(&old, &plan, &caller, &endpoint)
    }

    /// Plans the active keys.
    fn plan(&self) -> Result<(RolePlan, Endpoint), Problem> {
        let profile = &self.record.profile;
        let (plan, endpoint) = keys_plan(&Profiles::load(self.context)?, self.context, profile)?;
        if matches!(&plan.source, Source::StoredKeys(place) if *place == self.record.place()) {
            return Ok((plan, endpoint));
        }
        Err(Problem::new(format!("profile {profile} uses the credentials of {}, not of the store", plan.source))
            .hint("keys in a file take precedence: remove them there, then rotate"))
    }

    /// Returns the credentials for calls to IAM: the keys, or a session of them if it includes MFA.
    fn caller(&self, plan: &RolePlan) -> Result<Credentials, CommandError> {
        let sources = RemoteSources::new(self.sts, self.context, true);
        let providers = Providers {
            sts: self.sts,
            sources: &sources,
            keys: self.stores,
            authenticator: self.person,
            accounts: &self.settings.or_default().accounts,
            clock: ambient::now,
            clock_command: self.context.env.clock_command(),
        };
        Ok(obtain_unexported(
            plan,
            &Cache::open(self.context, self.settings.or_default().key),
            providers,
            ObtainOptions::interactive(self.context.now),
        )?)
    }

    /// Deletes another key, with the user's consent, to make room for a new one.
    fn make_room(&mut self, iam: &Iam<'_>, other: &str) -> Result<(), CommandError> {
        if other == self.record.access_key_id {
            return Err(Problem::new(format!("{other} is the active key, which makes these calls"))
                .hint("`--delete` is for the user's other key")
                .into());
        }
        iam.delete_access_key(other).map_err(|error| self.refused("DeleteAccessKey", other, error))?;
        self.stores.remove(&self.record.place_of(other)).map_err(|no| no.problem(&self.record.place_of(other)))?;
        if !matches!(self.record.rotation, Some(Rotation::Replaced(_))) {
            self.save(None)?;
        }
        print_notice(format!("deleted {other}"));
        Ok(())
    }

    /// Finds what an earlier rotation left: a key that is in the store, or one whose secret is lost.
    fn find_leftover_key(&self, iam: &Iam<'_>, since: &str) -> Result<Option<String>, CommandError> {
        let keys = iam.access_keys().map_err(|error| self.refused("ListAccessKeys", "", error))?;
        let Some(other) = keys.iter().find(|key| key.id != self.record.access_key_id) else { return Ok(None) };
        match self.stores.secret(&self.record.place_of(&other.id), true, &|_| ()) {
            Ok(_) => Ok(Some(other.id.clone())),
            Err(awsrole_core::aws::access_keys::KeyStoreError::Missing) => {
                Err(self.key_limit_error(&keys, Some(since)).into())
            }
            Err(no) => Err(no.problem(&self.record.place()).into()),
        }
    }

    /// Creates a key and stores it immediately.
    fn create(&mut self, iam: &Iam<'_>) -> Result<String, CommandError> {
        self.save(Some(Rotation::Asked(rfc3339(self.context.now))))?;
        let (new, secret) = match iam.create_access_key() {
            Ok(made) => made,
            Err(error) => {
                if let StsError::Refused { code, .. } = &error {
                    // No key was created.
                    self.save(None)?;
                    if code == "LimitExceeded" {
                        let keys = iam.access_keys().map_err(|error| self.refused("ListAccessKeys", "", error))?;
                        return Err(self.key_limit_error(&keys, None).into());
                    }
                }
                return Err(self.refused("CreateAccessKey", "", error));
            }
        };
        let place = self.record.place_of(&new);
        let kept = self.stores.put(&place, &secret).and_then(|()| self.stores.secret(&place, true, &|_| ()));
        if !kept.as_ref().is_ok_and(|found| *found == secret) {
            let problem = kept.err().map(|no| no.problem(&place));
            let problem =
                problem.unwrap_or_else(|| Problem::new(format!("{} doesn't store keys reliably", place.store)));
            // The key can't be used without its secret.
            if let Err(error) = iam.delete_access_key(&new) {
                // The request for a key remains recorded, so the next rotation finds the key.
                return Err(self.lost_secret_error(&new, problem, &error).into());
            }
            self.save(None)?;
            return Err(problem.into());
        }
        self.save(Some(Rotation::Stored(new.clone())))?;
        Ok(new)
    }

    /// Returns the error for a new key that is active in AWS while its secret is lost.
    fn lost_secret_error(&self, new: &str, why: Problem, error: &StsError) -> Problem {
        let profile = &self.record.profile;
        let mut problem = Problem::new(format!("{new} is active in AWS, but its secret is lost"))
            .because(&why.summary)
            .because(format!("DeleteAccessKey failed, too: {error}"))
            .fact("in force", &self.record.access_key_id);
        problem.causes.extend(why.causes);
        problem.hints = why.hints;
        problem.hint(format!("then `awsrole keys rotate {profile} --delete {new}` deletes it and creates another one"))
    }

    /// Waits until the new key works, and checks that it belongs to the same user.
    fn verify(&self, new: &str, caller: &Credentials, endpoint: &Endpoint) -> Result<(), CommandError> {
        let refused = |error| self.refused("GetCallerIdentity", new, error);
        let arn = self.sts.caller_arn(caller, endpoint).map_err(refused)?;
        let found = retry_until_known(|| self.sts.caller_arn(&self.keys(new)?, endpoint))
            .map_err(|error| self.refused("GetCallerIdentity", new, error))?;
        if found == arn {
            return Ok(());
        }
        Err(Problem::new(format!("the new key belongs to {found}, not to {arn}: the old one stays active")).into())
    }

    /// Deletes or deactivates the old key and removes it from the store.
    fn retire(
        &mut self,
        old: &str,
        plan: &RolePlan,
        caller: &Credentials,
        endpoint: &Endpoint,
    ) -> Result<Outcome, CommandError> {
        let new = self.record.access_key_id.clone();
        // An MFA session of the old key still works. Without MFA, using the new key here proves that it has the same
        // permissions.
        let with_mfa = plan.steps.iter().any(|step| step.mfa_serial().is_some());
        let done = retry_until_known(|| {
            let keys = self.keys(&new)?;
            let iam = Iam { remote: self.sts, caller: if with_mfa { caller } else { &keys }, endpoint };
            if self.deactivate { iam.deactivate_access_key(old) } else { iam.delete_access_key(old) }
        });
        match done {
            Err(StsError::Refused { code, .. }) if code == "NoSuchEntity" => {}
            done => done.map_err(|error| {
                let failure =
                    self.refused(if self.deactivate { "UpdateAccessKey" } else { "DeleteAccessKey" }, old, error);
                let hint = format!(
                    "{new} is the active key: `awsrole keys rotate {}` tries again to retire {old}",
                    self.record.profile
                );
                CommandError { problem: failure.problem.hint(hint), ..failure }
            })?,
        }
        let place = self.record.place_of(old);
        self.stores.remove(&place).map_err(|no| no.problem(&place))?;
        self.save(None)?;
        let end = if self.deactivate { "deactivated in AWS, and its secret removed" } else { "deleted" };
        print_notice(format!("{new} is the active key of profile {}, and {old} is {end}", self.record.profile));
        print_notice("replace the old key wherever else it was used");
        Ok(Outcome::Done)
    }

    fn keys(&self, id: &str) -> Result<Credentials, StsError> {
        let place = self.record.place_of(id);
        let secret: Result<Secret, _> = self.stores.secret(&place, true, &|_| ());
        let secret = secret.map_err(|no| StsError::Malformed(no.problem(&place).summary))?;
        Ok(StaticKeys::long_term(&place, secret).credentials())
    }

    fn save(&mut self, rotation: Option<Rotation>) -> Result<(), Problem> {
        self.record.rotation = rotation;
        self.record.save(&self.context.paths).map_err(|e| crate::commands::common::file_problem(&e))
    }

    /// Returns the error that the user already has the maximum of two keys.
    fn key_limit_error(&self, keys: &[AccessKey], since: Option<&str>) -> Problem {
        let profile = &self.record.profile;
        let mut problem =
            Problem::new(format!("the user of profile {profile} has two access keys, the maximum in AWS"));
        for key in keys {
            let state = if key.active { "active" } else { "switched off" };
            let made = key.created.map(|time| format!(", made {}", rfc3339(time))).unwrap_or_default();
            let mine = if key.id == self.record.access_key_id { ", active here" } else { "" };
            problem = problem.fact("key", format!("{}: {state}{made}{mine}", key.id));
        }
        let Some(other) = keys.iter().find(|key| key.id != self.record.access_key_id) else { return problem };
        let began = since.and_then(|since| humantime::parse_rfc3339(since).ok());
        let of_a_try =
            began.is_some_and(|began| other.created.is_some_and(|made| made + Duration::from_secs(900) >= began));
        if of_a_try {
            problem = problem.because(format!(
                "{} probably comes from a rotation that was interrupted before it got the secret",
                other.id
            ));
        }
        problem.hint(format!("if nothing uses {0}: `awsrole keys rotate {profile} --delete {0}`", other.id))
    }

    fn refused(&self, action: &str, key: &str, error: StsError) -> CommandError {
        let denied = matches!(&error, StsError::Refused { code, .. } if code == "AccessDenied");
        let unknown = matches!(&error, StsError::Refused { code, .. } if code == "InvalidClientTokenId");
        let about = if key.is_empty() { String::new() } else { format!(" for {key}") };
        let mut problem = Problem::new(format!("{action}{about} failed: all working keys were kept")).because(error);
        if denied {
            problem = problem
                .hint("a user needs iam:CreateAccessKey, iam:ListAccessKeys, iam:UpdateAccessKey and iam:DeleteAccessKey on itself (arn:aws:iam::*:user/${aws:username})")
                .hint(format!("if the policy wants MFA: `mfa_serial` in profile {}", self.record.profile));
        } else if unknown {
            problem = problem
                .hint("the new key doesn't work everywhere yet, or the old one was removed: run it again in a minute");
        } else {
            problem = problem.hint("run it again: it continues where it stopped");
        }
        CommandError::aws(problem)
    }
}

/// Repeats a call until AWS knows a new key, which takes some seconds: IAM is "eventually consistent" (IAM User Guide,
/// "Troubleshoot IAM").
fn retry_until_known<T>(act: impl Fn() -> Result<T, StsError>) -> Result<T, StsError> {
    let began = ambient::now();
    let mut pause = Duration::from_millis(500);
    loop {
        match act() {
            Err(StsError::Refused { code, .. })
                if code == "InvalidClientTokenId" && since(began) < KEY_PROPAGATION_TIMEOUT =>
            {
                if pause == Duration::from_millis(500) {
                    print_notice("waiting for the new key to work …");
                }
                std::thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_secs(8));
            }
            done => return done,
        }
    }
}

fn since(time: SystemTime) -> Duration {
    ambient::now().duration_since(time).unwrap_or_default()
}
