//! The LZ4 block format (lz4_Block_format.md): a greedy encoder made for speed, and a checked decoder.

use fuse_core::{Error, Result};

const HASH_BITS: u32 = 12;
const MIN_MATCH: usize = 4;
/// A match may not start in the last 12 bytes, nor reach into the last 5.
const LAST_LITERALS: usize = 5;
const MATCH_LIMIT: usize = 12;
const MAX_DISTANCE: usize = 65_535;

/// Positions of the last occurrence of each hash, kept between blocks to save allocation.
pub struct Table([u32; 1 << HASH_BITS]);

impl Default for Table {
    fn default() -> Self {
        Table([0; 1 << HASH_BITS])
    }
}

/// The longest a compressed block can be.
pub fn bound(length: usize) -> usize {
    length + length / 255 + 16
}

fn hash(word: u32) -> usize {
    (word.wrapping_mul(2_654_435_761) >> (32 - HASH_BITS)) as usize
}

fn word(src: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([src[at], src[at + 1], src[at + 2], src[at + 3]])
}

/// Compresses `src` into `dst`; `None` when it does not fit.
pub fn encode(src: &[u8], dst: &mut [u8], table: &mut Table, acceleration: usize) -> Option<usize> {
    let table = &mut table.0;
    table.fill(0);
    let mut out = 0;
    let mut anchor = 0;
    if src.len() > MATCH_LIMIT {
        let limit = src.len() - MATCH_LIMIT;
        let mut at = 1;
        let mut misses = acceleration << 6;
        while at <= limit {
            let w = word(src, at);
            let slot = &mut table[hash(w)];
            let candidate = *slot as usize;
            *slot = at as u32;
            if candidate >= at || at - candidate > MAX_DISTANCE || word(src, candidate) != w {
                at += misses >> 6;
                misses += 1;
                continue;
            }
            misses = acceleration << 6;
            let (mut start, mut from) = (at, candidate);
            while start > anchor && from > 0 && src[start - 1] == src[from - 1] {
                start -= 1;
                from -= 1;
            }
            let mut end = at + MIN_MATCH;
            let last = src.len() - LAST_LITERALS;
            while end < last && src[end] == src[end - (start - from)] {
                end += 1;
            }
            out = sequence(
                dst,
                out,
                &src[anchor..start],
                Some((start - from, end - start)),
            )?;
            anchor = end;
            at = end;
        }
    }
    sequence(dst, out, &src[anchor..], None)
}

/// Writes literals and, unless it is the last sequence, a match of (distance, length).
fn sequence(
    dst: &mut [u8],
    mut out: usize,
    literals: &[u8],
    copy: Option<(usize, usize)>,
) -> Option<usize> {
    let length = copy.map_or(0, |(_, l)| l - MIN_MATCH);
    let token = (literals.len().min(15) << 4 | length.min(15)) as u8;
    put(dst, &mut out, token)?;
    put_length(dst, &mut out, literals.len())?;
    dst.get_mut(out..out + literals.len())?
        .copy_from_slice(literals);
    out += literals.len();
    if let Some((distance, _)) = copy {
        put(dst, &mut out, distance as u8)?;
        put(dst, &mut out, (distance >> 8) as u8)?;
        put_length(dst, &mut out, length)?;
    }
    Some(out)
}

fn put(dst: &mut [u8], out: &mut usize, byte: u8) -> Option<()> {
    *dst.get_mut(*out)? = byte;
    *out += 1;
    Some(())
}

fn put_length(dst: &mut [u8], out: &mut usize, length: usize) -> Option<()> {
    if length >= 15 {
        let mut rest = length - 15;
        while rest >= 255 {
            put(dst, out, 255)?;
            rest -= 255;
        }
        put(dst, out, rest as u8)?;
    }
    Some(())
}

/// Decompresses a whole block into `dst`; returns the bytes written.
pub fn decode(src: &[u8], dst: &mut [u8]) -> Result<usize> {
    let (mut at, mut out) = (0usize, 0usize);
    let short = |at: usize| Error::corrupt("lz4 block ends inside a sequence").at(at);
    loop {
        let token = *src.get(at).ok_or_else(|| short(at))?;
        at += 1;
        let literals = read_length(src, &mut at, usize::from(token >> 4))?;
        let from = src
            .get(at..at.saturating_add(literals))
            .ok_or_else(|| short(at))?;
        let too_long = || Error::corrupt("lz4 block holds more than it should").at(at);
        let to = dst
            .get_mut(out..out.saturating_add(literals))
            .ok_or_else(too_long)?;
        to.copy_from_slice(from);
        at += literals;
        out += literals;
        if at == src.len() {
            return Ok(out);
        }
        let distance = match src.get(at..at + 2) {
            Some(b) => usize::from(u16::from_le_bytes([b[0], b[1]])),
            None => return Err(short(at)),
        };
        if distance == 0 || distance > out {
            return Err(Error::corrupt(format!("lz4 match distance {distance} at {out}")).at(at));
        }
        at += 2;
        let length = read_length(src, &mut at, usize::from(token & 15))?.saturating_add(MIN_MATCH);
        if length > dst.len() - out {
            return Err(Error::corrupt("lz4 block holds more than it should").at(at));
        }
        for i in out..out + length {
            dst[i] = dst[i - distance];
        }
        out += length;
    }
}

fn read_length(src: &[u8], at: &mut usize, nibble: usize) -> Result<usize> {
    let mut length = nibble;
    if nibble == 15 {
        loop {
            let byte = *src
                .get(*at)
                .ok_or_else(|| Error::corrupt("lz4 block ends inside a length").at(*at))?;
            *at += 1;
            length = length.saturating_add(usize::from(byte));
            if byte != 255 {
                break;
            }
        }
    }
    Ok(length)
}
