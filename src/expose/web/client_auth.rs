//! Certificates of clients, by the policies of Go's `tls.ClientAuthType`.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use tokio_rustls::rustls::client::danger::HandshakeSignatureValid;
use tokio_rustls::rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, UnixTime};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::tls::certificates;
use crate::config::{ClientAuth, WebTls};

/// Who is let in.
///
/// # Errors
/// What is wrong with the authorities.
pub(super) fn verifier(
    tls: &WebTls,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let auth = tls.client_auth()?;
    if auth == ClientAuth::NoClientCert {
        return Ok(WebPkiClientVerifier::no_client_auth());
    }
    let verify = matches!(
        auth,
        ClientAuth::VerifyClientCertIfGiven | ClientAuth::RequireAndVerifyClientCert
    );
    let authorities = authorities(tls)?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(authorities.iter().cloned());
    let chains = match verify && !roots.is_empty() {
        true => {
            let builder =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
            let built = builder.allow_unauthenticated().build();
            Some(built.map_err(|error| format!("client_ca: {error}"))?)
        }
        false => None,
    };
    Ok(Arc::new(Policy {
        verify,
        mandatory: matches!(
            auth,
            ClientAuth::RequireAnyClientCert | ClientAuth::RequireAndVerifyClientCert
        ),
        authorities,
        chains,
        hints: tls.has_client_ca(),
        names: tls.client_allowed_sans.clone(),
        algorithms: provider.signature_verification_algorithms,
    }))
}

/// Those the file names, or those of the system when it names none, as Go does.
fn authorities(tls: &WebTls) -> Result<Vec<CertificateDer<'static>>, String> {
    if tls.has_client_ca() {
        return certificates(&tls.client_ca_file, &tls.client_ca, "client_ca");
    }
    Ok(rustls_native_certs::load_native_certs().certs)
}

/// A policy in force.
struct Policy {
    /// A certificate must lead to an authority.
    verify: bool,
    /// There must be one.
    mandatory: bool,
    authorities: Vec<CertificateDer<'static>>,
    chains: Option<Arc<dyn ClientCertVerifier>>,
    /// The system's are too many to name in each handshake.
    hints: bool,
    /// A certificate must have one of these.
    names: Option<Vec<String>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy").field("verify", &self.verify).finish_non_exhaustive()
    }
}

fn refused(error: CertificateError) -> Error {
    Error::InvalidCertificate(error)
}

impl Policy {
    fn verify_chain(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        // A certificate that is an authority itself: Go takes it, webpki looks at chains only.
        if self.authorities.iter().any(|authority| authority == leaf) {
            let parsed = parse(leaf)?;
            let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
            let (from, to) = (parsed.validity.not_before, parsed.validity.not_after);
            return match seconds {
                now if now < from.timestamp() => Err(refused(CertificateError::NotValidYet)),
                now if now > to.timestamp() => Err(refused(CertificateError::Expired)),
                _ => Ok(()),
            };
        }
        let chains = self.chains.as_ref().ok_or(refused(CertificateError::UnknownIssuer))?;
        chains.verify_client_cert(leaf, rest, now).map(|_| ())
    }
}

fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, Error> {
    let parsed = X509Certificate::from_der(certificate);
    parsed.map(|(_, parsed)| parsed).map_err(|_| refused(CertificateError::BadEncoding))
}

/// Names, mail addresses, addresses and URIs of a certificate.
fn alternative_names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    let names = extension.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name) => {
            Some((*name).to_owned())
        }
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(*bytes).ok().map(|bytes| IpAddr::from(bytes).to_string()),
            16 => <[u8; 16]>::try_from(*bytes).ok().map(|bytes| IpAddr::from(bytes).to_string()),
            _ => None,
        },
        _ => None,
    });
    names.collect()
}

impl ClientCertVerifier for Policy {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        let chains = self.chains.as_ref().filter(|_| self.hints);
        chains.map_or(&[], |chains| chains.root_hint_subjects())
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if self.verify {
            self.verify_chain(leaf, rest, now)?;
        }
        if let Some(allowed) = &self.names {
            let found = alternative_names(&parse(leaf)?);
            if !found.iter().any(|name| allowed.contains(name)) {
                return Err(refused(CertificateError::ApplicationVerificationFailure));
            }
        }
        Ok(ClientCertVerified::assertion())
    }

    // That the client holds the key is verified under every policy.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
