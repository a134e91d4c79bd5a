//! Digital words to events: every change of every line.

use fuse_core::abi::{input, output, status};
use fuse_core::{Error, Result};

/// Where the changes are written; the three slices are equally long, at least 64.
pub struct Edges<'a> {
    /// Index of the word in which the line changed.
    pub index: &'a mut [u32],
    pub bit: &'a mut [u8],
    /// The line's new level, 0 or 1.
    pub level: &'a mut [u8],
}

/// How far a search came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Changes written.
    pub count: usize,
    /// Words looked at; fewer than given when the room for changes ran out.
    pub consumed: usize,
}

/// Appends the changes of the lines in `mask` between `previous` and the words that follow it.
/// All changes of a word are written together, lowest line first, or not at all.
pub fn find<T: Copy + Into<u64>>(
    words: &[T],
    previous: u64,
    mask: u64,
    to: &mut Edges,
) -> Progress {
    let room = to.index.len().min(to.bit.len()).min(to.level.len());
    let (mut count, mut last) = (0, previous);
    for (i, &word) in words.iter().enumerate() {
        let word: u64 = word.into();
        let mut changed = (word ^ last) & mask;
        if changed == 0 {
            continue;
        }
        if changed.count_ones() as usize > room - count {
            return Progress { count, consumed: i };
        }
        while changed != 0 {
            let bit = changed.trailing_zeros();
            to.index[count] = i as u32;
            to.bit[count] = bit as u8;
            to.level[count] = ((word >> bit) & 1) as u8;
            count += 1;
            changed &= changed - 1;
        }
        last = word;
    }
    Progress {
        count,
        consumed: words.len(),
    }
}

/// Finds changes in `n` words of `word_bytes` (1, 2 or 4; little endian); returns how many were
/// written, and leaves the number of words looked at in `consumed`.
///
/// # Safety
/// The pointers must be aligned, readable and writable for the lengths given and must not overlap.
#[no_mangle]
pub unsafe extern "C" fn find_edges(
    words: *const u8,
    n: usize,
    word_bytes: u32,
    previous: u32,
    mask: u32,
    index: *mut u32,
    bit: *mut u8,
    level: *mut u8,
    capacity: usize,
    consumed: *mut u32,
) -> i32 {
    status((|| -> Result<usize> {
        if capacity < 32 {
            return Err(Error::limit("room for at least 32 changes is needed"));
        }
        let mut to = Edges {
            index: output(index, capacity),
            bit: output(bit, capacity),
            level: output(level, capacity),
        };
        let (previous, mask) = (u64::from(previous), u64::from(mask));
        let progress = match word_bytes {
            1 => find(input(words, n), previous, mask, &mut to),
            2 => find(input(words.cast::<u16>(), n), previous, mask, &mut to),
            4 => find(input(words.cast::<u32>(), n), previous, mask, &mut to),
            _ => {
                return Err(Error::unsupported(format!(
                    "digital words of {word_bytes} bytes"
                )))
            }
        };
        consumed.write_unaligned(progress.consumed as u32);
        Ok(progress.count)
    })())
}
