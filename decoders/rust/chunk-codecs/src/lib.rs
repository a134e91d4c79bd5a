//! Frames to channels, calibration, downsampling, and the codecs of zarr chunks.
#![allow(clippy::too_many_arguments)]

pub mod bitplanes;
pub mod blosc;
pub mod calibrate;
#[cfg(target_arch = "wasm32")]
mod calibrate_simd;
pub mod crc32c;
pub mod downsample;
pub mod edges;
pub mod frames;
pub mod kinds;
pub mod lz4;
#[cfg(test)]
mod random;
pub mod rows;
pub mod shuffle;
pub mod simd;
pub mod transpose;
pub mod unblosc;
pub mod unlz4;

pub use fuse_core::abi;
