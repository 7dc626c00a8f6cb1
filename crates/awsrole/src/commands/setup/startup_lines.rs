//! The lines that are missing in the startup files of a shell.

use std::path::{Path, PathBuf};

use awsrole_core::base::context::Context;
use awsrole_core::base::marked_block::MarkedBlock;
use awsrole_core::base::quote::shell_quote;
use awsrole_core::base::user_file::UserFile;
use awsrole_core::explain::startup::{StartupLine, missing_line, module_line, rc_file, read};
use awsrole_core::shell::module::ModuleShell;
use awsrole_core::shell::statements::Shell;
use awsrole_system::ambient;

/// Directories in which packages install completions.
const PREFIXES: [&str; 3] = ["/usr", "/usr/local", "/opt/homebrew"];

/// A line to add.
pub(super) struct Line {
    pub(super) text: String,
    /// What the line is for.
    pub(super) purpose: &'static str,
}

/// The lines to add to one file.
pub(super) struct FileLines {
    pub(super) path: PathBuf,
    pub(super) lines: Vec<Line>,
}

/// What a shell has and what it lacks.
#[derive(Default)]
pub(super) struct ShellSetup {
    /// Messages about lines that are there already.
    pub(super) present: Vec<String>,
    /// The missing lines.
    pub(super) files: Vec<FileLines>,
}

impl ShellSetup {
    /// Examines the startup files of a shell. `login` means that the user's shell is a login shell.
    pub(super) fn of(shell: Shell, login: bool, context: &Context) -> Self {
        let mut setup = Self::default();
        setup.hook(shell, false, context);
        // Only bash reads other files in login shells, and only one that exists.
        let has_login_file =
            || read(context, shell, true).files.iter().any(|file| file.starts_with(&context.paths.home));
        if shell == Shell::Bash && (login || has_login_file()) {
            setup.hook(shell, true, context);
        }
        match completions(shell, context) {
            Some(place) => setup.present.push(format!("completions are in {place}")),
            None => setup.add(rc_file(context, shell), completion_line(shell), "completions"),
        }
        setup.present.dedup();
        setup
    }

    fn hook(&mut self, shell: Shell, login: bool, context: &Context) {
        let startup = read(context, shell, login);
        if let Some(line) = startup.hooks.first() {
            self.present.push(format!("{} loads the hook", line.shown(context)));
        }
        let Some(missing) = missing_line(context, shell, login) else { return };
        let other = read(context, shell, !login);
        match other.hooks.first().filter(|_| other.files.contains(&missing.file)) {
            // Another line would load the hook twice there.
            Some(line) => self.present.push(format!(
                "{} loads the hook in some shells only: move the line to {}",
                line.shown(context),
                context.shorten(&missing.file)
            )),
            None => {
                let line = missing.line.replace("awsrole hook", &format!("{} hook", program()));
                self.add(missing.file, line, "the hook");
            }
        }
    }

    fn add(&mut self, path: PathBuf, text: String, purpose: &'static str) {
        let line = Line { text, purpose };
        match self.files.iter_mut().find(|file| file.path == path) {
            Some(file) if file.lines.iter().any(|other| other.text == line.text) => {}
            Some(file) => file.lines.push(line),
            None => self.files.push(FileLines { path, lines: vec![line] }),
        }
    }
}

/// Returns the lines that load the hook outside of awsrole's blocks.
pub(super) fn manual(context: &Context) -> Vec<String> {
    let shells = [Shell::Bash, Shell::Zsh, Shell::Fish].into_iter().flat_map(|shell| [(shell, false), (shell, true)]);
    let lines = shells.flat_map(|(shell, login)| read(context, shell, login).hooks);
    let modules = ModuleShell::ALL.into_iter().filter_map(|shell| module_line(context, shell));
    let lines = lines.filter(|line| !is_in_block(line)).chain(modules);
    let mut manual: Vec<String> = lines.map(|line| line.shown(context)).collect();
    manual.sort();
    manual.dedup();
    manual
}

fn is_in_block(line: &StartupLine) -> bool {
    let Ok(file) = UserFile::read(&line.file) else { return false };
    let block = MarkedBlock::find(file.content().unwrap_or_default());
    block.is_ok_and(|block| block.is_some_and(|block| (block.line..block.last_line()).contains(&line.line)))
}

/// Returns the name with which a shell finds awsrole: its path if PATH doesn't contain it.
fn program() -> String {
    let path = || shell_quote(ambient::binary()?.to_str()?);
    match ambient::in_path(Path::new("awsrole")) {
        Some(_) => "awsrole".to_owned(),
        None => path().unwrap_or_else(|| "awsrole".to_owned()),
    }
}

fn completion_line(shell: Shell) -> String {
    let program = program();
    match shell {
        Shell::Bash => format!("eval \"$({program} completions bash)\""),
        // Without compinit zsh has no completions at all.
        Shell::Zsh => format!("(( $+functions[compdef] )) && eval \"$({program} completions zsh)\""),
        Shell::Fish => format!("{program} completions fish | source"),
    }
}

/// Returns where the completions of a shell are: a line of a startup file, or a file that the shell loads on demand.
fn completions(shell: Shell, context: &Context) -> Option<String> {
    let line = [false, true].into_iter().find_map(|login| read(context, shell, login).completions);
    if let Some(line) = line {
        return Some(line.shown(context));
    }
    let below_prefix = |dir: &str, name: &str| PREFIXES.map(|prefix| Path::new(prefix).join(dir).join(name));
    let files = match shell {
        Shell::Bash => {
            let data = context.env.filled("XDG_DATA_HOME").map(PathBuf::from);
            let data = data.unwrap_or_else(|| context.paths.home.join(".local/share")).join("bash-completion");
            let own = context.env.filled("BASH_COMPLETION_USER_DIR").map_or(data, PathBuf::from);
            let system = below_prefix("share/bash-completion/completions", "awsrole");
            system.into_iter().chain([own.join("completions/awsrole")]).collect::<Vec<_>>()
        }
        Shell::Zsh => {
            let dirs = ["share/zsh/site-functions", "share/zsh/vendor-completions"];
            dirs.into_iter().flat_map(|dir| below_prefix(dir, "_awsrole")).collect()
        }
        Shell::Fish => {
            let own = rc_file(context, shell).with_file_name("completions").join("awsrole.fish");
            below_prefix("share/fish/vendor_completions.d", "awsrole.fish").into_iter().chain([own]).collect()
        }
    };
    files.iter().find(|file| file.is_file()).map(|file| context.shorten(file))
}
