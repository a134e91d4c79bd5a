//! Codecs of few image files, apart so that the common ones load fast: JPEG 2000, WebP and PNG
//! tiles of TIFF files.

pub use fuse_core::abi;
pub mod jp2;
pub mod png;
pub mod webp;

use fuse_core::{Error, Result};
use fuse_raster::{store_pixels, Params};

/// Decodes a chunk into `out`, which is filled whole.
pub fn decode(p: &Params, input: &[u8], out: &mut [u8]) -> Result<usize> {
    if out.len() < p.out_bytes()? {
        return Err(Error::limit("the output buffer is smaller than the chunk"));
    }
    let most = p.out_bytes()?.saturating_mul(4).max(1 << 20);
    let pixels = match p.compression {
        33003 | 33004 | 33005 | 34712 => {
            // Aperio's 33003 holds luma and chroma unless its codestream has its own transform.
            jp2::decode(input, p.compression == 33003 || p.photometric == 6, most)?
        }
        34927 | 50001 => webp::decode(input, p.samples, most)?,
        34933 => png::decode(input, most)?,
        other => {
            return Err(Error::unsupported(format!(
                "TIFF compression {other} is not decoded"
            )))
        }
    };
    store_pixels(p, &pixels, out)
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
