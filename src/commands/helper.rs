//! `plimsoll helper`: started by `plimsoll serve` for itself, and no command for people; so it is
//! neither in the help nor in what is made from it.

use std::process::ExitCode;

use crate::host::Roots;
use crate::pipeline::helper::{COMMAND, serve};

/// Does the helper's work, when this program was started for that.
pub fn run_if_asked() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != COMMAND {
        return None;
    }
    let mut root = || arguments.next().map(Into::into);
    let (Some(procfs), Some(sysfs), Some(rootfs)) = (root(), root(), root()) else {
        // What the command line makes of the word, as of any other that it does not know.
        return None;
    };
    let Err(error) = serve(&Roots { procfs, sysfs, rootfs });
    eprintln!("plimsoll helper: {error}");
    Some(ExitCode::FAILURE)
}
