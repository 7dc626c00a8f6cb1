//! Sign-out from IAM Identity Center.

use std::path::Path;

use awsrole_core::aws::sso_session::SsoSession;
use awsrole_core::base::files::{FileError, remove};
use awsrole_core::base::secret::Secret;
use awsrole_core::session::sts::StsError;

use crate::token_file::{NoToken, TokenFile};
use crate::{ATTEMPTS, RemoteSts};

/// The result of [`sign_out`]. The token is removed in every case.
pub enum SignedOut {
    /// The service ended the session, or it had ended before.
    Everywhere,
    /// There was no token.
    NotSignedIn,
    /// The service couldn't be told. Its session ends at its own time.
    OnlyHere(StsError),
}

/// Ends the session at the access portal, and removes the token and the role credentials that the AWS CLI cached.
///
/// # Errors
/// Fails if a file can't be removed.
pub fn sign_out(sts: &RemoteSts<'_>, session: &SsoSession, home: &Path) -> Result<SignedOut, FileError> {
    let token = TokenFile::read(&session.token_file).map(|file| file.text("accessToken").map(Secret::new));
    remove(&session.token_file)?;
    remove_role_credentials(&home.join(".aws/cli/cache"))?;
    let token = match token {
        Err(NoToken::Missing) => return Ok(SignedOut::NotSignedIn),
        Ok(Ok(token)) => token,
        // Without a token there is no session to end.
        _ => return Ok(SignedOut::Everywhere),
    };
    let call = |client: aws_sdk_sso::Client| {
        sts.named("IAM Identity Center", &session.portal, client.logout().access_token(token.expose()).send())
    };
    let answer = sts.client().and_then(|client| client.sso(&session.portal, ATTEMPTS)).and_then(call);
    Ok(match answer {
        // The portal refuses a token whose session has ended.
        Ok(_) | Err(StsError::Refused { .. }) => SignedOut::Everywhere,
        Err(error) => SignedOut::OnlyHere(error),
    })
}

/// Removes the AWS CLI's cached credentials from IAM Identity Center.
///
/// Their files don't name the session, so those of other sessions are removed, too (AWS CLI, `SSOCredentialSweeper`).
/// The AWS CLI requests them again.
fn remove_role_credentials(dir: &Path) -> Result<(), FileError> {
    for entry in dir.read_dir().into_iter().flatten().flatten() {
        let path = entry.path();
        let is_sso = TokenFile::read(&path).is_ok_and(|file| file.optional("ProviderType") == Some("sso"));
        if is_sso {
            remove(&path)?;
        }
    }
    Ok(())
}
