//! `awsrole status`: shows the role of this shell without using the network.

use std::io::{self, IsTerminal as _};
use std::time::SystemTime;

use awsrole_core::aws::arn::AccountId;
use awsrole_core::aws::profiles::Profiles;
use awsrole_core::aws::time;
use awsrole_core::aws::time::rfc3339;
use awsrole_core::base::agent::{self, Agent};
use awsrole_core::base::context::Context;
use awsrole_core::base::problem::{Problem, escape, escape_json};
use awsrole_core::explain::doctor::protected;
use awsrole_core::plan::requester::Requester;
use awsrole_core::plan::resolve::SelectedProfile;
use awsrole_core::plan::role_plan::RolePlan;
use awsrole_core::project::approval::{ApprovalStatus, Refusal, Verdict};
use awsrole_core::project::discover::upward;
use awsrole_core::session::cache::Cache;
use awsrole_core::settings::accounts::{Accounts, Color};
use awsrole_core::settings::agent::{AgentLimits, EffectiveAgentLimits};
use awsrole_core::settings::user_config::Settings;
use awsrole_core::shell::choice::{self, Choices};
use awsrole_core::shell::export::{END_PROFILE, evaluate_directory, plan_role, unproven};
use awsrole_core::shell::manual_change::Inactive;
use awsrole_core::shell::state::{Chosen, OuterEnv, State};

use crate::report::{CommandError, Outcome};
use awsrole_system::ambient::{self, Caller, may_color};
use awsrole_system::local_time;
use awsrole_system::print::{fit, out};

/// The status, in display order.
struct Known(Vec<(&'static str, String)>);

pub(super) fn run(json: bool, long: bool, context: &Context, settings: &Settings) -> Result<Outcome, CommandError> {
    let outer = OuterEnv::reconstruct(&context.env);
    let blocked = context.env.text(awsrole_core::shell::state::NAME) == Some(awsrole_core::shell::state::BLOCKED);
    let manual = Inactive::of(&context.env, &outer, ambient::caller() == Caller::Inactive);
    if json || long {
        let known = known(&outer, blocked, manual.as_ref(), context, settings);
        out(&if json { known.json() } else { known.lines(context.now) })?;
        return Ok(Outcome::Done);
    }
    if let Some(manual) = manual {
        let what = if manual.set.is_empty() { "changed manually".to_owned() } else { manual.set.join(" ") };
        out(&(painted(&format!("inactive: {}", escape(&what)), may_color(&io::stdout()).then_some(Color::Red)) + "\n"))?;
    } else if let Some(state) = &outer.role {
        // A damaged settings file was reported when the role was assumed. It must not break the prompt.
        let accounts = settings.or_default().accounts.clone();
        let id = AccountId::parse(&state.account).ok();
        let account = id.as_ref().and_then(|id| accounts.name(id)).unwrap_or(&state.account);
        let left = remaining(state, context);
        // Without this variable, the session is that of the user.
        let agent = Agent::recognize(&context.env).filter(|_| context.env.has(agent::VARIABLE));
        let agent = agent.map(|agent| format!("for agent {}", agent.name()));
        let words = [Some(state.role.as_str()), Some(account), left.as_deref(), agent.as_deref()];
        let words: Vec<String> = words.into_iter().flatten().filter(|word| !word.is_empty()).map(escape).collect();
        let color = id.and_then(|id| accounts.color(&id)).filter(|_| may_color(&io::stdout()));
        out(&(painted(&words.join(" "), color) + "\n"))?;
    } else if blocked {
        out(&(painted("blocked", may_color(&io::stdout()).then_some(Color::Red)) + "\n"))?;
    } else if ambient::caller() == Caller::HookOff {
        // A prompt that runs this command shows nothing outside of projects.
        match io::stdout().is_terminal() {
            true => out("awsrole is off in this shell (`awsrole on`)\n")?,
            false if !upward(&context.dir).is_empty() => out("off\n")?,
            false => {}
        }
    }
    Ok(Outcome::Done)
}

fn painted(text: &str, color: Option<Color>) -> String {
    color.map_or_else(|| text.to_owned(), |color| format!("\u{1b}[{}m{text}\u{1b}[0m", color.code()))
}

impl Known {
    fn add(&mut self, label: &'static str, text: impl Into<String>) {
        self.0.push((label, text.into()));
    }

    fn account(&mut self, id: &AccountId, accounts: &Accounts) {
        self.add("account", id.as_str());
        if let Some(name) = accounts.name(id) {
            self.add("account_name", name);
        }
    }

    /// Adds the profile that the shell uses.
    fn profile(
        &mut self,
        in_use: Result<Option<SelectedProfile>, Problem>,
        blocked: bool,
        context: &Context,
        settings: &Settings,
    ) {
        match in_use {
            Ok(None) => {}
            Ok(Some(profile)) => {
                let plan = Profiles::load(context)
                    .and_then(|profiles| profile.plan(&profiles, context, &Requester::of(context, settings)?));
                self.plan(plan, blocked, context, settings);
                self.agent(&[], context, settings);
            }
            Err(problem) => self.add("problem", problem.summary),
        }
    }

    /// Adds what the agent gets that runs the command.
    fn agent(&mut self, file: &[AgentLimits], context: &Context, settings: &Settings) {
        if let Some(agent) = Agent::recognize(&context.env) {
            let gets = EffectiveAgentLimits::of(file, &settings.or_default().agent, Some(&agent)).summary();
            self.add("agent", format!("{} gets {gets}", agent.name()));
        }
    }

    /// Adds the plan of a role.
    fn plan(&mut self, plan: Result<RolePlan, Problem>, blocked: bool, context: &Context, settings: &Settings) {
        let plan = match plan {
            Ok(plan) => plan,
            Err(problem) => return self.add("problem", problem.summary),
        };
        if blocked {
            let hint = match plan.source.sign_in(context.now) {
                Some(command) => format!("`{command}` signs in"),
                None => "`awsrole refresh` tries again and prints the error".to_owned(),
            };
            self.add("hint", hint);
        }
        self.add("role", plan.title());
        if let Some(profile) = &plan.profile {
            self.add("profile", profile);
        }
        if let Some(role) = plan.role() {
            self.add("role_arn", role.role_arn.as_str());
        }
        if let Some(account) = plan.account() {
            self.account(&account, &settings.or_default().accounts);
        }
        self.add("source", plan.source.to_string());
        if let Some(region) = &plan.region {
            self.add("region", region.as_str());
        }
        let cache = Cache::open(context, settings.or_default().key);
        let entry = cache.load(&cache.keys(&plan).session(plan.steps.len()), context.now);
        let expiration = entry.and_then(|entry| entry.credentials.expiration);
        self.add("cached", expiration.map_or("no".to_owned(), |end| format!("until {}", rfc3339(end))));
        self.add("at_rest", protected(context, settings));
    }

    /// Formats the lines, with times in the user's time zone.
    fn lines(&self, now: SystemTime) -> String {
        let name = self.0.iter().find(|(label, _)| *label == "account_name").map(|(_, name)| name);
        let shown = |label: &str, text: &str| match name {
            Some(name) if label == "account" => format!("{name} ({text})"),
            _ if matches!(label, "expires" | "ends") => local_time::of_text(text, now),
            _ if label == "cached" => match text.strip_prefix("until ") {
                Some(time) => format!("until {}", local_time::of_text(time, now)),
                None => text.to_owned(),
            },
            _ => text.to_owned(),
        };
        let lines = self.0.iter().filter(|(label, _)| *label != "account_name");
        let line = |label: &str, text: &str| format!("{:<10}{}", label.replace('_', " "), escape(&shown(label, text)));
        lines.map(|(label, text)| fit(&line(label, text), 10, &io::stdout()) + "\n").collect()
    }

    fn json(&self) -> String {
        let map: serde_json::Map<String, serde_json::Value> =
            self.0.iter().map(|(label, text)| ((*label).to_owned(), text.as_str().into())).collect();
        escape_json(&serde_json::Value::Object(map).to_string()) + "\n"
    }
}

fn known(outer: &OuterEnv, blocked: bool, manual: Option<&Inactive>, context: &Context, settings: &Settings) -> Known {
    let mut known = Known(Vec::new());
    let choices = Choices::of(&context.paths);
    match (&outer.role, blocked) {
        _ if let Some(manual) = manual => {
            known.add("shell", format!("inactive: {}", manual.text()));
            known.add("hint", format!("{}: the cached session is exported again", manual.end()));
        }
        (Some(state), _) => {
            known.add("shell", "holds the role");
            known.add("held", &state.role);
            if let Some(chosen) = state.chosen.as_deref().and_then(choice::name).filter(|name| *name != choice::DEFAULT)
            {
                known.add("chosen", format!("awsrole use {chosen}"));
            }
            known.add("key", &state.key);
            if !state.expires.is_empty() {
                known.add("expires", &state.expires);
            }
            if let Some(until) = outer.chosen(&upward(&context.dir), &choices, context.now).terms().until {
                known.add("ends", rfc3339(until));
            }
            if let Some(left) = remaining(state, context) {
                known.add("left", left);
            }
        }
        (None, true) => {
            known.add("shell", "blocked: every AWS client fails");
            if let Some(chosen) = outer.chosen(&upward(&context.dir), &choices, context.now).role() {
                known.add("chosen", format!("awsrole use {chosen}"));
            }
        }
        (None, false) if ambient::caller() == Caller::HookOff => {
            known.add("shell", "off: awsrole is inactive in this shell");
            known.add("hint", ambient::ON_AGAIN);
        }
        (None, false) => known.add("shell", "holds no role"),
    }
    let in_use = super::common::profile_in_use(context, settings);
    match (&in_use, outer.chosen_profile(&choices)) {
        (Ok(Some(profile)), _) => {
            known.add("chosen", format!("awsrole use --profile {}", profile.name()));
            known.add("hint", END_PROFILE);
        }
        (_, Ok(Some(chosen))) => known.add("outside", format!("profile {} is used", chosen.profile.name())),
        _ => {}
    }
    let files = upward(&context.dir);
    let context = context.with_env(outer.env.clone());
    let Some(nearest) = files.first() else {
        known.add("file", "none in this directory or above");
        known.profile(in_use, blocked, &context, settings);
        return known;
    };
    known.add("file", nearest.display().to_string());
    match evaluate_directory(&context, settings, &files) {
        Err(problem) => known.add("problem", problem.summary),
        Ok((Verdict::Broken { problem, .. }, _)) => known.add("problem", problem.summary),
        Ok((Verdict::Refused(refusal), _)) if refusal.untrusted.is_some() => {
            known.add("approval", "can't be trusted");
            known.add("problem", refusal.problem(&context).summary);
        }
        Ok((Verdict::Refused(Refusal { status, .. }), _)) => known.add(
            "approval",
            match status {
                ApprovalStatus::Denied => "denied",
                ApprovalStatus::Edited => "changed since it was allowed",
                _ => "not allowed",
            },
        ),
        Ok((Verdict::Allowed(allowed), _)) => {
            known.add(
                "approval",
                match allowed.main_worktree() {
                    Some(main) => format!("allowed in the main worktree {}", main.display()),
                    None => "allowed".to_owned(),
                },
            );
            if outer.role.is_none() && !blocked && ambient::caller() == Caller::Other {
                known.add(
                    "hint",
                    match super::this_shell::missing(&context) {
                        Some(missing) => format!("this shell has no hook: {missing}"),
                        None => "the hook assumes roles in shells: `awsrole doctor` checks whether it is installed"
                            .to_owned(),
                    },
                );
            }
            let chosen = outer.chosen(&files, &choices, context.now);
            if let Chosen::Unproven(name) = &chosen {
                known.add("problem", unproven(name));
            }
            let plan = Requester::of(&context, settings).and_then(|requester| {
                let chosen = chosen.within(allowed.config()).inherited_by(&requester, allowed.config());
                plan_role(&context, settings, &allowed, chosen.role())
            });
            known.plan(plan, blocked, &context, settings);
            known.agent(&allowed.config().agent, &context, settings);
        }
    }
    known.profile(in_use, blocked, &context, settings);
    known
}

/// Returns the time for which the shell keeps the role: that of the credentials or of the choice, whichever is shorter.
fn remaining(state: &State, context: &Context) -> Option<String> {
    let of_credentials = humantime::parse_rfc3339(&state.expires).ok();
    let of_choice = context.env.text("AWSROLE_EXPIRES").and_then(|seconds| time::from_unix(seconds.parse().ok()?));
    let end = of_credentials.map(|end| of_choice.map_or(end, |other| end.min(other)))?;
    Some(time::format_remaining(end.duration_since(context.now).unwrap_or_default()))
}
