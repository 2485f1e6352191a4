//! Families of filesystems.

use crate::expose::catalogue::filesystem::{
    AVAILABLE_BYTES, FILES, FILES_FREE, FREE_BYTES, FULL_AT, GROWTH, INFO, MEASURED,
    PROMISED_BYTES, READONLY, RESPONSIVE, SIZE_BYTES, UNATTRIBUTED_BYTES,
};
use crate::expose::exposition::{Arena, Encoder};
use crate::expose::paths::display;
use crate::model::{FilesystemSample, FilesystemUsage, Snapshot};

/// One of the numbers that a filesystem may lack.
type Value = fn(&FilesystemUsage) -> Option<u64>;

pub(super) fn write(encoder: &mut Encoder, snapshot: &Snapshot) {
    let mut labels = Arena::default();
    let samples: Vec<&FilesystemSample> = snapshot
        .filesystems
        .iter()
        .filter(|sample| labels.push(&[("mount_point", &display(&sample.mount_point))]))
        .collect();
    let each = || samples.iter().enumerate().map(|(index, sample)| (labels.get(index), *sample));
    let numbers: [(_, Value); 5] = [
        (&SIZE_BYTES, |usage| Some(usage.size_bytes)),
        (&FREE_BYTES, |usage| Some(usage.free_bytes)),
        (&AVAILABLE_BYTES, |usage| Some(usage.available_bytes)),
        (&FILES, |usage| usage.files),
        (&FILES_FREE, |usage| usage.files_free),
    ];
    for (family, value) in numbers {
        encoder.family(family);
        for (labels, sample) in each() {
            if let Some(number) = sample.usage.as_ref().and_then(value) {
                encoder.u64(labels, number);
            }
        }
    }
    encoder.family(&UNATTRIBUTED_BYTES);
    for (labels, sample) in each() {
        if let Some(bytes) = sample.unattributed_bytes {
            encoder.i64(labels, bytes);
        }
    }
    encoder.family(&PROMISED_BYTES);
    for (labels, sample) in each() {
        if let Some(bytes) = sample.promised_bytes {
            encoder.u64(labels, bytes);
        }
    }
    encoder.family(&READONLY);
    for (labels, sample) in each() {
        if let Some(usage) = &sample.usage {
            encoder.bool(labels, usage.readonly);
        }
    }
    encoder.family(&RESPONSIVE);
    for (labels, sample) in each() {
        encoder.bool(labels, sample.responsive);
    }
    encoder.family(&MEASURED);
    for (labels, sample) in each() {
        if let Some(usage) = &sample.usage {
            encoder.timestamp(labels, usage.measured_at);
        }
    }
    encoder.family(&GROWTH);
    for (labels, sample) in each() {
        if let Some(rate) = sample.growth.and_then(|growth| growth.confident_rate()) {
            encoder.f64(labels, rate);
        }
    }
    encoder.family(&FULL_AT);
    for (labels, sample) in each() {
        if let Some(full_at) = sample.growth.and_then(|growth| growth.full_at) {
            encoder.f64(labels, full_at);
        }
    }
    encoder.family(&INFO);
    for (labels, sample) in each() {
        let (major, minor) = sample.device_number;
        encoder.info(
            labels,
            &[
                ("device", &sample.device),
                ("fstype", &sample.fstype),
                ("device_number", &format!("{major}:{minor}")),
                ("remote", if sample.remote { "true" } else { "false" }),
            ],
        );
    }
}
