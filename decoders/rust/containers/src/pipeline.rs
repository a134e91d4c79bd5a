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
