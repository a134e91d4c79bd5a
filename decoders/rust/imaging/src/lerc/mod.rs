//! LERC version 2 blobs: rasters coded in blocks with a bounded error, with a mask of valid pixels.
//!
//! Source: Esri's published description and reference code of LERC (Apache-2.0), file versions 1 to 6.

mod bits;

use bits::{counted, Code, WordBits};
use fuse_core::{buffer, Error, Result};

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

    fn write(self, value: f64, out: &mut [u8]) {
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

    fn read(self, b: &[u8]) -> f64 {
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
    fn reduced(self, code: u8) -> Option<Kind> {
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

/// Reads little-endian numbers one after another.
pub struct Cursor<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(length);
        let bytes = end.and_then(|end| self.data.get(self.at..end));
        let bytes = bytes.ok_or_else(|| Error::truncated("LERC data end too early").at(self.at))?;
        self.at += length;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N)?);
        Ok(out)
    }

    pub fn u8(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }
    pub fn u16(&mut self) -> Result<u16> {
        Ok(u16::from_le_bytes(self.array()?))
    }
    pub fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }
    pub fn i32(&mut self) -> Result<i32> {
        Ok(i32::from_le_bytes(self.array()?))
    }
    fn f64(&mut self) -> Result<f64> {
        Ok(f64::from_le_bytes(self.array()?))
    }

    /// Little-endian 32-bit words.
    pub fn words(&mut self, count: usize) -> Result<Vec<u32>> {
        let bytes = self.take(count.checked_mul(4).ok_or_else(|| corrupt("count"))?)?;
        Ok(bytes
            .chunks_exact(4)
            .map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect())
    }
}

fn corrupt(what: &str) -> Error {
    Error::corrupt(format!("invalid LERC {what}"))
}

struct Header {
    version: i32,
    width: usize,
    height: usize,
    depth: usize,
    valid: usize,
    block: usize,
    kind: Kind,
    error: f64,
    low: f64,
    high: f64,
    size: usize,
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
    let mut cursor = Cursor { data, at: 0 };
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

fn header(c: &mut Cursor) -> Result<Header> {
    if c.take(6)? != b"Lerc2 " {
        return Err(corrupt("mark"));
    }
    let version = c.i32()?;
    if !(1..=6).contains(&version) {
        return Err(Error::unsupported(format!("LERC file version {version}")));
    }
    let stored = if version >= 3 { Some(c.u32()?) } else { None };
    let start = c.at;
    let dimension = |n: i32| {
        usize::try_from(n)
            .ok()
            .filter(|n| (1..=1 << 24).contains(n))
    };
    let size = |n: i32| dimension(n).ok_or_else(|| corrupt("size"));
    let height = size(c.i32()?)?;
    let width = size(c.i32()?)?;
    let depth = if version >= 4 { size(c.i32()?)? } else { 1 };
    let valid = usize::try_from(c.i32()?).map_err(|_| corrupt("pixel count"))?;
    let block = size(c.i32()?)?;
    let blob = usize::try_from(c.i32()?).map_err(|_| corrupt("length"))?;
    let kind = c.i32()?;
    let kind = usize::try_from(kind)
        .ok()
        .and_then(|k| KINDS.get(k))
        .ok_or_else(|| corrupt("type"))?;
    if version >= 6 {
        c.take(8)?;
    }
    let (error, low, high) = (c.f64()?, c.f64()?, c.f64()?);
    if version >= 6 {
        c.take(16)?;
    }
    if width
        .checked_mul(height)
        .and_then(|n| n.checked_mul(depth * 8))
        .is_none()
    {
        return Err(corrupt("size"));
    }
    if let Some(stored) = stored {
        let covered = c
            .data
            .get(start..blob)
            .ok_or_else(|| Error::truncated("LERC data end too early"))?;
        if fletcher32(covered) != stored {
            return Err(Error::corrupt("LERC data do not match their checksum"));
        }
    }
    Ok(Header {
        version,
        width,
        height,
        depth,
        valid,
        block,
        kind: *kind,
        error,
        low,
        high,
        size: blob,
    })
}

fn fletcher32(data: &[u8]) -> u32 {
    let (mut a, mut b) = (0xffffu32, 0xffffu32);
    let fold = |v: u32| (v & 0xffff) + (v >> 16);
    for block in data.chunks(718) {
        for pair in block.chunks(2) {
            a += u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
            b += a;
        }
        (a, b) = (fold(a), fold(b));
    }
    fold(b) << 16 | fold(a)
}

/// Run-length coded bits, most significant first.
fn mask(c: &mut Cursor, h: &Header, pixels: usize, earlier: Option<&[bool]>) -> Result<Vec<bool>> {
    let length = usize::try_from(c.i32()?).map_err(|_| corrupt("mask"))?;
    if h.valid == 0 || h.valid == pixels {
        c.take(length)?;
        return Ok(vec![h.valid > 0; pixels]);
    }
    if length == 0 {
        let earlier = earlier.filter(|m| m.len() == pixels);
        return Ok(earlier.ok_or_else(|| corrupt("mask"))?.to_vec());
    }
    let mut runs = Cursor {
        data: c.take(length)?,
        at: 0,
    };
    let bytes = pixels.div_ceil(8);
    let mut packed = Vec::with_capacity(bytes);
    while packed.len() < bytes {
        match i16::from_le_bytes(runs.array()?) {
            n @ 1.. => packed.extend_from_slice(runs.take(n as usize)?),
            i16::MIN => break,
            n => {
                let value = runs.u8()?;
                packed.resize(packed.len() + n.unsigned_abs() as usize, value);
            }
        }
        if packed.len() > bytes + (1 << 15) {
            return Err(corrupt("mask"));
        }
    }
    if packed.len() < bytes {
        return Err(corrupt("mask"));
    }
    Ok((0..pixels)
        .map(|k| packed[k / 8] & (0x80 >> (k % 8)) != 0)
        .collect())
}

fn fill(c: &mut Cursor, h: &Header, blob: &mut Blob) -> Result<()> {
    let width = h.kind.bytes();
    let constant = |blob: &mut Blob, lows: &[f64]| {
        for (pixel, valid) in blob
            .values
            .chunks_exact_mut(width * h.depth)
            .zip(&blob.valid)
        {
            if *valid {
                for (value, low) in pixel.chunks_exact_mut(width).zip(lows) {
                    h.kind.write(*low, value);
                }
            }
        }
    };
    if h.low == h.high {
        constant(blob, &vec![h.low; h.depth]);
        return Ok(());
    }
    let mut highs = vec![h.high; h.depth];
    if h.version >= 4 {
        let mut range = || -> Result<Vec<f64>> {
            Ok(c.take(width * h.depth)?
                .chunks_exact(width)
                .map(|b| h.kind.read(b))
                .collect())
        };
        let lows = range()?;
        highs = range()?;
        if lows == highs {
            constant(blob, &lows);
            return Ok(());
        }
    }
    if c.u8()? != 0 {
        // Values as they are, for data that do not compress.
        for (pixel, valid) in blob
            .values
            .chunks_exact_mut(width * h.depth)
            .zip(&blob.valid)
        {
            if *valid {
                pixel.copy_from_slice(c.take(width * h.depth)?);
            }
        }
        return Ok(());
    }
    let small = matches!(h.kind, Kind::I8 | Kind::U8);
    let floats = matches!(h.kind, Kind::F32 | Kind::F64);
    if h.version > 1 && small && h.error == 0.5 || h.version >= 6 && floats && h.error == 0.0 {
        match c.u8()? {
            0 => {}
            mode @ 1..=2 if small && (mode == 1 || h.version >= 4) => {
                return huffman(c, h, blob, mode == 1)
            }
            mode => return Err(Error::unsupported(format!("LERC lossless mode {mode}"))),
        }
    }
    tiles(c, h, blob, &highs)
}

/// Huffman-coded bytes, or their differences to the pixel before or above.
fn huffman(c: &mut Cursor, h: &Header, blob: &mut Blob, differences: bool) -> Result<()> {
    let code = Code::read(c, h.version)?;
    let left = (c.data.len() - c.at) / 4;
    let tail = (c.data.len() - c.at) % 4;
    let from = c.at;
    let mut words = c.words(left)?;
    if tail > 0 {
        let mut last = [0; 4];
        last[..tail].copy_from_slice(c.take(tail)?);
        words.push(u32::from_le_bytes(last));
    }
    let mut bits = WordBits::new(&words);
    let offset: u8 = if h.kind == Kind::I8 { 128 } else { 0 };
    let (w, d) = (h.width, h.depth);
    if differences {
        for band in 0..d {
            let mut previous = 0u8;
            for k in 0..w * h.height {
                if !blob.valid[k] {
                    continue;
                }
                let delta = (code.decode(&mut bits)? as u8).wrapping_sub(offset);
                let base = if !k.is_multiple_of(w) && blob.valid[k - 1] {
                    previous
                } else if k >= w && blob.valid[k - w] {
                    blob.values[(k - w) * d + band]
                } else {
                    previous
                };
                previous = base.wrapping_add(delta);
                blob.values[k * d + band] = previous;
            }
        }
    } else {
        for k in 0..w * h.height {
            if blob.valid[k] {
                for band in 0..d {
                    blob.values[k * d + band] =
                        (code.decode(&mut bits)? as u8).wrapping_sub(offset);
                }
            }
        }
    }
    if bits.overrun() {
        return Err(Error::truncated("LERC data end too early"));
    }
    // One more word than begun is stored, for readers that look ahead.
    c.at = from + 4 * (bits.words_used() + 1);
    Ok(())
}

/// Square blocks, each constant, raw, or bit-stuffed steps above an offset.
fn tiles(c: &mut Cursor, h: &Header, blob: &mut Blob, highs: &[f64]) -> Result<()> {
    for top in (0..h.height).step_by(h.block) {
        for left in (0..h.width).step_by(h.block) {
            for (band, high) in highs.iter().enumerate() {
                tile(c, h, blob, (top, left, band), *high)?;
            }
        }
    }
    Ok(())
}

fn tile(
    c: &mut Cursor,
    h: &Header,
    blob: &mut Blob,
    (top, left, band): (usize, usize, usize),
    high: f64,
) -> Result<()> {
    let width = h.kind.bytes();
    let bottom = (top + h.block).min(h.height);
    let right = (left + h.block).min(h.width);
    let flag = c.u8()?;
    let differences = h.version >= 5 && flag & 4 != 0;
    let pattern = if h.version >= 5 { 14 } else { 15 };
    if (flag >> 2) & pattern != ((left >> 3) & pattern as usize) as u8 || differences && band == 0 {
        return Err(corrupt("tile"));
    }
    let spots = (top..bottom).flat_map(|y| (left..right).map(move |x| y * h.width + x));
    let at = |k: usize| (k * h.depth + band) * width;
    let before = |values: &[u8], k: usize| {
        if differences {
            h.kind.read(&values[at(k) - width..at(k)])
        } else {
            0.0
        }
    };
    let kind = if differences && !matches!(h.kind, Kind::F32 | Kind::F64) {
        Kind::I32
    } else {
        h.kind
    };
    match flag & 3 {
        0 if !differences => {
            for k in spots.filter(|k| blob.valid[*k]).collect::<Vec<_>>() {
                blob.values[at(k)..at(k) + width].copy_from_slice(c.take(width)?);
            }
        }
        0 => return Err(corrupt("tile")),
        2 => {
            for k in spots {
                if blob.valid[k] {
                    let value = before(&blob.values, k);
                    h.kind.write(value, &mut blob.values[at(k)..at(k) + width]);
                }
            }
        }
        mode => {
            let stored = kind.reduced(flag >> 6).ok_or_else(|| corrupt("tile"))?;
            let offset = stored.read(c.take(stored.bytes())?);
            let steps = if mode == 1 {
                counted(c, h.version, (bottom - top) * (right - left))?
            } else {
                Vec::new()
            };
            let every = steps.len() == (bottom - top) * (right - left);
            let mut next = 0;
            for (i, k) in spots.enumerate() {
                if !blob.valid[k] {
                    continue;
                }
                let mut value = offset + before(&blob.values, k);
                if mode == 1 {
                    let index = if every { i } else { next };
                    let step = steps.get(index).ok_or_else(|| corrupt("tile"))?;
                    value += f64::from(*step) * 2.0 * h.error;
                }
                next += 1;
                if mode == 1 || differences {
                    value = value.min(high);
                }
                h.kind.write(value, &mut blob.values[at(k)..at(k) + width]);
            }
        }
    }
    Ok(())
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
