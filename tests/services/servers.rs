//! Data services from Debian's packages, started by hand: each as the user of its package, on
//! ports of 127.0.0.1 that the kernel gave, its data in a directory of its own below `data/`.

use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Nothing here takes longer than seconds; a busy machine may.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Ports that nobody listens on, all different.
pub fn free_ports<const N: usize>() -> [u16; N] {
    let taken: [TcpListener; N] =
        std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").expect("a port"));
    taken.map(|listener| listener.local_addr().expect("an address").port())
}

/// Where the services of one test live; gone when dropped.
pub struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("pl-svc-").tempdir().expect("a directory");
        // Every service's user has to get through, and leaves sockets and logs in `run`.
        open(dir.path(), 0o755);
        for (name, mode) in [("data", 0o755), ("run", 0o1777)] {
            std::fs::create_dir(dir.path().join(name)).expect("make");
            open(&dir.path().join(name), mode);
        }
        Self { dir }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn data(&self, name: &str) -> PathBuf {
        self.dir.path().join("data").join(name)
    }

    pub fn run(&self, name: &str) -> PathBuf {
        self.dir.path().join("run").join(name)
    }

    /// An empty directory of the user's.
    pub fn make(&self, path: &Path, user: &str) {
        std::fs::create_dir_all(path).expect("make");
        let owned = Command::new("chown").arg(format!("{user}:")).arg(path).status();
        assert!(owned.expect("chown").success());
        open(path, 0o700);
    }

    pub fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.run(&format!("{name}.log"))).unwrap_or_default()
    }

    fn start(&self, name: &str, command: &mut Command) -> Server {
        let path = self.run(&format!("{name}.log"));
        let log = std::fs::File::options().create(true).append(true).open(path).expect("a log");
        let child = command
            .current_dir(self.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            // Whatever it starts ends with it.
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        Server { name: name.to_owned(), child }
    }
}

fn open(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("chmod");
}

/// A command as another user; the process it becomes keeps its id.
pub fn as_user(user: &str, program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid", user, "--regid", user, "--clear-groups", program]);
    command
}

/// A running service, ended with all it started when dropped.
pub struct Server {
    name: String,
    child: Child,
}

impl Server {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end, as an administrator would, and waits for that.
    pub fn stop(mut self) {
        self.end("-TERM");
    }

    /// Waits until `ready`; a service that ends instead fails the test with its log.
    fn wait(mut self, place: &Place, ready: impl Fn() -> bool) -> Self {
        let start = Instant::now();
        while !ready() {
            let ended = self.child.try_wait().expect("wait");
            let late = start.elapsed() > PATIENCE;
            let name = &self.name;
            assert!(ended.is_none() && !late, "{name} did not start:\n{}", place.log(name));
            std::thread::sleep(Duration::from_millis(200));
        }
        self
    }

    fn end(&mut self, signal: &str) {
        if self.child.try_wait().is_ok_and(|status| status.is_some()) {
            return;
        }
        let _ = Command::new("kill").args([signal, &self.pid().to_string()]).status();
        let start = Instant::now();
        while self.child.try_wait().is_ok_and(|status| status.is_none()) {
            if start.elapsed() > Duration::from_secs(30) {
                let _ = self.child.kill();
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end("-TERM");
        let group = format!("-{}", self.pid());
        // Usually nobody is left in it.
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
    }
}

/// What a client said; fails with what it complained of.
fn said(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().expect("a client");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A node of a Galera cluster.
pub struct Galera {
    pub name: &'static str,
    sql: u16,
    replication: u16,
    increments: u16,
    transfer: u16,
}

impl Galera {
    pub fn new(name: &'static str) -> Self {
        let [sql, replication, increments, transfer] = free_ports();
        Self { name, sql, replication, increments, transfer }
    }

    fn socket(&self, place: &Place) -> PathBuf {
        place.run(&format!("{}.sock", self.name))
    }

    /// The tables without which the first node cannot start.
    pub fn prepare(&self, place: &Place) {
        let data = place.data(self.name);
        place.make(&data, "mysql");
        said(
            as_user("mysql", "mariadb-install-db")
                .args(["--no-defaults", "--skip-test-db"])
                .arg("--auth-root-authentication-method=normal")
                .arg(format!("--datadir={}", data.display())),
        );
    }

    /// Starts it and waits until it has all that the cluster has. Without a `peer` it is the
    /// first; one whose directory is empty copies everything (SST, by rsync).
    pub fn start(&self, place: &Place, peer: Option<&Galera>) -> Server {
        let data = place.data(self.name);
        place.make(&data, "mysql");
        let mut command = as_user("mysql", "mariadbd");
        command.args(self.arguments(place, &data, peer));
        place.start(self.name, &mut command).wait(place, || self.synced(place))
    }

    /// It has all that the cluster has.
    pub fn synced(&self, place: &Place) -> bool {
        let status = "SHOW STATUS LIKE 'wsrep_local_state_comment'";
        self.try_ask(place, status).is_some_and(|state| state.contains("Synced"))
    }

    /// What `mariadbd` is told, so that its data lies in `data`.
    pub fn arguments(&self, place: &Place, data: &Path, peer: Option<&Galera>) -> Vec<String> {
        let cluster = peer.map_or(String::new(), |peer| format!("127.0.0.1:{}", peer.replication));
        let Self { name, sql, replication, increments, transfer } = self;
        let plain = [
            "--no-defaults",
            "--bind-address=127.0.0.1",
            "--innodb-log-file-size=8M",
            "--innodb-buffer-pool-size=32M",
            "--innodb-flush-log-at-trx-commit=0",
            "--binlog-format=ROW",
            "--innodb-autoinc-lock-mode=2",
            "--wsrep-on=ON",
            "--wsrep-sst-method=rsync",
            "--wsrep-provider=/usr/lib/galera/libgalera_smm.so",
            "--wsrep-cluster-name=plimsoll",
        ];
        let own = [
            format!("--datadir={}", data.display()),
            format!("--socket={}", self.socket(place).display()),
            format!("--pid-file={}", place.run(&format!("{name}.pid")).display()),
            format!("--port={sql}"),
            format!("--wsrep-cluster-address=gcomm://{cluster}"),
            format!("--wsrep-node-name={name}"),
            format!("--wsrep-node-address=127.0.0.1:{replication}"),
            format!("--wsrep-sst-receive-address=127.0.0.1:{transfer}"),
            format!(
                "--wsrep-provider-options=base_host=127.0.0.1;base_port={replication};\
                 gmcast.listen_addr=tcp://127.0.0.1:{replication};\
                 ist.recv_addr=127.0.0.1:{increments};gcache.size=8M"
            ),
        ];
        plain.map(str::to_owned).into_iter().chain(own).collect()
    }

    fn client(&self, place: &Place, query: &str) -> Command {
        let mut command = Command::new("mariadb");
        command.args(["--no-defaults", "-u", "root", "-N", "-e", query, "-S"]);
        command.arg(self.socket(place));
        command
    }

    fn try_ask(&self, place: &Place, query: &str) -> Option<String> {
        let output = self.client(place, query).output().expect("mariadb");
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    pub fn ask(&self, place: &Place, query: &str) -> String {
        said(&mut self.client(place, query))
    }

    /// Whether the last start copied everything from the other node.
    pub fn copied(&self, place: &Place) -> bool {
        place.log(self.name).contains("SST received")
    }
}

const POSTGRES: &str = "/usr/lib/postgresql/15/bin";

/// A PostgreSQL server on a Unix socket alone.
pub fn postgres(place: &Place) -> Server {
    let data = place.data("postgresql");
    place.make(&data, "postgres");
    said(
        as_user("postgres", &format!("{POSTGRES}/initdb"))
            .args(["-U", "postgres", "-A", "trust", "--wal-segsize=4", "-D"])
            .arg(&data)
            .current_dir(place.path()),
    );
    let mut command = as_user("postgres", &format!("{POSTGRES}/postgres"));
    command.arg("-D").arg(&data).arg("-k").arg(place.run(""));
    command.args(["-c", "listen_addresses=", "-c", "max_wal_size=32MB", "-c", "min_wal_size=16MB"]);
    place.start("postgresql", &mut command).wait(place, || {
        let output = psql(place, "SELECT 1").output().expect("psql");
        output.status.success()
    })
}

fn psql(place: &Place, query: &str) -> Command {
    let mut command = Command::new(format!("{POSTGRES}/psql"));
    command.args(["-X", "-q", "-t", "-U", "postgres", "-c", query, "-h"]).arg(place.run(""));
    command
}

/// Writes 10 MB of rows and lets the server put them where they stay.
pub fn fill_postgres(place: &Place) {
    said(&mut psql(
        place,
        "CREATE TABLE t (v text); ALTER TABLE t ALTER v SET STORAGE PLAIN; \
         INSERT INTO t SELECT repeat(md5(n::text), 32) FROM generate_series(1, 10000) n",
    ));
    said(&mut psql(place, "CHECKPOINT"));
}

/// A RabbitMQ node with its own port mapper.
pub struct RabbitMq {
    _script: Server,
    _mapper: Server,
    port: u16,
}

impl RabbitMq {
    pub fn start(place: &Place) -> Self {
        let [port, between, mapper] = free_ports();
        let (data, home) = (place.data("rabbitmq"), place.path().join("rabbitmq-home"));
        place.make(&data, "rabbitmq");
        place.make(&home, "rabbitmq");
        let mut command = as_user("rabbitmq", "epmd");
        command.args(["-address", "127.0.0.1", "-port", &mapper.to_string()]);
        let map = place.start("epmd", &mut command);
        let mut command = as_user("rabbitmq", "/usr/lib/rabbitmq/bin/rabbitmq-server");
        command
            .env("HOME", &home)
            .env("ERL_EPMD_PORT", mapper.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODENAME", "plimsoll@localhost")
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", port.to_string())
            .env("RABBITMQ_DIST_PORT", between.to_string())
            .env("RABBITMQ_MNESIA_BASE", &data)
            .env("RABBITMQ_LOG_BASE", home.join("log"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", home.join("plugins"))
            .env("RABBITMQ_PID_FILE", home.join("pid"))
            .env("RABBITMQ_CONFIG_FILE", home.join("none"))
            .env("RABBITMQ_CONF_ENV_FILE", home.join("none"))
            // The distribution's own connections stay on this host, too.
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "-kernel inet_dist_use_interface {127,0,0,1}",
            );
        let script = place.start("rabbitmq", &mut command).wait(place, || {
            let declared = Command::new("amqp-declare-queue")
                .arg(format!("--url=amqp://guest:guest@127.0.0.1:{port}"))
                .args(["-d", "-q", "load"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            declared.expect("amqp-declare-queue").success()
        });
        Self { _script: script, _mapper: map, port }
    }

    /// The node itself: what was started is a script that waits for it.
    pub fn pid(place: &Place) -> u32 {
        let text = std::fs::read_to_string(place.path().join("rabbitmq-home/pid")).expect("a file");
        text.trim().parse().expect("a process id")
    }

    /// 8 MB of persistent messages of 20 kB.
    pub fn fill(&self, place: &Place) {
        let lines = place.path().join("messages");
        let text = format!("{}\n", "plimsoll".repeat(2500)).repeat(400);
        std::fs::write(&lines, text).expect("write");
        let output = Command::new("amqp-publish")
            .arg(format!("--url=amqp://guest:guest@127.0.0.1:{}", self.port))
            .args(["-p", "-l", "-r", "load"])
            .stdin(std::fs::File::open(&lines).expect("open"))
            .output()
            .expect("amqp-publish");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
