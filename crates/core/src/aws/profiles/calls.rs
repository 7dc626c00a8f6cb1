//! Finds out which profile a `credential_process` that is awsrole uses.

use std::path::Path;

use super::{Profile, names};

impl Profile<'_> {
    /// Returns the words of the `credential_process`: the program and its arguments.
    #[must_use]
    pub fn process_words(&self) -> Option<Vec<String>> {
        names::words(self.text("credential_process")?)
    }

    /// Returns the profile whose credentials the `credential_process` prints, if it is `awsrole credential-process
    /// --profile NAME`.
    #[must_use]
    pub fn called_profile(&self) -> Option<String> {
        option(&self.words_of_awsrole()?, "--profile")
    }

    /// Returns the directory and the role whose credentials the `credential_process` prints, if it is `awsrole
    /// credential-process --dir DIR [--role NAME]`.
    #[must_use]
    pub fn called_project(&self) -> Option<(String, Option<String>)> {
        let words = self.words_of_awsrole()?;
        Some((option(&words, "--dir")?, option(&words, "--role")))
    }

    /// Returns the options of `awsrole credential-process`, if that is the `credential_process`.
    fn words_of_awsrole(&self) -> Option<Vec<String>> {
        let mut words = self.process_words()?;
        let is_awsrole = Path::new(words.first()?).file_name()? == "awsrole" && words.get(1)? == "credential-process";
        is_awsrole.then(|| words.split_off(2))
    }
}

/// Returns the value of an option, `NAME VALUE` or `NAME=VALUE`.
fn option(words: &[String], name: &str) -> Option<String> {
    words.iter().enumerate().find_map(|(at, word)| match word.strip_prefix(name)? {
        "" => words.get(at + 1).cloned(),
        rest => rest.strip_prefix('=').map(str::to_owned),
    })
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
