//! The `[agent]` table of a project's file and of the user's settings: what AI agents get.

use serde::Deserialize;
use toml::Spanned;

use crate::aws::duration::Seconds;
use crate::aws::parameters::SessionDuration;
use crate::aws::policy_document::Policy;
use crate::aws::preset::Preset;
use crate::aws::session_policy::SessionPolicy;
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
            let checked = SessionDuration::for_role(seconds.get_ref().0);
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

    /// Describes what agents get if all of these tables apply, for the user who is about to allow the first one.
    #[must_use]
    pub fn summary(tables: &[Self]) -> String {
        if tables.iter().any(|table| table.denied_at().is_some()) {
            return "no role".to_owned();
        }
        let role = tables.iter().find_map(|table| table.role.as_ref());
        let mut parts = vec![role.map_or("the same roles".to_owned(), |role| role.value.clone())];
        parts.extend(Self::policies(tables).into_iter().map(|policy| match &policy.value {
            AgentPolicy::Document(json) => format!("limited by {json}"),
            AgentPolicy::Preset(preset) => preset.setting(),
        }));
        parts.extend(
            Self::duration(tables)
                .map(|duration| format!("at most {}", humantime::format_duration(duration.value.as_duration()))),
        );
        parts.join(", ")
    }

    /// Returns each policy of these tables once.
    pub fn policies<'t>(tables: impl IntoIterator<Item = &'t Self>) -> Vec<&'t Located<AgentPolicy>> {
        let mut policies: Vec<&Located<AgentPolicy>> = Vec::new();
        for policy in tables.into_iter().filter_map(|table| table.policy.as_ref()) {
            if !policies.iter().any(|known| known.value == policy.value) {
                policies.push(policy);
            }
        }
        policies
    }

    /// Returns the shortest duration of these tables.
    pub fn duration<'t>(tables: impl IntoIterator<Item = &'t Self>) -> Option<&'t Located<SessionDuration>> {
        let durations = tables.into_iter().filter_map(|table| table.duration.as_ref());
        durations.min_by_key(|duration| duration.value.seconds())
    }
}
