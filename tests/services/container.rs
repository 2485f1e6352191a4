//! A Galera node in a Docker container, its data in a volume that was made for that container.

use std::path::PathBuf;
use std::time::Instant;

use super::servers::{Galera, PATIENCE, Place};
use super::support::engine::Engine;

/// A running node.
pub struct Node<'a> {
    engine: &'a Engine,
    name: &'static str,
    /// Name of its anonymous volume.
    pub volume: String,
    /// Where that lies.
    pub path: PathBuf,
}

impl<'a> Node<'a> {
    /// Starts it with nothing in its volume, and waits until it copied everything of `peer`.
    ///
    /// The programs are the host's: its root is mounted into the container.
    pub fn start(engine: &'a Engine, place: &Place, node: &Galera, peer: &Galera) -> Self {
        let data = place.path().join("volume");
        std::fs::create_dir_all(&data).expect("make");
        let log = place.run(&format!("{}.log", node.name));
        let arguments = node.arguments(place, &data, Some(peer)).join("' '");
        let script = format!(
            "exec >>/host{log} 2>&1; busybox chroot /host /usr/bin/chown mysql: {data} && exec busybox \
             chroot /host /usr/bin/setpriv --reuid mysql --regid mysql --clear-groups /usr/sbin/mariadbd '{arguments}'",
            log = log.display(),
            data = data.display(),
        );
        let volume = format!("/host{}", data.display());
        engine.docker(&[
            "run",
            "-d",
            "--network",
            "host",
            "--pid",
            "host",
            "--name",
            node.name,
            "-v",
            "/:/host",
            "-v",
            &volume,
            "box",
            "/bin/sh",
            "-c",
            &script,
        ]);
        let format = "{{range .Mounts}}{{if eq .Type \"volume\"}}{{.Name}}{{end}}{{end}}";
        let volume = engine.docker(&["inspect", "-f", format, node.name]);
        let path = engine.root().join("volumes").join(&volume).join("_data");
        let started = Self { engine, name: node.name, volume, path };
        let start = Instant::now();
        while !node.synced(place) {
            let state = engine.docker(&["inspect", "-f", "{{.State.Status}}", node.name]);
            let late = start.elapsed() > PATIENCE;
            assert!(
                state == "running" && !late,
                "{} is {state} and did not join:\n{}\n{}",
                node.name,
                engine.docker(&["logs", node.name]),
                place.log(node.name)
            );
            std::thread::sleep(std::time::Duration::from_millis(200));
        }
        assert!(node.copied(place), "the node that joined copied nothing");
        started
    }

    /// It leaves for good: its container is removed, and its volume forgotten.
    pub fn leave(self) -> (String, PathBuf) {
        self.engine.docker(&["stop", "-t", "60", self.name]);
        self.engine.docker(&["rm", self.name]);
        (self.volume, self.path)
    }
}
