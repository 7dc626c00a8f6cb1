//! Where the small program's knowledge ends: whoever is to be asked, the whole program takes over, from the beginning.

use std::os::unix::process::CommandExt;
use std::process::Command;

use awsrole_core::access_keys::{KeyStores, NoSecret, Place};
use awsrole_core::credentials::Credentials;
use awsrole_core::endpoint::Endpoint;
use awsrole_core::mfa::{Authenticator, Code, NoCode, Question};
use awsrole_core::obtain::Outside;
use awsrole_core::plan::{AssumeRole, SessionToken};
use awsrole_core::problem::Problem;
use awsrole_core::secret::Secret;
use awsrole_core::source::{Source, Sources, WebIdentity};
use awsrole_core::sts::{Sts, StsError};

use crate::ambient;
use crate::report::complain;

/// The whole program, in the place of all who answer.
pub(crate) struct Whole;

impl Whole {
    /// Becomes the whole program, with the same words. Nothing has been said or written by then, and nothing is locked.
    #[expect(clippy::disallowed_methods, reason = "the process was to be another program by now")]
    pub(crate) fn takes_over(&self) -> ! {
        let problem = match ambient::whole() {
            Some(program) => {
                let error = Command::new(&program).args(ambient::words()).exec();
                Problem::new(format!("{} can't be started", program.display())).because(error)
            }
            None => Problem::new("awsrole isn't found from here: this program's name must be awsrole's, and -hook"),
        };
        complain(&problem.hint("reinstall awsrole"));
        std::process::exit(1)
    }

    /// For an export.
    pub(crate) fn as_outside(&self) -> Outside<'_> {
        Outside { sts: self, sources: self, keys: self, authenticator: self, clock: ambient::now }
    }
}

impl Sts for Whole {
    /// Not later: whoever waits for a lock would have to remember for how long, and from when on a logout counts.
    fn about_to_ask(&self) {
        self.takes_over()
    }

    fn assume_role(
        &self,
        _: &Credentials,
        _: &AssumeRole,
        _: Option<&Code>,
        _: &Endpoint,
    ) -> Result<Credentials, StsError> {
        self.takes_over()
    }

    fn get_session_token(
        &self,
        _: &Credentials,
        _: &SessionToken,
        _: Option<&Code>,
        _: &Endpoint,
    ) -> Result<Credentials, StsError> {
        self.takes_over()
    }

    fn assume_role_with_web_identity(
        &self,
        _: &WebIdentity,
        _: &Secret,
        _: &Endpoint,
    ) -> Result<Credentials, StsError> {
        self.takes_over()
    }

    fn caller_arn(&self, _: &Credentials, _: &Endpoint) -> Result<String, StsError> {
        self.takes_over()
    }

    fn decode(&self, _: &Credentials, _: &str, _: &Endpoint) -> Result<String, StsError> {
        self.takes_over()
    }
}

impl Sources for Whole {
    fn credentials(&self, _: &Source) -> Result<Credentials, Problem> {
        self.takes_over()
    }
}

impl KeyStores for Whole {
    fn secret(&self, _: &Place, _: bool, _: &dyn Fn(&str)) -> Result<Secret, NoSecret> {
        self.takes_over()
    }
}

impl Authenticator for Whole {
    fn code(&self, _: &Question<'_>, _: &dyn Fn(&str)) -> Result<Code, NoCode> {
        self.takes_over()
    }
}
