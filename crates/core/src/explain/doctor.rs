//! Checks of this machine that only need to read files.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::aws::access_keys::Record;
use crate::aws::credentials_file::backup_path;
use crate::aws::endpoint::{self, CaBundle};
use crate::aws::profiles::Profiles;
use crate::base::cache_key_backend::KeyUnavailable;
use crate::base::context::Context;
use crate::explain::startup;
use crate::plan::resolve::check_profile;
use crate::session::encryption::{CacheEncryption, Protection};
use crate::settings::user_config::Settings;
use crate::shell::statements::Shell;

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// No problem.
    Ok,
    /// Useful information.
    Note,
    /// Something doesn't work.
    Bad,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The severity.
    pub level: Level,
    /// The subject of the check.
    pub about: String,
    /// The result.
    pub text: String,
    /// How to fix it.
    pub hint: Option<String>,
}

impl Finding {
    /// Creates a finding without a hint.
    pub fn new(level: Level, about: impl Into<String>, text: impl Into<String>) -> Self {
        Self { level, about: about.into(), text: text.into(), hint: None }
    }

    /// Adds a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Checks rc files, awsrole's own directories and the AWS files.
///
/// `is_judged` means that it is known whether the shell that called awsrole has the hook. A line that is missing in a
/// startup file is then only a note.
#[must_use]
pub fn examine(context: &Context, settings: &Settings, is_judged: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    hooks(context, is_judged, &mut findings);
    startup_files(context, is_judged, &mut findings);
    own_directories(context, &mut findings);
    // Testing the cache would make a directory private that was just reported, and fail if another user owns it.
    let has_bad_cache = findings.iter().any(|finding| finding.about == "cache" && finding.level == Level::Bad);
    match settings.get() {
        // Without the settings it isn't known where the key is stored.
        Err(problem) => findings.push(Finding {
            hint: problem.hints.first().cloned(),
            ..Finding::new(Level::Bad, "config.toml", problem.summary)
        }),
        Ok(_) if has_bad_cache => {}
        Ok(_) => findings.push(protection(context, settings)),
    }
    if let Some(shown) = settings.organization() {
        let path = context.paths.organization.display();
        findings.push(Finding::new(Level::Ok, "organization", format!("{path}: {shown}")));
    }
    aws_files(context, &mut findings);
    network(context, &mut findings);
    findings
}

/// Returns the rc files of each shell, in the order in which they are read.
fn rc_files(context: &Context) -> [(Shell, Vec<PathBuf>); 3] {
    let home = &context.paths.home;
    let zdotdir = context.env.filled("ZDOTDIR").map_or_else(|| home.clone(), PathBuf::from);
    let config = context.env.filled("XDG_CONFIG_HOME").map_or_else(|| home.join(".config"), PathBuf::from);
    let mut fish = vec![config.join("fish/config.fish")];
    let parts = fs::read_dir(config.join("fish/conf.d")).into_iter().flatten().flatten().map(|entry| entry.path());
    fish.extend(parts.filter(|path| path.extension().is_some_and(|extension| extension == "fish")));
    [
        (Shell::Bash, vec![home.join(".bashrc"), home.join(".bash_profile"), home.join(".profile")]),
        (Shell::Zsh, vec![zdotdir.join(".zshrc"), zdotdir.join(".zprofile")]),
        (Shell::Fish, fish),
    ]
}

fn hooks(context: &Context, is_judged: bool, findings: &mut Vec<Finding>) {
    const NEIGHBOURS: [(&str, &str); 5] = [
        ("direnv", "direnv hook"),
        ("mise", "mise activate"),
        ("starship", "starship init"),
        ("bash-preexec", "bash-preexec"),
        ("shadowenv", "shadowenv init"),
    ];
    let mut installed = false;
    for (shell, files) in rc_files(context) {
        for file in files {
            let Ok(text) = fs::read_to_string(&file) else { continue };
            let shown = context.shorten(&file);
            let line_with = |what: &str| {
                let hit = |line: &str| line.contains(what) && !line.trim_start().starts_with('#');
                text.lines().position(hit).map(|index| index + 1)
            };
            let own = line_with("awsrole hook");
            if let Some(line) = own {
                installed = true;
                findings.push(Finding::new(Level::Ok, "hook", format!("{} in {shown}:{line}", shell.name())));
            }
            let beside = NEIGHBOURS.iter().filter_map(|(name, what)| Some((name, line_with(what)?)));
            for (name, line) in beside.filter(|_| own.is_some()) {
                let order = if Some(line) < own { "before" } else { "after" };
                findings.push(Finding::new(
                    Level::Note,
                    "neighbour",
                    format!("{name} in {shown}:{line}, {order} awsrole: both orders work"),
                ));
            }
        }
    }
    if !installed && !is_judged && account_shell(context).is_none() {
        findings.push(
            Finding::new(Level::Bad, "hook", "no shell's rc file has it")
                .hint("~/.bashrc: eval \"$(awsrole hook bash)\"; ~/.zshrc: eval \"$(awsrole hook zsh)\"; config.fish: awsrole hook fish | source"),
        );
    }
}

/// Returns the shell of the user's account.
fn account_shell(context: &Context) -> Option<Shell> {
    context.env.text("SHELL").and_then(|path| Shell::parse(path.rsplit('/').next()?))
}

/// Reports startup files that load the hook twice, load that of another shell, or load it only in some of the user's
/// shells.
fn startup_files(context: &Context, is_judged: bool, findings: &mut Vec<Finding>) {
    let shells = [Shell::Bash, Shell::Zsh, Shell::Fish].into_iter().flat_map(|shell| [(shell, false), (shell, true)]);
    let mut listed = Vec::new();
    let mut tell = |level, text: String, hint: String| {
        if !listed.contains(&text) {
            listed.push(text.clone());
            findings.push(Finding::new(level, "startup", text).hint(hint));
        }
    };
    for (shell, login) in shells {
        let found = startup::read(context, shell, login);
        if let [first, .., last] = found.hooks.as_slice() {
            let (first, last) = (first.shown(context), last.shown(context));
            tell(Level::Note, format!("{} loads it twice: {first} and {last}", shell.name()), format!("remove {last}"));
        }
        for (line, loaded) in &found.foreign {
            let text =
                format!("{} reads {}, which loads the hook of {}", shell.name(), line.shown(context), loaded.name());
            tell(Level::Bad, text, format!("write instead: {}", startup::hook_line(shell)));
        }
    }
    // The shell of the user's account, and the login shells of a bash that has the hook otherwise.
    let account = account_shell(context).map(|shell| (shell, false, "is your account's shell and"));
    let login_files = startup::read(context, Shell::Bash, true).files;
    let has_login_file = login_files.iter().any(|file| file.starts_with(&context.paths.home));
    let installed = !startup::read(context, Shell::Bash, false).hooks.is_empty();
    let login = installed.then_some((Shell::Bash, true, "as a login shell"));
    for (shell, login, why) in account.into_iter().chain(login) {
        let Some(missing) = startup::missing_line(context, shell, login) else { continue };
        let level = if is_judged || login && !has_login_file { Level::Note } else { Level::Bad };
        let elsewhere = missing.elsewhere.map(|line| format!(", only in {}", line.shown(context))).unwrap_or_default();
        let text = format!("{} {why} doesn't load it{elsewhere}", shell.name());
        tell(level, text, format!("add to {}: {}", context.shorten(&missing.file), missing.line));
    }
}

fn own_directories(context: &Context, findings: &mut Vec<Finding>) {
    let paths = &context.paths;
    for (about, dir) in [("cache", &paths.cache), ("approvals", &paths.data), ("state", &paths.state)] {
        let shown = context.shorten(dir);
        match fs::metadata(dir) {
            Err(_) => findings.push(Finding::new(Level::Note, about, format!("{shown} doesn't exist yet"))),
            Ok(found) if found.uid() != rustix::process::geteuid().as_raw() => {
                findings.push(
                    Finding::new(Level::Bad, about, format!("{shown} belongs to another user"))
                        .hint(format!("sudo chown -R \"$USER\" {shown}")),
                );
            }
            Ok(found) if found.mode() & 0o077 != 0 => {
                findings.push(
                    Finding::new(Level::Bad, about, format!("{shown} can be entered by others"))
                        .hint(format!("chmod 700 {shown}")),
                );
            }
            Ok(found) if found.mode() & 0o200 == 0 => {
                findings.push(
                    Finding::new(Level::Bad, about, format!("{shown} is read-only")).hint(format!("chmod u+w {shown}")),
                );
            }
            Ok(_) => findings.push(Finding::new(Level::Ok, about, format!("{shown} (private)"))),
        }
    }
}

/// Reports whether the cache is encrypted and where the key is stored. Tests it by writing, reading and removing a
/// file.
fn protection(context: &Context, settings: &Settings) -> Finding {
    let proven = CacheEncryption::of_cache(context, settings.or_default().key).prove();
    let text = describe(&proven);
    match proven {
        Protection::Nothing(_) => Finding::new(Level::Bad, "encryption", text).hint(if cfg!(target_os = "linux") {
            "each shell calls STS and prompts for MFA codes separately: set XDG_RUNTIME_DIR to a private directory in memory (a tmpfs, in a container by `--tmpfs`), or `[cache] key = \"none\"` in your config.toml for files without encryption"
        } else {
            "each shell calls STS and prompts for MFA codes separately: `[cache] key = \"none\"` in your config.toml caches credentials without encryption"
        }),
        Protection::Plain => Finding::new(Level::Note, "encryption", text),
        Protection::Encrypted(_) => Finding::new(Level::Ok, "encryption", text),
    }
}

/// Describes in one line how cached credentials are protected.
#[must_use]
pub fn protected(context: &Context, settings: &Settings) -> String {
    describe(&CacheEncryption::of_cache(context, settings.or_default().key).protection())
}

fn describe(protection: &Protection) -> String {
    match protection {
        Protection::Encrypted(place) => {
            format!("cached credentials are encrypted, and their key is in {}", place.shown())
        }
        Protection::Plain => {
            "cached credentials are private files without encryption, as set in your config.toml".to_owned()
        }
        Protection::Nothing(reasons) => {
            format!(
                "no credentials are cached, because no encryption key can be stored: {}",
                KeyUnavailable::join(reasons)
            )
        }
    }
}

fn aws_files(context: &Context, findings: &mut Vec<Finding>) {
    let profiles = match Profiles::load(context) {
        Ok(profiles) => profiles,
        Err(problem) => {
            let hint = problem.hints.first().cloned().unwrap_or_default();
            findings.push(Finding::new(Level::Bad, "AWS files", problem.summary).hint(hint));
            return;
        }
    };
    for path in profiles.paths() {
        findings.push(aws_file(context, path));
    }
    for odd in profiles.warnings() {
        let place = format!("{}:{}", context.shorten(&odd.at.file), odd.at.line);
        findings.push(Finding::new(Level::Note, "AWS files", format!("{place}: {}", odd.text)));
    }
    for record in Record::all(&context.paths) {
        let Some(profile) = profiles.get(&record.profile).filter(|profile| profile.has_static_keys()) else { continue };
        let file = context.shorten(&profile.origin("aws_access_key_id").file);
        let (name, store) = (&record.profile, record.store);
        findings.push(
            Finding::new(
                Level::Note,
                "keys",
                format!("profile {name} has keys in {file} and in {store}: those in the file take precedence"),
            )
            .hint(format!("remove the lines from {file}, or run `awsrole keys remove {name}`")),
        );
    }
    for path in profiles.paths() {
        let copy = backup_path(path);
        if copy.exists() {
            findings.push(
                Finding::new(
                    Level::Bad,
                    "keys",
                    format!("{} contains unencrypted keys: an import was interrupted", context.shorten(&copy)),
                )
                .hint(format!(
                    "check that `awsrole keys list` shows them, then remove it: rm {}",
                    context.shorten(&copy)
                )),
            );
        }
    }
    for name in profiles.names() {
        match check_profile(&profiles, context, name) {
            Ok(()) => findings.push(Finding::new(Level::Ok, "profile", name)),
            Err(problem) => {
                let mut finding =
                    Finding::new(Level::Note, "profile", format!("{name} can't be resolved: {}", problem.summary));
                finding.hint = problem.hints.first().cloned();
                findings.push(finding);
            }
        }
    }
}

fn aws_file(context: &Context, path: &Path) -> Finding {
    let shown = context.shorten(path);
    match fs::metadata(path) {
        Err(_) => Finding::new(Level::Note, "AWS files", format!("{shown} isn't there")),
        Ok(found) if found.mode() & 0o077 != 0 && path.ends_with("credentials") => {
            Finding::new(Level::Bad, "AWS files", format!("{shown} can be read by others"))
                .hint(format!("chmod 600 {shown}"))
        }
        Ok(found) => match foreign_owner(&shown, &found) {
            Some(text) => Finding::new(Level::Note, "AWS files", text),
            None => Finding::new(Level::Ok, "AWS files", shown),
        },
    }
}

/// Returns a line for each AWS file that belongs to another user.
///
/// awsrole reads such files, as the AWS CLI does: in dev containers and on mounted disks files often have another
/// owner.
pub(crate) fn foreign_files(profiles: &Profiles, context: &Context) -> Vec<String> {
    let of = |path: &Path| foreign_owner(&context.shorten(path), &fs::metadata(path).ok()?);
    profiles.paths().into_iter().filter_map(of).collect()
}

fn foreign_owner(shown: &str, found: &fs::Metadata) -> Option<String> {
    let uid = found.uid();
    let own = uid == rustix::process::geteuid().as_raw() || uid == 0;
    (!own).then(|| format!("{shown} belongs to another user (uid {uid}), who decides which credentials it names"))
}

/// Returns the proxy variables of the environment, with values for messages. Passwords in URLs are masked.
pub fn proxies(context: &Context) -> impl Iterator<Item = (&'static str, String)> {
    const NAMES: [&str; 8] =
        ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"];
    NAMES.into_iter().filter_map(|name| {
        let value = context.env.filled(name)?;
        Some((name, value.rsplit_once('@').map_or(value.to_owned(), |(_, host)| format!("…@{host}"))))
    })
}

/// Returns whether botocore and awsrole use this proxy variable. botocore ignores `ALL_PROXY`.
#[must_use]
pub fn is_used(proxy: &str) -> bool {
    !proxy.eq_ignore_ascii_case("ALL_PROXY")
}

fn network(context: &Context, findings: &mut Vec<Finding>) {
    for (name, shown) in proxies(context) {
        let ignored = if is_used(name) { "" } else { ", which the AWS CLI and awsrole don't use" };
        findings.push(Finding::new(Level::Note, "network", format!("{name} is {shown}{ignored}")));
    }
    if let Some(CaBundle { path, named_by }) = endpoint::ca_bundle(&[], context) {
        let found = Finding::new(Level::Note, "network", format!("{named_by} is {}", path.display()));
        findings.push(match path.is_file() {
            true => found,
            false => Finding { level: Level::Bad, ..found }
                .hint("it must name a CA bundle (PEM): unset it if no proxy needs it"),
        });
    }
}
