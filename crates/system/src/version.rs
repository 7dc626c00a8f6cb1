//! The version that both programs print.

use awsrole_core::shell::statements::PROTOCOL;

/// Returns the version, the commit if the build named one, and the version of the hook protocol, such as
/// `0.1.0 (1f2e3d4c5b6a, protocol 2)`.
///
/// `packaging/build-release` sets AWSROLE_COMMIT. Other builds name no commit, because only a build script could find
/// one, and a build of uncommitted changes would name a wrong one.
#[must_use]
pub fn version() -> String {
    describe(option_env!("AWSROLE_COMMIT"))
}

fn describe(commit: Option<&str>) -> String {
    let commit = commit.filter(|commit| !commit.is_empty()).map(|commit| format!("{commit}, ")).unwrap_or_default();
    format!("{} ({commit}protocol {PROTOCOL})", env!("CARGO_PKG_VERSION"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_commit_only_if_the_build_did() {
        let number = env!("CARGO_PKG_VERSION");
        assert_eq!(describe(Some("1f2e3d4c5b6a")), format!("{number} (1f2e3d4c5b6a, protocol {PROTOCOL})"));
        for none in [None, Some("")] {
            assert_eq!(describe(none), format!("{number} (protocol {PROTOCOL})"));
        }
    }
}
