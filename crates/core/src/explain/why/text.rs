//! Formats the explanation for the terminal.

use std::time::Duration;

use super::agent::AgentReport;
use super::report::{SessionReport, StepReport, Why};
use crate::base::context::Context;

impl Why {
    /// Returns the sections: a title, then labels and texts. A line with an empty label continues the text above.
    ///
    /// `time` formats times that are written as RFC 3339.
    #[must_use]
    pub fn sections(
        &self,
        context: &Context,
        time: &dyn Fn(&str) -> String,
    ) -> Vec<(&'static str, Vec<(String, String)>)> {
        let line = |label: &str, text: String| (label.to_owned(), text);
        let mut sections = Vec::new();
        let mut lines: Vec<(String, String)> = self.files.iter().map(|file| line("", context.shorten(file))).collect();
        let main = self.main_worktree.as_ref().map(|main| format!(" {}", context.shorten(main)));
        lines.push(line("approval", self.approval.to_owned() + &main.unwrap_or_default()));
        sections.push(("file", lines));
        if let Some(chain) = &self.chain {
            let set = chain.permission_set.as_ref().map(|set| format!("permission set {set}"));
            let result = chain.role_arn.clone().or_else(|| set.clone());
            let mut lines = vec![line("", result.unwrap_or_else(|| format!("no role: a session of {}", chain.source)))];
            let mut add =
                |label: &str, text: &Option<String>| lines.extend(text.as_ref().map(|text| line(label, text.clone())));
            add("name", &chain.name);
            add("profile", &chain.profile);
            add("account", &called(chain.account_name.as_ref(), chain.account.as_ref()));
            add("pinned to", &called(chain.pin_name.as_ref(), chain.pin.as_ref()));
            add("region", &chain.region);
            add("guards", &Some(chain.guards.join(", ")).filter(|text| !text.is_empty()));
            lines.push(line("endpoint", chain.endpoint.clone()));
            sections.push(("role", lines));
            let set = set.map(|set| format!(", {set}")).unwrap_or_default();
            let mut lines = vec![line("1", chain.source.clone() + &set)];
            if !chain.limited_by.is_empty() {
                lines.push(line("", format!("limited by {}", chain.limited_by.join(", "))));
            }
            for (index, link) in chain.links.iter().enumerate() {
                lines.push(line(&(index + 2).to_string(), format!("{} {}", link.call, link.what)));
                lines.push(line("", link.details()));
                lines.extend(link.limits().map(|limits| line("", limits)));
                lines.push(line("", link.cached(time)));
            }
            lines.extend(chain.notices.iter().map(|notice| line("note", notice.clone())));
            sections.push(("chain", lines));
        }
        sections.extend(self.agent.as_ref().map(AgentReport::section));
        sections.push(("shell", self.shell.lines(time)));
        if let Some(problem) = &self.problem {
            let mut lines = vec![line("", problem.summary.clone())];
            lines.extend(problem.causes.iter().map(|cause| line("because", cause.clone())));
            lines.extend(problem.facts.iter().map(|(label, text)| line(label, text.clone())));
            lines.extend(problem.hints.iter().map(|hint| line("hint", hint.clone())));
            sections.push(("problem", lines));
        }
        if !self.profile_overrides.is_empty() {
            let mut lines: Vec<(String, String)> =
                self.profile_overrides.iter().map(|one| line("", one.shown(context))).collect();
            lines.push(line("", "these take precedence over exported credentials: remove the lines".to_owned()));
            sections.push(("overrides", lines));
        }
        sections.push(("next", vec![line("", self.next.clone())]));
        sections
    }
}

impl StepReport {
    fn details(&self) -> String {
        let mut parts = Vec::new();
        let mut add =
            |label: &str, text: &Option<String>| parts.extend(text.as_ref().map(|text| format!("{label} {text}")));
        add("account", &called(self.account_name.as_ref(), self.account.as_ref()));
        add("as", &self.session_name);
        add("external ID", &self.external_id);
        add("source identity", &self.source_identity);
        add("MFA by", &self.mfa_serial);
        parts.push(format!("for {}", self.duration));
        parts.join(", ")
    }

    /// Returns the settings that limit the session, and how much of the size that STS accepts they take.
    fn limits(&self) -> Option<String> {
        let size = self
            .size_percent
            .map(|used| format!(" (packed policy size: {used}% used, {}% left)", 100_u8.saturating_sub(used)));
        let settings = (!self.limited_by.is_empty()).then(|| self.limited_by.join(", "))?;
        Some(format!("limited by {settings}{}", size.unwrap_or_default()))
    }

    fn cached(&self, time: &dyn Fn(&str) -> String) -> String {
        match (self.cached_until.as_deref().map(time), self.cached_for_seconds) {
            (Some(until), Some(age)) => format!("cached until {until}, {} old", minutes(Duration::from_secs(age))),
            (Some(until), None) => format!("cached until {until}"),
            (None, _) => "not cached".to_owned(),
        }
    }
}

impl SessionReport {
    fn lines(&self, time: &dyn Fn(&str) -> String) -> Vec<(String, String)> {
        let mut lines = vec![(
            String::new(),
            match (&self.role, self.state) {
                _ if self.manual_change.is_some() => "inactive".to_owned(),
                (Some(role), _) => format!("holds {role}"),
                (None, "blocked") => "blocked: every AWS client fails".to_owned(),
                (None, "off") => "off: awsrole is inactive in this shell".to_owned(),
                (None, state) => format!("holds {state}"),
            },
        )];
        let mut add = |label: &str, text: String| lines.push((label.to_owned(), text));
        if let Some(change) = &self.manual_change {
            add("because", change.clone());
        }
        if self.selected_by_parent {
            add("agent", "a parent process selected this session, not the role above".to_owned());
        }
        if let Some(key) = &self.key {
            add("key", key.clone());
        }
        if let Some(expires) = &self.expires {
            add("expires", time(expires));
        }
        if let Some(ends) = &self.ends {
            add("ends", time(ends));
        }
        // Several names share a line, so that the output fits on the screen.
        for (label, names) in [("set", &self.set), ("hidden", &self.hidden)] {
            for (index, names) in names.chunks(3).enumerate() {
                add(if index == 0 { label } else { " " }, names.join(" "));
            }
        }
        lines
    }
}

/// Formats an account with the user's name for it.
fn called(name: Option<&String>, id: Option<&String>) -> Option<String> {
    match (name, id) {
        (Some(name), Some(id)) => Some(format!("{name} ({id})")),
        (_, id) => id.cloned(),
    }
}

/// Formats a duration in whole minutes.
pub(super) fn minutes(duration: Duration) -> String {
    match duration.as_secs() / 60 {
        0 => "less than a minute".to_owned(),
        minutes => humantime::format_duration(Duration::from_secs(minutes * 60)).to_string(),
    }
}
