//! Settings of Terraform, OpenTofu and Terragrunt: providers, backends and remote states.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use awsrole_core::base::location::line_of;
use hcl_edit::expr::{Expression, ObjectKey, TraversalOperator};
use hcl_edit::structure::{Body, Structure};
use hcl_edit::template::Element;
use hcl_edit::{Ident, Span};

use super::documents::yaml;
use super::files::FileKind;
use super::variables::selects;
use super::{Setting, folder, read};

/// How often a variable may refer to another one.
const MAX_REFERENCES: usize = 8;

/// The keys of a provider or backend that select an identity.
const KEYS: [&str; 4] = ["profile", "access_key", "shared_credentials_file", "shared_credentials_files"];

/// The values of variables (`var.NAME`) and locals (`local.NAME`) of one directory.
type Values = BTreeMap<String, Expression>;

/// The Terraform files of a project.
pub(super) struct Terraform {
    files: Vec<PathBuf>,
    environment: BTreeMap<String, String>,
    known: BTreeMap<PathBuf, Values>,
}

/// A value, as far as it is known without running Terraform.
#[derive(Debug, PartialEq, Eq)]
enum Value {
    /// It isn't set.
    Null,
    Known(String),
    Unknown,
}

impl Terraform {
    /// Takes the files that may set variables, and the values of variables in the environment.
    pub(super) fn of(files: Vec<PathBuf>, environment: BTreeMap<String, String>) -> Self {
        Self { files, environment, known: BTreeMap::new() }
    }

    /// Returns the settings of a file in HCL. One that can't be parsed has none: no tool reads it either.
    pub(super) fn settings(&mut self, file: &Path, text: &str, kind: FileKind) -> Vec<Setting> {
        let tool = if kind == FileKind::Terragrunt { "Terragrunt" } else { "Terraform" };
        let values = self.values(folder(file));
        let mut search = Search { file, text, first_line: 0, tool, kind, values, found: Vec::new() };
        search.run();
        search.found
    }

    /// Returns the values of a directory. Later sources take precedence (Terraform, "Variable Definition Precedence").
    fn values(&mut self, dir: &Path) -> &Values {
        if !self.known.contains_key(dir) {
            let mut values = Values::new();
            let here: Vec<(&PathBuf, FileKind)> = self
                .files
                .iter()
                .filter(|file| folder(file) == dir)
                .filter_map(|file| Some((file, FileKind::of(file)?)))
                .collect();
            for (file, kind) in &here {
                if matches!(kind, FileKind::Terraform | FileKind::Terragrunt) {
                    declared(&read::text(file), &mut values);
                }
            }
            values.extend(self.environment.iter().map(|(name, value)| (format!("var.{name}"), value.as_str().into())));
            for (file, kind) in &here {
                match kind {
                    FileKind::TerraformVariables => assigned(&read::text(file), &mut values),
                    FileKind::TerraformVariablesJson => {
                        let entries = yaml(&read::text(file)).into_iter().filter(|entry| entry.path.len() == 1);
                        values.extend(entries.map(|entry| (format!("var.{}", entry.path[0]), json(&entry.value))));
                    }
                    _ => {}
                }
            }
            self.known.insert(dir.to_owned(), values);
        }
        &self.known[dir]
    }
}

/// Returns a value of a JSON file as an expression.
fn json(value: &str) -> Expression {
    if value == "null" { Expression::null() } else { value.into() }
}

/// Reads the defaults of variables, and locals.
fn declared(text: &str, values: &mut Values) {
    let Ok(body) = hcl_edit::parser::parse_body(text) else { return };
    for block in body.blocks() {
        match (block.ident.as_str(), block.labels.as_slice()) {
            ("variable", [name]) => {
                let default = block.body.get_attribute("default");
                values.extend(default.map(|default| (format!("var.{}", name.as_str()), default.value.clone())));
            }
            ("locals", []) => {
                let locals = block.body.attributes();
                values.extend(locals.map(|local| (format!("local.{}", local.key.as_str()), local.value.clone())));
            }
            _ => {}
        }
    }
}

/// Reads a file of variable definitions.
fn assigned(text: &str, values: &mut Values) {
    let Ok(body) = hcl_edit::parser::parse_body(text) else { return };
    values.extend(body.attributes().map(|one| (format!("var.{}", one.key.as_str()), one.value.clone())));
}

/// Returns whether the keys of a value lead to a setting that selects an identity.
pub(super) fn selects_identity(keys: &[&str], kind: FileKind) -> bool {
    let Some((last, parents)) = keys.split_last() else { return false };
    match parents {
        [] => kind == FileKind::Backend && KEYS.contains(last),
        ["provider", "aws"]
        | ["terraform", "backend", "s3"]
        | ["data", "terraform_remote_state", _, "config"]
        | ["remote_state", "config"] => KEYS.contains(last),
        ["terraform", "extra_arguments", _, "env_vars"] => selects(last),
        _ => false,
    }
}

/// The search of one text.
struct Search<'a> {
    file: &'a Path,
    text: &'a str,
    /// The number of lines before the text.
    first_line: usize,
    tool: &'static str,
    kind: FileKind,
    values: &'a Values,
    found: Vec<Setting>,
}

impl Search<'_> {
    fn run(&mut self) {
        if let Ok(body) = hcl_edit::parser::parse_body(self.text) {
            self.body(&body, &mut Vec::new());
        }
    }

    fn body(&mut self, body: &Body, keys: &mut Vec<String>) {
        for structure in body {
            let length = keys.len();
            match structure {
                Structure::Attribute(attribute) => {
                    keys.push(attribute.key.to_string());
                    self.value(&attribute.value, keys);
                }
                Structure::Block(block) => {
                    keys.push(block.ident.to_string());
                    keys.extend(block.labels.iter().map(|label| label.as_str().to_owned()));
                    self.body(&block.body, keys);
                }
            }
            keys.truncate(length);
        }
    }

    fn value(&mut self, value: &Expression, keys: &mut Vec<String>) {
        let path: Vec<&str> = keys.iter().map(String::as_str).collect();
        if selects_identity(&path, self.kind) {
            self.add(value, path.last().copied().unwrap_or_default());
        } else if let (["generate", _, "contents"], Expression::HeredocTemplate(_)) = (path.as_slice(), value) {
            self.generated(value);
        }
        let Expression::Object(object) = value else { return };
        for (key, value) in object {
            let key = match key {
                ObjectKey::Ident(name) => name.to_string(),
                ObjectKey::Expression(Expression::String(name)) => name.to_string(),
                ObjectKey::Expression(_) => continue,
            };
            keys.push(key);
            self.value(value.expr(), keys);
            keys.pop();
        }
    }

    fn add(&mut self, value: &Expression, key: &str) {
        let known = evaluate(value, self.values, MAX_REFERENCES);
        if known == Value::Null {
            return;
        }
        let source = value.span().and_then(|span| self.text.get(span)).unwrap_or_default();
        let is_name = key == "profile" || key.ends_with("_PROFILE");
        let text = match &known {
            _ if matches!(key, "access_key" | "AWS_ACCESS_KEY_ID") => key.to_owned(),
            Value::Known(name) if !source.starts_with('"') => format!("{key} = {} (\"{name}\")", short(source)),
            _ => format!("{key} = {}", short(source)),
        };
        let profile = match known {
            Value::Known(name) if is_name => Some(name),
            _ => None,
        };
        let line = self.first_line + value.span().map_or(1, |span| line_of(self.text.as_bytes(), span.start));
        self.found.push(Setting { file: self.file.to_owned(), line, tool: self.tool, text, profile });
    }

    /// Searches the HCL in a heredoc, which Terragrunt writes to a file.
    fn generated(&mut self, heredoc: &Expression) {
        let Some(span) = heredoc.span() else { return };
        let source = self.text.get(span.clone()).unwrap_or_default();
        let inner = source.split_once('\n').and_then(|(_, rest)| Some(rest.trim_end().rsplit_once('\n')?.0));
        let Some(inner) = inner else { return };
        let first_line = self.first_line + line_of(self.text.as_bytes(), span.start);
        let mut search = Search { text: inner, first_line, kind: FileKind::Terraform, found: Vec::new(), ..*self };
        search.run();
        self.found.extend(search.found);
    }
}

/// Returns a piece of source on one line.
fn short(source: &str) -> String {
    const LONGEST: usize = 60;
    let line = source.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

fn evaluate(value: &Expression, values: &Values, references_left: usize) -> Value {
    let text = |text: &str| if text.is_empty() { Value::Null } else { Value::Known(text.to_owned()) };
    match value {
        Expression::Null(_) => Value::Null,
        Expression::String(value) => text(value),
        Expression::Parenthesis(inner) => evaluate(inner.inner(), values, references_left),
        Expression::StringTemplate(template) => match template.iter().collect::<Vec<_>>().as_slice() {
            [Element::Interpolation(inner)] => evaluate(&inner.expr, values, references_left),
            _ => Value::Unknown,
        },
        Expression::Traversal(traversal) => {
            let (Expression::Variable(root), [operator]) = (&traversal.expr, traversal.operators.as_slice()) else {
                return Value::Unknown;
            };
            let TraversalOperator::GetAttr(name) = operator.value() else { return Value::Unknown };
            let name: &Ident = name.value();
            match values.get(&format!("{}.{name}", root.as_str())) {
                Some(found) if references_left > 0 => evaluate(found, values, references_left - 1),
                _ => Value::Unknown,
            }
        }
        _ => Value::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use awsrole_core::base::files::write_private;

    /// Returns the settings of all files: place, text and profile.
    fn found(files: &[(&str, &str)], environment: &[(&str, &str)]) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        let paths: Vec<PathBuf> = files.iter().map(|(name, _)| dir.path().join(name)).collect();
        for (path, (_, text)) in paths.iter().zip(files) {
            write_private(path, text.as_bytes()).unwrap();
        }
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut terraform = Terraform::of(paths.clone(), environment);
        let settings = paths.iter().flat_map(|path| read::settings(path, FileKind::of(path).unwrap(), &mut terraform));
        let shown = |setting: Setting| {
            let file = setting.file.strip_prefix(dir.path()).unwrap().display().to_string();
            format!("{file}:{} {} → {}", setting.line, setting.text, setting.profile.as_deref().unwrap_or("?"))
        };
        settings.map(shown).collect()
    }

    #[test]
    fn providers_backends_and_remote_states_in_all_forms() {
        let text = "\
/* provider \"aws\" { profile = \"no\" } */
provider \"aws\" {
  region  = \"x\" # profile = \"no\"
  profile = \"one\"
  default_tags { profile = \"no\" }
}
provider aws { profile = (\"two\") }
terraform {
  backend \"s3\" {
    profile = <<EOT
three
EOT
  }
}
data \"terraform_remote_state\" \"x\" {
  config = { profile : \"four\", key = \"k\" }
}
provider \"aws\" {
  alias = \"k\"
  access_key = \"AKIA\"
  secret_key = \"secret\"
  shared_credentials_files = [
    \"f\"
  ]
  assume_role { role_arn = \"r\" }
}
provider \"google\" { profile = \"no\" }
resource \"aws_instance\" \"x\" { profile = \"no\" }
locals { profile = \"no\" }
module \"x\" { profile = \"no\" }
";
        assert_eq!(
            found(&[("main.tf", text)], &[]),
            [
                "main.tf:4 profile = \"one\" → one",
                "main.tf:7 profile = (\"two\") (\"two\") → two",
                "main.tf:10 profile = <<EOT three EOT → ?",
                "main.tf:16 profile = \"four\" → four",
                "main.tf:20 access_key → ?",
                "main.tf:22 shared_credentials_files = [ \"f\" ] → ?",
            ]
        );
        assert_eq!(found(&[("main.tf", "provider \"aws\" { profile = \"x\"")], &[]), [""; 0]);
        let json = "{\n \"provider\": {\"aws\": [{\"region\": \"x\"},\n  {\"profile\": \"one\"}]},\n \"terraform\": {\"backend\": {\"s3\": \
                    {\n  \"profile\": \"${var.p}\", \"access_key\": \"x\"}}}\n}";
        let expected =
            ["a.tf.json:3 profile: one → one", "a.tf.json:5 profile: ${var.p} → ?", "a.tf.json:5 access_key → ?"];
        assert_eq!(found(&[("a.tf.json", json)], &[]), expected);
        assert_eq!(found(&[("prod.tfbackend", "profile = \"x\"\n")], &[]), ["prod.tfbackend:1 profile = \"x\" → x"]);
    }

    #[test]
    fn variables_are_followed_where_they_are_known() {
        let main = ("main.tf", "provider \"aws\" { profile = var.p }");
        let variable = |default: &str| format!("variable \"p\" {{ {default} }}\nlocals {{ q = \"${{var.p}}\" }}\n");
        let (none, null, some) = (variable(""), variable("default = null"), variable("default = \"one\""));
        assert_eq!(found(&[main, ("v.tf", &none)], &[]), ["main.tf:1 profile = var.p → ?"]);
        assert_eq!(found(&[main, ("v.tf", &null)], &[]), [""; 0]);
        assert_eq!(found(&[main, ("v.tf", &some)], &[]), ["main.tf:1 profile = var.p (\"one\") → one"]);
        assert_eq!(found(&[main, ("v.tf", &null)], &[("p", "two")]), ["main.tf:1 profile = var.p (\"two\") → two"]);
        let files = [main, ("v.tf", &none), ("terraform.tfvars", "p = \"three\"\n")];
        assert_eq!(found(&files, &[("p", "two")]), ["main.tf:1 profile = var.p (\"three\") → three"]);
        let files = [main, ("v.tf", &some), ("x.auto.tfvars.json", "{\"p\": null}")];
        assert_eq!(found(&files, &[]), [""; 0]);
        let local = ("main.tf", "provider \"aws\" { profile = local.q }");
        assert_eq!(found(&[local, ("v.tf", &some)], &[]), ["main.tf:1 profile = local.q (\"one\") → one"]);
        assert_eq!(found(&[local, ("sub/v.tf", &some)], &[]), ["main.tf:1 profile = local.q → ?"]);
        let circle = ("v.tf", "locals {\n q = local.r\n r = local.q\n}\n");
        assert_eq!(found(&[local, circle], &[]), ["main.tf:1 profile = local.q → ?"]);
    }

    #[test]
    fn terragrunt_has_its_own_places() {
        let text = "\
locals { p = \"three\" }
remote_state {
  backend = \"s3\"
  config = {
    profile = \"one\"
  }
}
terraform {
  extra_arguments \"x\" {
    env_vars = { AWS_PROFILE = \"two\", OTHER = \"no\" }
  }
}
generate \"provider\" {
  path = \"p.tf\"
  contents = <<-EOF
    # x
    provider \"aws\" {
      profile = \"${local.p}\"
    }
  EOF
}
";
        let expected = [
            "terragrunt.hcl:5 profile = \"one\" → one",
            "terragrunt.hcl:10 AWS_PROFILE = \"two\" → two",
            "terragrunt.hcl:18 profile = \"${local.p}\" → three",
        ];
        assert_eq!(found(&[("terragrunt.hcl", text)], &[]), expected);
    }

    #[test]
    fn hostile_hcl_ends() {
        for text in ["a = [", "a = {b = ", "a = (", "a = !", "a = 1 ? ", "a {\n", "a = \"${", "a = -", "/*"] {
            assert_eq!(found(&[("main.tf", &text.repeat(50_000))], &[]), [""; 0]);
        }
    }
}
