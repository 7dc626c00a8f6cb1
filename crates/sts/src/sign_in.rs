//! Sign-in to IAM Identity Center and sign-out, as the AWS CLI does them. Tokens and client registrations are stored in
//! the CLI's files and in its format, so each program uses the sign-in of the other.
//!
//! The authorization code grant with PKCE (RFC 7636) needs a browser on this machine, which returns to a loopback
//! address (RFC 8252). The device authorization grant (RFC 8628) needs no port and works over SSH.

pub(crate) mod code;
mod device;
mod registration;
mod sign_out;
mod token;

use awsrole_core::aws::arn::AccountId;
use awsrole_core::aws::sso_session::SsoSession;
use awsrole_core::base::secret::Secret;

use crate::RemoteSts;
use crate::assignments::listed_accounts;

pub use code::{AuthorizationRequest, sign_in_by_code};
pub use device::{DeviceAuthorization, sign_in_by_device};
pub use sign_out::{SignedOut, sign_out};

/// Lists the accounts of the user who just signed in, as far as they can be listed.
#[must_use]
pub fn account_names(sts: &RemoteSts<'_>, session: &SsoSession, access_token: &Secret) -> Vec<(AccountId, String)> {
    let listed = listed_accounts(sts, &session.portal, access_token).unwrap_or_default();
    listed.into_iter().map(|account| (account.id, account.name)).collect()
}
