//! The header of a blob, its checksum, and its mask of valid pixels.

use super::cursor::{corrupt, Cursor};
use super::{Kind, KINDS};
use fuse_core::{Error, Result};

/// What a blob says of itself.
pub struct Header {
    pub version: i32,
    pub width: usize,
    pub height: usize,
    pub depth: usize,
    pub valid: usize,
    pub block: usize,
    pub kind: Kind,
    pub error: f64,
    pub low: f64,
    pub high: f64,
    pub size: usize,
}

/// Reads and checks the header.
pub fn header(c: &mut Cursor) -> Result<Header> {
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

/// The valid pixels: run-length coded bits, most significant first, or those of the band before.
pub fn mask(
    c: &mut Cursor,
    h: &Header,
    pixels: usize,
    earlier: Option<&[bool]>,
) -> Result<Vec<bool>> {
    let length = usize::try_from(c.i32()?).map_err(|_| corrupt("mask"))?;
    if h.valid == 0 || h.valid == pixels {
        c.take(length)?;
        return Ok(vec![h.valid > 0; pixels]);
    }
    if length == 0 {
        let earlier = earlier.filter(|m| m.len() == pixels);
        return Ok(earlier.ok_or_else(|| corrupt("mask"))?.to_vec());
    }
    let mut runs = Cursor::new(c.take(length)?);
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
