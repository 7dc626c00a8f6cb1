//! Opens URLs in the user's browser.
//!
//! Other users of the machine can see the arguments of processes, so a URL that contains a secret is never an argument.
//! On Linux, the browser opens a page of this process, which redirects only connections of the same user. On systems
//! that don't report the user of a connection, the browser opens a redirecting file that only this user can read.

mod peer;

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use awsrole_core::base::context::{Env, Paths};
use awsrole_core::shell::long_run::Run;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use zeroize::Zeroizing;

use awsrole_system::ambient;

/// The time within which the browser must request the page.
const BROWSER_TIMEOUT: Duration = Duration::from_secs(60);

/// The time limit of a request, so that a slow client doesn't block others.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// The time for which a redirecting file is kept, because the browser may have to start first.
const FILE_LIFETIME: Duration = Duration::from_secs(15);

/// The largest request that is read, in bytes.
const MAX_BYTES: usize = 16 * 1024;

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

/// Opens a URL that must not be a process argument.
///
/// The browser gets a random path that is valid once, for this user, and for at most one minute.
///
/// # Errors
/// Fails if the browser didn't receive the URL. Nobody else received it either.
pub(crate) fn open(to: &str, env: &Env, paths: &Paths) -> Result<Opened, OpenError> {
    // The URL becomes part of a header or of a page.
    if !is_web(to) || to.contains(|c: char| c.is_control() || c.is_whitespace()) {
        return Err(io::Error::from(io::ErrorKind::InvalidInput).into());
    }
    if cfg!(target_os = "linux") { by_page(to, env) } else { by_file(to, env, paths) }
}

fn is_web(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

/// Starts a browser, if the system has one. A URL never begins with `-`.
fn start(address: &str, env: &Env) -> io::Result<Child> {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let mut command = Command::new(program);
    command.arg(address).env_clear().envs(&env.0);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
}

/// Opens the URL through a page of this process.
fn by_page(to: &str, env: &Env) -> Result<Opened, OpenError> {
    let path = ambient::random_token().map_err(io::Error::other)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let own = listener.local_addr()?;
    // Fail before a browser is started if the system can't report the user of a connection.
    peer::uid_of(own, own)?;
    start(&format!("http://{own}/{path}"), env)?;
    await_peer(&listener, own, &path, to)
}

fn await_peer(listener: &TcpListener, own: SocketAddr, path: &str, to: &str) -> Result<Opened, OpenError> {
    let end = Instant::now() + BROWSER_TIMEOUT;
    let mut lost = OpenError::NoConnection;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let left = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
        match poll(&mut [PollFd::new(listener, PollFlags::IN)], Some(&left)) {
            Ok(0) => return Err(lost),
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(OpenError::Failed(error.into())),
        }
        // Browsers open connections in advance and abandon them.
        let Ok((mut stream, peer)) = listener.accept() else { continue };
        if !read_request(&mut stream, own, path).unwrap_or(false) {
            continue;
        }
        // While the connection is established, its other end belongs to the user who opened it.
        match peer::uid_of(peer, own) {
            Ok(Some(uid)) if uid == rustix::process::geteuid().as_raw() => {
                if redirect(&mut stream, to).is_ok() {
                    return Ok(Opened::Delivered);
                }
            }
            Ok(Some(uid)) => {
                let _ = refuse(&mut stream);
                // The secret path is known, so no further attempt is made.
                return Err(OpenError::Another(uid));
            }
            Ok(None) | Err(_) => {
                let _ = refuse(&mut stream);
                lost = OpenError::Unknown;
            }
        }
    }
}

/// The headers of every response.
const HEADERS: &str = "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\n";

/// Reads a request and returns whether it is for the expected path. Sends an error response to all others.
fn read_request(stream: &mut TcpStream, own: SocketAddr, path: &str) -> io::Result<bool> {
    let end = Instant::now() + REQUEST_TIMEOUT;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.set_write_timeout(Some(Duration::from_secs(5)))?;
    let mut request = Vec::new();
    while !request.windows(4).any(|part| part == b"\r\n\r\n") {
        let mut part = [0; 1024];
        let count = stream.read(&mut part)?;
        if count == 0 || request.len() > MAX_BYTES || Instant::now() > end {
            return Ok(false);
        }
        request.extend_from_slice(&part[..count]);
    }
    let request = String::from_utf8_lossy(&request);
    let mut lines = request.split("\r\n");
    let host = own.to_string();
    // A different host name belongs to another site, whose name resolves to this machine.
    let is_ours = lines.next() == Some(format!("GET /{path} HTTP/1.1").as_str())
        && lines
            .filter_map(|line| line.split_once(':'))
            .any(|(name, value)| name.eq_ignore_ascii_case("host") && value.trim() == host);
    if !is_ours {
        stream.write_all(format!("HTTP/1.1 404 Not Found\r\n{HEADERS}Content-Length: 0\r\n\r\n").as_bytes())?;
    }
    Ok(is_ours)
}

fn redirect(stream: &mut TcpStream, to: &str) -> io::Result<()> {
    let answer = format!("HTTP/1.1 303 See Other\r\nLocation: {to}\r\n{HEADERS}Content-Length: 0\r\n\r\n");
    stream.write_all(Zeroizing::new(answer).as_bytes())
}

fn refuse(stream: &mut TcpStream) -> io::Result<()> {
    let text = "awsrole: this page is for the user who started it. Your own terminal says how to continue.\n";
    let length = text.len();
    let headers = format!("{HEADERS}Content-Type: text/plain\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(format!("HTTP/1.1 403 Forbidden\r\n{headers}{text}").as_bytes())
}

/// Opens the URL through a file in a directory that only this user can enter. If this process is killed, the next
/// command removes it.
fn by_file(to: &str, env: &Env, paths: &Paths) -> Result<Opened, OpenError> {
    let failed = |error: awsrole_core::base::files::FileError| io::Error::other(error.to_string());
    let run = Run::open(paths, std::process::id()).map_err(failed)?;
    let started = run.write("page.html", &page(to)).map_err(failed).and_then(|file| {
        let file = file.to_str().ok_or(io::ErrorKind::InvalidFilename)?.to_owned();
        start(&file, env)?.wait()
    });
    if started.as_ref().is_ok_and(std::process::ExitStatus::success) {
        std::thread::sleep(FILE_LIFETIME);
    }
    run.remove();
    match started? {
        status if status.success() => Ok(Opened::BrowserStarted),
        status => Err(io::Error::other(format!("the browser could not be started: {status}")).into()),
    }
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
        Paths { config, data, state, cache, home: home.to_owned() }
    }

    /// Returns an environment in which the browser is a script.
    fn browser(home: &std::path::Path, script: &str) -> Env {
        use std::os::unix::fs::PermissionsExt;
        let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
        let file = home.join(program);
        awsrole_core::base::files::write_private(&file, format!("#!/bin/sh\n{script}\n").as_bytes()).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        Env([("PATH".into(), format!("{}:/usr/bin:/bin", home.display()).into())].into_iter().collect())
    }

    #[test]
    fn redirecting_file_is_private_and_removed() {
        let home = tempfile::tempdir().unwrap();
        let script = format!("ls -ld \"$1\" > {0}/mode; cp \"$1\" {0}/seen; exit 1", home.path().display());
        let env = browser(home.path(), &script);
        let to = "https://signin.aws.amazon.com/federation?Action=login&SigninToken=canary\"<x>";
        let opened = by_file(to, &env, &paths(home.path()));
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
        let env = browser(home.path(), &format!("touch {}/started", home.path().display()));
        for to in ["", "-x", "file:///etc/passwd", "javascript:x", "https://x\r\nSet-Cookie: x", "https://x y"] {
            assert!(matches!(open(to, &env, &paths(home.path())), Err(OpenError::Failed(_))), "{to}");
        }
        assert!(!home.path().join("started").exists());
    }
}
