//! LERC version 2 blobs: rasters coded in blocks with a bounded error, with a mask of valid pixels.
//!
//! Source: Esri's published description and reference code of LERC (Apache-2.0), file versions 1 to 6.

mod bits;
mod cursor;
mod header;
mod pixels;

use cursor::{corrupt, Cursor};
use fuse_core::{buffer, Error, Result};
use header::{header, mask};
use pixels::fill;

/// Type of a blob's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    F32,
    F64,
}

const KINDS: [Kind; 8] = [
    Kind::I8,
    Kind::U8,
    Kind::I16,
    Kind::U16,
    Kind::I32,
    Kind::U32,
    Kind::F32,
    Kind::F64,
];

impl Kind {
    /// Bytes of a value.
    pub fn bytes(self) -> usize {
        match self {
            Kind::I8 | Kind::U8 => 1,
            Kind::I16 | Kind::U16 => 2,
            Kind::I32 | Kind::U32 | Kind::F32 => 4,
            Kind::F64 => 8,
        }
    }

    /// The little-endian bytes of "not a number", for floats.
    pub fn nan(self) -> Option<[u8; 8]> {
        let mut out = [0; 8];
        match self {
            Kind::F32 => out[..4].copy_from_slice(&f32::NAN.to_le_bytes()),
            Kind::F64 => out.copy_from_slice(&f64::NAN.to_le_bytes()),
            _ => return None,
        }
        Some(out)
    }

    pub(super) fn write(self, value: f64, out: &mut [u8]) {
        match self {
            Kind::I8 => out[0] = value as i64 as u8,
            Kind::U8 => out[0] = value as i64 as u8,
            Kind::I16 => out.copy_from_slice(&(value as i64 as i16).to_le_bytes()),
            Kind::U16 => out.copy_from_slice(&(value as i64 as u16).to_le_bytes()),
            Kind::I32 => out.copy_from_slice(&(value as i64 as i32).to_le_bytes()),
            Kind::U32 => out.copy_from_slice(&(value as i64 as u32).to_le_bytes()),
            Kind::F32 => out.copy_from_slice(&(value as f32).to_le_bytes()),
            Kind::F64 => out.copy_from_slice(&value.to_le_bytes()),
        }
    }

    pub(super) fn read(self, b: &[u8]) -> f64 {
        match self {
            Kind::I8 => f64::from(b[0] as i8),
            Kind::U8 => f64::from(b[0]),
            Kind::I16 => f64::from(i16::from_le_bytes([b[0], b[1]])),
            Kind::U16 => f64::from(u16::from_le_bytes([b[0], b[1]])),
            Kind::I32 => f64::from(i32::from_le_bytes([b[0], b[1], b[2], b[3]])),
            Kind::U32 => f64::from(u32::from_le_bytes([b[0], b[1], b[2], b[3]])),
            Kind::F32 => f64::from(f32::from_le_bytes([b[0], b[1], b[2], b[3]])),
            Kind::F64 => f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]),
        }
    }

    /// The type a tile's offset is stored in, which may be narrower than the values.
    pub(super) fn reduced(self, code: u8) -> Option<Kind> {
        let index = self as usize;
        let step = usize::from(code);
        let reduced = match self {
            Kind::I16 | Kind::I32 => index.checked_sub(step)?,
            Kind::U16 | Kind::U32 => index.checked_sub(2 * step)?,
            Kind::F32 => [6, 2, 1, 1][step],
            Kind::F64 => [7, 6, 4, 2][step],
            Kind::I8 | Kind::U8 => index,
        };
        KINDS.get(reduced).copied()
    }
}

/// A decoded blob.
pub struct Blob {
    pub width: usize,
    pub height: usize,
    /// Values of a pixel.
    pub depth: usize,
    pub kind: Kind,
    /// Little-endian values, pixel by pixel; zero where a pixel is not valid.
    pub values: Vec<u8>,
    pub valid: Vec<bool>,
}

/// Decodes a blob, or several that follow each other, each a band of one value, of at most `most`
/// pixels.
pub fn decode(data: &[u8], most: usize) -> Result<Blob> {
    let (mut blob, mut used) = decode_one(data, most, None)?;
    // Further bands are interleaved with the first.
    while data.get(used..used + 6) == Some(b"Lerc2 ") {
        let (next, size) = decode_one(&data[used..], most, Some(&blob.valid))?;
        if next.width != blob.width || next.height != blob.height || next.kind != blob.kind {
            return Err(corrupt("band"));
        }
        let (a, b) = (
            blob.depth * blob.kind.bytes(),
            next.depth * blob.kind.bytes(),
        );
        let mut both = buffer(blob.values.len() + next.values.len(), 1 << 31)?;
        for ((target, first), second) in both
            .chunks_exact_mut(a + b)
            .zip(blob.values.chunks_exact(a))
            .zip(next.values.chunks_exact(b))
        {
            target[..a].copy_from_slice(first);
            target[a..].copy_from_slice(second);
        }
        blob.values = both;
        blob.depth += next.depth;
        used += size;
    }
    Ok(blob)
}

fn decode_one(data: &[u8], most: usize, earlier: Option<&[bool]>) -> Result<(Blob, usize)> {
    if data.starts_with(b"CntZImage ") {
        return Err(Error::unsupported("LERC version 1"));
    }
    let mut cursor = Cursor::new(data);
    let h = header(&mut cursor)?;
    let pixels = h.width * h.height;
    if pixels > most || h.valid > pixels {
        return Err(corrupt("size"));
    }
    let valid = mask(&mut cursor, &h, pixels, earlier)?;
    let values = buffer(pixels * h.depth * h.kind.bytes(), 1 << 31)?;
    let mut blob = Blob {
        width: h.width,
        height: h.height,
        depth: h.depth,
        kind: h.kind,
        values,
        valid,
    };
    if h.valid > 0 {
        fill(&mut cursor, &h, &mut blob)?;
    }
    let size = if h.size > 0 { h.size } else { cursor.at };
    Ok((blob, size))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// noise, see `noise`
    const BYTES: [u8; 103] = [
        0x4c, 0x65, 0x72, 0x63, 0x32, 0x20, 0x04, 0x00, 0x00, 0x00, 0xe1, 0xf0, 0x9b, 0xda, 0x06,
        0x00, 0x00, 0x00, 0x05, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x1e, 0x00, 0x00, 0x00,
        0x08, 0x00, 0x00, 0x00, 0x67, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0xe0, 0x3f, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0xa0, 0x6e, 0x40, 0x00, 0x00, 0x00, 0x00, 0x00, 0xf5, 0x01, 0x00, 0x1f,
        0x7c, 0x1c, 0xf5, 0x11, 0x37, 0x9b, 0x42, 0x27, 0x44, 0x71, 0xdc, 0x8a, 0x76, 0x99, 0xcd,
        0x44, 0xf4, 0xe7, 0x15, 0x50, 0xc9, 0x85, 0x7f, 0xae, 0xf0, 0x75, 0x38, 0x39,
    ];
    /// x / 4 + y
    const FLOATS: [u8; 199] = [
        0x4c, 0x65, 0x72, 0x63, 0x32, 0x20, 0x04, 0x00, 0x00, 0x00, 0x49, 0x1c, 0x7a, 0x92, 0x06,
        0x00, 0x00, 0x00, 0x05, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x1e, 0x00, 0x00, 0x00,
        0x08, 0x00, 0x00, 0x00, 0xc7, 0x00, 0x00, 0x00, 0x06, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x18, 0x40, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0xc0, 0x40, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x80, 0x3e, 0x00, 0x00, 0x00,
        0x3f, 0x00, 0x00, 0x40, 0x3f, 0x00, 0x00, 0x80, 0x3f, 0x00, 0x00, 0x80, 0x3f, 0x00, 0x00,
        0xa0, 0x3f, 0x00, 0x00, 0xc0, 0x3f, 0x00, 0x00, 0xe0, 0x3f, 0x00, 0x00, 0x00, 0x40, 0x00,
        0x00, 0x00, 0x40, 0x00, 0x00, 0x10, 0x40, 0x00, 0x00, 0x20, 0x40, 0x00, 0x00, 0x30, 0x40,
        0x00, 0x00, 0x40, 0x40, 0x00, 0x00, 0x40, 0x40, 0x00, 0x00, 0x50, 0x40, 0x00, 0x00, 0x60,
        0x40, 0x00, 0x00, 0x70, 0x40, 0x00, 0x00, 0x80, 0x40, 0x00, 0x00, 0x80, 0x40, 0x00, 0x00,
        0x88, 0x40, 0x00, 0x00, 0x90, 0x40, 0x00, 0x00, 0x98, 0x40, 0x00, 0x00, 0xa0, 0x40, 0x00,
        0x00, 0xa0, 0x40, 0x00, 0x00, 0xa8, 0x40, 0x00, 0x00, 0xb0, 0x40, 0x00, 0x00, 0xb8, 0x40,
        0x00, 0x00, 0xc0, 0x40,
    ];
    /// masked
    const MASKED: [u8; 199] = [
        0x4c, 0x65, 0x72, 0x63, 0x32, 0x20, 0x04, 0x00, 0x00, 0x00, 0x28, 0xa5, 0xfd, 0xd6, 0x06,
        0x00, 0x00, 0x00, 0x05, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x1c, 0x00, 0x00, 0x00,
        0x08, 0x00, 0x00, 0x00, 0xc7, 0x00, 0x00, 0x00, 0x06, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x18, 0x40, 0x08, 0x00, 0x00, 0x00, 0x04, 0x00, 0xfe, 0xff, 0xff,
        0xbf, 0x00, 0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xc0, 0x40, 0x01, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x80, 0x3e, 0x00, 0x00, 0x00, 0x3f, 0x00, 0x00, 0x40, 0x3f, 0x00, 0x00,
        0x80, 0x3f, 0x00, 0x00, 0x80, 0x3f, 0x00, 0x00, 0xa0, 0x3f, 0x00, 0x00, 0xe0, 0x3f, 0x00,
        0x00, 0x00, 0x40, 0x00, 0x00, 0x00, 0x40, 0x00, 0x00, 0x10, 0x40, 0x00, 0x00, 0x20, 0x40,
        0x00, 0x00, 0x30, 0x40, 0x00, 0x00, 0x40, 0x40, 0x00, 0x00, 0x40, 0x40, 0x00, 0x00, 0x50,
        0x40, 0x00, 0x00, 0x60, 0x40, 0x00, 0x00, 0x70, 0x40, 0x00, 0x00, 0x80, 0x40, 0x00, 0x00,
        0x80, 0x40, 0x00, 0x00, 0x88, 0x40, 0x00, 0x00, 0x90, 0x40, 0x00, 0x00, 0x98, 0x40, 0x00,
        0x00, 0xa0, 0x40, 0x00, 0x00, 0xa8, 0x40, 0x00, 0x00, 0xb0, 0x40, 0x00, 0x00, 0xb8, 0x40,
        0x00, 0x00, 0xc0, 0x40,
    ];

    fn noise(k: usize) -> u8 {
        let (x, y) = (k % 5, k / 5);
        ((x * x * 31 + y * y * 17 + x * y * 7) % 251) as u8
    }

    #[test]
    fn decodes_bytes_exactly() {
        let blob = decode(&BYTES, 30).unwrap();
        assert_eq!(
            (blob.width, blob.height, blob.depth, blob.kind),
            (5, 6, 1, Kind::U8)
        );
        assert_eq!(blob.values, (0..30).map(noise).collect::<Vec<u8>>());
        assert!(blob.valid.iter().all(|v| *v));
    }

    #[test]
    fn decodes_floats_and_masks() {
        let value = |k: usize| (k % 5) as f32 / 4.0 + (k / 5) as f32;
        let read = |blob: &Blob| -> Vec<f32> {
            let bytes = blob.values.chunks_exact(4);
            bytes
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect()
        };
        let blob = decode(&FLOATS, 30).unwrap();
        assert_eq!(read(&blob), (0..30).map(value).collect::<Vec<f32>>());
        let masked = decode(&MASKED, 30).unwrap();
        for (k, v) in read(&masked).into_iter().enumerate() {
            let valid = k != 7 && k != 25;
            assert_eq!(
                (masked.valid[k], v),
                (valid, if valid { value(k) } else { 0.0 })
            );
        }
    }

    #[test]
    fn refuses_damaged_blobs() {
        for at in 0..BYTES.len() {
            let mut bad = BYTES;
            bad[at] ^= 0x55;
            assert!(decode(&bad, 30).is_err(), "byte {at}");
            assert!(decode(&BYTES[..at], 30).is_err(), "cut at {at}");
        }
        assert!(decode(&BYTES, 29).is_err());
        assert!(decode(b"CntZImage ", 29).is_err());
    }
}
