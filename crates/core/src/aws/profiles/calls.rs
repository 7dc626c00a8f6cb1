//! Finds out which profile a `credential_process` that is awsrole uses.

use std::path::Path;

use super::{Profile, names};

impl Profile<'_> {
    /// Returns the profile whose credentials the `credential_process` prints, if it is `awsrole credential-process
    /// --profile NAME`.
    #[must_use]
    pub fn called_profile(&self) -> Option<String> {
        let words = names::words(self.text("credential_process")?)?;
        let (program, arguments) = words.split_first()?;
        if Path::new(program).file_name()? != "awsrole" || arguments.first()? != "credential-process" {
            return None;
        }
        let mut arguments = arguments.iter().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.strip_prefix("--profile") {
                Some("") => return arguments.next().cloned(),
                Some(rest) if rest.starts_with('=') => return Some(rest[1..].to_owned()),
                _ => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use crate::aws::profiles::Profiles;
    use crate::aws::profiles::tests::home;

    #[test]
    fn reads_the_name_as_a_shell_would() {
        for (command, name) in [
            ("awsrole credential-process --profile dev", Some("dev")),
            ("/usr/bin/awsrole credential-process --yes --profile='two words'", Some("two words")),
            ("awsrole credential-process --profile=", Some("")),
            ("awsrole credential-process --profile", None),
            ("awsrole credential-process --dir ~/src/dev", None),
            ("awsrole exec --profile dev", None),
            ("other credential-process --profile dev", None),
            ("awsrole credential-process --profile 'dev", None),
        ] {
            let (_home, context) = home(&format!("[profile x]\ncredential_process = {command}\n"), "");
            let profiles = Profiles::load(&context).unwrap();
            assert_eq!(profiles.get("x").unwrap().called_profile().as_deref(), name, "{command}");
        }
    }
}
