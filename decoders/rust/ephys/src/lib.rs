//! Electrophysiology records: Blackrock packets, Spike2 blocks, Intan digital words.

pub use fuse_core::abi;

pub mod son32;
