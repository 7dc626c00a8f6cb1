//! `docs/awsrole.schema.json`: the JSON schema of a project's file, for editors, made from the types.
//!
//! It says what can be said of a value by itself. What depends on other keys, on profiles or on STS is said by awsrole.
//! `tests/cli/test_schema.py` holds it against the binary.

use std::borrow::Cow;
use std::path::Path;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

use super::{Policy, RoleConfig};
use crate::aws::arn::{AccountId, RoleArn};
use crate::aws::duration::Seconds;
use crate::aws::parameters::{ExternalId, MfaSerial, Region, SessionName, SourceIdentity};

/// Types with a schema that stands wherever they are used.
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
    MfaSerial => json!({ "type": "string", "pattern": "^[A-Za-z0-9_+=/:,.@-]{9,256}$", "not": { "pattern": ":u2f/" } });
    Region => text("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$");
    Seconds => json!({ "anyOf": [
        { "type": "integer", "minimum": 900, "maximum": 129_600 },
        text("^([0-9]+ *(s|sec|secs|second|seconds|m|min|mins|minute|minutes|h|hr|hrs|hour|hours|d|day|days) *)+$"),
    ] });
    Policy => json!({ "type": ["object", "string"] });
}

/// The schema of the whole file.
fn document() -> Value {
    let mut generator = SchemaSettings::draft07().into_generator();
    let mut keys = RoleConfig::json_schema(&mut generator).to_value();
    never_null(&mut keys);
    let role_names = json!({ "pattern": "^[^-\\s\\u0000-\\u001f][^\\s\\u0000-\\u001f]*$" });
    let mut all = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": ".awsrole.toml",
    });
    all.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
    all["description"] = json!("The AWS role that a shell holds in this directory.");
    keys["description"] = json!("One role; what it doesn't say is taken from the keys at the top.");
    let top = all["properties"].as_object_mut().unwrap();
    top.insert("default_role".into(), json!({ "type": "string", "description": "The [role.NAME] that `cd` enters." }));
    top.insert(
        "inherit".into(),
        json!({ "type": "boolean", "description": "Whether this file lies over the next one upward." }),
    );
    top.insert(
        "role".into(),
        json!({
            "type": "object",
            "description": "A table for each role: [role.NAME].",
            "propertyNames": role_names,
            "additionalProperties": keys,
        }),
    );
    all
}

/// An optional key may be missing, but TOML has no null.
fn never_null(schema: &mut Value) {
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
            object.values_mut().for_each(never_null);
        }
        Value::Array(values) => values.iter_mut().for_each(never_null),
        _ => {}
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "this file belongs to the checkout, not to a user")]
fn the_schema_is_that_of_the_types() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/awsrole.schema.json");
    let made = serde_json::to_string_pretty(&document()).unwrap() + "\n";
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, &made).unwrap();
    }
    assert!(std::fs::read_to_string(&file).unwrap_or_default() == made, "UPDATE=1 writes {} anew", file.display());
}
