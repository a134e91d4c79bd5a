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

    /// 700 x + 1100 y, 16 bits
    const PICTURE: [u8; 103] = [
        0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44,
        0x52, 0x00, 0x00, 0x00, 0x05, 0x00, 0x00, 0x00, 0x06, 0x10, 0x00, 0x00, 0x00, 0x00, 0x7e,
        0x00, 0xd7, 0xd4, 0x00, 0x00, 0x00, 0x2e, 0x49, 0x44, 0x41, 0x54, 0x08, 0x99, 0x63, 0x66,
        0x60, 0x60, 0xda, 0xc3, 0x22, 0xc5, 0xf6, 0x83, 0xed, 0x1a, 0x0b, 0x8b, 0x0f, 0xb3, 0x0f,
        0xd3, 0x1e, 0x66, 0x0e, 0x66, 0x1f, 0x10, 0x93, 0x03, 0xc2, 0x81, 0x30, 0xc1, 0x1c, 0x16,
        0x56, 0x88, 0x34, 0x54, 0x01, 0x94, 0x03, 0x00, 0x74, 0x7e, 0x0a, 0x52, 0x29, 0xa3, 0xaf,
        0x85, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
    ];

    #[test]
    fn gives_16_bit_samples_little_endian() {
        let image = decode(&PICTURE, 1 << 20).unwrap();
        assert_eq!(
            (image.width, image.height, image.samples, image.bytes),
            (5, 6, 1, 2)
        );
        for (k, b) in image.data.chunks_exact(2).enumerate() {
            assert_eq!(
                usize::from(u16::from_le_bytes([b[0], b[1]])),
                k % 5 * 700 + k / 5 * 1100
            );
        }
    }

    #[test]
    fn refuses_what_is_no_png() {
        assert!(decode(b"\x89PNG\r\n\x1a\n", 1 << 20).is_err());
        assert!(decode(b"", 1 << 20).is_err());
    }
}
