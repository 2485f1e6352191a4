//! The example files of prometheus/exporter-toolkit, good and bad ones, and what its own tests say
//! of each (`TestYAMLFiles`, `TestServerBehaviour`, `TestUsers` of web/tls_config_test.go).

use std::collections::BTreeSet;
use std::path::PathBuf;

use plimsoll::expose::web::Web;

use super::{Port, toolkit_file};

/// Each file, and what is wrong with it; empty where nothing is.
const FILES: [(&str, &str); 40] = [
    ("tls_config_noAuth.requireandverifyclientcert.good.yml", ""),
    ("tls_config_noAuth.requireanyclientcert.good.yml", ""),
    ("tls_config_noAuth.requireanyclientcertkeyinline.good.yml", ""),
    ("web_config_auth_clientCAs_invalid.bad.yml", "without a client auth policy"),
    // Clients are then verified by the authorities of the system, as in Go.
    ("web_config_auth_clientCAs_missing.bad.yml", ""),
    // What is bad is that no client has such a name.
    ("web_config_auth_client_san.bad.yaml", ""),
    ("web_config_auth_client_san.good.yaml", ""),
    ("web_config_auth_user_list_invalid.bad.yml", "what stands for \"john\" is no bcrypt hash"),
    ("web_config_empty.yml", ""),
    ("web_config_headers.good.yml", ""),
    (
        "web_config_headers_content_type_options.bad.yml",
        "invalid value for X-Content-Type-Options: \"sniff\", expected nosniff",
    ),
    (
        "web_config_headers_extra_header.bad.yml",
        "HTTP header \"Content-Type\" can not be configured",
    ),
    (
        "web_config_headers_frame_options.bad.yml",
        "invalid value for X-Frame-Options: \"foo\", expected deny or sameorigin",
    ),
    ("web_config_junk.yml", "web_config_junk.yml:1:1: "),
    ("web_config_junk_key.yml", "unknown key \"cert_filse\""),
    ("web_config_noAuth.bad.yml", "without a client auth policy"),
    ("web_config_noAuth.good.blocking.yml", ""),
    ("web_config_noAuth.good.yml", ""),
    ("web_config_noAuth_allCiphers.good.yml", ""),
    ("web_config_noAuth_allCurves.good.yml", ""),
    ("web_config_noAuth_certPath_empty.bad.yml", "missing one of cert or cert_file"),
    ("web_config_noAuth_certPath_invalid.bad.yml", "somefile: No such file"),
    ("web_config_noAuth_certPath_keyPath_empty.bad.yml", "missing one of cert or cert_file"),
    ("web_config_noAuth_certPath_keyPath_invalid.bad.yml", "somefile: No such file"),
    ("web_config_noAuth_cert_empty.bad.yml", "missing one of cert or cert_file"),
    ("web_config_noAuth_inventedCiphers.bad.yml", "unknown cipher: "),
    ("web_config_noAuth_inventedCurves.bad.yml", "unknown curve: \"CurveP257\""),
    ("web_config_noAuth_keyPath_empty.bad.yml", "missing one of key or key_file"),
    ("web_config_noAuth_keyPath_invalid.bad.yml", "No such file"),
    ("web_config_noAuth_key_empty.bad.yml", "missing one of key or key_file"),
    ("web_config_noAuth_noHTTP2.good.yml", ""),
    // Bad for HTTP/2 only, which is not spoken here.
    ("web_config_noAuth_noHTTP2Cipher.bad.yml", ""),
    ("web_config_noAuth_someCiphers.good.yml", ""),
    ("web_config_noAuth_someCiphers_noOrder.good.yml", ""),
    // Good in Go: P-521 alone, which is not spoken here.
    ("web_config_noAuth_someCurves.good.yml", "curve_preferences: none of them is spoken here"),
    ("web_config_noAuth_tlsInline.good.yml", ""),
    ("web_config_noAuth_wrongTLSVersion.bad.yml", "unknown TLS version: \"TLS111\""),
    ("web_config_rate_limiter_nonblocking.yaml", ""),
    ("web_config_rate_limiter_one_second.yaml", ""),
    ("web_config_users.good.yml", ""),
];

#[test]
fn every_file_is_taken_or_refused_with_its_reason() {
    let mut left: BTreeSet<PathBuf> = std::fs::read_dir(toolkit_file(""))
        .expect("list")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "yml" || kind == "yaml"))
        .collect();
    left.remove(&toolkit_file("web_config_users_noTLS.good.yml"));
    for (name, wrong) in FILES {
        let path = toolkit_file(name);
        assert!(left.remove(&path), "{name}");
        match (Web::open(&path), wrong) {
            (Ok(_), "") => {}
            (Ok(_), _) => panic!("{name} was taken"),
            (Err(error), "") => panic!("{name}: {error}"),
            (Err(error), wrong) => {
                assert!(error.contains(wrong), "{name}: {error}");
                assert!(error.contains(name) && !error.contains('\n'), "{name}: {error}");
            }
        }
    }
    assert_eq!(left, BTreeSet::new());
    let error = Web::open(&toolkit_file("somefile")).err().expect("it is not there");
    assert!(error.ends_with("somefile: cannot be read: No such file or directory"), "{error}");
}

#[test]
fn tls_with_and_without() {
    let port = Port::behind_file("web_config_noAuth.good.yml");
    assert_eq!(port.status("https", &[]), 200);
    let plain = port.curl("http", "/metrics", &[]);
    assert_eq!((plain.status, plain.body.contains("HTTP request to an HTTPS server")), (400, true));
    assert_eq!(port.status("https", &["--tls-max", "1.1"]), 0);
    for version in ["1.2", "1.3"] {
        assert_eq!(port.status("https", &["--tls-max", version]), 200, "{version}");
    }
    let open = Port::behind_file("web_config_empty.yml");
    assert_eq!((open.status("http", &[]), open.status("https", &[])), (200, 0));
    let inline = Port::behind_file("web_config_noAuth_tlsInline.good.yml");
    assert_eq!(inline.status("https", &[]), 200);
}

#[test]
fn suites_and_curves_are_those_that_are_asked_for() {
    let port = Port::behind_file("web_config_noAuth_someCiphers.good.yml");
    let chosen = |port: &Port, suites: &str| {
        let got =
            port.curl("https", "/-/healthy", &["-v", "--tls-max", "1.2", "--ciphers", suites]);
        let line = got.told.lines().find(|line| line.contains("ssl connection using"));
        line.map(|line| {
            line.rsplit(" / ").find(|part| part.contains("aes")).unwrap_or("").to_owned()
        })
    };
    let (small, large) = ("ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384");
    for suite in [small, large] {
        assert_eq!(chosen(&port, suite), Some(suite.to_lowercase()));
    }
    assert_eq!(chosen(&port, "ECDHE-RSA-AES256-SHA"), None, "there is no common one");
    // The server's order decides, and here the client's.
    let both = format!("{large}:{small}");
    assert_eq!(chosen(&port, &both), Some(small.to_lowercase()));
    let other = Port::behind_file("web_config_noAuth_someCiphers_noOrder.good.yml");
    assert_eq!(chosen(&other, &format!("{small}:{large}")), Some(small.to_lowercase()));
    for file in ["web_config_noAuth_allCiphers.good.yml", "web_config_noAuth_allCurves.good.yml"] {
        let port = Port::behind_file(file);
        assert_eq!(port.status("https", &[]), 200, "{file}");
        assert!(port.daemon.log().contains("not spoken here"), "{file}");
    }
    let curve = Port::behind(
        "tls_server_config: {cert_file: server.crt, key_file: server.key, \
         curve_preferences: [CurveP384]}\n",
    );
    for (curves, status) in [("P-384", 200), ("P-256", 0)] {
        assert_eq!(curve.status("https", &["--curves", curves]), status, "{curves}");
    }
}

#[test]
fn certificates_of_clients_by_each_policy() {
    let any = Port::behind_file("tls_config_noAuth.requireanyclientcert.good.yml");
    assert_eq!(any.status("https", &[]), 0);
    assert_eq!((any.status_with("client"), any.status_with("client2")), (200, 200));
    let verified = Port::behind_file("tls_config_noAuth.requireandverifyclientcert.good.yml");
    assert_eq!(verified.status("https", &[]), 0);
    assert_eq!((verified.status_with("client"), verified.status_with("client2")), (200, 0));
    let named = Port::behind_file("web_config_auth_client_san.good.yaml");
    assert_eq!((named.status_with("client2"), named.status_with("client")), (200, 0));
    let unnamed = Port::behind_file("web_config_auth_client_san.bad.yaml");
    assert_eq!(unnamed.status_with("client2"), 0);
    let given = Port::behind_file("web_config_noAuth.good.yml");
    assert_eq!((given.status("https", &[]), given.status_with("client")), (200, 0));
    let asked = Port::behind(
        "tls_server_config: {cert_file: server.crt, key_file: server.key, \
         client_auth_type: RequestClientCert}\n",
    );
    assert_eq!((asked.status("https", &[]), asked.status_with("client")), (200, 200));
}

#[test]
fn headers_on_every_answer_and_the_rate_limit() {
    let port = Port::behind_file("web_config_headers.good.yml");
    let got = port.curl("http", "/nowhere", &[]);
    assert_eq!(got.status, 404);
    for line in [
        "x-frame-options: deny",
        "strict-transport-security: max-age=31536000; includesubdomains",
        "x-content-type-options: nosniff",
        "x-xss-protection: 1",
        "content-security-policy: default-src 'self' *.test.example.net",
    ] {
        assert!(got.told.contains(line), "{line} is not in\n{}", got.told);
    }
    let page = port.curl("http", "/", &[]).told;
    assert!(page.contains("default-src 'none'"), "the page's own policy stays: {page}");
    let free = Port::behind_file("web_config_rate_limiter_nonblocking.yaml");
    assert!((0..10).all(|_| free.status("http", &[]) == 200));
    let limited = Port::behind_file("web_config_rate_limiter_one_second.yaml");
    assert_eq!(limited.status("http", &[]), 429);
    limited.configure("rate_limit: {interval: 1h, burst: 3}\n");
    let statuses: Vec<u16> = (0..5).map(|_| limited.status("http", &[])).collect();
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
}

#[test]
fn users_of_the_file_and_no_others() {
    for (file, scheme) in
        [("web_config_users_noTLS.good.yml", "http"), ("web_config_users.good.yml", "https")]
    {
        let port = Port::behind_file(file);
        let got = port.curl(scheme, "/metrics", &[]);
        assert_eq!((got.status, got.body.as_str()), (401, "Unauthorized\n"), "{file}");
        assert!(got.told.contains("www-authenticate: basic"), "{}", got.told);
        for (user, status) in [
            ("dave:dave123", 200),
            ("dave:dave123", 200),
            ("carol:carol123", 200),
            ("dave:bad", 401),
            ("dave:", 401),
            ("nonexistent:dave123", 401),
            (":", 401),
        ] {
            assert_eq!(port.status(scheme, &["--user", user]), status, "{file}: {user}");
        }
        // A reload is a request as any other.
        let reload = port.curl(scheme, "/-/reload", &["-X", "POST"]);
        assert_eq!(reload.status, 401);
        let reload = port.curl(scheme, "/-/reload", &["-X", "POST", "--user", "dave:dave123"]);
        assert_eq!(reload.status, 403, "it is off without --web.enable-lifecycle");
    }
}
