//! Explains what AI agents get, and what an agent can't get without its user.

use std::time::SystemTime;

use serde::Serialize;

use super::chain::shown_at;
use super::report::Why;
use crate::base::agent::Agent;
use crate::base::context::Context;
use crate::plan::role_plan::RolePlan;
use crate::session::cache::Cache;
use crate::settings::agent::{AgentLimits, EffectiveAgentLimits};
use crate::settings::user_config::Settings;
use crate::shell::state::OuterEnv;

/// The beginning of what happens next if an agent's session needs its user.
pub(super) const ONLY_THEN: &str = "no session, until your user";

/// What AI agents get.
#[derive(Serialize)]
pub struct AgentReport {
    /// The agent to which this process belongs. `None` for the user.
    pub name: Option<String>,
    /// The limits, each with the location of its setting. If empty, agents get what the user gets.
    pub gets: Vec<String>,
}

impl AgentReport {
    /// Returns the report, or `None` for the user if no `[agent]` table applies. `file` are the tables of a project.
    pub(super) fn of(file: &[AgentLimits], settings: &Settings, context: &Context) -> Option<Self> {
        let agent = Agent::recognize(&context.env);
        let terms = EffectiveAgentLimits::of(file, &settings.or_default().agent, agent.as_ref());
        let gets: Vec<String> =
            terms.located().iter().map(|term| shown_at(&term.value, &term.origin, context)).collect();
        let name = agent.map(|agent| agent.name().to_owned());
        (name.is_some() || !gets.is_empty()).then_some(Self { name, gets })
    }

    /// Returns the title of the section, and its lines.
    pub(super) fn section(&self) -> (&'static str, Vec<(String, String)>) {
        let gets = self.gets.join(", ");
        match (&self.name, gets.is_empty()) {
            (None, _) => ("agents", vec![(String::new(), format!("get {gets}"))]),
            (Some(name), true) => {
                let text = "what your user gets: no [agent] table limits it".to_owned();
                ("agent", vec![(String::new(), name.clone()), ("gets".to_owned(), text)])
            }
            (Some(name), false) => ("agent", vec![(String::new(), name.clone()), ("gets".to_owned(), gets)]),
        }
    }
}

impl Why {
    /// Returns whether an agent runs the command.
    pub(super) fn is_of_agent(&self) -> bool {
        self.agent.as_ref().is_some_and(|agent| agent.name.is_some())
    }

    /// Notes that the shell holds another session than the one of the plan. An agent inherits the full session of a
    /// person's shell.
    pub(super) fn note_session_of_parent(&mut self, plan: &RolePlan, inner: &Context, settings: &Settings) {
        let cache = Cache::open(inner, settings.or_default().key);
        let own = cache.keys(plan).session(plan.steps.len());
        self.shell.selected_by_parent = OuterEnv::reconstruct(&inner.env).role.is_some_and(|held| held.entry != own);
    }
}

/// Returns what the user must do first, because awsrole prompts no agent for a code or a sign-in. `done` steps are
/// cached.
pub(super) fn needs_user(plan: &RolePlan, done: usize, now: SystemTime) -> Option<String> {
    let sign_in = plan.source.sign_in(now).filter(|_| done == 0);
    // A program's keys may be temporary, and then no code is needed.
    let needs_code = plan.source.is_long_term() && plan.steps[done..].iter().any(|step| step.mfa_serial().is_some());
    match sign_in {
        Some(command) => Some(format!("{ONLY_THEN} runs `{command}`")),
        None => needs_code.then(|| format!("{ONLY_THEN} runs `{}` and enters an MFA code", plan.prompting_command())),
    }
}
