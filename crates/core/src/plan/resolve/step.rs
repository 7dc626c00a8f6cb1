//! Adds a node's own call to the chain: its role, or a session of long-lived keys.

use super::carried::{Call, MFA_HINT, MFA_RULE, Parameter, RequestedSession};
use super::{Chain, ChainNode, Resolver};
use crate::aws::arn::RoleArn;
use crate::aws::duration::Seconds;
use crate::aws::invalid::OutOfRange;
use crate::aws::parameters::{ExternalId, MfaSerial, SessionDuration, SessionTags};
use crate::aws::session_policy::{LimitedBy, SessionPolicy};
use crate::aws::source::Source;
use crate::base::problem::Problem;
use crate::plan::role_plan::{AssumeRole, GetScopedCredentials, GetSessionToken, Step};

impl<'p> Resolver<'p> {
    /// Adds the call that a node requests: its role, or a session of the source's long-lived keys. If the source is a
    /// token, sets the parameters that are sent with it instead.
    pub(super) fn last_step(&self, node: &ChainNode<'_>, chain: &mut Chain<'p>) -> Result<(), Problem> {
        let role_arn = match node.uses_own_web_identity(chain.source.as_ref()) {
            true => None,
            false => self.checked(node, node.keys.role_arn.as_ref(), "role_arn", RoleArn::parse)?,
        };
        let seconds = self.duration(node)?;
        let own_device = self.checked(node, node.keys.mfa_serial.as_ref(), "mfa_serial", MfaSerial::parse)?;
        let Some(source) = &chain.source else { return Ok(()) };
        let asked = RequestedSession {
            source,
            before: &chain.steps,
            assumes: role_arn.is_some(),
            long: seconds.as_ref().is_some_and(|seconds| seconds.count > 3600),
        };
        self.refuse_uncarried(node, &asked)?;
        let scope = self.scope(node, &asked)?;
        let mfa = asked.carrier(Parameter::MfaSerial);
        let mfa_serial = match (mfa, own_device) {
            (Some(_), own) => own.or_else(|| chain.source_mfa.clone()),
            (None, Some(_)) if asked.is_chained() => return Err(self.mfa_in_role_chaining(node)),
            // The AWS CLI doesn't prompt for a code with temporary credentials either, or the call fails.
            (None, _) => None,
        };
        match (asked.own_call(), role_arn) {
            (Some(Call::AssumeRole), Some(role_arn)) => {
                self.assume_role(node, role_arn, seconds.as_ref(), (mfa, mfa_serial), chain)?;
            }
            (Some(Call::AssumeRoleWithWebIdentity), _) => self.set_web_identity_parameters(node, chain)?,
            (Some(Call::GetSessionToken), _) => {
                let duration = seconds.as_ref().map(SessionDuration::for_session_token).transpose();
                let duration = duration.map_err(|e| self.out_of_range(node, "duration_seconds", &e))?;
                // It isn't known yet whether a program returns long-lived keys.
                if mfa_serial.is_none() && !node.is_intermediate && source.is_long_term() {
                    chain.notices.push("this session has no MFA, so IAM rejects its calls".to_owned());
                }
                let required = self.required(node, &[Parameter::DurationSeconds, Parameter::MfaSerial]);
                chain.steps.push(Step::GetSessionToken(GetSessionToken { duration, mfa_serial, required }));
            }
            _ => {}
        }
        chain.steps.extend(scope.map(Step::GetScopedCredentials));
        Ok(())
    }

    /// Returns the call that limits the session if no call that creates it sends the node's policy.
    fn scope(
        &self,
        node: &ChainNode<'_>,
        asked: &RequestedSession<'_>,
    ) -> Result<Option<GetScopedCredentials>, Problem> {
        let is_scoped = |parameter: &Parameter| {
            asked.carrier(*parameter) == Some(Call::GetScopedCredentials) && self.asks_for(node, *parameter)
        };
        let Some(parameter) = [Parameter::Policy, Parameter::Preset].into_iter().find(is_scoped) else {
            return Ok(None);
        };
        let policy = match node.keys.preset {
            Some(preset) => Some(preset.document()),
            None => self.written_policy(node)?.inline,
        };
        let limited_by = self.limited_by(node, parameter);
        Ok(Some(GetScopedCredentials { policy, duration: None, description: None, limited_by }))
    }

    fn assume_role(
        &self,
        node: &ChainNode<'_>,
        role_arn: RoleArn,
        seconds: Option<&Seconds>,
        (mfa, mfa_serial): (Option<Call>, Option<MfaSerial>),
        chain: &mut Chain<'p>,
    ) -> Result<(), Problem> {
        let duration = self.role_duration(node, seconds, chain)?;
        let required = self.required(node, &[Parameter::MfaSerial]);
        let directly = mfa == Some(Call::AssumeRole);
        // So the store is opened once in twelve hours, not once for each role and hour.
        let from_store = chain.steps.is_empty() && matches!(chain.source, Some(Source::StoredKeys(_)));
        let session = chain.steps.iter_mut().find_map(|step| match step {
            Step::GetSessionToken(session) => Some(session),
            Step::AssumeRole(_) | Step::GetScopedCredentials(_) => None,
        });
        match session {
            // The previous role is already a session of the keys, which can't request another one.
            Some(session) => {
                session.mfa_serial = session.mfa_serial.take().or_else(|| mfa_serial.clone());
                session.required.extend(required.clone());
            }
            _ if (mfa_serial.is_some() || from_store) && !directly => {
                let session =
                    GetSessionToken { duration: None, mfa_serial: mfa_serial.clone(), required: required.clone() };
                chain.steps.push(Step::GetSessionToken(session));
            }
            _ => {}
        }
        let no_tags = (std::collections::BTreeMap::new(), Vec::new());
        let keys = &node.keys;
        let policy = self.policy(node, role_arn.partition())?;
        let step = AssumeRole {
            role_arn,
            session_name: self.session_name(node)?,
            is_session_named: keys.role_session_name.is_some() || node.profile_text("role_session_name").is_some(),
            external_id: self.checked(node, keys.external_id.as_ref(), "external_id", ExternalId::parse)?,
            source_identity: keys.source_identity.clone(),
            is_identity_of_user: false,
            duration,
            mfa_serial: mfa_serial.filter(|_| directly),
            required: if directly { required } else { Vec::new() },
            tags: SessionTags::parse(keys.session_tags.as_ref().unwrap_or(&no_tags.0))
                .map_err(|e| self.out_of_range(node, "session_tags", &e))?
                .transitive(keys.transitive_session_tags.as_ref().unwrap_or(&no_tags.1))
                .map_err(|e| self.out_of_range(node, "transitive_session_tags", &e))?,
            policy,
        };
        chain.steps.push(Step::AssumeRole(Box::new(step)));
        Ok(())
    }

    /// Sets what the file requests for the session of the source's token. The AWS CLI doesn't send a profile's
    /// `duration_seconds` either (botocore, AssumeRoleWithWebIdentityProvider).
    fn set_web_identity_parameters(&self, node: &ChainNode<'_>, chain: &mut Chain<'p>) -> Result<(), Problem> {
        let Some(Source::WebIdentity(token)) = &mut chain.source else { return Ok(()) };
        let duration = node.keys.duration_seconds.as_ref().map(SessionDuration::for_role).transpose();
        token.duration = duration.map_err(|e| self.out_of_range(node, "duration_seconds", &e))?.or(token.duration);
        if let Some(name) = &node.keys.role_session_name {
            token.session_name = name.clone();
        }
        if node.in_file.is_some() {
            token.policy = self.policy(node, token.role_arn.partition())?;
        }
        Ok(())
    }

    /// Returns the requested duration, from the file or from the profile.
    fn duration(&self, node: &ChainNode<'_>) -> Result<Option<Seconds>, Problem> {
        let in_profile = || {
            let text = node.profile_text("duration_seconds")?;
            let count = text.parse::<u64>().map_err(|_| OutOfRange::new(text, "isn't a number of seconds"));
            Some(count.map(Seconds::from))
        };
        let asked = node.keys.duration_seconds.clone().map(Ok).or_else(in_profile);
        asked.transpose().map_err(|e| self.out_of_range(node, "duration_seconds", &e))
    }

    /// Returns the duration of a role's session, checked against the limits of STS.
    fn role_duration(
        &self,
        node: &ChainNode<'_>,
        seconds: Option<&Seconds>,
        chain: &mut Chain<'p>,
    ) -> Result<Option<SessionDuration>, Problem> {
        let duration = seconds.map(SessionDuration::for_role).transpose();
        let duration = duration.map_err(|e| self.out_of_range(node, "duration_seconds", &e))?;
        let chained = chain.steps.iter().any(|step| matches!(step, Step::AssumeRole(_)));
        if !chained || duration <= Some(SessionDuration::HOUR) {
            return Ok(duration);
        }
        if node.keys.duration_seconds.is_some() {
            return Err(Problem::new(format!(
                "{}: a role assumed by another role lasts at most 1h",
                self.origin(node, "duration_seconds")
            ))
            .because("STS limits role chaining to 3600 seconds, regardless of the role's maximum")
            .hint("set duration_seconds = 3600 or remove it: awsrole renews the session automatically"));
        }
        let asked = duration.map(SessionDuration::human).unwrap_or_default();
        chain.notices.push(format!(
            "{}: {asked} was requested, but a role assumed by another role lasts at most 1h",
            self.origin(node, "duration_seconds")
        ));
        Ok(Some(SessionDuration::HOUR))
    }

    /// Returns the session policy of a role or of a web identity. A preset at top level is for the last role only,
    /// because with it no other role can be assumed.
    fn policy(&self, node: &ChainNode<'_>, partition: &str) -> Result<SessionPolicy, Problem> {
        let policy = match node.keys.preset.filter(|_| self.asks_for(node, Parameter::Preset)) {
            Some(preset) => preset.session_policy(partition),
            None => self.written_policy(node)?,
        };
        let set = Parameter::POLICIES.into_iter().filter(|parameter| self.asks_for(node, *parameter));
        Ok(SessionPolicy { limited_by: set.map(|parameter| self.limited_by(node, parameter)).collect(), ..policy })
    }

    /// Returns the setting of a limit and its location.
    fn limited_by(&self, node: &ChainNode<'_>, parameter: Parameter) -> LimitedBy {
        let setting = match (parameter, node.keys.preset) {
            (Parameter::Preset, Some(preset)) => preset.setting(),
            _ => parameter.key().to_owned(),
        };
        LimitedBy { setting, origin: self.origin(node, parameter.key()) }
    }

    /// Returns `policy` and `policy_arns`.
    fn written_policy(&self, node: &ChainNode<'_>) -> Result<SessionPolicy, Problem> {
        let keys = &node.keys;
        let policy = SessionPolicy::parse(
            keys.policy.as_ref().map(crate::project::config::Policy::json).as_deref(),
            keys.policy_arns.as_deref().unwrap_or_default(),
        );
        policy.map_err(|e| self.out_of_range(node, if keys.policy.is_some() { "policy" } else { "policy_arns" }, &e))
    }

    /// Returns the error for a profile whose MFA code the AWS CLI would send and STS would reject.
    fn mfa_in_role_chaining(&self, node: &ChainNode<'_>) -> Problem {
        Problem::new(format!("{}: another role's session can't use an MFA device", self.origin(node, "mfa_serial")))
            .because(MFA_RULE)
            .hint(MFA_HINT)
    }
}
