//! TLS towards the agent.

use std::sync::Arc;

use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use tokio_rustls::{TlsConnector, rustls};

use super::config::TlsConfig;
use super::error::Failure;

/// Makes the connector and the name to demand of the certificate.
///
/// The file of authorities is read here, once. Fails when it cannot be read or holds no
/// certificate, and when `host` is neither a DNS name nor an address.
pub(super) fn connector(
    config: &TlsConfig,
    host: &str,
) -> Result<(TlsConnector, ServerName<'static>), Failure> {
    let name = config.server_name.as_deref().unwrap_or(host);
    let name = ServerName::try_from(name.to_owned())
        .map_err(|_| Failure::Tls(format!("{name:?} is not a server name")))?;
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::Tls(error.to_string()))?;
    let client = if config.insecure_skip_verify {
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AcceptAny(provider)))
            .with_no_client_auth()
    } else {
        builder.with_root_certificates(roots(config)?).with_no_client_auth()
    };
    Ok((TlsConnector::from(Arc::new(client)), name))
}

fn roots(config: &TlsConfig) -> Result<RootCertStore, Failure> {
    let mut store = RootCertStore::empty();
    let Some(path) = &config.ca_file else {
        let native = rustls_native_certs::load_native_certs();
        store.add_parsable_certificates(native.certs);
        if store.is_empty() {
            return Err(Failure::Tls("the system has no authorities to trust".into()));
        }
        return Ok(store);
    };
    let named = |text: String| Failure::Tls(format!("{}: {text}", path.display()));
    let certificates =
        CertificateDer::pem_file_iter(path).map_err(|error| named(error.to_string()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| named(error.to_string()))?;
        store.add(certificate).map_err(|error| named(error.to_string()))?;
    }
    if store.is_empty() {
        return Err(named("holds no certificate".into()));
    }
    Ok(store)
}

/// `insecure_skip_verify`: any certificate will do, but the handshake must be signed with it.
#[derive(Debug)]
struct AcceptAny(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
