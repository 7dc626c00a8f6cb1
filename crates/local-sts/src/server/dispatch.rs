//! One call from its arrival to its answer: faults, signature, session, action.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crate::fixture::world::World;
use crate::iam::api as iam;
use crate::identity_center::{browser, oidc, portal};
use crate::metadata::{container, instance};
use crate::protocol::error::Refusal;
use crate::protocol::request::{Form, Request};
use crate::protocol::response::Page;
use crate::protocol::timestamp;
use crate::server::routes::{self, Service};
use crate::server::{clock, control};
use crate::signin::{federation, oauth2_token};
use crate::state::context::{RequestContext, ServerState};
use crate::state::faults::Delivery;
use crate::sts::api as sts;

/// The server's whole memory.
pub(crate) struct Station {
    world: World,
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
    fn state(&self) -> MutexGuard<'_, ServerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers any request.
    pub(crate) async fn serve(&self, request: Request) -> Reply {
        if let Some(path) = request.path.strip_prefix("/_local/") {
            let page = control::answer(&self.world, &mut self.state(), path, &request);
            return Reply { page, date: clock::now(), delivery: Delivery::Whole };
        }
        let (service, action, form) = match routes::route(&self.world, &request) {
            Some((service, action)) => (service, action.to_owned(), Form::default()),
            None => match request.form() {
                Ok(form) => {
                    let is_iam = form.value("Version") == Some(iam::VERSION);
                    let action = form.value("Action").unwrap_or_default().to_owned();
                    (if is_iam { Service::Iam } else { Service::Sts }, action, form)
                }
                Err(refusal) => {
                    let page = sts::error_response(&refusal);
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
        let page = result.unwrap_or_else(|refusal| error_response(service, &refusal));
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
            Service::Sts => sts::answer(world, desk, action, request, form),
            Service::Iam => iam::answer(world, desk, action, request, form),
            Service::Instance(instance) => instance::answer(world, desk, instance, request),
            Service::Container(container) => container::answer(world, desk, container, request),
            Service::Oidc(center) => oidc::answer(center, desk, action, request),
            Service::Portal(center) => portal::answer(world, center, desk, action, request),
            Service::Browser(center) => browser::answer(center, desk, action, request),
            Service::Federation => federation::answer(&world.partition, desk, action, request),
            Service::SignIn(sessions) => oauth2_token::answer(world, sessions, desk, request),
        }
    }
}

/// Renders an error as the service does it.
fn error_response(service: Service<'_>, error: &Refusal) -> Page {
    match service {
        Service::Sts => sts::error_response(error),
        Service::Iam => iam::error_response(error),
        Service::Instance(_) => instance::error_response(error),
        Service::Container(_) => container::error_response(error),
        Service::Oidc(_) => oidc::error_response(error),
        Service::Portal(_) => portal::error_response(error),
        Service::Browser(_) => browser::error_response(error),
        Service::Federation => federation::error_response(error),
        Service::SignIn(_) => oauth2_token::error_response(error),
    }
}
