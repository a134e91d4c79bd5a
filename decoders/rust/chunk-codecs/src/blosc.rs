//! Blosc 1 frames (c-blosc README_HEADER.rst): a 16-byte header, the start of every block, and the
//! blocks, each filtered and then compressed with LZ4.

use crate::lz4;
use crate::shuffle::{bitshuffle, shuffle};
use fuse_core::abi::{input, output, status};
use fuse_core::{Error, Result};
use std::cell::RefCell;

pub(crate) const HEADER: usize = 16;
pub(crate) const FORMAT_VERSION: u8 = 2;
pub(crate) const LZ4_VERSION: u8 = 1;
pub(crate) const SHUFFLE: u8 = 1;
pub(crate) const MEMCPYED: u8 = 2;
pub(crate) const BITSHUFFLE: u8 = 4;
pub(crate) const DONT_SPLIT: u8 = 16;
pub(crate) const LZ4: u8 = 1;
/// Below this c-blosc only copies.
pub(crate) const MIN_BUFFER: usize = 128;
/// Within reach of LZ4's distances, so that planes can repeat one another.
const DEFAULT_BLOCK: usize = 1 << 16;
/// For columns that count on: planes that repeat within themselves.
const LONG_BLOCK: usize = 1 << 20;
/// c-blosc's own limits.
pub(crate) const MAX_BUFFER: usize = i32::MAX as usize - HEADER;
pub(crate) const MAX_BLOCK: usize = (i32::MAX as usize - 255 * 4) / 3;

/// What is done to a block before it is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    None,
    Shuffle,
    BitShuffle,
}

/// How a frame is made.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub type_size: usize,
    pub filter: Filter,
    /// 0 chooses it.
    pub block_size: usize,
    /// 1 and up: how eagerly the compressor skips over what does not match.
    pub acceleration: usize,
}

#[derive(Default)]
struct Work {
    table: lz4::Table,
    block: Vec<u8>,
}

thread_local! {
    static WORK: RefCell<Work> = RefCell::default();
}

/// Bytes that hold any frame of `length` bytes.
pub fn bound(length: usize) -> usize {
    length.saturating_add(HEADER)
}

/// Makes one frame of `src` in `dst`, which must hold [`bound`] bytes; returns its length.
pub fn encode(src: &[u8], dst: &mut [u8], settings: &Settings) -> Result<usize> {
    if src.len() > MAX_BUFFER {
        return Err(Error::limit(format!(
            "{} bytes in one blosc frame",
            src.len()
        )));
    }
    if dst.len() < bound(src.len()) {
        return Err(Error::limit("the buffer for a blosc frame is too small"));
    }
    let dst = &mut dst[..bound(src.len())];
    let size = if (1..=255).contains(&settings.type_size) {
        settings.type_size
    } else {
        1
    };
    let filter = match settings.filter {
        Filter::Shuffle if size == 1 => Filter::None,
        other => other,
    };
    let mut flags = LZ4 << 5 | DONT_SPLIT;
    flags |= match filter {
        Filter::None => 0,
        Filter::Shuffle => SHUFFLE,
        Filter::BitShuffle => BITSHUFFLE,
    };
    dst[..4].copy_from_slice(&[FORMAT_VERSION, LZ4_VERSION, flags, size as u8]);
    put32(dst, 4, src.len());
    let packed = WORK.with(|w| {
        let mut coder = Coder {
            size,
            filter,
            // Elements of eight bytes are mostly times, whose planes repeat over long distances.
            search: lz4::Search {
                acceleration: settings.acceleration,
                long: size >= 8,
            },
            work: &mut w.borrow_mut(),
        };
        let wanted = match settings.block_size {
            0 if coder.likes_long_blocks(src, &mut dst[HEADER..]) => LONG_BLOCK,
            0 => DEFAULT_BLOCK,
            given => given.clamp(MIN_BUFFER, MAX_BLOCK),
        };
        let block = block_size(src.len(), size, wanted);
        put32(dst, 8, block);
        (src.len() >= MIN_BUFFER)
            .then(|| coder.blocks(src, dst, block))
            .flatten()
    });
    let length = packed.unwrap_or_else(|| {
        dst[2] |= MEMCPYED;
        dst[HEADER..].copy_from_slice(src);
        bound(src.len())
    });
    put32(dst, 12, length);
    Ok(length)
}

/// Filters and compresses blocks, one after the other.
struct Coder<'a> {
    size: usize,
    filter: Filter,
    search: lz4::Search,
    work: &'a mut Work,
}

impl Coder<'_> {
    /// All blocks of a frame; `None` when they do not get smaller than the source.
    fn blocks(&mut self, src: &[u8], dst: &mut [u8], block: usize) -> Option<usize> {
        let mut out = HEADER + 4 * src.len().div_ceil(block);
        for (i, raw) in src.chunks(block).enumerate() {
            let body = out + 4;
            let length = self.block(raw, dst.get_mut(body..)?)?;
            put32(dst, HEADER + 4 * i, out);
            put32(dst, out, length);
            out = body + length;
        }
        (out < bound(src.len())).then_some(out)
    }

    /// One block, compressed or as it is; `None` when neither fits.
    fn block(&mut self, raw: &[u8], room: &mut [u8]) -> Option<usize> {
        let Work { table, block } = &mut *self.work;
        if block.len() < raw.len() {
            block.resize(raw.len(), 0);
        }
        let filtered = &mut block[..raw.len()];
        let data: &[u8] = match self.filter {
            Filter::None => raw,
            Filter::Shuffle => {
                shuffle(self.size, raw, filtered);
                filtered
            }
            Filter::BitShuffle => {
                bitshuffle(self.size, raw, filtered);
                filtered
            }
        };
        // A stored length equal to the block's means a plain copy, so a compressed one must be less.
        let most = room.len().min(data.len().saturating_sub(1));
        lz4::encode(data, &mut room[..most], table, self.search).or_else(|| {
            room.get_mut(..data.len())?.copy_from_slice(data);
            Some(data.len())
        })
    }

    /// Whether bit planes of eight-byte elements pack better in long blocks (columns that count on)
    /// or in short ones (measurements): tried on the beginning.
    fn likes_long_blocks(&mut self, src: &[u8], scratch: &mut [u8]) -> bool {
        let long = src.len().min(4 * DEFAULT_BLOCK);
        if self.size != 8 || self.filter != Filter::BitShuffle || long < 2 * DEFAULT_BLOCK {
            return false;
        }
        let mut packed = |n: usize| self.block(&src[..n / 64 * 64], scratch).unwrap_or(n) as f64;
        packed(long) / (long as f64) < 0.9 * packed(DEFAULT_BLOCK) / DEFAULT_BLOCK as f64
    }
}

/// The block size used where `wanted` is asked for.
fn block_size(length: usize, size: usize, wanted: usize) -> usize {
    let block = wanted.min(length).max(1);
    // Whole groups of eight elements, or the bit filter would do nothing.
    [8 * size, size]
        .into_iter()
        .find(|unit| block > *unit)
        .map_or(block, |unit| block / unit * unit)
}

fn put32(dst: &mut [u8], at: usize, value: usize) {
    dst[at..at + 4].copy_from_slice(&(value as u32).to_le_bytes());
}

/// Encodes a frame (`filter` 0 none, 1 bytes, 2 bits; `block_size` 0 chooses); returns its length.
///
/// # Safety
/// The pointers must be readable and writable for the lengths given and must not overlap.
#[no_mangle]
pub unsafe extern "C" fn blosc_encode(
    src: *const u8,
    src_len: usize,
    dst: *mut u8,
    dst_len: usize,
    type_size: usize,
    filter: u32,
    block_size: usize,
    acceleration: usize,
) -> i32 {
    let filter = match filter {
        0 => Filter::None,
        1 => Filter::Shuffle,
        _ => Filter::BitShuffle,
    };
    let settings = Settings {
        type_size,
        filter,
        block_size,
        acceleration,
    };
    status(encode(input(src, src_len), output(dst, dst_len), &settings))
}

#[cfg(test)]
mod tests;
