//! The person's browser.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use awsrole_core::context::Env;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use zeroize::Zeroizing;

/// How long a browser has to come for its address.
const PATIENCE: Duration = Duration::from_secs(60);

/// The longest request that is looked at, in bytes.
const MAX_BYTES: usize = 16 * 1024;

/// Opens a browser if the system knows how.
pub(crate) fn open(url: &str, env: &Env) -> io::Result<()> {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    // A URL from the network must not be taken for an option, or for a local file.
    if !url.starts_with("https://") && !url.starts_with("http://") {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut command = Command::new(program);
    command.arg(url).env_clear().envs(&env.0);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().map(drop)
}

/// Leads a browser to an address that must not be an argument of a process: to one on this machine,
/// which nobody can guess, which leads on once, and which is gone then or after a minute.
///
/// # Errors
/// No port, no browser, or one that didn't come.
pub(crate) fn lead(to: &str, path: &str, env: &Env) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let host = listener.local_addr()?.to_string();
    open(&format!("http://{host}/{path}"), env)?;
    let end = Instant::now() + PATIENCE;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let left = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
        match poll(&mut [PollFd::new(&listener, PollFlags::IN)], Some(&left)) {
            Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        // Browsers open connections ahead, and leave them.
        if let Ok((mut stream, _)) = listener.accept()
            && answer(&mut stream, &host, path, to, end).unwrap_or(false)
        {
            return Ok(());
        }
    }
}

/// Answers a request; whether it was the one that is waited for.
fn answer(stream: &mut TcpStream, host: &str, path: &str, to: &str, end: Instant) -> io::Result<bool> {
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.set_write_timeout(Some(Duration::from_secs(5)))?;
    let mut request = Vec::new();
    while !request.windows(4).any(|part| part == b"\r\n\r\n") {
        let mut part = [0; 1024];
        let count = stream.read(&mut part)?;
        // Who sends a byte now and then mustn't keep it open.
        if count == 0 || request.len() > MAX_BYTES || Instant::now() > end {
            return Ok(false);
        }
        request.extend_from_slice(&part[..count]);
    }
    let request = String::from_utf8_lossy(&request);
    let mut lines = request.split("\r\n");
    // Another name for this machine is another site's, which had its name lead here.
    let is_ours = lines.next() == Some(format!("GET /{path} HTTP/1.1").as_str())
        && lines
            .filter_map(|line| line.split_once(':'))
            .any(|(name, value)| name.eq_ignore_ascii_case("host") && value.trim() == host);
    let headers =
        "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    if is_ours {
        let answer = Zeroizing::new(format!("HTTP/1.1 303 See Other\r\nLocation: {to}\r\n{headers}"));
        stream.write_all(answer.as_bytes())?;
    } else {
        stream.write_all(format!("HTTP/1.1 404 Not Found\r\n{headers}").as_bytes())?;
    }
    Ok(is_ours)
}
