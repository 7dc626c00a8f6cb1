//! Profiles as the AWS CLI reads them, from `~/.aws/config` and `~/.aws/credentials`.
//!
//! The AWS CLI parses both with Python's `configparser.RawConfigParser` (botocore,
//! `configloader.py`): comments stand on lines of their own, quotes and `#` belong to the value,
//! indented lines continue it, keys are not case-sensitive, and a section or key that is there
//! twice is an error.

pub mod copies;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::config::Origin;
use crate::context::Context;
use crate::files::read_regular;
use crate::problem::Problem;
use crate::secret::Secret;

/// The largest AWS file that is read, in bytes.
pub(crate) const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// For so many lines there is room from the beginning.
const ROOM: usize = 10_000;

/// Both AWS files.
pub struct Profiles {
    config: AwsFile,
    credentials: AwsFile,
}

/// One profile: what both files say of it. `~/.aws/credentials` wins, as with the AWS CLI.
#[derive(Clone, Copy)]
pub struct Profile<'a> {
    /// Its name.
    pub name: &'a str,
    config: Option<(&'a AwsFile, &'a Section)>,
    credentials: Option<(&'a AwsFile, &'a Section)>,
}

/// A file is kept as text; sections and values say where in it they stand. So a thousand profiles
/// that no one asks for cost a look at each line and little more.
struct AwsFile {
    path: PathBuf,
    text: Zeroizing<String>,
    sections: Vec<Section>,
    values: Vec<Value>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Profile,
    Services,
    SsoSession,
    /// Settings of the AWS CLI itself, for all profiles: `[plugins]`, `[preview]`.
    OfCli,
}

struct Section {
    kind: Kind,
    name: String,
    line: usize,
    /// Which of the file's values are its own.
    values: Range<usize>,
}

/// Bytes of the text, and the line on which the key stands.
struct Value {
    key: Range<usize>,
    range: Range<usize>,
    line: usize,
}

impl Profiles {
    /// Reads both files, from where AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE or the
    /// defaults say. A file that isn't there is empty.
    ///
    /// # Errors
    /// A file that can't be read or parsed.
    pub fn load(context: &Context) -> Result<Self, Problem> {
        let path = |variable, name: &str| match context.env.filled(variable) {
            Some(path) => context.expand(path),
            None => context.paths.home.join(".aws").join(name),
        };
        Ok(Self {
            config: AwsFile::load(path("AWS_CONFIG_FILE", "config"), config_section)?,
            credentials: AwsFile::load(path("AWS_SHARED_CREDENTIALS_FILE", "credentials"), |header| {
                Some((Kind::Profile, header.to_owned()))
            })?,
        })
    }

    /// A profile by its name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Profile<'_>> {
        let config = self.config.section(Kind::Profile, name);
        let credentials = self.credentials.section(Kind::Profile, name);
        let Section { name, .. } = config.or(credentials)?;
        Some(Profile {
            name,
            config: config.map(|section| (&self.config, section)),
            credentials: credentials.map(|section| (&self.credentials, section)),
        })
    }

    /// A `[services NAME]` section's endpoint for a service such as `sts`, if it sets one.
    #[must_use]
    pub fn endpoint_of_services(&self, services: &str, service: &str) -> Option<&str> {
        let section = self.config.section(Kind::Services, services)?;
        let nested = &self.config.text[self.config.value(section, service)?.range.clone()];
        nested.lines().find_map(|line| {
            let (key, value) = line.split_once('=')?;
            (key.trim() == "endpoint_url").then(|| value.trim())
        })
    }

    /// An `[sso-session NAME]` section.
    #[must_use]
    pub fn sso_session(&self, name: &str) -> Option<Profile<'_>> {
        let section = self.config.section(Kind::SsoSession, name)?;
        Some(Profile { name: &section.name, config: Some((&self.config, section)), credentials: None })
    }

    /// The names of all profiles, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let sections = self.config.sections.iter().chain(&self.credentials.sections);
        let profiles = sections.filter(|section| section.kind == Kind::Profile);
        let mut names: Vec<&str> = profiles.map(|section| section.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The paths of the two files, for messages.
    #[must_use]
    pub fn paths(&self) -> [&Path; 2] {
        [&self.config.path, &self.credentials.path]
    }
}

impl<'a> Profile<'a> {
    /// A value, if it is there and not empty.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&'a str> {
        self.find(key).map(|(file, value)| file.text[value.range.clone()].trim()).filter(|text| !text.is_empty())
    }

    /// A secret value.
    #[must_use]
    pub fn secret(&self, key: &str) -> Option<Secret> {
        self.text(key).map(Secret::new)
    }

    /// Where a key stands, or else the profile.
    #[must_use]
    pub fn origin(&self, key: &str) -> Origin {
        let section = self.config.or(self.credentials);
        let (file, line) = match (self.find(key), section) {
            (Some((file, value)), _) => (file.path.clone(), value.line),
            (None, Some((file, section))) => (file.path.clone(), section.line),
            (None, None) => (PathBuf::new(), 0),
        };
        Origin { file, line }
    }

    /// Whether the profile has keys of its own. To the AWS CLI one half is enough to count.
    #[must_use]
    pub fn has_static_keys(&self) -> bool {
        self.text("aws_access_key_id").is_some() || self.text("aws_secret_access_key").is_some()
    }

    /// Whether it has credentials without anyone else's.
    #[must_use]
    pub fn has_own_source(&self) -> bool {
        const OWN: [&str; 4] = ["sso_session", "sso_start_url", "login_session", "credential_process"];
        self.has_static_keys() || OWN.iter().any(|key| self.text(key).is_some())
    }

    /// Whether it has keys in `~/.aws/credentials`. There they go before a program or a console
    /// session of the same profile, while those in `~/.aws/config` come after (botocore).
    #[must_use]
    pub fn has_keys_in_credentials_file(&self) -> bool {
        self.credentials.is_some_and(|(file, section)| file.value(section, "aws_access_key_id").is_some())
    }

    fn find(&self, key: &str) -> Option<(&'a AwsFile, &'a Value)> {
        [self.credentials, self.config]
            .into_iter()
            .flatten()
            .find_map(|(file, section)| Some((file, file.value(section, key)?)))
    }
}

impl AwsFile {
    fn load(path: PathBuf, name_of: impl Fn(&str) -> Option<(Kind, String)>) -> Result<Self, Problem> {
        let bytes = match read_regular(&path, MAX_BYTES) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(e) => {
                return Err(Problem::new(format!("{} can't be read", path.display()))
                    .because(e)
                    .hint("the profiles in it are needed to find out who you are; make it a readable file"));
            }
        };
        let text = String::from_utf8(bytes).map_err(|e| {
            let line = crate::discover::line_of(e.as_bytes(), e.utf8_error().valid_up_to());
            Problem::new(format!("{}:{line}: the file isn't valid UTF-8", path.display()))
        })?;
        let mut file = Self { path, text: Zeroizing::new(text), sections: Vec::new(), values: Vec::new() };
        (file.sections, file.values) = file.parse(name_of)?;
        Ok(file)
    }

    /// A section by its name; of two that mean the same, the later one.
    fn section(&self, kind: Kind, name: &str) -> Option<&Section> {
        self.sections.iter().rev().find(|section| section.kind == kind && section.name == name)
    }

    fn value(&self, section: &Section, key: &str) -> Option<&Value> {
        self.values[section.values.clone()].iter().find(|value| lowercase(&self.text[value.key.clone()]) == key)
    }

    fn parse(&self, name_of: impl Fn(&str) -> Option<(Kind, String)>) -> Result<(Vec<Section>, Vec<Value>), Problem> {
        let wrong = |line: usize, what: &str| {
            Problem::new(format!("{}:{line}: {what}", self.path.display()))
                .hint("the AWS CLI can't read the file either; mend the line")
        };
        // Room for a large file at once: to grow would take longer than to read it.
        let lines = self.text.bytes().filter(|byte| *byte == b'\n').count().min(ROOM);
        let (mut sections, mut values): (Vec<Section>, Vec<Value>) = (Vec::new(), Vec::with_capacity(lines));
        // Whether the section being read is one that anybody asks for; before the first one, nothing.
        let mut of_interest: Option<bool> = None;
        let mut headers: HashMap<&str, usize> = HashMap::with_capacity(lines / 4);
        let mut keys: BTreeMap<Cow<'_, str>, usize> = BTreeMap::new();
        let mut key_indent: Option<usize> = None;
        let mut start = 0;
        for (index, raw) in self.text.split_inclusive('\n').enumerate() {
            let (line, at) = (index + 1, start);
            start += raw.len();
            let trimmed = raw.trim();
            if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
                continue;
            }
            let indent = raw.len() - raw.trim_start().len();
            let end = at + indent + trimmed.len();
            if key_indent.is_some_and(|its_indent| indent > its_indent) {
                if let (Some(true), Some(value)) = (of_interest, values.last_mut()) {
                    value.range.end = end;
                }
                continue;
            }
            if let Some(header) = trimmed.strip_prefix('[').and_then(|rest| Some(&rest[..rest.rfind(']')?])) {
                if header.is_empty() {
                    return Err(wrong(line, "a section needs a name"));
                }
                if let Some(first) = headers.insert(header, line) {
                    return Err(wrong(line, &format!("[{header}] is there already, on line {first}")));
                }
                let named = name_of(header);
                of_interest = Some(named.is_some());
                if let Some((kind, name)) = named {
                    sections.push(Section { kind, name, line, values: values.len()..values.len() });
                }
                keys.clear();
                key_indent = None;
                continue;
            }
            let Some(of_interest) = of_interest else {
                return Err(wrong(line, "a key stands before the first [section]"));
            };
            let Some(split) = trimmed.find(['=', ':']) else {
                return Err(wrong(line, "neither a [section] nor `key = value`"));
            };
            key_indent = Some(indent);
            if !of_interest {
                continue;
            }
            let name = trimmed[..split].trim_end();
            if let Some(first) = keys.insert(lowercase(name), line) {
                return Err(wrong(line, &format!("`{}` is there already, on line {first}", lowercase(name))));
            }
            let (key, value) = (at + indent, at + indent + split + 1);
            values.push(Value { key: key..key + name.len(), range: value..end.max(value), line });
            if let Some(section) = sections.last_mut() {
                section.values.end = values.len();
            }
        }
        Ok((sections, values))
    }
}

/// A key as it is looked up: Python's `lower`, which most keys don't need.
fn lowercase(key: &str) -> Cow<'_, str> {
    match key.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        true => Cow::Borrowed(key),
        false => Cow::Owned(key.to_lowercase()),
    }
}

/// What a header of the config file names: `[default]`, `[profile x]`, `[profile "a b"]`,
/// `[services x]`, `[sso-session x]`. Other sections are of no interest.
fn config_section(header: &str) -> Option<(Kind, String)> {
    if header == "default" {
        return Some((Kind::Profile, header.to_owned()));
    }
    if matches!(header, "plugins" | "preview") {
        return Some((Kind::OfCli, header.to_owned()));
    }
    let (kind, name) = header.split_once(char::is_whitespace)?;
    let kind = match kind {
        "profile" => Kind::Profile,
        "services" => Kind::Services,
        "sso-session" => Kind::SsoSession,
        _ => return None,
    };
    Some((kind, unquote(name.trim())?))
}

/// One word, perhaps in quotes, as Python's `shlex` takes it; `None` for several.
fn unquote(text: &str) -> Option<String> {
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return (!inner.contains(quote)).then(|| inner.to_owned());
        }
    }
    (!text.is_empty() && !text.contains(char::is_whitespace)).then(|| text.to_owned())
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::context::{Env, Paths};
    use crate::vault::tests::Shelf;

    /// Profiles from two texts, and the context in which they lie.
    pub(crate) fn home(config: &str, credentials: &str) -> (tempfile::TempDir, Context) {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().to_owned();
        crate::files::write_private(&root.join(".aws/config"), config.as_bytes()).unwrap();
        crate::files::write_private(&root.join(".aws/credentials"), credentials.as_bytes()).unwrap();
        let paths = Paths {
            config: root.join("config"),
            data: root.join("data"),
            state: root.join("state"),
            cache: root.join("cache"),
            home: root.clone(),
        };
        let (env, now, keys) = (Env::default(), SystemTime::UNIX_EPOCH, Shelf::new());
        (home, Context { dir: root, env, now, paths, keys, host: || "host".to_owned() })
    }

    fn load(config: &str, credentials: &str) -> Result<Profiles, Problem> {
        Profiles::load(&home(config, credentials).1)
    }

    #[test]
    fn reads_what_the_aws_cli_reads() {
        let profiles = load(
            "# comment\n[default]\nregion = us-east-1 # not a comment\n[profile \"two words\"]\nRegion: \"eu-west-1\"\n[profile p]\nrole_arn=a=b:c\ns3 =\n  max = 2\nregion = x\n[plain]\nregion = no\n[services local]\nsts =\n  endpoint_url = http://127.0.0.1:1\n",
            "[p]\nregion = y\naws_access_key_id = AKIA\naws_secret_access_key = a#b\"c\n",
        )
        .unwrap();
        let text = |profile: &str, key: &str| profiles.get(profile).and_then(|p| p.text(key)).map(str::to_owned);
        assert_eq!(text("default", "region").unwrap(), "us-east-1 # not a comment");
        assert_eq!(text("two words", "region").unwrap(), "\"eu-west-1\"");
        assert_eq!(text("p", "role_arn").unwrap(), "a=b:c");
        assert_eq!(text("p", "s3").unwrap(), "max = 2");
        assert_eq!(text("p", "region").unwrap(), "y", "the credentials file wins");
        assert_eq!(profiles.get("p").unwrap().secret("aws_secret_access_key").unwrap().expose(), "a#b\"c");
        assert!(profiles.get("plain").is_none(), "[plain] in the config file is no profile");
        assert_eq!(profiles.names(), ["default", "p", "two words"]);
        assert_eq!(profiles.get("p").unwrap().origin("role_arn").line, 7);
        assert_eq!(profiles.endpoint_of_services("local", "sts"), Some("http://127.0.0.1:1"));
    }

    #[test]
    fn says_the_line_that_can_not_be_read() {
        for (config, expected) in [
            ("region = x\n", ":1: a key stands before"),
            ("[default]\nnonsense\n", ":2: neither"),
            ("[default]\na = 1\nA = 2\n", ":3: `a` is there already, on line 2"),
            ("[default]\n\n[default]\n", ":3: [default] is there already, on line 1"),
            ("[]\n", ":1: a section needs a name"),
        ] {
            let problem = load(config, "").err().unwrap();
            assert!(problem.summary.contains(expected), "{problem}");
        }
    }

    #[test]
    fn an_unreadable_file_is_named() {
        let (_home, context) = home("", "");
        std::fs::remove_file(context.paths.home.join(".aws/config")).unwrap();
        std::fs::create_dir(context.paths.home.join(".aws/config")).unwrap();
        let problem = Profiles::load(&context).err().unwrap();
        assert!(problem.summary.ends_with(".aws/config can't be read"), "{problem}");
    }
}
