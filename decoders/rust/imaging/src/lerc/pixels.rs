//! The values of a blob: constant, raw, Huffman-coded, or in blocks of bit-stuffed steps.

use super::bits::{counted, Code, WordBits};
use super::cursor::{corrupt, Cursor};
use super::header::Header;
use super::{Blob, Kind};
use fuse_core::{Error, Result};

/// Decodes the values of all valid pixels.
pub fn fill(c: &mut Cursor, h: &Header, blob: &mut Blob) -> Result<()> {
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
