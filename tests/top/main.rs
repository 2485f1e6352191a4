//! `plimsoll top` in a real terminal (tmux): what is on the screen, what keys do, and that the
//! terminal is given back in every case.

#[path = "../support/sample_snapshot.rs"]
mod sample_snapshot;
#[allow(dead_code)] // tests/daemon uses the rest
#[path = "../daemon/scene.rs"]
mod scene;
#[path = "../support/mod.rs"]
mod support;

mod ends;
mod live;
mod server;
mod tmux;
