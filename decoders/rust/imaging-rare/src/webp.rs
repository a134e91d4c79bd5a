//! WebP tiles, lossless or lossy.

use fuse_core::{buffer, Error, Result};
use fuse_raster::{check_size, Pixels};
use image_webp::WebPDecoder;
use std::io::Cursor;

/// Decodes a picture with three or four samples, as the directory wants; an alpha channel that is not
/// coded is opaque.
pub fn decode(data: &[u8], samples: usize, most: usize) -> Result<Pixels> {
    let invalid = |e: image_webp::DecodingError| Error::corrupt(format!("invalid WebP data: {e}"));
    let mut decoder = WebPDecoder::new(Cursor::new(data)).map_err(invalid)?;
    let (width, height) = decoder.dimensions();
    check_size(u64::from(width), u64::from(height), 4, most)?;
    let size = decoder.output_buffer_size().unwrap_or(0);
    let mut coded = buffer(size, most)?;
    decoder.read_image(&mut coded).map_err(invalid)?;
    let (width, height) = (width as usize, height as usize);
    let have = if decoder.has_alpha() { 4 } else { 3 };
    if !(3..=4).contains(&samples) || coded.len() != width * height * have {
        return Err(Error::corrupt(format!(
            "WebP data for {samples} samples per pixel"
        )));
    }
    let data = if have == samples {
        coded
    } else {
        let mut out = vec![255u8; width * height * samples];
        for (target, pixel) in out.chunks_exact_mut(samples).zip(coded.chunks_exact(have)) {
            target[..3].copy_from_slice(&pixel[..3]);
        }
        out
    };
    Ok(Pixels {
        width,
        height,
        samples,
        bytes: 1,
        data,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_no_webp() {
        assert!(decode(b"RIFF\x04\0\0\0WEBP", 3, 1 << 20).is_err());
        assert!(decode(b"", 3, 1 << 20).is_err());
    }
}
