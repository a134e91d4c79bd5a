//! Frames to channels, calibration, downsampling, and the codecs of zarr chunks.

pub use fuse_core::abi;
