//! Compiles `proto/mesos.proto` without a system `protoc`.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=proto/mesos.proto");
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
