//! The `process_` families of the daemon itself, as every exporter has them.

use prometheus::core::{Collector, Desc};
use prometheus::process_collector::ProcessCollector;
use prometheus::proto::{Counter, MetricFamily};
use rustix::time::{ClockId, clock_gettime};

/// Those of the `prometheus` crate, whose CPU time is in whole seconds: of a daemon that takes a
/// hundredth of a core the rate would be nothing for minutes, and then a step.
#[derive(Debug)]
pub struct Process(ProcessCollector);

impl Process {
    /// Of this process.
    pub fn of_self() -> Self {
        Self(ProcessCollector::for_self())
    }
}

impl Collector for Process {
    fn desc(&self) -> Vec<&Desc> {
        self.0.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut families = self.0.collect();
        let cpu = families.iter_mut().find(|family| family.name() == "process_cpu_seconds_total");
        for metric in cpu.into_iter().flat_map(MetricFamily::mut_metric) {
            let mut counter = Counter::default();
            counter.set_value(cpu_seconds());
            metric.set_counter(counter);
        }
        families
    }
}

/// User and system time of all threads, in seconds. Source: `clock_gettime(2)`,
/// `CLOCK_PROCESS_CPUTIME_ID`.
fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_told_in_parts_of_a_second() {
        let process = Process::of_self();
        let told = || {
            let families = process.collect();
            let mut of = families.iter().filter(|f| f.name() == "process_cpu_seconds_total");
            let family = of.next().expect("it is there");
            assert!(of.next().is_none());
            family.get_metric()[0].get_counter().get_value()
        };
        let before = told();
        // A tenth of a second of work is seen as that much, or more where other threads work, too.
        let end = cpu_seconds() + 0.1;
        while cpu_seconds() < end {}
        let after = told();
        assert!(after - before >= 0.1 && after.fract() > 0.0, "{before} {after}");
        assert!(process.collect().len() >= 7);
    }
}
