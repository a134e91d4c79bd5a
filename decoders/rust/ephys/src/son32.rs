//! CED's 32-bit SON filing system (Spike2 `.smr`, system ids 1..9): block heads and block items.
//!
//! Facts: CED's published structure definitions (`sonintl.h`, versions 5 to 9). A data block begins
//! with 20 bytes: predecessor, successor (bytes, or 512-byte units from id 9), first and last time
//! in clock ticks, channel word, item count. The channel word holds channel + 1 in bits 0..7, its
//! ninth bit in bit 9, and in bit 8 whether a level input is low before the block's first event.

use fuse_core::bytes::View;
use fuse_core::{Error, Result};

/// Bytes of a block's head.
pub const HEAD_BYTES: usize = 20;

/// How far the walk along a channel's chain of blocks has come.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// `next` is to be visited.
    Walking = 0,
    /// The chain ended.
    Ended = 1,
    /// `next` is a block of another channel.
    Stray = 2,
    /// `next` was visited before.
    Loop = 3,
}

/// One channel's place in its chain. The host keeps it between windows, so its layout is fixed.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Cursor {
    /// Byte offset of the block to visit.
    pub next: f64,
    /// Byte offset of the block before it, -1 at the start.
    pub previous: f64,
    /// The last block the channel table names, -1 when it names none.
    pub last: f64,
    /// Brent's cycle guard: a block passed `steps` steps ago.
    pub mark: f64,
    pub steps: u32,
    pub lap: u32,
    /// Channel number on disk (channel + 1), nine bits.
    pub number: u32,
    pub state: u32,
    /// Last time of the previous block.
    pub end_tick: i32,
    /// 1 once the walk passed what the channel table knows: a block there must prove itself.
    pub beyond: u32,
}

/// A visited block.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Row {
    pub offset: f64,
    pub start_tick: i32,
    pub end_tick: i32,
    pub items: u16,
    /// The channel word as stored.
    pub word: u16,
    /// Index of the cursor.
    pub cursor: u16,
    pub beyond: u16,
}

/// Follows every chain as far as it stays inside `window`, which begins at byte `base`, writing a
/// row per block. Returns the rows written; when that is all of `rows` there may be more to come.
pub fn scan(
    window: &[u8],
    base: f64,
    unit: f64,
    little: bool,
    cursors: &mut [Cursor],
    rows: &mut [Row],
) -> usize {
    let view = View {
        data: window,
        little,
    };
    let end = base + window.len() as f64 - HEAD_BYTES as f64;
    let mut count = 0;
    for (index, cursor) in cursors.iter_mut().enumerate() {
        while cursor.state == State::Walking as u32 && cursor.next >= base && cursor.next <= end {
            if count == rows.len() {
                return count;
            }
            let Some(row) = step(&view, base, unit, cursor) else {
                continue;
            };
            rows[count] = Row {
                cursor: index as u16,
                ..row
            };
            count += 1;
        }
    }
    count
}

/// Visits `cursor.next`; `None` when it is not a block of the chain (the cursor says why).
fn step(view: &View, base: f64, unit: f64, cursor: &mut Cursor) -> Option<Row> {
    let at = (cursor.next - base) as usize;
    let long = |field: usize| view.i32(at + field).unwrap_or(-1);
    let (predecessor, successor) = (long(0), long(4));
    let (start_tick, end_tick) = (long(8), long(12));
    let word = view.u16(at + 16).unwrap_or(0);
    let items = view.u16(at + 18).unwrap_or(0);
    let number = u32::from(word & 0xff) + (u32::from(word & 0x200) >> 1);
    if cursor.beyond != 0 {
        // Where the table says the chain ends, the successor may point at space not yet written.
        let linked = f64::from(predecessor) * unit == cursor.previous;
        if number != cursor.number || !linked || start_tick < cursor.end_tick {
            cursor.state = State::Ended as u32;
            return None;
        }
    } else if number != cursor.number {
        cursor.state = State::Stray as u32;
        return None;
    }
    let row = Row {
        offset: cursor.next,
        start_tick,
        end_tick,
        items,
        word,
        cursor: 0,
        beyond: cursor.beyond as u16,
    };
    cursor.previous = cursor.next;
    cursor.end_tick = end_tick;
    if successor <= 0 {
        cursor.state = State::Ended as u32;
        return Some(row);
    }
    let next = f64::from(successor) * unit;
    if cursor.last > 0.0 && (cursor.next == cursor.last || next > cursor.last) {
        cursor.beyond = 1;
    }
    cursor.next = next;
    if cursor.steps == cursor.lap {
        cursor.mark = row.offset;
        cursor.lap = cursor.lap.saturating_mul(2).max(1);
        cursor.steps = 0;
    }
    cursor.steps += 1;
    if next == cursor.mark {
        cursor.state = State::Loop as u32;
    }
    Some(row)
}

/// How the items of a channel's blocks are laid out.
#[derive(Clone, Copy, Debug)]
pub struct Items {
    pub little: bool,
    /// Four code bytes follow each tick.
    pub codes: bool,
    /// Bytes after tick and codes.
    pub extra_bytes: usize,
    /// Width of the numbers those bytes hold (1 for text).
    pub element_bytes: usize,
    /// Seconds of a tick are `numerator / denominator`.
    pub numerator: f64,
    pub denominator: f64,
}

impl Items {
    /// Bytes of one item.
    pub fn bytes(&self) -> usize {
        4 + if self.codes { 4 + self.extra_bytes } else { 0 }
    }

    /// Splits `count` items into seconds, codes and little-endian extra values.
    pub fn split(
        &self,
        payload: &[u8],
        count: usize,
        times: &mut [f64],
        codes: &mut [u8],
        extra: &mut [u8],
    ) -> Result<usize> {
        let item = self.bytes();
        let need = count
            .checked_mul(item)
            .ok_or_else(|| Error::limit("too many items"))?;
        if payload.len() < need {
            return Err(Error::truncated(format!(
                "{need} bytes of items, {} given",
                payload.len()
            )));
        }
        let (with_codes, width) = if self.codes {
            (count, self.extra_bytes)
        } else {
            (0, 0)
        };
        if times.len() < count || codes.len() < with_codes * 4 || extra.len() < with_codes * width {
            return Err(Error::limit("the buffers are smaller than the items"));
        }
        for (i, bytes) in payload[..need].chunks_exact(item).enumerate() {
            let tick = [bytes[0], bytes[1], bytes[2], bytes[3]];
            let tick = if self.little {
                i32::from_le_bytes(tick)
            } else {
                i32::from_be_bytes(tick)
            };
            times[i] = f64::from(tick) * self.numerator / self.denominator;
            if !self.codes {
                continue;
            }
            codes[i * 4..i * 4 + 4].copy_from_slice(&bytes[4..8]);
            let out = &mut extra[i * width..(i + 1) * width];
            out.copy_from_slice(&bytes[8..]);
            if !self.little && self.element_bytes > 1 {
                out.chunks_exact_mut(self.element_bytes)
                    .for_each(<[u8]>::reverse);
            }
        }
        Ok(count)
    }
}

/// Length of each text of `width` bytes up to its first NUL: what follows is stale memory.
pub fn text_lengths(texts: &[u8], width: usize, lengths: &mut [u32]) -> usize {
    if width == 0 {
        lengths.fill(0);
        return lengths.len();
    }
    let mut count = 0;
    for (text, length) in texts.chunks_exact(width).zip(lengths.iter_mut()) {
        *length = text.iter().position(|&b| b == 0).unwrap_or(width) as u32;
        count += 1;
    }
    count
}

/// The functions the host calls.
mod exports {
    use super::{scan, text_lengths, Cursor, Items, Row};
    use fuse_core::abi::{input, output, status};

    /// [`scan`]: `flags` bit 0 little-endian. Returns the rows written.
    ///
    /// # Safety
    /// `window`, `cursors` and `rows` must be valid for their lengths (the last two in elements).
    #[no_mangle]
    #[allow(clippy::too_many_arguments)]
    pub unsafe extern "C" fn son32_scan(
        window: *const u8,
        window_bytes: usize,
        base: f64,
        unit: f64,
        flags: u32,
        cursors: *mut Cursor,
        cursor_count: usize,
        rows: *mut Row,
        row_count: usize,
    ) -> i32 {
        let cursors = output(cursors, cursor_count);
        let rows = output(rows, row_count);
        let window = input(window, window_bytes);
        status(Ok(scan(window, base, unit, flags & 1 != 0, cursors, rows)))
    }

    /// [`Items::split`]: `flags` bit 0 little-endian, bit 1 items have codes.
    ///
    /// # Safety
    /// `payload` must be valid for `payload_bytes`, `times` for `count` numbers, and with codes
    /// `codes` for `4 * count` and `extra` for `extra_bytes * count` bytes.
    #[no_mangle]
    #[allow(clippy::too_many_arguments)]
    pub unsafe extern "C" fn son32_items(
        payload: *const u8,
        payload_bytes: usize,
        count: usize,
        flags: u32,
        extra_bytes: usize,
        element_bytes: usize,
        numerator: f64,
        denominator: f64,
        times: *mut f64,
        codes: *mut u8,
        extra: *mut u8,
    ) -> i32 {
        let items = Items {
            little: flags & 1 != 0,
            codes: flags & 2 != 0,
            extra_bytes,
            element_bytes: element_bytes.max(1),
            numerator,
            denominator,
        };
        let coded = if items.codes { count } else { 0 };
        status(items.split(
            input(payload, payload_bytes),
            count,
            output(times, count),
            output(codes, coded.saturating_mul(4)),
            output(extra, coded.saturating_mul(extra_bytes)),
        ))
    }

    /// [`text_lengths`] of `count` texts.
    ///
    /// # Safety
    /// `texts` must be valid for `count * width` bytes and `lengths` for `count` numbers.
    #[no_mangle]
    pub unsafe extern "C" fn son32_text_lengths(
        texts: *const u8,
        count: usize,
        width: usize,
        lengths: *mut u32,
    ) -> i32 {
        let texts = input(texts, count.saturating_mul(width));
        status(Ok(text_lengths(texts, width, output(lengths, count))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(next: f64, last: f64, number: u32) -> Cursor {
        Cursor {
            next,
            previous: -1.0,
            last,
            mark: -1.0,
            steps: 0,
            lap: 1,
            number,
            state: 0,
            end_tick: 0,
            beyond: 0,
        }
    }

    fn put(file: &mut [u8], at: usize, head: [i32; 4], word: u16, items: u16) {
        for (i, v) in head.iter().enumerate() {
            file[at + 4 * i..at + 4 * i + 4].copy_from_slice(&v.to_le_bytes());
        }
        file[at + 16..at + 18].copy_from_slice(&word.to_le_bytes());
        file[at + 18..at + 20].copy_from_slice(&items.to_le_bytes());
    }

    #[test]
    fn follows_interleaved_chains_across_windows() {
        let mut file = vec![0u8; 4 * 512];
        put(&mut file, 0, [-1, 2, 10, 20], 1, 5);
        put(&mut file, 512, [-1, 3, 11, 12], 0x102, 3);
        put(&mut file, 1024, [0, -1, 21, 30], 1, 4);
        put(&mut file, 1536, [1, -1, 13, 14], 2, 2);
        let mut cursors = [cursor(0.0, 1024.0, 1), cursor(512.0, 1536.0, 2)];
        let mut rows = [Row::default(); 8];
        let n = scan(&file[..1024], 0.0, 512.0, true, &mut cursors, &mut rows);
        assert_eq!(
            rows[..n].iter().map(|r| r.offset).collect::<Vec<_>>(),
            [0.0, 512.0]
        );
        assert_eq!(rows[1].word, 0x102);
        let n = scan(&file[1024..], 1024.0, 512.0, true, &mut cursors, &mut rows);
        assert_eq!(
            rows[..n].iter().map(|r| r.items).collect::<Vec<_>>(),
            [4, 2]
        );
        assert!(cursors.iter().all(|c| c.state == State::Ended as u32));
    }

    #[test]
    fn stops_at_loops_and_strays() {
        let mut file = vec![0u8; 4 * 512];
        put(&mut file, 0, [-1, 512, 0, 1], 1, 1);
        put(&mut file, 512, [0, 1024, 2, 3], 1, 1);
        put(&mut file, 1024, [512, 512, 4, 5], 1, 1);
        let mut rows = [Row::default(); 64];
        let mut cursors = [cursor(0.0, -1.0, 1)];
        let n = scan(&file, 0.0, 1.0, true, &mut cursors, &mut rows);
        assert_eq!(cursors[0].state, State::Loop as u32);
        assert!(n <= 9, "{n} rows before the loop was seen");
        put(&mut file, 1024, [512, -1, 4, 5], 7, 1);
        let mut cursors = [cursor(0.0, -1.0, 1)];
        assert_eq!(scan(&file, 0.0, 1.0, true, &mut cursors, &mut rows), 2);
        assert_eq!(cursors[0].state, State::Stray as u32);
        assert_eq!(cursors[0].next, 1024.0);
    }

    #[test]
    fn beyond_the_last_known_block_only_proven_blocks_count() {
        let mut file = vec![0u8; 3 * 512];
        put(&mut file, 0, [-1, 512, 0, 9], 1, 1);
        put(&mut file, 512, [0, 1024, 10, 19], 1, 1);
        let mut rows = [Row::default(); 8];
        let mut cursors = [cursor(0.0, 512.0, 1)];
        assert_eq!(scan(&file, 0.0, 1.0, true, &mut cursors, &mut rows), 2);
        assert_eq!(cursors[0].state, State::Ended as u32);
        put(&mut file, 1024, [512, -1, 20, 29], 1, 1);
        let mut cursors = [cursor(0.0, 512.0, 1)];
        assert_eq!(scan(&file, 0.0, 1.0, true, &mut cursors, &mut rows), 3);
        assert_eq!(rows[2].beyond, 1);
    }

    #[test]
    fn a_full_row_buffer_is_resumed() {
        let mut file = vec![0u8; 3 * 512];
        for i in 0..3i32 {
            let next = if i == 2 { -1 } else { (i + 1) * 512 };
            put(
                &mut file,
                512 * i as usize,
                [(i - 1) * 512, next, i, i],
                0x201,
                1,
            );
        }
        let mut cursors = [cursor(0.0, 1024.0, 257)];
        let mut rows = [Row::default(); 2];
        assert_eq!(scan(&file, 0.0, 1.0, true, &mut cursors, &mut rows), 2);
        assert_eq!(scan(&file, 0.0, 1.0, true, &mut cursors, &mut rows), 1);
    }

    #[test]
    fn splits_items_of_either_byte_order() {
        let le = Items {
            little: true,
            codes: true,
            extra_bytes: 4,
            element_bytes: 2,
            numerator: 3.0,
            denominator: 1e6,
        };
        let mut payload = Vec::new();
        for (tick, a, b) in [(2_000_000i32, 1i16, -2i16), (-1, 300, 7)] {
            payload.extend(tick.to_le_bytes());
            payload.extend([9, 8, 7, 6]);
            payload.extend(a.to_le_bytes());
            payload.extend(b.to_le_bytes());
        }
        let (mut t, mut c, mut x) = ([0.0; 2], [0u8; 8], [0u8; 8]);
        assert_eq!(le.split(&payload, 2, &mut t, &mut c, &mut x), Ok(2));
        assert_eq!(t, [6.0, -3e-6]);
        assert_eq!(c, [9, 8, 7, 6, 9, 8, 7, 6]);
        let want = x;
        let mut swapped = payload.clone();
        for item in swapped.chunks_exact_mut(12) {
            item[..4].reverse();
            item[8..10].reverse();
            item[10..12].reverse();
        }
        let be = Items {
            little: false,
            ..le
        };
        let (mut t2, mut x2) = ([0.0; 2], [0u8; 8]);
        assert_eq!(be.split(&swapped, 2, &mut t2, &mut c, &mut x2), Ok(2));
        assert_eq!((t2, x2), (t, want));
        assert!(le.split(&payload[..23], 2, &mut t, &mut c, &mut x).is_err());
        assert!(le
            .split(&payload, usize::MAX, &mut t, &mut c, &mut x)
            .is_err());
    }

    #[test]
    fn texts_end_at_their_first_nul() {
        let mut lengths = [9u32; 3];
        assert_eq!(text_lengths(b"ab\0x\0yzzfull", 4, &mut lengths), 3);
        assert_eq!(lengths, [2, 0, 4]);
        assert_eq!(text_lengths(b"", 0, &mut lengths), 3);
        assert_eq!(lengths, [0, 0, 0]);
    }
}
