//! The Blosc filter (HDF5 filter 32001): frames of c-blosc 1 with any of its compressors inside
//! (c-blosc README_CHUNK_FORMAT.rst).

use crate::{bitshuffle, blosclz, deflate, lz4, shuffle, zstd};
use fuse_core::{buffer, Error, Result};

const HEADER: usize = 16;
/// Largest type size whose blocks may be split into one stream per byte.
const MAX_SPLITS: usize = 16;
/// Fewest elements of a block that is split.
const MIN_SPLIT: usize = 128;

const SHUFFLE: u8 = 1;
const STORED: u8 = 2;
const BITSHUFFLE: u8 = 4;
const UNSPLIT: u8 = 16;

struct Frame<'a> {
    data: &'a [u8],
    flags: u8,
    type_size: usize,
    block_size: usize,
}

/// Decodes a frame of at most `limit` bytes.
pub fn decode(data: &[u8], limit: usize) -> Result<Vec<u8>> {
    if data.len() < HEADER {
        return Err(Error::truncated("a blosc frame is shorter than its header").at(data.len()));
    }
    let word = |at: usize| number(data, at).unwrap_or(0);
    let (version, flags, type_size) = (data[0], data[2], usize::from(data[3]));
    let (length, block_size, frame_length) = (word(4), word(8), word(12));
    if version == 0 || version > 2 {
        return Err(Error::unsupported(format!("blosc format version {version}")).at(0));
    }
    if frame_length < HEADER || frame_length > data.len() {
        return Err(Error::truncated(format!(
            "blosc frame of {frame_length} bytes, {} are there",
            data.len()
        ))
        .at(12));
    }
    let mut out = buffer(length, limit)?;
    if length == 0 {
        return Ok(out);
    }
    if flags & STORED != 0 {
        let stored = data
            .get(HEADER..HEADER + length)
            .ok_or_else(|| Error::truncated("a stored blosc frame is too short").at(data.len()))?;
        out.copy_from_slice(stored);
        return Ok(out);
    }
    if block_size == 0 || block_size > length || type_size == 0 {
        return Err(Error::corrupt(format!(
            "blosc block size {block_size} of {length} bytes, type size {type_size}"
        ))
        .at(8));
    }
    let frame = Frame {
        data: &data[..frame_length],
        flags,
        type_size,
        block_size,
    };
    let mut planes = vec![0u8; block_size];
    for (i, block) in out.chunks_mut(block_size).enumerate() {
        let start = number(frame.data, HEADER + 4 * i)
            .ok_or_else(|| Error::truncated("a blosc frame ends in its table").at(frame_length))?;
        frame.block(start, block, &mut planes)?;
    }
    Ok(out)
}

impl Frame<'_> {
    fn block(&self, start: usize, out: &mut [u8], planes: &mut [u8]) -> Result<()> {
        let size = self.type_size;
        let whole = out.len() == self.block_size;
        let split = self.flags & UNSPLIT == 0
            && size <= MAX_SPLITS
            && self.block_size / size >= MIN_SPLIT
            && whole;
        let parts = if split { size } else { 1 };
        let length = out.len();
        if !length.is_multiple_of(parts) {
            return Err(Error::corrupt("blosc block size is no multiple of the type size").at(8));
        }
        let shuffled = self.flags & SHUFFLE != 0 && size > 1;
        let bits = !shuffled && self.flags & BITSHUFFLE != 0 && length >= size;
        let to: &mut [u8] = if shuffled || bits {
            &mut planes[..length]
        } else {
            out
        };
        let mut at = start;
        for piece in to.chunks_mut(length / parts) {
            let packed = number(self.data, at)
                .and_then(|n| self.data.get(at + 4..)?.get(..n))
                .ok_or_else(|| Error::corrupt("blosc block lies outside its frame").at(start))?;
            at += 4 + packed.len();
            if packed.len() == piece.len() {
                piece.copy_from_slice(packed);
            } else {
                self.unpack(packed, piece).map_err(|e| e.at(start))?;
            }
        }
        if shuffled {
            out.copy_from_slice(&shuffle::undo(size, &planes[..length]));
        } else if bits {
            // Blocks that are not whole eights of elements are left as they were (c-blosc, shuffle.c).
            let covered = if (length / size).is_multiple_of(8) {
                length / size * size
            } else {
                0
            };
            bitshuffle::undo(size, &planes[..covered], &mut out[..covered]);
            out[covered..].copy_from_slice(&planes[covered..length]);
        }
        Ok(())
    }

    fn unpack(&self, packed: &[u8], piece: &mut [u8]) -> Result<()> {
        let exact = |data: Vec<u8>, piece: &mut [u8]| {
            if data.len() != piece.len() {
                return Err(Error::corrupt("blosc block holds another length"));
            }
            piece.copy_from_slice(&data);
            Ok(())
        };
        match self.flags >> 5 {
            0 => blosclz::decode(packed, piece),
            1 => lz4::block(packed, piece),
            2 => {
                let data = snap::raw::Decoder::new()
                    .decompress(packed, piece)
                    .map_err(|e| Error::corrupt(format!("invalid snappy data: {e}")))?;
                if data != piece.len() {
                    return Err(Error::corrupt("blosc block holds another length"));
                }
                Ok(())
            }
            3 => exact(deflate::decode(packed, piece.len(), piece.len())?, piece),
            4 => zstd::decode_exact(packed, piece),
            other => Err(Error::unsupported(format!("blosc with compressor {other}"))),
        }
    }
}

fn number(data: &[u8], at: usize) -> Option<usize> {
    let b = data.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(flags: u8, type_size: u8, block: usize, plain: &[u8]) -> Vec<u8> {
        let blocks: Vec<&[u8]> = plain.chunks(block).collect();
        let mut out = vec![2, 1, flags, type_size];
        out.extend_from_slice(&(plain.len() as u32).to_le_bytes());
        out.extend_from_slice(&(block as u32).to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        let mut at = HEADER + 4 * blocks.len();
        let mut bodies = Vec::new();
        for b in blocks {
            out.extend_from_slice(&(at as u32).to_le_bytes());
            let packed = match flags >> 5 {
                1 => lz4_flex::block::compress(b),
                2 => snap::raw::Encoder::new().compress_vec(b).unwrap(),
                _ => fdeflate::compress_to_vec(b),
            };
            bodies.extend_from_slice(&(packed.len() as u32).to_le_bytes());
            bodies.extend_from_slice(&packed);
            at += 4 + packed.len();
        }
        out.extend_from_slice(&bodies);
        let length = out.len() as u32;
        out[12..16].copy_from_slice(&length.to_le_bytes());
        out
    }

    #[test]
    fn decodes_unsplit_frames() {
        let plain: Vec<u8> = (0..10_001u32).map(|i| (i >> 5) as u8).collect();
        for codec in [1u8, 2, 3] {
            let data = frame((codec << 5) | UNSPLIT, 4, 4096, &plain);
            assert_eq!(decode(&data, 20_000).unwrap(), plain);
            assert!(decode(&data, 1000).is_err());
            for cut in [0, 15, 17, data.len() - 1] {
                assert!(decode(&data[..cut], 20_000).is_err());
            }
        }
    }

    #[test]
    fn undoes_bit_planes_of_whole_eights() {
        use crate::bitshuffle::tests::shuffle;
        let flags = (1 << 5) | UNSPLIT | BITSHUFFLE;
        let plain: Vec<u8> = (0..1000 * 2u32).map(|i| (i * 7) as u8).collect();
        let planes = shuffle(2, &plain);
        let data = frame(flags, 2, planes.len(), &planes);
        assert_eq!(decode(&data, 20_000).unwrap(), plain);
        let odd = &plain[..1998];
        assert_eq!(decode(&frame(flags, 2, 1998, odd), 20_000).unwrap(), odd);
    }
}
