//! `awsrole keys remove`: removes a profile's keys from their store.

use awsrole_core::aws::access_keys::Record;
use awsrole_core::base::context::Context;
use awsrole_core::base::problem::Problem;
use awsrole_core::settings::user_config::Settings;

use crate::report::{CommandError, Outcome};
use crate::terminal::Terminal;
use awsrole_system::print::print_notice;

pub(super) fn run(profile: &str, yes: bool, context: &Context, settings: &Settings) -> Result<Outcome, CommandError> {
    let record = super::stored(context, profile)?;
    let id = &record.access_key_id;
    if !yes {
        let terminal = Terminal::open()
            .map_err(|_| Problem::new("there is no terminal to confirm on").hint("`--yes` skips the confirmation"))?;
        print_notice(format!("AWS cannot show the secret of {id} again, and the key stays valid in AWS"));
        if !terminal.confirm(&format!("awsrole: remove {} permanently?", record.place().name())) {
            return Err(Problem::new("nothing was removed").into());
        }
    }
    // The secret is removed first: a record without a secret is reported, but a secret without a record would be lost.
    super::with_stores(context, settings, |stores| super::forget(stores, record.places()))?;
    Record::forget(&context.paths, profile).map_err(|e| crate::commands::common::file_problem(&e))?;
    super::look_again(context)?;
    print_notice(format!("removed {id} from {}: the key stays valid in AWS", record.store));
    Ok(Outcome::Done)
}
