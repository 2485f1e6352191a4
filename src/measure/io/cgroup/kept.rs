//! Files that are read again and again through a kept descriptor.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many more descriptors may be kept. Shared by all files of one meter.
#[derive(Clone, Debug)]
pub struct DescriptorRoom(Arc<AtomicUsize>);

impl DescriptorRoom {
    /// Room for so many.
    pub fn new(descriptors: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(descriptors)))
    }

    /// Room for half of what this process may open, after raising that bound as far as it may:
    /// service managers set it to 1,024 for the sake of programs that use `select`.
    pub fn of_process() -> Self {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        const ENOUGH: u64 = 65_536;
        let now = getrlimit(Resource::Nofile);
        let wanted = now.maximum.unwrap_or(ENOUGH).min(ENOUGH).max(now.current.unwrap_or(0));
        let raised = Rlimit { current: Some(wanted), maximum: now.maximum };
        // Refused (seccomp): the bound stays as it is, and fewer descriptors are kept.
        let bound = match setrlimit(Resource::Nofile, raised) {
            Ok(()) => wanted,
            Err(_) => now.current.unwrap_or(ENOUGH),
        };
        Self::new(usize::try_from(bound / 2).unwrap_or(0))
    }

    /// How many are left.
    pub fn left(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn take(&self) -> Option<Place> {
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
            .ok()
            .map(|_| Place(self.clone()))
    }
}

/// One descriptor's place, given back when dropped.
#[derive(Debug)]
struct Place(DescriptorRoom);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Larger contents are an error: no control group file is.
const MOST_BYTES: usize = 4 << 20;

/// A file that is kept open while there is room, else opened anew for each reading.
#[derive(Debug)]
pub struct KeptFile {
    path: PathBuf,
    open: Option<(File, Place)>,
}

impl KeptFile {
    /// Opens nothing yet.
    pub fn new(path: PathBuf) -> Self {
        Self { path, open: None }
    }

    /// What it is.
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// The descriptor is kept: it stays with the group it was opened in, whatever is made under
    /// the same path later.
    pub fn is_kept(&self) -> bool {
        self.open.is_some()
    }

    /// Lets the descriptor go: the next reading opens what is there by then.
    pub fn close(&mut self) {
        self.open = None;
    }

    /// Reads the whole file into `buffer`.
    ///
    /// # Errors
    /// Those of `open` and `pread`; `ENODEV` when the group of a kept descriptor was removed.
    pub fn read<'a>(
        &mut self,
        buffer: &'a mut Vec<u8>,
        room: &DescriptorRoom,
    ) -> io::Result<&'a [u8]> {
        let fresh;
        let file = match &self.open {
            Some((file, _)) => file,
            None => {
                let file = File::open(&self.path)?;
                match room.take() {
                    Some(place) => &self.open.insert((file, place)).0,
                    None => {
                        fresh = file;
                        &fresh
                    }
                }
            }
        };
        read_whole(file, buffer)
    }
}

/// Reads from the start, in one call where the buffer is large enough: control group files print
/// all they have at once.
fn read_whole<'a>(file: &File, buffer: &'a mut Vec<u8>) -> io::Result<&'a [u8]> {
    if buffer.len() < 4096 {
        buffer.resize(4096, 0);
    }
    let mut length = 0;
    loop {
        match file.read_at(&mut buffer[length..], length as u64) {
            Ok(0) => break,
            Ok(read) => {
                length += read;
                if length < buffer.len() {
                    break;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        if buffer.len() >= MOST_BYTES {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        buffer.resize(buffer.len() * 2, 0);
    }
    Ok(&buffer[..length])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_while_there_is_room_and_given_back() {
        let dir = tempfile::tempdir().unwrap();
        let room = DescriptorRoom::new(1);
        let mut buffer = Vec::new();
        let path = |name: &str| dir.path().join(name);
        for name in ["a", "b"] {
            std::fs::write(path(name), name.repeat(5000)).unwrap();
        }
        let (mut a, mut b) = (KeptFile::new(path("a")), KeptFile::new(path("b")));
        for _ in 0..2 {
            assert_eq!(a.read(&mut buffer, &room).unwrap(), "a".repeat(5000).as_bytes());
            assert_eq!(b.read(&mut buffer, &room).unwrap(), "b".repeat(5000).as_bytes());
        }
        assert!(a.is_kept() && !b.is_kept());
        assert_eq!(room.left(), 0);
        drop(a);
        assert_eq!(room.left(), 1);
        b.read(&mut buffer, &room).unwrap();
        assert!(b.is_kept());
        let mut missing = KeptFile::new(path("c"));
        assert!(missing.read(&mut buffer, &room).is_err());
        assert_eq!(room.left(), 0);
    }
}
