//! Tells a name that can't be resolved from a server that doesn't answer.

use std::net::ToSocketAddrs;
use std::sync::mpsc;
use std::time::Duration;

use awsrole_core::session::sts::StsError;

/// The time for another look-up after a connection timed out. A resolver that has the address answers at once, because
/// it was asked for it before.
const LOOKUP: Duration = Duration::from_secs(1);

/// Returns the error for a call to `host`, which names the host if its address isn't known.
///
/// The connect timeout includes the look-up, so a DNS server that doesn't answer looks like a silent server.
pub(crate) fn explain(error: StsError, host: &str) -> StsError {
    let StsError::Unreachable(text) = &error else { return error };
    let why = match () {
        () if text.contains("failed to lookup address information") => {
            "the DNS server doesn't know the name, or there is no network".to_owned()
        }
        () if text.starts_with("no connection within") && resolver_is_silent(host) => {
            format!("the DNS server doesn't answer: {text}")
        }
        () => return error,
    };
    StsError::Unresolved { host: host.to_owned(), why }
}

/// Returns whether a look-up takes too long. The thread ends with the process.
fn resolver_is_silent(host: &str) -> bool {
    let (sender, receiver) = mpsc::channel();
    let address = (host.to_owned(), 443);
    let lookup = move || {
        let _ = sender.send(address.to_socket_addrs().is_ok());
    };
    std::thread::Builder::new().spawn(lookup).is_ok() && receiver.recv_timeout(LOOKUP).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_errors_of_known_hosts() {
        for text in ["Connection refused (os error 111)", "no connection within 3 s"] {
            let error = StsError::Unreachable(text.to_owned());
            assert_eq!(explain(error.clone(), "127.0.0.1"), error);
        }
        let error = StsError::Unreachable("failed to lookup address information: x".to_owned());
        let StsError::Unresolved { host, .. } = explain(error, "sts.nowhere.invalid") else { panic!() };
        assert_eq!(host, "sts.nowhere.invalid");
    }
}
