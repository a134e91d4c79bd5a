//! Two run-length codes of the 1980s for grey pictures: ThunderScan's 4 bits and NeXT's 2 bits.
//!
//! Source: what libtiff documents of them; neither is part of TIFF 6.0.

use fuse_core::{buffer, Error, Result};
use fuse_raster::short;

/// Four-bit pixels, each row coded as runs and differences to the pixel before.
pub fn thunder(input: &[u8], width: usize, rows: usize) -> Result<Vec<u8>> {
    const TWO: [i32; 4] = [0, 1, 0, -1];
    const THREE: [i32; 8] = [0, 1, 2, 3, 0, -3, -2, -1];
    let row_bytes = width.div_ceil(2);
    let mut out = buffer(row_bytes * rows, usize::MAX)?;
    let mut codes = input.iter();
    for (y, row) in out.chunks_exact_mut(row_bytes).enumerate() {
        let (mut x, mut last) = (0, 0i32);
        let mut set = |value: i32| {
            last = value & 15;
            if x < width {
                row[x / 2] |= (last as u8) << (4 * (1 - x % 2));
                x += 1;
            }
            (x, last)
        };
        let (mut at, mut before) = (0, 0);
        while at < width {
            let Some(&code) = codes.next() else {
                return Err(short(y * row_bytes, row_bytes * rows));
            };
            match code >> 6 {
                0 => {
                    for _ in 0..code & 63 {
                        (at, before) = set(before);
                    }
                }
                1 => {
                    for shift in [4, 2, 0] {
                        let delta = usize::from(code >> shift & 3);
                        if delta != 2 {
                            (at, before) = set(before + TWO[delta]);
                        }
                    }
                }
                2 => {
                    for shift in [3, 0] {
                        let delta = usize::from(code >> shift & 7);
                        if delta != 4 {
                            (at, before) = set(before + THREE[delta]);
                        }
                    }
                }
                _ => (at, before) = set(i32::from(code & 15)),
            }
        }
    }
    Ok(out)
}

/// Two-bit pixels, each row literal, a literal span on white, or runs.
pub fn next(input: &[u8], width: usize, rows: usize) -> Result<Vec<u8>> {
    let row_bytes = width.div_ceil(4);
    let mut out = buffer(row_bytes * rows, usize::MAX)?;
    out.fill(0xff);
    let mut at = 0;
    let total = row_bytes * rows;
    for (y, row) in out.chunks_exact_mut(row_bytes).enumerate() {
        let end = || short(y * row_bytes, total);
        let mut code = *input.get(at).ok_or_else(end)?;
        at += 1;
        match code {
            0 => {
                row.copy_from_slice(input.get(at..at + row_bytes).ok_or_else(end)?);
                at += row_bytes;
            }
            0x40 => {
                let head = input.get(at..at + 4).ok_or_else(end)?;
                let from = usize::from(head[0]) << 8 | usize::from(head[1]);
                let count = usize::from(head[2]) << 8 | usize::from(head[3]);
                let data = input.get(at + 4..at + 4 + count).ok_or_else(end)?;
                row.get_mut(from..from + count)
                    .ok_or_else(|| Error::corrupt("a NeXT span passes the row").at(at))?
                    .copy_from_slice(data);
                at += 4 + count;
            }
            _ => {
                let mut x = 0;
                loop {
                    let grey = code >> 6;
                    for _ in 0..code & 63 {
                        if x < width {
                            let shift = 6 - 2 * (x % 4);
                            row[x / 4] = row[x / 4] & !(3 << shift) | grey << shift;
                            x += 1;
                        }
                    }
                    if x >= width {
                        break;
                    }
                    code = *input.get(at).ok_or_else(end)?;
                    at += 1;
                }
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_thunder_rows() {
        // Raw 5, run of two, differences +1 -1 skip, differences +3 skip.
        let input = [0xc5, 0x02, 0b0101_1110, 0b1001_1100];
        assert_eq!(thunder(&input, 6, 1).unwrap(), [0x55, 0x56, 0x58]);
        assert!(thunder(&input[..2], 6, 1).is_err());
    }

    #[test]
    fn rows_are_as_long_as_their_pixels_need() {
        // Found by fuzzing: bits of each sample that contradict BitsPerSample made rows too short.
        let mut words = vec![0; fuse_raster::params::WORDS];
        words[..5].copy_from_slice(&[32766, 1, 2, 1, 1]);
        words[8..11].copy_from_slice(&[24, 1, 1]);
        words[13] = 1;
        for bits in [1, 3] {
            words.truncate(fuse_raster::params::WORDS);
            words.push(bits);
            let p = fuse_raster::Params::parse(&words, |_, _| &[]).unwrap();
            let decoded = crate::tiff::decode(&p, &[0x58], &mut [0; 24]);
            assert_eq!(decoded.is_ok(), bits == 1);
        }
    }

    #[test]
    fn decodes_next_rows() {
        let input = [0x00, 0x1b, 0xe4, 0x40, 0, 1, 0, 1, 0x00, 0x03, 0x85];
        let rows = next(&input, 8, 3).unwrap();
        assert_eq!(rows, [0x1b, 0xe4, 0xff, 0x00, 0b0000_0010, 0b1010_1010]);
        assert!(next(&input[..4], 8, 2).is_err());
    }
}
