//! Handles a call: route, call log, faults, action, response.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crate::fixture::world::World;
use crate::iam::api as iam;
use crate::identity_center::{browser, oidc, portal};
use crate::metadata::{container, instance};
use crate::protocol::error::ApiError;
use crate::protocol::request::{Form, HttpRequest};
use crate::protocol::response::HttpResponse;
use crate::protocol::timestamp;
use crate::server::routes::{self, ServiceRoute};
use crate::server::{clock, control};
use crate::signin::{authorize, federation, oauth2_token};
use crate::state::context::{RequestContext, ServerState};
use crate::state::faults::Delivery;
use crate::sts::api as sts;

/// The fixture and the state.
pub(crate) struct Server {
    world: World,
    state: Mutex<ServerState>,
}

/// A response and how it is delivered.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) response: HttpResponse,
    /// The server's time, for the `Date` header.
    pub(crate) date: SystemTime,
    pub(crate) delivery: Delivery,
}

impl Server {
    /// Creates a server for `world`.
    pub(crate) fn new(world: World) -> Self {
        let state = Mutex::new(ServerState::new(&world));
        Self { world, state }
    }

    /// Locks the state. It stays usable after a panic elsewhere.
    fn state(&self) -> MutexGuard<'_, ServerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers any request.
    pub(crate) async fn serve(&self, request: HttpRequest) -> Reply {
        if let Some(path) = request.path.strip_prefix("/_local/") {
            let response = control::handle(&self.world, &mut self.state(), path, &request);
            return Reply { response, date: clock::now(), delivery: Delivery::Whole };
        }
        let (service, action, form) = match routes::route(&self.world, &request) {
            Some((service, action)) => (service, action.to_owned(), Form::default()),
            None => match request.form() {
                Ok(form) => {
                    let is_iam = form.value("Version") == Some(iam::VERSION);
                    let action = form.value("Action").unwrap_or_default().to_owned();
                    (if is_iam { ServiceRoute::Iam } else { ServiceRoute::Sts }, action, form)
                }
                Err(error) => {
                    let response = sts::error_response(&error);
                    return Reply { response, date: clock::now(), delivery: Delivery::Whole };
                }
            },
        };
        let (number, effects) = {
            let mut state = self.state();
            (state.calls.start(&action, &request, &form), state.faults.effects(&action))
        };
        tokio::time::sleep(effects.latency).await;
        let now = timestamp::moved(clock::now(), effects.clock_offset_seconds);
        let result = match effects.error.clone() {
            Some(error) if matches!(service, ServiceRoute::Portal(_)) => Err(portal::throttled(error)),
            Some(error) => Err(error),
            None if effects.delivery == Delivery::Dropped => Ok(HttpResponse::text("")),
            None => {
                let mut state = self.state();
                let context = &mut state.context(number, now, &effects);
                self.perform(service, &action, &request, &form, context)
            }
        };
        let outcome = match (effects.delivery, &result) {
            (Delivery::Dropped, _) => "Dropped",
            (Delivery::Truncated, _) => "Truncated",
            (Delivery::Whole, Ok(_)) => "OK",
            (Delivery::Whole, Err(error)) => &error.code,
        };
        self.state().calls.end(number, outcome);
        let response = result.unwrap_or_else(|error| error_response(service, &error));
        Reply { response, date: now, delivery: effects.delivery }
    }

    fn perform(
        &self,
        service: ServiceRoute<'_>,
        action: &str,
        request: &HttpRequest,
        form: &Form,
        context: &mut RequestContext<'_>,
    ) -> Result<HttpResponse, ApiError> {
        let world = &self.world;
        match service {
            ServiceRoute::Sts => sts::handle(world, context, action, request, form),
            ServiceRoute::Iam => iam::handle(world, context, action, request, form),
            ServiceRoute::Instance(instance) => instance::handle(world, context, instance, request),
            ServiceRoute::Container(container) => container::handle(world, context, container, request),
            ServiceRoute::Oidc(center) => oidc::handle(center, context, action, request),
            ServiceRoute::Portal(center) => portal::handle(world, center, context, action, request),
            ServiceRoute::Browser(center) => browser::handle(center, context, action, request),
            ServiceRoute::Federation => federation::handle(&world.partition, context, action, request),
            ServiceRoute::Signin(sessions) => oauth2_token::handle(world, sessions, context, request),
            ServiceRoute::SigninPages(sessions) => authorize::handle(world, sessions, context, action, request),
        }
    }
}

/// Renders an error in the service's format.
fn error_response(service: ServiceRoute<'_>, error: &ApiError) -> HttpResponse {
    match service {
        ServiceRoute::Sts => sts::error_response(error),
        ServiceRoute::Iam => iam::error_response(error),
        ServiceRoute::Instance(_) => instance::error_response(error),
        ServiceRoute::Container(_) => container::error_response(error),
        ServiceRoute::Oidc(_) => oidc::error_response(error),
        ServiceRoute::Portal(_) => portal::error_response(error),
        ServiceRoute::Browser(_) => browser::error_response(error),
        ServiceRoute::Federation => federation::error_response(error),
        ServiceRoute::Signin(_) => oauth2_token::error_response(error),
        ServiceRoute::SigninPages(_) => authorize::error_response(error),
    }
}
