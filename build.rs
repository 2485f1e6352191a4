//! Tells the program which compiler built it.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    emit_rustc_version();
}

/// `PLIMSOLL_RUSTC` for `--version` and the build info metric; left out when rustc does not say.
fn emit_rustc_version() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let Ok(output) = Command::new(rustc).arg("--version").output() else { return };
    let text = String::from_utf8_lossy(&output.stdout);
    if let Some(version) = text.split_whitespace().nth(1) {
        println!("cargo::rustc-env=PLIMSOLL_RUSTC={version}");
    }
}
