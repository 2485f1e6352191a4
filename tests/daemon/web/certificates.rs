//! Certificates for a test: an authority, a server's, and two clients that are their own authority.

use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};

fn params(name: &str, names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names");
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// Writes `ca.pem`, `server.pem` and `server.key` (good for localhost and 127.0.0.1), and for
/// `client` and `other` (with the name `test3`) their `.pem` and `.key`.
pub fn make(dir: &Path) {
    let write = |name: &str, text: &str| std::fs::write(dir.join(name), text).expect("write");
    let key = || KeyPair::generate().expect("a key");
    let authority_key = key();
    let mut authority = params("authority", &[]);
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let signed = authority.self_signed(&authority_key).expect("a certificate");
    write("ca.pem", &signed.pem());
    let issuer = Issuer::new(authority, authority_key);
    let mut server = params("server", &["localhost", "127.0.0.1"]);
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let server_key = key();
    write("server.pem", &server.signed_by(&server_key, &issuer).expect("a certificate").pem());
    write("server.key", &server_key.serialize_pem());
    // Signed by the authority, as most people's clients are.
    let mut signed = params("signed", &["prometheus.example.org"]);
    signed.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let signed_key = key();
    write("signed.pem", &signed.signed_by(&signed_key, &issuer).expect("a certificate").pem());
    write("signed.key", &signed_key.serialize_pem());
    for (name, names) in [("client", &[][..]), ("other", &["test3"])] {
        let mut client = params(name, names);
        client.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let client_key = key();
        write(&format!("{name}.pem"), &client.self_signed(&client_key).expect("made").pem());
        write(&format!("{name}.key"), &client_key.serialize_pem());
    }
}
