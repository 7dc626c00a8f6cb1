//! Explains errors of STS and suggests fixes.

use std::time::{Duration, SystemTime};

use crate::aws::credentials::Credentials;
use crate::aws::parameters::MfaSerial;
use crate::aws::source::Source;
use crate::base::problem::Problem;
use crate::plan::role_plan::{AssumeRole, RolePlan, Step};
use crate::session::sts::StsError;

mod denied;

pub(crate) use denied::{encoded, with_reason};

/// Explains why a step of a plan failed.
#[must_use]
pub fn explain(plan: &RolePlan, index: usize, caller: &Credentials, error: &StsError, now: SystemTime) -> Problem {
    told(&Call { plan, index, caller, now, identity: false }, error)
}

/// Explains why GetCallerIdentity failed for a plan's first caller.
#[must_use]
pub fn explain_identity(plan: &RolePlan, caller: &Credentials, error: &StsError, now: SystemTime) -> Problem {
    told(&Call { plan, index: 0, caller, now, identity: true }, error)
}

fn told(call: &Call<'_>, error: &StsError) -> Problem {
    let (plan, now) = (call.plan, call.now);
    let (what, who, endpoint) = (call.what(), call.who(), plan.endpoint.shown());
    let (code, message) = match unanswered(&what, &endpoint, error, now) {
        Ok(problem) => return problem,
        Err(refused) => refused,
    };
    let server_time = match error {
        StsError::Refused { server_time, .. } => *server_time,
        _ => None,
    };
    let refused = Problem::new(format!("STS refused {what}"));
    let problem = refused.because(denied::readable(&error.to_string())).fact("asked by", &who);
    if call.identity && code.starts_with("AccessDenied") {
        return problem.hint("GetCallerIdentity needs no permission, so a policy of the organization (SCP) or of the VPC endpoint denies it");
    }
    let step = call.step();
    match (code, step) {
        _ if message.contains("invalid MFA one time pass code") => {
            problem.hint("the code was wrong or already used: run `awsrole refresh` or the same command to enter the next one")
        }
        _ if message.contains("unable to validate MFA code") => problem
            .fact("device", step.and_then(Step::mfa_serial).map_or("none", MfaSerial::as_str))
            .hint("mfa_serial must be a device of the user whose keys are used: see the IAM console (Users, Security credentials)")
            .hint("a FIDO security key has no codes: register an authenticator app in addition"),
        ("AccessDenied" | "AccessDeniedException", Some(Step::AssumeRole(role))) => {
            denied::explain(problem.fact("sent", call.sent(role)), call, role, message)
        }
        ("AccessDenied" | "AccessDeniedException", Some(Step::GetSessionToken(_))) if message.contains("session credentials") => {
            problem.hint("GetSessionToken requires long-term keys (AKIA…) of a user: remove mfa_serial, or use another profile")
        }
        ("AccessDenied" | "AccessDeniedException", Some(Step::GetSessionToken(_))) => {
            problem.hint("GetSessionToken needs no permission, so a Deny in a policy of the user or of the organization (SCP) applies")
        }
        ("InvalidClientTokenId" | "UnrecognizedClientException", _) => {
            let problem = problem
                .hint("the access key was deleted or deactivated, or belongs to another partition")
                .hint(call.renewal());
            match plan.endpoint.region.as_str() {
                region if !ENABLED_BY_DEFAULT.contains(&region) => problem.hint(format!(
                    "{region} rejects keys of accounts in which it isn't enabled: enable it, or try region = \"us-east-1\""
                )),
                _ => problem,
            }
        }
        ("ExpiredToken" | "ExpiredTokenException", _) => {
            problem.hint(format!("the caller's credentials have expired: {}", call.renewal()))
        }
        ("SignatureDoesNotMatch", _) if message.contains("valid region") => problem.hint(format!(
            "{} isn't a region: it comes from `region` in .awsrole.toml, the profile, or AWS_REGION",
            plan.endpoint.region.as_str()
        )),
        ("SignatureDoesNotMatch" | "RequestExpired" | "RequestTimeTooSkewed", _) => match server_time.map(|time| minutes_off(now, time)) {
            Some(minutes) if minutes.abs() >= 5 => problem.hint(set_the_clock(minutes)),
            _ => problem
                .hint(format!("the secret access key doesn't belong to the access key: {}", call.renewal())),
        },
        ("RegionDisabledException", _) => {
            problem.hint(format!("STS is disabled in {} for the caller's account: set another `region`, or enable it (IAM console, Account settings)", plan.endpoint.region.as_str()))
        }
        ("PackedPolicyTooLarge" | "PackedPolicyTooLargeException", _) => {
            problem.hint("policy, policy_arns and session_tags share one size limit: make them shorter")
        }
        ("MalformedPolicyDocument" | "MalformedPolicyDocumentException", _) => problem.hint(NO_POLICY),
        // awsrole sends no `ProvidedContexts` (STS API Reference, AssumeRole, "Errors").
        ("InvalidContextAssertion" | "InvalidContextAssertionException", _) => problem
            .hint("awsrole sends no context assertion: is the endpoint STS, or does a proxy change the request?"),
        ("ValidationError", Some(Step::AssumeRole(role))) if message.contains("MaxSessionDuration") => {
            let seconds = role.duration.map_or(3600, |duration| duration.seconds());
            problem.fact("sent", duration(role)).hint("lower duration_seconds").hint(format!(
                "or raise the maximum in account {}: aws iam update-role --role-name {} --max-session-duration {seconds}",
                role.role_arn.account(),
                role.role_arn.name()
            ))
        }
        ("ValidationError", _) if message.contains("role chaining") => problem
            .hint("role chaining is limited to one hour: set duration_seconds = 3600 or remove it (awsrole renews the session automatically)"),
        _ if error.is_transient() => problem.hint("awsrole retries in 30 seconds"),
        _ => problem.hint("see the error code in AWS's documentation (STS API reference, \"Common errors\") and the request with `awsrole why`"),
    }
}

/// Explains why STS didn't answer. If STS refused the call, returns its code and message instead.
pub(crate) fn unanswered<'e>(
    what: &str,
    endpoint: &str,
    error: &'e StsError,
    now: SystemTime,
) -> Result<Problem, (&'e str, &'e str)> {
    Ok(match error {
        StsError::Refused { code, message, .. } => return Err((code, message)),
        StsError::Trust(_) => Problem::new(format!("cannot get {what}: the CA bundle for {endpoint} can't be used"))
            .because(error)
            .hint(NO_CA_BUNDLE),
        StsError::Unreachable(why) if why.starts_with("this machine has no CA certificates") => {
            Problem::new(format!("cannot get {what}: the TLS certificate of {endpoint} is not trusted"))
                .because(error)
                .hint("install the package ca-certificates, or set AWS_CA_BUNDLE to a CA bundle (PEM)")
        }
        StsError::Unreachable(why) if why.contains("certificate") => {
            Problem::new(format!("cannot get {what}: the TLS certificate of {endpoint} is not trusted"))
                .because(error)
                .hint("if a proxy intercepts TLS, set AWS_CA_BUNDLE to a file with its CA certificate (PEM)")
        }
        StsError::Unreachable(_) | StsError::TimedOut(_) => {
            Problem::new(format!("cannot get {what}: {endpoint} is unreachable"))
                .because(error)
                .hint("check the network, proxies (HTTPS_PROXY) and the region (awsrole retries at a later prompt)")
        }
        StsError::Clock(server) => Problem::new(format!("cannot get {what}: this machine's clock is wrong"))
            .because(error)
            .hint(set_the_clock(minutes_off(now, *server))),
        StsError::Malformed(_) => Problem::new(format!("cannot get {what}: {endpoint} returned an invalid response"))
            .because(error)
            .hint("is the endpoint STS? check AWS_ENDPOINT_URL and `endpoint_url` in ~/.aws/config")
            .hint("a proxy or the login page of a network (hotel, train) may respond instead of STS"),
    })
}

/// Regions that are enabled in every account. All others must be enabled first (AWS Account Management Reference Guide,
/// "Enable or disable AWS Regions"). AWS adds no more regions to this list.
const ENABLED_BY_DEFAULT: [&str; 17] = [
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
];

/// The hint for a CA bundle that can't be used.
pub const NO_CA_BUNDLE: &str = "the setting must name a CA bundle (PEM): remove it if no proxy intercepts TLS";

pub(crate) const NO_POLICY: &str = "`policy` in .awsrole.toml isn't an IAM policy: it needs Version and Statement, each with Effect, Action and Resource";

/// A call that failed.
struct Call<'a> {
    plan: &'a RolePlan,
    index: usize,
    caller: &'a Credentials,
    now: SystemTime,
    /// Whether the failed call is GetCallerIdentity, made before the step.
    identity: bool,
}

/// The MFA state of a call, as a condition in a policy sees it.
enum Mfa {
    /// The code was sent with the call.
    Code,
    /// The caller's session was created with a code. Contains its age in minutes.
    Session(u64),
    /// The keys of a user, without a code.
    Keys,
    /// A role session, which never has MFA.
    Role,
}

impl Call<'_> {
    /// Returns the step that failed or would have been next. A plan may have none.
    fn step(&self) -> Option<&Step> {
        self.plan.steps.get(self.index)
    }

    fn before(&self) -> Option<&Step> {
        self.index.checked_sub(1).map(|before| &self.plan.steps[before])
    }

    fn what(&self) -> String {
        if self.identity {
            return format!("GetCallerIdentity for {}", self.plan.source);
        }
        match self.step() {
            Some(Step::AssumeRole(role)) => role.role_arn.to_string(),
            Some(Step::GetSessionToken(_)) | None => format!("a session of {}", self.plan.source),
        }
    }

    fn who(&self) -> String {
        let (source, key) = (&self.plan.source, &self.caller.access_key_id);
        match (self.before(), &self.caller.arn) {
            (None, _) => format!("{source} (key {key})"),
            (Some(_), Some(arn)) => arn.clone(),
            (Some(_), None) => format!("a session of {source} (key {key})"),
        }
    }

    fn mfa(&self) -> Mfa {
        // Temporary credentials of a process are used without a code.
        if self.step().and_then(Step::mfa_serial).is_some() && self.caller.session_token.is_none() {
            return Mfa::Code;
        }
        match self.before() {
            Some(step @ Step::GetSessionToken(_)) if step.mfa_serial().is_some() => {
                Mfa::Session(self.now.duration_since(self.caller.issued).unwrap_or_default().as_secs() / 60)
            }
            None if self.caller.session_token.is_some() => Mfa::Role,
            Some(Step::AssumeRole(_)) => Mfa::Role,
            _ => Mfa::Keys,
        }
    }

    /// Describes the parameters that were sent. Conditions in a trust policy depend only on them.
    fn sent(&self, role: &AssumeRole) -> String {
        let mut parts = vec![format!("session name {}", role.session_name.as_str())];
        parts.push(
            role.external_id.as_ref().map_or("no external ID".to_owned(), |id| format!("external ID {}", id.as_str())),
        );
        parts.push(match self.mfa() {
            Mfa::Code => "an MFA code".to_owned(),
            Mfa::Session(minutes) => format!("an MFA session {minutes} minutes old"),
            Mfa::Keys | Mfa::Role => "no MFA".to_owned(),
        });
        if let Some(identity) = &role.source_identity {
            parts.push(format!("source identity {}", identity.as_str()));
        }
        if !role.tags.tags.is_empty() {
            let keys: Vec<&str> = role.tags.tags.keys().map(String::as_str).collect();
            parts.push(format!("session tags {}", keys.join(" ")));
        }
        parts.push(duration(role));
        parts.join(", ")
    }

    /// Returns the command that lists MFA devices, in parentheses, or an empty text if the keys don't come from a
    /// profile.
    fn device_list(&self) -> String {
        match &self.plan.source {
            Source::StaticKeys(keys) => match keys.holder.strip_prefix("profile ") {
                Some(profile) => format!(", which `aws iam list-mfa-devices --profile {profile}` shows"),
                None => String::new(),
            },
            Source::StoredKeys(_) => ", which the IAM console shows (Users, Security credentials)".to_owned(),
            _ => String::new(),
        }
    }

    /// Returns how the caller gets valid credentials again.
    fn renewal(&self) -> String {
        if self.before().is_some() {
            return "run `awsrole logout --all` and enter the directory again to get new sessions".to_owned();
        }
        match &self.plan.source {
            Source::StaticKeys(keys) => match keys.holder.strip_prefix("profile ") {
                Some(profile) if keys.session_token.is_none() => {
                    format!(
                        "`aws configure --profile {profile}` sets other keys (create them in the IAM console: Users, Security credentials)"
                    )
                }
                Some(profile) => {
                    format!("profile {profile} contains temporary keys: renew them with the program that wrote them")
                }
                None => "the keys come from the environment: leave the directory, export new ones, and enter it again"
                    .to_owned(),
            },
            Source::StoredKeys(place) => format!(
                "`awsrole keys add {} --replace` stores other keys (create them in the IAM console: Users, Security credentials)",
                place.profile
            ),
            Source::Process(process) => format!("they come from the credential_process of profile {}", process.profile),
            Source::IdentityCenter(_) => "`awsrole login` signs in again".to_owned(),
            Source::ConsoleLogin(login) => format!("`aws login --profile {}` signs in again", login.profile),
            Source::WebIdentity(token) => format!("{} must contain a new token", token.token_file.display()),
            Source::Instance { .. } | Source::Container { .. } => {
                "the platform issues new ones: run `awsrole refresh`".to_owned()
            }
        }
    }
}

fn duration(role: &AssumeRole) -> String {
    role.duration
        .map_or("the default duration of 1h".to_owned(), |duration| format!("a duration of {}", duration.human()))
}

/// Returns the hint for a clock that is this many minutes ahead.
fn set_the_clock(minutes: i64) -> String {
    let direction = if minutes > 0 { "fast" } else { "slow" };
    let off = match minutes.unsigned_abs() {
        minutes @ ..120 => format!("{minutes} minutes"),
        minutes => humantime::format_duration(Duration::from_secs(minutes * 60)).to_string(),
    };
    let command =
        if cfg!(target_os = "macos") { "sudo sntp -sS time.apple.com" } else { "sudo timedatectl set-ntp true" };
    format!("this machine's clock is {off} {direction}: set it (`{command}`)")
}

/// Returns by how many minutes the local clock is ahead of the server's.
fn minutes_off(local: SystemTime, server: SystemTime) -> i64 {
    let minutes = |duration: Duration| i64::try_from((duration.as_secs() + 30) / 60).unwrap_or(i64::MAX);
    match local.duration_since(server) {
        Ok(ahead) => minutes(ahead),
        Err(behind) => -minutes(behind.duration()),
    }
}
