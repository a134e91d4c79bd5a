//! The scale-offset filter (HDF5 filter 6): numbers less their minimum, in as few bits as they need;
//! floats multiplied by a power of ten first.

use crate::bits::BitReader;
use fuse_core::{buffer, Error, Result};

/// Bits, length of the minimum, eight bytes for it, padding.
const HEADER: usize = 21;
const INTEGER_SCALE: u32 = 2;
const FLOAT: u32 = 1;

/// Decodes a chunk. Parameters: scale type, scale factor, elements, class, bytes of an element, signed,
/// big-endian, fill value defined, fill value.
pub fn decode(values: &[u32], data: &[u8], limit: usize) -> Result<Vec<u8>> {
    let at = |i: usize| {
        values
            .get(i)
            .copied()
            .ok_or_else(|| Error::corrupt("scale-offset parameters are too few"))
    };
    let (scale_type, factor, count, class) = (at(0)?, at(1)? as i32, at(2)? as usize, at(3)?);
    let (size, big) = (at(4)? as usize, at(6)? == 1);
    if !matches!(size, 1 | 2 | 4 | 8) || class == FLOAT && size < 4 {
        return Err(Error::corrupt(format!("scale-offset of {size} bytes")));
    }
    if class == FLOAT && scale_type != 0 {
        return Err(Error::unsupported(format!(
            "scale-offset of floats with scale type {scale_type}"
        )));
    }
    let total = count
        .checked_mul(size)
        .ok_or_else(|| Error::limit("scale-offset chunk is too large"))?;
    if class != FLOAT && scale_type == INTEGER_SCALE && factor.max(0) as usize == 8 * size {
        let mut out = buffer(data.len(), limit)?;
        out.copy_from_slice(data);
        return Ok(out);
    }
    let Some(header) = data.get(..HEADER) else {
        return Err(Error::truncated("scale-offset data end in their header").at(data.len()));
    };
    let bits = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
    let mut minimum = [0u8; 8];
    let known = usize::from(header[4]).min(8);
    minimum[..known].copy_from_slice(&header[5..5 + known]);
    let minimum = u64::from_le_bytes(minimum);
    if bits as usize > 8 * size {
        return Err(Error::corrupt(format!("scale-offset of {bits} bits")).at(0));
    }
    let mut out = buffer(total, limit)?;
    if bits as usize == 8 * size {
        let stored = data
            .get(HEADER..HEADER + total)
            .ok_or_else(|| Error::truncated("scale-offset data end too early").at(data.len()))?;
        out.copy_from_slice(stored);
    } else {
        let fill = if at(7)? == 1 {
            Some(fill_bits(values, size)?)
        } else {
            None
        };
        let unpack = Unpack {
            bits,
            minimum,
            fill,
        };
        match (class, size) {
            (FLOAT, 4) => unpack.floats32(factor, &data[HEADER..], &mut out)?,
            (FLOAT, _) => unpack.floats64(factor, &data[HEADER..], &mut out)?,
            _ => unpack.integers(size, &data[HEADER..], &mut out)?,
        }
    }
    if big {
        out.chunks_exact_mut(size).for_each(<[u8]>::reverse);
    }
    Ok(out)
}

/// The fill value's bits: its words follow the other parameters, lowest first.
fn fill_bits(values: &[u32], size: usize) -> Result<u64> {
    let word = |i: usize| {
        values
            .get(i)
            .map(|&w| u64::from(w))
            .ok_or_else(|| Error::corrupt("scale-offset parameters lack the fill value"))
    };
    Ok(if size == 8 {
        word(8)? | (word(9)? << 32)
    } else {
        word(8)? & ((1 << (8 * size)) - 1)
    })
}

struct Unpack {
    bits: u32,
    /// The minimum, as an integer or as the bits of a float.
    minimum: u64,
    /// What a number with all bits set stands for.
    fill: Option<u64>,
}

impl Unpack {
    fn each(
        &self,
        data: &[u8],
        size: usize,
        out: &mut [u8],
        value: impl Fn(u64) -> u64,
    ) -> Result<()> {
        let all = (1u64 << self.bits) - 1;
        let mut reader = BitReader::new(data);
        for to in out.chunks_exact_mut(size) {
            let packed = reader.take(self.bits)?;
            let bits = match self.fill {
                Some(fill) if packed == all => fill,
                _ => value(packed),
            };
            to.copy_from_slice(&bits.to_le_bytes()[..size]);
        }
        Ok(())
    }

    fn integers(&self, size: usize, data: &[u8], out: &mut [u8]) -> Result<()> {
        self.each(data, size, out, |n| n.wrapping_add(self.minimum))
    }

    fn floats32(&self, factor: i32, data: &[u8], out: &mut [u8]) -> Result<()> {
        let scale = power_of_ten(factor) as f32;
        let minimum = f32::from_bits(self.minimum as u32);
        self.each(data, 4, out, |n| {
            u64::from((n as i32 as f32 / scale + minimum).to_bits())
        })
    }

    fn floats64(&self, factor: i32, data: &[u8], out: &mut [u8]) -> Result<()> {
        let scale = power_of_ten(factor);
        let minimum = f64::from_bits(self.minimum);
        self.each(data, 8, out, |n| {
            (n as i64 as f64 / scale + minimum).to_bits()
        })
    }
}

/// The double nearest to a power of ten.
fn power_of_ten(exponent: i32) -> f64 {
    format!("1e{exponent}").parse().unwrap_or(f64::INFINITY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(bits: u32, minimum: u64, packed: &[u8]) -> Vec<u8> {
        let mut data = bits.to_le_bytes().to_vec();
        data.push(8);
        data.extend_from_slice(&minimum.to_le_bytes());
        data.extend_from_slice(&[0; 8]);
        data.extend_from_slice(packed);
        data
    }

    #[test]
    fn adds_the_minimum_and_knows_the_fill_value() {
        let data = chunk(4, (-3i64) as u64, &[0x0f, 0x20]);
        let mut values = vec![2, 0, 3, 0, 2, 1, 0, 1, (-99i16) as u16 as u32];
        values.resize(20, 0);
        let out = decode(&values, &data, 100).unwrap();
        let expected: Vec<u8> = [-3i16, -99, -1]
            .iter()
            .flat_map(|n| n.to_le_bytes())
            .collect();
        assert_eq!(out, expected);
        values[6] = 1;
        let out = decode(&values, &data, 100).unwrap();
        assert_eq!(out[..2], (-3i16).to_be_bytes());
    }

    #[test]
    fn scales_floats() {
        let data = chunk(8, u64::from(1.5f32.to_bits()), &[25, 0]);
        let values = [0, 2, 2, 1, 4, 0, 0, 0];
        let out = decode(&values, &data, 100).unwrap();
        assert_eq!(out[..4], 1.75f32.to_le_bytes());
        let data = chunk(8, 1.5f64.to_bits(), &[25, 0]);
        let out = decode(&[0, 2, 2, 1, 8, 0, 0, 0], &data, 100).unwrap();
        assert_eq!(out[..8], 1.75f64.to_le_bytes());
    }

    #[test]
    fn keeps_full_precision_and_refuses_damage() {
        let full = chunk(16, 0, &[1, 2, 3, 4]);
        assert_eq!(
            decode(&[2, 0, 2, 0, 2, 0, 0, 0], &full, 99).unwrap(),
            [1, 2, 3, 4]
        );
        assert!(decode(&[2, 0, 3, 0, 2, 0, 0, 0], &full, 99).is_err());
        assert!(decode(&[2, 0, 2, 0, 3, 0, 0, 0], &full, 99).is_err());
        assert!(decode(&[1, 0, 2, 1, 4, 0, 0, 0], &full, 99).is_err());
        assert!(decode(&[2, 0, 2], &full, 99).is_err());
        assert!(decode(&[2, 0, 2, 0, 2, 0, 0, 0], &full[..20], 99).is_err());
        assert!(decode(&[2, 0, 9, 0, 2, 0, 0, 0], &chunk(4, 0, &[1]), 99).is_err());
        assert!(decode(&[2, 0, u32::MAX, 0, 8, 0, 0, 0], &full, 99).is_err());
    }
}
