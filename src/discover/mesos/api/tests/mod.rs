//! The captured answers of a real agent, whole rounds against a server, and bad servers.

mod answers;
mod authority;
mod bad_servers;
mod client;
mod rounds;
mod tls;

use std::time::Duration;

use super::test_server::{Asked, Reply, fixture, ok, principal, scene, serve, status};
use super::*;
use crate::discover::mesos::facts::{ExecutorFacts, TaskFacts};
use crate::model::{DiskSource, ReservationKind, Resource};

const AGENT: &str = "812dc90a-064e-4cb1-8792-db2028eecc18-S0";
const BATCH: &str = "812dc90a-064e-4cb1-8792-db2028eecc18-0000";
const STORAGE: &str = "812dc90a-064e-4cb1-8792-db2028eecc18-0001";
const MIB: u64 = 1024 * 1024;

type Row = (String, String, u64, DiskSource, bool, String, ReservationKind);

/// Volumes as (role, id, MiB, disk, shared, principal, reservation), sorted.
fn volumes(resources: &[Resource]) -> Vec<Row> {
    let mut rows: Vec<Row> = resources
        .iter()
        .filter_map(|resource| {
            let persistence = resource.persistence()?;
            Some((
                resource.role().to_owned(),
                persistence.id.clone(),
                resource.bytes().unwrap() / MIB,
                resource.disk_source(),
                resource.shared,
                persistence.principal.clone().unwrap(),
                resource.reservation_kind(),
            ))
        })
        .collect();
    rows.sort();
    rows
}

fn path(root: &str) -> DiskSource {
    DiskSource::Path { root: root.into() }
}

fn mount(root: &str) -> DiskSource {
    DiskSource::Mount { root: root.into() }
}

fn config(url: &str) -> ApiConfig {
    ApiConfig { url: url.into(), timeout: Duration::from_secs(5), ..ApiConfig::default() }
}

async fn read_from(answers: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> ApiFacts {
    let server = serve(answers, None);
    read(&Client::new(config(&server.url)).unwrap()).await
}

fn task<'a>(facts: &'a ApiFacts, id: &str) -> &'a TaskFacts {
    facts.tasks.as_ref().unwrap().iter().find(|task| task.id == id).unwrap()
}

fn executor<'a>(facts: &'a ApiFacts, id: &str) -> &'a ExecutorFacts {
    facts.executors.as_ref().unwrap().iter().find(|executor| executor.executor == id).unwrap()
}

fn reasons(facts: &ApiFacts) -> Vec<&'static str> {
    facts.errors.iter().map(|error| error.reason).collect()
}
