//! Selects the program that opens a URL, and determines whether the browser is on this machine.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use awsrole_core::base::context::Env;

/// Variables of an SSH session. The user's browser is on the other machine.
const SSH: [&str; 3] = ["SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"];

/// Variables of containers and remote development environments, whose loopback address isn't that of the browser.
const CONTAINERS: [&str; 4] = ["container", "KUBERNETES_SERVICE_HOST", "REMOTE_CONTAINERS", "CODESPACES"];

/// Returns whether a browser can be started that reaches a loopback address of this process.
pub(super) fn is_here(env: &Env, configured: &[String]) -> bool {
    let any = |names: &[&str]| names.iter().any(|name| env.filled(name).is_some());
    let screen = cfg!(target_os = "macos") || env.is_wsl() || any(&["DISPLAY", "WAYLAND_DISPLAY"]);
    screen
        && !any(&SSH)
        && !any(&CONTAINERS)
        && commands("", env, configured).iter().any(|words| exists(&words[0], env))
}

/// Starts the first of the programs that exists. The address never begins with `-`.
pub(super) fn start(address: &str, env: &Env, configured: &[String]) -> io::Result<Child> {
    let mut failed = io::Error::from(io::ErrorKind::NotFound);
    for words in commands(address, env, configured) {
        let mut command = Command::new(&words[0]);
        // Ctrl-C in the terminal ends the wait for the browser, not the browser.
        command.args(&words[1..]).env_clear().envs(&env.0).process_group(0);
        match command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn() {
            Err(error) => failed = error,
            started => return started,
        }
    }
    Err(failed)
}

/// Returns the command lines that open an address, the preferred one first. None is empty.
///
/// The order is the configured command, BROWSER, the program of the system. BROWSER is a list of commands, separated by
/// colons, with `%s` for the URL (xdg-utils, `xdg-open`).
fn commands(address: &str, env: &Env, configured: &[String]) -> Vec<Vec<String>> {
    let words = |words: &mut dyn Iterator<Item = &str>, place: &str| {
        let words: Vec<&str> = words.collect();
        let mut command: Vec<String> = words.iter().map(|word| word.replace(place, address)).collect();
        if !words.iter().any(|word| word.contains(place)) {
            command.push(address.to_owned());
        }
        command
    };
    if !configured.is_empty() {
        return vec![words(&mut configured.iter().map(String::as_str), "{url}")];
    }
    let listed = env.filled("BROWSER").unwrap_or_default().split(':').filter(|entry| !entry.trim().is_empty());
    let mut all: Vec<Vec<String>> = listed.map(|entry| words(&mut entry.split_whitespace(), "%s")).collect();
    let system: &[&str] = match (cfg!(target_os = "macos"), env.is_wsl()) {
        (true, _) => &["open"],
        (false, true) => &["wslview", "explorer.exe", "xdg-open"],
        (false, false) => &["xdg-open"],
    };
    all.extend(system.iter().map(|program| vec![(*program).to_owned(), address.to_owned()]));
    all
}

fn exists(program: &str, env: &Env) -> bool {
    if program.contains('/') {
        return Path::new(program).is_file();
    }
    std::env::split_paths(env.text("PATH").unwrap_or_default()).any(|dir| dir.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Env {
        Env(pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect())
    }

    #[test]
    fn the_users_choice_precedes_that_of_the_system() {
        let url = "http://127.0.0.1:1/x";
        let of = |pairs: &[(&str, &str)], configured: &[&str]| {
            let configured: Vec<String> = configured.iter().map(|word| (*word).to_owned()).collect();
            let found = commands(url, &env(pairs), &configured);
            found.iter().map(|words| words.join(" ")).collect::<Vec<_>>()
        };
        let system =
            if cfg!(target_os = "macos") { "open http://127.0.0.1:1/x" } else { "xdg-open http://127.0.0.1:1/x" };
        assert_eq!(of(&[], &[]), [system]);
        assert_eq!(
            of(&[("BROWSER", "firefox -P work %s::w3m")], &[]),
            ["firefox -P work http://127.0.0.1:1/x", "w3m http://127.0.0.1:1/x", system]
        );
        assert_eq!(
            of(&[("BROWSER", "w3m")], &["firefox", "ext+container:name=work&url={url}"]),
            ["firefox ext+container:name=work&url=http://127.0.0.1:1/x"]
        );
        assert_eq!(of(&[], &["chromium", "--new-window"]), ["chromium --new-window http://127.0.0.1:1/x"]);
        if cfg!(target_os = "linux") {
            assert_eq!(
                of(&[("WSL_DISTRO_NAME", "Debian")], &[])[..2],
                [format!("wslview {url}"), format!("explorer.exe {url}")]
            );
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_browser_is_here_only_with_a_screen_of_this_machine() {
        let configured = ["/bin/sh".to_owned()];
        for (pairs, expected) in [
            (&[("DISPLAY", ":0")][..], true),
            (&[("WAYLAND_DISPLAY", "wayland-0")], true),
            (&[("WSL_DISTRO_NAME", "Debian")], true),
            (&[], false),
            (&[("DISPLAY", "")], false),
            (&[("DISPLAY", "localhost:10.0"), ("SSH_CONNECTION", "a 1 b 22")], false),
            (&[("DISPLAY", ":0"), ("SSH_TTY", "/dev/pts/0")], false),
            (&[("DISPLAY", ":0"), ("container", "podman")], false),
            (&[("DISPLAY", ":1"), ("REMOTE_CONTAINERS", "true")], false),
        ] {
            assert_eq!(is_here(&env(pairs), &configured), expected, "{pairs:?}");
        }
        assert!(!is_here(&env(&[("DISPLAY", ":0"), ("PATH", "/nowhere")]), &[]), "no program opens it");
        assert!(is_here(&env(&[("DISPLAY", ":0"), ("PATH", "/nowhere:/bin"), ("BROWSER", "none:sh")]), &[]));
    }
}
