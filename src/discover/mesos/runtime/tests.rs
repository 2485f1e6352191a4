use std::fs;

use prost::Message;

use super::*;
use crate::discover::mesos::facts::{ExternalSource, IsolatorVolume};
use crate::discover::mesos::testing::*;

fn options<'a>(procfs: &'a Path, runtime_dir: &'a Path) -> RuntimeOptions<'a> {
    RuntimeOptions { procfs, runtime_dir, docker_volume_dir: None, work_dir: None }
}

fn line(container: &RuntimeContainer) -> String {
    format!(
        "{} pid {:?} standalone {} terminated {} external [{}] directory {} resources {:?}",
        container.container,
        container.pid,
        container.standalone,
        container.terminated,
        external_text(&container.external),
        container.directory.as_ref().unwrap().display(),
        resource_lines(&container.resources)
    )
}

/// A proc filesystem with process 1 and these, in the given states.
fn procfs(processes: &[(u32, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (pid, state) in [(1, "S")].iter().chain(processes) {
        let process = dir.path().join(pid.to_string());
        fs::create_dir(&process).unwrap();
        fs::write(process.join("stat"), format!("{pid} (a) b) {state} 1 1 1 0")).unwrap();
    }
    dir
}

#[test]
fn captured_scenes_are_decoded_whole() {
    let procfs = procfs(&[]);
    for name in
        ["02-live-quota-off", "06-volumes-destroyed", "10-cgroup2-xfs", "12-posix-isolation"]
    {
        let dir = scene(name, "runtimedir.tar.gz");
        let facts = read(&options(procfs.path(), dir.path()));
        assert_eq!(facts.errors, [], "{name}");
        assert!(!facts.containers_partial);
        let containers = facts.containers.unwrap();
        assert!(containers.iter().all(|container| container.alive == Some(false)), "{name}");
        let lines: Vec<_> = containers.iter().map(line).collect();
        assert_lines(name, "runtime.txt", &lines);
    }
}

fn container(dir: &Path, id: &str, pid: &str) {
    fs::create_dir_all(dir.join("containers").join(id)).unwrap();
    fs::write(dir.join("containers").join(id).join("pid"), pid).unwrap();
}

fn alive(procfs: &Path, runtime: &Path) -> Vec<(String, Option<u32>, Option<bool>)> {
    let facts = read(&options(procfs, runtime));
    let one = |found: RuntimeContainer| (found.container, found.pid, found.alive);
    facts.containers.unwrap().into_iter().map(one).collect()
}

#[test]
fn zombies_are_dead_and_what_cannot_be_seen_is_unknown() {
    let dir = tempfile::tempdir().unwrap();
    for (id, pid) in [("a", "10"), ("b", "11"), ("c", "12\n"), ("d", ""), ("e", "-5")] {
        container(dir.path(), id, pid);
    }
    let proc = procfs(&[(10, "S"), (11, "Z")]);
    let expected = [
        ("a".into(), Some(10), Some(true)),
        ("b".into(), Some(11), Some(false)),
        ("c".into(), Some(12), Some(false)),
        ("d".into(), None, None),
        ("e".into(), None, None),
    ];
    assert_eq!(alive(proc.path(), dir.path()), expected);
    let errors = read(&options(proc.path(), dir.path())).errors;
    assert_eq!(errors.len(), 1);
    assert!(errors[0].message.ends_with("/containers/e/pid\": not the id of a process"));

    // Process 1 is hidden: that 12 is not seen proves nothing.
    fs::remove_dir_all(proc.path().join("1")).unwrap();
    let found = alive(proc.path(), dir.path());
    assert_eq!((found[0].2, found[2].2), (Some(true), None));
}

#[test]
fn a_container_without_files_is_only_an_id() {
    let dir = tempfile::tempdir().unwrap();
    let procfs = procfs(&[]);
    let facts = read(&options(procfs.path(), dir.path()));
    assert_eq!((facts.containers, facts.errors), (Some(vec![]), vec![]));
    fs::create_dir_all(dir.path().join("containers/a/containers/b")).unwrap();
    let facts = read(&options(procfs.path(), dir.path()));
    let bare = |id: &str| RuntimeContainer { container: id.into(), ..Default::default() };
    assert_eq!((facts.containers, facts.errors), (Some(vec![bare("a"), bare("a.b")]), vec![]));
    let facts = read(&options(procfs.path(), &dir.path().join("none")));
    assert_eq!((facts.containers, facts.errors[0].reason), (None, "missing"));
}

#[test]
fn a_config_may_end_anywhere_and_have_any_bit_flipped() {
    let dir = scene("02-live-quota-off", "runtimedir.tar.gz");
    let small = tempfile::tempdir().unwrap();
    let id = "e2c49762-18ad-4264-ad31-0d0660ad31a2";
    let whole = fs::read(dir.path().join("containers").join(id).join("config")).unwrap();
    container(small.path(), id, "7");
    let path = small.path().join("containers").join(id).join("config");
    let procfs = procfs(&[]);
    for end in 0..whole.len() {
        fs::write(&path, &whole[..end]).unwrap();
        let facts = read(&options(procfs.path(), small.path()));
        assert_eq!(facts.errors.len(), 1, "{end}");
        let found = &facts.containers.unwrap()[0];
        assert_eq!((found.pid, &found.directory), (Some(7), &None), "{end}");
    }
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let _ =
            one::<proto::ContainerConfig>(&bytes).map(|config| all_from_proto(config.resources));
    }
}

#[test]
fn containers_nested_too_deeply_are_one_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = "containers/x/".repeat(300);
    fs::create_dir_all(dir.path().join(path)).unwrap();
    let procfs = procfs(&[]);
    let facts = read(&options(procfs.path(), dir.path()));
    assert_eq!(facts.containers.unwrap().len(), MAX_DEPTH);
    assert_eq!(facts.errors.len(), 1);
    assert_eq!(facts.errors[0].reason, "too_large");
    assert!(facts.containers_partial);
}

#[test]
fn checkpoints_of_volume_isolators() {
    let dir = tempfile::tempdir().unwrap();
    let docker = dir.path().join("docker");
    let csi = dir.path().join("work/isolators/volume/csi");
    let file = |path: PathBuf, bytes: &[u8]| {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    let json = br#"{"volumes":[{"driver":"rexray","name":"pg"},{"driver":"","name":"x"}]}"#;
    file(docker.join("c1/volumes"), json);
    file(docker.join("c2/volumes"), b"");
    file(docker.join("c3/volumes"), b"{}");
    file(docker.join("c4/volumes"), b"{\"volumes\":[{\"driver\":");
    fs::create_dir_all(docker.join("c5")).unwrap();
    let volume = proto::CsiVolume { plugin_name: Some("nfs".into()), id: Some("v1".into()) };
    let body = proto::CsiVolumes { volumes: vec![volume] }.encode_to_vec();
    let framed = [&(body.len() as u32).to_le_bytes()[..], &body].concat();
    file(csi.join("c1.n1/volumes"), &framed);
    file(csi.join("c6/volumes"), &framed[..9]);

    let procfs = procfs(&[]);
    let work = dir.path().join("work");
    let facts = read(&RuntimeOptions {
        docker_volume_dir: Some(&docker),
        work_dir: Some(&work),
        ..options(procfs.path(), dir.path())
    });
    let volume = |container: &str, source| IsolatorVolume { container: container.into(), source };
    let named = |driver: &str, name: &str| ExternalSource::Docker {
        driver: driver.into(),
        name: name.into(),
    };
    assert_eq!(
        facts.isolator_volumes,
        [
            volume("c1", named("rexray", "pg")),
            volume("c1", named("local", "x")),
            volume("c1.n1", ExternalSource::Csi { plugin: "nfs".into(), id: "v1".into() }),
        ]
    );
    let messages: Vec<_> = facts.errors.iter().map(|error| &error.message).collect();
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert!(messages[0].contains("/docker/c4/volumes\": EOF while parsing"), "{messages:?}");
    assert!(messages[1].contains("/csi/c6/volumes\": at byte 0"), "{messages:?}");

    // Neither directory need be there.
    let none = dir.path().join("none");
    let facts = read(&RuntimeOptions {
        docker_volume_dir: Some(&none),
        work_dir: Some(&none),
        ..options(procfs.path(), dir.path())
    });
    assert_eq!((facts.isolator_volumes, facts.errors), (vec![], vec![]));
}
