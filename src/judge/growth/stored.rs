//! The histories as the state file holds them.

use serde::{Deserialize, Serialize};

use crate::model::{SandboxKey, Subject, VolumeKey};

use super::{Histories, History};

/// JSON of the histories: `{"volumes":[[KEY,HISTORY],…],"sandboxes":[…],"filesystems":[[MOUNT
/// POINT,HISTORY],…]}`, sorted by key; a history is a text of about 1.5 kB.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StoredHistories {
    volumes: Vec<(VolumeKey, History)>,
    sandboxes: Vec<(SandboxKey, History)>,
    /// Without those whose mount point is not UTF-8: they start anew.
    filesystems: Vec<(String, History)>,
}

impl StoredHistories {
    /// How many histories it holds.
    pub fn len(&self) -> usize {
        self.volumes.len() + self.sandboxes.len() + self.filesystems.len()
    }

    /// It holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Histories {
    /// What is worth keeping beyond this run.
    pub fn stored(&self) -> StoredHistories {
        let mut stored = StoredHistories::default();
        for (subject, history) in &self.subjects {
            match subject {
                Subject::Volume(key) => stored.volumes.push((key.clone(), history.clone())),
                Subject::Sandbox(key) => stored.sandboxes.push((key.clone(), history.clone())),
            }
        }
        for (point, history) in &self.filesystems {
            if let Some(point) = point.to_str() {
                stored.filesystems.push((point.to_owned(), history.clone()));
            }
        }
        stored.volumes.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        stored.sandboxes.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        stored.filesystems.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        stored
    }

    /// Takes up what an earlier run kept. A history that this run has made richer meanwhile stays;
    /// those of subjects that are gone are forgotten at the next round.
    pub fn restore(&mut self, stored: StoredHistories) {
        let volumes = stored.volumes.into_iter().map(|(key, of)| (Subject::Volume(key), of));
        let sandboxes = stored.sandboxes.into_iter().map(|(key, of)| (Subject::Sandbox(key), of));
        for (subject, history) in volumes.chain(sandboxes) {
            richer(self.subjects.entry(subject).or_default(), history);
        }
        for (point, history) in stored.filesystems {
            richer(self.filesystems.entry(point.into()).or_default(), history);
        }
    }
}

fn richer(own: &mut History, stored: History) {
    if stored.len() > own.len() {
        *own = stored;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Inventory, SourceKind};

    #[test]
    fn histories_survive_and_those_of_the_gone_are_forgotten() {
        let key = |volume: &str| VolumeKey {
            source: SourceKind::Mesos,
            role: "a \"b\"".into(),
            volume: volume.into(),
            disk: "ROOT".into(),
        };
        let sandbox = SandboxKey {
            source: SourceKind::Mesos,
            framework: "F".into(),
            executor: "e".into(),
            container: "c".into(),
        };
        let grown = |steps: u64| {
            let mut history = History::default();
            for step in 0..steps {
                history.observe(1e9 + step as f64 * 30.0, step << 20, Some(1 << 40), "walk");
            }
            history
        };
        let mut before = Histories::default();
        before.subjects.insert(Subject::Volume(key("v")), grown(200));
        before.subjects.insert(Subject::Sandbox(sandbox), grown(100));
        before.filesystems.insert("/srv/ä".into(), grown(50));
        let text = serde_json::to_string(&before.stored()).unwrap();
        let stored: StoredHistories = serde_json::from_str(&text).unwrap();
        assert_eq!(stored.len(), 3);
        let mut after = Histories::default();
        after.subjects.insert(Subject::Volume(key("v")), grown(1));
        after.restore(stored);
        assert_eq!(after, before);
        assert!(after.of(&Subject::Volume(key("v"))).is_some());
        // One that this run knows better stays.
        let mut better = Histories::default();
        better.subjects.insert(Subject::Volume(key("v")), grown(2_000));
        let richest = better.subjects.clone();
        better.restore(serde_json::from_str(&text).unwrap());
        assert_eq!(
            better.subjects[&Subject::Volume(key("v"))],
            richest[&Subject::Volume(key("v"))]
        );
        let inventory = Inventory { taken_at: 1.0, ..Inventory::default() };
        after.observe(&inventory, &Default::default(), &[]);
        assert!(after.subjects.is_empty());
        assert_eq!(after.filesystems.len(), 1, "none was measured yet");
        for bad in [r#"{"volumes":[[1,"v1"]]}"#, r#"{"filesystems":[["/","v9"]]}"#, "[3]", "{"] {
            assert!(serde_json::from_str::<StoredHistories>(bad).is_err(), "{bad}");
        }
    }
}
