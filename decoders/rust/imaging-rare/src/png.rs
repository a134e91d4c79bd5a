//! PNG tiles (TIFF compression 34933) with their samples as stored.

use fuse_core::{buffer, Error, Result};
use fuse_raster::{check_size, unpack, Pixels};
use png::{BitDepth, Decoder, Transformations};
use std::io::Cursor;

/// Decodes a picture of at most `most` bytes; 1, 2 and 4-bit samples are widened, values unchanged.
pub fn decode(data: &[u8], most: usize) -> Result<Pixels> {
    let invalid = |e: png::DecodingError| Error::corrupt(format!("invalid PNG data: {e}"));
    let mut decoder = Decoder::new(Cursor::new(data));
    decoder.set_transformations(Transformations::IDENTITY);
    let mut reader = decoder.read_info().map_err(invalid)?;
    let info = reader.info();
    let (width, height) = (info.width as usize, info.height as usize);
    let samples = info.color_type.samples();
    let depth = info.bit_depth;
    check_size(
        u64::from(info.width),
        u64::from(info.height),
        2 * samples as u64,
        most,
    )?;
    let size = reader
        .output_buffer_size()
        .ok_or_else(|| Error::limit("a PNG too large"))?;
    let mut coded = buffer(size, most)?;
    let frame = reader.next_frame(&mut coded).map_err(invalid)?;
    let (bytes, data) = match depth {
        BitDepth::Eight => (1, coded),
        BitDepth::Sixteen => {
            coded.chunks_exact_mut(2).for_each(|w| w.swap(0, 1));
            (2, coded)
        }
        small => {
            let mut row = vec![0u64; width * samples];
            let mut out = Vec::with_capacity(width * height * samples);
            for line in coded.chunks_exact(frame.line_size).take(height) {
                unpack::row(line, small as u32, &mut row);
                out.extend(row.iter().map(|v| *v as u8));
            }
            (1, out)
        }
    };
    if data.len() != width * height * samples * bytes {
        return Err(Error::corrupt(
            "the PNG decodes to another size than it states",
        ));
    }
    Ok(Pixels {
        width,
        height,
        samples,
        bytes,
        data,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_no_png() {
        assert!(decode(b"\x89PNG\r\n\x1a\n", 1 << 20).is_err());
        assert!(decode(b"", 1 << 20).is_err());
    }
}
