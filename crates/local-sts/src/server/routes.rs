//! Routes: the service and the action of a request. The call log and faults use the action's name.
//!
//! All services share one port because their paths differ. Services that the fixture doesn't configure don't exist: STS
//! rejects such a request.

use crate::fixture::console::ConsoleSession;
use crate::fixture::identity_center::IdentityCenterInstance;
use crate::fixture::sources::{Container, Instance};
use crate::fixture::world::World;
use crate::protocol::request::HttpRequest;
use crate::signin::federation;

/// A service, with its part of the fixture.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ServiceRoute<'w> {
    /// The Security Token Service.
    Sts,
    /// Identity and Access Management: keys, and policies that revoke sessions.
    Iam,
    /// The EC2 instance metadata service, version 2.
    Instance(&'w Instance),
    /// The container credentials endpoint of ECS and EKS.
    Container(&'w Container),
    /// IAM Identity Center's `sso-oidc`.
    Oidc(&'w IdentityCenterInstance),
    /// IAM Identity Center's `sso`, the access portal.
    Portal(&'w IdentityCenterInstance),
    /// The pages of IAM Identity Center that a browser opens.
    Browser(&'w IdentityCenterInstance),
    /// AWS Sign-In: console federation of a role session.
    Federation,
    /// AWS Sign-In: sessions of `aws login`.
    Signin(&'w [ConsoleSession]),
    /// The pages of AWS Sign-In that a browser opens.
    SigninPages(&'w [ConsoleSession]),
}

/// Returns service and action of a request, or `None` for a call to STS or IAM.
pub(crate) fn route<'w>(world: &'w World, request: &HttpRequest) -> Option<(ServiceRoute<'w>, &'static str)> {
    let sources = &world.sources;
    let path = request.path.as_str();
    if let Some(container) = sources.container.as_ref().filter(|container| container.path == path) {
        return Some((ServiceRoute::Container(container), "GetContainerCredentials"));
    }
    if path == "/federation" {
        return Some((ServiceRoute::Federation, federation::action(request)));
    }
    if let (sessions @ [_, ..], Some(path)) = (sources.console_sessions.as_slice(), path.strip_prefix("/v1/")) {
        return match path {
            "token" => Some((ServiceRoute::Signin(sessions), "CreateOAuth2Token")),
            "authorize" => Some((ServiceRoute::SigninPages(sessions), "AuthorizeOAuth2Access")),
            "sessions/confirmation" => Some((ServiceRoute::SigninPages(sessions), "ShowSignInCode")),
            _ => None,
        };
    }
    match (&sources.instance, &sources.identity_center) {
        (Some(instance), _) if path.starts_with("/latest/") => {
            Some((ServiceRoute::Instance(instance), instance_action(path)))
        }
        (_, Some(center)) => identity_center_action(center, path),
        _ => None,
    }
}

fn identity_center_action<'w>(
    center: &'w IdentityCenterInstance,
    path: &str,
) -> Option<(ServiceRoute<'w>, &'static str)> {
    Some(match path {
        "/client/register" => (ServiceRoute::Oidc(center), "RegisterClient"),
        "/device_authorization" => (ServiceRoute::Oidc(center), "StartDeviceAuthorization"),
        "/token" => (ServiceRoute::Oidc(center), "CreateToken"),
        "/federation/credentials" => (ServiceRoute::Portal(center), "GetRoleCredentials"),
        "/assignment/accounts" => (ServiceRoute::Portal(center), "ListAccounts"),
        "/assignment/roles" => (ServiceRoute::Portal(center), "ListAccountRoles"),
        "/logout" => (ServiceRoute::Portal(center), "Logout"),
        "/authorize" => (ServiceRoute::Browser(center), "Authorize"),
        "/device" => (ServiceRoute::Browser(center), "VerifyDevice"),
        _ => return None,
    })
}

/// Returns the name of a metadata path. AWS has no names for them.
fn instance_action(path: &str) -> &'static str {
    let Some(item) = path.strip_prefix("/latest/meta-data/") else {
        return match path {
            "/latest/api/token" => "GetMetadataToken",
            "/latest/dynamic/instance-identity/document" => "GetInstanceDocument",
            _ => "GetMetadata",
        };
    };
    match item.strip_prefix("iam/security-credentials") {
        Some("" | "/") => "GetInstanceRole",
        Some(role) if role.starts_with('/') => "GetInstanceCredentials",
        _ if item.starts_with("placement/") => "GetInstanceRegion",
        _ => "GetMetadata",
    }
}
