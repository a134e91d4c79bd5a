//! The LZF filter of h5py (HDF5 filter 32000; format of LibLZF).

use fuse_core::{buffer, Error, Result};

/// Decodes a chunk; its third parameter is the size of a whole chunk.
pub fn decode(values: &[u32], data: &[u8], expected: usize, limit: usize) -> Result<Vec<u8>> {
    let size = values.get(2).map_or(0, |&n| n as usize).max(expected);
    let mut out = buffer(size, limit)?;
    let length = unpack(data, &mut out)?;
    out.truncate(length);
    Ok(out)
}

fn unpack(data: &[u8], out: &mut [u8]) -> Result<usize> {
    let short = |at: usize| Error::corrupt("lzf data end inside a run").at(at);
    let full = |at: usize| Error::corrupt("lzf data hold more than they should").at(at);
    let (mut at, mut to) = (0usize, 0usize);
    while let Some(&control) = data.get(at) {
        at += 1;
        if control < 32 {
            let count = usize::from(control) + 1;
            let literals = data.get(at..at + count).ok_or_else(|| short(at))?;
            out.get_mut(to..to + count)
                .ok_or_else(|| full(at))?
                .copy_from_slice(literals);
            at += count;
            to += count;
            continue;
        }
        let mut count = usize::from(control >> 5);
        if count == 7 {
            count += usize::from(*data.get(at).ok_or_else(|| short(at))?);
            at += 1;
        }
        count += 2;
        let low = usize::from(*data.get(at).ok_or_else(|| short(at))?);
        at += 1;
        let distance = (usize::from(control & 31) << 8) + low + 1;
        if to + count > out.len() {
            return Err(full(at));
        }
        copy_back(out, to, distance, count)
            .ok_or_else(|| Error::corrupt("lzf data refer to before their start").at(at))?;
        to += count;
    }
    Ok(to)
}

/// Repeats `count` bytes from `distance` before `to`, which may overlap; `None` before the start.
/// The caller has checked that `to + count` is inside.
pub fn copy_back(out: &mut [u8], to: usize, distance: usize, count: usize) -> Option<()> {
    let from = to.checked_sub(distance)?;
    if distance >= count {
        out.copy_within(from..from + count, to);
    } else {
        for i in 0..count {
            out[to + i] = out[from + i];
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_literals_and_repeats() {
        // "ab", then 9 bytes from 2 back (length byte), then 3 bytes from 1 back.
        let data = [1, b'a', b'b', 0xe0, 0, 1, 0x20, 0];
        assert_eq!(
            decode(&[4, 261, 14], &data, 14, 100).unwrap(),
            b"abababababaaaa"
        );
    }

    #[test]
    fn refuses_damage() {
        for data in [
            &[5u8, 1, 2][..],
            &[0x20, 0],
            &[0, 1, 0xe0],
            &[0, 1, 0x3f, 5],
        ] {
            assert!(decode(&[], data, 10, 100).is_err(), "{data:?}");
        }
        assert!(decode(&[], &[3, 1, 2, 3, 4], 3, 100).is_err());
        assert!(decode(&[4, 261, 1 << 30], &[0, 1], 3, 100).is_err());
    }
}
