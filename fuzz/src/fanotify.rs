//! What a fanotify group says.

use plimsoll::measure::usage::fanotify::{Event, events};

pub fn run(data: &[u8]) {
    let (mut seen, mut ended) = (0, false);
    for event in events(data) {
        assert!(!ended, "nothing follows what is malformed");
        match event {
            Ok(Event::In { name, .. }) => {
                seen += 1;
                assert!(name.is_none_or(|name| name.to_bytes().len() < data.len()));
            }
            Ok(Event::Overflow) => seen += 1,
            Err(_) => ended = true,
        }
    }
    // An event has at least its metadata: no input makes more events than it has room for.
    assert!(seen * 24 <= data.len());
}
