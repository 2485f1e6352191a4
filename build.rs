//! Compiles `proto/mesos.proto` without a system `protoc`, and tells the program which compiler
//! built it.

use std::error::Error;
use std::process::Command;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=proto/mesos.proto");
    emit_rustc_version();
    compile_messages()
}

fn compile_messages() -> Result<(), Box<dyn Error>> {
    let files = protox::compile(["proto/mesos.proto"], ["proto"])?;
    let mut config = prost_build::Config::new();
    // Most resources have none of these: boxing them keeps a list of resources small.
    for field in ["disk", "reservation"] {
        config.boxed(format!(".plimsoll.mesos.Resource.{field}"));
    }
    config.boxed(".plimsoll.mesos.Volume.source");
    config.compile_fds(files)?;
    Ok(())
}

/// `BUILD_RUSTC` (not `PLIMSOLL_…`, which would look like a configuration variable to a program that
/// cargo runs) for `--version` and the build info metric; left out when rustc does not say.
fn emit_rustc_version() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let Ok(output) = Command::new(rustc).arg("--version").output() else { return };
    let text = String::from_utf8_lossy(&output.stdout);
    if let Some(version) = text.split_whitespace().nth(1) {
        println!("cargo::rustc-env=BUILD_RUSTC={version}");
    }
}
