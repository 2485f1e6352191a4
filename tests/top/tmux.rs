//! A terminal whose screen can be read: tmux with a server of its own, and a shell in it.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What a test waits for at most; the machine may be busy.
const LIMIT: Duration = Duration::from_secs(60);

/// The terminal; its server is ended when dropped.
pub struct Tmux {
    socket: tempfile::TempDir,
}

impl Tmux {
    /// A shell in a terminal of that size. It edits no line, so that it leaves the terminal as it
    /// finds it.
    pub fn start(width: u16, height: u16) -> Self {
        let tmux = Self { socket: tempfile::tempdir().expect("a directory") };
        let size = [width.to_string(), height.to_string()];
        tmux.run(&["new-session", "-d", "-x", &size[0], "-y", &size[1], "env", "PS1=$ ", "sh"]);
        tmux.run(&["set-option", "-g", "escape-time", "0"]);
        tmux.wait("the prompt", |screen| screen.contains('$'));
        tmux
    }

    fn run(&self, args: &[&str]) -> String {
        let output = Command::new("tmux")
            .arg("-S")
            .arg(self.socket.path().join("socket"))
            .args(["-f", "/dev/null"])
            .args(args)
            .env_remove("TMUX")
            .env_remove("NO_COLOR")
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null())
            .output()
            .expect("tmux is installed by scripts/test");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// Presses keys by tmux's names (`Tab`, `Down`, `C-c`).
    pub fn keys(&self, keys: &[&str]) {
        self.run(&[&["send-keys"], keys].concat());
    }

    /// Types a text as it is.
    pub fn write(&self, text: &str) {
        self.run(&["send-keys", "-l", text]);
    }

    /// Types a line.
    pub fn line(&self, text: &str) {
        self.write(text);
        self.keys(&["Enter"]);
    }

    /// The screen as text.
    pub fn screen(&self) -> String {
        self.run(&["capture-pane", "-p"])
    }

    /// The screen with its colours as escape sequences.
    pub fn colours(&self) -> String {
        self.run(&["capture-pane", "-p", "-e"])
    }

    /// Changes the size.
    pub fn resize(&self, width: u16, height: u16) {
        self.run(&["resize-window", "-x", &width.to_string(), "-y", &height.to_string()]);
    }

    /// Waits until the screen is as wanted, and returns it.
    pub fn wait(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let start = Instant::now();
        loop {
            let screen = self.screen();
            if wanted(&screen) {
                return screen;
            }
            assert!(start.elapsed() < LIMIT, "{what} did not come:\n{screen}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Modes of the terminal that a program may leave changed: those of the line discipline
    /// (`stty -g`), then whether the alternate screen, a hidden cursor and no line wrap are on.
    pub fn modes(&self) -> String {
        let tty = self.run(&["display-message", "-p", "#{pane_tty}"]);
        let stty = Command::new("stty").args(["-g", "-F", tty.trim()]).output().expect("stty");
        assert!(stty.status.success(), "{}", String::from_utf8_lossy(&stty.stderr));
        let flags = "#{alternate_on} #{cursor_flag} #{wrap_flag} #{mouse_any_flag}";
        let flags = self.run(&["display-message", "-p", flags]);
        format!("{}{flags}", String::from_utf8_lossy(&stty.stdout))
    }

    /// Closes the window, as a person does, or a connection that breaks.
    pub fn close(&self) {
        self.run(&["kill-server"]);
    }

    /// Process id of what the shell runs in the foreground.
    pub fn foreground(&self) -> u32 {
        let shell = self.run(&["display-message", "-p", "#{pane_pid}"]);
        let children = format!("/proc/{0}/task/{0}/children", shell.trim());
        let children = std::fs::read_to_string(&children).expect(&children);
        children.split_whitespace().next().expect("a child").parse().expect("a number")
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let _ = Command::new("tmux")
            .arg("-S")
            .arg(self.socket.path().join("socket"))
            .arg("kill-server")
            .stderr(Stdio::null())
            .status();
    }
}
