//! Makes the call of one step, with an MFA code if it needs one, and repeats it if a new code may help.

use super::{ChainFetcher, FetchError, MFA_AGE_RETRY_THRESHOLD};
use crate::aws::credentials::Credentials;
use crate::aws::mfa::{Code, MfaError, MfaPrompt};
use crate::aws::parameters::MfaSerial;
use crate::base::problem::Problem;
use crate::plan::account_pin;
use crate::plan::role_plan::Step;
use crate::session::advice::{self, FailedCall};
use crate::session::cache::{FailureKind, Trigger};
use crate::session::sts::StsError;

impl ChainFetcher<'_> {
    /// Describes the call of a step for a message.
    pub(super) fn of_call<'c>(&'c self, index: usize, caller: &'c Credentials) -> FailedCall<'c> {
        let worked_before = self.cache.ever_cached(&self.session(index + 1));
        let (accounts, now) = (self.providers.accounts, self.options.now);
        let clock_command = self.providers.clock_command;
        FailedCall { plan: self.plan, index, caller, now, clock_command, accounts, worked_before, identity: false }
    }

    /// Makes the call of a step.
    pub(super) fn call(&self, index: usize, caller: Credentials) -> Result<Credentials, FetchError> {
        let refused = |problem| FetchError::cacheable(problem, FailureKind::Refused);
        let step = self.plan.steps[index].called_by(&caller, &self.plan.source, self.now()).map_err(refused)?;
        let Some(step) = step.as_deref() else { return Ok(caller) };
        self.check_source(index, &caller)?;
        let refused = match self.send(step, &caller)? {
            Ok(credentials) => return Ok(credentials),
            Err(error) => self.decoded(error, &caller),
        };
        let explained = advice::explain(&self.of_call(index, &caller), &refused);
        let kind = match &refused {
            error if is_wrong_code(error) => FailureKind::WrongCode,
            error if error.is_transient() => FailureKind::Transient,
            _ => FailureKind::Refused,
        };
        if !self.may_be_too_old(index, &refused, &caller) {
            return Err(FetchError::cacheable(explained, kind));
        }
        // The role worked with an earlier MFA session, so a new code may help.
        self.too_old.set(Some(index));
        let hint = format!(
            "it worked with an earlier MFA session, and the trust policy may limit its age: {} to enter a new code",
            self.plan.refresh_advice()
        );
        let renewed = self.credentials_after(index).map_err(|_| FetchError::cacheable(explained.hint(hint), kind))?;
        self.send(step, &renewed)?
            .map_err(|error| FetchError::cacheable(advice::explain(&self.of_call(index, &renewed), &error), kind))
    }

    fn send(&self, step: &Step, caller: &Credentials) -> Result<Result<Credentials, StsError>, FetchError> {
        let endpoint = &self.plan.endpoint;
        let call = |code: Option<&Code>| match step {
            Step::AssumeRole(role) => self.providers.sts.assume_role(caller, role, code, endpoint),
            Step::GetSessionToken(session) => self.providers.sts.get_session_token(caller, session, code, endpoint),
            Step::GetScopedCredentials(scoped) => {
                self.providers.sts.get_scoped_credentials(caller, scoped, &endpoint.regional())
            }
        };
        let Some(serial) = step.mfa_serial() else { return Ok(call(None)) };
        let mut refused: Option<StsError> = None;
        loop {
            let before = self.cache.device(serial).used_step;
            let code = match (self.code(serial, refused.is_some())?, refused.take()) {
                (Ok(code), _) => code,
                // Other reasons than this one are less important than the refusal.
                (Err(no), Some(error)) if no != MfaError::Cancelled => return Ok(Err(error)),
                (Err(no), _) => {
                    let problem = no.problem(&self.plan.title());
                    return Err(FetchError::uncached(match &self.plan.agent {
                        Some(agent) if no == MfaError::Agent => {
                            problem.hint(agent.code_advice(&self.plan.prompting_command()))
                        }
                        _ => problem,
                    }));
                }
            };
            let answer = call(Some(&code));
            match answer {
                Err(error) if is_wrong_code(&error) => {
                    // A wrong code uses up nothing: the right code of the same time step may follow at once.
                    let _ = self.cache.record_totp_step(serial, before);
                    refused = Some(error);
                }
                answer => return Ok(answer),
            }
        }
    }

    /// Decodes an encoded message with the caller's credentials, if they have permission. Otherwise returns the error
    /// unchanged.
    fn decoded(&self, error: StsError, caller: &Credentials) -> StsError {
        let StsError::Refused { code, message, server_time } = error else { return error };
        let decoded = advice::encoded(&message)
            .and_then(|encoded| self.providers.sts.decode(caller, encoded, &self.plan.endpoint).ok());
        let message = decoded.and_then(|json| advice::with_reason(&message, &json)).unwrap_or(message);
        StsError::Refused { code, message, server_time }
    }

    /// Requests a code and records its time step before it is sent, because STS accepts each code only once.
    /// Fails if the time step can't be recorded. The inner error says why there is no code.
    fn code(&self, serial: &MfaSerial, refused: bool) -> Result<Result<Code, MfaError>, FetchError> {
        if self.options.trigger == Trigger::Background && self.plan.agent.is_none() {
            return Ok(Err(MfaError::NotNow));
        }
        let purpose = match self.plan.role() {
            Some(_) => self.plan.title(),
            None => format!("a session of {}", self.plan.source),
        };
        let used_step = self.cache.device(serial).used_step;
        let question = MfaPrompt { serial, purpose, account: self.plan.account(), used_step, refused };
        let code = match self.providers.authenticator.code(&question, &|phrase| self.announce(phrase)) {
            Ok(code) => code,
            Err(no) => return Ok(Err(no)),
        };
        self.announce("");
        self.prompted.replace(true);
        self.cache.record_totp_step(serial, Some(code.step)).map_err(|e| FetchError::local(&e))?;
        Ok(Ok(code))
    }

    fn may_be_too_old(&self, index: usize, error: &StsError, caller: &Credentials) -> bool {
        let by_mfa = index.checked_sub(1).is_some_and(|before| self.plan.steps[before].mfa_serial().is_some());
        let denied = matches!(error, StsError::Refused { code, .. } if code == "AccessDenied");
        let age = self.options.now.duration_since(caller.issued).unwrap_or_default();
        by_mfa && denied && age > MFA_AGE_RETRY_THRESHOLD && self.cache.ever_cached(&self.session(index + 1))
    }

    /// Checks the account of the first AssumeRole's caller if a rule allows only some accounts.
    fn check_source(&self, index: usize, caller: &Credentials) -> Result<(), FetchError> {
        let first = self.plan.steps.iter().position(|step| matches!(step, Step::AssumeRole(_)));
        if self.plan.source_accounts.is_none() || first != Some(index) {
            return Ok(());
        }
        let arn = self.providers.sts.caller_arn(caller, &self.plan.endpoint).map_err(|error| {
            let problem = Problem::new(format!("cannot check {} against your [[trust]] rule", self.plan.source));
            FetchError::cacheable(problem.because(error), FailureKind::Transient)
        })?;
        account_pin::check_source(self.plan, &arn)
            .map_err(|problem| FetchError::cacheable(problem, FailureKind::Refused))
    }

    pub(super) fn caller_arn(&self, credentials: &Credentials) -> Result<String, FetchError> {
        self.providers.sts.caller_arn(credentials, &self.plan.endpoint).map_err(|error| {
            let problem = Problem::new(format!("cannot check {} against account_id", self.plan.source));
            FetchError::cacheable(problem.because(error), FailureKind::Transient)
        })
    }
}

/// Returns whether STS refused a call because of its code, which may have been used before (observed messages of STS).
fn is_wrong_code(error: &StsError) -> bool {
    matches!(error, StsError::Refused { message, .. } if message.contains("invalid MFA one time pass code"))
}
