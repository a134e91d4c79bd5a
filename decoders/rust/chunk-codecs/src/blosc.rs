//! Blosc 1 frames (c-blosc README_HEADER.rst): a 16-byte header, the start of every block, and the
//! blocks, each filtered and then compressed with LZ4.

use crate::lz4;
use crate::shuffle::{bitshuffle, bitunshuffle, shuffle, unshuffle};
use crate::unlz4;
use fuse_core::abi::{input, output, status};
use fuse_core::{buffer, Error, Result};
use std::cell::RefCell;

const HEADER: usize = 16;
const FORMAT_VERSION: u8 = 2;
const LZ4_VERSION: u8 = 1;
const SHUFFLE: u8 = 1;
const MEMCPYED: u8 = 2;
const BITSHUFFLE: u8 = 4;
const DONT_SPLIT: u8 = 16;
const LZ4: u8 = 1;
/// Below this c-blosc only copies.
const MIN_BUFFER: usize = 128;
/// Largest type size whose blocks may be split into one stream per byte.
const MAX_SPLITS: usize = 16;
const DEFAULT_BLOCK: usize = 1 << 16;
/// c-blosc's own limits.
const MAX_BUFFER: usize = i32::MAX as usize - HEADER;
const MAX_BLOCK: usize = (i32::MAX as usize - 255 * 4) / 3;

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

/// What a frame's header says.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    pub type_size: usize,
    pub flags: u8,
    /// Bytes of the decoded data.
    pub length: usize,
    pub block_size: usize,
    /// Bytes of the frame.
    pub frame_length: usize,
}

/// Reads and checks a frame's header against the bytes at hand.
pub fn header(src: &[u8]) -> Result<Header> {
    let Some(head) = src.get(..HEADER) else {
        return Err(Error::truncated("a blosc frame is shorter than its header").at(src.len()));
    };
    let number =
        |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let h = Header {
        type_size: usize::from(head[3]),
        flags: head[2],
        length: number(4) as usize,
        block_size: number(8) as usize,
        frame_length: number(12) as usize,
    };
    if head[0] != FORMAT_VERSION || h.flags & 8 != 0 {
        return Err(Error::unsupported(format!("blosc format version {}", head[0])).at(0));
    }
    if h.length > MAX_BUFFER {
        return Err(Error::corrupt(format!("blosc frame of {} bytes", h.length)).at(4));
    }
    if h.frame_length > src.len() {
        let found = src.len();
        return Err(Error::truncated(format!(
            "blosc frame of {} bytes, {found} are there",
            h.frame_length
        ))
        .at(found));
    }
    if h.frame_length < HEADER {
        return Err(Error::corrupt(format!("blosc frame length {}", h.frame_length)).at(12));
    }
    if h.length > 0 && (h.block_size == 0 || h.block_size > h.length || h.type_size == 0) {
        return Err(Error::corrupt(format!(
            "blosc block size {} of {} bytes, type size {}",
            h.block_size, h.length, h.type_size
        ))
        .at(8));
    }
    Ok(h)
}

/// Decodes one frame into `dst`; returns the bytes written.
pub fn decode(src: &[u8], dst: &mut [u8]) -> Result<usize> {
    let h = header(src)?;
    if h.length > dst.len() {
        return Err(Error::limit(format!(
            "blosc frame of {} bytes, room for {}",
            h.length,
            dst.len()
        )));
    }
    let (src, dst) = (&src[..h.frame_length], &mut dst[..h.length]);
    if h.length == 0 {
        return Ok(0);
    }
    if h.flags & MEMCPYED != 0 {
        if h.frame_length != bound(h.length) {
            return Err(Error::corrupt("stored blosc frame of the wrong length").at(12));
        }
        dst.copy_from_slice(&src[HEADER..]);
        return Ok(h.length);
    }
    if h.flags >> 5 != LZ4 {
        let name = match h.flags >> 5 {
            0 => "blosclz",
            2 => "snappy",
            3 => "zlib",
            4 => "zstd",
            _ => "unknown",
        };
        return Err(Error::unsupported(format!("blosc with {name} inside")).at(2));
    }
    let n = h.length.div_ceil(h.block_size);
    if n > (h.frame_length - HEADER) / 4 {
        return Err(Error::corrupt(format!("blosc frame too short for {n} blocks")).at(12));
    }
    WORK.with(|w| {
        let scratch = &mut w.borrow_mut().block;
        if scratch.len() < h.block_size {
            *scratch = buffer(h.block_size, MAX_BLOCK)?;
        }
        for (i, block) in dst.chunks_mut(h.block_size).enumerate() {
            let start = word(src, HEADER + 4 * i).unwrap_or(usize::MAX);
            decode_block(src, start, &h, block, scratch)?;
        }
        Ok(h.length)
    })
}

fn decode_block(
    src: &[u8],
    start: usize,
    h: &Header,
    dst: &mut [u8],
    scratch: &mut [u8],
) -> Result<()> {
    let size = h.type_size;
    let whole = dst.len() == h.block_size;
    let splits = h.flags & DONT_SPLIT == 0
        && size <= MAX_SPLITS
        && h.block_size / size >= MIN_BUFFER
        && whole;
    let splits = if splits { size } else { 1 };
    let filter = if h.flags & SHUFFLE != 0 && size > 1 {
        Filter::Shuffle
    } else if h.flags & BITSHUFFLE != 0 && dst.len() >= size {
        Filter::BitShuffle
    } else {
        Filter::None
    };
    let length = dst.len();
    let part = length / splits;
    if part * splits != length {
        return Err(Error::corrupt("blosc block size is no multiple of the type size").at(8));
    }
    {
        let to: &mut [u8] = if filter == Filter::None {
            dst
        } else {
            &mut scratch[..length]
        };
        let mut at = start;
        for piece in to.chunks_mut(part) {
            let packed = word(src, at)
                .and_then(|n| src.get(at + 4..)?.get(..n))
                .ok_or_else(|| Error::corrupt("blosc block lies outside its frame").at(start))?;
            at += 4 + packed.len();
            if packed.len() == piece.len() {
                piece.copy_from_slice(packed);
            } else if unlz4::decode(packed, piece)? != piece.len() {
                return Err(Error::corrupt("blosc block holds less than it should").at(start));
            }
        }
    }
    match filter {
        Filter::None => {}
        Filter::Shuffle => unshuffle(size, &scratch[..length], dst),
        Filter::BitShuffle => bitunshuffle(size, &scratch[..length], dst),
    }
    Ok(())
}

fn word(src: &[u8], at: usize) -> Option<usize> {
    let b = src.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize)
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

/// Decodes a frame; returns the bytes written.
///
/// # Safety
/// The pointers must be readable and writable for the lengths given and must not overlap.
#[no_mangle]
pub unsafe extern "C" fn blosc_decode(
    src: *const u8,
    src_len: usize,
    dst: *mut u8,
    dst_len: usize,
) -> i32 {
    status(decode(input(src, src_len), output(dst, dst_len)))
}

/// Bytes a frame decodes to, from its header.
///
/// # Safety
/// The pointer must be readable for the length given.
#[no_mangle]
pub unsafe extern "C" fn blosc_decoded_length(src: *const u8, src_len: usize) -> i32 {
    status(header(input(src, src_len)).map(|h| h.length))
}
