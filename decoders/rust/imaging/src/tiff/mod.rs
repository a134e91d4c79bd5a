//! One TIFF tile or strip at a time: compressed bytes in, little-endian samples out, planar by
//! sample (`[sample][row][column]`).
//!
//! Source of the format's facts: TIFF Revision 6.0 (1992), its Technical Notes 1 to 3, and the
//! documents of the later compressions named in their modules.

pub mod inflate;
pub mod lzw;
pub mod packbits;
pub mod params;
pub mod predictor;
pub mod raster;
pub mod unpack;

use fuse_core::{abi, Error, Result};
use params::Params;

/// Decodes a chunk into `out`, which is filled whole: rows the chunk does not hold become zero.
pub fn decode(p: &Params, input: &[u8], out: &mut [u8]) -> Result<usize> {
    if out.len() < p.out_bytes()? {
        return Err(Error::limit("the output buffer is smaller than the chunk"));
    }
    let stored = p.stored_bytes()?;
    let reversed;
    let input = if p.reversed_bits(input) {
        reversed = input.iter().map(|b| b.reverse_bits()).collect::<Vec<u8>>();
        &reversed[..]
    } else {
        input
    };
    match p.compression {
        1 => {
            let raw = input
                .get(..stored)
                .ok_or_else(|| short(input.len(), stored))?;
            if p.predictor > 1 {
                raster::store_mut(p, &mut raw.to_vec(), out)
            } else {
                raster::store(p, raw, out)
            }
        }
        5 => raster::store_mut(p, &mut lzw::decode(input, stored)?, out),
        8 | 32946 => raster::store_mut(p, &mut inflate::decode(input, stored)?, out),
        32773 => raster::store_mut(p, &mut packbits::decode(input, stored)?, out),
        other => Err(Error::unsupported(format!(
            "TIFF compression {other} is not decoded"
        ))),
    }
}

/// The error of a chunk whose data end before its last row.
pub(crate) fn short(found: usize, expected: usize) -> Error {
    Error::truncated(format!("the chunk holds {found} of {expected} bytes"))
}

/// Decodes one tile or strip. `params` points to [`params::WORDS`] words and more as described
/// there; the output is filled to `out_length`.
///
/// # Safety
/// All pointers must be valid for their lengths; JPEG tables named in `params` too.
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
