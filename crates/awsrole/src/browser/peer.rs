//! Determines the user of the other end of a local connection.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::net::{IpAddr, SocketAddr};

use awsrole_core::base::context::Env;

/// The state of an established connection (Linux, `include/net/tcp_states.h`). In other states the kernel may report
/// root instead of the user.
const ESTABLISHED: &str = "01";

/// The user of the other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Peer {
    /// The user of this process.
    ThisUser,
    /// Another user. Contains the user ID.
    Another(u32),
    /// The connection isn't listed.
    Unknown,
}

/// Checks that the system can report the user of a connection, or that it never does.
///
/// # Errors
/// Fails on Linux if the connections can't be listed.
pub(super) fn check(own: SocketAddr) -> io::Result<()> {
    if cfg!(target_os = "linux") { uid_of(own, own).map(|_| ()) } else { Ok(()) }
}

/// Returns the user of the other end of a connection. While it is established, that end belongs to the user who opened
/// it. Other systems than Linux don't report the user.
///
/// In WSL, connections of Windows programs are listed as those of root, or not at all. The users of Windows can't see
/// the arguments of each other's processes.
///
/// # Errors
/// Fails if the system doesn't list connections.
pub(super) fn of(peer: SocketAddr, own: SocketAddr, env: &Env) -> io::Result<Peer> {
    if !cfg!(target_os = "linux") {
        return Ok(Peer::ThisUser);
    }
    Ok(match uid_of(peer, own)? {
        Some(uid) if uid == rustix::process::geteuid().as_raw() => Peer::ThisUser,
        Some(0) | None if env.is_wsl() => Peer::ThisUser,
        Some(uid) => Peer::Another(uid),
        None => Peer::Unknown,
    })
}

/// Returns the user ID of the other end of a connection. `peer` is its address there, `own` the address here. Returns
/// `None` if the connection isn't on this machine or is closed.
///
/// # Errors
/// Fails if the system doesn't list connections.
fn uid_of(peer: SocketAddr, own: SocketAddr) -> io::Result<Option<u32>> {
    let mut listed = false;
    for (table, form) in [("/proc/net/tcp", hex as fn(SocketAddr) -> Option<String>), ("/proc/net/tcp6", hex_in_v6)] {
        let file = match File::open(table) {
            // The kernel doesn't support IPv6.
            Err(error) if error.kind() == io::ErrorKind::NotFound && listed => continue,
            file => file?,
        };
        listed = true;
        let (Some(peer), Some(own)) = (form(peer), form(own)) else { continue };
        // This process's own end is listed, too, with the addresses swapped.
        for line in BufReader::new(file).lines() {
            if let Some(uid) = uid_in(&line?, &peer, &own) {
                return Ok(Some(uid));
            }
        }
    }
    Ok(None)
}

/// Returns the user ID in a line of the table, if the line describes the connection from `local` to `remote` (proc(5),
/// `/proc/net/tcp`).
fn uid_in(line: &str, local: &str, remote: &str) -> Option<u32> {
    let mut fields = line.split_whitespace().skip(1);
    let is_it = fields.next()? == local && fields.next()? == remote && fields.next()? == ESTABLISHED;
    is_it.then(|| fields.nth(3))??.parse().ok()
}

/// Formats an IPv4 address as in the table: the four bytes as one number in native byte order.
fn hex(address: SocketAddr) -> Option<String> {
    match address.ip() {
        IpAddr::V4(ip) => Some(format!("{:08X}:{:04X}", u32::from_ne_bytes(ip.octets()), address.port())),
        IpAddr::V6(_) => None,
    }
}

/// Formats the IPv4-mapped address of a dual-stack socket.
fn hex_in_v6(address: SocketAddr) -> Option<String> {
    let before = [0, 0, u32::from_ne_bytes([0, 0, 0xff, 0xff])].map(|word| format!("{word:08X}")).concat();
    hex(address).map(|text| before + &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "   3: 0100007F:9C40 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1000        0 12345 1 0000000000000000 20 4 30 10 -1";

    #[test]
    fn parses_the_uid_of_one_end() {
        let (peer, own) = ("0100007F:9C40", "0100007F:1F90");
        assert_eq!(uid_in(LINE, peer, own), Some(1000));
        assert_eq!(uid_in(LINE, own, peer), None, "that is the other end");
        for (from, to) in [(" 01 ", " 06 "), (" 01 ", " 05 "), ("  1000 ", "  x "), (":9C40", ":9C41")] {
            assert_eq!(uid_in(&LINE.replace(from, to), peer, own), None, "{to}");
        }
        assert_eq!(uid_in("  sl  local_address rem_address   st tx_queue rx_queue", peer, own), None);
        assert_eq!(uid_in("", peer, own), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn connections_of_this_process_belong_to_this_user() {
        use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV6, TcpListener, TcpStream};
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let own = listener.local_addr().unwrap();
        let me = rustix::process::geteuid().as_raw();
        assert_eq!(uid_of(own, own).unwrap(), None, "nobody is connected");
        let wsl = Env([("WSL_DISTRO_NAME".into(), "Debian".into())].into_iter().collect());
        assert_eq!(of(own, own, &Env::default()).unwrap(), Peer::Unknown);
        assert_eq!(of(own, own, &wsl).unwrap(), Peer::ThisUser, "a program of Windows");
        let client = TcpStream::connect(own).unwrap();
        let (stream, peer) = listener.accept().unwrap();
        assert_eq!(uid_of(peer, own).unwrap(), Some(me));
        assert_eq!(of(peer, own, &Env::default()).unwrap(), Peer::ThisUser);
        // A connection through an IPv6 socket.
        let mapped = SocketAddrV6::new(Ipv4Addr::LOCALHOST.to_ipv6_mapped(), own.port(), 0, 0);
        if let Ok(_other) = TcpStream::connect(mapped) {
            let (_stream, peer) = listener.accept().unwrap();
            assert_eq!(uid_of(peer, own).unwrap(), Some(me));
        }
        let v6 = SocketAddr::new(Ipv6Addr::LOCALHOST.into(), 1);
        assert_eq!(uid_of(v6, own).unwrap(), None);
        drop(client);
        // A child that another test starts has the connection until it executes its program.
        let gone = (0..200).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(5));
            uid_of(peer, own).unwrap().is_none()
        });
        assert!(gone, "a closed connection belongs to nobody");
        drop(stream);
    }
}
