//! What a TIFF tile or strip is, and the way from its stored rows to samples: byte order, predictor,
//! odd depths, planes instead of pixels.

pub mod params;
pub mod predictor;
pub mod store;
pub mod unpack;

pub use params::Params;

use fuse_core::{Error, Result};

/// The error of a chunk whose data end before its last row.
pub fn short(found: usize, expected: usize) -> Error {
    Error::truncated(format!("the chunk holds {found} of {expected} bytes"))
}

/// Decoded pixels, interleaved; samples of more than a byte are little-endian.
pub struct Pixels {
    pub width: usize,
    pub height: usize,
    pub samples: usize,
    /// Bytes of a sample.
    pub bytes: usize,
    pub data: Vec<u8>,
}

/// Puts a decoded picture into the chunk, cropped to its size; a picture smaller than the chunk leaves
/// zeros, for tiles at the edges may be stored cropped.
pub fn store_pixels(p: &Params, image: &Pixels, out: &mut [u8]) -> Result<usize> {
    if image.samples != p.samples || image.bytes != p.out_width {
        return Err(Error::corrupt(format!(
            "the coded picture has {} samples of {} bytes, the directory says {} of {}",
            image.samples, image.bytes, p.samples, p.out_width
        )));
    }
    let total = p.out_bytes()?;
    let line = image.width * image.samples * image.bytes;
    let wanted = p.width * p.samples * p.out_width;
    if image.width < p.width || image.height < p.stored_rows {
        out[..total].fill(0);
    }
    let mut padded = vec![0u8; if image.width < p.width { wanted } else { 0 }];
    for (y, row) in image
        .data
        .chunks_exact(line)
        .take(p.stored_rows)
        .enumerate()
    {
        if image.width < p.width {
            padded[..line].copy_from_slice(row);
            store::planar(p, &padded, y, out);
        } else {
            store::planar(p, &row[..wanted], y, out);
        }
    }
    store::clear_rest(p, out);
    Ok(total)
}

/// Fails when a picture of this size would take more than `most` bytes.
pub fn check_size(width: u64, height: u64, pixel_bytes: u64, most: usize) -> Result<()> {
    let bytes = width.saturating_mul(height).saturating_mul(pixel_bytes);
    if bytes == 0 {
        return Err(Error::corrupt("a picture without pixels"));
    }
    if bytes > most as u64 {
        return Err(Error::limit(format!(
            "the coded picture is {width}x{height}, far larger than its tile"
        )));
    }
    Ok(())
}
