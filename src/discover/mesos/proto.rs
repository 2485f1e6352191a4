//! Mesos' messages as far as we read them, generated from `proto/mesos.proto`.
#![allow(missing_docs, clippy::all)]

include!(concat!(env!("OUT_DIR"), "/plimsoll.mesos.rs"));
