//! Whom TLS trusts: the machine's authorities, and those that AWS_CA_BUNDLE names.
//!
//! The SDK's client panics over certificates that it can't read, so they are read here first, and it gets those that
//! are right. It loads none itself: reading the machine's takes longer than anything else on the way to a call.

use std::path::Path;

use aws_smithy_http_client::tls::TrustStore;
use awsrole_core::sts::StsError;
use data_encoding::BASE64;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// The authorities; `None` where there are none at all, as on a bare container: no server can be trusted there.
pub(crate) fn roots(ca_bundle: Option<&Path>) -> Result<Option<TrustStore>, StsError> {
    let mut trusted = RootCertStore::empty();
    let mut pem = String::new();
    for certificate in rustls_native_certs::load_native_certs().certs {
        if trusted.add(certificate.clone()).is_ok() {
            push(&mut pem, &certificate);
        }
    }
    if let Some(path) = ca_bundle {
        let unusable = |why: &str| StsError::Unreachable(format!("AWS_CA_BUNDLE {} {why}", path.display()));
        let bundle = std::fs::read(path).map_err(|e| unusable(&format!("can't be read: {e}")))?;
        let mut named = 0;
        for certificate in CertificateDer::pem_slice_iter(&bundle) {
            let certificate =
                certificate.map_err(|_| unusable("isn't right as PEM: a certificate is cut off or misspelled"))?;
            trusted
                .add(certificate.clone())
                .map_err(|e| unusable(&format!("has a certificate that can't be read: {e}")))?;
            push(&mut pem, &certificate);
            named += 1;
        }
        if named == 0 {
            return Err(unusable("holds no certificate"));
        }
    }
    Ok((!trusted.is_empty()).then(|| TrustStore::empty().with_pem_certificate(pem.into_bytes())))
}

/// Adds a certificate as PEM (RFC 7468), the only form that the SDK's client takes.
fn push(pem: &mut String, certificate: &CertificateDer<'_>) {
    pem.push_str("-----BEGIN CERTIFICATE-----\n");
    for line in certificate.chunks(48) {
        BASE64.encode_append(line, pem);
        pem.push('\n');
    }
    pem.push_str("-----END CERTIFICATE-----\n");
}
