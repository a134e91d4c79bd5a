//! The bitshuffle filter (HDF5 filter 32008; github.com/kiyo-masui/bitshuffle): bit k of every element
//! of a block together, blocks packed with LZ4 or Zstandard or not at all.

use crate::lz4::{big_u32, big_u64};
use crate::{lz4, zstd};
use fuse_core::{buffer, Error, Result};

/// Bytes of a block when the writer did not choose.
const BLOCK_BYTES: usize = 8192;
/// Fewest elements of such a block.
const BLOCK_ELEMENTS: usize = 128;
/// Far larger than any element, and small enough for 128 of them to be counted in 32 bits.
const MOST_ELEMENT_BYTES: usize = 1 << 24;

/// Decodes a chunk; its parameters are version (two), element size, block size, compression.
pub fn decode(values: &[u32], data: &[u8], limit: usize) -> Result<Vec<u8>> {
    let size = values.get(2).copied().unwrap_or(0) as usize;
    if size == 0 || size > MOST_ELEMENT_BYTES {
        return Err(Error::corrupt(format!(
            "bitshuffle of elements of {size} bytes"
        )));
    }
    let wanted = values.get(3).copied().unwrap_or(0) as usize;
    match values.get(4).copied().unwrap_or(0) {
        0 => {
            let mut out = buffer(data.len(), limit)?;
            let whole = data.len() / (8 * size) * (8 * size);
            let step = block_elements(wanted, size).saturating_mul(size);
            for (from, to) in data[..whole].chunks(step).zip(out.chunks_mut(step)) {
                undo(size, from, &mut to[..from.len()]);
            }
            out[whole..].copy_from_slice(&data[whole..]);
            Ok(out)
        }
        2 => packed(size, data, limit, lz4::block),
        3 => packed(size, data, limit, zstd::decode_exact),
        other => Err(Error::unsupported(format!(
            "bitshuffle with compression {other}"
        ))),
    }
}

fn block_elements(wanted: usize, size: usize) -> usize {
    if wanted >= 8 {
        return wanted / 8 * 8;
    }
    (BLOCK_BYTES / size / 8 * 8).max(BLOCK_ELEMENTS)
}

type Unpack = fn(&[u8], &mut [u8]) -> Result<()>;

/// Total size, block size in bytes (both big-endian), then blocks, each with its packed size before it;
/// elements after the last whole eight are stored as they are.
fn packed(size: usize, data: &[u8], limit: usize, unpack: Unpack) -> Result<Vec<u8>> {
    let short = |at: usize| Error::truncated("bitshuffle data end too early").at(at);
    let total = big_u64(data, 0).ok_or_else(|| short(data.len()))?;
    let block = big_u32(data, 8).ok_or_else(|| short(data.len()))? as usize;
    let total = usize::try_from(total).unwrap_or(usize::MAX);
    let mut out = buffer(total, limit)?;
    let mut step = block / size / 8 * 8 * size;
    if step == 0 {
        step = block_elements(0, size) * size;
    }
    let whole = total / (8 * size) * (8 * size);
    let mut planes = vec![0u8; step.min(whole)];
    let mut at = 12;
    for to in out[..whole].chunks_mut(step) {
        let length = big_u32(data, at).ok_or_else(|| short(at))? as usize;
        at += 4;
        let end = at.checked_add(length).ok_or_else(|| short(at))?;
        let from = data.get(at..end).ok_or_else(|| short(at))?;
        let planes = &mut planes[..to.len()];
        unpack(from, planes).map_err(|e| e.at(at))?;
        undo(size, planes, to);
        at = end;
    }
    let rest = &mut out[whole..];
    let stored = data.get(at..at + rest.len()).ok_or_else(|| short(at))?;
    rest.copy_from_slice(stored);
    Ok(out)
}

/// Bit planes to elements; `data` and `out` hold a multiple of eight elements of `size` bytes.
pub fn undo(size: usize, data: &[u8], out: &mut [u8]) {
    let count = data.len() / size;
    let row = count / 8;
    for byte in 0..size {
        let planes = &data[byte * 8 * row..(byte + 1) * 8 * row];
        for group in 0..row {
            let mut bits = 0u64;
            for k in 0..8 {
                bits |= u64::from(planes[k * row + group]) << (8 * k);
            }
            let turned = transpose(bits);
            for i in 0..8 {
                out[(group * 8 + i) * size + byte] = (turned >> (8 * i)) as u8;
            }
        }
    }
}

/// Transposes an 8 x 8 matrix of bits (Hacker's Delight, section 7-3).
fn transpose(x: u64) -> u64 {
    let t = (x ^ (x >> 7)) & 0x00aa_00aa_00aa_00aa;
    let x = x ^ t ^ (t << 7);
    let t = (x ^ (x >> 14)) & 0x0000_cccc_0000_cccc;
    let x = x ^ t ^ (t << 14);
    let t = (x ^ (x >> 28)) & 0x0000_0000_f0f0_f0f0;
    x ^ t ^ (t << 28)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Elements to bit planes, plainly.
    pub(crate) fn shuffle(size: usize, plain: &[u8]) -> Vec<u8> {
        let count = plain.len() / size;
        let mut out = vec![0u8; plain.len()];
        for bit in 0..size * 8 {
            for i in 0..count {
                let value = (plain[i * size + bit / 8] >> (bit % 8)) & 1;
                out[bit * count / 8 + i / 8] |= value << (i % 8);
            }
        }
        out
    }

    fn noise(length: usize) -> Vec<u8> {
        (0..length as u32)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 21) as u8)
            .collect()
    }

    #[test]
    fn undoes_bit_planes() {
        for size in [1usize, 2, 3, 4, 8, 16] {
            let plain = noise(size * 64);
            let mut out = vec![0; plain.len()];
            undo(size, &shuffle(size, &plain), &mut out);
            assert_eq!(out, plain, "size {size}");
        }
    }

    #[test]
    fn decodes_packed_blocks_and_the_rest() {
        let (size, step) = (4usize, 128usize);
        let plain = noise(300 * size + 3);
        let mut data = (plain.len() as u64).to_be_bytes().to_vec();
        data.extend_from_slice(&((step * size) as u32).to_be_bytes());
        let whole = plain.len() / (8 * size) * 8 * size;
        for block in plain[..whole].chunks(step * size) {
            let packed = lz4_flex::block::compress(&shuffle(size, block));
            data.extend_from_slice(&(packed.len() as u32).to_be_bytes());
            data.extend_from_slice(&packed);
        }
        data.extend_from_slice(&plain[whole..]);
        let values = [0, 4, size as u32, step as u32, 2];
        assert_eq!(decode(&values, &data, 10_000).unwrap(), plain);
        assert!(decode(&values, &data[..data.len() - 1], 10_000).is_err());
        assert!(decode(&values, &data, 1000).is_err());
        assert!(decode(&[0, 4, 0, 0, 2], &data, 10_000).is_err());
        assert!(decode(&[0, 4, 4, 0, 9], &data, 10_000).is_err());
    }

    #[test]
    fn decodes_bare_planes() {
        let plain = noise(2 * 8192 + 40);
        let mut data = Vec::new();
        let whole = plain.len() / 16 * 16;
        for block in plain[..whole].chunks(8192) {
            data.extend(shuffle(2, block));
        }
        data.extend_from_slice(&plain[whole..]);
        assert_eq!(decode(&[0, 4, 2, 0, 0], &data, 100_000).unwrap(), plain);
    }
    #[test]
    fn elements_no_memory_holds_are_refused() {
        // Found by fuzzing on 32-bit addresses.
        for size in [0, 0x4000_0000, u32::MAX] {
            for compression in [0, 2, 3] {
                assert!(decode(&[0, 2, size, 0, compression], &[0; 64], 1 << 20).is_err());
            }
        }
        let blocks = decode(&[0, 2, 4, u32::MAX, 0], &[7; 64], 1 << 20);
        assert_eq!(blocks.unwrap().len(), 64);
    }
}
