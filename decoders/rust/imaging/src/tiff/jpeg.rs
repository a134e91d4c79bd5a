//! JPEG tiles and strips (TIFF Technical Note 2, compression 7): shared tables spliced in, colour as
//! the photometric interpretation says.

use super::params::Params;
use super::raster;
use crate::jpeg::{self, Colour, Stream};
use fuse_core::{Error, Result};

/// Decodes an interchange or abbreviated stream into the chunk.
pub fn decode(p: &Params, input: &[u8], out: &mut [u8]) -> Result<usize> {
    let stream = Stream::splice(p.tables, input)?;
    let colour = match (stream.components, p.photometric) {
        (3, 6) => Colour::YCbCr,
        // Writers of YCbCr data that keep photometric RGB leave a JFIF marker; others mean RGB.
        (3, 2) if stream.jfif => Colour::YCbCr,
        (4, 5) if stream.adobe == Some(2) => Colour::Ycck,
        (3, 0 | 1) => Colour::Guess,
        _ => Colour::Plain,
    };
    store(p, &jpeg::decode(&stream, colour)?, out)
}

/// Puts a decoded image into the chunk, cropped to its size; an image smaller than the chunk leaves
/// zeros, as tiles at the edges may be stored cropped.
pub fn store(p: &Params, image: &jpeg::Image, out: &mut [u8]) -> Result<usize> {
    if image.components != p.samples || image.bytes != p.out_width {
        return Err(Error::corrupt(format!(
            "the JPEG stream has {} components of {} bytes, the directory says {} of {}",
            image.components, image.bytes, p.samples, p.out_width
        )));
    }
    let total = p.out_bytes()?;
    let line = image.width * image.components * image.bytes;
    let wanted = p.width * p.samples * p.out_width;
    if image.width < p.width || image.height < p.stored_rows {
        out[..total].fill(0);
    }
    let mut padded = vec![0u8; if image.width < p.width { wanted } else { 0 }];
    for (y, row) in image
        .pixels
        .chunks_exact(line)
        .take(p.stored_rows)
        .enumerate()
    {
        if image.width < p.width {
            padded[..line].copy_from_slice(row);
            raster::planar(p, &padded, y, out);
        } else {
            raster::planar(p, &row[..wanted], y, out);
        }
    }
    raster::clear_rest(p, out);
    Ok(total)
}
