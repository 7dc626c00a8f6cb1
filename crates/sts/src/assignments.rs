//! Lists the accounts and permission sets that the access portal of IAM Identity Center shows to a signed-in user.

use awsrole_core::aws::arn::AccountId;
use awsrole_core::aws::endpoint::Endpoint;
use awsrole_core::aws::parameters::PermissionSet;
use awsrole_core::aws::source::{IdentityCenter, SourceError};
use awsrole_core::base::problem::Problem;
use awsrole_core::base::secret::Secret;
use awsrole_core::session::advice::{NO_CA_BUNDLE, suspects};
use awsrole_core::session::assignments::AssignedAccount;
use awsrole_core::session::sts::StsError;

use crate::RemoteSts;
use crate::identity_center::{endpoint, token};

/// The number of attempts of a call. The portal throttles clients that list many accounts.
const ATTEMPTS: u32 = 5;

/// The page size: the maximum of the portal (`ListAccounts`, `maxResults`).
const PAGE: i32 = 100;

/// The maximum number of pages. An organization has up to some ten thousand accounts.
const MAX_PAGES: usize = 200;

/// The maximum length of an account's name in characters (Organizations API Reference, `CreateAccount`).
const MAX_NAME: usize = 50;

/// Lists the accounts in which the user has a permission set.
///
/// # Errors
/// Fails if the user isn't signed in, if the portal refuses, or if there is no response.
pub fn list_accounts(sts: &RemoteSts<'_>, sign_in: &IdentityCenter) -> Result<Vec<AssignedAccount>, SourceError> {
    let what = "the accounts";
    let token = token(sts, sign_in).map_err(|error| signed_out(sign_in, what, error.problem()))?;
    listed_accounts(sts, &sign_in.portal, &token).map_err(|error| failed(sign_in, what, &error))
}

/// Lists the accounts that a token gives access to.
pub(crate) fn listed_accounts(
    sts: &RemoteSts<'_>,
    portal: &Endpoint,
    token: &Secret,
) -> Result<Vec<AssignedAccount>, StsError> {
    let listed = pages(|next| {
        let call = sts.client()?.sso(portal, ATTEMPTS)?.list_accounts();
        let call = call.access_token(token.expose()).max_results(PAGE).set_next_token(next);
        let page = sts.named("IAM Identity Center", portal, call.send())?;
        Ok((page.account_list.unwrap_or_default(), page.next_token))
    });
    let parsed = listed?.into_iter().filter_map(|account| {
        let id = AccountId::parse(account.account_id.as_deref()?).ok()?;
        let name = account.account_name.unwrap_or_default().chars().take(MAX_NAME).collect();
        Some(AssignedAccount { id, name })
    });
    Ok(parsed.collect())
}

/// Lists the user's permission sets in an account.
///
/// # Errors
/// As [`list_accounts`].
pub fn list_permission_sets(
    sts: &RemoteSts<'_>,
    sign_in: &IdentityCenter,
    account: &AccountId,
) -> Result<Vec<PermissionSet>, SourceError> {
    let what = format!("the permission sets in account {account}");
    let token = token(sts, sign_in).map_err(|error| signed_out(sign_in, &what, error.problem()))?;
    let listed = pages(|next| {
        let call = sts.client()?.sso(&sign_in.portal, ATTEMPTS)?.list_account_roles().account_id(account.as_str());
        let call = call.access_token(token.expose()).max_results(PAGE).set_next_token(next);
        let page = sts.named("IAM Identity Center", &sign_in.portal, call.send())?;
        Ok((page.role_list.unwrap_or_default(), page.next_token))
    });
    let roles = listed.map_err(|error| failed(sign_in, &what, &error))?.into_iter();
    Ok(roles.filter_map(|role| PermissionSet::parse(role.role_name.as_deref()?).ok()).collect())
}

/// Reads all pages of a list. `page` gets the token of the next page.
fn pages<T>(
    mut page: impl FnMut(Option<String>) -> Result<(Vec<T>, Option<String>), StsError>,
) -> Result<Vec<T>, StsError> {
    let (mut all, mut next) = (Vec::new(), None);
    for _ in 0..MAX_PAGES {
        let (items, more) = page(next.clone())?;
        all.extend(items);
        match more.filter(|token| !token.is_empty()) {
            None => return Ok(all),
            // The same page would be read forever.
            repeated if repeated == next => break,
            more => next = more,
        }
    }
    Err(StsError::Malformed("the list in the response has no end".to_owned()))
}

fn title(sign_in: &IdentityCenter) -> &str {
    sign_in.session.as_deref().unwrap_or(&sign_in.start_url)
}

fn log_in(sign_in: &IdentityCenter) -> String {
    let name = title(sign_in);
    format!("sign in with `awsrole login {name}` or `aws sso login --sso-session {name}`")
}

/// Returns the error for a sign-in without a usable token, with the causes of `problem`.
fn signed_out(sign_in: &IdentityCenter, what: &str, problem: Problem) -> SourceError {
    let summary = format!("cannot list {what} of {}", title(sign_in));
    SourceError::SignedOut(Problem { summary, hints: vec![log_in(sign_in)], ..problem })
}

/// Returns the error of the portal.
fn failed(sign_in: &IdentityCenter, what: &str, error: &StsError) -> SourceError {
    let problem = Problem::new(format!("cannot list {what} of {}", title(sign_in)))
        .because(error)
        .fact("endpoint", endpoint(sign_in));
    match error {
        // The portal of another region gives the same answer.
        StsError::Refused { code, .. } if code == "UnauthorizedException" => SourceError::SignedOut(
            problem.hint(log_in(sign_in)).hint(format!("or correct `sso_region` of {}", title(sign_in))),
        ),
        StsError::Refused { code, .. } if code == "ForbiddenException" => SourceError::Failed(
            problem.hint("you have no permission set there: an administrator of Identity Center can assign one"),
        ),
        StsError::Refused { code, .. } if code == "TooManyRequestsException" => {
            SourceError::Failed(problem.hint("wait a minute, then run the command again"))
        }
        StsError::Trust(_) => SourceError::Failed(problem.hint(NO_CA_BUNDLE)),
        _ => SourceError::Failed(problem.hint(format!("check {} (sso_region)", suspects(error)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_all_pages_and_detects_a_list_without_an_end() {
        let next = |token: Option<String>| token.map_or(0, |token| token.parse::<usize>().unwrap());
        let list = |last: usize| {
            pages(|token| {
                Ok((vec![next(token.clone())], (next(token.clone()) < last).then(|| (next(token) + 1).to_string())))
            })
        };
        assert_eq!(list(4).unwrap(), [0, 1, 2, 3, 4]);
        assert!(list(MAX_PAGES).is_err());
        let mut calls = 0;
        let same = pages(|_| {
            calls += 1;
            Ok((vec![()], Some("same".to_owned())))
        });
        assert!(same.is_err() && calls == 2);
    }
}
