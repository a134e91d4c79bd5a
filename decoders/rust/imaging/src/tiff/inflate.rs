//! Deflate in a zlib envelope (Adobe Photoshop TIFF Technical Notes; RFC 1950, RFC 1951).

use fuse_core::{buffer, Error, Result};
use fuse_raster::short;
use zune_inflate::errors::DecodeErrorStatus;
use zune_inflate::{DeflateDecoder, DeflateOptions};

/// Decodes `length` bytes; data after them are ignored.
///
/// The fast decoder wants the whole stream well-formed and no longer than told; where it gives up, a
/// decoder that stops at the wanted length has the last word.
pub fn decode(input: &[u8], length: usize) -> Result<Vec<u8>> {
    let options = DeflateOptions::default()
        .set_limit(length)
        .set_size_hint(length);
    match DeflateDecoder::new_with_options(input, options).decode_zlib() {
        Ok(mut data) if data.len() >= length => {
            data.truncate(length);
            Ok(data)
        }
        Ok(data) => Err(short(data.len(), length)),
        Err(e) => match e.error {
            DecodeErrorStatus::MismatchedAdler(..) | DecodeErrorStatus::MismatchedCRC(..) => {
                Err(Error::corrupt("deflate data do not match their checksum"))
            }
            _ => careful(input, length),
        },
    }
}

fn careful(input: &[u8], length: usize) -> Result<Vec<u8>> {
    let mut out = buffer(length, usize::MAX)?;
    let mut decoder = fdeflate::Decompressor::new();
    match decoder.read(input, &mut out, 0, true) {
        Ok((_, n)) if n == length => Ok(out),
        Ok((_, n)) => Err(short(n, length)),
        Err(fdeflate::DecompressionError::InsufficientInput) => Err(Error::truncated(format!(
            "deflate data end before {length} bytes are decoded"
        ))),
        Err(e) => Err(Error::corrupt(format!("invalid deflate data: {e:?}"))),
    }
}

/// Decodes a stream of unknown length, at most `limit` bytes.
pub fn decode_all(input: &[u8], limit: usize) -> Result<Vec<u8>> {
    let options = DeflateOptions::default().set_limit(limit);
    DeflateDecoder::new_with_options(input, options)
        .decode_zlib()
        .map_err(|e| Error::corrupt(format!("invalid deflate data: {:?}", e.error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (Vec<u8>, Vec<u8>) {
        let plain: Vec<u8> = (0..50_000u32).map(|i| ((i * i) >> 9) as u8).collect();
        let packed = fdeflate::compress_to_vec(&plain);
        (plain, packed)
    }

    #[test]
    fn decodes_and_stops_at_the_wanted_length() {
        let (plain, packed) = sample();
        assert_eq!(decode(&packed, plain.len()).unwrap(), plain);
        assert_eq!(decode(&packed, 1000).unwrap(), plain[..1000]);
        let mut padded = packed.clone();
        padded.extend_from_slice(&[0; 9]);
        assert_eq!(decode(&padded, plain.len()).unwrap(), plain);
    }

    #[test]
    fn reports_short_and_damaged_data() {
        let (plain, packed) = sample();
        assert!(decode(&packed, plain.len() + 1).is_err());
        assert!(decode(&packed[..packed.len() / 2], plain.len()).is_err());
        assert!(decode(b"not deflate", 10).is_err());
        let mut wrong = packed.clone();
        let last = wrong.len() - 1;
        wrong[last] ^= 1;
        assert!(decode(&wrong, plain.len()).is_err());
    }
}
