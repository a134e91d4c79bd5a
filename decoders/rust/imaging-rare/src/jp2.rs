//! JPEG 2000 codestreams and JP2 files (ITU-T T.800) with their samples as they are.

use fuse_core::{buffer, Error, Result};
use fuse_raster::{check_size, Pixels};
use hayro_jpeg2000::{DecodeSettings, DecoderContext, Image};

/// What the main header says that the decoder does not pass on.
struct Header {
    width: u32,
    height: u32,
    precision: u32,
    signed: bool,
    components: usize,
    /// The codestream turns its components into RGB by itself, or the decoder does so because the
    /// second and third are coarser than the first.
    transformed: bool,
}

fn header(data: &[u8]) -> Option<Header> {
    let start = data
        .windows(4)
        .position(|w| w == [0xff, 0x4f, 0xff, 0x51])?;
    let code = &data[start..];
    let u16_at = |at: usize| Some(u16::from_be_bytes([*code.get(at)?, *code.get(at + 1)?]));
    let u32_at = |at: usize| Some(u32::from(u16_at(at)?) << 16 | u32::from(u16_at(at + 2)?));
    let components = usize::from(u16_at(40)?);
    let depth = *code.get(42)?;
    let step = |component: usize| {
        let at = 43 + 3 * component;
        Some((*code.get(at)?, *code.get(at + 1)?))
    };
    let mut transformed = components == 3 && step(1)? == step(2)? && step(0)? != step(1)?;
    let mut at = 4 + usize::from(u16_at(4)?);
    while let (Some(marker), Some(length)) = (u16_at(at), u16_at(at + 2)) {
        if marker == 0xff52 {
            transformed |= *code.get(at + 8)? == 1;
        }
        if marker == 0xff90 || length < 2 {
            break;
        }
        at += 2 + usize::from(length);
    }
    Some(Header {
        width: u32_at(8)?.checked_sub(u32_at(16)?)?,
        height: u32_at(12)?.checked_sub(u32_at(20)?)?,
        precision: u32::from(depth & 0x7f) + 1,
        signed: depth & 0x80 != 0,
        components,
        transformed,
    })
}

/// Decodes a picture of at most `most` bytes; `chroma`: three components without a transform of their
/// own are luma and chroma, to become RGB.
pub fn decode(data: &[u8], chroma: bool, most: usize) -> Result<Pixels> {
    let head = header(data).ok_or_else(|| Error::corrupt("no JPEG 2000 codestream"))?;
    if head.precision > 24 {
        return Err(Error::unsupported(format!(
            "JPEG 2000 of {} bits",
            head.precision
        )));
    }
    let bytes = match head.precision {
        ..=8 => 1,
        9..=16 => 2,
        _ => 4,
    };
    let pixel = (bytes * head.components) as u64;
    check_size(u64::from(head.width), u64::from(head.height), pixel, most)?;
    let invalid =
        |e: hayro_jpeg2000::DecodeError| Error::corrupt(format!("invalid JPEG 2000 data: {e}"));
    let settings = DecodeSettings {
        resolve_palette_indices: false,
        strict: true,
        ..Default::default()
    };
    let image = Image::new(data, &settings).map_err(invalid)?;
    let (width, height) = (image.width() as usize, image.height() as usize);
    let mut context = DecoderContext::default();
    let decoded = image.decode(&mut context).map_err(invalid)?;
    let planes: Vec<&[f32]> = decoded.components().iter().map(|c| c.samples()).collect();
    if planes.is_empty() || planes.iter().any(|plane| plane.len() != width * height) {
        return Err(Error::unsupported(
            "JPEG 2000 components of different sizes",
        ));
    }
    let samples = planes.len();
    let mut out = buffer(width * height * samples * bytes, most)?;
    // The decoder lifts signed samples like unsigned ones.
    let middle = if head.signed {
        (1i64 << (head.precision - 1)) as f32
    } else {
        0.0
    };
    let top = ((1u64 << head.precision) - 1) as f32;
    let to_rgb = chroma && !head.transformed && samples == 3 && !head.signed;
    for (i, pixel) in out.chunks_exact_mut(samples * bytes).enumerate() {
        let mut write = |k: usize, value: f32| {
            let value = ((value + 0.5).floor().clamp(0.0, top) - middle) as i32;
            pixel[k * bytes..(k + 1) * bytes].copy_from_slice(&value.to_le_bytes()[..bytes]);
        };
        if to_rgb {
            let half = (1u32 << (head.precision - 1)) as f32;
            let (y, cb, cr) = (planes[0][i], planes[1][i] - half, planes[2][i] - half);
            write(0, y + 1.402 * cr);
            write(1, y - 0.344_136 * cb - 0.714_136 * cr);
            write(2, y + 1.772 * cb);
        } else {
            for (k, plane) in planes.iter().enumerate() {
                write(k, plane[i]);
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

    /// 700 x + 1100 y - 2000, signed, reversible
    const SIGNED: [u8; 170] = [
        0xff, 0x4f, 0xff, 0x51, 0x00, 0x29, 0x00, 0x00, 0x00, 0x00, 0x00, 0x05, 0x00, 0x00, 0x00,
        0x06, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x05, 0x00, 0x00,
        0x00, 0x06, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x8f, 0x01, 0x01,
        0xff, 0x52, 0x00, 0x0c, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x04, 0x04, 0x00, 0x01, 0xff,
        0x5c, 0x00, 0x04, 0x40, 0x80, 0xff, 0x64, 0x00, 0x25, 0x00, 0x01, 0x43, 0x72, 0x65, 0x61,
        0x74, 0x65, 0x64, 0x20, 0x62, 0x79, 0x20, 0x4f, 0x70, 0x65, 0x6e, 0x4a, 0x50, 0x45, 0x47,
        0x20, 0x76, 0x65, 0x72, 0x73, 0x69, 0x6f, 0x6e, 0x20, 0x32, 0x2e, 0x35, 0x2e, 0x34, 0xff,
        0x90, 0x00, 0x0a, 0x00, 0x00, 0x00, 0x00, 0x00, 0x40, 0x00, 0x01, 0xff, 0x93, 0xc3, 0xff,
        0x00, 0x16, 0x80, 0x29, 0x01, 0x3f, 0xc3, 0x86, 0xdb, 0x81, 0x27, 0x93, 0x1d, 0x98, 0x83,
        0xa6, 0x72, 0x90, 0xb9, 0x84, 0x51, 0xd0, 0x5f, 0x41, 0x2b, 0x56, 0xcb, 0xcf, 0x20, 0x85,
        0xb2, 0x89, 0x14, 0x37, 0x9b, 0xde, 0xb9, 0xad, 0xca, 0x20, 0xba, 0x2f, 0xb9, 0xe5, 0xb4,
        0xda, 0x12, 0xa9, 0xff, 0xd9,
    ];

    #[test]
    fn keeps_signed_samples() {
        let image = decode(&SIGNED, false, 1 << 20).unwrap();
        assert_eq!(
            (image.width, image.height, image.samples, image.bytes),
            (5, 6, 1, 2)
        );
        for (k, b) in image.data.chunks_exact(2).enumerate() {
            let wanted = (k % 5 * 700 + k / 5 * 1100) as i32 - 2000;
            assert_eq!(i32::from(i16::from_le_bytes([b[0], b[1]])), wanted);
        }
        assert!(decode(&SIGNED, false, 59).is_err());
        assert!(decode(&SIGNED[..80], false, 1 << 20).is_err());
    }

    #[test]
    fn refuses_what_is_no_codestream() {
        assert!(decode(b"nothing", false, 1 << 20).is_err());
        assert!(decode(&[0xff, 0x4f, 0xff, 0x51, 0, 41], false, 1 << 20).is_err());
    }
}
