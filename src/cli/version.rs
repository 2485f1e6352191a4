//! What this binary is.

use std::sync::LazyLock;

/// Version of the package.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Revision it was built from: `BUILD_REVISION` at build time, which the packages set.
pub const REVISION: &str = match option_env!("BUILD_REVISION") {
    Some(revision) => revision,
    None => "unknown",
};

/// Version of the compiler, from the build script.
pub const RUSTC: &str = match option_env!("BUILD_RUSTC") {
    Some(rustc) => rustc,
    None => "unknown",
};

/// What `--version` prints after the program's name.
pub fn long() -> &'static str {
    static LONG: LazyLock<String> =
        LazyLock::new(|| format!("{VERSION} (revision: {REVISION}, rustc: {RUSTC})"));
    &LONG
}
