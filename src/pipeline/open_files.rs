//! Looks through the processes of the host for those that hold what nobody claims.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

use crate::host::{Guard, Roots};
use crate::judge::open_files;
use crate::measure::open_files::{Answer, Place, Request, look, own_pid};
use crate::model::{OpenFiles, Snapshot, VolumeKey};

use super::helper::Helper;
use super::now;

/// How long one look may take. Listing the mappings of a process waits for it where it is stuck in
/// the kernel with its memory locked.
const LIMIT: Duration = Duration::from_secs(30);

/// Looks, one look at a time.
#[derive(Default)]
pub struct Looker {
    /// Looks in this process' stead, where this one may not.
    helper: Option<Arc<Helper>>,
    /// A look that did not end in time.
    late: Option<Receiver<Answer>>,
}

impl Looker {
    /// Has a helper look, where there is one.
    pub fn with_helper(helper: Option<Arc<Helper>>) -> Self {
        Self { helper, late: None }
    }

    /// Looks who holds the volumes of the snapshot that nobody claims. Nothing to look for costs
    /// nothing.
    pub fn look(
        &mut self,
        snapshot: &Snapshot,
        guard: &Guard,
        roots: &Roots,
    ) -> HashMap<VolumeKey, OpenFiles> {
        let mut known = HashMap::new();
        let mut keys = Vec::new();
        let mut places = Vec::new();
        let table = guard.table();
        for view in open_files::candidates(snapshot) {
            let Some(path) = &view.volume.path else { continue };
            let key = view.volume.key.clone();
            let inside = roots.inside(path);
            let place = match guard.resolve(&inside) {
                Ok(real) => Place::find(&table, &guard.on_host(&real))
                    .ok_or_else(|| "the mount table does not show where it lies".to_owned()),
                Err(error) => Err(error.to_string()),
            };
            match place {
                Ok(place) => {
                    keys.push(key);
                    places.push(place);
                }
                Err(reason) => _ = known.insert(key, OpenFiles::NotLookedUp { reason }),
            }
        }
        if keys.is_empty() {
            return known;
        }
        let request = Request {
            procfs: roots.procfs.clone().into(),
            mountinfo: roots.mountinfo().into(),
            places,
            ignore: own_pid(&roots.procfs).into_iter().collect(),
        };
        let answer = self.ask(request, &roots.procfs).and_then(|answer| {
            // Where the host is seen through another root, its processes must be, too.
            if answer.of_a_container && roots.rootfs != Path::new("/") {
                let procfs = roots.procfs.display();
                return Err(format!("{procfs} is not the host's: give --path.procfs"));
            }
            Ok(answer)
        });
        let at = now();
        for (place, key) in keys.into_iter().enumerate() {
            let open = match &answer {
                Ok(answer) => {
                    open_files::of_place(answer, place, &snapshot.inventory.sandboxes, at)
                }
                Err(reason) => OpenFiles::NotLookedUp { reason: reason.clone() },
            };
            known.insert(key, open);
        }
        known
    }

    /// By the helper, or on a thread of its own, which stays behind when it is stuck; meanwhile there is no other.
    fn ask(&mut self, request: Request, procfs: &Path) -> Result<Answer, String> {
        if let Some(helper) = &self.helper {
            return helper.look(&request, LIMIT);
        }
        let stuck = || format!("looking through {} did not end within {LIMIT:?}", procfs.display());
        if let Some(late) = self.late.take()
            && late.try_recv() == Err(TryRecvError::Empty)
        {
            self.late = Some(late);
            return Err(stuck());
        }
        let (sender, answer) = mpsc::sync_channel(1);
        let thread = std::thread::Builder::new().name("open-files".into());
        thread
            .spawn(move || {
                // Whoever asked may have given up.
                let _ = sender.send(look(&request));
            })
            .map_err(|error| format!("no thread could be made: {error}"))?;
        match answer.recv_timeout(LIMIT) {
            Ok(answer) => Ok(answer),
            Err(RecvTimeoutError::Timeout) => {
                self.late = Some(answer);
                Err(stuck())
            }
            Err(RecvTimeoutError::Disconnected) => Err("internal error while looking".into()),
        }
    }
}
