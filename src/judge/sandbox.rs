//! States of sandboxes.

use crate::model::{Presence, Sandbox, SandboxKind, SandboxState, Timestamp, Witness};

use super::spoken;

/// Judges one sandbox: its state, and one sentence that says why.
///
/// `grace` in seconds: a directory that nobody claims may belong to a container that is being
/// launched, so it is `unknown` until it is older than that.
pub fn judge(sandbox: &Sandbox, now: Timestamp, grace: f64) -> (SandboxState, String) {
    use SandboxState::*;

    let listed = sandbox.api == Witness::Claims || sandbox.checkpoint == Witness::Claims;
    if sandbox.kind == SandboxKind::Docker {
        return docker(sandbox);
    }
    if sandbox.presence == Presence::Missing {
        return (Missing, "its run is listed as running, but the directory is gone".into());
    }
    if sandbox.kind == SandboxKind::Standalone {
        let how = match sandbox.running {
            Some(true) => "its container runs",
            Some(false) => {
                "its container has ended; the agent keeps the directory unless it was started \
                 with --gc_non_executor_container_sandboxes"
            }
            None => "whether its container runs is not known",
        };
        return (Standalone, format!("launched outside any framework; {how}"));
    }
    if sandbox.current_agent == Some(false) {
        return (
            Abandoned,
            format!(
                "below the former agent id {}: removed as a whole after gc_delay",
                sandbox.agent_id
            ),
        );
    }
    if sandbox.completed {
        return (AwaitingGc, "the run is over; the agent removes it after gc_delay".into());
    }
    if sandbox.running == Some(true) {
        return (Live, "its container runs".into());
    }
    if listed && sandbox.running == Some(false) && sandbox.api != Witness::Claims {
        return (
            AwaitingGc,
            "its process is gone; the agent removes it once it has recovered".into(),
        );
    }
    if listed {
        return (Live, "the agent lists its run as not completed".into());
    }
    if sandbox.current_agent.is_none() {
        return (Unknown, "which agent id is the present one could not be read".into());
    }
    if sandbox.api != Witness::Denies || sandbox.checkpoint != Witness::Denies {
        let unread = match (sandbox.api, sandbox.checkpoint) {
            (Witness::Silent, Witness::Silent) => "neither the API nor the checkpoint",
            (Witness::Silent, _) => "the API",
            _ => "the checkpoint",
        };
        let verb = if unread.starts_with("neither") { "could" } else { "could not" };
        return (Unknown, format!("{unread} {verb} be read whole"));
    }
    let age = sandbox.modified.map(|modified| now - modified);
    if let Some(age) = age
        && age < grace
    {
        return (
            Unknown,
            format!("nobody lists it, but it changed {} ago: it may be starting", spoken(age)),
        );
    }
    (Leaked, "neither the API nor the checkpoint knows it: the agent will never remove it".into())
}

/// A container of an engine stays until somebody removes it: nothing of it is ever an orphan.
fn docker(sandbox: &Sandbox) -> (SandboxState, String) {
    let engine = sandbox.engine.as_ref();
    let state = engine.map(|engine| engine.state.as_str()).filter(|state| !state.is_empty());
    match (sandbox.api, sandbox.running) {
        (Witness::Claims, Some(true)) if sandbox.presence == Presence::Missing => {
            (SandboxState::Missing, "its container runs, but its layer is gone".into())
        }
        (Witness::Claims, Some(true)) => {
            (SandboxState::Live, format!("its container is {}", state.unwrap_or("running")))
        }
        (Witness::Claims, Some(false)) => {
            let program = engine.map_or("docker", |engine| engine.program);
            let state = state.unwrap_or("not running");
            let until = format!("its layer stays until `{program} rm`");
            (SandboxState::Exited, format!("its container is {state}; {until}"))
        }
        (_, Some(true)) => {
            (SandboxState::Live, "the engine cannot be asked, but the container still runs".into())
        }
        _ => (SandboxState::Unknown, "the engine cannot be asked".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{SandboxKey, SourceKind};

    fn sandbox() -> Sandbox {
        Sandbox {
            key: SandboxKey {
                source: SourceKind::Mesos,
                framework: "f".into(),
                executor: "e".into(),
                container: "c".into(),
            },
            kind: SandboxKind::Executor(None),
            containerizer: None,
            path: "/w/slaves/S0/frameworks/f/executors/e/runs/c".into(),
            presence: Presence::Present,
            agent_id: "S0".into(),
            current_agent: Some(true),
            framework_name: String::new(),
            role: String::new(),
            tasks: vec![],
            quota_bytes: None,
            running: None,
            api: Witness::Denies,
            checkpoint: Witness::Denies,
            completed: false,
            extra_paths: vec![],
            modified: Some(0.0),
            engine: None,
        }
    }

    fn state(change: impl FnOnce(&mut Sandbox)) -> SandboxState {
        let mut sandbox = sandbox();
        change(&mut sandbox);
        judge(&sandbox, 1_000.0, 600.0).0
    }

    #[test]
    fn every_rule() {
        use SandboxState::*;
        assert_eq!(state(|_| ()), Leaked);
        assert_eq!(state(|s| s.modified = Some(401.0)), Unknown);
        assert_eq!(state(|s| s.modified = Some(400.0)), Leaked);
        assert_eq!(state(|s| s.api = Witness::Silent), Unknown);
        assert_eq!(state(|s| s.checkpoint = Witness::Silent), Unknown);
        assert_eq!(state(|s| s.current_agent = None), Unknown);
        assert_eq!(state(|s| s.current_agent = Some(false)), Abandoned);
        assert_eq!(state(|s| s.api = Witness::Claims), Live);
        assert_eq!(state(|s| s.checkpoint = Witness::Claims), Live);
        assert_eq!(state(|s| s.running = Some(true)), Live);
        assert_eq!(
            state(|s| {
                s.checkpoint = Witness::Claims;
                s.api = Witness::Silent;
                s.running = Some(false);
            }),
            AwaitingGc
        );
        assert_eq!(
            state(|s| {
                s.api = Witness::Claims;
                s.completed = true;
            }),
            AwaitingGc
        );
        assert_eq!(state(|s| s.kind = SandboxKind::Standalone), Standalone);
        assert_eq!(state(|s| s.presence = Presence::Missing), Missing);
    }

    #[test]
    fn a_former_agents_run_is_abandoned_even_when_completed() {
        assert_eq!(
            state(|s| {
                s.current_agent = Some(false);
                s.completed = true;
            }),
            SandboxState::Abandoned
        );
    }
}
