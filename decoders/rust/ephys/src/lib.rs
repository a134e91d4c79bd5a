//! Electrophysiology records: Blackrock packets, Spike2 blocks, LabChart blocks, Intan digital words.

pub use fuse_core::abi;

pub mod blackrock_nev;
pub mod blackrock_ptp;
pub mod labchart;
pub mod son32;
pub mod son64;
pub mod text_sections;
