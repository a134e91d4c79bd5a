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
    if decoder.is_animated() {
        return Err(Error::unsupported("an animated WebP picture as a tile"));
    }
    check_frame(data, width, height)?;
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

/// Refuses a lossy frame of another size than the picture: its buffers would be made first.
fn check_frame(data: &[u8], width: u32, height: u32) -> Result<()> {
    let mut at = 12usize;
    while let Some(head) = data.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let [b'V', b'P', b'8', b' ', ..] = head else {
            let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
            // Chunks are padded to an even length.
            at = at.saturating_add(8).saturating_add(length);
            at = at.saturating_add(length % 2);
            continue;
        };
        let Some(&[a, b, c, d]) = data.get(at + 14..).and_then(|size| size.first_chunk()) else {
            return Err(Error::truncated("the WebP frame ends inside its header").at(at));
        };
        // Two bits of each are a scale for display.
        let coded = [[a, b], [c, d]].map(|size| u32::from(u16::from_le_bytes(size) & 0x3fff));
        if coded != [width, height] {
            return Err(Error::corrupt(format!(
                "a WebP frame of {}x{} in a picture of {width}x{height}",
                coded[0], coded[1]
            ))
            .at(at));
        }
        return Ok(());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 7 x + 11 y, the same upside down, and 100 more, lossless
    const PICTURE: [u8; 64] = [
        0x52, 0x49, 0x46, 0x46, 0x38, 0x00, 0x00, 0x00, 0x57, 0x45, 0x42, 0x50, 0x56, 0x50, 0x38,
        0x4c, 0x2c, 0x00, 0x00, 0x00, 0x2f, 0x04, 0x40, 0x01, 0x00, 0xcd, 0x55, 0x20, 0xa2, 0xff,
        0xb1, 0x8b, 0x88, 0xfe, 0x07, 0x08, 0xb3, 0x8d, 0x9e, 0x45, 0x9a, 0x3f, 0xd4, 0x39, 0x1c,
        0x82, 0x40, 0x20, 0x89, 0x62, 0x7f, 0x9d, 0xad, 0x04, 0x02, 0x29, 0x8e, 0x62, 0x8b, 0x23,
        0x7b, 0x00, 0x58, 0xfd,
    ];

    #[test]
    fn decodes_colours_and_adds_the_alpha_that_is_wanted() {
        let image = decode(&PICTURE, 3, 1 << 20).unwrap();
        assert_eq!((image.width, image.height, image.samples), (5, 6, 3));
        let (x, y) = (3, 2);
        let wanted = [7 * x + 11 * y, 7 * x + 11 * (5 - y), 7 * x + 11 * y + 100];
        let at = (y * 5 + x) * 3;
        assert_eq!(image.data[at..at + 3], wanted.map(|v| v as u8));
        let opaque = decode(&PICTURE, 4, 1 << 20).unwrap();
        assert_eq!(opaque.data[(y * 5 + x) * 4 + 3], 255);
        assert!(decode(&PICTURE, 2, 1 << 20).is_err());
    }

    #[test]
    fn refuses_a_frame_larger_than_the_picture() {
        // Found by fuzzing: 16x16 pixels outside, 7567x6408 inside.
        let mut data = b"RIFF\x2a\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x0f\0\0\x0f\0\0".to_vec();
        data.extend(b"VP8 \x14\0\0\0\xf0\x10\0\x9d\x01\x2a\x8f\x1d\x08\x19");
        data.extend([0xcf; 10]);
        let Err(error) = decode(&data, 3, 1 << 20) else {
            panic!("decoded")
        };
        assert!(error.message.contains("7567x6408"), "{}", error.message);
        assert!(check_frame(&data, 7567, 6408).is_ok());
        assert!(check_frame(&data[..40], 7567, 6408).is_err());
    }

    #[test]
    fn refuses_what_is_no_webp() {
        assert!(decode(b"RIFF\x04\0\0\0WEBP", 3, 1 << 20).is_err());
        assert!(decode(b"", 3, 1 << 20).is_err());
    }
}
