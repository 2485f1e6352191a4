//! Each setting of the file, good and bad, as prometheus/exporter-toolkit takes it: the cases are
//! those of its own tests (`TestYAMLFiles`, `TestServerBehaviour`, `TestUsers` of
//! web/tls_config_test.go), the files are ours.

use plimsoll::expose::web::Web;

use super::{Port, certificates};

/// The start of most files.
const TLS: &str = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n";

/// bcrypt of `sesame-1` and of `sesame-2`.
pub const USERS: &str = "basic_auth_users:\n  \
    anna: $2b$10$ib3mUr3CfjQF9Muspe.ZGOm2jurXkKu6JF7SVsKv.lxE8jrKENRXi\n  \
    ben: $2b$10$ruktIdtWfW7crPfTrexhNOcpTF4KGZdZtrbpI9SZ0CyrL33YvxFZ6\n";

/// What stands below `tls_server_config` after certificate and key, and what is wrong with it.
const TLS_CASES: [(&str, &str); 16] = [
    ("", ""),
    ("client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: client.pem", ""),
    ("client_auth_type: RequireAnyClientCert", ""),
    ("client_auth_type: RequireClientCert", ""),
    // Clients are then verified by the authorities of the system, as in Go.
    ("client_auth_type: RequireAndVerifyClientCert", ""),
    ("client_auth_type: x", "invalid client_auth_type \"x\""),
    ("client_ca_file: somefile", "without a client auth policy"),
    ("client_ca_file: /dev/null", "without a client auth policy"),
    (
        "client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: somefile",
        "somefile: No such file",
    ),
    ("cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA2048]", "unknown cipher: "),
    ("curve_preferences: [CurveP257]", "unknown curve: \"CurveP257\""),
    // Good in Go: P-521 alone, which is not spoken here.
    ("curve_preferences: [CurveP521]", "curve_preferences: none of them is spoken here"),
    ("min_version: TLS111", "unknown TLS version: \"TLS111\""),
    ("max_version: TLS11\n  min_version: TLS10", "TLS 1.0 and 1.1 are not spoken here"),
    ("min_version: TLS13\n  max_version: TLS12", "min_version is newer than max_version"),
    // Bad in Go for HTTP/2 only, which is not spoken here.
    ("cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]\n  max_version: TLS12", ""),
];

/// Whole files, and what is wrong with each.
const FILES: [(&str, &str); 19] = [
    ("", ""),
    ("tls_server_config:\nhttp_server_config:\nbasic_auth_users:\nrate_limit:\n", ""),
    ("just some words", "web.yml:1:1: "),
    ("tls_server_config: {cert_filse: server.pem}", "unknown key \"cert_filse\""),
    (
        "tls_server_config: {cert_file: '', key_file: server.key}",
        "missing one of cert or cert_file",
    ),
    ("tls_server_config: {cert: '', key_file: server.key}", "missing one of cert or cert_file"),
    ("tls_server_config: {cert_file: server.pem, key_file: ''}", "missing one of key or key_file"),
    ("tls_server_config: {cert_file: server.pem, key: ''}", "missing one of key or key_file"),
    (
        "tls_server_config: {cert_file: '', key_file: '', client_auth_type: x}",
        "missing one of cert or cert_file",
    ),
    ("tls_server_config: {cert_file: somefile, key_file: server.key}", "somefile: No such file"),
    ("tls_server_config: {cert_file: server.pem, key_file: somefile}", "somefile: No such file"),
    ("tls_server_config: {cert_file: server.key, key_file: server.key}", "no certificate in it"),
    ("tls_server_config: {cert_file: server.pem, key_file: server.pem}", "no private key in it"),
    ("tls_server_config: {cert_file: server.pem, key_file: client.key}", "do not go together"),
    ("basic_auth_users: {john: doe}", "what stands for \"john\" is no bcrypt hash"),
    (
        "http_server_config: {headers: {X-Content-Type-Options: sniff}}",
        "invalid value for X-Content-Type-Options: \"sniff\", expected nosniff",
    ),
    (
        "http_server_config: {headers: {X-Frame-Options: foo}}",
        "invalid value for X-Frame-Options: \"foo\", expected deny or sameorigin",
    ),
    (
        "http_server_config: {headers: {Content-Type: foo}}",
        "HTTP header \"Content-Type\" can not be configured",
    ),
    ("rate_limit: {interval: soon}", "\"soon\" is not a duration"),
];

#[test]
fn every_setting_is_taken_or_refused_with_its_reason() {
    let dir = tempfile::tempdir().expect("a directory");
    certificates::make(dir.path());
    let path = dir.path().join("web.yml");
    let tls = TLS_CASES.iter().map(|(more, wrong)| (format!("{TLS}  {more}\n"), *wrong));
    let whole = FILES.iter().map(|(text, wrong)| ((*text).to_owned(), *wrong));
    for (text, wrong) in tls.chain(whole).chain([(USERS.to_owned(), "")]) {
        std::fs::write(&path, &text).expect("write");
        match (Web::open(&path), wrong) {
            (Ok(_), "") => {}
            (Ok(_), _) => panic!("it was taken:\n{text}"),
            (Err(error), "") => panic!("{error}:\n{text}"),
            (Err(error), wrong) => {
                assert!(error.contains(wrong), "{error}\n{text}");
                assert!(error.contains("web.yml") && !error.contains('\n'), "{error}");
            }
        }
    }
    let error = Web::open(&dir.path().join("absent")).err().expect("it is not there");
    let told = "absent: cannot be read: No such file or directory; make it, or name another file";
    assert!(error.ends_with(told), "{error}");
}

#[test]
fn tls_with_and_without() {
    let port = Port::behind(&format!("{TLS}  client_auth_type: VerifyClientCertIfGiven\n"));
    assert_eq!(port.status("https", &[]), 200);
    let plain = port.curl("http", "/metrics", &[]);
    assert_eq!((plain.status, plain.body.contains("HTTP request to an HTTPS server")), (400, true));
    assert_eq!(port.status("https", &["--tls-max", "1.1"]), 0);
    for version in ["1.2", "1.3"] {
        assert_eq!(port.status("https", &["--tls-max", version]), 200, "{version}");
    }
    let open = Port::behind("");
    assert_eq!((open.status("http", &[]), open.status("https", &[])), (200, 0));
    let inline = |name: &str| {
        let text = std::fs::read_to_string(open.file(name)).expect("read");
        text.lines().map(|line| format!("    {line}\n")).collect::<String>()
    };
    let (certificate, key) = (inline("server.pem"), inline("server.key"));
    let text = format!("tls_server_config:\n  cert: |\n{certificate}  key: |\n{key}");
    let inline = Port::behind(&text);
    std::fs::copy(open.file("ca.pem"), inline.file("ca.pem")).expect("copy");
    assert_eq!(inline.status("https", &[]), 200);
}

#[test]
fn suites_and_curves_are_those_that_are_asked_for() {
    let suites = |small: &str, large: &str| {
        let name = |suite: &str| format!("TLS_ECDHE_ECDSA_WITH_AES_{suite}");
        format!("{TLS}  cipher_suites: [{}, {}]\n  max_version: TLS12\n", name(small), name(large))
    };
    let in_order = suites("128_GCM_SHA256", "256_GCM_SHA384");
    let port = Port::behind(&in_order);
    let chosen = |port: &Port, suites: &str| {
        let got =
            port.curl("https", "/-/healthy", &["-v", "--tls-max", "1.2", "--ciphers", suites]);
        let line = got.told.lines().find(|line| line.contains("ssl connection using"));
        line.map(|line| {
            line.rsplit(" / ").find(|part| part.contains("aes")).unwrap_or("").to_owned()
        })
    };
    let (small, large) = ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384");
    for suite in [small, large] {
        assert_eq!(chosen(&port, suite), Some(suite.to_lowercase()));
    }
    assert_eq!(chosen(&port, "ECDHE-ECDSA-AES256-SHA"), None, "there is no common one");
    // The server's order decides, and here the client's.
    let both = format!("{large}:{small}");
    assert_eq!(chosen(&port, &both), Some(small.to_lowercase()));
    let other = suites("256_GCM_SHA384", "128_GCM_SHA256");
    let other = Port::behind(&(other + "  prefer_server_cipher_suites: false\n"));
    assert_eq!(chosen(&other, &format!("{small}:{large}")), Some(small.to_lowercase()));
    let unknown = [
        "cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA]",
        "curve_preferences: [CurveP256, CurveP384, CurveP521, X25519]",
    ];
    for some in unknown {
        let port = Port::behind(&format!("{TLS}  {some}\n"));
        assert_eq!(port.status("https", &[]), 200, "{some}");
        assert!(port.daemon.log().contains("not spoken here"), "{some}");
    }
    let curve = Port::behind(&format!("{TLS}  curve_preferences: [CurveP384]\n"));
    for (curves, status) in [("P-384", 200), ("P-256", 0)] {
        assert_eq!(curve.status("https", &["--curves", curves]), status, "{curves}");
    }
}

#[test]
fn certificates_of_clients_by_each_policy() {
    let behind = |more: &str| Port::behind(&format!("{TLS}  client_auth_type: {more}\n"));
    let any = behind("RequireAnyClientCert");
    assert_eq!(any.status("https", &[]), 0);
    assert_eq!((any.status_with("client"), any.status_with("other")), (200, 200));
    let verified = behind("RequireAndVerifyClientCert\n  client_ca_file: client.pem");
    assert_eq!(verified.status("https", &[]), 0);
    assert_eq!((verified.status_with("client"), verified.status_with("other")), (200, 0));
    let chain = behind("RequireAndVerifyClientCert\n  client_ca_file: ca.pem");
    assert_eq!((chain.status_with("signed"), chain.status_with("client")), (200, 0));
    let named = "RequireAndVerifyClientCert\n  client_ca_file: other.pem\n  client_allowed_sans:";
    let good = behind(&format!("{named} [one, test3, two]"));
    assert_eq!((good.status_with("other"), good.status_with("client")), (200, 0));
    assert_eq!(behind(&format!("{named} [bad]")).status_with("other"), 0);
    let given = behind("VerifyClientCertIfGiven\n  client_ca_file: ca.pem");
    assert_eq!(given.status("https", &[]), 200);
    assert_eq!((given.status_with("signed"), given.status_with("client")), (200, 0));
    let asked = behind("RequestClientCert");
    assert_eq!((asked.status("https", &[]), asked.status_with("client")), (200, 200));
}

#[test]
fn headers_on_every_answer_and_the_rate_limit() {
    let port = Port::behind(
        "http_server_config:\n  headers:\n    X-Frame-Options: deny\n    \
         X-Content-Type-Options: nosniff\n    X-XSS-Protection: 1\n    \
         Strict-Transport-Security: max-age=31536000; includeSubDomains\n    \
         Content-Security-Policy: \"default-src 'self' *.test.example.net\"\n",
    );
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
    let free = Port::behind("rate_limit: {interval: 0, burst: 0}\n");
    assert!((0..10).all(|_| free.status("http", &[]) == 200));
    let limited = Port::behind("rate_limit: {interval: \"1s\", burst: 0}\n");
    assert_eq!(limited.status("http", &[]), 429);
    limited.configure("rate_limit: {interval: 1h, burst: 3}\n");
    let statuses: Vec<u16> = (0..5).map(|_| limited.status("http", &[])).collect();
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
}

#[test]
fn users_of_the_file_and_no_others() {
    for (start, scheme) in [("", "http"), (TLS, "https")] {
        let port = Port::behind(&format!("{start}{USERS}"));
        let got = port.curl(scheme, "/metrics", &[]);
        assert_eq!((got.status, got.body.as_str()), (401, "Unauthorized\n"), "{scheme}");
        assert!(got.told.contains("www-authenticate: basic"), "{}", got.told);
        for (user, status) in [
            ("anna:sesame-1", 200),
            ("anna:sesame-1", 200),
            ("ben:sesame-2", 200),
            ("anna:bad", 401),
            ("anna:", 401),
            ("nonexistent:sesame-1", 401),
            (":", 401),
        ] {
            assert_eq!(port.status(scheme, &["--user", user]), status, "{scheme}: {user}");
        }
        // A reload is a request as any other.
        let reload = port.curl(scheme, "/-/reload", &["-X", "POST"]);
        assert_eq!(reload.status, 401);
        let reload = port.curl(scheme, "/-/reload", &["-X", "POST", "--user", "anna:sesame-1"]);
        assert_eq!(reload.status, 403, "it is off without --web.enable-lifecycle");
    }
}
