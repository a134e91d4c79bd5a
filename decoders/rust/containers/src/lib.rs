//! Chunks of HDF5 files: the filters they went through, undone in order, and their elements as plain
//! little-endian numbers.

pub mod aec;
pub mod bits;
pub mod bitshuffle;
pub mod blosc;
pub mod blosclz;
pub mod bzip;
pub mod convert;
pub mod deflate;
pub mod fletcher32;
pub mod float;
pub mod lz4;
pub mod lzf;
pub mod nbit;
pub mod params;
pub mod pipeline;
pub mod scaleoffset;
pub mod shuffle;
pub mod szip;
pub mod zstd;

pub use fuse_core::abi;

use fuse_core::abi::{input, output, status};
use fuse_core::Result;

/// Undoes the filters of a chunk and writes its elements to `out`; gives the bytes written.
pub fn decode(words: &[u32], chunk: &[u8], out: &mut [u8]) -> Result<usize> {
    let (params, filters) = params::Params::parse(words)?;
    let raw = pipeline::undo(&filters, chunk, params.raw_bytes)?;
    convert::elements(&params, &raw, out)
}

/// Decodes one chunk: `words` as [`params`] describes them.
///
/// # Safety
/// The pointers must be readable and writable for the lengths given and must not overlap.
#[no_mangle]
pub unsafe extern "C" fn hdf5_decode(
    words: *const u32,
    word_count: usize,
    chunk: *const u8,
    chunk_len: usize,
    out: *mut u8,
    out_len: usize,
) -> i32 {
    status(decode(
        input(words, word_count),
        input(chunk, chunk_len),
        output(out, out_len),
    ))
}
