//! Writing through a mapping, as databases do.
#![allow(unsafe_code)]

use std::fs::File;
use std::os::fd::AsRawFd;

/// Writes one byte at `offset`, a multiple of 4096, within the file.
pub fn write_page(file: &File, offset: u64, byte: u8) {
    let (protection, length) = (libc::PROT_READ | libc::PROT_WRITE, 4096);
    let offset = libc::off_t::try_from(offset).unwrap();
    // SAFETY: a new mapping wherever the kernel likes; only the result is used.
    let page = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            length,
            protection,
            libc::MAP_SHARED,
            file.as_raw_fd(),
            offset,
        )
    };
    assert_ne!(page, libc::MAP_FAILED, "{}", std::io::Error::last_os_error());
    // SAFETY: the page is mapped writable, lies within the file, and nobody else knows of it.
    unsafe {
        page.cast::<u8>().write_volatile(byte);
        libc::munmap(page, length);
    }
}
