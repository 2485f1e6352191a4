//! The command line's own furniture: arguments, tables, rows for machines, the log.
//!
//! What the commands do is wired elsewhere; nothing here knows a volume or an agent.

pub mod args;
pub mod daemon_url;
pub mod human;
pub mod listen;
pub mod logging;
pub mod rows;
pub mod table;
pub mod top;
pub mod version;

pub use args::{Args, Command};
pub use daemon_url::DaemonUrl;
pub use listen::ListenAddress;
pub use rows::{Column, Output, Rows};
