//! Families of network filesystems.

use std::cmp::Reverse;

use crate::expose::catalogue::network::{
    AGE, APPLICATION_READ_BYTES, APPLICATION_WRITTEN_BYTES, BAD_REPLIES, CONNECTED, CONNECTS,
    ERRORS, EXECUTE_SECONDS, HOLDER_INFO, INFO, MOUNTS, OPERATIONS, QUEUE_SECONDS, READ_BYTES,
    RECEIVES, RESPONSE_SECONDS, RESPONSIVE, RETRANSMISSIONS, SENDS, SOCKETS, TIMEOUTS, VOLUME_INFO,
    WAITING, WRITTEN_BYTES,
};
use crate::expose::exposition::{Arena, Encoder};
use crate::model::{BytesMoved, NetworkFilesystem, NetworkTransport, OperationStats, Snapshot};

/// Series of one filesystem without operations, when every value is known.
const BASE_SERIES: usize = 16;
/// Series of one sort of request.
const OPERATION_SERIES: usize = 4;
/// Series of the connections to one server.
const TRANSPORT_SERIES: usize = 5;
/// Volumes, and containers, that are named of one filesystem.
const MAX_NAMED: usize = 100;

/// Which network filesystems have series, and which of those their operations too.
#[derive(Debug, Default)]
pub(super) struct Plan<'a> {
    shown: Vec<(&'a NetworkFilesystem, bool)>,
    transports: &'a [NetworkTransport],
    pub(super) series: usize,
    /// Series that found no room.
    pub(super) dropped: usize,
}

impl<'a> Plan<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, max_series: usize) -> Self {
        let mut order: Vec<&NetworkFilesystem> = snapshot.network.iter().collect();
        let cost = |one: &NetworkFilesystem| {
            BASE_SERIES + one.volumes.len().min(MAX_NAMED) + one.users.len().min(MAX_NAMED)
        };
        let operations = |one: &NetworkFilesystem| one.operations.len() * OPERATION_SERIES;
        let wanted: usize = order.iter().map(|one| cost(one) + operations(one)).sum();
        let transports = (max_series / TRANSPORT_SERIES / 4).min(snapshot.transports.len());
        let mut plan = Self {
            transports: &snapshot.transports[..transports],
            series: transports * TRANSPORT_SERIES,
            dropped: (snapshot.transports.len() - transports) * TRANSPORT_SERIES,
            ..Self::default()
        };
        let mut room = max_series.saturating_sub(plan.series);
        if wanted > room {
            order.sort_by_cached_key(|one| {
                let well = one.responsive != Some(false);
                let idle = one.volumes.is_empty() && one.users.is_empty();
                let requests = one.total().requests;
                // By orders of magnitude, so that neighbours do not change places at each scrape.
                (well, idle, Reverse(u64::BITS - requests.leading_zeros()), &one.key)
            });
        }
        // First every filesystem, then their operations, so that none is lost for another's.
        let mut kept = 0;
        for one in &order {
            if cost(one) <= room {
                room -= cost(one);
                plan.series += cost(one);
                kept += 1;
            } else {
                break;
            }
        }
        for (index, one) in order.into_iter().enumerate() {
            let all = operations(one);
            let with_operations = index < kept && all <= room;
            if with_operations {
                room -= all;
                plan.series += all;
            } else {
                plan.dropped += all;
            }
            match index < kept {
                true => plan.shown.push((one, with_operations)),
                false => plan.dropped += cost(one),
            }
        }
        plan.shown.sort_by(|a, b| a.0.key.cmp(&b.0.key));
        plan
    }
}

pub(super) fn write(encoder: &mut Encoder, plan: &Plan<'_>) {
    let mut labels = Arena::default();
    let mut shown = Vec::with_capacity(plan.shown.len());
    for (one, with_operations) in &plan.shown {
        let key = &one.key;
        if labels.push(&[
            ("server", &key.server),
            ("export", &key.export),
            ("mount_point", &key.mount_point),
        ]) {
            shown.push((*one, *with_operations, one.total()));
        }
    }
    let each = || shown.iter().enumerate().map(|(index, one)| (labels.get(index), one));

    type Number = fn(&NetworkFilesystem, &OperationStats) -> Option<u64>;
    let moved: [(_, Number); 2] =
        [(&READ_BYTES, |one, _| one.read_bytes), (&WRITTEN_BYTES, |one, _| one.written_bytes)];
    for (family, value) in moved {
        encoder.family(family);
        for (labels, (one, _, total)) in each() {
            if let Some(bytes) = value(one, total) {
                encoder.u64(labels, bytes);
            }
        }
    }
    type Moved = fn(&NetworkFilesystem) -> Option<BytesMoved>;
    let by_access: [(_, Moved); 2] = [
        (&APPLICATION_READ_BYTES, |one| one.application_read),
        (&APPLICATION_WRITTEN_BYTES, |one| one.application_written),
    ];
    for (family, value) in by_access {
        encoder.family(family);
        for (labels, (one, ..)) in each() {
            if let Some(moved) = value(one) {
                encoder.u64_with(labels, "access", "buffered", moved.buffered);
                encoder.u64_with(labels, "access", "direct", moved.direct);
            }
        }
    }
    encoder.family(&OPERATIONS);
    for (labels, (one, ..)) in each().filter(|(_, (_, with_operations, _))| *with_operations) {
        for (name, stats) in &one.operations {
            encoder.u64_with(labels, "operation", name, stats.requests);
        }
    }
    type Seconds = fn(&OperationStats) -> Option<f64>;
    let times: [(_, Seconds); 3] = [
        (&QUEUE_SECONDS, |stats| stats.queue_seconds),
        (&RESPONSE_SECONDS, |stats| stats.response_seconds),
        (&EXECUTE_SECONDS, |stats| stats.execute_seconds),
    ];
    for (family, value) in times {
        encoder.family(family);
        for (labels, (one, ..)) in each().filter(|(_, (_, with_operations, _))| *with_operations) {
            for (name, stats) in &one.operations {
                if let Some(seconds) = value(stats) {
                    encoder.f64_with(labels, "operation", name, seconds);
                }
            }
        }
    }
    let numbers: [(_, Number); 7] = [
        (&ERRORS, |_, total| total.errors),
        (&RETRANSMISSIONS, |_, total| total.retransmissions),
        (&TIMEOUTS, |_, total| total.timeouts),
        (&WAITING, |one, _| one.waiting),
        (&CONNECTED, |one, _| one.disconnected.map(|lost| u64::from(!lost))),
        (&RESPONSIVE, |one, _| one.responsive.map(u64::from)),
        (&MOUNTS, |one, _| Some(one.mounts as u64)),
    ];
    for (family, value) in numbers {
        encoder.family(family);
        for (labels, (one, _, total)) in each() {
            if let Some(number) = value(one, total) {
                encoder.u64(labels, number);
            }
        }
    }
    encoder.family(&AGE);
    for (labels, (one, ..)) in each() {
        if let Some(seconds) = one.age_seconds {
            encoder.u64(labels, seconds);
        }
    }
    encoder.family(&INFO);
    for (labels, (one, ..)) in each() {
        let (major, minor) = one.device_number;
        encoder.info(
            labels,
            &[
                ("fstype", &one.fstype),
                ("device_number", &format!("{major}:{minor}")),
                ("version", &one.version),
                ("protocol", &one.protocol),
                ("address", &one.address),
            ],
        );
    }
    encoder.family(&VOLUME_INFO);
    for (labels, (one, ..)) in each() {
        for key in one.volumes.iter().take(MAX_NAMED) {
            encoder.info(
                labels,
                &[
                    ("source", key.source.as_str()),
                    ("role", &key.role),
                    ("volume", &key.volume),
                    ("disk", &key.disk),
                ],
            );
        }
    }
    encoder.family(&HOLDER_INFO);
    for (labels, (one, ..)) in each() {
        for user in one.users.iter().take(MAX_NAMED) {
            encoder.info(
                labels,
                &[
                    ("source", &user.source),
                    ("framework", &user.framework),
                    ("executor", &user.executor),
                    ("container", &user.container),
                ],
            );
        }
    }
    transports(encoder, plan.transports);
}

fn transports(encoder: &mut Encoder, found: &[NetworkTransport]) {
    let mut labels = Arena::default();
    let found: Vec<_> = found
        .iter()
        .filter(|one| labels.push(&[("address", &one.address), ("protocol", &one.protocol)]))
        .collect();
    type Value = fn(&NetworkTransport) -> Option<u64>;
    let numbers: [(_, Value); 5] = [
        (&SOCKETS, |one| Some(one.sockets)),
        (&CONNECTS, |one| one.connects),
        (&SENDS, |one| Some(one.sends)),
        (&RECEIVES, |one| Some(one.receives)),
        (&BAD_REPLIES, |one| Some(one.bad_replies)),
    ];
    for (family, value) in numbers {
        encoder.family(family);
        for (index, one) in found.iter().enumerate() {
            if let Some(number) = value(one) {
                encoder.u64(labels.get(index), number);
            }
        }
    }
}
