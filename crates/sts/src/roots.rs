//! Whom TLS trusts: the machine's authorities, or those in a file that the user names.
//!
//! A machine has its authorities twice: in one file, and each in a file of its own in a folder. The SDK's client
//! reads both, which takes longer than all the rest of a call's work here. OpenSSL looks into the folder only for a
//! server that the file doesn't vouch for, and so do we ([`crate::connect`]).

use aws_smithy_http_client::tls::TrustStore;
use awsrole_core::aws::endpoint::CaBundle;
use awsrole_core::session::sts::StsError;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Whom to trust.
#[derive(Debug)]
pub(crate) struct Roots {
    /// The authorities in the machine's file. `None`: those of one place can't be told from all.
    pub(crate) bundle_only: Option<TrustStore>,
    /// All authorities.
    pub(crate) all: TrustStore,
}

impl Roots {
    /// Those of a file, or else the machine's authorities: the file replaces them, as for botocore.
    pub(crate) fn of(ca_bundle: Option<&CaBundle>) -> Result<Self, StsError> {
        let Some(CaBundle { path, named_by }) = ca_bundle else {
            let bundle_only = machine_file().map(|pem| TrustStore::empty().with_pem_certificate(pem));
            return Ok(Self { bundle_only, all: TrustStore::default() });
        };
        let unusable = |why: String| StsError::Trust(format!("{named_by} {} {why}", path.display()));
        let bundle = std::fs::read(path).map_err(|e| unusable(format!("can't be read: {e}")))?;
        check(&bundle).map_err(unusable)?;
        Ok(Self { bundle_only: None, all: TrustStore::empty().with_pem_certificate(bundle) })
    }
}

/// Whether the machine has any authorities. A bare container has none: no server can be trusted there.
pub(crate) fn system_has_roots() -> bool {
    !rustls_native_certs::load_native_certs().certs.is_empty()
}

/// The machine's file of authorities, if it is all right; unless the environment says where they are.
#[expect(clippy::disallowed_methods, reason = "the library that reads the machine's authorities looks there, too")]
fn machine_file() -> Option<Vec<u8>> {
    if cfg!(target_os = "macos")
        || ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().any(|name| std::env::var_os(name).is_some())
    {
        return None;
    }
    let pem = std::fs::read(openssl_probe::probe().cert_file?).ok()?;
    check(&pem).ok().map(|()| pem)
}

/// Reads certificates before the SDK's client does, which panics over those that it can't read.
fn check(pem: &[u8]) -> Result<(), String> {
    let mut read = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|_| "isn't right as PEM: a certificate is cut off or misspelled")?;
        read.add(certificate).map_err(|e| format!("has a certificate that can't be read: {e}"))?;
    }
    if read.is_empty() { Err("holds no certificate".to_owned()) } else { Ok(()) }
}
