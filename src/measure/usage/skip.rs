//! Paths a walk must not even look at: mount points, as a tree of names below a root.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A tree of names; node 0 is the root of the walk.
#[derive(Clone, Debug, Default)]
pub(super) struct SkipTree {
    nodes: Vec<Node>,
}

#[derive(Clone, Debug, Default)]
struct Node {
    children: HashMap<Box<[u8]>, usize>,
    skipped: bool,
}

/// What a name means at a node.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing to skip there or below.
    Free,
    /// Something below it is to be skipped: go on at this node.
    Inner(usize),
    /// Leave it alone.
    Skip,
}

impl SkipTree {
    /// Of `paths`, those strictly below `root`.
    pub(super) fn new(root: &Path, paths: &[PathBuf]) -> Self {
        let mut tree = Self::default();
        for path in paths.iter().filter_map(|path| path.strip_prefix(root).ok()) {
            let mut node = None;
            for name in path.components() {
                let here = node.unwrap_or_else(|| tree.first());
                let fresh = tree.nodes.len();
                let name = name.as_os_str().as_bytes().into();
                let child = *tree.nodes[here].children.entry(name).or_insert(fresh);
                if child == fresh {
                    tree.nodes.push(Node::default());
                }
                node = Some(child);
            }
            if let Some(last) = node {
                tree.nodes[last].skipped = true;
            }
        }
        tree
    }

    fn first(&mut self) -> usize {
        if self.nodes.is_empty() {
            self.nodes.push(Node::default());
        }
        0
    }

    /// The node of the root, when there is anything to skip.
    pub(super) fn root(&self) -> Option<usize> {
        (!self.nodes.is_empty()).then_some(0)
    }

    /// What `name` means in the directory of `node`.
    pub(super) fn step(&self, node: usize, name: &[u8]) -> Step {
        match self.nodes[node].children.get(name) {
            None => Step::Free,
            Some(&child) if self.nodes[child].skipped => Step::Skip,
            Some(&child) => Step::Inner(child),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_names_below_the_root() {
        let paths = ["/box/a/v", "/box/a/v/deeper", "/box/w", "/boxes/x", "/box", "/other"];
        let paths: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
        let tree = SkipTree::new(Path::new("/box"), &paths);
        let root = tree.root().expect("something to skip");
        assert_eq!(tree.step(root, b"w"), Step::Skip);
        assert_eq!(tree.step(root, b"x"), Step::Free);
        let Step::Inner(a) = tree.step(root, b"a") else { panic!("a leads on") };
        assert_eq!(tree.step(a, b"v"), Step::Skip);
        assert_eq!(tree.step(a, b"w"), Step::Free);
    }

    #[test]
    fn nothing_to_skip() {
        assert_eq!(SkipTree::new(Path::new("/box"), &["/box".into(), "/x".into()]).root(), None);
    }
}
