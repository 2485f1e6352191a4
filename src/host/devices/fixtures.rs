//! Sysfs trees from the manifests in `tests/fixtures/sysfs`.

use std::path::Path;

use super::Sysfs;

/// A tree of that name, in a directory of its own.
pub fn tree(name: &str) -> (tempfile::TempDir, Sysfs) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sysfs");
    let manifest = std::fs::read_to_string(fixtures.join(name)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    for line in manifest.lines().filter(|line| !line.starts_with('#')) {
        let place = |path: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            path
        };
        if let Some((path, target)) = line.split_once(" -> ") {
            std::os::unix::fs::symlink(target, place(path)).unwrap();
        } else {
            let (path, content) = line.split_once(" = ").unwrap();
            std::fs::write(place(path), format!("{content}\n")).unwrap();
        }
    }
    let sysfs = Sysfs::new(dir.path());
    (dir, sysfs)
}
