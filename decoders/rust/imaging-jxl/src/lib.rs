//! JPEG XL tiles of TIFF files (compressions 50002 and 52546), in a module of their own because the
//! decoder is larger than all the others together.

pub use fuse_core::abi;
pub mod jxl;

use fuse_core::{Error, Result};
use fuse_raster::{store_pixels, Params};

/// Decodes a chunk into `out`, which is filled whole.
pub fn decode(p: &Params, input: &[u8], out: &mut [u8]) -> Result<usize> {
    if out.len() < p.out_bytes()? {
        return Err(Error::limit("the output buffer is smaller than the chunk"));
    }
    let most = p.out_bytes()?.saturating_mul(4).max(1 << 20);
    store_pixels(
        p,
        &jxl::decode(input, p.out_width, p.format == 3, most)?,
        out,
    )
}

/// Decodes one tile or strip; the arguments are those of `tiff_decode` of the imaging module.
///
/// # Safety
/// All pointers must be valid for their lengths.
#[no_mangle]
pub unsafe extern "C" fn tiff_decode(
    params: *const u32,
    words: usize,
    input: *const u8,
    length: usize,
    out: *mut u8,
    out_length: usize,
) -> i32 {
    let words = abi::input(params, words);
    let parsed = Params::parse(words, |ptr, length| abi::input(ptr as *const u8, length));
    abi::status(
        parsed.and_then(|p| decode(&p, abi::input(input, length), abi::output(out, out_length))),
    )
}
