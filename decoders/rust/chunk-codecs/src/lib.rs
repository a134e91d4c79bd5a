//! Frames to channels, calibration, downsampling, and the codecs of zarr chunks.
#![allow(clippy::too_many_arguments)]

pub mod blosc;
pub mod calibrate;
pub mod crc32c;
pub mod downsample;
pub mod edges;
pub mod frames;
pub mod kinds;
pub mod lz4;
pub mod rows;
pub mod shuffle;
pub mod transpose;

pub use fuse_core::abi;
