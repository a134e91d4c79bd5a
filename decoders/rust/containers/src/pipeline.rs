//! The filter pipeline, undone: the filter applied last comes off first.

use crate::params::Filter;
use crate::{bitshuffle, blosc, bzip, deflate, fletcher32, lz4, lzf, nbit, scaleoffset};
use crate::{shuffle, szip, zstd};
use fuse_core::{Error, Result};
use std::borrow::Cow;

/// Undoes all filters; `expected` is the size of the unfiltered chunk.
pub fn undo<'a>(filters: &[Filter<'_>], chunk: &'a [u8], expected: usize) -> Result<Cow<'a, [u8]>> {
    // What lies between two filters is at most a little larger than the chunk: headers, checksums,
    // and what a compressor adds to data it cannot compress.
    let limit = expected
        .saturating_add(expected / 2)
        .saturating_add(64 << 10);
    let mut data = Cow::Borrowed(chunk);
    for filter in filters.iter().rev() {
        data = match filter.id {
            2 => Cow::Owned(shuffle::undo(first(filter)? as usize, &data)),
            3 => {
                let length = fletcher32::check(&data)?;
                match data {
                    Cow::Borrowed(bytes) => Cow::Borrowed(&bytes[..length]),
                    Cow::Owned(mut bytes) => {
                        bytes.truncate(length);
                        Cow::Owned(bytes)
                    }
                }
            }
            // Bit Groom and Granular BitRound round before compression: there is nothing to undo.
            32022 | 32023 => data,
            1 => Cow::Owned(deflate::decode(&data, expected, limit)?),
            4 => Cow::Owned(szip::decode(filter.values, &data, limit)?),
            5 => Cow::Owned(nbit::decode(filter.values, &data, limit)?),
            6 => Cow::Owned(scaleoffset::decode(filter.values, &data, limit)?),
            307 => Cow::Owned(bzip::decode(&data, expected, limit)?),
            32000 => Cow::Owned(lzf::decode(filter.values, &data, expected, limit)?),
            32001 => Cow::Owned(blosc::decode(&data, limit)?),
            32004 => Cow::Owned(lz4::decode_framed(&data, limit)?),
            32008 => Cow::Owned(bitshuffle::decode(filter.values, &data, limit)?),
            32015 => Cow::Owned(zstd::decode(&data, expected, limit)?),
            id => return Err(Error::unsupported(format!("HDF5 filter {id}"))),
        };
    }
    Ok(data)
}

fn first(filter: &Filter<'_>) -> Result<u32> {
    filter
        .values
        .first()
        .copied()
        .ok_or_else(|| Error::corrupt(format!("HDF5 filter {} has no parameters", filter.id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Filters with values as files have them, and some that make no sense.
    const FILTERS: [(u32, &[u32]); 20] = [
        (1, &[6]),
        (2, &[4]),
        (3, &[]),
        (4, &[141, 16, 16, 64]),
        (4, &[141, 32, 32, 60]),
        (5, &[8, 0, 64, 1, 4, 0, 12, 4]),
        (
            5,
            &[0, 0, 16, 3, 8, 2, 0, 1, 4, 1, 9, 3, 4, 2, 4, 1, 2, 0, 7, 1],
        ),
        (6, &[2, 0, 64, 0, 4, 1, 0, 1, 5, 0]),
        (6, &[0, 2, 64, 1, 8, 0, 1, 1, 0, 0]),
        (307, &[9]),
        (32000, &[4, 261, 256]),
        (32001, &[2, 2, 4, 256, 5, 1, 1]),
        (32004, &[0]),
        (32008, &[0, 4, 4, 0, 0]),
        (32008, &[0, 4, 3, 64, 2]),
        (32008, &[0, 4, 4, 0, 3]),
        (32015, &[3]),
        (32023, &[]),
        (99, &[]),
        (6, &[]),
    ];

    /// Where a stream of each filter begins in the way its own compressor would have it.
    fn head(id: u32, values: &[u32], seed: u32) -> Vec<u8> {
        match (id, values.get(4)) {
            (1, _) => vec![0x78, 0x9c],
            (4, _) => 256u32.to_le_bytes().to_vec(),
            (6, _) => {
                let mut head = vec![0; 21];
                head[0] = (seed % 40) as u8;
                head[4] = 8;
                head
            }
            (307, _) => b"BZh91AY&SY".to_vec(),
            (32001, _) => {
                let codec = (seed % 5) as u8;
                let mut head = vec![2, 1, (codec << 5) | (seed >> 8) as u8 & 0x15, 4];
                for n in [256u32, 128, 320] {
                    head.extend_from_slice(&n.to_le_bytes());
                }
                head.extend_from_slice(&[24, 0, 0, 0, 90, 0, 0, 0]);
                head
            }
            (32004, _) | (32008, Some(2 | 3)) => {
                let mut head = 256u64.to_be_bytes().to_vec();
                head.extend_from_slice(&[0, 0, 0, 128, 0, 0, 0, (seed % 200) as u8]);
                head
            }
            (32015, _) => vec![0x28, 0xb5, 0x2f, 0xfd, 0x60, 0, 0],
            _ => Vec::new(),
        }
    }

    #[test]
    fn noise_is_refused_or_decoded_and_never_more() {
        let mut state = 1u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 8
        };
        for round in 0..400 {
            for (id, values) in FILTERS {
                let mut data = head(id, values, random());
                let length = random() as usize % 320;
                // Small bytes are commoner, so that lengths and codes are often possible.
                data.extend((0..length).map(|_| (random() >> (random() % 9)) as u8));
                if round % 3 == 0 && !data.is_empty() {
                    let at = random() as usize % data.len();
                    data[at] = random() as u8;
                }
                let filters = [Filter { id, values }];
                if let Ok(out) = undo(&filters, &data, 256) {
                    assert!(out.len() <= 256 + 128 + (64 << 10), "filter {id}");
                }
            }
        }
    }

    #[test]
    fn filters_come_off_in_reverse() {
        // Shuffled, then deflated, then summed.
        let plain: Vec<u8> = (0..64).collect();
        let mut planes = Vec::new();
        for k in 0..4 {
            planes.extend(plain.iter().skip(k).step_by(4));
        }
        let mut stored = fdeflate::compress_to_vec(&planes);
        let sum = fletcher32::checksum(&stored);
        stored.extend_from_slice(&sum.to_le_bytes());
        let filter = |id, values| Filter { id, values };
        let filters = [filter(2, &[4][..]), filter(1, &[6][..]), filter(3, &[][..])];
        assert_eq!(*undo(&filters, &stored, 64).unwrap(), plain);
        assert!(undo(&filters[..2], &stored[..9], 64).is_err());
        assert_eq!(*undo(&[], &plain, 64).unwrap(), plain);
    }
}
