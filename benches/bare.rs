//! A minimal program that assumes a role with the same SDK: the baseline for a cache miss.
//!
//! `bare ROLE_ARN` reads keys and the endpoint from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_ENDPOINT_URL, and
//! prints the new access key ID. It stores nothing, and isn't installed.

use aws_sdk_sts::config::retry::RetryConfig;
use aws_sdk_sts::config::{BehaviorVersion, Credentials, Region};
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;

#[expect(clippy::print_stdout, reason = "its only word")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arn = std::env::args().nth(1).ok_or("bare ROLE_ARN")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (id, secret) = (variable("AWS_ACCESS_KEY_ID")?, variable("AWS_SECRET_ACCESS_KEY")?);
    let http = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let config = aws_sdk_sts::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .endpoint_url(variable("AWS_ENDPOINT_URL")?)
        .credentials_provider(Credentials::new(id, secret, None, None, "bare"))
        .retry_config(RetryConfig::standard())
        .http_client(http)
        .build();
    let call = aws_sdk_sts::Client::from_conf(config).assume_role().role_arn(arn).role_session_name("bare");
    let answer = runtime.block_on(call.send())?;
    println!("{}", answer.credentials.ok_or("no credentials")?.access_key_id);
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "it has nothing but its environment")]
fn variable(name: &str) -> Result<String, std::env::VarError> {
    std::env::var(name)
}
