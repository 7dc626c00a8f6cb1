//! Session policies that awsrole ships, under a name.
//!
//! IAM has no wildcard for the service in an action, so a read-only policy is a list of services.

use serde::Deserialize;
use serde_json::json;

use crate::aws::session_policy::SessionPolicy;

/// A session policy that a file selects by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Preset {
    /// Reads, without the actions in [`SECRETS`].
    ReadOnly,
}

impl TryFrom<String> for Preset {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        match name.as_str() {
            "read-only" => Ok(Self::ReadOnly),
            _ => Err(format!("`{name}` isn't a preset: the only one is `read-only`")),
        }
    }
}

impl Preset {
    /// Returns the name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
        }
    }

    /// Returns the setting that selects the preset, for messages.
    #[must_use]
    pub fn setting(self) -> String {
        format!("preset {}", self.name())
    }

    /// Returns the policy for a call that accepts managed policies: AWS's ReadOnlyAccess, and a statement that denies
    /// the actions in [`SECRETS`], which ReadOnlyAccess partly allows.
    #[must_use]
    pub fn session_policy(self, partition: &str) -> SessionPolicy {
        let denied = json!({ "Effect": "Deny", "Action": &SECRETS[..], "Resource": "*" });
        SessionPolicy {
            inline: Some(document(&[denied])),
            arns: vec![format!("arn:{partition}:iam::aws:policy/ReadOnlyAccess")],
            limited_by: Vec::new(),
        }
    }

    /// Returns the policy for a call that accepts only a document: the actions in [`READ_ONLY`], except for those in
    /// [`SECRETS`].
    #[must_use]
    pub fn document(self) -> String {
        let allowed: Vec<String> = READ_ONLY
            .iter()
            .flat_map(|(service, actions)| actions.split(' ').map(move |action| format!("{service}:{action}")))
            .collect();
        let denied: Vec<&str> =
            SECRETS.into_iter().filter(|secret| allowed.iter().any(|action| matches(action, secret))).collect();
        document(&[
            json!({ "Effect": "Allow", "Action": allowed, "Resource": "*" }),
            json!({ "Effect": "Deny", "Action": denied, "Resource": "*" }),
        ])
    }
}

fn document(statements: &[serde_json::Value]) -> String {
    json!({ "Version": "2012-10-17", "Statement": statements }).to_string()
}

/// Returns whether a pattern that ends with `*`, or has no wildcard, matches an action.
fn matches(pattern: &str, action: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => action.starts_with(prefix),
        None => pattern == action,
    }
}

/// Services and their read actions, for the document of [`Preset::ReadOnly`]. Everything else is denied.
///
/// `sts:GetScopedCredentials` returns the same session with fewer permissions.
pub const READ_ONLY: [(&str, &str); 42] = [
    ("acm", "Describe* List*"),
    ("athena", "List*"),
    ("autoscaling", "Describe*"),
    ("backup", "Describe* List*"),
    ("ce", "Get*"),
    ("cloudformation", "Describe* Get* List*"),
    ("cloudfront", "Get* List*"),
    ("cloudtrail", "Describe* Get* List* LookupEvents"),
    ("cloudwatch", "Describe* Get* List*"),
    ("config", "Describe*"),
    ("dynamodb", "Describe* GetItem List* Query Scan"),
    ("ec2", "Describe*"),
    ("ecr", "Describe* List*"),
    ("ecs", "Describe* List*"),
    ("eks", "Describe* List*"),
    ("elasticache", "Describe* List*"),
    ("elasticfilesystem", "Describe*"),
    ("elasticloadbalancing", "Describe*"),
    ("es", "Describe* List*"),
    ("events", "Describe* List*"),
    ("firehose", "Describe* List*"),
    ("health", "Describe*"),
    ("iam", "Get* List*"),
    ("kinesis", "Describe* List*"),
    ("kms", "Describe* List*"),
    ("lambda", "GetAlias GetPolicy ListAliases ListEventSourceMappings ListTags"),
    ("logs", "Describe* FilterLogEvents Get* List* StartQuery StopQuery"),
    ("organizations", "Describe* List*"),
    ("rds", "Describe* List*"),
    ("redshift", "Describe*"),
    ("route53", "Get* List*"),
    ("s3", "GetBucket* GetObject* List*"),
    ("secretsmanager", "DescribeSecret ListSecrets"),
    ("servicequotas", "Get* List*"),
    ("sns", "Get* List*"),
    ("sqs", "GetQueueAttributes GetQueueUrl List*"),
    ("ssm", "Describe* List*"),
    ("states", "Describe* List*"),
    ("sts", "GetAccessKeyInfo GetScopedCredentials"),
    ("tag", "Get*"),
    ("wafv2", "Get* List*"),
    ("xray", "BatchGet* Get*"),
];

/// Actions that only read, but return passwords, tokens, keys, environment variables or user data, or credentials of
/// another session. [`Preset::ReadOnly`] denies them.
pub const SECRETS: [&str; 43] = [
    "amplify:GetApp",
    "amplify:GetBranch",
    "amplify:List*",
    "apigateway:GET",
    "appsync:ListApiKeys",
    "autoscaling:DescribeLaunchConfigurations",
    "batch:DescribeJobDefinitions",
    "bedrock-agentcore:Get*Token*",
    "codeartifact:GetAuthorizationToken",
    "codebuild:BatchGet*",
    "cognito-idp:DescribeIdentityProvider",
    "cognito-idp:DescribeUserPoolClient",
    "connect:GetFederationToken*",
    "datazone:GetEnvironmentCredentials",
    "ec2:DescribeInstanceAttribute",
    "ec2:DescribeLaunchTemplateVersions",
    "ec2:DescribeSpot*",
    "ec2:DescribeVpnConnections",
    "ec2:GetLaunchTemplateData",
    "ec2:GetPasswordData",
    "ecr-public:GetAuthorizationToken",
    "ecr:GetAuthorizationToken",
    "ecs:DescribeTaskDefinition",
    "elasticbeanstalk:DescribeConfigurationSettings",
    "gamelift:GetComputeAccess",
    "gamelift:GetInstanceAccess",
    "glue:GetConnection*",
    "kms:Decrypt",
    "lakeformation:GetTemporary*",
    "lambda:GetFunction*",
    "lambda:ListFunctions",
    "lambda:ListVersionsByFunction",
    "lightsail:Get*Access*",
    "lightsail:GetRelationalDatabaseMasterUserPassword",
    "redshift-serverless:GetCredentials",
    "redshift:GetClusterCredentials*",
    "s3:GetDataAccess",
    "secretsmanager:BatchGetSecretValue",
    "secretsmanager:GetSecretValue",
    "ssm:GetAccessToken",
    "ssm:GetParameter*",
    "sts:AssumeRole*",
    "sts:GetFederationToken",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::session_policy::MAX_POLICY;

    #[test]
    fn both_forms_of_read_only_fit_into_one_call() {
        let document = Preset::ReadOnly.document();
        let policy = Preset::ReadOnly.session_policy("aws-us-gov");
        assert_eq!(policy.arns, ["arn:aws-us-gov:iam::aws:policy/ReadOnlyAccess"]);
        assert!(document.len() <= MAX_POLICY, "{}", document.len());
        let checked = SessionPolicy::parse(policy.inline.as_deref(), &policy.arns).unwrap();
        assert_eq!(checked, policy);
        assert!(policy.inline.unwrap().len() < MAX_POLICY - 200);
    }

    /// A pattern that reads and a secret that it matches: the secret must be denied.
    #[test]
    fn the_document_denies_secrets_that_its_patterns_include() {
        let document: serde_json::Value = serde_json::from_str(&Preset::ReadOnly.document()).unwrap();
        let denied = document["Statement"][1]["Action"].as_array().unwrap();
        for action in ["ec2:DescribeInstanceAttribute", "ecs:DescribeTaskDefinition"] {
            assert!(denied.contains(&action.into()), "{action}");
        }
        let allowed = document["Statement"][0]["Action"].as_array().unwrap();
        for secret in SECRETS {
            let allows = |pattern: &serde_json::Value| matches(pattern.as_str().unwrap(), secret);
            assert!(!allowed.iter().any(allows) || denied.contains(&secret.into()), "{secret}");
            let within = |pattern: &serde_json::Value| matches(secret, pattern.as_str().unwrap());
            assert!(!allowed.iter().any(within), "a pattern that is denied as a whole: {secret}");
        }
    }

    #[test]
    fn tables_are_sorted_and_read_only() {
        assert!(READ_ONLY.is_sorted() && SECRETS.is_sorted());
        let reads =
            ["BatchGet", "Describe", "Filter", "Get", "List", "Lookup", "Query", "Scan", "StartQuery", "StopQuery"];
        for (service, actions) in READ_ONLY {
            for action in actions.split(' ') {
                assert!(reads.iter().any(|verb| action.starts_with(verb)), "{service}:{action}");
            }
        }
    }
}
