//! Families of block devices.

use super::{families, filesystem, volume};

const PER_FILESYSTEM: &str = "one per filesystem that holds a volume or a sandbox";
const PER_VOLUME: &str = "one per volume";
const PER_OWN: &str = "one per volume on a device of its own";

families! {
    "Devices",
    "What lies below filesystems and volumes: device mapper, LVM, RAID, partitions, loop, NVMe, multipath, bcache and btrfs \
     are followed to the disks through sysfs. The I/O of a volume is told only where its device is its own; of a shared \
     device nobody can say whose it is.";

    FILESYSTEM_DEVICE_INFO = Info "plimsoll_filesystem_device_info", None, filesystem::IDENTITY,
        ["device", "device_number", "kind", "mapper", "volume_group", "logical_volume", "layers", "disks"], PER_FILESYSTEM,
        "The device of the filesystem. device is the kernel's name, as node_exporter's disk metrics have it; layers is \
         the way down to the disks, kind:name each; disks are their names. Empty where there is none.";
    FILESYSTEM_DISK_INFO = Info "plimsoll_filesystem_disk_info", None, filesystem::IDENTITY, ["device", "device_number", "rotational"],
        "one per filesystem and disk below it, at most 32 each",
        "A disk below the filesystem, by the kernel's name.";
    VOLUME_DEVICE_INFO = Info "plimsoll_volume_device_info", None, volume::IDENTITY, ["device", "disks", "sharing"], PER_VOLUME,
        "The device a volume lies on, and the disks below. sharing is own where the volume is a filesystem of its own and \
         nothing else that is known lies on it, else shared.";
    VOLUME_DEVICE_SUBJECTS = Gauge "plimsoll_volume_device_subjects", None, volume::IDENTITY, [], PER_VOLUME,
        "Volumes and sandboxes on the volume's filesystem, itself included.";
    IO_READ_BYTES = Counter "plimsoll_volume_io_read_bytes_total", Some("bytes"), volume::IDENTITY, [], PER_OWN,
        "Bytes read from the volume's own device since the device appeared.";
    IO_WRITTEN_BYTES = Counter "plimsoll_volume_io_written_bytes_total", Some("bytes"), volume::IDENTITY, [], PER_OWN,
        "Bytes written to the volume's own device, the filesystem's records included.";
    IO_READS = Counter "plimsoll_volume_io_reads_completed_total", None, volume::IDENTITY, [], PER_OWN,
        "Reads from the volume's own device.";
    IO_WRITES = Counter "plimsoll_volume_io_writes_completed_total", None, volume::IDENTITY, [], PER_OWN,
        "Writes to the volume's own device.";
    IO_READ_SECONDS = Counter "plimsoll_volume_io_read_time_seconds_total", Some("seconds"), volume::IDENTITY, [], PER_OWN,
        "Seconds reads took, added up.";
    IO_WRITE_SECONDS = Counter "plimsoll_volume_io_write_time_seconds_total", Some("seconds"), volume::IDENTITY, [], PER_OWN,
        "Seconds writes took, added up.";
    IO_BUSY_SECONDS = Counter "plimsoll_volume_io_time_seconds_total", Some("seconds"), volume::IDENTITY, [], PER_OWN,
        "Seconds in which at least one operation was in flight.";
    IO_WEIGHTED_SECONDS = Counter "plimsoll_volume_io_time_weighted_seconds_total", Some("seconds"), volume::IDENTITY, [], PER_OWN,
        "Seconds operations were in flight, added up.";
    IO_NOW = Gauge "plimsoll_volume_io_now", None, volume::IDENTITY, [], PER_OWN,
        "Operations in flight on the volume's own device.";
}
