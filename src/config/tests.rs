use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;

fn no_env() -> impl Iterator<Item = (OsString, OsString)> {
    std::iter::empty()
}

fn env(pairs: &[(&str, &str)]) -> impl Iterator<Item = (OsString, OsString)> {
    let pairs: Vec<_> = pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
    pairs.into_iter()
}

/// Loads a file with this content; errors have the path as `FILE`.
fn load_with(
    content: &[u8],
    env: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Loaded, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("plimsoll.yml");
    std::fs::write(&path, content).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    Config::load(Some(&path), env)
        .map_err(|error| error.to_string().replace(&path.display().to_string(), "FILE"))
}

fn load(content: &str) -> Result<Loaded, String> {
    load_with(content.as_bytes(), no_env())
}

#[test]
fn a_missing_default_file_is_fine_and_a_missing_named_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let absent = dir.path().join("plimsoll.yml");
    let loaded = Config::load_or(None, &absent, no_env()).unwrap();
    assert_eq!((loaded.config, loaded.path), (Config::default(), None));

    let error = Config::load(Some(&absent), no_env()).unwrap_err().to_string();
    assert_eq!(
        error,
        format!(
            "{}: cannot be read: No such file or directory; make it, or name another file",
            absent.display()
        )
    );

    std::fs::write(&absent, "orphans: {grace: 0s}\n").unwrap();
    let loaded = Config::load_or(None, &absent, no_env()).unwrap();
    assert_eq!(loaded.config.orphans.grace, Duration::ZERO);
    assert_eq!(loaded.path, Some(absent));
}

#[test]
fn every_key_is_read() {
    let config = load(
        "mesos:\n  enabled: true\n  work_dir: /data/mesos\n  runtime_dir: /run/mesos\n  \
         agent_url: https://agent.example:5051\n  master_url: http://master.example:5050\n  \
         master_interval: 1m\n  timeout: 2s\n  poll_interval: 30s\n  \
         max_body: 8MiB\n  basic_auth: {username: ops, password: hunter2}\n  \
         tls: {ca_file: /etc/ca.pem, server_name: agent, insecure_skip_verify: true}\n\
         docker: {enabled: true, socket: 'unix:///run/d.sock', data_root: /data/docker, timeout: 2s, \
         max_body: 8MiB, labels: [team]}\n\
         directories:\n- /srv/*\n- {path: /data/ledger, name: ledger, role: db, owner: team-db, \
         quota: 2GiB, unused_after: 1d}\n\
         discovery:\n  interval: 5m\nusage:\n  cpu_budget: 0.5\n  \
         bootstrap_cpu_budget: 1\n  max_age: 1h\nfilesystems: {timeout: 1s, interval: 1m}\n\
         network: {interval: 2m, walk: true}\n\
         orphans:\n  grace: 0s\n  open_files: false\n  open_files_interval: 5m\n\
         io: {enabled: false, interval: 2s, sample_interval: 500ms}\n\
         metrics:\n  max_series: 5000\nstorage: {enabled: true, path: /state}\n\
         alerting: {alertmanagers: [http://am:9093]}\n\
         security: {landlock: strict, landlock_directories: [/data]}\n",
    )
    .unwrap()
    .config;
    let expected = Config {
        mesos: MesosConfig {
            enabled: Enabled::True,
            work_dir: Some("/data/mesos".into()),
            runtime_dir: Some("/run/mesos".into()),
            agent_url: Some("https://agent.example:5051".into()),
            master_url: Some("http://master.example:5050".into()),
            master_interval: Duration::from_secs(60),
            timeout: Duration::from_secs(2),
            poll_interval: Duration::from_secs(30),
            max_body: ByteSize(8_388_608),
            basic_auth: BasicAuth {
                username: Some("ops".into()),
                password: Some(Secret::new("hunter2")),
                password_file: None,
            },
            bearer_token: None,
            bearer_token_file: None,
            tls: TlsConfig {
                ca_file: Some("/etc/ca.pem".into()),
                server_name: Some("agent".into()),
                insecure_skip_verify: true,
            },
        },
        docker: DockerConfig {
            enabled: Enabled::True,
            socket: Some("unix:///run/d.sock".into()),
            data_root: Some("/data/docker".into()),
            timeout: Duration::from_secs(2),
            max_body: ByteSize(8_388_608),
            labels: vec!["team".into()],
        },
        directories: vec![
            DirectoryConfig::new("/srv/*"),
            DirectoryConfig {
                name: Some("ledger".into()),
                role: "db".into(),
                owner: Some("team-db".into()),
                quota: Some(ByteSize(2 << 30)),
                unused_after: Duration::from_secs(86_400),
                ..DirectoryConfig::new("/data/ledger")
            },
        ],
        discovery: DiscoveryConfig { interval: Duration::from_secs(300) },
        usage: UsageConfig {
            cpu_budget: 0.5,
            bootstrap_cpu_budget: 1.0,
            max_age: Duration::from_secs(3600),
            ..UsageConfig::default()
        },
        filesystems: FilesystemsConfig {
            timeout: Duration::from_secs(1),
            interval: Duration::from_secs(60),
        },
        network: NetworkConfig { interval: Duration::from_secs(120), walk: true },
        io: IoConfig {
            enabled: Enabled::False,
            interval: Duration::from_secs(2),
            sample_interval: Duration::from_millis(500),
        },
        orphans: OrphansConfig {
            grace: Duration::ZERO,
            open_files: false,
            open_files_interval: Duration::from_secs(300),
        },
        conditions: crate::judge::conditions::Thresholds::default(),
        metrics: MetricsConfig { max_series: 5000 },
        storage: StorageConfig { enabled: Enabled::True, path: "/state".into() },
        alerting: AlertingConfig {
            alertmanagers: vec!["http://am:9093".into()],
            ..AlertingConfig::default()
        },
        security: SecurityConfig {
            landlock: Landlock::Strict,
            landlock_directories: vec!["/data".into()],
        },
    };
    assert_eq!(config, expected);
}

#[test]
fn empty_files_and_sections_mean_the_defaults() {
    for content in ["", "\n", "# nothing\n", "---\n", "mesos:\nusage:\n", "mesos: {}\n"] {
        assert_eq!(load(content).map(|loaded| loaded.config), Ok(Config::default()), "{content:?}");
    }
}

#[test]
fn refusals_name_file_line_column_and_reason() {
    let duration = "is not a duration such as \"15s\", \"10m\" or \"1h 30m\"";
    let keys = "mesos, docker, directories, discovery, usage, filesystems, network, io, orphans, \
                conditions, metrics, storage, alerting, security";
    let cases = [
        (
            "mesos:\n  work_dri: /x\n",
            "2:3: unknown key \"work_dri\" in mesos; did you mean \"work_dir\"?".to_owned(),
        ),
        (
            "work_dir: /x\n",
            "1:1: unknown key \"work_dir\"; did you mean mesos.work_dir?".to_owned(),
        ),
        (
            "mesos:\n  basic_auth:\n    pasword: hunter2\n",
            "3:5: unknown key \"pasword\" in mesos.basic_auth; did you mean \"password\"?"
                .to_owned(),
        ),
        (
            "\"\\e[2J\": 1\n",
            format!("1:1: unknown key \"\\\\x1b[2J\"; known: {keys}").replace("\\\\", "\\"),
        ),
        ("mesos:\n  timeout: 5\n", format!("2:12: \"5\" {duration}")),
        ("mesos:\n  timeout: a\\b\n", format!("2:12: \"a\\\\b\" {duration}")),
        (
            "mesos:\n  timeout:\n",
            "2:10: a value is missing; leave the whole key out for the default".to_owned(),
        ),
        (
            "mesos:\n  timeout: 5s\n  timeout: 6s\n",
            "3:3: key \"timeout\" is given twice".to_owned(),
        ),
        (
            "mesos:\n  max_body: 64M\n",
            "2:13: \"64M\" is not a size such as \"64MiB\", \"1GiB\" or \"10MB\"".to_owned(),
        ),
        ("mesos: 5\n", "1:8: expected keys with values, such as \"interval: 15s\"".to_owned()),
        ("- a\n", "1:1: expected keys with values, such as \"interval: 15s\"".to_owned()),
        ("usage:\n  cpu_budget: lots\n", "2:15: expected a number".to_owned()),
        ("metrics:\n  max_series: -1\n", "2:15: expected a whole number from 0".to_owned()),
        (
            "mesos:\n  enabled: maybe\n",
            "2:12: \"maybe\" is none of auto, true and false".to_owned(),
        ),
        ("mesos:\n  tls: {insecure_skip_verify: yes}\n", "2:31: expected true or false".to_owned()),
        (
            "mesos: {}\n---\nmesos: {}\n",
            "3:1: a second document starts here; the file must hold one".to_owned(),
        ),
        (
            "mesos:\n\ttimeout: 5s\n",
            "2:2: tabs disallowed within this context (block indentation)".to_owned(),
        ),
        ("mesos:\n  work_dir: *x\n", "2:13: alias references unknown anchor".to_owned()),
    ];
    for (content, expected) in cases {
        assert_eq!(load(content).unwrap_err(), format!("FILE:{expected}"), "{content:?}");
    }
}

#[test]
fn ranges_and_combinations_are_refused_where_they_are_set() {
    let url = "mesos.agent_url must start with http:// or https://, such as http://127.0.0.1:5051";
    let cases = [
        (
            "mesos:\n  work_dir: rel\n",
            "2:13: mesos.work_dir must be an absolute path, starting with /",
        ),
        ("mesos:\n  timeout: 0s\n", "2:12: mesos.timeout must be from 10ms to 1h"),
        ("mesos:\n  max_body: 1KiB\n", "2:13: mesos.max_body must be from 64KiB to 4GiB"),
        ("discovery:\n  interval: 1ms\n", "2:13: discovery.interval must be from 1s to 1day"),
        ("metrics: {max_series: 1}\n", "1:23: metrics.max_series must be from 100 to 10000000"),
        (
            "mesos:\n  agent_url: http://ops:hunter2@h:1\n",
            "2:14: mesos.agent_url must not hold credentials; use mesos.basic_auth",
        ),
        (
            "mesos:\n  bearer_token: a\n  bearer_token_file: /t\n",
            "3:22: mesos.bearer_token_file excludes mesos.bearer_token; give one",
        ),
        (
            "mesos:\n  basic_auth:\n    username: a\n    password: b\n    password_file: /c\n",
            "5:20: mesos.basic_auth.password_file excludes mesos.basic_auth.password; give one",
        ),
        (
            "mesos:\n  basic_auth:\n    username: a\n",
            "3:15: mesos.basic_auth.username needs mesos.basic_auth.password or password_file",
        ),
        (
            "mesos:\n  bearer_token: t\n  basic_auth: {username: a, password: b}\n",
            "2:17: mesos.bearer_token excludes mesos.basic_auth; give one",
        ),
        (
            "mesos:\n  bearer_token: \"a\\nb\"\n",
            "2:17: mesos.bearer_token must be printable ASCII without spaces",
        ),
    ];
    for (content, expected) in cases {
        assert_eq!(load(content).unwrap_err(), format!("FILE:{expected}"), "{content:?}");
    }
    for bad in ["ftp://h", "h:5051", "/x"] {
        let error = load(&format!("mesos:\n  agent_url: {bad}\n")).unwrap_err();
        assert_eq!(error, format!("FILE:2:14: {url}"), "{bad}");
    }
    // A password without a name is set by another key than the one that is missing.
    assert_eq!(
        load("mesos: {basic_auth: {password: b}}\n").unwrap_err(),
        "FILE: mesos.basic_auth.username is needed with a password"
    );
}

#[test]
fn budgets_stay_within_the_host() {
    let with = |cpu_budget| Config {
        usage: UsageConfig { cpu_budget, ..UsageConfig::default() },
        ..Config::default()
    };
    for good in [0.001, 1.0, 2.0] {
        assert_eq!(with(good).validate(2), Ok(()), "{good}");
    }
    for bad in [0.0, -1.0, 2.1, f64::NAN, f64::INFINITY] {
        let invalid = with(bad).validate(2).unwrap_err();
        assert_eq!(invalid.key, "usage.cpu_budget");
        assert_eq!(invalid.reason, "must be above 0 and at most 2, the cores of this host");
    }
    let error = load("usage:\n  cpu_budget: .nan\n").unwrap_err();
    assert!(error.starts_with("FILE:2:15: usage.cpu_budget must be above 0"), "{error}");
}

#[test]
fn files_are_bounded() {
    let mut large = b"# ".to_vec();
    large.resize((1 << 20) + 1, b'x');
    assert_eq!(load_with(&large, no_env()).unwrap_err(), "FILE: is larger than 1MiB");
    large.pop();
    assert_eq!(load_with(&large, no_env()).map(|l| l.config), Ok(Config::default()));

    assert_eq!(
        load_with(b"mesos:\n  # gr\xc3\xb6\xc3\x9fe \xff\n", no_env()).unwrap_err(),
        "FILE:2:11: is not UTF-8 text"
    );
}

#[test]
fn bombs_are_refused() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for i in 1..12 {
        let last = format!("*a{}", i - 1);
        bomb += &format!("a{i}: &a{i} [{}]\n", vec![last; 10].join(", "));
    }
    let inside = format!("mesos:\n  work_dir:\n    {}", bomb.replace('\n', "\n    "));
    let deep = "[".repeat(100_000);
    let many = "- x\n".repeat(100_000);
    for content in [bomb, inside, deep, many] {
        let before = crate::host::sys::thread_cpu_seconds();
        let error = load(&content).unwrap_err();
        assert!(error.starts_with("FILE:") && error.lines().count() == 1, "{error}");
        assert!(crate::host::sys::thread_cpu_seconds() - before < 5.0, "{error}");
    }
}

#[test]
fn no_refusal_shows_a_secret() {
    for content in [
        "mesos:\n  bearer_token: [hunter2]\n",
        "mesos:\n  bearer_token: {hunter2: hunter2}\n",
        "mesos:\n  bearer_token: \"hunter2 with spaces\"\n",
        "mesos:\n  basic_auth: {username: \"a:b\", password: hunter2}\n",
        "mesos:\n  basic_auth: hunter2\n",
        "mesos:\n  agent_url: \"http://ops:hunter2@[bad\"\n",
        "mesos:\n  bearer_token: \"hunter2\n",
    ] {
        let error = load(content).unwrap_err();
        assert!(!error.contains("hunter"), "{content:?}: {error}");
    }
}

#[test]
fn the_environment_goes_over_the_file() {
    let loaded = load_with(
        b"mesos: {work_dir: /file, timeout: 1s}\n",
        env(&[
            ("PLIMSOLL_MESOS_WORK_DIR", "/env"),
            ("PLIMSOLL_USAGE_CPU_BUDGET", "0.5"),
            ("PLIMSOLL_MESOS_TLS_INSECURE_SKIP_VERIFY", "true"),
            ("PATH", "/bin"),
        ]),
    )
    .unwrap();
    assert_eq!(loaded.config.mesos.work_dir, Some(PathBuf::from("/env")));
    assert_eq!(loaded.config.mesos.timeout, Duration::from_secs(1));
    assert_eq!(loaded.config.usage.cpu_budget, 0.5);
    assert!(loaded.config.mesos.tls.insecure_skip_verify);
    assert_eq!(
        loaded.from_env,
        ["mesos.tls.insecure_skip_verify", "mesos.work_dir", "usage.cpu_budget"]
    );
    assert_eq!(loaded.warnings, Vec::<String>::new());
}

#[test]
fn a_path_of_the_environment_may_be_any_bytes() {
    let name = OsString::from("PLIMSOLL_MESOS_WORK_DIR");
    let value = OsString::from_vec(b"/data/\xff".to_vec());
    let loaded = load_with(b"", std::iter::once((name, value.clone()))).unwrap();
    assert_eq!(loaded.config.mesos.work_dir, Some(PathBuf::from(value)));
}

#[test]
fn a_bad_variable_is_named() {
    let refused = |name: &str, value: &str| load_with(b"", env(&[(name, value)])).unwrap_err();
    assert_eq!(
        refused("PLIMSOLL_ORPHANS_GRACE", "10"),
        "environment variable PLIMSOLL_ORPHANS_GRACE: \"10\" is not a duration such as \"15s\", \
         \"10m\" or \"1h 30m\""
    );
    assert_eq!(
        refused("PLIMSOLL_METRICS_MAX_SERIES", "many"),
        "environment variable PLIMSOLL_METRICS_MAX_SERIES: \"many\" is not a whole number"
    );
    assert_eq!(
        refused("PLIMSOLL_METRICS_MAX_SERIES", "1"),
        "environment variable PLIMSOLL_METRICS_MAX_SERIES: metrics.max_series must be from 100 \
         to 10000000"
    );
}

#[test]
fn unknown_variables_are_warned_of() {
    let loaded = load_with(
        b"",
        env(&[("PLIMSOLL_MESOS_WORKDIR", "/x"), ("PLIMSOLL_SERVICE_HOST", "10.0.0.1")]),
    )
    .unwrap();
    assert_eq!(loaded.config, Config::default());
    assert_eq!(
        loaded.warnings,
        [
            "environment variable PLIMSOLL_MESOS_WORKDIR is not a known key and is ignored; did \
             you mean PLIMSOLL_MESOS_WORK_DIR?",
            "environment variable PLIMSOLL_SERVICE_HOST is not a known key and is ignored",
        ]
    );
}

#[test]
fn every_key_can_be_set_by_a_variable() {
    for key in Config::keys() {
        let mut config = Config::default();
        let mut good = false;
        let sets = ["7s", "2.5", "1", "true", "false", "64MiB", "7-9", "a=b"].iter().any(|value| {
            good |= config.set(&key, value.as_ref()).is_ok();
            config != Config::default()
        });
        assert!(good, "{key} takes no value");
        assert!(sets, "{key} sets nothing");
    }
    let error = Config::default().set("mesos.nope", "1".as_ref()).unwrap_err();
    assert_eq!(error, "there is no key \"mesos.nope\"");
    assert_eq!(
        variable("mesos.basic_auth.password_file"),
        "PLIMSOLL_MESOS_BASIC_AUTH_PASSWORD_FILE"
    );
}

#[test]
fn a_secret_that_everybody_can_read_is_warned_of() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("plimsoll.yml");
    std::fs::write(&path, "mesos: {bearer_token: hunter2}\n").unwrap();
    let warnings = |mode| {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        Config::load(Some(&path), no_env()).unwrap().warnings
    };
    assert_eq!(warnings(0o640), Vec::<String>::new());
    let shown = path.display();
    assert_eq!(
        warnings(0o644),
        [format!(
            "{shown} holds a secret and everybody can read it; take that right away (chmod o-r) \
             or move the secret into a file of its own"
        )]
    );
}

#[test]
fn directories_are_no_files() {
    let dir = tempfile::tempdir().unwrap();
    let error = Config::load(Some(dir.path()), no_env()).unwrap_err().to_string();
    assert_eq!(
        error,
        format!("{}: cannot be read: Is a directory; name the file in it", dir.path().display())
    );
}

#[test]
fn two_directories_of_one_role_have_two_names() {
    let check = |second: &str| {
        let text = format!(
            "directories:\n- {{path: /a, name: data, role: db}}\n- {{path: /b, {second}}}\n"
        );
        Config::parse(&text, Path::new("plimsoll.yml")).unwrap().validate(4)
    };
    for second in ["name: data, role: web", "name: other, role: db", "role: db"] {
        check(second).unwrap();
    }
    let reason = "\"/a\" and \"/b\" have the same role and the name \"data\"";
    assert_eq!(check("name: data, role: db").unwrap_err().reason, reason);
}

#[test]
fn parse_names_the_path_it_was_given() {
    let error = Config::parse("nope: 1\n", Path::new("/etc/a\nb.yml")).unwrap_err().to_string();
    assert!(error.starts_with("/etc/a\\nb.yml:1:1: unknown key \"nope\""), "{error}");
}
