//! Whom TLS trusts: the machine's authorities, and those that AWS_CA_BUNDLE names.
//!
//! The SDK's client panics over certificates that it can't read, so they are read here first.

use std::path::Path;

use aws_smithy_http_client::tls::TrustStore;
use awsrole_core::sts::StsError;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// The authorities; `None` where there are none at all, as on a bare container: no server can be trusted there.
pub(crate) fn roots(ca_bundle: Option<&Path>) -> Result<Option<TrustStore>, StsError> {
    let mut found = RootCertStore::empty();
    let (of_machine, _) = found.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let machine = of_machine > 0;
    let store = TrustStore::empty().with_native_roots(machine);
    let Some(path) = ca_bundle else {
        return Ok(machine.then_some(store));
    };
    let unusable = |why: &str| StsError::Unreachable(format!("AWS_CA_BUNDLE {} {why}", path.display()));
    let pem = std::fs::read(path).map_err(|e| unusable(&format!("can't be read: {e}")))?;
    let mut named = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate =
            certificate.map_err(|_| unusable("isn't right as PEM: a certificate is cut off or misspelled"))?;
        named.add(certificate).map_err(|e| unusable(&format!("has a certificate that can't be read: {e}")))?;
    }
    if named.is_empty() {
        return Err(unusable("holds no certificate"));
    }
    Ok(Some(store.with_pem_certificate(pem)))
}
