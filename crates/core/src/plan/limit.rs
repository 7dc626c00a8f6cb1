//! Narrows a plan: the resulting session may do less or ends sooner, and keeps its identity.
//!
//! A limit is sent with the call that creates the session, if that call has no session policy yet, and otherwise by
//! GetScopedCredentials, which works with any temporary credentials. Two limits never share a call, because STS adds up
//! what the policies of one call allow. The same policy is sent once.

use serde_json::{Value, json};

use crate::aws::parameters::{SessionDescription, SessionDuration};
use crate::aws::preset::Preset;
use crate::aws::session_policy::{LimitedBy, MAX_POLICY, SessionPolicy};
use crate::aws::source::Source;
use crate::base::location::Origin;
use crate::base::problem::Problem;
use crate::plan::role_plan::{GetScopedCredentials, RolePlan, Step};

/// The number of policies that GetScopedCredentials adds to a session at most (STS API Reference,
/// `ScopedPoliciesCount`).
const MAX_LAYERS: usize = 3;

/// The action that a session must be allowed to be limited further.
const SCOPE: &str = "sts:GetScopedCredentials";

/// What a session may do and how long it may last at most.
#[derive(Debug, Clone)]
pub struct Limit {
    /// A session policy: JSON that [`SessionPolicy::parse`] returned.
    pub policy: Option<String>,
    /// A policy that awsrole ships. With `policy`, both apply.
    pub preset: Option<Preset>,
    /// The longest duration.
    pub duration: Option<SessionDuration>,
    /// The description that CloudTrail records. It is sent with GetScopedCredentials only.
    pub description: Option<SessionDescription>,
    /// The location of the limit.
    pub origin: Origin,
}

/// One policy of a limit, in the forms of both calls.
struct Layer {
    policy: SessionPolicy,
    document: String,
    limited_by: LimitedBy,
}

impl Limit {
    fn layers(&self, partition: &str) -> Vec<Layer> {
        let limited_by = |setting: String| LimitedBy { setting, origin: self.origin.clone() };
        let policy = self.policy.as_ref().map(|document| Layer {
            policy: SessionPolicy { inline: Some(document.clone()), ..SessionPolicy::default() },
            document: document.clone(),
            limited_by: limited_by("policy".to_owned()),
        });
        let preset = self.preset.map(|preset| Layer {
            policy: preset.session_policy(partition),
            document: preset.document(),
            limited_by: limited_by(preset.setting()),
        });
        policy.into_iter().chain(preset).collect()
    }
}

impl RolePlan {
    /// Returns the plan of the same session with a limit.
    ///
    /// # Errors
    /// Fails if STS accepts no further limit for this session. The plan without the limit must not be used then.
    pub fn limited(mut self, limit: &Limit) -> Result<Self, Problem> {
        let partition = self.role_arn().map_or(self.endpoint.partition(), |arn| arn.partition()).to_owned();
        let layers = limit.layers(&partition);
        for layer in &layers {
            self.add_layer(layer, limit)?;
        }
        if let Some(duration) = limit.duration {
            self.shorten(duration, limit);
        }
        self.check_scoped()?;
        Ok(self)
    }

    /// Checks that the endpoint knows GetScopedCredentials, if the plan has one.
    ///
    /// # Errors
    /// Fails for the global region. STS's global endpoint doesn't have the action.
    pub(crate) fn check_scoped(&self) -> Result<(), Problem> {
        let scoped = self.steps.iter().find_map(|step| match step {
            Step::GetScopedCredentials(step) if self.endpoint.is_global() => Some(&step.limited_by),
            _ => None,
        });
        let Some(LimitedBy { setting, origin }) = scoped else { return Ok(()) };
        Err(Problem::new(format!("{origin}: cannot send {setting} to the global endpoint of STS"))
            .because("GetScopedCredentials exists only on regional endpoints, and the region is aws-global")
            .hint("set `region` to the region that you use"))
    }

    fn add_layer(&mut self, layer: &Layer, limit: &Limit) -> Result<(), Problem> {
        if self.has_layer(layer) {
            return Ok(());
        }
        let (policy, _) = self.last_call();
        match policy {
            Some(policy) if policy.is_empty() => {
                let limited_by = vec![layer.limited_by.clone()];
                *policy = SessionPolicy { limited_by, ..layer.policy.clone() };
                return Ok(());
            }
            Some(policy) => permit_scoping(&mut policy.inline, policy.arns.iter().map(String::len).sum()),
            None => match self.steps.last_mut() {
                Some(Step::GetScopedCredentials(step)) if step.policy.is_some() => permit_scoping(&mut step.policy, 0),
                _ => Ok(()),
            },
        }
        .map_err(|why| self.limit_problem(layer, &why))?;
        let others: Vec<String> = self.scoped().map(|step| step.limited_by.shown()).collect();
        if others.len() >= MAX_LAYERS {
            let others = others.join(", ");
            let most = format!("{SCOPE} adds at most {MAX_LAYERS} policies to a session: {others}");
            return Err(self.limit_problem(layer, &most));
        }
        self.steps.push(Step::GetScopedCredentials(GetScopedCredentials {
            policy: Some(layer.document.clone()),
            duration: None,
            description: limit.description.clone(),
            limited_by: layer.limited_by.clone(),
        }));
        Ok(())
    }

    /// Returns whether a call limits the session by the same policy already.
    fn has_layer(&self, layer: &Layer) -> bool {
        let created_with = match (self.identity_step(), &self.source) {
            (Some(Step::AssumeRole(role)), _) => Some(&role.policy),
            (None, Source::WebIdentity(token)) => Some(&token.policy),
            _ => None,
        };
        let SessionPolicy { inline, arns, .. } = &layer.policy;
        let is_created_with = |policy: &SessionPolicy| policy.arns == *arns && is_same(&policy.inline, inline);
        let document = Some(layer.document.clone());
        created_with.is_some_and(is_created_with) || self.scoped().any(|step| is_same(&step.policy, &document))
    }

    /// Returns the calls that add a policy to the session, the last one first.
    fn scoped(&self) -> impl Iterator<Item = &GetScopedCredentials> {
        let scoped = self.steps.iter().rev().map_while(|step| match step {
            Step::GetScopedCredentials(step) => Some(step),
            Step::AssumeRole(_) | Step::GetSessionToken(_) => None,
        });
        scoped.filter(|step| step.policy.is_some())
    }

    /// Returns the session policy and the duration of the call that creates the session, if that is the last call and
    /// accepts a policy. A call with an MFA code is left as it is, so that the session of the user is limited and no
    /// further code is needed.
    fn last_call(&mut self) -> (Option<&mut SessionPolicy>, Option<&mut Option<SessionDuration>>) {
        match (self.steps.last_mut(), &mut self.source) {
            (Some(Step::AssumeRole(role)), _) if role.mfa_serial.is_none() => {
                (Some(&mut role.policy), Some(&mut role.duration))
            }
            (None, Source::WebIdentity(token)) => (Some(&mut token.policy), Some(&mut token.duration)),
            (Some(Step::GetScopedCredentials(step)), _) => (None, Some(&mut step.duration)),
            _ => (None, None),
        }
    }

    /// Shortens the resulting session. The default duration of a role is one hour, and that of a scoped session is the
    /// remaining lifetime of the caller's.
    fn shorten(&mut self, duration: SessionDuration, limit: &Limit) {
        let is_role = !matches!(self.steps.last(), Some(Step::GetScopedCredentials(_)));
        match self.last_call().1 {
            Some(current) => {
                let default = is_role.then_some(SessionDuration::HOUR);
                if current.or(default).is_none_or(|current| duration < current) {
                    *current = Some(duration);
                }
            }
            None => self.steps.push(Step::GetScopedCredentials(GetScopedCredentials {
                policy: None,
                duration: Some(duration),
                description: limit.description.clone(),
                limited_by: LimitedBy { setting: "duration_seconds".to_owned(), origin: limit.origin.clone() },
            })),
        }
    }

    fn limit_problem(&self, layer: &Layer, why: &str) -> Problem {
        let LimitedBy { setting, origin } = &layer.limited_by;
        Problem::new(format!("{origin}: cannot limit {} by {setting}", self.title()))
            .because(why)
            .hint("merge policies of the role and the [agent] tables, or remove one")
    }
}

/// Returns whether a call sends this policy, possibly after [`permit_scoping`].
fn is_same(sent: &Option<String>, policy: &Option<String>) -> bool {
    let mut permitting = policy.clone();
    sent == policy || permit_scoping(&mut permitting, 0).is_ok() && *sent == permitting
}

/// Lets the session of a policy call GetScopedCredentials, whose result can only be narrower.
///
/// `others` is the length of what shares the size limit with the policy.
fn permit_scoping(policy: &mut Option<String>, others: usize) -> Result<(), String> {
    let statement = json!({ "Effect": "Allow", "Action": SCOPE, "Resource": "*" });
    let mut document = match policy {
        Some(text) => serde_json::from_str(text).unwrap_or_default(),
        None => json!({ "Version": "2012-10-17", "Statement": [] }),
    };
    match document.get_mut("Statement") {
        Some(Value::Array(statements)) => statements.push(statement),
        Some(single @ Value::Object(_)) => *single = json!([single.take(), statement]),
        // Not a policy: STS rejects it and says why.
        _ => return Ok(()),
    }
    let text = SessionPolicy::parse(Some(&document.to_string()), &[]).ok().and_then(|policy| policy.inline);
    match text.filter(|text| text.chars().count() + others <= MAX_POLICY) {
        Some(text) => {
            *policy = Some(text);
            Ok(())
        }
        None => {
            Err(format!("the session's policy has no space for {SCOPE}, without which it can't be limited further"))
        }
    }
}

#[cfg(test)]
mod tests;
