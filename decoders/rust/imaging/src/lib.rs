//! Image tiles and strips: TIFF compressions, predictors, sample layouts.

pub use fuse_core::abi;
pub mod tiff;
