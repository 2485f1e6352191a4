//! Files that change while the daemon serves, and what of them is ever shown.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::Port;
use super::settings::USERS;

const TLS: &str = "tls_server_config: {cert_file: new.crt, key_file: new.key}\n";

/// Puts a new certificate for localhost where the configuration expects it; its PEM.
fn renew(port: &Port) -> String {
    let new = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    std::fs::write(port.file("new.key"), new.signing_key.serialize_pem()).expect("write");
    std::fs::write(port.file("new.crt"), new.cert.pem()).expect("write");
    new.cert.pem()
}

async fn connect(port: &Port, authority: &str) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).expect("PEM")).expect("added");
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let address = port.daemon.url.strip_prefix("http://").expect("a URL");
    let stream = TcpStream::connect(address).await.expect("connect");
    let name = ServerName::try_from("localhost").expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.expect("a handshake")
}

async fn healthy(stream: &mut TlsStream<TcpStream>) -> bool {
    let request = b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all(request).await.expect("send");
    let mut answer = vec![0; 4096];
    let length = stream.read(&mut answer).await.expect("receive");
    answer[..length].starts_with(b"HTTP/1.1 200 OK")
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_new_connections_and_old_ones_go_on() {
    let port = Port::behind("");
    // Whether TLS is spoken is settled at the start.
    let first = renew(&port);
    port.configure(TLS);
    let port = port.again();
    let mut old = connect(&port, &first).await;
    assert!(healthy(&mut old).await);
    for _ in 0..3 {
        let second = renew(&port);
        let mut new = connect(&port, &second).await;
        assert!(healthy(&mut new).await && healthy(&mut old).await);
    }
}

#[test]
fn a_policy_is_in_force_with_the_next_connection() {
    let text = |policy: &str| {
        let files = "cert_file: server.pem, key_file: server.key";
        format!("tls_server_config: {{{files}, client_auth_type: {policy}}}\n")
    };
    let port = Port::behind(&text("RequireAndVerifyClientCert"));
    assert_eq!(port.status("https", &[]), 0);
    port.configure(&text("VerifyClientCertIfGiven"));
    assert_eq!(port.status("https", &[]), 200);
}

#[test]
fn while_the_file_is_wrong_nothing_is_served_and_the_log_says_why_once() {
    let port = Port::behind(USERS);
    let user = ["--user", "anna:sesame-1"];
    assert_eq!(port.status("http", &user), 200);
    port.configure("basic_auth_users: {anna: sesame-1}\n");
    for _ in 0..3 {
        let got = port.curl("http", "/metrics", &user);
        assert_eq!((got.status, got.body.as_str()), (500, "Internal Server Error\n"));
    }
    let reason = "what stands for \\\"anna\\\" is no bcrypt hash";
    port.daemon.wait_for("the log says it", Duration::from_secs(10), |daemon| {
        (daemon.log().matches(reason).count() == 1).then_some(())
    });
    std::fs::remove_file(port.file("web.yml")).expect("remove");
    assert_eq!(port.status("http", &user), 500);
    port.configure(USERS);
    assert_eq!((port.status("http", &user), port.status("http", &[])), (200, 401));
}

#[test]
fn no_secret_is_shown_anywhere() {
    let port = Port::behind(USERS);
    let user = ["--user", "anna:sesame-1"];
    assert_eq!(port.status("http", &user), 200);
    assert_eq!(port.status("http", &["--user", "anna:not-this-one"]), 401);
    let mut shown = port.daemon.log();
    let paths =
        ["/", "/metrics", "/api/v1/status", "/api/v1/findings", "/api/v1/sources", "/nowhere"];
    for path in paths {
        shown += &port.curl("http", path, &user).body;
    }
    let processes = format!("/proc/{}", port.daemon.pid());
    for file in ["cmdline", "environ"] {
        let bytes = std::fs::read(format!("{processes}/{file}")).expect("read");
        shown += &String::from_utf8_lossy(&bytes);
    }
    assert!(shown.contains("plimsoll_build_info"));
    for secret in ["sesame-1", "not-this-one", "$2b$", "PRIVATE KEY"] {
        assert!(!shown.contains(secret), "{secret}");
    }
}
