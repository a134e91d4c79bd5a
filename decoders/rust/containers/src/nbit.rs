//! The N-Bit filter (HDF5 filter 5): only the significant bits of each number are stored.

use crate::bits::BitReader;
use fuse_core::{buffer, Error, Result};

const ATOMIC: u32 = 1;
const ARRAY: u32 = 2;
const COMPOUND: u32 = 3;
const UNTOUCHED: u32 = 4;
/// Most types inside types.
const DEEPEST: u32 = 16;

/// A type, as the filter's parameters describe it.
enum Kind {
    /// Bytes, big-endian, significant bits, lowest of them.
    Number(usize, bool, u32, u32),
    /// Elements and their type.
    Array(usize, Box<Type>),
    /// Members with their places.
    Compound(Vec<(usize, Type)>),
    /// Bytes kept as they are.
    Bytes(usize),
}

struct Type {
    bytes: usize,
    kind: Kind,
}

/// Decodes a chunk. Parameters: their number, 1 when nothing was done, elements, the element's type.
pub fn decode(values: &[u32], data: &[u8], limit: usize) -> Result<Vec<u8>> {
    let at = |i: usize| values.get(i).copied().ok_or_else(short);
    if at(1)? != 0 {
        let mut out = buffer(data.len(), limit)?;
        out.copy_from_slice(data);
        return Ok(out);
    }
    let count = at(2)? as usize;
    let element = parse(values, &mut 3, 0)?;
    let total = count
        .checked_mul(element.bytes)
        .ok_or_else(|| Error::limit("n-bit chunk is too large"))?;
    let mut out = buffer(total, limit)?;
    let mut bits = BitReader::new(data);
    for to in out.chunks_exact_mut(element.bytes) {
        read(&element, &mut bits, to)?;
    }
    Ok(out)
}

fn short() -> Error {
    Error::corrupt("n-bit parameters are too few")
}

/// Reads a type from `values[*at..]`, its class first.
fn parse(values: &[u32], at: &mut usize, depth: u32) -> Result<Type> {
    if depth > DEEPEST {
        return Err(Error::limit("n-bit types too deep"));
    }
    let mut next = || {
        let value = values.get(*at).copied().ok_or_else(short);
        *at += 1;
        value
    };
    let class = next()?;
    let bytes = next()? as usize;
    if bytes == 0 {
        return Err(Error::corrupt("n-bit type of no bytes"));
    }
    let kind = match class {
        ATOMIC => {
            let (big, precision, offset) = (next()? == 1, next()?, next()?);
            if u64::from(precision) + u64::from(offset) > 8 * bytes as u64 || precision == 0 {
                return Err(Error::corrupt(format!(
                    "n-bit number of {precision} bits from {offset} in {bytes} bytes"
                )));
            }
            Kind::Number(bytes, big, precision, offset)
        }
        ARRAY => {
            let base = parse(values, at, depth + 1)?;
            match base.kind {
                Kind::Bytes(_) => Kind::Bytes(bytes),
                _ => Kind::Array(bytes / base.bytes, Box::new(base)),
            }
        }
        COMPOUND => {
            let count = next()? as usize;
            let mut members = Vec::new();
            for _ in 0..count {
                let offset = values.get(*at).copied().ok_or_else(short)? as usize;
                *at += 1;
                let member = parse(values, at, depth + 1)?;
                if offset.saturating_add(member.bytes) > bytes {
                    return Err(Error::corrupt("n-bit member outside its compound"));
                }
                members.push((offset, member));
            }
            Kind::Compound(members)
        }
        UNTOUCHED => Kind::Bytes(bytes),
        other => return Err(Error::corrupt(format!("n-bit class {other}"))),
    };
    Ok(Type { bytes, kind })
}

/// Fills `out`, which holds the type's bytes and zeros.
fn read(t: &Type, bits: &mut BitReader<'_>, out: &mut [u8]) -> Result<()> {
    match &t.kind {
        Kind::Number(bytes, big, precision, offset) => {
            let (mut from, mut left) = (offset + precision, *precision);
            // From the highest significant bit down, a byte of the number at a time.
            while left > 0 {
                let place = (from - 1) / 8;
                let here = (from - place * 8).min(left);
                let shift = from - here - place * 8;
                let value = (bits.take(here)? as u8) << shift;
                let index = place as usize;
                out[if *big { bytes - 1 - index } else { index }] = value;
                from -= here;
                left -= here;
            }
        }
        Kind::Array(count, base) => {
            for piece in out.chunks_exact_mut(base.bytes).take(*count) {
                read(base, bits, piece)?;
            }
        }
        Kind::Compound(members) => {
            for (offset, member) in members {
                read(member, bits, &mut out[*offset..*offset + member.bytes])?;
            }
        }
        Kind::Bytes(count) => {
            for byte in out.iter_mut().take(*count) {
                *byte = bits.take(8)? as u8;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads_bits_over_bytes() {
        // Twelve bits from bit 3 of a little-endian 32-bit number: 0xabc, then 0x123.
        let data = [0xab, 0xc1, 0x23];
        let values = [8, 0, 2, ATOMIC, 4, 0, 12, 3];
        let out = decode(&values, &data, 100).unwrap();
        assert_eq!(out[..4], (0xabcu32 << 3).to_le_bytes());
        assert_eq!(out[4..], (0x123u32 << 3).to_le_bytes());
        let big = decode(&[8, 0, 2, ATOMIC, 4, 1, 12, 3], &data, 100).unwrap();
        assert_eq!(big[..4], (0xabcu32 << 3).to_be_bytes());
    }

    #[test]
    fn reads_compounds_arrays_and_untouched_bytes() {
        let values = [
            0, 0, 1, COMPOUND, 8, 3, 0, ATOMIC, 2, 0, 4, 0, 2, ARRAY, 4, ATOMIC, 2, 0, 8, 8, 6,
            UNTOUCHED, 2,
        ];
        let out = decode(&values, &[0x71, 0x22, 0x33, 0x4f], 100);
        assert!(out.is_err(), "four bits short");
        let out = decode(&values, &[0x71, 0x22, 0x33, 0x4f, 0xf0], 100).unwrap();
        assert_eq!(out, [7, 0, 0, 0x12, 0, 0x23, 0x34, 0xff]);
    }

    #[test]
    fn passes_untouched_chunks_and_refuses_nonsense() {
        assert_eq!(
            decode(&[8, 1, 2, 1, 4, 0, 32, 0], &[1, 2], 9).unwrap(),
            [1, 2]
        );
        for values in [
            &[8, 0, 2, ATOMIC, 4, 0, 30, 3][..],
            &[8, 0, 2, ATOMIC, 0, 0, 0, 0],
            &[8, 0, 2, 9, 4, 0, 0, 0],
            &[8, 0, 2, ATOMIC],
            &[8, 0, 1, COMPOUND, 4, 1, 2, ATOMIC, 4, 0, 32, 0],
            &[8, 0, u32::MAX, ATOMIC, 4, 0, 12, 3],
        ] {
            assert!(decode(values, &[0; 64], 1000).is_err(), "{values:?}");
        }
    }
}
