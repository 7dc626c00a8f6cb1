//! Managed policies that session policies may name.

use crate::policy::document::{PolicyDocument, PolicyKind};

/// The actions of AWS's ReadOnlyAccess, as far as this server or its tests know them.
const READ_ONLY: &str = r#"{"Statement": {"Effect": "Allow", "Resource": "*", "Action": ["iam:Get*", "iam:List*",
    "s3:Get*", "s3:List*", "ssm:Get*", "sts:GetAccessKeyInfo", "sts:GetCallerIdentity", "sts:GetSessionToken"]}}"#;

/// Returns the document of a managed policy, or `None` if this server doesn't know it.
pub(crate) fn document(arn: &str) -> Option<PolicyDocument> {
    let (_, name) = arn.split_once(":iam::aws:policy/")?;
    (name == "ReadOnlyAccess").then(|| PolicyDocument::parse(READ_ONLY, PolicyKind::Identity).ok())?
}
