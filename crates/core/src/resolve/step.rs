//! The call that a link adds to the way: its role, or a session of long-term keys.

use super::{Link, Resolver, Way};
use crate::arn::RoleArn;
use crate::limits::{ExternalId, MfaSerial, Outside, SessionDuration, SessionName, SessionPolicy, SessionTags};
use crate::plan::{AssumeRole, SessionToken, Step};
use crate::problem::Problem;
use crate::source::Source;

impl<'p> Resolver<'p> {
    pub(super) fn session_name(&self, link: &Link<'_>) -> Result<SessionName, Problem> {
        let env = &self.context.env;
        let given =
            self.checked(link, link.keys.role_session_name.as_ref(), "role_session_name", SessionName::parse)?;
        Ok(given
            .unwrap_or_else(|| SessionName::of_user(env.filled("USER").or(env.filled("LOGNAME")).unwrap_or("unknown"))))
    }

    /// Adds the call that a link asks for: its role, or a session of the source's long-term keys.
    pub(super) fn last_step(&self, link: &Link<'_>, way: &mut Way<'p>) -> Result<(), Problem> {
        let asked = link.keys.duration_seconds.map(|s| Ok(s.0)).or_else(|| {
            link.profile_text("duration_seconds")
                .map(|text| text.parse().map_err(|_| Outside::new(text, "isn't a number of seconds")))
        });
        let asked = asked.transpose().map_err(|e| self.outside(link, "duration_seconds", &e))?;
        if way.steps.is_empty() && link.opened_by_its_token(way.source.as_ref()) {
            return Ok(());
        }
        let long_term = way.source.as_ref().is_some_and(Source::is_long_term);
        let Some(role_arn) = self.checked(link, link.keys.role_arn.as_ref(), "role_arn", RoleArn::parse)? else {
            let mfa_serial = self.mfa(link, way, !way.steps.is_empty())?;
            if way.steps.is_empty() && (long_term || mfa_serial.is_some()) {
                let duration = asked.map(SessionDuration::for_session_token).transpose();
                let duration = duration.map_err(|e| self.outside(link, "duration_seconds", &e))?;
                if mfa_serial.is_none() {
                    way.notices.push("this session is without MFA: IAM calls will be refused".to_owned());
                }
                way.steps.push(Step::SessionToken(SessionToken { duration, mfa_serial }));
            }
            return Ok(());
        };
        let chained = matches!(way.steps.last(), Some(Step::AssumeRole(_)));
        let mut duration =
            asked.map(SessionDuration::for_role).transpose().map_err(|e| self.outside(link, "duration_seconds", &e))?;
        if chained && duration > Some(SessionDuration::HOUR) {
            if link.keys.duration_seconds.is_some() {
                return Err(Problem::new(format!(
                    "{}: a role assumed by another role lasts at most 1h",
                    self.origin(link, "duration_seconds")
                ))
                .because("STS refuses more than 3600 seconds for role chaining, whatever the role's maximum is")
                .hint("set duration_seconds = 3600 or leave it out: awsrole renews the session by itself"));
            }
            let asked = duration.map(SessionDuration::human).unwrap_or_default();
            way.notices.push(format!(
                "{}: {asked} was asked for, but a role assumed by another role lasts at most 1h",
                self.origin(link, "duration_seconds")
            ));
            duration = Some(SessionDuration::HOUR);
        }
        let mfa_serial = self.mfa(link, way, chained)?;
        let directly = duration > Some(SessionDuration::HOUR);
        // A store is opened once in twelve hours, not once for each role and hour.
        let from_store = way.steps.is_empty() && matches!(way.source, Some(Source::StoredKeys(_)));
        if (mfa_serial.is_some() || from_store) && !directly {
            let session = SessionToken { duration: None, mfa_serial: mfa_serial.clone() };
            way.steps.push(Step::SessionToken(session));
        }
        let no_tags = (std::collections::BTreeMap::new(), Vec::new());
        let keys = &link.keys;
        let step = AssumeRole {
            role_arn,
            session_name: self.session_name(link)?,
            external_id: self.checked(link, keys.external_id.as_ref(), "external_id", ExternalId::parse)?,
            source_identity: keys.source_identity.clone(),
            duration,
            mfa_serial: mfa_serial.filter(|_| directly),
            tags: SessionTags::parse(keys.session_tags.as_ref().unwrap_or(&no_tags.0))
                .map_err(|e| self.outside(link, "session_tags", &e))?
                .transitive(keys.transitive_session_tags.as_ref().unwrap_or(&no_tags.1))
                .map_err(|e| self.outside(link, "transitive_session_tags", &e))?,
            policy: SessionPolicy::parse(
                keys.policy.as_ref().map(crate::config::Policy::json).as_deref(),
                keys.policy_arns.as_ref().unwrap_or(&no_tags.1),
            )
            .map_err(|e| self.outside(link, if keys.policy.is_some() { "policy" } else { "policy_arns" }, &e))?,
        };
        way.steps.push(Step::AssumeRole(Box::new(step)));
        Ok(())
    }

    /// The device for a link: its own, or for the first call the one beside the source's keys. Only
    /// long-term keys can use one: MFA isn't passed on from one role to the next.
    fn mfa(&self, link: &Link<'_>, way: &Way<'_>, chained: bool) -> Result<Option<MfaSerial>, Problem> {
        let own = self.checked(link, link.keys.mfa_serial.as_ref(), "mfa_serial", MfaSerial::parse)?;
        let may_use_it = !chained && way.source.as_ref().is_some_and(Source::may_use_mfa);
        match own {
            None if may_use_it => Ok(way.source_mfa.clone()),
            None => Ok(None),
            Some(serial) if may_use_it => Ok(Some(serial)),
            Some(_) => {
                let who = if chained { "another role's session" } else { "temporary credentials" };
                Err(Problem::new(format!("{}: {who} can't use an MFA device", self.origin(link, "mfa_serial")))
                    .because("STS takes a code only with long-term keys, and MFA isn't passed on from role to role")
                    .hint("put mfa_serial on the first role of the chain, beside the profile with the keys"))
            }
        }
    }
}
