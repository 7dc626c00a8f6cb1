//! A strict STS on loopback, for the quickstart and the tests. It is not installed with awsrole.
//!
//! It listens on 127.0.0.1 only, knows only the users of its fixture, and connects to nothing.
//!
//! The modules are layers, listed from the lowest to the highest: each imports from those before it, never from those
//! after it.

mod crypto;
mod policy;
mod fixture;
mod protocol;
mod state;
mod sts;
mod iam;
mod signin;
mod metadata;
mod identity_center;
mod server;

use std::io::{self, Read, Write};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// A strict STS on loopback, for development.
#[derive(Parser)]
#[command(name = "awsrole-local-sts", version)]
struct Arguments {
    /// Users and roles, as TOML
    fixture: PathBuf,
    /// Port on 127.0.0.1, or 0 for a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// File that gets the address when the server is ready
    #[arg(long)]
    ready_file: Option<PathBuf>,
    /// End when stdin is closed, so that a parent's death ends this server
    #[arg(long)]
    until_stdin_closes: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut stderr = io::stderr().lock();
            // If stderr is closed, too, the exit status is the only report.
            drop(writeln!(stderr, "awsrole-local-sts: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let world = fixture::world::World::read(&arguments.fixture)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminated = signal(SignalKind::terminate())?;
        let mut interrupted = signal(SignalKind::interrupt())?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, arguments.port)).await?;
        let address = format!("http://{}", listener.local_addr()?);
        let closed = arguments.until_stdin_closes.then(stdin_closed);
        announce(&address, arguments.ready_file.as_deref())?;
        tokio::select! {
            never = server::http::serve(listener, Arc::new(server::dispatch::Server::new(world))) => match never {},
            _ = terminated.recv() => Ok(()),
            _ = interrupted.recv() => Ok(()),
            () = async { match closed { Some(closed) => drop(closed.await), None => std::future::pending().await } } => Ok(()),
        }
    })
}

/// Prints the address and writes it to the ready file. The file is complete when it appears.
fn announce(address: &str, ready_file: Option<&Path>) -> io::Result<()> {
    if let Some(path) = ready_file {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        writeln!(file, "{address}")?;
        file.persist(path)?;
    }
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{address}")?;
    stdout.flush()
}

/// Returns a receiver that resolves at the end of stdin. A separate thread reads stdin: one of the runtime would block
/// the end of the process.
fn stdin_closed() -> oneshot::Receiver<()> {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        let mut bytes = [0; 64];
        while io::stdin().lock().read(&mut bytes).is_ok_and(|count| count > 0) {}
        drop(sender);
    });
    receiver
}
