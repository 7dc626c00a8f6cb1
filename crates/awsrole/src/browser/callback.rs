//! Receives the authorization code with which a browser returns from a sign-in page (RFC 8252, section 7.3).

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use awsrole_core::base::context::Env;
use awsrole_core::base::secret::Secret;

use super::loopback::Loopback;
use super::peer::{self, Peer};

/// The path of the redirect URI. It is part of the client's registration, the port isn't.
const PATH: &str = "/oauth/callback";

/// The page after a sign-in.
const DONE: &str = "awsrole: the sign-in continues in your terminal. You can close this tab.\n";

/// The page after a refusal.
const DENIED: &str = "awsrole: the sign-in was denied. You can close this tab.\n";

/// A loopback address that waits for the browser.
pub(crate) struct Callback {
    loopback: Loopback,
    env: Env,
}

/// The reason why the browser brought no code.
#[derive(Debug)]
pub(crate) enum CallbackError {
    /// The sign-in page returned an error. Contains its text.
    Refused(String),
    /// Another user's program returned with the state of this sign-in. Contains the user ID.
    Another(u32),
    /// The browser didn't return in time.
    TimedOut,
    /// The listener failed.
    Failed(io::Error),
}

impl fmt::Display for CallbackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(why) => f.write_str(why),
            Self::Another(uid) => {
                write!(f, "another user of this machine (uid {uid}) answered instead of your browser")
            }
            Self::TimedOut => f.write_str("the browser didn't return in time"),
            Self::Failed(error) => write!(f, "cannot wait for the browser: {error}"),
        }
    }
}

impl Callback {
    /// Listens on a random port of 127.0.0.1.
    ///
    /// # Errors
    /// Fails if there is no port, or if the system can't report the user of a connection.
    pub(crate) fn listen(env: &Env) -> io::Result<Self> {
        let loopback = Loopback::bind()?;
        peer::check(loopback.own)?;
        Ok(Self { loopback, env: env.clone() })
    }

    /// Returns the redirect URI.
    pub(crate) fn redirect_uri(&self) -> String {
        format!("http://{}{PATH}", self.loopback.own)
    }

    /// Waits for the browser, and returns the authorization code.
    ///
    /// A request without the state, even one with an error, doesn't come from the sign-in page: any site that the user
    /// visits can send one. It is refused, and the wait continues. A user who knows the state, but has another uid, may
    /// want this user to work with their identity, so that ends the wait.
    ///
    /// # Errors
    /// Fails if the sign-in was denied, and after `timeout`.
    pub(crate) fn receive(&self, state: &str, timeout: Duration) -> Result<Secret, CallbackError> {
        let end = Instant::now() + timeout;
        loop {
            let request = self.loopback.next(end).map_err(CallbackError::Failed)?.ok_or(CallbackError::TimedOut)?;
            let Some(answer) = Answer::of(&request.target) else {
                request.not_found();
                continue;
            };
            let is_ours = answer.state.as_deref() == Some(state);
            let refused = answer.error.filter(|_| is_ours);
            if refused.is_none() && !(is_ours && answer.code.is_some()) {
                request.answer("400 Bad Request", "awsrole: this isn't the answer to the sign-in.\n");
                continue;
            }
            match peer::of(request.peer, self.loopback.own, &self.env) {
                Ok(Peer::ThisUser) => {}
                Ok(Peer::Another(uid)) => {
                    request.refuse();
                    return Err(CallbackError::Another(uid));
                }
                Ok(Peer::Unknown) | Err(_) => {
                    request.refuse();
                    continue;
                }
            }
            if let Some(why) = refused {
                request.answer("200 OK", DENIED);
                return Err(CallbackError::Refused(why));
            }
            if let Some(code) = answer.code {
                request.answer("200 OK", DONE);
                return Ok(code);
            }
        }
    }
}

/// The parameters with which the browser returns (RFC 6749, sections 4.1.2 and 4.1.2.1).
struct Answer {
    state: Option<String>,
    code: Option<Secret>,
    error: Option<String>,
}

impl Answer {
    /// Parses the target of a request. Returns `None` for another path, and for parameters that occur twice.
    fn of(target: &str) -> Option<Self> {
        let query = target.strip_prefix(PATH)?.strip_prefix('?')?;
        let mut parameters = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if parameters.insert(name.into_owned(), value.into_owned()).is_some() {
                return None;
            }
        }
        let error = parameters.remove("error").map(|code| match parameters.remove("error_description") {
            _ if code == "access_denied" => "it was denied in the browser".to_owned(),
            Some(text) => format!("{code}: {text}"),
            None => code,
        });
        Some(Self {
            state: parameters.remove("state"),
            code: parameters.remove("code").filter(|code| !code.is_empty()).map(|code| Secret::new(&code)),
            error,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Shutdown, TcpStream};

    use super::*;

    /// Sends requests one after the other. Returns the first line of each response, empty if there is none.
    fn send(to: &Callback, requests: Vec<Vec<u8>>) -> std::thread::JoinHandle<Vec<String>> {
        let own = to.loopback.own;
        std::thread::spawn(move || {
            let answer = |request: Vec<u8>| {
                let mut stream = TcpStream::connect(own).unwrap();
                let mut text = String::new();
                // The listener may close the connection before everything is sent.
                let sent = match request.is_empty() {
                    true => stream.shutdown(Shutdown::Write),
                    false => stream.write_all(&request),
                };
                let _ = sent.and_then(|()| stream.read_to_string(&mut text));
                text.lines().next().unwrap_or_default().to_owned()
            };
            requests.into_iter().map(answer).collect()
        })
    }

    fn get(callback: &Callback, target: &str) -> Vec<u8> {
        format!("GET {target} HTTP/1.1\r\nHost: {}\r\n\r\n", callback.loopback.own).into_bytes()
    }

    #[test]
    fn only_the_answer_to_this_sign_in_ends_the_wait() {
        let callback = Callback::listen(&Env::default()).unwrap();
        let own = callback.loopback.own.to_string();
        let good = "/oauth/callback?code=right%2B&state=s";
        let raw = |text: String| text.into_bytes();
        let hostile = vec![
            (get(&callback, "/oauth/callback?code=x&state=t"), "400"),
            (get(&callback, "/oauth/callback?code=x"), "400"),
            (get(&callback, "/oauth/callback?code=&state=s"), "400"),
            (get(&callback, "/oauth/callback?error=access_denied&state=t"), "400"),
            (get(&callback, "/oauth/callback?error=access_denied&error_description=x"), "400"),
            (get(&callback, "/oauth/callback?code=x&state=t&state=s"), "404"),
            (get(&callback, "/oauth/callback?code=x&code=y&state=s"), "404"),
            (get(&callback, "/oauth/callback"), "404"),
            (get(&callback, "/?code=x&state=s"), "404"),
            (get(&callback, "/favicon.ico"), "404"),
            (raw(format!("GET {good} HTTP/1.1\r\nHost: evil.example.com\r\n\r\n")), "404"),
            (raw(format!("GET {good} HTTP/1.1\r\n\r\n")), "404"),
            (raw(format!("POST {good} HTTP/1.1\r\nHost: {own}\r\nContent-Length: 0\r\n\r\n")), "404"),
            (raw("\u{16}\u{3}\u{1}\r\n\r\n".to_owned()), "404"),
            (raw(format!("GET /{} HTTP/1.1\r\n", "x".repeat(200_000))), ""),
            (Vec::new(), ""),
            (get(&callback, good), "200"),
        ];
        let (requests, expected): (Vec<_>, Vec<_>) = hostile.into_iter().unzip();
        let sent = send(&callback, requests);
        assert_eq!(callback.receive("s", Duration::from_secs(60)).unwrap().expose(), "right+");
        for (line, status) in sent.join().unwrap().iter().zip(expected) {
            assert_eq!(line.split(' ').nth(1).unwrap_or_default(), status, "{line}");
        }
    }

    #[test]
    fn says_why_there_is_no_code() {
        for (target, expected) in [
            ("/oauth/callback?error=access_denied&error_description=x&state=s", "it was denied in the browser"),
            ("/oauth/callback?error=server_error&error_description=try+later&state=s", "server_error: try later"),
        ] {
            let callback = Callback::listen(&Env::default()).unwrap();
            let sent = send(&callback, vec![get(&callback, target)]);
            assert_eq!(callback.receive("s", Duration::from_secs(60)).err().unwrap().to_string(), expected);
            assert_eq!(sent.join().unwrap(), ["HTTP/1.1 200 OK"]);
        }
        let callback = Callback::listen(&Env::default()).unwrap();
        assert!(matches!(callback.receive("s", Duration::ZERO), Err(CallbackError::TimedOut)));
    }
}
