//! Which files are searched, and for which tool.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};

use awsrole_core::base::context::Context;
use awsrole_core::project::discover::FILE_NAME;

/// How many levels of subdirectories are searched.
const MAX_DEPTH: usize = 4;

/// The number of directory entries that are looked at.
const MAX_ENTRIES: usize = 20_000;

/// The number of files that are read.
const MAX_FILES: usize = 500;

/// Directories of generated and downloaded files. Those whose names start with a dot are left out, too.
const SKIPPED: [&str; 9] =
    ["node_modules", "target", "vendor", "dist", "build", "venv", "__pycache__", "cdk.out", "cdktf.out"];

/// Files of mise in a project that aren't named after it.
pub(crate) const OF_MISE: [&str; 4] =
    ["mise/config.toml", ".mise/config.toml", ".config/mise.toml", ".config/mise/config.toml"];

/// The format of a file, and the tool that reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileKind {
    SamToml,
    SamYaml,
    Serverless,
    Cdk,
    Mise,
    Dotenv,
    Direnv,
    Terraform,
    TerraformJson,
    TerraformVariables,
    TerraformVariablesJson,
    Backend,
    Terragrunt,
    Kubeconfig,
    PackageJson,
    Script,
}

impl FileKind {
    /// Returns whether only the file at the top of the project counts. A project may contain any number of them.
    fn is_only_at_top(self) -> bool {
        matches!(self, Self::PackageJson | Self::Script)
    }

    /// Returns the kind of a file, by its path.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let ends = |suffixes: &[&str]| suffixes.iter().any(|suffix| name.ends_with(suffix));
        let sample = ends(&[".example", ".sample", ".template", ".dist", ".md"]);
        Some(match name {
            "samconfig.toml" => Self::SamToml,
            "samconfig.yaml" | "samconfig.yml" => Self::SamYaml,
            "serverless.yml" | "serverless.yaml" | "serverless.json" => Self::Serverless,
            "cdk.json" | ".cdk.json" => Self::Cdk,
            "mise.toml" | ".mise.toml" | "mise.local.toml" | ".mise.local.toml" => Self::Mise,
            _ if OF_MISE.iter().any(|end| path.ends_with(end)) => Self::Mise,
            ".envrc" => Self::Direnv,
            _ if (name == ".env" || name.starts_with(".env.")) && !sample => Self::Dotenv,
            "package.json" => Self::PackageJson,
            "Makefile" | "makefile" | "GNUmakefile" => Self::Script,
            _ if ends(&[".sh"]) => Self::Script,
            "kubeconfig" | "kubeconfig.yaml" | "kubeconfig.yml" => Self::Kubeconfig,
            _ if ends(&[".kubeconfig"]) || path.ends_with(".kube/config") => Self::Kubeconfig,
            _ if ends(&[".tf.json", ".tofu.json"]) => Self::TerraformJson,
            _ if ends(&[".tf", ".tofu"]) => Self::Terraform,
            "terraform.tfvars" => Self::TerraformVariables,
            "terraform.tfvars.json" => Self::TerraformVariablesJson,
            _ if ends(&[".auto.tfvars"]) => Self::TerraformVariables,
            _ if ends(&[".auto.tfvars.json"]) => Self::TerraformVariablesJson,
            _ if ends(&[".tfbackend"]) || name.starts_with("backend") && ends(&[".hcl", ".conf"]) => Self::Backend,
            _ if ends(&[".hcl"]) && !name.starts_with('.') => Self::Terragrunt,
            _ => return None,
        })
    }
}

/// Returns the files of a project that may select an identity.
pub(super) fn of_project(project: &Path) -> Vec<(PathBuf, FileKind)> {
    let mut found: Vec<PathBuf> = OF_MISE.iter().map(|name| project.join(name)).filter(|path| path.is_file()).collect();
    let mut dirs = VecDeque::from([(project.to_owned(), 0)]);
    let mut entries_left = MAX_ENTRIES;
    while let Some((dir, depth)) = dirs.pop_front() {
        let read: Vec<_> = fs::read_dir(&dir).into_iter().flatten().flatten().take(entries_left).collect();
        entries_left -= read.len();
        let mut paths: Vec<PathBuf> = Vec::new();
        for entry in read {
            // Links to directories aren't followed: they may lead anywhere.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if depth < MAX_DEPTH && is_searched(&entry.path()) {
                    dirs.push_back((entry.path(), depth + 1));
                }
            } else if FileKind::of(&entry.path()).is_some_and(|kind| depth == 0 || !kind.is_only_at_top()) {
                paths.push(entry.path());
            }
        }
        paths.sort();
        found.extend(paths);
    }
    // Those that are near were found first.
    found.truncate(MAX_FILES);
    found.into_iter().filter_map(|path| FileKind::of(&path).map(|kind| (path, kind))).collect()
}

/// Returns the files of the user that tools read in every directory.
pub(super) fn of_user(context: &Context) -> Vec<(PathBuf, FileKind)> {
    let kube: Vec<PathBuf> = match context.env.filled("KUBECONFIG") {
        Some(list) => list.split(':').filter(|path| !path.is_empty()).map(|path| context.dir.join(path)).collect(),
        None => vec![context.paths.home.join(".kube/config")],
    };
    let kube = kube.into_iter().map(|path| (path, FileKind::Kubeconfig));
    kube.chain([(context.paths.home.join(".cdk.json"), FileKind::Cdk)]).collect()
}

/// Returns whether a subdirectory belongs to the project and has files that people write.
fn is_searched(dir: &Path) -> bool {
    let name = dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    !name.starts_with('.') && !SKIPPED.contains(&name.as_str()) && dir.join(FILE_NAME).symlink_metadata().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_by_their_names() {
        for (path, kind) in [
            ("/p/main.tf", Some(FileKind::Terraform)),
            ("/p/main.tf.json", Some(FileKind::TerraformJson)),
            ("/p/x.auto.tfvars.json", Some(FileKind::TerraformVariablesJson)),
            ("/p/prod.tfvars", None),
            ("/p/terragrunt.hcl", Some(FileKind::Terragrunt)),
            ("/p/.terraform.lock.hcl", None),
            ("/p/backend.hcl", Some(FileKind::Backend)),
            ("/p/.env.local", Some(FileKind::Dotenv)),
            ("/p/.env.example", None),
            ("/p/.environment", None),
            ("/p/.config/mise/config.toml", Some(FileKind::Mise)),
            ("/p/config.toml", None),
            ("/home/a/.kube/config", Some(FileKind::Kubeconfig)),
            ("/p/package.json", Some(FileKind::PackageJson)),
            ("/p/GNUmakefile", Some(FileKind::Script)),
            ("/p/deploy.sh", Some(FileKind::Script)),
            ("/p/config", None),
        ] {
            assert_eq!(FileKind::of(Path::new(path)), kind, "{path}");
        }
    }
}
