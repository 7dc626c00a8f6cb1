//! Writes an `[sso-session NAME]` to the AWS CLI's config file.

use std::path::{Path, PathBuf};

use super::{DEFAULT_SCOPE, SsoSession};
use crate::aws::parameters::Region;
use crate::aws::profiles::{Profile, Profiles};
use crate::base::context::Context;
use crate::base::files::FileError;
use crate::base::problem::Problem;
use crate::base::user_file::{ReplaceError, UserFile};

/// The longest name of a new session.
const MAX_NAME: usize = 64;

/// The number of times that the section is added to a file that other programs change at the same time.
const MAX_ATTEMPTS: u32 = 3;

/// A session that the user described with options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSession {
    name: Option<String>,
    start_url: String,
    region: Region,
}

impl NewSession {
    /// Checks the values of the options.
    ///
    /// # Errors
    /// Fails for a start URL, region or name that isn't valid.
    pub fn of_options(name: Option<String>, start_url: String, region: &str) -> Result<Self, Problem> {
        let host = start_url.strip_prefix("https://").map(|rest| rest.split(['/', '?', '#']).next().unwrap_or(rest));
        let valid = |host: &&str| {
            host.split('.').all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'))
                && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
        };
        let printable = start_url.len() <= 2048 && start_url.bytes().all(|byte| byte.is_ascii_graphic());
        if host.filter(valid).is_none() || !printable {
            return Err(Problem::new("--start-url: this isn't the start URL of an access portal")
                .hint("such as https://corp.awsapps.com/start: an administrator finds it in IAM Identity Center"));
        }
        let region = Region::parse(region)
            .map_err(|e| Problem::new(format!("--region {e}")).hint("it is the region of IAM Identity Center"))?;
        let character = |byte: u8| byte.is_ascii_alphanumeric() || b"_.@+-".contains(&byte);
        let named = |name: &String| {
            (1..=MAX_NAME).contains(&name.len()) && !name.starts_with('-') && name.bytes().all(character)
        };
        if name.as_ref().is_some_and(|name| !named(name)) {
            return Err(Problem::new("the name of a session consists of letters, digits and `_.@+-`")
                .hint(format!("it has up to {MAX_NAME} characters, such as corp")));
        }
        Ok(Self { name, start_url, region })
    }

    /// Returns the first label of the start URL's host: `corp` of `https://corp.awsapps.com/start`.
    fn default_name(&self) -> &str {
        let host = self.start_url.strip_prefix("https://").unwrap_or_default();
        host.split(['.', '/']).next().unwrap_or_default()
    }

    /// Returns the session, which need not exist yet.
    ///
    /// Without a name, a session of any name with these values is used.
    ///
    /// # Errors
    /// Fails if a session of this name has other values, and if the file can't be read.
    pub fn session(&self, context: &Context) -> Result<SsoSession, Problem> {
        let profiles = Profiles::load(context)?;
        let (name, exists) = self.find(&profiles)?;
        if exists {
            return SsoSession::named(&name, &profiles, context);
        }
        let scopes = Some(vec![DEFAULT_SCOPE.to_owned()]);
        SsoSession::at(&name, self.start_url.clone(), self.region.clone(), scopes, &profiles, context)
    }

    /// Appends the section to the config file, unless it exists. Everything else in the file stays as it is, byte by
    /// byte. Returns the name of the session, and the file if it was written.
    ///
    /// # Errors
    /// Fails if a session of this name has other values, and if the file can't be read or written, or keeps changing.
    pub fn write(&self, context: &Context) -> Result<(String, Option<PathBuf>), Problem> {
        let [path, _] = Profiles::load(context)?.paths().map(Path::to_owned);
        if path.as_os_str().is_empty() {
            return Err(Problem::new("AWS_CONFIG_FILE is set to nothing, so there is no file to write to")
                .hint("unset it, or set it to a path"));
        }
        let unread = |e: FileError| {
            Problem::new(format!("{} was not changed", context.shorten(&path))).because(&e).hint(e.hint())
        };
        let mut attempts = MAX_ATTEMPTS;
        loop {
            // It is read before the sections are, so that a section that is added in between isn't added again.
            let file = UserFile::read(&path).map_err(unread)?;
            let (name, exists) = self.find(&Profiles::load(context)?)?;
            if exists {
                return Ok((name, None));
            }
            let before = file.content().unwrap_or_default();
            let after = [before, block(before, &name, &self.start_url, &self.region).as_bytes()].concat();
            attempts -= 1;
            match file.replace(Some(&after), 0o600, &context.paths) {
                Ok(()) => return Ok((name, Some(path))),
                // Two terminals that signed in to the session together write it at the same time.
                Err(ReplaceError::Changed) if attempts > 0 => {}
                Err(error) => return Err(error.problem(&path, context)),
            }
        }
    }

    /// Returns the name of the session, and whether it exists with these values.
    fn find(&self, profiles: &Profiles) -> Result<(String, bool), Problem> {
        let all = profiles.sso_sessions();
        let is_known = |section: &&Profile<'_>| {
            section.text("sso_start_url") == Some(&self.start_url)
                && section.text("sso_region") == Some(self.region.as_str())
                && self.name.as_deref().is_none_or(|name| name == section.name)
        };
        if let Some(known) = all.iter().find(is_known) {
            return Ok((known.name.to_owned(), true));
        }
        let name = self.name.as_deref().unwrap_or(self.default_name());
        let Some(other) = profiles.sso_session(name) else { return Ok((name.to_owned(), false)) };
        let [url, region] = ["sso_start_url", "sso_region"].map(|key| other.text(key).unwrap_or("not set"));
        Err(Problem::new(format!("{}: [sso-session {name}] has other values", other.origin("")))
            .because(format!("its start URL is {url}, its region is {region}"))
            .hint(format!("edit it, or give the new session another name: `awsrole login … {name}-2`")))
    }
}

/// Returns the section with the line ends of the file, after an empty line.
fn block(before: &[u8], name: &str, start_url: &str, region: &Region) -> String {
    let unfinished = if before.is_empty() || before.ends_with(b"\n") { "" } else { "\n" };
    let separator = if before.is_empty() { "" } else { "\n" };
    let text = format!(
        "{unfinished}{separator}[sso-session {name}]\nsso_start_url = {start_url}\nsso_region = {}\nsso_registration_scopes = {DEFAULT_SCOPE}\n",
        region.as_str()
    );
    if before.windows(2).any(|pair| pair == b"\r\n") { text.replace('\n', "\r\n") } else { text }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;
    use crate::aws::profiles::tests::home;

    const URL: &str = "https://corp.awsapps.com/start";

    fn new(name: Option<&str>, url: &str, region: &str) -> Result<NewSession, Problem> {
        NewSession::of_options(name.map(str::to_owned), url.to_owned(), region)
    }

    #[test]
    fn appends_the_section_and_changes_nothing_else() {
        for (before, separator, end) in [
            ("", "", "\n"),
            ("[default]\r\nregion = x\r\n", "\r\n", "\r\n"),
            ("# mine\n[profile a]\nregion = x", "\n\n", "\n"),
            ("[profile a]\ns3 =\n    x = y\n", "\n", "\n"),
        ] {
            let (_home, context) = home(before, "");
            let (path, target) = (context.paths.home.join(".aws/config"), context.paths.home.join("real"));
            fs::rename(&path, &target).unwrap();
            symlink("../real", &path).unwrap();
            fs::set_permissions(&target, fs::Permissions::from_mode(0o640)).unwrap();
            let new_session = new(None, URL, "eu-west-1").unwrap();
            let before_it = new_session.session(&context).unwrap();
            assert_eq!(new_session.write(&context).unwrap(), ("corp".to_owned(), Some(path.clone())));
            let lines = format!(
                "[sso-session corp]\nsso_start_url = {URL}\nsso_region = eu-west-1\nsso_registration_scopes = sso:account:access\n"
            );
            let expected = format!("{before}{separator}{}", lines.replace('\n', end));
            assert_eq!(fs::read_to_string(&target).unwrap(), expected);
            assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
            assert_eq!(fs::metadata(&target).unwrap().mode() & 0o777, 0o640);
            let session = SsoSession::named("corp", &Profiles::load(&context).unwrap(), &context).unwrap();
            assert_eq!((session.start_url.as_str(), session.region.as_str()), (URL, "eu-west-1"));
            assert_eq!(session, before_it);
            // The same values are used as they are, under any name.
            assert_eq!(new(None, URL, "eu-west-1").unwrap().write(&context).unwrap().1, None);
            assert_eq!(new(Some("corp"), URL, "eu-west-1").unwrap().write(&context).unwrap().1, None);
            let problem = new(None, URL, "eu-west-2").unwrap().write(&context).unwrap_err();
            assert!(problem.summary.ends_with("[sso-session corp] has other values"), "{}", problem.summary);
            assert_eq!(fs::read_to_string(&target).unwrap(), expected);
        }
    }

    #[test]
    fn creates_a_private_file() {
        let (_home, context) = home("", "");
        let path = context.paths.home.join(".aws/config");
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
        new(Some("my-corp"), URL, "us-east-1").unwrap().write(&context).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert!(fs::read_to_string(&path).unwrap().starts_with("[sso-session my-corp]\n"));
        // A directory that exists keeps its mode.
        let dir = path.parent().unwrap();
        fs::remove_file(&path).unwrap();
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
        new(Some("my-corp"), URL, "us-east-1").unwrap().write(&context).unwrap();
        assert_eq!(fs::metadata(dir).unwrap().mode() & 0o777, 0o755);
    }

    #[test]
    fn rejects_values_that_would_change_the_file_otherwise() {
        for url in [
            "",
            "http://corp.awsapps.com/start",
            "https://",
            "https:///start",
            "https://a b/",
            "https://x\n[y]",
            "https://user@host/",
            "https://-x.example.com",
            "corp.awsapps.com",
        ] {
            assert!(new(None, url, "us-east-1").is_err(), "{url}");
        }
        for name in ["", "a b", "a]", "-x", "a\nb", "größe"] {
            assert!(new(Some(name), URL, "us-east-1").is_err(), "{name}");
        }
        assert!(new(None, URL, "US East").is_err());
        assert_eq!(
            new(None, "https://d-1234567890.awsapps.com/start#/", "us-east-1").unwrap().default_name(),
            "d-1234567890"
        );
    }
}
