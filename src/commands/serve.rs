//! `plimsoll serve`: the daemon.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::cli::args::{GlobalArgs, ServeArgs, WebArgs};
use crate::cli::{ListenAddress, version};
use crate::config::Config;
use crate::expose::alertmanager::Reached;
use crate::expose::http::{self, AppState, Reloader, Site};
use crate::expose::web::{Guarded, Web};
use crate::expose::{BuildInfo, Telemetry};
use crate::pipeline::confinement::{Confinement, Own};
use crate::pipeline::{Daemon, Settings, now};

use super::{configuration, host_name, permissions, runtime, service_manager};

pub(super) fn run(global: &GlobalArgs, args: &ServeArgs) -> anyhow::Result<ExitCode> {
    let loaded = configuration(global)?;
    let from = match &loaded.path {
        Some(path) => path.display().to_string(),
        None => "defaults".into(),
    };
    tracing::info!(version = version::VERSION, config = from, "Starting");
    let reload = Reload { path: global.config_file.clone() };
    tracing::info!(features = permissions::summary(), "Permissions");
    let port = Port { listen: &args.listen, web: &args.web };
    let own = Own {
        config_file: global.config_file.clone(),
        web_file: args.web.web_config_file.clone(),
        ports: args.listen.iter().map(ListenAddress::port).collect(),
    };
    // Before there is any other thread: Landlock bounds the calling one and those it starts.
    let confinement = Confinement::enter(&loaded.config, &global.roots(), &own)
        .context("bound what this process may open (security.landlock)")?;
    serve(global, port, loaded.config, reload, args.enable_lifecycle, confinement)
}

/// Where and how a site is offered.
#[derive(Clone, Copy)]
pub(super) struct Port<'a> {
    /// `--web.listen-address`.
    pub(super) listen: &'a [ListenAddress],
    /// TLS, users and sockets.
    pub(super) web: &'a WebArgs,
}

/// A port that is taken.
pub(super) struct Taken {
    listeners: Vec<TcpListener>,
    web: Option<Arc<Web>>,
}

impl Port<'_> {
    /// Reads the web configuration and takes every address.
    pub(super) async fn take(self) -> anyhow::Result<Taken> {
        let open = |path: &PathBuf| {
            Web::open(path).map(Arc::new).map_err(|error| anyhow!("--web.config.file: {error}"))
        };
        let web = self.web.web_config_file.as_ref().map(open).transpose()?;
        let listeners = match self.web.systemd_socket {
            true => from_systemd()?,
            false => bind_all(self.listen).await?,
        };
        let tls = web.as_ref().is_some_and(|web| web.speaks_tls());
        for listener in &listeners {
            let local = listener.local_addr().context("read the address we listen on")?;
            tracing::info!(address = %local, tls, "Listening");
        }
        Ok(Taken { listeners, web })
    }
}

/// How the configuration is read again.
pub(super) struct Reload {
    /// `--config.file`.
    pub(super) path: Option<PathBuf>,
}

impl Reload {
    fn read(&self) -> Result<Config, String> {
        let loaded = Config::load(self.path.as_deref(), std::env::vars_os())
            .map_err(|error| error.to_string())?;
        for warning in &loaded.warnings {
            tracing::warn!(warning, "Configuration");
        }
        Ok(loaded.config)
    }
}

/// Pause between two looks whether all threads live.
const LIFE_LOOK: Duration = Duration::from_secs(1);

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// What keeps it from starting, a failure of the HTTP server, and a thread that panicked.
pub(super) fn serve(
    global: &GlobalArgs,
    port: Port<'_>,
    config: Config,
    reload: Reload,
    lifecycle: bool,
    confinement: Confinement,
) -> anyhow::Result<ExitCode> {
    let confinement = Arc::new(confinement);
    let runtime = runtime()?;
    let build = BuildInfo {
        version: version::VERSION.into(),
        revision: version::REVISION.into(),
        rustversion: version::RUSTC.into(),
    };
    let telemetry = Arc::new(Telemetry::new(&build, now()).context("register our own metrics")?);
    let max_series = Arc::new(AtomicUsize::new(config.metrics.max_series));
    // The port is taken before anything is read, so that a second daemon ends at once.
    let taken = runtime.block_on(port.take())?;
    // Read at the start only.
    let storage = config.storage.clone();
    let daemon = Daemon::start(Settings {
        config,
        roots: global.roots(),
        handle: runtime.handle().clone(),
        telemetry: Arc::clone(&telemetry),
        reached: reached(&taken),
        confinement: Arc::clone(&confinement),
    })
    .context("start the threads of the daemon")?;

    let apply = Arc::new(daemon.reconfigure());
    let reload = Arc::new(reload);
    let bound = Arc::clone(&max_series);
    let newest = daemon.snapshot();
    let told = Arc::clone(&telemetry);
    let take_up: TakeUp = Arc::new(move || {
        let outcome = service_manager::reloading(newest.load().ready, || {
            let config = reload.read().map_err(|error| {
                let explained = reload.path.as_deref().map_or("", |path| confinement.explain(path));
                error + explained
            })?;
            confinement.admit(&config)?;
            if config.storage != storage {
                tracing::warn!(
                    "storage.path and storage.enabled were changed: restart Plimsoll for that"
                );
            }
            bound.store(config.metrics.max_series, Ordering::Relaxed);
            apply(config);
            tracing::info!("Configuration reloaded");
            Ok(())
        });
        told.reloaded(outcome.is_ok().then(now));
        outcome
    });
    let mut state = AppState::new(daemon.snapshot(), telemetry, build);
    state.max_series = Arc::clone(&max_series);
    if lifecycle {
        let take_up = Arc::clone(&take_up);
        let reloader: Reloader = Arc::new(move || {
            let take_up = Arc::clone(&take_up);
            Box::pin(async move {
                tokio::task::spawn_blocking(move || take_up())
                    .await
                    .map_err(|error| error.to_string())?
            })
        });
        state.reload = Some(reloader);
    }
    runtime.spawn(service_manager::keep_informed(daemon.snapshot()));
    let outcome = runtime.block_on(async {
        tokio::select! {
            served = serve_until_told(taken, Arc::new(state), take_up) => served,
            () = broken(&daemon) => Err(anyhow!(
                "a thread of the daemon ended in a panic, whose message stands above: it ends, \
                 so that it is started again; please report the message"
            )),
        }
    });
    tracing::info!("Stopping");
    drop(daemon);
    // A request to a slow agent may still be under way; it holds nothing that must be written.
    runtime.shutdown_background();
    outcome?;
    Ok(ExitCode::SUCCESS)
}

/// Waits for a thread to end that should not.
async fn broken(daemon: &Daemon) {
    while !daemon.is_broken() {
        tokio::time::sleep(LIFE_LOOK).await;
    }
}

/// How this host's daemon is reached, as far as it knows itself.
fn reached(taken: &Taken) -> Reached {
    let port = taken.listeners.first().and_then(|listener| listener.local_addr().ok());
    let tls = taken.web.as_ref().is_some_and(|web| web.speaks_tls());
    Reached { host: host_name(), port: port.map_or(0, |address| address.port()), tls }
}

/// What SIGHUP does; `Err` is what to log.
pub(super) type TakeUp = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// Serves a site on every listener until SIGTERM or SIGINT.
pub(super) async fn serve_until_told<T: Site>(
    taken: Taken,
    state: Arc<T>,
    take_up: TakeUp,
) -> anyhow::Result<()> {
    let (stop, stopped) = watch::channel(false);
    let servers: Vec<_> = taken
        .listeners
        .into_iter()
        .map(|listener| {
            let mut stopped = stopped.clone();
            let told = async move {
                // An error means the sender is gone, which is a stop, too.
                let _ = stopped.wait_for(|stop| *stop).await;
            };
            let state = Arc::clone(&state);
            match &taken.web {
                None => tokio::spawn(http::serve(listener, state, told)),
                Some(web) => {
                    let site = Arc::new(Guarded::new(state, Arc::clone(web)));
                    let web = Arc::clone(web);
                    let accept = move |stream| Arc::clone(&web).accept(stream);
                    tokio::spawn(http::serve_with(listener, site, told, accept))
                }
            }
        })
        .collect();
    let mut hangup = signal(SignalKind::hangup()).context("handle SIGHUP")?;
    let mut terminate = signal(SignalKind::terminate()).context("handle SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("handle SIGINT")?;
    loop {
        tokio::select! {
            _ = hangup.recv() => {
                let take_up = Arc::clone(&take_up);
                let outcome = tokio::task::spawn_blocking(move || take_up()).await;
                if let Ok(Err(error)) = outcome {
                    tracing::error!(error, "Configuration not reloaded, the old one stays in force");
                }
            }
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    service_manager::stopping();
    let _ = stop.send(true);
    for server in servers {
        server.await.context("the HTTP server")??;
    }
    Ok(())
}

/// Takes every address.
async fn bind_all(addresses: &[ListenAddress]) -> anyhow::Result<Vec<TcpListener>> {
    let mut listeners = Vec::new();
    for address in addresses {
        listeners.push(bind(address).await?);
    }
    Ok(listeners)
}

/// The sockets that systemd opened for this process (sd_listen_fds(3)).
fn from_systemd() -> anyhow::Result<Vec<TcpListener>> {
    let mut passed = listenfd::ListenFd::from_env();
    let count = passed.len();
    let mut take = |at| {
        let taken = passed.take_tcp_listener(at).and_then(|listener| {
            listener.iter().try_for_each(|listener| listener.set_nonblocking(true))?;
            listener.map(TcpListener::from_std).transpose()
        });
        taken.with_context(|| format!("--web.systemd-socket: socket {at} is no TCP listener"))
    };
    let listeners: Vec<_> = (0..count).map(&mut take).collect::<anyhow::Result<_>>()?;
    let listeners: Vec<_> = listeners.into_iter().flatten().collect();
    if listeners.is_empty() {
        return Err(anyhow!(
            "--web.systemd-socket: systemd passed no socket; start a socket unit with \
             ListenStream= instead of the service"
        ));
    }
    Ok(listeners)
}

async fn bind(address: &ListenAddress) -> anyhow::Result<TcpListener> {
    let candidates: Vec<SocketAddr> =
        address.candidates().with_context(|| format!("--web.listen-address {address}"))?;
    let mut last = None;
    for candidate in candidates {
        match TcpListener::bind(candidate).await {
            Ok(listener) => return Ok(listener),
            Err(error) => last = Some((candidate, error)),
        }
    }
    let (candidate, error) = last.ok_or_else(|| anyhow!("{address}: no address to listen on"))?;
    let hint = match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            "; is another Plimsoll running? Choose another with --web.listen-address"
        }
        std::io::ErrorKind::PermissionDenied => "; ports below 1024 need a privilege",
        _ => "",
    };
    Err(anyhow!("cannot listen on {candidate}: {error}{hint}"))
}
