//! What volumes and sandboxes have in common: labels, and values that are read off alike.

use super::bound::Folded;
use crate::expose::catalogue::Family;
use crate::expose::exposition::{Arena, Encoder, Labels};
use crate::model::{Growth, History, Measured, SandboxView, Timestamp, VolumeView};

/// A volume or a sandbox, as far as they are alike.
pub(super) trait View {
    fn measured(&self) -> &Measured;
    fn history(&self) -> &History;
    fn growth(&self) -> Option<Growth>;
    fn quota_bytes(&self) -> Option<u64>;

    fn used_bytes(&self) -> Option<u64> {
        Some(self.measured().sample?.used_bytes)
    }

    fn apparent_bytes(&self) -> Option<u64> {
        self.measured().sample?.apparent_bytes
    }

    fn files(&self) -> Option<u64> {
        self.measured().sample?.files
    }

    fn kernel_limit_bytes(&self) -> Option<u64> {
        self.measured().kernel_limit.filter(|limit| limit.enforced)?.bytes_hard
    }

    fn kernel_limit_files(&self) -> Option<u64> {
        self.measured().kernel_limit.filter(|limit| limit.enforced)?.files_hard
    }

    fn peak_bytes(&self) -> Option<u64> {
        Some(self.history().peak?.bytes)
    }

    fn over_quota_bytes(&self) -> Option<u64> {
        Some(self.used_bytes()?.saturating_sub(self.quota_bytes()?))
    }

    fn over_quota_since(&self) -> Option<Timestamp> {
        self.history().over_quota_since
    }

    fn error_bound_bytes(&self) -> Option<u64> {
        self.measured().sample?.error_bound_bytes
    }

    fn measured_at(&self) -> Option<Timestamp> {
        Some(self.measured().sample?.measured_at)
    }

    fn confident_growth(&self) -> Option<f64> {
        self.growth()?.confident_rate()
    }

    fn full_at(&self) -> Option<Timestamp> {
        self.growth()?.full_at
    }

    fn quota_full_at(&self) -> Option<Timestamp> {
        self.quota_bytes()?;
        self.growth()?.quota_full_at()
    }
}

impl View for VolumeView {
    fn measured(&self) -> &Measured {
        &self.measured
    }

    fn history(&self) -> &History {
        &self.history
    }

    fn growth(&self) -> Option<Growth> {
        self.growth
    }

    fn quota_bytes(&self) -> Option<u64> {
        self.volume.quota_bytes
    }
}

impl View for SandboxView {
    fn measured(&self) -> &Measured {
        &self.measured
    }

    fn history(&self) -> &History {
        &self.history
    }

    fn growth(&self) -> Option<Growth> {
        self.growth
    }

    fn quota_bytes(&self) -> Option<u64> {
        self.sandbox.quota_bytes
    }
}

/// Subjects of one kind with series of their own, each under labels that no other has.
pub(super) struct Subjects<'a, V> {
    labels: Arena,
    views: Vec<&'a V>,
    /// Those that found no room, summed under these labels.
    other: Option<(Labels<'static>, Folded)>,
}

impl<'a, V: View> Subjects<'a, V> {
    /// `name` gives the labels of one; `other` are those of the sum of all that found no room.
    pub(super) fn new<const N: usize>(
        views: &[&'a V],
        name: impl Fn(&'a V) -> [(&'static str, &'a str); N],
        other: &'static str,
        folded: Folded,
    ) -> Self {
        let mut labels = Arena::default();
        let mut named = Vec::with_capacity(views.len());
        named.extend(views.iter().copied().filter(|view| labels.push(&name(view))));
        let other = (folded.subjects > 0).then_some((Labels::literal(other), folded));
        Self { labels, views: named, other }
    }

    /// Each with its labels.
    pub(super) fn each(&self) -> impl Iterator<Item = (Labels<'_>, &'a V)> {
        self.views.iter().enumerate().map(|(index, view)| (self.labels.get(index), *view))
    }

    /// A family of whole numbers; no series of those that have none.
    pub(super) fn u64(
        &self,
        encoder: &mut Encoder,
        family: &'static Family,
        value: impl Fn(&V) -> Option<u64>,
    ) {
        encoder.family(family);
        for (labels, view) in self.each() {
            if let Some(value) = value(view) {
                encoder.u64(labels, value);
            }
        }
    }

    /// The same, of which there is a sum over those that found no room.
    pub(super) fn summed(
        &self,
        encoder: &mut Encoder,
        family: &'static Family,
        value: impl Fn(&V) -> Option<u64>,
        sum: impl Fn(&Folded) -> u64,
    ) {
        self.u64(encoder, family, value);
        if let Some((labels, folded)) = &self.other {
            encoder.u64(*labels, sum(folded));
        }
    }

    /// A family of any numbers.
    pub(super) fn f64(
        &self,
        encoder: &mut Encoder,
        family: &'static Family,
        value: impl Fn(&V) -> Option<f64>,
    ) {
        encoder.family(family);
        for (labels, view) in self.each() {
            if let Some(value) = value(view) {
                encoder.f64(labels, value);
            }
        }
    }

    /// A family of times.
    pub(super) fn timestamp(
        &self,
        encoder: &mut Encoder,
        family: &'static Family,
        value: impl Fn(&V) -> Option<Timestamp>,
    ) {
        encoder.family(family);
        for (labels, view) in self.each() {
            if let Some(value) = value(view) {
                encoder.timestamp(labels, value);
            }
        }
    }

    /// A family of switches.
    pub(super) fn bool(
        &self,
        encoder: &mut Encoder,
        family: &'static Family,
        value: impl Fn(&V) -> bool,
    ) {
        encoder.family(family);
        for (labels, view) in self.each() {
            encoder.bool(labels, value(view));
        }
    }

    /// A family whose series are written one by one.
    pub(super) fn write(
        &self,
        encoder: &mut Encoder,
        family: &'static Family,
        write: impl Fn(&mut Encoder, Labels<'_>, &'a V),
    ) {
        encoder.family(family);
        for (labels, view) in self.each() {
            write(encoder, labels, view);
        }
    }
}
