//! Compares everything that a shell's last decision rests on with what is there now. For bash, zsh and fish the
//! snippets do this with builtins. The modules of the other shells request it at each prompt.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::SystemTime;

use crate::base::context::{Context, Env};
use crate::base::digest::sha256;
use crate::project::discover::upward;
use crate::shell::blocked::{self, Block};
use crate::shell::export::{Event, LOOK_AGAIN};
use crate::shell::generation;
use crate::shell::manual_change::ManualChange;
use crate::shell::state::{CREDENTIAL_VARS, OuterEnv, PROFILE_VARS};
use crate::shell::token::{Basis, Held, NextRequest, Token, nearest, seconds};
use crate::shell::views;

/// Variables of file managers, which would hide a question below their panels.
pub const FILE_MANAGERS: [&str; 3] = ["MC_SID", "RANGER_LEVEL", "NNNLVL"];

/// Result of a comparison.
pub enum Compared {
    /// The last decision is still valid. The token is the one to keep.
    Unchanged(Box<Token>),
    /// A new decision is needed.
    Changed(Box<Undo>),
}

/// What a module does before it requests a new decision.
pub struct Undo {
    /// Variables whose prior values are restored. All other prior values are forgotten.
    pub undo: Vec<String>,
    /// Remaining values of awsrole that are removed although their prior values are forgotten, because the user changed
    /// other keys of the same unit.
    pub unset: Vec<&'static str>,
    /// What follows if the next request gets no answer.
    pub block: Block,
    /// The token for the next request. It is that of a blocked shell.
    pub token: Token,
    /// What to tell the user.
    pub notice: Option<String>,
}

/// Compares. `context` has the environment of the shell, and `typed` is the awsrole command that the user just typed.
#[must_use]
pub fn compare(mut token: Token, typed: Option<&str>, context: &Context) -> Compared {
    let files = upward(&context.dir);
    let nearest_file = &files[..files.len().min(1)];
    let first = token == Token::default();
    let dir = sha256(&[context.dir.as_os_str().as_encoded_bytes()]);
    let moved = std::mem::replace(&mut token.dir, dir) != token.dir && !first;
    if token.off && token.held == Held::Outer {
        return Compared::Unchanged(Box::new(token));
    }
    if typed == Some("refresh") {
        token.held = Held::New;
    }
    if (!files.is_empty() || token.words().profile.is_some()) && context.paths.inside_project(nearest_file).is_none() {
        // On failure, the shell doesn't notice commands that are typed in other shells. But the directory isn't
        // writable then, so these commands cannot approve anything either.
        let _ = generation::ensure(&context.paths, context.now);
    }
    let basis = basis(&files, context);
    let (intact, changed) = token.compare_variables(&context.env);
    if is_valid(&token, &basis, &changed, context) {
        return Compared::Unchanged(Box::new(token));
    }
    let event = event(&token, &basis, &changed, typed, moved, context.now);
    let notice = match (event, token.held) {
        (Event::Changed, _) => changed
            .last()
            .map(|name| format!("{name} was changed manually: inactive until you unset it or `awsrole refresh`")),
        (Event::Prompt, Held::Inactive) if token.basis.nearest == basis.nearest => {
            Some("active again: what was set manually is gone".to_owned())
        }
        _ => None,
    };
    let keys_changed = changed.iter().any(|name| !PROFILE_VARS.contains(&name.as_str()));
    let undone = |name: &&str| !(keys_changed && CREDENTIAL_VARS.contains(name));
    let undo = intact.into_iter().filter(undone).map(str::to_owned).collect();
    let unset = ManualChange::of(&changed, &context.env).unset;
    let ask = event == Event::Cd && !first && !FILE_MANAGERS.iter().any(|name| context.env.has(name));
    let next = NextRequest { event: event.name().to_owned(), ask, changed };
    token.at(&basis.nearest);
    let diff = blocked::variables(&OuterEnv::reconstruct(&context.env).env, files.first(), token.words());
    (token.basis, token.since, token.next) = (basis, seconds(context.now), Some(next));
    let token = token.blocked_until(seconds(context.now + LOOK_AGAIN), &diff);
    let mut blocked = token.clone();
    blocked.back = None;
    let block = Block { diff, token: blocked };
    Compared::Changed(Box::new(Undo { undo, unset, block, token, notice }))
}

/// Returns whether the last decision is still valid.
fn is_valid(token: &Token, basis: &Basis, changed: &[String], context: &Context) -> bool {
    let was = &token.basis;
    match token.held {
        Held::New => false,
        Held::Inactive => was.nearest == basis.nearest && (!token.has_values || has_values(&context.env)),
        // Without a file, neither an approval nor `refresh` can change anything.
        Held::Outer if basis.nearest.is_empty() => was.nearest.is_empty(),
        Held::Outer => was == basis,
        Held::Role | Held::Blocked => was == basis && changed.is_empty() && !is_due(token, context.now),
    }
}

/// Returns the reason for a new decision.
fn event(token: &Token, basis: &Basis, changed: &[String], typed: Option<&str>, moved: bool, now: SystemTime) -> Event {
    match typed {
        Some("logout") | None => {}
        Some(_) => return Event::Cd,
    }
    if token.held == Held::New || token.basis.nearest != basis.nearest {
        // `cd` inside a project isn't an entry, and neither is a file that appears here.
        if moved { Event::Cd } else { Event::Prompt }
    } else if !changed.is_empty() && token.basis.direnv == basis.direnv {
        Event::Changed
    } else if token.basis == *basis && is_due(token, now) {
        if token.held == Held::Blocked { Event::Retry } else { Event::Due }
    } else {
        Event::Prompt
    }
}

fn is_due(token: &Token, now: SystemTime) -> bool {
    let now = seconds(now);
    token.deadline != 0 && (now >= token.deadline || now < token.since)
}

/// Returns whether keys or a profile are set. A secret without its ID is none.
fn has_values(env: &Env) -> bool {
    ["AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"].iter().any(|name| env.has(name))
}

fn basis(files: &[PathBuf], context: &Context) -> Basis {
    let contents = if files.is_empty() { String::new() } else { views::digest(files) };
    let direnv = context.env.0.get(OsStr::new("DIRENV_WATCHES"));
    Basis {
        nearest: nearest(files),
        contents,
        generation: generation::current(&context.paths),
        direnv: direnv.map(|value| sha256(&[value.as_encoded_bytes()])).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::aws::profiles::tests::home;
    use crate::base::files::write_private;
    use crate::shell::export::{Change, Export};
    use crate::shell::module_answer::changes;

    /// Returns the token after an answer, as if the module had applied it.
    fn answered(token: Token, change: Change, context: &mut Context) -> Token {
        let deadline = Some(context.now + Duration::from_secs(60));
        let mut export = Export { deadline, ..Export::of(change) };
        let diff = changes(&mut export.change, || blocked::variables(&context.env, None, Default::default()));
        let token = token.after(&export, &diff, &context.env, context.now);
        context.env.0.retain(|name, _| !diff.hide.iter().any(|hidden| name == *hidden));
        context.env.0.extend(diff.set.iter().map(|(name, value)| (name.as_ref().into(), value.shown().into())));
        token
    }

    fn changed(token: &Token, typed: Option<&str>, context: &Context) -> Option<(NextRequest, Undo)> {
        match compare(token.clone(), typed, context) {
            Compared::Unchanged(_) => None,
            Compared::Changed(undo) => Some((undo.token.next.clone().unwrap(), *undo)),
        }
    }

    fn request(token: &Token, typed: Option<&str>, context: &Context) -> Option<(String, bool)> {
        changed(token, typed, context).map(|(next, _)| (next.event, next.ask))
    }

    #[test]
    fn everything_that_a_decision_rests_on_is_compared() {
        let (_home, mut context) = home("", "");
        context.now += Duration::from_secs(1000);
        let outside = context.paths.home.clone();
        let (file, inside) = (outside.join("p/.awsrole.toml"), outside.join("p"));
        write_private(&file, b"one").unwrap();
        context.dir.clone_from(&outside);
        assert_eq!(request(&Token::default(), None, &context), Some(("prompt".to_owned(), false)), "never asks first");
        let (_, first) = changed(&Token::default(), None, &context).unwrap();
        let outer = answered(first.token, Change::Outer, &mut context);
        assert_eq!(request(&outer, Some("status"), &context), None);
        context.dir.clone_from(&inside);
        assert_eq!(request(&outer, None, &context), Some(("cd".to_owned(), true)));
        context.env.0.insert("MC_SID".into(), "1".into());
        assert_eq!(request(&outer, None, &context), Some(("cd".to_owned(), false)), "below a file manager");
        context.env.0.remove(OsStr::new("MC_SID"));
        let (_, entered) = changed(&outer, None, &context).unwrap();
        let held = answered(entered.token, Change::Blocked, &mut context);
        assert_eq!(request(&held, None, &context), None);
        assert_eq!(request(&held, Some("refresh"), &context), Some(("cd".to_owned(), true)));
        write_private(&file, b"two").unwrap();
        assert_eq!(request(&held, None, &context), Some(("prompt".to_owned(), false)));
        write_private(&file, b"one").unwrap();
        generation::bump(&context.paths, context.now + Duration::from_secs(1)).unwrap();
        assert_eq!(request(&held, None, &context), Some(("prompt".to_owned(), false)));
        let mut held = held;
        held.basis = basis(&[file], &context);
        for seconds in [60, -1_i64] {
            let now = context.now;
            context.now = if seconds < 0 { now - Duration::from_secs(2) } else { now + Duration::from_secs(60) };
            assert_eq!(request(&held, None, &context), Some(("retry".to_owned(), false)), "{seconds}");
            context.now = now;
        }
    }

    #[test]
    fn a_change_of_keys_keeps_all_keys() {
        let (_home, mut context) = home("", "");
        context.dir = context.paths.home.join("p");
        write_private(&context.dir.join(".awsrole.toml"), b"").unwrap();
        let (_, first) = changed(&Token::default(), None, &context).unwrap();
        let held = answered(first.token, Change::Blocked, &mut context);
        context.env.0.insert("AWS_ACCESS_KEY_ID".into(), "AKIAMINE".into());
        let (next, undo) = changed(&held, None, &context).unwrap();
        assert_eq!((next.event.as_str(), next.changed.as_slice()), ("changed", &["AWS_ACCESS_KEY_ID".to_owned()][..]));
        assert!(undo.undo.contains(&"AWS_PROFILE".to_owned()) && undo.undo.contains(&"AWSROLE_STATE".to_owned()));
        assert!(!undo.undo.iter().any(|name| CREDENTIAL_VARS.contains(&name.as_str())), "{:?}", undo.undo);
        assert_eq!(undo.unset, ["AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION"]);
        context.env.0.insert("DIRENV_WATCHES".into(), "x".into());
        assert_eq!(changed(&held, None, &context).unwrap().0.event, "prompt", "direnv changed it");
    }
}
