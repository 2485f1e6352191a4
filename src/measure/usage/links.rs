//! Hard links: each inode once per subject.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Inodes with links not seen yet, at most: about 150 MB. Only a tree whose links lead outside in
/// their millions comes near; it fails then, rather than be counted wrongly.
const MAX_WAITING: usize = 4_000_000;

/// Inodes with several links of which not all were seen. One is forgotten with its last link, so
/// that memory follows the links that are open, not those that were seen.
#[derive(Debug, Default)]
pub(super) struct Links {
    waiting: HashMap<(u64, u64), u32>,
}

/// There are too many to remember.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooMany;

impl Links {
    /// Whether this is the first link to the inode: the one that counts.
    pub(super) fn first(&mut self, device: u64, inode: u64, links: u32) -> Result<bool, TooMany> {
        if links <= 1 {
            return Ok(true);
        }
        let full = self.waiting.len() >= MAX_WAITING;
        match self.waiting.entry((device, inode)) {
            Entry::Occupied(mut left) => {
                *left.get_mut() -= 1;
                if *left.get() == 0 {
                    left.remove();
                }
                Ok(false)
            }
            Entry::Vacant(_) if full => Err(TooMany),
            Entry::Vacant(place) => {
                place.insert(links - 1);
                Ok(true)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counted_once_and_forgotten_with_the_last_link() {
        let mut links = Links::default();
        assert_eq!(links.first(1, 7, 3), Ok(true));
        assert_eq!(links.first(2, 7, 2), Ok(true));
        assert_eq!(links.first(1, 7, 3), Ok(false));
        assert_eq!(links.first(1, 8, 1), Ok(true));
        assert_eq!(links.first(1, 7, 3), Ok(false));
        assert_eq!(links.waiting.len(), 1);
        assert_eq!(links.first(2, 7, 2), Ok(false));
        assert!(links.waiting.is_empty());
    }
}
