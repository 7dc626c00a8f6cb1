//! `credential_process`: a program of the user's that prints credentials (AWS SDKs and Tools
//! Reference Guide, "Process credential provider").

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime};

use awsrole_core::context::Env;
use awsrole_core::credentials::Credentials;
use awsrole_core::problem::Problem;
use awsrole_core::secret::Secret;
use awsrole_core::source::{IN_PROCESS, Process};
use serde::Deserialize;
use zeroize::Zeroizing;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    version: u32,
    access_key_id: Zeroizing<String>,
    secret_access_key: Zeroizing<String>,
    session_token: Option<Zeroizing<String>>,
    expiration: Option<String>,
}

/// Runs the program in the user's shell with the outer environment. Its stderr and the terminal are
/// the person's; what it prints is never repeated.
pub(crate) fn run(process: &Process, env: &Env, limit: Duration, now: SystemTime) -> Result<Credentials, Problem> {
    let failed = |why: String| {
        Problem::new(format!("the credential_process of profile {} gave no credentials", process.profile))
            .because(why)
            .hint(format!(
                "see the profile in ~/.aws/config; to try it by hand: aws configure export-credentials --profile {}",
                process.profile
            ))
    };
    let start = Instant::now();
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(&process.command).env_clear().envs(&env.0).env(IN_PROCESS, "1");
    let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn();
    let mut child = spawned.map_err(|e| failed(format!("/bin/sh can't be started: {e}")))?;
    let text = output(&mut child, limit).map_err(&failed)?;
    let status = end(&mut child, limit.saturating_sub(start.elapsed())).map_err(&failed)?;
    if !status.success() {
        return Err(failed(match status.code() {
            Some(127) => "its program isn't there (exit code 127)".to_owned(),
            Some(code) => format!("it ended with exit code {code}"),
            None => "it was killed".to_owned(),
        }));
    }
    if text.trim().is_empty() {
        return Err(failed("it printed nothing".to_owned()));
    }
    // serde's own words would repeat what was printed.
    let answer: Answer = serde_json::from_str(&text).map_err(|e| {
        failed(format!("its output isn't the JSON that SDKs expect (line {}, column {}): {{\"Version\": 1, \"AccessKeyId\": …, \"SecretAccessKey\": …}}", e.line(), e.column()))
    })?;
    if answer.version != 1 {
        return Err(failed(format!("its output is of version {}, not 1", answer.version)));
    }
    let expiration = answer.expiration.as_deref().map(rfc3339).transpose().map_err(&failed)?;
    if expiration.is_some_and(|end| end <= now) {
        return Err(failed("what it gave has expired already".to_owned()));
    }
    let secret = |text: Zeroizing<String>| Secret::new(text.as_str());
    Ok(Credentials {
        access_key_id: answer.access_key_id.to_string(),
        secret_access_key: secret(answer.secret_access_key),
        session_token: answer.session_token.filter(|token| !token.is_empty()).map(secret),
        issued: now,
        expiration,
        arn: None,
    })
}

/// Reads all that a child prints, and ends it when its time is up.
fn output(child: &mut Child, limit: Duration) -> Result<Zeroizing<String>, String> {
    let Some(mut pipe) = child.stdout.take() else {
        return Err("its output can't be read".to_owned());
    };
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut text = Zeroizing::new(String::with_capacity(16 * 1024));
        let read = pipe.read_to_string(&mut text).map(|_| text).map_err(|e| format!("its output can't be read: {e}"));
        let _ = sender.send(read);
    });
    receiver.recv_timeout(limit).unwrap_or_else(|_| Err(too_long(child, limit)))
}

/// Waits for a child that has printed all, and ends it when its time is up.
fn end(child: &mut Child, limit: Duration) -> Result<ExitStatus, String> {
    let start = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) if start.elapsed() >= limit => return Err(too_long(child, limit)),
            Ok(None) => std::thread::sleep(Duration::from_millis(5)),
            Err(e) => return Err(e.to_string()),
        }
    }
}

fn too_long(child: &mut Child, limit: Duration) -> String {
    kill_with_descendants(child.id());
    let _ = child.kill();
    let _ = child.wait();
    format!("it wasn't done within {} s", limit.as_secs())
}

/// Ends what a process started. It is in our process group, which has the terminal, so the group
/// can't be ended; where the system has no such lists of children, the process alone ends.
fn kill_with_descendants(id: u32) {
    let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    for child in children.split_whitespace().filter_map(|word| word.parse::<u32>().ok()) {
        kill_with_descendants(child);
        let pid = i32::try_from(child).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

/// An ISO 8601 time; those that SDKs accept beside `Z` are rare offsets, refused here by name.
fn rfc3339(text: &str) -> Result<SystemTime, String> {
    let zulu = text.strip_suffix("+00:00").map(|start| format!("{start}Z"));
    humantime::parse_rfc3339(zulu.as_deref().unwrap_or(text))
        .map_err(|_| "its Expiration isn't a time in UTC (2030-01-02T03:04:05Z)".to_owned())
}
