//! JPEG tiles and strips (TIFF Technical Note 2, compression 7): shared tables spliced in, colour as
//! the photometric interpretation says.

use crate::jpeg::{self, Colour, Process, Stream};
use fuse_core::Result;
use fuse_raster::params::product;
use fuse_raster::{store_pixels, Params};

/// Decodes an old-style strip or tile (compression 6): bare entropy-coded data behind the header the
/// host has built in `p.tables`, whose frame gets the height of this chunk.
pub fn decode_old(p: &Params, input: &[u8], out: &mut [u8]) -> Result<usize> {
    if input.starts_with(&[0xff, 0xd8]) {
        return decode(p, input, out);
    }
    let mut bytes = p.tables.to_vec();
    bytes.extend_from_slice(input);
    let mut stream = Stream::splice(&[], &bytes)?;
    stream.set_height(p.stored_rows);
    decode_stream(p, &stream, out)
}

/// Decodes an interchange or abbreviated stream into the chunk.
pub fn decode(p: &Params, input: &[u8], out: &mut [u8]) -> Result<usize> {
    decode_stream(p, &Stream::splice(p.tables, input)?, out)
}

/// Samples a coded picture may have however small its chunk is: a strip may be coded as the tallest.
const FREE_SAMPLES: usize = 1 << 22;

fn decode_stream(p: &Params, stream: &Stream, out: &mut [u8]) -> Result<usize> {
    let samples = product(&[p.width, p.rows, p.samples])?;
    let most = samples.saturating_mul(4).max(FREE_SAMPLES);
    let colour = match (stream.components, p.photometric) {
        (3, 6) => Colour::YCbCr,
        // Writers of YCbCr data that keep photometric RGB leave a JFIF marker; others mean RGB.
        (3, 2) if stream.jfif => Colour::YCbCr,
        (4, 5) if stream.adobe == Some(2) => Colour::Ycck,
        (3, 0 | 1) => Colour::Guess,
        _ => Colour::Plain,
    };
    let mut image = jpeg::decode(stream, colour, most)?;
    // DNG codes neighbouring pixels of one sample as components of a lossless picture.
    if stream.process == Process::Lossless && image.samples != p.samples {
        let line = image.width * image.samples;
        if line.is_multiple_of(p.samples) && line / p.samples >= p.width {
            image.width = line / p.samples;
            image.samples = p.samples;
        }
    }
    store_pixels(p, &image, out)
}
