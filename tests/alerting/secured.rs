//! An Alertmanager behind TLS that demands a certificate, and a password.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::alertmanager::Alertmanager;
use super::alone::{ORPHANED, Orphan, alerting};
use super::host::wait_for;
use super::scene;
use super::support::daemon::value;
use super::webhook::Webhook;

/// `hunter2` as bcrypt has it, at its least cost: the server must not spend the test's time.
const HASH: &str = "$2b$04$BEJ4Jo3zmXv1vKw0dxleNOkG89Ev/ywaw54XhqfeJgVeZ.wTQPsHC";

/// A private authority, a certificate of the server and one of the client, as files.
struct Certificates {
    dir: tempfile::TempDir,
}

impl Certificates {
    fn make() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let write = |name: &str, text: String| {
            std::fs::write(dir.path().join(name), text).expect("write");
        };
        let mut authority = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().expect("a key");
        let authority = rcgen::CertifiedIssuer::self_signed(authority, key).expect("a certificate");
        write("ca.pem", authority.pem());
        for (name, usage) in [
            ("server", rcgen::ExtendedKeyUsagePurpose::ServerAuth),
            ("client", rcgen::ExtendedKeyUsagePurpose::ClientAuth),
        ] {
            let names = vec![format!("{name}.alerting.example")];
            let mut params = rcgen::CertificateParams::new(names).expect("parameters");
            params.extended_key_usages = vec![usage];
            let key = rcgen::KeyPair::generate().expect("a key");
            let certificate = params.signed_by(&key, &authority).expect("a certificate");
            write(&format!("{name}.pem"), certificate.pem());
            write(&format!("{name}.key"), key.serialize_pem());
        }
        write("password", "hunter2\n".into());
        write("wrong", "hunter3\n".into());
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn web_config(&self) -> String {
        let path = |name: &str| self.path(name).display().to_string();
        format!(
            "tls_server_config:\n  cert_file: {}\n  key_file: {}\n  client_ca_file: {}\n  \
             client_auth_type: RequireAndVerifyClientCert\nbasic_auth_users:\n  ops: {HASH}\n",
            path("server.pem"),
            path("server.key"),
            path("ca.pem"),
        )
    }
}

fn section(certificates: &Certificates, password: &str, identity: bool) -> String {
    let path = |name: &str| certificates.path(name).display().to_string();
    let identity = match identity {
        true => {
            format!("    cert_file: {}\n    key_file: {}\n", path("client.pem"), path("client.key"))
        }
        false => String::new(),
    };
    format!(
        "  beside_prometheus: false\n  basic_auth:\n    username: ops\n    password_file: {}\n  tls:\n    \
         ca_file: {}\n    server_name: server.alerting.example\n{identity}",
        path(password),
        path("ca.pem")
    )
}

fn check(config: &Path, flags: &[String]) -> String {
    let said = Command::new(env!("CARGO_BIN_EXE_plimsoll"))
        .args(["check", "--config.file"])
        .arg(config)
        .args(flags)
        .output()
        .expect("plimsoll check");
    String::from_utf8_lossy(&said.stdout).into_owned()
}

#[test]
fn with_certificate_and_password_alerts_are_taken_and_without_it_is_said_why() {
    let certificates = Certificates::make();
    let webhook = Webhook::start();
    let path = |name: &str| certificates.path(name).display().to_string();
    let curl = ["--insecure", "--user", "ops:hunter2", "--cert", &path("client.pem")];
    let key = path("client.key");
    let curl = [curl.as_slice(), &["--key", &key]].concat();
    let alertmanager = Alertmanager::secured(&webhook, &certificates.web_config(), &curl);
    let scene = scene::quiet();
    let configure = |password: &str, identity: bool| {
        let section = section(&certificates, password, identity);
        scene.configure(&alerting(&[&alertmanager], &section));
    };
    configure("wrong", true);
    let daemon = scene.serve();
    daemon.wait_ready();
    let orphan = Orphan::make(&scene, "new-0006");
    let failed = |reason: &str| {
        let series = format!(
            "plimsoll_alertmanager_failures_total{{alertmanager=\"{}\",reason=\"{reason}\"}}",
            alertmanager.address
        );
        wait_for(reason, || value(&daemon.get("/metrics").body, &series));
        check(&scene.config, &scene.path_flags())
    };
    let report = failed("unauthorized");
    assert!(report.contains("401") && report.contains("alerting.basic_auth"), "{report}");
    configure("password", false);
    daemon.signal("HUP");
    failed("tls");
    // A server that refuses may close before its reason is read: then it is asked again.
    wait_for("the certificate is told of", || {
        let report = check(&scene.config, &scene.path_flags());
        report.contains("alerting.tls.cert_file").then_some(())
    });
    assert_eq!(webhook.notices(ORPHANED, orphan.name), [""; 0]);

    configure("password", true);
    daemon.signal("HUP");
    webhook.wait_for(ORPHANED, "new-0006", &["firing"]);
    let report = check(&scene.config, &scene.path_flags());
    assert!(report.contains("alertmanager      ok       "), "{report}");
    orphan.remove();
    webhook.wait_for(ORPHANED, "new-0006", &["firing", "resolved"]);
    assert!(!daemon.log().contains("hunter"), "no secret is in the log");
}
