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

use crate::{ATTEMPTS, RemoteSts};

pub use code::{AuthorizationRequest, sign_in_by_code};
pub use device::{DeviceAuthorization, sign_in_by_device};
pub use sign_out::{SignedOut, sign_out};

/// The maximum number of pages of accounts that are listed. A page has up to 100.
const MAX_PAGES: usize = 20;

/// Lists the accounts of the user who just signed in, as far as they can be listed.
#[must_use]
pub fn account_names(sts: &RemoteSts<'_>, session: &SsoSession, access_token: &Secret) -> Vec<(AccountId, String)> {
    let Ok(portal) = sts.client().and_then(|client| client.sso(&session.portal, ATTEMPTS)) else { return Vec::new() };
    let mut names = Vec::new();
    let mut next = None;
    for _ in 0..MAX_PAGES {
        let call = portal.list_accounts().access_token(access_token.expose()).set_next_token(next.take());
        let Ok(page) = sts.named("IAM Identity Center", &session.portal, call.send()) else { break };
        names.extend(page.account_list.unwrap_or_default().into_iter().filter_map(|account| {
            Some((AccountId::parse(account.account_id.as_deref()?).ok()?, account.account_name?))
        }));
        next = page.next_token;
        if next.is_none() {
            break;
        }
    }
    names
}
