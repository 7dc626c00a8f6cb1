//! Opens URLs in the user's browser, and receives the answer of a sign-in page.
//!
//! Other users of the machine can see the arguments of processes, so a URL that contains a secret is never an argument.
//! On Linux, the browser opens a page of this process, which redirects only connections of the same user. On systems
//! that don't report the user of a connection, the browser opens a redirecting file that only this user can read.

mod callback;
mod choice;
mod loopback;
mod peer;

use std::fmt;
use std::io;
use std::process::Child;
use std::time::{Duration, Instant};

use awsrole_core::base::context::{Context, Env, Paths};
use awsrole_core::settings::user_config::Settings;
use awsrole_core::shell::long_run::Run;
use zeroize::Zeroizing;

use awsrole_system::ambient;
use loopback::Loopback;
use peer::Peer;

pub(crate) use callback::{Callback, CallbackError};

/// The time within which the browser must request the page.
const BROWSER_TIMEOUT: Duration = Duration::from_secs(60);

/// The time after which a notice says what awsrole is waiting for.
const NOTICE_DELAY: Duration = Duration::from_millis(300);

/// The time for which a redirecting file is kept, because the browser may have to start first.
const FILE_LIFETIME: Duration = Duration::from_secs(15);

/// The result of opening a URL.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    /// The URL was sent to a connection of this user.
    Delivered,
    /// A browser was started with a redirecting file. It isn't known whether it read the file.
    BrowserStarted,
}

/// The reason why no browser received the URL. Nothing was sent.
#[derive(Debug)]
pub(crate) enum OpenError {
    /// No browser, port or file is available.
    Failed(io::Error),
    /// No browser sent a request in time.
    NoConnection,
    /// A client requested the secret path, and the system doesn't report its user.
    Unknown,
    /// A client of another user requested the secret path. Contains the user ID.
    Another(u32),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
            Self::NoConnection => write!(f, "no browser connected within {} s", BROWSER_TIMEOUT.as_secs()),
            Self::Unknown => f.write_str("the system doesn't report the user of the connection"),
            Self::Another(uid) => {
                write!(f, "the connection came from uid {uid}: other users can see the arguments of processes")
            }
        }
    }
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

/// The user's browser.
#[derive(Clone)]
pub(crate) struct Browser {
    env: Env,
    paths: Paths,
    /// The command in the user's settings. Empty if there is none.
    command: Vec<String>,
}

impl Browser {
    /// Returns the browser that the settings or the environment select.
    pub(crate) fn of(outer: &Context, settings: &Settings) -> Self {
        let command = settings.or_default().browser.clone();
        Self { env: outer.env.clone(), paths: outer.paths.clone(), command }
    }

    /// Returns whether the browser runs on this machine, so that it reaches a loopback address.
    pub(crate) fn is_here(&self) -> bool {
        choice::is_here(&self.env, &self.command)
    }

    /// Opens a URL that must not be a process argument.
    ///
    /// The browser gets a random path that is valid once, for this user, and for at most one minute. If it doesn't open
    /// the path soon, `tell` is called once. (On macOS it gets a file, and whether it was opened isn't known.)
    ///
    /// # Errors
    /// Fails if the browser didn't receive the URL. Nobody else received it either.
    pub(crate) fn open(&self, to: &str, tell: impl Fn()) -> Result<Opened, OpenError> {
        // The URL becomes part of a header or of a page.
        if !is_web(to) || to.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return Err(io::Error::from(io::ErrorKind::InvalidInput).into());
        }
        if cfg!(target_os = "linux") { self.open_page(to, tell) } else { self.open_file(to) }
    }

    fn start(&self, address: &str) -> io::Result<Child> {
        choice::start(address, &self.env, &self.command)
    }

    /// Opens the URL through a page of this process.
    fn open_page(&self, to: &str, tell: impl Fn()) -> Result<Opened, OpenError> {
        let path = format!("/{}", ambient::random_token().map_err(io::Error::other)?);
        let loopback = Loopback::bind()?;
        // Fail before a browser is started if the system can't report the user of a connection.
        peer::check(loopback.own)?;
        self.start(&format!("http://{}{path}", loopback.own))?;
        let begin = Instant::now();
        let mut notice_at = Some(begin + NOTICE_DELAY);
        let mut lost = OpenError::NoConnection;
        loop {
            let Some(request) = loopback.next(notice_at.unwrap_or(begin + BROWSER_TIMEOUT))? else {
                match notice_at.take() {
                    Some(_) => tell(),
                    None => return Err(lost),
                }
                continue;
            };
            if *request.target != path {
                request.not_found();
                continue;
            }
            match peer::of(request.peer, loopback.own, &self.env) {
                Ok(Peer::ThisUser) => {
                    if request.redirect(to).is_ok() {
                        return Ok(Opened::Delivered);
                    }
                }
                Ok(Peer::Another(uid)) => {
                    request.refuse();
                    // The secret path is known, so no further attempt is made.
                    return Err(OpenError::Another(uid));
                }
                Ok(Peer::Unknown) | Err(_) => {
                    request.refuse();
                    lost = OpenError::Unknown;
                }
            }
        }
    }

    /// Opens the URL through a file in a directory that only this user can enter. If this process is killed, the next
    /// command removes it.
    fn open_file(&self, to: &str) -> Result<Opened, OpenError> {
        let failed = |error: awsrole_core::base::files::FileError| io::Error::other(error.to_string());
        let run = Run::open(&self.paths, std::process::id()).map_err(failed)?;
        let read = run.write("page.html", &page(to)).map_err(failed).and_then(|file| {
            let file = file.to_str().ok_or(io::ErrorKind::InvalidFilename)?.to_owned();
            keep_while_read(&mut self.start(&file)?)
        });
        run.remove();
        read?;
        Ok(Opened::BrowserStarted)
    }
}

/// Waits for the time in which a browser reads a file. A program that stays in the foreground is the browser itself.
fn keep_while_read(browser: &mut Child) -> io::Result<()> {
    let end = Instant::now() + FILE_LIFETIME;
    while Instant::now() < end {
        if let Some(status) = browser.try_wait()?.filter(|status| !status.success()) {
            return Err(io::Error::other(format!("the browser could not be started: {status}")));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn is_web(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

/// Returns a page that redirects to a URL.
fn page(to: &str) -> Zeroizing<String> {
    let to = to.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;");
    Zeroizing::new(format!(
        "<!doctype html><meta charset=utf-8><meta name=referrer content=no-referrer><title>awsrole</title>\n<meta http-equiv=refresh content=\"0;url={to}\">\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(home: &std::path::Path) -> Paths {
        let [config, data, state, cache] = ["config", "data", "state", "cache"].map(|name| home.join(name));
        Paths { config, data, state, cache, home: home.to_owned(), organization: home.join("etc") }
    }

    /// Returns a browser that is a script.
    fn browser(home: &std::path::Path, script: &str) -> Browser {
        use std::os::unix::fs::PermissionsExt;
        let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
        let file = home.join(program);
        awsrole_core::base::files::write_private(&file, format!("#!/bin/sh\n{script}\n").as_bytes()).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:/usr/bin:/bin", home.display());
        let env = Env([("PATH".into(), path.into())].into_iter().collect());
        Browser { env, paths: paths(home), command: Vec::new() }
    }

    #[test]
    fn redirecting_file_is_private_and_removed() {
        let home = tempfile::tempdir().unwrap();
        let script = format!("ls -ld \"$1\" > {0}/mode; cp \"$1\" {0}/seen; exit 1", home.path().display());
        let browser = browser(home.path(), &script);
        let to = "https://signin.aws.amazon.com/federation?Action=login&SigninToken=canary\"<x>";
        let opened = browser.open_file(to);
        assert!(matches!(opened, Err(OpenError::Failed(_))), "it says that it failed");
        assert!(std::fs::read_to_string(home.path().join("mode")).unwrap().starts_with("-rw------- "));
        let seen = std::fs::read_to_string(home.path().join("seen")).unwrap();
        assert!(seen.contains(
            "url=https://signin.aws.amazon.com/federation?Action=login&amp;SigninToken=canary&quot;&lt;x&gt;\""
        ));
        assert_eq!(std::fs::read_dir(home.path().join("cache/runs")).unwrap().count(), 0);
    }

    #[test]
    fn rejects_invalid_urls() {
        let home = tempfile::tempdir().unwrap();
        let browser = browser(home.path(), &format!("touch {}/started", home.path().display()));
        for to in ["", "-x", "file:///etc/passwd", "javascript:x", "https://x\r\nSet-Cookie: x", "https://x y"] {
            assert!(matches!(browser.open(to, || ()), Err(OpenError::Failed(_))), "{to}");
        }
        assert!(!home.path().join("started").exists());
    }
}
