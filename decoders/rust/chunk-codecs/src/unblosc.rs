//! Reading Blosc 1 frames with LZ4 inside, of our own making and of c-blosc's.

use crate::blosc::{
    bound, Filter, BITSHUFFLE, DONT_SPLIT, FORMAT_VERSION, HEADER, LZ4, MAX_BLOCK, MAX_BUFFER,
    MEMCPYED, MIN_BUFFER, SHUFFLE,
};
use crate::shuffle::{bitunshuffle, unshuffle};
use crate::unlz4;
use fuse_core::abi::{input, output, status};
use fuse_core::{buffer, Error, Result};
use std::cell::RefCell;

/// Largest type size whose blocks may be split into one stream per byte.
const MAX_SPLITS: usize = 16;

thread_local! {
    /// The block before its filter is undone.
    static WORK: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
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
        let scratch = &mut *w.borrow_mut();
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
