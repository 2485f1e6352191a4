//! The files: the same ones each time.

use std::fs;
use std::path::{Path, PathBuf};

/// Subjects the files are spread over.
pub const SUBJECTS: usize = 500;

/// A tree on the disk of the build directory; removed when dropped.
pub struct Tree {
    dir: tempfile::TempDir,
    pub files: usize,
    pub subjects: Vec<PathBuf>,
}

impl Tree {
    /// Subjects with a few levels and files of mixed small sizes, as tasks leave them.
    pub fn make(files: usize) -> Self {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let dir = tempfile::tempdir_in(place).expect("a directory in the build directory");
        let subjects: Vec<PathBuf> =
            (0..SUBJECTS).map(|i| dir.path().join(format!("box-{i:04}"))).collect();
        for path in &subjects {
            for inner in ["data/0", "data/1", "log"] {
                fs::create_dir_all(path.join(inner)).expect("made");
            }
        }
        let tree = Self { dir, files, subjects };
        for i in 0..files {
            fs::write(tree.file(i), &[7_u8; 6000][..i % 6000]).expect("written");
        }
        tree
    }

    pub fn root(&self) -> &Path {
        self.dir.path()
    }

    /// Path of one of the files.
    pub fn file(&self, index: usize) -> PathBuf {
        let inner = ["", "data/0", "data/1", "log"][index / SUBJECTS % 4];
        self.subjects[index % SUBJECTS].join(inner).join(format!("file-{index:07}"))
    }

    /// Files and directories.
    pub fn inodes(&self) -> usize {
        self.files + SUBJECTS * 5 + 1
    }
}
