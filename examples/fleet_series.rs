//! Series of a made-up fleet, in the families that the rules read: what docs/performance.md measured
//! rules with. `scripts/measure-rules` gives them to a Prometheus.
//!
//! `cargo run --release --example fleet_series -- FIRST HOSTS START MINUTES` prints OpenMetrics for
//! `promtool tsdb create-blocks-from openmetrics`: so many hosts from the number FIRST on, scraped
//! from START (seconds since 1970) for so many minutes. Each has three volumes, eight sandboxes with
//! I/O, a disk, an export of a server, and its agent; one in a hundred is in trouble.

use std::io::{BufWriter, Write};

use anyhow::Context;

/// Samples of a gauge are further apart than a scrape would be, and near enough for every query.
const GAUGE_MINUTES: u64 = 4;
/// Two of a counter are in any five minutes.
const COUNTER_MINUTES: u64 = 2;

const GIB: f64 = 1_073_741_824.0;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<u64> = std::env::args()
        .skip(1)
        .map(|text| text.parse().with_context(|| format!("{text} is no number")))
        .collect::<anyhow::Result<_>>()?;
    let &[first, hosts, start, minutes] = arguments.as_slice() else {
        anyhow::bail!("usage: fleet_series FIRST HOSTS START MINUTES");
    };
    let stdout = std::io::stdout().lock();
    let mut fleet =
        Fleet { out: BufWriter::with_capacity(1 << 20, stdout), first, hosts, start, minutes };
    fleet.write()?;
    writeln!(fleet.out, "# EOF")?;
    fleet.out.flush()?;
    Ok(())
}

struct Fleet<W: Write> {
    out: W,
    first: u64,
    hosts: u64,
    start: u64,
    minutes: u64,
}

/// Labels of one subject and its value, for each host.
type Each<'a> = &'a dyn Fn(u64) -> Vec<(String, f64)>;

impl<W: Write> Fleet<W> {
    fn gauge(&mut self, name: &str, each: Each<'_>) -> std::io::Result<()> {
        writeln!(self.out, "# TYPE {name} gauge")?;
        self.samples(name, each, GAUGE_MINUTES, false)
    }

    /// Values are what is added each second.
    fn counter(&mut self, name: &str, each: Each<'_>) -> std::io::Result<()> {
        let family = name.strip_suffix("_total").unwrap_or(name);
        writeln!(self.out, "# TYPE {family} counter")?;
        self.samples(name, each, COUNTER_MINUTES, true)
    }

    fn samples(
        &mut self,
        name: &str,
        each: Each<'_>,
        step: u64,
        counts: bool,
    ) -> std::io::Result<()> {
        for host in self.first..self.first + self.hosts {
            for (labels, value) in each(host) {
                let comma = if labels.is_empty() { "" } else { "," };
                for minute in (0..=self.minutes).step_by(step as usize) {
                    let value = if counts { value * (minute * 60) as f64 } else { value };
                    let at = self.start + minute * 60;
                    writeln!(
                        self.out,
                        "{name}{{job=\"plimsoll\",instance=\"host-{host}:10061\",zone=\"z{}\"{comma}{labels}}} {value} {at}",
                        host % 20
                    )?;
                }
            }
        }
        Ok(())
    }

    fn write(&mut self) -> std::io::Result<()> {
        let one = |value: f64| move |_: u64| vec![(String::new(), value)];
        self.gauge("up", &one(1.0))?;
        let build = r#"version="0.1.0",revision="r",rustversion="1.88.0""#;
        self.gauge("plimsoll_build_info", &|_| vec![(build.to_owned(), 1.0)])?;
        for (name, value) in [
            ("plimsoll_agent_up", 1.0),
            ("plimsoll_agent_recovering", 0.0),
            ("plimsoll_usage_debt_seconds", 0.0),
            ("plimsoll_series_dropped", 0.0),
            ("plimsoll_gc_pending_bytes", GIB),
            ("plimsoll_gc_next_removal_timestamp_seconds", (self.start + 86_400) as f64),
            ("plimsoll_snapshot_timestamp_seconds", (self.start + self.minutes * 60) as f64),
            ("process_start_time_seconds", (self.start - 86_400) as f64),
        ] {
            self.gauge(name, &one(value))?;
        }
        self.gauge("plimsoll_collector_success", &|_| {
            let names =
                ["mesos_api", "mesos_checkpoint", "mesos_layout", "usage", "filesystems", "io"];
            names.map(|name| (format!("collector=\"{name}\""), 1.0)).into()
        })?;
        self.gauge("plimsoll_findings", &|_| {
            let kinds = plimsoll::judge::conditions::all();
            let labels = kinds
                .map(|one| format!("kind=\"{}\",severity=\"{}\"", one.id, one.severity.as_str()));
            labels.map(|labels| (labels, 0.0)).collect()
        })?;
        for (name, value) in
            [("plimsoll_agent_disk_bytes", 900.0), ("plimsoll_agent_disk_allocated_bytes", 400.0)]
        {
            self.gauge(name, &move |host| {
                let role = format!("role=\"role-{}\",reservation=\"dynamic\"", host % 40);
                vec![
                    ("role=\"*\",reservation=\"unreserved\"".to_owned(), value * GIB),
                    (role, value * GIB),
                ]
            })?;
        }
        self.finished()?;
        self.filesystems()?;
        self.network()?;
        self.volumes()?;
        self.sandboxes()
    }

    fn finished(&mut self) -> std::io::Result<()> {
        let states = |value: f64| {
            move |host: u64| {
                let labels = |state| {
                    format!("source=\"mesos\",framework=\"f{}\",state=\"{state}\"", host % 30)
                };
                vec![(labels("awaiting_gc"), value), (labels("leaked"), 0.0)]
            }
        };
        self.gauge("plimsoll_finished_sandboxes", &states(12.0))?;
        self.gauge("plimsoll_finished_sandbox_used_bytes", &states(3.0 * GIB))
    }

    fn filesystems(&mut self) -> std::io::Result<()> {
        const DISK: &str = "mount_point=\"/var/lib/mesos\"";
        const SHARE: &str = "mount_point=\"/mnt/share\"";
        let both = |disk: f64, share: f64| {
            move |host: u64| {
                let ill = if host % 100 == 7 { 0.05 } else { 1.0 };
                vec![(DISK.to_owned(), disk * ill), (SHARE.to_owned(), share)]
            }
        };
        for (name, disk, share) in [
            ("plimsoll_filesystem_free_bytes", 400.0 * GIB, 4e5 * GIB),
            ("plimsoll_filesystem_available_bytes", 400.0 * GIB, 4e5 * GIB),
            ("plimsoll_filesystem_files_free", 6e7, 1e9),
        ] {
            self.gauge(name, &both(disk, share))?;
        }
        for (name, disk, share) in [
            ("plimsoll_filesystem_size_bytes", 1000.0 * GIB, 1e6 * GIB),
            ("plimsoll_filesystem_files", 6.5e7, 2e9),
            ("plimsoll_filesystem_readonly", 0.0, 0.0),
            ("plimsoll_filesystem_responsive", 1.0, 1.0),
        ] {
            self.gauge(name, &move |_| vec![(DISK.to_owned(), disk), (SHARE.to_owned(), share)])?;
        }
        self.gauge("plimsoll_filesystem_promised_bytes", &|_| {
            vec![(DISK.to_owned(), 900.0 * GIB)]
        })?;
        self.gauge("plimsoll_filesystem_info", &|_| {
            let facts = |place, device, fstype, number, remote| {
                format!("{place},device=\"{device}\",fstype=\"{fstype}\",device_number=\"{number}\",remote=\"{remote}\"")
            };
            vec![
                (facts(DISK, "/dev/sdb", "xfs", "8:16", "false"), 1.0),
                (facts(SHARE, "filer:/share", "nfs4", "0:52", "true"), 1.0),
            ]
        })
    }

    fn network(&mut self) -> std::io::Result<()> {
        let share = |host: u64| {
            format!("server=\"filer-{}\",export=\"/share\",mount_point=\"/mnt/share\"", host % 10)
        };
        self.gauge("plimsoll_network_filesystem_responsive", &move |host| {
            vec![(share(host), 1.0)]
        })?;
        self.gauge("plimsoll_network_filesystem_info", &move |host| vec![(share(host), 1.0)])?;
        for (name, rate) in [
            ("plimsoll_network_filesystem_read_bytes_total", 2e6),
            ("plimsoll_network_filesystem_written_bytes_total", 1e6),
            ("plimsoll_network_filesystem_retransmissions_total", 0.0),
        ] {
            self.counter(name, &move |host| vec![(share(host), rate)])?;
        }
        for (name, rate) in [
            ("plimsoll_network_filesystem_operations_total", 50.0),
            ("plimsoll_network_filesystem_operation_execute_seconds_total", 0.1),
        ] {
            self.counter(name, &move |host| {
                ["READ", "WRITE", "GETATTR"]
                    .map(|kind| (format!("{},operation=\"{kind}\"", share(host)), rate))
                    .into()
            })?;
        }
        Ok(())
    }

    fn volumes(&mut self) -> std::io::Result<()> {
        fn volume(host: u64, number: u64) -> String {
            let role = (host + number) % 40;
            format!(
                "source=\"mesos\",role=\"role-{role}\",volume=\"data-{host}-{number}\",disk=\"ROOT\""
            )
        }
        let near = |host: u64, number: u64| host % 100 == 3 && number == 0;
        let three = move |of: fn(bool) -> f64| {
            move |host: u64| {
                (0..3).map(|number| (volume(host, number), of(near(host, number)))).collect()
            }
        };
        self.gauge(
            "plimsoll_volume_used_bytes",
            &three(|near| if near { 95.0 } else { 40.0 } * GIB),
        )?;
        self.gauge("plimsoll_volume_quota_bytes", &three(|_| 100.0 * GIB))?;
        self.gauge("plimsoll_volume_over_quota_bytes", &three(|_| 0.0))?;
        self.gauge("plimsoll_volume_state", &|host| {
            let states = ["in_use", "idle", "unowned", "orphaned", "missing", "unknown"];
            (0..3)
                .flat_map(|number| {
                    let is = if host % 100 == 5 && number == 1 { "orphaned" } else { "in_use" };
                    states.map(|state| {
                        let labels = format!("{},state=\"{state}\"", volume(host, number));
                        (labels, f64::from(state == is))
                    })
                })
                .collect()
        })?;
        self.gauge("plimsoll_volume_info", &|host| {
            let facts = "path=\"/var/lib/mesos/volumes\",principal=\"p\",disk_type=\"ROOT\",kind=\"persistent\",\
                 reservation=\"dynamic\",shared=\"false\",enforcement=\"soft_kill\",method=\"incremental\",\
                 driver=\"\",filesystem=\"/var/lib/mesos\",remote=\"\"";
            (0..3).map(|number| (format!("{},{facts}", volume(host, number)), 1.0)).collect()
        })
    }

    fn sandboxes(&mut self) -> std::io::Result<()> {
        fn sandbox(host: u64, number: u64) -> String {
            let framework = (host + number) % 30;
            format!(
                "source=\"mesos\",framework=\"f{framework}\",executor=\"task-{number}\",container=\"{host:08x}-{number:04x}-4c4b-9d2e\""
            )
        }
        let eight = |value: f64, more: &'static str| {
            move |host: u64| {
                (0..8).map(|number| (format!("{}{more}", sandbox(host, number)), value)).collect()
            }
        };
        self.gauge("plimsoll_sandbox_used_bytes", &eight(GIB, ""))?;
        self.gauge("plimsoll_sandbox_quota_bytes", &eight(4.0 * GIB, ""))?;
        let facts = ",path=\"/var/lib/mesos/slaves\",kind=\"command\",enforcement=\"soft_kill\",method=\"walk\",filesystem=\"/var/lib/mesos\"";
        self.gauge("plimsoll_sandbox_info", &eight(1.0, facts))?;
        self.gauge("plimsoll_sandbox_state", &|host| {
            (0..8)
                .flat_map(|number| {
                    ["live", "missing", "unknown"].map(|state| {
                        let labels = format!("{},state=\"{state}\"", sandbox(host, number));
                        (labels, f64::from(state == "live"))
                    })
                })
                .collect()
        })?;
        let device = ",device=\"sdb\"";
        for (name, rate, more) in [
            ("plimsoll_container_io_read_bytes_total", 1e5, device),
            ("plimsoll_container_io_written_bytes_total", 2e5, device),
            ("plimsoll_container_io_write_throttled_seconds_total", 0.01, device),
            ("plimsoll_container_io_read_throttled_seconds_total", 0.0, device),
            ("plimsoll_container_io_pressure_some_seconds_total", 0.02, ""),
            ("plimsoll_container_io_pressure_full_seconds_total", 0.01, ""),
        ] {
            self.counter(name, &eight(rate, more))?;
        }
        Ok(())
    }
}
