//! One TIFF tile or strip at a time: compressed bytes in, little-endian samples out, planar by
//! sample (`[sample][row][column]`).
//!
//! Source of the format's facts: TIFF Revision 6.0 (1992), its Technical Notes 1 to 3, and the
//! documents of the later compressions named in their modules.

pub mod bands;
pub mod fax;
pub mod inflate;
pub mod jpeg;
pub mod lerc;
pub mod lzma;
pub mod lzw;
pub mod packbits;
pub mod runs;
pub mod ycbcr;
pub mod zstd;

use fuse_core::{abi, Error, Result};
use fuse_raster::store as raster;
use fuse_raster::{predictor, short, Params};

/// Decodes a chunk into `out`, which is filled whole: rows the chunk does not hold become zero.
pub fn decode(p: &Params, input: &[u8], out: &mut [u8]) -> Result<usize> {
    if out.len() < p.out_bytes()? {
        return Err(Error::limit("the output buffer is smaller than the chunk"));
    }
    let reversed;
    let input = if p.reversed_bits(input) {
        reversed = input.iter().map(|b| b.reverse_bits()).collect::<Vec<u8>>();
        &reversed[..]
    } else {
        input
    };
    match p.compression {
        2 | 3 | 4 | 32771 => {
            if p.bits != 1 || p.samples != 1 {
                return Err(Error::corrupt(
                    "fax compression of samples that are not single bits",
                ));
            }
            let rows = fax::decode(input, p.compression, p.fax_options, p.width, p.stored_rows)?;
            return raster::store(p, &rows, out);
        }
        6 => return jpeg::decode_old(p, input, out),
        7 | 33007 | 34892 => return jpeg::decode(p, input, out),
        34887 => return lerc::decode(p, input, out),
        _ => {}
    }
    let chroma = ycbcr::applies(p);
    if bands::applies(p.compression)
        && !chroma
        && (p.skipped_rows > 0 || p.out_bytes()? >= bands::LARGE_BYTES)
    {
        return bands::decode(p, input, out);
    }
    let stored = if chroma {
        ycbcr::stored_bytes(p)
    } else {
        p.stored_bytes()?
    };
    let mut rows = match p.compression {
        1 => {
            let raw = input
                .get(..stored)
                .ok_or_else(|| short(input.len(), stored))?;
            return if chroma {
                ycbcr::store(p, raw, out)
            } else {
                raster::store(p, raw, out)
            };
        }
        5 => lzw::decode(input, stored)?,
        8 | 32946 | 50013 => inflate::decode(input, stored)?,
        32766 if p.samples == 1 && p.bits == 2 => runs::next(input, p.width, p.stored_rows)?,
        32809 if p.samples == 1 && p.bits == 4 => runs::thunder(input, p.width, p.stored_rows)?,
        32773 => packbits::decode(input, stored)?,
        34925 => lzma::decode(input, stored)?,
        34926 | 50000 => zstd::decode(input, stored)?,
        other => {
            return Err(Error::unsupported(format!(
                "TIFF compression {other} is not decoded"
            )))
        }
    };
    if chroma {
        if p.predictor == 2 && p.subsampling == (1, 1) {
            rows.chunks_exact_mut(p.row_bytes()?)
                .for_each(|row| predictor::sum8(row, 3));
        }
        ycbcr::store(p, &rows, out)
    } else {
        raster::store_mut(p, &mut rows, out)
    }
}

/// Decodes one tile or strip. `params` points to the words described by
/// [`fuse_raster::params`]; the output is filled to `out_length`.
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
