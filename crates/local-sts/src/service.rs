//! Which of the played services a request is for, and what its action is called in the record and in faults.
//!
//! All services share one port, since their paths never meet. Those that the fixture doesn't set up aren't there:
//! such a request is STS's to refuse.

use crate::fixture::World;
use crate::request::Request;

/// One of the services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    /// The Security Token Service.
    Sts,
    /// An EC2 instance's metadata, version 2.
    Instance,
    /// The credentials of a container: ECS's task, EKS's pod.
    Container,
    /// IAM Identity Center's `sso-oidc`.
    Oidc,
    /// IAM Identity Center's `sso`, the access portal.
    Portal,
    /// What a person sees of IAM Identity Center.
    Browser,
}

/// Finds service and action of a request that isn't for STS.
pub(crate) fn route(world: &World, request: &Request) -> Option<(Service, &'static str)> {
    let sources = &world.sources;
    let path = request.path.as_str();
    if sources.instance.is_some() && path.starts_with("/latest/") {
        return Some((Service::Instance, instance_action(path)));
    }
    if sources.container.as_ref().is_some_and(|container| container.path == path) {
        return Some((Service::Container, "GetContainerCredentials"));
    }
    None
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
