//! One call from its arrival to its answer: faults, signature, session, action.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crate::fixture::world::World;
use crate::iam::api;
use crate::identity_center::{browser, oidc, portal};
use crate::metadata::{container, instance};
use crate::protocol::error::Refusal;
use crate::protocol::query::{self, Answer};
use crate::protocol::request::{Form, Request};
use crate::protocol::response::Page;
use crate::protocol::sigv4::Claim;
use crate::protocol::timestamp;
use crate::server::routes::{self, Service};
use crate::server::{clock, control};
use crate::signin::{federation, oauth2_token};
use crate::state::context::{RequestContext, ServerState};
use crate::state::faults::Delivery;
use crate::state::sessions::{Caller, Holder};
use crate::sts::{assume_role, misc_actions, web_identity};

const VERSION: &str = "2011-06-15";
const ACTIONS: [&str; 6] = [
    "AssumeRole",
    "AssumeRoleWithWebIdentity",
    "GetSessionToken",
    "GetCallerIdentity",
    "GetAccessKeyInfo",
    "DecodeAuthorizationMessage",
];

/// The server's whole memory.
pub(crate) struct Station {
    pub(crate) world: World,
    state: Mutex<ServerState>,
}

/// An answer on its way to HTTP.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) page: Page,
    /// The server's time, for the `Date` header.
    pub(crate) date: SystemTime,
    pub(crate) delivery: Delivery,
}

impl Station {
    /// Opens for business.
    pub(crate) fn new(world: World) -> Self {
        let state = Mutex::new(ServerState::new(&world));
        Self { world, state }
    }

    /// The memory; a panic elsewhere doesn't take it away.
    pub(crate) fn state(&self) -> MutexGuard<'_, ServerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers any request.
    pub(crate) async fn serve(&self, request: Request) -> Reply {
        if let Some(what) = request.path.strip_prefix("/_local/") {
            return control::answer(self, what, &request);
        }
        let (service, action, form) = match routes::route(&self.world, &request) {
            Some((service, action)) => (service, action.to_owned(), Form::default()),
            None => match request.form() {
                Ok(form) => {
                    let iam = form.value("Version") == Some(api::VERSION);
                    let action = form.value("Action").unwrap_or_default().to_owned();
                    (if iam { Service::Iam } else { Service::Sts }, action, form)
                }
                Err(refusal) => {
                    let page = Page::refusal(Service::Sts, &refusal);
                    return Reply { page, date: clock::now(), delivery: Delivery::Whole };
                }
            },
        };
        let (number, plan) = {
            let mut state = self.state();
            (state.calls.begin(&action, &request, &form), state.faults.plan(&action))
        };
        tokio::time::sleep(plan.latency).await;
        let now = timestamp::moved(clock::now(), plan.clock_offset_seconds);
        let result = match plan.refusal.clone() {
            Some(refusal) => Err(refusal),
            None if plan.delivery == Delivery::Dropped => Ok(Page::text("")),
            None => {
                let mut state = self.state();
                let desk = &mut state.context(number, now, &plan);
                self.perform(service, &action, &request, &form, desk)
            }
        };
        let outcome = match (plan.delivery, &result) {
            (Delivery::Dropped, _) => "Dropped",
            (Delivery::Truncated, _) => "Truncated",
            (Delivery::Whole, Ok(_)) => "OK",
            (Delivery::Whole, Err(refusal)) => &refusal.code,
        };
        self.state().calls.end(number, outcome);
        let page = result.unwrap_or_else(|refusal| Page::refusal(service, &refusal));
        Reply { page, date: now, delivery: plan.delivery }
    }

    fn perform(
        &self,
        service: Service<'_>,
        action: &str,
        request: &Request,
        form: &Form,
        desk: &mut RequestContext<'_>,
    ) -> Result<Page, Refusal> {
        let world = &self.world;
        match service {
            Service::Sts | Service::Iam => {
                let is_iam = matches!(service, Service::Iam);
                let answer = self.query(is_iam, action, request, form, desk)?;
                let request_id = query::request_id();
                let namespace = if is_iam { query::IAM } else { query::STS };
                Ok(Page::xml(answer.document(namespace, action, &request_id), request_id))
            }
            Service::Instance(instance) => instance::answer(world, desk, instance, request),
            Service::Container(container) => container::answer(world, desk, container, request),
            Service::Oidc(center) => oidc::answer(center, desk, action, request),
            Service::Portal(center) => portal::answer(world, center, desk, action, request),
            Service::Browser(center) => browser::answer(center, desk, action, request),
            Service::Federation => federation::answer(&world.partition, desk, action, request),
            Service::SignIn(sessions) => oauth2_token::answer(world, sessions, desk, request),
        }
    }

    /// Answers a call of the query protocol, of STS or IAM.
    fn query(
        &self,
        is_iam: bool,
        action: &str,
        request: &Request,
        form: &Form,
        desk: &mut RequestContext<'_>,
    ) -> Result<Answer, Refusal> {
        if request.path != "/" || !matches!(request.method.as_str(), "GET" | "POST") {
            return Err(Refusal::new(404, "UnknownOperationException", "There is nothing at this path"));
        }
        let version = form.value("Version").unwrap_or("NO_VERSION_SPECIFIED");
        if action.is_empty() {
            return Err(Refusal::new(
                400,
                "MissingAction",
                "The request is missing an action or a required parameter.",
            ));
        }
        let known = if is_iam { api::ACTIONS.contains(&action) } else { ACTIONS.contains(&action) };
        if !known || !is_iam && version != VERSION {
            let message = format!("Could not find operation {action} for version {version}");
            return Err(Refusal::new(400, "InvalidAction", message));
        }
        if action == "AssumeRoleWithWebIdentity" {
            return web_identity::answer(&self.world, desk, form);
        }
        let claim = Claim::read(request)?;
        desk.record_caller(&claim.access_key_id, None);
        let caller = authenticate(desk, &claim, request, if is_iam { "iam" } else { "sts" })?;
        desk.record_caller(&claim.access_key_id, Some(caller.holder.arn()));
        if is_iam {
            return api::answer(&self.world, desk, &caller, action, form);
        }
        match action {
            "AssumeRole" => assume_role::answer(&self.world, desk, &caller, form),
            "GetSessionToken" => misc_actions::session_token(desk, &caller, form),
            "GetAccessKeyInfo" => misc_actions::access_key_info(desk, &caller, form),
            "DecodeAuthorizationMessage" => Err(misc_actions::decoded_message(desk, &caller)),
            _ => Ok(misc_actions::caller_identity(&caller)),
        }
    }
}

/// Who is calling: key, token, expiry, scope, and the signature last.
fn authenticate(desk: &RequestContext<'_>, claim: &Claim, request: &Request, service: &str) -> Result<Caller, Refusal> {
    let now = desk.now;
    let (caller, secret) = match desk.state.sessions.find(&claim.access_key_id) {
        Some((credentials, holder)) => {
            if claim.token.as_ref() != Some(&credentials.token) {
                return Err(Refusal::invalid_client_token());
            }
            if credentials.expires <= now {
                return Err(Refusal::expired_token());
            }
            (Caller { holder: holder.clone(), issued: Some(credentials.issued) }, &credentials.secret)
        }
        None => {
            let key = desk.state.access_keys.find(&claim.access_key_id, now);
            let key =
                key.filter(|key| key.active && claim.token.is_none()).ok_or_else(Refusal::invalid_client_token)?;
            (Caller { holder: Holder::User { user: key.user.clone(), mfa_at: None }, issued: None }, &key.secret)
        }
    };
    claim.check_scope(request, service, now)?;
    if claim.matches(request, secret) { Ok(caller) } else { Err(Refusal::wrong_signature()) }
}
