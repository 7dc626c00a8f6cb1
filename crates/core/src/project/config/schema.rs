//! Generates documents from the types of a project file: the JSON schema `docs/awsrole.schema.json`, the table of keys
//! in `docs/configuration.md`, and the man page `packaging/awsrole.toml.5`.
//!
//! `UPDATE=1 cargo test` writes them. Without it, a test fails if one of them differs from the types.
//! The schema covers values on their own. awsrole itself checks what depends on other keys, on profiles or on STS.
//! `tests/cli/test_schema.py` compares the schema with the binary.

use std::borrow::Cow;
use std::path::Path;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

use super::{Policy, RoleConfig};
use crate::aws::arn::{AccountId, RoleArn};
use crate::aws::duration::Seconds;
use crate::aws::parameters::{ExternalId, MfaSerial, PermissionSet, Region, SessionName, SourceIdentity};
use crate::aws::preset::{Preset, READ_ONLY, SECRETS};
use crate::settings::agent::AgentKeys;

/// Implements an inlined schema for types that are written as a single value.
macro_rules! written_as {
    ($($type:ty => $schema:expr;)+) => {$(
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                Schema::try_from($schema).unwrap()
            }
        }
    )+};
}

fn text(pattern: &str) -> Value {
    json!({ "type": "string", "pattern": pattern })
}

written_as! {
    AccountId => text("^[0-9]{12}$");
    RoleArn => text("^arn:aws(-[a-z-]+)?:iam::[0-9]{12}:role/([!-~]*/)?[A-Za-z0-9_+=,.@-]{1,64}$");
    ExternalId => text("^[A-Za-z0-9_+=,.@:/-]{2,1224}$");
    SessionName => text("^[A-Za-z0-9_+=,.@-]{2,64}$");
    SourceIdentity => text("^[A-Za-z0-9_+=,.@-]{2,256}$");
    PermissionSet => text("^[A-Za-z0-9_+=,.@-]{1,32}$");
    MfaSerial => json!({ "type": "string", "pattern": "^[A-Za-z0-9_+=/:,.@-]{9,256}$", "not": { "pattern": ":u2f/" } });
    Region => text("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$");
    Seconds => json!({ "anyOf": [
        { "type": "integer", "minimum": 900, "maximum": 129_600 },
        text("^([0-9]+ *(s|sec|secs|second|seconds|m|min|mins|minute|minutes|h|hr|hrs|hour|hours|d|day|days) *)+$"),
    ] });
    Policy => json!({ "type": ["object", "string"] });
    Preset => json!({ "type": "string", "enum": [Preset::ReadOnly.name()] });
}

/// Returns the schema of the whole file.
fn document() -> Value {
    let mut generator = SchemaSettings::draft07().into_generator();
    let mut keys = RoleConfig::json_schema(&mut generator).to_value();
    tidy(&mut keys);
    let role_names = json!({ "pattern": "^[^-\\s\\u0000-\\u001f][^\\s\\u0000-\\u001f]*$" });
    let mut all = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": ".awsrole.toml",
    });
    all.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
    all["description"] = json!("The AWS role of a directory.");
    keys["description"] = json!("The keys of one role. Keys not set here are taken from the top level.");
    let top = all["properties"].as_object_mut().unwrap();
    top.insert(
        "default_role".into(),
        json!({ "type": "string", "description": "The `[role.NAME]` that `cd` assumes. Top level only." }),
    );
    top.insert(
        "inherit".into(),
        json!({ "type": "boolean", "description": "If true, this file is merged over the next `.awsrole.toml` in a parent directory. \
                `awsrole allow` approves all merged files together, and a change to any of them needs a new approval. \
                Top level only." }),
    );
    top.insert(
        "profiles".into(),
        json!({ "type": "boolean", "description": "If true, each `[role.NAME]` is also a profile of that name for the \
                programs that run in this directory: awsrole exports `AWS_CONFIG_FILE` and \
                `AWS_SHARED_CREDENTIALS_FILE` with the paths of private copies. Top level only." }),
    );
    let mut agent = AgentKeys::json_schema(&mut generator).to_value();
    tidy(&mut agent);
    agent["description"] = json!(
        "What AI agents get. Without this table they get the session that you get, but never a \
                role with `manual` or `confirm`. See docs/agents.md. Top level only."
    );
    top.insert("agent".into(), agent);
    top.insert(
        "role".into(),
        json!({
            "type": "object",
            "description": "One table per role: `[role.NAME]`.",
            "propertyNames": role_names,
            "additionalProperties": keys,
        }),
    );
    all
}

/// Removes `null` from the schema of optional keys, since TOML has no null, and line breaks from descriptions.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|kind| kind != "null");
                if types.len() == 1 {
                    let only = types.remove(0);
                    object.insert("type".into(), only);
                }
            }
            if let Some(Value::Array(any)) = object.get_mut("anyOf") {
                any.retain(|schema| schema["type"] != "null");
                if let [Value::Object(only)] = &any[..] {
                    let only = only.clone();
                    object.remove("anyOf");
                    object.extend(only);
                }
            }
            if let Some(Value::String(text)) = object.get_mut("description") {
                *text = text.replace('\n', " ");
            }
            object.values_mut().for_each(tidy);
        }
        Value::Array(values) => values.iter_mut().for_each(tidy),
        _ => {}
    }
}

/// Returns each key of the file with its type and its description, in the order of the types.
fn keys() -> Vec<(String, &'static str, String)> {
    let document = document();
    let properties = document["properties"].as_object().unwrap().iter();
    let described = |name: String, schema: &Value| {
        let description = schema["description"].as_str().unwrap().to_owned();
        (name, type_name(schema), description)
    };
    let keys = properties.filter(|(name, _)| *name != "role").flat_map(|(name, schema)| {
        let inner = schema["properties"].as_object().into_iter().flatten();
        let inner = inner.map(move |(key, schema)| described(format!("{name}.{key}"), schema));
        std::iter::once(described(name.clone(), schema)).chain(inner)
    });
    keys.collect()
}

fn type_name(schema: &Value) -> &'static str {
    match (&schema["type"], &schema["anyOf"]) {
        (Value::String(kind), _) if kind == "object" => "table",
        (Value::String(kind), _) if kind == "array" => "array of strings",
        (Value::String(kind), _) if kind == "boolean" => "boolean",
        (Value::String(kind), _) if kind == "string" => "string",
        (Value::Array(_), _) => "table or string",
        (_, Value::Array(_)) => "integer or string",
        _ => panic!("no type: {schema}"),
    }
}

/// Returns the table of keys as Markdown.
fn table() -> String {
    let rows = keys().into_iter().map(|(name, kind, text)| format!("| `{name}` | {kind} | {text} |\n"));
    format!("| key | type | meaning |\n|---|---|---|\n{}", rows.collect::<String>())
}

/// Returns the man page awsrole.toml(5).
fn manual() -> String {
    let mut page = String::from(
        "\
.\\\" Generated from the types of the project file: UPDATE=1 cargo test
.TH AWSROLE.TOML 5
.SH NAME
awsrole.toml \\- AWS role of a directory
.SH SYNOPSIS
.I .awsrole.toml
.SH DESCRIPTION
awsrole uses the nearest
.I .awsrole.toml
in the current or a parent directory.
It must be a regular file of at most 16 KiB in TOML.
Its content takes effect after
.BR \"awsrole allow\" .
.PP
Keys can be set at top level or per role in a table
.BR [role.NAME] .
Precedence: role table, then top level, then the AWS profile.
.SH KEYS
",
    );
    for (name, kind, text) in keys() {
        page += &format!(".TP\n.BR {} \" (\\fI{kind}\\fR)\"\n{}\n", roff(&name), roff(&text));
    }
    page += "\
.SH EXAMPLES
.nf
profile = \"shop\\-dev\"
account_id = \"222222222222\"
.fi
.PP
.nf
default_role = \"dev\"

[role.dev]
profile = \"shop\\-dev\"

[role.prod]
profile = \"shop\\-prod\"
manual = true
.fi
.SH SEE ALSO
.BR awsrole (1),
.BR awsrole\\-allow (1),
.BR awsrole\\-init (1),
.BR awsrole\\-schema (1)
";
    page
}

/// Escapes text for roff, with text between backticks in bold.
fn roff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-").replace('–', "\\(en").replace('…', "...");
    let spans = text.split('`').enumerate();
    spans.map(|(i, span)| if i % 2 == 1 { format!("\\fB{span}\\fR") } else { span.to_owned() }).collect()
}

/// Replaces the text between the marks `<!-- NAME -->` and `<!-- /NAME -->`.
fn between_marks(page: &str, name: &str, content: &str) -> String {
    let [begin, end] = ["", "/"].map(|slash| format!("<!-- {slash}{name} -->\n"));
    let (before, rest) = page.split_once(&begin).unwrap();
    let (_, after) = rest.split_once(&end).unwrap();
    format!("{before}{begin}{content}{end}{after}")
}

/// Returns the services of the preset `read-only` with their actions as Markdown.
fn services() -> String {
    let rows = READ_ONLY.map(|(service, actions)| format!("| `{service}` | `{}` |\n", actions.replace(' ', "`, `")));
    format!("| service | actions |\n|---|---|\n{}", rows.concat())
}

/// Returns the actions that the preset `read-only` denies as Markdown, with a line for each service.
fn secrets() -> String {
    let mut lines = String::new();
    let mut last = "";
    for (service, action) in SECRETS.iter().filter_map(|secret| secret.split_once(':')) {
        lines += &if service == last { format!(", `{action}`") } else { format!("\n- `{service}`: `{action}`") };
        last = service;
    }
    lines.trim_start().to_owned() + "\n"
}

/// Compares a file of the repository with what `make` returns for its present text, or writes it with `UPDATE=1`.
#[expect(clippy::disallowed_methods, reason = "this file belongs to the checkout, not to a user")]
fn is_generated(path: &str, make: impl FnOnce(&str) -> String) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    let present = std::fs::read_to_string(&file).unwrap_or_default();
    let made = make(&present);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, &made).unwrap();
    } else {
        assert!(present == made, "{path} is out of date: run the tests with UPDATE=1");
    }
}

#[test]
fn the_schema_is_that_of_the_types() {
    is_generated("docs/awsrole.schema.json", |_| serde_json::to_string_pretty(&document()).unwrap() + "\n");
}

#[test]
fn the_table_of_keys_is_that_of_the_types() {
    is_generated("docs/configuration.md", |page| between_marks(page, "keys", &table()));
}

#[test]
fn the_presets_are_those_of_the_code() {
    is_generated("docs/limits.md", |page| {
        between_marks(&between_marks(page, "services", &services()), "secrets", &secrets())
    });
}

#[test]
fn the_man_page_is_that_of_the_types() {
    is_generated("packaging/awsrole.toml.5", |_| manual());
}

#[test]
fn roff_is_escaped() {
    assert_eq!(roff("run `awsrole use -`, 2–64"), "run \\fBawsrole use \\-\\fR, 2\\(en64");
    assert_eq!(roff("a\\b"), "a\\eb");
}
