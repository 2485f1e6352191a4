//! TLS, with a private authority and without any.

use std::sync::Arc;

use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;

use super::*;

struct PrivateAuthority {
    server: Arc<ServerConfig>,
    ca_file: tempfile::NamedTempFile,
}

/// A private authority and a server certificate for `name`, signed by it.
fn authority_for(name: &str) -> PrivateAuthority {
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let mut ca_params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    ca_params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = rcgen::CertifiedIssuer::self_signed(ca_params, ca_key).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &ca).unwrap();
    let key = tokio_rustls::rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der());
    let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.unwrap())
        .unwrap();
    let ca_file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(ca_file.path(), ca.pem()).unwrap();
    PrivateAuthority { server: Arc::new(server), ca_file }
}

#[tokio::test]
async fn tls_with_a_private_authority() {
    let ours = authority_for("agent1.mesos.example");
    let others = authority_for("agent1.mesos.example");
    let server = serve(|_| ok(b"{}"), Some(ours.server.clone()));
    let ask = async |ca: Option<&PrivateAuthority>, insecure, name: Option<&str>| {
        let tls = TlsConfig {
            ca_file: ca.map(|authority| authority.ca_file.path().to_owned()),
            insecure_skip_verify: insecure,
            server_name: name.map(str::to_owned),
            identity: None,
        };
        let client = Client::new(ApiConfig { tls, ..config(&server.url) })?;
        client.get("/state").await
    };
    let named = Some("agent1.mesos.example");
    assert_eq!(ask(Some(&ours), false, named).await.unwrap(), "{}");
    assert_eq!(ask(None, true, None).await.unwrap(), "{}");
    // The certificate is for another name, or of another authority.
    for refused in [ask(Some(&ours), false, None).await, ask(Some(&others), false, named).await] {
        let error = refused.unwrap_err();
        assert_eq!(error.failure.reason(), "tls", "{error}");
        assert!(error.to_source_error().hint.contains("mesos.tls.ca_file"));
    }
}

#[tokio::test]
async fn tls_that_cannot_be() {
    let server = serve(|_| ok(b"{}"), None);
    let https = server.url.replace("http:", "https:");
    let tls = TlsConfig { insecure_skip_verify: true, ..TlsConfig::default() };
    let client =
        Client::new(ApiConfig { tls, timeout: Duration::from_millis(500), ..config(&https) });
    // A server without TLS waits for the end of a request that never comes, or calls it garbage.
    let error = client.unwrap().get("/state").await.unwrap_err();
    assert!(["tls", "timeout"].contains(&error.failure.reason()), "{error}");
    let empty = tempfile::NamedTempFile::new().unwrap();
    for (file, says) in [(empty.path(), "holds no certificate"), ("/nonexistent".as_ref(), "")] {
        let tls = TlsConfig { ca_file: Some(file.to_owned()), ..TlsConfig::default() };
        let error = Client::new(ApiConfig { tls, ..config(&https) }).unwrap_err();
        assert_eq!(error.failure.reason(), "tls");
        assert!(error.to_string().contains(says), "{error}");
        assert!(error.to_string().contains(&file.display().to_string()), "{error}");
    }
}
