//! TLS of our own port, by rustls.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::crypto::{CryptoProvider, SupportedKxGroup, ring as provider};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ProtocolVersion, ServerConfig, SupportedCipherSuite};

use super::client_auth;
use crate::config::{CipherSuite, ClientAuth, Curve, TlsVersion, WebConfig, WebTls};

/// What a file asks for that is not to be had here, and does no harm.
pub(super) fn notes(config: &WebConfig) -> Vec<String> {
    let tls = &config.tls_server_config;
    let mut notes = Vec::new();
    if !tls.is_enabled() {
        return notes;
    }
    let unknown = |suite: &&CipherSuite| found(suite).is_none();
    let suites: Vec<&str> =
        tls.cipher_suites.iter().filter(unknown).map(CipherSuite::name).collect();
    if !suites.is_empty() {
        notes.push(format!("Cipher suites that are not spoken here: {}", suites.join(", ")));
    }
    if tls.curve_preferences.iter().any(|curve| group(*curve).is_none()) {
        notes.push("CurveP521 is not spoken here".into());
    }
    if tls.min_version < TlsVersion::Tls12 {
        notes.push("TLS 1.0 and 1.1 are not spoken here: the oldest version is 1.2".into());
    }
    let auth = tls.client_auth();
    if matches!(auth, Ok(ClientAuth::RequestClientCert | ClientAuth::RequireAnyClientCert)) {
        notes.push("Certificates of clients are asked for but not verified".into());
    }
    notes
}

/// What handshakes go by. Reads the files that are named.
///
/// # Errors
/// Which file or key, and what is wrong with it.
pub(super) fn server_config(tls: &WebTls) -> Result<ServerConfig, String> {
    let provider = Arc::new(crypto(tls)?);
    let versions: Vec<_> = [(TlsVersion::Tls12, &TLS12), (TlsVersion::Tls13, &TLS13)]
        .into_iter()
        .filter(|(version, _)| (tls.min_version..=tls.max_version).contains(version))
        .map(|(_, version)| version)
        .collect();
    if versions.is_empty() {
        return Err(
            "max_version: TLS 1.0 and 1.1 are not spoken here, choose TLS12 or TLS13".into()
        );
    }
    let certificates = certificates(&tls.cert_file, &tls.cert, "cert")?;
    let key = key(tls)?;
    let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions)
        .map_err(|error| format!("cipher_suites and curve_preferences leave nothing: {error}"))?
        .with_client_cert_verifier(client_auth::verifier(tls, &provider)?)
        .with_single_cert(certificates, key)
        .map_err(|error| format!("certificate and key do not go together: {error}"))?;
    config.ignore_client_order = tls.prefer_server_cipher_suites;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The suites and groups that are asked for, of those there are.
fn crypto(tls: &WebTls) -> Result<CryptoProvider, String> {
    let mut provider = provider::default_provider();
    if !tls.cipher_suites.is_empty() {
        let newest = provider.cipher_suites.iter().copied();
        let newest = newest.filter(|suite| suite.version().version == ProtocolVersion::TLSv1_3);
        let asked = tls.cipher_suites.iter().filter_map(found);
        let asked = asked.filter(|suite| suite.version().version == ProtocolVersion::TLSv1_2);
        provider.cipher_suites = newest.chain(asked).collect();
    }
    if !tls.curve_preferences.is_empty() {
        provider.kx_groups =
            tls.curve_preferences.iter().filter_map(|curve| group(*curve)).collect();
        if provider.kx_groups.is_empty() {
            let known = "CurveP256, CurveP384 and X25519";
            return Err(format!(
                "curve_preferences: none of them is spoken here; there are {known}"
            ));
        }
    }
    Ok(provider)
}

/// A suite by the name that Go and the IANA have for it. rustls writes those of TLS 1.3 otherwise.
fn found(suite: &CipherSuite) -> Option<SupportedCipherSuite> {
    provider::ALL_CIPHER_SUITES.iter().copied().find(|known| {
        let name = format!("{:?}", known.suite());
        name == suite.name() || name.replacen("TLS13_", "TLS_", 1) == suite.name()
    })
}

fn group(curve: Curve) -> Option<&'static dyn SupportedKxGroup> {
    Some(match curve {
        Curve::P256 => provider::kx_group::SECP256R1,
        Curve::P384 => provider::kx_group::SECP384R1,
        Curve::X25519 => provider::kx_group::X25519,
        Curve::P521 => return None,
    })
}

/// The certificates of a file, or of a text where no file is named.
pub(super) fn certificates(
    file: &Path,
    text: &str,
    key: &str,
) -> Result<Vec<CertificateDer<'static>>, String> {
    let (pem, name) = pem(file, text, key)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let all = all.map_err(|error| format!("{name}: {error}"))?;
    if all.is_empty() {
        return Err(format!("{name}: there is no certificate in it"));
    }
    Ok(all)
}

fn key(tls: &WebTls) -> Result<PrivateKeyDer<'static>, String> {
    let (pem, name) = pem(&tls.key_file, tls.key.expose(), "key")?;
    // The error may hold a part of what it could not read.
    PrivateKeyDer::from_pem_slice(&pem)
        .map_err(|_| format!("{name}: there is no private key in it"))
}

fn pem(file: &Path, text: &str, key: &str) -> Result<(Vec<u8>, String), String> {
    if file.as_os_str().is_empty() {
        return Ok((text.as_bytes().to_vec(), key.to_owned()));
    }
    let name = format!("{key}_file {}", crate::text::path(file));
    match std::fs::read(file) {
        Ok(pem) => Ok((pem, name)),
        Err(error) => Err(format!("{name}: {error}")),
    }
}
