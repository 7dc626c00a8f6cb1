//! Trusted CA certificates: those of the system, or a CA bundle that the user configured.
//!
//! A system stores its CA certificates twice: in one bundle file, and each in a separate file in a directory. The SDK's
//! client reads both, which takes longer than all other work of a call here. OpenSSL searches the directory only for a
//! server that the bundle doesn't verify, and awsrole does the same ([`crate::connect`]).

use aws_smithy_http_client::tls::TrustStore;
use awsrole_core::aws::endpoint::CaBundle;
use awsrole_core::session::sts::StsError;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Trusted CA certificates.
#[derive(Debug)]
pub(crate) struct Roots {
    /// The certificates in the system CA bundle. `None` if the bundle can't be located separately.
    pub(crate) bundle_only: Option<TrustStore>,
    /// All certificates.
    pub(crate) all: TrustStore,
}

impl Roots {
    /// Loads a CA bundle or, without one, the system CA certificates. The bundle replaces them, as in botocore.
    pub(crate) fn of(ca_bundle: Option<&CaBundle>) -> Result<Self, StsError> {
        let Some(CaBundle { path, named_by }) = ca_bundle else {
            let bundle_only = system_bundle().map(|pem| TrustStore::empty().with_pem_certificate(pem));
            return Ok(Self { bundle_only, all: TrustStore::default() });
        };
        let unusable = |why: String| StsError::Trust(format!("{named_by} {} {why}", path.display()));
        let bundle = std::fs::read(path).map_err(|e| unusable(format!("can't be read: {e}")))?;
        check(&bundle).map_err(unusable)?;
        Ok(Self { bundle_only: None, all: TrustStore::empty().with_pem_certificate(bundle) })
    }
}

/// Returns whether the system has any CA certificates. A minimal container has none, so no server can be verified
/// there.
pub(crate) fn system_has_roots() -> bool {
    !rustls_native_certs::load_native_certs().certs.is_empty()
}

/// Reads the system CA bundle if it is valid and no variable sets the location of the CA certificates.
#[expect(clippy::disallowed_methods, reason = "the library that reads the machine's authorities looks there, too")]
fn system_bundle() -> Option<Vec<u8>> {
    if cfg!(target_os = "macos")
        || ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().any(|name| std::env::var_os(name).is_some())
    {
        return None;
    }
    let pem = std::fs::read(openssl_probe::probe().cert_file?).ok()?;
    check(&pem).ok().map(|()| pem)
}

/// Checks the certificates, because the SDK's client panics on invalid ones.
fn check(pem: &[u8]) -> Result<(), String> {
    let mut read = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|_| "isn't valid PEM: a certificate is truncated or damaged")?;
        read.add(certificate).map_err(|e| format!("has an invalid certificate: {e}"))?;
    }
    if read.is_empty() { Err("contains no certificate".to_owned()) } else { Ok(()) }
}
