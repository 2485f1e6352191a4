//! Giving part of a walk away, so that several threads share one subject.

use std::sync::Arc;

use super::{Frame, Totals, Walk};

impl Walk {
    /// Splits off a walk of about half the directories that wait at the outermost level where any
    /// do: the largest part there is. `None`: nothing worth giving away.
    ///
    /// The parts count hard links together, each inode once; the sum of their totals is the total
    /// of the whole. The new part finds its way by names, checked, as after any slice.
    pub(in super::super) fn split(&mut self) -> Option<Self> {
        // A recorder takes one walk down, in its order.
        if self.recorder.is_some() {
            return None;
        }
        let busy = self.pending > 1 || self.frames.last().is_some_and(|top| !top.read_done);
        let level = self.frames.iter().position(|frame| !frame.pending.is_empty())?;
        if !busy {
            return None;
        }
        let waiting = &mut self.frames[level].pending;
        let given: Vec<_> = waiting.drain(..waiting.len().div_ceil(2)).collect();
        self.pending -= given.len();
        let mut frames: Vec<Frame> = self.frames[..=level]
            .iter()
            .map(|frame| Frame {
                name: frame.name.clone(),
                identity: frame.identity,
                fd: None,
                cookie: 0,
                read_done: true,
                pending: Vec::new(),
                skip: frame.skip,
            })
            .collect();
        let pending = given.len();
        frames[level].pending = given;
        Some(Self {
            roots: Vec::new(),
            skip: Arc::clone(&self.skip),
            main: false,
            frames,
            pending,
            links: Arc::clone(&self.links),
            borrowed: level,
            totals: Totals::default(),
            steps: 0,
            mask: self.mask,
            noatime: self.noatime,
            recorder: None,
        })
    }
}
