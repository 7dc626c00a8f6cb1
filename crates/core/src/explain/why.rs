//! Explains how a directory's role is resolved: each decision, its origin, and what happens next.

mod agent;
mod text;

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::aws::parameters::SessionDuration;
use crate::aws::profiles::Profiles;
use crate::aws::session_policy::LimitedBy;
use crate::aws::source::Source;
use crate::aws::time::rfc3339;
use crate::base::context::Context;
use crate::base::location::Origin;
use crate::base::problem::Problem;
use crate::explain::doctor::foreign_files;
use crate::explain::profile_overrides::ProfileOverride;
use crate::explain::why::agent::AgentReport;
use crate::plan::account_pin::source_account;
use crate::plan::guard::Guard;
use crate::plan::requester::Requester;
use crate::plan::resolve::SelectedProfile;
use crate::plan::role_plan::{RolePlan, Step};
use crate::project::approval::{ApprovalStatus, ShellState, Verdict};
use crate::project::config::{Confirm, RoleConfig};
use crate::project::discover::upward;
use crate::session::cache::Cache;
use crate::settings::accounts::Accounts;
use crate::settings::user_config::Settings;
use crate::shell::choice::Choices;
use crate::shell::confirm::{question, unconfirmed};
use crate::shell::export::{agent_limits, evaluate_directory, plan_role};
use crate::shell::manual_change::Inactive;
use crate::shell::state::{BLOCKED, HIDDEN, INFO_VARS, NAME, OuterEnv};
use crate::shell::statements::Shell;

/// The explanation for a directory, made without network access.
#[derive(Serialize)]
pub struct Why {
    /// The files that apply, nearest first.
    pub files: Vec<PathBuf>,
    /// `allowed`, `allowed by a [[trust]] rule`, `allowed in the main worktree`, `not allowed`, `changed since it was
    /// allowed`, `denied`, `broken`, `no file`, or `not needed for a profile`.
    pub approval: &'static str,
    /// The main worktree whose approval allows the file of a linked git worktree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub main_worktree: Option<PathBuf>,
    /// The resolution, if the file applies.
    pub chain: Option<ResolutionReport>,
    /// What AI agents get, if this process belongs to one or if there is an `[agent]` table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentReport>,
    /// The state of the shell.
    pub shell: SessionReport,
    /// The problem that prevents the role, if there is one.
    pub problem: Option<Problem>,
    /// Settings of other tools that select an identity. [`why`] leaves them out: the caller searches for them.
    #[serde(rename = "overrides")]
    pub profile_overrides: Vec<ProfileOverride>,
    /// A sentence about what happens next.
    pub next: String,
}

/// The resolution of a role.
#[derive(Serialize)]
pub struct ResolutionReport {
    /// The `[role.NAME]`, if the file has several.
    pub name: Option<String>,
    /// The ARN of the role.
    pub role_arn: Option<String>,
    /// The permission set, if the source is IAM Identity Center.
    pub permission_set: Option<String>,
    /// The role's account, if it is known.
    pub account: Option<String>,
    /// The user's name for the account.
    pub account_name: Option<String>,
    /// The profile that the project file names.
    pub profile: Option<String>,
    /// The pinned account.
    pub pin: Option<String>,
    /// The user's name for the pinned account.
    pub pin_name: Option<String>,
    /// The region that is exported.
    pub region: Option<String>,
    /// Whether the user's settings protect the account.
    pub protected: bool,
    /// What must happen before the role is assumed, and when a shell gives it up.
    pub guards: Vec<String>,
    /// The STS endpoint.
    pub endpoint: String,
    /// The source of the initial credentials.
    pub source: String,
    /// The settings that limit the session that a web identity token returns, with their locations.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub limited_by: Vec<String>,
    /// The calls.
    pub links: Vec<StepReport>,
    /// Notices that aren't errors.
    pub notices: Vec<String>,
}

/// One call.
#[derive(Serialize)]
pub struct StepReport {
    /// `AssumeRole`, `GetSessionToken` or `GetScopedCredentials`.
    pub call: &'static str,
    /// The role or session that the call returns.
    pub what: String,
    /// The account.
    pub account: Option<String>,
    /// The user's name for the account.
    pub account_name: Option<String>,
    /// The role session name.
    pub session_name: Option<String>,
    /// The external ID that is sent.
    pub external_id: Option<String>,
    /// The source identity that is sent.
    pub source_identity: Option<String>,
    /// The MFA device whose code is sent.
    pub mfa_serial: Option<String>,
    /// The requested duration, or the default.
    pub duration: String,
    /// The settings that limit what the session may do, with their locations.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub limited_by: Vec<String>,
    /// The share of the largest possible session token that policies and tags take, in percent, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_percent: Option<u8>,
    /// When the cached result expires. `None` if nothing is cached.
    pub cached_until: Option<String>,
    /// The age of the cached result in seconds.
    pub cached_for_seconds: Option<u64>,
}

/// The state of the shell.
#[derive(Serialize)]
pub struct SessionReport {
    /// `role`, `blocked`, `off`, `changed manually`, or `nothing of awsrole's`.
    pub state: &'static str,
    /// The manual change because of which awsrole is inactive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manual_change: Option<String>,
    /// The role's display name.
    pub role: Option<String>,
    /// The access key ID.
    pub key: Option<String>,
    /// When it expires.
    pub expires: Option<String>,
    /// Whether it isn't the session that awsrole makes for this agent: a parent process selected another one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub selected_by_parent: bool,
    /// When the shell gives up the role that `awsrole use` chose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends: Option<String>,
    /// Variables that awsrole set.
    pub set: Vec<String>,
    /// Variables that awsrole hides, with their values unless they are secret.
    pub hidden: Vec<String>,
}

impl Why {
    /// Notes that awsrole is inactive in this shell, and what ends that.
    pub fn changed_manually(&mut self, change: &Inactive) {
        self.shell.state = "changed manually";
        self.shell.manual_change = Some(change.text());
        self.next = format!("nothing, until you {}", change.end());
    }
}

/// Returns what a shell with the hook holds where there is no role. The shell may have no hook.
fn without_role(shell: &SessionReport) -> String {
    match shell.state {
        "blocked" => "the shell stays blocked: every AWS client fails",
        _ => "no role: a shell with the hook is blocked here",
    }
    .to_owned()
}

/// Explains a directory. `outer` is the context without awsrole's exports, `inner` the context of the process. `named`
/// is a role that the user named. Without it, the role that `awsrole use` chose in this shell is explained.
#[must_use]
pub fn why(inner: &Context, outer: &Context, settings: &Settings, files: &[PathBuf], named: Option<&str>) -> Why {
    let mut why = Why::of(inner, files.to_vec(), "no file");
    why.agent = AgentReport::of(&[], settings, outer);
    if files.is_empty() {
        why.next = match &why.shell.role {
            None => "nothing: `awsrole init` writes a file for this directory".to_owned(),
            Some(role) => kept(role, inner),
        };
        return why;
    }
    let (verdict, depth) = match evaluate_directory(outer, settings, files) {
        Ok(found) => found,
        Err(problem) => {
            why.approval = "unknown";
            why.next = without_role(&why.shell);
            why.problem = Some(problem);
            return why;
        }
    };
    let blocked = verdict.holds(depth) == ShellState::Blocked;
    let is_of_agent = why.is_of_agent();
    let until_allowed = |is_denied| match (is_denied, is_of_agent) {
        (true, false) => "nothing: the file is ignored until you run `awsrole allow`",
        (true, true) => "nothing: the file is ignored until your user runs `awsrole allow`",
        (false, false) => "nothing, until you allow it",
        (false, true) => "nothing, until your user allows it",
    };
    let (approval, problem, otherwise) = match verdict {
        Verdict::Allowed(allowed) => {
            why.files.truncate(depth);
            why.main_worktree = allowed.main_worktree().map(Into::into);
            why.approval = match (allowed.only_accounts(), &why.main_worktree) {
                (Some(_), _) => "allowed by a [[trust]] rule",
                (None, Some(_)) => "allowed in the main worktree",
                (None, None) => "allowed",
            };
            let config = allowed.config();
            why.agent = AgentReport::of(&config.agent, settings, outer);
            let chosen = OuterEnv::reconstruct(&inner.env).chosen(files, &Choices::of(&inner.paths), inner.now);
            let chosen = match Requester::of(outer, settings) {
                Ok(requester) => chosen.inherited_by(&requester, config),
                Err(_) => chosen,
            };
            let role = named.or(chosen.role());
            match plan_role(outer, settings, &allowed, role) {
                Err(problem) => {
                    why.next = match named {
                        Some(_) => "this role cannot be assumed".to_owned(),
                        None => without_role(&why.shell),
                    };
                    why.problem = Some(problem);
                }
                Ok(plan) => {
                    follow(&mut why, &plan, outer, settings);
                    let accounts = &settings.or_default().accounts;
                    let guard = Guard::of_role(&allowed, role, &plan, accounts);
                    let asks = question(&guard, &plan, chosen.terms().confirmed, accounts);
                    let is_of_shell = chosen.role() == role && upward(&inner.dir).first() == files.first();
                    if plan.agent.is_some() && is_of_shell {
                        why.note_session_of_parent(&plan, inner, settings);
                    }
                    let (_, keys) = config.select(plan.name.as_deref()).unwrap_or_default();
                    if let Some(chain) = &mut why.chain {
                        chain.protected = guard.protected.is_some();
                        chain.guards = guards(&guard, &keys);
                    }
                    let unnamed = guard.require_name(&allowed, role).err();
                    if let (true, Some(name)) = (guard.manual, &plan.name) {
                        why.next = format!("nothing on `cd`: `awsrole use {name}` assumes it");
                    } else if unnamed.is_some() {
                        why.next = without_role(&why.shell);
                    } else if asks.is_some() {
                        why.next = format!("awsrole asks for confirmation, then {}", why.next);
                    }
                    let is_blocked = is_of_shell && why.shell.state == "blocked";
                    match unnamed {
                        Some(problem) if is_blocked || plan.name.is_none() => why.problem = Some(problem),
                        _ if is_blocked => {
                            let unconfirmed = asks.is_some().then(|| unconfirmed(&plan, role));
                            why.no_role_in_shell(unconfirmed, &plan, outer.now);
                        }
                        _ => {}
                    }
                }
            }
            return why;
        }
        Verdict::Broken { problem, .. } => ("broken", Some(problem), "nothing: your environment does not change"),
        Verdict::Refused(refusal) => {
            let problem = refusal.problem(outer);
            match refusal.status {
                ApprovalStatus::Edited => ("changed since it was allowed", Some(problem), ""),
                ApprovalStatus::Denied => ("denied", blocked.then_some(problem), until_allowed(true)),
                _ => ("not allowed", Some(problem), until_allowed(false)),
            }
        }
    };
    why.approval = approval;
    why.problem = problem;
    why.next = if blocked { without_role(&why.shell) } else { otherwise.to_owned() };
    why
}

/// Describes what happens to a role that a process outside of projects inherited, such as a command of `awsrole exec`.
fn kept(role: &str, inner: &Context) -> String {
    let kept = format!("nothing: {role} stays until its credentials expire, and nothing renews them here");
    match inner.env.text("AWSROLE_PROFILE").filter(|name| !name.is_empty()) {
        Some(profile) => format!("{kept}. `awsrole why --profile={}` explains them", Shell::Bash.quote(profile)),
        None => kept,
    }
}

/// Explains a profile that the user selected. The contexts are those of [`why`].
#[must_use]
pub fn why_profile(inner: &Context, outer: &Context, settings: &Settings, profile: &SelectedProfile) -> Why {
    let mut why = Why::of(inner, Vec::new(), "not needed for a profile");
    let tables = agent_limits(outer, settings);
    why.agent = AgentReport::of(tables.as_deref().unwrap_or_default(), settings, outer);
    let planned = Profiles::load(outer).and_then(|profiles| {
        let requester = Requester::of(outer, settings)?.in_project(|| tables)?;
        let plan = profile.plan(&profiles, outer, &requester)?;
        Ok((profile.file(&profiles, outer), plan))
    });
    match planned {
        Ok((file, plan)) => {
            why.files.push(file);
            follow(&mut why, &plan, outer, settings);
            let guard = Guard::of_profile(&plan, &settings.or_default().accounts);
            if let Some(chain) = &mut why.chain {
                chain.protected = guard.protected.is_some();
                chain.guards = guards(&guard, &RoleConfig::default());
            }
        }
        Err(problem) => {
            why.next = "nothing: the profile can't be used".to_owned();
            why.problem = Some(problem);
        }
    }
    why
}

impl Why {
    fn of(inner: &Context, files: Vec<PathBuf>, approval: &'static str) -> Self {
        let (shell, next) = (held(inner), String::new());
        let (main_worktree, chain, agent, problem, profile_overrides) = (None, None, None, None, Vec::new());
        Self { files, approval, main_worktree, chain, agent, shell, problem, profile_overrides, next }
    }

    /// Explains why the shell is blocked although the role can be planned, and what ends that.
    fn no_role_in_shell(&mut self, unconfirmed: Option<Problem>, plan: &RolePlan, now: SystemTime) {
        let title = plan.title();
        if let Some(problem) = unconfirmed {
            self.next = format!("the shell stays blocked until you confirm {title}: {}", problem.hints.join(", "));
            self.problem = Some(problem);
        } else if self.problem.is_none() {
            let problem = Problem::new(format!("{title} was not assumed"));
            let is_for_user = plan.agent.is_some() && self.next.starts_with(agent::ONLY_THEN);
            self.problem = Some(match plan.source.sign_in(now) {
                _ if is_for_user => problem.because("awsrole prompts no agent for a code or a sign-in"),
                Some(command) => problem.because("you aren't signed in").hint(format!("run `{command}`")),
                None if self.next.contains(MFA_PROMPT) => {
                    problem.because("no MFA code was entered").hint("run `awsrole refresh` to be prompted again")
                }
                None => problem.because("the last attempt was interrupted").hint("run `awsrole refresh` to try again"),
            });
            if plan.source.sign_in(now).is_none() && !is_for_user {
                self.next = format!("the shell stays blocked until `awsrole refresh`. Then {}", self.next);
            }
        }
    }
}

/// What [`next`] says of a step that needs an MFA code.
const MFA_PROMPT: &str = "awsrole prompts for an MFA code";

fn follow(why: &mut Why, plan: &RolePlan, outer: &Context, settings: &Settings) {
    // If the settings can't be read, that problem has been found already.
    let accounts = &settings.or_default().accounts;
    let foreign = Profiles::load(outer).map(|profiles| foreign_files(&profiles, outer)).unwrap_or_default();
    let path = outer.paths.organization.display();
    let organization = settings.organization().map(|shown| format!("the organization's {path} applies: {shown}"));
    let cache = Cache::open(outer, settings.or_default().key);
    let links: Vec<StepReport> =
        (0..plan.steps.len()).map(|index| link(plan, index, &cache, accounts, outer)).collect();
    let failure = cache.last_failure(&cache.keys(plan), outer.now);
    why.problem = failure.map(|failure| failure.problem.in_full());
    why.next = next(plan, &cache, outer.now);
    why.chain = Some(ResolutionReport {
        name: plan.name.clone(),
        role_arn: plan.role_arn().map(ToString::to_string),
        permission_set: match &plan.source {
            Source::IdentityCenter(role) => Some(role.role_name.clone()),
            _ => None,
        },
        account: plan.account().map(|account| account.to_string()),
        account_name: plan.account().and_then(|account| accounts.name(&account).map(str::to_owned)),
        profile: plan.profile.clone(),
        pin: plan.pin.as_ref().map(ToString::to_string),
        pin_name: plan.pin.as_ref().and_then(|id| accounts.name(id)).map(str::to_owned),
        region: plan.region.as_ref().map(|region| region.as_str().to_owned()),
        protected: false,
        guards: Vec::new(),
        endpoint: plan.endpoint.shown(),
        source: source(plan, accounts),
        limited_by: match &plan.source {
            Source::WebIdentity(token) => limits(&token.policy.limited_by, outer),
            _ => Vec::new(),
        },
        links,
        notices: (plan.notices.iter().chain(&plan.suspicious_lines).cloned().chain(foreign).chain(organization))
            .collect(),
    });
}

/// Describes the conditions of a role.
fn guards(guard: &Guard, keys: &RoleConfig) -> Vec<String> {
    let protected = guard.protected.is_some().then(|| "protected account".to_owned());
    let manual = guard.manual.then(|| "chosen by name".to_owned());
    let confirm = match guard.confirm {
        Confirm::Never => None,
        Confirm::Yes => Some("asks for confirmation".to_owned()),
        Confirm::Account => Some("asks for the account".to_owned()),
    };
    let ends = keys.expires_after.map(|time| format!("ends {time} after `awsrole use`"));
    let mut sources: Vec<&String> = guard.settings.iter().filter_map(|setting| setting.source_role.as_ref()).collect();
    sources.dedup();
    let sources = sources.into_iter().map(|source| format!("because of its source role {source}"));
    [protected, manual, confirm, ends].into_iter().flatten().chain(sources).collect()
}

/// Describes the source, with the name of its account if the project file names a permission set.
fn source(plan: &RolePlan, accounts: &Accounts) -> String {
    match (&plan.source, source_account(&plan.source)) {
        (Source::IdentityCenter(role), Some(account)) if role.profile.is_none() => {
            format!("permission set {} in {}", role.role_name, accounts.shown(&account))
        }
        (source, _) => source.to_string(),
    }
}

fn link(plan: &RolePlan, index: usize, cache: &Cache, accounts: &Accounts, context: &Context) -> StepReport {
    let now = context.now;
    let step = &plan.steps[index];
    let cached = cache.load(&cache.keys(plan).session(index + 1), now).map(|entry| entry.credentials);
    let mut link = StepReport {
        call: "GetSessionToken",
        what: format!("a session of {}", plan.source),
        account: None,
        account_name: None,
        session_name: None,
        external_id: None,
        source_identity: None,
        mfa_serial: step.mfa_serial().map(|serial| serial.as_str().to_owned()),
        duration: "12h (the default)".to_owned(),
        limited_by: Vec::new(),
        size_percent: cached.as_ref().and_then(|c| c.size_percent),
        cached_until: cached.as_ref().and_then(|c| c.expiration).map(rfc3339),
        cached_for_seconds: cached.and_then(|c| now.duration_since(c.issued).ok()).map(|age| age.as_secs()),
    };
    match step {
        Step::GetSessionToken(session) => {
            if matches!(plan.source, Source::Process(_)) {
                link.what.push_str(IF_LONG_TERM);
            }
            if let Some(duration) = session.duration {
                link.duration = duration.human();
            }
        }
        Step::AssumeRole(role) => {
            link.call = "AssumeRole";
            link.what = role.role_arn.to_string();
            link.account = Some(role.role_arn.account().to_string());
            link.account_name = accounts.name(role.role_arn.account()).map(str::to_owned);
            link.session_name = Some(role.session_name.as_str().to_owned());
            link.external_id = role.external_id.as_ref().map(|id| id.as_str().to_owned());
            link.source_identity = role.source_identity.as_ref().map(|id| id.as_str().to_owned());
            link.duration = role.duration.map_or("1h (the default)".to_owned(), |duration| duration.human());
            link.limited_by = limits(&role.policy.limited_by, context);
        }
        Step::GetScopedCredentials(scoped) => {
            link.call = "GetScopedCredentials";
            link.what = "the same session, limited".to_owned();
            link.duration = scoped.duration.map_or("as long as that session".to_owned(), SessionDuration::human);
            link.limited_by = limits(std::slice::from_ref(&scoped.limited_by), context);
        }
    }
    link
}

/// Returns the settings that limit a session, with their locations.
fn limits(limited_by: &[LimitedBy], context: &Context) -> Vec<String> {
    limited_by.iter().map(|limit| shown_at(&limit.setting, &limit.origin, context)).collect()
}

/// Formats a setting with its location.
fn shown_at(setting: &str, origin: &Origin, context: &Context) -> String {
    let at = Origin { file: context.shorten(&origin.file).into(), ..origin.clone() };
    format!("{setting} ({at})")
}

/// The condition under which a program's keys get a session.
const IF_LONG_TERM: &str = ", if the program returns long-lived keys";

/// Describes what the next `cd` would do.
fn next(plan: &RolePlan, cache: &Cache, now: SystemTime) -> String {
    let keys = cache.keys(plan);
    let good = |count: usize| cache.load(&keys.session(count), now).filter(|entry| !entry.is_due(now));
    if let Some(entry) = good(plan.steps.len()) {
        let left = entry.credentials.renew_at().and_then(|time| time.duration_since(now).ok());
        return match left {
            Some(left) => format!("the cached session is used and renews in {}", minutes(left)),
            None => "the cached session is used".to_owned(),
        };
    }
    let done = (0..plan.steps.len()).rev().find(|count| good(*count).is_some()).unwrap_or(0);
    if let Some(first) = plan.agent.as_ref().and_then(|_| agent::needs_user(plan, done, now)) {
        return first;
    }
    let mut parts = Vec::new();
    if done == 0 && !plan.source.is_long_term() {
        parts.extend(plan.source.sign_in(now).map(|command| format!("`{command}` signs in")));
        parts.push(format!("credentials are fetched from {}", plan.source));
    }
    for step in &plan.steps[done..] {
        if step.mfa_serial().is_some() {
            parts.push(MFA_PROMPT.to_owned());
        }
        parts.push(match step {
            Step::GetSessionToken(_) if matches!(plan.source, Source::Process(_)) => {
                format!("GetSessionToken is called{IF_LONG_TERM}")
            }
            Step::GetSessionToken(_) => "GetSessionToken is called".to_owned(),
            Step::AssumeRole(role) => format!("AssumeRole is called for {}", role.role_arn.name()),
            Step::GetScopedCredentials(_) => "GetScopedCredentials is called".to_owned(),
        });
    }
    if parts.is_empty() { "the source's own credentials are exported".to_owned() } else { parts.join(", then ") }
}

fn held(inner: &Context) -> SessionReport {
    let outer = OuterEnv::reconstruct(&inner.env);
    let mut held = SessionReport {
        state: "nothing of awsrole's",
        manual_change: None,
        role: None,
        key: None,
        expires: None,
        selected_by_parent: false,
        ends: None,
        set: Vec::new(),
        hidden: Vec::new(),
    };
    if inner.env.text(NAME) == Some(BLOCKED) {
        held.state = "blocked";
    }
    let chosen = outer.chosen(&upward(&inner.dir), &Choices::of(&inner.paths), inner.now);
    if let Some(state) = outer.role {
        held.state = "role";
        held.ends = chosen.terms().until.map(rfc3339);
        let ours = |name: &&str| inner.env.has(name);
        held.set = crate::shell::state::CREDENTIAL_VARS.iter().copied().filter(ours).map(str::to_owned).collect();
        held.set.extend(state.set.keys().cloned());
        held.set.extend(INFO_VARS.into_iter().chain([NAME]).filter(|name| inner.env.has(name)).map(str::to_owned));
        held.hidden = HIDDEN
            .iter()
            .filter_map(|name| state.prior.get(*name).map(|value| format!("{name} (was {value})")))
            .collect();
        held.expires = Some(state.expires).filter(|time| !time.is_empty());
        held.role = Some(state.role);
        held.key = Some(state.key);
    }
    held
}

/// Formats a duration in whole minutes.
#[must_use]
pub fn minutes(duration: Duration) -> String {
    match duration.as_secs() / 60 {
        0 => "less than a minute".to_owned(),
        minutes => humantime::format_duration(Duration::from_secs(minutes * 60)).to_string(),
    }
}
