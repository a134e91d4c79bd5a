//! Delimited text: a push parser that turns bytes into columns.

pub use fuse_core::abi;
