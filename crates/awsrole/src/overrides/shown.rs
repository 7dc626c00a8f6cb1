//! Remembers for which projects the overriding settings were shown, so that entering shows them only once.

use std::path::{Path, PathBuf};

use awsrole_core::base::context::Context;
use awsrole_core::base::digest::sha256;
use awsrole_core::base::files::write_private;
use awsrole_system::print::print_notice;

/// The number of settings that are shown when a shell enters a project.
const SHOWN: usize = 3;

/// Records that the settings of a project were shown. If that fails, they are shown again.
pub(crate) fn record(files: &[PathBuf], context: &Context) {
    if let Some(file) = files.first() {
        let _ = write_private(&marker(file, context), b"");
    }
}

/// Prints the settings that override the role of a project, unless they were shown before.
pub(crate) fn show_once(files: &[PathBuf], role: Option<&str>, context: &Context) {
    let Some(file) = files.first() else { return };
    if marker(file, context).exists() {
        return;
    }
    record(files, context);
    let found = super::find(files, role, context);
    for one in found.iter().take(SHOWN) {
        print_notice(format!("override: {}", one.shown(context)));
    }
    if found.len() > SHOWN {
        print_notice(format!("and {} more overrides: `awsrole why` lists them", found.len() - SHOWN));
    }
}

fn marker(file: &Path, context: &Context) -> PathBuf {
    context.paths.state.join("overrides-shown").join(sha256(&[file.as_os_str().as_encoded_bytes()]))
}
