//! A change of awsrole's marked block in a file of the user's: first shown, then made.

use std::path::Path;

use awsrole_core::base::context::Context;
use awsrole_core::base::marked_block::{self, MarkError, MarkedBlock, with_block, without_block};
use awsrole_core::base::problem::{Problem, escape};
use awsrole_core::base::user_file::UserFile;
use similar::TextDiff;

/// A change that has not been made yet.
pub(super) struct BlockEdit {
    pub(super) file: UserFile,
    before: Vec<String>,
    after: Vec<String>,
    /// The new content of the file. `None` removes it.
    content: Option<Vec<u8>>,
}

impl BlockEdit {
    /// Reads a file and computes the lines of the block from the present ones. No lines mean that the block is
    /// removed. `newline` returns the line end of the block for the file's content.
    ///
    /// # Errors
    /// Fails for a file that can't be read, and for a damaged block, with its line.
    pub(super) fn of(
        path: &Path,
        newline: fn(&[u8]) -> &'static str,
        context: &Context,
        lines: impl FnOnce(&[String]) -> Vec<String>,
    ) -> Result<Self, Problem> {
        let shown = context.shorten(path);
        let file = UserFile::read(path)
            .map_err(|e| Problem::new(format!("cannot use {shown}")).because(&e).hint("make it a readable file"))?;
        let damaged = |error: MarkError| {
            Problem::new(format!("{shown}:{}: {error}", error.line()))
                .hint("delete the lines that awsrole added manually, then run the same command again")
        };
        let bytes = file.content().unwrap_or_default();
        let before = MarkedBlock::find(bytes).map_err(damaged)?.map(|block| block.lines).unwrap_or_default();
        let after = lines(&before);
        let content = match (after.is_empty(), file.content()) {
            (true, None) => None,
            (true, Some(bytes)) => without_block(bytes).map_err(damaged)?,
            (false, before) => Some(with_block(before, &after, newline(bytes)).map_err(damaged)?),
        };
        Ok(Self { file, before, after, content })
    }

    /// Returns whether the block changes.
    pub(super) fn is_change(&self) -> bool {
        self.before != self.after
    }

    /// Returns the lines that would be added, with `+`, and those that would be removed, with `-`. No other line of the
    /// file is shown, because it may be a secret.
    pub(super) fn diff(&self, context: &Context) -> String {
        let shown = escape(&context.shorten(self.file.path()));
        let (before, after) = (marked_block::shown(&self.before), marked_block::shown(&self.after));
        let diff = TextDiff::from_lines(&before, &after);
        let lines = diff.iter_all_changes();
        let lines = lines.map(|change| format!("{}{}\n", change.tag(), escape(change.value().trim_end_matches('\n'))));
        format!("--- {shown}\n+++ {shown}\n{}", lines.collect::<String>())
    }

    /// Makes the change. A new file gets `mode`, as far as the umask permits.
    pub(super) fn apply(&self, mode: u32, context: &Context) -> Result<(), Problem> {
        let replaced = self.file.replace(self.content.as_deref(), mode, &context.paths);
        replaced.map_err(|error| error.problem(self.file.path(), context))
    }
}
