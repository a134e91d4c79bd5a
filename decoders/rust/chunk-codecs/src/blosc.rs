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
const DEFAULT_BLOCK: usize = 1 << 16;
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
    let block = block_size(src.len(), size, settings.block_size);
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
    put32(dst, 8, block);
    let packed = if src.len() < MIN_BUFFER {
        None
    } else {
        WORK.with(|w| encode_blocks(src, dst, size, block, filter, settings, &mut w.borrow_mut()))
    };
    let length = packed.unwrap_or_else(|| {
        dst[2] |= MEMCPYED;
        dst[HEADER..].copy_from_slice(src);
        bound(src.len())
    });
    put32(dst, 12, length);
    Ok(length)
}

/// `None` when the blocks do not get smaller than the source.
fn encode_blocks(
    src: &[u8],
    dst: &mut [u8],
    size: usize,
    block: usize,
    filter: Filter,
    settings: &Settings,
    work: &mut Work,
) -> Option<usize> {
    let n = src.len().div_ceil(block);
    let mut out = HEADER + 4 * n;
    work.block.resize(block.max(work.block.len()), 0);
    // Wide elements are mostly times and other float64 columns, whose planes repeat from afar.
    let search = lz4::Search {
        acceleration: settings.acceleration,
        long: size >= 8,
    };
    for (i, raw) in src.chunks(block).enumerate() {
        let filtered = &mut work.block[..raw.len()];
        let data: &[u8] = match filter {
            Filter::None => raw,
            Filter::Shuffle => {
                shuffle(size, raw, filtered);
                filtered
            }
            Filter::BitShuffle => {
                bitshuffle(size, raw, filtered);
                filtered
            }
        };
        let body = out + 4;
        // A stored length equal to the block's means a plain copy, so a compressed one must be less.
        let room = dst.get_mut(body..)?;
        let most = room.len().min(data.len() - 1);
        let packed = lz4::encode(data, &mut room[..most], &mut work.table, search);
        let length = match packed {
            Some(length) => length,
            None => {
                room.get_mut(..data.len())?.copy_from_slice(data);
                data.len()
            }
        };
        put32(dst, HEADER + 4 * i, out);
        put32(dst, out, length);
        out = body + length;
    }
    (out < bound(src.len())).then_some(out)
}

fn block_size(length: usize, size: usize, wanted: usize) -> usize {
    let wanted = if wanted == 0 {
        DEFAULT_BLOCK
    } else {
        wanted.clamp(MIN_BUFFER, MAX_BLOCK)
    };
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
