//! CED's 64-bit SON filing system (Spike2 `.smrx`): the contents of its 64 KiB data blocks.
//!
//! A data block begins with 16 bytes: back link (parent lookup slot, level, position), channel,
//! generation, count. Waveform blocks then hold `count` runs of samples, each behind its first tick
//! and length and padded to 8 bytes; other blocks hold `count` items of equal size. All numbers are
//! little-endian, ticks have 64 bits.

use fuse_core::bytes::View;
use fuse_core::{Error, Result};

/// Bytes of a block's head, and of the head of each run in it.
pub const HEAD_BYTES: usize = 16;

/// A run of samples that lie side by side.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Run {
    /// First tick, rounded to a double.
    pub tick: f64,
    /// Byte of the first sample in the block.
    pub offset: u32,
    pub count: u32,
    /// 0 goes on where the run before it ended, 1 begins after a pause, 2 begins before that end.
    pub start: u32,
    pub padding: u32,
}

/// What is kept from run to run of a channel. The host holds it, so its layout is fixed.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Cursor {
    /// Tick of the first sample.
    pub first: i64,
    /// Tick after the last sample.
    pub expected: i64,
    /// Ticks from sample to sample.
    pub divide: i64,
    /// 0 before the first run.
    pub started: u32,
    pub padding: u32,
}

/// The runs of a waveform block. `block` is what was read of it, `room` the bytes it can occupy:
/// the samples of the last run need not have been read.
pub fn runs(
    block: &[u8],
    room: usize,
    sample_bytes: usize,
    cursor: &mut Cursor,
    out: &mut [Run],
) -> Result<usize> {
    let view = View::le(block);
    let count = view
        .u32(12)
        .ok_or_else(|| Error::truncated("a data block's head").at(block.len()))?;
    let mut at = HEAD_BYTES;
    let mut written = 0;
    for _ in 0..count {
        let head = view.i64(at).zip(view.u32(at + 8));
        let Some((tick, samples)) = head else {
            return Err(Error::corrupt("a run of samples begins outside its block").at(at));
        };
        let first = at + HEAD_BYTES;
        let bytes = (samples as usize).checked_mul(sample_bytes);
        let end = bytes.and_then(|n| first.checked_add(n));
        let Some(end) = end.filter(|&n| n <= room) else {
            return Err(Error::corrupt(format!(
                "a run of {samples} samples is longer than its block"
            ))
            .at(at));
        };
        if samples > 0 {
            let Some(run) = out.get_mut(written) else {
                return Err(Error::limit("more runs than fit into a block"));
            };
            let start = match cursor {
                Cursor { started: 0, .. } => 1,
                Cursor { expected, .. } if tick == *expected => 0,
                Cursor { expected, .. } if tick < *expected => 2,
                _ => 1,
            };
            let after = cursor
                .divide
                .checked_mul(i64::from(samples))
                .and_then(|n| n.checked_add(tick));
            cursor.expected =
                after.ok_or_else(|| Error::corrupt(format!("impossible tick {tick}")).at(at))?;
            if cursor.started == 0 {
                cursor.first = tick;
                cursor.started = 1;
            }
            *run = Run {
                tick: tick as f64,
                offset: first as u32,
                count: samples,
                start,
                padding: 0,
            };
            written += 1;
        }
        at = (end + 7) & !7;
    }
    Ok(written)
}

/// How the items of a channel's blocks are laid out.
#[derive(Clone, Copy, Debug)]
pub struct Items {
    /// Bytes from one item to the next.
    pub stride: usize,
    /// Four code bytes and four unused ones follow each tick.
    pub codes: bool,
    /// Bytes attached after them that mean something; the rest of an item is padding.
    pub extra_bytes: usize,
    /// Seconds of a tick are `numerator / denominator`.
    pub numerator: f64,
    pub denominator: f64,
}

impl Items {
    /// Splits `count` items into seconds, codes and attached bytes.
    pub fn split(
        &self,
        payload: &[u8],
        count: usize,
        times: &mut [f64],
        codes: &mut [u8],
        extra: &mut [u8],
    ) -> Result<usize> {
        let (head, width, with_codes) = if self.codes {
            (16, self.extra_bytes, count)
        } else {
            (8, 0, 0)
        };
        let used = width
            .checked_add(head)
            .filter(|&used| used <= self.stride)
            .ok_or_else(|| Error::corrupt(format!("items of {} bytes", self.stride)))?;
        let need = count
            .checked_mul(self.stride)
            .ok_or_else(|| Error::limit("too many items"))?;
        if payload.len() < need {
            return Err(Error::truncated(format!(
                "{need} bytes of items, {} given",
                payload.len()
            )));
        }
        if times.len() < count || codes.len() < with_codes * 4 || extra.len() < with_codes * width {
            return Err(Error::limit("the buffers are smaller than the items"));
        }
        for (i, item) in payload[..need].chunks_exact(self.stride).enumerate() {
            let tick = View::le(item).i64(0).unwrap_or(0);
            times[i] = tick as f64 * self.numerator / self.denominator;
            if self.codes {
                codes[i * 4..i * 4 + 4].copy_from_slice(&item[8..12]);
                extra[i * width..(i + 1) * width].copy_from_slice(&item[16..used]);
            }
        }
        Ok(count)
    }
}

/// The functions the host calls.
mod exports {
    use super::{runs, Cursor, Items, Run};
    use fuse_core::abi::{input, output, status};

    /// [`runs`]. Returns the runs written.
    ///
    /// # Safety
    /// `block` must be valid for `block_bytes`, `cursor` for one cursor and `out` for `out_count` runs.
    #[no_mangle]
    pub unsafe extern "C" fn son64_runs(
        block: *const u8,
        block_bytes: usize,
        room: usize,
        sample_bytes: usize,
        cursor: *mut Cursor,
        out: *mut Run,
        out_count: usize,
    ) -> i32 {
        let block = input(block, block_bytes);
        let out = output(out, out_count);
        status(match output(cursor, 1).first_mut() {
            Some(cursor) => runs(block, room, sample_bytes, cursor, out),
            None => Ok(0),
        })
    }

    /// [`Items::split`]: `flags` bit 1 items have codes.
    ///
    /// # Safety
    /// `payload` must be valid for `payload_bytes`, `times` for `count` numbers, and with codes
    /// `codes` for `4 * count` and `extra` for `extra_bytes * count` bytes.
    #[no_mangle]
    #[allow(clippy::too_many_arguments)]
    pub unsafe extern "C" fn son64_items(
        payload: *const u8,
        payload_bytes: usize,
        count: usize,
        flags: u32,
        stride: usize,
        extra_bytes: usize,
        numerator: f64,
        denominator: f64,
        times: *mut f64,
        codes: *mut u8,
        extra: *mut u8,
    ) -> i32 {
        let items = Items {
            stride,
            codes: flags & 2 != 0,
            extra_bytes,
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(list: &[(i64, u32)], sample_bytes: usize) -> Vec<u8> {
        let mut bytes = vec![0u8; 12];
        bytes.extend((list.len() as u32).to_le_bytes());
        for &(tick, count) in list {
            bytes.extend(tick.to_le_bytes());
            bytes.extend(count.to_le_bytes());
            bytes.extend([0; 4]);
            bytes.extend(vec![7; count as usize * sample_bytes]);
            bytes.resize(bytes.len().next_multiple_of(8), 0xee);
        }
        bytes
    }

    fn cursor(divide: i64) -> Cursor {
        Cursor {
            first: 0,
            expected: 0,
            divide,
            started: 0,
            padding: 0,
        }
    }

    #[test]
    fn runs_join_where_one_ends_at_the_next_tick() {
        let mut state = cursor(10);
        let mut out = [Run::default(); 8];
        let bytes = block(&[(5, 3), (35, 2), (0, 0), (60, 1), (50, 1)], 2);
        let n = runs(&bytes, 65_536, 2, &mut state, &mut out).unwrap();
        let got: Vec<_> = out[..n]
            .iter()
            .map(|r| (r.tick, r.offset, r.count, r.start))
            .collect();
        assert_eq!(
            got,
            [
                (5.0, 32, 3, 1),
                (35.0, 56, 2, 0),
                (60.0, 96, 1, 1),
                (50.0, 120, 1, 2)
            ]
        );
        assert_eq!((state.first, state.expected), (5, 60));
        // The next block goes on.
        let n = runs(&block(&[(60, 1)], 2), 65_536, 2, &mut state, &mut out).unwrap();
        assert_eq!((n, out[0].start), (1, 0));
    }

    #[test]
    fn the_last_run_need_not_have_been_read() {
        let bytes = block(&[(0, 100)], 4);
        let mut out = [Run::default(); 1];
        let n = runs(&bytes[..32], 65_536, 4, &mut cursor(1), &mut out).unwrap();
        assert_eq!((n, out[0].count), (1, 100));
        assert!(runs(&bytes[..32], 431, 4, &mut cursor(1), &mut out).is_err());
    }

    #[test]
    fn nonsense_is_refused() {
        let mut out = [Run::default(); 2];
        let huge = block(&[(0, 0)], 2)
            .into_iter()
            .enumerate()
            .map(|(i, b)| if (24..28).contains(&i) { 0xff } else { b })
            .collect::<Vec<_>>();
        assert!(runs(&huge, 65_536, 4, &mut cursor(1), &mut out).is_err());
        let mut many = block(&[(0, 1)], 2);
        many[12] = 9;
        assert!(runs(&many, 65_536, 2, &mut cursor(1), &mut out).is_err());
        let late = block(&[(i64::MAX, 2)], 2);
        assert!(runs(&late, 65_536, 2, &mut cursor(3), &mut out).is_err());
        assert!(runs(&late[..9], 65_536, 2, &mut cursor(3), &mut out).is_err());
        let three = block(&[(0, 1), (9, 1), (99, 1)], 2);
        assert!(runs(&three, 65_536, 2, &mut cursor(1), &mut out).is_err());
    }

    #[test]
    fn splits_items_and_drops_their_padding() {
        let items = Items {
            stride: 24,
            codes: true,
            extra_bytes: 6,
            numerator: 1.0,
            denominator: 1e5,
        };
        let mut payload = Vec::new();
        for tick in [2_000_000i64, 1 << 40] {
            payload.extend(tick.to_le_bytes());
            payload.extend([9, 8, 7, 6, 0xaa, 0xaa, 0xaa, 0xaa]);
            payload.extend([1, 2, 3, 4, 5, 6, 0xbb, 0xbb]);
        }
        let (mut t, mut c, mut x) = ([0.0; 2], [0u8; 8], [0u8; 12]);
        assert_eq!(items.split(&payload, 2, &mut t, &mut c, &mut x), Ok(2));
        assert_eq!(t, [20.0, (1u64 << 40) as f64 / 1e5]);
        assert_eq!(c, [9, 8, 7, 6, 9, 8, 7, 6]);
        assert_eq!(x, [1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6]);
        let bare = Items {
            stride: 8,
            codes: false,
            ..items
        };
        assert_eq!(
            bare.split(&payload, 6, &mut [0.0; 6], &mut [], &mut []),
            Ok(6)
        );
        assert!(bare
            .split(&payload, 7, &mut [0.0; 7], &mut [], &mut [])
            .is_err());
        let narrow = Items {
            stride: 20,
            ..items
        };
        assert!(narrow.split(&payload, 1, &mut t, &mut c, &mut x).is_err());
        assert!(items
            .split(&payload, usize::MAX, &mut t, &mut c, &mut x)
            .is_err());
    }
}
