//! The state file, which may be anything after a crash.

use plimsoll::judge::Memory;
use plimsoll::judge::growth::{Histories, StoredHistories};
use plimsoll::judge::memory::StoredMemory;
use plimsoll::pipeline::state_file::{Damage, Sections, decode, encode};

pub fn run(data: &[u8]) {
    if let Ok(sections) = decode(data) {
        let written = encode(&sections);
        assert_eq!(decode(&written), Ok(sections.clone()));
        sections.values().for_each(|section| restore(section));
    }
    // As a section of a file that is sound: comes back as it was.
    let sections = Sections::from([("memory".to_owned(), data.to_vec())]);
    let mut file = encode(&sections);
    assert_eq!(decode(&file), Ok(sections));
    restore(data);
    // One bit that flipped is noticed wherever it is.
    let (at, bit) = data.iter().fold((0, 0_u8), |(at, bit), &byte| {
        ((at * 31 + usize::from(byte)) % file.len(), bit.wrapping_add(byte))
    });
    file[at] ^= 1 << (bit % 8);
    assert!(matches!(decode(&file), Err(Damage::Corrupt(_) | Damage::Newer(_))), "byte {at}");
}

fn restore(section: &[u8]) {
    if let Ok(stored) = serde_json::from_slice::<StoredMemory>(section) {
        let most = stored.len();
        let mut memory = Memory::default();
        memory.restore(stored);
        assert!(memory.stored().len() <= most);
    }
    if let Ok(stored) = serde_json::from_slice::<StoredHistories>(section) {
        let most = stored.len();
        let mut histories = Histories::default();
        histories.restore(stored);
        assert!(histories.stored().len() <= most);
    }
}
