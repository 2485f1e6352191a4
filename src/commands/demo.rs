//! `plimsoll demo`: a made-up host in a temporary directory, served exactly as a real one.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;

use crate::cli::args::{DemoArgs, GlobalArgs, WebArgs};
use crate::config::{Config, Enabled};
use crate::demo::Scene;
use crate::pipeline::confinement::Confinement;

use super::serve::{Port, Reload, serve};

pub(super) fn run(global: &GlobalArgs, args: &DemoArgs) -> anyhow::Result<ExitCode> {
    let dir = args.directory.clone().unwrap_or_else(std::env::temp_dir);
    let scene = Scene::create(&dir).context("make the demo scene")?;
    let mut config = Config::default();
    config.mesos.enabled = Enabled::True;
    config.docker.enabled = Enabled::False;
    config.mesos.work_dir = Some(scene.work_dir().to_path_buf());
    config.mesos.runtime_dir = Some(scene.runtime_dir().to_path_buf());
    config.mesos.agent_url = Some(scene.agent_url());
    // The scene is young: with the usual grace its orphan would be unknown for ten minutes.
    config.orphans.grace = Duration::ZERO;
    config.storage.enabled = Enabled::False;
    config.usage.max_age = Duration::from_secs(5);
    config.usage.cpu_budget = 0.05;

    let open = match args.listen.first() {
        Some(listen) if listen.port() != 0 => format!("http://{}/", listen.browsable()),
        // The kernel chooses the port later.
        _ => "the address that is logged below".to_owned(),
    };
    // To the person who started it, beside the log.
    let _ = writeln!(
        std::io::stderr(),
        "\n  A made-up agent with live writers runs in {}\n  Open {open} for the status page, \
         /metrics for Prometheus. Ctrl-C ends it and removes the directory.\n",
        scene.home().display(),
    );
    let port = Port { listen: &args.listen, web: &WebArgs::default() };
    let code = serve(global, port, config, Reload { path: None }, false, Confinement::none());
    scene.stop();
    code
}
