//! Roles that the user must confirm: the question before one is assumed, and the proof that it was answered.
//!
//! awsrole asks only after a command that the user typed. Prompts, renewals and programs keep using a confirmed role,
//! and never assume an unconfirmed one.

use data_encoding::HEXLOWER;

use crate::aws::arn::AccountId;
use crate::aws::mfa::{ConfirmPrompt, NotConfirmed};
use crate::base::digest::sha256;
use crate::base::problem::Problem;
use crate::plan::account_pin::expected_account;
use crate::plan::guard::{Guard, protected_account};
use crate::plan::role_plan::RolePlan;
use crate::project::config::Confirm;
use crate::settings::accounts::{Accounts, Color};

/// The length of a [`Confirmation`] in bytes.
const BYTES: usize = 16;

/// Identifies what the user agreed to assume: the account, each role of the chain, and the source. If the project file
/// or a profile then leads to another role, or through another one, awsrole asks again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confirmation([u8; BYTES]);

impl Confirmation {
    /// Returns the confirmation of a plan.
    #[must_use]
    pub fn of(plan: &RolePlan) -> Self {
        let account = expected_account(plan).map(|account| account.to_string()).unwrap_or_default();
        let role = plan.role_arn().map(ToString::to_string).unwrap_or_default();
        let mut parts = vec![account, role, plan.source.to_string()];
        parts.extend(plan.roles().map(|role| role.role_arn.to_string()));
        let digest = sha256(&[parts.join("\0").as_bytes()]);
        let mut bytes = [0; BYTES];
        bytes.copy_from_slice(&digest.as_bytes()[..BYTES]);
        Self(bytes)
    }

    /// Creates a confirmation from stored bytes. Returns `None` if the length is wrong.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Returns the confirmation in hexadecimal.
    #[must_use]
    pub fn to_text(&self) -> String {
        HEXLOWER.encode(&self.0)
    }

    /// Returns the bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Returns the question before a role is assumed, if there is one and `confirmed` is not its answer.
#[must_use]
pub fn question(
    guard: &Guard,
    plan: &RolePlan,
    confirmed: Option<Confirmation>,
    accounts: &Accounts,
) -> Option<ConfirmPrompt> {
    if guard.confirm == Confirm::Never || confirmed == Some(Confirmation::of(plan)) {
        return None;
    }
    Some(prompt("Assume", guard, plan, accounts))
}

/// Returns the question before one command is run as a role. It is always asked.
#[must_use]
pub fn sudo_question(guard: &Guard, plan: &RolePlan, accounts: &Accounts) -> ConfirmPrompt {
    let prompt = prompt("Run as", guard, plan, accounts);
    let color = expected_account(plan).and_then(|account| accounts.color(&account)).unwrap_or(SUDO_COLOR);
    ConfirmPrompt { color: prompt.color.or(Some(color.code())), ..prompt }
}

/// The color of the question of `awsrole sudo` for an account without a color.
const SUDO_COLOR: Color = Color::Magenta;

/// Returns the question. It names the account, and each other account of the chain that is a reason for it.
fn prompt(what: &str, guard: &Guard, plan: &RolePlan, accounts: &Accounts) -> ConfirmPrompt {
    let account = expected_account(plan);
    let typed = guard.typed_account(plan).filter(|_| guard.confirm == Confirm::Account);
    let mut through: Vec<_> = protected_account(plan, accounts).into_iter().chain(typed.clone()).collect();
    through.dedup();
    through.retain(|reason| Some(reason) != account.as_ref());
    let shown = account.map(|account| format!(" in {}", accounts.shown(&account))).unwrap_or_default();
    let through: String = through.iter().map(|account| format!(" through {}", accounts.shown(account))).collect();
    // The terminal echoes ASCII only, so another name can't be typed.
    let name = |id: AccountId| accounts.name(&id).filter(|name| name.is_ascii()).unwrap_or(id.as_str()).to_owned();
    ConfirmPrompt {
        text: format!("{what} {}{shown}{through}?", plan.title()),
        expected: typed.map(name),
        color: guard.protected.as_ref().map(|_| Color::Red.code()),
    }
}

/// Returns the error that a role was not confirmed. `how` says what confirms it, such as a command with
/// `--yes`. If the answer was no, `how` says what the answer means.
#[must_use]
pub fn not_confirmed(plan: &RolePlan, why: NotConfirmed, how: &str) -> Problem {
    let title = plan.title();
    match why {
        NotConfirmed::No => Problem::new(format!("{title} was not confirmed")).hint(how),
        NotConfirmed::NotNow => Problem::new(format!("{title} must be confirmed before it is assumed"))
            .because("awsrole asks only after a command that you typed at a prompt")
            .hint(how),
        NotConfirmed::NoTerminal => Problem::new(format!("{title} must be confirmed before it is assumed"))
            .because("this process isn't in the foreground of a terminal")
            .hint(how),
    }
}

/// Returns the problem of a shell that is blocked because its role wasn't confirmed.
#[must_use]
pub fn unconfirmed(plan: &RolePlan, role: Option<&str>) -> Problem {
    Problem::new(format!("{} must be confirmed before it is assumed", plan.title()))
        .because("it was not confirmed in this shell")
        .hint(in_shell(role))
}

/// Returns what confirms a role in a shell.
#[must_use]
pub fn in_shell(role: Option<&str>) -> String {
    match role {
        Some(role) => format!("`awsrole use {role}` asks, and `awsrole use {role} --yes` doesn't"),
        None => "`awsrole refresh` asks, and `awsrole exec --yes -- CMD` doesn't".to_owned(),
    }
}

/// Returns the command that asks again in a shell after an answer of no.
#[must_use]
pub fn in_shell_again(role: Option<&str>) -> String {
    let command = role.map_or("refresh".to_owned(), |role| format!("use {role}"));
    format!("`awsrole {command}` asks again")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::resolve::tests::Home;
    use crate::project::config::tests::config;
    use crate::settings::accounts::{Account, AccountName};

    #[test]
    fn a_confirmation_is_for_each_role_of_the_chain() {
        const KEYS: &str = "[jump]\naws_access_key_id = AKIAJUMP\naws_secret_access_key = canary\n";
        let confirmed = |source: &str| {
            let role = |name: &str, source: &str| {
                format!("[role.{name}]\nrole_arn = \"arn:aws:iam::222222222222:role/{name}\"\n{source}\n")
            };
            let jump = "source_profile = \"jump\"";
            let text = format!("default_role = \"far\"\n{}{}", role("far", source), role("a", jump) + &role("b", jump));
            Confirmation::of(&Home::new("", KEYS, &[("USER", "alice")]).plan(&text).unwrap())
        };
        let [direct, a, b] = ["source_profile = \"jump\"", "source_role = \"a\"", "source_role = \"b\""].map(confirmed);
        assert!(direct != a && a != b && direct != b);
        assert_eq!(a, confirmed("source_role = \"a\""));
    }

    #[test]
    fn the_question_names_the_account_of_the_chain_that_is_its_reason() {
        const KEYS: &str = "[jump]\naws_access_key_id = AKIAJUMP\naws_secret_access_key = canary\n";
        let account = |name, protect, color| Account { name: AccountName::parse(name).ok(), protect, color };
        let asked = |protect: bool, far: &str, near: &str| {
            let text = format!(
                "default_role = \"near\"\n[role.near]\nrole_arn = \"arn:aws:iam::222222222222:role/Near\"\n\
                 source_role = \"far\"\n{near}[role.far]\nrole_arn = \"arn:aws:iam::333333333333:role/Far\"\n\
                 source_profile = \"jump\"\n{far}"
            );
            let plan = Home::new("", KEYS, &[("USER", "alice")]).plan(&text).unwrap();
            let id = |text: &str| AccountId::parse(text).unwrap();
            let dev = account("dev", false, Some(Color::Green));
            let accounts =
                Accounts([(id("222222222222"), dev), (id("333333333333"), account("prod", protect, None))].into());
            let led_to = protected_account(&plan, &accounts);
            let guard = Guard::of_file(&config(&text), None).protecting(led_to.iter(), &accounts);
            let prompt = sudo_question(&guard, &plan, &accounts);
            (prompt.text, prompt.expected, prompt.color)
        };
        let (dev, through) = ("Run as near in dev (222222222222)?", " through prod (333333333333)?");
        let both = dev.replace('?', through);
        let (red, green) = (Some(Color::Red.code()), Some(Color::Green.code()));
        let (asks, types) = ("confirm = true\n", "confirm = \"account\"\n");
        for (protect, far, near, text, typed, color) in [
            (false, "", "", dev, None, green),
            (false, asks, "", dev, None, green),
            (true, "", "", &both, None, red),
            (true, "", types, &both, Some("dev"), red),
            (true, types, "", &both, Some("prod"), red),
            (false, types, asks, &both, Some("prod"), green),
            (false, types, types, dev, Some("dev"), green),
        ] {
            let expected = (text.to_owned(), typed.map(str::to_owned), color);
            assert_eq!(asked(protect, far, near), expected, "{protect} {far}{near}");
        }
    }
}
