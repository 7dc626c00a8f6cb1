//! Who a plan is for: the user, or an AI agent with its limits.
//!
//! Every function that makes a plan takes a [`Requester`], so no command and no shell can get a session for an agent
//! without the limits.

use crate::aws::parameters::SessionDescription;
use crate::base::agent::Agent;
use crate::base::context::Context;
use crate::base::location::Origin;
use crate::base::problem::Problem;
use crate::plan::account_pin::protect;
use crate::plan::guard::{Guard, protected_account};
use crate::plan::limit::Limit;
use crate::plan::role_plan::RolePlan;
use crate::project::config::Config;
use crate::settings::accounts::Accounts;
use crate::settings::agent::{AgentLimits, AgentPolicy, EffectiveAgentLimits};
use crate::settings::user_config::Settings;

/// The user or the agent that requests a session, and the accounts that the user protects.
#[derive(Debug, Clone)]
pub struct Requester {
    agent: Option<LimitedAgent>,
    protected: Accounts,
    /// The `[agent]` tables of the project in which the user's own profiles are used.
    project: Vec<AgentLimits>,
}

/// An agent, and what the settings of the user and of the organization say about agents.
#[derive(Debug, Clone)]
struct LimitedAgent {
    agent: Agent,
    settings: Vec<AgentLimits>,
}

impl Requester {
    /// Returns the requester that the environment of a context belongs to.
    ///
    /// # Errors
    /// Fails for an agent if the user's settings can't be read, because their limits aren't known then.
    pub fn of(context: &Context, settings: &Settings) -> Result<Self, Problem> {
        let protected = settings.or_default().accounts.only_protected();
        let Some(agent) = Agent::recognize(&context.env) else {
            return Ok(Self { agent: None, protected, project: Vec::new() });
        };
        let settings = settings.get()?.agent.clone();
        Ok(Self { agent: Some(LimitedAgent { agent, settings }), protected, project: Vec::new() })
    }

    /// Adds the `[agent]` tables of the project that applies in the working directory. They also limit profiles that
    /// are used there. `tables` isn't called for the user.
    ///
    /// # Errors
    /// Fails for an agent with the problem of `tables`.
    pub fn in_project(self, tables: impl FnOnce() -> Result<Vec<AgentLimits>, Problem>) -> Result<Self, Problem> {
        let project = self.agent.as_ref().map(|_| tables()).transpose()?.unwrap_or_default();
        Ok(Self { project, ..self })
    }

    /// Refuses an agent.
    ///
    /// # Errors
    /// Fails for an agent. `what` completes "agents can't …".
    pub fn refuse_agent(context: &Context, what: &str) -> Result<(), Problem> {
        match Agent::recognize(&context.env) {
            None => Ok(()),
            Some(agent) => Err(agent.refusal(Problem::new(format!("agents can't {what}")))),
        }
    }

    /// Returns the role that the requester gets if it names `named`. `None` is the default role.
    ///
    /// # Errors
    /// Fails for an agent if the file or the user's settings deny it this role, and for a role with `manual` or
    /// `confirm`, or with such a source role, which is never for agents.
    pub fn role<'n>(&self, config: &'n Config, named: Option<&'n str>) -> Result<Option<&'n str>, Problem> {
        let Some(requester) = &self.agent else { return Ok(named) };
        requester.check_denied(&config.agent)?;
        let only = config.agents_role()?;
        let role = match (only, named) {
            (Some(only), Some(named)) if only.value != named => {
                let problem = Problem::new(format!("role {named} isn't for agents"));
                let problem = problem.because(format!("{}: agents get {}", only.origin, only.value));
                return Err(requester.agent.refusal(problem));
            }
            (Some(only), _) => Some(only.value.as_str()),
            (None, named) => named,
        };
        let (name, _) = config.select(role)?;
        if let Some(setting) = Guard::of_file(config, role).settings.first() {
            let title = name.map(|name| format!("role {name}")).unwrap_or("this role".to_owned());
            return Err(requester
                .agent
                .refusal(Problem::new(format!("{title} isn't for agents")).because(setting.reason())));
        }
        Ok(role)
    }

    /// Returns whether the requester may have a role that it inherits as the choice of its parent shell.
    pub(crate) fn may_inherit(&self, config: &Config, role: &str) -> bool {
        self.agent.is_none() || self.role(config, Some(role)).is_ok()
    }

    /// Limits a plan to what the requester may have. `file` are the `[agent]` tables of the project.
    ///
    /// # Errors
    /// Fails for an agent that is denied every role, for an agent in a protected account, and if the plan can't be
    /// limited.
    pub(super) fn limit(&self, plan: RolePlan, file: &[AgentLimits]) -> Result<RolePlan, Problem> {
        let plan = protect(plan, &self.protected);
        let Some(requester) = &self.agent else { return Ok(plan) };
        let file = if file.is_empty() { &self.project } else { file };
        requester.check_denied(file)?;
        if let Some(account) = protected_account(&plan, &self.protected) {
            let account = self.protected.shown(&account);
            let problem = Problem::new(format!("account {account} isn't for agents"));
            return Err(requester.agent.refusal(problem.because("config.toml sets `protect = true` for it")));
        }
        let plan = requester.layers(file).iter().try_fold(plan, RolePlan::limited)?;
        Ok(RolePlan { agent: Some(requester.agent.clone()), ..plan })
    }
}

impl LimitedAgent {
    fn check_denied(&self, file: &[AgentLimits]) -> Result<(), Problem> {
        match EffectiveAgentLimits::of(file, &self.settings, None).denied {
            None => Ok(()),
            Some(at) => Err(self.agent.refusal(Problem::new(format!("{at}: agents get no role")))),
        }
    }

    /// Returns the limits of the file, of the user and of the organization. Each policy is a limit of its own, because
    /// policies of one call would be combined to a wider one.
    fn layers(&self, file: &[AgentLimits]) -> Vec<Limit> {
        let EffectiveAgentLimits { policies, duration: shortest, .. } =
            EffectiveAgentLimits::of(file, &self.settings, Some(&self.agent));
        let limit = |policy, preset, duration, origin: &Origin| Limit {
            policy,
            preset,
            duration,
            description: SessionDescription::parse(&format!("agent {}", self.agent.name())).ok(),
            origin: origin.clone(),
        };
        let mut layers: Vec<Limit> = policies
            .iter()
            .map(|policy| match &policy.value {
                AgentPolicy::Document(json) => limit(Some(json.clone()), None, None, &policy.origin),
                AgentPolicy::Preset(preset) => limit(None, Some(*preset), None, &policy.origin),
            })
            .collect();
        if let Some(duration) = shortest {
            match layers.first_mut() {
                Some(layer) => layer.duration = Some(duration.value),
                None => layers.push(limit(None, None, Some(duration.value), &duration.origin)),
            }
        }
        layers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::context::Env;
    use crate::project::config::tests::config;

    const ALLOW: &str = r#"{"Action":"s3:*"}"#;

    fn agent(value: &str, user: &str) -> Requester {
        let env = Env([(crate::base::agent::VARIABLE.into(), value.into())].into());
        let settings = config(user).agent;
        let agent = Agent::recognize(&env).map(|agent| LimitedAgent { agent, settings });
        Requester { agent, protected: Accounts::default(), project: Vec::new() }
    }

    /// Formats the limits: policy or preset, and duration.
    fn layers(value: &str, file: &str, user: &str) -> Vec<String> {
        let (requester, file) = (agent(value, user).agent.unwrap(), config(file));
        let shown = |limit: &Limit| {
            assert_eq!(limit.description.as_ref().unwrap().as_str(), "agent x");
            let policy = limit.policy.clone().or(limit.preset.map(|preset| preset.name().to_owned()));
            let duration = limit.duration.map(|duration| duration.seconds().to_string());
            [policy, duration].into_iter().flatten().collect::<Vec<_>>().join(" ")
        };
        requester.layers(&file.agent).iter().map(shown).collect()
    }

    #[test]
    fn each_policy_is_a_limit_and_the_shorter_duration_counts() {
        let preset = "[agent]\npreset = 'read-only'\n";
        let policy = format!("[agent]\npolicy = '{ALLOW}'\n");
        let (short, long) = ("duration_seconds = '15m'\n", "duration_seconds = '1h'\n");
        for (value, file, user, expected) in [
            ("detected:x", "", "", vec![]),
            ("limited:x", "", "", vec!["read-only"]),
            ("limited:x", "[agent]\n", &format!("[agent]\n{long}"), vec!["read-only 3600"]),
            ("limited:x", "[agent]\nrole = 'ci'\n[role.ci]\n", "", vec![]),
            ("limited:x", &policy, "", vec![ALLOW]),
            ("detected:x", &policy, preset, vec![ALLOW, "read-only"]),
            ("detected:x", preset, preset, vec!["read-only"]),
            ("detected:x", &format!("[agent]\n{long}"), &format!("[agent]\n{short}"), vec!["900"]),
            (
                "detected:x",
                &format!("{policy}{short}"),
                &format!("{preset}{long}"),
                vec![&format!("{ALLOW} 900"), "read-only"],
            ),
        ] {
            assert_eq!(layers(value, file, user), expected, "{value} {file} {user}");
        }
    }

    #[test]
    fn agents_get_only_roles_that_are_for_them() {
        let roles = "[role.a]\n[role.b]\n[role.m]\nmanual = true\n[role.c]\nconfirm = true\n\
                     [role.far]\nsource_role = 'middle'\n[role.middle]\nsource_role = 'c'\n\
                     [role.fine]\nsource_role = 'a'\n";
        let person = Requester { agent: None, protected: Accounts::default(), project: Vec::new() };
        for (file, named, expected) in [
            ("default_role = 'a'\n", None, Some(None)),
            ("", Some("b"), Some(Some("b"))),
            ("", Some("m"), None),
            ("", Some("c"), None),
            ("", Some("far"), None),
            ("", Some("fine"), Some(Some("fine"))),
            ("default_role = 'far'\n", None, None),
            ("[agent]\nrole = 'far'\n", None, None),
            ("default_role = 'm'\n", None, None),
            ("confirm = true\n", Some("a"), None),
            ("[agent]\nrole = 'a'\n", None, Some(Some("a"))),
            ("[agent]\nrole = 'a'\n", Some("a"), Some(Some("a"))),
            ("[agent]\nrole = 'a'\n", Some("b"), None),
            ("[agent]\nrole = 'm'\n", None, None),
            ("[agent]\ndeny = true\n", Some("a"), None),
        ] {
            let config = config(&format!("{file}{roles}"));
            for value in ["detected:x", "limited:x"] {
                assert_eq!(agent(value, "").role(&config, named).ok(), expected, "{file} {named:?}");
            }
            assert_eq!(agent("detected:x", "[agent]\ndeny = true\n").role(&config, named).ok(), None);
            assert_eq!(person.role(&config, named).unwrap(), named);
        }
    }
}
