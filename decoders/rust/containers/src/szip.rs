//! The szip filter (HDF5 filter 4): a length, then samples in the adaptive entropy code, in the manner of
//! the szip library: wide samples by byte planes, scan lines filled up to whole blocks.

use crate::aec::{self, Coding};
use fuse_core::{buffer, Error, Result};

/// Samples are differences from their neighbours.
const NEAREST_NEIGHBOUR: u32 = 32;
/// Samples are big-endian.
const BIG_ENDIAN: u32 = 16;
/// Samples of a line; the library writes at most 4096.
const MOST_LINE: usize = 1 << 20;

/// Decodes a chunk. Parameters: options, samples of a block, bits of a sample, samples of a line.
pub fn decode(values: &[u32], data: &[u8], limit: usize) -> Result<Vec<u8>> {
    let at = |i: usize| {
        values
            .get(i)
            .copied()
            .ok_or_else(|| Error::corrupt("szip parameters are too few"))
    };
    let (options, block, bits, line) = (at(0)?, at(1)? as usize, at(2)?, at(3)? as usize);
    if block == 0
        || block > 64
        || !(1..=MOST_LINE).contains(&line)
        || !(1..=32).contains(&bits) && bits != 64
    {
        return Err(Error::corrupt(format!(
            "szip of {bits} bits, {block} samples a block, {line} a line"
        )));
    }
    let Some(head) = data.get(..4) else {
        return Err(Error::truncated("szip data end in their length").at(data.len()));
    };
    let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
    let mut out = buffer(length, limit)?;
    // Samples of 32 and 64 bits are coded as bytes, all first bytes first.
    let planes = if bits >= 32 { bits as usize / 8 } else { 1 };
    let sample_bits = if planes > 1 { 8 } else { bits };
    let width = match sample_bits {
        0..=8 => 1,
        9..=16 => 2,
        _ => 4,
    };
    let blocks = line.div_ceil(block);
    let coding = Coding {
        bits: sample_bits,
        block,
        interval: blocks,
        differences: options & NEAREST_NEIGHBOUR != 0,
    };
    let count = length / width;
    let padded = blocks * block;
    let lines = count.div_ceil(line);
    let total = if padded == line {
        count
    } else {
        lines.saturating_mul(padded)
    };
    if total > limit.saturating_mul(2) {
        return Err(Error::limit(format!("szip data of {total} samples")));
    }
    // A sample takes at least a bit in 64 blocks of zeros.
    let most = data.len().saturating_mul(8 * 64).saturating_mul(block);
    if total > most {
        return Err(Error::truncated(format!(
            "szip data of {} bytes cannot hold {total} samples",
            data.len()
        )));
    }
    let mut samples = Vec::new();
    aec::decode(&coding, &data[4..], &mut samples, total)?;
    let kept = samples
        .chunks(padded)
        .flat_map(|l| l.iter().take(line))
        .copied();
    let big = options & BIG_ENDIAN != 0;
    if planes > 1 {
        let each = length / planes;
        for (i, value) in kept.take(each * planes).enumerate() {
            out[i % each * planes + i / each] = value as u8;
        }
    } else {
        for (to, value) in out.chunks_exact_mut(width).zip(kept) {
            if big {
                to.copy_from_slice(&value.to_be_bytes()[4 - width..]);
            } else {
                to.copy_from_slice(&value.to_le_bytes()[..width]);
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_stored_blocks() {
        // Two blocks of eight bytes as they are, no differences: 111, then the bytes.
        let mut bits = Vec::new();
        for start in [0u8, 8] {
            bits.extend([true; 3]);
            for n in start..start + 8 {
                bits.extend((0..8).rev().map(|k| (n >> k) & 1 == 1));
            }
        }
        let mut data = 16u32.to_le_bytes().to_vec();
        data.extend(bits.chunks(8).map(|c| {
            c.iter()
                .enumerate()
                .fold(0u8, |n, (i, &b)| n | (u8::from(b) << (7 - i)))
        }));
        let plain: Vec<u8> = (0..16).collect();
        assert_eq!(decode(&[4, 8, 8, 16], &data, 100).unwrap(), plain);
        // The same as planes of four 32-bit numbers.
        let wide = decode(&[4, 8, 32, 16], &data, 100).unwrap();
        assert_eq!(wide[..4], [0, 4, 8, 12]);
        // Lines of five samples, filled up to eight.
        let mut short = data.clone();
        short[..4].copy_from_slice(&10u32.to_le_bytes());
        let lines = decode(&[4, 8, 8, 5], &short, 100).unwrap();
        assert_eq!(lines, [0, 1, 2, 3, 4, 8, 9, 10, 11, 12]);
    }

    #[test]
    fn refuses_damage() {
        assert!(decode(&[4, 8, 8], &[0; 9], 100).is_err());
        assert!(decode(&[4, 0, 8, 16], &[0; 9], 100).is_err());
        assert!(decode(&[4, 8, 48, 16], &[0; 9], 100).is_err());
        assert!(decode(&[4, 8, 8, 16], &[1, 0], 100).is_err());
        assert!(decode(&[4, 8, 8, 16], &[255, 255, 255, 255, 0], 1000).is_err());
        assert!(decode(&[4, 8, 8, 16], &[16, 0, 0, 0, 0xff], 1000).is_err());
    }
    #[test]
    fn lines_no_memory_holds_are_refused() {
        // Found by fuzzing on 32-bit addresses.
        let data = [0xff; 64];
        assert!(decode(&[0, 32, 8, u32::MAX], &data, usize::MAX).is_err());
    }
}
