//! JPEG tiles and strips (TIFF Technical Note 2, compression 7): shared tables spliced in, colour as
//! the photometric interpretation says.

use crate::jpeg::{self, Colour, Stream};
use fuse_core::Result;
use fuse_raster::{store_pixels, Params};

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
    store_pixels(p, &jpeg::decode(&stream, colour)?, out)
}
