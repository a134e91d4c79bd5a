//! BloscLZ, the compressor of c-blosc's own (blosclz.c; a relative of FastLZ).

use crate::lzf::copy_back;
use fuse_core::{Error, Result};

/// Distances above this are written in two more bytes.
const NEAR: usize = 8191;

/// Decodes into exactly `out`.
pub fn decode(data: &[u8], out: &mut [u8]) -> Result<()> {
    let mut at = 0usize;
    let mut to = 0usize;
    let byte = |at: usize| {
        data.get(at)
            .map(|&b| usize::from(b))
            .ok_or_else(|| Error::corrupt("blosclz data end inside a run").at(at))
    };
    let full = |at: usize| Error::corrupt("blosclz data hold more than they should").at(at);
    while at < data.len() {
        // The first run is always one of literals: its three upper bits mean something else.
        let control = if at == 0 { byte(at)? & 31 } else { byte(at)? };
        at += 1;
        if control < 32 {
            let count = control + 1;
            let literals = data
                .get(at..at + count)
                .ok_or_else(|| Error::corrupt("blosclz data end inside a run").at(at))?;
            out.get_mut(to..to + count)
                .ok_or_else(|| full(at))?
                .copy_from_slice(literals);
            at += count;
            to += count;
            continue;
        }
        let mut count = (control >> 5) - 1;
        let mut distance = (control & 31) << 8;
        if count == 6 {
            loop {
                let more = byte(at)?;
                at += 1;
                count += more;
                if more != 255 {
                    break;
                }
            }
        }
        let low = byte(at)?;
        at += 1;
        if low == 255 && distance == 31 << 8 {
            distance = (byte(at)? << 8) + byte(at + 1)? + NEAR;
            at += 2;
        } else {
            distance += low;
        }
        count += 3;
        if count > out.len() - to {
            return Err(full(at));
        }
        copy_back(out, to, distance + 1, count)
            .ok_or_else(|| Error::corrupt("blosclz data refer to before their start").at(at))?;
        to += count;
    }
    if to != out.len() {
        return Err(Error::truncated(format!(
            "blosclz data hold {to} bytes, {} are needed",
            out.len()
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_literals_and_repeats() {
        // "abc"; 3 + 1 bytes from 3 back; 3 + 6 + 2 bytes from 1 back.
        let data = [2 | 32, b'a', b'b', b'c', 2 << 5, 2, 7 << 5, 2, 0];
        let mut out = [0; 18];
        decode(&data, &mut out).unwrap();
        assert_eq!(&out, b"abcabcaaaaaaaaaaaa");
    }

    #[test]
    fn decodes_far_repeats() {
        let mut data = Vec::new();
        for i in 0..300usize {
            data.push(31);
            data.extend((0..32).map(|j| ((i * 7) ^ j) as u8));
        }
        data.extend_from_slice(&[(1 << 5) | 31, 255, 0, 8]);
        let mut out = vec![0; 9600 + 3];
        decode(&data, &mut out).unwrap();
        assert_eq!(out[9600..], out[9600 - 8200..9603 - 8200].to_vec());
    }

    #[test]
    fn refuses_damage() {
        let mut out = [0; 8];
        for data in [
            &[7u8, 1][..],
            &[0, 1, 64, 9],
            &[0, 1, 224],
            &[0, 1],
            &[9; 12],
        ] {
            assert!(decode(data, &mut out).is_err(), "{data:?}");
        }
    }
}
