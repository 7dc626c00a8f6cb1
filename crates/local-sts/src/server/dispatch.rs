//! One call from its arrival to its answer: faults, signature, session, action.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crate::crypto::ambient;
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
use crate::server::control;
use crate::server::routes::{self, Service};
use crate::signin::{federation, oauth2_token};
use crate::state::access_keys::AccessKeys;
use crate::state::calls::{Call, Calls};
use crate::state::faults::{Delivery, Faults, Plan};
use crate::state::federation::FederationState;
use crate::state::identity_center::IdentityCenterState;
use crate::state::metadata::MetadataState;
use crate::state::mfa::UsedCodes;
use crate::state::sessions::{Caller, Holder, Sessions};
use crate::state::signin::SigninState;
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
    state: Mutex<State>,
}

/// What changes while it runs.
pub(crate) struct State {
    pub(crate) access_keys: AccessKeys,
    pub(crate) sessions: Sessions,
    pub(crate) used_codes: UsedCodes,
    pub(crate) metadata: MetadataState,
    pub(crate) identity_center: IdentityCenterState,
    pub(crate) signin: SigninState,
    pub(crate) federation: FederationState,
    pub(crate) calls: Calls,
    pub(crate) faults: Faults,
}

/// What an action works with.
pub(crate) struct Desk<'a> {
    pub(crate) access_keys: &'a mut AccessKeys,
    pub(crate) sessions: &'a mut Sessions,
    pub(crate) used_codes: &'a mut UsedCodes,
    pub(crate) metadata: &'a mut MetadataState,
    pub(crate) identity_center: &'a mut IdentityCenterState,
    pub(crate) signin: &'a mut SigninState,
    pub(crate) federation: &'a mut FederationState,
    calls: &'a mut Calls,
    /// Of the call that is being answered.
    number: u64,
    pub(crate) now: SystemTime,
    lifetime: Option<Duration>,
    /// How long a new access key stays unknown.
    pub(crate) key_delay: Duration,
}

/// An answer on its way to HTTP.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) page: Page,
    /// The server's time, for the `Date` header.
    pub(crate) date: SystemTime,
    pub(crate) delivery: Delivery,
}

impl Desk<'_> {
    /// When something ends that lives as long as asked, or as long as a fault orders.
    pub(crate) fn expiry(&self, asked: Duration) -> SystemTime {
        timestamp::whole_seconds(self.now + self.life(asked))
    }

    /// How long something lives, as asked or as a fault orders.
    pub(crate) fn life(&self, asked: Duration) -> Duration {
        self.lifetime.unwrap_or(asked)
    }

    /// Says in the record whose call is being answered.
    pub(crate) fn identify(&mut self, access_key_id: &str, arn: &str) {
        self.calls.identify(self.number, access_key_id, Some(arn));
    }

    /// Adds to the record of the call that is being answered.
    pub(crate) fn note(&mut self, what: impl FnOnce(&mut Call)) {
        if let Some(call) = self.calls.call(self.number) {
            what(call);
        }
    }
}

impl Station {
    /// Opens for business.
    pub(crate) fn new(world: World) -> Self {
        let state = State {
            access_keys: AccessKeys::of(&world),
            sessions: Sessions::default(),
            used_codes: UsedCodes::default(),
            metadata: MetadataState::default(),
            identity_center: IdentityCenterState::default(),
            signin: SigninState::default(),
            federation: FederationState::default(),
            calls: Calls::default(),
            faults: Faults::default(),
        };
        Self { world, state: Mutex::new(state) }
    }

    /// The memory; a panic elsewhere doesn't take it away.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
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
                    return Reply { page, date: ambient::now(), delivery: Delivery::Whole };
                }
            },
        };
        let (number, plan) = {
            let mut state = self.state();
            (state.calls.begin(&action, &request, &form), state.faults.plan(&action))
        };
        tokio::time::sleep(plan.latency).await;
        let now = timestamp::moved(ambient::now(), plan.clock_offset_seconds);
        let result = match plan.refusal.clone() {
            Some(refusal) => Err(refusal),
            None if plan.delivery == Delivery::Dropped => Ok(Page::text("")),
            None => {
                let mut state = self.state();
                let desk = &mut state.desk(number, now, &plan);
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
        desk: &mut Desk<'_>,
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
        desk: &mut Desk<'_>,
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
        desk.calls.identify(desk.number, &claim.access_key_id, None);
        let caller = authenticate(desk, &claim, request, if is_iam { "iam" } else { "sts" })?;
        desk.calls.identify(desk.number, &claim.access_key_id, Some(caller.holder.arn()));
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

impl State {
    /// Lays out what actions need, while the rest stays locked away.
    fn desk(&mut self, number: u64, now: SystemTime, plan: &Plan) -> Desk<'_> {
        Desk {
            access_keys: &mut self.access_keys,
            sessions: &mut self.sessions,
            used_codes: &mut self.used_codes,
            metadata: &mut self.metadata,
            identity_center: &mut self.identity_center,
            signin: &mut self.signin,
            federation: &mut self.federation,
            calls: &mut self.calls,
            number,
            now,
            lifetime: plan.lifetime,
            key_delay: plan.key_delay,
        }
    }
}

/// Who is calling: key, token, expiry, scope, and the signature last.
fn authenticate(desk: &Desk<'_>, claim: &Claim, request: &Request, service: &str) -> Result<Caller, Refusal> {
    let now = desk.now;
    let (caller, secret) = match desk.sessions.find(&claim.access_key_id) {
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
            let key = desk.access_keys.find(&claim.access_key_id, now);
            let key =
                key.filter(|key| key.active && claim.token.is_none()).ok_or_else(Refusal::invalid_client_token)?;
            (Caller { holder: Holder::User { user: key.user.clone(), mfa_at: None }, issued: None }, &key.secret)
        }
    };
    claim.check_scope(request, service, now)?;
    if claim.matches(request, secret) { Ok(caller) } else { Err(Refusal::wrong_signature()) }
}
