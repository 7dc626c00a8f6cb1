//! Answers the modules of nushell, xonsh, elvish, tcsh and PowerShell.
//!
//! A module makes two requests. With `--compare` it learns whether anything changed, in the environment that the user
//! sees. Then it undoes what awsrole set, and requests the decision in the outer environment. What the module must
//! remember between these is in the token.

use std::path::PathBuf;

use awsrole_core::base::context::{Context, Env};
use awsrole_core::base::problem::Problem;
use awsrole_core::shell::blocked::{self, Block};
use awsrole_core::shell::compare::{Compared, compare as compare_with};
use awsrole_core::shell::export::{Change, ChosenWords, Export};
use awsrole_core::shell::module_answer::{ModuleAnswer, changes, command_json};
use awsrole_core::shell::tcsh;
use awsrole_core::shell::token::Token;
use awsrole_system::ambient;
use awsrole_system::print::{out, print_error, print_notice};

use crate::request::{AnswerReader, Request};

/// Parses the token of a decision.
pub(crate) fn token(text: &str) -> Result<Token, Problem> {
    Token::parse(text).ok_or_else(|| {
        Problem::new("the token of this shell was not written by this version of awsrole").hint("restart the shell")
    })
}

/// Completes a request with what its token contains.
pub(crate) fn with_token(request: Request, token: &Token) -> Request {
    let next = token.next.clone().unwrap_or_default();
    let words = token.words();
    Request {
        event: next.event(),
        ask: next.ask,
        changed: next.changed,
        role: words.role.map(str::to_owned),
        profile: words.profile.map(str::to_owned),
        ..request
    }
}

/// Prints whether a new decision is needed.
pub(crate) fn compare(request: &Request, context: &Context) -> Result<(), Problem> {
    // After an upgrade, a shell with a role is like one that was started inside the project.
    let token = request.token.as_deref().and_then(Token::parse).unwrap_or_default();
    let compared = compare_with(token, request.typed.as_deref(), context);
    if let Compared::Changed(undo) = &compared {
        undo.notice.iter().for_each(print_notice);
    }
    match request.reader {
        AnswerReader::Tcsh => out(&tcsh::of_comparison(&compared)),
        AnswerReader::Json | AnswerReader::Snippet(_) => out(&compared.to_json()),
    }
}

/// What a decision was made for.
pub(crate) struct Answered<'a> {
    pub(crate) token: Token,
    pub(crate) words: ChosenWords<'a>,
    pub(crate) files: &'a [PathBuf],
    pub(crate) outer: &'a Env,
}

/// Prints a decision.
pub(crate) fn print(
    reader: AnswerReader,
    export: &mut Export,
    mut messages: Vec<String>,
    request: Answered<'_>,
) -> Result<(), Problem> {
    let Answered { token, words, files, outer } = request;
    let words = ChosenWords {
        role: words.role.or(export.chosen.as_deref()),
        profile: words.profile.or(export.chosen_profile.as_deref()),
    };
    let blocked = || blocked::variables(outer, files.first(), words);
    let mut diff = changes(&mut export.change, blocked);
    if reader == AnswerReader::Tcsh && !tcsh::can_set(&diff) {
        let problem = Problem::new("tcsh cannot be given a value with a newline or another control character")
            .hint("`awsrole exec -- CMD` runs a command with this role");
        print_error(&problem);
        messages.push(problem.to_string());
        export.change = Change::Blocked;
        export.deadline = None;
        diff = blocked();
    }
    // The fetch may have waited for the user.
    let token = token.after(export, &diff, outer, ambient::now());
    let file = files.first().map(|file| file.to_string_lossy().into_owned());
    let block = Block::after(&token, blocked());
    let answer = ModuleAnswer { export, diff, block, file, messages, token };
    match reader {
        AnswerReader::Tcsh => out(&tcsh::of_answer(&answer)),
        AnswerReader::Json | AnswerReader::Snippet(_) => out(&answer.to_json()),
    }
}

/// Prints the token after a command that changes only this shell.
///
/// # Errors
/// The output cannot be written.
pub fn print_command(reader: AnswerReader, token: &Token) -> Result<(), Problem> {
    match reader {
        AnswerReader::Tcsh => out(&tcsh::of_command(token)),
        AnswerReader::Json | AnswerReader::Snippet(_) => out(&command_json(token)),
    }
}
