//! The rules in force, and what they reach.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::host::Guard;
use crate::host::landlock::Access;

use super::needs::Need;
use super::places::Found;

/// One rule: an inode and where it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    /// Free of links.
    pub(super) path: PathBuf,
    pub(super) access: Access,
    pub(super) directory: bool,
    inode: (u64, u64),
    pub(super) why: &'static str,
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules(Vec<Rule>);

impl Rules {
    pub(super) fn of(found: &[Found]) -> Self {
        let rules = found.iter().flat_map(|one| {
            one.places.iter().map(|place| Rule {
                path: place.path.clone(),
                access: one.need.access,
                directory: place.directory,
                inode: place.inode,
                why: one.need.why,
            })
        });
        Self(rules.collect())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether a path, free of links, may be opened so.
    pub(super) fn covers(&self, path: &Path, access: Access) -> bool {
        self.0.iter().any(|rule| {
            let below = rule.directory && path.starts_with(&rule.path);
            rule.access >= access && (below || path == rule.path)
        })
    }

    /// What is needed, is there, and may not be opened so: the first such thing.
    pub(super) fn outside<'a>(&self, found: &'a [Found]) -> Option<&'a Need> {
        let refused = found.iter().find(|one| {
            // Of a file and its directories the file counts, which comes last.
            let place = one.places.last();
            place.is_some_and(|place| !self.covers(&place.path, one.need.access))
        });
        refused.map(|one| &one.need)
    }

    /// Those whose inode is still where it was. What does not answer counts as being there.
    pub(super) fn current(&self, guard: &Guard) -> Self {
        let still = |rule: &&Rule| {
            let path = rule.path.clone();
            let stat = guard.run(&rule.path, "lstat", move || path.symlink_metadata());
            match stat {
                Ok(Ok(stat)) => (stat.dev(), stat.ino()) == rule.inode,
                // What is not there now is missed by nobody until it is there again.
                Ok(Err(_)) | Err(_) => true,
            }
        };
        Self(self.0.iter().filter(still).cloned().collect())
    }

    /// Rules whose path is another file or directory now, which `current` does not reach either.
    pub(super) fn lost<'a>(&'a self, current: &'a Self) -> impl Iterator<Item = &'a Rule> {
        self.0
            .iter()
            .filter(|rule| !current.0.contains(rule) && !current.covers(&rule.path, rule.access))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::host::Roots;

    fn rule(path: &Path, access: Access) -> Rule {
        let stat = path.symlink_metadata().unwrap();
        let inode = (stat.dev(), stat.ino());
        Rule { path: path.into(), access, directory: stat.is_dir(), inode, why: "test" }
    }

    #[test]
    fn a_rule_reaches_what_is_below_with_what_it_includes() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "x").unwrap();
        let rules = Rules(vec![rule(dir.path(), Access::List), rule(&file, Access::Read)]);
        assert!(rules.covers(&dir.path().join("a/b"), Access::List));
        assert!(!rules.covers(&dir.path().join("a/b"), Access::Read));
        assert!(rules.covers(&file, Access::Read) && rules.covers(&file, Access::List));
        assert!(!rules.covers(&file, Access::Write));
        assert!(!rules.covers(&file.join("below"), Access::Read));
        assert!(!rules.covers(dir.path().parent().unwrap(), Access::List));
    }

    #[test]
    fn what_was_replaced_is_lost_unless_another_rule_reaches_it() {
        let dir = tempfile::tempdir().unwrap();
        let (alone, held) = (dir.path().join("alone"), dir.path().join("held"));
        for path in [&alone, &held] {
            std::fs::create_dir(path).unwrap();
            std::fs::create_dir(path.join("sub")).unwrap();
        }
        let rules = Rules(vec![
            rule(&alone.join("sub"), Access::Read),
            rule(&held.join("sub"), Access::Read),
            rule(&held, Access::Read),
        ]);
        let guard = Guard::new(Roots::default(), Duration::from_secs(30));
        let current = rules.current(&guard);
        assert_eq!((current.len(), rules.lost(&current).count()), (3, 0));
        for path in [&alone, &held] {
            std::fs::rename(path.join("sub"), path.join("old")).unwrap();
        }
        // Gone is not lost: it may come back.
        assert_eq!(rules.lost(&rules.current(&guard)).count(), 0);
        for path in [&alone, &held] {
            std::fs::create_dir(path.join("sub")).unwrap();
        }
        let current = rules.current(&guard);
        let lost: Vec<_> = rules.lost(&current).map(|rule| rule.path.clone()).collect();
        assert_eq!(lost, [alone.join("sub")]);
    }
}
