//! Which of the played services a request is for, and what its action is called in the record and in faults.
//!
//! All services share one port, since their paths never meet. Those that the fixture doesn't set up aren't there:
//! such a request is STS's to refuse.

use crate::fixture::console::ConsoleSession;
use crate::fixture::identity_center::IdentityCenter;
use crate::fixture::sources::{Container, Instance};
use crate::fixture::world::World;
use crate::protocol::request::Request;
use crate::signin::federation;

/// One of the services.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Service<'w> {
    /// The Security Token Service.
    Sts,
    /// Identity and Access Management: keys, and policies that revoke sessions.
    Iam,
    /// An EC2 instance's metadata, version 2.
    Instance(&'w Instance),
    /// The credentials of a container: ECS's task, EKS's pod.
    Container(&'w Container),
    /// IAM Identity Center's `sso-oidc`.
    Oidc(&'w IdentityCenter),
    /// IAM Identity Center's `sso`, the access portal.
    Portal(&'w IdentityCenter),
    /// What a person sees of IAM Identity Center.
    Browser(&'w IdentityCenter),
    /// AWS Sign-In, from a role's session to the console.
    Federation,
    /// AWS Sign-In, for the sessions of `aws login`.
    SignIn(&'w [ConsoleSession]),
}

/// Finds service and action of a request that isn't for STS.
pub(crate) fn route<'w>(world: &'w World, request: &Request) -> Option<(Service<'w>, &'static str)> {
    let sources = &world.sources;
    let path = request.path.as_str();
    if let Some(container) = sources.container.as_ref().filter(|container| container.path == path) {
        return Some((Service::Container(container), "GetContainerCredentials"));
    }
    if path == "/federation" {
        return Some((Service::Federation, federation::action(request)));
    }
    if path == "/v1/token" && !sources.console_sessions.is_empty() {
        return Some((Service::SignIn(&sources.console_sessions), "CreateOAuth2Token"));
    }
    match (&sources.instance, &sources.identity_center) {
        (Some(instance), _) if path.starts_with("/latest/") => {
            Some((Service::Instance(instance), instance_action(path)))
        }
        (_, Some(center)) => identity_center_action(center, path),
        _ => None,
    }
}

fn identity_center_action<'w>(center: &'w IdentityCenter, path: &str) -> Option<(Service<'w>, &'static str)> {
    Some(match path {
        "/client/register" => (Service::Oidc(center), "RegisterClient"),
        "/device_authorization" => (Service::Oidc(center), "StartDeviceAuthorization"),
        "/token" => (Service::Oidc(center), "CreateToken"),
        "/federation/credentials" => (Service::Portal(center), "GetRoleCredentials"),
        "/assignment/accounts" => (Service::Portal(center), "ListAccounts"),
        "/assignment/roles" => (Service::Portal(center), "ListAccountRoles"),
        "/logout" => (Service::Portal(center), "Logout"),
        "/authorize" => (Service::Browser(center), "Authorize"),
        "/device" => (Service::Browser(center), "VerifyDevice"),
        _ => return None,
    })
}

/// The metadata's paths have no names at AWS; these are for the record.
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
