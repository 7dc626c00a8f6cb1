//! `awsrole credential-process`: the directory's role for SDKs and editors that start a process for
//! it. It never asks anything.

use std::path::PathBuf;

use awsrole_core::cache::Cache;
use awsrole_core::context::Context;
use awsrole_core::export::{confirmed, plan_of};
use awsrole_core::obtain::{Wish, obtain};
use awsrole_core::shell::credential_process;

use crate::report::{Failure, Outcome, out};

pub(super) fn run(dir: Option<PathBuf>, role: Option<&str>, context: &Context) -> Result<Outcome, Failure> {
    let (outer, allowed, _) = super::allowed(dir, context)?;
    let plan = plan_of(&outer, &allowed, role)?;
    confirmed(&allowed, role).map_err(Failure::no_role)?;
    let wish = Wish::passing(context.now);
    let cache = Cache::in_dir(&context.paths.cache);
    let obtained = super::with_outside(&outer, false, |outside| obtain(&plan, &cache, outside, wish));
    let obtained = obtained?;
    out(&credential_process(&obtained.credentials))?;
    out("\n")?;
    Ok(Outcome::Done)
}
