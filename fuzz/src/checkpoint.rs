//! Checkpoint files of the agent: every message that may stand in one reads the same bytes.

use plimsoll::discover::mesos::checkpoint::{many, one};
use plimsoll::discover::mesos::proto;
use plimsoll::discover::mesos::resource::all_from_proto;
use prost::Message;

pub fn run(data: &[u8]) {
    each::<proto::ExecutorInfo>(data);
    each::<proto::FrameworkInfo>(data);
    each::<proto::SlaveInfo>(data);
    each::<proto::StatusUpdateRecord>(data);
    each::<proto::Task>(data);
    if let Some(state) = each::<proto::ResourceState>(data)
        && let Ok(resources) = all_from_proto(state.resources)
    {
        super::agent::resources(&resources);
    }
}

fn each<M: Message + Default>(data: &[u8]) -> Option<M> {
    let mut shown = Vec::new();
    let result = many::<M>(data, |message| shown.push(message));
    assert!(shown.len() * 4 <= data.len(), "each has a length before it");
    if let Err(error) = &result {
        assert!(error.offset < data.len());
        assert!(one::<M>(data).is_err());
    } else {
        assert_eq!(one::<M>(data).is_ok(), shown.len() == 1);
    }
    // What was understood, written down, is understood as the same.
    for message in &shown {
        let written = framed(message);
        let again = one::<M>(&written).expect("it was read before");
        assert_eq!(framed(&again), written);
    }
    one(data).ok()
}

fn framed<M: Message>(message: &M) -> Vec<u8> {
    let body = message.encode_to_vec();
    let length = u32::try_from(body.len()).expect("inputs are small");
    [&length.to_le_bytes()[..], &body].concat()
}
