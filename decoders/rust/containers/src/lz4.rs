//! LZ4 blocks, and the LZ4 filter's framing of them (HDF5 filter 32004, HDF5_LZ4.pdf of the HDF Group).

use fuse_core::{buffer, Error, Result};

/// Decodes one block into exactly `out`.
pub fn block(data: &[u8], out: &mut [u8]) -> Result<()> {
    match lz4_flex::block::decompress_into(data, out) {
        Ok(n) if n == out.len() => Ok(()),
        Ok(n) => Err(Error::truncated(format!(
            "an lz4 block holds {n} bytes, {} are needed",
            out.len()
        ))),
        Err(e) => Err(Error::corrupt(format!("invalid lz4 block: {e}"))),
    }
}

/// Decodes a chunk of the filter: total size, block size (both big-endian), then blocks, each with its
/// compressed size before it; a block that would not get smaller is stored.
pub fn decode_framed(data: &[u8], limit: usize) -> Result<Vec<u8>> {
    let short = |at: usize| Error::truncated("lz4 data end too early").at(at);
    let total = big_u64(data, 0).ok_or_else(|| short(data.len()))?;
    let size = big_u32(data, 8).ok_or_else(|| short(data.len()))? as usize;
    let total = usize::try_from(total).unwrap_or(usize::MAX);
    let mut out = buffer(total, limit)?;
    if total == 0 {
        return Ok(out);
    }
    if size == 0 {
        return Err(Error::corrupt("lz4 blocks of no bytes").at(8));
    }
    let mut at = 12;
    for block_out in out.chunks_mut(size) {
        let length = big_u32(data, at).ok_or_else(|| short(at))? as usize;
        at += 4;
        let end = at.checked_add(length).ok_or_else(|| short(at))?;
        let packed = data.get(at..end).ok_or_else(|| short(at))?;
        if length == block_out.len() {
            block_out.copy_from_slice(packed);
        } else {
            block(packed, block_out).map_err(|e| e.at(at))?;
        }
        at = end;
    }
    Ok(out)
}

/// Big-endian 64-bit number.
pub fn big_u64(data: &[u8], at: usize) -> Option<u64> {
    let bytes = data.get(at..at.checked_add(8)?)?;
    Some(u64::from_be_bytes(bytes.try_into().ok()?))
}

/// Big-endian 32-bit number.
pub fn big_u32(data: &[u8], at: usize) -> Option<u32> {
    let bytes = data.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(plain: &[u8], size: usize) -> Vec<u8> {
        let mut out = (plain.len() as u64).to_be_bytes().to_vec();
        out.extend_from_slice(&(size as u32).to_be_bytes());
        for block in plain.chunks(size) {
            let packed = lz4_flex::block::compress(block);
            let body = if packed.len() >= block.len() {
                block
            } else {
                &packed[..]
            };
            out.extend_from_slice(&(body.len() as u32).to_be_bytes());
            out.extend_from_slice(body);
        }
        out
    }

    #[test]
    fn decodes_packed_and_stored_blocks() {
        let mut plain = vec![7u8; 3000];
        plain.extend((0..1000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8));
        let data = framed(&plain, 1000);
        assert_eq!(decode_framed(&data, 10_000).unwrap(), plain);
        assert!(decode_framed(&data, 1000).is_err());
        for cut in [0, 7, 11, 13, 40, data.len() - 1] {
            assert!(decode_framed(&data[..cut], 10_000).is_err());
        }
    }
}
