//! A listener on a loopback address, to which a browser of this machine connects.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use zeroize::Zeroizing;

/// The time limit of a request, so that a slow client doesn't block others.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// The largest request that is read, in bytes.
const MAX_BYTES: usize = 16 * 1024;

/// The headers of every response.
const HEADERS: &str = "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n";

/// A listener on a random port of 127.0.0.1.
pub(super) struct Loopback {
    listener: TcpListener,
    /// The address of the listener.
    pub(super) own: SocketAddr,
}

/// A GET request for this listener. It is answered once.
pub(super) struct LoopbackRequest {
    stream: TcpStream,
    /// The address of the client.
    pub(super) peer: SocketAddr,
    /// The path and the query.
    pub(super) target: Zeroizing<String>,
}

impl Loopback {
    pub(super) fn bind() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let own = listener.local_addr()?;
        Ok(Self { listener, own })
    }

    /// Waits for the next valid request. Returns `None` after `end`.
    pub(super) fn next(&self, end: Instant) -> io::Result<Option<LoopbackRequest>> {
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let left = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
            match poll(&mut [PollFd::new(&self.listener, PollFlags::IN)], Some(&left)) {
                Ok(0) => return Ok(None),
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            // Browsers open connections in advance and abandon them.
            let Ok((mut stream, peer)) = self.listener.accept() else { continue };
            if let Ok(Some(target)) = read_target(&mut stream, self.own) {
                return Ok(Some(LoopbackRequest { stream, peer, target }));
            }
        }
    }
}

impl LoopbackRequest {
    /// Redirects the browser to a URL.
    pub(super) fn redirect(mut self, to: &str) -> io::Result<()> {
        let answer = format!("HTTP/1.1 303 See Other\r\nLocation: {to}\r\n{HEADERS}Content-Length: 0\r\n\r\n");
        self.stream.write_all(Zeroizing::new(answer).as_bytes())
    }

    /// Answers with a page of text. The result of the request doesn't depend on whether the browser shows it.
    pub(super) fn answer(mut self, status: &str, text: &str) {
        let length = text.len();
        let headers = format!("{HEADERS}Content-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\n\r\n");
        let _ = self.stream.write_all(format!("HTTP/1.1 {status}\r\n{headers}{text}").as_bytes());
    }

    /// Answers that there is no such page.
    pub(super) fn not_found(self) {
        self.answer("404 Not Found", "");
    }

    /// Answers a connection that doesn't belong to this user.
    pub(super) fn refuse(self) {
        let text = "awsrole: this page is for the user who started it. Your own terminal says how to continue.\n";
        self.answer("403 Forbidden", text);
    }
}

/// Reads a request and returns its target. Sends an error response to a request that isn't a GET for this address.
fn read_target(stream: &mut TcpStream, own: SocketAddr) -> io::Result<Option<Zeroizing<String>>> {
    let end = Instant::now() + REQUEST_TIMEOUT;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.set_write_timeout(Some(Duration::from_secs(5)))?;
    let mut request = Zeroizing::new(Vec::with_capacity(MAX_BYTES + 1024));
    while !request.windows(4).any(|part| part == b"\r\n\r\n") {
        let mut part = [0; 1024];
        let count = stream.read(&mut part)?;
        if count == 0 || request.len() > MAX_BYTES || Instant::now() > end {
            return Ok(None);
        }
        request.extend_from_slice(&part[..count]);
    }
    let text = std::str::from_utf8(&request).unwrap_or_default();
    let mut lines = text.split("\r\n");
    let host = own.to_string();
    let target = lines.next().and_then(|line| line.strip_prefix("GET ")?.strip_suffix(" HTTP/1.1"));
    let mut hosts = lines
        .filter_map(|line| line.split_once(':'))
        .filter(|(name, _)| name.eq_ignore_ascii_case("host"))
        .map(|(_, value)| value.trim());
    // A different host name belongs to another site, whose name resolves to this machine.
    match target.filter(|_| hosts.any(|value| value == host)) {
        Some(target) => Ok(Some(Zeroizing::new(target.to_owned()))),
        None => {
            stream.write_all(format!("HTTP/1.1 404 Not Found\r\n{HEADERS}Content-Length: 0\r\n\r\n").as_bytes())?;
            Ok(None)
        }
    }
}
