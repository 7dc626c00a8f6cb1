//! Errors as they are shown to the user.

use std::fmt::{self, Display, Write as _};

/// One failure: what failed, why, and how to fix it.
///
/// Each module has its own error enum and converts it into a `Problem`, with the hint next to the variant. Problems are
/// formatted only here, so that every text from a file, a directory name or a server is escaped before it reaches a
/// terminal.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Problem {
    /// What failed: one line in lower case, without a full stop.
    pub summary: String,
    /// The causes, one line each, the immediate cause first.
    #[serde(default)]
    pub causes: Vec<String>,
    /// The request and the caller, each with a label. Causes often can't be judged without them.
    #[serde(default)]
    pub facts: Vec<(String, String)>,
    /// How to fix it, one line each, the most likely hint first.
    #[serde(default)]
    pub hints: Vec<String>,
    /// The error of AWS, if it refused a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Box<AwsRefusal>>,
    /// Whether the next attempt may succeed although nobody changes anything.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_temporary: bool,
}

/// A call that AWS refused, with AWS's error. `awsrole why` prints it in full, and `awsrole policy` parses the message
/// to find the missing policy.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct AwsRefusal {
    /// The index of the plan's step that was refused. `None` if the source was refused.
    pub step: Option<usize>,
    /// The error code, such as `AccessDenied`.
    pub code: String,
    /// The error message.
    pub message: String,
    /// Other possible causes, one short line each, the most likely first. As many are printed as fit.
    pub others: Vec<String>,
    /// The other possible causes in full. Only `awsrole why` prints them.
    pub details: Vec<String>,
    /// The options that select the role in other commands. `None` for the role of the shell.
    #[serde(skip)]
    pub options: Option<String>,
    /// How the user leaves the role, if they chose it.
    #[serde(skip)]
    way_back: Option<String>,
}

/// The maximum number of rows of a refusal at [`COLUMNS`] columns. It is printed again at each `cd`.
const MAX_ROWS: usize = 8;

/// The width of a terminal for which refusals are written.
const COLUMNS: usize = 80;

/// The indentation of continuation lines.
pub const HANG: usize = 4;

/// The last line of a refusal.
const THEN: &str = "  run `awsrole why` for all causes, and `awsrole refresh` after the fix";

/// The last line of a refusal because of which a shell is blocked.
const BLOCKED: &str = "  blocked: AWS commands fail here until `awsrole refresh`; causes: `awsrole why`";

/// What a blocked shell means, after any other error.
const BLOCKED_NOTICE: &str = "  blocked: AWS commands fail here until a role is assumed";

/// The same after a failure that may be over at the next attempt, which a prompt makes.
const BLOCKED_FOR_NOW: &str = "  blocked: AWS commands fail here until a retry (in 30 s) works";

impl Problem {
    /// Creates a problem with a summary only.
    pub fn new(summary: impl Into<String>) -> Self {
        let (causes, facts, hints) = Default::default();
        Self { summary: summary.into(), causes, facts, hints, refusal: None, is_temporary: false }
    }

    /// Appends a cause.
    #[must_use]
    pub fn because(mut self, cause: impl Display) -> Self {
        self.causes.push(cause.to_string());
        self
    }

    /// Appends a fact.
    #[must_use]
    pub fn fact(mut self, label: &str, text: impl Display) -> Self {
        self.facts.push((label.to_owned(), text.to_string()));
        self
    }

    /// Appends a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Display) -> Self {
        self.hints.push(hint.to_string());
        self
    }

    /// Appends how the user leaves a role that they chose. It is printed of each refusal, however long that is.
    #[must_use]
    pub fn way_back(mut self, hint: &str) -> Self {
        let Some(refusal) = &mut self.refusal else { return self.hint(hint) };
        refusal.way_back = Some(hint.to_owned());
        self
    }

    /// Marks a failure that may be over at the next attempt.
    #[must_use]
    pub fn temporary(self) -> Self {
        Self { is_temporary: true, ..self }
    }

    /// Records AWS's error. The printed problem then ends with the commands to run next.
    #[must_use]
    pub fn refused(mut self, step: Option<usize>, code: &str, message: &str) -> Self {
        let (code, message, others, details) = (code.to_owned(), message.to_owned(), Vec::new(), Vec::new());
        self.refusal =
            Some(Box::new(AwsRefusal { step, code, message, others, details, options: None, way_back: None }));
        self
    }

    /// Appends another possible cause of a refusal, in short.
    #[must_use]
    pub fn other(mut self, cause: impl Display) -> Self {
        if let Some(refusal) = &mut self.refusal {
            refusal.others.push(cause.to_string());
        }
        self
    }

    /// Appends another possible cause of a refusal in full.
    #[must_use]
    pub fn detail(mut self, cause: impl Display) -> Self {
        if let Some(refusal) = &mut self.refusal {
            refusal.details.push(cause.to_string());
        }
        self
    }

    /// Adapts the commands in the texts to a role that `options` select, such as `--role prod`. `again` gets this role,
    /// in place of `awsrole refresh`, which is only about the role of the shell.
    #[must_use]
    pub fn of_selected_role(mut self, options: &str, again: &str) -> Self {
        let with_options = ["why", "policy", "login"].map(|name| (name, format!("`awsrole {name} {options}`")));
        let adapt = |text: &mut String| {
            for (name, command) in &with_options {
                *text = text.replace(&format!("`awsrole {name}`"), command);
            }
            *text = text.replace("`awsrole refresh`", &format!("`{again}`"));
        };
        self.hints.iter_mut().chain(&mut self.causes).for_each(adapt);
        if let Some(refusal) = &mut self.refusal {
            refusal.others.iter_mut().chain(&mut refusal.details).for_each(adapt);
            refusal.options = Some(options.to_owned());
        }
        self
    }

    /// Returns a problem with everything that is known about a refusal: AWS's message, and all possible causes as
    /// hints.
    #[must_use]
    pub fn in_full(mut self) -> Self {
        if let Some(refusal) = self.refusal.take() {
            self.causes = vec![format!("{}: {}", refusal.code, refusal.message)];
            self.hints.extend(if refusal.details.is_empty() { refusal.others } else { refusal.details });
        }
        self
    }

    /// Shortens the lines of a refusal to what fits on [`MAX_ROWS`] rows, and appends the last ones. `awsrole why`
    /// prints what is cut off.
    fn fit(lines: Vec<String>, first_hint: usize, others: &[String], last: Vec<String>) -> Vec<String> {
        // The likeliest hint stays, whatever its length.
        let (mut fitting, mut used): (Vec<String>, usize) = (Vec::new(), last.iter().map(|line| rows(line)).sum());
        let lines = lines.into_iter().enumerate().map(|(index, line)| match index < first_hint && rows(&line) > 2 {
            true => (true, line.chars().take(2 * COLUMNS - 1).chain(['…']).collect()),
            false => (index <= first_hint, line),
        });
        let others = others.iter().map(|other| (false, format!("  or: {}", escape(other))));
        for (needed, line) in lines.chain(others) {
            if needed || used + rows(&line) <= MAX_ROWS {
                used += rows(&line);
                fitting.push(line);
            }
        }
        fitting.extend(last);
        fitting
    }

    /// Returns the text for a shell that is blocked by this problem: it also says that AWS commands fail there.
    #[must_use]
    pub fn of_blocked_shell(&self) -> String {
        match (&self.refusal, self.is_temporary) {
            (Some(_), _) => self.text(BLOCKED),
            (None, true) => format!("{self}\n{BLOCKED_FOR_NOW}"),
            (None, false) => format!("{self}\n{BLOCKED_NOTICE}"),
        }
    }

    /// Returns the text for a shell that keeps the role `held`, because this problem prevented another. `why` is the
    /// command that lists all causes.
    #[must_use]
    pub fn of_kept_role(&self, held: &str, why: &str) -> String {
        let kept = format!("  this shell keeps {}", escape(held));
        match &self.refusal {
            Some(_) => self.text(&format!("{kept}. Run `{}` for all causes", escape(why))),
            None => format!("{self}\n{kept}"),
        }
    }

    /// Returns the text. `last` is the last line of a refusal.
    fn text(&self, last: &str) -> String {
        let mut lines = vec![format!("awsrole: {}", escape(&self.summary))];
        lines.extend(self.causes.iter().map(|cause| format!("  caused by: {}", escape(cause))));
        lines.extend(self.facts.iter().map(|(label, text)| format!("  {label}: {}", escape(text))));
        let first_hint = lines.len();
        lines.extend(self.hints.iter().map(|hint| format!("  hint: {}", escape(hint))));
        if let Some(refusal) = &self.refusal {
            let way_back = refusal.way_back.iter().map(|hint| format!("  hint: {}", escape(hint)));
            let last = way_back.chain([last.to_owned()]).collect();
            lines = Self::fit(lines, first_hint, &refusal.others, last);
        }
        lines.join("\n")
    }
}

/// Returns the number of rows that a line takes on a terminal of [`COLUMNS`] columns.
fn rows(line: &str) -> usize {
    line.chars().count().div_ceil(COLUMNS).max(1)
}

impl Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.refusal.as_ref().and_then(|refusal| refusal.options.as_deref()) {
            None => f.write_str(&self.text(THEN)),
            Some(options) => {
                let why = format!("  run `awsrole why {}` for all causes, then repeat the command", escape(options));
                f.write_str(&self.text(&why))
            }
        }
    }
}

/// Escapes a text for a terminal.
///
/// The result is one line. It contains nothing that moves the cursor, changes colors, reorders text or is invisible,
/// and no passwords of URLs. Control characters (C0, C1), the Unicode bidirectional controls (CVE-2021-42574) and
/// characters without a width become `\u{…}`.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in mask_passwords(text).chars() {
        match c {
            '\n' => escaped.push_str("\\n"),
            '\t' => escaped.push_str("\\t"),
            c if is_deceptive(c) => {
                let _ = write!(escaped, "\\u{{{:x}}}", c as u32);
            }
            c => escaped.push(c),
        }
    }
    escaped
}

/// Serializes a value as JSON for users and programs.
///
/// Passwords in URLs are masked, and the characters that [`escape`] replaces are written as `\uXXXX`. All other values
/// are unchanged.
///
/// # Errors
/// Fails for a value that JSON can't represent.
pub fn to_json(value: &impl serde::Serialize) -> Result<String, Problem> {
    let json = serde_json::to_string_pretty(value).map_err(|e| Problem::new("no JSON").because(e))?;
    Ok(escape_json(&mask_passwords(&json)))
}

/// Replaces the characters that [`escape`] replaces with `\uXXXX` escapes. The JSON value is unchanged.
#[must_use]
pub fn escape_json(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    // Outside of strings, the only such characters are the newlines of the layout.
    for c in json.chars() {
        if c != '\n' && is_deceptive(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// Returns whether a terminal would interpret a character, or a reader couldn't see it.
///
/// These are Cc, Bidi_Control and Default_Ignorable_Code_Point (Unicode 16), without the variation selectors, which
/// emoji need.
fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e00ff}')
}

/// Masks the user information before `@` in each URL, which may contain a name and a password.
fn mask_passwords(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, address) = rest.split_at(at + 3);
        masked.push_str(before);
        let end = address.find(|c: char| c.is_whitespace() || "/?#\"'`<>,;".contains(c)).unwrap_or(address.len());
        match address[..end].rfind('@') {
            Some(host) => {
                masked.push('…');
                rest = &address[host..];
            }
            None => rest = address,
        }
    }
    masked.push_str(rest);
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_each_part_on_a_line_of_its_own() {
        let problem = Problem::new("STS refused it").because("AccessDenied").hint("run `awsrole why`");
        assert_eq!(
            problem.fact("requested by", "alice").to_string(),
            "awsrole: STS refused it\n  caused by: AccessDenied\n  requested by: alice\n  hint: run `awsrole why`"
        );
    }

    #[test]
    fn prints_of_a_refusal_what_fits_on_eight_rows() {
        let refused = |hint: &str| {
            let problem = Problem::new("STS refused it").refused(Some(0), "AccessDenied", "no");
            let problem = problem.fact("caller", "alice").fact("sent", "no MFA").hint(hint).detail("in full");
            (1..9).fold(problem, |problem, number| problem.other(format!("cause {number}"))).to_string()
        };
        let text = refused("set mfa_serial");
        assert_eq!(text.lines().map(rows).sum::<usize>(), MAX_ROWS, "{text}");
        assert!(text.contains("  hint: set mfa_serial\n  or: cause 1\n  or: cause 2\n"), "{text}");
        assert!(text.ends_with(THEN) && !text.contains("in full") && !text.contains("cause 4"), "{text}");
        let blocked = Problem::new("no").refused(None, "C", "m").of_blocked_shell();
        assert_eq!(blocked, format!("awsrole: no\n{BLOCKED}"));
        for (problem, last) in [(Problem::new("no"), BLOCKED_NOTICE), (Problem::new("no").temporary(), BLOCKED_FOR_NOW)]
        {
            assert_eq!(problem.of_blocked_shell(), format!("awsrole: no\n{last}"));
        }
        assert!([BLOCKED, BLOCKED_NOTICE, BLOCKED_FOR_NOW, THEN].iter().all(|last| rows(last) == 1));
        let text = refused(&"x".repeat(80));
        assert!(text.contains("cause 2") && !text.contains("cause 3"), "{text}");
        let full = Problem::new("no").refused(None, "C", "m").hint("a").other("b").detail("c").in_full();
        assert_eq!((full.causes, full.hints, full.refusal), (vec!["C: m".into()], vec!["a".into(), "c".into()], None));
        let text = refused(&"x".repeat(800));
        assert!(text.contains("xxx") && !text.contains("cause 1") && text.ends_with(THEN), "{text}");
    }

    #[test]
    fn long_refusal_of_a_chosen_role_says_how_to_leave_it() {
        let refused = Problem::new("STS refused it").refused(Some(0), "AccessDenied", "no").hint("x".repeat(400));
        let text = refused.hint("y").way_back("`awsrole use -`").of_blocked_shell();
        assert!(text.ends_with(&format!("xxx\n  hint: `awsrole use -`\n{BLOCKED}")), "{text}");
        let other = Problem::new("no network").temporary().way_back("`awsrole use -`").of_blocked_shell();
        assert!(other.contains("\n  hint: `awsrole use -`\n"), "{other}");
    }

    #[test]
    fn commands_are_about_the_selected_role() {
        let problem = Problem::new("STS refused it").refused(Some(0), "AccessDenied", "no");
        let problem =
            problem.hint("`awsrole policy` prints it").hint("run `awsrole refresh`").other("see `awsrole why`");
        assert_eq!(
            problem.of_selected_role("--role prod", "awsrole use prod").to_string(),
            "awsrole: STS refused it\n  hint: `awsrole policy --role prod` prints it\n  hint: run `awsrole use prod`\n  \
             or: see `awsrole why --role prod`\n  run `awsrole why --role prod` for all causes, then repeat the command"
        );
    }

    #[test]
    fn escapes_terminal_control_sequences_in_remote_text() {
        let problem = Problem::new("a\u{1b}[31mred\r\nawsrole: all is well\u{9b}2J\u{202e}txt");
        assert_eq!(problem.to_string(), "awsrole: a\\u{1b}[31mred\\u{d}\\nawsrole: all is well\\u{9b}2J\\u{202e}txt");
    }

    #[test]
    fn escapes_invisible_characters() {
        for c in [
            '\u{61c}',
            '\u{200b}',
            '\u{200d}',
            '\u{2060}',
            '\u{feff}',
            '\u{ad}',
            '\u{9b}',
            '\u{85}',
            '\u{2066}',
            '\u{e0041}',
        ] {
            assert_eq!(escape(&format!("a{c}b")), format!("a\\u{{{:x}}}b", c as u32));
            let json = to_json(&format!("a{c}b\"\n")).unwrap();
            assert!(json.is_ascii(), "{json}");
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), format!("a{c}b\"\n"));
        }
        for harmless in ["Ana María", "日本", "⚠️", "naïve – …"] {
            assert_eq!(escape(harmless), harmless);
        }
        assert_eq!(to_json(&["a", "b"]).unwrap(), "[\n  \"a\",\n  \"b\"\n]");
    }

    #[test]
    fn masks_passwords_in_urls() {
        for (text, expected) in [
            ("proxy http://ana:pw@proxy:3128/ and https://b:p@q@c", "proxy http://…@proxy:3128/ and https://…@c"),
            ("`https://sts.eu/?x=a@b`", "`https://sts.eu/?x=a@b`"),
            ("socks5://me@host, x://", "socks5://…@host, x://"),
            (
                "arn:aws:sts::111111111111:assumed-role/Dev/ana@example.com",
                "arn:aws:sts::111111111111:assumed-role/Dev/ana@example.com",
            ),
        ] {
            assert_eq!(escape(text), expected);
        }
        assert_eq!(to_json(&"http://a:b@c").unwrap(), "\"http://…@c\"");
    }
}
