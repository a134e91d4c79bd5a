//! Image tiles and strips: TIFF compressions, predictors, sample layouts; JPEG and LERC streams.

pub use fuse_core::abi;
pub mod jpeg;
pub mod lerc;
pub mod tiff;
