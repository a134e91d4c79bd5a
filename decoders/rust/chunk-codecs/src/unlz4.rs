//! The decoder of LZ4 blocks (lz4_Block_format.md), with every length and distance checked.

use crate::simd::{load, splat8, store, swizzle, V};
use fuse_core::{Error, Result};

const MIN_MATCH: usize = 4;
/// Bytes that fast copies may read or write past what they should.
const SLACK: usize = 32;

/// Decompresses a whole block into `dst`; returns the bytes written.
pub fn decode(src: &[u8], dst: &mut [u8]) -> Result<usize> {
    let (mut at, mut out) = (0usize, 0usize);
    let (from, to) = (src.as_ptr(), dst.as_mut_ptr());
    loop {
        let token = *src.get(at).ok_or_else(|| short(at))?;
        at += 1;
        let literals = match token >> 4 {
            15 => long(src, &mut at)?,
            few => usize::from(few),
        };
        let (left, room) = (src.len() - at, dst.len() - out);
        if literals > left {
            return Err(short(at));
        }
        if literals > room {
            return Err(overfull(at));
        }
        // SAFETY: `literals` bytes are left on both sides; 16 when a whole vector is moved.
        unsafe {
            if literals <= 16 && left >= 16 && room >= 16 {
                store(to.add(out), load(from.add(at)));
            } else {
                std::ptr::copy_nonoverlapping(from.add(at), to.add(out), literals);
            }
        }
        at += literals;
        out += literals;
        if at == src.len() {
            return Ok(out);
        }
        let Some(&[low, high]) = src.get(at..).and_then(|rest| rest.first_chunk::<2>()) else {
            return Err(short(at));
        };
        let distance = usize::from(u16::from_le_bytes([low, high]));
        if distance == 0 || distance > out {
            return Err(Error::corrupt(format!("lz4 match distance {distance} at {out}")).at(at));
        }
        at += 2;
        let length = MIN_MATCH
            + match token & 15 {
                15 => long(src, &mut at)?,
                few => usize::from(few),
            };
        let room = dst.len() - out;
        if length > room {
            return Err(overfull(at));
        }
        // SAFETY: `distance` bytes lie before `out`, `length` after it, and the slack when it is used.
        unsafe {
            let quick = length.min(room.saturating_sub(SLACK));
            repeat(to.add(out), distance, quick);
            for i in out + quick..out + length {
                *to.add(i) = *to.add(i - distance);
            }
        }
        out += length;
    }
}

/// Writes `length` bytes at `to`, each equal to the one `distance` before it, and perhaps some more:
/// unless `length` is 0, [`SLACK`] bytes behind them must be there.
#[inline(always)]
unsafe fn repeat(to: *mut u8, distance: usize, length: usize) {
    if length == 0 {
        // Near the end there may be no whole vector to read.
        return;
    }
    let from = to.sub(distance).cast_const();
    let mut i = 0;
    if distance >= 16 {
        while i < length {
            store(to.add(i), load(from.add(i)));
            i += 16;
        }
    } else {
        // The vector read reaches past `to`, but only its first `distance` bytes are used.
        let (places, step) = &REPEATS[distance];
        let pattern = match distance {
            1 => splat8(*from),
            _ => swizzle(load(from), load(places.as_ptr())),
        };
        while i < length {
            store(to.add(i), pattern);
            i += step;
        }
    }
}

/// For each distance below 16: which byte of the period goes where, and how far whole periods reach.
static REPEATS: [([u8; 16], usize); 16] = repeats();

const fn repeats() -> [([u8; 16], usize); 16] {
    let mut table = [([0u8; 16], 16usize); 16];
    let mut distance = 1;
    while distance < 16 {
        let mut i = 0;
        while i < 16 {
            table[distance].0[i] = (i % distance) as u8;
            i += 1;
        }
        table[distance].1 = 16 / distance * distance;
        distance += 1;
    }
    table
}

/// The tail of a length whose part in the token is 15.
#[inline]
fn long(src: &[u8], at: &mut usize) -> Result<usize> {
    let mut length = 15usize;
    loop {
        let byte = *src.get(*at).ok_or_else(|| short(*at))?;
        *at += 1;
        length = length.saturating_add(usize::from(byte));
        if byte != 255 {
            // Far more than any block holds, and safe to add to.
            return Ok(length.min(usize::MAX >> 1));
        }
    }
}

#[cold]
fn short(at: usize) -> Error {
    Error::corrupt("lz4 block ends inside a sequence").at(at)
}

#[cold]
fn overfull(at: usize) -> Error {
    Error::corrupt("lz4 block holds more than it should").at(at)
}

/// A vector is all the slack a repeat needs.
const _: () = assert!(SLACK >= 2 * size_of::<V>());

#[cfg(test)]
mod tests {
    use super::*;

    /// Found by fuzzing under the address sanitizer: a vector was read past a buffer's end for matches
    /// that were then copied byte by byte. Sanitizers and Miri see it in this test.
    #[test]
    fn short_matches_at_the_very_end_read_nothing_behind_it() {
        for distance in 1..16u8 {
            let literals: Vec<u8> = (0..distance).collect();
            let mut packed = vec![distance << 4];
            packed.extend((distance == 15).then_some(0));
            packed.extend(&literals);
            packed.extend([distance, 0, 0]);
            let mut out = vec![0; usize::from(distance) + MIN_MATCH];
            assert_eq!(decode(&packed, &mut out), Ok(out.len()));
            for (i, byte) in out.iter().enumerate() {
                assert_eq!(*byte, (i % usize::from(distance)) as u8);
            }
        }
    }
}
