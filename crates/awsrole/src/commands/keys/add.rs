//! `awsrole keys add`: stores a profile's keys after AWS has accepted them.

use std::io::{Read, stdin};

use awsrole_core::aws::access_keys::{AccessKeyStores, KeyRef, KeyStoreError, Record, StoreKind};
use awsrole_core::aws::credentials_file::{KeysInFile, check_id};
use awsrole_core::aws::profiles::Profiles;
use awsrole_core::aws::source::{Source, StaticKeys};
use awsrole_core::base::context::Context;
use awsrole_core::base::problem::Problem;
use awsrole_core::base::secret::Secret;
use awsrole_core::plan::resolve::keys_plan;
use awsrole_core::session::sts::{Sts, StsError};
use awsrole_core::settings::user_config::Settings;
use awsrole_keys::Stores;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::cli::StoreName;
use crate::report::{CommandError, Outcome};
use crate::terminal::{NoAnswer, Terminal};
use awsrole_system::print::print_notice;

/// The largest input that is read from stdin, in bytes.
const MAX_STDIN: u64 = 64 * 1024;

/// The options of the command.
pub(super) struct AddOptions {
    pub(super) profile: String,
    pub(super) stdin: bool,
    pub(super) import: bool,
    pub(super) take_out: bool,
    pub(super) replace: bool,
    pub(super) force: bool,
    pub(super) store: Option<StoreName>,
}

pub(super) fn run(wanted: &AddOptions, context: &Context, settings: &Settings) -> Result<Outcome, CommandError> {
    let profiles = Profiles::load(context)?;
    let store = store(wanted, context, settings)?;
    may_be_used(&profiles, &wanted.profile, context)?;
    let known = if wanted.replace { None } else { Record::load(&context.paths, &wanted.profile)? };
    if let Some(known) = known {
        return Err(Problem::new(format!("profile {} already has keys in {}", wanted.profile, known.store))
            .fact("key", &known.access_key_id)
            .hint(format!("`awsrole keys rotate {}` creates new ones", wanted.profile))
            .hint("`--replace` deletes the stored ones: AWS cannot show their secret again")
            .into());
    }
    let in_file = if wanted.import { Some(KeysInFile::find(&profiles, &wanted.profile)?) } else { None };
    let (id, secret) = match &in_file {
        Some(keys) => (keys.access_key_id.clone(), keys.secret_access_key.clone()),
        None if wanted.stdin => from_stdin()?,
        None => from_terminal(&wanted.profile)?,
    };
    let place = KeyRef { profile: wanted.profile.clone(), access_key_id: id, store };
    let arn = verify(&place, &secret, wanted, context, settings)?;
    super::with_stores(context, settings, |stores| {
        // A damaged record doesn't identify any key that could be removed.
        let before = Record::load(&context.paths, &place.profile).unwrap_or_default();
        store_keys(stores, &place, &secret, context)?;
        let before = before.map(|record| record.places()).unwrap_or_default();
        super::forget(stores, before.into_iter().filter(|before| *before != place))?;
        print_notice(match &arn {
            Some(arn) => format!("stored {} of {arn} in {store}", place.access_key_id),
            None => format!("stored {} in {store} without checking whether AWS accepts it", place.access_key_id),
        });
        match (&in_file, &arn) {
            (Some(keys), Some(arn)) => offer_removal(keys, &place, arn, stores, wanted, context, settings),
            (Some(keys), None) => {
                print_notice(format!(
                    "they are also in {}: `awsrole keys add {} --import --replace` tries again",
                    context.shorten(&keys.file),
                    place.profile
                ));
                Ok(())
            }
            (None, _) => {
                report_precedence(&place, context);
                Ok(())
            }
        }
    })?;
    super::look_again(context)?;
    Ok(Outcome::Done)
}

/// Returns the store for the keys.
fn store(wanted: &AddOptions, context: &Context, settings: &Settings) -> Result<StoreKind, Problem> {
    Ok(match wanted.store {
        Some(StoreName::SecretService) => StoreKind::SecretService,
        Some(StoreName::Keychain) => StoreKind::Keychain,
        Some(StoreName::File) => StoreKind::File,
        None => settings.get()?.store.unwrap_or_else(|| StoreKind::usual(context)),
    })
}

/// Checks that the keys would be used. Other settings of the profile may take precedence.
fn may_be_used(profiles: &Profiles, name: &str, context: &Context) -> Result<(), Problem> {
    let Some(profile) = profiles.get(name) else {
        let problem = keys_plan(profiles, context, name).err().unwrap_or_else(|| Problem::new("no profile"));
        return Err(problem.hint(format!("or add `[profile {name}]` with its region to ~/.aws/config first")));
    };
    let first = ["web_identity_token_file", "sso_account_id", "sso_role_name"];
    match first.into_iter().find(|key| profile.has(key)) {
        None => Ok(()),
        Some(key) => Err(Problem::new(format!(
            "{}: profile {name} has `{key}`, which takes precedence over keys",
            profile.origin(key)
        ))
        .hint("store keys for a profile without another source")),
    }
}

/// Verifies the keys with GetCallerIdentity. They aren't reported as valid if the call couldn't be made.
///
/// # Errors
/// Fails if AWS rejects the keys, or if it can't be reached and working keys would be replaced.
fn verify(
    place: &KeyRef,
    secret: &Secret,
    wanted: &AddOptions,
    context: &Context,
    settings: &Settings,
) -> Result<Option<String>, CommandError> {
    let credentials = StaticKeys::long_term(place, secret.clone()).credentials();
    let endpoint = crate::commands::keys::endpoint(&place.profile, context)?;
    let error = match crate::commands::common::with_remote(context, settings, |sts| {
        sts.caller_arn(&credentials, &endpoint)
    }) {
        Ok(arn) => return Ok(Some(arn)),
        Err(refused @ StsError::Refused { .. }) => {
            return Err(CommandError::aws(
                Problem::new(format!("AWS rejects {}, so nothing was stored", place.access_key_id))
                    .because(refused)
                    .hint(
                        "do ID and secret belong to the same active key? see the IAM console (Users, Security credentials)",
                    ),
            ));
        }
        Err(error) => error,
    };
    // Even if the record can't be read, its keys may work.
    let stored = Record::load(&context.paths, &place.profile);
    if wanted.force || stored == Ok(None) {
        print_notice(format!("cannot check the keys with AWS: {error}"));
        return Ok(None);
    }
    let problem = Problem::new(format!(
        "cannot check {} with AWS: the stored keys of profile {} were kept",
        place.access_key_id, place.profile
    ));
    let problem = match stored {
        Ok(Some(stored)) => problem.fact("stored", &stored.access_key_id),
        Ok(None) | Err(_) => problem,
    };
    Err(CommandError::aws(problem.because(error).hint("run it again when AWS is reachable").hint(
        "`--force` replaces them without the check: AWS cannot show their secret again, and the new one may be wrong",
    )))
}

/// Stores the keys, reads them back, and then reports success.
fn store_keys(stores: &Stores<'_>, place: &KeyRef, secret: &Secret, context: &Context) -> Result<(), Problem> {
    let explained = |no: KeyStoreError| no.problem(place);
    stores.put(place, secret).map_err(explained)?;
    if stores.secret(place, true, &|_| ()).map_err(explained)? != *secret {
        return Err(Problem::new(format!("{} returned a different secret than was stored", place.store))
            .hint("use another store: `--store file`"));
    }
    Record::new(place, context.now).save(&context.paths).map_err(|e| crate::commands::common::file_problem(&e))
}

/// Offers to remove the keys from the AWS file. They are removed permanently only after the profile works without them.
fn offer_removal(
    keys: &KeysInFile,
    place: &KeyRef,
    arn: &str,
    stores: &Stores<'_>,
    wanted: &AddOptions,
    context: &Context,
    settings: &Settings,
) -> Result<(), Problem> {
    let file = context.shorten(&keys.file);
    let agreed = wanted.take_out
        || Terminal::open().is_ok_and(|terminal| {
            terminal.confirm(&format!("awsrole: remove the two lines of profile {} from {file}?", place.profile))
        });
    if !agreed {
        print_notice(format!("the keys are also in {file}, where they take precedence over the stored ones"));
        print_notice(format!(
            "`awsrole keys add {} --import --replace --take-out` removes them there",
            crate::commands::common::quoted(&place.profile)
        ));
        return Ok(());
    }
    let backup = keys.remove_keys()?;
    if let Err(problem) = check_without_file(place, arn, stores, context, settings) {
        backup.restore()?;
        return Err(problem.hint(format!("{file} is unchanged")));
    }
    backup.discard()?;
    print_notice(format!(
        "removed the keys from {file}: the AWS CLI can't use profile {} without awsrole any more",
        place.profile
    ));
    Ok(())
}

/// Checks that the profile now uses the stored keys, and that AWS accepts them as the same user.
fn check_without_file(
    place: &KeyRef,
    arn: &str,
    stores: &Stores<'_>,
    context: &Context,
    settings: &Settings,
) -> Result<(), Problem> {
    let (plan, _) = keys_plan(&Profiles::load(context)?, context, &place.profile)?;
    if !matches!(&plan.source, Source::StoredKeys(found) if found == place) {
        return Err(Problem::new(format!("profile {} would use the credentials of {}", place.profile, plan.source)));
    }
    let secret = stores.secret(place, true, &|_| ()).map_err(|no| no.problem(place))?;
    let credentials = StaticKeys::long_term(place, secret).credentials();
    let answer =
        crate::commands::common::with_remote(context, settings, |sts| sts.caller_arn(&credentials, &plan.endpoint));
    match answer {
        Ok(found) if found == arn => Ok(()),
        Ok(found) => Err(Problem::new(format!("the stored keys belong to {found}, not to {arn}"))),
        Err(error) => Err(Problem::new("AWS rejects the stored keys").because(error)),
    }
}

/// Reports what takes precedence over the stored keys.
fn report_precedence(place: &KeyRef, context: &Context) {
    let Ok(profiles) = Profiles::load(context) else { return };
    let Some(profile) = profiles.get(&place.profile).filter(|profile| profile.has_static_keys()) else { return };
    print_notice(format!(
        "profile {} also has keys in {}, which take precedence: remove them there",
        place.profile,
        context.shorten(&profile.origin("aws_access_key_id").file)
    ));
}

fn from_terminal(profile: &str) -> Result<(String, Secret), Problem> {
    let no_keys = |why| match why {
        NoAnswer::NoTerminal => Problem::new("there is no terminal to prompt for the keys on")
            .hint("`--stdin` reads them, `--import` uses those of ~/.aws/credentials"),
        NoAnswer::Cancelled => Problem::new("cancelled: nothing was stored"),
    };
    let terminal = Terminal::open().map_err(no_keys)?;
    let id = terminal.ask(&format!("awsrole: access key ID of profile {profile}: ")).map_err(no_keys)?;
    check_id(id.trim())?;
    let secret = terminal.ask_secret("awsrole: secret access key (not shown): ").map_err(no_keys)?;
    Ok((id.trim().to_owned(), check_secret(secret.expose())?))
}

/// The output of `aws iam create-access-key`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Created {
    access_key: CreatedKey,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreatedKey {
    access_key_id: String,
    secret_access_key: Zeroizing<String>,
}

fn from_stdin() -> Result<(String, Secret), Problem> {
    let hint = "two lines, the access key ID and the secret, or the JSON of `aws iam create-access-key`";
    let mut text = Zeroizing::new(String::with_capacity(4096));
    stdin()
        .lock()
        .take(MAX_STDIN)
        .read_to_string(&mut text)
        .map_err(|e| Problem::new("cannot read stdin").because(e).hint(hint))?;
    if let Ok(Created { access_key }) = serde_json::from_str(&text) {
        check_id(&access_key.access_key_id)?;
        return Ok((access_key.access_key_id, check_secret(&access_key.secret_access_key)?));
    }
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let (Some(id), Some(secret), None) = (lines.next(), lines.next(), lines.next()) else {
        return Err(Problem::new("stdin contains no access key").hint(hint));
    };
    check_id(id)?;
    Ok((id.to_owned(), check_secret(secret)?))
}

/// Checks the format of a secret. It has 40 characters of base64 today, but AWS may change the length.
fn check_secret(text: &str) -> Result<Secret, Problem> {
    let text = text.trim();
    let fits = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
    if fits && (16..=128).contains(&text.len()) {
        return Ok(Secret::new(text));
    }
    Err(Problem::new("that isn't a secret access key (usually 40 letters, digits, + and /)")
        .hint("copy all of it: AWS shows it only once, when the key is created"))
}
