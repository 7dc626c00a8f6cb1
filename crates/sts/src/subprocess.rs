//! Runs a program from the user's settings with /bin/sh and a timeout, and reads its output.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use awsrole_core::base::context::Env;
use zeroize::Zeroizing;

/// The time after which awsrole prints which program it is waiting for.
const WAITING: Duration = Duration::from_secs(2);

/// Runs a command line with an environment and one additional variable, and returns its output. Its stderr and the
/// terminal are available to the user. It has no stdin.
///
/// # Errors
/// Returns why there is no output, in words that follow the program's name: `ended with exit code 2`. The output is
/// never repeated.
pub fn run(line: &str, env: &Env, more: (&str, &str), limit: Duration) -> Result<Zeroizing<String>, String> {
    run_attended(line, env, more, limit, Stdio::null(), &|| ())
}

/// Runs a command line as [`run`] does, with a stdin. `waiting` is called once if it takes longer than two seconds.
///
/// # Errors
/// See [`run`].
pub fn run_attended(
    line: &str,
    env: &Env,
    more: (&str, &str),
    limit: Duration,
    stdin: Stdio,
    waiting: &dyn Fn(),
) -> Result<Zeroizing<String>, String> {
    let start = Instant::now();
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(line).env_clear().envs(&env.0).env(more.0, more.1);
    let spawned = command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn();
    let mut child = spawned.map_err(|e| format!("cannot be started by /bin/sh: {e}"))?;
    let text = output(&mut child, limit, waiting)?;
    let status = end(&mut child, limit.saturating_sub(start.elapsed()), limit)?;
    match status.code() {
        Some(0) => Ok(text),
        // The exit code of shells for a missing command.
        Some(127) => Err("was not found (exit code 127)".to_owned()),
        Some(code) => Err(format!("ended with exit code {code}")),
        None => Err("was killed".to_owned()),
    }
}

/// Reads the output of a child process. Ends the process after the timeout.
fn output(child: &mut Child, limit: Duration, waiting: &dyn Fn()) -> Result<Zeroizing<String>, String> {
    let unreadable = "printed output that can't be read";
    let Some(mut pipe) = child.stdout.take() else {
        return Err(unreadable.to_owned());
    };
    let (sender, receiver) = mpsc::channel();
    let reader = move || {
        let mut text = Zeroizing::new(String::with_capacity(16 * 1024));
        let read = pipe.read_to_string(&mut text).map(|_| text).map_err(|e| format!("{unreadable}: {e}"));
        let _ = sender.send(read);
    };
    if let Err(error) = std::thread::Builder::new().spawn(reader) {
        stop(child);
        return Err(format!("{unreadable}: {error}"));
    }
    if let Ok(text) = receiver.recv_timeout(limit.min(WAITING)) {
        return text;
    }
    if limit > WAITING {
        waiting();
    }
    receiver.recv_timeout(limit.saturating_sub(WAITING)).unwrap_or_else(|_| Err(too_long(child, limit)))
}

/// Waits for a child process that has closed its output. Ends the process after the timeout.
fn end(child: &mut Child, left: Duration, limit: Duration) -> Result<ExitStatus, String> {
    let start = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) if start.elapsed() >= left => return Err(too_long(child, limit)),
            Ok(None) => std::thread::sleep(Duration::from_millis(5)),
            Err(e) => return Err(format!("was lost: {e}")),
        }
    }
}

fn too_long(child: &mut Child, limit: Duration) -> String {
    stop(child);
    format!("did not finish within {} s (`process` in [limits] of config.toml)", limit.as_secs())
}

/// Ends a process and its descendants. They are in our process group, which is in the foreground of the terminal, so
/// the group can't be killed.
fn stop(child: &mut Child) {
    let below = descendants(child.id());
    // The shell goes first, because it would say that its children were killed.
    let _ = child.kill();
    let _ = child.wait();
    for id in below {
        if let Some(pid) = i32::try_from(id).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

/// Returns the descendants of a process, each before its own children.
fn descendants(id: u32) -> Vec<u32> {
    if cfg!(target_os = "linux") {
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        let children = children.split_whitespace().filter_map(|word| word.parse().ok());
        return children.flat_map(|child: u32| [vec![child], descendants(child)].concat()).collect();
    }
    below(id, &listed())
}

/// Returns the parent and the process ID of each process, for systems without /proc, such as macOS.
fn listed() -> String {
    // One option for each column: POSIX takes everything after `=` for the heading.
    let listed = Command::new("/bin/ps").args(["-ax", "-o", "ppid=", "-o", "pid="]).stdin(Stdio::null()).output();
    String::from_utf8_lossy(&listed.map(|output| output.stdout).unwrap_or_default()).into_owned()
}

/// Returns the descendants of a process in a list with the parent and the process ID in each line.
fn below(id: u32, listed: &str) -> Vec<u32> {
    let pairs = listed.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
    });
    let pairs: Vec<(u32, u32)> = pairs.collect();
    let mut found = vec![id];
    // A process ID occurs once in the list, so each is visited once.
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(pairs.iter().filter(|(of, child)| *of == parent && *child != parent).map(|(_, child)| child));
        next += 1;
    }
    found.split_off(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_listed() {
        let mut child = Command::new("/bin/cat").stdin(Stdio::piped()).spawn().unwrap();
        let listed = listed();
        child.kill().and_then(|()| child.wait()).unwrap();
        assert!(below(std::process::id(), &listed).contains(&child.id()), "{listed}");
    }

    #[test]
    fn descendants_are_found_in_a_list_of_processes() {
        let listed = "    0     1\n    1   500\n  500   501\n  500   502\n  502   503\n    1   600\n  0 0\nx y\n  7\n";
        assert_eq!(below(500, listed), [501, 502, 503]);
        assert!(below(503, listed).is_empty() && below(9, "").is_empty());
    }
}
