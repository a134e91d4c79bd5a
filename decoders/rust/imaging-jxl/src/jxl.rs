//! JPEG XL tiles (TIFF compressions 50002 and 52546).

use fuse_core::{buffer, Error, Result};
use fuse_raster::{check_size, Pixels};
use jxl_oxide::{image::BitDepth, AllocTracker, JxlImage};
use std::borrow::Cow;

/// How a file in boxes begins (ISO/IEC 18181-2).
const CONTAINER: &[u8] = b"\0\0\0\x0cJXL \r\n\x87\n";
/// Memory for tables, and for each byte of the picture: planes of floats, several of them at once.
const TABLE_BYTES: usize = 64 << 20;
const PLANES: usize = 16;

/// The codestream alone. Boxes beside it (metadata, what a JPEG is rebuilt from) are not needed, and
/// may name sizes of gigabytes.
fn codestream(data: &[u8]) -> Cow<'_, [u8]> {
    let Some(mut rest) = data.strip_prefix(CONTAINER) else {
        return Cow::Borrowed(data);
    };
    let mut stream = Vec::new();
    while let Some((&[a, b, c, d, ref kind @ ..], _)) = rest.split_first_chunk::<8>() {
        let (head, length) = match u32::from_be_bytes([a, b, c, d]) {
            0 => (8, rest.len()),
            1 => match rest.get(8..16).and_then(|b| b.first_chunk()) {
                Some(&long) => (16, usize::try_from(u64::from_be_bytes(long)).unwrap_or(0)),
                None => break,
            },
            n => (8, n as usize),
        };
        // A box longer than the data is cut, as the codestream in it then is.
        let Some(body) = rest.get(head..length.min(rest.len())) else {
            break;
        };
        match kind {
            b"jxlc" => stream.extend_from_slice(body),
            b"jxlp" => stream.extend_from_slice(body.get(4..).unwrap_or_default()),
            _ => {}
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    Cow::Owned(stream)
}

/// Decodes a picture of at most `most` bytes to samples of `bytes` bytes, integers or floats.
pub fn decode(data: &[u8], bytes: usize, floats: bool, most: usize) -> Result<Pixels> {
    let invalid = |e: Box<dyn std::error::Error + Send + Sync>| {
        Error::corrupt(format!("invalid JPEG XL data: {e}"))
    };
    let memory = most.saturating_mul(PLANES).saturating_add(TABLE_BYTES);
    let tracker = AllocTracker::with_limit(memory);
    let mut image = JxlImage::builder().alloc_tracker(tracker).build_uninit();
    image.feed_bytes(&codestream(data)).map_err(invalid)?;
    let jxl_oxide::InitializeResult::Initialized(image) = image.try_init().map_err(invalid)? else {
        return Err(Error::truncated("the JPEG XL data end too early"));
    };
    let (width, height) = (image.width(), image.height());
    let extra = image.image_header().metadata.ec_info.len();
    let bits = match image.image_header().metadata.bit_depth {
        BitDepth::IntegerSample { bits_per_sample } => Some(bits_per_sample),
        BitDepth::FloatSample { .. } => None,
    };
    check_size(
        u64::from(width),
        u64::from(height),
        4 * (3 + extra as u64),
        most.saturating_mul(2),
    )?;
    if floats != bits.is_none() || !floats && bits.is_some_and(|b| b > 24) {
        return Err(Error::unsupported(format!(
            "JPEG XL samples of {bits:?} bits"
        )));
    }
    let render = image.render_frame(0).map_err(invalid)?;
    let decoded = render.image_all_channels();
    let (width, height, samples) = (decoded.width(), decoded.height(), decoded.channels());
    let mut out = buffer(width * height * samples * bytes, most)?;
    let top = bits.map_or(1.0, |b| ((1u64 << b) - 1) as f64);
    for (target, value) in out.chunks_exact_mut(bytes).zip(decoded.buf()) {
        match (floats, bytes) {
            (true, 4) => target.copy_from_slice(&value.to_le_bytes()),
            (false, 1 | 2 | 4) => {
                let code = (f64::from(*value) * top + 0.5).floor().clamp(0.0, top) as u32;
                target.copy_from_slice(&code.to_le_bytes()[..bytes]);
            }
            _ => {
                return Err(Error::unsupported(format!(
                    "JPEG XL samples of {bytes} bytes"
                )))
            }
        }
    }
    Ok(Pixels {
        width,
        height,
        samples,
        bytes,
        data: out,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 700 x + 1100 y, 16 bits, lossless
    const PICTURE: [u8; 111] = [
        0x00, 0x00, 0x00, 0x0c, 0x4a, 0x58, 0x4c, 0x20, 0x0d, 0x0a, 0x87, 0x0a, 0x00, 0x00, 0x00,
        0x14, 0x66, 0x74, 0x79, 0x70, 0x6a, 0x78, 0x6c, 0x20, 0x00, 0x00, 0x00, 0x00, 0x6a, 0x78,
        0x6c, 0x20, 0x00, 0x00, 0x00, 0x09, 0x6a, 0x78, 0x6c, 0x6c, 0x0a, 0x00, 0x00, 0x00, 0x46,
        0x6a, 0x78, 0x6c, 0x63, 0xff, 0x0a, 0x28, 0x00, 0x08, 0xe0, 0x07, 0x28, 0x5a, 0x04, 0x08,
        0x04, 0x01, 0x00, 0xb8, 0x00, 0x4b, 0x18, 0x8b, 0x15, 0x0a, 0x25, 0x6a, 0x48, 0x25, 0x38,
        0x8b, 0x57, 0xbc, 0xe2, 0x15, 0xaf, 0x3e, 0x1e, 0x12, 0x93, 0xfc, 0xa9, 0x1f, 0x3f, 0x81,
        0xe5, 0x2d, 0xc2, 0xd2, 0x16, 0x65, 0x05, 0xd8, 0x8a, 0x24, 0x83, 0x5a, 0x43, 0x39, 0x27,
        0xf1, 0xa0, 0xb6, 0x30, 0x6e, 0x09,
    ];

    #[test]
    fn decodes_lossless_16_bit_samples() {
        let image = decode(&PICTURE, 2, false, 1 << 20).unwrap();
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
        assert!(decode(&PICTURE, 2, true, 1 << 20).is_err());
    }

    #[test]
    fn only_the_codestream_is_taken_from_boxes() {
        let bare = &PICTURE[49..];
        assert_eq!(codestream(bare), bare);
        assert_eq!(codestream(&PICTURE), bare);
        let boxed = |kind: &[u8; 4], body: &[u8]| {
            let mut out = (body.len() as u32 + 8).to_be_bytes().to_vec();
            out.extend(kind);
            out.extend(body);
            out
        };
        // Found by fuzzing: data to rebuild a JPEG from, of gigabytes by their header.
        let halves = bare.split_at(20);
        let parts = [
            CONTAINER.to_vec(),
            boxed(b"jbrd", &[0xff; 40]),
            boxed(b"jxlp", &[&[0; 4], halves.0].concat()),
            boxed(b"jxlp", &[&[0x80, 0, 0, 1], halves.1].concat()),
        ]
        .concat();
        assert_eq!(codestream(&parts), bare);
        assert!(decode(&parts, 2, false, 1 << 20).is_ok());
        for end in 0..parts.len() {
            codestream(&parts[..end]);
        }
        let endless = [
            CONTAINER,
            b"\0\0\0\x01jxlc\xff\xff\xff\xff\xff\xff\xff\xff12",
        ]
        .concat();
        assert!(codestream(&endless).len() <= 2);
        let backwards = [CONTAINER, b"\0\0\0\x03jxlc"].concat();
        assert_eq!(codestream(&backwards), &b""[..]);
    }

    #[test]
    fn refuses_what_is_no_jpeg_xl() {
        assert!(decode(b"nothing", 1, false, 1 << 20).is_err());
        assert!(decode(&[0xff, 0x0a], 1, false, 1 << 20).is_err());
    }
}
