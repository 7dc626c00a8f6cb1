//! Describes what the shell holds.

use super::report::SessionReport;
use crate::aws::time::rfc3339;
use crate::base::context::Context;
use crate::project::discover::upward;
use crate::shell::choice::Choices;
use crate::shell::state::{BLOCKED, CREDENTIAL_VARS, HIDDEN, INFO_VARS, NAME, OuterEnv};

impl SessionReport {
    /// Describes the shell of a process with this context.
    pub(super) fn of(inner: &Context) -> Self {
        let outer = OuterEnv::reconstruct(&inner.env);
        let mut held = Self {
            state: "nothing of awsrole's",
            manual_change: None,
            role: None,
            key: None,
            expires: None,
            selected_by_parent: false,
            ends: None,
            set: Vec::new(),
            hidden: Vec::new(),
        };
        if inner.env.text(NAME) == Some(BLOCKED) {
            held.state = "blocked";
        }
        let chosen = outer.chosen(&upward(&inner.dir), &Choices::of(&inner.paths), inner.now);
        if let Some(state) = outer.role {
            held.state = "role";
            held.ends = chosen.terms().until.map(rfc3339);
            let ours = |name: &&str| inner.env.has(name);
            held.set = CREDENTIAL_VARS.iter().copied().filter(ours).map(str::to_owned).collect();
            held.set.extend(state.set.keys().cloned());
            held.set.extend(INFO_VARS.into_iter().chain([NAME]).filter(|name| inner.env.has(name)).map(str::to_owned));
            held.hidden = HIDDEN
                .iter()
                .filter_map(|name| state.prior.get(*name).map(|value| format!("{name} (was {value})")))
                .collect();
            held.expires = Some(state.expires).filter(|time| !time.is_empty());
            held.role = Some(state.role);
            held.key = Some(state.key);
        }
        held
    }
}
