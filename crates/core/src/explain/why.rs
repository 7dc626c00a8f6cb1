//! Explains how a directory's role is resolved: each decision, its origin, and what happens next.

mod agent;
mod chain;
mod next;
mod report;
mod shell;
mod text;

use std::path::PathBuf;
use std::time::SystemTime;

use crate::aws::profiles::Profiles;
use crate::base::context::Context;
use crate::base::problem::Problem;
use crate::plan::guard::Guard;
use crate::plan::requester::Requester;
use crate::plan::resolve::SelectedProfile;
use crate::plan::role_plan::RolePlan;
use crate::project::approval::{Allowed, ApprovalStatus, ShellState, Verdict};
use crate::project::config::RoleConfig;
use crate::project::discover::upward;
use crate::session::cache::Cache;
use crate::settings::user_config::Settings;
use crate::shell::choice::Choices;
use crate::shell::confirm::{question, unconfirmed};
use crate::shell::export::{agent_limits, evaluate_directory, plan_role};
use crate::shell::manual_change::Inactive;
use crate::shell::state::OuterEnv;
use crate::shell::statements::Shell;

use self::agent::AgentReport;
pub use self::report::Why;
use self::report::{ResolutionReport, SessionReport};

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
            why.explain_allowed(&allowed, inner, outer, settings, named);
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
            let guard = Guard::of_profile(&plan, &settings.or_default().accounts);
            why.explain_plan(&plan, &guard, &RoleConfig::default(), outer, settings);
        }
        Err(problem) => {
            why.next = "nothing: the profile can't be used".to_owned();
            why.problem = Some(problem);
        }
    }
    why
}

impl Why {
    /// Notes that awsrole is inactive in this shell, and what ends that.
    pub fn changed_manually(&mut self, change: &Inactive) {
        self.shell.state = "changed manually";
        self.shell.manual_change = Some(change.text());
        self.next = format!("nothing, until you {}", change.end());
    }

    fn of(inner: &Context, files: Vec<PathBuf>, approval: &'static str) -> Self {
        let (shell, next) = (SessionReport::of(inner), String::new());
        let (main_worktree, chain, agent, problem, profile_overrides) = (None, None, None, None, Vec::new());
        Self { files, approval, main_worktree, chain, agent, shell, problem, profile_overrides, next }
    }

    /// Explains the role of an approved file.
    fn explain_allowed(
        &mut self,
        allowed: &Allowed,
        inner: &Context,
        outer: &Context,
        settings: &Settings,
        named: Option<&str>,
    ) {
        self.main_worktree = allowed.main_worktree().map(Into::into);
        self.approval = match (allowed.only_accounts(), &self.main_worktree) {
            (Some(_), _) => "allowed by a [[trust]] rule",
            (None, Some(_)) => "allowed in the main worktree",
            (None, None) => "allowed",
        };
        let config = allowed.config();
        self.agent = AgentReport::of(&config.agent, settings, outer);
        let chosen = OuterEnv::reconstruct(&inner.env).chosen(&self.files, &Choices::of(&inner.paths), inner.now);
        let chosen = match Requester::of(outer, settings) {
            Ok(requester) => chosen.inherited_by(&requester, config),
            Err(_) => chosen,
        };
        let role = named.or(chosen.role());
        let plan = match plan_role(outer, settings, allowed, role) {
            Ok(plan) => plan,
            Err(problem) => {
                self.next = match named {
                    Some(_) => "this role cannot be assumed".to_owned(),
                    None => without_role(&self.shell),
                };
                self.problem = Some(problem);
                return;
            }
        };
        let accounts = &settings.or_default().accounts;
        let guard = Guard::of_role(allowed, role, &plan, accounts);
        let (_, keys) = config.select(plan.name.as_deref()).unwrap_or_default();
        self.explain_plan(&plan, &guard, &keys, outer, settings);
        let is_of_shell = chosen.role() == role && upward(&inner.dir).first() == self.files.first();
        if plan.agent.is_some() && is_of_shell {
            self.note_session_of_parent(&plan, inner, settings);
        }
        let unnamed = guard.require_name(allowed, role).err();
        let asks = question(&guard, &plan, chosen.terms().confirmed, accounts).is_some();
        if let (true, Some(name)) = (guard.manual, &plan.name) {
            self.next = format!("nothing on `cd`: `awsrole use {name}` assumes it");
        } else if unnamed.is_some() {
            self.next = without_role(&self.shell);
        } else if asks {
            self.next = format!("awsrole asks for confirmation, then {}", self.next);
        }
        let is_blocked = is_of_shell && self.shell.state == "blocked";
        match unnamed {
            Some(problem) if is_blocked || plan.name.is_none() => self.problem = Some(problem),
            _ if is_blocked => self.no_role_in_shell(asks.then(|| unconfirmed(&plan, role)), &plan, outer.now),
            _ => {}
        }
    }

    /// Describes a plan, and what happens next if no condition prevents that. `keys` are those of the project's role.
    fn explain_plan(
        &mut self,
        plan: &RolePlan,
        guard: &Guard,
        keys: &RoleConfig,
        outer: &Context,
        settings: &Settings,
    ) {
        let cache = Cache::open(outer, settings.or_default().key);
        let failure = cache.last_failure(&cache.keys(plan), outer.now);
        self.problem = failure.map(|failure| failure.problem.in_full());
        self.next = next::next(plan, &cache, outer.now);
        self.chain = Some(ResolutionReport::of(plan, guard, keys, &cache, outer, settings));
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
                None if self.next.contains(next::MFA_PROMPT) => {
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

/// Returns what a shell with the hook holds where there is no role. The shell may have no hook.
fn without_role(shell: &SessionReport) -> String {
    match shell.state {
        "blocked" => "the shell stays blocked: every AWS client fails",
        _ => "no role: a shell with the hook is blocked here",
    }
    .to_owned()
}

/// Describes what happens to a role that a process outside of projects inherited, such as a command of `awsrole exec`.
fn kept(role: &str, inner: &Context) -> String {
    let kept = format!("nothing: {role} stays until its credentials expire, and nothing renews them here");
    match inner.env.text("AWSROLE_PROFILE").filter(|name| !name.is_empty()) {
        Some(profile) => format!("{kept}. `awsrole why --profile={}` explains them", Shell::Bash.quote(profile)),
        None => kept,
    }
}
