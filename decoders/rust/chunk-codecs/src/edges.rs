//! Digital words to events: every change of every line.

use crate::simd::*;
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
pub fn find<T: Word>(words: &[T], previous: u64, mask: u64, to: &mut Edges) -> Progress {
    let room = to.index.len().min(to.bit.len()).min(to.level.len());
    // Lines the words do not have never change.
    let mask = mask & (u64::MAX >> (64 - 8 * size_of::<T>()));
    let (mut count, mut last, mut i) = (0, previous, 0);
    while i < words.len() {
        i += quiet(&words[i..], last, mask);
        let Some(&word) = words.get(i) else { break };
        let word: u64 = word.into();
        let mut changed = (word ^ last) & mask;
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
        i += 1;
    }
    Progress {
        count,
        consumed: words.len(),
    }
}

/// An unsigned word of digital lines.
pub trait Word: Copy + Into<u64> {
    /// A vector filled with the low bits of `x`.
    fn splat(x: u64) -> V;
}
impl Word for u8 {
    fn splat(x: u64) -> V {
        splat8(x as u8)
    }
}
impl Word for u16 {
    fn splat(x: u64) -> V {
        splat16(x as u16)
    }
}
impl Word for u32 {
    fn splat(x: u64) -> V {
        splat32(x as u32)
    }
}

/// How many words at the front are in whole vectors without a change of the lines in `mask`.
fn quiet<T: Word>(words: &[T], last: u64, mask: u64) -> usize {
    let (mask, lanes) = (T::splat(mask), 16 / size_of::<T>());
    let level = and(T::splat(last), mask);
    let still = words.chunks_exact(lanes).take_while(|chunk| {
        // SAFETY: the chunk is 16 bytes long.
        let v = unsafe { load(chunk.as_ptr().cast()) };
        equal8(and(v, mask), level) == 0xffff
    });
    still.count() * lanes
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    /// All changes, found in batches of `room`.
    fn all<T: Word>(words: &[T], previous: u64, mask: u64, room: usize) -> Vec<(usize, u8, u8)> {
        let (mut found, mut done, mut last) = (Vec::new(), 0, previous);
        while done < words.len() {
            let (mut index, mut bit, mut level) = (vec![0; room], vec![0; room], vec![0; room]);
            let mut to = Edges {
                index: &mut index,
                bit: &mut bit,
                level: &mut level,
            };
            let p = find(&words[done..], last, mask, &mut to);
            for k in 0..p.count {
                found.push((done + index[k] as usize, bit[k], level[k]));
            }
            assert!(p.consumed > 0 || p.count == 0);
            done += p.consumed;
            last = words[done - 1].into();
        }
        found
    }

    #[test]
    fn every_change_is_found_once() {
        let mut random = Random::new(8);
        for calm in [1, 3, 40] {
            let mut now = 0u32;
            let words: Vec<u32> = (0..2000)
                .map(|_| {
                    if random.below(calm) == 0 {
                        now ^= 1 << random.below(32);
                    }
                    now
                })
                .collect();
            let mask = 0xffff_0ff3;
            let mut expected = Vec::new();
            let mut last = 5;
            for (i, &w) in words.iter().enumerate() {
                for b in 0..32u8 {
                    if ((w ^ last) & mask) >> b & 1 == 1 {
                        expected.push((i, b, (w >> b & 1) as u8));
                    }
                }
                last = w;
            }
            for room in [32, 33, 5000] {
                assert_eq!(all(&words, 5, u64::from(mask), room), expected);
            }
        }
    }
    #[test]
    fn lines_beyond_the_words_never_change() {
        // Found by fuzzing: they were seen to fall with the first change that ended a quiet vector.
        let words = [0u8; 40];
        assert_eq!(all(&words, 0xff00, 0xffff, 32), []);
        assert_eq!(all(&words, 0xff01, 0xffff, 32), [(0, 0, 0)]);
    }
}
