//! The `[agent]` table of a project's file and of the user's settings: what AI agents get.

use serde::Deserialize;
use toml::Spanned;

use crate::aws::duration::Seconds;
use crate::aws::parameters::SessionDuration;
use crate::aws::policy_document::Policy;
use crate::aws::preset::Preset;
use crate::aws::session_policy::SessionPolicy;
use crate::base::agent::Agent;
use crate::base::location::Origin;
use crate::base::problem::Problem;

/// The keys of the table as they are written. In a project's file all of them are valid, in the user's settings all but
/// `role`.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AgentKeys {
    /// The only `[role.NAME]` of this file that agents get. Without it they get the role that `cd` assumes, and with
    /// `awsrole use` the others. A role with `manual` or `confirm` is never for agents.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    role: Option<Spanned<String>>,
    /// Session policy for agents, a table or a JSON string of at most 2048 characters. The session may do only what
    /// both the role and this policy allow. Excludes `preset`.
    #[cfg_attr(test, schemars(with = "Option<Policy>"))]
    policy: Option<Spanned<Policy>>,
    /// Session policy for agents that awsrole provides: `read-only`. Excludes `policy`.
    #[cfg_attr(test, schemars(with = "Option<String>", extend("enum" = ["read-only"])))]
    preset: Option<Spanned<Preset>>,
    /// Maximum session duration for agents, 900 (15m) to 43200 (12h). A number of seconds or a string such as `"15m"`.
    #[cfg_attr(test, schemars(with = "Option<Seconds>"))]
    duration_seconds: Option<Spanned<Seconds>>,
    /// If true, agents get no role, and their shells are blocked in this project.
    #[cfg_attr(test, schemars(with = "Option<bool>"))]
    deny: Option<Spanned<bool>>,
}

impl AgentKeys {
    /// The names of all keys.
    pub const NAMES: [&str; 5] = ["role", "policy", "preset", "duration_seconds", "deny"];

    /// Checks the values. `at` returns the location of a position in the file.
    ///
    /// # Errors
    /// Fails for a value outside its limits and for keys that exclude each other, with file and line.
    pub fn checked(self, at: impl Fn(usize) -> Origin) -> Result<AgentLimits, Problem> {
        let wrong = |position: usize, what: String| Problem::new(format!("{}: {what}", at(position)));
        let Self { role, policy, preset, duration_seconds, deny } = self;
        if let (Some(policy), Some(preset)) = (&policy, &preset) {
            let later = policy.span().start.max(preset.span().start);
            return Err(
                wrong(later, "`policy` and `preset` exclude each other in [agent]".to_owned()).hint("keep one of them")
            );
        }
        let document = match (policy, preset) {
            (Some(policy), _) => {
                let (position, json) = (policy.span().start, policy.get_ref().json());
                let checked =
                    SessionPolicy::parse(Some(&json), &[]).map_err(|e| wrong(position, format!("policy {e}")))?;
                checked.inline.map(|json| Located { value: AgentPolicy::Document(json), origin: at(position) })
            }
            (None, preset) => preset.map(|preset| located(preset, &at).map(AgentPolicy::Preset)),
        };
        let duration = duration_seconds.map(|seconds| {
            let position = seconds.span().start;
            let checked = SessionDuration::for_role(seconds.get_ref());
            let value = checked.map_err(|e| wrong(position, format!("duration_seconds {e}")))?;
            Ok(Located { value, origin: at(position) })
        });
        Ok(AgentLimits {
            role: role.map(|role| located(role, &at)),
            policy: document,
            duration: duration.transpose()?,
            deny: deny.map(|deny| located(deny, &at)),
        })
    }
}

fn located<T>(value: Spanned<T>, at: impl Fn(usize) -> Origin) -> Located<T> {
    let origin = at(value.span().start);
    Located { value: value.into_inner(), origin }
}

/// A value and the line that sets it.
#[derive(Debug, Clone, PartialEq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// The line.
    pub origin: Origin,
}

impl<T> Located<T> {
    fn map<U>(self, of: impl FnOnce(T) -> U) -> Located<U> {
        Located { value: of(self.value), origin: self.origin }
    }
}

/// A policy that limits the sessions of agents.
#[derive(Debug, Clone, PartialEq)]
pub enum AgentPolicy {
    /// A policy document, as JSON without unnecessary white space.
    Document(String),
    /// A policy that awsrole provides.
    Preset(Preset),
}

/// What a checked `[agent]` table says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AgentLimits {
    /// The only role that agents get.
    pub role: Option<Located<String>>,
    /// The policy that limits their sessions.
    pub policy: Option<Located<AgentPolicy>>,
    /// The maximum duration of their sessions.
    pub duration: Option<Located<SessionDuration>>,
    /// Whether they get no role.
    pub deny: Option<Located<bool>>,
}

impl AgentLimits {
    /// Returns the line that denies agents every role, if there is one.
    #[must_use]
    pub fn denied_at(&self) -> Option<&Origin> {
        self.deny.as_ref().filter(|deny| deny.value).map(|deny| &deny.origin)
    }
}

/// What several `[agent]` tables say together. All of them apply.
pub struct EffectiveAgentLimits<'t> {
    /// The line that denies agents every role.
    pub denied: Option<&'t Origin>,
    /// The only role that agents get: that of the first table that names one.
    pub role: Option<&'t Located<String>>,
    /// Each policy that limits their sessions, once.
    pub policies: Vec<Located<AgentPolicy>>,
    /// The shortest maximum duration.
    pub duration: Option<&'t Located<SessionDuration>>,
}

impl<'t> EffectiveAgentLimits<'t> {
    /// Returns the limits of all agents, or of one that awsrole may limit anyway. `file` are the tables of a project,
    /// and `settings` those of the user and of the organization.
    #[must_use]
    pub fn of(file: &'t [AgentLimits], settings: &'t [AgentLimits], agent: Option<&Agent>) -> Self {
        let tables = || file.iter().chain(settings);
        let mut policies: Vec<Located<AgentPolicy>> = Vec::new();
        for policy in tables().filter_map(|table| table.policy.as_ref()) {
            if !policies.iter().any(|known| known.value == policy.value) {
                policies.push(policy.clone());
            }
        }
        let role = tables().find_map(|table| table.role.as_ref());
        if policies.is_empty() && role.is_none() && agent.is_some_and(Agent::is_always_limited) {
            let origin = Origin { file: "awsrole exec --agent".into(), line: 0 };
            policies.push(Located { value: AgentPolicy::Preset(Preset::ReadOnly), origin });
        }
        let durations = tables().filter_map(|table| table.duration.as_ref());
        Self {
            denied: tables().find_map(AgentLimits::denied_at),
            role,
            policies,
            duration: durations.min_by_key(|duration| duration.value.seconds()),
        }
    }

    /// Describes the limits for the user who is about to allow a file.
    #[must_use]
    pub fn summary(&self) -> String {
        if self.denied.is_some() {
            return "no role".to_owned();
        }
        let role = self.role.map_or("the same roles".to_owned(), |role| role.value.clone());
        let policies = self.policies.iter().map(|policy| match &policy.value {
            AgentPolicy::Document(json) => format!("limited by {json}"),
            AgentPolicy::Preset(preset) => preset.setting(),
        });
        [role].into_iter().chain(policies).chain(self.duration.map(at_most)).collect::<Vec<_>>().join(", ")
    }

    /// Returns each limit in short, with its location. Empty if agents get what the user gets.
    #[must_use]
    pub fn located(&self) -> Vec<Located<String>> {
        let located = |value: String, origin: &Origin| Located { value, origin: origin.clone() };
        if let Some(origin) = self.denied {
            return vec![located("no role".to_owned(), origin)];
        }
        let role = self.role.map(|role| located(format!("role {}", role.value), &role.origin));
        let policies = self.policies.iter().map(|policy| {
            let setting = match &policy.value {
                AgentPolicy::Document(_) => "policy".to_owned(),
                AgentPolicy::Preset(preset) => preset.setting(),
            };
            located(setting, &policy.origin)
        });
        let duration = self.duration.map(|duration| located(at_most(duration), &duration.origin));
        role.into_iter().chain(policies).chain(duration).collect()
    }
}

fn at_most(duration: &Located<SessionDuration>) -> String {
    format!("at most {}", humantime::format_duration(duration.value.as_duration()))
}
