//! Whom TLS trusts: the machine's authorities, which the SDK's client reads when it first connects, and those that
//! AWS_CA_BUNDLE names.

use std::path::Path;

use aws_smithy_http_client::tls::TrustStore;
use awsrole_core::sts::StsError;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// The authorities. A bundle is read here first, since the SDK's client panics over certificates that it can't read.
pub(crate) fn roots(ca_bundle: Option<&Path>) -> Result<TrustStore, StsError> {
    let machine = TrustStore::default();
    let Some(path) = ca_bundle else { return Ok(machine) };
    let unusable = |why: &str| StsError::Unreachable(format!("AWS_CA_BUNDLE {} {why}", path.display()));
    let bundle = std::fs::read(path).map_err(|e| unusable(&format!("can't be read: {e}")))?;
    let mut named = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&bundle) {
        let certificate =
            certificate.map_err(|_| unusable("isn't right as PEM: a certificate is cut off or misspelled"))?;
        named.add(certificate).map_err(|e| unusable(&format!("has a certificate that can't be read: {e}")))?;
    }
    if named.is_empty() {
        return Err(unusable("holds no certificate"));
    }
    Ok(machine.with_pem_certificate(bundle))
}

/// Whether the machine has any authorities. A bare container has none: no server can be trusted there.
pub(crate) fn any() -> bool {
    !rustls_native_certs::load_native_certs().certs.is_empty()
}
