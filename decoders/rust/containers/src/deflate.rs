//! The deflate filter (HDF5 filter 1): a zlib stream (RFC 1950).

use fuse_core::{Error, Result};
use zune_inflate::errors::DecodeErrorStatus;
use zune_inflate::{DeflateDecoder, DeflateOptions};

/// Decodes a stream that should hold `expected` bytes and may hold up to `limit`; what follows it is
/// ignored.
pub fn decode(data: &[u8], expected: usize, limit: usize) -> Result<Vec<u8>> {
    let options = DeflateOptions::default()
        .set_limit(limit)
        .set_size_hint(expected.min(limit));
    match DeflateDecoder::new_with_options(data, options).decode_zlib() {
        Ok(out) => Ok(out),
        Err(e) => match e.error {
            DecodeErrorStatus::MismatchedAdler(..) | DecodeErrorStatus::MismatchedCRC(..) => {
                Err(Error::corrupt("deflate data do not match their checksum"))
            }
            DecodeErrorStatus::OutputLimitExceeded(..) => Err(Error::corrupt(format!(
                "deflate data hold more than {limit} bytes"
            ))),
            // The fast decoder wants nothing behind the stream; a slower one has the last word.
            _ => careful(data, expected, limit),
        },
    }
}

fn careful(data: &[u8], expected: usize, limit: usize) -> Result<Vec<u8>> {
    let mut out = vec![0u8; expected.clamp(1024, limit.max(1024))];
    let mut decoder = fdeflate::Decompressor::new();
    let (mut at, mut length) = (0, 0);
    loop {
        let (read, written) =
            decoder
                .read(&data[at..], &mut out, length, true)
                .map_err(|e| match e {
                    fdeflate::DecompressionError::InsufficientInput => {
                        Error::truncated("deflate data end too early").at(data.len())
                    }
                    other => Error::corrupt(format!("invalid deflate data: {other:?}")).at(at),
                })?;
        at += read;
        length += written;
        if decoder.is_done() {
            out.truncate(length);
            return Ok(out);
        }
        if length == out.len() {
            if length >= limit {
                let message = format!("deflate data hold more than {limit} bytes");
                return Err(Error::corrupt(message));
            }
            out.resize((length * 2).min(limit), 0);
        } else if read == 0 && written == 0 {
            return Err(Error::truncated("deflate data end too early").at(data.len()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_with_and_without_bytes_behind() {
        let plain: Vec<u8> = (0..70_000u32)
            .map(|i| (i.wrapping_mul(i) >> 9) as u8)
            .collect();
        let mut packed = fdeflate::compress_to_vec(&plain);
        for expected in [0, 100, plain.len(), plain.len() * 2] {
            assert_eq!(decode(&packed, expected, 200_000).unwrap(), plain);
        }
        packed.extend_from_slice(&[0; 7]);
        assert_eq!(decode(&packed, plain.len(), 200_000).unwrap(), plain);
        assert!(decode(&packed, plain.len(), 60_000).is_err());
    }

    #[test]
    fn reports_damage() {
        let packed = fdeflate::compress_to_vec(&[5u8; 9000]);
        assert!(decode(&packed[..packed.len() - 6], 9000, 20_000).is_err());
        assert!(decode(b"not deflate", 10, 100).is_err());
        assert!(decode(&[], 10, 100).is_err());
        let mut wrong = packed.clone();
        let last = wrong.len() - 1;
        wrong[last] ^= 1;
        assert!(decode(&wrong, 9000, 20_000).is_err());
    }
}
