//! JPEG streams (ITU-T T.81): Huffman-coded sequential and progressive images of 8 bits, 12-bit
//! sequential images, and lossless ones.

mod dct;
pub mod entropy;
mod lossless;
pub mod stream;
pub mod wide;

use fuse_core::{Error, Result};
use fuse_raster::{check_size, Pixels};
pub use stream::{Process, Stream};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

/// What the components of a stream mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Luma and chroma, to become RGB.
    YCbCr,
    /// Luma, chroma and black, to become CMYK.
    Ycck,
    /// Nothing: components are passed on.
    Plain,
    /// As the stream's own markers say; without any, three components are YCbCr.
    Guess,
}

/// Decodes a whole stream of at most `most` samples, which is checked before anything of its size is
/// made.
pub fn decode(stream: &Stream, colour: Colour, most: usize) -> Result<Pixels> {
    check_size(
        stream.width as u64,
        stream.height as u64,
        stream.components as u64,
        most,
    )?;
    match stream.process {
        Process::Arithmetic => Err(Error::unsupported("JPEG with arithmetic coding")),
        Process::Sequential | Process::Progressive
            if stream.precision == 8 && matches!(stream.components, 1 | 3 | 4) =>
        {
            decode_8bit(stream, colour)
        }
        Process::Progressive => Err(Error::unsupported(format!(
            "progressive JPEG of {} bits and {} components",
            stream.precision, stream.components
        ))),
        Process::Sequential | Process::Lossless => wide::decode(stream, colour, most),
    }
}

fn decode_8bit(stream: &Stream, colour: Colour) -> Result<Pixels> {
    let bytes = stream.with_transform(match colour {
        Colour::YCbCr => Some(1),
        Colour::Ycck => Some(2),
        Colour::Plain => Some(0),
        Colour::Guess => stream.adobe,
    });
    let space = match stream.components {
        1 => ColorSpace::Luma,
        3 => ColorSpace::RGB,
        _ => ColorSpace::CMYK,
    };
    let options = DecoderOptions::default()
        .set_max_width(65_535)
        .set_max_height(65_535)
        .jpeg_set_max_scans(1000)
        .set_strict_mode(true)
        .jpeg_set_out_colorspace(space);
    let pixels = match run(&bytes, options) {
        Ok(pixels) => pixels,
        // A stream with its end marker is whole: what the strict decoder objects to is a matter of form.
        Err(_) if stream.ended => run(&bytes, options.set_strict_mode(false))?,
        Err(e) => return Err(e),
    };
    let (width, height) = (stream.width, stream.height);
    if pixels.len() != width * height * stream.components {
        return Err(Error::corrupt(
            "the JPEG stream decodes to another size than it states",
        ));
    }
    Ok(Pixels {
        width,
        height,
        samples: stream.components,
        bytes: 1,
        data: pixels,
    })
}

fn run(bytes: &[u8], options: DecoderOptions) -> Result<Vec<u8>> {
    JpegDecoder::new_with_options(ZCursor::new(bytes), options)
        .decode()
        .map_err(|e| Error::corrupt(format!("invalid JPEG data: {e}")))
}
